//! Bytes on a screen, of unknown and of known size: nothing panics, what is held stays small, and every place that is
//! looked at is there.
#![no_main]

use ingest::terminal::{Event, Position, Screen, Size, Terminal, Watcher};
use libfuzzer_sys::fuzz_target;

struct Look;

impl Watcher for Look {
    fn event(&mut self, _: Event, screen: &mut Screen, _: u64) {
        let here = screen.position();
        let (first, line) = screen.line(here.row);
        assert!(first <= here.row);
        assert!(line.len() <= 64 << 20);
        let _ = screen.text(Position { row: first, column: 0 }, here);
        let _ = screen.has_text_below(here.row);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut terminal = Terminal::new(Look);
    for (at, chunk) in data.chunks(97).enumerate() {
        terminal.write(chunk, 97 * at as u64);
    }
    // 600 rows of 16 Ki cells at most, each of a few bytes.
    assert!(terminal.held() < 256 << 20, "{} bytes held", terminal.held());
    let mut emulator = ingest::terminal::Emulator::new(Some(Size { columns: 20, rows: 6 }));
    emulator.write(data);
    assert!(emulator.screen().visible().len() <= 6);
});

//! Terminal bytes → a screen, and what a shell does on it.
//!
//! A parser from a well-kept crate (`vte`) reads the control sequences; [`Screen`] does what they ask for. A
//! [`Watcher`] is told of the few things that matter to whoever wants to know what was typed: that a line was
//! left, that a shell began or ceased to read, that a full-screen program took over. It looks at the screen as
//! it stands at that moment. Only the rows that may still be looked at are kept, so memory does not grow
//! with the transcript.

mod emulator;
mod grid;
mod screen;

use model::ObservationKind;
use vte::{Params, Parser, Perform};

pub use emulator::Emulator;
pub use screen::{Position, Screen, Size};

/// Something that happened on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The cursor is about to leave its line with a line feed. `bell`: the terminal was rung since the last
    /// character.
    LineFeed {
        /// Rung since the last character?
        bell: bool,
    },
    /// The shell's line editor begins to read (bracketed paste on).
    EditorOn,
    /// The line editor is done (bracketed paste off).
    EditorOff,
    /// A full-screen program takes over.
    ScreenOn,
    /// The full-screen program is gone.
    ScreenOff,
    /// On a full-screen page the cursor has jumped to another row, from here.
    Jumped(Position),
    /// On a full-screen page the cursor is about to return to the start of its row.
    Return,
    /// Something that hides text was done.
    Hides(ObservationKind),
}

/// Is told what happens. The trait of the stage that calls it.
pub trait Watcher {
    /// `event` happens on `screen`; `offset` is the artifact's byte behind it.
    fn event(&mut self, event: Event, screen: &mut Screen, offset: u64);

    /// Would it do with lines of plain text alone, as long as there is nothing else? Most of a recording is
    /// output, and most output is such lines: they then need not go through the screen.
    fn takes_lines(&self) -> bool {
        false
    }

    /// A line of plain text was written on an empty row, and left.
    fn line(&mut self, _line: &str, _offset: u64) {}
}

/// A terminal that is being written to.
pub struct Terminal<W> {
    parser: Parser,
    machine: Machine<W>,
}

struct Machine<W> {
    screen: Screen,
    watcher: W,
    offset: u64,
    bell: bool,
    /// Characters printed so far.
    printed: u64,
    /// Is the parser between sequences for certain?
    ground: bool,
    /// Is a sequence begun and not complete?
    open: bool,
    /// The same, as the bytes themselves tell it; and has a sequence just been completed?
    between: bool,
    dispatched: bool,
    /// What the sequence that was just read says of the line editor: to be told with the place where it ends.
    mark: Option<Event>,
    /// Characters in a row that nobody could see.
    concealed: u32,
    /// The last line feed was taken as one.
    fed: bool,
}

impl<W: Watcher> Terminal<W> {
    /// An empty terminal.
    pub fn new(watcher: W) -> Self {
        let screen = Screen::new(None);
        let machine = Machine {
            screen,
            watcher,
            offset: 0,
            bell: false,
            printed: 0,
            ground: true,
            open: false,
            between: true,
            dispatched: false,
            mark: None,
            concealed: 0,
            fed: false,
        };
        Self { parser: Parser::new(), machine }
    }

    /// Writes `bytes`, the first of which stands at `offset` in the artifact.
    pub fn write(&mut self, bytes: &[u8], offset: u64) {
        let mut from = 0;
        while from < bytes.len() {
            // Up to and including the next line feed, or what acts as one.
            let end = memchr::memchr3(b'\n', 0x0b, 0x0c, &bytes[from..]);
            let to = end.map_or(bytes.len(), |at| from + at + 1);
            self.segment(&bytes[from..to], offset + from as u64);
            from = to;
        }
    }

    /// Writes a piece that ends with the only line feed in it, if with any.
    fn segment(&mut self, bytes: &[u8], offset: u64) {
        let machine = &mut self.machine;
        let Some(line) = plain(bytes) else {
            machine.ground = false;
            self.advance(bytes, offset);
            self.rescue(bytes, offset);
            return;
        };
        if machine.ground && machine.watcher.takes_lines() && machine.screen.is_at_empty_row() {
            machine.bell = false;
            machine.watcher.line(line, offset + bytes.len() as u64);
            return;
        }
        // Inside a sequence not all of these characters would be printed.
        let before = machine.printed;
        self.advance(bytes, offset);
        self.rescue(bytes, offset);
        let printed = self.machine.printed - before;
        self.machine.ground = printed == line.chars().count() as u64;
    }

    /// A control string that nobody finished swallows everything from there on. It is given up at the end of its
    /// line, which no title and no other such string has in it.
    fn rescue(&mut self, bytes: &[u8], offset: u64) {
        const CANCEL: &[u8] = b"\x18\n";
        if bytes.ends_with(b"\n") && (!self.machine.fed || self.machine.open) {
            let end = offset + bytes.len() as u64;
            self.machine.offset = end;
            self.machine.tell(Event::Hides(ObservationKind::SwallowedText));
            // Inside of a control sequence the line feed has been done.
            let cancel = if self.machine.fed { &CANCEL[..1] } else { CANCEL };
            self.advance(cancel, end - cancel.len() as u64);
            (self.machine.open, self.machine.between) = (false, true);
        }
    }

    fn advance(&mut self, bytes: &[u8], offset: u64) {
        let machine = &mut self.machine;
        machine.offset = offset + bytes.len() as u64;
        machine.fed = false;
        let mut at = 0;
        while at < bytes.len() {
            if machine.between {
                // Most of what is left is text: it need not go through the parser letter by letter.
                let run = bytes[at..].iter().take_while(|byte| matches!(byte, b' '..=b'~')).count();
                if run > 3 && machine.screen.print_ascii(&bytes[at..at + run]) {
                    machine.bell = false;
                    machine.concealed = 0;
                    machine.printed += run as u64;
                    at += run;
                    continue;
                }
            }
            machine.dispatched = false;
            let parsed = self.parser.advance_until_terminated(machine, &bytes[at..]);
            // A sequence that is complete leaves the parser between sequences; plain ASCII leaves it there.
            machine.between = machine.dispatched
                || machine.between
                    && !bytes[at..at + parsed].iter().any(|byte| *byte == 0x1b || *byte >= 0x80);
            // A sequence that is begun and not complete at the end of its line never will be.
            machine.open =
                !machine.dispatched && (machine.open || bytes[at..at + parsed].contains(&0x1b));
            at += parsed;
            if let Some(event) = machine.mark.take() {
                machine.watcher.event(event, &mut machine.screen, offset + at as u64);
            }
        }
    }

    /// Ends a line together with whatever it left open: an unfinished sequence, a scroll region or a cursor
    /// further up does not reach into the next line.
    pub fn end_line(&mut self, offset: u64) {
        const CANCEL: &[u8] = b"\x18";
        self.write(CANCEL, offset);
        self.write(b"\r\n", offset);
        self.machine.screen.settle();
    }

    /// Whoever watches.
    pub const fn watcher(&mut self) -> &mut W {
        &mut self.machine.watcher
    }

    /// Bytes that the screen takes, about.
    pub fn held(&self) -> usize {
        self.machine.screen.held()
    }

    /// The end: whoever watched, and the screen as it stands.
    pub fn finish(self) -> (W, Screen) {
        (self.machine.watcher, self.machine.screen)
    }
}

impl<W: Watcher> Machine<W> {
    fn tell(&mut self, event: Event) {
        self.watcher.event(event, &mut self.screen, self.offset);
    }

    #[cold]
    fn conceal(&mut self, c: char) {
        // Blocks of one colour are drawn, words are hidden.
        if self.screen.is_alternate() || !c.is_alphanumeric() {
            return;
        }
        self.concealed += 1;
        if self.concealed == 3 {
            self.tell(Event::Hides(ObservationKind::ConcealedText));
        }
    }
}

impl<W: Watcher> Perform for Machine<W> {
    fn print(&mut self, c: char) {
        self.bell = false;
        self.printed += 1;
        self.screen.print(c);
        if self.screen.conceals() {
            self.conceal(c);
        } else {
            self.concealed = 0;
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            7 => self.bell = true,
            b'\n' | 0x0b | 0x0c => {
                self.fed = true;
                let bell = std::mem::take(&mut self.bell);
                self.tell(Event::LineFeed { bell });
            }
            b'\r' if self.screen.is_alternate() => self.tell(Event::Return),
            _ => {}
        }
        self.screen.control(byte);
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        self.dispatched = true;
        // No sequence has two of these. What looks so is a prompt behind a sequence that nobody finished.
        if intermediates.len() > 1 {
            self.tell(Event::Hides(ObservationKind::SwallowedText));
        }
        if ignore {
            return;
        }
        if intermediates == b"?" && matches!(action, 'h' | 'l') {
            let was = self.screen.is_alternate();
            self.screen.csi(params, intermediates, action);
            if params.iter().flatten().any(|&mode| mode == 2004) {
                self.mark = Some(if action == 'h' { Event::EditorOn } else { Event::EditorOff });
            }
            match (was, self.screen.is_alternate()) {
                (false, true) => self.tell(Event::ScreenOn),
                (true, false) => self.tell(Event::ScreenOff),
                _ => {}
            }
            return;
        }
        let from = self.screen.position();
        self.screen.csi(params, intermediates, action);
        if self.screen.is_alternate() && self.screen.position().row != from.row {
            self.tell(Event::Jumped(from));
        }
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], bell: bool) {
        /// Titles name a directory, a host, a program; the parser itself keeps 1 KiB.
        const LONGEST_TITLE: usize = 300;
        // Ended in the other way, the parser is inside the sequence that ends it.
        self.dispatched |= bell;
        let length: usize = params.iter().map(|param| param.len()).sum();
        match params.first().copied() {
            Some(b"0" | b"1" | b"2") if length > LONGEST_TITLE => {
                self.tell(Event::Hides(ObservationKind::LongTitle));
            }
            // `?` asks for it.
            Some(b"52") if params.get(2).is_some_and(|data| *data != b"?") => {
                self.tell(Event::Hides(ObservationKind::ClipboardWritten));
            }
            _ => {}
        }
    }

    fn terminated(&self) -> bool {
        self.mark.is_some() || self.dispatched
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        self.dispatched = true;
        if !ignore {
            self.screen.esc(intermediates, byte);
        }
    }
}

/// The text of a line of plain characters that ends in a carriage return and a line feed.
fn plain(bytes: &[u8]) -> Option<&str> {
    let line = bytes.strip_suffix(b"\r\n")?;
    // Without an early way out, so that it is done for many bytes at once.
    let controls = line.iter().fold(false, |found, byte| found | byte.is_ascii_control());
    if controls || line.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    if line.is_ascii() {
        return Some(text);
    }
    // The control characters from U+0080 on.
    let c1 =
        memchr::memchr_iter(0xc2, line).any(|at| matches!(line.get(at + 1), Some(0x80..=0x9f)));
    (!c1).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Vec<String>);

    impl Watcher for Lines {
        fn event(&mut self, event: Event, screen: &mut Screen, _: u64) {
            if matches!(event, Event::LineFeed { .. }) && !screen.is_alternate() {
                self.0.push(screen.line(screen.position().row).1);
            }
        }
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut terminal = Terminal::new(Lines::default());
        terminal.write(bytes, 0);
        terminal.finish().0.0
    }

    #[test]
    fn editing_is_done_as_a_terminal_does_it() {
        let cases: [(&[u8], &str); 9] = [
            (b"$ lss\x08\x1b[K -l\r\n", "$ ls -l"),
            (b"# lx\x08 \x08s\r\n", "# ls"),
            (b"$ cat /etc/shadox\x08\x1b[Kw\r\n", "$ cat /etc/shadow"),
            (b"$ s /\x08\x08\x08\x1b[1@l\r\n", "$ ls /"),
            (b"$ echo ab\x08\x08\x1b[1P\r\n", "$ echo b"),
            (b"sh-4.2$ \r\x1b[Ksh-4.2$ date\r\r\n", "sh-4.2$ date"),
            (b"$ sudo -n true\r\x1b[C \x1b[4Pecho one\r\n", "$ echo one"),
            (b"progress 10%\rprogress 99%\r\n", "progress 99%"),
            (b"\x1b]0;title\x07$ id\r\n", "$ id"),
        ];
        for (bytes, expected) in cases {
            let seen = lines(bytes);
            let text = seen.first().map(|line| line.trim_end().to_owned());
            assert_eq!(text.as_deref(), Some(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_line_that_readline_wrapped_is_one_line() {
        assert_eq!(lines(b"$ echo aaa \rbbb\r\n"), ["$ echo aaabbb"]);
        assert_eq!(lines(b"$ echo aaab\rbbb\r\n"), ["$ echo aaabbb"]);
        // Back over the margin, as readline moves, and over what was there.
        assert_eq!(
            lines(b"$ echo aaa \rbb\x1b[A\x08X\r\n\r\n").last().map(String::as_str),
            Some("$Xecho aaabb")
        );
    }

    #[test]
    fn a_place_on_a_page_that_is_long_gone_is_survived() {
        let mut bytes = b"x\x1b[K\r\n".repeat(1500);
        bytes.extend(b"\x1b[3;67Hy\x1b[?1049h\x1b[9;1H\x1b[?1049l\r\n$ id\r\n");
        assert_eq!(lines(&bytes).last().map(String::as_str), Some("$ id"));
    }

    #[test]
    fn full_screen_drawing_is_not_lines() {
        assert_eq!(lines(b"$ vi\r\n\x1b[?1049hjunk\r\nmore\x1b[?1049l$ id\r\n"), ["$ vi", "$ id"]);
    }
}

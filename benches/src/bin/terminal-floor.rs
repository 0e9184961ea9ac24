//! The floor of reconstruction: the bare VT parser over the same bytes, with somebody who looks at everything
//! and keeps nothing.
//!
//! `cargo run --release -p ssm-audit-benches --bin terminal-floor -- TRANSCRIPT`

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::{env, hint};

use vte::{Params, Parser, Perform};

#[derive(Default)]
struct Count {
    printed: u64,
    told: u64,
}

impl Perform for Count {
    fn print(&mut self, c: char) {
        self.printed += u64::from(hint::black_box(c) != '\0');
    }

    fn execute(&mut self, byte: u8) {
        self.told += u64::from(hint::black_box(byte));
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        self.told += params.len() as u64 + u64::from(hint::black_box(action) == 'm');
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        self.told += hint::black_box(params).len() as u64;
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
        self.told += u64::from(hint::black_box(byte));
    }
}

fn main() -> io::Result<()> {
    let path = env::args().nth(1).ok_or_else(|| io::Error::other("usage: terminal-floor FILE"))?;
    let mut file = File::open(path)?;
    let (mut parser, mut count) = (Parser::new(), Count::default());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        parser.advance(&mut count, &buffer[..read]);
    }
    writeln!(io::stdout(), "{} characters, {} told", count.printed, count.told)
}

//! Parser and screen together: bytes in, a screen to look at.

use vte::{Params, Parser, Perform};

use super::screen::{Screen, Size};

/// A terminal of a known or unknown size.
pub struct Emulator {
    parser: Parser,
    machine: Machine,
}

struct Machine {
    screen: Screen,
}

impl Emulator {
    /// An empty terminal.
    pub fn new(size: Option<Size>) -> Self {
        Self { parser: Parser::new(), machine: Machine { screen: Screen::new(size) } }
    }

    /// Writes bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.parser.advance(&mut self.machine, bytes);
    }

    /// The screen as it stands.
    pub const fn screen(&self) -> &Screen {
        &self.machine.screen
    }
}

impl Perform for Machine {
    fn print(&mut self, c: char) {
        self.screen.print(c);
    }

    fn execute(&mut self, byte: u8) {
        self.screen.control(byte);
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if !ignore {
            self.screen.csi(params, intermediates, action);
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        if !ignore {
            self.screen.esc(intermediates, byte);
        }
    }
}

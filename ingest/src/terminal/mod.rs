//! Terminal bytes → lines as a person saw them.
//!
//! A parser from a well-kept crate (`vte`) reads the control sequences; what they do to the line being
//! written is done here. The result is a sequence of [`Seen`]: each line as it stood when the cursor left
//! it, and the marks that a shell gives of what it is doing. Only the current line is kept, so memory
//! does not grow with the transcript.
//!
//! The window's size is not in any recording (FORMATS A12), so a line here is as long as it gets; the
//! space and carriage return with which readline wraps at the margin are undone.

mod emulator;
mod grid;
mod line;
mod screen;

use model::ByteSpan;
use vte::{Params, Parser, Perform};

pub use emulator::Emulator;
pub use line::EditLine;
pub use screen::{Position, Screen, Size};

/// What the reader of a terminal sees, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A line was left with a line feed.
    Line(SeenLine),
    /// The shell's line editor began to read (bracketed paste on): a prompt follows.
    EditorOn,
    /// The line editor is done (bracketed paste off): what was edited was submitted or abandoned.
    /// Holds the unfinished line, if the cursor is still on one.
    EditorOff(Option<SeenLine>),
    /// A full-screen program took over; lines until [`Seen::ScreenOff`] are its drawing.
    ScreenOn,
    /// The full-screen program is gone.
    ScreenOff,
}

/// A line and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLine {
    /// The text as it stood, trailing blanks included.
    pub text: String,
    /// From the first byte that wrote to it to the one that ended it.
    pub bytes: ByteSpan,
}

/// Longest line kept, in characters. Output may have no line end at all.
const MAX_LINE: usize = 16 << 10;

/// A terminal that is being written to.
pub struct Terminal {
    parser: Parser,
    screen: Follower,
}

struct Follower {
    line: EditLine,
    /// Artifact offset at which the current line began.
    line_start: u64,
    /// Artifact offset just behind the bytes being parsed.
    offset: u64,
    /// A carriage return came right behind a blank at the line's end: readline's wrap, if text follows.
    wrap: bool,
    alternate: bool,
    seen: Vec<Seen>,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// An empty terminal.
    pub fn new() -> Self {
        Self {
            parser: Parser::new(),
            screen: Follower {
                line: EditLine::new(MAX_LINE),
                line_start: 0,
                offset: 0,
                wrap: false,
                alternate: false,
                seen: Vec::new(),
            },
        }
    }

    /// Writes `bytes`, the first of which stands at `offset` in the artifact, and hands over what was
    /// seen.
    pub fn write(&mut self, bytes: &[u8], offset: u64, mut seen: impl FnMut(Seen)) {
        let mut from = 0;
        while from < bytes.len() {
            // Up to and including the next line feed, so that a line's end has an offset.
            let to = memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at + 1);
            self.screen.offset = offset + to as u64;
            if self.screen.line.is_untouched() {
                self.screen.line_start = offset + from as u64;
            }
            self.parser.advance(&mut self.screen, &bytes[from..to]);
            from = to;
        }
        self.screen.seen.drain(..).for_each(&mut seen);
    }

    /// Bytes that the current line takes.
    pub fn held(&self) -> usize {
        self.screen.line.columns() * size_of::<char>()
    }

    /// The line that the cursor is on, at the end of the recording.
    pub fn finish(mut self) -> Option<SeenLine> {
        (!self.screen.alternate).then(|| self.screen.take_line()).flatten()
    }
}

impl Follower {
    fn take_line(&mut self) -> Option<SeenLine> {
        if self.line.is_untouched() {
            return None;
        }
        let bytes = ByteSpan { start: self.line_start, end: self.offset };
        Some(SeenLine { text: self.line.take(), bytes })
    }

    fn line_feed(&mut self) {
        self.wrap = false;
        if self.alternate {
            self.line.take();
            return;
        }
        let bytes = ByteSpan { start: self.line_start, end: self.offset };
        self.seen.push(Seen::Line(SeenLine { text: self.line.take(), bytes }));
        self.line_start = self.offset;
    }

    fn private_mode(&mut self, params: &Params, on: bool) {
        for mode in params.iter().flatten() {
            match (mode, on) {
                (2004, true) => self.seen.push(Seen::EditorOn),
                (2004, false) => {
                    let line = self.take_line();
                    self.seen.push(Seen::EditorOff(line));
                }
                (47 | 1047 | 1049, true) if !self.alternate => {
                    self.alternate = true;
                    self.line.take();
                    self.seen.push(Seen::ScreenOn);
                }
                (47 | 1047 | 1049, false) if self.alternate => {
                    self.alternate = false;
                    self.line.take();
                    self.seen.push(Seen::ScreenOff);
                }
                _ => {}
            }
        }
    }
}

/// First parameter, with the default that most sequences have.
fn count(params: &Params) -> usize {
    params.iter().flatten().next().map_or(1, |&n| usize::from(n.max(1)))
}

impl Perform for Follower {
    fn print(&mut self, c: char) {
        if std::mem::take(&mut self.wrap) {
            self.line.unwrap_blank();
        }
        self.line.put(c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.line_feed(),
            b'\r' => {
                self.wrap = self.line.ends_in_fresh_blank();
                if !self.wrap {
                    self.line.set_column(0);
                }
            }
            0x08 => {
                self.settle();
                self.line.left(1);
            }
            b'\t' => {
                self.settle();
                self.line.tab();
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        self.settle();
        if intermediates == b"?" {
            match action {
                'h' => self.private_mode(params, true),
                'l' => self.private_mode(params, false),
                _ => {}
            }
            return;
        }
        if !intermediates.is_empty() {
            return;
        }
        let mode = params.iter().flatten().next().copied().unwrap_or(0);
        match action {
            'C' | 'a' => self.line.right(count(params)),
            'D' => self.line.left(count(params)),
            'G' | '`' => self.line.set_column(count(params) - 1),
            'K' => self.line.erase(mode),
            'P' => self.line.delete(count(params)),
            '@' => self.line.insert_blanks(count(params)),
            'X' => self.line.blank_out(count(params)),
            'J' if mode == 0 => self.line.erase(0),
            _ => {}
        }
    }
}

impl Follower {
    /// A carriage return that no text followed was a carriage return.
    fn settle(&mut self) {
        if std::mem::take(&mut self.wrap) {
            self.line.set_column(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut terminal = Terminal::new();
        let mut out = Vec::new();
        terminal.write(bytes, 0, |seen| match seen {
            Seen::Line(line) => out.push(line.text),
            Seen::EditorOff(Some(line)) => out.push(format!("{} (left)", line.text)),
            _ => {}
        });
        out.extend(terminal.finish().map(|line| format!("{} (open)", line.text)));
        out
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
    }

    #[test]
    fn full_screen_drawing_is_not_lines() {
        assert_eq!(lines(b"$ vi\r\n\x1b[?1049hjunk\r\nmore\x1b[?1049l$ id\r\n"), ["$ vi", "$ id"]);
    }

    #[test]
    fn spans_cover_the_bytes_of_their_line() {
        let mut terminal = Terminal::new();
        let mut spans = Vec::new();
        terminal.write(b"ab\r\ncd\r\n", 100, |seen| {
            if let Seen::Line(line) = seen {
                spans.push((line.bytes.start, line.bytes.end));
            }
        });
        assert_eq!(spans, [(100, 104), (104, 108)]);
    }
}

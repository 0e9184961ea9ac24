//! JSON that is safe to look at: besides what JSON itself asks for, every character that could act on a
//! terminal or deceive a reader is written as an escape. To a program it is the same text.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| model::is_deceptive(*c)) {
            out.write_all(&fragment.as_bytes()[plain..at])?;
            plain = at + c.len_utf8();
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        out.write_all(&fragment.as_bytes()[plain..])
    }
}

/// Writes a value as one line.
pub(crate) fn write_line(out: &mut dyn io::Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Safe))?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_means_the_same() {
        let text = "a\u{1b}[2J\u{9b}1m\u{202e}\u{7f}\u{e0041}ü\"\\\n";
        let mut out = Vec::new();
        assert!(write_line(&mut out, &text).is_ok());
        let line = String::from_utf8_lossy(&out).into_owned();
        assert!(
            line.trim_end().chars().all(|c| !c.is_control() && !model::is_deceptive(c)),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<String>(&line).ok().as_deref(), Some(text));
    }
}

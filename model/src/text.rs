//! Foreign text made harmless for a terminal.

use std::fmt;

/// Displays text from outside so that nothing in it can act on the reader's terminal: control characters
/// (C0, DEL, C1) and the invisible or direction-changing ones of Unicode are written as escapes.
///
/// ```
/// # use ssm_audit_model::Visible;
/// assert_eq!(Visible("ls\u{1b}[2J\n").to_string(), r"ls\x1b[2J\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Visible<'a>(pub &'a str);

/// Can this character act on a terminal, or change how its neighbours look without being seen itself?
pub const fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}') || deceives(c)
}

/// Characters that change how their neighbours look, or that cannot be seen: bidirectional controls,
/// zero-width ones, line and paragraph separators, tags, byte order mark.
const fn deceives(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, c) in self.0.char_indices() {
            if !(c.is_control() || deceives(c)) {
                continue;
            }
            f.write_str(&self.0[plain..at])?;
            plain = at + c.len_utf8();
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if (c as u32) < 0x100 => write!(f, "\\x{:02x}", c as u32)?,
                c => write!(f, "\\u{{{:x}}}", c as u32)?,
            }
        }
        f.write_str(&self.0[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_passes() {
        let hostile = "a\u{1b}]0;title\u{7}\u{9b}31m\u{202e}txt\u{200b}\u{e0041}\u{7f}";
        let shown = Visible(hostile).to_string();
        assert!(shown.chars().all(|c| !c.is_control() && !deceives(c)), "{shown}");
        assert_eq!(shown, r"a\x1b]0;title\x07\x9b31m\u{202e}txt\u{200b}\u{e0041}\x7f");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        let text = "grüße, 日本 — 🚀 | \\ \"x\"";
        assert_eq!(Visible(text).to_string(), text);
    }
}

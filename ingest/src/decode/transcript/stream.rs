//! The streamed form: one JSON object per log event, with lines from which the agent has removed what it
//! could (FORMATS A4).

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::time::parse_time;

/// A streamed log event, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamedEvent<'a> {
    #[serde(borrow, default)]
    event_time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) aws_region: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) target: Option<Target<'a>>,
    #[serde(borrow, default)]
    pub(crate) user_identity: Option<UserIdentity<'a>>,
    #[serde(borrow, default)]
    pub(crate) run_as_user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) session_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) session_data: Vec<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UserIdentity<'a> {
    #[serde(borrow, default)]
    pub(crate) arn: Option<Cow<'a, str>>,
}

impl StreamedEvent<'_> {
    /// The agent's clock when it sent the event, to the second.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        parse_time(self.event_time.as_deref()?)
    }
}

/// A line of the stream, with what can be told of the editing that the agent took out of it (FORMATS A4).
///
/// Of a line that it could strip, no control sequence is left, only backspaces. In the line editors they come
/// from erasing far more often than from moving, so each takes the character before it away. A line that it
/// could not strip has its sequences, and has lost its carriage returns: a run of moves to the right, which
/// an editor only makes from the margin, says where one was.
pub(crate) fn restore(line: &str) -> Cow<'_, str> {
    if line.contains('\u{1b}') {
        return restore_returns(line);
    }
    let line = without_filler(line);
    if !line.contains('\u{8}') {
        return Cow::Borrowed(line);
    }
    Cow::Owned(searched(line).unwrap_or_else(|| Edited::follow(line)))
}

/// A search in the history, put together: what was searched for and what was found last, as the editor would
/// have shown them at once, and then the prompt, as it comes back.
fn searched(line: &str) -> Option<String> {
    const SEARCH: &str = "(reverse-i-search)`";
    let (prompt, rest) = line.split_once(SEARCH)?;
    let back = rest.rfind(prompt.trim_end()).filter(|_| !prompt.trim().is_empty())?;
    let (mut sought, mut found) = (String::new(), "");
    // Each key is painted where it belongs, and what is found then behind it.
    for piece in rest[..back].split(['\u{8}', '\u{7}']) {
        // The whole line, when the search fails or finds again.
        let piece = match piece.rsplit_once("-i-search)`") {
            Some((_, piece)) => {
                sought.clear();
                piece
            }
            None => piece,
        };
        match piece.split_once("':") {
            Some((key, text)) => {
                sought.push_str(key);
                found = text.trim();
            }
            None => sought.push_str(piece),
        }
    }
    // At the end the cursor is only moved to what was found.
    let after = Edited::follow(rest[back..].trim_end_matches('\u{8}'));
    Some(format!("{prompt}{SEARCH}{sought}': {found}{after}"))
}

/// An edit line that is followed through backspaces alone.
struct Edited {
    line: Vec<char>,
    cursor: usize,
    /// What was written last was there before: the backspaces after it move, and erase nothing.
    repainted: bool,
}

impl Edited {
    fn follow(line: &str) -> String {
        let mut edited = Self { line: Vec::new(), cursor: 0, repainted: false };
        let mut pieces = line.split_inclusive(|c| c != '\u{8}').peekable();
        let (mut text, mut back) = (Vec::new(), 0);
        while let Some(piece) = pieces.next() {
            // Backspaces, if any, and one character.
            let steps = piece.bytes().take_while(|byte| *byte == 8).count();
            if steps > 0 {
                edited.write(&text, back, steps);
                text.clear();
                back = steps;
            }
            text.extend(piece.chars().skip(steps));
            if pieces.peek().is_none() {
                edited.write(&text, back, 0);
            }
        }
        edited.line.into_iter().collect()
    }

    /// The cursor goes `back`, `text` is written, and then the cursor goes `returning`.
    fn write(&mut self, text: &[char], back: usize, returning: usize) {
        let repainted = std::mem::take(&mut self.repainted);
        let at = self.cursor.saturating_sub(back);
        let painted = &self.line[at..];
        if text.is_empty() && repainted {
            // Only the way back from the end of what was painted.
            return self.end(true);
        }
        if text == [' '] && back == 1 && returning == 0 && self.cursor == self.line.len() {
            // A blank that was put in further on: a driver that rubs out goes back over it.
            self.line.push(' ');
            return self.end(false);
        }
        // Blanks alone are how a terminal driver, and zsh, rub out.
        if painted.is_empty() || text.iter().all(|c| *c == ' ') {
            return self.replace(at, text);
        }
        if returning >= painted.len() && text.ends_with(painted) {
            // Something was inserted, and what is behind it painted again. A character that is the same as the
            // one that it is put before needs no painting itself.
            let inserted = match &text[..text.len() - painted.len()] {
                [] => vec![painted[0]],
                inserted => inserted.to_vec(),
            };
            self.line.splice(at..at, inserted);
            return self.end(true);
        }
        if returning == text.len() && painted.len() > text.len() && painted.ends_with(text) {
            // Something was deleted, and what is behind it painted again.
            self.line.truncate(at);
            self.line.extend(text);
            return self.end(true);
        }
        let end = &painted[painted.len().saturating_sub(text.len())..];
        let same = end.len() == text.len()
            && end.iter().zip(text).all(|(a, b)| a.to_lowercase().eq(b.to_lowercase()));
        if same && (returning == text.len() || repainted) {
            // A change of case.
            let from = self.line.len() - text.len();
            self.line.truncate(from);
            self.line.extend(text);
            return self.end(true);
        }
        let sudo = text.starts_with(&['s', 'u', 'd', 'o', ' ']);
        if sudo && at > 0 && self.line[at - 1].is_alphanumeric() {
            // Nobody types this inside a word: the cursor was on its way to the start of the line.
            self.line.extend(text);
            return self.end(false);
        }
        let behind_a_blank = text.starts_with(&[' ']) && at > 0 && self.line[at - 1] == ' ';
        if behind_a_blank && !painted.starts_with(&[' ']) {
            // Nobody types a blank behind a blank: the cursor had gone to the end.
            self.line.extend(text);
            return self.end(false);
        }
        let put_before = returning == 0
            && text.len() > 2
            && text.ends_with(&[' '])
            && !painted.starts_with(&[' '])
            && painted.contains(&' ')
            && at > 0
            && self.line[at - 1] == ' ';
        if put_before {
            // Nobody ends a line with a blank: words were put in front of what is there.
            self.line.splice(at..at, text.iter().copied());
            return self.end(true);
        }
        if repainted {
            // What is behind the cursor was not painted again this time: the cursor had gone to the end.
            self.line.extend(text);
            return self.end(false);
        }
        self.replace(at, text);
    }

    /// What was erased is gone, what was written is the end of the line.
    fn replace(&mut self, at: usize, text: &[char]) {
        self.line.truncate(at);
        self.line.extend(text);
        self.end(false);
    }

    fn end(&mut self, repainted: bool) {
        self.cursor = self.line.len();
        self.repainted = repainted;
    }
}

/// zsh fills the line with blanks to see whether it is empty, and returns: the return is lost, the blanks are
/// not.
fn without_filler(line: &str) -> &str {
    let Some(rest) = line.strip_prefix(['%', '#']) else { return line };
    let text = rest.trim_start_matches(' ');
    if rest.len() - text.len() >= 20 && !text.is_empty() { text } else { line }
}

fn restore_returns(line: &str) -> Cow<'_, str> {
    const RIGHT: &str = "\u{1b}[C";
    // The marks of a shell that reads do not survive on every line: on some they would only mislead.
    let line = line.replace("\u{1b}[?2004h", "").replace("\u{1b}[?2004l", "");
    let mut out = String::with_capacity(line.len());
    let mut rest = line.as_str();
    while let Some(at) = rest.find(RIGHT) {
        out.push_str(&rest[..at]);
        let run = rest[at..].len() - rest[at..].trim_start_matches(RIGHT).len();
        if run >= 2 * RIGHT.len() {
            out.push('\r');
        }
        out.push_str(&rest[at..at + run]);
        rest = &rest[at + run..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_erased_is_not_there() {
        let cases = [
            ("$ cat /etc/shadox\u{8}w", "$ cat /etc/shadow"),
            ("$ lx\u{8} \u{8}s", "$ ls"),
            ("$ ls /xtime\u{8} ", "$ ls /xtime "),
            ("$ ls -1\u{8}\u{8} | head", "$ ls -1 | head"),
            ("$ ls zzz\u{8}\u{8}\u{8}", "$ ls "),
            ("plain", "plain"),
            ("$ ls /data\u{8}\u{8}sudo ", "$ ls /datasudo "),
            ("$ ls /x\u{8}\u{8}\u{8}\u{8}\u{8}sudo -n ", "$ sudo -n ls /x"),
            ("$ aaab\u{8} \u{8}\u{8} \u{8}c", "$ aac"),
            // Readline, with `two ` put before `three`, and then `four` behind it.
            (
                "$ echo one three\u{8}\u{8}\u{8}\u{8}\u{8}three\u{8}\u{8}\u{8}\u{8}\u{8}wthree\
                 \u{8}\u{8}\u{8}\u{8}\u{8}othree\u{8}\u{8}\u{8}\u{8}\u{8} three\
                 \u{8}\u{8}\u{8}\u{8}\u{8} four",
                "$ echo one two three four",
            ),
            ("$ echo done\u{8}\u{8}\u{8}xone\u{8}\u{8}\u{8}\u{8}one\u{8}\u{8}\u{8}", "$ echo done"),
            ("$ echo abXcd\u{8}\u{8}\u{8}cd\u{8}\u{8}ef", "$ echo abcdef"),
            (
                "$ echo world\u{8}\u{8}\u{8}\u{8}\u{8}WORLD\u{8}\u{8}\u{8}\u{8}\u{8}orld",
                "$ echo World",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(restore(line), expected);
        }
        let search = "sh-4.2$ (reverse-i-search)`':\u{8}\u{8}\u{8}f': wc -l fa\u{8}a': false\u{8}\u{8}l\u{8}\u{8}s\
                      sh-4.2$ # again";
        assert_eq!(restore(search), "sh-4.2$ (reverse-i-search)`fals': falsesh-4.2$ # again");
        let raw = "\u{1b}]0;t\u{7}$ ls\u{1b}[C\u{1b}[C\u{1b}[1@x";
        assert_eq!(restore(raw), "\u{1b}]0;t\u{7}$ ls\r\u{1b}[C\u{1b}[C\u{1b}[1@x");
    }
}

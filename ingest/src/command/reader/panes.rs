//! Shells in the windows of `tmux`.
//!
//! What is typed there is drawn on the terminal like everything else, but while nothing is painted afresh (`tmux` hides the
//! cursor for that) the cursor is where the person is. A row behind which it goes to the row below, in the same
//! pane, was entered there.

use model::{ByteSpan, Confidence, ObservationKind};

use super::super::prompt::{Prompt, Template};
use super::Reader;
use crate::terminal::{Position, Screen};

/// Commands kept until the one that started `tmux` is known to be over. Nobody types more in one; what does is observed.
pub(super) const MAX_KEPT: usize = 10_000;

/// Does this line run `tmux`, with windows of its own?
fn starts_tmux(text: &str) -> bool {
    let mut words = text
        .split_whitespace()
        .skip_while(|word| matches!(*word, "sudo" | "exec") || word.contains('='));
    if words.next().and_then(|word| word.rsplit('/').next()) != Some("tmux") {
        return false;
    }
    let mut verb = None;
    while let Some(word) = words.next() {
        if matches!(word, "-f" | "-L" | "-S" | "-T") {
            words.next();
        } else if !word.starts_with('-') {
            verb = Some(word);
            break;
        }
    }
    verb.is_none_or(|verb| {
        matches!(verb, "new" | "new-session" | "attach" | "attach-session" | "a" | "at")
    })
}

impl Reader {
    /// Does `tmux` run?
    pub(super) fn in_tmux(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| starts_tmux(&pending.command.text))
    }

    /// On a full-screen page the cursor leaves a row: for `to`, or by a line feed.
    pub(super) fn row_left(
        &mut self,
        screen: &Screen,
        from: Position,
        to: Option<Position>,
        offset: u64,
    ) {
        if !screen.shows_cursor() || !self.in_tmux() {
            return;
        }
        let Some((left, text)) = screen.pane(from) else { return };
        if to.is_some_and(|to| to.row != from.row + 1 || to.column != left) {
            return;
        }
        let text = text.trim_end();
        let split = match &self.pane {
            Some(prompt) => prompt.split(text),
            None => Prompt::split(text).or_else(|| Prompt::split_loose(text, false)),
        };
        let Some((prompt, typed)) = split.filter(|(_, typed)| !typed.trim().is_empty()) else {
            return;
        };
        let template = Template::of(&prompt);
        let typed = typed.trim().to_owned();
        let bytes = ByteSpan { start: self.line_start, end: offset };
        if self.page_lines.len() >= MAX_KEPT {
            self.observe(ObservationKind::UnreadPrompt, bytes);
            return;
        }
        let mut command = self.command(&typed, Some(&prompt), bytes);
        command.level = None;
        command.confidence = Confidence::Guess;
        command.reason = "behind a prompt in a window of tmux";
        self.pane = Some(template);
        self.page_lines.push(command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Told;
    use crate::terminal::Terminal;

    #[test]
    fn a_row_that_is_entered_in_a_pane_is_a_command() {
        let bytes = "$ tmux\r\n\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J\x1b[?25h\x1b[1;1Hu@h:~$ ls -l\r\ntotal 0\r\nu@h:~$ \
                     \x1b[?25l\x1b[1;1Hu@h:~$ ls -l\x1b[2;1Htotal 0\x1b[3;1Hu@h:~$ \x1b[1;40H│\x1b[2;40H│\x1b[3;40H│\x1b[?25h\
                     \x1b[1;41Hu@h:~$ pwd\x1b[2;41H/home\x1b[3;41Hu@h:~$ exit\x1b[4;41H\x1b[?1049l[exited]\r\n$ id\r\n";
        let mut terminal = Terminal::new(Reader::default());
        terminal.write(bytes.as_bytes(), 0);
        let (reader, screen) = terminal.finish();
        let mut texts = Vec::new();
        reader.finish(&screen, bytes.len() as u64, &mut |told| {
            if let Told::Command(command) = told {
                texts.push(command.text);
            }
        });
        assert_eq!(texts, ["tmux", "ls -l", "pwd", "exit", "id"]);
    }

    #[test]
    fn only_what_has_windows_is_followed() {
        assert!(starts_tmux("tmux") && starts_tmux("sudo tmux new -s x") && starts_tmux("tmux a"));
        assert!(starts_tmux("tmux -f /dev/null new -s x"));
        assert!(!starts_tmux("tmux ls") && !starts_tmux("echo tmux"));
    }
}

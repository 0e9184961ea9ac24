//! A transcript that is shown within a session (`cat old-session.txt`).
//!
//! Its prompts are those of the shell, and a shell that does not mark cannot be told from it. But it has a header and a
//! footer. What looks like commands between them is output, if the footer comes; if it does not, they are commands that
//! may have been typed. Either way it is observed, since whoever prints a header and a footer can type between them.

use std::collections::BTreeSet;

use model::{ByteSpan, Command, Confidence, ObservationKind};

use super::super::prompt::Prompt;
use super::Reader;

const HEADER: &str = "Script started on ";
const FOOTER: &str = "Script done on ";

/// Commands that are kept until the footer comes; with more of them it is none.
const MAX_KEPT: usize = 500;
/// Lines remembered of what was shown, to be known again when a part of it is.
const MAX_LINES: usize = 2000;

/// What is being shown, and what was.
#[derive(Default)]
pub(super) struct Shown {
    /// What looked like commands since the header.
    kept: Option<Vec<Command>>,
    /// Lines of transcripts that were shown.
    lines: BTreeSet<String>,
}

/// Does this line show files?
fn shows_files(text: &str) -> bool {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '|' | ';' | '&'));
    words.into_iter().any(|word| {
        matches!(
            word,
            "cat"
                | "head"
                | "tail"
                | "less"
                | "more"
                | "grep"
                | "zcat"
                | "sed"
                | "awk"
                | "nl"
                | "tac"
                | "strings"
                | "bat"
                | "zless"
        )
    })
}

impl Reader {
    fn shows(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| shows_files(&pending.command.text))
    }

    /// A line without a prompt: does a transcript begin or end here?
    pub(super) fn see_shown(&mut self, line: &str, bytes: ByteSpan) {
        let marked = self.shells.last().is_some_and(|shell| shell.marked);
        if line.starts_with(HEADER) && !marked && self.shows() {
            self.observe(ObservationKind::ShownTranscript, bytes);
            self.shown.kept.get_or_insert_default();
        } else if line.starts_with(FOOTER) {
            self.shown.kept = None;
        }
    }

    /// Is this line with a prompt one of a transcript that is being shown?
    pub(super) fn is_shown(
        &mut self,
        line: &str,
        prompt: &Prompt<'_>,
        typed: &str,
        bytes: ByteSpan,
    ) -> bool {
        if self.shown.kept.is_none() {
            let again = self.shows() && self.shown.lines.contains(line.trim_end());
            if again {
                self.observe(ObservationKind::ShownTranscript, bytes);
            }
            return again;
        }
        let mut command = self.command(typed, Some(prompt), bytes);
        self.ordinal = self.ordinal.saturating_sub(1);
        command.confidence = Confidence::Guess;
        command.reason =
            "behind the header of a transcript that was shown, whose footer never came";
        let Some(kept) = &mut self.shown.kept else { return false };
        kept.push(command);
        if self.shown.lines.len() < MAX_LINES {
            self.shown.lines.insert(line.trim_end().to_owned());
        }
        if kept.len() >= MAX_KEPT {
            self.release_shown();
        }
        true
    }

    /// No footer came: these may be commands.
    pub(super) fn release_shown(&mut self) {
        let Some(kept) = self.shown.kept.take() else { return };
        self.flush();
        for mut command in kept {
            self.ordinal += 1;
            command.ordinal = self.ordinal;
            self.done.push(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Told;
    use crate::terminal::Terminal;

    fn texts(bytes: &[u8]) -> (Vec<String>, bool) {
        let mut terminal = Terminal::new(Reader::default());
        terminal.write(bytes, 0);
        let (reader, screen) = terminal.finish();
        let (mut texts, mut observed) = (Vec::new(), false);
        reader.finish(&screen, bytes.len() as u64, &mut |told| match told {
            Told::Command(command) => texts.push(command.text),
            Told::Observation(o) => observed |= o.kind == ObservationKind::ShownTranscript,
        });
        (texts, observed)
    }

    #[test]
    fn what_a_shown_transcript_holds_is_output() {
        let (found, observed) = texts(
            b"$ cat old\r\nScript started on 2026\r\n$ rm -rf /\r\n$ id\r\n\r\nScript done on 2026\r\n$ ls\r\n\
              $ tail -3 old\r\n$ id\r\n\r\nScript done on 2026\r\n$ exit\r\n",
        );
        assert_eq!(found, ["cat old", "ls", "tail -3 old", "exit"]);
        assert!(observed);
    }

    #[test]
    fn without_a_footer_they_are_commands() {
        let (found, observed) = texts(
            b"$ cat h\r\nScript started on 2026\r\n$ rm -rf /\r\n$ id\r\nuid=0\r\n$ exit\r\n",
        );
        assert_eq!(found, ["cat h", "rm -rf /", "id", "exit"]);
        assert!(observed);
        let (found, _) = texts(b"$ printf x\r\nScript started on 2026\r\n$ rm -rf /\r\n$ exit\r\n");
        assert_eq!(
            found,
            ["printf x", "rm -rf /", "exit"],
            "only what shows files shows transcripts"
        );
    }
}

//! What a stream's lines tell of the commands above them: blocks that were pasted, lines that were typed while a
//! program printed into them, and output that repeats what was typed.

use std::collections::BTreeMap;

use model::{Command, Confidence};

use super::super::line::{split_block, untangle};
use super::super::{margin, mend};
use super::{MAX_HELD, MENDED, Pending, Reader};

/// Output lines of a command that are looked at again.
pub(super) const MAX_BELOW: usize = 200;

/// What is gathered of a stream, to mend its commands by.
#[derive(Default)]
pub(super) struct Stream {
    /// First words of commands, and how often.
    pub(super) words: BTreeMap<String, u32>,
    /// Commands whose wrapping is not known yet.
    pub(super) held: Vec<Held>,
    /// The line being read, as it came.
    pub(super) line: String,
    /// Was anything on it edited, or left of editing?
    pub(super) edited: bool,
    /// `screen` runs.
    pub(super) in_screen: bool,
    /// Lines that the windows of `screen` have shown since it began, and how far they are being shown again.
    window: Vec<String>,
    again: usize,
}

/// A command that is held back.
pub(super) struct Held {
    /// Columns that the prompt took.
    pub(super) prompt: usize,
    pub(super) command: Command,
    /// Its line shows that it was edited.
    edited: bool,
    /// The first lines that it printed.
    printed: Vec<String>,
}

/// Lines of `screen` that are remembered.
const MAX_WINDOW: usize = 500;

impl Stream {
    /// Is this line one that a window of `screen`, painted afresh, shows again? `on`: `screen` runs.
    pub(super) fn is_shown_again(&mut self, on: bool, line: &str, leaves: bool) -> bool {
        if !on {
            self.window.clear();
            self.again = 0;
            return false;
        }
        // A window that is left brings another back, which is painted from its top.
        if leaves {
            self.again = 1;
        }
        if let Some(at) = self.again.checked_sub(1) {
            if self.window.get(at).is_some_and(|shown| shown.trim_end() == line.trim_end()) {
                self.again += 1;
                return true;
            }
            // The shell's own word of farewell stands between.
            if at > 0 || !matches!(line.trim(), "" | "exit" | "logout") && !leaves {
                self.again = 0;
            }
        }
        if self.window.len() < MAX_WINDOW {
            self.window.push(line.to_owned());
        }
        false
    }
}

impl Reader {
    /// Hands over what was held back, its wrapping undone.
    pub(super) fn unhold(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let held = std::mem::take(&mut stream.held);
        let lines: Vec<(usize, String)> =
            held.iter().map(|held| (held.prompt, held.command.text.clone())).collect();
        let width = margin::width(&lines);
        for Held { prompt, mut command, edited, printed } in held {
            let one_line = !command.text.contains('\n');
            let wrapped = width.is_some_and(|width| prompt + command.text.chars().count() > width);
            let unwrapped = width
                .filter(|_| one_line)
                .and_then(|width| margin::unwrap(prompt, &command.text, width));
            let text = unwrapped.as_deref().unwrap_or(&command.text);
            let doubtful = one_line && (edited || wrapped || command.reason == MENDED);
            let told = doubtful
                .then(|| {
                    margin::echoed(text, &printed).or_else(|| margin::printed_words(text, &printed))
                })
                .flatten();
            let told = told.or_else(|| {
                one_line.then(|| margin::margin_by(prompt, &command.text, &printed)).flatten()
            });
            if let Some(text) = told.or(unwrapped) {
                mended(&mut command, text);
            }
            self.done.push(command);
        }
        // What was unfinished, hidden or given up came in between: by their ordinals they are in order again.
        self.done.sort_by_key(|command| command.ordinal);
    }

    /// The pending command of a stream is complete: it is taken for one, or for several that were pasted, and held
    /// back.
    pub(super) fn hold(&mut self, pending: Pending) {
        let Pending { mut command, below, edited, prompt, .. } = pending;
        let block = pasted(&command.text, &below);
        if block.is_none()
            && let Some(text) = interrupted(&command.text, &below)
        {
            mended(&mut command, text);
        } else if !below.iter().take(3).any(|line| line.contains("not found"))
            && let Some(stream) = &self.stream
            && let Some(text) = mend::put_in_front(&command.text, &stream.words)
        {
            mended(&mut command, text);
        }
        let texts = block.map_or_else(Vec::new, |block| split_block(&block));
        let mut commands = vec![command];
        if let Some((first, others)) = texts.split_first() {
            for text in others {
                self.ordinal += 1;
                let ordinal = self.ordinal;
                commands.push(Command { ordinal, text: text.clone(), ..commands[0].clone() });
            }
            commands[0].text.clone_from(first);
            for command in &mut commands {
                command.confidence = Confidence::Guess;
                command.reason = "of a pasted block, which the stream shows twice";
            }
        }
        let Some(stream) = &mut self.stream else { return };
        for command in commands {
            let word = command.text.split(' ').next().unwrap_or_default();
            if stream.words.len() < MAX_HELD {
                *stream.words.entry(word.to_owned()).or_default() += 1;
            }
            // All that `printf` has printed may tell what it was given.
            let most = if command.text.starts_with("printf ") { MAX_BELOW - 1 } else { 4 };
            let printed =
                if most > 4 && below.len() > most { &[] } else { &below[..below.len().min(most)] };
            let printed = printed.to_vec();
            stream.held.push(Held { prompt, command, edited, printed });
        }
        if stream.held.len() >= MAX_HELD {
            self.unhold();
        }
    }

    /// The recording ends here, or so far. While a session runs only whole lines are sent, so what stands last was
    /// entered; what has no line end is sent when the session ends.
    pub(super) fn end_stream(&mut self) {
        if self.stream.is_none() {
            return;
        }
        if let Some(pending) = &mut self.pending
            && pending.output == 0
            && !pending.effect.leaving
        {
            pending.command.confidence = Confidence::Guess;
            pending.command.reason =
                "the last line sent: entered, unless the session was cut off on it";
        }
    }

    /// Does the line begin with a prompt that is known?
    pub(crate) fn has_prompt(&self, line: &str) -> bool {
        self.split_known(line).is_some()
    }

    /// The line that was just read may be the rest of one that the stream has cut.
    pub(crate) fn doubt(&mut self) {
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.output == 0) {
            pending.command.confidence = Confidence::Guess;
            pending.command.reason =
                "behind a line as long as those that the stream cuts: it may be the rest of it";
        }
    }

    /// The rest of a line that was cut: of the command, if it was that line.
    pub(crate) fn goes_on(&mut self, rest: &str) {
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.output == 0) {
            pending.command.text.push_str(rest);
            super::truncate(&mut pending.command.text);
        }
    }

    /// A line that only goes on with what was typed on the line above: the editor has gone to another row.
    pub(super) fn edit_goes_on(&mut self, line: &str) -> bool {
        let back = line.chars().take_while(|c| *c == '\u{8}').count();
        let Some(pending) = self.pending.as_mut().filter(|p| back > 0 && p.output == 0) else {
            return false;
        };
        let text = &mut pending.command.text;
        for _ in 0..back {
            text.pop();
        }
        text.push_str(line[back..].trim_end());
        pending.command.original.get_or_insert_with(|| pending.typed.trim_end().to_owned());
        pending.command.confidence = Confidence::Guess;
        pending.command.reason = MENDED;
        pending.edited = true;
        true
    }
}

/// Replaces a command's text by what it is taken for; what the recording shows is kept.
pub(super) fn mended(command: &mut Command, text: String) {
    if text != command.text {
        let shown = std::mem::replace(&mut command.text, text);
        command.original.get_or_insert(shown);
    }
    command.confidence = Confidence::Guess;
    command.reason = MENDED;
}

/// A block that was pasted: the line editor paints it twice, the second time behind the last line of the first.
/// `first`: what stands behind the prompt; `below`: the lines that follow.
fn pasted(first: &str, below: &[String]) -> Option<String> {
    let first = first.split('\n').next().unwrap_or_default();
    if first.len() < 2 {
        return None;
    }
    let below: Vec<String> = below.iter().map(|line| line.replace('\u{8}', "")).collect();
    below.iter().enumerate().find_map(|(at, line)| {
        let last = line.strip_suffix(first)?;
        let again = below.get(at + 1..at + 1 + at)?;
        let closes = below.get(at + 1 + at)?.trim_end() == last.trim_end();
        let same = again.iter().zip(&below[..at]).all(|(a, b)| a == b);
        (same && closes && !last.trim().is_empty()).then(|| {
            let mut block = first.to_owned();
            for line in below[..at].iter().map(String::as_str).chain([last]) {
                block.push('\n');
                block.push_str(line);
            }
            block
        })
    })
}

/// A line that was typed while a program printed lines into it. Such lines end alike, and each has a piece of it.
fn interrupted(first: &str, below: &[String]) -> Option<String> {
    const MOST: usize = 64;
    let mut lines = vec![first.to_owned()];
    let mut best = None;
    for line in below.iter().take(MOST) {
        lines.push(erased(line));
        if lines.len() >= 4 {
            best = untangle(&lines.join("\n"), 3).or(best);
        }
    }
    best
}

/// A line with what was rubbed out taken away.
fn erased(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if c == '\u{8}' {
            out.pop();
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_pasted_block_is_seen_by_its_second_copy() {
        let below = owned(&["ls -la", "wc -l *cd /opt", "ls -la", "wc -l *", "total 32"]);
        assert_eq!(pasted("cd /opt", &below).as_deref(), Some("cd /opt\nls -la\nwc -l *"));
        let below = owned(&["  echo $i", "donefor i in 1 2; do", "  echo $i", "done", "1"]);
        assert_eq!(
            pasted("for i in 1 2; do", &below).as_deref(),
            Some("for i in 1 2; do\n  echo $i\ndone")
        );
        let below = owned(&["a", "b", "c cd /opt", "a"]);
        assert_eq!(pasted("cd /opt", &below), None);
    }

    #[test]
    fn a_line_typed_into_output_is_put_together() {
        let below = owned(&["p -cbg tick 2", " INbg tick 3", "FO /bg tick 4", "var/x.log", "0"]);
        assert_eq!(interrupted("grebg tick 1", &below).as_deref(), Some("grep -c INFO /var/x.log"));
        let below = owned(&["tick 1", "tick 2", "tick 3", "x"]);
        assert_eq!(interrupted("echo tick 1", &below), None);
    }

    #[test]
    fn a_window_shown_again_is_not_lived_again() {
        let mut stream = Stream::default();
        let lines = ["$ a", "1", "$ b", "$ exit", "exit", "$ a", "1", "$ b", "$ c"];
        let again: Vec<bool> =
            lines.iter().map(|line| stream.is_shown_again(true, line, *line == "$ exit")).collect();
        assert_eq!(again, [false, false, false, false, false, true, true, true, false]);
    }
}

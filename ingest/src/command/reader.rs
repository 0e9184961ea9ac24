//! Follows what is seen on a terminal and tells which of it was typed at a prompt.

use jiff::Timestamp;
use model::{ByteSpan, Command, CommandStatus, Confidence};

use super::prompt::{Prompt, Shape};
use super::simple;
use crate::terminal::{Seen, SeenLine};

/// Longest command kept, in bytes; a longer one is cut.
const MAX_COMMAND: usize = 64 << 10;

/// Most lines added to a command. Whether the shell waits for more is asked of the whole text, each time.
const MAX_CONTINUED: usize = 400;

/// What Ctrl-C leaves on the line.
const INTERRUPT: &str = "^C";

/// Time at which something was seen: not before the first, not after the second.
pub(crate) type TimeRange = (Option<Timestamp>, Option<Timestamp>);

/// Turns what is seen into commands.
#[derive(Default)]
pub struct Reader {
    ordinal: u32,
    /// Lines since the shell's editor began to read; `None` outside.
    editing: Option<Vec<SeenLine>>,
    /// The shell marks when it reads: an unmarked prompt is then another shell's, or output.
    marked: bool,
    /// A full-screen program draws.
    screen: bool,
    /// The prompt that the session began with.
    first: Option<(Shape, String)>,
    /// Another shell may have been started, whose prompt can have any shape.
    nested: bool,
    /// Something other than a prompt has been seen since the last command.
    output: bool,
    /// A command that may have more lines.
    pending: Option<Command>,
    /// Lines that have been added to it.
    continued: usize,
}

impl Reader {
    /// Takes in one thing seen at `time`; complete commands go to `emit`.
    pub fn see(&mut self, seen: Seen, time: TimeRange, emit: &mut impl FnMut(Command)) {
        match seen {
            Seen::ScreenOn => self.screen = true,
            Seen::ScreenOff => self.screen = false,
            Seen::EditorOn => {
                self.marked = true;
                self.editing = Some(Vec::new());
            }
            Seen::EditorOff(left) => {
                let lines = self.editing.take().unwrap_or_default();
                match left {
                    Some(line) => self.abandoned(&line, time, emit),
                    None => self.submitted(&lines, time, emit),
                }
            }
            Seen::Line(line) => match &mut self.editing {
                Some(lines) => {
                    // A pasted block may be long; a completion listing may be longer.
                    if lines.len() < 1000 {
                        lines.push(line);
                    } else {
                        lines[999] = line;
                    }
                }
                None => self.unmarked(&line, time, emit),
            },
        }
    }

    /// The recording ends; `line` is what the cursor was on.
    pub fn finish(mut self, line: Option<SeenLine>, emit: &mut impl FnMut(Command)) {
        self.flush(emit);
        let Some(line) = line else { return };
        if let Some((prompt, typed)) = Prompt::split(&line.text)
            && !typed.trim().is_empty()
            && (self.editing.is_some() || self.is_acceptable(&prompt))
        {
            let typed = typed.to_owned();
            let mut command = self.command(&typed, &prompt, line.bytes, (None, None));
            command.status = CommandStatus::Unfinished;
            emit(command);
        }
    }

    /// The editor was left with the cursor still on the line: Ctrl-C, not Enter.
    fn abandoned(&mut self, line: &SeenLine, time: TimeRange, emit: &mut impl FnMut(Command)) {
        if let Some((prompt, typed)) = Prompt::split(&line.text) {
            let typed = typed.strip_suffix(INTERRUPT).unwrap_or(typed).trim_end();
            self.flush(emit);
            if !typed.is_empty() {
                let mut command = self.command(typed, &prompt, line.bytes, time);
                command.status = CommandStatus::Aborted;
                command.confidence = Confidence::Certain;
                command.reason = "the shell left its line editor without a new line";
                emit(command);
            }
        }
    }

    /// The editor was left behind a line feed: Enter.
    fn submitted(&mut self, lines: &[SeenLine], time: TimeRange, emit: &mut impl FnMut(Command)) {
        let Some(last) = lines.last() else { return };
        let continued = !self.output && self.pending.is_some();
        if continued && let Some(more) = continuation(&last.text) {
            self.extend(more, last.bytes.end);
            return;
        }
        self.flush(emit);
        self.output = false;
        // Behind a completion listing the prompt is painted again; a pasted block has it on its first
        // line only. Either way the command begins at the last line with a prompt.
        let Some((first, (prompt, typed))) = lines
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, line)| Some((at, Prompt::split(&line.text)?)))
        else {
            self.other_program(last, time, emit);
            return;
        };
        let mut text = typed.to_owned();
        for line in &lines[first + 1..] {
            text.push('\n');
            text.push_str(line.text.trim_end());
        }
        if text.trim().is_empty() {
            return;
        }
        let bytes = ByteSpan { start: lines[first].bytes.start, end: last.bytes.end };
        let mut command = self.command(&text, &prompt, bytes, time);
        command.confidence = Confidence::Certain;
        command.reason = "the shell marked where it began to read and where it was done";
        self.remember(&prompt);
        self.pending = Some(command);
    }

    /// A marked line without a shell's prompt: a program with a line editor of its own.
    fn other_program(&mut self, line: &SeenLine, time: TimeRange, emit: &mut impl FnMut(Command)) {
        let Some((_, typed)) = line.text.split_once("> ") else { return };
        if typed.trim().is_empty() {
            return;
        }
        let prompt = Prompt { text: "", shape: Shape::Word, user: None, host: None, cwd: None };
        let mut command = self.command(typed, &prompt, line.bytes, time);
        command.status = CommandStatus::Repl;
        command.confidence = Confidence::Likely;
        command.reason = "read by a line editor, behind a prompt that is no shell's";
        emit(command);
    }

    /// A line outside any marked editing.
    fn unmarked(&mut self, line: &SeenLine, time: TimeRange, emit: &mut impl FnMut(Command)) {
        if self.screen {
            return;
        }
        if let Some(pending) = &self.pending
            && !self.output
            && self.continued < MAX_CONTINUED
            && simple::is_incomplete(&pending.text)
            && let Some(more) = continuation(&line.text)
        {
            if more.ends_with(INTERRUPT) {
                self.abort_pending(emit);
            } else {
                self.extend(more, line.bytes.end);
            }
            return;
        }
        let Some((prompt, typed)) = Prompt::split(&line.text) else {
            self.output = true;
            return;
        };
        if !self.is_acceptable(&prompt) {
            self.output = true;
            return;
        }
        self.flush(emit);
        self.output = false;
        let known = self.is_known(&prompt);
        self.remember(&prompt);
        let aborted = typed.trim_end().strip_suffix(INTERRUPT);
        let typed = aborted.unwrap_or(typed);
        if typed.trim().is_empty() {
            return;
        }
        let mut command = self.command(typed, &prompt, line.bytes, time);
        (command.confidence, command.reason) = if known {
            (Confidence::Likely, "behind the prompt that this session began with")
        } else {
            (Confidence::Guess, "behind something shaped like a prompt")
        };
        if aborted.is_some() {
            command.status = CommandStatus::Aborted;
            emit(command);
        } else {
            self.pending = Some(command);
        }
    }

    /// May an unmarked line with this prompt be a command?
    fn is_acceptable(&self, prompt: &Prompt<'_>) -> bool {
        if self.first.is_none() && !self.marked {
            return true;
        }
        match prompt.shape {
            Shape::UserAtHost | Shape::ShellVersion => true,
            Shape::Bare | Shape::Word => self.nested || self.is_known(prompt),
        }
    }

    fn is_known(&self, prompt: &Prompt<'_>) -> bool {
        self.first.as_ref().is_none_or(|(shape, text)| match shape {
            Shape::Bare | Shape::Word => text == prompt.text,
            shape => *shape == prompt.shape,
        })
    }

    fn remember(&mut self, prompt: &Prompt<'_>) {
        if self.first.is_none() {
            self.first = Some((prompt.shape, prompt.text.to_owned()));
        }
    }

    fn command(
        &mut self,
        typed: &str,
        prompt: &Prompt<'_>,
        bytes: ByteSpan,
        (time, time_end): TimeRange,
    ) -> Command {
        self.ordinal += 1;
        let mut text = typed.trim_end().to_owned();
        truncate(&mut text);
        Command {
            ordinal: self.ordinal,
            text,
            status: CommandStatus::Executed,
            confidence: Confidence::Guess,
            reason: "the recording ends on this line",
            user: prompt.user.map(str::to_owned),
            host: prompt.host.map(str::to_owned),
            cwd: prompt.cwd.map(str::to_owned),
            level: None,
            time,
            time_end,
            bytes,
        }
    }

    fn extend(&mut self, more: &str, end: u64) {
        self.continued += 1;
        if let Some(pending) = &mut self.pending {
            pending.text.push('\n');
            pending.text.push_str(more.trim_end());
            truncate(&mut pending.text);
            pending.bytes.end = end;
        }
    }

    fn abort_pending(&mut self, emit: &mut impl FnMut(Command)) {
        if let Some(mut command) = self.pending.take() {
            command.status = CommandStatus::Aborted;
            emit(command);
        }
    }

    /// The pending command is complete.
    fn flush(&mut self, emit: &mut impl FnMut(Command)) {
        self.continued = 0;
        if let Some(command) = self.pending.take() {
            self.nested |= simple::starts_a_shell(&command.text);
            emit(command);
        }
    }
}

/// What was typed behind the shell's secondary prompt, PS2.
fn continuation(line: &str) -> Option<&str> {
    line.strip_prefix("> ").or_else(|| (line == ">").then_some(""))
}

fn truncate(text: &mut String) {
    if text.len() > MAX_COMMAND {
        let cut = (0..=MAX_COMMAND).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Terminal;

    fn commands(bytes: &[u8]) -> Vec<(String, CommandStatus, Confidence)> {
        let mut terminal = Terminal::new();
        let mut reader = Reader::default();
        let mut out = Vec::new();
        let mut emit = |c: Command| out.push((c.text, c.status, c.confidence));
        terminal.write(bytes, 0, |seen| reader.see(seen, (None, None), &mut emit));
        reader.finish(terminal.finish(), &mut emit);
        out
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        commands(bytes).into_iter().map(|(text, ..)| text).collect()
    }

    #[test]
    fn bash_with_marks_is_certain() {
        let found = commands(
            b"\x1b[?2004hsh-5.2$ whoami\r\n\x1b[?2004l\rroot\r\n\
              \x1b[?2004hsh-5.2$ oops^C\x1b[?2004l\r\x1b[?2004h\x1b[?2004l\r\r\n\
              \x1b[?2004hsh-5.2$ exit\r\n\x1b[?2004l\rexit\r\n",
        );
        let expected = [
            ("whoami", CommandStatus::Executed),
            ("oops", CommandStatus::Aborted),
            ("exit", CommandStatus::Executed),
        ];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((text, status, confidence), expected) in found.iter().zip(expected) {
            assert_eq!((text.as_str(), *status), expected);
            assert_eq!(*confidence, Confidence::Certain);
        }
    }

    #[test]
    fn dash_is_followed_by_its_first_prompt() {
        assert_eq!(
            texts(b"$ id -un\r\nroot\r\n$ echo '$ fake'\r\n$ fake\r\n# not a prompt\r\n$ exit\r\n"),
            ["id -un", "echo '$ fake'", "fake", "exit"],
            "a line of output equal to the prompt cannot be told apart here"
        );
    }

    #[test]
    fn a_heredoc_is_one_command() {
        assert_eq!(
            texts(b"$ cat <<EOF\r\n> one\r\n> EOF\r\none\r\n$ ls\r\n"),
            ["cat <<EOF\none\nEOF", "ls"]
        );
    }

    #[test]
    fn a_completion_listing_is_nothing() {
        assert_eq!(
            texts(
                b"\x1b[?2004hsh-5.2$ cat f\r\nfoo  fox\r\nsh-5.2$ cat foo\r\n\x1b[?2004l\rtext\r\n"
            ),
            ["cat foo"]
        );
    }

    #[test]
    fn what_was_not_submitted_is_unfinished() {
        let found = commands(b"$ ls\r\n$ rm -rf /tm");
        assert_eq!(found.last().map(|(_, status, _)| *status), Some(CommandStatus::Unfinished));
    }
}

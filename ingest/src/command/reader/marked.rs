//! Shells that mark when they read: bracketed paste on, and off.

use model::{ByteSpan, CommandStatus, Confidence, ObservationKind};

use super::super::line::{continuation, ends_as_prompt, is_secondary, split_block, untangle};
use super::super::prompt::{OwnedPrompt, Prompt, Template};
use super::super::{repl, simple};
use super::effect::Due;
use super::{Edit, INTERRUPT, Reader};
use crate::terminal::{Position, Screen};

/// Why a line that was not where it was begun may not be the one.
const MOVED: &str = "the cursor was moved away from the line while it was edited";

/// Rows that a prompt may take.
const MAX_ROWS: usize = 4;

impl Reader {
    pub(super) fn editor_on(&mut self, screen: &mut Screen) {
        let mut anchor = screen.position();
        let from = Position { row: anchor.row, column: 0 };
        let mut before = screen.text(from, anchor);
        if !before.trim().is_empty() && !ends_as_prompt(&before) && !screen.is_alternate() {
            // Output without a line end. A line editor counts from here as if it were the margin.
            screen.break_line();
            anchor = screen.position();
            before.clear();
        }
        // A shell turns its marks on again while it edits, after running something for a completion.
        if self
            .edit
            .as_ref()
            .is_some_and(|edit| edit.anchor.row == anchor.row && edit.fed.is_none())
        {
            return;
        }
        // What stood there before was not typed.
        if !screen.is_alternate() {
            screen.clear_behind();
        }
        self.edit = Some(Edit {
            anchor,
            before,
            start: self.line_start,
            fed: None,
            alternate: screen.is_alternate(),
        });
    }

    pub(super) fn editor_off(&mut self, screen: &Screen, offset: u64) {
        let Some(edit) = self.edit.take() else { return };
        let here = screen.position();
        if edit.alternate != screen.is_alternate() || here.row < edit.anchor.row {
            // The line is not where it was begun: what the cursor has just left is taken for it.
            let span = ByteSpan { start: edit.start, end: offset };
            let row = if here.column == 0 { here.row.saturating_sub(1) } else { here.row };
            let (_, text) = screen.line(row);
            self.observe(ObservationKind::OverwrittenCommand, span);
            self.submitted(&text, span, Some(MOVED));
            return;
        }
        let span = ByteSpan { start: edit.start, end: offset };
        // bash goes to the next line before it says that it is done, zsh afterwards.
        let entered = here.column == 0 && edit.fed.is_some_and(|row| row + 1 == here.row);
        if !entered {
            let end = Position { row: here.row, column: usize::MAX };
            let text = screen.text(edit.anchor, end);
            let text = text.trim_end();
            if edit.before.trim().is_empty()
                || text.ends_with(INTERRUPT)
                || self.split_known(text).is_some()
            {
                self.abandoned(&screen.text(edit.anchor, here), span);
            } else {
                // The prompt stands before the mark: what is behind it was typed.
                self.typed(text, &edit.before, span);
                self.left = Some(here.row);
            }
            return;
        }
        let end = Position { row: edit.fed.unwrap_or(here.row), column: usize::MAX };
        self.submitted(&screen.text(edit.anchor, end), span, None);
    }

    /// A marked line of a shell whose prompt was set to nothing.
    fn no_prompt<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        if self.split_known(line).is_some() || self.split_due(line).is_some() {
            return None;
        }
        let pending = self.pending.as_ref().map(|pending| &pending.effect.due);
        let announced = pending.into_iter().chain([&self.due]).filter_map(Due::template);
        let empty =
            announced.chain(self.shells.last().map(|shell| &shell.prompt)).any(Template::is_empty);
        empty.then(|| (Prompt::whole(""), line))
    }

    /// Text behind a prompt that is known exactly.
    fn typed(&mut self, text: &str, prompt: &str, span: ByteSpan) {
        if self.continues() && is_secondary(prompt) {
            self.extend(text, span.end);
            return;
        }
        self.flush();
        let prompt = Prompt::whole(prompt);
        self.enter(&prompt, true);
        if text.trim().is_empty() {
            return;
        }
        let mut command = self.command(text, Some(&prompt), span);
        command.confidence = Confidence::Certain;
        command.reason = "the shell marked where the prompt ended and where it was done";
        self.wait(command, text, false);
    }

    /// The editor was left behind a line feed: Enter.
    /// `doubt`: why it may not be that.
    fn submitted(&mut self, text: &str, span: ByteSpan, doubt: Option<&'static str>) {
        let untangled = untangle(text, 2);
        let shown = untangled.is_some().then(|| text.to_owned());
        let text = untangled.as_deref().unwrap_or(text);
        let lines: Vec<&str> = text.split('\n').collect();
        let first = lines[0];
        if self.continues()
            && let Some(more) = continuation(lines.last().copied().unwrap_or(first))
        {
            self.extend(more, span.end);
            return;
        }
        // A prompt may have several rows, of which the last is in front of what is typed.
        let known = |line: &&str| self.split_due(line).or_else(|| self.split_known(line)).is_some();
        let rows = &lines[..lines.len().min(MAX_ROWS)];
        let from = match rows.iter().position(known) {
            Some(at) => Some(at),
            None if self.in_repl() => rows.iter().position(|line| Prompt::split(line).is_some()),
            None => rows.iter().position(|line| self.split_marked(line).is_some()),
        };
        let (lines, first) = match from.filter(|_| self.no_prompt(first).is_none()) {
            Some(from) => (&lines[from..], lines[from]),
            None => (&lines[..], first),
        };
        let split = |line| match from {
            Some(_) => self.split_marked(line),
            None => None,
        };
        let Some((prompt, _)) = self.no_prompt(first).or_else(|| split(first)) else {
            let open = self.continues()
                && self.pending.as_ref().is_some_and(|p| simple::is_incomplete(&p.command.text));
            if open && !self.in_repl() {
                // A further line, behind a secondary prompt that was changed.
                self.extend(text, span.end);
                return;
            }
            self.flush();
            self.other_program(lines.last().copied().unwrap_or(first), span);
            return;
        };
        // Behind a completion listing, or on a cleared screen, the same prompt is painted again.
        let text_of_prompt = prompt.text.to_owned();
        let at = lines.iter().rposition(|line| line.starts_with(&text_of_prompt)).unwrap_or(0);
        let at = if text_of_prompt.is_empty() { 0 } else { at };
        let Some((prompt, typed)) = self.no_prompt(lines[at]).or_else(|| split(lines[at])) else {
            return;
        };
        // A session that ended at its prompt: the agent's own shell writes behind it.
        let own = self.wrapper.as_ref().and_then(|wrapper| wrapper.split(typed));
        if own.is_some_and(|(_, typed)| typed.trim() == "exit") {
            self.flush();
            return;
        }
        let owned = OwnedPrompt::of(&prompt);
        let mut typed = typed.to_owned();
        for line in &lines[at + 1..] {
            typed.push('\n');
            typed.push_str(line.trim_end());
        }
        self.flush();
        self.enter(&owned.prompt(), true);
        // A pasted block is several commands, one after the other.
        for text in split_block(&typed) {
            if text.trim().is_empty() {
                continue;
            }
            self.flush();
            let mut command = self.command(&text, Some(&owned.prompt()), span);
            command.confidence = Confidence::Certain;
            command.reason = "the shell marked where it began to read and where it was done";
            if let Some(doubt) = doubt {
                command.confidence = Confidence::Guess;
                command.reason = doubt;
            }
            if let Some(shown) = &shown {
                command.original = Some(shown.clone());
                command.confidence = Confidence::Guess;
                command.reason = "put together from pieces between lines that a program printed";
            }
            self.wait(command, &text, false);
        }
    }

    /// The editor was left with the cursor still on the line: Ctrl-C, not Enter.
    fn abandoned(&mut self, text: &str, span: ByteSpan) {
        let last = text.rsplit('\n').next().unwrap_or_default();
        if self.continues()
            && let Some(more) = continuation(last)
        {
            // A construct given up on its second line or later.
            let more = more.strip_suffix(INTERRUPT).unwrap_or(more).to_owned();
            self.extend(&more, span.end);
            self.abort();
            return;
        }
        let Some((prompt, typed)) = self.split_marked(last) else { return };
        let typed = typed.strip_suffix(INTERRUPT).unwrap_or(typed).trim_end().to_owned();
        let owned = OwnedPrompt::of(&prompt);
        self.flush();
        self.enter(&owned.prompt(), true);
        if !typed.is_empty() {
            let mut command = self.command(&typed, Some(&owned.prompt()), span);
            command.status = CommandStatus::Aborted;
            command.confidence = Confidence::Certain;
            command.reason = "the shell left its line editor without a new line";
            self.done.push(command);
        }
    }

    /// A marked line without a shell's prompt: a program with a line editor of its own.
    fn other_program(&mut self, line: &str, span: ByteSpan) {
        const REASON: &str = "read by a line editor, behind a prompt that is no shell's";
        let typed = match self.repl {
            // These have no prompt at all.
            Some("bc" | "dc") => line,
            Some(program) => match repl::typed(program, line) {
                Some(typed) => typed,
                None => return,
            },
            None => match line.split_once("> ") {
                Some((_, typed)) => typed,
                // The shell has marked that it reads: whatever is here is not nothing.
                None => return self.unknown_prompt(line, span),
            },
        };
        let typed = typed.to_owned();
        self.repl_line(&typed, REASON, span);
    }

    /// A marked line that begins with nothing that is known to be a prompt.
    fn unknown_prompt(&mut self, line: &str, span: ByteSpan) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        let mut command = self.command(line, None, span);
        command.confidence = Confidence::Guess;
        command.reason = "between the shell's marks, behind a prompt that cannot be told from it";
        self.wait(command, line, false);
    }
}

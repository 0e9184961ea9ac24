//! What is typed into programs that are no shells: behind their prompts, and on the command lines of full-screen pages.

use model::{ByteSpan, CommandStatus, Confidence};

use super::super::repl;
use super::{Reader, panes};
use crate::terminal::Screen;

impl Reader {
    /// Something typed into a program that is not a shell.
    pub(super) fn repl_line(&mut self, typed: &str, reason: &'static str, bytes: ByteSpan) {
        if typed.trim().is_empty() {
            return;
        }
        let mut command = self.command(typed, None, bytes);
        command.status = CommandStatus::Repl;
        command.confidence = Confidence::Likely;
        command.reason = reason;
        self.done.push(command);
    }

    /// Does a program run that reads lines of its own?
    pub(super) fn in_repl(&self) -> bool {
        let pending = self.pending.as_ref().map(|pending| pending.effect.repl);
        pending.unwrap_or(self.repl).is_some()
    }

    /// Is this line of output one that was typed into a program which reads lines of its own?
    pub(super) fn repl_input(&mut self, line: &str, bytes: ByteSpan) -> bool {
        let pending = self.pending.as_ref().map(|pending| pending.effect.repl);
        let Some(program) = pending.unwrap_or(self.repl) else { return false };
        let Some(typed) = repl::typed(program, line) else { return false };
        let typed = typed.to_owned();
        self.flush();
        self.repl_line(&typed, "behind the prompt of a program that reads lines of its own", bytes);
        true
    }

    /// The command line of a full-screen page is left: `:!cmd` of vi, `!cmd` of less.
    pub(super) fn page_line(&mut self, screen: &Screen, offset: u64) {
        let Some(pending) = &self.pending else { return };
        let Some(signs) = repl::page(&pending.command.text) else { return };
        let position = screen.position();
        let Some(text) = screen.row_text(position.row) else { return };
        let text = text.trim_end();
        let typed = if signs == [':'] {
            text.strip_prefix(':')
        } else {
            Some(text).filter(|text| text.starts_with('!'))
        };
        let Some(typed) = typed.filter(|typed| typed.len() > usize::from(signs != [':'])) else {
            return;
        };
        // The last row of the page; and a row that is painted again was not typed again.
        let most = self.page_lines.len() >= panes::MAX_KEPT;
        if most || position.row + 1 < screen.end_row() || self.page.as_deref() == Some(text) {
            return;
        }
        self.page = Some(text.to_owned());
        let typed = typed.to_owned();
        let bytes = ByteSpan { start: self.line_start, end: offset };
        let mut command = self.command(&typed, None, bytes);
        command.status = CommandStatus::Repl;
        command.confidence = Confidence::Likely;
        command.reason = "on the command line of a full-screen program";
        self.page_lines.push(command);
    }
}

//! What hides something, and lines that are taken for output without certainty.

use model::{ByteSpan, Confidence, Observation, ObservationKind};

use super::super::line::hides_input;
use super::super::prompt::{Prompt, Template};
use super::super::simple;
use super::{Pending, Reader};
use crate::terminal::Screen;

impl Reader {
    pub(super) fn observe(&mut self, kind: ObservationKind, bytes: ByteSpan) {
        let ordinal = self.ordinal;
        let bytes = self.within(bytes);
        // One for each kind and command, however often: a recording may be full of them.
        let known = self.observed.iter_mut().rev().take_while(|o| o.ordinal == ordinal);
        if let Some(known) = known.into_iter().find(|o| o.kind == kind) {
            known.count += 1;
            known.bytes.end = bytes.end;
        } else {
            let time = self.time.0;
            self.observed.push(Observation { kind, ordinal, count: 1, time, bytes });
        }
    }

    /// A line was left, of this many characters.
    pub(super) const fn left_below(&mut self, length: usize) {
        // Wider windows have fewer rows of it, which only makes this more careful.
        const WIDTH: usize = 80;
        self.below += 1 + (length.saturating_sub(1) / WIDTH) as u64;
    }

    /// Has the cursor climbed onto the last command's line, outside of any editing?
    pub(super) fn see_climb(&mut self, screen: &mut Screen, offset: u64) {
        let climb = screen.take_climb();
        // A line that fills its row to the margin: an editor that erases the first character of the next row goes
        // down and up again.
        let full = climb == 1
            && self.pending.as_ref().is_some_and(|p| {
                let length = p.prompt + p.typed.chars().count();
                screen.seen_width().is_some_and(|width| length.is_multiple_of(width))
            });
        if self.edit.is_none() && self.ordinal > 0 && climb > self.below && !full {
            let bytes = ByteSpan { start: self.line_start, end: offset };
            self.observe(ObservationKind::OverwrittenCommand, bytes);
            self.below = climb;
        }
    }

    /// A line of the stream, as it came. Returns whether it is only the rest of the editing of the line before.
    pub(crate) fn note_line(&mut self, line: &str, offset: u64) -> bool {
        if self.edit_goes_on(line) {
            return true;
        }
        if let Some(stream) = &mut self.stream {
            line.clone_into(&mut stream.line);
            stream.edited = line.contains(['\u{8}', '\u{1b}']);
        }
        let near = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let lost = line.match_indices('\u{fffd}').any(|(at, lost)| {
            near(line[..at].chars().next_back()) || near(line[at + lost.len()..].chars().next())
        });
        if lost {
            let bytes = ByteSpan { start: offset, end: offset + line.len() as u64 };
            self.observe(ObservationKind::LostCharacters, bytes);
        }
        false
    }

    /// What a command does to the recording of those after it.
    pub(super) fn note_command(&mut self, pending: &Pending) {
        let command = &pending.command;
        let kinds = [
            (
                pending.effect.due.template().is_some_and(Template::is_empty),
                ObservationKind::EmptyPrompt,
            ),
            (hides_input(&command.text), ObservationKind::EchoOff),
            (simple::turns_history_off(&command.text), ObservationKind::HistoryOff),
            (command.text.contains('\u{fffd}'), ObservationKind::LostCommandCharacters),
        ];
        for (_, kind) in kinds.into_iter().filter(|(seen, _)| *seen) {
            self.observe(kind, command.bytes);
        }
    }

    /// A line with the prompt of a shell that marks, without marks: output, unless no mark ever comes again.
    pub(super) fn keep_unmarked(&mut self, prompt: &Prompt<'_>, typed: &str, bytes: ByteSpan) {
        const MOST: usize = 500;
        let marked = self
            .shells
            .last()
            .is_some_and(|shell| shell.marked && shell.prompt == Template::of(prompt));
        if marked && self.stream.is_none() && !typed.trim().is_empty() && self.unmarked.len() < MOST
        {
            let mut command = self.command(typed, Some(prompt), bytes);
            self.ordinal = self.ordinal.saturating_sub(1);
            command.confidence = Confidence::Guess;
            command.reason =
                "behind this shell's prompt, after it had ceased to mark when it reads";
            self.unmarked.push(command);
        }
    }

    /// The shell marks again: what had its prompt and no marks was output.
    pub(super) fn forget_unmarked(&mut self) {
        self.unmarked.clear();
    }

    /// No mark came again: the shell had ceased to.
    pub(super) fn take_unmarked(&mut self) {
        for mut command in std::mem::take(&mut self.unmarked) {
            self.ordinal += 1;
            command.ordinal = self.ordinal;
            self.done.push(command);
        }
    }
}

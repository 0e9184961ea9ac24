//! Shells, entered and left: which prompt is due, and where it ends.

use model::Confidence;

use super::super::line::may_have_prompt;
use super::super::prompt::{Prompt, Shape, Template};
use super::effect::Due;
use super::{Reader, Shell};

impl Reader {
    /// May a line with this prompt be a command, and how sure is that?
    pub(super) fn is_due(
        &self,
        prompt: &Prompt<'_>,
        entering: bool,
    ) -> Option<(Confidence, &'static str)> {
        const FIRST: (Confidence, &str) =
            (Confidence::Likely, "behind the prompt that this session began with");
        const SAME: (Confidence, &str) = (Confidence::Likely, "behind this shell's prompt");
        const LIKE: (Confidence, &str) = (
            Confidence::Guess,
            "behind this shell's prompt but for a word, which the last command may have changed",
        );
        const NEW: (Confidence, &str) =
            (Confidence::Guess, "behind something shaped like a prompt, where a new one was due");
        let template = Template::of(prompt);
        let unmarks = self.pending.as_ref().is_some_and(|pending| pending.effect.unmarks);
        let Some(top) = self.shells.last() else {
            return (prompt.shape > Shape::Word || prompt.shape == Shape::Bare || entering)
                .then_some(FIRST);
        };
        // What the pending command would bring is due as well.
        let (mut due, mut leaving) = (self.due.clone(), self.leaving);
        if let Some(pending) = &self.pending {
            if pending.effect.due.is_any() {
                due = pending.effect.due.clone();
            }
            leaving |= pending.effect.leaving;
        }
        if due.is_any() {
            let same = template == top.prompt;
            if same && top.marked {
                // A shell within the shell, which does not mark.
                return matches!(due, Due::Any).then_some(NEW);
            }
            let fits = due.template().is_none_or(|wanted| wanted.announces(prompt)) || same;
            if fits && (prompt.shape != Shape::Word || !prompt.text.trim().is_empty()) {
                return Some(if template == top.prompt { SAME } else { NEW });
            }
        }
        if template == top.prompt {
            return (!top.marked || unmarks).then_some(SAME);
        }
        let repaints =
            self.repaints || self.pending.as_ref().is_some_and(|pending| pending.effect.repaints);
        if repaints && !top.marked && template.is_like(&top.prompt) {
            return Some(LIKE);
        }
        let below =
            self.shells.iter().rev().skip(1).any(|shell| shell.prompt == template && !shell.marked);
        (leaving && below).then_some(SAME)
    }

    /// The shell with this prompt reads.
    pub(super) fn enter(&mut self, prompt: &Prompt<'_>, marked: bool) {
        self.repl = None;
        self.repaints = false;
        self.pane = None;
        let template = Template::of(prompt);
        let due = std::mem::take(&mut self.due);
        let leaving = std::mem::take(&mut self.leaving);
        if let Some(at) = self.shells.iter().rposition(|shell| shell.prompt == template)
            && (!due.is_any() || at + 1 == self.shells.len())
        {
            self.shells.truncate(at + 1);
            self.shells[at].marked = marked;
            return;
        }
        if leaving && !due.is_any() {
            self.shells.pop();
        }
        // The same prompt, with another directory or branch in it.
        if let Some(top) = self.shells.last_mut().filter(|_| !due.is_any() && !leaving)
            && top.marked == marked
            && top.prompt.is_like(&template)
        {
            top.prompt = template;
            return;
        }
        // A changed prompt is the same shell's.
        if due.template().is_some() {
            self.shells.pop();
        }
        if self.shells.len() < 64 {
            self.shells.push(Shell { prompt: template, marked });
        }
    }

    /// Splits a line behind a prompt that is known.
    pub(super) fn split_known<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        self.shells.iter().rev().find_map(|shell| shell.prompt.split(line))
    }

    /// Splits a line behind the prompt that a command has announced.
    pub(super) fn split_due<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        let pending = self.pending.as_ref().map(|pending| &pending.effect.due);
        let announced = pending.into_iter().chain([&self.due]).filter_map(Due::template);
        announced.into_iter().find_map(|template| template.split(line))
    }

    /// Splits a line behind its prompt: one that is known, else anything of the shape of one.
    pub(super) fn split<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        let loose = self.may_be_any();
        // Most lines are output, in which nothing ends a prompt.
        if !loose && !may_have_prompt(line) && !self.has_odd_prompt() {
            return None;
        }
        let known = self.split_due(line).or_else(|| self.split_known(line));
        known.or_else(|| Prompt::split(line)).or_else(|| {
            if loose { Prompt::split_loose(line, self.shells.is_empty()) } else { None }
        })
    }

    /// The same where the shell has marked that it reads.
    pub(super) fn split_marked<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        let known = self.split_due(line).or_else(|| self.split_known(line));
        known.or_else(|| Prompt::split(line)).or_else(|| Prompt::split_marked(line))
    }

    /// May the next prompt be any? At the beginning; where a shell may have been started; and where a command was
    /// run that changes what prompts show.
    pub(super) fn may_be_any(&self) -> bool {
        /// Lines that a session may greet with.
        const GREETING: u64 = 30;
        if self.shells.is_empty() {
            return self.below <= GREETING;
        }
        let pending = self.pending.as_ref().map(|pending| &pending.effect);
        matches!(self.due, Due::Any)
            || self.repaints
            || pending.is_some_and(|effect| matches!(effect.due, Due::Any) || effect.repaints)
    }

    /// Does a prompt that is known or due end in something that output is full of?
    pub(super) fn has_odd_prompt(&self) -> bool {
        let odd = |template: &Template| !template.has_sign();
        let pending = self.pending.as_ref().map(|pending| &pending.effect.due);
        self.shells.iter().any(|shell| odd(&shell.prompt))
            || pending.into_iter().chain([&self.due]).filter_map(Due::template).any(odd)
    }
}

//! Shells that do not mark when they read: a line is a command if it begins with the prompt that is due.

use model::{ByteSpan, CommandStatus, Confidence, ObservationKind};

use super::super::line::{continuation, hides_input, may_have_prompt};
use super::super::prompt::{OwnedPrompt, Prompt, Shape, Template};
use super::super::{history, mend, simple};
use super::effect::{Due, Effect};
use super::stream::MAX_BELOW;
use super::{INTERRUPT, MENDED, Reader, is_wrapper};

/// Words that commands often begin with, and output seldom.
const OFTEN: &[&str] = &[
    "bash", "cd", "cp", "dd", "df", "du", "history", "id", "kill", "ln", "ls", "mv", "nc", "pkill",
    "ps", "rm", "set", "sh", "source", "ss", "su", "unset", "useradd", "usermod",
];

impl Reader {
    /// A line outside any marked editing was left.
    pub(super) fn seen(&mut self, line: &str, bell: bool, span: ByteSpan) {
        if self.continues()
            && self.shells.last().is_none_or(|shell| !shell.marked)
            && self
                .pending
                .as_ref()
                .is_some_and(|p| p.output == 0 && simple::is_incomplete(&p.command.text))
            && let Some(more) = continuation(line)
        {
            match more.strip_suffix(INTERRUPT) {
                Some(_) => self.abort(),
                None => self.extend(more, span.end),
            }
            return;
        }
        if self.stream.is_some() {
            let (on, leaves) = (self.is_in_screen(), self.leaves_window(line));
            if let Some(stream) = &mut self.stream
                && stream.is_shown_again(on, line, leaves)
            {
                if self.split_known(line).is_some() {
                    self.observe(ObservationKind::UnreadPrompt, span);
                }
                return;
            }
        }
        if self.is_quoted(line) {
            if like_a_command(line).is_some() {
                self.observe(ObservationKind::UnreadPrompt, span);
            }
            self.output(line);
            return;
        }
        if self.replayed
            && self.ordinal == 1
            && self.pending.as_ref().is_some_and(|p| is_wrapper(&p.command.text))
        {
            self.flush();
        }
        if let Some(found) = self.found_by_zsh(line) {
            self.flush();
            let prompt = self
                .shells
                .last()
                .and_then(|shell| shell.prompt.literal())
                .map(Prompt::whole)
                .map(|p| OwnedPrompt::of(&p));
            let prompt = prompt.as_ref().map(OwnedPrompt::prompt);
            let mut command = self.command(&found, prompt.as_ref(), span);
            command.original = Some(line.to_owned());
            (command.confidence, command.reason) = (Confidence::Guess, MENDED);
            self.wait(command, &found, bell);
            return;
        }
        let split = self.split_late(line).or_else(|| self.split(line));
        let standing = split.as_ref().and_then(|(prompt, _)| self.is_due(prompt, true));
        let shaped = split.is_some();
        let (Some((prompt, typed)), Some(standing)) = (split, standing) else {
            self.see_shown(line, span);
            if shaped && let Some((prompt, typed)) = like_a_command(line) {
                self.observe(ObservationKind::UnreadPrompt, span);
                self.keep_unmarked(&prompt, typed, span);
            }
            if self.repl_input(line, span) {
            } else if self.is_unprompted(line) {
                self.unprompted(line, bell, span);
            } else {
                self.output(line);
            }
            return;
        };
        let typed = typed.to_owned();
        let owned = OwnedPrompt::of(&prompt);
        if self.is_shown(line, &owned.prompt(), &typed, span) {
            self.observe(ObservationKind::UnreadPrompt, span);
            self.output(line);
            return;
        }
        if self.hides_input() {
            // The prompt need not stand at the line's start.
            let behind = line.get(prompt.text.len()..);
            let again = behind.is_some_and(|behind| behind.starts_with(prompt.text));
            if !again {
                // The prompt, something that nobody saw, and what that printed.
                self.flush();
                self.hidden = true;
                let mut command = self.command("", Some(&owned.prompt()), span);
                command.status = CommandStatus::Hidden;
                command.confidence = Confidence::Likely;
                command.reason = "typed while the terminal did not echo";
                // What stands behind the prompt is what it printed, or what was typed after all.
                command.original =
                    Some(typed.trim_end().to_owned()).filter(|typed| !typed.is_empty());
                self.done.push(command);
                return;
            }
            self.hidden = false;
        }
        if let Some(pending) = &self.pending
            && pending.bell
            && !pending.typed.trim().is_empty()
            && typed.starts_with(pending.typed.trim_end())
        {
            // The line was not entered: the shell rang, listed completions and painted it again.
            self.begun = Some(pending.typed.trim_end().to_owned());
            self.drop_pending();
            self.ordinal = self.ordinal.saturating_sub(1);
        }
        let before = self.edited_further(&typed);
        self.flush();
        self.enter(&owned.prompt(), false);
        self.prompt_width = owned.text.chars().count();
        let aborted = typed.trim_end().strip_suffix(INTERRUPT);
        let text = aborted.unwrap_or(&typed);
        let begun = self.begun.take();
        let mended = self.stream.as_ref().and_then(|stream| {
            let history = stream.held.iter().rev().map(|held| held.command.text.as_str());
            mend::mend(text, &owned.text, &stream.words, &history)
                .or_else(|| mend::taken_back(text, begun.as_deref()?))
        });
        let standing = if mended.is_some() {
            (Confidence::Guess, MENDED)
        } else if self.stream.is_some() && text.contains('\u{fffd}') {
            (Confidence::Guess, "the stream has lost characters of this line")
        } else {
            standing
        };
        let original = mended.as_ref().map(|_| text.trim_end().to_owned());
        let text = mended.as_deref().unwrap_or(text);
        if text.trim().is_empty() {
            // Enter on an empty line, or the end of input: then the prompt below is due.
            self.leaving = aborted.is_none();
            return;
        }
        let mut command = self.command(text, Some(&owned.prompt()), span);
        (command.confidence, command.reason) = standing;
        command.original = original;
        if let Some(before) = before {
            command.confidence = Confidence::Guess;
            command.reason = "edited over several rows: the line may have been entered before this";
            command.original = Some(before);
        }
        if aborted.is_some() {
            command.status = CommandStatus::Aborted;
            self.done.push(command);
        } else {
            self.wait(command, &typed, bell);
        }
    }

    /// What zsh's search in the history ended with, of a stream: the newest command that its line still has in it.
    fn found_by_zsh(&self, line: &str) -> Option<String> {
        let stream = self.stream.as_ref().filter(|_| self.pending.is_none())?;
        let shown =
            line.strip_prefix("bck-i-search: ").or_else(|| line.strip_prefix("fwd-i-search: "))?;
        let history = stream.held.iter().rev().map(|held| held.command.text.as_str());
        history.filter(|text| text.len() > 2).find(|text| shown.contains(text)).map(str::to_owned)
    }

    /// Was the line before only left for another row of it, to be edited further? Takes it back then.
    fn edited_further(&mut self, typed: &str) -> Option<String> {
        const ALIKE: usize = 20;
        let pending = self.pending.as_ref().filter(|p| p.onto_text && p.output == 0)?;
        let alike = pending.typed.bytes().zip(typed.bytes()).take_while(|(a, b)| a == b).count();
        if alike < ALIKE {
            return None;
        }
        let before = pending.typed.trim_end().to_owned();
        self.drop_pending();
        self.ordinal = self.ordinal.saturating_sub(1);
        Some(before)
    }

    /// Does this line leave a shell in a window of `screen`?
    fn leaves_window(&self, line: &str) -> bool {
        self.split_known(line).is_some_and(|(_, typed)| matches!(typed.trim(), "exit" | "logout"))
    }

    /// At a prompt that was set to nothing, what was typed looks like output: is this line like a command?
    fn is_unprompted(&self, line: &str) -> bool {
        let pending = self.pending.as_ref().map(|pending| &pending.effect.due);
        let announced = pending.and_then(Due::template).is_some_and(Template::is_empty);
        let nothing = announced
            || self.shells.last().is_some_and(|shell| !shell.marked && shell.prompt.is_empty());
        let word = line.split(' ').next().unwrap_or_default();
        let own = || self.stream.as_ref().is_some_and(|stream| stream.words.contains_key(word));
        let common = mend::FIRST_WORDS.contains(&word) || OFTEN.contains(&word);
        nothing && (word.starts_with("PS1=") || common || own())
    }

    fn unprompted(&mut self, line: &str, bell: bool, span: ByteSpan) {
        self.flush();
        let prompt = Prompt::whole("");
        self.enter(&prompt, false);
        let mut command = self.command(line.trim_end(), Some(&prompt), span);
        command.confidence = Confidence::Guess;
        command.reason = "the prompt was set to nothing: this may be output";
        self.wait(command, line, bell);
    }

    /// Is this line of output written out in the command that printed it (`printf '$ id'`)?
    fn is_quoted(&self, line: &str) -> bool {
        let line = line.trim();
        self.pending.as_ref().is_some_and(|p| line.len() > 3 && p.command.text.contains(line))
    }

    /// A prompt behind output that had no line end: only the very prompt of the shell that is due, in full.
    fn split_late<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        let top = self.shells.last().filter(|shell| !shell.marked)?;
        if top.prompt.split(line).is_some() {
            return None;
        }
        if let Some(found) = typed_ahead(&top.prompt, line) {
            return Some(found);
        }
        let at = line.find(top.prompt.literal()?)?;
        // `bash-5.2$ ` ends in `sh-5.2$ `.
        let alone = !line[..at].ends_with("ba");
        alone.then(|| top.prompt.split(&line[at..])).flatten()
    }

    /// Was echo switched off, by the command before or one before that?
    fn hides_input(&self) -> bool {
        match &self.pending {
            Some(pending) => hides_input(&pending.command.text),
            None => self.hidden,
        }
    }

    /// A line that no prompt begins.
    fn output(&mut self, line: &str) {
        let Some(pending) = &mut self.pending else { return };
        pending.output += 1;
        if let Some(stream) = &self.stream
            && pending.below.len() < MAX_BELOW
        {
            pending.below.push(stream.line.clone());
        }
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.in_screen) {
            let ended = line.contains("[detached ") || line.contains("[screen is terminating]");
            stream.in_screen = !ended;
        }
        if pending.bell
            && pending.output == 1
            && line.starts_with("Display all ")
            && line.contains(" possibilities? (y or n)")
        {
            // The line was not entered: the shell asks about its completions.
            self.begun = Some(pending.typed.trim_end().to_owned());
            self.drop_pending();
            self.ordinal = self.ordinal.saturating_sub(1);
            return;
        }
        let missing = line.trim_end().strip_suffix(": event not found");
        if let Some(designator) = missing.and_then(|line| line.rsplit(": ").next())
            && pending.output == 1
            && designator.starts_with(['!', '^'])
            && pending.command.text.contains(designator)
        {
            // Of a designator that designates nothing, no line comes.
            pending.command.confidence = Confidence::Guess;
            pending.command.reason = "the shell said that it knows no such line of its history";
            self.abort();
            return;
        }
        if pending.output == 1
            && let Some(expanded) = history::expanded(&pending.command.text, line)
        {
            if expanded != pending.command.text {
                let typed = std::mem::replace(&mut pending.command.text, expanded);
                pending.command.original.get_or_insert(typed);
            }
            pending.effect = Effect::of(&pending.command);
        }
    }
}

/// Does this line look like a command behind a prompt? Remarks in files begin with `#`, too.
fn like_a_command(line: &str) -> Option<(Prompt<'_>, &str)> {
    if !may_have_prompt(line) {
        return None;
    }
    Prompt::split(line).filter(|(prompt, typed)| {
        let remark = prompt.shape == Shape::Bare && prompt.text.starts_with('#');
        prompt.shape != Shape::Word && !remark && !typed.trim().is_empty()
    })
}

/// What was typed before the prompt came was echoed in front of it, and by the editor again behind it: letters, or keys
/// such as `^[[A`.
fn typed_ahead<'l>(prompt: &Template, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
    const MOST: usize = 60;
    if !prompt.may_be_in(line) {
        return None;
    }
    let first = prompt.first_char();
    let begins = |c: char| first.is_none_or(|first| first == c);
    let starts = line.char_indices().skip(1).take(MOST).filter(|(_, c)| begins(*c));
    starts.map(|(at, _)| at).find_map(|at| {
        let (ahead, rest) = line.split_at(at);
        let (prompt, typed) = prompt.split(rest)?;
        (typed.starts_with(ahead) || ahead.starts_with("^[")).then_some((prompt, typed))
    })
}

//! Watches a terminal and tells which of what is seen was typed at a prompt.
//!
//! Two kinds of shell. One marks when it reads (bracketed paste: bash ≥ 5.1, zsh, fish): what stands between
//! its marks was edited, whatever the rest of the screen looks like. The other does not (dash, older bash): a
//! line is a command if it begins with the prompt that is due. Which prompt is due is followed as shells are
//! entered and left, so that output which looks like another prompt is output.

mod marked;
mod panes;
mod shown;
mod stream;
mod unmarked;

use jiff::Timestamp;
use model::{
    ByteSpan, Command, CommandStatus, Confidence, Observation, ObservationKind, ShellFamily,
};

use self::stream::Stream;
use super::line::{MAX_CONTINUED, hides_input, may_have_prompt};
use super::prompt::{Prompt, Shape, Template};
use super::{repl, simple};
use crate::terminal::{Event, Position, Screen, Watcher};

/// Longest command kept, in bytes; a longer one is cut.
const MAX_COMMAND: usize = 64 << 10;

/// What Ctrl-C leaves on the line.
const INTERRUPT: &str = "^C";

/// Time at which something was seen: not before the first, not after the second.
pub(crate) type TimeRange = (Option<Timestamp>, Option<Timestamp>);

/// What the reader tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A command.
    Command(Command),
    /// Something that hides what was done.
    Observation(Observation),
}

/// A shell that was entered and not left yet.
#[derive(Clone, Debug)]
struct Shell {
    /// Its prompt.
    prompt: Template,
    /// It marks when it reads.
    marked: bool,
}

/// An edit in progress.
#[derive(Clone, Debug)]
struct Edit {
    /// Where the cursor was when it began.
    anchor: Position,
    /// What stood before it on that line: the prompt, of a shell that marks behind it.
    before: String,
    /// Artifact offset of its line.
    start: u64,
    /// The row that the last line feed left.
    fed: Option<u64>,
    alternate: bool,
}

/// A command whose end, or whose fate, the next lines tell.
struct Pending {
    command: Command,
    effect: Effect,
    /// Lines seen since.
    output: usize,
    /// The terminal rang at the end of its line: a completion that was not one.
    bell: bool,
    /// As it was typed, with blanks at the end.
    typed: String,
    /// Columns that the prompt took.
    prompt: usize,
    continued: usize,
    /// The line feed behind it went onto text: an editor may only have moved.
    onto_text: bool,
    /// In a stream: the first lines below, as they came, and whether its own shows that it was edited.
    below: Vec<String>,
    edited: bool,
}

/// Is a new prompt due?
#[derive(Clone, Debug, Default)]
enum Due {
    /// No: only those that are known.
    #[default]
    Nothing,
    /// A shell may have been started, whose prompt can be any.
    Any,
    /// The prompt was changed to this.
    This(Template),
}

impl Due {
    const fn is_any(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    const fn template(&self) -> Option<&Template> {
        match self {
            Self::This(template) => Some(template),
            Self::Nothing | Self::Any => None,
        }
    }
}

/// Commands of a stream that are held back until its width is known.
const MAX_HELD: usize = 2000;

/// Turns what is seen into commands.
#[derive(Default)]
pub struct Reader {
    ordinal: u32,
    done: Vec<Command>,
    time: TimeRange,
    /// Artifact offset at which the current line began.
    line_start: u64,
    edit: Option<Edit>,
    shells: Vec<Shell>,
    due: Due,
    /// The row on which zsh was done: its line feed comes afterwards, and is no output.
    left: Option<u64>,
    /// The terminal does not echo: what is typed cannot be seen.
    hidden: bool,
    /// The program that reads lines of its own.
    repl: Option<&'static str>,
    /// The other screen was switched on by nothing that draws on it: lines are lines there as well.
    plain_page: bool,
    /// Lines with the prompt of a shell that has marked until now, and no marks.
    unmarked: Vec<Command>,
    /// A transcript that is shown within this one.
    shown: shown::Shown,
    /// The prompt in the windows of `tmux`.
    pane: Option<Template>,
    /// What was last typed on the command line of a full-screen page.
    page: Option<String>,
    /// A line that was not entered: the shell listed completions and painted it again.
    begun: Option<String>,
    /// The last command may have changed what the prompt shows.
    repaints: bool,
    /// The last command leaves its shell.
    leaving: bool,
    /// The recording was replayed in a shell of the agent's own.
    replayed: bool,
    /// The agent's own shell, of versions before 2.3.978, which printed the recording inside it.
    wrapper: Option<Template>,
    /// An `exit` at that shell's prompt: its own, unless something follows.
    wrapper_exit: Option<Command>,
    /// Columns that the last prompt took.
    prompt_width: usize,
    /// Lines come from the stream: what was edited on them has to be guessed.
    stream: Option<Stream>,
    pending: Option<Pending>,
    /// What was typed on pages of the pending command, which comes before them.
    page_lines: Vec<Command>,
    observed: Vec<Observation>,
    /// Ordinal of the last command handed over.
    handed_over: u32,
    /// Rows that were left below the last command's own, at least.
    below: u64,
}

impl Reader {
    /// Reads lines of the stream.
    pub(crate) fn of_stream() -> Self {
        Self { stream: Some(Stream::default()), ..Self::default() }
    }

    /// Reads what may have been replayed in a shell of the agent's own.
    pub(crate) fn of_replay() -> Self {
        Self { replayed: true, ..Self::default() }
    }

    /// The recording begins at this offset of the artifact.
    pub(crate) const fn begin(&mut self, offset: u64) {
        self.line_start = offset;
    }

    /// Sets the time of what comes.
    pub(crate) const fn at(&mut self, time: TimeRange) {
        self.time = time;
    }

    /// Does `screen` run? What its windows show goes by as on the main screen.
    pub(crate) fn is_in_screen(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.in_screen)
            || self.pending.as_ref().is_some_and(|pending| starts_screen(&pending.command.text))
    }

    fn observe(&mut self, kind: ObservationKind, bytes: ByteSpan) {
        let ordinal = self.ordinal;
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
    const fn left_below(&mut self, length: usize) {
        // Wider windows have fewer rows of it, which only makes this more careful.
        const WIDTH: usize = 80;
        self.below += 1 + (length.saturating_sub(1) / WIDTH) as u64;
    }

    /// Has the cursor climbed onto the last command's line, outside of any editing?
    fn see_climb(&mut self, screen: &mut Screen, offset: u64) {
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

    /// Hands over the commands that are complete, in order, each followed by what was observed of it.
    pub(crate) fn hand_over(&mut self, tell: &mut impl FnMut(Told)) {
        if let Some(stream) = &self.stream
            && !stream.held.is_empty()
        {
            // What comes in between would overtake those that are held back.
            if self.done.len() < MAX_HELD {
                return;
            }
            self.unhold();
        }
        let mut observed = std::mem::take(&mut self.observed).into_iter().peekable();
        for command in self.done.drain(..) {
            while let Some(earlier) = observed.next_if(|o| o.ordinal < command.ordinal) {
                tell(Told::Observation(earlier));
            }
            self.handed_over = command.ordinal;
            tell(Told::Command(command));
        }
        let last = self.handed_over;
        while let Some(observation) = observed.next_if(|o| o.ordinal <= last) {
            tell(Told::Observation(observation));
        }
        self.observed = observed.collect();
    }

    /// The recording ends on `screen`. Hands over what is left.
    pub(crate) fn finish(mut self, screen: &Screen, offset: u64, tell: &mut impl FnMut(Told)) {
        let here = screen.position();
        let typed = match &self.edit {
            Some(edit) => Some((screen.text(edit.anchor, here), edit.before.clone(), edit.start)),
            None if screen.is_alternate() => None,
            None => Some((screen.line(here.row).1, String::new(), self.line_start)),
        };
        self.end_stream();
        self.release_shown();
        self.flush();
        self.take_unmarked();
        if let Some((text, before, start)) = typed {
            let marked = self.edit.is_some();
            let line = if before.is_empty() { text } else { format!("{before}{text}") };
            let last = line.rsplit('\n').next().unwrap_or_default();
            let split = if marked { self.split_marked(last) } else { self.split(last) };
            if let Some((prompt, typed)) = split
                && !typed.trim().is_empty()
                && (marked || self.is_due(&prompt, false).is_some())
            {
                let bytes = ByteSpan { start, end: offset };
                let mut command = self.command(typed, Some(&prompt), bytes);
                command.status = CommandStatus::Unfinished;
                command.confidence = Confidence::Likely;
                command.reason = "the recording ends on this line";
                self.done.push(command);
            }
        }
        self.unhold();
        self.hand_over(tell);
        for left in self.observed {
            tell(Told::Observation(left));
        }
    }

    // ---- shells, entered and left ----

    /// May a line with this prompt be a command, and how sure is that?
    fn is_due(&self, prompt: &Prompt<'_>, entering: bool) -> Option<(Confidence, &'static str)> {
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
    fn enter(&mut self, prompt: &Prompt<'_>, marked: bool) {
        self.repl = None;
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
        self.repaints = false;
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
    fn split_known<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        self.shells.iter().rev().find_map(|shell| shell.prompt.split(line))
    }

    /// Splits a line behind the prompt that a command has announced.
    fn split_due<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        let pending = self.pending.as_ref().map(|pending| &pending.effect.due);
        let announced = pending.into_iter().chain([&self.due]).filter_map(Due::template);
        announced.into_iter().find_map(|template| template.split(line))
    }

    /// Splits a line behind its prompt: one that is known, else anything of the shape of one.
    fn split<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
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
    fn split_marked<'l>(&self, line: &'l str) -> Option<(Prompt<'l>, &'l str)> {
        let known = self.split_due(line).or_else(|| self.split_known(line));
        known.or_else(|| Prompt::split(line)).or_else(|| Prompt::split_marked(line))
    }

    /// May the next prompt be any? At the beginning; where a shell may have been started; and where a command was
    /// run that changes what prompts show.
    fn may_be_any(&self) -> bool {
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
    fn has_odd_prompt(&self) -> bool {
        let odd = |template: &Template| !template.has_sign();
        let pending = self.pending.as_ref().map(|pending| &pending.effect.due);
        self.shells.iter().any(|shell| odd(&shell.prompt))
            || pending.into_iter().chain([&self.due]).filter_map(Due::template).any(odd)
    }

    // ---- commands ----

    fn command(&mut self, typed: &str, prompt: Option<&Prompt<'_>>, bytes: ByteSpan) -> Command {
        self.ordinal += 1;
        let mut text = typed.trim_end().to_owned();
        truncate(&mut text);
        let own = |part: fn(&Prompt<'_>) -> Option<String>| prompt.and_then(part);
        Command {
            ordinal: self.ordinal,
            text,
            original: None,
            shell: prompt.map_or(ShellFamily::Posix, Prompt::family),
            status: CommandStatus::Executed,
            confidence: Confidence::Guess,
            reason: "",
            user: own(|prompt| prompt.user.map(str::to_owned)),
            host: own(|prompt| prompt.host.map(str::to_owned)),
            cwd: own(|prompt| prompt.cwd.map(str::to_owned)),
            level: u32::try_from(self.shells.len()).ok().filter(|&level| level > 0),
            time: self.time.0,
            time_end: self.time.1,
            bytes,
        }
    }

    fn wait(&mut self, command: Command, typed: &str, bell: bool) {
        self.below = 0;
        let typed = typed.to_owned();
        let prompt = std::mem::take(&mut self.prompt_width);
        let effect = Effect::of(&command);
        let edited = self.stream.as_ref().is_some_and(|stream| stream.edited);
        self.pending = Some(Pending {
            command,
            effect,
            output: 0,
            bell,
            typed,
            prompt,
            continued: 0,
            onto_text: false,
            below: Vec::new(),
            edited,
        });
    }

    /// May the pending command have another line?
    fn continues(&self) -> bool {
        self.pending.as_ref().is_some_and(|p| p.output == 0 && p.continued < MAX_CONTINUED)
    }

    fn extend(&mut self, more: &str, end: u64) {
        if let Some(pending) = &mut self.pending {
            pending.continued += 1;
            pending.command.text.push('\n');
            pending.command.text.push_str(more.trim_end());
            truncate(&mut pending.command.text);
            pending.command.bytes.end = end;
            if pending.continued < 8 {
                pending.effect = Effect::of(&pending.command);
            }
        }
    }

    fn abort(&mut self) {
        if let Some(pending) = self.pending.take() {
            let mut command = pending.command;
            command.status = CommandStatus::Aborted;
            self.done.push(command);
            self.done.append(&mut self.page_lines);
        }
    }

    /// The pending command was none; what was typed on its pages was.
    fn drop_pending(&mut self) {
        self.pending = None;
        self.done.append(&mut self.page_lines);
    }

    /// Something typed into a program that is not a shell.
    fn repl_line(&mut self, typed: &str, reason: &'static str, bytes: ByteSpan) {
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
    fn in_repl(&self) -> bool {
        let pending = self.pending.as_ref().map(|pending| pending.effect.repl);
        pending.unwrap_or(self.repl).is_some()
    }

    /// Is this line of output one that was typed into a program which reads lines of its own?
    fn repl_input(&mut self, line: &str, bytes: ByteSpan) -> bool {
        let pending = self.pending.as_ref().map(|pending| pending.effect.repl);
        let Some(program) = pending.unwrap_or(self.repl) else { return false };
        let Some(typed) = repl::typed(program, line) else { return false };
        let typed = typed.to_owned();
        self.flush();
        self.repl_line(&typed, "behind the prompt of a program that reads lines of its own", bytes);
        true
    }

    /// The command line of a full-screen page is left: `:!cmd` of vi, `!cmd` of less.
    fn page_line(&mut self, screen: &Screen, offset: u64) {
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

    /// What a command does to the recording of those after it.
    fn note_command(&mut self, pending: &Pending) {
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
    fn keep_unmarked(&mut self, prompt: &Prompt<'_>, typed: &str, bytes: ByteSpan) {
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
    fn forget_unmarked(&mut self) {
        self.unmarked.clear();
    }

    /// No mark came again: the shell had ceased to.
    fn take_unmarked(&mut self) {
        for mut command in std::mem::take(&mut self.unmarked) {
            self.ordinal += 1;
            command.ordinal = self.ordinal;
            self.done.push(command);
        }
    }

    /// The pending command is complete.
    fn flush(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        self.note_command(&pending);
        self.done.extend(self.wrapper_exit.take());
        if self.replayed && self.ordinal == 1 && is_wrapper(&pending.command.text) {
            // Nothing of this was typed. The recording begins here.
            self.wrapper = self.shells.last().map(|shell| shell.prompt.clone());
            self.shells.clear();
            self.ordinal = 0;
            return;
        }
        let at_wrapper = self.wrapper.is_some()
            && self.shells.last().map(|s| &s.prompt) == self.wrapper.as_ref();
        if at_wrapper && pending.command.text == "exit" {
            self.wrapper_exit = Some(pending.command);
            return;
        }
        if pending.effect.due.is_any() {
            self.due = pending.effect.due.clone();
        }
        self.leaving = pending.effect.leaving;
        self.repaints = pending.effect.repaints;
        self.repl = pending.effect.repl;
        if let Some(stream) = &mut self.stream {
            stream.in_screen |= starts_screen(&pending.command.text);
        }
        if self.stream.is_some() {
            self.hold(pending);
        } else {
            self.done.push(pending.command);
        }
        self.done.append(&mut self.page_lines);
    }
}

impl Watcher for Reader {
    fn takes_lines(&self) -> bool {
        self.edit.is_none() && self.left.is_none()
    }

    fn line(&mut self, line: &str, offset: u64) {
        let span = ByteSpan { start: self.line_start, end: offset };
        self.left_below(line.len());
        self.seen(line, false, span);
        self.line_start = offset;
    }

    fn event(&mut self, event: Event, screen: &mut Screen, offset: u64) {
        match event {
            Event::EditorOn => {
                self.see_climb(screen, offset);
                self.forget_unmarked();
                self.editor_on(screen);
                screen.land();
            }
            Event::EditorOff => {
                self.editor_off(screen, offset);
                screen.land();
            }
            Event::ScreenOn | Event::ScreenOff => {
                // A prompt may have switched: what is typed then is typed here.
                if let Some(edit) = &mut self.edit {
                    edit.anchor = screen.position();
                    edit.alternate = screen.is_alternate();
                    edit.fed = None;
                }
                self.page = None;
                self.plain_page = match &self.pending {
                    Some(pending) => !repl::takes_the_screen(&pending.command.text),
                    None => true,
                };
            }
            Event::Return => self.page_line(screen, offset),
            Event::Jumped(from) => {
                self.row_left(screen, from, Some(screen.position()), offset);
            }
            Event::Hides(kind) => {
                let bytes = ByteSpan { start: self.line_start, end: offset };
                self.observe(kind, bytes);
            }
            Event::LineFeed { bell } => {
                self.see_climb(screen, offset);
                let row = screen.position().row;
                let left = self.left.take() == Some(row);
                match &mut self.edit {
                    _ if left => {}
                    Some(edit) => edit.fed = Some(row),
                    None if screen.is_alternate() && !self.plain_page => {
                        self.page_line(screen, offset);
                        self.row_left(screen, screen.position(), None, offset);
                    }
                    None => {
                        let (_, text) = screen.line(row);
                        if !screen.is_raised() {
                            self.left_below(text.chars().count());
                        }
                        // Moving down inside a line that was wrapped is not leaving it.
                        let wrapped = screen.is_wrapped(row) || self.stream.is_some();
                        if wrapped && screen.has_text_below(row) {
                            return;
                        }
                        let span = ByteSpan { start: self.line_start, end: offset };
                        let onto_text = screen.has_text_below(row);
                        let ordinal = self.ordinal;
                        self.seen(&text, bell, span);
                        if let Some(pending) =
                            self.pending.as_mut().filter(|_| self.ordinal > ordinal)
                        {
                            pending.onto_text = onto_text;
                        }
                        screen.forget_before(row.saturating_sub(4));
                    }
                }
                self.line_start = offset;
            }
        }
    }
}

/// What a command does to the prompts that are due.
struct Effect {
    due: Due,
    leaving: bool,
    /// It may keep the line editor from marking.
    unmarks: bool,
    /// It changes what prompts show: the directory, an environment, a branch.
    repaints: bool,
    /// It starts a program that reads lines of its own.
    repl: Option<&'static str>,
}

impl Effect {
    fn of(command: &Command) -> Self {
        let text = command.text.as_str();
        let due = match Template::of_assignment(text) {
            Some(template) => Due::This(template),
            None if simple::starts_a_shell(text)
                || text.contains("PS1")
                || text.contains("PROMPT") =>
            {
                Due::Any
            }
            None => Due::Nothing,
        };
        let first = text.split(|c: char| c.is_whitespace() || c == ';').next().unwrap_or_default();
        let repaints = matches!(
            first,
            "cd" | "pushd"
                | "popd"
                | "source"
                | "."
                | "conda"
                | "workon"
                | "deactivate"
                | "git"
                | "nvm"
                | "rvm"
                | "eval"
        ) || text.contains("cd ")
            || text.contains("PS1=");
        let unmarks =
            ["bracketed-paste", "+o emacs", "+o vi", "noediting", "INPUTRC", "inputrc", "TERM="]
                .iter()
                .any(|sign| text.contains(sign));
        let leaving = matches!(first, "exit" | "logout");
        Self { due, leaving, unmarks, repaints, repl: repl::of(text) }
    }
}

/// Does this line run `screen`, with windows of its own?
fn starts_screen(text: &str) -> bool {
    let mut words = text.split_whitespace().skip_while(|word| *word == "sudo");
    words.next() == Some("screen")
        && !words.any(|word| matches!(word, "-ls" | "-list" | "-wipe" | "-X" | "-Q" | "-v"))
}

/// The command with which the agent prints the recording. It may be wrapped, so only its beginning counts.
fn is_wrapper(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    // On Windows its path has a blank in it, and is quoted.
    let windows = text.starts_with("&'") && text.contains("\\ssm-session-logger.exe' ");
    // The agent's own words and nothing else: `/usr/bin/ssm-session-logger /…/ipcTempFile.log false`, wrapped anywhere.
    let plain = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '/' | '.' | '-' | '_' | '@' | '=' | ',' | '+' | ':' | ' ')
    };
    windows
        || (word == "ssm-session-logger" || word.ends_with("/ssm-session-logger"))
            && text.len() > word.len()
            && text.chars().all(plain)
}

const MENDED: &str = "put together from a line whose editing the stream has lost";

fn truncate(text: &mut String) {
    if text.len() > MAX_COMMAND {
        let cut = text.floor_char_boundary(MAX_COMMAND);
        text.truncate(cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Terminal;

    fn commands(bytes: &[u8]) -> Vec<(String, CommandStatus, Confidence)> {
        let mut terminal = Terminal::new(Reader::default());
        terminal.write(bytes, 0);
        let (reader, screen) = terminal.finish();
        let mut found = Vec::new();
        reader.finish(&screen, bytes.len() as u64, &mut |told| {
            if let Told::Command(command) = told {
                found.push((command.text, command.status, command.confidence));
            }
        });
        found
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
            texts(b"$ id -un\r\nroot\r\n$ cat x\r\n$ fake\r\n# not a prompt\r\n$ exit\r\n"),
            ["id -un", "cat x", "fake", "exit"],
            "a line of output equal to the prompt cannot be told apart here"
        );
        assert_eq!(
            texts(b"$ id -un\r\nroot\r\n$ echo '$ fake'\r\n$ fake\r\n$ exit\r\n"),
            ["id -un", "echo '$ fake'", "exit"],
            "but for what the command itself spells out"
        );
    }

    #[test]
    fn another_prompt_in_the_output_is_output() {
        assert_eq!(
            texts(b"$ cat log\r\nsh-5.2$ whoami\r\n[root@x ~]# reboot\r\n$ exit\r\n"),
            ["cat log", "exit"]
        );
        assert_eq!(
            texts(b"$ sudo su - bob\r\n[bob@x ~]$ id\r\nuid=1\r\n[bob@x ~]$ exit\r\n$ pwd\r\n"),
            ["sudo su - bob", "id", "exit", "pwd"]
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
        assert_eq!(
            texts(b"sh-4.2$ cat f\x07\r\nfoo fox\r\nsh-4.2$ cat foo\r\ntext\r\n"),
            ["cat foo"]
        );
    }

    #[test]
    fn history_is_expanded_as_the_shell_says() {
        assert_eq!(
            texts(b"\x1b[?2004hsh-5.2$ sudo !!\r\n\x1b[?2004l\rsudo ls /opt\r\nMakefile\r\n"),
            ["sudo ls /opt"]
        );
    }

    #[test]
    fn zsh_marks_behind_its_prompt() {
        assert_eq!(texts(b"host% \x1b[K\x1b[?2004hl\x08ls -l\x1b[?2004l\r\r\nx\r\n"), ["ls -l"]);
    }

    #[test]
    fn a_prompt_set_to_nothing_hides_nothing() {
        let found =
            commands(b"$ PS1=''\r\nwhoami\r\nroot\r\nPS1='# '\r\n# history -c\r\n# exit\r\n");
        let texts: Vec<_> = found.iter().map(|(text, ..)| text.as_str()).collect();
        assert_eq!(texts, ["PS1=''", "whoami", "PS1='# '", "history -c", "exit"]);
        assert_eq!(found[1].2, Confidence::Guess);
    }

    #[test]
    fn what_was_not_submitted_is_unfinished() {
        let found = commands(b"$ ls\r\n$ rm -rf /tm");
        assert_eq!(found.last().map(|(_, status, _)| *status), Some(CommandStatus::Unfinished));
    }

    /// Bytes, the first commands, and what is observed behind which of them.
    type Case = (&'static [u8], &'static [&'static str], &'static [(ObservationKind, u32)]);

    #[test]
    fn what_hides_something_is_observed() {
        use ObservationKind::{
            ClipboardWritten, ConcealedText, EchoOff, EmptyPrompt, HistoryOff, OverwrittenCommand,
            SwallowedText,
        };
        let observed = |bytes: &[u8]| {
            let mut terminal = Terminal::new(Reader::default());
            terminal.write(bytes, 0);
            let (reader, screen) = terminal.finish();
            let (mut texts, mut kinds) = (Vec::new(), Vec::new());
            reader.finish(&screen, bytes.len() as u64, &mut |told| match told {
                Told::Command(command) => texts.push(command.text),
                Told::Observation(o) => kinds.push((o.kind, o.ordinal)),
            });
            (texts, kinds)
        };
        let cases: [Case; 9] = [
            (b"$ id\r\n\x1b[8muid=0\x1b[0m\r\n$ ls\r\n", &["id", "ls"], &[(ConcealedText, 1)]),
            (b"$ id\r\n\x1b[30;40muid=0\x1b[0m\r\n", &["id"], &[(ConcealedText, 1)]),
            (b"$ evil\r\n\x1b[1A\x1b[2K\r\n$ ls\r\n", &["evil", "ls"], &[(OverwrittenCommand, 1)]),
            (b"$ pull\r\nlayer\r\n\x1b[1A\x1b[2Klayer 5%\r\n$ ls\r\n", &["pull", "ls"], &[]),
            (
                b"$ printf x\r\n\x1b]0;t\r\n$ evil\r\n$ ls\r\n",
                &["printf x", "evil", "ls"],
                &[(SwallowedText, 1)],
            ),
            (b"$ PS1=''\r\nid\r\n", &["PS1=''"], &[(EmptyPrompt, 1)]),
            (b"$ unset HISTFILE\r\n$ ls\r\n", &["unset HISTFILE", "ls"], &[(HistoryOff, 1)]),
            (b"$ stty -echo\r\n$ \r\n", &["stty -echo"], &[(EchoOff, 1)]),
            (b"$ x\r\n\x1b]52;c;cm0gLXJmIC8=\x07\r\n", &["x"], &[(ClipboardWritten, 1)]),
        ];
        for (bytes, commands, kinds) in cases {
            let (texts, found) = observed(bytes);
            assert_eq!(texts[..commands.len()], *commands, "{}", bytes.escape_ascii());
            assert_eq!(found, kinds, "{}", bytes.escape_ascii());
        }
    }
}

//! Watches a terminal and tells which of what is seen was typed at a prompt.
//!
//! Two kinds of shell. One marks when it reads (bracketed paste: bash ≥ 5.1, zsh, fish): what stands between
//! its marks was edited, whatever the rest of the screen looks like. The other does not (dash, older bash): a
//! line is a command if it begins with the prompt that is due. Which prompt is due is followed as shells are
//! entered and left, so that output which looks like another prompt is output.

mod effect;
mod marked;
mod observed;
mod pages;
mod panes;
mod shells;
mod shown;
mod stream;
mod unmarked;

use jiff::Timestamp;
use model::{ByteSpan, Command, CommandStatus, Confidence, Observation, ShellFamily};

use self::effect::{Due, Effect};
use self::stream::Stream;
use super::line::MAX_CONTINUED;
use super::prompt::{Prompt, Template};
use super::repl;
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

/// Commands of a stream that are held back until its width is known.
const MAX_HELD: usize = 2000;

/// Turns what is seen into commands.
#[derive(Default)]
pub struct Reader {
    ordinal: u32,
    done: Vec<Command>,
    time: TimeRange,
    /// No span ends behind this. Text that was decoded may be longer than its bytes.
    limit: Option<u64>,
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

    /// What comes ends before this offset of the artifact.
    pub(crate) const fn ends_before(&mut self, offset: u64) {
        self.limit = Some(offset);
    }

    fn within(&self, bytes: ByteSpan) -> ByteSpan {
        let end = self.limit.map_or(bytes.end, |limit| bytes.end.min(limit));
        ByteSpan { start: bytes.start.min(end), end }
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
            bytes: self.within(bytes),
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
        let end = self.limit.map_or(end, |limit| end.min(limit));
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
            // tmux hands on the mode of the pane, and not when a line is done.
            Event::EditorOn | Event::EditorOff if screen.is_alternate() && self.in_tmux() => {}
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
mod tests;

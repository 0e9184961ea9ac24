//! An observation: something in a transcript that hides, or tries to hide, what was done.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ByteSpan;

/// What was seen. Each has innocent causes too, which is why it is an observation; a rule makes it a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservationKind {
    /// Text was printed so that nobody could see it: concealed (`ESC[8m`), or in the colour of its ground.
    ConcealedText,
    /// The cursor climbed onto the line of a command that had been entered, and the line could be written over.
    OverwrittenCommand,
    /// A control string (a title, mostly) was begun and swallowed the end of a line: a terminal shows nothing of
    /// what follows.
    SwallowedText,
    /// A window title longer than titles are.
    LongTitle,
    /// The terminal was told to set the clipboard of whoever watched.
    ClipboardWritten,
    /// The prompt was set to nothing: what is typed cannot be told from output by looking.
    EmptyPrompt,
    /// The shell's history was switched off, sent elsewhere or cleared.
    HistoryOff,
    /// The terminal was told not to echo: what was typed then is not in the recording.
    EchoOff,
    /// Lines that look like a prompt with a command behind it, and were taken for output.
    UnreadPrompt,
    /// A transcript was shown in a shell that does not mark when it reads: what looks like commands from its header to its
    /// footer was taken for output.
    ShownTranscript,
    /// The stream lost characters next to letters, in output.
    LostCharacters,
    /// The stream lost characters in a command. Letters can be made to vanish in this way.
    LostCommandCharacters,
}

impl ObservationKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 12] = [
        Self::ConcealedText,
        Self::OverwrittenCommand,
        Self::SwallowedText,
        Self::LongTitle,
        Self::ClipboardWritten,
        Self::EmptyPrompt,
        Self::HistoryOff,
        Self::EchoOff,
        Self::UnreadPrompt,
        Self::ShownTranscript,
        Self::LostCharacters,
        Self::LostCommandCharacters,
    ];

    /// The word used in every output, and in the field `observation` of rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConcealedText => "concealed_text",
            Self::OverwrittenCommand => "overwritten_command",
            Self::SwallowedText => "swallowed_text",
            Self::LongTitle => "long_title",
            Self::ClipboardWritten => "clipboard_written",
            Self::EmptyPrompt => "empty_prompt",
            Self::HistoryOff => "history_off",
            Self::EchoOff => "echo_off",
            Self::UnreadPrompt => "unread_prompt",
            Self::ShownTranscript => "shown_transcript",
            Self::LostCharacters => "lost_characters",
            Self::LostCommandCharacters => "lost_command_characters",
        }
    }

    /// What it means, in words for a person.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::ConcealedText => "text was printed invisibly",
            Self::OverwrittenCommand => "the cursor climbed onto an entered command's line",
            Self::SwallowedText => "an unfinished control string swallowed what followed",
            Self::LongTitle => "a window title of unusual length",
            Self::ClipboardWritten => "the watcher's clipboard was set",
            Self::EmptyPrompt => "the prompt was set to nothing",
            Self::HistoryOff => "the shell's history was switched off or cleared",
            Self::EchoOff => "the terminal was told not to echo: input hidden here",
            Self::UnreadPrompt => {
                "lines that look like commands behind a prompt were taken for output"
            }
            Self::ShownTranscript => {
                "a transcript was shown: what looks like commands in it was taken for output"
            }
            Self::LostCharacters => "the stream lost characters of the output",
            Self::LostCommandCharacters => "the stream lost characters of a command",
        }
    }
}

/// Something seen in a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What.
    pub kind: ObservationKind,
    /// The command that it is about, or the last one before it; 0 before the first.
    pub ordinal: u32,
    /// How often, in a row.
    pub count: u64,
    /// Time of the first log event it was in, where the form has one.
    pub time: Option<Timestamp>,
    /// Where.
    pub bytes: ByteSpan,
}

/// Observations of one transcript, counted by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations(BTreeMap<ObservationKind, (u64, Observation)>);

impl Observations {
    /// Counts one.
    pub fn note(&mut self, observation: Observation) {
        self.0.entry(observation.kind).or_insert((0, observation)).0 += observation.count;
    }

    /// How often each kind was seen, and where first.
    pub fn iter(&self) -> impl Iterator<Item = (ObservationKind, u64, &Observation)> {
        self.0.iter().map(|(kind, (count, first))| (*kind, *count, first))
    }

    /// The first of a kind.
    pub fn first(&self, kind: ObservationKind) -> Option<&Observation> {
        self.0.get(&kind).map(|(_, first)| first)
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

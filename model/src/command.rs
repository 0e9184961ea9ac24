//! A command: one line (or one multi-line construct) that a person submitted in a session.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandStatus {
    /// Submitted to a shell with Enter.
    Executed,
    /// Abandoned at the prompt (Ctrl-C): it did not run.
    Aborted,
    /// Typed into a program that is not a shell.
    Repl,
    /// Typed while the terminal did not echo: that something was typed is all that can be known.
    Hidden,
    /// The recording ends before Enter.
    Unfinished,
}

impl CommandStatus {
    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::Aborted => "aborted",
            Self::Repl => "repl",
            Self::Hidden => "hidden",
            Self::Unfinished => "unfinished",
        }
    }
}

/// Which grammar a line is read by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShellFamily {
    /// sh, bash, dash, zsh, and near enough fish.
    #[default]
    Posix,
    /// PowerShell, on Windows.
    PowerShell,
}

/// How far a reconstruction can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The line is shaped like a prompt and a command, and nothing more speaks for it.
    Guess,
    /// A prompt that this session used before, and an edit line that could be followed.
    Likely,
    /// The shell itself marked where the prompt began and where the line was submitted.
    Certain,
}

impl Confidence {
    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guess => "guess",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// Half-open range of bytes in an artifact, after decompression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ByteSpan {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// A command reconstructed from a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Position in its transcript, from 1.
    pub ordinal: u32,
    /// The line as the shell accepted it; newlines where the command has several lines.
    pub text: String,
    /// What the recording shows, where `text` was put together from it by guessing.
    pub original: Option<String>,
    /// The grammar of the shell that read it.
    pub shell: ShellFamily,
    /// What became of it.
    pub status: CommandStatus,
    /// How far the reconstruction can be relied on.
    pub confidence: Confidence,
    /// Why that confidence.
    pub reason: &'static str,
    /// The user that the prompt shows. A prompt is text that anybody can set: a claim.
    pub user: Option<String>,
    /// The host that the prompt shows: a claim as well.
    pub host: Option<String>,
    /// The working directory that the prompt shows.
    pub cwd: Option<String>,
    /// How deep in nested shells, 1 being the agent's own; `None` where it was not followed.
    pub level: Option<u32>,
    /// Earliest time at which it can have been submitted, where the form tells.
    pub time: Option<Timestamp>,
    /// Latest such time.
    pub time_end: Option<Timestamp>,
    /// The bytes it was read from.
    pub bytes: ByteSpan,
}

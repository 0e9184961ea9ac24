//! Artifact → events.
//!
//! ```text
//! source/      where artifacts come from: files, directories, standard input
//! decode/      what they are and what is in them: inflate → sniff → items → records, log events
//!   transcript/  the forms that the agent writes, undone to the bytes of the terminal
//! integrity/   are CloudTrail's files what CloudTrail delivered? By its digests
//! terminal/    those bytes → lines as a person saw them
//! command/     lines → the commands that a person ran → the programs that they start
//! ```
//!
//! The flow is pushed: [`decode`] reads an artifact once, in bounded memory, and calls the [`Sink`] that
//! it is given. What cannot be read is a [`Problem`] with its place; the rest goes on.

pub mod command;
pub mod decode;
pub mod integrity;
pub mod source;
pub mod terminal;

pub use decode::{
    Counts, Limits, Member, Members, Opened, Problem, ProblemKind, RawRecord, Sink, TranscriptForm,
    TranscriptHead, Want, decode, open,
};

//! The columns of a command.

use std::io;

use serde::Serialize;

/// A command as a row of NDJSON. A key is never left out: what is not known is null.
#[derive(Debug, Serialize)]
pub struct CommandRow<'a> {
    /// The object it was read from.
    pub artifact: &'a str,
    /// The transcript's form: `s3`, `cloudwatch-stream`, `cloudwatch-upload`, `raw`, ….
    pub form: &'a str,
    /// The session.
    pub session_id: Option<&'a str>,
    /// Position in the transcript, from 1.
    pub ordinal: u32,
    /// The line as the shell accepted it; newlines where it has several lines.
    pub text: &'a str,
    /// What the recording shows, where `text` was put together from it by guessing.
    pub original: Option<&'a str>,
    /// `executed`, `aborted`, `repl`, `hidden` or `unfinished`.
    pub status: &'a str,
    /// `certain`, `likely` or `guess`.
    pub confidence: &'a str,
    /// Why that confidence.
    pub reason: &'a str,
    /// The user that the prompt shows.
    pub user: Option<&'a str>,
    /// The host that the prompt shows.
    pub host: Option<&'a str>,
    /// How deep in nested shells, from 1.
    pub level: Option<u32>,
    /// The directory that the prompt shows.
    pub cwd: Option<&'a str>,
    /// Earliest time at which it can have been submitted, RFC 3339 in UTC.
    pub time: Option<String>,
    /// Latest such time.
    pub time_end: Option<String>,
    /// First byte in the artifact, after decompression.
    pub byte_start: u64,
    /// One past the last byte.
    pub byte_end: u64,
}

impl CommandRow<'_> {
    /// Writes the row as one line.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        super::json::write_line(out, self)
    }
}

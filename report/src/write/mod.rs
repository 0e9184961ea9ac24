//! Findings, written down.

mod commands;
mod csv;
mod json;
mod ndjson;
mod row;
mod text;
mod timeline;

use std::io;

use model::Finding;

pub use self::csv::{Csv, rows as csv_rows};
pub use commands::CommandRow;
pub use ndjson::Ndjson;
pub use row::Row;
pub use text::{Text, TextOptions, style as level_style};
pub use timeline::{Timeline, Transcript};

/// Writes a value as one line of JSON in which nothing acts on a terminal.
pub fn json_line(out: &mut dyn io::Write, value: &impl serde::Serialize) -> io::Result<()> {
    json::write_line(out, value)
}

/// Takes findings one by one, in the order in which they are to appear.
pub trait Write {
    /// One finding.
    fn finding(&mut self, finding: &Finding) -> io::Result<()>;
    /// No more come.
    fn finish(&mut self) -> io::Result<()>;
}

//! Findings, written down.

mod commands;
mod csv;
mod folder;
mod json;
mod manifest;
mod ndjson;
pub mod page;
mod parquet;
mod row;
mod text;
mod timeline;

use std::io;

use model::Finding;

pub use self::csv::{Csv, Table, count_rows, read_rows, rows as csv_rows};
pub use self::parquet::{Parquet, access_batch, access_schema};
pub use commands::CommandRow;
pub use folder::{Hashing, Written, hex};
pub use manifest::{Fact, FactsOf, MANIFEST, Manifest, Previous, RulesOf, Tool};
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

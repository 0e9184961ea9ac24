//! What a report is made of, with hashes: what `ssm-audit verify` goes by.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::folder::Written;
use crate::view::{Measures, PeriodOf};

/// The name of the file.
pub const MANIFEST: &str = "manifest.json";

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form: 1.
    pub manifest: u32,
    /// The program, and its version.
    pub tool: Tool,
    /// Of when.
    pub period: PeriodOf,
    /// The time at which was looked.
    pub as_of: Timestamp,
    /// Had everything come by then that would?
    pub is_settled: bool,
    /// Who ran the queries: `local`, or an engine.
    pub engine: String,
    /// What counts as what: with these the figures can be computed again.
    pub measures: Measures,
    /// What the report was narrowed to.
    pub filters: BTreeMap<String, Vec<String>>,
    /// Do other names stand for the principals?
    pub redacted: bool,
    /// The rules.
    pub rules: RulesOf,
    /// The report before this; null where there is none.
    pub previous: Option<Previous>,
    /// The fact files that were read: `facts.csv` names each.
    pub facts: FactsOf,
    /// The files of the report, this one left out.
    pub files: Vec<Written>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A rule set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesOf {
    /// SHA-256 over its files, in order of their contents' hashes: where they lie does not matter.
    pub sha256: String,
    /// Rules and correlations.
    pub rules: usize,
}

/// A report that went before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its period.
    pub period: String,
    /// SHA-256 of its manifest.
    pub sha256: String,
    /// When its period was over: where this one begins, if nobody changed the time zone between.
    pub until: Option<Timestamp>,
}

/// Fact files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsOf {
    /// How many.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A row of `facts.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The file, below the store's root.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, hexadecimal. Empty where another engine has read it.
    pub sha256: String,
    /// Rows. None where another engine has read it.
    pub rows: Option<u64>,
}

impl Fact {
    /// The columns.
    pub const COLUMNS: [&'static str; 4] = ["path", "bytes", "sha256", "rows"];
}

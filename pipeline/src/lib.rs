//! The verbs, composed from the stages. Nothing else composes them; the shells only call them.
//!
//! ```text
//! scan     artifacts ──ingest──▶ events ──rules──▶ findings ──▶ a writer    (nothing is kept)
//! ingest   artifacts ──ingest──▶ events ──rules──▶ facts in the store    (each once)
//! sweep    facts ──views──▶ sessions, gaps ──rules, correlations──▶ findings in the store
//! alerts   findings in the store ──routes──▶ sinks, each once
//! report   facts of a period ──views──▶ files, and a manifest of their hashes; is it what it was?
//! integrity CloudTrail's digests ──▶ is its trail what it was? Kept as a fact
//! compact  many small files of facts ──▶ few, the same rows
//! commands transcripts ──ingest──▶ the commands that people ran
//! pack     where the rules come from: a directory, or the pack that is embedded
//! cases    the tests beside a rule: event or command line → does it fire?
//! explain  why a rule fires on what is in a file, or does not
//! backtest what other rules would have found
//! catalogue, template   rules as documentation, and where a new one begins
//! ```

pub mod alerts;
pub mod backtest;
pub mod cases;
pub mod catalogue;
pub mod commands;
pub mod compact;
mod events;
mod examine;
pub mod explain;
mod finding;
pub mod ingest;
pub mod integrity;
pub mod pack;
pub mod report;
pub mod scan;
mod seen;
pub mod sweep;
pub mod template;

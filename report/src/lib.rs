//! Finding → the outside world.
//!
//! ```text
//! write/   findings and summaries as text, NDJSON, CSV
//! ```
//!
//! Everything that leaves here has been made harmless for where it goes: no control sequence reaches a
//! terminal, no formula a spreadsheet.

pub mod alert;
pub mod mask;
pub mod redact;
pub mod sink;
pub mod store;
pub mod turn;
pub mod view;
pub mod write;

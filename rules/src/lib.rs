//! Sigma rules → a compiled set → matches.
//!
//! ```text
//! sigma/     YAML text ──▶ Rule: what the author wrote, with spans for diagnostics
//! compile/   Rules ──▶ RuleSet: one field table, shared predicates, automata per field, programs
//! evaluate/  RuleSet × Event ──▶ matches with their evidence
//! correlate/ matches ──▶ correlations: how many, which, in what order, within a timespan
//! check/     what is probably not meant as it is written
//! link       documents that speak of one another: filters, correlations
//! known      what was made out of the rules that ship when the program was built
//! calendar   the calendars that `calendar.<name>` fields are answered from
//! ```
//!
//! Pure: text and bytes in, values out. Who reads files and clocks is not this crate.

mod calendar;
pub mod check;
pub mod compile;
pub mod correlate;
mod diagnostic;
pub mod evaluate;
mod folded;
pub mod known;
mod link;
mod pack;
mod pairs;
pub mod sigma;

pub use calendar::{Calendar, Calendars};
pub use compile::{FieldTable, RuleSet, SlotId};
pub use correlate::{Correlator, Fire};
pub use diagnostic::{Diagnostic, INVALID, Severity, Source};
pub use evaluate::{Evaluator, Event, Match, Pivot, Slots};
pub use link::{LinkedCorrelation, Member};
pub use pack::{Pack, PackFile};
pub use sigma::Rule;
pub use sigma::spelling::nearest;

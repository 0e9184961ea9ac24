//! Folds over the facts: sessions, what is missing of them, who has access.
//!
//! Nothing of a view is stored. A record or a transcript that comes late makes the next one more complete. The same views
//! are SQL in `deploy/sql/`, and a test holds both to the same rows.

mod access;
pub mod commands;
mod coverage;
pub mod events;
mod figures;
pub mod found;
mod pairs;
mod period;
mod sessions;
mod symbols;
mod tables;
mod whole;

pub use access::{Access, Accesses};
pub use coverage::{Coverage, Grace, Tally};
pub use figures::{DayOf, Figures, Gather, Note, Notes, Sum, SumOf};
pub use pairs::Pairs;
pub use period::Period;
pub use sessions::{Range, SessionNumber, SessionRow, Sessions};
pub use tables::{TableError, Tables};
pub use whole::{
    AlertFigures, CommandFigures, Control, ControlFigures, EventFigures, Evidence, FindingFigures,
    IntegrityFigures, Measures, PeriodOf, RuleFigures, Whole,
};

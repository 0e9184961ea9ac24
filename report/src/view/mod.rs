//! Folds over the facts: sessions, what is missing of them, who has access.
//!
//! Nothing of a view is stored. A record or a transcript that comes late makes the next one more complete. The same views
//! are SQL in `deploy/sql/`, and a test holds both to the same rows.

mod access;
mod coverage;
mod sessions;
mod symbols;

pub use access::{Access, Accesses};
pub use coverage::{Coverage, Grace, Tally};
pub use sessions::{Range, SessionRow, Sessions};

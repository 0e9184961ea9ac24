//! The store: facts in Parquet, and a few small objects beside them, in a directory or a bucket.
//!
//! ```text
//! <root>/facts/<table>/date=YYYY-MM-DD/<artifact id>.parquet
//! <root>/ledger/<2 digits>/<artifact id>.json        what has been read, to its end
//! <root>/quarantine/<artifact id>.json               what could not be read, and why
//! ```
//!
//! An object is created once and never changed. Its name is derived from the identity of what it was made of, and so
//! are its bytes: to write it again is to find it there. The ledger's entry is written last; what has none is read again.

mod facts;
mod near;
mod objects;
mod parquet;
mod rows;
mod table;

pub(crate) use facts::NO_DATE;
pub use facts::{Compacted, Replaced, Witnessed};
pub use objects::{Entry, Store, StoreError, Writing};
pub use parquet::{Batches, decode, encode};
pub use rows::{Activity, CommandRow, FindingRow, MatchRow, Transcript};
pub(crate) use table::{Column, MaybeFlag, MaybeText, Number, Text, Time, schema, table};
pub use table::{Row, day};

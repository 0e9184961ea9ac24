//! Sigma as it is written: YAML → [`Rule`], with the place of everything that can be wrong.
//!
//! | file | reads |
//! | --- | --- |
//! | `yaml` | text → nodes with spans |
//! | `rule` | a document → [`Rule`], [`Correlation`] or [`Filter`] |
//! | `meta` | what a document says of itself |
//! | `correlation` | several matches that say more together |
//! | `filter` | one exception for many rules |
//! | `detection` | search identifiers: maps, lists, keywords |
//! | `modifier` | `field\|modifier\|…` → what to test |
//! | `pattern` | wildcards and escapes |
//! | `expression` | a regular expression, and what runs it |
//! | `program` | what an expression does with ASCII text, step by step |
//! | `automaton` | many programs at once, fast |
//! | `literals` | text that an expression cannot do without |
//! | `condition` | `selection and not 1 of filter_*` |

mod automaton;
pub mod condition;
mod correlation;
mod detection;
mod expression;
mod filter;
mod literals;
mod meta;
mod modifier;
mod pattern;
mod program;
mod rule;
pub(crate) mod spelling;
mod test;
pub mod yaml;

pub(crate) use automaton::Runner;
pub use correlation::{Alias, Bound, Correlation, CorrelationCondition, CorrelationKind};
pub use detection::{Item, Search};
pub use expression::Expression;
pub use filter::{Filter, Reference};
pub use meta::{Meta, Related, Status};
pub use pattern::{Part, Pattern, fold};
pub(crate) use program::Program;
pub use rule::{Documents, Lists, Rule, Selection, parse};
pub(crate) use test::OwnNeedles;
pub use test::{Comparison, Number, Shape, Test, TimePart};

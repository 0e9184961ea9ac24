//! Sigma as it is written: YAML → [`Rule`], with the place of everything that can be wrong.
//!
//! | file | reads |
//! | --- | --- |
//! | `yaml` | text → nodes with spans |
//! | `rule` | a document → [`Rule`] |
//! | `detection` | search identifiers: maps, lists, keywords |
//! | `modifier` | `field\|modifier\|…` → what to test |
//! | `pattern` | wildcards and escapes |
//! | `condition` | `selection and not 1 of filter_*` |

pub mod condition;
mod detection;
mod modifier;
mod pattern;
mod rule;
mod spelling;
mod test;
pub mod yaml;

pub use detection::{Item, Search};
pub use pattern::{Part, Pattern, fold};
pub use rule::{Lists, Rule, parse};
pub use test::{Comparison, Expression, Number, Test};

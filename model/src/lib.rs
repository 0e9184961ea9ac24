//! The nouns of ssm-audit, and nothing that does I/O.
//!
//! ```text
//! Artifact ──decode──▶ Event ──evaluate──▶ Finding ──▶ Report
//!   Place               Principal            Level
//!                       Session, Command     Evidence
//! ```
//!
//! Every other crate speaks in these types; none of them needs another's. What is *known* and what is
//! merely *claimed* are different fields here (see [`Principal`] and [`SessionId`]), because an auditor
//! must be able to tell them apart.

mod command;
mod event;
mod finding;
pub mod json;
mod level;
mod observation;
mod place;
mod principal;
mod session;
mod text;

pub use command::{ByteSpan, Command, CommandStatus, Confidence, ShellFamily};
pub use event::{EventKind, LogSource, SESSION_FIELDS};
pub use finding::{Correlated, Evidence, Finding, FindingId, RuleInfo};
pub use level::{Level, UnknownLevel};
pub use observation::{Observation, ObservationKind, Observations};
pub use place::Place;
pub use principal::{Principal, PrincipalType};
pub use session::{ClaimedLogin, Session, SessionId, SessionKind};
pub use text::{Visible, is_deceptive};

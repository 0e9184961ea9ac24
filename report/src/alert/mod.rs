//! Findings → alerts that people don't mute.
//!
//! ```text
//! findings ──group──▶ one group for each rule and session (or principal) and day
//!          ──route──▶ the sinks that want to hear of it; muted ones are counted
//!          ──state──▶ the first at once; the rest merged into one update; repeats counted
//!          ──render─▶ what a sink sends
//! ```

mod group;
mod record;
mod render;
mod routes;
mod state;

pub use group::{Group, groups};
pub use record::{Delivery, record};
pub use render::{Form, MAX_SUBJECT, body, body_within, chat, subject, text};
pub(crate) use render::{facts, short};
pub use routes::{Mute, Route, Routes, RoutesError, SinkConfig, Wanted};
pub use state::{Due, LEASE, State};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is sent: one or more findings of a group, for a person. Secrets are masked in the findings already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The group's id: updates have the same. 32 hexadecimal digits.
    pub alert_id: String,
    /// 1 for the first, then counted up.
    pub number: u32,
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub rule_title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// Findings of the group so far.
    pub count: u64,
    /// Of these, not told before.
    pub new: u64,
    /// When the first of the group happened.
    pub first: Option<Timestamp>,
    /// When the last did.
    pub last: Option<Timestamp>,
    /// The session.
    pub session_id: Option<String>,
    /// Who, as AWS authenticated them.
    pub principal: Option<String>,
    /// The role session name: chosen by whoever assumed the role.
    pub principal_claimed_name: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The node or container, if it is one.
    pub target: Option<String>,
    /// What the rule sees and why it matters.
    pub why: Option<String>,
    /// What to do.
    pub next: Vec<String>,
    /// Pages of the console to look at: what, and its address.
    pub links: Vec<(String, String)>,
    /// Those not told before: the first of them, if they are many.
    pub findings: Vec<Told>,
    /// Was something left out here because it was too long for where it goes?
    #[serde(default)]
    pub cut: bool,
}

/// A finding, as an alert tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its id.
    pub finding_id: String,
    /// When.
    pub time: Option<Timestamp>,
    /// `eventName`, or `command`.
    pub event_name: Option<String>,
    /// The line that a person ran.
    pub command: Option<String>,
    /// The node.
    pub target: Option<String>,
    /// From where.
    pub source_ip: Option<String>,
    /// Why CloudTrail says that the call failed.
    pub error_code: Option<String>,
    /// What made the rule match: a field and its value.
    pub evidence: Vec<(String, Option<String>)>,
    /// `eventID`.
    pub event_id: Option<String>,
    /// The object it was read in.
    pub artifact: String,
    /// Where in it.
    pub offset: u64,
}

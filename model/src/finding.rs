//! A finding: a rule matched, and here is everything that a person needs to look into it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Level, Place, Principal, Session};

/// What a finding says of its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The rule's `id`; its title where it has none.
    pub id: String,
    /// The rule's title.
    pub title: String,
    /// How serious. A rule without a level counts as medium, as Sigma's tools do.
    pub level: Level,
    /// The rule's tags: ATT&CK techniques, controls.
    pub tags: Vec<String>,
}

/// Stable name of a finding: the same rule on the same event has the same id on every machine, whatever
/// object the event came in. 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FindingId(pub String);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One field that made a rule match.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// The field's name, as the rule wrote it; `keywords` for a search without a field.
    pub field: String,
    /// The event's value; `None` where the rule asked for absence.
    pub value: Option<String>,
    /// The search identifier (Sigma's word) in the rule that asked.
    pub selection: String,
}

/// A rule matched an event.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Stable id.
    pub id: FindingId,
    /// Which rule.
    pub rule: Arc<RuleInfo>,
    /// When it happened: the event's time, or the earliest time at which the command can have run.
    pub time: Option<Timestamp>,
    /// The latest such time, where the form tells. Equal to `time` for an event.
    pub time_end: Option<Timestamp>,
    /// The session it belongs to.
    pub session: Option<Arc<Session>>,
    /// Who, where that is known: the caller of the event, or of the session's start.
    pub principal: Option<Arc<Principal>>,
    /// The account it happened in.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The node or container.
    pub target: Option<String>,
    /// CloudTrail's `eventID`.
    pub event_id: Option<String>,
    /// What happened in a word: CloudTrail's `eventName`, or `command`.
    pub event_name: Option<String>,
    /// The line that a person ran, for a finding about a command.
    pub command: Option<String>,
    /// `sourceIPAddress`.
    pub source_ip: Option<String>,
    /// Why CloudTrail says the call failed, if it did.
    pub error_code: Option<String>,
    /// The values that made the rule match.
    pub evidence: Vec<Evidence>,
    /// Where it was read; for a correlation, the last event of it.
    pub place: Place,
    /// What a correlation is made of: the matches in order of time, the first and the last where they are many.
    pub correlated: Vec<Correlated>,
    /// How many matches a correlation is made of.
    pub correlated_count: u64,
}

/// A match that a correlation is made of.
#[derive(Clone, Debug)]
pub struct Correlated {
    /// The id of the finding that the match alone would be.
    pub id: FindingId,
    /// Its rule.
    pub rule: Arc<RuleInfo>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// CloudTrail's `eventID`.
    pub event_id: Option<String>,
    /// What it was about: the node, or the command.
    pub about: Option<String>,
    /// Where it was read.
    pub place: Place,
}

//! All figures of a report: `report.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::figures::Figures;
use super::period::Period;

/// A period, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PeriodOf {
    /// What it is called.
    pub label: String,
    /// When it begins.
    pub since: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// In whose days and hours it is told.
    pub time_zone: String,
}

impl From<&Period> for PeriodOf {
    fn from(period: &Period) -> Self {
        Self {
            label: period.label.clone(),
            since: period.since(),
            until: period.until(),
            time_zone: period.zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }
}

/// What counts as what in a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Measures {
    /// Seconds that a transcript may take to come after a session's end.
    pub grace_s: i64,
    /// Seconds from which on a session is long.
    pub long_s: i64,
    /// Days that were looked back for a first access.
    pub lookback_days: i32,
    /// The calendar that business hours are taken from; null if the rules have none of that name.
    pub calendar: Option<String>,
    /// The roles that are kept for emergencies.
    pub break_glass_roles: Vec<String>,
}

/// The figures of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// Of when.
    pub period: PeriodOf,
    /// The time at which was looked: what is missing then.
    pub as_of: Timestamp,
    /// Had everything come by then that would?
    pub is_settled: bool,
    /// What counts as what.
    pub measures: Measures,
    /// What it was narrowed to; empty for everything.
    pub filters: BTreeMap<String, Vec<String>>,
    /// Do other names stand for the principals?
    pub redacted: bool,
    /// The sessions.
    pub sessions: Figures,
    /// The commands.
    pub commands: CommandFigures,
    /// The findings.
    pub findings: FindingFigures,
    /// Refused attempts, and changes.
    pub events: EventFigures,
    /// The alerts.
    pub alerts: AlertFigures,
    /// What is not known that should be, by what it is: the rows of `coverage.csv`.
    pub gaps: BTreeMap<String, u64>,
    /// What was verified of CloudTrail's own digests; null where nobody did.
    pub integrity: Option<IntegrityFigures>,
    /// The controls.
    pub controls: ControlFigures,
}

/// Commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CommandFigures {
    /// The rows of `commands.parquet`.
    pub total: u64,
    /// Of these, run as root, or with another user's rights.
    pub privileged: u64,
}

/// Findings.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FindingFigures {
    /// The rows of `findings.csv`.
    pub total: u64,
    /// By level.
    pub levels: BTreeMap<String, u64>,
    /// By what became of the alert.
    pub alert_states: BTreeMap<String, u64>,
    /// By rule, the gravest first.
    pub rules: Vec<RuleFigures>,
}

/// The findings of a rule.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuleFigures {
    /// Its id.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Its level.
    pub level: String,
    /// How many.
    pub findings: u64,
    /// In how many sessions.
    pub sessions: u64,
    /// Of these findings, by what became of the alert.
    pub alert_states: BTreeMap<String, u64>,
}

/// Events by category: the rows of `events.csv`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventFigures {
    /// Refused attempts.
    pub denied: u64,
    /// Changes to Session Manager's preferences and documents.
    pub preferences: u64,
    /// Changes to the audit trail.
    pub trail: u64,
}

/// Notifications: the rows of `alerts.csv`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AlertFigures {
    /// All.
    pub notifications: u64,
    /// By state.
    pub states: BTreeMap<String, u64>,
}

/// What was verified of CloudTrail's digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct IntegrityFigures {
    /// When.
    pub verified: Timestamp,
    /// From when.
    pub from: Timestamp,
    /// To when.
    pub to: Timestamp,
    /// Digest files that are what they were.
    pub digests_valid: u64,
    /// Log files that are what they were.
    pub log_files_valid: u64,
    /// Everything that is not as it should be.
    pub problems: u64,
}

/// Controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ControlFigures {
    /// With rows of evidence.
    pub with_evidence: u64,
    /// Without.
    pub without: u64,
}

/// A control, with what there is of it: rows of `controls.csv`.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// The standard.
    pub framework: String,
    /// The control, as the standard numbers it.
    pub control: String,
    /// What it is about.
    pub title: String,
    /// What an auditor asks.
    pub asks: String,
    /// What there is, by kind.
    pub evidence: Vec<Evidence>,
}

impl Control {
    /// Kinds of evidence that there are rows of.
    pub fn kinds(&self) -> u64 {
        self.evidence.iter().filter(|evidence| evidence.rows > 0).count() as u64
    }

    /// Rows of evidence, of all kinds: the same row may be evidence of several.
    pub fn rows(&self) -> u64 {
        self.evidence.iter().map(|evidence| evidence.rows).sum()
    }
}

/// Evidence of a kind.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// What it is.
    pub what: String,
    /// The file that it stands in.
    pub file: &'static str,
    /// Which rows.
    pub rows_where: String,
    /// How many.
    pub rows: u64,
}

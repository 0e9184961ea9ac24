//! The columns of a finding: the same in NDJSON and CSV, documented in `docs/findings.md`.

use model::{Evidence, Finding};
use serde::Serialize;

/// A finding as a row. A key is never left out: what is not known is null.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    /// Stable id, 32 hexadecimal digits.
    pub finding_id: &'a str,
    /// The rule's id.
    pub rule_id: &'a str,
    /// The rule's title.
    pub rule_title: &'a str,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: &'a str,
    /// The rule's tags.
    pub tags: &'a [String],
    /// When it happened, RFC 3339 in UTC; for a command the earliest time at which it can have run.
    pub time: Option<String>,
    /// The latest such time, where that is known.
    pub time_end: Option<String>,
    /// The session.
    pub session_id: Option<&'a str>,
    /// Who, as AWS authenticated them: the ARN where there is one.
    pub principal: Option<&'a str>,
    /// `userIdentity.type`.
    pub principal_type: Option<&'a str>,
    /// The role session name: chosen by the caller of `AssumeRole`, not authenticated.
    pub principal_claimed_name: Option<&'a str>,
    /// The account.
    pub account: Option<&'a str>,
    /// The region.
    pub region: Option<&'a str>,
    /// The node or container.
    pub target: Option<&'a str>,
    /// CloudTrail's `eventID`.
    pub event_id: Option<&'a str>,
    /// CloudTrail's `eventName`, or `command`.
    pub event_name: Option<&'a str>,
    /// The line that a person ran, for a finding about a command.
    pub command: Option<&'a str>,
    /// `sourceIPAddress`.
    pub source_ip: Option<&'a str>,
    /// `errorCode`: the call failed.
    pub error_code: Option<&'a str>,
    /// The values that made the rule match.
    pub evidence: &'a [Evidence],
    /// The object in which it was read.
    pub artifact: &'a str,
    /// Byte offset in the object, after decompression.
    pub artifact_offset: u64,
    /// How many matches a correlation is made of; 0 for a finding on one event.
    pub correlated_count: u64,
    /// Those matches: of many the first and the last.
    pub correlated: Vec<CorrelatedRow<'a>>,
}

/// A match that a correlation is made of.
#[derive(Debug, Serialize)]
pub struct CorrelatedRow<'a> {
    /// The id that a finding on this match alone has.
    pub finding_id: &'a str,
    /// The rule that matched.
    pub rule_id: &'a str,
    /// Its title.
    pub rule_title: &'a str,
    /// When.
    pub time: Option<String>,
    /// CloudTrail's `eventID`.
    pub event_id: Option<&'a str>,
    /// The object in which it was read.
    pub artifact: &'a str,
    /// Byte offset in the object, after decompression.
    pub artifact_offset: u64,
}

impl<'a> From<&'a Finding> for Row<'a> {
    fn from(finding: &'a Finding) -> Self {
        let principal = finding.principal.as_deref();
        Self {
            finding_id: &finding.id.0,
            rule_id: &finding.rule.id,
            rule_title: &finding.rule.title,
            level: finding.rule.level.as_str(),
            tags: &finding.rule.tags,
            time: finding.time.map(|time| time.to_string()),
            time_end: finding.time_end.map(|time| time.to_string()),
            session_id: finding.session.as_deref().map(|session| session.id.as_str()),
            principal: principal.and_then(model::Principal::label),
            principal_type: principal.map(|principal| principal.kind.as_str()),
            principal_claimed_name: principal.and_then(|p| p.claimed_name.as_deref()),
            account: finding.account.as_deref(),
            region: finding.region.as_deref(),
            target: finding.target.as_deref(),
            event_id: finding.event_id.as_deref(),
            event_name: finding.event_name.as_deref(),
            command: finding.command.as_deref(),
            source_ip: finding.source_ip.as_deref(),
            error_code: finding.error_code.as_deref(),
            evidence: &finding.evidence,
            artifact: &finding.place.artifact,
            artifact_offset: finding.place.offset,
            correlated_count: finding.correlated_count,
            correlated: finding
                .correlated
                .iter()
                .map(|part| CorrelatedRow {
                    finding_id: &part.id.0,
                    rule_id: &part.rule.id,
                    rule_title: &part.rule.title,
                    time: part.time.map(|time| time.to_string()),
                    event_id: part.event_id.as_deref(),
                    artifact: &part.place.artifact,
                    artifact_offset: part.place.offset,
                })
                .collect(),
        }
    }
}

//! What was read and what matched, as rows of facts.

use ingest::TranscriptHead;
use ingest::decode::Record;
use jiff::Timestamp;
use model::{Command, Finding, Place, Principal, Session, ShellFamily};
use report::store::{Activity, CommandRow, FindingRow, MatchRow, Transcript};
use report::write::Row;
use rules::RuleSet;

use crate::examine::Judged;

pub(super) fn activity(
    record: &Record,
    place: &Place,
    opened: Option<&Session>,
    written: String,
) -> Activity {
    let Record { principal, .. } = record;
    Activity {
        time: record.time,
        event_id: record.event_id.clone(),
        event_source: record.event_source.clone(),
        event_name: record.event_name.clone(),
        account: record.account.clone(),
        region: record.region.clone(),
        principal_type: Some(principal.kind.as_str().to_owned()),
        principal: principal.label().map(str::to_owned),
        principal_arn: principal.arn.clone(),
        principal_name: vouched_name(principal),
        principal_claimed_name: principal.claimed_name.clone(),
        issuer_arn: principal.issuer_arn.clone(),
        source_identity: principal.source_identity.clone(),
        access_key_id: principal.access_key_id.clone(),
        mfa: principal.mfa,
        source_ip: record.source_ip.clone(),
        user_agent: record.user_agent.clone(),
        error_code: record.error_code.clone(),
        session_id: record.session_id.as_ref().map(ToString::to_string),
        opens_session: Some(opened.is_some()),
        session_kind: opened.and_then(|session| session.kind).map(|kind| kind.as_str().to_owned()),
        target: record.target.clone(),
        document: record.document.clone(),
        reason: record.reason.clone(),
        artifact: place.artifact.to_string(),
        offset: place.offset,
        record: Some(written),
    }
}

/// The name that somebody vouches for: IAM for a user, Identity Center for its own.
fn vouched_name(principal: &Principal) -> Option<String> {
    let vouched = || principal.claimed_name.clone().filter(|_| principal.name_is_vouched());
    principal.user_name.clone().or_else(vouched)
}

pub(super) fn transcript(
    head: &TranscriptHead,
    stored: Option<Timestamp>,
    sha256: Option<&str>,
) -> Transcript {
    let observed: Vec<String> = head
        .observations
        .iter()
        .map(|(kind, count, _)| format!("{}={count}", kind.as_str()))
        .collect();
    Transcript {
        time: day_of(head, stored),
        session_id: head.session_id.as_ref().map(ToString::to_string),
        form: head.form.as_str().to_owned(),
        target: head.target.clone(),
        region: head.region.clone(),
        principal_arn: head.principal_arn.clone(),
        run_as: head.run_as.clone(),
        first_event: head.first_event,
        last_event: head.last_event,
        ended: head.ended,
        complete: head.complete,
        commands: head.commands,
        observations: (!observed.is_empty()).then(|| observed.join(", ")),
        stored,
        sha256: sha256.map(str::to_owned),
        artifact: head.place.artifact.to_string(),
        offset: head.place.offset,
        part: Some(head.part),
    }
}

/// When a transcript is from, as well as can be told without the session.
pub(super) fn day_of(head: &TranscriptHead, stored: Option<Timestamp>) -> Option<Timestamp> {
    head.first_event.or(head.ended).or(stored)
}

/// `command` has its secrets masked.
pub(super) fn command(head: &TranscriptHead, command: Command) -> CommandRow {
    CommandRow {
        time: command.time,
        time_end: command.time_end,
        session_id: head.session_id.as_ref().map(ToString::to_string),
        ordinal: u64::from(command.ordinal),
        text: command.text,
        original: command.original,
        shell: match command.shell {
            ShellFamily::Posix => "posix",
            ShellFamily::PowerShell => "powershell",
        }
        .to_owned(),
        status: command.status.as_str().to_owned(),
        confidence: command.confidence.as_str().to_owned(),
        confidence_reason: command.reason.to_owned(),
        user: command.user,
        host: command.host,
        cwd: command.cwd,
        level: command.level.map(u64::from),
        artifact: head.place.artifact.to_string(),
        offset: command.bytes.start,
        offset_end: command.bytes.end,
    }
}

/// What correlations need of a match.
pub(crate) fn matched(set: &RuleSet, judged: &Judged) -> MatchRow {
    let Finding { rule, principal, .. } = &judged.finding;
    let row = Row::from(&judged.finding);
    let names = set.captures(judged.rule);
    let captures: serde_json::Map<String, serde_json::Value> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.clone(), judged.captures.values(at).collect()))
        .collect();
    MatchRow {
        time: judged.finding.time,
        kind: judged.kind.to_owned(),
        rule_id: rule.id.clone(),
        rule_title: rule.title.clone(),
        level: rule.level.as_str().to_owned(),
        event: if judged.event == 0 {
            judged.finding.id.0.clone()
        } else {
            format!("{:032x}", judged.event)
        },
        finding_id: judged.finding.id.0.clone(),
        captures: (!names.is_empty()).then(|| serde_json::Value::Object(captures).to_string()),
        session_id: row.session_id.map(str::to_owned),
        principal: row.principal.map(str::to_owned),
        principal_type: row.principal_type.map(str::to_owned),
        principal_claimed_name: principal.as_ref().and_then(|p| p.claimed_name.clone()),
        account: row.account.map(str::to_owned),
        region: row.region.map(str::to_owned),
        target: row.target.map(str::to_owned),
        event_id: row.event_id.map(str::to_owned),
        event_name: row.event_name.map(str::to_owned),
        command: row.command.map(str::to_owned),
        source_ip: row.source_ip.map(str::to_owned),
        error_code: row.error_code.map(str::to_owned),
        artifact: row.artifact.to_owned(),
        offset: row.artifact_offset,
    }
}

pub(crate) fn finding(finding: &Finding) -> FindingRow {
    let row = Row::from(finding);
    let text = |value: Option<&str>| value.map(str::to_owned);
    FindingRow {
        time: finding.time,
        time_end: finding.time_end,
        finding_id: row.finding_id.to_owned(),
        rule_id: row.rule_id.to_owned(),
        rule_title: row.rule_title.to_owned(),
        level: row.level.to_owned(),
        tags: row.tags.to_vec(),
        session_id: text(row.session_id),
        principal: text(row.principal),
        principal_type: text(row.principal_type),
        principal_claimed_name: text(row.principal_claimed_name),
        account: text(row.account),
        region: text(row.region),
        target: text(row.target),
        event_id: text(row.event_id),
        event_name: text(row.event_name),
        command: text(row.command),
        source_ip: text(row.source_ip),
        error_code: text(row.error_code),
        evidence: json(&row.evidence),
        correlated: (!row.correlated.is_empty()).then(|| json(&row.correlated)),
        correlated_count: row.correlated_count,
        artifact: row.artifact.to_owned(),
        offset: row.artifact_offset,
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain rows are JSON")
}

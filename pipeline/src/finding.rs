//! A match, made into a finding.

use std::sync::Arc;

use ingest::decode::Record;
use ingest::{RawRecord, TranscriptHead};
use jiff::Timestamp;
use model::{Command, Evidence, Finding, FindingId, Place, RuleInfo, Session};
use report::mask::Masker;
use sha2::{Digest, Sha256};

/// The id of what `parts` name: the same parts, the same id, on every machine.
pub(crate) fn id(parts: &[&[u8]]) -> FindingId {
    let mut hash = Sha256::new();
    for part in parts {
        // The length in front keeps ("a", "bc") and ("ab", "c") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let number = digest.iter().take(16).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    FindingId(format!("{number:032x}"))
}

/// A finding about a CloudTrail record.
pub(crate) fn of_record(
    rule: &Arc<RuleInfo>,
    mut evidence: Vec<Evidence>,
    raw: &RawRecord<'_>,
    record: Option<&Record>,
    masker: Masker,
    artifact: &Arc<str>,
) -> Finding {
    masker.evidence(&mut evidence);
    let unread = Record::default();
    let record = record.unwrap_or(&unread);
    // A copy of a record has the same id; without one, the record itself has to do.
    let identity = record.event_id.as_deref().map_or(raw.bytes, str::as_bytes);
    let session = record
        .opened_session()
        .or_else(|| record.session_id.clone().map(Session::unknown))
        .map(Arc::new);
    Finding {
        id: id(&[
            rule.id.as_bytes(),
            b"cloudtrail",
            identity,
            record.account.as_deref().unwrap_or_default().as_bytes(),
        ]),
        rule: Arc::clone(rule),
        time: record.time,
        time_end: record.time,
        session,
        principal: record.principal.label().is_some().then(|| Arc::new(record.principal.clone())),
        account: record.account.clone(),
        region: record.region.clone(),
        target: record.target.clone(),
        event_id: record.event_id.clone(),
        event_name: record.event_name.clone(),
        command: None,
        source_ip: record.source_ip.clone(),
        error_code: record.error_code.clone(),
        evidence,
        place: Place::new(Arc::clone(artifact), raw.offset),
    }
}

/// A finding about a command.
pub(crate) fn of_command(
    rule: &Arc<RuleInfo>,
    mut evidence: Vec<Evidence>,
    head: &TranscriptHead,
    command: &Command,
    session: &Arc<Session>,
    time: Option<Timestamp>,
    masker: Masker,
) -> Finding {
    masker.evidence_of(&command.text, &mut evidence);
    // The id must neither tell a secret nor depend on whether it is shown.
    let masked = Masker::default().text(&command.text);
    let known = head.session_id.is_some();
    // One session may be there in two forms; its commands are the same.
    let transcript = if known { session.id.as_str() } else { &*head.place.artifact };
    let identity = [
        rule.id.as_bytes(),
        b"command",
        transcript.as_bytes(),
        &command.ordinal.to_le_bytes(),
        masked.as_bytes(),
    ];
    Finding {
        time_end: command.time_end.or(head.ended),
        command: Some(masker.text(&command.text).into_owned()),
        ..of_session(
            rule,
            id(&identity),
            evidence,
            head,
            session,
            time,
            ("command", command.bytes.start),
        )
    }
}

/// A finding about a transcript as a whole.
pub(crate) fn of_transcript(
    rule: &Arc<RuleInfo>,
    evidence: Vec<Evidence>,
    head: &TranscriptHead,
    session: &Arc<Session>,
    time: Option<Timestamp>,
) -> Finding {
    let known = head.session_id.is_some();
    let transcript = if known { session.id.as_str() } else { &*head.place.artifact };
    // Where the first of what made the rule match was seen.
    let observed = head.observations.iter().find(|(kind, ..)| {
        evidence.iter().any(|part| part.value.as_deref() == Some(kind.as_str()))
    });
    let first = observed.map(|(_, _, first)| *first);
    let id = id(&[rule.id.as_bytes(), b"transcript", transcript.as_bytes()]);
    let time = first.and_then(|first| first.time).or(time);
    let offset = first.map_or(head.place.offset, |first| first.bytes.start);
    Finding {
        time_end: head.last_event.or(head.ended),
        ..of_session(rule, id, evidence, head, session, time, ("transcript", offset))
    }
}

/// What a finding in a transcript has of its session; `what` it is about, and where.
fn of_session(
    rule: &Arc<RuleInfo>,
    id: FindingId,
    evidence: Vec<Evidence>,
    head: &TranscriptHead,
    session: &Arc<Session>,
    time: Option<Timestamp>,
    (what, offset): (&str, u64),
) -> Finding {
    Finding {
        id,
        rule: Arc::clone(rule),
        time,
        time_end: None,
        session: head.session_id.is_some().then(|| Arc::clone(session)),
        principal: session.principal.clone().map(Arc::new),
        account: session.account.clone(),
        region: session.region.clone(),
        target: session.target.clone(),
        event_id: None,
        event_name: Some(what.to_owned()),
        command: None,
        source_ip: None,
        error_code: None,
        evidence,
        place: Place::new(Arc::clone(&head.place.artifact), offset),
    }
}

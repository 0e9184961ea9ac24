//! A match, made into a finding.

mod kept;
mod record;

use std::sync::Arc;

use ingest::TranscriptHead;
use jiff::Timestamp;
use model::{
    Command, Correlated, EventKind, Evidence, Finding, FindingId, Place, RuleInfo, Session,
    SessionId,
};
use report::mask::Masker;
use report::view::SessionRow;
use rules::Fire;
use sha2::{Digest, Sha256};

pub(crate) use self::kept::Kept;
pub(crate) use self::record::OfRecord;

/// The id of what `parts` name: the same parts, the same id, on every machine.
pub(crate) fn id(parts: &[&[u8]]) -> FindingId {
    FindingId(format!("{:032x}", number(parts)))
}

/// The same as a number.
fn number(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        // The length in front keeps ("a", "bc") and ("ab", "c") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest.iter().take(16).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte))
}

/// What a session's transcript is known by: one session may be there in two forms. The commands of a part are counted
/// from its own beginning, so it is known by itself.
fn transcript_name<'a>(head: &'a TranscriptHead, session: &'a Session) -> &'a [u8] {
    if head.session_id.is_some() && !head.part {
        session.id.as_str().as_bytes()
    } else {
        head.place.artifact.as_bytes()
    }
}

/// The identity of a command, or of a program that it starts: these are events of their own. `program` counts
/// them from 1; 0 is the line.
pub(crate) fn command_id(
    head: &TranscriptHead,
    session: &Session,
    command: &Command,
    program: usize,
) -> u128 {
    let transcript = transcript_name(head, session);
    let ordinal = command.ordinal.to_le_bytes();
    number(&[b"command", transcript, &ordinal, &program.to_le_bytes()])
}

/// The identity of a transcript.
pub(crate) fn transcript_id(head: &TranscriptHead, session: &Session) -> u128 {
    number(&[b"transcript", transcript_name(head, session)])
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
    let identity = [
        rule.id.as_bytes(),
        b"command",
        transcript_name(head, session),
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
    // Where the first of what made the rule match was seen.
    let observed = head.observations.iter().find(|(kind, ..)| {
        evidence.iter().any(|part| part.value.as_deref() == Some(kind.as_str()))
    });
    let first = observed.map(|(_, _, first)| *first);
    let id = id(&[rule.id.as_bytes(), b"transcript", transcript_name(head, session)]);
    let time = first.and_then(|first| first.time).or(time);
    let offset = first.map_or(head.place.offset, |first| first.bytes.start);
    Finding {
        time_end: head.last_event.or(head.ended),
        ..of_session(rule, id, evidence, head, session, time, ("transcript", offset))
    }
}

/// What an event made of a session is called.
pub(crate) const fn word_of_view(kind: EventKind) -> &'static str {
    if matches!(kind, EventKind::Coverage) { "coverage" } else { "session" }
}

/// The identity of a session as an event.
pub(crate) fn view_id(kind: EventKind, session: &SessionId) -> u128 {
    number(&[word_of_view(kind).as_bytes(), session.as_str().as_bytes()])
}

/// A finding about a session, or about what is missing of it.
pub(crate) fn of_view(
    rule: &Arc<RuleInfo>,
    mut evidence: Vec<Evidence>,
    kind: EventKind,
    row: &SessionRow<'_>,
    session: &Arc<Session>,
    masker: Masker,
) -> Finding {
    masker.evidence(&mut evidence);
    let what = word_of_view(kind);
    Finding {
        id: id(&[rule.id.as_bytes(), what.as_bytes(), session.id.as_str().as_bytes()]),
        rule: Arc::clone(rule),
        time: row.start.or(row.end),
        time_end: row.end,
        session: Some(Arc::clone(session)),
        principal: session.principal.clone().map(Arc::new),
        account: session.account.clone(),
        region: session.region.clone(),
        target: session.target.clone(),
        event_id: session.event_id.clone(),
        event_name: Some(what.to_owned()),
        command: None,
        source_ip: row.source_ip.map(str::to_owned),
        error_code: None,
        evidence,
        place: Place::new(session.id.as_str(), 0),
        correlated: Vec::new(),
        correlated_count: 0,
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
        correlated: Vec::new(),
        correlated_count: 0,
    }
}

/// Most matches that a finding on a correlation lists.
const LISTED: usize = 20;

/// A finding on a correlation. What all its matches have in common is its own.
pub(crate) fn of_fire(fire: &Fire<'_, Kept>, masker: Masker) -> Finding {
    /// The value that all have.
    fn common<T: Clone + PartialEq>(
        hits: &[Arc<Finding>],
        of: impl Fn(&Finding) -> Option<T>,
    ) -> Option<T> {
        let first = of(hits.first()?)?;
        hits.iter().all(|hit| of(hit).as_ref() == Some(&first)).then_some(first)
    }
    let written = &fire.correlation.correlation;
    let hits: Vec<Arc<Finding>> = fire.hits.iter().map(Kept::finding).collect();
    let hits = hits.as_slice();
    let mut info = (*written.meta.info).clone();
    if !written.meta.has_level {
        let highest = hits.iter().map(|hit| hit.rule.level).max();
        info.level = highest.unwrap_or(info.level);
    }
    let group = fire.group.iter().map(|(field, value)| Evidence {
        field: (*field).to_owned(),
        value: Some(value.clone()),
        selection: "group-by".to_owned(),
    });
    let reached = Evidence {
        field: written.kind.as_str().to_owned(),
        value: Some(fire.count.to_string()),
        selection: "condition".to_owned(),
    };
    let mut evidence: Vec<Evidence> = group.chain([reached]).collect();
    masker.evidence(&mut evidence);
    let mut parts: Vec<Correlated> = Vec::new();
    let mut count = 0;
    for hit in hits {
        // Of a correlation in a correlation what happened is told, not that it was one.
        if hit.correlated.is_empty() {
            parts.push(part(hit));
            count += 1;
        } else {
            parts.extend(hit.correlated.iter().cloned());
            count += hit.correlated_count;
        }
    }
    parts.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    // Several programs of one line are one line.
    let before = parts.len();
    parts.dedup_by(|a, b| a.id == b.id);
    count -= (before - parts.len()) as u64;
    let number = parts.len();
    let ends = parts.into_iter().enumerate().filter(|(at, _)| {
        number <= LISTED || *at < LISTED.div_ceil(2) || number - at <= LISTED / 2
    });
    let correlated = ends.map(|(_, part)| part);
    Finding {
        id: id(&[info.id.as_bytes(), b"correlation", &fire.id.to_le_bytes()]),
        rule: Arc::new(info),
        time: Some(fire.from),
        time_end: Some(fire.to),
        session: common(hits, |hit| hit.session.as_ref().map(|session| session.id.clone()))
            .and_then(|_| hits.iter().find_map(|hit| hit.session.clone())),
        // The same person with another key is the same person.
        principal: common(hits, |hit| {
            let principal = hit.principal.as_ref()?;
            Some((principal.label()?.to_owned(), principal.kind.clone()))
        })
        .and_then(|_| hits.first()?.principal.clone()),
        account: common(hits, |hit| hit.account.clone()),
        region: common(hits, |hit| hit.region.clone()),
        target: common(hits, |hit| hit.target.clone()),
        event_id: None,
        event_name: common(hits, |hit| hit.event_name.clone()),
        command: None,
        source_ip: common(hits, |hit| hit.source_ip.clone()),
        error_code: common(hits, |hit| hit.error_code.clone()),
        evidence,
        place: hits.last().map_or_else(|| Place::new("", 0), |hit| hit.place.clone()),
        correlated: correlated.collect(),
        correlated_count: count,
    }
}

fn part(hit: &Finding) -> Correlated {
    let about = [&hit.command, &hit.target, &hit.event_name];
    Correlated {
        id: hit.id.clone(),
        rule: Arc::clone(&hit.rule),
        time: hit.time,
        event_id: hit.event_id.clone(),
        about: about.into_iter().flatten().next().cloned(),
        place: hit.place.clone(),
    }
}

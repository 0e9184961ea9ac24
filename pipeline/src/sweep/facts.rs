//! Rows of facts, as the nouns that they were.

use std::sync::Arc;

use ingest::{TranscriptForm, TranscriptHead};
use model::{
    ByteSpan, Command, CommandStatus, Confidence, Finding, FindingId, Observation, ObservationKind,
    Observations, Place, Principal, PrincipalType, RuleInfo, Session, SessionId, SessionKind,
    ShellFamily,
};
use report::store::{Activity, CommandRow, MatchRow, Transcript};

/// The session that a record opened.
pub(crate) fn session(row: &Activity) -> Option<Session> {
    if row.opens_session != Some(true) || row.error_code.is_some() {
        return None;
    }
    let id = SessionId::new(row.session_id.as_deref()?);
    let kind = row.session_kind.as_deref();
    Some(Session {
        id,
        principal: Some(principal(row)),
        target: row.target.clone(),
        account: row.account.clone(),
        region: row.region.clone(),
        document: row.document.clone(),
        kind: SessionKind::ALL.into_iter().find(|known| Some(known.as_str()) == kind),
        reason: row.reason.clone(),
        start: row.time,
        event_id: row.event_id.clone(),
    })
}

fn principal(row: &Activity) -> Principal {
    let kind = PrincipalType::from(row.principal_type.clone().unwrap_or_default());
    let is_user = matches!(kind, PrincipalType::IamUser | PrincipalType::FederatedUser);
    Principal {
        arn: row.principal_arn.clone(),
        // What identifies the caller where there is no ARN.
        principal_id: row.principal.clone().filter(|_| row.principal_arn.is_none()),
        user_name: row.principal_name.clone().filter(|_| is_user),
        issuer_arn: row.issuer_arn.clone(),
        claimed_name: row.principal_claimed_name.clone(),
        source_identity: row.source_identity.clone(),
        access_key_id: row.access_key_id.clone(),
        mfa: row.mfa,
        kind,
        ..Principal::default()
    }
}

pub(super) fn head(row: &Transcript) -> TranscriptHead {
    let form = TranscriptForm::ALL.into_iter().find(|form| form.as_str() == row.form);
    let place = Place::new(row.artifact.as_str(), row.offset);
    let mut observations = Observations::default();
    let observed = row.observations.as_deref().into_iter().flat_map(|text| text.split(", "));
    for (word, count) in observed.filter_map(|observed| observed.split_once('=')) {
        let kind = ObservationKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        if let (Some(kind), Ok(count)) = (kind, count.parse()) {
            let bytes = ByteSpan { start: row.offset, end: row.offset };
            observations.note(Observation { kind, ordinal: 0, count, time: None, bytes });
        }
    }
    TranscriptHead {
        session_id: row.session_id.as_deref().map(SessionId::new),
        target: row.target.clone(),
        region: row.region.clone(),
        principal_arn: row.principal_arn.clone(),
        run_as: row.run_as.clone(),
        ended: row.ended,
        first_event: row.first_event,
        last_event: row.last_event,
        complete: row.complete,
        observations,
        commands: row.commands,
        part: row.part == Some(true),
        ..TranscriptHead::new(place, form.unwrap_or(TranscriptForm::Raw))
    }
}

pub(super) fn command(row: CommandRow) -> Command {
    let status = [
        CommandStatus::Executed,
        CommandStatus::Aborted,
        CommandStatus::Repl,
        CommandStatus::Hidden,
        CommandStatus::Unfinished,
    ];
    let confidence = [Confidence::Guess, Confidence::Likely, Confidence::Certain];
    Command {
        ordinal: u32::try_from(row.ordinal).unwrap_or(u32::MAX),
        status: status
            .into_iter()
            .find(|status| status.as_str() == row.status)
            .unwrap_or(CommandStatus::Executed),
        confidence: confidence
            .into_iter()
            .find(|confidence| confidence.as_str() == row.confidence)
            .unwrap_or(Confidence::Guess),
        shell: if row.shell == "powershell" { ShellFamily::PowerShell } else { ShellFamily::Posix },
        reason: "as it was stored",
        text: row.text,
        original: row.original,
        user: row.user,
        host: row.host,
        cwd: row.cwd,
        level: row.level.and_then(|level| u32::try_from(level).ok()),
        time: row.time,
        time_end: row.time_end,
        bytes: ByteSpan { start: row.offset, end: row.offset_end },
    }
}

/// A match, as far as correlations tell of it. `rule` is the rule as it is now.
pub(super) fn finding(
    row: MatchRow,
    rule: &Arc<RuleInfo>,
    session: Option<&Arc<Session>>,
) -> Finding {
    let principal = row.principal.map(|label| Principal {
        kind: PrincipalType::from(row.principal_type.unwrap_or_default()),
        arn: Some(label),
        claimed_name: row.principal_claimed_name,
        ..Principal::default()
    });
    let own = || row.session_id.as_deref().map(|id| Arc::new(Session::unknown(SessionId::new(id))));
    Finding {
        id: FindingId(row.finding_id),
        rule: Arc::clone(rule),
        time: row.time,
        time_end: row.time,
        principal: principal.map(Arc::new).or_else(|| {
            // A command's caller is that of its session.
            session.and_then(|session| session.principal.clone()).map(Arc::new)
        }),
        account: row.account.or_else(|| session?.account.clone()),
        region: row.region.or_else(|| session?.region.clone()),
        target: row.target.or_else(|| session?.target.clone()),
        session: session.cloned().or_else(own),
        event_id: row.event_id,
        event_name: row.event_name,
        command: row.command,
        source_ip: row.source_ip,
        error_code: row.error_code,
        evidence: Vec::new(),
        place: Place::new(row.artifact, row.offset),
        correlated: Vec::new(),
        correlated_count: 0,
    }
}

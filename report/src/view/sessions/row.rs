//! What is told of a session.

use jiff::{SignedDuration, Timestamp};
use model::Level;
use serde::Serialize;

use super::{Draft, Sessions};
use crate::view::coverage::{self, Coverage, Grace};

impl SessionRow<'_> {
    /// The fields in their order.
    pub const COLUMNS: [&'static str; 23] = [
        "session_id",
        "principal_arn",
        "principal_type",
        "principal_name",
        "account",
        "region",
        "target",
        "kind",
        "document",
        "reason",
        "mfa",
        "source_ip",
        "user_agent",
        "run_as",
        "start",
        "end",
        "end_source",
        "duration_s",
        "commands",
        "findings",
        "highest_level",
        "coverage",
        "coverage_reason",
    ];
}

/// A session. Texts are null where nobody tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionRow<'s> {
    /// The id, opaque.
    pub session_id: &'s str,
    /// The caller's ARN, from CloudTrail or from the service's log stream; never from the id.
    pub principal_arn: Option<&'s str>,
    /// `userIdentity.type`.
    pub principal_type: Option<&'s str>,
    /// The user's name where somebody vouches for it, else the role session name, which the caller chose.
    pub principal_name: Option<&'s str>,
    /// The account that it was opened in.
    pub account: Option<&'s str>,
    /// The region.
    pub region: Option<&'s str>,
    /// The node or container.
    pub target: Option<&'s str>,
    /// What it gave access to; null for a custom document.
    pub kind: Option<&'s str>,
    /// The session document, where the call named one.
    pub document: Option<&'s str>,
    /// The reason that the caller gave.
    pub reason: Option<&'s str>,
    /// `mfaAuthenticated`.
    pub mfa: Option<bool>,
    /// `sourceIPAddress`.
    pub source_ip: Option<&'s str>,
    /// `userAgent`.
    pub user_agent: Option<&'s str>,
    /// The operating system user that the shell was started as.
    pub run_as: Option<&'s str>,
    /// When it was opened; without a record of that, the first log event.
    pub start: Option<Timestamp>,
    /// When it was over.
    pub end: Option<Timestamp>,
    /// Who tells the end: `terminated` (CloudTrail), `transcript` (its header), `last-event` (of the log stream).
    pub end_source: Option<&'static str>,
    /// Seconds from start to end.
    pub duration_s: Option<f64>,
    /// Commands in its transcript.
    pub commands: u64,
    /// Findings that belong to it.
    pub findings: u64,
    /// The gravest of them.
    pub highest_level: Option<&'static str>,
    /// Is it recorded?
    pub coverage: Coverage,
    /// Why not, where it is not.
    pub coverage_reason: String,
}

impl Sessions {
    /// The row of a session as it is at `now`.
    pub(super) fn row<'s>(
        &'s self,
        id: &'s str,
        draft: &Draft,
        now: Timestamp,
        grace: Grace,
    ) -> SessionRow<'s> {
        let text = |symbol| self.symbols.text(symbol);
        let [principal_arn, account, region, target] = self.who_of(draft);
        let time = |micros: Option<i64>| micros.and_then(|m| Timestamp::from_microsecond(m).ok());
        let start = time(draft.start.or(draft.first_event));
        let (end, end_source) = [
            (draft.terminated, "terminated"),
            (draft.ended, "transcript"),
            (draft.last_event, "last-event"),
        ]
        .into_iter()
        .find_map(|(end, source)| Some((time(Some(end?)), Some(source))))
        .unwrap_or_default();
        let known = coverage::Known {
            is_opened: draft.is_opened,
            kind: text(draft.kind),
            document: text(draft.document),
            start,
            end,
            has_transcript: draft.transcripts > 0,
            is_cut: draft.transcripts > 0 && draft.cut == draft.transcripts,
            hidden: match (draft.whole, draft.transcripts - draft.whole) {
                (0, _) => text(draft.hidden_in_parts),
                (_, 0) => text(draft.hidden),
                // What one form hides another may show.
                _ => text(draft.hidden).zip(text(draft.hidden_in_parts)).map(|(a, b)| a.min(b)),
            },
        };
        let (coverage, coverage_reason) = match draft.told {
            Some((coverage, reason)) => (coverage, text(reason).unwrap_or_default().to_owned()),
            None => coverage::of(known, now, grace),
        };
        SessionRow {
            session_id: id,
            principal_arn,
            principal_type: text(draft.principal_type),
            principal_name: text(draft.principal_name.or(draft.principal_claimed_name)),
            account,
            region,
            target,
            kind: text(draft.kind),
            document: text(draft.document),
            reason: text(draft.reason),
            mfa: draft.mfa,
            source_ip: text(draft.source_ip),
            user_agent: text(draft.user_agent),
            run_as: text(draft.run_as),
            start,
            end,
            end_source,
            duration_s: start.zip(end).map(|(start, end)| {
                end.duration_since(start).max(SignedDuration::ZERO).as_secs_f64()
            }),
            commands: draft.commands.max(draft.in_parts),
            findings: draft.findings,
            highest_level: draft.highest.map(Level::as_str),
            coverage,
            coverage_reason,
        }
    }
}

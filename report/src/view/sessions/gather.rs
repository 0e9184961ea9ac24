//! Rows of activity, transcripts and findings → what is known of each session.

use foldhash::{HashSet, HashSetExt as _};
use jiff::civil::Date;

use super::{Best, Coverage, Draft, Drafts, Sessions};
use crate::store::{Activity, FindingRow, Store, StoreError, Transcript};
use crate::view::symbols::{Column, Flags, Numbers, Symbol, Symbols, Texts};

const ACTIVITY: [&str; 20] = [
    "time",
    "event_id",
    "event_name",
    "event_source",
    "account",
    "region",
    "principal",
    "principal_type",
    "principal_name",
    "principal_claimed_name",
    "mfa",
    "source_ip",
    "user_agent",
    "error_code",
    "session_id",
    "opens_session",
    "session_kind",
    "target",
    "document",
    "reason",
];
const TRANSCRIPTS: [&str; 15] = [
    "session_id",
    "time",
    "target",
    "region",
    "principal_arn",
    "run_as",
    "first_event",
    "last_event",
    "ended",
    "complete",
    "commands",
    "observations",
    "part",
    "artifact",
    "offset",
];
const FINDINGS: [&str; 3] = ["finding_id", "session_id", "level"];

impl Sessions {
    /// Takes rows of this view that another engine has computed.
    pub(in crate::view) fn take(&mut self, batch: &arrow_array::RecordBatch) {
        let texts = |name| Texts::of(batch, name);
        let ids = texts("session_id");
        let (starts, ends) = (Numbers::of(batch, "start"), Numbers::of(batch, "end"));
        let (commands, findings) = (Numbers::of(batch, "commands"), Numbers::of(batch, "findings"));
        let (sources, levels) = (texts("end_source"), texts("highest_level"));
        let (coverage, mfa) = (texts("coverage"), Flags::of(batch, "mfa"));
        let mut columns = [
            "principal_arn",
            "principal_type",
            "principal_name",
            "account",
            "region",
            "target",
            "kind",
            "document",
            "reason",
            "source_ip",
            "user_agent",
            "run_as",
            "coverage_reason",
        ]
        .map(|name| Column::of(batch, name));
        let count = |count: Option<i64>| count.and_then(|c| u64::try_from(c).ok()).unwrap_or(0);
        for at in 0..batch.num_rows() {
            let Some(id) = ids.get(at) else { continue };
            let Self { symbols, drafts, .. } = self;
            let values = std::array::from_fn::<_, 13, _>(|i| columns[i].symbol(at, symbols));
            let [
                principal,
                kind_of,
                name,
                account,
                region,
                target,
                kind,
                document,
                reason,
                ip,
                agent,
                run_as,
                why,
            ] = values;
            let state = coverage.get(at).unwrap_or_default();
            let state = Coverage::ALL.into_iter().find(|known| known.as_str() == state);
            let (source, end) = (sources.get(at), ends.get(at));
            let of = |wanted| end.filter(|_| source == Some(wanted));
            let draft = drafts.of(id);
            *draft = Draft {
                is_opened: true,
                principal,
                principal_type: kind_of,
                principal_name: name,
                account,
                region,
                target,
                kind,
                document,
                reason,
                source_ip: ip,
                user_agent: agent,
                run_as,
                mfa: mfa.get(at),
                start: starts.get(at),
                terminated: of("terminated"),
                ended: of("transcript"),
                last_event: of("last-event"),
                commands: count(commands.get(at)),
                findings: count(findings.get(at)),
                highest: levels.get(at).and_then(|level| level.parse().ok()),
                told: Some((state.unwrap_or(Coverage::Missing), why)),
                ..std::mem::take(draft)
            };
        }
    }

    pub(super) fn read_as(
        store: &Store,
        (since, until): (Option<Date>, Option<Date>),
        wants_artifacts: bool,
    ) -> Result<Self, StoreError> {
        let mut this = Self {
            symbols: Symbols::new(),
            drafts: Drafts::default(),
            parts: HashSet::new(),
            wants_artifacts,
        };
        let files = store.files::<Activity>(since, until)?;
        store.fold(&files, &ACTIVITY, &["session_id", "event_id"], |batch| this.activity(batch))?;
        let files = store.files::<Transcript>(since, until)?;
        let columns = if wants_artifacts { &TRANSCRIPTS[..] } else { &TRANSCRIPTS[..13] };
        let plain = ["session_id", "artifact"];
        store.fold(&files, columns, &plain, |batch| this.transcripts(batch))?;
        this.opened_elsewhere(store, since, until)?;
        let mut told = HashSet::new();
        let files = store.files::<FindingRow>(since, until)?;
        store.fold(&files, &FINDINGS, &["session_id", "finding_id"], |batch| {
            this.findings(batch, &mut told);
        })?;
        Ok(this)
    }

    /// Sessions of which only a transcript was read may have been opened on other days: then they belong there, and nobody failed to
    /// record them.
    fn opened_elsewhere(
        &mut self,
        store: &Store,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<(), StoreError> {
        let is_alone = |draft: &Draft| !draft.is_opened && draft.transcripts > 0;
        if (since.is_none() && until.is_none()) || !self.drafts.all.iter().any(is_alone) {
            return Ok(());
        }
        let near: HashSet<String> =
            store.files::<Activity>(since, until)?.into_iter().map(|file| file.path).collect();
        // Of days that had not begun nothing is known.
        let mut files = store.files::<Activity>(None, until)?;
        files.retain(|file| !near.contains(&file.path));
        let columns = ["session_id", "opens_session", "error_code"];
        store.fold(&files, &columns, &["session_id"], |batch| {
            let ids = Texts::of(batch, "session_id");
            let (opens, errors) =
                (Flags::of(batch, "opens_session"), Texts::of(batch, "error_code"));
            for at in 0..batch.num_rows() {
                let is_opening = opens.get(at) == Some(true) && errors.get(at).is_none();
                if let Some(id) = ids.get(at).filter(|_| is_opening)
                    && let Some(draft) = self.drafts.known(id)
                    && is_alone(draft)
                {
                    draft.is_elsewhere = true;
                }
            }
        })
    }

    fn activity(&mut self, batch: &arrow_array::RecordBatch) {
        let texts = |name| Texts::of(batch, name);
        let (ids, opens) = (texts("session_id"), Flags::of(batch, "opens_session"));
        let (times, errors) = (Numbers::of(batch, "time"), texts("error_code"));
        let (names, sources) = (texts("event_name"), texts("event_source"));
        let mfa = Flags::of(batch, "mfa");
        let events = texts("event_id");
        let mut columns = [
            "principal",
            "principal_type",
            "principal_name",
            "principal_claimed_name",
            "account",
            "region",
            "target",
            "session_kind",
            "document",
            "reason",
            "source_ip",
            "user_agent",
        ]
        .map(|name| Column::of(batch, name));
        for at in 0..batch.num_rows() {
            let Some(id) = ids.get(at) else { continue };
            if errors.get(at).is_some() {
                continue;
            }
            if opens.get(at) == Some(true) {
                let Self { symbols, drafts, .. } = self;
                let target = columns[6].texts.get(at).filter(|target| target.starts_with("ecs:"));
                let container = symbols.of(target);
                let time = times.get(at);
                let event = events.get(at).map_or(u64::MAX, beginning);
                let draft = drafts.of(id);
                draft.container = symbols.least(draft.container, container);
                // A copy changes nothing; of two that claim the same id the first counts.
                let rank = |time: Option<i64>, event| (time.unwrap_or(i64::MAX), event);
                if draft.is_opened && rank(draft.start, draft.opened_by) <= rank(time, event) {
                    continue;
                }
                let values = std::array::from_fn::<_, 12, _>(|i| columns[i].symbol(at, symbols));
                let [
                    principal,
                    kind_of,
                    name,
                    claimed,
                    account,
                    region,
                    target,
                    kind,
                    document,
                    reason,
                    ip,
                    agent,
                ] = values;
                *draft = Draft {
                    is_opened: true,
                    opened_by: event,
                    principal,
                    principal_type: kind_of,
                    principal_name: name,
                    principal_claimed_name: claimed,
                    account,
                    region,
                    target,
                    kind,
                    document,
                    reason,
                    source_ip: ip,
                    user_agent: agent,
                    mfa: mfa.get(at),
                    start: time,
                    ..std::mem::take(draft)
                };
            } else if names.get(at) == Some("TerminateSession")
                && sources.get(at) == Some("ssm.amazonaws.com")
            {
                let draft = self.drafts.of(id);
                draft.terminated = earlier(draft.terminated, times.get(at));
            }
        }
    }

    fn transcripts(&mut self, batch: &arrow_array::RecordBatch) {
        let texts = |name| Texts::of(batch, name);
        let numbers = |name| Numbers::of(batch, name);
        let (ids, complete) = (texts("session_id"), Flags::of(batch, "complete"));
        let (first, last, ended) =
            (numbers("first_event"), numbers("last_event"), numbers("ended"));
        let (commands, observations) = (numbers("commands"), texts("observations"));
        let (parts, times) = (Flags::of(batch, "part"), numbers("time"));
        let (artifacts, offsets) = (texts("artifact"), numbers("offset"));
        let mut columns =
            ["target", "region", "principal_arn", "run_as"].map(|name| Column::of(batch, name));
        for at in 0..batch.num_rows() {
            let Some(id) = ids.get(at) else { continue };
            let Self { symbols, drafts, parts: of_streams, wants_artifacts } = self;
            let [target, region, principal, run_as] =
                std::array::from_fn::<_, 4, _>(|i| columns[i].symbol(at, symbols));
            let hidden = observations.get(at).and_then(hidden);
            let hidden = symbols.of(hidden.as_deref());
            let artifact = artifacts.get(at).filter(|_| *wants_artifacts);
            let is_part = parts.get(at) == Some(true);
            if let Some(artifact) = artifact.filter(|_| is_part) {
                of_streams.insert(drafts.key(artifact));
            }
            let draft = drafts.of(id);
            draft.stream_target = symbols.least(draft.stream_target, target);
            draft.stream_region = symbols.least(draft.stream_region, region);
            draft.stream_principal = symbols.least(draft.stream_principal, principal);
            draft.run_as = symbols.least(draft.run_as, run_as);
            draft.first_event = earlier(draft.first_event, first.get(at));
            draft.last_event = draft.last_event.max(last.get(at));
            draft.ended = draft.ended.max(ended.get(at));
            draft.seen = earlier(draft.seen, times.get(at));
            let count = commands.get(at).and_then(|count| u64::try_from(count).ok());
            let count = count.unwrap_or_default();
            draft.transcripts += 1;
            draft.cut += u32::from(complete.get(at) == Some(false));
            // Forms show the same commands; parts of a stream show each their own, and are a form together.
            if is_part {
                draft.in_parts += count;
                draft.hidden_in_parts = symbols.least(draft.hidden_in_parts, hidden);
                continue;
            }
            draft.commands = draft.commands.max(count);
            if let Some(artifact) = artifact {
                let fewer = std::cmp::Reverse(count);
                let offset = offsets.get(at).unwrap_or_default();
                draft.is_told_again |=
                    draft.best.as_ref().is_some_and(|best| *best.artifact == *artifact);
                let is_better = draft.best.as_ref().is_none_or(|best| {
                    (fewer, artifact, offset) < (best.fewer, &*best.artifact, best.offset)
                });
                if is_better {
                    draft.best = Some(Box::new(Best { fewer, artifact: artifact.into(), offset }));
                }
            }
            // What one form hides another may show.
            draft.hidden = match draft.whole {
                0 => hidden,
                _ if hidden.is_none() || draft.hidden.is_none() => Symbol::default(),
                _ => symbols.least(draft.hidden, hidden),
            };
            draft.whole += 1;
        }
    }

    fn findings(&mut self, batch: &arrow_array::RecordBatch, told: &mut HashSet<u128>) {
        let texts = |name| Texts::of(batch, name);
        let (ids, sessions, levels) = (texts("finding_id"), texts("session_id"), texts("level"));
        for at in 0..batch.num_rows() {
            let Some(session) = sessions.get(at) else { continue };
            let id = ids.get(at).and_then(|id| u128::from_str_radix(id, 16).ok());
            if !told.insert(id.unwrap_or_default()) {
                continue;
            }
            // A finding opens no session.
            if let Some(draft) = self.drafts.known(session) {
                draft.findings += 1;
                let level = levels.get(at).and_then(|level| level.parse().ok());
                draft.highest = draft.highest.max(level);
            }
        }
    }
}

/// The first eight bytes, so that they compare as the text does.
fn beginning(text: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = text.len().min(8);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}

fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What in a transcript means that something is not in it. What was only hidden from whoever watched is: its bytes were
/// recorded.
fn hidden(observations: &str) -> Option<String> {
    const HIDING: [&str; 3] = ["swallowed_text", "echo_off", "lost_command_characters"];
    let seen = |kind: &&str| {
        let mut kinds = observations.split(", ").filter_map(|seen| seen.split_once('='));
        kinds.any(|(seen, _)| seen == *kind)
    };
    let found: Vec<&str> = HIDING.into_iter().filter(|kind| seen(kind)).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

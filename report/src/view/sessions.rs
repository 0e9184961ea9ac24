//! One row for each session: activity and transcripts, joined by the session's id alone.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use foldhash::{HashMap, HashSet, HashSetExt as _};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use model::Level;
use serde::Serialize;

use super::coverage::{self, Coverage, Grace, Tally};
use super::symbols::{Column, Flags, Numbers, Symbol, Symbols, Texts};
use crate::store::{Activity, FindingRow, Store, StoreError, Transcript};

/// Which sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// Begun then or later.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
}

/// A transcript may be stored so many days after its session began, and still be known to be of it: what tells of the session's begin
/// has to be read as well.
const BEFORE: i32 = 7;
/// A session's transcript comes at its end, and a session may last long.
const AFTER: i32 = 3;
/// The same, where it is known when is looked: what came later is not read.
const LATE: i32 = 31;

impl Range {
    /// From the first of these days to the last.
    pub fn of_days(first: Option<Date>, last: Option<Date>) -> Self {
        let begin =
            |day: Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
        let behind = |day: Date| day.tomorrow().ok().and_then(begin);
        Self { since: first.and_then(begin), until: last.and_then(behind) }
    }

    /// The days in which facts of these sessions can lie that were there at `as_of`: of a day that had not begun nothing was.
    pub fn days_as_of(&self, as_of: Timestamp) -> (Option<Date>, Option<Date>) {
        let (since, _) = self.days();
        let until = crate::store::day(self.until);
        let until = until.map(|day| day.checked_add(LATE.days()).unwrap_or(day));
        let last = as_of.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(as_of);
        (since, until.min(crate::store::day(Some(last))).or(until))
    }

    /// The days in which facts of these sessions can lie.
    pub fn days(&self) -> (Option<Date>, Option<Date>) {
        let since = crate::store::day(self.since);
        let until = crate::store::day(self.until);
        let shift = |day: Date, days: i32| day.checked_add(days.days()).unwrap_or(day);
        (since.map(|day| shift(day, -BEFORE)), until.map(|day| shift(day, AFTER)))
    }

    fn holds(&self, time: Option<Timestamp>) -> bool {
        let Some(time) = time else { return true };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// What has been gathered of a session. Times are microseconds.
#[derive(Clone, Debug, Default)]
struct Draft {
    id: Box<str>,
    is_opened: bool,
    /// The beginning of the event's id that opened it: with the time it decides if there are several.
    opened_by: u64,
    principal: Symbol,
    principal_type: Symbol,
    principal_name: Symbol,
    principal_claimed_name: Symbol,
    account: Symbol,
    region: Symbol,
    target: Symbol,
    /// The name that Session Manager has for a container: of a session opened through ECS there are two records.
    container: Symbol,
    kind: Symbol,
    document: Symbol,
    reason: Symbol,
    source_ip: Symbol,
    user_agent: Symbol,
    run_as: Symbol,
    mfa: Option<bool>,
    start: Option<i64>,
    terminated: Option<i64>,
    transcripts: u32,
    /// Of these, without an end that should be there.
    cut: u32,
    stream_principal: Symbol,
    stream_target: Symbol,
    stream_region: Symbol,
    first_event: Option<i64>,
    last_event: Option<i64>,
    ended: Option<i64>,
    /// When a transcript of it was first seen: the day that it is told in if nothing else tells of a time.
    seen: Option<i64>,
    /// Is there an artifact that was read in two versions?
    is_told_again: bool,
    /// Was it opened on a day that was not read?
    is_elsewhere: bool,
    commands: u64,
    /// Of the transcripts, those that are not parts of a stream.
    whole: u32,
    /// Commands in the parts of its stream.
    in_parts: u64,
    hidden: Symbol,
    hidden_in_parts: Symbol,
    /// The whole transcript that shows most, where that was asked for.
    best: Option<Box<Best>>,
    findings: u64,
    highest: Option<Level>,
    /// Its coverage and the reason, where somebody else has told.
    told: Option<(Coverage, Symbol)>,
}

/// A transcript, by what decides which of several is taken: most commands, then the least name and place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Best {
    fewer: std::cmp::Reverse<u64>,
    artifact: Box<str>,
    offset: i64,
}

impl Draft {
    fn seen(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.seen?).ok()
    }
}

/// All sessions of a store.
#[derive(Debug)]
pub struct Sessions {
    symbols: Symbols,
    drafts: Drafts,
    /// Artifacts that are parts of streams, by a hash; kept where it was asked which commands are whose.
    parts: HashSet<u128>,
    wants_artifacts: bool,
}

/// A session, by its number in [`Sessions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(u32);

impl SessionNumber {
    /// As an index, below [`Sessions::count`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Sessions by a hash of their id. It is as wide as two, with seeds that nobody outside knows: two ids that have the same are
/// not to be met, and none has to be fetched from memory to be compared.
#[derive(Debug, Default)]
struct Drafts {
    seeds: [RandomState; 2],
    by: HashMap<u128, usize>,
    all: Vec<Draft>,
}

impl Drafts {
    fn key(&self, id: &str) -> u128 {
        let [high, low] = [0, 1].map(|at| u128::from(self.seeds[at].hash_one(id)));
        high << 64 | low
    }

    fn of(&mut self, id: &str) -> &mut Draft {
        let key = self.key(id);
        let at = *self.by.entry(key).or_insert_with(|| {
            self.all.push(Draft { id: id.into(), ..Draft::default() });
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    fn known(&mut self, id: &str) -> Option<&mut Draft> {
        let key = self.key(id);
        self.all.get_mut(*self.by.get(&key)?)
    }
}

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
    /// Reads them.
    pub fn read(store: &Store, range: Range) -> Result<Self, StoreError> {
        Self::read_as(store, range.days(), false)
    }

    /// None yet.
    pub(super) fn empty() -> Self {
        Self {
            symbols: Symbols::new(),
            drafts: Drafts::default(),
            parts: HashSet::new(),
            wants_artifacts: false,
        }
    }

    /// Takes rows of this view that another engine has computed.
    pub(super) fn take(&mut self, batch: &arrow_array::RecordBatch) {
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

    /// Reads what was there at `as_of`, and remembers in which transcript each shows most: [`Sessions::shows`] can be asked then.
    pub fn read_with_transcripts(
        store: &Store,
        range: Range,
        as_of: Timestamp,
    ) -> Result<Self, StoreError> {
        Self::read_as(store, range.days_as_of(as_of), true)
    }

    fn read_as(
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

    /// Calls `each` for the sessions as they are at `now`, in no order.
    pub fn each<'s>(
        &'s self,
        range: Range,
        now: Timestamp,
        grace: Grace,
        mut each: impl FnMut(SessionRow<'s>),
    ) {
        for draft in &self.drafts.all {
            // Only ended, or only found: its start lies before the days that were read.
            if draft.is_elsewhere || (!draft.is_opened && draft.transcripts == 0) {
                continue;
            }
            let row = self.row(&draft.id, draft, now, grace);
            if range.holds(row.start.or(row.end).or(draft.seen())) {
                each(row);
            }
        }
    }

    /// How many there are, those of other days among them.
    pub fn count(&self) -> usize {
        self.drafts.all.len()
    }

    /// The sessions of a range that `holds` wants, in order of their start.
    pub fn ordered(
        &self,
        range: Range,
        now: Timestamp,
        grace: Grace,
        mut holds: impl FnMut(&SessionRow<'_>) -> bool,
    ) -> Vec<SessionNumber> {
        let mut numbers: Vec<(Option<Timestamp>, u32)> = Vec::new();
        for (at, draft) in self.drafts.all.iter().enumerate() {
            if draft.is_elsewhere || (!draft.is_opened && draft.transcripts == 0) {
                continue;
            }
            let row = self.row(&draft.id, draft, now, grace);
            if range.holds(row.start.or(row.end).or(draft.seen())) && holds(&row) {
                numbers.push((row.start, u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
        let id = |at: u32| &*self.drafts.all[at as usize].id;
        numbers.sort_unstable_by(|a, b| (a.0, id(a.1)).cmp(&(b.0, id(b.1))));
        numbers.into_iter().map(|(_, at)| SessionNumber(at)).collect()
    }

    /// A session as it is at `now`.
    pub fn at(&self, number: SessionNumber, now: Timestamp, grace: Grace) -> SessionRow<'_> {
        let draft = &self.drafts.all[number.index()];
        self.row(&draft.id, draft, now, grace)
    }

    /// The session of this id.
    pub fn find(&self, id: &str) -> Option<SessionNumber> {
        let at = *self.drafts.by.get(&self.drafts.key(id))?;
        u32::try_from(at).ok().map(SessionNumber)
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.drafts.all.iter().map(|draft| &*draft.id)
    }

    /// Takes names out of all texts. Sessions are found by their ids as before.
    pub fn redact(&mut self, redactor: &crate::redact::Redactor) {
        self.symbols.redact(redactor);
        for draft in &mut self.drafts.all {
            if let Some(changed) = redactor.changed(&draft.id) {
                draft.id = changed.into();
            }
        }
    }

    /// Principal, account, region and target of a session.
    pub fn who(&self, number: SessionNumber) -> [Option<&str>; 4] {
        self.who_of(&self.drafts.all[number.index()])
    }

    fn who_of(&self, draft: &Draft) -> [Option<&str>; 4] {
        let text = |symbol| self.symbols.text(symbol);
        [
            text(draft.principal.or(draft.stream_principal)),
            text(draft.account),
            text(draft.region.or(draft.stream_region)),
            text(draft.container.or(draft.target).or(draft.stream_target)),
        ]
    }

    /// Was an artifact of it read in two versions, so that the same command may be there twice?
    pub fn is_told_again(&self, number: SessionNumber) -> bool {
        let draft = &self.drafts.all[number.index()];
        draft.is_told_again || draft.whole < draft.transcripts
    }

    /// Are the commands of this artifact those that are told of the session? Of several transcripts of one session each shows
    /// the same commands: the one that shows most is taken, or the parts of a stream together if they show more.
    pub fn shows(&self, number: SessionNumber, artifact: &str) -> bool {
        let draft = &self.drafts.all[number.index()];
        match &draft.best {
            Some(best) if best.fewer.0 >= draft.in_parts => *best.artifact == *artifact,
            _ => self.parts.contains(&self.drafts.key(artifact)),
        }
    }

    /// The sessions as they are at `now`, in order of their start.
    pub fn rows(&self, range: Range, now: Timestamp, grace: Grace) -> Vec<SessionRow<'_>> {
        let mut rows = Vec::new();
        self.each(range, now, grace, |row| rows.push(row));
        rows.sort_by(|a, b| (a.start, a.session_id).cmp(&(b.start, b.session_id)));
        rows
    }

    fn row<'s>(
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

    /// How many there are of each state.
    pub fn tally(rows: &[SessionRow<'_>]) -> Tally {
        let mut tally = Tally::default();
        for row in rows {
            tally.note(row.coverage);
        }
        tally
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

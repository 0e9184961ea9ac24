//! `sweep`: what the facts come to together.
//!
//! ```text
//! activity ──▶ who opened which session
//! transcripts, commands + their sessions ──▶ rules that ask about the session
//! sessions view ──▶ rules on sessions; gaps ──▶ rules on coverage
//! matches, those too ──▶ correlations, in the events' time
//! ──▶ findings that the store does not have yet
//! ```
//!
//! The same facts and the same `now` give the same findings with the same ids, in whatever order the facts came. To
//! sweep twice, or in two processes at once, is to write the same under the same name. A record that comes late makes
//! the next sweep find what this one could not.

mod facts;
mod replay;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ingest::TranscriptHead;
use jiff::Timestamp;
use jiff::civil::Date;
use model::{EventKind, Finding, Session, SessionId};
use report::mask::Masker;
use report::store::{
    Activity, CommandRow, FindingRow, MatchRow, Row, Store, StoreError, Transcript, day,
};
use report::view::{Grace, Range, Sessions};
use rules::correlate::Captures;
use rules::{Correlator, Evaluator, RuleSet};
use serde::Serialize;

use crate::examine::{Examiner, Hit, Judged};
use crate::finding::{self, Kept};
use crate::ingest::{finding_row, match_row};
use crate::scan::session_of;

pub(crate) use facts::session as session_of_row;
pub use replay::{Replayed, replay};

/// The kinds of event that `ingest` and `sweep` evaluate rules on.
pub const EVALUATED: [EventKind; 7] = [
    EventKind::CloudTrail,
    EventKind::Command,
    EventKind::LinuxProcess,
    EventKind::WindowsProcess,
    EventKind::Transcript,
    EventKind::Session,
    EventKind::Coverage,
];

/// What to sweep.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time that it is.
    pub now: Timestamp,
    /// Leave out what happened before.
    pub since: Option<Timestamp>,
    /// How long a transcript may take.
    pub grace: Grace,
    /// What is done with secrets.
    pub masker: Masker,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Sessions that were looked at.
    pub sessions: u64,
    /// Of these, gaps.
    pub gaps: u64,
    /// Commands that were looked at with their sessions.
    pub commands: u64,
    /// Matches that were correlated.
    pub matches: u64,
    /// Findings that the store had not.
    pub new: u64,
    /// Those, by level, the mildest first.
    pub findings: [u64; 5],
    /// What was left out, and why.
    pub notices: Vec<String>,
}

/// By artifact and session: a transcript, and whose it is.
type Heads = HashMap<(String, Option<String>), (TranscriptHead, Arc<Session>)>;

/// Sweeps.
pub fn sweep(store: &Store, set: &RuleSet, options: &Options) -> Result<Summary, StoreError> {
    // A burst that began before what is read would seem to begin later, and be another one.
    let reach = set.correlations().iter().map(|c| c.correlation.timespan).max();
    let reach = reach.unwrap_or_default().saturating_mul(2);
    let from = options.since.map(|since| since.checked_sub(reach).unwrap_or(Timestamp::MIN));
    let range = Range { since: from, until: None };
    let deferred = (0..set.rules().len()).map(|rule| set.names_added(rule)).collect();
    let mut sweep = Sweep::new(set, options, deferred, opened(store, range)?);
    sweep.transcripts(store, range)?;
    sweep.views(store, range)?;
    let fires = sweep.correlate(store, range)?;
    sweep.write(store, range, &fires)
}

/// The sessions that records opened.
pub(crate) fn opened(
    store: &Store,
    range: Range,
) -> Result<BTreeMap<SessionId, Arc<Session>>, StoreError> {
    const COLUMNS: [&str; 19] = [
        "time",
        "event_id",
        "account",
        "region",
        "principal_type",
        "principal",
        "principal_arn",
        "principal_name",
        "principal_claimed_name",
        "issuer_arn",
        "source_identity",
        "access_key_id",
        "mfa",
        "error_code",
        "session_id",
        "opens_session",
        "session_kind",
        "target",
        "document",
    ];
    let (since, until) = range.days();
    let mut sessions: BTreeMap<SessionId, Arc<Session>> = BTreeMap::new();
    let files = store.files::<Activity>(since, until)?;
    store.read::<Activity>(&files, &[COLUMNS.as_slice(), &["reason"]].concat(), |batch| {
        for session in Activity::read(batch).iter().filter_map(facts::session) {
            // Of two that claim the same id the first counts.
            match sessions.get(&session.id) {
                Some(known)
                    if (known.start, &known.event_id) <= (session.start, &session.event_id) => {}
                _ => {
                    sessions.insert(session.id.clone(), Arc::new(session));
                }
            }
        }
    })?;
    Ok(sessions)
}

struct Sweep<'a> {
    set: &'a RuleSet,
    options: &'a Options,
    /// By rule: is it evaluated here on commands and transcripts?
    wanted: Vec<bool>,
    /// What matched with the session known.
    found: Vec<Judged>,
    sessions: BTreeMap<SessionId, Arc<Session>>,
    summary: Summary,
}

impl<'a> Sweep<'a> {
    fn new(
        set: &'a RuleSet,
        options: &'a Options,
        wanted: Vec<bool>,
        sessions: BTreeMap<SessionId, Arc<Session>>,
    ) -> Self {
        Self { set, options, wanted, found: Vec::new(), sessions, summary: Summary::default() }
    }

    /// Rules that ask about the session, on its commands and transcripts.
    fn transcripts(&mut self, store: &Store, range: Range) -> Result<(), StoreError> {
        let set = self.set;
        let mut evaluator = Evaluator::new(set);
        let mut examiner = Examiner::new(set, &mut evaluator, self.options.masker);
        let (since, until) = range.days();
        let mut heads: Heads = HashMap::new();
        let (options, sessions, found) = (self.options, &self.sessions, &mut self.found);
        let wanted = &self.wanted;
        let files = store.files::<Transcript>(since, until)?;
        store.read::<Transcript>(&files, &[], |batch| {
            for row in Transcript::read(batch) {
                let head = facts::head(&row);
                let is_opened =
                    head.session_id.as_ref().is_some_and(|id| sessions.contains_key(id));
                // Who opened it may still become known.
                let waits = [row.last_event, row.ended, row.stored].into_iter().flatten().max();
                let waits = waits.and_then(|time| time.checked_add(options.grace.upload).ok());
                if !is_opened && waits.is_some_and(|until| options.now < until) {
                    continue;
                }
                let session = Arc::new(session_of(&head, sessions));
                let time = head.first_event.or(session.start).or(head.ended);
                examiner.transcript(&head, &session, time, |judged| {
                    if wanted[judged.rule] {
                        found.push(judged);
                    }
                });
                heads.insert((row.artifact, row.session_id), (head, session));
            }
        })?;
        let mut commands = 0;
        let files = store.files::<CommandRow>(since, until)?;
        store.read::<CommandRow>(&files, &[], |batch| {
            for row in CommandRow::read(batch) {
                let name = (row.artifact.clone(), row.session_id.clone());
                let Some((head, session)) = heads.get(&name) else { continue };
                commands += 1;
                let command = facts::command(row);
                let time = command.time.or(session.start).or(head.first_event);
                examiner.command(head, &command, session, time, |judged| {
                    if wanted[judged.rule] {
                        found.push(judged);
                    }
                });
            }
        })?;
        self.summary.commands = commands;
        Ok(())
    }

    /// Rules on sessions, and on what is missing of them.
    fn views(&mut self, store: &Store, range: Range) -> Result<(), StoreError> {
        let Options { now, grace, masker, .. } = *self.options;
        let sessions = Sessions::read(store, range)?;
        let mut evaluator = Evaluator::new(self.set);
        let mut examiner = Examiner::new(self.set, &mut evaluator, masker);
        for row in sessions.rows(range, now, grace) {
            self.summary.sessions += 1;
            let id = SessionId::new(row.session_id);
            let session = self.sessions.get(&id).map_or_else(
                || {
                    Arc::new(Session {
                        principal: row.principal_arn.map(model::Principal::from_arn),
                        target: row.target.map(str::to_owned),
                        region: row.region.map(str::to_owned),
                        start: row.start,
                        ..Session::unknown(id.clone())
                    })
                },
                Arc::clone,
            );
            let mut kinds = vec![EventKind::Session];
            if row.coverage.is_gap() {
                self.summary.gaps += 1;
                kinds.push(EventKind::Coverage);
            }
            for kind in kinds {
                examiner.session(kind, &row, &session, |judged| self.found.push(judged));
            }
        }
        Ok(())
    }

    /// What the matches come to together.
    fn correlate(&mut self, store: &Store, range: Range) -> Result<Vec<Finding>, StoreError> {
        let mut correlator: Correlator<'a, Kept> = Correlator::new(self.set);
        self.stored_matches(&mut correlator, store, range)?;
        Ok(self.fires(correlator))
    }

    /// The matches that `ingest` found.
    fn stored_matches(
        &mut self,
        correlator: &mut Correlator<'a, Kept>,
        store: &Store,
        range: Range,
    ) -> Result<(), StoreError> {
        let set = self.set;
        let by_id: HashMap<&str, usize> = set
            .rules()
            .iter()
            .enumerate()
            .map(|(at, rule)| (rule.info().id.as_str(), at))
            .collect();
        let (since, until) = range.days();
        let (sessions, mut count) = (&self.sessions, 0);
        let files = store.files::<MatchRow>(since, until)?;
        store.read::<MatchRow>(&files, &[], |batch| {
            for row in MatchRow::read(batch) {
                let Some(&rule) = by_id.get(row.rule_id.as_str()) else { continue };
                if !set.is_correlated(rule) {
                    continue;
                }
                // What a sweep found it finds again, and perhaps knows better: see below.
                let is_swept = match row.kind.as_str() {
                    "session" | "coverage" => true,
                    "command" | "transcript" => set.names_added(rule),
                    _ => false,
                };
                let Ok(event) = u128::from_str_radix(&row.event, 16) else { continue };
                if is_swept {
                    continue;
                }
                count += 1;
                let captures = captures(set.captures(rule), row.captures.as_deref());
                let session =
                    row.session_id.as_deref().and_then(|id| sessions.get(&SessionId::new(id)));
                let (time, info) = (row.time, set.rules()[rule].info());
                let kept = Kept::new(&facts::finding(row, info, session));
                correlator.add(rule, time, event, captures, kept);
            }
        })?;
        self.summary.matches = count;
        Ok(())
    }

    /// What all of it comes to.
    fn fires(&mut self, mut correlator: Correlator<'a, Kept>) -> Vec<Finding> {
        let set = self.set;
        for judged in self.found.iter().filter(|judged| set.is_correlated(judged.rule)) {
            self.summary.matches += 1;
            Hit::of(judged).add_to(&mut correlator);
        }
        let (masker, since) = (self.options.masker, self.options.since);
        let outcome =
            correlator.finish(|fire| Kept::Correlation(Arc::new(finding::of_fire(fire, masker))));
        self.summary.notices = outcome.notices;
        let told = outcome.fires.iter().filter(|fire| set.is_correlation_told(fire.index));
        let whole = told.filter(|fire| since.is_none_or(|since| fire.from >= since));
        whole.map(|fire| finding::of_fire(fire, masker)).collect()
    }

    /// Writes what the store has not.
    fn write(
        mut self,
        store: &Store,
        range: Range,
        fires: &[Finding],
    ) -> Result<Summary, StoreError> {
        let (since, until) = range.days();
        let mut known: HashSet<String> = HashSet::new();
        let files = store.files::<FindingRow>(since, until)?;
        store.read::<FindingRow>(&files, &["finding_id"], |batch| {
            known.extend(FindingRow::read(batch).into_iter().map(|row| row.finding_id));
        })?;
        let mut days: BTreeMap<Option<Date>, Vec<FindingRow>> = BTreeMap::new();
        let own = self.found.iter().filter(|j| self.set.is_told(j.rule) && !j.is_again);
        for finding in own.map(|judged| &judged.finding).chain(fires) {
            let is_old = self.options.since.zip(finding.time_end.or(finding.time));
            if is_old.is_some_and(|(since, time)| time < since)
                || !known.insert(finding.id.0.clone())
            {
                continue;
            }
            self.summary.new += 1;
            self.summary.findings[finding.rule.level as usize] += 1;
            days.entry(day(finding.time)).or_default().push(finding_row(finding));
        }
        for (day, rows) in days {
            write(store, day, rows, |row| &row.finding_id)?;
        }
        self.matches(store, range)?;
        store.sync()?;
        Ok(self.summary)
    }

    /// The matches of those rules are facts as well.
    fn matches(&self, store: &Store, range: Range) -> Result<(), StoreError> {
        let (since, until) = range.days();
        let mut known: HashSet<(String, String)> = HashSet::new();
        let files = store.files::<MatchRow>(since, until)?;
        store.read::<MatchRow>(&files, &["rule_id", "event"], |batch| {
            known.extend(MatchRow::read(batch).into_iter().map(|row| (row.rule_id, row.event)));
        })?;
        let mut days: BTreeMap<Option<Date>, Vec<MatchRow>> = BTreeMap::new();
        for judged in &self.found {
            let row = match_row(self.set, judged);
            if known.insert((row.rule_id.clone(), row.event.clone())) {
                days.entry(day(row.time)).or_default().push(row);
            }
        }
        for (day, rows) in days {
            write(store, day, rows, |row| &row.event)?;
        }
        Ok(())
    }
}

/// Writes rows under a name that is derived from what they are: another sweep that finds the same finds it there.
fn write<R: Row>(
    store: &Store,
    day: Option<Date>,
    rows: Vec<R>,
    id: impl Fn(&R) -> &String,
) -> Result<(), StoreError> {
    let mut ids: Vec<&[u8]> = rows.iter().map(|row| id(row).as_bytes()).collect();
    ids.sort_unstable();
    ids.insert(0, b"sweep");
    let name = format!("sweep-{}", finding::id(&ids));
    store.write(day, &name, rows).map(|_| ())
}

/// The values that a match carried along, in the order in which the rules ask for them now.
fn captures(names: &[String], json: Option<&str>) -> Captures {
    let stored: serde_json::Map<String, serde_json::Value> =
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let fields = names.iter().map(|name| {
        let values = stored.get(name).and_then(serde_json::Value::as_array);
        values.into_iter().flatten().filter_map(serde_json::Value::as_str)
    });
    Captures::new(fields, &mut Vec::new())
}

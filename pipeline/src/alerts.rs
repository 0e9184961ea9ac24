//! Findings in the store → alerts that arrive.
//!
//! The facts come first: what is to be told is read from them, so an alert is never lost with the process that found
//! something. Each sink hears of a group at once, then of the rest in one update; what could not be sent is taken up by
//! the next call.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use model::{Principal, Session, SessionId};
use report::alert::{Alert, Due, Group, Routes, State, groups};
use report::sink::{self, Sink, SinkError};
use report::store::{FindingRow, Store, StoreError, day};
use report::view::Range;
use rules::RuleSet;
use serde::Serialize;

use crate::ingest::Opened;
use crate::sweep::opened;

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Groups of findings that were looked at.
    pub groups: u64,
    /// Notifications that arrived, each sink counted.
    pub sent: u64,
    /// Groups that nobody is to hear of for now.
    pub muted: u64,
    /// When what was sent had happened.
    #[serde(skip)]
    pub happened: Vec<Timestamp>,
    /// What could not be sent; the next call tries again.
    pub failed: Vec<Failed>,
    /// What was done, or would have been: sessions ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<serde_json::Value>,
    /// Mutes whose day is over: they mute nothing.
    pub expired_mutes: Vec<String>,
}

impl Summary {
    /// Seconds from what happened to `now`, of each notification that arrived.
    pub fn lags(&self, now: Timestamp) -> Vec<f64> {
        self.happened.iter().map(|then| now.duration_since(*then).as_secs_f64()).collect()
    }
}

/// A notification that a sink did not take.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    /// The sink's name.
    pub sink: String,
    /// The group.
    pub alert_id: String,
    /// Why.
    pub reason: String,
}

/// The sinks of a configuration, opened.
pub struct Sinks(BTreeMap<String, Box<dyn Sink>>);

impl Sinks {
    /// Opens them all, so that a mistake shows before anything is sent. `secret` tells what is in the environment under a
    /// name.
    pub fn open(
        routes: &Routes,
        secret: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SinkError> {
        let open = |(name, config): (&String, _)| {
            let sink = sink::open(config, secret)
                .map_err(|error| SinkError(format!("sink `{name}`: {error}")))?;
            Ok((name.clone(), sink))
        };
        routes.sinks.iter().map(open).collect::<Result<_, _>>().map(Self)
    }
}

/// When a sink did not take so many in a row, the rest waits for the next call: each may have been waited for.
const GIVEN_UP: u32 = 5;

/// Of which findings.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// All that happened then or later.
    Since(Option<Timestamp>),
    /// Those of some days.
    Days(&'a BTreeSet<Option<Date>>),
}

impl Of<'_> {
    /// The first and the last day that is read.
    fn span(self) -> (Option<Date>, Option<Date>) {
        match self {
            Self::Since(since) => (day(since), None),
            Self::Days(days) => {
                let dated = || days.iter().flatten().copied();
                (dated().min(), dated().max())
            }
        }
    }

    fn holds(self, group: &Group) -> bool {
        match self {
            Self::Since(since) => since.zip(group.last()).is_none_or(|(since, last)| last >= since),
            Self::Days(days) => days.contains(&group.day),
        }
    }
}

/// Sends what is due at `now`.
pub fn deliver(
    store: &Store,
    set: &RuleSet,
    routes: &Routes,
    sinks: &Sinks,
    of: Of<'_>,
    now: Timestamp,
) -> Result<Summary, StoreError> {
    let mut summary = Summary {
        expired_mutes: routes
            .expired(now)
            .map(|mute| format!("{} (until {}, {})", mute.reason, mute.until, mute.owner))
            .collect(),
        ..Summary::default()
    };
    if matches!(of, Of::Days(days) if days.is_empty()) {
        return Ok(summary);
    }
    let (first, last) = of.span();
    let mut groups = groups(store.rows::<FindingRow>(first, last)?);
    groups.retain(|group| of.holds(group));
    // Whose session it was stands in another table. What makes a group is not touched by it.
    let sessions = opened(store, Range::of_days(first, last))?;
    for row in groups.iter_mut().flat_map(|group| &mut group.findings) {
        let id = row.session_id.as_deref().map(SessionId::new);
        if let Some(session) = id.and_then(|id| sessions.get(&id)) {
            belongs(row, session);
        }
    }
    let mut sender = Sender::new(sinks);
    let state = State::read(store, groups.iter().map(|group| group.day))?;
    for group in &groups {
        summary.groups += 1;
        let due = state.due(group, routes, now, |alert| complete(set, alert))?;
        if due.is_empty() {
            let alert = group.alert(&BTreeSet::new(), 1);
            let is_muted = alert.is_some_and(|alert| routes.mute_of(&alert, now).is_some());
            summary.muted += u64::from(is_muted);
        }
        sender.send(&state, due, now, &mut summary)?;
    }
    Ok(summary)
}

/// Tells at once of findings that were written just now: the first notification of each group, and nothing that takes a look at
/// what the store has. What else is due is told by the next sweep.
pub fn first(
    store: &Store,
    set: &RuleSet,
    routes: &Routes,
    sinks: &Sinks,
    rows: Vec<FindingRow>,
    now: Timestamp,
) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    let mut sender = Sender::new(sinks);
    let state = State::blank(store);
    let mut sessions: BTreeMap<String, Option<Session>> = BTreeMap::new();
    for mut group in groups(rows) {
        // All of a group are of one session, or of none.
        let id = group.findings.first().and_then(|row| row.session_id.clone());
        let is_known = group.findings.iter().all(|row| row.principal.is_some());
        if let Some(id) = id.filter(|_| !is_known) {
            let found = match sessions.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(vacant) => {
                    let found = Opened::find(store, vacant.key())?;
                    vacant.insert(found)
                }
            };
            // Who opened it is not known yet. An alert that does not say who is no help: the sweep has it in a moment.
            let Some(session) = found else { continue };
            group.findings.iter_mut().for_each(|row| belongs(row, session));
        }
        summary.groups += 1;
        let due = state.due(&group, routes, now, |alert| complete(set, alert))?;
        sender.send(&state, due, now, &mut summary)?;
    }
    Ok(summary)
}

/// Sends what is due, and knows which sinks do not take anything.
struct Sender<'a> {
    sinks: &'a Sinks,
    /// Failures in a row, by sink.
    failures: BTreeMap<String, u32>,
}

impl<'a> Sender<'a> {
    const fn new(sinks: &'a Sinks) -> Self {
        Self { sinks, failures: BTreeMap::new() }
    }

    fn send(
        &mut self,
        state: &State<'_>,
        due: Vec<Due>,
        now: Timestamp,
        summary: &mut Summary,
    ) -> Result<(), StoreError> {
        for due in due {
            let mut reasons = Vec::new();
            for name in &due.sinks {
                let in_a_row = self.failures.entry(name.clone()).or_default();
                let sent = match self.sinks.0.get(name) {
                    None => Err(SinkError("it is no longer in the routes".to_owned())),
                    Some(_) if *in_a_row >= GIVEN_UP => Err(SinkError(format!(
                        "not tried: {GIVEN_UP} others before it were not taken"
                    ))),
                    Some(sink) => sink.send(&due.alert, now),
                };
                *in_a_row = if sent.is_ok() { 0 } else { *in_a_row + 1 };
                match sent {
                    Ok(receipt) => {
                        summary.responses.extend(receipt.0.clone());
                        state.sent(&due, name, receipt, now)?;
                        summary.sent += 1;
                        summary.happened.extend(due.alert.last);
                    }
                    Err(error) => {
                        let reason = error.to_string();
                        reasons.push(format!("{name}: {reason}"));
                        summary.failed.push(Failed {
                            sink: name.clone(),
                            alert_id: due.alert.alert_id.clone(),
                            reason,
                        });
                    }
                }
            }
            if !reasons.is_empty() {
                state.failed(&due, reasons, now)?;
            }
        }
        Ok(())
    }
}

/// What a finding in a transcript does not know: who opened the session, where, and when.
fn belongs(row: &mut FindingRow, session: &Session) {
    let principal = session.principal.as_ref();
    if row.principal.is_none() {
        row.principal = principal.and_then(Principal::label).map(str::to_owned);
        row.principal_type = principal.map(|principal| principal.kind.as_str().to_owned());
        row.principal_claimed_name = principal.and_then(|p| p.claimed_name.clone());
    }
    row.account = row.account.take().or_else(|| session.account.clone());
    row.region = row.region.take().or_else(|| session.region.clone());
    row.target = row.target.take().or_else(|| session.target.clone());
    row.time = row.time.or(session.start);
}

/// What the rule says of itself.
fn complete(set: &RuleSet, alert: &mut Alert) {
    let rules = set.rules().iter().map(|rule| &rule.meta);
    let correlations = set.correlations().iter().map(|linked| &linked.correlation.meta);
    let Some(meta) = rules.chain(correlations).find(|meta| meta.info.id == alert.rule_id) else {
        return;
    };
    alert.why.clone_from(&meta.description);
    alert.next.clone_from(&meta.response);
}

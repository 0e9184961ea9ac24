//! Rules on what the store has, as if it were read for the first time; nothing is written.
//!
//! Of CloudTrail the store has the records about sessions and those that a rule matched when they came. A rule about
//! others finds nothing here, and has to be tried on the files.

use std::sync::Arc;

use ingest::RawRecord;
use jiff::Timestamp;
use model::{Finding, Place};
use report::store::{Activity, Row as _, Store, StoreError};
use report::view::Range;
use rules::{Correlator, Evaluator, RuleSet};

use super::{Options, Sweep, opened};
use crate::examine::Examiner;

/// What there was to look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replayed {
    /// Records; a copy counts.
    pub records: u64,
    /// Of these, such as an older version of this program kept without the record itself.
    pub without_record: u64,
    /// Sessions.
    pub sessions: u64,
    /// Commands.
    pub commands: u64,
}

/// Evaluates `set` on what the store has of `range`. Findings come each once, in the order of the facts.
pub fn replay(
    store: &Store,
    set: &RuleSet,
    range: Range,
    options: &Options,
    mut each: impl FnMut(&Finding),
) -> Result<Replayed, StoreError> {
    let all = vec![true; set.rules().len()];
    let mut sweep = Sweep::new(set, options, all, opened(store, range)?);
    let mut replayed = Replayed::default();
    sweep.records(store, range, &mut replayed)?;
    sweep.transcripts(store, range)?;
    sweep.views(store, range)?;
    let fires = sweep.fires(Correlator::new(set));
    let holds = |time: Option<Timestamp>| {
        time.is_none_or(|time| {
            range.since.is_none_or(|since| time >= since)
                && range.until.is_none_or(|until| time < until)
        })
    };
    let own = sweep.found.iter().filter(|judged| set.is_told(judged.rule) && !judged.is_again);
    let mut seen = std::collections::HashSet::new();
    for finding in own.map(|judged| &judged.finding).chain(&fires) {
        if holds(finding.time) && seen.insert(finding.id.0.clone()) {
            each(finding);
        }
    }
    replayed.sessions = sweep.summary.sessions;
    replayed.commands = sweep.summary.commands;
    Ok(replayed)
}

impl Sweep<'_> {
    /// Rules on records.
    fn records(
        &mut self,
        store: &Store,
        range: Range,
        replayed: &mut Replayed,
    ) -> Result<(), StoreError> {
        const COLUMNS: [&str; 7] =
            ["event_id", "event_source", "event_name", "account", "artifact", "offset", "record"];
        let mut evaluator = Evaluator::new(self.set);
        let mut examiner = Examiner::new(self.set, &mut evaluator, self.options.masker);
        let found = &mut self.found;
        let (since, until) = range.days();
        let files = store.files::<Activity>(since, until)?;
        store.read::<Activity>(&files, &COLUMNS, |batch| {
            for row in Activity::read(batch) {
                replayed.records += 1;
                let Some(record) = &row.record else {
                    replayed.without_record += 1;
                    continue;
                };
                let raw = RawRecord {
                    bytes: record.as_bytes(),
                    offset: row.offset,
                    event_source: row.event_source.as_deref().map(str::as_bytes),
                    event_name: row.event_name.as_deref().map(str::as_bytes),
                    event_id: row.event_id.as_deref().map(str::as_bytes),
                    account: row.account.as_deref().map(str::as_bytes),
                    members: None,
                };
                let name: Arc<str> = Place::new(row.artifact.as_str(), 0).artifact;
                // What is in the store has been parsed before.
                let _ = examiner.record(&raw, &name, true, |one| found.push(one.judged()));
            }
        })
    }
}

//! `backtest`: what rules would have found, per day and principal, and what changes against other rules.
//!
//! The same input is gone through twice: with the rules that are tried, and with those that are in use. A finding's id is
//! made of the rule's id and the event, so the two are compared by it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use ingest::Problem;
use ingest::source;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{Finding, Principal, RuleInfo};
use report::store::{Store, StoreError};
use report::view::{Grace, Range};
use rules::RuleSet;

use crate::scan::{self, Observer, Options};
use crate::sweep::{self, Replayed};

/// How often each value was seen, the first [`MAX_VALUES`] values.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<String, u64>,
    others: u64,
}

/// Most different values that are counted one by one.
const MAX_VALUES: usize = 10_000;

impl Tally {
    fn add(&mut self, value: &str) {
        if let Some(count) = self.counts.get_mut(value) {
            *count += 1;
        } else if self.counts.len() < MAX_VALUES {
            self.counts.insert(value.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    /// The values, the most frequent first.
    pub fn top(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> =
            self.counts.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        all.sort_by_key(|(value, count)| (std::cmp::Reverse(*count), *value));
        all
    }

    /// How many different values there are, as far as they were counted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Was nothing seen?
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// What a rule would have found.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Is it among the rules that were tried? (Else it is only among those in use, and gone.)
    pub is_tried: bool,
    /// Is it among the rules in use?
    pub is_in_use: bool,
    /// Findings.
    pub found: u64,
    /// Findings that the rules in use do not have.
    pub new: u64,
    /// Findings that the rules in use have, and these do not.
    pub gone: u64,
    /// By day, in the time zone asked for; findings without a time are not here.
    pub days: BTreeMap<Date, u64>,
    /// By principal.
    pub principals: Tally,
    /// By evidence, `field = value`.
    pub values: Tally,
    /// The first new ones.
    pub examples: Vec<Finding>,
    /// The first that are gone.
    pub gone_examples: Vec<Finding>,
}

/// Most examples kept of a rule.
const EXAMPLES: usize = 5;

/// What a backtest came to.
#[derive(Debug)]
pub struct Backtest {
    /// By rule, in the order of their ids.
    pub rules: BTreeMap<String, Tried>,
    /// What the rules that were tried were tried on.
    pub looked_at: LookedAt,
    /// What could not be read, or was left out.
    pub problems: Vec<Problem>,
}

/// What rules are tried on.
#[derive(Clone, Copy)]
pub enum Past<'a> {
    /// Files, which are found anew each time.
    Files(&'a dyn Fn() -> source::Found),
    /// The facts of a store.
    Store(&'a Store, Timestamp),
}

/// What there was.
#[derive(Clone, Copy, Debug)]
pub enum LookedAt {
    /// Files.
    Files {
        /// How many.
        artifacts: u64,
        /// Of these, such as could not be read.
        failed: u64,
    },
    /// A store.
    Store(Replayed),
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// With files.
    #[error("{0}")]
    Files(#[from] io::Error),
    /// With the store.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Past<'_> {
    fn run(
        self,
        set: &RuleSet,
        options: &Options,
        observer: &mut dyn Observer,
    ) -> Result<LookedAt, BacktestError> {
        match self {
            Self::Files(find) => {
                let summary = scan::scan(find(), set, options, observer)?;
                Ok(LookedAt::Files { artifacts: summary.artifacts, failed: summary.failed })
            }
            Self::Store(store, now) => {
                let range = Range { since: options.since, until: options.until };
                let grace = Grace::default();
                let sweep = sweep::Options { now, since: None, grace, masker: options.masker };
                let mut failure = Ok(());
                let replayed = sweep::replay(store, set, range, &sweep, |finding| {
                    if failure.is_ok() {
                        failure = observer.finding(finding);
                    }
                })?;
                failure?;
                Ok(LookedAt::Store(replayed))
            }
        }
    }
}

/// Tries `tried` on the past. `in_use`: the rules to compare with; `whole`: those of them that are not
/// among `tried` count as removed.
pub fn backtest(
    past: Past<'_>,
    tried: &RuleSet,
    in_use: Option<&RuleSet>,
    whole: bool,
    zone: &TimeZone,
    options: &Options,
    mut progress: impl FnMut(u64),
) -> Result<Backtest, BacktestError> {
    let mut before =
        Ids { all: HashSet::new(), findings: BTreeMap::new(), progress: &mut progress };
    let own: BTreeSet<&str> = infos(tried).map(|info| info.id.as_str()).collect();
    if let Some(in_use) = in_use {
        past.run(in_use, options, &mut before)?;
        before.findings.retain(|rule, _| whole || own.contains(rule.as_str()));
    }
    let Ids { all: ids, findings: mut left, .. } = before;
    let known: BTreeSet<&str> =
        in_use.into_iter().flat_map(infos).map(|info| info.id.as_str()).collect();
    let blank = |rule: &Arc<RuleInfo>, is_tried: bool| Tried {
        rule: Arc::clone(rule),
        is_tried,
        is_in_use: known.contains(rule.id.as_str()),
        found: 0,
        new: 0,
        gone: 0,
        days: BTreeMap::new(),
        principals: Tally::default(),
        values: Tally::default(),
        examples: Vec::new(),
        gone_examples: Vec::new(),
    };
    let rules = told(tried).map(|info| (info.id.clone(), blank(info, true))).collect();
    let mut trying = Trying {
        rules,
        before: &ids,
        left: &mut left,
        zone,
        problems: Vec::new(),
        progress: &mut progress,
    };
    let looked_at = past.run(tried, options, &mut trying)?;
    let Trying { mut rules, problems, .. } = trying;
    for (id, findings) in left {
        let Some(first) = findings.values().next() else { continue };
        let entry = rules.entry(id).or_insert_with(|| blank(&first.rule, false));
        entry.gone = findings.len() as u64;
        entry.gone_examples = findings.into_values().take(EXAMPLES).collect();
    }
    Ok(Backtest { rules, looked_at, problems })
}

/// What a set's rules and correlations say of themselves.
fn infos(set: &RuleSet) -> impl Iterator<Item = &Arc<RuleInfo>> {
    let correlations = set.correlations().iter().map(|linked| &linked.correlation.meta.info);
    set.rules().iter().map(rules::Rule::info).chain(correlations)
}

/// Those that are told on their own.
fn told(set: &RuleSet) -> impl Iterator<Item = &Arc<RuleInfo>> {
    let rules = set.rules().iter().enumerate().filter(|(at, _)| set.is_told(*at));
    let correlations =
        set.correlations().iter().enumerate().filter(|(at, _)| set.is_correlation_told(*at));
    let correlations = correlations.map(|(_, linked)| &linked.correlation.meta.info);
    rules.map(|(_, rule)| rule.info()).chain(correlations)
}

/// The findings of the rules in use.
struct Ids<'a> {
    all: HashSet<String>,
    /// By rule, by id.
    findings: BTreeMap<String, BTreeMap<String, Finding>>,
    progress: &'a mut dyn FnMut(u64),
}

impl Observer for Ids<'_> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.all.insert(finding.id.0.clone());
        let of_rule = self.findings.entry(finding.rule.id.clone()).or_default();
        of_rule.insert(finding.id.0.clone(), finding.clone());
        Ok(())
    }

    // The second scan meets the same.
    fn problem(&mut self, _: &Problem) {}

    fn artifact(&mut self, bytes: u64) {
        (self.progress)(bytes);
    }
}

struct Trying<'a> {
    rules: BTreeMap<String, Tried>,
    before: &'a HashSet<String>,
    /// Findings of the rules in use that have not been met again.
    left: &'a mut BTreeMap<String, BTreeMap<String, Finding>>,
    zone: &'a TimeZone,
    problems: Vec<Problem>,
    progress: &'a mut dyn FnMut(u64),
}

impl Observer for Trying<'_> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        if let Some(left) = self.left.get_mut(&finding.rule.id) {
            left.remove(&finding.id.0);
        }
        let Some(tried) = self.rules.get_mut(&finding.rule.id) else { return Ok(()) };
        tried.found += 1;
        if !self.before.contains(&finding.id.0) {
            tried.new += 1;
            if tried.examples.len() < EXAMPLES {
                tried.examples.push(finding.clone());
            }
        }
        if let Some(time) = finding.time {
            *tried.days.entry(time.to_zoned(self.zone.clone()).date()).or_default() += 1;
        }
        let principal = finding.principal.as_deref().and_then(Principal::label);
        tried.principals.add(principal.unwrap_or("(not known)"));
        let mut seen: Vec<String> = Vec::new();
        for evidence in &finding.evidence {
            let Some(value) = &evidence.value else { continue };
            let line = format!("{} = {value}", evidence.field);
            if !seen.contains(&line) {
                tried.values.add(&line);
                seen.push(line);
            }
        }
        Ok(())
    }

    fn problem(&mut self, problem: &Problem) {
        /// Most problems kept.
        const KEPT: usize = 100;
        if self.problems.len() < KEPT {
            self.problems.push(problem.clone());
        }
    }

    fn artifact(&mut self, bytes: u64) {
        (self.progress)(bytes);
    }
}

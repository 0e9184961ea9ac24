//! Windows that slide over the hits of a group, and the bursts that they make.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::group::Key;
use super::packed;
use super::plan::Node;
use super::{Captures, Fire, Hit, MAX_BURSTS, MAX_VALUES, Run};
use crate::link::LinkedCorrelation;
use crate::sigma::{Bound, Comparison, CorrelationCondition, CorrelationKind};

/// A run of events at each of which the condition holds.
#[derive(Debug)]
pub(super) struct Burst {
    /// Which hits of the group.
    hits: Range<usize>,
    /// Identity of the first.
    first: u128,
    from: Timestamp,
    at: Timestamp,
    to: Timestamp,
    count: f64,
    captures: Captures,
    /// How many bursts of the group before it begin with the same event.
    ordinal: usize,
}

impl Burst {
    /// The fire that it is, with what was given along with the hits of the group.
    pub(super) fn into_fire<'a, T>(
        self,
        correlation: &'a LinkedCorrelation,
        index: usize,
        key: &Key,
        all: &Arc<Vec<T>>,
    ) -> (Fire<'a, T>, Captures) {
        let written = &correlation.correlation;
        let names = written.group_by.iter().map(String::as_str);
        let group = names.zip(key.parts().map(ToOwned::to_owned)).collect();
        let fire = Fire {
            correlation,
            index,
            group,
            from: self.from,
            at: self.at,
            to: self.to,
            count: self.count,
            // Two groups may begin with the same event.
            id: self.first ^ u128::from(key.hash()) ^ (self.ordinal as u128) << 64,
            hits: Run { all: Arc::clone(all), range: self.hits },
        };
        (fire, self.captures)
    }
}

/// The newest bursts of a group, and how many older ones there were; `hits` are in order of time.
pub(super) fn bursts<T>(
    linked: &LinkedCorrelation,
    node: &Node,
    hits: &[Hit<T>],
) -> (VecDeque<Burst>, usize) {
    let correlation = &linked.correlation;
    let rule = Condition::of(linked);
    let (mut found, mut older) = (VecDeque::new(), 0);
    // How many begin with the same event: they begin with one after the other.
    let (mut last, mut ordinal) = (None, 0);
    // Of the run that goes on: its first hit, when it began to hold, and the highest value.
    let mut run: Option<(usize, Timestamp, f64)> = None;
    let mut close = |run: &mut Option<(usize, Timestamp, f64)>, end: usize| {
        if let Some((from, at, count)) = run.take()
            && rule.allows(count)
        {
            let first = hits[from].id;
            ordinal = if last.replace(first) == Some(first) { ordinal + 1 } else { 0 };
            let to = hits[from..end].last().map_or(at, |hit| hit.time);
            let (from, captures) = (from..end, Captures::default());
            let begin = hits[from.start].time;
            found.push_back(Burst {
                hits: from,
                first,
                from: begin,
                at,
                to,
                count,
                captures,
                ordinal,
            });
            if found.len() > MAX_BURSTS {
                found.pop_front();
                older += 1;
            }
        }
    };
    slide(linked, node, hits, |start, first, now, window| {
        // What lies further back than the timespan has nothing to do with this any more.
        if start == first {
            close(&mut run, first);
        }
        match window.value(now, correlation.timespan) {
            Some(value) if rule.holds(value, window) => {
                run = match run {
                    Some((from, at, count)) => Some((from, at, count.max(value))),
                    None => Some((start, now, value)),
                };
            }
            _ => close(&mut run, first),
        }
    });
    close(&mut run, hits.len());
    for burst in &mut found {
        burst.captures = captures(node, &hits[burst.hits.clone()]);
    }
    (found, older)
}

/// The window of a group that came to the highest value: the value, the bounds of its hits, and how many of them
/// are of each member.
pub(super) fn peak<T>(
    linked: &LinkedCorrelation,
    node: &Node,
    hits: &[Hit<T>],
) -> Option<(f64, Timestamp, Timestamp, Vec<usize>)> {
    let mut best: Option<(f64, Timestamp, Timestamp, Vec<usize>)> = None;
    slide(linked, node, hits, |start, _, now, window| {
        if let Some(value) = window.value(now, linked.correlation.timespan)
            && best.as_ref().is_none_or(|(highest, ..)| value > *highest)
        {
            best = Some((value, hits[start].time, now, window.members.clone()));
        }
    });
    best
}

/// Slides the window over the hits of a group: calls `at` for each time at which there are some, with the first
/// hit that is in the window, the first of that time, the time, and the window.
fn slide<T>(
    linked: &LinkedCorrelation,
    node: &Node,
    hits: &[Hit<T>],
    mut at: impl FnMut(usize, usize, Timestamp, &Window<'_, T>),
) {
    let correlation = &linked.correlation;
    let mut window = Window::new(correlation.kind, linked.members.len(), node);
    let (mut start, mut next) = (0, 0);
    while let Some(hit) = hits.get(next) {
        // All that happened at one time is seen at once.
        let now = hit.time;
        let first = next;
        while hits.get(next).is_some_and(|hit| hit.time == now) {
            window.push(&hits[next]);
            next += 1;
        }
        while now.duration_since(hits[start].time) > correlation.timespan {
            window.pop(&hits[start]);
            start += 1;
        }
        at(start, first, now, &window);
    }
}

/// What the outer correlations want to know of a fire.
fn captures<T>(node: &Node, hits: &[Hit<T>]) -> Captures {
    let fields = node.inner.iter().enumerate().map(|(capture, inner)| {
        let mut values: Vec<&str> = Vec::new();
        for hit in hits {
            let at = match node.in_group[capture] {
                Some(place) => node.group[hit.member][place],
                None => inner[hit.member],
            };
            for value in hit.captures.field(at) {
                if values.len() < MAX_VALUES && !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        values
    });
    Captures::new(fields, &mut Vec::new())
}

/// How far a window over some hits may come at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    /// Hits, or values.
    count: usize,
    /// Which members there are hits of, bit by bit; the last bit stands for all from there on.
    members: u64,
}

impl Reach {
    /// That of one hit.
    pub(super) fn of<T>(linked: &LinkedCorrelation, node: &Node, hit: &Hit<T>) -> Self {
        let count = if linked.correlation.kind == CorrelationKind::ValueCount {
            let fields = node.fields[hit.member].iter();
            fields.map(|at| hit.captures.field(*at).count()).product::<usize>().min(MAX_VALUES)
        } else {
            1
        };
        Self { count, members: 1 << hit.member.min(63) }
    }

    /// Those of more hits.
    pub(super) fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.members |= other.members;
    }

    /// May such a window hold? Most groups of most correlations are a match or two, which cannot. What this refuses never
    /// holds; what it lets pass may.
    pub(super) fn can_hold(self, linked: &LinkedCorrelation) -> bool {
        let rule = Condition::of(linked);
        let at_most = match rule.kind {
            CorrelationKind::EventCount | CorrelationKind::ValueCount => self.count,
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered if rule.members < 64 => {
                self.members.count_ones() as usize
            }
            _ => return true,
        };
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let (at_most, all) = (at_most as f64, rule.members as f64);
        match rule.written {
            // Such a condition may ask for what is not there.
            CorrelationCondition::Rules(_) if rule.kind == CorrelationKind::Temporal => true,
            CorrelationCondition::Rules(_) => at_most >= all,
            CorrelationCondition::Bounds(bounds) if bounds.is_empty() => at_most >= all,
            CorrelationCondition::Bounds(bounds) => {
                at_most >= 1.0 && bounds.iter().all(|bound| lower(*bound).holds(at_most))
            }
        }
    }
}

/// When a window holds, and when the highest value of a burst is allowed.
struct Condition<'a> {
    written: &'a CorrelationCondition,
    kind: CorrelationKind,
    members: usize,
}

impl<'a> Condition<'a> {
    fn of(linked: &'a LinkedCorrelation) -> Self {
        Self {
            written: &linked.correlation.condition,
            kind: linked.correlation.kind,
            members: linked.members.len(),
        }
    }

    /// Is this about a count, which grows while a burst goes on?
    const fn counts(&self) -> bool {
        matches!(
            self.kind,
            CorrelationKind::EventCount
                | CorrelationKind::ValueCount
                | CorrelationKind::Temporal
                | CorrelationKind::TemporalOrdered
        )
    }

    /// Does the window hold? Of a count only what bounds it from below is asked, and of an exact one that it
    /// is reached: an upper bound is for the whole burst.
    fn holds<T>(&self, value: f64, window: &Window<'_, T>) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a handful of rules")]
        let all = self.members as f64;
        match self.written {
            CorrelationCondition::Rules(condition) if self.kind == CorrelationKind::Temporal => {
                condition.eval(&|member| window.members[member] > 0)
            }
            CorrelationCondition::Rules(_) => value >= all,
            CorrelationCondition::Bounds(bounds) if bounds.is_empty() => value >= all,
            CorrelationCondition::Bounds(bounds) if self.counts() => {
                value >= 1.0 && bounds.iter().all(|bound| lower(*bound).holds(value))
            }
            CorrelationCondition::Bounds(bounds) => bounds.iter().all(|bound| bound.holds(value)),
        }
    }

    fn allows(&self, highest: f64) -> bool {
        match self.written {
            CorrelationCondition::Bounds(bounds) if self.counts() => {
                bounds.iter().all(|bound| bound.is_lower() || bound.holds(highest))
            }
            _ => true,
        }
    }
}

/// What a bound asks of a count that is still growing.
const fn lower(bound: Bound) -> Bound {
    match bound.comparison {
        Some(Comparison::Greater | Comparison::GreaterOrEqual) => bound,
        Some(Comparison::Less | Comparison::LessOrEqual) => {
            Bound { comparison: Some(Comparison::GreaterOrEqual), number: 1.0 }
        }
        None => Bound { comparison: Some(Comparison::GreaterOrEqual), number: bound.number },
    }
}

/// What is in the window, kept up to date as it slides.
struct Window<'n, T> {
    kind: CorrelationKind,
    node: &'n Node,
    /// By event: how many hits of it are here.
    events: HashMap<u128, usize>,
    /// By value, or combination of values.
    values: HashMap<Vec<u8>, usize>,
    /// Sorted.
    numbers: Vec<f64>,
    /// By member: hits.
    members: Vec<usize>,
    chains: Chains,
    hits: std::marker::PhantomData<T>,
}

impl<'n, T> Window<'n, T> {
    fn new(kind: CorrelationKind, members: usize, node: &'n Node) -> Self {
        Self {
            kind,
            node,
            events: HashMap::new(),
            values: HashMap::new(),
            numbers: Vec::new(),
            members: vec![0; members],
            chains: Chains { best: vec![VecDeque::new(); members] },
            hits: std::marker::PhantomData,
        }
    }

    fn push(&mut self, hit: &Hit<T>) {
        self.members[hit.member] += 1;
        match self.kind {
            CorrelationKind::EventCount => *self.events.entry(hit.id).or_default() += 1,
            CorrelationKind::ValueCount => {
                for value in self.combinations(hit) {
                    *self.values.entry(value).or_default() += 1;
                }
            }
            CorrelationKind::ValueSum
            | CorrelationKind::ValueAvg
            | CorrelationKind::ValuePercentile(_) => {
                for number in self.numbers_of(hit) {
                    let at = self.numbers.partition_point(|other| *other < number);
                    self.numbers.insert(at, number);
                }
            }
            CorrelationKind::Temporal => {}
            CorrelationKind::TemporalOrdered => self.chains.push(hit),
        }
    }

    fn pop(&mut self, hit: &Hit<T>) {
        self.members[hit.member] -= 1;
        match self.kind {
            CorrelationKind::EventCount => take(&mut self.events, &hit.id),
            CorrelationKind::ValueCount => {
                for value in self.combinations(hit) {
                    take(&mut self.values, &value);
                }
            }
            CorrelationKind::ValueSum
            | CorrelationKind::ValueAvg
            | CorrelationKind::ValuePercentile(_) => {
                for number in self.numbers_of(hit) {
                    let at = self.numbers.partition_point(|other| *other < number);
                    self.numbers.remove(at);
                }
            }
            CorrelationKind::Temporal | CorrelationKind::TemporalOrdered => {}
        }
    }

    /// What is compared; `None` where there is nothing to compare.
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    fn value(&self, now: Timestamp, timespan: SignedDuration) -> Option<f64> {
        let count = self.numbers.len();
        match self.kind {
            CorrelationKind::EventCount => Some(self.events.len() as f64),
            CorrelationKind::ValueCount => Some(self.values.len() as f64),
            CorrelationKind::ValueSum => (count > 0).then(|| self.numbers.iter().sum()),
            CorrelationKind::ValueAvg => {
                (count > 0).then(|| self.numbers.iter().sum::<f64>() / count as f64)
            }
            CorrelationKind::ValuePercentile(percentile) => {
                self.numbers.get(rank(percentile, count) - 1).copied()
            }
            CorrelationKind::Temporal => {
                Some(self.members.iter().filter(|hits| **hits > 0).count() as f64)
            }
            CorrelationKind::TemporalOrdered => Some(self.chains.longest(now, timespan) as f64),
        }
    }

    /// The values of the correlation's fields: each of one field; of several, those that go together.
    fn combinations(&self, hit: &Hit<T>) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = vec![Vec::new()];
        for &at in &self.node.fields[hit.member] {
            let values = hit.captures.field(at);
            all = all
                .iter()
                .flat_map(|before| {
                    values.clone().map(move |value| {
                        let mut combination = before.clone();
                        packed::push(&mut combination, value);
                        combination
                    })
                })
                .take(MAX_VALUES)
                .collect();
        }
        all
    }

    fn numbers_of(&self, hit: &Hit<T>) -> Vec<f64> {
        let at = self.node.fields[hit.member].first();
        let values = at.into_iter().flat_map(|at| hit.captures.field(*at));
        let numbers = values.filter_map(|value| value.trim().parse::<f64>().ok());
        numbers.filter(|number| number.is_finite()).take(MAX_VALUES).collect()
    }
}

fn take<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Which of so many values, from 1 on, is this percentile by nearest rank. In whole millionths of a percent: 28 % of 25 are 7, and
/// nothing above it.
fn rank(percentile: f64, count: usize) -> usize {
    const MILLION: usize = 1_000_000;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to a hundred millions"
    )]
    let millionths = (percentile * 1e6).round() as usize;
    (millionths * count).div_ceil(100 * MILLION).max(1)
}

/// Chains kept of each length.
const KEPT: usize = 12;
/// Of these, most that end with the same event.
const KEPT_ENDS: usize = 3;

/// For each length the chains of matches in the listed order that began last: they stay in the window longest.
struct Chains {
    best: Vec<VecDeque<Chain>>,
}

#[derive(Clone)]
struct Chain {
    began: Timestamp,
    /// Its events: one event is not two steps.
    events: Vec<u128>,
}

impl Chains {
    /// Takes a hit; those of one time come in the order of their members.
    fn push<T>(&mut self, hit: &Hit<T>) {
        let chains: Vec<Chain> = match hit.member.checked_sub(1) {
            None => vec![Chain { began: hit.time, events: vec![hit.id] }],
            Some(before) => {
                // More than one: a later step may need an event of the first.
                let free = self.best[before].iter().filter(|chain| !chain.events.contains(&hit.id));
                let longer = |chain: &Chain| {
                    let events = chain.events.iter().copied().chain([hit.id]).collect();
                    Chain { began: chain.began, events }
                };
                free.map(longer).take(KEPT_ENDS).collect()
            }
        };
        let best = &mut self.best[hit.member];
        for chain in chains {
            let at = best.partition_point(|other| other.began > chain.began);
            best.insert(at, chain);
        }
        // The same event may have come before: as a match of a rule that is there twice, say.
        let mut ends = 0;
        best.retain(|other| {
            let is_end = other.events.last() == Some(&hit.id);
            ends += usize::from(is_end);
            !is_end || ends <= KEPT_ENDS
        });
        // Some more, for events that another chain has used up.
        best.truncate(KEPT);
    }

    /// The number of steps of the longest chain that is within the timespan.
    fn longest(&self, now: Timestamp, timespan: SignedDuration) -> usize {
        let is_here = |chain: &Chain| now.duration_since(chain.began) <= timespan;
        (0..self.best.len())
            .rev()
            .find(|&step| self.best[step].front().is_some_and(is_here))
            .map_or(0, |step| step + 1)
    }
}

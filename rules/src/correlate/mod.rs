//! Matches → correlations, over event time.
//!
//! ```text
//! match of a rule ──▶ hit: time, identity, the fields that correlations group by
//!   hits ──▶ per correlation, per group: the newest, in order of time    (bounded, see below)
//!   all in ──▶ windows that slide over each group ──▶ bursts ──▶ fires
//!              a fire is a hit of the correlations that are made of it
//! ```
//!
//! A *window* ends at an event and reaches back by the timespan, both ends included. A *burst* is a run of events
//! of a group at each of which the condition holds for the window that ends there; it fires once. So one
//! incident is one finding, however long it lasts. Nothing depends on the order of arrival: what is kept of
//! the hits, when there are too many, is decided by their times and by a hash of their group alone.
//!
//! **Bounds.** Of a group the newest [`MAX_GROUP`] hits are kept, of a correlation [`MAX_HITS`]; where there are
//! more, whole groups are given up, those with the highest hash. Of the bursts of a group the newest [`MAX_BURSTS`] fire. All that
//! is told ([`Outcome::notices`]).

mod group;
mod packed;
mod plan;
#[cfg(test)]
mod tests;
mod window;

use std::ops::{Deref, Range};
use std::sync::Arc;

use jiff::Timestamp;

pub use packed::Captures;
pub(crate) use plan::Plan;

use self::group::Groups;
use self::window::Burst;
use crate::compile::RuleSet;
use crate::link::LinkedCorrelation;

/// Most hits kept of a group: the newest.
pub const MAX_GROUP: usize = 10_000;
/// Most hits kept of a correlation.
pub const MAX_HITS: usize = 100_000;
/// Most bursts of a group that fire: the newest. Of an average that goes up and down there may be as many as hits.
pub const MAX_BURSTS: usize = 64;
/// Most values of a field that a hit may have; of more, these are the first.
const MAX_VALUES: usize = 16;

/// A match, as correlations see it.
#[derive(Clone, Debug)]
pub(crate) struct Hit<T> {
    pub(crate) time: Timestamp,
    /// The event's identity: the same event twice is one hit.
    pub(crate) id: u128,
    /// Which of the correlation's members it is a match of.
    pub(crate) member: usize,
    pub(crate) captures: Captures,
    pub(crate) payload: T,
}

/// A correlation has fired.
#[derive(Clone, Debug)]
pub struct Fire<'a, T> {
    /// Which.
    pub correlation: &'a LinkedCorrelation,
    /// Its index in [`RuleSet::correlations`].
    pub index: usize,
    /// The group: field and value, in the order of `group-by`.
    pub group: Vec<(&'a str, String)>,
    /// The first event of the first window.
    pub from: Timestamp,
    /// The event at which the condition first held.
    pub at: Timestamp,
    /// The last event of the burst.
    pub to: Timestamp,
    /// The highest value that was reached; for temporal correlations the number of rules.
    pub count: f64,
    /// What the caller gave along with the hits of the burst, in order of time.
    pub hits: Run<T>,
    /// Identity: the same burst has the same, as long as its first event is the same.
    pub id: u128,
}

/// Some of a group's hits, one after the other: what was given along with them. Bursts that overlap share it.
#[derive(Clone, Debug)]
pub struct Run<T> {
    all: Arc<Vec<T>>,
    range: Range<usize>,
}

impl<T> Deref for Run<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all[self.range.clone()]
    }
}

/// How far a group came.
#[derive(Clone, Debug)]
pub struct Peak {
    /// The group: field and value.
    pub group: Vec<(String, String)>,
    /// The highest value of a window.
    pub value: f64,
    /// The first event of that window.
    pub from: Timestamp,
    /// Its last event.
    pub to: Timestamp,
    /// How many of its events are matches of each rule, in the order of the correlation's `rules`.
    pub members: Vec<usize>,
}

/// What correlating came to.
#[derive(Debug)]
pub struct Outcome<'a, T> {
    /// What has fired, in order of its end.
    pub fires: Vec<Fire<'a, T>>,
    /// What was left out, and why.
    pub notices: Vec<String>,
    /// Of the correlation that was watched: how far its groups came, the farthest first.
    pub peaks: Vec<Peak>,
    /// What nothing came of.
    pub rest: Rest<T>,
}

/// Matches of which nothing came. They are of no use to anybody; to give their memory back takes as long as to correlate
/// the others, so that whoever is about to end may leave it.
#[derive(Debug)]
pub struct Rest<T>(#[expect(dead_code, reason = "only dropped")] Vec<Groups<T>>);

/// Gathers hits and correlates them.
#[derive(Debug)]
pub struct Correlator<'a, T> {
    set: &'a RuleSet,
    groups: Vec<Groups<T>>,
    untimed: u64,
    watched: Option<usize>,
}

impl<'a, T: Clone> Correlator<'a, T> {
    /// A correlator for the correlations of `set`.
    pub fn new(set: &'a RuleSet) -> Self {
        let groups = set.correlations().iter().map(|_| Groups::default()).collect();
        Self { set, groups, untimed: 0, watched: None }
    }

    /// Notes how far the groups of the correlation with this index come, also where it does not fire.
    #[must_use]
    pub fn watching(mut self, correlation: usize) -> Self {
        self.watched = Some(correlation);
        self
    }

    /// Takes a match of the rule with this index. `id` is the event's identity.
    pub fn add(
        &mut self,
        rule: usize,
        time: Option<Timestamp>,
        id: u128,
        captures: Captures,
        payload: T,
    ) {
        let (plan, all) = (self.set.plan(), self.set.correlations());
        let Some(time) = time else {
            self.untimed += u64::from(plan.is_listened_to(rule));
            return;
        };
        let hit = Hit { time, id, member: 0, captures, payload };
        each_owned(plan.listeners(rule), hit, |&(correlation, member), hit| {
            let (linked, node) = (&all[correlation], &plan.nodes[correlation]);
            self.groups[correlation].add(linked, node, Hit { member, ..hit });
        });
    }

    /// Correlates what has been taken. `payload` makes of a fire what goes along with it as a hit of another
    /// correlation.
    pub fn finish(mut self, mut payload: impl FnMut(&Fire<'a, T>) -> T) -> Outcome<'a, T> {
        let (plan, all) = (self.set.plan(), self.set.correlations());
        let (mut all_fires, mut notices, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
        for (index, correlation) in all.iter().enumerate() {
            let mut groups = std::mem::take(&mut self.groups[index]);
            let title = &correlation.correlation.meta.info.title;
            notices.extend(groups.notices(title));
            let node = &plan.nodes[index];
            let mut fires = Vec::new();
            let is_watched = self.watched == Some(index);
            for (key, group) in groups.take(is_watched) {
                if is_watched
                    && let Some((value, from, to, members)) =
                        window::peak(correlation, node, &group)
                {
                    let names = correlation.correlation.group_by.iter().cloned();
                    let group = names.zip(key.parts().map(ToOwned::to_owned)).collect();
                    peaks.push(Peak { group, value, from, to, members });
                }
                let (bursts, older) = window::bursts(correlation, node, &group);
                if older > 0 {
                    notices.push(format!(
                        "{title}: of the group {} only the newest {MAX_BURSTS} bursts are told, {older} older ones are not",
                        key.named()
                    ));
                }
                if !bursts.is_empty() {
                    let all = Arc::new(group.into_iter().map(|hit| hit.payload).collect());
                    let of = |burst: Burst| burst.into_fire(correlation, index, &key, &all);
                    fires.extend(bursts.into_iter().map(of));
                }
            }
            for (fire, captures) in fires {
                if !node.listeners.is_empty() {
                    let payload = payload(&fire);
                    let hit = Hit { time: fire.at, id: fire.id, member: 0, captures, payload };
                    each_owned(&node.listeners, hit, |&(outer, member), hit| {
                        let (linked, node) = (&all[outer], &plan.nodes[outer]);
                        self.groups[outer].add(linked, node, Hit { member, ..hit });
                    });
                }
                all_fires.push(fire);
            }
            self.groups[index] = groups;
        }
        all_fires.sort_by(|a, b| {
            let id = |fire: &Fire<'_, T>| Arc::clone(&fire.correlation.correlation.meta.info);
            (a.to, &id(a).id, a.from, a.id).cmp(&(b.to, &id(b).id, b.from, b.id))
        });
        peaks.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.group.cmp(&b.group)));
        if self.untimed > 0 {
            notices
                .push(format!("{} matches without a time could not be correlated", self.untimed));
        }
        Outcome { fires: all_fires, notices, peaks, rest: Rest(self.groups) }
    }
}

/// Gives each item a value of its own: the last one the value itself, which is mostly the only one.
fn each_owned<I, T: Clone>(
    items: impl IntoIterator<Item = I>,
    value: T,
    mut take: impl FnMut(I, T),
) {
    let mut items = items.into_iter();
    let Some(mut item) = items.next() else { return };
    for next in items {
        take(std::mem::replace(&mut item, next), value.clone());
    }
    take(item, value);
}

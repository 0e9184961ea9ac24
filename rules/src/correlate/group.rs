//! The hits of a correlation by group, bounded whatever comes.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::HashMap;
use jiff::Timestamp;

use super::packed::{self, Texts};
use super::plan::Node;
use super::window::Reach;
use super::{Captures, Hit, MAX_GROUP, MAX_HITS, each_owned};
use crate::link::LinkedCorrelation;

/// The values of `group-by`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(Box<[u8]>);

impl Key {
    pub(super) fn parts(&self) -> Texts<'_> {
        Texts(&self.0)
    }

    /// As it is told.
    pub(super) fn named(&self) -> String {
        self.parts().collect::<Vec<_>>().join(", ")
    }

    /// The same on every machine and in every run.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
        for part in self.parts() {
            hasher.write_usize(part.len());
            hasher.write(part.as_bytes());
        }
        hasher.finish()
    }
}

/// What orders the hits of a group: time, then what is the same on every machine.
fn order<T>(hit: &Hit<T>) -> (Timestamp, usize, u128) {
    (hit.time, hit.member, hit.id)
}

#[derive(Debug)]
pub(super) struct Group<T> {
    /// In order. Most groups have one, and most hits come in order of time: a tree would take five times the memory.
    hits: VecDeque<Hit<T>>,
    hash: u64,
    reach: Reach,
    /// May a window over these hits hold?
    is_of_use: bool,
}

impl<T> Group<T> {
    fn new(hash: u64) -> Self {
        Self { hits: VecDeque::with_capacity(1), hash, reach: Reach::default(), is_of_use: false }
    }

    /// Counts a hit. Is it this one by which something may come of the group?
    fn count(&mut self, adds: Reach, linked: &LinkedCorrelation) -> bool {
        self.reach.add(adds);
        !std::mem::replace(&mut self.is_of_use, self.reach.can_hold(linked)) && self.is_of_use
    }
}

/// All groups of a correlation.
#[derive(Debug)]
pub(super) struct Groups<T> {
    kept: HashMap<Key, Group<T>>,
    /// Those of which something may come. Most are a match or two, of which nothing can.
    of_use: Vec<Key>,
    total: usize,
    /// Groups whose hash is this or higher are not kept.
    ceiling: Option<u64>,
    /// All that are kept, the highest hash first; from when on there have been too many.
    by_hash: Option<BinaryHeap<(u64, Key)>>,
    /// Groups of which older hits were given up.
    shortened: BTreeMap<Key, u64>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self {
            kept: HashMap::default(),
            of_use: Vec::new(),
            total: 0,
            ceiling: None,
            by_hash: None,
            shortened: BTreeMap::new(),
        }
    }
}

/// Most groups that one hit may belong to, where its fields have several values.
const MAX_KEYS: usize = 64;
/// Most groups that are named as shortened.
const MAX_NAMED: usize = 5;

impl<T: Clone> Groups<T> {
    pub(super) fn add(&mut self, linked: &LinkedCorrelation, node: &Node, mut hit: Hit<T>) {
        let group = &node.group[hit.member];
        let only = only_key(group, &hit);
        let keys = if only.is_none() { keys(group, &hit) } else { Vec::new() };
        let adds = Reach::of(linked, node, &hit);
        // What the group is called by need not be kept once more with each of its hits.
        if !node.reads_captures(hit.member) {
            hit.captures = Captures::default();
        }
        each_owned(only.into_iter().chain(keys), hit, |key, hit| {
            self.add_to(key, hit, adds, linked);
        });
    }

    fn add_to(&mut self, key: Key, hit: Hit<T>, adds: Reach, linked: &LinkedCorrelation) {
        if let Some(group) = self.kept.get_mut(&key) {
            let place = order(&hit);
            let at = group.hits.partition_point(|other| order(other) < place);
            if group.hits.get(at).is_some_and(|other| order(other) == place) {
                return;
            }
            group.hits.insert(at, hit);
            if group.count(adds, linked) {
                self.of_use.push(key.clone());
            }
            if group.hits.len() > MAX_GROUP {
                group.hits.pop_front();
                self.total -= 1;
                *self.shortened.entry(key).or_default() += 1;
            }
        } else {
            let hash = key.hash();
            // A group that was given up stays so.
            if self.ceiling.is_some_and(|ceiling| hash >= ceiling) {
                return;
            }
            let mut group = Group::new(hash);
            group.hits.push_back(hit);
            if group.count(adds, linked) {
                self.of_use.push(key.clone());
            }
            if let Some(by_hash) = &mut self.by_hash {
                by_hash.push((hash, key.clone()));
            }
            self.kept.insert(key, group);
        }
        self.total += 1;
        while self.total > MAX_HITS {
            // The group with the highest hash; which one that is does not depend on who came first.
            let all = || self.kept.iter().map(|(key, group)| (group.hash, key.clone())).collect();
            let by_hash = self.by_hash.get_or_insert_with(all);
            let Some((hash, key)) = by_hash.pop() else { break };
            if let Some(group) = self.kept.remove(&key) {
                self.total -= group.hits.len();
                self.ceiling = Some(hash);
            }
        }
    }

    pub(super) fn notices(&self, title: &str) -> Vec<String> {
        let mut notices = Vec::new();
        if self.ceiling.is_some() {
            notices.push(format!(
                "{title}: more than {MAX_HITS} matches; some groups were not correlated"
            ));
        }
        let named = self.shortened.iter().filter(|(key, _)| self.kept.contains_key(*key));
        for (key, dropped) in named.take(MAX_NAMED) {
            notices.push(format!(
                "{title}: of the group {} only the newest {MAX_GROUP} matches were correlated, {dropped} older ones \
                 were not",
                key.named()
            ));
        }
        notices
    }

    /// Takes the groups of which something may come, or all, in a fixed order.
    pub(super) fn take(&mut self, all: bool) -> impl Iterator<Item = (Key, Vec<Hit<T>>)> {
        let mut keys = std::mem::take(&mut self.of_use);
        if all {
            keys = self.kept.keys().cloned().collect();
        }
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| {
            let group = self.kept.remove(&key)?;
            Some((key, group.hits.into()))
        })
    }
}

/// The group of a hit that has one value of each field, as most have.
fn only_key<T>(group: &[usize], hit: &Hit<T>) -> Option<Key> {
    let mut length = 0;
    for &at in group {
        let mut values = hit.captures.field(at);
        length += packed::length(values.next()?);
        if values.next().is_some() {
            return None;
        }
    }
    let mut key = Vec::with_capacity(length);
    for &at in group {
        hit.captures.field(at).for_each(|value| packed::push(&mut key, value));
    }
    Some(Key(key.into_boxed_slice()))
}

/// The groups that a hit belongs to: one for each combination of its values. None where a value is missing:
/// that two events lack the same thing does not join them.
fn keys<T>(group: &[usize], hit: &Hit<T>) -> Vec<Key> {
    let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
    for &at in group {
        let values = hit.captures.field(at);
        keys = keys
            .iter()
            .flat_map(|key| {
                values.clone().map(move |value| {
                    let mut key = key.clone();
                    packed::push(&mut key, value);
                    key
                })
            })
            .take(MAX_KEYS)
            .collect();
    }
    keys.into_iter().map(|key| Key(key.into_boxed_slice())).collect()
}

//! Which records have been seen before: CloudTrail may deliver one twice, in different files.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::{FixedState, RandomState};

/// Ids remembered at least: copies lie close together in time, and files are read in order of time.
const WINDOW: usize = 1 << 20;
/// Independent parts, so that threads seldom wait for one another.
const SHARDS: usize = 16;

/// Event ids seen lately, in bounded memory: two generations of which the older is dropped when the
/// younger is full.
pub(crate) struct Seen {
    shards: Vec<Mutex<Shard>>,
    /// The same in every process, so that what is forgotten is as well.
    hasher: FixedState,
}

/// Half of each id's bits, mixed: two of a million ids are taken for one another once in ten million runs, and what
/// that decides is a count. (Whole ids took a fifth more time: they do not fit the cache.)
#[derive(Default)]
struct Shard {
    young: HashSet<u64, RandomState>,
    old: HashSet<u64, RandomState>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: FixedState::default(),
        }
    }

    /// Notes an id; `true` if it had been seen.
    pub(crate) fn note(&self, id: &str, account: Option<&str>) -> bool {
        let hash = |part: u8| u128::from(self.hasher.hash_one((part, id)));
        // Not a UUID: two hashes with different keys, 128 bits, as good as the id itself.
        let key = uuid(id).unwrap_or_else(|| hash(0) << 64 | hash(1));
        // Copies to several accounts are events of each (CloudTrail: `sharedEventID`).
        let key = key ^ account.map_or(0, |account| u128::from(self.hasher.hash_one(account)));
        let spread = usize::try_from((key ^ key >> 64) % SHARDS as u128).unwrap_or(0);
        let key = self.hasher.hash_one(key);
        let mut shard = self.shards[spread].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.old.contains(&key) || !shard.young.insert(key) {
            return true;
        }
        if shard.young.len() >= WINDOW / SHARDS {
            shard.old = std::mem::take(&mut shard.young);
        }
        false
    }
}

/// The number that a UUID in its usual form stands for.
fn uuid(text: &str) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut value = 0;
    for (at, byte) in text.bytes().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let seen = Seen::new();
        for id in ["6a7e1a3c-0000-4000-8000-000000000001", "not a uuid", ""] {
            assert!(!seen.note(id, None), "{id}");
            assert!(seen.note(id, None), "{id}");
            assert!(!seen.note(id, Some("111122223333")), "{id}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let seen = Seen::new();
        for n in 0..WINDOW * 3 {
            seen.note(&format!("{n:08x}-0000-4000-8000-000000000000"), None);
        }
        let kept: usize = seen
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.young.len() + shard.old.len()
            })
            .sum();
        assert!(kept <= 2 * WINDOW, "{kept}");
    }
}

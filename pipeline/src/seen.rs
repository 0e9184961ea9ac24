//! Which records have been seen before: CloudTrail may deliver one twice, in different files.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

/// Ids remembered at least: copies lie close together in time, and files are read in order of time.
const WINDOW: usize = 1 << 20;
/// Independent parts, so that threads seldom wait for one another.
const SHARDS: usize = 16;

/// Event ids seen lately, in bounded memory: two generations of which the older is dropped when the
/// younger is full.
pub(crate) struct Seen {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    young: HashSet<u128, RandomState>,
    old: HashSet<u128, RandomState>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Notes an id; `true` if it had been seen.
    pub(crate) fn note(&self, id: &str) -> bool {
        let key = uuid(id).unwrap_or_else(|| {
            // Two hashes with different keys: 128 bits, as good as the id itself.
            let high = u128::from(self.hasher.hash_one((0_u8, id)));
            high << 64 | u128::from(self.hasher.hash_one((1_u8, id)))
        });
        let spread = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
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
            assert!(!seen.note(id), "{id}");
            assert!(seen.note(id), "{id}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let seen = Seen::new();
        for n in 0..WINDOW * 3 {
            seen.note(&format!("{n:08x}-0000-4000-8000-000000000000"));
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

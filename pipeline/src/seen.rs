//! Which records have been seen before: CloudTrail may deliver one twice, in different files.

use std::hash::BuildHasher as _;
use std::hint::black_box;

use foldhash::fast::FixedState;

/// Ids remembered, about: copies lie close together in time, and files are read in order of time.
const REMEMBERED: usize = 1 << 21;
/// Ids that share a line of the processor's cache: one look into memory tells.
const WAYS: usize = 8;

/// Ids that are looked up together.
const TOGETHER: usize = 128;

const LINES: u64 = (REMEMBERED / WAYS) as u64;

/// An id, mixed.
#[derive(Clone, Copy)]
pub(crate) struct Key(u64);

impl Key {
    /// Of an id, and the account that the record was for: copies to several accounts are events of each (CloudTrail:
    /// `sharedEventID`). The same in every process, so that what is forgotten is as well.
    pub(crate) fn of(id: &[u8], account: Option<&[u8]>) -> Self {
        Self(FixedState::default().hash_one((id, account)).max(1))
    }
}

/// Event ids seen lately, in bounded memory: a new id takes the place of an old one where its line is full.
///
/// An id is known by half of its bits, mixed: two of a million are taken for one another once in ten million
/// runs, and what that decides is a count.
pub(crate) struct Seen {
    /// Zero is an empty place. Memory that was never written to costs nothing.
    places: Vec<u64>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self { places: vec![0; REMEMBERED] }
    }

    /// Notes ids; returns how many of them had been seen.
    pub(crate) fn note(&mut self, keys: &[Key]) -> u64 {
        keys.chunks(TOGETHER).map(|keys| self.note_some(keys)).sum()
    }

    /// Many at once, since each waits for memory, and they can wait together.
    fn note_some(&mut self, keys: &[Key]) -> u64 {
        let (lines, _) = self.places.as_chunks_mut::<WAYS>();
        let mut known = 0;
        // Nothing else is done with what lies there: the first look brings all lines near at once, the second one decides. It
        // writes, since memory that was only read of is not there yet, and would have to be asked for twice.
        for Key(key) in keys {
            let first = &mut lines[(key % LINES) as usize][0];
            *first = black_box(*first);
        }
        for Key(key) in keys {
            // The lower bits choose the line, the uppermost what is forgotten.
            let line = &mut lines[(key % LINES) as usize];
            match line.iter().position(|place| *place == *key || *place == 0) {
                Some(at) if line[at] == *key => known += 1,
                Some(at) => line[at] = *key,
                None => line[(key >> 61) as usize] = *key,
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut seen = Seen::new();
        for id in ["6a7e1a3c-0000-4000-8000-000000000001", "not a uuid", ""] {
            assert!(!seen.one(id, None), "{id}");
            assert!(seen.one(id, None), "{id}");
            assert!(!seen.one(id, Some("111122223333")), "{id}");
        }
    }

    impl Seen {
        fn one(&mut self, id: &str, account: Option<&str>) -> bool {
            self.note(&[Key::of(id.as_bytes(), account.map(str::as_bytes))]) == 1
        }
    }

    fn id(n: usize) -> String {
        format!("{n:08x}-0000-4000-8000-000000000000")
    }

    #[test]
    fn what_came_lately_is_remembered_however_much_came_before() {
        let mut seen = Seen::new();
        let wrong = (0..3 * REMEMBERED).filter(|n| seen.one(&id(*n), None)).count();
        assert_eq!(wrong, 0);
        let late = 3 * REMEMBERED - 100_000..3 * REMEMBERED;
        let forgotten = late.filter(|n| !seen.one(&id(*n), None)).count();
        assert!(forgotten < 6_000, "{forgotten} of 100,000");
    }
}

//! Who has been on which node: so that the first time can be told.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use foldhash::{HashSet, HashSetExt as _};
use jiff::Timestamp;
use jiff::civil::Date;

use super::symbols::{Flags, Numbers, Texts};
use crate::store::{Activity, Store, StoreError, day};

/// Pairs of a principal and a node, by hashes as wide as two, with seeds that nobody outside knows.
#[derive(Debug)]
pub struct Pairs {
    seeds: [RandomState; 2],
    met: HashSet<[u64; 2]>,
}

impl Pairs {
    /// Those of sessions that were opened from that day on, before `until`.
    pub fn read(store: &Store, from: Date, until: Timestamp) -> Result<Self, StoreError> {
        let mut this = Self { seeds: Default::default(), met: HashSet::new() };
        let files = store.files::<Activity>(Some(from), day(Some(until)))?;
        let columns = ["time", "principal", "target", "error_code", "opens_session"];
        store.fold(&files, &columns, &[], |batch| {
            let texts = |name| Texts::of(batch, name);
            let (principals, targets) = (texts("principal"), texts("target"));
            let (errors, opens) = (texts("error_code"), Flags::of(batch, "opens_session"));
            let times = Numbers::of(batch, "time");
            for at in 0..batch.num_rows() {
                let is_before = times.get(at).is_some_and(|time| time < until.as_microsecond());
                if opens.get(at) == Some(true)
                    && errors.get(at).is_none()
                    && is_before
                    && let (Some(principal), Some(target)) = (principals.get(at), targets.get(at))
                {
                    this.meet(principal, target);
                }
            }
        })?;
        Ok(this)
    }

    /// Is nothing known?
    pub fn is_empty(&self) -> bool {
        self.met.is_empty()
    }

    /// They meet: is it the first time?
    pub fn meet(&mut self, principal: &str, target: &str) -> bool {
        let key = [0, 1].map(|at| self.seeds[at].hash_one((principal, target)));
        self.met.insert(key)
    }
}

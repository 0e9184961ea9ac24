//! How far a source has been read, so that what is older need not be listed again.
//!
//! `checkpoints/<source>/<day>.json`, created by the first run of a day that met no trouble. It saves work and decides
//! nothing: what has been read stands in the ledger.

use jiff::Timestamp;
use report::store::{Store, StoreError, day};
use serde::{Deserialize, Serialize};

/// What a source has been read up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The source, as the user called it.
    pub source: String,
    /// What was there before has been read.
    pub until: Timestamp,
}

impl Checkpoint {
    fn folder(source: &str) -> String {
        format!("checkpoints/{}", crate::finding::id(&[b"source", source.as_bytes()]).0)
    }

    /// The latest of a source.
    pub fn read(store: &Store, source: &str) -> Result<Option<Self>, StoreError> {
        let entries = store.list(&Self::folder(source))?;
        let Some(last) = entries.into_iter().map(|entry| entry.path).max() else { return Ok(None) };
        let Some(bytes) = store.get(&last)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| StoreError::Json { path: last, source })
    }

    /// Keeps it, if it is the first of its day.
    pub fn write(&self, store: &Store) -> Result<(), StoreError> {
        let Some(day) = day(Some(self.until)) else { return Ok(()) };
        let json = serde_json::to_vec_pretty(self).expect("plain values are JSON");
        store.create(&format!("{}/{day}.json", Self::folder(&self.source)), json)?;
        store.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_counts_and_the_first_of_a_day_stays() {
        let root = tempfile::TempDir::new().unwrap();
        let store = Store::open(root.path().to_str().unwrap()).unwrap();
        let at = |until: &str| Checkpoint {
            source: "cwl://a".to_owned(),
            until: until.parse().unwrap(),
        };
        assert_eq!(Checkpoint::read(&store, "cwl://a").unwrap(), None);
        for until in ["2026-10-02T08:00:00Z", "2026-10-02T09:00:00Z", "2026-10-01T09:00:00Z"] {
            at(until).write(&store).unwrap();
        }
        assert_eq!(Checkpoint::read(&store, "cwl://a").unwrap(), Some(at("2026-10-02T08:00:00Z")));
        assert_eq!(Checkpoint::read(&store, "cwl://b").unwrap(), None);
    }
}

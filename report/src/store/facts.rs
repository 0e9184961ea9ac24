//! Tables of facts: files of rows, which of them count, and how they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::objects::{Entry, Store, StoreError};
use super::parquet;
use super::rows::{Activity, CommandRow, FindingRow, Transcript};
use super::table::Row;
use crate::turn::Turn;

/// A file of facts that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Below the root.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// Of the bytes.
    pub sha256: [u8; 32],
    /// Rows in it.
    pub rows: u64,
}

/// What files were replaced by which: `compacted/<table>/date=D/<hash>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compacted {
    /// When.
    pub time: Timestamp,
    /// The file with the same rows.
    pub into: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub into_sha256: String,
    /// Rows in it.
    pub into_rows: u64,
    /// The files that it replaces.
    pub replaces: Vec<Replaced>,
}

/// A file that was replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replaced {
    /// Below the root.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
}

/// How a file is opened.
type Open<'a> =
    dyn Fn(Bytes) -> Result<parquet::Batches, ::parquet::errors::ParquetError> + Sync + 'a;

/// Bytes of files that a thread reads at once, and their number.
const PART: u64 = 1 << 20;
const MANY: usize = 128;

/// Files, a large one or many small ones together.
fn parts(files: &[Entry]) -> Vec<&[Entry]> {
    let mut parts = Vec::new();
    let mut rest = files;
    while !rest.is_empty() {
        let mut bytes = 0;
        let most = rest.iter().take(MANY).position(|file| {
            bytes += file.size;
            bytes > PART
        });
        let (part, behind) = rest.split_at(most.unwrap_or(MANY).clamp(1, rest.len()));
        parts.push(part);
        rest = behind;
    }
    parts
}

/// A partition without a date: what Hive, and after it every engine, calls one of null.
pub(crate) const NO_DATE: &str = "__HIVE_DEFAULT_PARTITION__";

impl Store {
    /// From now on it knows only the files of facts that are there now, and remembers which of them were read, with their hashes.
    /// Records are listed last: whoever ingests meanwhile adds nothing to what is found that is not known to be anybody's.
    pub fn witnessed(mut self) -> Result<Self, StoreError> {
        let mut listed = BTreeMap::new();
        listed.insert(FindingRow::TABLE, self.files::<FindingRow>(None, None)?);
        listed.insert(CommandRow::TABLE, self.files::<CommandRow>(None, None)?);
        listed.insert(Transcript::TABLE, self.files::<Transcript>(None, None)?);
        listed.insert(Activity::TABLE, self.files::<Activity>(None, None)?);
        self.listed = listed;
        self.witness = Some(Mutex::default());
        Ok(self)
    }

    /// The files of facts that were read since [`Store::witnessed`], by their paths.
    pub fn witness(&self) -> Vec<Witnessed> {
        let witness =
            self.witness.as_ref().map(|w| w.lock().unwrap_or_else(PoisonError::into_inner));
        witness.map(|witness| witness.values().cloned().collect()).unwrap_or_default()
    }

    fn testify(&self, path: &str, bytes: &[u8], batches: &[RecordBatch]) {
        let Some(witness) = &self.witness else { return };
        let lock = || witness.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().contains_key(path) {
            return;
        }
        let sha256 = <[u8; 32]>::from(Sha256::digest(bytes));
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let seen = Witnessed { path: path.to_owned(), bytes: bytes.len() as u64, sha256, rows };
        lock().insert(path.to_owned(), seen);
    }

    /// Writes rows of a day; tells the file. Whose they are is told by `name`.
    pub fn write<R: Row>(
        &self,
        day: Option<Date>,
        name: &str,
        rows: Vec<R>,
    ) -> Result<String, StoreError> {
        let (path, bytes) = Self::encode(day, name, rows)?;
        self.create(&path, bytes)?;
        Ok(path)
    }

    /// A file of rows of a day, and its path.
    pub fn encode<R: Row>(
        day: Option<Date>,
        name: &str,
        mut rows: Vec<R>,
    ) -> Result<(String, Vec<u8>), StoreError> {
        let path = format!("{}{name}.parquet", partition::<R>(day));
        let bytes = parquet::encode(&mut rows)
            .map_err(|source| StoreError::Parquet { path: path.clone(), source })?;
        Ok((path, bytes))
    }

    /// What was compacted of a table and counts: the new file is there, or what has replaced it in turn. And which files the table
    /// has. Both from this day on.
    pub fn compacted<R: Row>(
        &self,
        since: Option<Date>,
    ) -> Result<(Vec<Compacted>, BTreeSet<String>), StoreError> {
        // In this order: who has seen a new file sees its note.
        let there = self.list_since(&format!("facts/{}", R::TABLE), since)?;
        let there = there.into_iter().map(|entry| entry.path).collect();
        Ok((counting(self.notes::<R>(since)?, &there), there))
    }

    fn notes<R: Row>(&self, since: Option<Date>) -> Result<Vec<Compacted>, StoreError> {
        let mut notes = Vec::new();
        for entry in self.list_since(&format!("compacted/{}", R::TABLE), since)? {
            if entry.path.contains("/claims/") {
                continue;
            }
            let Some(bytes) = self.get_kept(&entry.path)? else { continue };
            let note = serde_json::from_slice(&bytes)
                .map_err(|source| StoreError::Json { path: entry.path, source })?;
            notes.push(note);
        }
        Ok(notes)
    }

    /// The files of a table, those of these days (both included) and those without a day.
    pub fn files<R: Row>(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Vec<Entry>, StoreError> {
        let is_listed = self.listed.get(R::TABLE);
        let mut files = match is_listed {
            Some(listed) => listed.clone(),
            None => self.list_since(&format!("facts/{}", R::TABLE), since)?,
        };
        // Whatever else lies there is no fact.
        files.retain(|file| file.path.ends_with(".parquet"));
        files.retain(|file| {
            let day = file.path.split('/').find_map(|part| part.strip_prefix("date="));
            let Some(day) = day.and_then(|day| day.parse::<Date>().ok()) else { return true };
            since.is_none_or(|since| day >= since) && until.is_none_or(|until| day <= until)
        });
        // Files that another one replaces, if that is there.
        if is_listed.is_none() && files.iter().any(|file| file.path.contains("/c-")) {
            let notes = self.notes::<R>(since)?;
            let into: BTreeSet<String> = notes.iter().map(|note| note.into.clone()).collect();
            let there = files.iter().map(|file| file.path.clone()).collect();
            let done = counting(notes, &there);
            // What two processes have put together twice counts once.
            let counts: BTreeSet<&String> = done.iter().map(|note| &note.into).collect();
            let replaced: BTreeSet<&String> =
                done.iter().flat_map(|note| &note.replaces).map(|r| &r.path).collect();
            files.retain(|file| {
                !replaced.contains(&file.path)
                    && (!into.contains(&file.path) || counts.contains(&file.path))
            });
        }
        Ok(files)
    }

    /// Calls `each` for the rows of each file, in the files' order. Several are read at a time.
    pub fn read<R: Row>(
        &self,
        files: &[Entry],
        columns: &[&str],
        each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        self.read_as(files, &|bytes| parquet::Batches::open(bytes, columns), each)
    }

    /// The same for a fold: texts come with their dictionaries, but for those in `plain`.
    pub(crate) fn fold(
        &self,
        files: &[Entry],
        columns: &[&str],
        plain: &[&str],
        each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        self.read_as(files, &|bytes| parquet::Batches::fold(bytes, columns, plain), each)
    }

    /// Several threads read while the rows are taken in the files' order; they do not run far ahead.
    fn read_as(
        &self,
        files: &[Entry],
        open: &Open<'_>,
        mut each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        let one = |file: &Entry| {
            let bytes =
                self.get_kept(&file.path)?.ok_or_else(|| StoreError::Gone(file.path.clone()))?;
            let failed = |source| StoreError::Parquet { path: file.path.clone(), source };
            let batches = open(bytes.clone()).map_err(failed)?;
            let batches = batches.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            self.testify(&file.path, &bytes, &batches);
            Ok(batches)
        };
        let processors = std::thread::available_parallelism().map_or(1, Into::into);
        let threads = if self.directory.is_some() { processors } else { processors.max(4) * 4 };
        if files.len() <= 1 {
            for file in files {
                one(file)?.iter().for_each(&mut each);
            }
            return Ok(());
        }
        let parts = parts(files);
        let (next, turn) = (AtomicUsize::new(0), Turn::default());
        let (send, receive) = sync_channel(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(parts.len()) {
                let (send, next, turn, one, parts) = (send.clone(), &next, &turn, &one, &parts);
                scope.spawn(move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(files) = parts.get(at) else { break };
                        turn.wait(|front| at < front.saturating_add(threads * 2));
                        // Nobody listens any more: something failed.
                        let read: Result<Vec<_>, StoreError> = files.iter().map(one).collect();
                        if send.send((at, read)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            // Both end with this, however it ends: nobody waits for what nobody takes.
            let (_release, receive) = (turn.release(), receive);
            let (mut taken, mut waiting) = (0, BTreeMap::new());
            for (at, read) in &receive {
                waiting.insert(at, read);
                while let Some(read) = waiting.remove(&taken) {
                    read?.iter().flatten().for_each(&mut each);
                    taken += 1;
                }
                turn.advance(taken);
            }
            Ok(())
        })
    }

    /// All rows of a table, of these days.
    pub fn rows<R: Row>(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Vec<R>, StoreError> {
        let mut rows = Vec::new();
        let files = self.files::<R>(since, until)?;
        self.read::<R>(&files, &[], |batch| rows.extend(R::read(batch)))?;
        Ok(rows)
    }
}

/// The notes whose new file is there, or has been replaced in turn by one that is.
fn counting(notes: Vec<Compacted>, there: &BTreeSet<String>) -> Vec<Compacted> {
    let (mut done, mut waiting): (Vec<_>, Vec<_>) =
        notes.into_iter().partition(|note| there.contains(&note.into));
    // A file is replaced once: of notes that name the same one the first by its file counts.
    done.sort_by(|a, b| (&a.into, a.time).cmp(&(&b.into, b.time)));
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    done.retain(|note| {
        let is_first =
            |replaced: &Replaced| taken.get(&replaced.path).is_none_or(|into| *into == note.into);
        let counts = note.replaces.iter().all(is_first);
        if counts {
            taken.extend(note.replaces.iter().map(|r| (r.path.clone(), note.into.clone())));
        }
        counts
    });
    loop {
        let replaced: BTreeSet<&str> =
            done.iter().flat_map(|note| &note.replaces).map(|r| r.path.as_str()).collect();
        let (more, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|note| replaced.contains(note.into.as_str()));
        if more.is_empty() {
            return done;
        }
        done.extend(more);
        waiting = rest;
    }
}

/// The folder of a day's rows.
fn partition<R: Row>(day: Option<Date>) -> String {
    let day = day.map_or_else(|| NO_DATE.to_owned(), |day| day.to_string());
    format!("facts/{}/date={day}/", R::TABLE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_broken_file_is_named_and_ends_the_reading() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        for at in 0..1_000 {
            let row = FindingRow { finding_id: at.to_string(), ..FindingRow::default() };
            store.write(None, &format!("{at:04}"), vec![row]).unwrap();
        }
        assert_eq!(store.rows::<FindingRow>(None, None).unwrap().len(), 1_000);
        store.create(&format!("{}0500-1.parquet", partition::<FindingRow>(None)), "PAR1").unwrap();
        let error = store.rows::<FindingRow>(None, None).unwrap_err();
        assert!(error.to_string().contains("0500-1.parquet"), "{error}");
    }

    #[test]
    fn what_was_read_of_a_bucket_is_not_fetched_again() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        let objects = Arc::new(object_store::memory::InMemory::new());
        let store = Store { objects, directory: None, ..store }.keeping(1 << 20);
        for at in 0..3 {
            let row = FindingRow { finding_id: at.to_string(), ..FindingRow::default() };
            store.write(None, &at.to_string(), vec![row]).unwrap();
        }
        let files = store.files::<FindingRow>(None, None).unwrap();
        let ids = || {
            let mut ids = Vec::new();
            store
                .read::<FindingRow>(&files, &[], |batch| {
                    ids.extend(FindingRow::read(batch).into_iter().map(|row| row.finding_id));
                })
                .map(|()| ids)
        };
        assert_eq!(ids().unwrap(), ["0", "1", "2"]);
        // Were they fetched, it would be seen now.
        store.remove(&files[1].path).unwrap();
        assert_eq!(ids().unwrap(), ["0", "1", "2"]);
        store.forget_unread().unwrap();
        assert_eq!(ids().unwrap(), ["0", "1", "2"]);
        store.forget_unread().unwrap();
        store.forget_unread().unwrap();
        assert!(matches!(ids(), Err(StoreError::Gone(path)) if path == files[1].path));
    }

    #[test]
    fn files_are_those_of_the_days_that_are_asked_about() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        let day = |day| jiff::civil::date(2026, 10, day);
        for at in 1..=4 {
            store.write(Some(day(at)), "a", vec![FindingRow::default()]).unwrap();
        }
        store.write(None, "a", vec![FindingRow::default()]).unwrap();
        let days = |since: i8, until: i8| {
            let files = store.files::<FindingRow>(Some(day(since)), Some(day(until))).unwrap();
            let day = |file: &Entry| {
                file.path.split("date=").nth(1).unwrap().split('/').next().unwrap().to_owned()
            };
            files.iter().map(day).collect::<Vec<_>>()
        };
        assert_eq!(days(2, 3), ["2026-10-02", "2026-10-03", NO_DATE]);
        assert_eq!(days(5, 9), [NO_DATE]);
    }

    #[test]
    fn who_takes_no_more_keeps_nobody_waiting() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        for at in 0..1_000 {
            store.write(None, &format!("{at:04}"), vec![FindingRow::default()]).unwrap();
        }
        let files = store.files::<FindingRow>(None, None).unwrap();
        let read = std::panic::AssertUnwindSafe(|| {
            store.read::<FindingRow>(&files, &[], |_| panic!("a bug in a fold"))
        });
        assert!(std::panic::catch_unwind(read).is_err());
    }
}

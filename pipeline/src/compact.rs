//! Many small files of facts → few, beside whoever reads and writes.
//!
//! ```text
//! facts/<table>/date=D/<artifact id>.parquet …                   what there is
//! compacted/<table>/date=D/<hash>.json                           first: what is to be replaced by what
//! facts/<table>/date=D/c-<hash>.parquet                          then: the same rows in one file
//! …                                                              later: what was replaced is removed
//! ```
//!
//! A reader lists facts, then what was compacted: if it has seen the new file it has seen the note, and leaves the old ones out
//! ([`Store::files`]). What was replaced is removed an hour later, when nobody reads by an old listing any more. Only what the
//! ledger has is taken: an artifact that is not there yet is read again, and its file is written again.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use report::store::{
    Activity, CommandRow, Compacted, Entry, FindingRow, MatchRow, Replaced, Row, Store, StoreError,
    Transcript,
};
use report::write::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// From this day on.
    pub since: Option<Date>,
    /// To this day.
    pub until: Option<Date>,
    /// What was replaced is removed from this day on; without one, wherever it lies.
    pub remove_since: Option<Date>,
    /// The time that it is.
    pub now: Timestamp,
    /// A day with fewer files is left alone.
    pub min_files: usize,
    /// What was replaced so long ago is removed.
    pub keep: SignedDuration,
    /// Only tell.
    pub is_trial: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Days of tables that were looked at.
    pub days: u64,
    /// Files that were replaced, or would be.
    pub replaced: u64,
    /// Files that they became.
    pub written: u64,
    /// Rows in them.
    pub rows: u64,
    /// Files that were removed, or would be: replaced by an earlier run.
    pub removed: u64,
    /// Days that another process is at.
    pub busy: u64,
}

/// Bytes of files that become one. Compressed rows, so memory is a few times that.
const TOGETHER: u64 = 32 << 20;
/// A claim that is older belongs to a process that is gone: a function may run for a quarter of an hour, and one that comes every
/// hour finds what the last one left. Who takes longer looks before each file if it is still theirs.
const LEASE: SignedDuration = SignedDuration::from_mins(30);

/// Compacts the days of a store.
pub fn compact(store: &Store, options: &Options) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    table::<Activity>(store, options, &mut summary)?;
    table::<Transcript>(store, options, &mut summary)?;
    table::<CommandRow>(store, options, &mut summary)?;
    table::<MatchRow>(store, options, &mut summary)?;
    table::<FindingRow>(store, options, &mut summary)?;
    Ok(summary)
}

fn table<R: Row>(
    store: &Store,
    options: &Options,
    summary: &mut Summary,
) -> Result<(), StoreError> {
    remove::<R>(store, options, summary)?;
    let mut days: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for file in store.files::<R>(options.since, options.until)? {
        let Some((folder, _)) = file.path.rsplit_once('/') else { continue };
        days.entry(folder.to_owned()).or_default().push(file);
    }
    for (folder, mut files) in days {
        summary.days += 1;
        let are_few = |files: &[Entry]| files.len() < options.min_files.max(2);
        if are_few(&files) {
            continue;
        }
        // Asked by name: a ledger has an entry for every artifact of years.
        let ledger = store.having(files.iter().filter_map(ledger_of).collect())?;
        files.retain(|file| ledger_of(file).is_none_or(|entry| ledger.contains(&entry)));
        // Each may be so large already that none becomes one with its neighbour.
        if are_few(&files) || groups(&files).next().is_none() {
            continue;
        }
        if options.is_trial {
            summary.replaced += files.len() as u64;
            summary.written += groups(&files).count() as u64;
            continue;
        }
        let claim = folder.replacen("facts/", "compacted/", 1);
        let Some(claim) = claim_of(store, &claim, options.now)? else {
            summary.busy += 1;
            continue;
        };
        for group in groups(&files) {
            if !is_still_ours(store, &claim)? {
                // It took so long that another process has taken over.
                summary.busy += 1;
                return Ok(());
            }
            replace::<R>(store, &folder, group, options.now, summary)?;
        }
        store.create(&format!("{claim}.done.json"), "{}")?;
        store.sync()?;
    }
    Ok(())
}

/// The entry of the ledger without which this file may be written again; `None`: nobody will. What an artifact became is whole
/// when the ledger has it; what a sweep found has a name of its own each time.
fn ledger_of(file: &Entry) -> Option<String> {
    let name = file.path.rsplit('/').next()?;
    let id = name.strip_suffix(".parquet")?.split('-').next()?;
    let is_artifact = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_artifact.then(|| crate::ingest::ledger(id))
}

/// Files, as many together as become one; one alone stays what it is.
fn groups(files: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    let mut rest = files;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let many = rest.iter().take_while(|file| {
            bytes += file.size;
            bytes <= TOGETHER
        });
        let (group, behind) = rest.split_at(many.count().max(1));
        rest = behind;
        Some(group)
    })
    .filter(|group| group.len() > 1)
}

/// Who creates it is the one who compacts this day.
fn claim_of(store: &Store, folder: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
    #[derive(Serialize, Deserialize)]
    struct Claim {
        claimed: Timestamp,
    }
    let claims = format!("{folder}/claims");
    let entries = store.list(&claims)?;
    let number =
        |path: &str| -> Option<u32> { path.rsplit('/').next()?.split('.').next()?.parse().ok() };
    let last = entries.iter().filter_map(|entry| number(&entry.path)).max();
    if let Some(last) = last {
        let is_done =
            entries.iter().any(|entry| entry.path.ends_with(&format!("/{last}.done.json")));
        let path = format!("{claims}/{last}.json");
        let claim = store.get(&path)?;
        let claim = claim.map(|bytes| serde_json::from_slice::<Claim>(&bytes)).transpose();
        let claim = claim.map_err(|source| StoreError::Json { path, source })?;
        let is_gone = claim.is_none_or(|claim| now.duration_since(claim.claimed) >= LEASE);
        if !is_done && !is_gone {
            return Ok(None);
        }
    }
    let next = format!("{claims}/{}", last.map_or(1, |last| last + 1));
    let json = serde_json::to_vec(&Claim { claimed: now }).expect("plain values are JSON");
    let is_ours = store.create(&format!("{next}.json"), json)?;
    store.sync()?;
    Ok(is_ours.then_some(next))
}

/// Has nobody taken over since?
fn is_still_ours(store: &Store, claim: &str) -> Result<bool, StoreError> {
    let Some((folder, number)) = claim.rsplit_once('/') else { return Ok(false) };
    let next = number.parse::<u32>().map_or(1, |number| number + 1);
    Ok(!store.has(&format!("{folder}/{next}.json"))?)
}

/// The same rows in one file.
fn replace<R: Row>(
    store: &Store,
    folder: &str,
    files: &[Entry],
    now: Timestamp,
    summary: &mut Summary,
) -> Result<(), StoreError> {
    let (mut rows, mut replaces, mut whole) = (Vec::new(), Vec::new(), Sha256::new());
    for file in files {
        let bytes = store.get(&file.path)?.ok_or_else(|| StoreError::Gone(file.path.clone()))?;
        let sha256 = hex(&Sha256::digest(&bytes));
        whole.update(format!("{} {sha256}\n", file.path));
        let own: Vec<R> = report::store::decode(bytes.clone())
            .map_err(|source| StoreError::Parquet { path: file.path.clone(), source })?;
        replaces.push(Replaced {
            path: file.path.clone(),
            bytes: bytes.len() as u64,
            sha256,
            rows: own.len() as u64,
        });
        rows.extend(own);
    }
    let hash = hex(&whole.finalize()[..16]);
    let into = format!("{folder}/c-{hash}.parquet");
    let count = rows.len() as u64;
    let bytes = report::store::encode(&mut rows)
        .map_err(|source| StoreError::Parquet { path: into.clone(), source })?;
    let note = Compacted {
        time: now,
        into: into.clone(),
        into_sha256: hex(&Sha256::digest(&bytes)),
        into_rows: count,
        replaces,
    };
    let json = serde_json::to_vec_pretty(&note).expect("plain values are JSON");
    // The note first: who sees the file sees the note.
    // Another run, after one that died between the two, has a note of its own: what is replaced is kept from then on.
    let notes = folder.replacen("facts/", "compacted/", 1);
    store.create(&format!("{notes}/{hash}-{}.json", now.as_second()), json)?;
    store.sync()?;
    store.create(&into, bytes)?;
    store.sync()?;
    summary.replaced += files.len() as u64;
    summary.written += 1;
    summary.rows += count;
    Ok(())
}

/// Removes what was replaced long enough ago.
fn remove<R: Row>(
    store: &Store,
    options: &Options,
    summary: &mut Summary,
) -> Result<(), StoreError> {
    let (notes, there) = store.compacted::<R>(options.remove_since)?;
    let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
    for note in &notes {
        let time = last.entry(note.into.clone()).or_insert(note.time);
        *time = note.time.max(*time);
    }
    for note in notes {
        let note = Compacted { time: last[&note.into], ..note };
        let is_old = options.now.duration_since(note.time) >= options.keep;
        if !is_old {
            continue;
        }
        for replaced in note.replaces.iter().filter(|replaced| there.contains(&replaced.path)) {
            if !options.is_trial {
                store.remove(&replaced.path)?;
            }
            summary.removed += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(store: &Store) -> Vec<String> {
        let mut rows: Vec<String> = store
            .rows::<CommandRow>(None, None)
            .unwrap()
            .iter()
            .map(|row| format!("{row:?}"))
            .collect();
        rows.sort();
        rows
    }

    /// A day of a hundred artifacts, one of which has not come into the ledger.
    fn filled() -> (tempfile::TempDir, Store) {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        for at in 0..100_u64 {
            let id = format!("{at:032x}");
            let row = |ordinal| CommandRow {
                session_id: Some(format!("s{at}")),
                ordinal,
                text: format!("ls {at}"),
                artifact: format!("s3://logs/{at}"),
                ..CommandRow::default()
            };
            let day = Some(jiff::civil::date(2026, 10, 1));
            store.write(day, &id, vec![row(1), row(2)]).unwrap();
            if at != 99 {
                store.create(&format!("ledger/{}/{id}.json", &id[..2]), "{}").unwrap();
            }
        }
        (place, store)
    }

    fn options(now: &str) -> Options {
        Options {
            since: None,
            until: None,
            remove_since: None,
            now: now.parse().unwrap(),
            min_files: 8,
            keep: SignedDuration::from_hours(1),
            is_trial: false,
        }
    }

    #[test]
    fn the_rows_stay_and_the_files_go_later() {
        let (_place, store) = filled();
        let before = rows(&store);
        let trial = Options { is_trial: true, ..options("2026-11-01T00:00:00Z") };
        assert_eq!(compact(&store, &trial).unwrap().replaced, 99);
        assert_eq!(store.files::<CommandRow>(None, None).unwrap().len(), 100);
        let done = compact(&store, &options("2026-11-01T00:00:00Z")).unwrap();
        assert_eq!((done.replaced, done.written, done.rows, done.removed), (99, 1, 198, 0));
        // One of them, and the one that may be written again. The old ones are still there, for who has listed them.
        assert_eq!(store.files::<CommandRow>(None, None).unwrap().len(), 2);
        assert_eq!(store.list("facts").unwrap().len(), 101);
        assert_eq!(rows(&store), before);
        let again = compact(&store, &options("2026-11-01T00:30:00Z")).unwrap();
        assert_eq!((again.replaced, again.removed), (0, 0));
        let later = compact(&store, &options("2026-11-01T01:00:00Z")).unwrap();
        assert_eq!((later.replaced, later.removed), (0, 99));
        assert_eq!(store.list("facts").unwrap().len(), 2);
        assert_eq!(rows(&store), before);
    }

    #[test]
    fn a_note_without_its_file_changes_nothing() {
        let (_place, store) = filled();
        let before = rows(&store);
        compact(&store, &options("2026-11-01T00:00:00Z")).unwrap();
        // As if the process had died between the two.
        let into = store.list("facts").unwrap().into_iter().find(|e| e.path.contains("/c-"));
        store.remove(&into.unwrap().path).unwrap();
        assert_eq!(rows(&store), before);
        let later = compact(&store, &options("2026-11-01T02:00:00Z")).unwrap();
        assert_eq!((later.replaced, later.removed), (99, 0));
        assert_eq!(rows(&store), before);
    }

    #[test]
    fn what_was_put_together_is_put_together_again() {
        let (_place, store) = filled();
        let before = rows(&store);
        compact(&store, &options("2026-11-01T00:00:00Z")).unwrap();
        // The one that was missing has come; two are enough now.
        store.create(&format!("ledger/00/{:032x}.json", 99), "{}").unwrap();
        let few = Options { min_files: 2, ..options("2026-11-01T00:10:00Z") };
        assert_eq!(compact(&store, &few).unwrap().replaced, 2);
        assert_eq!(rows(&store), before);
        // The middle one is removed by a process that dies before it has removed the first ones.
        let middle = store.list("compacted").unwrap().into_iter();
        let notes: Vec<Compacted> = middle
            .filter(|entry| !entry.path.contains("claims"))
            .map(|e| serde_json::from_slice(&store.get(&e.path).unwrap().unwrap()).unwrap())
            .collect();
        let middle = notes.iter().find(|note| note.replaces.len() == 99).unwrap();
        store.remove(&middle.into).unwrap();
        assert_eq!(rows(&store), before);
        let later = compact(&store, &options("2026-11-01T03:00:00Z")).unwrap();
        assert_eq!(later.removed, 100);
        assert_eq!((store.list("facts").unwrap().len(), rows(&store)), (1, before));
    }

    #[test]
    fn two_at_once_do_it_once() {
        let (_place, store) = filled();
        let before = rows(&store);
        let now = "2026-11-01T00:00:00Z";
        let done: Vec<Summary> = std::thread::scope(|scope| {
            let run = || compact(&store, &options(now)).unwrap();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            // Whoever reads meanwhile sees the same.
            for _ in 0..20 {
                assert_eq!(rows(&store), before);
            }
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(done.iter().map(|done| done.written).sum::<u64>(), 1, "{done:?}");
        assert_eq!(rows(&store), before);
    }
}

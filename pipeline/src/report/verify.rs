//! Is a report what it was? By its manifest: each file, the report before it, and the facts that it was made from.

use std::collections::{BTreeMap, BTreeSet};

use report::store::{Activity, Batches, CommandRow, FindingRow, Store, StoreError, Transcript};
use report::view::Range;
use report::write::{Fact, MANIFEST, Manifest, hex};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What was found of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It is what it was.
    Intact,
    /// Its bytes are others.
    Altered {
        /// The hash that it should have.
        expected: String,
        /// The one that it has.
        found: String,
    },
    /// It has another number of rows than the manifest says.
    Rows {
        /// As the manifest says.
        expected: u64,
        /// As they are.
        found: u64,
    },
    /// It is not there.
    Missing,
    /// Nobody knows of it.
    Unknown,
}

/// A file, and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its name, or its path in the store.
    pub name: String,
    /// What was found.
    #[serde(flatten)]
    pub state: State,
}

/// What was found of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// The period.
    pub period: String,
    /// SHA-256 of the manifest: the next report names it.
    pub manifest_sha256: String,
    /// The files of the report.
    pub files: Vec<Checked>,
    /// The report before, where the manifest names one: is it what it was?
    pub previous: Option<Checked>,
    /// The fact files, where a store was given: only those that are not as they were.
    pub facts: Vec<Checked>,
    /// Fact files that are as they were.
    pub facts_intact: u64,
}

impl Verified {
    /// Is everything as it was? A report before that is not there cannot be said to be another.
    pub fn is_intact(&self) -> bool {
        let is_intact = |checked: &Checked| checked.state == State::Intact;
        self.files.iter().all(is_intact)
            && self.facts.iter().all(|fact| fact.state == State::Unknown)
            && self
                .previous
                .as_ref()
                .is_none_or(|previous| matches!(previous.state, State::Intact | State::Missing))
    }
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no manifest.
    #[error("{0}: there is no {MANIFEST}; that is no report, or its manifest is gone")]
    NoManifest(String),
    /// The manifest says nothing.
    #[error("{0}: {MANIFEST}: {1}")]
    Manifest(String, serde_json::Error),
    /// The facts' list is damaged.
    #[error("{0}: facts.csv: {1}")]
    Facts(String, String),
}

/// Looks at a report. With `store`, the facts are looked at as well.
pub fn verify(report: &str, store: Option<&Store>) -> Result<Verified, VerifyError> {
    // `.` has a parent too.
    let real = std::fs::canonicalize(report).ok().filter(|_| !report.contains("://"));
    let real = real.and_then(|path| path.to_str().map(str::to_owned));
    let report = real.as_deref().unwrap_or(report);
    let folder = Store::open(report)?;
    let Some(bytes) = folder.get(MANIFEST)? else {
        return Err(VerifyError::NoManifest(report.to_owned()));
    };
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| VerifyError::Manifest(report.to_owned(), error))?;
    let mut files = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::from([MANIFEST]);
    for file in &manifest.files {
        known.insert(&file.name);
        let state = match folder.get(&file.name)? {
            None => State::Missing,
            Some(bytes) => {
                let found = hex(&Sha256::digest(&bytes));
                if found == file.sha256 {
                    rows(&file.name, &bytes, file.rows)
                } else {
                    State::Altered { expected: file.sha256.clone(), found }
                }
            }
        };
        files.push(Checked { name: file.name.clone(), state });
    }
    for entry in folder.list("")? {
        if !known.contains(entry.path.as_str()) {
            files.push(Checked { name: entry.path, state: State::Unknown });
        }
    }
    let previous = match &manifest.previous {
        None => None,
        Some(previous) => Some(before(report, &previous.period, &previous.sha256)?),
    };
    let mut verified = Verified {
        period: manifest.period.label.clone(),
        manifest_sha256: hex(&Sha256::digest(&bytes)),
        files,
        previous,
        facts: Vec::new(),
        facts_intact: 0,
    };
    if let Some(store) = store {
        facts(report, &folder, store, &manifest, &mut verified)?;
    }
    Ok(verified)
}

/// Counts rows again, where the manifest has a number.
fn rows(name: &str, bytes: &bytes::Bytes, expected: Option<u64>) -> State {
    let Some(expected) = expected else { return State::Intact };
    let found = if name.ends_with(".parquet") {
        Batches::open(bytes.clone(), &[])
            .ok()
            .map(|batches| batches.flatten().map(|batch| batch.num_rows() as u64).sum())
    } else {
        report::write::count_rows(bytes)
    };
    match found {
        Some(found) if found == expected => State::Intact,
        found => State::Rows { expected, found: found.unwrap_or_default() },
    }
}

fn before(report: &str, period: &str, expected: &str) -> Result<Checked, StoreError> {
    let name = format!("{period}/{MANIFEST}");
    let parent = match report.trim_end_matches('/').rsplit_once('/') {
        Some((parent, _)) if !parent.is_empty() && !parent.ends_with(":/") => parent,
        _ => ".",
    };
    let state = match Store::open(parent)?.get(&name)? {
        None => State::Missing,
        Some(bytes) => match hex(&Sha256::digest(&bytes)) {
            found if found == expected => State::Intact,
            found => State::Altered { expected: expected.to_owned(), found },
        },
    };
    Ok(Checked { name, state })
}

/// The fact files that `facts.csv` names, and those that have come since to the days that it names.
fn facts(
    report: &str,
    folder: &Store,
    store: &Store,
    manifest: &Manifest,
    verified: &mut Verified,
) -> Result<(), VerifyError> {
    let bytes = folder.get("facts.csv")?.unwrap_or_default();
    let listed: Vec<Fact> = report::write::read_rows(&bytes)
        .map_err(|error| VerifyError::Facts(report.to_owned(), error))?;
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut compacted: BTreeMap<String, String> = BTreeMap::new();
    let mut into: BTreeSet<String> = BTreeSet::new();
    for (notes, _) in [
        store.compacted::<Activity>()?,
        store.compacted::<CommandRow>()?,
        store.compacted::<FindingRow>()?,
        store.compacted::<Transcript>()?,
    ] {
        for note in notes {
            into.insert(note.into);
            compacted.extend(note.replaces.into_iter().map(|r| (r.path, r.sha256)));
        }
    }
    for fact in &listed {
        known.insert(&fact.path);
        let state = match store.get(&fact.path)? {
            // Its rows stand in another file now; what it was is noted.
            None if compacted.get(&fact.path) == Some(&fact.sha256) => State::Intact,
            None => State::Missing,
            Some(bytes) if fact.sha256.is_empty() && bytes.len() as u64 == fact.bytes => {
                State::Intact
            }
            Some(bytes) => match hex(&Sha256::digest(&bytes)) {
                found if found == fact.sha256 => State::Intact,
                found => State::Altered { expected: fact.sha256.clone(), found },
            },
        };
        if state == State::Intact {
            verified.facts_intact += 1;
        } else {
            verified.facts.push(Checked { name: fact.path.clone(), state });
        }
    }
    let range = Range { since: Some(manifest.period.since), until: Some(manifest.period.until) };
    let (since, until) = range.days_as_of(manifest.as_of);
    let mut there = store.files::<Activity>(since, until)?;
    there.extend(store.files::<CommandRow>(since, until)?);
    there.extend(store.files::<FindingRow>(since, until)?);
    there.extend(store.files::<Transcript>(since, until)?);
    for entry in there {
        if !known.contains(entry.path.as_str()) && !into.contains(&entry.path) {
            verified.facts.push(Checked { name: entry.path, state: State::Unknown });
        }
    }
    Ok(())
}

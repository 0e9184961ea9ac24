//! Is a report what it was? By its manifest: each file, the report before it, and the facts that it was made from.
//!
//! A report may come from anywhere: what its manifest names is looked for in its own folder and nowhere else, and nothing of it reaches
//! a terminal as it is.

use std::collections::{BTreeMap, BTreeSet};

use report::store::{
    Activity, Batches, CommandRow, Compacted, FindingRow, Store, StoreError, Transcript,
};
use report::view::Range;
use report::write::{Fact, MANIFEST, Manifest, Written, hex};
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
        /// The hash, or the size in bytes, that it should have.
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

/// What was found of the facts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// Fact files that are as they were.
    pub intact: u64,
    /// Fact files of which the report knows the size alone, because another engine has read them, and that have it.
    pub of_size: u64,
    /// Fact files that are gone, and whose rows stand in another one as `compact` notes: nothing proves that they are the same.
    pub compacted: u64,
    /// Those that are not as they were.
    pub others: Vec<Checked>,
    /// Those that came later.
    pub new: Vec<String>,
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
    /// Does this one begin when the one before was over? Null where nobody tells.
    pub follows: Option<bool>,
    /// The facts, where a store was given.
    pub facts: Option<Facts>,
}

impl Verified {
    /// Is everything as it was? A report before that is not there cannot be said to be another.
    pub fn is_intact(&self) -> bool {
        let is_intact = |checked: &Checked| checked.state == State::Intact;
        self.files.iter().all(is_intact)
            && self.facts.as_ref().is_none_or(|facts| facts.others.is_empty())
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
    Manifest(String, String),
    /// The facts' list is damaged.
    #[error("{0}: facts.csv: {1}")]
    Facts(String, String),
}

/// Files that each report has.
const ALWAYS: [&str; 12] = [
    "access.csv",
    "access.parquet",
    "alerts.csv",
    "commands.parquet",
    "controls.csv",
    "coverage.csv",
    "events.csv",
    "facts.csv",
    "findings.csv",
    "findings.parquet",
    "report.html",
    "report.json",
];

/// Reads a manifest, and refuses one that no report has.
fn manifest(report: &str, bytes: &[u8]) -> Result<Manifest, VerifyError> {
    let wrong = |reason: String| VerifyError::Manifest(report.to_owned(), reason);
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if manifest.manifest != 1 {
        return Err(wrong(format!("it has the form {}; this program knows 1", manifest.manifest)));
    }
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    for file in &manifest.files {
        if !is_name(&file.name) || !is_hash(&file.sha256) {
            return Err(wrong("it names a file that no report has".to_owned()));
        }
    }
    let has = |name: &str| manifest.files.iter().any(|file| file.name == name);
    if let Some(missing) = ALWAYS.into_iter().find(|name| !has(name)) {
        return Err(wrong(format!("it does not name {missing}, which each report has")));
    }
    if let Some(previous) = &manifest.previous
        && (!is_name(&previous.period) || !is_hash(&previous.sha256))
    {
        return Err(wrong("it names a report before it that cannot be one".to_owned()));
    }
    Ok(manifest)
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
    let manifest = manifest(report, &bytes)?;
    let there = names(report, &folder)?;
    let mut files = Vec::new();
    for file in &manifest.files {
        let state = match there.get(&file.name) {
            None => State::Missing,
            // Another size is another file: it need not be read.
            Some(size) if *size != file.bytes => State::Altered {
                expected: format!("{} bytes", file.bytes),
                found: format!("{size} bytes"),
            },
            Some(_) => state_of(&folder, file)?,
        };
        files.push(Checked { name: file.name.clone(), state });
    }
    let is_known =
        |name: &str| name == MANIFEST || manifest.files.iter().any(|file| file.name == name);
    for name in there.into_keys().filter(|name| !is_known(name)) {
        files.push(Checked { name, state: State::Unknown });
    }
    let previous = match &manifest.previous {
        None => None,
        Some(previous) => Some(before(report, &previous.period, &previous.sha256)?),
    };
    let follows = manifest.previous.as_ref().and_then(|previous| previous.until);
    Ok(Verified {
        period: manifest.period.label.clone(),
        manifest_sha256: hex(&Sha256::digest(&bytes)),
        files,
        previous,
        follows: follows.map(|until| until == manifest.period.since),
        facts: store.map(|store| facts(report, &folder, store, &manifest)).transpose()?,
    })
}

/// What lies in the folder, and how large it is: in a directory whatever it is, links and folders too.
fn names(report: &str, folder: &Store) -> Result<BTreeMap<String, u64>, StoreError> {
    if report.contains("://") {
        return Ok(folder.list("")?.into_iter().map(|entry| (entry.path, entry.size)).collect());
    }
    let failed = |error: std::io::Error| StoreError::Root {
        root: report.to_owned(),
        reason: error.to_string(),
    };
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(report).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        // Only a file has the size of one.
        let size = if metadata.is_file() { metadata.len() } else { u64::MAX };
        names.insert(entry.file_name().to_string_lossy().into_owned(), size);
    }
    Ok(names)
}

fn state_of(folder: &Store, file: &Written) -> Result<State, StoreError> {
    let Some(bytes) = folder.get(&file.name)? else { return Ok(State::Missing) };
    let found = hex(&Sha256::digest(&bytes));
    Ok(if found == file.sha256 {
        rows(&file.name, &bytes, file.rows)
    } else {
        State::Altered { expected: file.sha256.clone(), found }
    })
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
        Some((parent, _)) if parent.ends_with(":/") => None,
        Some(("", _)) => Some("/"),
        Some((parent, _)) => Some(parent),
        None => Some("."),
    };
    let bytes = match parent {
        Some(parent) => Store::open(parent)?.get(&name)?,
        None => None,
    };
    let state = match bytes {
        None => State::Missing,
        Some(bytes) => match hex(&Sha256::digest(&bytes)) {
            found if found == expected => State::Intact,
            found => State::Altered { expected: expected.to_owned(), found },
        },
    };
    Ok(Checked { name, state })
}

/// The fact files that `facts.csv` names, and those that have come since.
fn facts(
    report: &str,
    folder: &Store,
    store: &Store,
    manifest: &Manifest,
) -> Result<Facts, VerifyError> {
    let bytes = folder.get("facts.csv")?.unwrap_or_default();
    let listed: Vec<Fact> = report::write::read_rows(&bytes)
        .map_err(|error| VerifyError::Facts(report.to_owned(), error))?;
    let mut found = Facts::default();
    if listed.len() as u64 != manifest.facts.files {
        let state = State::Rows { expected: manifest.facts.files, found: listed.len() as u64 };
        found.others.push(Checked { name: "facts.csv".to_owned(), state });
    }
    let notes = [
        store.compacted::<Activity>(None)?.0,
        store.compacted::<CommandRow>(None)?.0,
        store.compacted::<FindingRow>(None)?.0,
        store.compacted::<Transcript>(None)?.0,
    ];
    let notes: Vec<Compacted> = notes.into_iter().flatten().collect();
    let mut compacted: BTreeMap<&str, (&str, &Compacted)> = BTreeMap::new();
    for note in &notes {
        compacted
            .extend(note.replaces.iter().map(|r| (r.path.as_str(), (r.sha256.as_str(), note))));
    }
    let mut into: BTreeMap<&str, bool> = BTreeMap::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for fact in &listed {
        known.insert(&fact.path);
        let Some(bytes) = store.get(&fact.path)? else {
            let note = compacted.get(fact.path.as_str());
            match note.filter(|(sha256, _)| *sha256 == fact.sha256 || fact.sha256.is_empty()) {
                // Its rows stand in another file now, which has to be the one that the note speaks of.
                Some((_, note)) => {
                    let known = into.get(note.into.as_str()).copied();
                    let is_there = known.map_or_else(|| is_noted(store, note, &notes), Ok)?;
                    into.insert(&note.into, is_there);
                    if is_there {
                        found.compacted += 1;
                    } else {
                        let state = State::Missing;
                        found.others.push(Checked { name: fact.path.clone(), state });
                    }
                }
                None => {
                    found.others.push(Checked { name: fact.path.clone(), state: State::Missing });
                }
            }
            continue;
        };
        if fact.sha256.is_empty() && bytes.len() as u64 == fact.bytes {
            found.of_size += 1;
            continue;
        }
        match hex(&Sha256::digest(&bytes)) {
            sha256 if sha256 == fact.sha256 => found.intact += 1,
            sha256 => {
                let expected = if fact.sha256.is_empty() {
                    format!("{} bytes", fact.bytes)
                } else {
                    fact.sha256.clone()
                };
                let state = State::Altered { expected, found: sha256 };
                found.others.push(Checked { name: fact.path.clone(), state });
            }
        }
    }
    let range = Range { since: Some(manifest.period.since), until: Some(manifest.period.until) };
    let (since, until) = range.days_as_of(manifest.as_of);
    let mut there = store.files::<Activity>(since, until)?;
    there.extend(store.files::<CommandRow>(since, until)?);
    there.extend(store.files::<FindingRow>(since, until)?);
    there.extend(store.files::<Transcript>(since, until)?);
    for entry in there {
        let path = entry.path.as_str();
        if !known.contains(path) && !notes.iter().any(|note| note.into == path) {
            found.new.push(entry.path);
        }
    }
    Ok(found)
}

/// Is the file that a note speaks of there, with the hash and as many rows as it has replaced? Or has it been replaced in turn?
fn is_noted(store: &Store, note: &Compacted, notes: &[Compacted]) -> Result<bool, StoreError> {
    let rows: u64 = note.replaces.iter().map(|replaced| replaced.rows).sum();
    if rows != note.into_rows {
        return Ok(false);
    }
    match store.get(&note.into)? {
        Some(bytes) => Ok(hex(&Sha256::digest(&bytes)) == note.into_sha256),
        None => Ok(notes.iter().any(|other| {
            let is_it = |replaced: &report::store::Replaced| {
                replaced.path == note.into && replaced.sha256 == note.into_sha256
            };
            other.replaces.iter().any(is_it)
        })),
    }
}

//! A report to its place: as a whole, or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use report::store::{Store, StoreError};
use report::view::Period;
use report::write::{MANIFEST, Manifest, Previous, hex};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::ReportError;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// It is there now.
    New,
    /// It was there already, the same to the byte.
    Same,
    /// Another one was there, and is not any more.
    Replaced,
}

/// Where a report goes: a directory, or `s3://bucket/prefix`.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory.
    Directory(PathBuf),
    /// A prefix of a bucket.
    Bucket(String),
}

impl Place {
    /// As the user wrote it.
    pub fn new(out: &str) -> Self {
        if out.contains("://") {
            Self::Bucket(out.trim_end_matches('/').to_owned())
        } else {
            Self::Directory(PathBuf::from(out))
        }
    }

    /// Where the files are written before they go there: on the same file system, so that they can be moved as a whole.
    pub fn stage(&self) -> io::Result<TempDir> {
        match self {
            Self::Bucket(_) => TempDir::new(),
            Self::Directory(path) => {
                let parent = parent(path);
                fs::create_dir_all(&parent)?;
                tempfile::Builder::new().prefix(".report-").tempdir_in(parent)
            }
        }
    }

    /// The report of the period before, beside this one.
    pub fn previous(&self, period: &Period) -> Result<Option<Previous>, StoreError> {
        let Some(before) = period.previous() else { return Ok(None) };
        let root = match self {
            Self::Directory(path) => parent(path).to_string_lossy().into_owned(),
            Self::Bucket(uri) => match uri.rsplit_once('/') {
                Some((parent, _)) if parent.len() > "s3://".len() => parent.to_owned(),
                _ => return Ok(None),
            },
        };
        if !root.contains("://") && !Path::new(&root).is_dir() {
            return Ok(None);
        }
        let store = Store::open(&root)?;
        let Some(bytes) = store.get(&format!("{}/{MANIFEST}", before.label))? else {
            return Ok(None);
        };
        let manifest = serde_json::from_slice::<Manifest>(&bytes);
        Ok(Some(Previous {
            period: before.label,
            sha256: hex(&Sha256::digest(&bytes)),
            until: manifest.ok().map(|manifest| manifest.period.until),
        }))
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn there(place: &str, old: &[u8], new: &[u8]) -> ReportError {
    let differs = match (serde_json::from_slice(old), serde_json::from_slice(new)) {
        (Ok(old), Ok(new)) => differences(&old, &new),
        _ => "its manifest cannot be read".to_owned(),
    };
    ReportError::There(format!(
        "there is another report at {place}: {differs}; give another --out, or --replace it"
    ))
}

/// What is not the same in two reports.
fn differences(old: &Manifest, new: &Manifest) -> String {
    let mut differs: Vec<String> = Vec::new();
    let mut tell = |is_other: bool, what: String| differs.extend(is_other.then_some(what));
    tell(old.tool != new.tool, format!("it was made by version {}", old.tool.version));
    let (since, until, zone) = (old.period.since, old.period.until, &old.period.time_zone);
    tell(old.period != new.period, format!("it is of {since} to {until}, {zone}"));
    tell(
        old.as_of != new.as_of,
        format!("it is as of {}, this one as of {}", old.as_of, new.as_of),
    );
    tell(
        old.filters != new.filters || old.redacted != new.redacted,
        "it was narrowed or redacted in another way".to_owned(),
    );
    tell(
        old.measures != new.measures,
        "other things counted as long, late or after hours".to_owned(),
    );
    tell(old.rules != new.rules, "the rules were others".to_owned());
    tell(old.previous != new.previous, "the report before it is another".to_owned());
    tell(
        old.facts != new.facts,
        format!("{} fact files then, {} now", old.facts.files, new.facts.files),
    );
    let names = |manifest: &Manifest| -> Vec<String> {
        manifest.files.iter().map(|file| format!("{} {}", file.name, file.sha256)).collect()
    };
    let (ours, theirs) = (names(new), names(old));
    let others = ours.iter().filter(|file| !theirs.contains(file));
    let others: Vec<&str> = others.filter_map(|file| file.split(' ').next()).collect();
    tell(!others.is_empty(), format!("other files: {}", others.join(", ")));
    differs.join("; ")
}

/// What lies at a place: nothing, or a report and nothing else. Anything else is somebody's, and stays.
fn lies(store: &Store, place: &str) -> Result<Option<(bytes::Bytes, Vec<String>)>, ReportError> {
    let names: Vec<String> = store.list("")?.into_iter().map(|entry| entry.path).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let no_report = |what: &str| {
        ReportError::There(format!("{place} is no report: {what}; give another --out"))
    };
    let Some(bytes) = store.get(MANIFEST)? else {
        return Err(no_report(&format!("there is no {MANIFEST} in it")));
    };
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|_| no_report(&format!("its {MANIFEST} is not that of a report")))?;
    let is_ours =
        |name: &String| name == MANIFEST || manifest.files.iter().any(|file| file.name == *name);
    if let Some(other) = names.iter().find(|name| !is_ours(name)) {
        return Err(no_report(&format!(
            "there is `{other}` in it, which its {MANIFEST} does not name"
        )));
    }
    Ok(Some((bytes, names)))
}

/// Moves or copies the files to their place. What is there already and is the same stays; what is another is replaced only where
/// that was asked for.
pub fn publish(stage: TempDir, place: &Place, replace: bool) -> Result<Published, ReportError> {
    let manifest = fs::read(stage.path().join(MANIFEST))?;
    let (name, store) = match place {
        Place::Directory(path) => {
            if path.exists() && !path.is_dir() {
                let message = format!("{} is a file: give another --out", path.display());
                return Err(ReportError::There(message));
            }
            let name = path.display().to_string();
            let store = path.is_dir().then(|| Store::open(&name)).transpose()?;
            (name, store)
        }
        Place::Bucket(uri) => (uri.clone(), Some(Store::open(uri)?)),
    };
    let old = store.as_ref().map(|store| lies(store, &name)).transpose()?.flatten();
    if let Some((old, _)) = &old {
        if **old == *manifest {
            return Ok(Published::Same);
        }
        if !replace {
            return Err(there(&name, old, &manifest));
        }
    }
    match (place, store) {
        (Place::Directory(path), _) => directory(stage, path, old.is_some())?,
        (Place::Bucket(_), Some(store)) => bucket(&stage, &store, old.as_ref())?,
        (Place::Bucket(_), None) => {}
    }
    Ok(if old.is_some() { Published::Replaced } else { Published::New })
}

/// The old one is moved aside, the new one takes its place, the old one is removed: in that order, so that none is lost.
fn directory(stage: TempDir, path: &Path, is_there: bool) -> Result<(), ReportError> {
    // A link leads where it leads.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // It is a directory for one user until it is where others look.
    open_up(stage.path(), &parent(&path))?;
    let aside = tempfile::Builder::new().prefix(".report-").tempdir_in(parent(&path))?;
    let old = aside.path().join("old");
    if is_there {
        fs::rename(&path, &old)?;
    } else if path.is_dir() {
        // Only an empty one can be.
        fs::remove_dir(&path)?;
    }
    if let Err(error) = fs::rename(stage.path(), &path) {
        if is_there {
            fs::rename(&old, &path)?;
        }
        return Err(error.into());
    }
    // What it was is not there any more.
    let _ = stage.keep();
    fs::File::open(parent(&path))?.sync_all()?;
    Ok(())
}

/// The old manifest goes first and the new one comes last: who finds a manifest finds what it names.
fn bucket(
    stage: &TempDir,
    store: &Store,
    old: Option<&(bytes::Bytes, Vec<String>)>,
) -> Result<(), ReportError> {
    if old.is_some() {
        store.remove(MANIFEST)?;
    }
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(stage.path())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.retain(|name| name != MANIFEST);
    for name in &names {
        store.upload(name, &stage.path().join(name))?;
    }
    for name in old.iter().flat_map(|(_, names)| names) {
        if name != MANIFEST && !names.contains(name) {
            store.remove(name)?;
        }
    }
    store.upload(MANIFEST, &stage.path().join(MANIFEST))?;
    Ok(())
}

/// With the permissions that a directory has there.
#[cfg(unix)]
fn open_up(folder: &Path, like: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::metadata(like)?.permissions())
}

#[cfg(not(unix))]
fn open_up(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

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
        let manifest = store.get(&format!("{}/{MANIFEST}", before.label))?;
        Ok(manifest
            .map(|bytes| Previous { period: before.label, sha256: hex(&Sha256::digest(&bytes)) }))
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
    tell(old.period != new.period, format!("it is of {}", old.period.label));
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

/// Moves or copies the files to their place. What is there already and is the same stays; what is another is replaced only where
/// that was asked for.
pub fn publish(stage: TempDir, place: &Place, replace: bool) -> Result<Published, ReportError> {
    let manifest = fs::read(stage.path().join(MANIFEST))?;
    match place {
        Place::Directory(path) => {
            let is_there = path.is_dir() && fs::read_dir(path)?.next().is_some();
            if is_there {
                let old = fs::read(path.join(MANIFEST)).ok();
                if old.as_deref() == Some(&manifest) {
                    return Ok(Published::Same);
                }
                if old.is_none() {
                    let message = format!("{} is no report: give another --out", path.display());
                    return Err(ReportError::There(message));
                }
                if !replace {
                    let old = old.unwrap_or_default();
                    return Err(there(&path.display().to_string(), &old, &manifest));
                }
            }
            let new = stage.keep();
            // It is a directory for one user until it is where others look.
            let done = open_up(&new).and_then(|()| {
                if path.is_dir() {
                    fs::remove_dir_all(path)?;
                }
                fs::rename(&new, path)
            });
            if let Err(error) = done {
                let _ = fs::remove_dir_all(&new);
                return Err(error.into());
            }
            Ok(if is_there { Published::Replaced } else { Published::New })
        }
        Place::Bucket(uri) => {
            let store = Store::open(uri)?;
            let old = store.get(MANIFEST)?;
            if old.as_deref() == Some(&*manifest) {
                return Ok(Published::Same);
            }
            if let Some(old) = old.as_ref().filter(|_| !replace) {
                return Err(there(uri, old, &manifest));
            }
            let mut names: Vec<String> = Vec::new();
            for entry in fs::read_dir(stage.path())? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            // Last: who finds a manifest finds what it names.
            names.retain(|name| name != MANIFEST);
            names.push(MANIFEST.to_owned());
            for name in names {
                store.upload(&name, &stage.path().join(&name))?;
            }
            Ok(if old.is_some() { Published::Replaced } else { Published::New })
        }
    }
}

#[cfg(unix)]
fn open_up(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn open_up(_: &Path) -> io::Result<()> {
    Ok(())
}

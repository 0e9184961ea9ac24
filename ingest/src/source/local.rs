//! Files, directories and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

/// Something that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Local {
    /// A file.
    File(PathBuf),
    /// Standard input, `-`.
    Stdin,
}

/// A path that could not be listed.
#[derive(Debug)]
pub struct Unreadable {
    /// The path as far as it is known.
    pub path: String,
    /// Why.
    pub error: io::Error,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// What can be opened, in a fixed order, each once.
    pub artifacts: Vec<Local>,
    /// What could not be listed.
    pub unreadable: Vec<Unreadable>,
    /// Bytes on disk, as far as known.
    pub bytes: u64,
}

impl Local {
    /// How the user knows it.
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::File(path) => path.to_string_lossy().into(),
            Self::Stdin => "-".into(),
        }
    }

    /// Opens it for reading.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::File(path) => Ok(Box::new(File::open(path)?)),
            Self::Stdin => Ok(Box::new(io::stdin())),
        }
    }
}

/// Lists files and, below directories, all files; `-` is standard input. Symbolic links are followed
/// where the user names them and left alone below, where they could lead out or round in circles.
pub fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if path == Path::new("-") {
            found.artifacts.push(Local::Stdin);
            continue;
        }
        for entry in WalkDir::new(path).follow_root_links(true).sort_by_file_name() {
            match entry {
                Ok(entry)
                    if entry.file_type().is_file()
                        || (entry.depth() == 0 && !entry.file_type().is_dir()) =>
                {
                    found.bytes += entry.metadata().map_or(0, |data| data.len());
                    found.artifacts.push(Local::File(entry.into_path()));
                }
                Ok(_) => {}
                Err(error) => found.unreadable.push(Unreadable {
                    path: error.path().unwrap_or(path).to_string_lossy().into_owned(),
                    error: error
                        .into_io_error()
                        .unwrap_or_else(|| io::Error::other("a link that leads back to itself")),
                }),
            }
        }
    }
    found.artifacts.sort();
    found.artifacts.dedup();
    found
}

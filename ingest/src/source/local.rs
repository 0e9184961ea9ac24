//! Files, directories and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

/// Something that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Local {
    /// A file, which can be read again.
    File(PathBuf),
    /// A pipe or the like, which can be read once.
    Pipe(PathBuf),
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
    /// What was found and is no file: links, sockets. The path, and what it is.
    pub left_out: Vec<(String, &'static str)>,
    /// Bytes on disk, as far as known.
    pub bytes: u64,
}

impl Local {
    /// How the user knows it.
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::File(path) | Self::Pipe(path) => path.to_string_lossy().into(),
            Self::Stdin => "-".into(),
        }
    }

    /// Opens it for reading.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::File(path) | Self::Pipe(path) => Ok(Box::new(File::open(path)?)),
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
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if entry.depth() == 0 => {
                    // Named by the user: followed wherever it leads.
                    let data = std::fs::metadata(entry.path());
                    found.bytes += data.as_ref().map_or(0, std::fs::Metadata::len);
                    let is_pipe = data.is_ok_and(|data| !data.is_file());
                    let path = entry.into_path();
                    found.artifacts.push(if is_pipe {
                        Local::Pipe(path)
                    } else {
                        Local::File(path)
                    });
                }
                Ok(entry) if entry.file_type().is_file() => {
                    found.bytes += entry.metadata().map_or(0, |data| data.len());
                    found.artifacts.push(Local::File(entry.into_path()));
                }
                Ok(entry) => {
                    let what = if entry.file_type().is_symlink() {
                        "a symbolic link, which is not followed; name it to have it read"
                    } else {
                        "neither a file nor a directory"
                    };
                    found.left_out.push((entry.path().to_string_lossy().into_owned(), what));
                }
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

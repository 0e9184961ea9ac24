//! An artifact: bytes with a name, a version and a way to read them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ingest::source::{Bucket, Found, Local, Object};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// An artifact of a source.
pub struct Artifact {
    /// What it is called: for a file below a directory, the way from there; else a URI.
    name: Arc<str>,
    from: From,
}

enum From {
    Local(Local),
    Bucket(Object),
}

/// Objects of a bucket, as they are listed: what the store has is not downloaded.
pub fn bucket(
    uri: &str,
    mut trouble: impl FnMut(io::Error) + Send,
) -> io::Result<impl Iterator<Item = Artifact> + Send> {
    let listing = Bucket::open(uri)?.list();
    Ok(listing.filter_map(move |object| match object {
        Ok(object) => Some(Artifact { name: object.uri().into(), from: From::Bucket(object) }),
        Err(error) => {
            trouble(error);
            None
        }
    }))
}

/// Artifacts below these paths. The names are those below the path given: they are the same on every machine.
pub fn local(paths: &[PathBuf]) -> (Vec<Artifact>, Found) {
    let mut artifacts = Vec::new();
    let mut rest = Found::default();
    for path in paths {
        let found = ingest::source::find(std::slice::from_ref(path));
        artifacts.extend(found.artifacts.into_iter().map(|local| {
            let name = match &local {
                Local::File(file) => below(path, file),
                Local::Pipe(_) | Local::Stdin => local.name(),
            };
            Artifact { name, from: From::Local(local) }
        }));
        rest.unreadable.extend(found.unreadable);
        rest.left_out.extend(found.left_out);
        rest.bytes += found.bytes;
    }
    (artifacts, rest)
}

fn below(root: &Path, file: &Path) -> Arc<str> {
    let below = file.strip_prefix(root).ok().filter(|rest| rest.components().next().is_some());
    let below = below.or_else(|| file.file_name().map(Path::new)).unwrap_or(file);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/").into()
}

/// An artifact of which it is known which one it is.
pub(super) struct Identified {
    pub(super) name: Arc<str>,
    pub(super) version: String,
    pub(super) sha256: Option<String>,
    /// When it was stored, where the source tells.
    pub(super) stored: Option<Timestamp>,
    open: Option<Open>,
}

type Open = Box<dyn FnOnce() -> io::Result<Box<dyn Read + Send>> + Send>;

/// Why reading broke off, if it was not for what was read.
#[derive(Clone, Default)]
pub(super) struct Broken(Arc<Mutex<Option<String>>>);

impl Broken {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Artifact {
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Finds out which one it is: of a file by its content.
    pub(super) fn identify(self) -> io::Result<Identified> {
        let Self { name, from } = self;
        let local = match from {
            From::Local(local) => local,
            From::Bucket(object) => {
                let (version, stored) = (object.version.clone(), object.stored);
                let open: Open = Box::new(move || Ok(Box::new(object.open()?)));
                return Ok(Identified { name, version, sha256: None, stored, open: Some(open) });
            }
        };
        let sha256;
        let open: Open = match local {
            Local::File(path) => {
                sha256 = hash(File::open(&path)?, &mut io::sink())?;
                Box::new(move || Ok(Box::new(File::open(path)?)))
            }
            // What can be read once only is kept meanwhile.
            pipe => {
                let mut kept = tempfile::tempfile()?;
                sha256 = hash(pipe.open()?, &mut kept)?;
                Box::new(move || {
                    kept.rewind()?;
                    Ok(Box::new(kept))
                })
            }
        };
        let version = sha256.clone();
        Ok(Identified { name, version, sha256: Some(sha256), stored: None, open: Some(open) })
    }
}

impl Identified {
    /// Derived from what it is called and which version it is. 32 hexadecimal digits.
    pub(super) fn id(&self) -> String {
        crate::finding::id(&[b"artifact", self.name.as_bytes(), self.version.as_bytes()]).0
    }

    /// Opens it, once. An error of the source, as opposed to one in the data, is noted.
    pub(super) fn open(&mut self) -> io::Result<(impl Read + Send + use<>, Broken)> {
        let again = || io::Error::other("it was opened before");
        let reader = self.open.take().ok_or_else(again)?()?;
        let broken = Broken::default();
        Ok((Watched { reader, broken: broken.clone() }, broken))
    }
}

struct Watched<R> {
    reader: R,
    broken: Broken,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            *self.broken.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
        read
    }
}

/// The SHA-256 of what `reader` has, which is copied to `copy`.
fn hash(mut reader: impl Read, copy: &mut impl io::Write) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 << 10];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&chunk[..read]);
                copy.write_all(&chunk[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

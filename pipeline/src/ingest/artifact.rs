//! An artifact: bytes with a name, a version and a way to read them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ingest::source::{Found, Hour, Local, Lookup, Object, Stream};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// An artifact of a source.
pub struct Artifact {
    /// What it is called: for a file below a directory, the way from there; else a URI.
    name: Arc<str>,
    from: From,
    /// What the caller knows it by.
    pub(super) number: usize,
}

enum From {
    Local(Local),
    /// Of a bucket. One that was not listed has to be asked for to be known.
    Object(Object),
    Stream(Stream),
    Hour(Hour),
    Delivered(Vec<u8>),
}

impl Artifact {
    fn new(name: impl Into<Arc<str>>, from: From) -> Self {
        Self { name: name.into(), from, number: 0 }
    }

    /// An object of a bucket.
    pub fn object(object: Object) -> Self {
        Self::new(object.uri(), From::Object(object))
    }

    /// What somebody delivered, known by its content: log events as they came, or a record.
    pub fn delivered(name: &str, bytes: Vec<u8>) -> Self {
        Self::new(name, From::Delivered(bytes))
    }

    /// The same, with a number by which the observer is told of it.
    #[must_use]
    pub fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// A stream of a log group, or an hour of one.
    pub(super) fn stream(stream: Stream) -> Self {
        Self::new(stream.arn.clone(), From::Stream(stream))
    }

    /// An hour of an event history.
    pub(super) fn hour(hour: Hour) -> Self {
        Self::new(hour.uri.clone(), From::Hour(hour))
    }
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
            Artifact::new(name, From::Local(local))
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
    /// Is it a span of time, in which nothing may have happened?
    pub(super) is_span: bool,
    /// Is it some of a stream's events, as they came?
    pub(super) is_part: bool,
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
        let Self { name, from, number: _ } = self;
        let is_span = matches!(from, From::Stream(_) | From::Hour(_));
        let far = |version: String, stored, open: Open| {
            let (name, open) = (Arc::clone(&name), Some(open));
            let is_part = false;
            Ok(Identified { name, version, sha256: None, stored, is_span, is_part, open })
        };
        let local = match from {
            From::Local(local) => local,
            From::Object(object) => {
                // What the store has is not downloaded.
                if let Some(etag) = &object.etag {
                    let (version, stored) = (etag.clone(), object.stored);
                    let open: Open = Box::new(move || Ok(Box::new(object.get()?.reader())));
                    return far(version, stored, open);
                }
                let got = object.get()?;
                let (version, stored) = (got.etag.clone(), got.stored);
                return far(version, stored, Box::new(move || Ok(Box::new(got.reader()))));
            }
            From::Stream(stream) => {
                let version = stream.version.clone();
                return far(version, None, Box::new(move || Ok(Box::new(stream.reader()))));
            }
            From::Delivered(bytes) => {
                let sha256 = hash(bytes.as_slice(), &mut io::sink())?;
                let (version, open) = (sha256.clone(), io::Cursor::new(bytes));
                return Ok(Identified {
                    name,
                    version,
                    sha256: Some(sha256),
                    stored: None,
                    is_span: false,
                    is_part: true,
                    open: Some(Box::new(move || Ok(Box::new(open)))),
                });
            }
            From::Hour(hour) => {
                let version = Lookup::version(hour.start);
                return far(version, None, Box::new(move || Ok(Box::new(hour.reader()))));
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
        let (sha256, open, is_part) = (Some(sha256), Some(open), false);
        Ok(Identified { name, version, sha256, stored: None, is_span, is_part, open })
    }
}

impl Identified {
    /// See [`id`].
    pub(super) fn id(&self) -> String {
        id(&self.name, &self.version)
    }

    /// Opens it, once. An error of the source, as opposed to one in the data, is noted.
    pub(super) fn open(&mut self) -> io::Result<(impl Read + Send + use<>, Broken)> {
        let again = || io::Error::other("it was opened before");
        let reader = self.open.take().ok_or_else(again)?()?;
        let broken = Broken::default();
        Ok((Watched { reader, broken: broken.clone() }, broken))
    }
}

/// Derived from what an artifact is called and which version it is. 32 hexadecimal digits.
pub(super) fn id(name: &str, version: &str) -> String {
    crate::finding::id(&[b"artifact", name.as_bytes(), version.as_bytes()]).0
}

/// Where the ledger says that an artifact has been read to its end.
pub(crate) fn ledger(id: &str) -> String {
    format!("ledger/{}/{id}.json", &id[..2])
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

//! The objects of a store: created once, read, listed. What is in them is no matter here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::civil::Date;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use super::facts::Witnessed;
use super::near::Near;

/// What a store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or bucket.
    #[error("{root}: {reason}")]
    Root {
        /// Which.
        root: String,
        /// Why.
        reason: String,
    },
    /// An object.
    #[error("{path}: {source}")]
    Object {
        /// Which, below the root.
        path: String,
        /// Why.
        source: object_store::Error,
    },
    /// A file of facts.
    #[error("{path}: {source}")]
    Parquet {
        /// Which, below the root.
        path: String,
        /// Why.
        source: ::parquet::errors::ParquetError,
    },
    /// A file that a listing named.
    #[error("{0}: it is gone: it was removed while this ran; try again")]
    Gone(String),
    /// A small object that is not what it should be.
    #[error("{path}: {source}")]
    Json {
        /// Which, below the root.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// An object that a listing found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Below the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// A store. Its methods wait for the object store: call them from a thread that may wait.
#[derive(Debug)]
pub struct Store {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) root: String,
    /// If it is a directory.
    pub(super) directory: Option<PathBuf>,
    /// The files of facts that were read, where that was asked for.
    pub(super) witness: Option<Mutex<BTreeMap<String, Witnessed>>>,
    /// The files of tables as they were listed first, where all is to be read as of one moment.
    pub(super) listed: BTreeMap<&'static str, Vec<Entry>>,
    /// Files of a bucket that were read before.
    pub(super) near: Option<Near>,
}

/// Objects of a bucket that are created at once.
const AT_ONCE: usize = 8;

/// Objects of a bucket that are asked for at once.
const ASKED_AT_ONCE: usize = 32;

/// Bytes of a part of a large upload.
const UPLOAD: u64 = 8 << 20;

impl Store {
    /// Opens the store at `root`: a directory, made if it is not there, or `s3://bucket/prefix`.
    pub fn open(root: &str) -> Result<Self, StoreError> {
        let failed = |reason: String| StoreError::Root { root: root.to_owned(), reason };
        if let Some((bucket, prefix)) = aws::s3_uri(root) {
            let objects = aws::bucket(bucket, prefix).map_err(|error| failed(error.to_string()))?;
            return Ok(Self {
                objects,
                root: root.to_owned(),
                directory: None,
                witness: None,
                listed: BTreeMap::new(),
                near: None,
            });
        }
        if root.contains("://") {
            return Err(failed("a store is a directory or s3://bucket/prefix".to_owned()));
        }
        std::fs::create_dir_all(root).map_err(|error| failed(error.to_string()))?;
        let objects =
            LocalFileSystem::new_with_prefix(root).map_err(|error| failed(error.to_string()))?;
        let directory = Some(PathBuf::from(root));
        Ok(Self {
            objects: Arc::new(objects),
            root: root.to_owned(),
            directory,
            witness: None,
            listed: BTreeMap::new(),
            near: None,
        })
    }

    /// From now on it keeps files of facts that were read from a bucket in the directory for temporary files, `most` bytes
    /// of them, as long as it lives. To be used with [`Store::forget_unread`].
    #[must_use]
    pub fn keeping(mut self, most: u64) -> Self {
        self.near = (self.directory.is_none() && most > 0).then(|| Near::new(most));
        self
    }

    /// Drops of the files that are kept those that were not read since the last call. Fails if the disk took none any more
    /// or lost some: they come from the bucket then, as they did before.
    pub fn forget_unread(&self) -> std::io::Result<()> {
        self.near.as_ref().map_or(Ok(()), Near::forget_unread)
    }

    /// What never changes once it is there; `None` if it is not.
    pub(super) fn get_kept(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(near) = &self.near else { return self.get(path) };
        if let Some(bytes) = near.get(path) {
            return Ok(Some(bytes));
        }
        let bytes = self.get(path)?;
        if let Some(bytes) = &bytes {
            near.keep(path, bytes);
        }
        Ok(bytes)
    }

    /// Begins to write. If nobody else writes, what killed processes had begun is removed first: such a file has a `#` and
    /// a number behind its name, and is no part of the store.
    pub fn begin_writing(&self) -> Writing {
        let Some(directory) = &self.directory else { return Writing(None) };
        let lock = directory.join(".writing");
        let Ok(lock) = File::options().create(true).truncate(false).write(true).open(lock) else {
            // A file system without locks: what was begun stays until somebody removes it.
            return Writing(None);
        };
        if lock.try_lock().is_ok() {
            remove_begun(directory);
            let _ = lock.unlock();
        }
        let _ = lock.lock_shared();
        Writing(Some(lock))
    }

    /// How the user knows it.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Creates an object; `false` if it is there already.
    pub fn create(&self, path: &str, bytes: impl Into<Bytes>) -> Result<bool, StoreError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let location = Path::from(path);
        let put = self.objects.put_opts(&location, bytes.into().into(), options);
        match aws::runtime().block_on(put) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(StoreError::Object { path: path.to_owned(), source }),
        }
    }

    /// Is what was created durable only after [`Store::sync`]? So it is in a directory: many files are made durable at once,
    /// which takes as long as one.
    pub const fn is_synced(&self) -> bool {
        self.directory.is_some()
    }

    /// Makes durable what was created so far.
    pub fn sync(&self) -> Result<(), StoreError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let synced = File::open(directory).and_then(|directory| sync_file_system(&directory));
        synced.map_err(|error| StoreError::Root {
            root: self.root.clone(),
            reason: format!("cannot be made durable: {error}"),
        })
    }

    /// Writes an object from a file, in parts where it is large. What was there is replaced: not for facts.
    pub fn upload(&self, path: &str, file: &FsPath) -> Result<(), StoreError> {
        use std::io::Read as _;
        let failed = |source| StoreError::Object { path: path.to_owned(), source };
        let unread = |error: std::io::Error| {
            failed(object_store::Error::Generic { store: "file", source: Box::new(error) })
        };
        let mut file = File::open(file).map_err(unread)?;
        let mut part = Vec::new();
        file.by_ref().take(UPLOAD).read_to_end(&mut part).map_err(unread)?;
        let location = Path::from(path);
        if (part.len() as u64) < UPLOAD {
            let put = self.objects.put(&location, Bytes::from(part).into());
            return aws::runtime().block_on(put).map(|_| ()).map_err(failed);
        }
        let begun = aws::runtime().block_on(self.objects.put_multipart(&location));
        let mut upload = object_store::WriteMultipart::new(begun.map_err(failed)?);
        while !part.is_empty() {
            upload.put(Bytes::from(std::mem::take(&mut part)));
            // Few parts wait at a time: memory does not grow with the file.
            aws::runtime().block_on(upload.wait_for_capacity(AT_ONCE)).map_err(failed)?;
            file.by_ref().take(UPLOAD).read_to_end(&mut part).map_err(unread)?;
        }
        aws::runtime().block_on(upload.finish()).map(|_| ()).map_err(failed)
    }

    /// Is there an object?
    pub fn has(&self, path: &str) -> Result<bool, StoreError> {
        match aws::runtime().block_on(self.objects.head(&Path::from(path))) {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(StoreError::Object { path: path.to_owned(), source }),
        }
    }

    /// Those of the objects that are there. In a bucket many are asked for at a time.
    pub fn having(&self, paths: BTreeSet<String>) -> Result<BTreeSet<String>, StoreError> {
        use futures_util::{StreamExt as _, TryStreamExt as _};
        if let Some(directory) = &self.directory {
            return Ok(paths.into_iter().filter(|path| directory.join(path).is_file()).collect());
        }
        let has = |path: String| async move {
            match self.objects.head(&Path::from(path.as_str())).await {
                Ok(_) => Ok(Some(path)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(source) => Err(StoreError::Object { path, source }),
            }
        };
        let asked = futures_util::stream::iter(paths).map(has).buffer_unordered(ASKED_AT_ONCE);
        aws::runtime().block_on(asked.try_filter_map(|path| async { Ok(path) }).try_collect())
    }

    /// An object's bytes; `None` if there is none.
    pub fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        if let Some(directory) = &self.directory {
            // What is there is whole: a file is read without ceremony.
            return match std::fs::read(directory.join(path)) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => {
                    let source = object_store::Error::Generic {
                        store: "directory",
                        source: Box::new(error),
                    };
                    Err(StoreError::Object { path: path.to_owned(), source })
                }
            };
        }
        let get = async { self.objects.get(&Path::from(path)).await?.bytes().await };
        match aws::runtime().block_on(get) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(StoreError::Object { path: path.to_owned(), source }),
        }
    }

    /// What lies below, in a fixed order.
    pub fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.list_since(prefix, None)
    }

    /// The same below `prefix/date=D/`, from this day on, and what has none. A store is years old; who asks about three days does not
    /// go through its pages.
    pub(super) fn list_since(
        &self,
        prefix: &str,
        since: Option<Date>,
    ) -> Result<Vec<Entry>, StoreError> {
        use futures_util::TryStreamExt as _;
        let below = Path::from(prefix);
        let list = match since {
            // Who has no date comes behind all digits.
            Some(since) => {
                let day = Path::from(format!("{prefix}/date={since}"));
                self.objects.list_with_offset(Some(&below), &day)
            }
            None => self.objects.list(Some(&below)),
        };
        let entries = list.map_ok(|meta| Entry { path: meta.location.into(), size: meta.size });
        let mut entries: Vec<Entry> = aws::runtime()
            .block_on(entries.try_collect())
            .map_err(|source| StoreError::Object { path: prefix.to_owned(), source })?;
        entries.sort();
        Ok(entries)
    }

    /// Creates objects, several at a time: in a bucket each waits for the network. What is there already stays.
    pub fn create_all(&self, objects: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        use futures_util::{StreamExt as _, TryStreamExt as _};
        if self.directory.is_some() {
            return objects
                .into_iter()
                .try_for_each(|(path, bytes)| self.create(&path, bytes).map(|_| ()));
        }
        let create = |(path, bytes): (String, Vec<u8>)| async move {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let location = Path::from(path.as_str());
            match self.objects.put_opts(&location, bytes.into(), options).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
                Err(source) => Err(StoreError::Object { path, source }),
            }
        };
        let all = futures_util::stream::iter(objects).map(create).buffer_unordered(AT_ONCE);
        aws::runtime().block_on(all.try_collect())
    }

    /// Removes an object: only what was replaced, or is no fact.
    pub fn remove(&self, path: &str) -> Result<(), StoreError> {
        match aws::runtime().block_on(self.objects.delete(&Path::from(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(StoreError::Object { path: path.to_owned(), source }),
        }
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(directory: &File) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(directory)?)
}

/// Where there is no such call, all that is held back is written.
#[cfg(all(unix, not(target_os = "linux")))]
fn sync_file_system(_: &File) -> std::io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(not(unix))]
fn sync_file_system(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// As long as this lives, its process writes.
#[derive(Debug)]
#[must_use = "others may clean up as soon as it is dropped"]
pub struct Writing(#[expect(dead_code, reason = "held for its lock")] Option<File>);

/// Removes files that were begun and never finished.
fn remove_begun(root: &FsPath) {
    let is_begun = |path: &FsPath| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.rsplit_once('#').is_some_and(|(_, number)| {
            !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
        })
    };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if is_begun(&path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

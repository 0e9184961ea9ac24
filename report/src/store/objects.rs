//! The objects of a store: created once, read, listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::near::Near;
use super::parquet;
use super::rows::{Activity, CommandRow, FindingRow, Transcript};
use super::table::Row;
use crate::turn::Turn;

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
    objects: Arc<dyn ObjectStore>,
    root: String,
    /// If it is a directory.
    directory: Option<PathBuf>,
    /// The files of facts that were read, where that was asked for.
    witness: Option<Mutex<BTreeMap<String, Witnessed>>>,
    /// The files of tables as they were listed first, where all is to be read as of one moment.
    listed: BTreeMap<&'static str, Vec<Entry>>,
    /// Files of a bucket that were read before.
    near: Option<Near>,
}

/// A file of facts that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Below the root.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// Of the bytes.
    pub sha256: [u8; 32],
    /// Rows in it.
    pub rows: u64,
}

/// What files were replaced by which: `compacted/<table>/date=D/<hash>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compacted {
    /// When.
    pub time: Timestamp,
    /// The file with the same rows.
    pub into: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub into_sha256: String,
    /// Rows in it.
    pub into_rows: u64,
    /// The files that it replaces.
    pub replaces: Vec<Replaced>,
}

/// A file that was replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replaced {
    /// Below the root.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
}

/// How a file is opened.
type Open<'a> =
    dyn Fn(Bytes) -> Result<parquet::Batches, ::parquet::errors::ParquetError> + Sync + 'a;

/// Objects of a bucket that are created at once.
const AT_ONCE: usize = 8;

/// Objects of a bucket that are asked for at once.
const ASKED_AT_ONCE: usize = 32;

/// Bytes of a part of a large upload.
const UPLOAD: u64 = 8 << 20;

/// Bytes of files that a thread reads at once, and their number.
const PART: u64 = 1 << 20;
const MANY: usize = 128;

/// Files, a large one or many small ones together.
fn parts(files: &[Entry]) -> Vec<&[Entry]> {
    let mut parts = Vec::new();
    let mut rest = files;
    while !rest.is_empty() {
        let mut bytes = 0;
        let most = rest.iter().take(MANY).position(|file| {
            bytes += file.size;
            bytes > PART
        });
        let (part, behind) = rest.split_at(most.unwrap_or(MANY).clamp(1, rest.len()));
        parts.push(part);
        rest = behind;
    }
    parts
}

/// A partition without a date: what Hive, and after it every engine, calls one of null.
pub(crate) const NO_DATE: &str = "__HIVE_DEFAULT_PARTITION__";

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

    /// From now on it knows only the files of facts that are there now, and remembers which of them were read, with their hashes.
    /// Records are listed last: whoever ingests meanwhile adds nothing to what is found that is not known to be anybody's.
    pub fn witnessed(mut self) -> Result<Self, StoreError> {
        let mut listed = BTreeMap::new();
        listed.insert(FindingRow::TABLE, self.files::<FindingRow>(None, None)?);
        listed.insert(CommandRow::TABLE, self.files::<CommandRow>(None, None)?);
        listed.insert(Transcript::TABLE, self.files::<Transcript>(None, None)?);
        listed.insert(Activity::TABLE, self.files::<Activity>(None, None)?);
        self.listed = listed;
        self.witness = Some(Mutex::default());
        Ok(self)
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
    fn get_kept(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
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

    /// The files of facts that were read since [`Store::witnessed`], by their paths.
    pub fn witness(&self) -> Vec<Witnessed> {
        let witness =
            self.witness.as_ref().map(|w| w.lock().unwrap_or_else(PoisonError::into_inner));
        witness.map(|witness| witness.values().cloned().collect()).unwrap_or_default()
    }

    fn testify(&self, path: &str, bytes: &[u8], batches: &[RecordBatch]) {
        let Some(witness) = &self.witness else { return };
        let lock = || witness.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().contains_key(path) {
            return;
        }
        let sha256 = <[u8; 32]>::from(Sha256::digest(bytes));
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let seen = Witnessed { path: path.to_owned(), bytes: bytes.len() as u64, sha256, rows };
        lock().insert(path.to_owned(), seen);
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
    fn list_since(&self, prefix: &str, since: Option<Date>) -> Result<Vec<Entry>, StoreError> {
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

    /// Writes rows of a day; tells the file. Whose they are is told by `name`.
    pub fn write<R: Row>(
        &self,
        day: Option<Date>,
        name: &str,
        rows: Vec<R>,
    ) -> Result<String, StoreError> {
        let (path, bytes) = Self::encode(day, name, rows)?;
        self.create(&path, bytes)?;
        Ok(path)
    }

    /// A file of rows of a day, and its path.
    pub fn encode<R: Row>(
        day: Option<Date>,
        name: &str,
        mut rows: Vec<R>,
    ) -> Result<(String, Vec<u8>), StoreError> {
        let path = format!("{}{name}.parquet", partition::<R>(day));
        let bytes = parquet::encode(&mut rows)
            .map_err(|source| StoreError::Parquet { path: path.clone(), source })?;
        Ok((path, bytes))
    }

    /// What was compacted of a table and counts: the new file is there, or what has replaced it in turn. And which files the table
    /// has. Both from this day on.
    pub fn compacted<R: Row>(
        &self,
        since: Option<Date>,
    ) -> Result<(Vec<Compacted>, BTreeSet<String>), StoreError> {
        // In this order: who has seen a new file sees its note.
        let there = self.list_since(&format!("facts/{}", R::TABLE), since)?;
        let there = there.into_iter().map(|entry| entry.path).collect();
        Ok((counting(self.notes::<R>(since)?, &there), there))
    }

    fn notes<R: Row>(&self, since: Option<Date>) -> Result<Vec<Compacted>, StoreError> {
        let mut notes = Vec::new();
        for entry in self.list_since(&format!("compacted/{}", R::TABLE), since)? {
            if entry.path.contains("/claims/") {
                continue;
            }
            let Some(bytes) = self.get_kept(&entry.path)? else { continue };
            let note = serde_json::from_slice(&bytes)
                .map_err(|source| StoreError::Json { path: entry.path, source })?;
            notes.push(note);
        }
        Ok(notes)
    }

    /// Removes an object: only what was replaced, or is no fact.
    pub fn remove(&self, path: &str) -> Result<(), StoreError> {
        match aws::runtime().block_on(self.objects.delete(&Path::from(path))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(StoreError::Object { path: path.to_owned(), source }),
        }
    }

    /// The files of a table, those of these days (both included) and those without a day.
    pub fn files<R: Row>(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Vec<Entry>, StoreError> {
        let is_listed = self.listed.get(R::TABLE);
        let mut files = match is_listed {
            Some(listed) => listed.clone(),
            None => self.list_since(&format!("facts/{}", R::TABLE), since)?,
        };
        // Whatever else lies there is no fact.
        files.retain(|file| file.path.ends_with(".parquet"));
        files.retain(|file| {
            let day = file.path.split('/').find_map(|part| part.strip_prefix("date="));
            let Some(day) = day.and_then(|day| day.parse::<Date>().ok()) else { return true };
            since.is_none_or(|since| day >= since) && until.is_none_or(|until| day <= until)
        });
        // Files that another one replaces, if that is there.
        if is_listed.is_none() && files.iter().any(|file| file.path.contains("/c-")) {
            let notes = self.notes::<R>(since)?;
            let into: BTreeSet<String> = notes.iter().map(|note| note.into.clone()).collect();
            let there = files.iter().map(|file| file.path.clone()).collect();
            let done = counting(notes, &there);
            // What two processes have put together twice counts once.
            let counts: BTreeSet<&String> = done.iter().map(|note| &note.into).collect();
            let replaced: BTreeSet<&String> =
                done.iter().flat_map(|note| &note.replaces).map(|r| &r.path).collect();
            files.retain(|file| {
                !replaced.contains(&file.path)
                    && (!into.contains(&file.path) || counts.contains(&file.path))
            });
        }
        Ok(files)
    }

    /// Calls `each` for the rows of each file, in the files' order. Several are read at a time.
    pub fn read<R: Row>(
        &self,
        files: &[Entry],
        columns: &[&str],
        each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        self.read_as(files, &|bytes| parquet::Batches::open(bytes, columns), each)
    }

    /// The same for a fold: texts come with their dictionaries, but for those in `plain`.
    pub(crate) fn fold(
        &self,
        files: &[Entry],
        columns: &[&str],
        plain: &[&str],
        each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        self.read_as(files, &|bytes| parquet::Batches::fold(bytes, columns, plain), each)
    }

    /// Several threads read while the rows are taken in the files' order; they do not run far ahead.
    fn read_as(
        &self,
        files: &[Entry],
        open: &Open<'_>,
        mut each: impl FnMut(&RecordBatch),
    ) -> Result<(), StoreError> {
        let one = |file: &Entry| {
            let bytes =
                self.get_kept(&file.path)?.ok_or_else(|| StoreError::Gone(file.path.clone()))?;
            let failed = |source| StoreError::Parquet { path: file.path.clone(), source };
            let batches = open(bytes.clone()).map_err(failed)?;
            let batches = batches.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            self.testify(&file.path, &bytes, &batches);
            Ok(batches)
        };
        let processors = std::thread::available_parallelism().map_or(1, Into::into);
        let threads = if self.directory.is_some() { processors } else { processors.max(4) * 4 };
        if files.len() <= 1 {
            for file in files {
                one(file)?.iter().for_each(&mut each);
            }
            return Ok(());
        }
        let parts = parts(files);
        let (next, turn) = (AtomicUsize::new(0), Turn::default());
        let (send, receive) = sync_channel(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(parts.len()) {
                let (send, next, turn, one, parts) = (send.clone(), &next, &turn, &one, &parts);
                scope.spawn(move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(files) = parts.get(at) else { break };
                        turn.wait(|front| at < front.saturating_add(threads * 2));
                        // Nobody listens any more: something failed.
                        let read: Result<Vec<_>, StoreError> = files.iter().map(one).collect();
                        if send.send((at, read)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            // Both end with this, however it ends: nobody waits for what nobody takes.
            let (_release, receive) = (turn.release(), receive);
            let (mut taken, mut waiting) = (0, BTreeMap::new());
            for (at, read) in &receive {
                waiting.insert(at, read);
                while let Some(read) = waiting.remove(&taken) {
                    read?.iter().flatten().for_each(&mut each);
                    taken += 1;
                }
                turn.advance(taken);
            }
            Ok(())
        })
    }

    /// All rows of a table, of these days.
    pub fn rows<R: Row>(
        &self,
        since: Option<Date>,
        until: Option<Date>,
    ) -> Result<Vec<R>, StoreError> {
        let mut rows = Vec::new();
        let files = self.files::<R>(since, until)?;
        self.read::<R>(&files, &[], |batch| rows.extend(R::read(batch)))?;
        Ok(rows)
    }
}

/// The notes whose new file is there, or has been replaced in turn by one that is.
fn counting(notes: Vec<Compacted>, there: &BTreeSet<String>) -> Vec<Compacted> {
    let (mut done, mut waiting): (Vec<_>, Vec<_>) =
        notes.into_iter().partition(|note| there.contains(&note.into));
    // A file is replaced once: of notes that name the same one the first by its file counts.
    done.sort_by(|a, b| (&a.into, a.time).cmp(&(&b.into, b.time)));
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    done.retain(|note| {
        let is_first =
            |replaced: &Replaced| taken.get(&replaced.path).is_none_or(|into| *into == note.into);
        let counts = note.replaces.iter().all(is_first);
        if counts {
            taken.extend(note.replaces.iter().map(|r| (r.path.clone(), note.into.clone())));
        }
        counts
    });
    loop {
        let replaced: BTreeSet<&str> =
            done.iter().flat_map(|note| &note.replaces).map(|r| r.path.as_str()).collect();
        let (more, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|note| replaced.contains(note.into.as_str()));
        if more.is_empty() {
            return done;
        }
        done.extend(more);
        waiting = rest;
    }
}

/// The folder of a day's rows.
fn partition<R: Row>(day: Option<Date>) -> String {
    let day = day.map_or_else(|| NO_DATE.to_owned(), |day| day.to_string());
    format!("facts/{}/date={day}/", R::TABLE)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FindingRow;

    #[test]
    fn a_broken_file_is_named_and_ends_the_reading() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        for at in 0..1_000 {
            let row = FindingRow { finding_id: at.to_string(), ..FindingRow::default() };
            store.write(None, &format!("{at:04}"), vec![row]).unwrap();
        }
        assert_eq!(store.rows::<FindingRow>(None, None).unwrap().len(), 1_000);
        store.create(&format!("{}0500-1.parquet", partition::<FindingRow>(None)), "PAR1").unwrap();
        let error = store.rows::<FindingRow>(None, None).unwrap_err();
        assert!(error.to_string().contains("0500-1.parquet"), "{error}");
    }

    #[test]
    fn what_was_read_of_a_bucket_is_not_fetched_again() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        let objects = Arc::new(object_store::memory::InMemory::new());
        let store = Store { objects, directory: None, ..store }.keeping(1 << 20);
        for at in 0..3 {
            let row = FindingRow { finding_id: at.to_string(), ..FindingRow::default() };
            store.write(None, &at.to_string(), vec![row]).unwrap();
        }
        let files = store.files::<FindingRow>(None, None).unwrap();
        let ids = || {
            let mut ids = Vec::new();
            store
                .read::<FindingRow>(&files, &[], |batch| {
                    ids.extend(FindingRow::read(batch).into_iter().map(|row| row.finding_id));
                })
                .map(|()| ids)
        };
        assert_eq!(ids().unwrap(), ["0", "1", "2"]);
        // Were they fetched, it would be seen now.
        store.remove(&files[1].path).unwrap();
        assert_eq!(ids().unwrap(), ["0", "1", "2"]);
        store.forget_unread().unwrap();
        assert_eq!(ids().unwrap(), ["0", "1", "2"]);
        store.forget_unread().unwrap();
        store.forget_unread().unwrap();
        assert!(matches!(ids(), Err(StoreError::Gone(path)) if path == files[1].path));
    }

    #[test]
    fn files_are_those_of_the_days_that_are_asked_about() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        let day = |day| jiff::civil::date(2026, 10, day);
        for at in 1..=4 {
            store.write(Some(day(at)), "a", vec![FindingRow::default()]).unwrap();
        }
        store.write(None, "a", vec![FindingRow::default()]).unwrap();
        let days = |since: i8, until: i8| {
            let files = store.files::<FindingRow>(Some(day(since)), Some(day(until))).unwrap();
            let day = |file: &Entry| {
                file.path.split("date=").nth(1).unwrap().split('/').next().unwrap().to_owned()
            };
            files.iter().map(day).collect::<Vec<_>>()
        };
        assert_eq!(days(2, 3), ["2026-10-02", "2026-10-03", NO_DATE]);
        assert_eq!(days(5, 9), [NO_DATE]);
    }

    #[test]
    fn who_takes_no_more_keeps_nobody_waiting() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        for at in 0..1_000 {
            store.write(None, &format!("{at:04}"), vec![FindingRow::default()]).unwrap();
        }
        let files = store.files::<FindingRow>(None, None).unwrap();
        let read = std::panic::AssertUnwindSafe(|| {
            store.read::<FindingRow>(&files, &[], |_| panic!("a bug in a fold"))
        });
        assert!(std::panic::catch_unwind(read).is_err());
    }
}

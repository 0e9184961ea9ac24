//! Sources beyond this machine, by their URI.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ingest::source::{Bucket, LogGroup, Lookup, Versions};
use jiff::Timestamp;
use report::store::{Store, StoreError};

use super::artifact::{self, Artifact};
use super::checkpoint::Checkpoint;

/// What is wanted of a source.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Leave out what was stored, or happened, before.
    pub since: Option<Timestamp>,
    /// The time that it is.
    pub now: Timestamp,
    /// Which versions of objects.
    pub versions: Versions,
}

/// A source, listed as it is read.
pub struct Far {
    /// What is there.
    pub artifacts: Box<dyn Iterator<Item = Artifact> + Send>,
    /// What it has been read up to, if all of it could be.
    pub checkpoint: Option<Checkpoint>,
}

/// Why a source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URI is wrong, or the service does not answer.
    #[error("{0}")]
    Source(#[from] io::Error),
    /// The store does not say what has been read.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Hears of what could not be listed.
pub(super) type Trouble = Box<dyn FnMut(io::Error) + Send>;

/// Opens `s3://bucket/prefix`, `cwl://group` or `lookup://region`.
pub fn far(uri: &str, asked: Asked, store: &Store, trouble: Trouble) -> Result<Far, SourceError> {
    let Asked { since, now, versions } = asked;
    if uri.starts_with("s3://") {
        let listing = Bucket::open(uri)?.list(versions);
        let artifacts = told(listing, trouble).filter(move |object| {
            since.is_none_or(|since| object.stored.is_none_or(|at| at >= since))
        });
        return Ok(Far { artifacts: Box::new(artifacts.map(Artifact::object)), checkpoint: None });
    }
    let known = Checkpoint::read(store, uri)?.map(|checkpoint| checkpoint.until);
    let checkpoint = Some(Checkpoint { source: uri.to_owned(), until: now });
    // A span that was asked for by hand says nothing of what lies before it.
    let is_whole = since.is_none();
    let since = since.or(known);
    let checkpoint = checkpoint.filter(|_| is_whole);
    if uri.starts_with("cwl://") {
        let streams = LogGroup::open(uri)?.list(since, now);
        let artifacts = Box::new(told(streams, trouble).map(Artifact::stream));
        return Ok(Far { artifacts, checkpoint });
    }
    if uri.starts_with("lookup://") {
        // What appears late has appeared a day later.
        let since =
            since.map(
                |since| {
                    if is_whole { since - jiff::SignedDuration::from_hours(24) } else { since }
                },
            );
        let mut all: Vec<Box<dyn Iterator<Item = io::Result<_>> + Send>> = Vec::new();
        for lookup in Lookup::open(uri)? {
            let mut wanted = Vec::new();
            for hour in lookup.hours(since, now) {
                let id = artifact::id(&lookup.uri(hour), &Lookup::version(hour));
                if !store.has(&artifact::ledger(&id))? {
                    wanted.push(hour);
                }
            }
            all.push(Box::new(lookup.read(wanted)));
        }
        let artifacts = told(all.into_iter().flatten(), trouble);
        return Ok(Far { artifacts: Box::new(artifacts.map(Artifact::hour)), checkpoint });
    }
    let known = "a source is a path, s3://bucket/prefix, cwl://group or lookup://region";
    Err(io::Error::other(format!("`{uri}`: {known}")).into())
}

/// What could be listed; of the rest, `trouble` hears.
fn told<T>(
    listing: impl Iterator<Item = io::Result<T>> + Send,
    mut trouble: impl FnMut(io::Error) + Send,
) -> impl Iterator<Item = T> + Send {
    listing.filter_map(move |item| item.map_err(&mut trouble).ok())
}

/// What could not be listed, of several sources.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<Vec<(String, io::Error)>>>);

impl Troubles {
    /// What a source is to tell.
    pub fn of(&self, uri: &str) -> Trouble {
        let (troubles, uri) = (self.clone(), uri.to_owned());
        Box::new(move |error| {
            troubles.0.lock().unwrap_or_else(PoisonError::into_inner).push((uri.clone(), error));
        })
    }

    /// What has been told: the source, and why.
    pub fn take(&self) -> Vec<(String, io::Error)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

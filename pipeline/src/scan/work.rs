//! What a scan reads, artifact by artifact, and what its threads tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ingest::source::Local;
use ingest::{Counts, Limits, Opened, Problem, ProblemKind, TranscriptHead};
use model::{Command, Finding, Observation, Place, Session, SessionId};

use crate::examine::Hit;
use crate::seen::Key;

type Source = Opened<Box<dyn Read + Send>>;

/// Something to read: not opened yet, or opened in the pass before.
pub(super) enum Work {
    Closed(Local),
    /// A pipe that holds a transcript: it cannot be opened twice, and need not be read twice.
    Open(Box<Opened<Box<dyn Read + Send>>>),
    /// A pipe that holds both, inflated.
    Kept(Arc<str>, File),
}

/// What is handed over in order.
pub(super) enum Told {
    /// About a record.
    Finding(Box<Finding>),
    /// About a command or a transcript.
    Mark(Box<Finding>),
    /// A match that correlations are made of.
    Hit(Hit),
    Command(Box<(TranscriptHead, Arc<Session>, Command)>),
    Observation(Box<(TranscriptHead, Arc<Session>, Observation)>),
    Transcript(Box<(TranscriptHead, Arc<Session>)>),
}

/// What a thread tells of an artifact, in pieces.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) told: Vec<Told>,
    pub(super) problems: Vec<Problem>,
    /// What records are known by.
    pub(super) records: Vec<Key>,
    /// The last piece.
    pub(super) end: Option<End>,
}

impl Piece {
    /// Is it time to hand it over?
    pub(super) fn is_full(&self) -> bool {
        self.told.len() + self.problems.len() >= PIECE || self.records.len() >= RECORDS
    }

    /// All that is told of an artifact of which nothing could be read.
    pub(super) fn failed(name: Arc<str>, reason: String) -> Self {
        let place = Place::new(Arc::clone(&name), 0);
        let problem = Problem { place, kind: ProblemKind::Failed, reason };
        let end = Some(End { name, ..End::default() });
        Self { problems: vec![problem], end, ..Self::default() }
    }
}

/// Pieces that are handed over together, each with the number of its artifact: every time wakes whoever waits for them.
pub(super) type Parcel = Vec<(usize, Piece)>;

/// Most pieces of a parcel, and most bytes that were read meanwhile.
const TOGETHER: usize = 4;
const BYTES: u64 = 4 << 20;

/// The pieces of one thread on their way.
pub(super) struct Outbox {
    send: SyncSender<Parcel>,
    parcel: Parcel,
    bytes: u64,
}

impl Outbox {
    pub(super) fn new(send: SyncSender<Parcel>) -> Self {
        Self { send, parcel: Parcel::new(), bytes: 0 }
    }

    /// Takes a piece; `false` if nobody listens any more.
    pub(super) fn put(&mut self, index: usize, piece: Piece) -> bool {
        let is_full = piece.is_full();
        self.bytes += piece.end.as_ref().map_or(0, |end| end.counts.bytes);
        self.parcel.push((index, piece));
        let stays = !is_full && self.parcel.len() < TOGETHER && self.bytes < BYTES;
        stays || self.send()
    }

    /// Hands over what there is; `false` if nobody listens any more.
    pub(super) fn send(&mut self) -> bool {
        self.bytes = 0;
        self.parcel.is_empty() || self.send.send(std::mem::take(&mut self.parcel)).is_ok()
    }
}

impl Work {
    /// May it last for ever?
    pub(super) const fn is_pipe(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Closed(Local::Pipe(_) | Local::Stdin))
    }

    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Self::Closed(local) => local.name(),
            Self::Open(opened) => opened.name(),
            Self::Kept(name, _) => Arc::clone(name),
        }
    }
}

#[derive(Default)]
pub(super) struct End {
    pub(super) name: Arc<str>,
    pub(super) counts: Counts,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) transcripts: BTreeSet<SessionId>,
    /// To be read in the next pass instead.
    pub(super) deferred: Option<Work>,
}

/// Findings and problems, and records, of which a thread keeps as much before it hands them over.
const PIECE: usize = 512;
const RECORDS: usize = 1 << 16;

pub(super) trait IntoWork {
    fn into_work(self) -> Work;
}

impl IntoWork for Local {
    fn into_work(self) -> Work {
        Work::Closed(self)
    }
}

impl IntoWork for Work {
    fn into_work(self) -> Work {
        self
    }
}

impl Work {
    /// Opens an artifact; with it comes what it can be opened by once more.
    pub(super) fn open(self, limits: &Limits) -> Result<(Source, Option<Self>), Problem> {
        let name = self.name();
        let failed = |error: io::Error| Problem {
            place: Place::new(Arc::clone(&name), 0),
            kind: ProblemKind::Failed,
            reason: error.to_string(),
        };
        match self {
            Self::Open(opened) => Ok((*opened, None)),
            Self::Closed(local) => {
                let reader = local.open().map_err(failed)?;
                let opened = ingest::open(name, reader, limits)?;
                let again = matches!(local, Local::File(_)).then_some(Self::Closed(local));
                Ok((opened, again))
            }
            Self::Kept(_, mut file) => {
                file.rewind().map_err(failed)?;
                let reader: Box<dyn Read + Send> = Box::new(file);
                Ok((ingest::open(Arc::clone(&name), reader, limits)?, None))
            }
        }
    }
}

/// Keeps what comes through a pipe, so that it can be read twice. What could not be read ends it, and is told.
pub(super) fn keep(
    name: &Arc<str>,
    opened: Source,
    limits: &Limits,
) -> Result<(Source, File, Option<Problem>), Problem> {
    let failed = |reason: String| Problem {
        place: Place::new(Arc::clone(name), 0),
        kind: ProblemKind::Failed,
        reason,
    };
    let no_room =
        |error: io::Error| failed(format!("cannot be kept for a second reading: {error}"));
    let mut file = tempfile::tempfile().map_err(no_room)?;
    let mut reader = opened.into_reader();
    let (mut chunk, mut offset) = (vec![0; 256 << 10], 0);
    let trouble = loop {
        match reader.read(&mut chunk) {
            Ok(0) => break None,
            Ok(read) => {
                file.write_all(&chunk[..read]).map_err(no_room)?;
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let mut problem = failed(ingest::decode::describe(&error));
                problem.place.offset = offset;
                break Some(problem);
            }
        }
    };
    file.rewind().map_err(no_room)?;
    let again: Box<dyn Read + Send> = Box::new(file.try_clone().map_err(no_room)?);
    Ok((ingest::open(Arc::clone(name), again, limits)?, file, trouble))
}

//! `ingest`: an artifact becomes facts, once.
//!
//! What is written depends on the artifact and the rules alone: not on what is in the store, on the order in which
//! artifacts come, on the clock. So they may come twice, in any order, to several processes at once. Rules that ask about
//! the session (`session.…`, `calendar.…` of a command) wait for the sweep, which knows it.
//!
//! An artifact is read to its end, its facts are written, and then its entry in the ledger. What is in the ledger is not
//! read again; what is not, is, and finds there what it wants to write.

mod artifact;
mod checkpoint;
mod opened;
mod reading;
mod rows;
mod sources;

use std::collections::BTreeSet;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use ingest::{Counts, Limits, Problem, ProblemKind};
use jiff::civil::Date;
use model::{Level, ShellFamily};
use report::mask::Masker;
use report::store::{FindingRow, Store, StoreError};
use rules::{Evaluator, RuleSet};
use serde::Serialize;

use crate::cases::Happening;

pub(crate) use self::artifact::ledger;
pub use self::artifact::{Artifact, local};
pub use self::checkpoint::Checkpoint;
pub use self::opened::Opened;
pub(crate) use self::rows::{finding as finding_row, matched as match_row};
pub use self::sources::{Asked, Far, SourceError, Troubles, far};

/// How to ingest.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is done with secrets.
    pub masker: Masker,
    /// Threads.
    pub jobs: usize,
    /// How much of a hostile input is looked at.
    pub limits: Limits,
    /// Whose session it is can be looked up by its id alone ([`Opened`]): for whoever tells of findings before a sweep.
    pub index_sessions: bool,
    /// A clock in nanoseconds, if it is to be known how long the rules take.
    pub clock: Option<fn() -> u64>,
    /// When this becomes true, what has not been read to its end is given back.
    pub stop: Arc<AtomicBool>,
}

/// Rows written, by table. Those that were there already count as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// `activity`
    pub activity: u64,
    /// `transcripts`
    pub transcripts: u64,
    /// `commands`
    pub commands: u64,
    /// `matches`
    pub matches: u64,
    /// `findings`
    pub findings: u64,
}

impl RowCounts {
    fn add(&mut self, other: Self) {
        self.activity += other.activity;
        self.transcripts += other.transcripts;
        self.commands += other.commands;
        self.matches += other.matches;
        self.findings += other.findings;
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Artifacts that the source has.
    pub artifacts: u64,
    /// Of these, read before: the store has them.
    pub known: u64,
    /// Read now.
    pub read: u64,
    /// Of these, without events, by design: digest files, notifications.
    pub skipped: u64,
    /// Of which something could not be read: they are in `quarantine/`.
    pub quarantined: u64,
    /// Not read at all, for a reason that may pass: they come again with the next run.
    pub failed: u64,
    /// Bytes, after decompression.
    pub bytes: u64,
    /// CloudTrail records.
    pub records: u64,
    /// Rows of facts.
    pub rows: RowCounts,
    /// Findings by level, the mildest first.
    pub findings: [u64; 5],
    /// How long the rules took, in nanoseconds, all threads together, if a clock was given.
    #[serde(skip)]
    pub rule_nanos: u64,
    /// The gravest.
    #[serde(skip)]
    pub highest: Option<Level>,
    /// The days in which findings were written.
    #[serde(skip)]
    pub days: BTreeSet<Option<Date>>,
}

/// What became of an artifact.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The store has it.
    Known,
    /// It was read. Here are its findings, the first of them if they are many.
    Read(Vec<FindingRow>),
    /// It is not there any more.
    Gone(Problem),
    /// It could not be read now, and perhaps later.
    Failed(Problem),
}

/// Findings of an artifact that are handed over at once.
const HANDED_OVER: usize = 1_000;

/// Hears how it goes.
pub trait Observer {
    /// What became of an artifact, by the number that it was given.
    fn done(&mut self, _number: usize, _outcome: Outcome) {}
    /// Something could not be read, or was left out.
    fn problem(&mut self, problem: &Problem);
    /// An artifact is done; `bytes` after decompression.
    fn artifact(&mut self, bytes: u64);
}

/// What a thread tells of an artifact.
pub(crate) enum Told {
    /// It is in the ledger.
    Known,
    /// It was read. Its entry in the ledger is written when its facts are durable.
    Read {
        counts: Counts,
        rows: RowCounts,
        findings: [u64; 5],
        days: BTreeSet<Option<Date>>,
        told: Vec<FindingRow>,
        nanos: u64,
        problems: Vec<Problem>,
        entry: Option<(String, Vec<u8>)>,
    },
    /// It is not there any more.
    Gone(Problem),
    /// It could not be read now, and perhaps later.
    Failed(Problem),
    /// The store does not take it.
    Store(StoreError),
}

/// Makes what the first transcript needs, beforehand: the rules for commands, the engines of the expressions that every command is
/// asked about, those that find secrets. That takes as long as some requests to a bucket, during which nothing else is done.
pub fn warm_up(set: &RuleSet) {
    let mut evaluator = Evaluator::new(set);
    Happening::of_line("sudo -i", ShellFamily::Posix, None).see(set, &mut |seen| {
        // What comes of it is nobody's.
        let _ = evaluator.evaluate(seen.kind, seen.pivot, seen.event, |_| {});
    });
    let _ = Masker::default().text("--password x");
}

/// Ingests. Fails if the store does: what was not acknowledged is read again by the next run.
pub fn ingest<I>(
    artifacts: I,
    store: &Store,
    set: &RuleSet,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Summary, StoreError>
where
    I: IntoIterator<Item = Artifact>,
    I::IntoIter: Send,
{
    let artifacts = std::sync::Mutex::new(artifacts.into_iter());
    let jobs = options.jobs.max(1);
    let (send, receive) = sync_channel::<(usize, Told)>(jobs * 4);
    let stopped = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (send, artifacts, stopped) = (send.clone(), &artifacts, &stopped);
            scope.spawn(move || {
                let mut evaluator = Evaluator::new(set);
                while stopped.load(Ordering::Relaxed) == 0 {
                    let next =
                        artifacts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                    let Some(artifact) = next else { break };
                    let (name, number) = (artifact.name(), artifact.number);
                    // A bug met in one artifact must neither end the others nor be taken for "nothing found" in this one.
                    let told = catch_unwind(AssertUnwindSafe(|| {
                        if options.stop.load(Ordering::Relaxed) {
                            return given_back(&name);
                        }
                        one(artifact, store, set, options, &mut evaluator)
                    }));
                    let told = told.unwrap_or_else(|_| {
                        evaluator = Evaluator::new(set);
                        Told::Failed(Problem {
                            place: model::Place::new(name, 0),
                            kind: ProblemKind::Failed,
                            reason: "a bug in ssm-audit was met here; please report it with this object or one like it"
                                .to_owned(),
                        })
                    });
                    if !tell(&send, number, told) {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut summary = Summary::default();
        let (mut failure, mut entries) = (None, Vec::new());
        for (number, told) in receive {
            summary.artifacts += 1;
            let is_gone = matches!(told, Told::Gone(_));
            match told {
                Told::Known => {
                    summary.known += 1;
                    observer.done(number, Outcome::Known);
                    observer.artifact(0);
                }
                Told::Read { counts, rows, findings, days, told, nanos, problems, entry } => {
                    summary.rule_nanos += nanos;
                    summary.days.extend(days);
                    entries.extend(entry);
                    observer.done(number, Outcome::Read(told));
                    if entries.len() >= TOGETHER
                        && let Err(error) = acknowledge(store, &mut entries)
                    {
                        stopped.store(1, Ordering::Relaxed);
                        failure.get_or_insert(error);
                    }
                    summary.read += 1;
                    summary.note(counts, rows, findings);
                    let failed = problems.iter().any(|p| p.kind == ProblemKind::Failed);
                    summary.quarantined += u64::from(failed);
                    let is_empty = counts.records + counts.transcripts + counts.outputs == 0;
                    summary.skipped += u64::from(!failed && is_empty && !problems.is_empty());
                    for problem in &problems {
                        observer.problem(problem);
                    }
                    observer.artifact(counts.bytes);
                }
                Told::Failed(problem) | Told::Gone(problem) => {
                    summary.failed += 1;
                    observer.problem(&problem);
                    let outcome = if is_gone { Outcome::Gone } else { Outcome::Failed };
                    observer.done(number, outcome(problem));
                    observer.artifact(0);
                }
                Told::Store(error) => {
                    stopped.store(1, Ordering::Relaxed);
                    failure.get_or_insert(error);
                }
            }
        }
        if failure.is_none() {
            acknowledge(store, &mut entries)?;
        }
        failure.map_or(Ok(summary), Err)
    })
}

/// Artifacts whose facts are made durable together.
const TOGETHER: usize = 256;

/// Makes facts durable, then says so in the ledger: what has no entry there is read again.
fn acknowledge(store: &Store, entries: &mut Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    store.sync()?;
    for (path, entry) in entries.drain(..) {
        store.create(&path, entry)?;
    }
    Ok(())
}

impl Summary {
    fn note(&mut self, counts: Counts, rows: RowCounts, findings: [u64; 5]) {
        self.bytes += counts.bytes;
        self.records += counts.records;
        self.rows.add(rows);
        for (sum, count) in self.findings.iter_mut().zip(findings) {
            *sum += count;
        }
        self.highest =
            Level::ALL.into_iter().rev().find(|level| self.findings[*level as usize] > 0);
    }
}

fn tell(send: &SyncSender<(usize, Told)>, number: usize, told: Told) -> bool {
    let goes_on = !matches!(told, Told::Store(_));
    send.send((number, told)).is_ok() && goes_on
}

fn given_back(name: &Arc<str>) -> Told {
    Told::Failed(Problem {
        place: model::Place::new(Arc::clone(name), 0),
        kind: ProblemKind::Failed,
        reason: "given back: there was no time left for it".to_owned(),
    })
}

/// What the ledger says of an artifact.
#[derive(Serialize)]
struct Entry<'a> {
    artifact: &'a str,
    version: &'a str,
    sha256: Option<&'a str>,
    stored: Option<String>,
    bytes: u64,
    records: u64,
    transcripts: u64,
    commands: u64,
    outputs: u64,
    rows: RowCounts,
    files: &'a [String],
    problems: Vec<Trouble<'a>>,
}

/// What could not be read, or was left out.
#[derive(Serialize)]
struct Trouble<'a> {
    kind: &'static str,
    offset: u64,
    reason: &'a str,
}

/// Problems of an artifact that are kept.
const MAX_PROBLEMS: usize = 1_000;

/// Notes something that will never be read, and why: a message that makes no sense, an object that is gone. `version` tells one
/// of that name from another.
pub fn quarantine(
    store: &Store,
    name: &str,
    version: &str,
    reason: &str,
    text: Option<&str>,
) -> Result<(), StoreError> {
    let id = crate::finding::id(&[b"unread", name.as_bytes(), version.as_bytes()]).0;
    let note = serde_json::json!({
        "artifact": name,
        "problems": [{"kind": "failed", "offset": 0, "reason": reason}],
        "text": text,
    });
    let json = serde_json::to_vec_pretty(&note).expect("plain values are JSON");
    store.create(&format!("quarantine/{id}.json"), json)?;
    store.sync()
}

/// Ingests one artifact.
fn one<'e>(
    artifact: Artifact,
    store: &Store,
    set: &'e RuleSet,
    options: &Options,
    evaluator: &mut Evaluator<'e>,
) -> Told {
    let name = artifact.name();
    let problem = |reason: String| Problem {
        place: model::Place::new(Arc::clone(&name), 0),
        kind: ProblemKind::Failed,
        reason,
    };
    let passing = |reason: String| Told::Failed(problem(reason));
    let unread = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Told::Gone(problem(error.to_string())),
        _ => passing(error.to_string()),
    };
    // The version of a file is its content: it has to be read to be known.
    let mut artifact = match artifact.identify() {
        Ok(artifact) => artifact,
        Err(error) => return unread(error),
    };
    let id = artifact.id();
    let ledger = ledger(&id);
    match store.has(&ledger) {
        Ok(true) => return Told::Known,
        Ok(false) => {}
        Err(error) => return Told::Store(error),
    }
    let (reader, broken) = match artifact.open() {
        Ok(opened) => opened,
        Err(error) => return unread(error),
    };
    let mut reading = reading::Reading::new(store, set, options, evaluator, &artifact, &id);
    let opened =
        ingest::open(Arc::clone(&name), Box::new(reader) as Box<dyn Read>, &options.limits);
    let counts = match opened {
        Ok(opened) => {
            let opened = if artifact.is_part { opened.as_part() } else { opened };
            ingest::decode(opened, ingest::Want::All, &options.limits, &mut reading)
        }
        Err(problem) if artifact.is_span && problem.kind == ProblemKind::Skipped => {
            Counts::default()
        }
        Err(problem) => {
            ingest::Sink::problem(&mut reading, problem);
            Counts::default()
        }
    };
    if options.stop.load(Ordering::Relaxed) {
        return given_back(&name);
    }
    // Not the artifact is broken, but the way to it.
    if let Some(error) = broken.take() {
        return passing(error);
    }
    let read = match reading.finish() {
        Ok(read) => read,
        Err(error) => return Told::Store(error),
    };
    let troubles = |kind: Option<ProblemKind>| {
        let wanted = read.problems.iter().filter(move |p| kind.is_none_or(|kind| p.kind == kind));
        let trouble = wanted.map(|problem| Trouble {
            kind: match problem.kind {
                ProblemKind::Skipped => "skipped",
                ProblemKind::Failed => "failed",
            },
            offset: problem.place.offset,
            reason: &problem.reason,
        });
        trouble.collect::<Vec<_>>()
    };
    let mut entry = Entry {
        artifact: &name,
        version: &artifact.version,
        sha256: artifact.sha256.as_deref(),
        stored: artifact.stored.map(|time| time.to_string()),
        bytes: counts.bytes,
        records: counts.records,
        transcripts: counts.transcripts,
        commands: counts.commands,
        outputs: counts.outputs,
        rows: read.rows,
        files: &read.files,
        problems: troubles(Some(ProblemKind::Failed)),
    };
    let json = |entry: &Entry<'_>| serde_json::to_vec_pretty(entry).expect("plain rows are JSON");
    let mut write = || {
        if !entry.problems.is_empty() {
            store.create(&format!("quarantine/{id}.json"), json(&entry))?;
        }
        entry.problems = troubles(None);
        let entry = json(&entry);
        if store.is_synced() {
            return Ok(Some((ledger.clone(), entry)));
        }
        // What was created is durable. Last: what is not in the ledger is read again.
        store.create(&ledger, entry).map(|_| None)
    };
    match write() {
        Ok(entry) => Told::Read {
            counts,
            rows: read.rows,
            findings: read.levels,
            days: read.days,
            told: read.told,
            nanos: read.nanos,
            problems: read.problems,
            entry,
        },
        Err(error) => Told::Store(error),
    }
}

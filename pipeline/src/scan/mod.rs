//! `scan`: artifacts in, findings out, nothing kept.
//!
//! Two passes. CloudTrail first: it tells which sessions there are and whose they are. Then the
//! transcripts, whose commands can now be attributed. What holds both is read twice; a pipe, which cannot be,
//! is kept in an unnamed temporary file meanwhile. Within a pass artifacts are read by several threads,
//! and findings are handed over in the artifacts' order, so that the same input gives the same output
//! however many threads there are.

mod reading;
mod work;

pub(crate) use self::reading::{opens_session, session_of};

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use ingest::source::Found;
use ingest::{Counts, Limits, Problem, ProblemKind, TranscriptHead, Want};
use jiff::Timestamp;
use model::{
    Command, EventKind, Finding, Level, Observation, Place, Session, SessionId, SessionKind,
};
use report::mask::Masker;
use report::turn::Turn;
use rules::correlate::{Peak, Rest};
use rules::{Correlator, Evaluator, Member, RuleSet};

use self::reading::Reading;
use self::work::{End, IntoWork, Outbox, Parcel, Piece, Told, Work, keep};
use crate::examine::Examiner;
use crate::finding::{self, Kept};
use crate::seen::Seen;

/// The kinds of event that a scan evaluates rules on.
pub const EVALUATED: [EventKind; 5] = [
    EventKind::CloudTrail,
    EventKind::Command,
    EventKind::LinuxProcess,
    EventKind::WindowsProcess,
    EventKind::Transcript,
];

/// What to scan for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Findings of a milder level are left out.
    pub min_level: Level,
    /// Findings from before are left out.
    pub since: Option<Timestamp>,
    /// Findings from then on are left out.
    pub until: Option<Timestamp>,
    /// What is done with secrets in findings.
    pub masker: Masker,
    /// Hand over commands and transcripts as well ([`Observer::command`] and its kin), and every finding on them,
    /// whether or not another form of the same session had it already.
    pub timeline: bool,
    /// Threads.
    pub jobs: usize,
    /// How much of a hostile input is looked at.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_level: Level::Informational,
            since: None,
            until: None,
            masker: Masker::default(),
            timeline: false,
            jobs: 1,
            limits: Limits::default(),
        }
    }
}

/// What a scan found out, beside the findings.
#[derive(Debug, Default)]
pub struct Summary {
    /// Artifacts that were there.
    pub artifacts: u64,
    /// Artifacts of which something could not be read.
    pub failed: u64,
    /// Artifacts without events, by design: digest files, notifications.
    pub skipped: u64,
    /// What was in them.
    pub counts: Counts,
    /// Records that had been read before.
    pub duplicates: u64,
    /// Sessions that CloudTrail says were opened.
    pub sessions: u64,
    /// Sessions of them whose transcript was in the input.
    pub recorded: u64,
    /// Sessions of them that the service does not record.
    pub unrecordable: u64,
    /// Sessions that should have a transcript, and the input has none.
    pub unrecorded: Vec<Session>,
    /// Transcripts of sessions that no record in the input opened.
    pub unaudited: Vec<SessionId>,
    /// What could not be correlated, and why.
    pub notices: Vec<String>,
    /// Findings, mildest level first.
    pub findings: [u64; 5],
    /// The gravest of them.
    pub highest: Option<Level>,
    /// What no correlation came of.
    rest: Option<Rest<Kept>>,
}

/// Takes what a scan finds, as it finds it.
pub trait Observer {
    /// A finding, in its final place.
    fn finding(&mut self, finding: &Finding) -> io::Result<()>;
    /// A command, its secrets masked; the findings on it come right behind. Only if [`Options::timeline`].
    fn command(&mut self, _: &TranscriptHead, _: &Session, _: &Command) -> io::Result<()> {
        Ok(())
    }
    /// Something in a transcript that hides what was done. Only if [`Options::timeline`].
    fn observation(&mut self, _: &TranscriptHead, _: &Session, _: &Observation) -> io::Result<()> {
        Ok(())
    }
    /// A transcript has been read to its end; the findings on the whole come right behind. Only if
    /// [`Options::timeline`].
    fn transcript(&mut self, _: &TranscriptHead, _: &Session) -> io::Result<()> {
        Ok(())
    }
    /// Something could not be read, or was left out.
    fn problem(&mut self, problem: &Problem);
    /// An artifact has been read; `bytes` after decompression.
    fn artifact(&mut self, bytes: u64);
}

/// Scans. Fails only if the observer cannot take a finding.
pub fn scan(
    found: Found,
    set: &RuleSet,
    options: &Options,
    observer: &mut dyn Observer,
) -> io::Result<Summary> {
    let mut scan = Scan::new(set, options);
    scan.read(found, observer)?;
    scan.correlate(observer)?;
    Ok(scan.finish())
}

/// What became of one correlation.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) fires: usize,
    /// By member.
    pub(crate) matches: Vec<u64>,
    pub(crate) peaks: Vec<Peak>,
}

/// Scans for how far a correlation comes.
pub(crate) fn correlations(
    found: Found,
    set: &RuleSet,
    options: &Options,
    index: usize,
    observer: &mut dyn Observer,
) -> io::Result<Watched> {
    let mut scan = Scan::new(set, options);
    scan.correlator = scan.correlator.map(|correlator| correlator.watching(index));
    scan.read(found, observer)?;
    let members = &set.correlations()[index].members;
    let matches = |member: &Member| match member {
        Member::Rule(at) => scan.hits.get(at).copied().unwrap_or(0),
        Member::Correlation(_) => 0,
    };
    let mut matches: Vec<u64> = members.iter().map(matches).collect();
    let outcome = scan.correlated();
    for fire in &outcome.fires {
        for (member, count) in members.iter().zip(&mut matches) {
            *count += u64::from(*member == Member::Correlation(fire.index));
        }
    }
    let fires = outcome.fires.iter().filter(|fire| fire.index == index).count();
    Ok(Watched { fires, matches, peaks: outcome.peaks })
}

impl<'a> Scan<'a> {
    fn new(set: &'a RuleSet, options: &'a Options) -> Self {
        Self {
            set,
            options,
            seen: Seen::new(),
            sessions: BTreeMap::new(),
            transcripts: BTreeSet::new(),
            told: HashSet::new(),
            correlator: Some(Correlator::new(set)),
            hits: BTreeMap::new(),
            failed: HashSet::new(),
            skipped: HashSet::new(),
            summary: Summary::default(),
        }
    }

    fn read(&mut self, found: Found, observer: &mut dyn Observer) -> io::Result<()> {
        for unreadable in found.unreadable {
            let place = Place::new(unreadable.path, 0);
            let reason = unreadable.error.to_string();
            self.trouble(&Problem { place, kind: ProblemKind::Failed, reason }, observer);
        }
        for (path, what) in found.left_out {
            let place = Place::new(path, 0);
            let reason = what.to_owned();
            self.trouble(&Problem { place, kind: ProblemKind::Skipped, reason }, observer);
        }
        self.summary.artifacts = found.artifacts.len() as u64;
        let deferred = self.pass(Pass::Records, found.artifacts, observer)?;
        self.pass(Pass::Transcripts, deferred, observer)?;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Records,
    Transcripts,
}

struct Scan<'a> {
    set: &'a RuleSet,
    options: &'a Options,
    seen: Seen,
    sessions: BTreeMap<SessionId, Arc<Session>>,
    transcripts: BTreeSet<SessionId>,
    /// Ids of findings that have been handed over.
    told: HashSet<u128>,
    /// The matches that correlations are made of.
    correlator: Option<Correlator<'a, Kept>>,
    /// How many there were, by rule.
    hits: BTreeMap<usize, u64>,
    /// Artifacts of which something could not be read.
    failed: HashSet<Arc<str>>,
    /// Artifacts of which something was left out, by design.
    skipped: HashSet<Arc<str>>,
    summary: Summary,
}

impl<'a> Scan<'a> {
    /// Reads artifacts; returns those that belong to the next pass.
    fn pass<T: IntoWork>(
        &mut self,
        pass: Pass,
        work: Vec<T>,
        observer: &mut dyn Observer,
    ) -> io::Result<Vec<Work>> {
        let work: Vec<Mutex<Option<Work>>> =
            work.into_iter().map(|work| Mutex::new(Some(work.into_work()))).collect();
        let jobs = self.options.jobs.clamp(1, work.len().max(1));
        let next = AtomicUsize::new(0);
        let turn = Turn::default();
        let (send, receive) = sync_channel::<Parcel>(jobs * 4);
        let known = std::mem::take(&mut self.sessions);
        let shared = Shared { set: self.set, options: self.options, sessions: &known, turn: &turn };
        let result = std::thread::scope(|scope| {
            for _ in 0..jobs {
                let (send, shared, work, next) = (send.clone(), &shared, &work, &next);
                scope.spawn(move || {
                    let mut outbox = Outbox::new(send);
                    let mut evaluator = Evaluator::new(shared.set);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(slot) = work.get(index) else { break };
                        let is_near = |front| index < front + jobs * 8;
                        if !shared.turn.has_come(is_near) {
                            outbox.send();
                            shared.turn.wait(is_near);
                        }
                        let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                        let Some(work) = taken else { continue };
                        let name = work.name();
                        // A bug met in one artifact must neither end the others nor be taken for
                        // "nothing found" in this one.
                        let read = catch_unwind(AssertUnwindSafe(|| {
                            shared.read(pass, work, index, &mut evaluator, &mut outbox)
                        }));
                        let listening = read.unwrap_or_else(|_| {
                            evaluator = Evaluator::new(shared.set);
                            let reason = "a bug in ssm-audit was met here; please report it with this \
                                          file or one like it";
                            outbox.put(index, Piece::failed(name, reason.into()))
                        });
                        // The receiver is gone when the output is: no use in going on.
                        if !listening {
                            break;
                        }
                    }
                    outbox.send();
                });
            }
            drop(send);
            let _release = turn.release();
            // Dropped first: a thread that waits for room learns that nobody listens.
            let receive = receive;
            self.receive(work.len(), &receive, &turn, observer)
        });
        // What an earlier pass knew stands.
        self.sessions.extend(known);
        result
    }

    /// Puts the pieces in order and hands them on.
    fn receive(
        &mut self,
        artifacts: usize,
        receive: &Receiver<Parcel>,
        turn: &Turn,
        observer: &mut dyn Observer,
    ) -> io::Result<Vec<Work>> {
        let mut waiting: BTreeMap<usize, Vec<Piece>> = BTreeMap::new();
        let mut deferred = Vec::new();
        let mut front = 0;
        while front < artifacts {
            let Ok(parcel) = receive.recv() else {
                return Err(io::Error::other("a thread that was reading has failed"));
            };
            for (index, piece) in parcel {
                waiting.entry(index).or_default().push(piece);
            }
            while let Some(pieces) = waiting.remove(&front) {
                let mut ended = false;
                for piece in pieces {
                    self.piece(piece, &mut ended, &mut deferred, observer)?;
                }
                if !ended {
                    break;
                }
                front += 1;
                turn.advance(front);
            }
        }
        Ok(deferred)
    }

    fn piece(
        &mut self,
        piece: Piece,
        ended: &mut bool,
        deferred: &mut Vec<Work>,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        let Piece { told, problems, records, end } = piece;
        self.summary.duplicates += self.seen.note(&records);
        for problem in &problems {
            self.trouble(problem, observer);
        }
        for told in told {
            match told {
                Told::Finding(found) => self.finding(&found, true, observer)?,
                Told::Mark(found) => self.finding(&found, !self.options.timeline, observer)?,
                Told::Hit(hit) => {
                    *self.hits.entry(hit.rule).or_default() += 1;
                    if let Some(correlator) = &mut self.correlator {
                        hit.add_to(correlator);
                    }
                }
                Told::Command(told) => observer.command(&told.0, &told.1, &told.2)?,
                Told::Observation(told) => observer.observation(&told.0, &told.1, &told.2)?,
                Told::Transcript(told) => observer.transcript(&told.0, &told.1)?,
            }
        }
        let Some(end) = end else { return Ok(()) };
        *ended = true;
        let summary = &mut self.summary;
        summary.counts.records += end.counts.records;
        summary.counts.transcripts += end.counts.transcripts;
        summary.counts.commands += end.counts.commands;
        summary.counts.outputs += end.counts.outputs;
        summary.counts.bytes += end.counts.bytes;
        if end.counts.records + end.counts.transcripts > 0 {
            // Something was left out, and the rest was read.
            self.skipped.remove(&end.name);
        }
        self.transcripts.extend(end.transcripts);
        for (id, session) in end.sessions {
            self.sessions.entry(id).or_insert_with(|| Arc::new(session));
        }
        if let Some(work) = end.deferred {
            deferred.push(work);
        } else {
            observer.artifact(end.counts.bytes);
        }
        Ok(())
    }

    fn trouble(&mut self, problem: &Problem, observer: &mut dyn Observer) {
        let of = match problem.kind {
            ProblemKind::Failed => &mut self.failed,
            ProblemKind::Skipped => &mut self.skipped,
        };
        of.insert(Arc::clone(&problem.place.artifact));
        observer.problem(problem);
    }

    fn finding(
        &mut self,
        finding: &Finding,
        once: bool,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        let Options { min_level, since, until, .. } = *self.options;
        // A command may have run until the end of its span.
        let latest = finding.time_end.or(finding.time);
        let too_early = latest.zip(since).is_some_and(|(time, since)| time < since);
        let too_late = finding.time.zip(until).is_some_and(|(time, until)| time >= until);
        if finding.rule.level < min_level || too_early || too_late {
            return Ok(());
        }
        let key = u128::from_str_radix(&finding.id.0, 16).unwrap_or_default();
        if !self.told.insert(key) && once {
            return Ok(());
        }
        self.summary.findings[finding.rule.level as usize] += 1;
        self.summary.highest = self.summary.highest.max(Some(finding.rule.level));
        observer.finding(finding)
    }

    /// What the matches come to together.
    fn correlated(&mut self) -> rules::correlate::Outcome<'a, Kept> {
        let masker = self.options.masker;
        let correlator = self.correlator.take().unwrap_or_else(|| Correlator::new(self.set));
        correlator.finish(|fire| Kept::Correlation(Arc::new(finding::of_fire(fire, masker))))
    }

    /// Tells it.
    fn correlate(&mut self, observer: &mut dyn Observer) -> io::Result<()> {
        let masker = self.options.masker;
        let outcome = self.correlated();
        for fire in outcome.fires.iter().filter(|fire| self.set.is_correlation_told(fire.index)) {
            self.finding(&finding::of_fire(fire, masker), true, observer)?;
        }
        self.summary.notices = outcome.notices;
        self.summary.rest = Some(outcome.rest);
        Ok(())
    }

    fn finish(mut self) -> Summary {
        let summary = &mut self.summary;
        summary.failed = self.failed.len() as u64;
        summary.skipped = self.skipped.difference(&self.failed).count() as u64;
        summary.sessions = self.sessions.len() as u64;
        for (id, session) in &self.sessions {
            if self.transcripts.contains(id) {
                summary.recorded += 1;
            } else if session.kind.is_some_and(|kind| !SessionKind::is_recordable(kind)) {
                summary.unrecordable += 1;
            } else {
                summary.unrecorded.push((**session).clone());
            }
        }
        summary.unrecorded.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        summary.unaudited = self
            .transcripts
            .iter()
            .filter(|id| !self.sessions.contains_key(*id))
            .cloned()
            .collect();
        self.summary
    }
}

/// What all threads of a pass share.
struct Shared<'a> {
    set: &'a RuleSet,
    options: &'a Options,
    sessions: &'a BTreeMap<SessionId, Arc<Session>>,
    turn: &'a Turn,
}

impl<'s> Shared<'s> {
    /// Reads one artifact; `false` if nobody listens any more.
    fn read(
        &self,
        pass: Pass,
        work: Work,
        index: usize,
        evaluator: &mut Evaluator<'s>,
        outbox: &mut Outbox,
    ) -> bool {
        let limits = &self.options.limits;
        let name = work.name();
        if work.is_pipe() {
            outbox.send();
        }
        let (opened, again) = match work.open(limits) {
            Ok(opened) => opened,
            Err(problem) => {
                let end = Some(End { name, ..End::default() });
                let piece = Piece { problems: vec![problem], end, ..Piece::default() };
                return outbox.put(index, piece);
            }
        };
        let form = opened.form();
        if pass == Pass::Records && form.is_transcript() {
            let deferred = again.or_else(|| Some(Work::Open(Box::new(opened))));
            let end = Some(End { name, deferred, ..End::default() });
            return outbox.put(index, Piece { end, ..Piece::default() });
        }
        let (want, opened, again, trouble) = match (form.may_hold_both(), pass, again) {
            (true, Pass::Records, None) => match keep(&name, opened, limits) {
                Ok((opened, file, trouble)) => {
                    (Want::Records, opened, Some(Work::Kept(Arc::clone(&name), file)), trouble)
                }
                Err(problem) => {
                    let end = Some(End { name, ..End::default() });
                    let piece = Piece { problems: vec![problem], end, ..Piece::default() };
                    return outbox.put(index, piece);
                }
            },
            (true, Pass::Records, again) => (Want::Records, opened, again, None),
            (true, Pass::Transcripts, _) => (Want::Transcripts, opened, None, None),
            (false, _, _) => (Want::All, opened, None, None),
        };
        let mut reading = Reading {
            shared: self,
            index,
            outbox,
            listening: true,
            examiner: Examiner::new(self.set, evaluator, self.options.masker),
            name: opened.name(),
            piece: Piece { problems: trouble.into_iter().collect(), ..Piece::default() },
            end: End::default(),
            seen: 0,
        };
        let mut counts = ingest::decode(opened, want, limits, &mut reading);
        let mut piece = std::mem::take(&mut reading.piece);
        let mut end = std::mem::take(&mut reading.end);
        end.name = name;
        if counts.passed_over {
            end.deferred = again;
        }
        if want == Want::Transcripts {
            // These bytes have been counted.
            counts.bytes = 0;
        }
        end.counts = counts;
        piece.end = Some(end);
        outbox.put(index, piece)
    }
}

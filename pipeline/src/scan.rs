//! `scan`: artifacts in, findings out, nothing kept.
//!
//! Two passes. CloudTrail first: it tells which sessions there are and whose they are. Then the
//! transcripts, whose commands can now be attributed. Within a pass artifacts are read by several threads,
//! and findings are handed over in the artifacts' order, so that the same input gives the same output
//! however many threads there are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use ingest::command::simple;
use ingest::decode::Record;
use ingest::source::{Found, Local};
use ingest::{Counts, Limits, Opened, Problem, ProblemKind, RawRecord, Sink, TranscriptHead};
use jiff::Timestamp;
use model::{
    Command, CommandStatus, EventKind, Finding, Level, Place, Principal, Session, SessionId,
    SessionKind,
};
use rules::{Evaluator, Pivot, RuleSet};

use crate::events::{Added, CommandEvent, RecordEvent};
use crate::finding;
use crate::seen::Seen;

/// What to scan for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Findings of a milder level are left out.
    pub min_level: Level,
    /// Findings from before are left out.
    pub since: Option<Timestamp>,
    /// Findings from then on are left out.
    pub until: Option<Timestamp>,
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
    /// Findings, mildest level first.
    pub findings: [u64; 5],
    /// The gravest of them.
    pub highest: Option<Level>,
}

/// Takes what a scan finds, as it finds it.
pub trait Observer {
    /// A finding, in its final place.
    fn finding(&mut self, finding: &Finding) -> io::Result<()>;
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
    let mut scan = Scan {
        set,
        options,
        seen: Arc::new(Seen::new()),
        sessions: BTreeMap::new(),
        transcripts: BTreeSet::new(),
        told: HashSet::new(),
        summary: Summary::default(),
    };
    for unreadable in found.unreadable {
        scan.summary.failed += 1;
        observer.problem(&Problem {
            place: Place::new(unreadable.path, 0),
            kind: ProblemKind::Failed,
            reason: unreadable.error.to_string(),
        });
    }
    scan.summary.artifacts = found.artifacts.len() as u64;
    let deferred = scan.pass(Pass::Records, found.artifacts, observer)?;
    scan.pass(Pass::Transcripts, deferred, observer)?;
    Ok(scan.finish())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Records,
    Transcripts,
}

struct Scan<'a> {
    set: &'a RuleSet,
    options: &'a Options,
    seen: Arc<Seen>,
    sessions: BTreeMap<SessionId, Arc<Session>>,
    transcripts: BTreeSet<SessionId>,
    /// Ids of findings that have been handed over.
    told: HashSet<u128>,
    summary: Summary,
}

/// Something to read: not opened yet, or opened in the pass before.
enum Work {
    Closed(Local),
    /// Standard input cannot be opened twice.
    Open(Box<Opened<Box<dyn Read + Send>>>),
}

/// What a thread tells of an artifact, in pieces.
#[derive(Default)]
struct Piece {
    findings: Vec<Finding>,
    problems: Vec<Problem>,
    /// The last piece.
    end: Option<End>,
}

impl Piece {
    /// All that is told of an artifact of which nothing could be read.
    fn failed(name: Arc<str>, reason: String) -> Self {
        let problem = Problem { place: Place::new(name, 0), kind: ProblemKind::Failed, reason };
        Self { problems: vec![problem], end: Some(End::default()), ..Self::default() }
    }
}

impl Work {
    fn name(&self) -> Arc<str> {
        match self {
            Self::Closed(local) => local.name(),
            Self::Open(opened) => opened.name(),
        }
    }
}

#[derive(Default)]
struct End {
    counts: Counts,
    duplicates: u64,
    sessions: Vec<Session>,
    transcripts: Vec<SessionId>,
    /// To be read in the next pass instead.
    deferred: Option<Work>,
}

/// Findings and problems that a thread keeps before it hands them over.
const PIECE: usize = 512;

/// Whose turn it is. A thread may run ahead of the artifact that is being handed over, but not far.
struct Turn {
    front: Mutex<usize>,
    moved: Condvar,
}

impl Turn {
    fn wait(&self, until: impl Fn(usize) -> bool) {
        let mut front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        while !until(*front) {
            front = self.moved.wait(front).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self, to: usize) {
        *self.front.lock().unwrap_or_else(PoisonError::into_inner) = to;
        self.moved.notify_all();
    }
}

trait IntoWork {
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

impl Scan<'_> {
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
        let turn = Turn { front: Mutex::new(0), moved: Condvar::new() };
        let (send, receive) = sync_channel::<(usize, Piece)>(jobs * 4);
        let (seen, known) = (Arc::clone(&self.seen), std::mem::take(&mut self.sessions));
        let shared = Shared {
            set: self.set,
            options: self.options,
            seen: &seen,
            sessions: &known,
            turn: &turn,
        };
        let result = std::thread::scope(|scope| {
            for _ in 0..jobs {
                let (send, shared, work, next) = (send.clone(), &shared, &work, &next);
                scope.spawn(move || {
                    let mut evaluator = Evaluator::new(shared.set);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(slot) = work.get(index) else { break };
                        shared.turn.wait(|front| index < front + jobs * 8);
                        let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                        let Some(work) = taken else { continue };
                        let name = work.name();
                        // A bug met in one artifact must neither end the others nor be taken for
                        // "nothing found" in this one.
                        let read = catch_unwind(AssertUnwindSafe(|| {
                            shared.read(pass, work, index, &mut evaluator, &send)
                        }));
                        let listening = read.unwrap_or_else(|_| {
                            evaluator = Evaluator::new(shared.set);
                            let reason = "a bug in ssm-audit was met here; please report it with this \
                                          file or one like it";
                            send.send((index, Piece::failed(name, reason.into()))).is_ok()
                        });
                        // The receiver is gone when the output is: no use in going on.
                        if !listening {
                            break;
                        }
                    }
                });
            }
            drop(send);
            let result = self.receive(work.len(), &receive, &turn, observer);
            // Threads that wait for a turn or for room must not wait for ever.
            drop(receive);
            turn.advance(usize::MAX / 2);
            result
        });
        // What an earlier pass knew stands.
        self.sessions.extend(known);
        result
    }

    /// Puts the pieces in order and hands them on.
    fn receive(
        &mut self,
        artifacts: usize,
        receive: &Receiver<(usize, Piece)>,
        turn: &Turn,
        observer: &mut dyn Observer,
    ) -> io::Result<Vec<Work>> {
        let mut waiting: BTreeMap<usize, Vec<Piece>> = BTreeMap::new();
        let mut deferred = Vec::new();
        let mut front = 0;
        let mut trouble = None;
        while front < artifacts {
            let Ok((index, piece)) = receive.recv() else {
                return Err(io::Error::other("a thread that was reading has failed"));
            };
            waiting.entry(index).or_default().push(piece);
            while let Some(pieces) = waiting.remove(&front) {
                let mut ended = false;
                for piece in pieces {
                    self.piece(piece, &mut trouble, &mut ended, &mut deferred, observer)?;
                }
                if !ended {
                    break;
                }
                trouble = None;
                front += 1;
                turn.advance(front);
            }
        }
        Ok(deferred)
    }

    fn piece(
        &mut self,
        piece: Piece,
        trouble: &mut Option<ProblemKind>,
        ended: &mut bool,
        deferred: &mut Vec<Work>,
        observer: &mut dyn Observer,
    ) -> io::Result<()> {
        for problem in &piece.problems {
            *trouble = (*trouble).max(Some(problem.kind));
            observer.problem(problem);
        }
        for found in &piece.findings {
            self.finding(found, observer)?;
        }
        let Some(end) = piece.end else { return Ok(()) };
        *ended = true;
        let summary = &mut self.summary;
        match *trouble {
            Some(ProblemKind::Failed) => summary.failed += 1,
            Some(ProblemKind::Skipped) if end.counts.records + end.counts.transcripts == 0 => {
                summary.skipped += 1;
            }
            _ => {}
        }
        summary.counts.records += end.counts.records;
        summary.counts.transcripts += end.counts.transcripts;
        summary.counts.commands += end.counts.commands;
        summary.counts.bytes += end.counts.bytes;
        summary.duplicates += end.duplicates;
        self.transcripts.extend(end.transcripts);
        for session in end.sessions {
            self.sessions.entry(session.id.clone()).or_insert_with(|| Arc::new(session));
        }
        if let Some(work) = end.deferred {
            deferred.push(work);
        } else {
            observer.artifact(end.counts.bytes);
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding, observer: &mut dyn Observer) -> io::Result<()> {
        let Options { min_level, since, until, .. } = *self.options;
        let too_early = finding.time.zip(since).is_some_and(|(time, since)| time < since);
        let too_late = finding.time.zip(until).is_some_and(|(time, until)| time >= until);
        if finding.rule.level < min_level || too_early || too_late {
            return Ok(());
        }
        let key = u128::from_str_radix(&finding.id.0, 16).unwrap_or_default();
        if !self.told.insert(key) {
            return Ok(());
        }
        self.summary.findings[finding.rule.level as usize] += 1;
        self.summary.highest = self.summary.highest.max(Some(finding.rule.level));
        observer.finding(finding)
    }

    fn finish(mut self) -> Summary {
        let summary = &mut self.summary;
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
    seen: &'a Seen,
    sessions: &'a BTreeMap<SessionId, Arc<Session>>,
    turn: &'a Turn,
}

impl Shared<'_> {
    /// Reads one artifact; `false` if nobody listens any more.
    fn read(
        &self,
        pass: Pass,
        work: Work,
        index: usize,
        evaluator: &mut Evaluator<'_>,
        send: &SyncSender<(usize, Piece)>,
    ) -> bool {
        let limits = &self.options.limits;
        let (opened, local) = match work {
            Work::Open(opened) => (Ok(*opened), None),
            Work::Closed(local) => {
                let name = local.name();
                let opened = match local.open() {
                    Ok(reader) => ingest::open(name, reader, limits),
                    Err(error) => {
                        return send.send((index, Piece::failed(name, error.to_string()))).is_ok();
                    }
                };
                (opened, Some(local))
            }
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(problem) => {
                let end = Some(End::default());
                return send
                    .send((index, Piece { problems: vec![problem], end, ..Piece::default() }))
                    .is_ok();
            }
        };
        if pass == Pass::Records && opened.form().may_hold_transcripts() {
            let deferred = Some(match local {
                Some(local @ Local::File(_)) => Work::Closed(local),
                _ => Work::Open(Box::new(opened)),
            });
            let end = Some(End { deferred, ..End::default() });
            return send.send((index, Piece { end, ..Piece::default() })).is_ok();
        }
        let mut reading = Reading {
            shared: self,
            index,
            send,
            listening: true,
            evaluator,
            records: Added::new(self.set, EventKind::CloudTrail),
            commands: Added::new(self.set, EventKind::Command),
            programs: Added::new(self.set, EventKind::LinuxProcess),
            name: opened.name(),
            piece: Piece::default(),
            end: End::default(),
        };
        let counts = ingest::decode(opened, limits, &mut reading);
        let mut piece = std::mem::take(&mut reading.piece);
        let mut end = std::mem::take(&mut reading.end);
        end.counts = counts;
        piece.end = Some(end);
        send.send((index, piece)).is_ok()
    }
}

/// One artifact being read by one thread.
struct Reading<'a, 'e, 's> {
    shared: &'a Shared<'s>,
    index: usize,
    send: &'a SyncSender<(usize, Piece)>,
    listening: bool,
    evaluator: &'a mut Evaluator<'e>,
    records: Added<'a>,
    commands: Added<'a>,
    programs: Added<'a>,
    name: Arc<str>,
    piece: Piece,
    end: End,
}

impl Reading<'_, '_, '_> {
    /// Hands over what has gathered, once it is this artifact's turn: until then nothing of it can be
    /// used, and it must not pile up.
    fn hand_over(&mut self) {
        if self.piece.findings.len() + self.piece.problems.len() < PIECE || !self.listening {
            return;
        }
        let index = self.index;
        self.shared.turn.wait(|front| front >= index);
        self.listening = self.send.send((index, std::mem::take(&mut self.piece))).is_ok();
    }
}

/// Calls that open a session.
fn opens_session(record: &RawRecord<'_>) -> bool {
    match (record.event_source, record.event_name) {
        (Some(source), Some(name)) => matches!(
            (source, name),
            ("ssm.amazonaws.com", "StartSession") | ("ecs.amazonaws.com", "ExecuteCommand")
        ),
        // Not certain from the raw bytes: look.
        _ => true,
    }
}

impl Sink for Reading<'_, '_, '_> {
    fn record(&mut self, raw: &RawRecord<'_>) {
        if raw.event_id.is_some_and(|id| self.shared.seen.note(id)) {
            self.end.duplicates += 1;
        }
        let pivot = Pivot { event_source: raw.event_source, event_name: raw.event_name };
        let opens = opens_session(raw);
        if !opens && !self.evaluator.may_match(EventKind::CloudTrail, pivot) {
            return;
        }
        let event = RecordEvent::new(raw, &self.records);
        if opens && let Some(session) = event.record().and_then(Record::opened_session) {
            self.end.sessions.push(session);
        }
        let (findings, name) = (&mut self.piece.findings, &self.name);
        let result = self.evaluator.evaluate(EventKind::CloudTrail, pivot, &event, |found| {
            findings.push(finding::of_record(
                &found.rule.info,
                found.evidence,
                raw,
                event.record(),
                name,
            ));
        });
        if let Err(error) = result {
            self.problem(Problem {
                place: Place::new(Arc::clone(&self.name), raw.offset),
                kind: ProblemKind::Failed,
                reason: format!("a broken record: {error}"),
            });
        }
        self.hand_over();
    }

    fn command(&mut self, head: &TranscriptHead, command: Command) {
        let session = Arc::new(session_of(head, self.shared.sessions));
        // A command without a time of its own ran after its session began.
        let time = command.time.or(session.start).or(head.first_event);
        let programs = match command.status {
            CommandStatus::Executed => simple::programs(&command.text),
            _ => Vec::new(),
        };
        let mut event = CommandEvent {
            head,
            command: &command,
            program: None,
            session: &session,
            time,
            added: &self.commands,
        };
        let first = self.piece.findings.len();
        let findings = &mut self.piece.findings;
        let mut on_match = |found: rules::Match<'_>| {
            // A rule may fire on several programs of one line: that is one finding.
            let known = findings[first..].iter().any(|f: &Finding| f.rule.id == found.rule.info.id);
            if !known {
                let (rule, evidence) = (&found.rule.info, found.evidence);
                findings.push(finding::of_command(rule, evidence, head, &command, &session, time));
            }
        };
        let pivot = Pivot::default();
        // These events are no JSON, so filling them cannot fail.
        let _ = self.evaluator.evaluate(EventKind::Command, pivot, &event, &mut on_match);
        event.added = &self.programs;
        for program in &programs {
            event.program = Some(program);
            let _ = self.evaluator.evaluate(EventKind::LinuxProcess, pivot, &event, &mut on_match);
        }
        self.hand_over();
    }

    fn transcript(&mut self, head: &TranscriptHead) {
        self.end.transcripts.extend(head.session_id.clone());
    }

    fn problem(&mut self, problem: Problem) {
        self.piece.problems.push(problem);
        self.hand_over();
    }
}

/// The session of a transcript: as CloudTrail tells it, else as far as the transcript does.
fn session_of(head: &TranscriptHead, sessions: &BTreeMap<SessionId, Arc<Session>>) -> Session {
    let known = head.session_id.as_ref().and_then(|id| sessions.get(id));
    let mut session = known.map_or_else(
        || {
            let id = head.session_id.clone();
            Session::unknown(id.unwrap_or_else(|| SessionId::new(&*head.place.artifact)))
        },
        |session| (**session).clone(),
    );
    if session.principal.is_none() {
        session.principal = head.principal_arn.as_deref().map(Principal::from_arn);
        session.account = session.principal.as_ref().and_then(|p| p.account.clone());
    }
    session.target = session.target.or_else(|| head.target.clone());
    session.region = session.region.or_else(|| head.region.clone());
    session
}

//! What one artifact's records and commands are evaluated to.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::decode::Record;
use ingest::{Problem, ProblemKind, RawRecord, Sink, TranscriptHead};
use model::{Command, Observation, Place, Principal, Session, SessionId};

use super::work::Outbox;
use super::{End, Piece, Shared, Told};
use crate::examine::{Examiner, Hit};
use crate::seen::Key;

/// One artifact being read by one thread.
pub(super) struct Reading<'a, 'e, 's> {
    pub(super) shared: &'a Shared<'s>,
    pub(super) index: usize,
    pub(super) outbox: &'a mut Outbox,
    pub(super) listening: bool,
    pub(super) examiner: Examiner<'a, 'e>,
    pub(super) name: Arc<str>,
    pub(super) piece: Piece,
    pub(super) end: End,
    /// Records and commands so far.
    pub(super) seen: u32,
}

/// Room for what is told of records, once there is something.
const SOME: usize = 64;
const MANY: usize = 512;
/// Records and commands after which what was read before has to be on its way, even if there is nothing to tell of these.
const LONG: u32 = 4096;

impl Reading<'_, '_, '_> {
    /// Hands over what has gathered, once it is this artifact's turn: until then nothing of it can be
    /// used, and it must not pile up.
    fn hand_over(&mut self) {
        if !self.listening {
            // What nobody takes must not pile up.
            self.piece = Piece::default();
            return;
        }
        self.seen = self.seen.wrapping_add(1);
        if self.seen.is_multiple_of(LONG) {
            self.listening = self.outbox.send();
        }
        if !self.piece.is_full() {
            return;
        }
        let index = self.index;
        // What has been read before has to be on its way.
        self.listening = self.outbox.send();
        self.shared.turn.wait(|front| front >= index);
        self.listening &= self.outbox.put(index, std::mem::take(&mut self.piece));
    }
}

/// Calls that open a session.
pub(crate) fn opens_session(record: &RawRecord<'_>) -> bool {
    match (record.event_source, record.event_name) {
        (Some(source), Some(name)) => matches!(
            (source, name),
            (b"ssm.amazonaws.com", b"StartSession") | (b"ecs.amazonaws.com", b"ExecuteCommand")
        ),
        // Not certain from the raw bytes: look.
        _ => true,
    }
}

impl Sink for Reading<'_, '_, '_> {
    fn record(&mut self, raw: &RawRecord<'_>) {
        if let Some(id) = raw.event_id {
            if self.piece.records.capacity() == 0 {
                self.piece.records.reserve(MANY);
            }
            self.piece.records.push(Key::of(id, raw.account));
        }
        let opens = opens_session(raw);
        let (told, set) = (&mut self.piece.told, self.shared.set);
        let (record, result) = self.examiner.record(raw, &self.name, opens, |found| {
            if told.capacity() == 0 {
                told.reserve(SOME);
            }
            if set.is_correlated(found.rule) {
                told.push(Told::Hit(found.hit()));
            }
            if set.is_told(found.rule) {
                told.push(Told::Finding(Box::new(found.finding())));
            }
        });
        if let Some(session) = record.filter(|_| opens).as_deref().and_then(Record::opened_session)
        {
            self.end.sessions.entry(session.id.clone()).or_insert(session);
        }
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
        let (told, set) = (&mut self.piece.told, self.shared.set);
        if self.shared.options.timeline {
            let mut shown = command.clone();
            self.shared.options.masker.command(&mut shown);
            told.push(Told::Command(Box::new((head.clone(), Arc::clone(&session), shown))));
        }
        self.examiner.command(head, &command, &session, time, |judged| {
            if set.is_correlated(judged.rule) {
                told.push(Told::Hit(Hit::of(&judged)));
            }
            if set.is_told(judged.rule) && !judged.is_again {
                told.push(Told::Mark(Box::new(judged.finding)));
            }
        });
        self.hand_over();
    }

    fn observation(&mut self, head: &TranscriptHead, observation: &Observation) {
        if self.shared.options.timeline {
            let session = Arc::new(session_of(head, self.shared.sessions));
            let told = Told::Observation(Box::new((head.clone(), session, *observation)));
            self.piece.told.push(told);
            self.hand_over();
        }
    }

    fn is_done(&self) -> bool {
        !self.listening
    }

    fn transcript(&mut self, head: &TranscriptHead) {
        self.end.transcripts.extend(head.session_id.clone());
        let session = Arc::new(session_of(head, self.shared.sessions));
        let time = head.first_event.or(session.start).or(head.ended);
        let (told, set) = (&mut self.piece.told, self.shared.set);
        if self.shared.options.timeline {
            told.push(Told::Transcript(Box::new((head.clone(), Arc::clone(&session)))));
        }
        self.examiner.transcript(head, &session, time, |judged| {
            if set.is_correlated(judged.rule) {
                told.push(Told::Hit(Hit::of(&judged)));
            }
            if set.is_told(judged.rule) {
                told.push(Told::Mark(Box::new(judged.finding)));
            }
        });
        self.hand_over();
    }

    fn problem(&mut self, problem: Problem) {
        self.piece.problems.push(problem);
        self.hand_over();
    }
}

/// The session of a transcript: as CloudTrail tells it, else as far as the transcript does.
pub(crate) fn session_of(
    head: &TranscriptHead,
    sessions: &BTreeMap<SessionId, Arc<Session>>,
) -> Session {
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

//! What one artifact's records and commands are evaluated to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use ingest::command::simple::Splitter;
use ingest::decode::Record;
use ingest::{Problem, ProblemKind, RawRecord, Sink, TranscriptHead};
use model::{Command, CommandStatus, EventKind, Observation, Place, Principal, Session, SessionId};
use rules::{Evaluator, Pivot};

use super::{End, PIECE, Piece, Shared, Told};
use crate::events::{AddedByKind, CommandEvent, RecordEvent, TranscriptEvent, process_kind};
use crate::finding;
use crate::seen::Key;

/// One artifact being read by one thread.
pub(super) struct Reading<'a, 'e, 's> {
    pub(super) shared: &'a Shared<'s>,
    pub(super) index: usize,
    pub(super) send: &'a SyncSender<(usize, Piece)>,
    pub(super) listening: bool,
    pub(super) evaluator: &'a mut Evaluator<'e>,
    pub(super) added: AddedByKind<'a>,
    pub(super) splitter: Splitter,
    pub(super) name: Arc<str>,
    pub(super) piece: Piece,
    pub(super) end: End,
    /// Of the records since they were last looked up.
    pub(super) ids: Vec<Key>,
}

/// Ids that are looked up together.
const IDS: usize = 128;

impl Reading<'_, '_, '_> {
    /// Looks which of the ids gathered were there before.
    pub(super) fn note_ids(&mut self) {
        self.end.duplicates += self.shared.seen.note(&mut self.ids);
    }

    /// Hands over what has gathered, once it is this artifact's turn: until then nothing of it can be
    /// used, and it must not pile up.
    fn hand_over(&mut self) {
        if !self.listening {
            // What nobody takes must not pile up.
            self.piece = Piece::default();
            return;
        }
        if self.piece.told.len() + self.piece.problems.len() < PIECE {
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
        if let Some(id) = raw.event_id {
            self.ids.push(self.shared.seen.key(id, raw.account));
            if self.ids.len() >= IDS {
                self.note_ids();
            }
        }
        let pivot = Pivot {
            event_source: raw.event_source,
            event_name: raw.event_name,
            record: Some(raw.bytes),
        };
        let opens = opens_session(raw);
        let event = RecordEvent::new(raw, self.added.of(EventKind::CloudTrail));
        if opens && let Some(session) = event.record().and_then(Record::opened_session) {
            self.end.sessions.entry(session.id.clone()).or_insert(session);
        }
        let (told, name) = (&mut self.piece.told, &self.name);
        let masker = self.shared.options.masker;
        let set = self.shared.set;
        let result = self.evaluator.evaluate(EventKind::CloudTrail, pivot, &event, |found| {
            let (rule, captures) = (found.index, found.captures);
            let finding = finding::of_record(
                found.rule.info(),
                found.evidence,
                raw,
                event.record(),
                masker,
                name,
            );
            if set.is_correlated(rule) {
                let id = finding::record_id(raw, event.record());
                told.push(Told::hit(rule, id, captures, finding.time, &finding));
            }
            if set.is_told(rule) {
                told.push(Told::Finding(Box::new(finding)));
            }
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
            CommandStatus::Executed => {
                let texts = [Some(&command.text), command.original.as_ref()].into_iter().flatten();
                texts.flat_map(|text| self.splitter.programs(text, command.shell)).collect()
            }
            _ => Vec::new(),
        };
        let kind = process_kind(command.shell);
        let mut event = CommandEvent {
            head,
            command: &command,
            program: None,
            session: &session,
            time,
            added: self.added.of(EventKind::Command),
        };
        let masker = self.shared.options.masker;
        let told = &mut self.piece.told;
        if self.shared.options.timeline {
            let mut shown = command.clone();
            masker.command(&mut shown);
            told.push(Told::Command(Box::new((head.clone(), Arc::clone(&session), shown))));
        }
        let set = self.shared.set;
        let mut matched: Vec<usize> = Vec::new();
        let mut on_match = |found: rules::Match<'_>, program: usize| {
            // A rule may fire on several programs of one line: that is one finding, and several events for
            // correlations.
            let known = matched.contains(&found.index);
            let is_correlated = set.is_correlated(found.index);
            if known && !is_correlated {
                return;
            }
            matched.push(found.index);
            let (rule, evidence) = (found.rule.info(), found.evidence);
            let finding =
                finding::of_command(rule, evidence, head, &command, &session, time, masker);
            if is_correlated {
                let id = finding::command_id(head, &session, &command, program);
                told.push(Told::hit(found.index, id, found.captures, time, &finding));
            }
            if set.is_told(found.index) && !known {
                told.push(Told::Mark(Box::new(finding)));
            }
        };
        let pivot = Pivot::default();
        // These events are no JSON, so filling them cannot fail.
        let _ = self.evaluator.evaluate(EventKind::Command, pivot, &event, |m| on_match(m, 0));
        event.added = self.added.of(kind);
        for (at, program) in programs.iter().enumerate() {
            event.program = Some(program);
            let _ = self.evaluator.evaluate(kind, pivot, &event, |m| on_match(m, at + 1));
        }
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
        let added = self.added.of(EventKind::Transcript);
        let event = TranscriptEvent { head, session: &session, time, added };
        let told = &mut self.piece.told;
        if self.shared.options.timeline {
            told.push(Told::Transcript(Box::new((head.clone(), Arc::clone(&session)))));
        }
        let set = self.shared.set;
        // This event is no JSON, so filling it cannot fail.
        let _ = self.evaluator.evaluate(EventKind::Transcript, Pivot::default(), &event, |found| {
            let (rule, evidence) = (found.rule.info(), found.evidence);
            let finding = finding::of_transcript(rule, evidence, head, &session, time);
            if set.is_correlated(found.index) {
                let id = finding::transcript_id(head, &session);
                told.push(Told::hit(found.index, id, found.captures, finding.time, &finding));
            }
            if set.is_told(found.index) {
                told.push(Told::Mark(Box::new(finding)));
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

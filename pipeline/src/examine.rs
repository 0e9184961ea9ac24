//! Rules on one event after another: what a decoder tells becomes matches, and these become findings.

use std::cell::OnceCell;
use std::sync::Arc;

use ingest::command::simple::Splitter;
use ingest::decode::Record;
use ingest::{RawRecord, TranscriptHead};
use jiff::Timestamp;
use model::{Command, CommandStatus, EventKind, Evidence, Finding, RuleInfo, Session};
use report::mask::Masker;
use report::view::SessionRow;
use rules::correlate::Captures;
use rules::{Correlator, Evaluator, Match, Pivot, RuleSet};

use crate::events::{
    AddedByKind, CommandEvent, RecordEvent, SessionEvent, TranscriptEvent, process_kind,
};
use crate::finding::{self, Kept, OfRecord};

/// Evaluates events of an artifact.
pub(crate) struct Examiner<'a, 'e> {
    set: &'e RuleSet,
    evaluator: &'a mut Evaluator<'e>,
    added: AddedByKind<'e>,
    /// Made when there is a line to split.
    splitter: Option<Splitter>,
    masker: Masker,
}

/// A rule matched.
pub(crate) struct Judged {
    /// What kind of event; `command` for the programs of one as well.
    pub(crate) kind: &'static str,
    /// Its index.
    pub(crate) rule: usize,
    /// The event's identity; 0 if no correlation is made of the rule.
    pub(crate) event: u128,
    /// What correlations want to know.
    pub(crate) captures: Captures,
    /// What there is to tell.
    pub(crate) finding: Finding,
    /// Was this told before? A rule may match several programs of one line: that is one finding, and several events for
    /// correlations.
    pub(crate) is_again: bool,
}

/// A rule matched a record. What there is to tell is made when it is asked for: of most matches that are a part of a
/// correlation nothing ever comes.
pub(crate) struct OnRecord<'r, 'e, 'a> {
    /// The rule's index.
    pub(crate) rule: usize,
    info: &'r Arc<RuleInfo>,
    captures: Captures,
    evidence: Vec<Evidence>,
    is_correlated: bool,
    masker: Masker,
    of: &'r OfRecord<'e, 'a>,
}

impl OnRecord<'_, '_, '_> {
    /// All of it.
    pub(crate) fn judged(self) -> Judged {
        Judged {
            kind: "cloudtrail",
            rule: self.rule,
            event: if self.is_correlated { self.of.event() } else { 0 },
            finding: self.of.finding(self.info, self.evidence, self.masker),
            captures: self.captures,
            is_again: false,
        }
    }

    /// What there is to tell.
    pub(crate) fn finding(self) -> Finding {
        self.of.finding(self.info, self.evidence, self.masker)
    }

    /// What correlations take.
    pub(crate) fn hit(&self) -> Hit {
        Hit {
            rule: self.rule,
            id: self.of.event(),
            captures: self.captures.clone(),
            time: self.of.time(),
            kept: self.of.kept(self.info, self.masker),
        }
    }
}

/// A match, for correlations.
pub(crate) struct Hit {
    pub(crate) rule: usize,
    /// The event's identity.
    pub(crate) id: u128,
    pub(crate) captures: Captures,
    pub(crate) time: Option<Timestamp>,
    pub(crate) kept: Kept,
}

impl Hit {
    pub(crate) fn of(judged: &Judged) -> Self {
        Self {
            rule: judged.rule,
            id: judged.event,
            captures: judged.captures.clone(),
            time: judged.finding.time,
            kept: Kept::new(&judged.finding),
        }
    }

    /// Hands it over.
    pub(crate) fn add_to(self, correlator: &mut Correlator<'_, Kept>) {
        let Self { rule, id, captures, time, kept } = self;
        correlator.add(rule, time, id, captures, kept);
    }
}

impl<'a, 'e> Examiner<'a, 'e> {
    pub(crate) fn new(set: &'e RuleSet, evaluator: &'a mut Evaluator<'e>, masker: Masker) -> Self {
        Self { set, evaluator, added: AddedByKind::new(set), splitter: None, masker }
    }

    /// A CloudTrail record. If it `is_wanted`, or had to be made out, it comes back. What is wrong with it is told.
    pub(crate) fn record(
        &mut self,
        raw: &RawRecord<'_>,
        artifact: &Arc<str>,
        is_wanted: bool,
        mut on: impl FnMut(OnRecord<'_, '_, '_>),
    ) -> (Option<Box<Record>>, Result<(), String>) {
        let pivot = Pivot {
            event_source: raw.event_source,
            event_name: raw.event_name,
            record: Some(raw.bytes),
        };
        let event = RecordEvent::new(raw, self.added.of(EventKind::CloudTrail));
        if is_wanted {
            event.record();
        }
        let (set, masker) = (self.set, self.masker);
        // What the record says is made out once, however many rules match it.
        let of = OnceCell::new();
        let result = self.evaluator.evaluate(EventKind::CloudTrail, pivot, &event, |found| {
            let of = of.get_or_init(|| OfRecord::new(&event, artifact));
            let Match { index: rule, captures, evidence, rule: own } = found;
            let (info, is_correlated) = (own.info(), set.is_correlated(rule));
            on(OnRecord { rule, info, captures, evidence, is_correlated, masker, of });
        });
        let result = match event.broken() {
            Some(broken) => Err(broken.to_string()),
            None => result.map_err(|error| error.to_string()),
        };
        (event.into_record(), result)
    }

    /// A line that a person ran, and the programs that it started.
    pub(crate) fn command(
        &mut self,
        head: &TranscriptHead,
        command: &Command,
        session: &Arc<Session>,
        time: Option<Timestamp>,
        mut on: impl FnMut(Judged),
    ) {
        let programs = match command.status {
            CommandStatus::Executed => {
                let texts = [Some(&command.text), command.original.as_ref()].into_iter().flatten();
                let splitter = self.splitter.get_or_insert_with(Splitter::new);
                texts.flat_map(|text| splitter.programs(text, command.shell)).collect()
            }
            _ => Vec::new(),
        };
        let kind = process_kind(command.shell);
        let (set, masker) = (self.set, self.masker);
        let mut matched: Vec<usize> = Vec::new();
        let mut judge = |found: Match<'_>, program: usize| {
            let Match { index: rule, captures, evidence, .. } = found;
            let (is_again, is_correlated) = (matched.contains(&rule), set.is_correlated(rule));
            if is_again && !is_correlated {
                return;
            }
            matched.push(rule);
            let info = found.rule.info();
            let finding = finding::of_command(info, evidence, head, command, session, time, masker);
            let event = if is_correlated {
                finding::command_id(head, session, command, program)
            } else {
                0
            };
            on(Judged { kind: "command", rule, event, captures, finding, is_again });
        };
        let mut event = CommandEvent {
            head,
            command,
            program: None,
            session,
            time,
            added: self.added.of(EventKind::Command),
        };
        let pivot = Pivot::default();
        // These events are no JSON, so filling them cannot fail.
        let _ = self.evaluator.evaluate(EventKind::Command, pivot, &event, |m| judge(m, 0));
        event.added = self.added.of(kind);
        for (at, program) in programs.iter().enumerate() {
            event.program = Some(program);
            let _ = self.evaluator.evaluate(kind, pivot, &event, |m| judge(m, at + 1));
        }
    }

    /// A session, or the gap that it is.
    pub(crate) fn session(
        &mut self,
        kind: EventKind,
        row: &SessionRow<'_>,
        session: &Arc<Session>,
        mut on: impl FnMut(Judged),
    ) {
        let event = SessionEvent { row, session, added: self.added.of(kind) };
        let (set, masker) = (self.set, self.masker);
        // This event is no JSON, so filling it cannot fail.
        let _ = self.evaluator.evaluate(kind, Pivot::default(), &event, |found| {
            let Match { index: rule, captures, evidence, .. } = found;
            let info = found.rule.info();
            let finding = finding::of_view(info, evidence, kind, row, session, masker);
            let event =
                if set.is_correlated(rule) { finding::view_id(kind, &session.id) } else { 0 };
            let kind = finding::word_of_view(kind);
            on(Judged { kind, rule, event, captures, finding, is_again: false });
        });
    }

    /// A transcript as a whole.
    pub(crate) fn transcript(
        &mut self,
        head: &TranscriptHead,
        session: &Arc<Session>,
        time: Option<Timestamp>,
        mut on: impl FnMut(Judged),
    ) {
        let added = self.added.of(EventKind::Transcript);
        let event = TranscriptEvent { head, session, time, added };
        let set = self.set;
        // This event is no JSON, so filling it cannot fail.
        let kind = EventKind::Transcript;
        let _ = self.evaluator.evaluate(kind, Pivot::default(), &event, |found| {
            let Match { index: rule, captures, evidence, .. } = found;
            let finding = finding::of_transcript(found.rule.info(), evidence, head, session, time);
            let event =
                if set.is_correlated(rule) { finding::transcript_id(head, session) } else { 0 };
            on(Judged { kind: "transcript", rule, event, captures, finding, is_again: false });
        });
    }
}

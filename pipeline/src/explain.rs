//! `rules explain`: of everything in a file, why a rule fires on it or does not.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ingest::decode::Record;
use ingest::source::{Found, Local};
use ingest::{Limits, Problem, ProblemKind, RawRecord, Sink, TranscriptHead, Want};
use model::{Command, EventKind, Finding, Place, Session, SessionId};
use rules::RuleSet;
use rules::correlate::Peak;
use rules::evaluate::{Explanation, explain};

use crate::cases::{Happening, Recorded, Seen};
use crate::scan::{self, Observer, Options, session_of};
use crate::seen::{Key, Seen as Records};

/// What explaining a file came to.
#[derive(Debug, Default)]
pub struct Explained {
    /// Events that the rule is for.
    pub events: u64,
    /// Events that the rule is not for.
    pub others: u64,
    /// Events on which it fires.
    pub fires: u64,
    /// The event that it fires on, or that comes nearest to it.
    pub nearest: Option<Nearest>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// An event, and what the rule came to on it.
#[derive(Debug)]
pub struct Nearest {
    /// What happened, in a line.
    pub what: String,
    /// Where it was read.
    pub place: Option<Place>,
    /// The kind of event.
    pub kind: EventKind,
    /// What the rule came to.
    pub explanation: Explanation,
}

/// Explains a rule on everything that was found. As in a scan, CloudTrail is read first: it tells whose the sessions
/// are, and when they began.
pub fn files(set: &RuleSet, rule: usize, found: Found, limits: &Limits) -> Explained {
    let mut opened = Sessions::default();
    // What is a pipe can be read once only.
    for local in found.artifacts.iter().filter(|local| matches!(local, Local::File(_))) {
        read(local, Want::Records, limits, &mut opened);
    }
    let mut reading = Reading {
        set,
        rule,
        explained: Explained::default(),
        artifact: Arc::from(""),
        sessions: opened.sessions,
        seen: Records::new(),
    };
    for local in found.artifacts {
        reading.artifact = local.name();
        if let Some(problem) = read(&local, Want::All, limits, &mut reading) {
            reading.problem(problem);
        }
    }
    reading.explained
}

/// Reads an artifact; returns what kept it from being opened.
fn read(local: &Local, want: Want, limits: &Limits, sink: &mut dyn Sink) -> Option<Problem> {
    let opened = local.open().map_err(|error| Problem {
        place: Place::new(local.name(), 0),
        kind: ProblemKind::Failed,
        reason: error.to_string(),
    });
    match opened.and_then(|reader| ingest::open(local.name(), reader, limits)) {
        Ok(opened) => {
            ingest::decode(opened, want, limits, sink);
            None
        }
        Err(problem) => Some(problem),
    }
}

/// The sessions that CloudTrail says were opened.
#[derive(Default)]
struct Sessions {
    sessions: BTreeMap<SessionId, Arc<Session>>,
}

impl Sink for Sessions {
    fn record(&mut self, raw: &RawRecord<'_>) {
        let opens =
            raw.event_name.is_none_or(|name| matches!(name, b"StartSession" | b"ExecuteCommand"));
        let record = opens.then(|| Record::read(raw).ok()).flatten();
        if let Some(session) = record.as_ref().and_then(Record::opened_session) {
            self.sessions.entry(session.id.clone()).or_insert_with(|| Arc::new(session));
        }
    }

    fn command(&mut self, _: &TranscriptHead, _: Command) {}
    fn transcript(&mut self, _: &TranscriptHead) {}
    // The second reading meets the same.
    fn problem(&mut self, _: Problem) {}
}

/// What explaining a correlation came to.
#[derive(Debug, Default)]
pub struct Correlated {
    /// How often it fires.
    pub fires: usize,
    /// How many events match each of its rules, in the order of the correlation's `rules`.
    pub matches: Vec<u64>,
    /// How far its groups came, the farthest first.
    pub peaks: Vec<Peak>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Explains a correlation on everything that was found.
pub fn correlation(
    set: &RuleSet,
    index: usize,
    find: Found,
    options: &Options,
) -> io::Result<Correlated> {
    let mut watch = Watch { problems: Vec::new() };
    let watched = scan::correlations(find, set, options, index, &mut watch)?;
    let fires = watched.fires;
    Ok(Correlated {
        fires,
        matches: watched.matches,
        peaks: watched.peaks,
        problems: watch.problems,
    })
}

struct Watch {
    problems: Vec<Problem>,
}

impl Observer for Watch {
    fn finding(&mut self, _: &Finding) -> io::Result<()> {
        Ok(())
    }

    fn problem(&mut self, problem: &Problem) {
        self.problems.push(problem.clone());
    }

    fn artifact(&mut self, _: u64) {}
}

/// Explains a rule on one thing that happened.
pub fn happening(set: &RuleSet, rule: usize, happening: &Happening) -> Explained {
    let mut reading = Reading {
        set,
        rule,
        explained: Explained::default(),
        artifact: Arc::from(""),
        sessions: BTreeMap::new(),
        seen: Records::new(),
    };
    reading.happening(happening, None);
    reading.explained
}

struct Reading<'a> {
    set: &'a RuleSet,
    rule: usize,
    explained: Explained,
    artifact: Arc<str>,
    sessions: BTreeMap<SessionId, Arc<Session>>,
    seen: Records,
}

impl Reading<'_> {
    fn happening(&mut self, happening: &Happening, place: Option<&Place>) {
        let Self { set, rule, explained, .. } = self;
        happening.see(set, &mut |seen: Seen<'_>| {
            let Ok(Some(explanation)) = explain(set, *rule, seen.kind, seen.event) else {
                explained.others += 1;
                return;
            };
            explained.events += 1;
            explained.fires += u64::from(explanation.fires);
            let distance = explanation.distance;
            if explained
                .nearest
                .as_ref()
                .is_none_or(|nearest| distance < nearest.explanation.distance)
            {
                explained.nearest = Some(Nearest {
                    what: what(happening),
                    place: place.cloned(),
                    kind: seen.kind,
                    explanation,
                });
            }
        });
    }
}

fn what(happening: &Happening) -> String {
    match happening {
        Happening::Record(record) => {
            let time = record.time.map_or_else(|| "?".to_owned(), |time| time.to_string());
            let text = |text: &Option<String>| text.as_deref().unwrap_or("?").to_owned();
            format!("{} of {} at {time}", text(&record.event_name), text(&record.event_source))
        }
        Happening::Command(command) => format!("> {}", command.0.text),
        Happening::Transcript(transcript) => {
            format!("the transcript of {}", transcript.1.id)
        }
        Happening::Session(session) => format!("the session {}", session.1.id),
    }
}

impl Sink for Reading<'_> {
    fn record(&mut self, raw: &RawRecord<'_>) {
        // Delivered twice it is one.
        if raw.event_id.is_some_and(|id| self.seen.note(&[Key::of(id, raw.account)]) > 0) {
            return;
        }
        let place = Place::new(Arc::clone(&self.artifact), raw.offset);
        match Recorded::new(raw.bytes.to_vec()) {
            Ok(record) => self.happening(&Happening::Record(Box::new(record)), Some(&place)),
            Err(error) => self.explained.problems.push(Problem {
                place,
                kind: ProblemKind::Failed,
                reason: format!("a broken record: {error}"),
            }),
        }
    }

    fn command(&mut self, head: &TranscriptHead, command: Command) {
        let place = Place::new(head.place.artifact.clone(), command.bytes.start);
        let session = session_of(head, &self.sessions);
        let happening = Happening::Command(Box::new((command, session)));
        self.happening(&happening, Some(&place));
    }

    fn transcript(&mut self, head: &TranscriptHead) {
        let session = session_of(head, &self.sessions);
        let happening = Happening::Transcript(Box::new((head.clone(), session)));
        self.happening(&happening, Some(&head.place));
    }

    fn problem(&mut self, problem: Problem) {
        self.explained.problems.push(problem);
    }
}

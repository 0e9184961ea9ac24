//! One thing that happened, as the rules see it: outside of a scan, for cases and explanations.

use ingest::command::simple::Splitter;
use ingest::{RawRecord, TranscriptForm, TranscriptHead};
use jiff::Timestamp;
use model::{
    ByteSpan, Command, CommandStatus, Confidence, EventKind, Place, Session, SessionId, ShellFamily,
};
use rules::{Event, Pivot, RuleSet};

use crate::events::{Added, CommandEvent, RecordEvent, TranscriptEvent, process_kind};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A CloudTrail record.
    Record(serde_json::Value),
    /// A line that a person ran, in a session.
    Command(Box<(Command, Session)>),
    /// A transcript as a whole.
    Transcript(Box<(TranscriptHead, Session)>),
}

/// An event made of it.
pub struct Seen<'a> {
    /// Its kind.
    pub kind: EventKind,
    /// What is known of it before it is parsed.
    pub pivot: Pivot<'a>,
    /// Itself.
    pub event: &'a dyn Event,
    /// When it happened.
    pub time: Option<Timestamp>,
}

impl Happening {
    /// A command line, of which nothing else is known.
    pub fn of_line(line: &str, shell: ShellFamily, time: Option<Timestamp>) -> Self {
        let command = Command {
            ordinal: 1,
            text: line.to_owned(),
            original: None,
            shell,
            status: CommandStatus::Executed,
            confidence: Confidence::Certain,
            reason: "given as it is",
            user: None,
            host: None,
            cwd: None,
            level: None,
            time,
            time_end: None,
            bytes: ByteSpan::default(),
        };
        let session = Session::unknown(SessionId::new("case-00000000000000000"));
        Self::Command(Box::new((command, session)))
    }

    /// When it happened, as far as it says.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Record(record) => {
                record["eventTime"].as_str().and_then(ingest::decode::parse_time)
            }
            Self::Command(command) => command.0.time.or(command.1.start),
            Self::Transcript(transcript) => transcript.1.start,
        }
    }

    /// Calls `see` for each event that it is for the rules: a command is one, and so is each program that it
    /// starts.
    pub fn see(&self, set: &RuleSet, see: &mut dyn FnMut(Seen<'_>)) {
        let time = self.time();
        match self {
            Self::Record(record) => {
                let bytes = record.to_string().into_bytes();
                let raw = RawRecord {
                    bytes: &bytes,
                    offset: 0,
                    event_source: record["eventSource"].as_str(),
                    event_name: record["eventName"].as_str(),
                    event_id: None,
                    account: None,
                    members: None,
                };
                let kind = EventKind::CloudTrail;
                let added = Added::new(set, kind);
                let event = RecordEvent::new(&raw, &added);
                let pivot = Pivot {
                    event_source: raw.event_source,
                    event_name: raw.event_name,
                    record: Some(raw.bytes),
                };
                see(Seen { kind, pivot, event: &event, time });
            }
            Self::Command(command) => {
                let (command, session) = &**command;
                let head = TranscriptHead::new(Place::new("case", 0), TranscriptForm::S3);
                let mut programs = Vec::new();
                if command.status == CommandStatus::Executed {
                    programs = Splitter::new().programs(&command.text, command.shell);
                }
                let whole = (EventKind::Command, None);
                let process = process_kind(command.shell);
                let parts = programs.iter().map(|program| (process, Some(program)));
                for (kind, program) in std::iter::once(whole).chain(parts) {
                    let added = Added::new(set, kind);
                    let event = CommandEvent {
                        head: &head,
                        command,
                        program,
                        session,
                        time,
                        added: &added,
                    };
                    see(Seen { kind, pivot: Pivot::default(), event: &event, time });
                }
            }
            Self::Transcript(transcript) => {
                let (head, session) = &**transcript;
                let kind = EventKind::Transcript;
                let added = Added::new(set, kind);
                let event = TranscriptEvent { head, session, time, added: &added };
                see(Seen { kind, pivot: Pivot::default(), event: &event, time });
            }
        }
    }
}

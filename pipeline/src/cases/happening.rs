//! One thing that happened, as the rules see it: outside of a scan, for cases and explanations.

use std::collections::BTreeMap;

use ingest::command::simple::Splitter;
use ingest::decode::{BadRecord, Record};
use ingest::{RawRecord, TranscriptForm, TranscriptHead};
use jiff::Timestamp;
use model::{
    ByteSpan, Command, CommandStatus, Confidence, EventKind, Place, Session, SessionId, ShellFamily,
};
use report::view::{Coverage, SessionRow};
use rules::{Event, Pivot, RuleSet};

use crate::events::{
    Added, CommandEvent, RecordEvent, SessionEvent, TranscriptEvent, process_kind,
};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A CloudTrail record.
    Record(Box<Recorded>),
    /// A line that a person ran, in a session.
    Command(Box<(Command, Session)>),
    /// A transcript as a whole.
    Transcript(Box<(TranscriptHead, Session)>),
    /// A session, as the view of a store has it.
    Session(Box<(BTreeMap<String, String>, Session)>),
}

/// A CloudTrail record, as it is written: rules compare numbers and objects as their text.
#[derive(Clone, Debug)]
pub struct Recorded {
    bytes: Vec<u8>,
    /// `eventSource`.
    pub event_source: Option<String>,
    /// `eventName`.
    pub event_name: Option<String>,
    /// `eventTime`.
    pub time: Option<Timestamp>,
}

impl Recorded {
    /// Of these bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, BadRecord> {
        let record = Record::read(&raw(&bytes, None, None))?;
        let Record { event_source, event_name, time, .. } = record;
        Ok(Self { bytes, event_source, event_name, time })
    }
}

/// A record of which nothing else is known.
const fn raw<'a>(bytes: &'a [u8], source: Option<&'a str>, name: Option<&'a str>) -> RawRecord<'a> {
    RawRecord {
        bytes,
        offset: 0,
        event_source: match source {
            Some(source) => Some(source.as_bytes()),
            None => None,
        },
        event_name: match name {
            Some(name) => Some(name.as_bytes()),
            None => None,
        },
        event_id: None,
        account: None,
        members: None,
    }
}

/// A row of the view, of what a case says.
fn row<'s>(values: &'s BTreeMap<String, String>, session: &'s Session) -> SessionRow<'s> {
    let text = |name: &str| values.get(name).map(String::as_str);
    let number = |name: &str| text(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let principal = session.principal.as_ref();
    let coverage = text("coverage").unwrap_or("recorded");
    let level = text("highest_level").and_then(|level| level.parse::<model::Level>().ok());
    SessionRow {
        session_id: session.id.as_str(),
        principal_arn: principal.and_then(|principal| principal.arn.as_deref()),
        principal_type: principal.map(|principal| principal.kind.as_str()),
        principal_name: principal
            .and_then(|p| p.user_name.as_deref().or(p.claimed_name.as_deref())),
        account: session.account.as_deref(),
        region: session.region.as_deref(),
        target: session.target.as_deref(),
        kind: session.kind.map(model::SessionKind::as_str),
        document: session.document.as_deref(),
        reason: session.reason.as_deref(),
        mfa: text("mfa").map(|mfa| mfa == "true"),
        source_ip: text("source_ip"),
        user_agent: text("user_agent"),
        run_as: text("run_as"),
        start: session.start,
        end: None,
        end_source: None,
        duration_s: text("duration_s").and_then(|text| text.parse().ok()),
        commands: number("commands"),
        findings: number("findings"),
        highest_level: level.map(model::Level::as_str),
        coverage: Coverage::ALL
            .into_iter()
            .find(|known| known.as_str() == coverage)
            .unwrap_or(Coverage::Recorded),
        coverage_reason: text("coverage_reason").unwrap_or_default().to_owned(),
    }
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
            Self::Record(record) => record.time,
            Self::Command(command) => command.0.time.or(command.1.start),
            Self::Transcript(transcript) => transcript.1.start,
            Self::Session(session) => session.1.start,
        }
    }

    /// Calls `see` for each event that it is for the rules: a command is one, and so is each program that it
    /// starts.
    pub fn see(&self, set: &RuleSet, see: &mut dyn FnMut(Seen<'_>)) {
        let time = self.time();
        match self {
            Self::Record(record) => {
                let Recorded { bytes, event_source, event_name, .. } = &**record;
                let raw = raw(bytes, event_source.as_deref(), event_name.as_deref());
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
            Self::Session(held) => {
                let (values, session) = &**held;
                let row = row(values, session);
                let gap = row.coverage.is_gap().then_some(EventKind::Coverage);
                for kind in std::iter::once(EventKind::Session).chain(gap) {
                    let added = Added::new(set, kind);
                    let event = SessionEvent { row: &row, session, added: &added };
                    see(Seen { kind, pivot: Pivot::default(), event: &event, time });
                }
            }
        }
    }
}

//! One artifact, read into rows. Those that gather are written when they are many: memory does not grow with the artifact.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::{Problem, ProblemKind, RawRecord, Sink, TranscriptHead};
use jiff::civil::Date;
use model::{Command, Place};
use report::store::{
    Activity, CommandRow, FindingRow, MatchRow, Row, Store, StoreError, Transcript, day,
};
use rules::{Evaluator, RuleSet};

use super::artifact::Identified;
use super::opened::Opened;
use super::{HANDED_OVER, MAX_PROBLEMS, Options, RowCounts, rows};
use crate::examine::{Examiner, Judged};
use crate::scan::{opens_session, session_of};

/// Rows of a table that are written at once, and bytes of their long texts: somebody may write many that are long.
const PART: usize = 64 << 10;
const PART_BYTES: usize = 16 << 20;

/// Notes of sessions that are written at once.
const NOTES: usize = 1 << 10;

/// The rows of one table that have gathered.
struct Gathered<R> {
    days: BTreeMap<Option<Date>, Vec<R>>,
    waiting: usize,
    bytes: usize,
    parts: usize,
    count: u64,
}

impl<R: Row> Gathered<R> {
    const fn new() -> Self {
        Self { days: BTreeMap::new(), waiting: 0, bytes: 0, parts: 0, count: 0 }
    }

    /// Adds a row, with `bytes` of text that may be long.
    fn add(&mut self, day: Option<Date>, row: R, bytes: usize) {
        self.bytes += bytes;
        self.days.entry(day).or_default().push(row);
        self.waiting += 1;
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.waiting >= PART || self.bytes >= PART_BYTES
    }

    /// What has gathered, as files. Where they lie depends on the artifact alone.
    fn write(&mut self, id: &str, files: &mut Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        let name = match self.parts {
            0 => id.to_owned(),
            part => format!("{id}-{part}"),
        };
        for (day, rows) in std::mem::take(&mut self.days) {
            files.push(Store::encode(day, &name, rows)?);
        }
        self.waiting = 0;
        self.bytes = 0;
        self.parts += 1;
        Ok(())
    }
}

/// What was written of an artifact.
pub(super) struct Written {
    pub(super) rows: RowCounts,
    pub(super) levels: [u64; 5],
    pub(super) files: Vec<String>,
    pub(super) problems: Vec<Problem>,
    /// Where its findings lie.
    pub(super) days: BTreeSet<Option<Date>>,
    /// The first of them.
    pub(super) told: Vec<FindingRow>,
    /// How long the rules took, if there was a clock.
    pub(super) nanos: u64,
}

pub(super) struct Reading<'a, 'e> {
    store: &'a Store,
    set: &'e RuleSet,
    options: &'a Options,
    examiner: Examiner<'a, 'e>,
    artifact: &'a Identified,
    id: &'a str,
    activity: Gathered<Activity>,
    transcripts: Gathered<Transcript>,
    commands: Gathered<CommandRow>,
    matches: Gathered<MatchRow>,
    findings: Gathered<FindingRow>,
    levels: [u64; 5],
    files: Vec<String>,
    /// Whose sessions they are, for who looks them up by their ids.
    notes: Vec<(String, Vec<u8>)>,
    problems: Vec<Problem>,
    failure: Option<StoreError>,
    days: BTreeSet<Option<Date>>,
    told: Vec<FindingRow>,
    nanos: u64,
}

impl<'a, 'e> Reading<'a, 'e> {
    pub(super) fn new(
        store: &'a Store,
        set: &'e RuleSet,
        options: &'a Options,
        evaluator: &'a mut Evaluator<'e>,
        artifact: &'a Identified,
        id: &'a str,
    ) -> Self {
        Self {
            store,
            set,
            options,
            examiner: Examiner::new(set, evaluator, options.masker),
            artifact,
            id,
            activity: Gathered::new(),
            transcripts: Gathered::new(),
            commands: Gathered::new(),
            matches: Gathered::new(),
            findings: Gathered::new(),
            levels: [0; 5],
            files: Vec::new(),
            notes: Vec::new(),
            problems: Vec::new(),
            failure: None,
            days: BTreeSet::new(),
            told: Vec::new(),
            nanos: 0,
        }
    }

    /// The time, if somebody wants to know how long the rules take.
    fn time(&self) -> u64 {
        self.options.clock.map_or(0, |clock| clock())
    }

    fn write(&mut self, only_full: bool) -> Result<(), StoreError> {
        let mut files = Vec::new();
        macro_rules! write {
            ($($table:ident)+) => {
                $(if self.$table.waiting > 0 && (!only_full || self.$table.is_full()) {
                    self.$table.write(self.id, &mut files)?;
                })+
            };
        }
        write!(activity transcripts commands matches findings);
        self.files.extend(files.iter().map(|(path, _)| path.clone()));
        if !only_full || self.notes.len() >= NOTES {
            files.append(&mut self.notes);
        }
        self.store.create_all(files)
    }

    fn make_room(&mut self) {
        if self.failure.is_none()
            && let Err(error) = self.write(true)
        {
            self.failure = Some(error);
        }
    }

    /// Writes the rest.
    pub(super) fn finish(mut self) -> Result<Written, StoreError> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.write(false)?;
        self.files.sort();
        Ok(Written {
            rows: RowCounts {
                activity: self.activity.count,
                transcripts: self.transcripts.count,
                commands: self.commands.count,
                matches: self.matches.count,
                findings: self.findings.count,
            },
            levels: self.levels,
            files: self.files,
            problems: self.problems,
            days: self.days,
            told: self.told,
            nanos: self.nanos,
        })
    }

    fn judged(&mut self, judged: Vec<Judged>, otherwise: Option<Date>) {
        for judged in judged {
            let day = day(judged.finding.time).or(otherwise);
            let row = rows::matched(self.set, &judged);
            let bytes = row.captures.as_ref().map_or(0, String::len)
                + row.command.as_ref().map_or(0, String::len);
            self.matches.add(day, row, bytes);
            if self.set.is_told(judged.rule) && !judged.is_again {
                self.levels[judged.finding.rule.level as usize] += 1;
                self.days.insert(day);
                let row = rows::finding(&judged.finding);
                if self.told.len() < HANDED_OVER {
                    self.told.push(row.clone());
                }
                let bytes = row.evidence.len() + row.command.as_ref().map_or(0, String::len);
                self.findings.add(day, row, bytes);
            }
        }
    }
}

/// What CloudTrail itself says of a call: no caller can put a secret there.
const ENVELOPE: [&str; 17] = [
    "awsRegion",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "resources",
    "sharedEventID",
    "sourceIPAddress",
    "tlsDetails",
    "userIdentity",
];

/// Calls that are kept whether or not a rule asks for them: what sessions there are, and who may open which.
fn is_about_sessions(source: Option<&[u8]>, name: Option<&[u8]>) -> bool {
    let (Some(source), Some(name)) = (source, name) else { return true };
    match source {
        b"ecs.amazonaws.com" => {
            matches!(name, b"ExecuteCommand" | b"CreateCluster" | b"UpdateCluster")
        }
        b"ec2-instance-connect.amazonaws.com" => {
            matches!(name, b"OpenTunnel" | b"SendSSHPublicKey" | b"SendSerialConsoleSSHPublicKey")
        }
        b"ssm-guiconnect.amazonaws.com" => name == b"StartConnection",
        b"ssm.amazonaws.com" => matches!(
            name,
            b"StartSession"
                | b"ResumeSession"
                | b"TerminateSession"
                | b"SendCommand"
                | b"CancelCommand"
                | b"StartAutomationExecution"
                | b"StartAccessRequest"
                | b"GetAccessToken"
                | b"StartAssociationsOnce"
                | b"UpdateDocumentMetadata"
                | b"CreateDocument"
                | b"UpdateDocument"
                | b"UpdateDocumentDefaultVersion"
                | b"DeleteDocument"
                | b"ModifyDocumentPermission"
                | b"UpdateServiceSetting"
                | b"ResetServiceSetting"
        ),
        _ => false,
    }
}

impl Sink for Reading<'_, '_> {
    fn record(&mut self, raw: &RawRecord<'_>) {
        let is_wanted = is_about_sessions(raw.event_source, raw.event_name);
        let mut found = Vec::new();
        let name = Arc::clone(&self.artifact.name);
        let began = self.time();
        let (record, result) =
            self.examiner.record(raw, &name, is_wanted, |one| found.push(one.judged()));
        self.nanos += self.time() - began;
        // Where the raw bytes do not tell, the record does.
        let record = record.filter(|record| {
            let source = record.event_source.as_deref().unwrap_or_default();
            let name = record.event_name.as_deref().map(str::as_bytes);
            !found.is_empty() || is_about_sessions(Some(source.as_bytes()), name)
        });
        if let Some(record) = record {
            let opened = record.opened_session().filter(|_| opens_session(raw));
            let place = Place::new(name, raw.offset);
            let day = day(record.time).or(day(self.artifact.stored));
            let written = self
                .options
                .masker
                .json(&String::from_utf8_lossy(raw.bytes), &ENVELOPE)
                .into_owned();
            let row = rows::activity(&record, &place, opened.as_ref(), written);
            if self.options.index_sessions && opened.is_some() {
                self.notes.extend(Opened::note(&row));
            }
            let bytes = row.record.as_ref().map_or(0, String::len);
            self.activity.add(day, row, bytes);
            self.judged(found, day);
        }
        if let Err(error) = result {
            let reason = format!("a broken record: {error}");
            let place = Place::new(Arc::clone(&self.artifact.name), raw.offset);
            self.problem(Problem { place, kind: ProblemKind::Failed, reason });
        }
        self.make_room();
    }

    fn command(&mut self, head: &TranscriptHead, mut command: Command) {
        let session = Arc::new(session_of(head, &BTreeMap::new()));
        let time = command.time.or(head.first_event);
        let mut found = Vec::new();
        let (set, began) = (self.set, self.time());
        self.examiner.command(head, &command, &session, time, |judged| {
            // What asks about the session waits for the sweep, which knows it.
            if !set.names_added(judged.rule) {
                found.push(judged);
            }
        });
        self.nanos += self.time() - began;
        let otherwise = day(rows::day_of(head, self.artifact.stored));
        self.judged(found, otherwise);
        self.options.masker.command(&mut command);
        let bytes = command.text.len() + command.original.as_ref().map_or(0, String::len);
        let day = day(command.time).or(otherwise);
        self.commands.add(day, rows::command(head, command), bytes);
        self.make_room();
    }

    fn transcript(&mut self, head: &TranscriptHead) {
        let session = Arc::new(session_of(head, &BTreeMap::new()));
        let time = head.first_event.or(head.ended);
        let mut found = Vec::new();
        let set = self.set;
        self.examiner.transcript(head, &session, time, |judged| {
            // What asks about the session waits for the sweep, which knows it.
            if !set.names_added(judged.rule) {
                found.push(judged);
            }
        });
        let otherwise = day(rows::day_of(head, self.artifact.stored));
        self.judged(found, otherwise);
        let row = rows::transcript(head, self.artifact.stored, self.artifact.sha256.as_deref());
        self.transcripts.add(otherwise, row, 0);
        self.make_room();
    }

    fn problem(&mut self, problem: Problem) {
        // A hostile artifact is wrong in every line.
        match self.problems.len().cmp(&MAX_PROBLEMS) {
            Ordering::Less => self.problems.push(problem),
            Ordering::Equal => {
                let reason =
                    format!("more than {MAX_PROBLEMS} places are wrong: the others are not named");
                self.problems.push(Problem { reason, ..problem });
            }
            Ordering::Greater => {}
        }
    }

    fn is_done(&self) -> bool {
        self.failure.is_some() || self.options.stop.load(std::sync::atomic::Ordering::Relaxed)
    }
}

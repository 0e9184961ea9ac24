//! CloudWatch log events → the transcripts and records in them.
//!
//! Events of many streams may be mixed in one artifact; each stream is a transcript of its own and is
//! followed until the artifact ends.
//!
//! What stands in a session's stream was written by whoever sat in the session. A line of it that looks like
//! a CloudTrail record, or like an event of another session, is text and nothing else: otherwise a person
//! could write the trail that they are judged by.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use model::SessionId;
use serde::Deserialize;

use super::head::{Head, Key};
use super::items::Context;
use super::json::{Scan, scan_object};
use super::run_command::CommandOutput;
use super::sniff::starts_json;
use super::time::from_millis;
use super::transcript::script::{Body, Header};
use super::transcript::stream::StreamedEvent;
use super::transcript::{Reading, TranscriptForm, TranscriptHead};
use super::walk::Walk;
use super::{Limits, ProblemKind, time};

/// A log event, whichever tool wrote it down.
pub(crate) struct LogEvent<'a> {
    pub(crate) stream: Option<Cow<'a, str>>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) message: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(borrow, default)]
    log_stream: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    log_stream_name: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "@logStream")]
    at_log_stream: Option<Cow<'a, str>>,
    #[serde(default)]
    timestamp: Option<Time<'a>>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Milliseconds, or a time written out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time<'a> {
    Millis(i64),
    Text(Cow<'a, str>),
    Other(serde::de::IgnoredAny),
}

impl<'a> LogEvent<'a> {
    /// Reads an event; the container that it stands in may name the stream.
    pub(crate) fn parse(
        bytes: &'a [u8],
        context: Option<&'a Context>,
    ) -> Result<Self, serde_json::Error> {
        let written: Written<'a> = serde_json::from_slice(bytes)?;
        let stream = written
            .log_stream
            .or(written.log_stream_name)
            .or(written.at_log_stream)
            .or_else(|| context?.stream().map(Cow::Borrowed));
        let time = match written.timestamp {
            Some(Time::Millis(millis)) => from_millis(millis),
            Some(Time::Text(text)) => time::parse_time(&text),
            Some(Time::Other(_)) | None => None,
        };
        Ok(Self { stream, time, message: written.message })
    }
}

/// The stream that `{"…","logStream":"…","logEvents":[` names.
pub(super) fn stream_of(prefix: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Container {
        log_stream: Option<String>,
    }
    if prefix.is_empty() {
        return None;
    }
    let closed = [prefix, b"]}"].concat();
    serde_json::from_slice::<Container>(&closed).ok()?.log_stream
}

/// Length at which the agent cuts the text of an upload without regard to lines (FORMATS A5).
const UPLOAD_CUT: usize = 200_000;

enum Stream {
    Streamed(Box<Reading>),
    Upload {
        reading: Box<Reading>,
        body: Body,
        /// The last event was cut in the middle of a line.
        cut: bool,
        /// Where in the text each event begins, and where that event stands in the artifact.
        starts: Vec<(u64, u64)>,
        /// Bytes of text so far.
        length: u64,
    },
    /// Not a session's stream.
    Other {
        first: u64,
        events: u64,
        bytes: u64,
    },
}

/// The streams of one artifact.
pub(crate) struct Streams {
    open: BTreeMap<String, Stream>,
    max: usize,
    max_held: usize,
    /// Bytes that all of them hold back, about.
    held: usize,
}

impl Stream {
    fn held(&self) -> usize {
        match self {
            Self::Streamed(reading) => reading.held(),
            Self::Upload { reading, body, starts, .. } => {
                reading.held() + body.held() + starts.len() * size_of::<(u64, u64)>()
            }
            Self::Other { .. } => 0,
        }
    }
}

/// The artifact's offset of what stands at `at` of a stream's text.
fn offset_of(starts: &[(u64, u64)], at: u64) -> u64 {
    let behind = starts.partition_point(|(start, _)| *start <= at);
    behind.checked_sub(1).map_or(0, |index| starts[index].1)
}

impl Streams {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self { open: BTreeMap::new(), max: limits.max_streams, max_held: limits.max_held, held: 0 }
    }

    /// Takes in an event.
    pub(crate) fn event(&mut self, event: &LogEvent<'_>, offset: u64, walk: &mut Walk<'_>) {
        let trimmed = event.message.trim();
        let stream = event.stream.as_deref().unwrap_or_default();
        let is_session = matches!(self.open.get(stream), Some(Stream::Upload { .. }))
            || SessionId::looks_like(stream);
        let mut head = Head::default();
        let whole = trimmed.starts_with('{')
            && scan_object::<false>(trimmed.as_bytes(), &mut head) == Scan::End(trimmed.len());
        if whole && head.has(Key::SessionData) {
            let own = head.text(trimmed.as_bytes(), Key::SessionId);
            if stream.is_empty() || own.is_some_and(|own| own == stream) || !is_session {
                self.streamed(trimmed.as_bytes(), event.time, offset, walk);
                return;
            }
        }
        if !is_session {
            if whole && head.has(Key::EventName) {
                walk.inner_record(trimmed.as_bytes(), offset, "a log event");
                return;
            }
            if !whole && starts_json(trimmed.as_bytes()) {
                let reason = "a log event that begins as JSON and does not end as such";
                walk.own_problem(ProblemKind::Failed, offset, reason);
                return;
            }
        }
        self.text(event, offset, walk);
    }

    /// Counts what a stream holds back; the one that holds too much is read no further.
    fn weigh(&mut self, key: &str, before: usize, offset: u64, walk: &mut Walk<'_>) {
        let Some(stream) = self.open.get(key) else { return };
        self.held = (self.held + stream.held()).saturating_sub(before);
        if self.held <= self.max_held {
            return;
        }
        let reason =
            format!("the log streams of one artifact hold back more than {} bytes", self.max_held);
        walk.problem(ProblemKind::Failed, offset, reason);
        if let Some(stream) = self.open.remove(key) {
            self.held = self.held.saturating_sub(stream.held());
            close(key, stream, walk);
        }
    }

    fn has_room(&self, key: &str, offset: u64, walk: &mut Walk<'_>) -> bool {
        let room = self.open.contains_key(key) || self.open.len() < self.max;
        if !room {
            let reason = format!("more than {} log streams in one artifact", self.max);
            walk.problem(ProblemKind::Failed, offset, reason);
        }
        room
    }

    /// A message of the streamed form.
    pub(crate) fn streamed(
        &mut self,
        message: &[u8],
        sent: Option<Timestamp>,
        offset: u64,
        walk: &mut Walk<'_>,
    ) {
        if !walk.wants_transcripts() {
            return;
        }
        let event: StreamedEvent<'_> = match serde_json::from_slice(message) {
            Ok(event) => event,
            Err(error) => {
                let reason = format!("a broken session event: {error}");
                walk.problem(ProblemKind::Failed, offset, reason);
                return;
            }
        };
        if !self.has_room(&event.session_id, offset, walk) {
            return;
        }
        let before = self.open.get(&*event.session_id).map_or(0, Stream::held);
        let stream = self.open.entry(event.session_id.to_string()).or_insert_with(|| {
            let mut head = walk.stream_head(offset, TranscriptForm::CloudwatchStream);
            head.session_id = Some(SessionId::new(&*event.session_id));
            let own = |text: Option<&Cow<'_, str>>| {
                text.filter(|text| !text.is_empty()).map(ToString::to_string)
            };
            head.region = own(event.aws_region.as_ref());
            head.target = own(event.target.as_ref().and_then(|target| target.id.as_ref()));
            head.principal_arn = own(event.user_identity.as_ref().and_then(|id| id.arn.as_ref()));
            head.run_as = own(event.run_as_user.as_ref());
            Stream::Streamed(Box::new(Reading::new(head)))
        });
        let Stream::Streamed(reading) = stream else {
            walk.problem(ProblemKind::Failed, offset, "a streamed event within an uploaded log");
            return;
        };
        reading.event(sent.or_else(|| event.time()));
        for line in &event.session_data {
            let mut emit = |head: &TranscriptHead, told| walk.told(head, told);
            reading.line(line, offset, &mut emit);
        }
        self.weigh(&event.session_id, before, offset, walk);
    }

    /// A message of plain text: a piece of an uploaded transcript, if the stream is a session's.
    fn text(&mut self, event: &LogEvent<'_>, offset: u64, walk: &mut Walk<'_>) {
        let key = event.stream.as_deref().unwrap_or_default();
        if !walk.wants_transcripts() || !self.has_room(key, offset, walk) {
            return;
        }
        let before = self.open.get(key).map_or(0, Stream::held);
        let message = event.message.as_bytes();
        let mut text = message;
        let stream = self.open.entry(key.to_owned()).or_insert_with(|| {
            let header = Header::find(&[message, b"\n"].concat());
            if header.is_none() && !SessionId::looks_like(key) {
                return Stream::Other { first: offset, events: 0, bytes: 0 };
            }
            let mut head = walk.stream_head(offset, TranscriptForm::CloudwatchUpload);
            if !key.is_empty() {
                head.session_id = Some(SessionId::new(key));
            }
            if let Some(header) = header {
                text = message.get(header.len..).unwrap_or_default();
                head.ended = header.time;
                if let Some(command) = &header.command {
                    head.learn_from_header(command);
                }
            }
            let body = Body::new(false, 0);
            let reading = Box::new(Reading::new(head));
            Stream::Upload { reading, body, cut: true, starts: Vec::new(), length: 0 }
        });
        match stream {
            Stream::Upload { reading, body, cut, starts, length } => {
                reading.event(event.time);
                // What is before the text that is held back has been handed over.
                let held = *length - body.held() as u64;
                let done = starts.partition_point(|(start, _)| *start <= held).saturating_sub(1);
                starts.drain(..done);
                let mut emit = |head: &TranscriptHead, told| walk.told(head, told);
                if !*cut {
                    body.push(b"\n", &mut |bytes, at| {
                        reading.write(bytes, offset_of(starts, at), &mut emit);
                    });
                    *length += 1;
                }
                starts.push((*length, offset));
                body.push(text, &mut |bytes, at| {
                    reading.write(bytes, offset_of(starts, at), &mut emit);
                });
                *length += text.len() as u64;
                *cut = message.len() >= UPLOAD_CUT;
            }
            Stream::Other { events, bytes, .. } => {
                *events += 1;
                *bytes += message.len() as u64;
            }
            Stream::Streamed(_) => {
                walk.problem(ProblemKind::Failed, offset, "plain text within a streamed log");
            }
        }
        self.weigh(key, before, offset, walk);
    }

    /// The artifact ends.
    pub(crate) fn finish(self, walk: &mut Walk<'_>) {
        for (name, stream) in self.open {
            close(&name, stream, walk);
        }
    }
}

/// A stream ends.
fn close(name: &str, stream: Stream, walk: &mut Walk<'_>) {
    match stream {
        Stream::Streamed(reading) => walk.finish(*reading),
        Stream::Upload { mut reading, body, starts, .. } => {
            let mut emit = |head: &TranscriptHead, told| walk.told(head, told);
            let footer = body.finish(&mut |bytes, at| {
                reading.write(bytes, offset_of(&starts, at), &mut emit);
            });
            reading.head.complete = Some(footer.is_some());
            if let Some(time) = footer.and_then(|footer| footer.time) {
                reading.head.ended = Some(time);
            }
            walk.finish(*reading);
        }
        Stream::Other { first, events, bytes } => {
            if let Some(mut output) = CommandOutput::of_path(name, walk.place(first)) {
                output.bytes = bytes;
                walk.told_output(&output);
                return;
            }
            let name = model::Visible(name).to_string();
            walk.problem(
                ProblemKind::Skipped,
                first,
                format!("{events} log events of stream `{name}`, which is no session's"),
            );
        }
    }
}

//! CloudWatch log events → the transcripts and records in them.
//!
//! Events of many streams may be mixed in one artifact; each stream is a transcript of its own and is
//! followed until the artifact ends.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use model::SessionId;
use serde::Deserialize;

use super::json::{Head, Key, Scan, scan_object};
use super::time::from_millis;
use super::transcript::script::{Body, Header};
use super::transcript::stream::StreamedEvent;
use super::transcript::{Reading, TranscriptForm, TranscriptHead};
use super::walk::Walk;
use super::{ProblemKind, time};

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
    /// Reads an event; `prefix` is the text of the container in front of it, which may name the stream.
    pub(crate) fn parse(bytes: &'a [u8], prefix: &'a [u8]) -> Result<Self, serde_json::Error> {
        let written: Written<'a> = serde_json::from_slice(bytes)?;
        let stream = written
            .log_stream
            .or(written.log_stream_name)
            .or(written.at_log_stream)
            .or_else(|| stream_of(prefix).map(Cow::Owned));
        let time = match written.timestamp {
            Some(Time::Millis(millis)) => from_millis(millis),
            Some(Time::Text(text)) => time::parse_time(&text),
            Some(Time::Other(_)) | None => None,
        };
        Ok(Self { stream, time, message: written.message })
    }
}

/// The stream that `{"…","logStream":"…","logEvents":[` names.
fn stream_of(prefix: &[u8]) -> Option<String> {
    if prefix.is_empty() {
        return None;
    }
    let closed = [prefix, b"]}"].concat();
    let mut head = Head::default();
    matches!(scan_object::<false>(&closed, &mut head), Scan::End(_))
        .then(|| head.text(&closed, Key::LogStream).map(str::to_owned))
        .flatten()
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
    },
    /// Not a session's stream.
    Other {
        first: u64,
        events: u64,
    },
}

/// The streams of one artifact.
pub(crate) struct Streams {
    open: BTreeMap<String, Stream>,
    max: usize,
}

impl Streams {
    pub(crate) const fn new(max: usize) -> Self {
        Self { open: BTreeMap::new(), max }
    }

    /// Takes in an event.
    pub(crate) fn event(&mut self, event: &LogEvent<'_>, offset: u64, walk: &mut Walk<'_>) {
        let trimmed = event.message.trim();
        if trimmed.starts_with("{\"") || trimmed.starts_with("{ ") {
            let mut head = Head::default();
            if let Scan::End(_) = scan_object::<false>(trimmed.as_bytes(), &mut head) {
                if head.has(Key::SessionData) {
                    self.streamed(trimmed.as_bytes(), event.time, offset, walk);
                    return;
                }
                if head.has(Key::EventName) {
                    walk.inner_record(trimmed.as_bytes(), offset, "a log event");
                    return;
                }
            }
        }
        self.text(event, offset, walk);
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
        let stream = self.open.entry(event.session_id.to_string()).or_insert_with(|| {
            let mut head =
                TranscriptHead::new(walk.place(offset), TranscriptForm::CloudwatchStream);
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
            let mut emit = |head: &TranscriptHead, command| walk.command(head, command);
            reading.write(line.as_bytes(), offset, &mut emit);
            // The agent took the line's end away, carriage return included.
            reading.write(b"\r\n", offset, &mut emit);
        }
    }

    /// A message of plain text: a piece of an uploaded transcript, if the stream is a session's.
    fn text(&mut self, event: &LogEvent<'_>, offset: u64, walk: &mut Walk<'_>) {
        let key = event.stream.as_deref().unwrap_or_default();
        if !self.has_room(key, offset, walk) {
            return;
        }
        let message = event.message.as_bytes();
        let mut text = message;
        let stream = self.open.entry(key.to_owned()).or_insert_with(|| {
            let header = Header::find(&[message, b"\n"].concat());
            if header.is_none() && !SessionId::looks_like(key) {
                return Stream::Other { first: offset, events: 0 };
            }
            let mut head =
                TranscriptHead::new(walk.place(offset), TranscriptForm::CloudwatchUpload);
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
            let body = Body::new(false, offset);
            Stream::Upload { reading: Box::new(Reading::new(head)), body, cut: true }
        });
        match stream {
            Stream::Upload { reading, body, cut } => {
                reading.event(event.time);
                let mut emit = |head: &TranscriptHead, command| walk.command(head, command);
                // Bytes of a message have no offsets of their own in the artifact: the event's counts.
                let mut write = |bytes: &[u8], _| reading.write(bytes, offset, &mut emit);
                if !*cut {
                    body.push(b"\n", &mut write);
                }
                body.push(text, &mut write);
                *cut = message.len() >= UPLOAD_CUT;
            }
            Stream::Other { events, .. } => *events += 1,
            Stream::Streamed(_) => {
                walk.problem(ProblemKind::Failed, offset, "plain text within a streamed log");
            }
        }
    }

    /// The artifact ends.
    pub(crate) fn finish(self, walk: &mut Walk<'_>) {
        for (name, stream) in self.open {
            match stream {
                Stream::Streamed(reading) => walk.finish(*reading),
                Stream::Upload { mut reading, body, .. } => {
                    let offset = reading.head.place.offset;
                    let mut emit = |head: &TranscriptHead, command| walk.command(head, command);
                    let footer =
                        body.finish(&mut |bytes, _| reading.write(bytes, offset, &mut emit));
                    reading.head.complete = Some(footer.is_some());
                    if let Some(time) = footer.and_then(|footer| footer.time) {
                        reading.head.ended = Some(time);
                    }
                    walk.finish(*reading);
                }
                Stream::Other { first, events } => {
                    let name = model::Visible(&name).to_string();
                    walk.problem(
                        ProblemKind::Skipped,
                        first,
                        format!("{events} log events of stream `{name}`, which is no session's"),
                    );
                }
            }
        }
    }
}

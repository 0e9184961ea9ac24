//! Walks through an artifact and hands over what is in it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use model::Place;

use crate::command::Told;

use super::Members;
use super::head::{Head, Key};
use super::items::{Item, Items};
use super::json::{Scan, scan_object};
use super::log_events::{LogEvent, Streams};
use super::run_command::CommandOutput;
use super::sniff::{Form, export_line};
use super::transcript::powershell::{Banner, Lines};
use super::transcript::script::{Body, Header};
use super::transcript::{Reading, TranscriptForm, TranscriptHead};
use super::{Counts, Limits, Problem, ProblemKind, RawRecord, Sink, Want, describe, time};

/// Problems of one kind that are told one by one; the rest are counted.
const TOLD: u64 = 3;
/// Kinds of problem that are kept apart.
const KINDS: usize = 64;

/// What some editors write in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// One artifact being read.
pub(crate) struct Walk<'a> {
    pub(crate) name: Arc<str>,
    pub(crate) limits: &'a Limits,
    want: Want,
    sink: &'a mut dyn Sink,
    counts: Counts,
    problems: BTreeMap<(ProblemKind, String), (u64, u64)>,
    /// See [`TranscriptHead::part`].
    pub(crate) part: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        name: Arc<str>,
        want: Want,
        limits: &'a Limits,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let (counts, problems) = (Counts::default(), BTreeMap::new());
        Self { name, limits, want, sink, counts, problems, part: false }
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn place(&self, offset: u64) -> Place {
        Place::new(Arc::clone(&self.name), offset)
    }

    /// What is known of a stream before it is read.
    pub(crate) fn stream_head(&self, offset: u64, form: TranscriptForm) -> TranscriptHead {
        TranscriptHead { part: self.part, ..TranscriptHead::new(self.place(offset), form) }
    }

    pub(crate) fn problem(&mut self, kind: ProblemKind, offset: u64, reason: impl Into<String>) {
        let mut reason = reason.into();
        if self.problems.len() >= KINDS && !self.problems.contains_key(&(kind, reason.clone())) {
            "more problems of other kinds".clone_into(&mut reason);
        }
        let (count, last) = self.problems.entry((kind, reason.clone())).or_default();
        *count += 1;
        *last = offset;
        if *count <= TOLD {
            let place = self.place(offset);
            self.sink.problem(Problem { place, kind, reason });
        }
    }

    /// Are transcripts wanted? If not, that there are some is noted.
    pub(crate) fn wants_transcripts(&mut self) -> bool {
        self.counts.passed_over |= self.want == Want::Records;
        self.want != Want::Records
    }

    /// A problem of the artifact itself, which the first reading has told.
    pub(crate) fn own_problem(
        &mut self,
        kind: ProblemKind,
        offset: u64,
        reason: impl Into<String>,
    ) {
        if self.want != Want::Transcripts {
            self.problem(kind, offset, reason);
        }
    }

    pub(crate) fn record(&mut self, record: &RawRecord<'_>) {
        if self.want == Want::Transcripts {
            return;
        }
        self.counts.records += 1;
        self.sink.record(record);
    }

    pub(crate) fn told(&mut self, head: &TranscriptHead, told: Told) {
        tell(&mut self.counts, self.sink, head, told);
    }

    pub(crate) fn finish(&mut self, reading: Reading) {
        let head = reading.finish(&mut |head, told| self.told(head, told));
        self.counts.transcripts += 1;
        self.sink.transcript(&head);
    }

    /// Reads everything.
    pub(crate) fn run<R: Read>(&mut self, form: Form, head: Vec<u8>, rest: Option<R>) {
        match form {
            Form::Empty => self.problem(ProblemKind::Skipped, 0, "empty"),
            Form::Unknown => self.problem(
                ProblemKind::Failed,
                0,
                format!(
                    "neither a log nor a transcript that is known here (it begins `{}`)",
                    beginning(&head)
                ),
            ),
            Form::Json => self.json(head, rest),
            Form::LogExport => self.log_export(head.as_slice().chain(Rest(rest))),
            Form::ScriptObject | Form::ScriptUpload | Form::Raw => {
                self.transcript(form, &head, Rest(rest));
            }
            Form::PowerShell => self.powershell(&head, Rest(rest)),
            Form::RunCommand => self.output(&head, Rest(rest)),
        }
        let told: Vec<_> = std::mem::take(&mut self.problems)
            .into_iter()
            .filter(|(_, (count, _))| *count > TOLD)
            .collect();
        for ((kind, reason), (count, last)) in told {
            let reason = format!("{reason} ({} more like this, the last here)", count - TOLD);
            let place = self.place(last);
            self.sink.problem(Problem { place, kind, reason });
        }
    }

    fn json<R: Read>(&mut self, head: Vec<u8>, rest: Option<R>) {
        let mark = if head.starts_with(MARK) { MARK.len() } else { 0 };
        let mut items = Items::new(head, mark, rest, self.limits.max_item);
        let mut streams = Streams::new(self.limits);
        while !self.sink.is_done()
            && let Some(item) = items.next()
        {
            match item {
                Ok(item) => self.item(&item, &mut streams),
                Err((at, super::items::ItemError::Read(error))) => {
                    self.own_problem(ProblemKind::Failed, at, describe(&error));
                }
                Err((at, error)) => self.own_problem(ProblemKind::Failed, at, error.to_string()),
            }
        }
        self.counts.bytes += items.offset();
        streams.finish(self);
    }

    fn item(&mut self, item: &Item<'_>, streams: &mut Streams) {
        let (head, bytes, offset) = (item.head, item.bytes, item.offset);
        if is_record(head, bytes) {
            self.record(&raw_record(head, bytes, offset));
        } else if head.has(Key::Message)
            && (item.within.is_some()
                || head.has(Key::Timestamp)
                || head.has(Key::LogStream)
                || head.has(Key::LogStreamName)
                || head.has(Key::IngestionTime))
        {
            match LogEvent::parse(bytes, item.context) {
                Ok(event) => streams.event(&event, offset, self),
                Err(error) => {
                    self.own_problem(
                        ProblemKind::Failed,
                        offset,
                        format!("a broken log event: {error}"),
                    );
                }
            }
        } else if head.has(Key::SessionData) {
            streams.streamed(bytes, None, offset, self);
        } else if head.has(Key::CloudTrailEvent) {
            self.looked_up(bytes, offset);
        } else if head.has(Key::Detail) && head.has(Key::DetailType) {
            self.event_bridge(head, bytes, offset);
        } else {
            let (kind, reason) = other(head, bytes);
            self.own_problem(kind, offset, reason);
        }
    }

    /// `lookup-events`: the record is JSON in a string.
    fn looked_up(&mut self, bytes: &[u8], offset: u64) {
        #[derive(serde::Deserialize)]
        struct Looked {
            #[serde(rename = "CloudTrailEvent")]
            event: String,
        }
        match serde_json::from_slice::<Looked>(bytes) {
            Ok(looked) => {
                self.inner_record(looked.event.trim().as_bytes(), offset, "a lookup result");
            }
            Err(error) => {
                self.own_problem(
                    ProblemKind::Failed,
                    offset,
                    format!("a broken lookup result: {error}"),
                );
            }
        }
    }

    /// An `AWS API Call via CloudTrail` event holds the record; other events only tell of something.
    fn event_bridge(&mut self, head: &Head, bytes: &[u8], offset: u64) {
        let detail = head.value_from(bytes, Key::Detail).unwrap_or_default();
        let mut inner = Head::default();
        if detail.first() == Some(&b'{')
            && let Scan::End(end) = scan_object::<false>(detail, &mut inner)
            && is_record(&inner, &detail[..end])
        {
            self.record(&raw_record(&inner, &detail[..end], offset));
            return;
        }
        let what = head.text(bytes, Key::DetailType).unwrap_or("of unknown type");
        self.own_problem(
            ProblemKind::Skipped,
            offset,
            format!("an EventBridge event `{what}`, which holds no record"),
        );
    }

    /// A record inside something else. `offset` is that of what it is in.
    pub(crate) fn inner_record(&mut self, bytes: &[u8], offset: u64, within: &str) {
        let mut head = Head::default();
        if bytes.first() == Some(&b'{')
            && let Scan::End(end) = scan_object::<false>(bytes, &mut head)
            && is_record(&head, &bytes[..end])
        {
            self.record(&raw_record(&head, &bytes[..end], offset));
        } else {
            self.own_problem(
                ProblemKind::Failed,
                offset,
                format!("{within} without a CloudTrail record"),
            );
        }
    }

    /// Lines of an export task. A message of several lines goes on without a time in front.
    fn log_export<R: Read>(&mut self, reader: R) {
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        let mut streams = Streams::new(self.limits);
        let stream = export_stream(&self.name);
        let (mut offset, mut began) = (skip_mark(&mut reader), 0);
        let mut pending: Option<(Option<jiff::Timestamp>, Vec<u8>)> = None;
        let mut line = Vec::new();
        loop {
            if self.sink.is_done() {
                break;
            }
            line.clear();
            let left = (self.limits.max_item as u64).saturating_add(1);
            let read = match reader.by_ref().take(left).read_until(b'\n', &mut line) {
                Ok(read) => read,
                Err(error) => {
                    self.problem(ProblemKind::Failed, offset, describe(&error));
                    0
                }
            };
            let next = (read > 0).then(|| export_line(&line)).flatten();
            if (read == 0 || next.is_some())
                && let Some((time, message)) = pending.take()
            {
                let message = String::from_utf8_lossy(&message);
                let event = LogEvent {
                    stream: stream.clone().map(Into::into),
                    time,
                    message: message.strip_suffix('\n').unwrap_or(&message).into(),
                };
                streams.event(&event, began, self);
            }
            if read == 0 {
                break;
            }
            if read as u64 == left {
                let reason =
                    super::items::ItemError::ItemTooLarge(self.limits.max_item).to_string();
                self.problem(ProblemKind::Failed, offset, reason);
                break;
            }
            match next {
                Some((at, message)) => {
                    began = offset;
                    pending = Some((time::parse_time(at), message.to_vec()));
                }
                None => match &mut pending {
                    Some((_, message)) if message.len() <= self.limits.max_item => {
                        message.extend_from_slice(&line);
                    }
                    _ => {
                        self.problem(
                            ProblemKind::Failed,
                            offset,
                            "a line that belongs to no event",
                        );
                    }
                },
            }
            offset += read as u64;
        }
        self.counts.bytes += offset;
        streams.finish(self);
    }

    /// What a Run Command invocation printed: only its size is of interest.
    fn output<R: Read>(&mut self, head: &[u8], rest: R) {
        let name = Arc::clone(&self.name);
        let Some(mut output) = CommandOutput::of_path(&name, self.place(0)) else { return };
        match std::io::copy(&mut head.chain(rest), &mut std::io::sink()) {
            Ok(bytes) => output.bytes = bytes,
            Err(error) => self.own_problem(ProblemKind::Failed, 0, describe(&error)),
        }
        if self.want != Want::Transcripts {
            self.counts.bytes += output.bytes;
            self.told_output(&output);
        }
    }

    pub(crate) fn told_output(&mut self, output: &CommandOutput) {
        self.counts.outputs += 1;
        self.sink.output(output);
    }

    /// Reads the next piece; none is left, or can be read, where it is empty afterwards.
    fn read_on(&mut self, rest: &mut impl Read, chunk: &mut Vec<u8>, offset: &mut u64) {
        chunk.resize(64 << 10, 0);
        match rest.read(chunk) {
            Ok(read) => {
                chunk.truncate(read);
                *offset += read as u64;
            }
            Err(error) => {
                chunk.clear();
                self.problem(ProblemKind::Failed, *offset, describe(&error));
            }
        }
    }

    fn powershell<R: Read>(&mut self, head: &[u8], mut rest: R) {
        let Some(banner) = Banner::find(head) else { return };
        let mut about = TranscriptHead::new(self.place(0), TranscriptForm::PowerShell);
        let name = Arc::clone(&self.name);
        about.learn_from_name(&name);
        about.run_as = banner.user;
        let mut reading = Reading::new(about);
        let mut lines = Lines::new(banner.encoding, banner.mark as u64);
        let mut offset = head.len() as u64;
        let mut chunk = head[banner.mark..].to_vec();
        while !chunk.is_empty() && !self.sink.is_done() {
            let mut emit =
                |head: &TranscriptHead, told| tell(&mut self.counts, self.sink, head, told);
            lines.push(&chunk, &mut |line, at, next| reading.text_line(line, at, next, &mut emit));
            self.read_on(&mut rest, &mut chunk, &mut offset);
        }
        let mut emit = |head: &TranscriptHead, told| tell(&mut self.counts, self.sink, head, told);
        let whole =
            lines.finish(&mut |line, at, next| reading.text_line(line, at, next, &mut emit));
        reading.head.complete = Some(whole);
        self.counts.bytes += offset;
        self.finish(reading);
    }

    fn transcript<R: Read>(&mut self, form: Form, head: &[u8], mut rest: R) {
        let mut about = TranscriptHead::new(
            self.place(0),
            if form == Form::Raw { TranscriptForm::Raw } else { TranscriptForm::S3 },
        );
        if form == Form::ScriptUpload {
            about.form = TranscriptForm::CloudwatchUpload;
        }
        let mut body_at = 0;
        let (mut doubled, mut wrapped) = (false, false);
        if form != Form::Raw
            && let Some(header) = Header::find(head)
        {
            body_at = header.len;
            doubled = header.doubled;
            wrapped = header.wrapped;
            about.ended = header.time;
            // The object's own name comes first: a session can print a header, and not choose its key.
            let name = Arc::clone(&self.name);
            about.learn_from_name(&name);
            let by_name = about.session_id.clone();
            if let Some(command) = &header.command
                && let Some(other) = about.learn_from_header(command)
                && by_name.is_some_and(|id| id.as_str() != other)
            {
                let other = model::Visible(other).to_string();
                self.problem(
                    ProblemKind::Failed,
                    0,
                    format!(
                        "the header names another session, `{other}`; the object's name is believed"
                    ),
                );
            }
        }
        let name = Arc::clone(&self.name);
        about.learn_from_name(&name);
        let mut reading = Reading::new(about);
        let mut body = Body::new(doubled, body_at as u64).wrapped(wrapped);
        let mut offset = head.len() as u64;
        let mut chunk = head.get(body_at..).unwrap_or_default().to_vec();
        loop {
            let mut emit =
                |head: &TranscriptHead, told| tell(&mut self.counts, self.sink, head, told);
            if form == Form::Raw {
                reading.write(&chunk, offset - chunk.len() as u64, &mut emit);
            } else {
                body.push(&chunk, &mut |bytes, at| reading.write(bytes, at, &mut emit));
            }
            self.read_on(&mut rest, &mut chunk, &mut offset);
            if chunk.is_empty() || self.sink.is_done() {
                break;
            }
        }
        if form != Form::Raw {
            let mut emit =
                |head: &TranscriptHead, told| tell(&mut self.counts, self.sink, head, told);
            let footer = body.finish(&mut |bytes, at| reading.write(bytes, at, &mut emit));
            reading.head.complete = Some(footer.is_some());
            if let Some(time) = footer.and_then(|footer| footer.time) {
                reading.head.ended = Some(time);
            }
        }
        self.counts.bytes += offset;
        self.finish(reading);
    }
}

/// Hands over what a transcript holds.
fn tell(counts: &mut Counts, sink: &mut dyn Sink, head: &TranscriptHead, told: Told) {
    match told {
        Told::Command(command) => {
            counts.commands += 1;
            sink.command(head, command);
        }
        Told::Observation(observation) => sink.observation(head, &observation),
    }
}

/// Is this a CloudTrail record? S3, SQS and Kinesis notifications have the same two keys with
/// `aws:…` as their source.
fn is_record(head: &Head, bytes: &[u8]) -> bool {
    let named =
        head.has(Key::EventName) && (head.has(Key::EventSource) || head.has(Key::EventVersion));
    let source = head.bytes(bytes, Key::EventSource);
    named && !source.is_some_and(|source| source.starts_with(b"aws:"))
}

/// Skips a byte order mark, which is no JSON's business; returns its length.
fn skip_mark(reader: &mut impl BufRead) -> u64 {
    let found = reader.fill_buf().is_ok_and(|bytes| bytes.starts_with(MARK));
    if found {
        reader.consume(MARK.len());
    }
    if found { MARK.len() as u64 } else { 0 }
}

fn raw_record<'a>(head: &'a Head, bytes: &'a [u8], offset: u64) -> RawRecord<'a> {
    let own = |key| head.bytes(bytes, key).filter(|_| head.is_exact());
    RawRecord {
        bytes,
        offset,
        event_source: own(Key::EventSource),
        event_name: own(Key::EventName),
        event_id: own(Key::EventId),
        account: own(Key::RecipientAccountId),
        members: Some(Members(head, bytes)),
    }
}

/// What else an object can be.
fn other(head: &Head, bytes: &[u8]) -> (ProblemKind, String) {
    use ProblemKind::{Failed, Skipped};
    let source = head.text(bytes, Key::EventSource).unwrap_or_default();
    if head.has(Key::InsightDetails) {
        return (Skipped, "a CloudTrail Insights record: it counts calls, and is none".into());
    }
    if head.has(Key::DigestS3Object) {
        return (
            Skipped,
            "a CloudTrail digest file: it proves other files and holds no events".into(),
        );
    }
    if head.text(bytes, Key::Event) == Some("s3:TestEvent") {
        return (Skipped, "the test message that S3 sends when a notification is set up".into());
    }
    if source == "aws:s3" {
        return (Skipped, "an S3 notification: it only names an object, give that".into());
    }
    if source == "aws:sqs" || head.has(Key::SnsEventSource) {
        return (
            Skipped,
            "a queue's or topic's message: it only names an object, give that".into(),
        );
    }
    if source == "aws:kinesis" || head.has(Key::AwsLogs) || head.has(Key::RecordsLower) {
        return (
            Failed,
            "a Lambda event with compressed log events inside, which only the function reads"
                .into(),
        );
    }
    (Failed, format!("JSON that is no event known here (it begins `{}`)", beginning(bytes)))
}

/// The first bytes, for a message.
fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(48)]);
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    model::Visible(flat.trim_end_matches('\u{fffd}')).to_string()
}

/// The log stream in an export task's key: `<prefix>/<task id>/<stream>/000000.gz`.
fn export_stream(name: &str) -> Option<String> {
    let mut parts = name.rsplit('/');
    parts.next()?;
    parts.next().map(str::to_owned)
}

/// What there is behind the beginning, if anything.
struct Rest<R>(Option<R>);

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |rest| rest.read(out))
    }
}

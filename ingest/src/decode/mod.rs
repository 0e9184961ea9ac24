//! What is this artifact, and what is in it?
//!
//! [`open`] inflates and looks at the first bytes; [`decode`] reads the whole once and calls a [`Sink`].
//! The form is told by content, never by name alone; a name only adds what the bytes do not say (the
//! session id in an object's key).

mod blocks;
mod cloudtrail;
mod head;
mod inflate;
mod items;
mod json;
mod log_events;
mod run_command;
mod sniff;
mod texts;
mod time;
mod transcript;
mod walk;

use std::io::{self, Read};
use std::sync::Arc;

use model::{Command, Observation, Place};

pub use cloudtrail::{BadRecord, Record};
pub use head::Member;
pub use inflate::{Inflated, TooLarge};
pub use run_command::CommandOutput;
pub use sniff::Form;
pub use texts::{PackedTexts, Texts};
pub use time::parse_time;
pub use transcript::{TranscriptForm, TranscriptHead};

/// How much of a hostile input is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that an artifact may inflate to.
    pub max_inflated: u64,
    /// Bytes of one JSON object: the largest piece ever held.
    pub max_item: usize,
    /// Log streams of one artifact that are followed at a time.
    pub max_streams: usize,
    /// Bytes that all of them together may hold back.
    pub max_held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_inflated: 4 << 30, max_item: 32 << 20, max_streams: 10_000, max_held: 128 << 20 }
    }
}

/// Something that could not be read, or was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// How bad it is.
    pub kind: ProblemKind,
    /// What is wrong, and what to do about it where that is known.
    pub reason: String,
}

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// Recognised, and holds no events: a digest file, a notification that only refers to an object.
    Skipped,
    /// Could not be read: evidence may be missing.
    Failed,
}

/// A CloudTrail record as it was written, not parsed yet.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// The JSON object.
    pub bytes: &'a [u8],
    /// Where it starts in the artifact. Inside a log event or a lookup result: where that starts.
    pub offset: u64,
    /// The bytes of `eventSource`, where they can be told from the raw record for certain.
    pub event_source: Option<&'a [u8]>,
    /// `eventName`, likewise.
    pub event_name: Option<&'a [u8]>,
    /// `eventID`, likewise.
    pub event_id: Option<&'a [u8]>,
    /// `recipientAccountId`, likewise.
    pub account: Option<&'a [u8]>,
    /// Where the values of its own keys stand, if that was noted.
    pub members: Option<Members<'a>>,
}

/// Where the values of a record's own keys stand: what was noted when its end was sought.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a>(&'a head::Head, &'a [u8]);

impl Members<'_> {
    /// Where the value under this key stands in the record's bytes.
    pub fn find(&self, name: &str) -> Member {
        self.0.member(self.1, name)
    }
}

/// What a decoder tells, as it reads. The trait of the stage that calls it.
pub trait Sink {
    /// A CloudTrail record.
    fn record(&mut self, record: &RawRecord<'_>);
    /// A command of a transcript.
    fn command(&mut self, transcript: &TranscriptHead, command: Command);
    /// Something in a transcript that hides what was done. Comes behind the commands that it is about.
    fn observation(&mut self, _transcript: &TranscriptHead, _observation: &Observation) {}
    /// A transcript has been read to its end; `head` holds all that was learnt of it.
    fn transcript(&mut self, head: &TranscriptHead);
    /// What a Run Command invocation printed: no commands, but a trace of one.
    fn output(&mut self, _output: &CommandOutput) {}
    /// Something could not be read, or was left out.
    fn problem(&mut self, problem: Problem);
    /// Is nobody interested in what is left?
    fn is_done(&self) -> bool {
        false
    }
}

/// What a reader of an artifact wants. Which sessions there are is known only when all CloudTrail records have
/// been read, so what holds both is read twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Everything.
    All,
    /// CloudTrail records.
    Records,
    /// Transcripts. What is wrong with the artifact itself is not told again.
    Transcripts,
}

/// What was in an artifact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// CloudTrail records.
    pub records: u64,
    /// Transcripts.
    pub transcripts: u64,
    /// Commands in them.
    pub commands: u64,
    /// Outputs of Run Command.
    pub outputs: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Are there transcripts that were not wanted?
    pub passed_over: bool,
}

/// An artifact whose form is known.
pub struct Opened<R: Read> {
    name: Arc<str>,
    form: Form,
    head: Vec<u8>,
    rest: Inflated<R>,
    part: bool,
}

impl<R: Read> Opened<R> {
    /// It is some of its streams' events, as they came; the others are elsewhere.
    #[must_use]
    pub fn as_part(self) -> Self {
        Self { part: true, ..self }
    }

    /// How the user knows it.
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// What it is.
    pub const fn form(&self) -> Form {
        self.form
    }
}

impl<R: Read> Opened<R> {
    /// All its bytes, inflated.
    pub fn into_reader(self) -> impl Read {
        io::Cursor::new(self.head).chain(self.rest)
    }
}

/// Bytes looked at to tell the form.
const SNIFF: usize = 64 << 10;

/// Inflates the beginning of `reader` and tells what it is. `name` is how the user knows the artifact: a
/// path, a URI, `-`.
pub fn open<R: Read>(
    name: impl Into<Arc<str>>,
    reader: R,
    limits: &Limits,
) -> Result<Opened<R>, Problem> {
    let name = name.into();
    let failed = |error: io::Error| Problem {
        place: Place::new(Arc::clone(&name), 0),
        kind: ProblemKind::Failed,
        reason: describe(&error),
    };
    let mut rest = Inflated::new(reader, limits.max_inflated).map_err(failed)?;
    if let Some(whole) = rest.whole() {
        let form = sniff::sniff(&whole[..whole.len().min(SNIFF)], &name);
        return Ok(Opened { name, form, head: Vec::new(), rest, part: false });
    }
    let mut head = Vec::with_capacity(SNIFF);
    if let Err(error) = rest.by_ref().take(SNIFF as u64).read_to_end(&mut head) {
        // What could be inflated before the error is still evidence; the error comes again behind it.
        if head.is_empty() {
            return Err(failed(error));
        }
    }
    let form = sniff::sniff(&head, &name);
    Ok(Opened { name, form, head, rest, part: false })
}

/// Reads an artifact to its end.
pub fn decode<R: Read>(
    opened: Opened<R>,
    want: Want,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Counts {
    let Opened { name, form, head, mut rest, part } = opened;
    let mut walk = walk::Walk::new(name, want, limits, sink);
    walk.part = part;
    match rest.take_whole() {
        Some(whole) => walk.run(form, whole, None::<Inflated<R>>),
        None => walk.run(form, head, Some(rest)),
    }
    walk.counts()
}

/// An I/O error in words that tell what to do.
pub fn describe(error: &io::Error) -> String {
    if let Some(too_large) = error.get_ref().and_then(|inner| inner.downcast_ref::<TooLarge>()) {
        return format!("{too_large}; raise --max-inflated if this is expected");
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the gzip data is cut off".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("damaged gzip data ({error})")
        }
        _ => error.to_string(),
    }
}

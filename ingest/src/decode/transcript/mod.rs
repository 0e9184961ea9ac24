//! The forms in which the agent hands over what a terminal showed, each undone to the terminal's bytes.
//!
//! | form | what the agent did to the bytes | undone in |
//! | --- | --- | --- |
//! | S3 object | `script` header and footer, every line feed doubled to `\r\n` by a second terminal | [`script`] |
//! | CloudWatch upload | the same, then every `\r\n` made `\n` | [`script`] |
//! | CloudWatch stream | lines in JSON, control sequences partly removed | [`stream`] |
//! | PowerShell transcript | banners around the console's text, in UTF-8 or UTF-16 | [`powershell`] |
//! | raw | nothing | here |

pub(crate) mod powershell;
pub(crate) mod script;
pub(crate) mod stream;

use std::path::Path;

use jiff::Timestamp;
use model::{Observations, Place, SessionId};

use crate::command::{Reader, Told};
use crate::terminal::Terminal;

/// How a transcript was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TranscriptForm {
    /// The object in S3.
    S3,
    /// Log events with structured JSON, sent while the session ran.
    CloudwatchStream,
    /// Log events with the text of the S3 form, sent at the session's end.
    CloudwatchUpload,
    /// The agent's own file on the node.
    Raw,
    /// What PowerShell wrote of a session on Windows.
    PowerShell,
}

impl TranscriptForm {
    /// Every form.
    pub const ALL: [Self; 5] =
        [Self::S3, Self::CloudwatchStream, Self::CloudwatchUpload, Self::Raw, Self::PowerShell];

    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::CloudwatchStream => "cloudwatch-stream",
            Self::CloudwatchUpload => "cloudwatch-upload",
            Self::Raw => "raw",
            Self::PowerShell => "powershell",
        }
    }
}

/// What is known of a transcript beside its commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptHead {
    /// Where it begins.
    pub place: Place,
    /// Its form.
    pub form: TranscriptForm,
    /// The session, from the object's key, the log stream's name or the transcript's own header.
    pub session_id: Option<SessionId>,
    /// The node, where the form tells.
    pub target: Option<String>,
    /// The region, where the form tells.
    pub region: Option<String>,
    /// The caller's ARN, where the form tells: from the service, not from the session.
    pub principal_arn: Option<String>,
    /// The operating system user that the shell was started as, where the form tells.
    pub run_as: Option<String>,
    /// When the session was over: the time in `script`'s header is that of the *end* (FORMATS A3).
    pub ended: Option<Timestamp>,
    /// Time of the first log event.
    pub first_event: Option<Timestamp>,
    /// Time of the last log event.
    pub last_event: Option<Timestamp>,
    /// Is the footer there? Without one the recording may be cut. `None` where the form has none.
    pub complete: Option<bool>,
    /// What was seen in it that hides something.
    pub observations: Observations,
    /// Commands in it.
    pub commands: u64,
    /// Is it some of a stream's events, as they came, and the others are elsewhere?
    pub part: bool,
}

impl TranscriptHead {
    /// Nothing is known yet.
    pub fn new(place: Place, form: TranscriptForm) -> Self {
        Self {
            place,
            form,
            session_id: None,
            target: None,
            region: None,
            principal_arn: None,
            run_as: None,
            ended: None,
            first_event: None,
            last_event: None,
            complete: None,
            observations: Observations::default(),
            commands: 0,
            part: false,
        }
    }

    fn note(&mut self, told: &Told) {
        match told {
            Told::Command(_) => self.commands += 1,
            Told::Observation(observation) => self.observations.note(*observation),
        }
    }

    /// Fills in what the artifact's name tells: the id in an S3 key (`<id>.log`), the node and the id in
    /// the agent's own path (`…/<node>/session/orchestration/<id>/Standard_Stream/ipcTempFile.log`).
    pub(crate) fn learn_from_name(&mut self, name: &str) {
        let parts: Vec<&str> = name.split(['/', '\\']).collect();
        if let Some(at) = parts.iter().rposition(|&part| part == "orchestration") {
            self.learn_from_path(at.checked_sub(2).map(|at| parts[at]), parts.get(at + 1).copied());
            return;
        }
        let file = Path::new(name).file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let stem = file.strip_suffix(".gz").unwrap_or(file);
        let stem = stem.strip_suffix(".log").unwrap_or(stem);
        // An id of unknown form is only believed where the key is the agent's own.
        if self.session_id.is_none() && (SessionId::looks_like(stem) || name.starts_with("s3://")) {
            self.session_id = Some(SessionId::new(stem));
        }
    }

    fn learn_from_path(&mut self, target: Option<&str>, id: Option<&str>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.session_id.get_or_insert_with(|| SessionId::new(id));
        }
        if let Some(target) =
            target.filter(|t| t.starts_with("i-") || t.starts_with("mi-") || t.starts_with("ecs:"))
        {
            self.target.get_or_insert_with(|| target.to_owned());
        }
    }

    /// The same from the command in `script`'s header (util-linux ≥ 2.38).
    /// Returns the session that it names.
    pub(crate) fn learn_from_header<'c>(&mut self, command: &'c str) -> Option<&'c str> {
        let parts: Vec<&str> = command.split('/').collect();
        let at = parts.iter().position(|&part| part == "orchestration")?;
        let target = at.checked_sub(2).map(|at| parts[at].trim_start_matches("cat "));
        let id = parts.get(at + 1).copied();
        self.learn_from_path(target, id);
        id
    }
}

/// Length at which the agent cuts a line of the stream, into pieces that are sent in events of their own (FORMATS A4).
const STREAM_CUT: usize = 33_000;

/// One transcript being read: terminal and command reader together.
pub(crate) struct Reading {
    pub(crate) head: TranscriptHead,
    terminal: Terminal<Reader>,
    /// Artifact offset behind what was written.
    offset: u64,
    /// Time of the log event before this one.
    previous: Option<Timestamp>,
    /// In a stream: the line before was cut where the agent cuts, and has it been the last of its event?
    cut: bool,
    first_of_event: bool,
}

impl Reading {
    pub(crate) fn new(head: TranscriptHead) -> Self {
        let reader = match head.form {
            TranscriptForm::CloudwatchStream => Reader::of_stream(),
            TranscriptForm::Raw => Reader::default(),
            _ => Reader::of_replay(),
        };
        Self {
            head,
            terminal: Terminal::new(reader),
            offset: 0,
            previous: None,
            cut: false,
            first_of_event: false,
        }
    }

    /// Bytes held back, about.
    pub(crate) fn held(&self) -> usize {
        self.terminal.held()
    }

    /// A log event of `time` begins.
    pub(crate) fn event(&mut self, time: Option<Timestamp>) {
        self.previous = self.head.last_event;
        self.first_of_event = true;
        if self.head.first_event.is_none() {
            self.head.first_event = time;
        }
        self.head.last_event = time.or(self.head.last_event);
    }

    /// Terminal bytes, the first at `offset` of the artifact.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        offset: u64,
        emit: &mut impl FnMut(&TranscriptHead, Told),
    ) {
        self.feed(offset, emit, |terminal| terminal.write(bytes, offset));
        self.offset = offset + bytes.len() as u64;
    }

    /// A line of a streamed event, of which the agent took the end away, carriage return included.
    pub(crate) fn line(
        &mut self,
        line: &str,
        offset: u64,
        emit: &mut impl FnMut(&TranscriptHead, Told),
    ) {
        const ALTERNATE: &str = "\u{1b}[?1049h";
        let goes_on = std::mem::take(&mut self.first_of_event) && self.cut;
        self.cut = line.len() >= STREAM_CUT;
        if goes_on && !self.terminal.watcher().has_prompt(line) {
            // The rest of the line before.
            self.terminal.watcher().goes_on(line);
            self.offset = offset + line.len() as u64;
            return;
        }
        let mut restored = stream::restore(line);
        if restored.contains(ALTERNATE) && self.terminal.watcher().is_in_screen() {
            // The way back is on a line that may have been stripped.
            restored = restored.replace(ALTERNATE, "").into();
        }
        self.feed(offset, emit, |terminal| {
            if terminal.watcher().note_line(line, offset) {
                return;
            }
            terminal.write(restored.as_bytes(), offset);
            if line.contains('\u{1b}') {
                terminal.end_line(offset);
            } else {
                terminal.write(b"\r\n", offset);
            }
            if goes_on {
                terminal.watcher().doubt();
            }
        });
        self.offset = offset + line.len() as u64;
    }

    fn feed(
        &mut self,
        offset: u64,
        emit: &mut impl FnMut(&TranscriptHead, Told),
        write: impl FnOnce(&mut Terminal<Reader>),
    ) {
        // A line that arrives in an event was submitted between the event before and this one.
        let time = match self.head.form {
            TranscriptForm::CloudwatchStream => {
                (self.previous.or(self.head.first_event), self.head.last_event)
            }
            _ => (None, None),
        };
        if self.offset == 0 {
            self.terminal.watcher().begin(offset);
        }
        self.terminal.watcher().at(time);
        write(&mut self.terminal);
        let head = &mut self.head;
        self.terminal.watcher().hand_over(&mut |told| {
            head.note(&told);
            emit(head, told);
        });
    }

    /// A line of text without its end, from `offset` to `next` in the artifact.
    pub(crate) fn text_line(
        &mut self,
        line: &str,
        offset: u64,
        next: u64,
        emit: &mut impl FnMut(&TranscriptHead, Told),
    ) {
        self.feed(offset, emit, |terminal| {
            terminal.watcher().ends_before(next);
            terminal.write(line.as_bytes(), offset);
            terminal.write(b"\r\n", next.saturating_sub(2));
        });
        self.offset = next;
    }

    /// The end of the transcript.
    pub(crate) fn finish(self, emit: &mut impl FnMut(&TranscriptHead, Told)) -> TranscriptHead {
        let mut head = self.head;
        let (reader, screen) = self.terminal.finish();
        reader.finish(&screen, self.offset, &mut |told| {
            head.note(&told);
            emit(&head, told);
        });
        head
    }
}

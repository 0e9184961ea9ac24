//! `commands`: transcripts in, the commands that people ran out.

use std::io;

use ingest::decode::CommandOutput;
use ingest::source::Found;
use ingest::{Limits, Problem, ProblemKind, RawRecord, Sink, TranscriptHead, Want};
use model::{Command, Place};
use report::mask::Masker;

/// Takes commands as they are read.
pub trait Observer {
    /// A command, in the order of its transcript.
    fn command(&mut self, head: &TranscriptHead, command: &Command) -> io::Result<()>;
    /// What a Run Command invocation printed: there are no commands in it.
    fn output(&mut self, _output: &CommandOutput) -> io::Result<()> {
        Ok(())
    }
    /// Something could not be read, or was left out.
    fn problem(&mut self, problem: &Problem);
}

/// Reads every transcript. Returns whether everything could be read; fails only if the observer does.
pub fn commands(
    found: Found,
    limits: &Limits,
    masker: Masker,
    observer: &mut dyn Observer,
) -> io::Result<bool> {
    let mut reading = Reading { observer, masker, failed: false, error: None };
    for unreadable in found.unreadable {
        reading.problem(Problem {
            place: Place::new(unreadable.path, 0),
            kind: ProblemKind::Failed,
            reason: unreadable.error.to_string(),
        });
    }
    for artifact in found.artifacts {
        let name = artifact.name();
        let opened = artifact
            .open()
            .map_err(|error| Problem {
                place: Place::new(name.clone(), 0),
                kind: ProblemKind::Failed,
                reason: error.to_string(),
            })
            .and_then(|reader| ingest::open(name.clone(), reader, limits));
        match opened {
            Ok(opened) => {
                ingest::decode(opened, Want::All, limits, &mut reading);
            }
            Err(problem) => reading.problem(problem),
        }
        if let Some(error) = reading.error.take() {
            return Err(error);
        }
    }
    Ok(!reading.failed)
}

struct Reading<'a> {
    observer: &'a mut dyn Observer,
    masker: Masker,
    failed: bool,
    error: Option<io::Error>,
}

impl Sink for Reading<'_> {
    // Records have no commands.
    fn record(&mut self, _: &RawRecord<'_>) {}

    fn command(&mut self, head: &TranscriptHead, mut command: Command) {
        self.masker.command(&mut command);
        if self.error.is_none() {
            self.error = self.observer.command(head, &command).err();
        }
    }

    fn transcript(&mut self, _: &TranscriptHead) {}

    fn output(&mut self, output: &CommandOutput) {
        if self.error.is_none() {
            self.error = self.observer.output(output).err();
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.failed |= problem.kind == ProblemKind::Failed;
        self.observer.problem(&problem);
    }
}

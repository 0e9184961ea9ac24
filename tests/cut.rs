//! A law of reconstruction: cutting a transcript at any byte changes only its tail.
//!
//! What has been told of a session does not change with what comes later, so a node that dies takes away
//! no more than the line that was being typed.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ingest::{Limits, Problem, RawRecord, Sink, TranscriptHead};
use model::Command;
use proptest::prelude::*;

#[derive(Default)]
struct Commands(Vec<Command>);

impl Sink for Commands {
    fn record(&mut self, _: &RawRecord<'_>) {}

    fn command(&mut self, _: &TranscriptHead, command: Command) {
        self.0.push(command);
    }

    fn transcript(&mut self, _: &TranscriptHead) {}

    fn problem(&mut self, problem: Problem) {
        panic!("{}", problem.reason);
    }
}

fn commands(name: &str, bytes: &[u8]) -> Vec<Command> {
    let limits = Limits::default();
    let mut sink = Commands::default();
    ingest::decode(
        ingest::open(Arc::from(name), bytes, &limits).unwrap(),
        ingest::Want::All,
        &limits,
        &mut sink,
    );
    sink.0
}

/// The example sessions: their names, bytes and commands.
fn sessions() -> Vec<(String, Vec<u8>, Vec<Command>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/month/sessions");
    let mut sessions: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = fs::read(&path).unwrap();
            let commands = commands(&name, &bytes);
            (name, bytes, commands)
        })
        .collect();
    sessions.sort_by(|a, b| a.0.cmp(&b.0));
    sessions
}

/// Gives a few bytes at a time, as a pipe may.
struct Trickle<'a>(&'a [u8], fastrand::Rng);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.0.len());
        let size = self.1.usize(0..40).clamp(most.min(1), most);
        let (given, left) = self.0.split_at(size);
        buffer[..size].copy_from_slice(given);
        self.0 = left;
        Ok(size)
    }
}

#[test]
fn how_the_bytes_arrive_changes_nothing() {
    let limits = Limits::default();
    for seed in 0..100 {
        for (name, bytes, whole) in sessions() {
            let trickle = Trickle(&bytes, fastrand::Rng::with_seed(seed));
            let mut sink = Commands::default();
            let opened = ingest::open(Arc::from(name.as_str()), trickle, &limits).unwrap();
            ingest::decode(opened, ingest::Want::All, &limits, &mut sink);
            assert_eq!(sink.0, whole, "{name}, seed {seed}");
        }
    }
}

#[test]
fn a_cut_changes_only_the_tail() {
    let sessions = sessions();
    let told: usize = sessions.iter().map(|(_, _, commands)| commands.len()).sum();
    assert!(told > 50, "{told}");
    let cut = (0..sessions.len(), any::<prop::sample::Index>());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&cut, |(session, at)| {
            let (name, bytes, whole) = &sessions[session];
            let at = 1 + at.index(bytes.len() - 1);
            let cut = commands(name, &bytes[..at]);
            // The last that was whole before the cut may still want the line after it to be told.
            let before =
                whole.iter().filter(|command| command.bytes.end < u64::try_from(at).unwrap());
            let before = before.count().saturating_sub(1);
            prop_assert!(cut.len() >= before, "{name} at {at}: {} of {before}", cut.len());
            prop_assert!(cut.len() <= before + 3, "{name} at {at}: {} of {before}", cut.len());
            for (cut, whole) in cut.iter().zip(&whole[..before]) {
                prop_assert_eq!(cut, whole, "{} at {}", name, at);
            }
            Ok(())
        })
        .unwrap();
}

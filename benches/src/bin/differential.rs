//! Does the compiled set find what the full scan finds? On real records: every rule, every test, one by one.
//!
//! `cargo run --release -p ssm-audit-benches --bin differential -- RULES LOGS… [--every 10]`

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser;
use ingest::{Limits, Problem, RawRecord, Sink, TranscriptHead, Want};
use model::{Command, EventKind};
use pipeline::pack;
use rules::evaluate::{BadJson, Wanted, fill_from_json, full_scan};
use rules::{Evaluator, Event, Pivot, RuleSet, Slots};

#[derive(Parser)]
struct Args {
    /// Rules: a directory.
    rules: PathBuf,
    /// CloudTrail files.
    logs: Vec<PathBuf>,
    /// Look at one record in so many.
    #[arg(long, default_value_t = 1)]
    every: usize,
}

struct Json<'a>(&'a [u8]);

impl Event for Json<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(self.0, wanted, slots)
    }
}

struct Both<'a> {
    set: &'a RuleSet,
    evaluator: Evaluator<'a>,
    every: usize,
    seen: usize,
    compared: u64,
    evaluated: u64,
    matches: u64,
    different: Vec<String>,
    /// By call: how many records had to be looked at.
    calls: BTreeMap<String, u64>,
}

impl Sink for Both<'_> {
    fn record(&mut self, raw: &RawRecord<'_>) {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) {
            return;
        }
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(raw.bytes) else { return };
        self.compared += 1;
        let expected = full_scan(self.set, EventKind::CloudTrail, &value);
        let pivot = Pivot {
            event_source: raw.event_source,
            event_name: raw.event_name,
            record: Some(raw.bytes),
        };
        let mut found = Vec::new();
        if self.evaluator.may_match(EventKind::CloudTrail, pivot) {
            self.evaluated += 1;
            let call = String::from_utf8_lossy(raw.event_name.unwrap_or(b"?"));
            *self.calls.entry(call.into_owned()).or_default() += 1;
        }
        let result = self.evaluator.evaluate(EventKind::CloudTrail, pivot, &Json(raw.bytes), |m| {
            found.push(m.index);
        });
        self.matches += expected.len() as u64;
        if result.is_err() || found != expected {
            self.different.push(format!("{:?}: {found:?}, full scan {expected:?}", raw.event_id));
        }
    }

    fn command(&mut self, _: &TranscriptHead, _: Command) {}
    fn transcript(&mut self, _: &TranscriptHead) {}
    fn problem(&mut self, _: Problem) {}
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let set = RuleSet::compile(pack::load(Some(&args.rules))?);
    let mut both = Both {
        set: &set,
        evaluator: Evaluator::new(&set),
        every: args.every.max(1),
        seen: 0,
        compared: 0,
        evaluated: 0,
        matches: 0,
        different: Vec::new(),
        calls: BTreeMap::new(),
    };
    let limits = Limits::default();
    for artifact in ingest::source::find(&args.logs).artifacts {
        if let Ok(opened) = ingest::open(artifact.name(), artifact.open()?, &limits) {
            ingest::decode(opened, Want::Records, &limits, &mut both);
        }
    }
    let mut out = io::stdout();
    let mut calls: Vec<_> = both.calls.into_iter().collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (call, count) in calls.into_iter().take(12) {
        writeln!(out, "{count:>8} looked at: {call}")?;
    }
    for line in both.different.iter().take(20) {
        writeln!(out, "{line}")?;
    }
    writeln!(
        out,
        "{} rules on {} records: {} looked at, {} matches, {} different",
        set.rules().len(),
        both.compared,
        both.evaluated,
        both.matches,
        both.different.len(),
    )?;
    if both.different.is_empty() { Ok(()) } else { Err(io::Error::other("they differ")) }
}

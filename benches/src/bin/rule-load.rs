//! What rules cost: compiling them, and each event.
//!
//! `cargo run --release -p ssm-audit-benches --bin rule-load -- RULES… --count 10,100,1000,10000`
//!
//! Each count runs in a process of its own, so that its memory is its own.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use model::EventKind;
use pipeline::pack;
use rules::evaluate::{BadJson, Wanted, fill_from_json};
use rules::{Evaluator, Event, Pack, PackFile, Pivot, RuleSet, Slots};
use ssm_audit_benches::LINES;
use ssm_audit_benches::mutate::{self, Kind};
use ssm_audit_benches::traffic::Traffic;

#[derive(Parser)]
struct Args {
    /// Files and directories of rules to make many of.
    rules: Vec<PathBuf>,
    /// How many rules.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000")]
    count: Vec<usize>,
    /// How the copies differ.
    #[arg(long, value_enum, default_value_t = Kind::Disjoint)]
    kind: Kind,
    /// Events of each kind.
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// Every event is looked at, also those that a record's call alone rules out.
    #[arg(long)]
    relevant: bool,
}

struct Json<'a>(&'a [u8]);

impl Event for Json<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(self.0, wanted, slots)
    }
}

struct Program<'a> {
    image: &'a str,
    line: String,
}

impl Event for Program<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        let values = [
            ("Image", self.image),
            ("CommandLine", &self.line),
            ("ParentImage", "/usr/bin/bash"),
            ("User", "ssm-user"),
            ("CurrentDirectory", "/home/ssm-user"),
        ];
        for (name, value) in values {
            slots.push_some_of(wanted.fields, name, value);
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    if let [count] = args.count.as_slice() {
        return one(&args, *count);
    }
    let mut out = io::stdout();
    writeln!(out, "rules  compile ms  peak MB  records/s  programs/s  matches")?;
    for count in &args.count {
        let own = std::env::current_exe()?;
        let mut command = Command::new(own);
        command.args(&args.rules).args(["--count", &count.to_string()]);
        command.args(["--events", &args.events.to_string()]);
        command
            .args(["--kind", if args.kind == Kind::Disjoint { "disjoint" } else { "overlapping" }]);
        if args.relevant {
            command.arg("--relevant");
        }
        command.status()?;
    }
    Ok(())
}

fn one(args: &Args, count: usize) -> io::Result<()> {
    let mut files: Vec<PackFile> = Vec::new();
    for path in &args.rules {
        files.extend(pack::files(path)?);
    }
    let rules = mutate::rules(&mutate::documents(&files), count, args.kind);
    let files: Vec<PackFile> = rules
        .iter()
        .enumerate()
        .map(|(at, rule)| PackFile { path: format!("{at:05}.yml"), text: rule.to_string() })
        .collect();
    let before = peak();
    let started = now();
    let pack = Pack::read(files);
    let read = started.elapsed();
    let refused = count - pack.rules.len();
    let set = RuleSet::compile(pack);
    set.warm_up(&[EventKind::CloudTrail, EventKind::LinuxProcess]);
    let compiled = started.elapsed();
    let memory = peak() - before;

    let mut traffic = Traffic::new(7);
    let mut records: Vec<(String, String, Vec<u8>)> = Vec::new();
    for _ in 0..args.events.min(20_000) {
        let record = traffic.record("111122223333");
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        records.push((text("eventSource"), text("eventName"), record.to_string().into_bytes()));
    }
    let mut evaluator = Evaluator::new(&set);
    let mut matches = 0_u64;
    let mut run = |events: usize, evaluator: &mut Evaluator<'_>| {
        for (source, name, bytes) in records.iter().cycle().take(events) {
            let pivot = if args.relevant {
                Pivot::default()
            } else {
                Pivot {
                    event_source: Some(source.as_bytes()),
                    event_name: Some(name.as_bytes()),
                    record: Some(bytes),
                }
            };
            let _ =
                evaluator.evaluate(EventKind::CloudTrail, pivot, &Json(bytes), |_| matches += 1);
        }
    };
    run(records.len(), &mut evaluator);
    let started = now();
    run(args.events, &mut evaluator);
    let on_records = started.elapsed();

    let programs: Vec<Program<'_>> = (0..5_000)
        .map(|at| {
            let (image, line) = LINES[at % LINES.len()];
            Program { image, line: format!("{line} {at}") }
        })
        .collect();
    let mut run = |events: usize| {
        for program in programs.iter().cycle().take(events) {
            let _ = evaluator
                .evaluate(EventKind::LinuxProcess, Pivot::default(), program, |_| matches += 1);
        }
    };
    run(programs.len());
    let started = now();
    run(args.events);
    let on_programs = started.elapsed();
    let rate = |elapsed: std::time::Duration| {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let events = args.events as f64;
        events / elapsed.as_secs_f64()
    };
    writeln!(
        io::stdout(),
        "{count:>5}  {:>10}  {:>7}  {:>9.0}  {:>10.0}  {matches}{}",
        format!("{}+{}", read.as_millis(), compiled.saturating_sub(read).as_millis()),
        memory / 1024,
        rate(on_records),
        rate(on_programs),
        if refused > 0 { format!("  ({refused} refused)") } else { String::new() },
    )
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Peak memory of this process in KB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

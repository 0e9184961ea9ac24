//! Programs that were run, as NDJSON, and rules on them: what another engine can be held against.
//!
//! ```text
//! programs make FILE --events 1000000
//! programs eval FILE RULES…          prints the number of matches; time it from outside
//! ```

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;

use clap::Parser;
use model::EventKind;
use pipeline::pack;
use rules::evaluate::{BadJson, Wanted, fill_from_json};
use rules::{Evaluator, Event, Pack, PackFile, Pivot, RuleSet, Slots};
use ssm_audit_benches::LINES;

#[derive(Parser)]
enum Args {
    /// Write events.
    Make {
        /// Where to.
        file: PathBuf,
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        events: usize,
    },
    /// Evaluate rules on them.
    Eval {
        /// The events.
        file: PathBuf,
        /// Files and directories of rules.
        rules: Vec<PathBuf>,
    },
}

/// What somebody else types, once in a while.
const UNUSUAL: [(&str, &str); 6] = [
    ("/usr/bin/crontab", "crontab -r"),
    ("/usr/bin/base64", "base64 -d payload.b64"),
    ("/usr/bin/chattr", "chattr -i /etc/passwd"),
    ("/usr/sbin/userdel", "userdel backup"),
    ("/usr/bin/curl", "curl -o /tmp/x https://203.0.113.9/x"),
    ("/usr/bin/touch", "touch -t 202001010000.00 /tmp/x"),
];

struct Json<'a>(&'a [u8]);

impl Event for Json<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(self.0, wanted, slots)
    }
}

fn main() -> io::Result<()> {
    match Args::parse() {
        Args::Make { file, events } => make(BufWriter::new(File::create(file)?), events),
        Args::Eval { file, rules } => {
            eval(BufReader::with_capacity(64 << 10, File::open(file)?), &rules)
        }
    }
}

fn make(mut out: BufWriter<File>, events: usize) -> io::Result<()> {
    for at in 0..events {
        let (image, line) =
            if at % 97 == 0 { UNUSUAL[at / 97 % UNUSUAL.len()] } else { LINES[at % LINES.len()] };
        let event = serde_json::json!({
            "Image": image,
            "CommandLine": format!("{line} {at}"),
            "ParentImage": "/usr/bin/bash",
            "User": "ssm-user",
            "CurrentDirectory": "/home/ssm-user",
        });
        writeln!(out, "{event}")?;
    }
    out.flush()
}

fn eval(mut events: BufReader<File>, paths: &[PathBuf]) -> io::Result<()> {
    let mut files: Vec<PackFile> = Vec::new();
    for path in paths {
        files.extend(pack::files(path)?);
    }
    let set = RuleSet::compile(Pack::read(files));
    let mut evaluator = Evaluator::new(&set);
    let (mut seen, mut matches) = (0_u64, 0_u64);
    let mut look = |line: &[u8]| {
        seen += 1;
        let pivot = Pivot { record: Some(line), ..Pivot::default() };
        evaluator
            .evaluate(EventKind::LinuxProcess, pivot, &Json(line), |_| matches += 1)
            .map_err(io::Error::other)
    };
    // A line that goes on in what is read next.
    let mut begun = Vec::new();
    loop {
        let buffer = match events.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let length = buffer.len();
        let mut from = 0;
        for feed in memchr::memchr_iter(b'\n', buffer) {
            let line = &buffer[from..=feed];
            from = feed + 1;
            if begun.is_empty() {
                look(line)?;
            } else {
                begun.extend_from_slice(line);
                look(&begun)?;
                begun.clear();
            }
        }
        begun.extend_from_slice(&buffer[from..]);
        events.consume(length);
        if length == 0 {
            break;
        }
    }
    if !begun.is_empty() {
        look(&begun)?;
    }
    writeln!(io::stdout(), "{} rules, {seen} events, {matches} matches", set.rules().len())?;
    // The process ends, and need not give back piece by piece what it has.
    std::mem::forget(evaluator);
    std::mem::forget(set);
    Ok(())
}

//! Mutated input: whatever the bytes are, nothing panics, everything ends, memory stays bounded.
//!
//! Seeds are the examples and the pack. The number of cases is 10,000; `SSM_AUDIT_GARBAGE` sets another.
//! A case that fails is named by its number: the same number makes the same bytes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;
use ingest::{Limits, Problem, RawRecord, Sink, TranscriptHead};
use model::Command;
use rules::{Pack, PackFile, RuleSet};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
}

/// Pieces that mean something to one parser or another.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b":",
    b",",
    b"null",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\x1b[",
    b"\x1b]0;",
    b"\x07",
    b"\x1b[?2004h",
    b"\x1b[?2004l\r",
    b"\x1b[?1049h",
    b"\x1b[999999999C",
    b"\x1b[65535@",
    b"\x1b[65535P",
    b"\x08",
    b"\t",
    b"$ ",
    b"# ",
    b"> ",
    b"<<EOF",
    b"'",
    b"\xff",
    b"\xc3",
    "\u{202e}".as_bytes(),
    b"\x1f\x8b\x08",
    b"{\"Records\":[",
    b"\"sessionData\":[",
    b"\"message\":\"",
    b"Script started on ",
    b"\nScript done on ",
    b"&a",
    b"*a",
    b"- ",
    b"  ",
    b"|re",
    b"|all",
    b"|base64",
    b"(a{1000}){1000}",
    b"(((((",
    b"1 of ",
    b"not ",
    b"condition: ",
    b"9999999999999999999999",
    b"2026-10-05T09:00:00.000Z ",
];

fn mutate(seed: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..12) {
        let at = rng.usize(0..=bytes.len());
        let to = (at + rng.usize(0..64)).min(bytes.len());
        match rng.u8(0..9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..to)),
            2 => bytes
                .splice(at..at, TOKENS[rng.usize(0..TOKENS.len())].iter().copied())
                .for_each(drop),
            3 => bytes
                .splice(at..to, TOKENS[rng.usize(0..TOKENS.len())].iter().copied())
                .for_each(drop),
            4 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
            5 if at < bytes.len() => bytes[at] = rng.u8(..),
            6 => {
                let piece = bytes[at..to].repeat(rng.usize(1..40));
                bytes.splice(at..at, piece).for_each(drop);
            }
            7 if !other.is_empty() => {
                let from = rng.usize(0..other.len());
                let until = (from + rng.usize(0..512)).min(other.len());
                bytes.splice(at..at, other[from..until].iter().copied()).for_each(drop);
            }
            _ => {
                let token = TOKENS[rng.usize(0..TOKENS.len())].repeat(rng.usize(1..300));
                bytes.splice(at..at, token).for_each(drop);
            }
        }
    }
    bytes
}

/// Takes everything in, and looks at it as the rest of the product would.
struct Taster<'a> {
    evaluator: rules::Evaluator<'a>,
    splitter: ingest::command::simple::Splitter,
    events: u64,
    problems: u64,
    longest: usize,
}

struct Raw<'a>(&'a [u8]);

impl rules::Event for Raw<'_> {
    fn fill(
        &self,
        wanted: &rules::evaluate::Wanted<'_>,
        slots: &mut rules::Slots,
    ) -> Result<(), rules::evaluate::BadJson> {
        rules::evaluate::fill_from_json(self.0, wanted, slots)
    }
}

impl Sink for Taster<'_> {
    fn record(&mut self, raw: &RawRecord<'_>) {
        self.events += 1;
        let _ = ingest::decode::Record::parse(raw.bytes);
        let pivot = rules::Pivot {
            event_source: raw.event_source,
            event_name: raw.event_name,
            record: Some(raw.bytes),
        };
        let kind = model::EventKind::CloudTrail;
        let _ = self.evaluator.evaluate(kind, pivot, &Raw(raw.bytes), |_| {});
    }

    fn command(&mut self, _: &TranscriptHead, command: Command) {
        self.events += 1;
        self.longest = self.longest.max(command.text.len());
        let _ = self.splitter.programs(&command.text, command.shell);
    }

    fn transcript(&mut self, _: &TranscriptHead) {}

    fn problem(&mut self, problem: Problem) {
        self.problems += 1;
        assert!(!problem.reason.is_empty());
    }
}

fn cases() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let set = std::env::var("SSM_AUDIT_GARBAGE");
    set.ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

#[test]
fn mutated_logs_and_transcripts_are_survived() {
    let mut paths = Vec::new();
    files(&root().join("examples/month"), &mut paths);
    let limits =
        Limits { max_inflated: 64 << 20, max_item: 1 << 20, max_streams: 100, max_held: 1 << 20 };
    // Inflated, so that a mutation reaches the parser; the compressed form is mutated as well.
    let mut seeds: Vec<(Arc<str>, Vec<u8>)> = Vec::new();
    for path in &paths {
        let name: Arc<str> = path.to_string_lossy().into();
        let bytes = fs::read(path).unwrap();
        let mut plain = Vec::new();
        let mut inflated = ingest::decode::Inflated::new(bytes.as_slice(), 1 << 30).unwrap();
        std::io::Read::read_to_end(&mut inflated, &mut plain).unwrap();
        if plain != bytes {
            seeds.push((Arc::clone(&name), bytes));
        }
        // The beginning of a large file has all that its rest has.
        plain.truncate(20_000);
        seeds.push((name, plain));
    }
    let set = RuleSet::compile(pipeline::pack::load(None).unwrap());
    let mut taster = Taster {
        evaluator: rules::Evaluator::new(&set),
        splitter: ingest::command::simple::Splitter::new(),
        events: 0,
        problems: 0,
        longest: 0,
    };
    for case in 0..cases() {
        let mut rng = Rng::with_seed(case);
        let (name, seed) = &seeds[rng.usize(0..seeds.len())];
        let (_, other) = &seeds[rng.usize(0..seeds.len())];
        let bytes = mutate(seed, other, &mut rng);
        let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if let Ok(opened) = ingest::open(Arc::clone(name), bytes.as_slice(), &limits) {
                ingest::decode(opened, ingest::Want::All, &limits, &mut taster);
            }
        }));
        assert!(decoded.is_ok(), "case {case}, from {name}");
    }
    assert!(taster.longest <= 64 << 10, "{}", taster.longest);
    assert!(
        taster.events > cases() && taster.problems > cases() / 10,
        "{} {}",
        taster.events,
        taster.problems
    );
}

#[test]
fn mutated_rules_are_survived() {
    let seeds: Vec<PackFile> = pipeline::pack::embedded();
    let lists: Vec<PackFile> =
        seeds.iter().filter(|file| file.path.starts_with("lists/")).cloned().collect();
    let (mut kept, mut refused) = (0, 0);
    for case in 0..cases() / 4 {
        let mut rng = Rng::with_seed(case);
        let seed = &seeds[rng.usize(0..seeds.len())];
        let other = &seeds[rng.usize(0..seeds.len())];
        let bytes = mutate(seed.text.as_bytes(), other.text.as_bytes(), &mut rng);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let file = PackFile { path: seed.path.clone(), text };
        let read = std::panic::catch_unwind(|| {
            let pack = Pack::read(lists.iter().cloned().chain([file]));
            for problem in &pack.problems {
                assert!(!problem.message.is_empty());
                assert!(problem.source.text.get(..problem.span.start).is_some(), "{problem}");
                let _ = problem.line_column();
            }
            let problems = pack.problems.len();
            let rules = RuleSet::compile(pack).rules().len();
            (rules, problems)
        });
        let (rules, problems) = read.unwrap_or_else(|_| panic!("case {case}, from {}", seed.path));
        kept += usize::from(rules > 0);
        refused += usize::from(problems > 0);
    }
    assert!(kept > 0 && refused > 0, "{kept} kept, {refused} refused");
}

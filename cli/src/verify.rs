//! `ssm-audit verify REPORT_DIR`: is a report what it was? `ssm-audit verify --cloudtrail s3://bucket`: is a trail?

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use ingest::integrity::{Chain, PublicKeys, Report};
use jiff::tz::TimeZone;
use model::Visible;
use pipeline::integrity;
use pipeline::report::verify::{Checked, State, Verified, VerifyError, verify};

use crate::exit::{Failure, Outcome, tell};
use crate::ingest::SummaryFormat;
use crate::input;
use crate::scan::output;
use crate::scan::summary::number;

const EXAMPLES: &str = "\
Examples:
  ssm-audit verify ./audit/reports/2026-10
      each file by its hash and rows, and the report before it in the chain
  ssm-audit verify ./audit/reports/2026-10 --store ./audit
      the facts that it was made from as well: altered, gone, or come since
  ssm-audit verify --cloudtrail s3://trail --from 2026-10-01 --to 2026-11-01 --store ./audit
      CloudTrail's own proof: digests, their signatures and their chain, and each log file; kept in the store, so that the
      report of October cites it
  aws cloudtrail list-public-keys --start-time 2026-10-01 > keys.json
  ssm-audit verify --cloudtrail ./trail --keys keys.json
      a copy of a trail, without the service

Stricter than `aws cloudtrail validate-logs`: signatures with SHA-1, what is appended to a compressed file, digests that are not
what the next one remembers, and hours without a digest are told.

Exit codes: 0 intact · 1 altered, or something is missing · 2 wrong arguments · 3 it could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct VerifyArgs {
    /// A report: a directory or `s3://bucket/prefix`.
    #[arg(value_name = "REPORT", required_unless_present = "cloudtrail")]
    report: Option<String>,
    /// Of a report: look at the facts of this store as well. Of a trail: keep in it what was found.
    #[arg(long, value_name = "ROOT")]
    store: Option<String>,
    /// Look at a trail instead: a directory with a copy of its files, or `s3://bucket/prefix`.
    #[arg(long, value_name = "TRAIL", conflicts_with = "report")]
    cloudtrail: Option<String>,
    /// Of a trail: from then on; a time, a date, or an age such as `30d`.
    #[arg(long, value_name = "TIME", requires = "cloudtrail")]
    from: Option<String>,
    /// Of a trail: until then.
    #[arg(long, value_name = "TIME", requires = "cloudtrail")]
    to: Option<String>,
    /// Of a trail: the public keys, in a file: what `aws cloudtrail list-public-keys` prints, PEM or DER. Default: the service is
    /// asked.
    #[arg(long, value_name = "FILE", requires = "cloudtrail")]
    keys: Option<PathBuf>,
    /// Bytes that one log file may inflate to; more is told as unreadable.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    max_inflated: u64,
    /// How to print. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self { message: error.to_string(), outcome: Outcome::Incomplete }
    }
}

/// Prints. Whoever reads no further still gets the verdict as the exit code.
fn said(text: &str) -> Result<(), Failure> {
    match output::print(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn is_there(place: &str) -> bool {
    place.contains("://") || Path::new(place).is_dir()
}

pub(crate) fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let report = match (&args.report, &args.cloudtrail) {
        (Some(report), _) => report,
        (None, Some(source)) => return trail(args, source),
        (None, None) => return Err(Failure::usage("give a report, or --cloudtrail")),
    };
    if !is_there(report) {
        return Err(Failure::usage(format!("there is no report at {report}")));
    }
    let store = args.store.as_deref().map(crate::ingest::existing).transpose()?;
    let verified = verify(report, store.as_ref())?;
    let is_intact = verified.is_intact();
    match args.format.unwrap_or_else(SummaryFormat::usual) {
        SummaryFormat::Json => {
            let json = serde_json::json!({"intact": is_intact, "report": verified});
            said(&format!("{json}\n"))?;
        }
        SummaryFormat::Text => said(&render(&verified))?,
    }
    Ok(if is_intact { Outcome::Done } else { Outcome::Findings })
}

fn trail(args: &VerifyArgs, source: &str) -> Result<Outcome, Failure> {
    if !is_there(source) {
        return Err(Failure::usage(format!("there is no trail at {source}")));
    }
    let (from, to) = input::span(args.from.as_deref(), args.to.as_deref(), &TimeZone::UTC)
        .map_err(|_| Failure::usage("--from and --to: the one has to be before the other"))?;
    let keys = args.keys.as_deref().map(|file| {
        let bytes = std::fs::read(file).map_err(|error| error.to_string());
        bytes
            .and_then(|bytes| PublicKeys::read(&bytes).map_err(|error| error.to_string()))
            .map_err(|reason| Failure::usage(format!("{}: {reason}", file.display())))
    });
    let store = args.store.as_deref().map(crate::ingest::existing).transpose()?;
    let keys = keys.transpose()?;
    let asks = keys.is_none();
    let found = integrity::look(source, keys, from, to, args.max_inflated).map_err(|error| {
        let hint = if asks { "; the public keys can be given with --keys" } else { "" };
        Failure { message: format!("{source}: {error}{hint}"), outcome: Outcome::Incomplete }
    })?;
    if found.report.chains.is_empty() {
        tell(&format!(
            "note: {source} has no digests (files below CloudTrail-Digest/): is log file validation of the trail switched on?"
        ));
    }
    let now = input::now(None, &TimeZone::UTC)?;
    let note = integrity::note(&found, source, now, from, to);
    let kept = store.as_ref().map(|store| integrity::keep(store, &note)).transpose()?;
    match args.format.unwrap_or_else(SummaryFormat::usual) {
        SummaryFormat::Json => {
            let json = serde_json::json!({
                "intact": note.problems.is_empty(), "trail": found.report, "problems": note.problems, "kept": kept,
            });
            said(&format!("{json}\n"))?;
        }
        SummaryFormat::Text => said(&render_trail(&found.report, &note, kept.as_deref()))?,
    }
    Ok(if note.problems.is_empty() { Outcome::Done } else { Outcome::Findings })
}

fn render_trail(found: &Report, note: &integrity::Note, kept: Option<&str>) -> String {
    let mut out = String::new();
    for chain in &found.chains {
        chain_of(&mut out, chain);
    }
    // What no chain tells of.
    for problem in
        note.problems.iter().filter(|p| ["undigested", "nothing-proved"].contains(&&*p.kind))
    {
        let (subject, reason) = (Visible(&problem.subject), Visible(&problem.reason));
        let _ = writeln!(out, "{BAD}{}{BAD:#}  {subject}: {reason}", problem.kind);
    }
    let verdict = if note.problems.is_empty() {
        format!("{GOOD}intact{GOOD:#}")
    } else {
        format!("{BAD}{}{BAD:#}", number(note.problems.len() as u64, "problem", "problems"))
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{verdict}: {} and {} as CloudTrail wrote them, {:.0} to {:.0}",
        number(note.digests_valid, "digest", "digests"),
        number(note.log_files_valid, "log file", "log files"),
        note.from,
        note.to,
    );
    if let Some(kept) = kept {
        let _ = writeln!(out, "kept as {kept}: reports of this time cite it");
    }
    out
}

fn chain_of(out: &mut String, chain: &Chain) {
    let (digests, files) = (&chain.digests, &chain.log_files);
    let reach = match (chain.from, chain.to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => "nothing proved".to_owned(),
    };
    let _ = writeln!(
        out,
        "{} · account {} · {}{}: {reach}",
        Visible(&chain.trail),
        Visible(&chain.account),
        Visible(&chain.region),
        if chain.backfill { " · written later" } else { "" },
    );
    let counts = |name: &str, counts: [(u64, &str); 4]| {
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
        let none = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
        format!("  {name}: {none}\n")
    };
    out.push_str(&counts(
        "digests",
        [
            (digests.valid, "valid"),
            (digests.invalid, "invalid"),
            (digests.unproved, "unproved"),
            (digests.missing, "missing"),
        ],
    ));
    out.push_str(&counts(
        "log files",
        [
            (files.valid, "valid"),
            (files.invalid, "invalid"),
            (files.unproved, "unproved"),
            (files.missing, "missing"),
        ],
    ));
    for problem in &chain.problems {
        let style = if problem.kind.is_note() { Style::new() } else { BAD };
        let kind = serde_json::to_value(problem.kind).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {style}{}{style:#}  {}: {}",
            kind.as_str().unwrap_or_default(),
            Visible(&problem.object),
            Visible(&problem.reason),
        );
    }
}

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();

fn line(out: &mut String, checked: &Checked) {
    let name = Visible(&checked.name);
    // Writing to a string cannot fail.
    let _ = match &checked.state {
        State::Intact => writeln!(out, "{GOOD}intact{GOOD:#}   {name}"),
        State::Altered { expected, found } => writeln!(
            out,
            "{BAD}altered{BAD:#}  {name}: it is {}, and was {}",
            Visible(found),
            Visible(expected),
        ),
        State::Rows { expected, found } => {
            writeln!(out, "{BAD}altered{BAD:#}  {name}: {found} rows, the manifest says {expected}")
        }
        State::Missing => writeln!(out, "{BAD}missing{BAD:#}  {name}"),
        State::Unknown => writeln!(out, "unknown  {name}: the manifest does not name it"),
    };
}

fn render(verified: &Verified) -> String {
    let mut out = String::new();
    for file in &verified.files {
        line(&mut out, file);
    }
    match &verified.previous {
        None => out.push_str("it follows no other report: the chain begins here\n"),
        Some(previous) if previous.state == State::Missing => {
            let _ = writeln!(
                out,
                "unknown  {}: the report before is not beside this one",
                previous.name
            );
        }
        Some(previous) => line(&mut out, previous),
    }
    if verified.follows == Some(false) {
        out.push_str("the report before ends at another time than this one begins: they are told in different time zones\n");
    }
    if let Some(facts) = &verified.facts {
        let files = |count| number(count, "fact file", "fact files");
        let _ = writeln!(out, "{} as they were", files(facts.intact));
        if facts.of_size > 0 {
            let _ = writeln!(
                out,
                "{} known by their size alone: another engine has read them",
                files(facts.of_size)
            );
        }
        if facts.compacted > 0 {
            let _ = writeln!(
                out,
                "{} put together into others since, as `compact` notes; that their rows are the same, a report made again tells",
                files(facts.compacted)
            );
        }
        facts.others.iter().for_each(|fact| line(&mut out, fact));
        for name in &facts.new {
            let _ = writeln!(out, "new      {}: came after the report", Visible(name));
        }
    }
    let _ = writeln!(
        out,
        "{}: {}; its manifest has the SHA-256 {}",
        Visible(&verified.period),
        if verified.is_intact() { "intact" } else { "not what it was" },
        verified.manifest_sha256
    );
    out
}

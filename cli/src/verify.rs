//! `ssm-audit verify REPORT_DIR`: is a report what it was?

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use model::Visible;
use pipeline::report::verify::{Checked, State, Verified, VerifyError, verify};

use crate::exit::{Failure, Outcome};
use crate::ingest::SummaryFormat;
use crate::scan::output;
use crate::scan::summary::number;

const EXAMPLES: &str = "\
Examples:
  ssm-audit verify ./audit/reports/2026-10
      each file by its hash and rows, and the report before it in the chain
  ssm-audit verify ./audit/reports/2026-10 --store ./audit
      the facts that it was made from as well: altered, gone, or come since

Exit codes: 0 intact · 1 altered · 2 wrong arguments · 3 it could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct VerifyArgs {
    /// A report: a directory or s3://bucket/prefix.
    #[arg(value_name = "REPORT")]
    report: String,
    /// Look at the facts of this store as well.
    #[arg(long, value_name = "ROOT")]
    store: Option<String>,
    /// How to print. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self { message: error.to_string(), outcome: Outcome::Incomplete }
    }
}

pub(crate) fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    if !args.report.contains("://") && !std::path::Path::new(&args.report).is_dir() {
        return Err(Failure::usage(format!("there is no report at {}", args.report)));
    }
    let store = args.store.as_deref().map(crate::ingest::existing).transpose()?;
    let verified = verify(&args.report, store.as_ref())?;
    let is_intact = verified.is_intact();
    match args.format.unwrap_or_else(SummaryFormat::usual) {
        SummaryFormat::Json => {
            let json = serde_json::json!({"intact": is_intact, "report": verified});
            output::print(&format!("{json}\n"))?;
        }
        SummaryFormat::Text => output::print(&render(&verified, store.is_some()))?,
    }
    Ok(if is_intact { Outcome::Done } else { Outcome::Findings })
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
            "{BAD}altered{BAD:#}  {name}: its SHA-256 is {found}, the manifest says {expected}"
        ),
        State::Rows { expected, found } => {
            writeln!(out, "{BAD}altered{BAD:#}  {name}: {found} rows, the manifest says {expected}")
        }
        State::Missing => writeln!(out, "{BAD}missing{BAD:#}  {name}"),
        State::Unknown => writeln!(out, "unknown  {name}: the manifest does not name it"),
    };
}

fn render(verified: &Verified, has_store: bool) -> String {
    let mut out = String::new();
    for file in &verified.files {
        line(&mut out, file);
    }
    match &verified.previous {
        None => out.push_str("it follows no other report: the chain begins here\n"),
        Some(previous) if previous.state == State::Missing => {
            let _ = writeln!(out, "unknown  {}: the report before is not beside this one", previous.name);
        }
        Some(previous) => line(&mut out, previous),
    }
    if has_store {
        let _ = writeln!(
            out,
            "{} as they were",
            number(verified.facts_intact, "fact file", "fact files")
        );
        for fact in &verified.facts {
            if fact.state == State::Unknown {
                let _ = writeln!(out, "new      {}: came after the report", Visible(&fact.name));
            } else {
                line(&mut out, fact);
            }
        }
    }
    let _ = writeln!(
        out,
        "{}: {}; its manifest has the SHA-256 {}",
        verified.period,
        if verified.is_intact() { "intact" } else { "not what it was" },
        verified.manifest_sha256
    );
    out
}

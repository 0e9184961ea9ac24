//! `ssm-audit compact --store ROOT`

use std::fmt::Write as _;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use pipeline::compact::{Options, Summary, compact};
use report::view::Period;

use crate::exit::{Failure, Outcome};
use crate::ingest::SummaryFormat;
use crate::input;
use crate::scan::output;
use crate::scan::summary::number;

const EXAMPLES: &str = "\
Examples:
  ssm-audit compact --store ./audit
      last month: what each artifact became, put together into a few files for each day
  ssm-audit compact --store s3://audit/ssm --period 2026 --dry-run
      what there would be to do

Rows stay as they are, and whoever reads or ingests meanwhile sees each once. What was replaced is removed by the next run that
comes an hour later: run it again, or let a schedule do it. It takes the permission to delete objects below
facts/. Engines of others that read the files without the views of deploy/sql may see rows twice in that hour.

Exit codes: 0 done · 2 wrong arguments · 3 the store could not be read or written";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct CompactArgs {
    /// The store.
    #[arg(long, value_name = "ROOT", env = "SSM_AUDIT_STORE")]
    store: String,
    /// Facts of when: 2026-10, 2026-Q4, 2026, 2026-10-05, 2026-10-01..2026-10-15 or last-month.
    #[arg(long, value_name = "PERIOD", default_value = "last-month")]
    period: String,
    /// Leave days alone that have fewer files.
    #[arg(long, value_name = "N", default_value_t = 8)]
    min_files: usize,
    /// How long what was replaced is kept, for who reads by an old listing.
    #[arg(long, value_name = "AGE", default_value = "1h")]
    keep: SignedDuration,
    /// The time that it is. Default: the clock's.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Only say what there would be to do.
    #[arg(long)]
    dry_run: bool,
    /// How to print the summary. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
}

pub(crate) fn run(args: &CompactArgs) -> Result<Outcome, Failure> {
    let now = input::now(args.now.as_deref(), &TimeZone::UTC)?;
    let period = Period::parse(&args.period, &TimeZone::UTC, now).map_err(Failure::usage)?;
    let store = crate::ingest::existing(&args.store)?;
    let options = Options {
        since: Some(period.first),
        until: period.end.yesterday().ok(),
        remove_since: None,
        now,
        min_files: args.min_files,
        keep: args.keep,
        is_trial: args.dry_run,
    };
    let _writing = store.begin_writing();
    let summary = compact(&store, &options)?;
    let text = match args.format.unwrap_or_else(SummaryFormat::usual) {
        SummaryFormat::Json => {
            let json = serde_json::to_value(summary).expect("plain numbers are JSON");
            format!("{json}\n")
        }
        SummaryFormat::Text => render(&summary, &period.label, args.dry_run),
    };
    output::print(&text)?;
    Ok(Outcome::Done)
}

fn render(summary: &Summary, period: &str, is_trial: bool) -> String {
    let mut out = String::new();
    let would = if is_trial { "would become" } else { "became" };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{period}: {} {would} {}; {} that were replaced before {}",
        number(summary.replaced, "file", "files"),
        number(summary.written, "file", "files"),
        number(summary.removed, "file", "files"),
        if is_trial { "would be removed" } else { "were removed" },
    );
    if summary.busy > 0 {
        let _ = writeln!(out, "{} left to another process", number(summary.busy, "day", "days"));
    }
    out
}

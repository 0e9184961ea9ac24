//! `ssm-audit sweep --store ROOT`

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::SignedDuration;
use pipeline::alerts::Of;
use pipeline::sweep::{Options, Summary, sweep};
use report::mask::Masker;
use report::view::Grace;

use crate::alerts::Alerting;
use crate::exit::{Failure, Outcome};
use crate::ingest::SummaryFormat;
use crate::input;
use crate::scan::output;
use crate::scan::summary::{by_level, number};

const EXAMPLES: &str = "\
Examples:
  ssm-audit sweep --store ./audit
      everything in the store
  ssm-audit sweep --store ./audit --since 3d
      what a schedule runs every few minutes: the last days, where late facts can still change something

What is found is kept as facts: to sweep twice finds nothing new.

Exit codes: 0 done · 2 wrong arguments or rules · 3 the store could not be read or written";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct SweepArgs {
    /// The store.
    #[arg(long, value_name = "ROOT", env = "SSM_AUDIT_STORE")]
    store: String,
    /// The time that it is. Default: the clock's.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Leave out what happened before: a time, a date, or an age such as `3d`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How long a transcript may take to come after a session's end, such as `1h`.
    #[arg(long, value_name = "AGE", default_value = "1h")]
    grace: SignedDuration,
    #[command(flatten)]
    pack: crate::args::PackArgs,
    /// Who is to hear of what: a YAML file. Without it nobody is told.
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_ROUTES")]
    routes: Option<PathBuf>,
    /// How to print the summary. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
    /// No summary.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &SweepArgs) -> Result<Outcome, Failure> {
    let zone = jiff::tz::TimeZone::UTC;
    let now = input::now(args.now.as_deref(), &zone)?;
    let since = args.since.as_deref().map(|text| input::time(text, &zone)).transpose()?;
    let set = args.pack.compile()?;
    let alerting = Alerting::open(args.routes.as_deref())?;
    let store = crate::ingest::existing(&args.store)?;
    let _writing = store.begin_writing();
    let grace = Grace { upload: args.grace, ..Grace::default() };
    let options = Options { now, since, grace, masker: Masker::default() };
    let summary = sweep(&store, &set, &options)?;
    let alerts = alerting
        .map(|alerting| alerting.deliver(&store, &set, Of::Since(since), now))
        .transpose()?;
    if !args.quiet {
        let format = args.format.unwrap_or_else(SummaryFormat::usual);
        output::print(&render(&summary, alerts.as_ref(), format))?;
    }
    // An alert that could not be sent, or a mute that mutes nothing, wants somebody to look.
    let trouble = alerts.is_some_and(|a| !a.failed.is_empty() || !a.expired_mutes.is_empty());
    Ok(if trouble { Outcome::Incomplete } else { Outcome::Done })
}

fn render(
    summary: &Summary,
    alerts: Option<&pipeline::alerts::Summary>,
    format: SummaryFormat,
) -> String {
    if format == SummaryFormat::Json {
        let mut json = serde_json::to_value(summary).expect("plain numbers are JSON");
        if let Some(alerts) = alerts {
            json["alerts"] = serde_json::to_value(alerts).expect("plain numbers are JSON");
        }
        return format!("{json}\n");
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{} ({}), {} with their sessions, {} correlated: {}{}",
        number(summary.sessions, "session", "sessions"),
        number(summary.gaps, "gap", "gaps"),
        number(summary.commands, "command", "commands"),
        number(summary.matches, "match", "matches"),
        number(summary.new, "new finding", "new findings"),
        if summary.new > 0 { format!(" ({})", by_level(&summary.findings)) } else { String::new() },
    );
    if let Some(alerts) = alerts {
        let _ = writeln!(
            out,
            "{}: {} sent, {} muted, {} not sent",
            number(alerts.groups, "group of findings", "groups of findings"),
            alerts.sent,
            alerts.muted,
            alerts.failed.len(),
        );
    }
    for notice in &summary.notices {
        let _ = writeln!(out, "  {}", model::Visible(notice));
    }
    out
}

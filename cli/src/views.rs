//! `ssm-audit sessions`, `coverage` and `access`: views over a store.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write as _};

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::Visible;
use report::view::{Access, Accesses, Coverage, Grace, Range, SessionRow, Sessions, Tally};
use report::write::{csv_rows, json_line};
use serde::Serialize;

use crate::args::Format;
use crate::exit::{Failure, Outcome};
use crate::input;
use crate::scan::output;
use crate::scan::summary::number;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const GOOD: Style = AnsiColor::Green.on_default();

/// Which sessions, of which store.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The store.
    #[arg(long, value_name = "ROOT", env = "SSM_AUDIT_STORE")]
    store: String,
    /// Sessions begun then or later: a time, a date, or an age such as `7d`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Sessions begun before.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those of this principal: a part of the ARN or of the name, without regard to case.
    #[arg(long, value_name = "TEXT")]
    principal: Option<String>,
    /// Only those on this node: a part of its id.
    #[arg(long, value_name = "TEXT")]
    target: Option<String>,
    /// The time at which to look: what is missing then. Default: now.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// How long a transcript may take to come after a session's end, such as `1h`.
    #[arg(long, value_name = "AGE", default_value = "1h")]
    grace: SignedDuration,
    /// Time zone for text output and for dates in the arguments: an IANA name, `UTC` or `local`.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Which {
    /// Is the session one of those asked for?
    fn holds(&self, row: &SessionRow<'_>) -> bool {
        let holds = |wanted: &Option<String>, values: [Option<&str>; 2]| {
            let Some(wanted) = wanted else { return true };
            let wanted = wanted.to_lowercase();
            values.into_iter().flatten().any(|value| value.to_lowercase().contains(&wanted))
        };
        holds(&self.principal, [row.principal_arn, row.principal_name])
            && holds(&self.target, [row.target, None])
    }
}

const SESSIONS_EXAMPLES: &str = "\
Examples:
  ssm-audit sessions --store ./audit --since 7d
      last week's sessions, and whether each was recorded
  ssm-audit sessions --store ./audit --principal alice --format json | jq .target
      the nodes that alice was on

Exit codes: 0 done · 2 wrong arguments · 3 the store could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = SESSIONS_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct SessionsArgs {
    #[command(flatten)]
    which: Which,
    /// Only those in this state.
    #[arg(long, value_name = "STATE", value_parser = state)]
    coverage: Option<Coverage>,
}

const COVERAGE_EXAMPLES: &str = "\
Examples:
  ssm-audit coverage --store ./audit --since 2026-10-01 --until 2026-11-01
      how much of October was recorded, and what was not
  ssm-audit coverage --store ./audit --fail-under 99
      exit code 1 if less than 99 % was

Exit codes: 0 done · 1 below --fail-under · 2 wrong arguments · 3 the store could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = COVERAGE_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct CoverageArgs {
    #[command(flatten)]
    which: Which,
    /// Exit with 1 if a smaller share was recorded, in percent.
    #[arg(long, value_name = "PERCENT")]
    fail_under: Option<f64>,
}

const ACCESS_EXAMPLES: &str = "\
Examples:
  ssm-audit access --store ./audit --since 2026-10-01 --until 2026-11-01 --format csv > october.csv
      who had sessions on which node in October

Exit codes: 0 done · 2 wrong arguments · 3 the store could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = ACCESS_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct AccessArgs {
    #[command(flatten)]
    which: Which,
}

fn state(text: &str) -> Result<Coverage, String> {
    Coverage::ALL.into_iter().find(|coverage| coverage.as_str() == text).ok_or_else(|| {
        let all: Vec<&str> = Coverage::ALL.iter().map(|coverage| coverage.as_str()).collect();
        format!("one of {}", all.join(", "))
    })
}

/// What was read, and how to look at it.
struct Looked {
    sessions: Sessions,
    range: Range,
    now: Timestamp,
    grace: Grace,
    zone: TimeZone,
}

impl Looked {
    fn at(which: &Which) -> Result<Self, Failure> {
        let zone = input::zone(&which.timezone)?;
        let (since, until) = input::span(which.since.as_deref(), which.until.as_deref(), &zone)?;
        let now = input::now(which.now.as_deref(), &zone)?;
        let store = crate::ingest::existing(&which.store)?;
        let range = Range { since, until };
        let sessions = Sessions::read(&store, range)?;
        let grace = Grace { upload: which.grace, ..Grace::default() };
        Ok(Self { sessions, range, now, grace, zone })
    }

    fn rows(&self, which: &Which) -> Vec<SessionRow<'_>> {
        let mut rows = self.sessions.rows(self.range, self.now, self.grace);
        rows.retain(|row| which.holds(row));
        rows
    }

    fn time(&self, time: Option<Timestamp>) -> String {
        time.map_or_else(
            || "time unknown".to_owned(),
            |time| time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        )
    }
}

/// Writes rows for other programs.
fn machine<T: Serialize>(format: Format, columns: &[&str], rows: &[T]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if format == Format::Csv {
        csv_rows(&mut out, columns, rows)?;
    } else {
        for row in rows {
            json_line(&mut out, row)?;
        }
    }
    out.flush()
}

pub(crate) fn sessions(args: &SessionsArgs) -> Result<Outcome, Failure> {
    let looked = Looked::at(&args.which)?;
    let mut rows = looked.rows(&args.which);
    rows.retain(|row| args.coverage.is_none_or(|coverage| row.coverage == coverage));
    if args.which.format != Format::Text {
        machine(args.which.format, &SessionRow::COLUMNS, &rows)?;
        return Ok(Outcome::Done);
    }
    let mut out = String::new();
    for row in &rows {
        line(&mut out, &looked, row);
    }
    let _ = write!(out, "{}", totals(&Sessions::tally(&rows)));
    output::print(&out)?;
    Ok(Outcome::Done)
}

pub(crate) fn coverage(args: &CoverageArgs) -> Result<Outcome, Failure> {
    let looked = Looked::at(&args.which)?;
    let rows = looked.rows(&args.which);
    let percent = Sessions::tally(&rows).percent();
    let gaps: Vec<&SessionRow<'_>> = rows.iter().filter(|row| row.coverage.is_gap()).collect();
    if args.which.format == Format::Text {
        let mut out = String::new();
        for row in &gaps {
            line(&mut out, &looked, row);
        }
        let _ = write!(out, "{}", totals(&Sessions::tally(&rows)));
        output::print(&out)?;
    } else {
        machine(args.which.format, &SessionRow::COLUMNS, &gaps)?;
    }
    let below = args.fail_under.zip(percent).is_some_and(|(wanted, percent)| percent < wanted);
    Ok(if below { Outcome::Findings } else { Outcome::Done })
}

pub(crate) fn access(args: &AccessArgs) -> Result<Outcome, Failure> {
    let looked = Looked::at(&args.which)?;
    let (mut accesses, mut tally) = (Accesses::default(), Tally::default());
    looked.sessions.each(looked.range, looked.now, looked.grace, |row| {
        if args.which.holds(&row) {
            accesses.note(&row);
            tally.note(row.coverage);
        }
    });
    let access = accesses.rows();
    if args.which.format != Format::Text {
        machine(args.which.format, &Access::COLUMNS, &access)?;
        return Ok(Outcome::Done);
    }
    let mut out = String::new();
    let mut who = None;
    for access in &access {
        if who.replace(access.principal_arn) != Some(access.principal_arn) {
            let name = access.principal_arn.unwrap_or("principal unknown");
            let _ = writeln!(out, "{BOLD}{}{BOLD:#}", Visible(name));
        }
        let _ = writeln!(
            out,
            "  {}  {}, {}{}, last {}",
            Visible(access.target.unwrap_or("node unknown")),
            number(access.sessions, "session", "sessions"),
            number(access.commands, "command", "commands"),
            match access.gaps {
                0 => String::new(),
                gaps => format!(", {WARNING}{gaps} not wholly recorded{WARNING:#}"),
            },
            looked.time(access.last),
        );
    }
    let _ = write!(out, "{}", totals(&tally));
    output::print(&out)?;
    Ok(Outcome::Done)
}

/// A session in two lines.
fn line(out: &mut String, looked: &Looked, row: &SessionRow<'_>) {
    let style = match row.coverage {
        Coverage::Recorded => GOOD,
        Coverage::Missing | Coverage::Unaudited => BAD,
        Coverage::RecordedPartial | Coverage::Unrecordable => WARNING,
        Coverage::Pending => DIM,
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{BOLD}{}{BOLD:#}  {}  {}  {style}{}{style:#}{}",
        looked.time(row.start.or(row.end)),
        Visible(row.target.unwrap_or("node unknown")),
        row.kind.unwrap_or(if row.document.is_some() { "custom document" } else { "session" }),
        row.coverage,
        if row.coverage_reason.is_empty() {
            String::new()
        } else {
            format!(": {}", Visible(&row.coverage_reason))
        },
    );
    let who = row.principal_arn.unwrap_or("principal unknown");
    let took = row.duration_s.map_or_else(String::new, |seconds| {
        #[expect(clippy::cast_possible_truncation, reason = "a session's seconds")]
        let took = SignedDuration::from_secs(seconds.round() as i64);
        format!("  {took:#}")
    });
    let found = match (row.findings, row.highest_level) {
        (0, _) | (_, None) => String::new(),
        (count, Some(level)) => format!(", {} up to {level}", number(count, "finding", "findings")),
    };
    let commands = number(row.commands, "command", "commands");
    let (who, id) = (Visible(who), Visible(row.session_id));
    let _ = writeln!(out, "    {who}{took}  {commands}{found}  {DIM}{id}{DIM:#}");
}

/// How many of each.
fn totals(tally: &Tally) -> String {
    let counts: Vec<String> = Coverage::ALL
        .into_iter()
        .filter(|coverage| tally.of(*coverage) > 0)
        .map(|coverage| format!("{} {coverage}", tally.of(coverage)))
        .collect();
    let mut out = number(tally.total(), "session", "sessions");
    if !counts.is_empty() {
        let _ = write!(out, ": {}", counts.join(", "));
    }
    if let Some(percent) = tally.percent() {
        let _ = write!(out, "; of those that could be, {percent:.1} % are wholly recorded");
    }
    out.push('\n');
    out
}

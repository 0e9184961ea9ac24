//! `ssm-audit backtest`

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget};
use ingest::{Limits, ProblemKind};
use jiff::tz::TimeZone;
use model::{Finding, Level, Principal, Visible};
use pipeline::backtest::{Backtest, BacktestError, LookedAt, Past, Tally, Tried, backtest};
use pipeline::scan::Options;
use pipeline::sweep::Replayed;
use report::mask::Masker;
use report::write::level_style;
use serde::Serialize;

use crate::exit::{Failure, Outcome, tell};
use crate::input::{rules, span, zone};
use crate::scan::summary::number;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// NDJSON: one rule a line.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  ssm-audit backtest --rules rules.d/sessions/too-many.yml logs/ --since 30d
      one rule: what it would have found, and how that differs from the pack that ships
  ssm-audit backtest --rules rules.d/sessions/too-many.yml --store ./audit --since 30d
      the same on what the store has kept
  ssm-audit backtest --rules rules.d --against main/rules.d logs/
      a change of rules, before it is merged

Exit codes: 0 done · 1 findings are new or gone, with --fail-on-change · 2 wrong arguments or rules ·
3 some input could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct BacktestArgs {
    /// The rules to try: a directory, a part of one, or a file.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: PathBuf,
    /// What to try them on: files, directories (with all below).
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Or a store: what `ingest` has kept there.
    #[arg(long, value_name = "ROOT", conflicts_with = "paths")]
    pub(crate) store: Option<String>,
    /// The rules to compare with. Default: the pack that ships.
    #[arg(long, value_name = "PATH", env = "SSM_AUDIT_RULES")]
    pub(crate) against: Option<PathBuf>,
    /// Leave out what happened before: a time, a date, or an age such as `30d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Leave out what happened from then on.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Time zone of days, and of dates in --since and --until: an IANA name, `UTC` or `local`.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Values and principals shown for each rule.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
    /// Exit with 1 if a finding is new or gone.
    #[arg(long)]
    pub(crate) fail_on_change: bool,
    /// Also rules that find nothing, and of which nothing is gone.
    #[arg(long)]
    pub(crate) all: bool,
    /// Show secrets.
    #[arg(long)]
    pub(crate) reveal: bool,
    /// Threads. Default: as many as there are processors.
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Bytes that one input may inflate to; more is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    pub(crate) max_inflated: u64,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const NEW: Style = AnsiColor::Yellow.on_default();

pub(crate) fn run(args: &BacktestArgs) -> Result<Outcome, Failure> {
    if args.paths.is_empty() == args.store.is_none() {
        return Err(Failure::usage("give paths, or a store with --store"));
    }
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(Failure::usage(
            "standard input can be read once, and a backtest reads twice; give a file",
        ));
    }
    let zone = zone(&args.timezone)?;
    let (since, until) = span(args.since.as_deref(), args.until.as_deref(), &zone)?;
    let options = Options {
        since,
        until,
        masker: Masker { reveal: args.reveal },
        jobs: args.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, Into::into),
        limits: Limits { max_inflated: args.max_inflated, ..Limits::default() },
        ..Options::default()
    };
    let tried = rules(Some(&args.rules), None)?;
    let in_use = rules(args.against.as_deref(), Some(true))?;
    // Against the pack that ships only the rules that both have are compared: one's own are few at first.
    let is_pack = args.rules.join("lists").is_dir() || args.rules.join("calendars.yml").is_file();
    let whole = args.against.is_some() && is_pack;
    let find = || ingest::source::find(&args.paths);
    let store = args.store.as_deref().map(crate::ingest::existing).transpose()?;
    let past = match &store {
        Some(store) => Past::Store(store, crate::input::now(None, &zone)?),
        None => Past::Files(&find),
    };
    let count = if store.is_some() { 0 } else { find().artifacts.len() };
    if count == 0 && store.is_none() {
        return Err(Failure::usage("there are no files in what was given"));
    }
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(2 * count as u64), target);
    let done = backtest(past, &tried, Some(&in_use), whole, &zone, &options, |_| bar.inc(1));
    bar.finish_and_clear();
    let done = done.map_err(|error| match error {
        BacktestError::Files(error) => Failure::from(error),
        BacktestError::Store(error) => error.into(),
    })?;

    let mut shown: Vec<&Tried> =
        done.rules.values().filter(|tried| args.all || tried.found > 0 || tried.gone > 0).collect();
    shown.sort_by_key(|tried| {
        let rule = &tried.rule;
        (std::cmp::Reverse(rule.level), std::cmp::Reverse(tried.found), rule.title.clone())
    });
    match args.format {
        Format::Text => text(&mut anstream::stdout(), &shown, &done, args, &zone)?,
        Format::Json => {
            for tried in &shown {
                report::write::json_line(&mut io::stdout(), &Row::new(tried, args.top))?;
            }
        }
    }
    for problem in done.problems.iter().filter(|problem| problem.kind == ProblemKind::Failed) {
        let place = problem.place.to_string();
        tell(&format!("not read: {}: {}", Visible(&place), Visible(&problem.reason)));
    }
    let changed = done.rules.values().any(|tried| tried.new > 0 || tried.gone > 0);
    Ok(if args.fail_on_change && changed {
        Outcome::Findings
    } else if matches!(done.looked_at, LookedAt::Files { failed: 1.., .. }) {
        Outcome::Incomplete
    } else {
        Outcome::Done
    })
}

fn text(
    out: &mut dyn Write,
    shown: &[&Tried],
    done: &Backtest,
    args: &BacktestArgs,
    zone: &TimeZone,
) -> io::Result<()> {
    for tried in shown {
        one(out, tried, args, zone)?;
        writeln!(out)?;
    }
    let sum = |of: fn(&Tried) -> u64| done.rules.values().map(of).sum::<u64>();
    let found = sum(|tried| tried.found);
    let quiet = done.rules.values().filter(|tried| tried.found == 0 && tried.is_tried).count();
    writeln!(
        out,
        "{BOLD}{found} finding{}{BOLD:#}: {} new, {} gone; {quiet} of {} rules found nothing in {}",
        if found == 1 { "" } else { "s" },
        sum(|tried| tried.new),
        sum(|tried| tried.gone),
        done.rules.values().filter(|tried| tried.is_tried).count(),
        looked_at(done.looked_at),
    )?;
    if let LookedAt::Store(Replayed { without_record, .. }) = done.looked_at {
        writeln!(
            out,
            "{DIM}of CloudTrail a store has the records about sessions and those that a rule matched; for others give the files{DIM:#}"
        )?;
        if without_record > 0 {
            writeln!(
                out,
                "{DIM}{without_record} older rows have no record, and were left out{DIM:#}"
            )?;
        }
    }
    Ok(())
}

fn looked_at(looked_at: LookedAt) -> String {
    let counted = |count: u64, one: &str, many: &str| number(count, one, many);
    match looked_at {
        LookedAt::Files { artifacts, .. } => counted(artifacts, "file", "files"),
        LookedAt::Store(Replayed { records, sessions, commands, .. }) => format!(
            "{}, {} and {}",
            counted(records, "record", "records"),
            counted(sessions, "session", "sessions"),
            counted(commands, "command", "commands")
        ),
    }
}

/// Days shown one by one.
const DAYS: usize = 31;

fn one(out: &mut dyn Write, tried: &Tried, args: &BacktestArgs, zone: &TimeZone) -> io::Result<()> {
    let rule = &tried.rule;
    let style = level_style(rule.level);
    let level = rule.level.as_str().to_uppercase();
    let title = Visible(&rule.title);
    writeln!(
        out,
        "{style}{level}{style:#}  {BOLD}{title}{BOLD:#}  {DIM}{}{DIM:#}",
        Visible(&rule.id)
    )?;
    let note = match (tried.is_tried, tried.is_in_use) {
        (false, _) => "  (the rule is not there any more)",
        (true, false) => "  (a new rule)",
        (true, true) => "",
    };
    let (found, new, gone) = (tried.found, tried.new, tried.gone);
    writeln!(
        out,
        "  {found} finding{}: {NEW}{new} new{NEW:#}, {NEW}{gone} gone{NEW:#}{note}",
        if found == 1 { "" } else { "s" },
    )?;
    let most = tried.days.values().copied().max().unwrap_or(0);
    let skipped = tried.days.len().saturating_sub(DAYS);
    if skipped > 0 {
        writeln!(out, "  {DIM}… {skipped} earlier days{DIM:#}")?;
    }
    for (day, count) in tried.days.iter().skip(skipped) {
        let width = (count * 30).div_ceil(most.max(1));
        let bar = "█".repeat(usize::try_from(width).unwrap_or(0));
        let weekday = day.strftime("%a");
        writeln!(out, "  {day} {weekday} {count:>6} {DIM}{bar}{DIM:#}")?;
    }
    top(out, "who", &tried.principals, found, args.top)?;
    top(out, "values", &tried.values, found, args.top)?;
    for (word, examples) in [("new", &tried.examples), ("gone", &tried.gone_examples)] {
        for finding in examples {
            writeln!(out, "  {DIM}{word}:{DIM:#} {}", example(finding, zone))?;
        }
    }
    Ok(())
}

fn top(out: &mut dyn Write, word: &str, tally: &Tally, found: u64, most: usize) -> io::Result<()> {
    for (value, count) in tally.top().into_iter().take(most) {
        let share = count * 100 / found.max(1);
        writeln!(out, "  {DIM}{word}:{DIM:#} {count:>6} {share:>3} %  {}", Visible(value))?;
    }
    let left = tally.len().saturating_sub(most);
    if left > 0 {
        writeln!(out, "  {DIM}{word}: … {left} more{DIM:#}")?;
    }
    Ok(())
}

fn example(finding: &Finding, zone: &TimeZone) -> String {
    let time = finding.time.map_or_else(
        || "time unknown".to_owned(),
        |time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    );
    let principal = finding.principal.as_deref().and_then(Principal::label);
    let what = finding.command.as_deref().or(finding.event_name.as_deref());
    let parts = [principal, what, finding.target.as_deref()];
    let parts: Vec<String> =
        parts.into_iter().flatten().map(|part| Visible(part).to_string()).collect();
    format!("{time}  {}", parts.join(" · "))
}

#[derive(Serialize)]
struct Row<'a> {
    rule_id: &'a str,
    rule_title: &'a str,
    level: Level,
    is_new_rule: bool,
    is_removed_rule: bool,
    findings: u64,
    new: u64,
    gone: u64,
    days: Vec<(String, u64)>,
    principals: Vec<(&'a str, u64)>,
    values: Vec<(&'a str, u64)>,
}

impl<'a> Row<'a> {
    fn new(tried: &'a Tried, top: usize) -> Self {
        let first = |tally: &'a Tally| tally.top().into_iter().take(top).collect();
        Self {
            rule_id: &tried.rule.id,
            rule_title: &tried.rule.title,
            level: tried.rule.level,
            is_new_rule: tried.is_tried && !tried.is_in_use,
            is_removed_rule: !tried.is_tried,
            findings: tried.found,
            new: tried.new,
            gone: tried.gone,
            days: tried.days.iter().map(|(day, count)| (day.to_string(), *count)).collect(),
            principals: first(&tried.principals),
            values: first(&tried.values),
        }
    }
}

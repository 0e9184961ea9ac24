//! `ssm-audit scan PATH…`

pub(crate) mod output;
pub(crate) mod summary;

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest::{Limits, Problem};
use model::Finding;
use pipeline::scan::{Observer, Options, scan};
use report::write::{TextOptions, Write};

use crate::args::{Format, ScanArgs};
use crate::exit::{Failure, Outcome};
use crate::input::{span, zone};

pub(crate) fn run(args: &ScanArgs) -> Result<Outcome, Failure> {
    let zone = zone(&args.timezone)?;
    let (since, until) = span(args.since.as_deref(), args.until.as_deref(), &zone)?;
    let options = Options {
        min_level: args.level,
        since,
        until,
        masker: report::mask::Masker { reveal: args.reveal },
        timeline: false,
        jobs: args.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, Into::into),
        limits: Limits { max_inflated: args.max_inflated, ..Limits::default() },
    };
    let set = args.pack.compile()?;
    let found = ingest::source::find(&args.paths);
    if found.artifacts.is_empty() && found.unreadable.is_empty() {
        return Err(Failure::usage("there are no files in what was given"));
    }

    let progress = progress(found.artifacts.len(), args.quiet);
    let mut watch = Watch {
        out: output::open(args.format, TextOptions { zone, per_rule: args.per_rule }),
        progress: &progress,
        problems: summary::Problems::default(),
    };
    let scanned = scan(found, &set, &options, &mut watch);
    progress.finish_and_clear();
    let scanned = scanned?;
    watch.out.finish()?;
    if !args.quiet {
        // With NDJSON or CSV, standard output belongs to the program that reads it.
        let to_stdout = args.format == Format::Text;
        let text = summary::render(&scanned, &set, args.verbose);
        if to_stdout {
            output::print(&text)?;
        } else {
            crate::exit::tell(text.trim_end());
        }
    }
    watch.problems.tell(args.verbose, args.quiet);

    let grave = args.fail_on.is_some_and(|level| scanned.highest >= Some(level));
    let outcome = match (grave, scanned.failed) {
        (true, _) => Outcome::Findings,
        (false, 0) => Outcome::Done,
        (false, _) => Outcome::Incomplete,
    };
    // The program ends here. To give back piece by piece what was kept for correlations would only take time.
    std::mem::forget(scanned);
    Ok(outcome)
}

pub(crate) fn progress(artifacts: usize, quiet: bool) -> ProgressBar {
    // Drawn on standard error, and only if that is a terminal.
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(artifacts as u64), target);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {msg}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

struct Watch<'a> {
    out: Box<dyn Write>,
    progress: &'a ProgressBar,
    problems: summary::Problems,
}

impl Observer for Watch<'_> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.out.finding(finding)
    }

    fn problem(&mut self, problem: &Problem) {
        self.problems.add(problem);
    }

    fn artifact(&mut self, bytes: u64) {
        self.problems.bytes += bytes;
        self.progress.set_message(summary::bytes(self.problems.bytes));
        self.progress.inc(1);
    }
}

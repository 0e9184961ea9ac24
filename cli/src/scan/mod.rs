//! `ssm-audit scan PATH…`

mod output;
mod summary;

use std::io;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ingest::{Limits, Problem};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use model::Finding;
use pipeline::pack;
use pipeline::scan::{Observer, Options, scan};
use report::write::{TextOptions, Write};
use rules::{RuleSet, Severity};

use crate::args::{Format, ScanArgs};
use crate::diagnostics;
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &ScanArgs) -> Result<Outcome, Failure> {
    let zone = zone(&args.timezone)?;
    let options = Options {
        min_level: args.level,
        since: args.since.as_deref().map(|text| time(text, &zone)).transpose()?,
        until: args.until.as_deref().map(|text| time(text, &zone)).transpose()?,
        masker: report::mask::Masker { reveal: args.reveal },
        jobs: args.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, Into::into),
        limits: Limits { max_inflated: args.max_inflated, ..Limits::default() },
    };
    let set = load(args.rules.as_deref(), args.skip_invalid_rules)?;
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
    Ok(match (grave, scanned.failed) {
        (true, _) => Outcome::Findings,
        (false, 0) => Outcome::Done,
        (false, _) => Outcome::Incomplete,
    })
}

/// Reads and compiles the rules.
fn load(path: Option<&Path>, skip_invalid: bool) -> Result<RuleSet, Failure> {
    let pack = pack::load(path).map_err(|error| Failure::usage(error.to_string()))?;
    if !pack.problems.is_empty() {
        diagnostics::show(&pack.problems);
    }
    let errors = pack.problems.iter().filter(|p| p.severity == Severity::Error).count();
    if errors > 0 && !skip_invalid {
        let (noun, what) = if errors == 1 { ("error", "it") } else { ("errors", "them") };
        return Err(Failure::usage(format!(
            "{errors} {noun} in the rules; mend {what}, or go on without with --skip-invalid-rules"
        )));
    }
    if pack.rules.is_empty() {
        let place = path.map_or_else(String::new, |path| format!(" in {}", path.display()));
        return Err(Failure::usage(format!("there are no rules{place}")));
    }
    Ok(RuleSet::compile(pack))
}

fn zone(name: &str) -> Result<TimeZone, Failure> {
    if name.eq_ignore_ascii_case("local") {
        #[expect(clippy::disallowed_methods, reason = "asked for, and this is a shell")]
        return Ok(TimeZone::system());
    }
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Failure::usage(format!("`{name}` is no time zone; give an IANA name such as Europe/Berlin"))
    })
}

/// A time, a date (its beginning in `zone`), or an age.
fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, Failure> {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() <= "2026-10-01".len()
        && let Ok(zoned) = date.to_zoned(zone.clone())
    {
        return Ok(zoned.timestamp());
    }
    if let Some(time) = ingest::decode::parse_time(text) {
        return Ok(time);
    }
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    let now = jiff::Zoned::now().with_time_zone(zone.clone());
    text.parse::<Span>()
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .map(|zoned| zoned.timestamp())
        .ok_or_else(|| {
            Failure::usage(format!(
                "`{text}` is no time; write 2026-10-01, 2026-10-01T08:00:00Z, or an age such as 7d"
            ))
        })
}

fn progress(artifacts: usize, quiet: bool) -> ProgressBar {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let berlin = zone("Europe/Berlin").unwrap();
        let read = |text| time(text, &berlin).map(|time| time.to_string());
        assert_eq!(read("2026-10-01").unwrap(), "2026-09-30T22:00:00Z");
        assert_eq!(read("2026-10-01T08:00:00Z").unwrap(), "2026-10-01T08:00:00Z");
        assert!(read("7d").is_ok() && read("12h").is_ok() && read("2 weeks").is_ok());
        assert!(read("soon").is_err());
        assert!(zone("Mars/Base").is_err());
    }
}

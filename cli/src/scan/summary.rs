//! What was read, what was found, what is missing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use ingest::{Problem, ProblemKind};
use model::{Level, Visible};
use pipeline::scan::Summary;
use rules::RuleSet;

use crate::exit::tell;

const BOLD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Sessions listed one by one.
const LISTED: usize = 10;
/// Problems kept one by one.
const KEPT: usize = 1000;

/// Renders the summary.
pub(crate) fn render(summary: &Summary, set: &RuleSet, verbose: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = try_render(&mut out, summary, set, verbose);
    out
}

fn try_render(
    out: &mut String,
    summary: &Summary,
    set: &RuleSet,
    verbose: bool,
) -> std::fmt::Result {
    let Summary { counts, .. } = summary;
    let found: u64 = summary.findings.iter().sum();
    let by_level =
        if found == 0 { String::new() } else { format!(": {}", by_level(&summary.findings)) };
    writeln!(out, "{BOLD}{}{BOLD:#}{by_level}", number(found, "finding", "findings"))?;
    let idle = set.idle(&pipeline::scan::EVALUATED).count();
    let idle =
        if idle == 0 { String::new() } else { format!(" ({idle} for log sources not read here)") };
    writeln!(
        out,
        "{} from {}, {} read: {} ({}), {} with {}{}; {}{idle}",
        number(counts.records + counts.commands, "event", "events"),
        number(summary.artifacts, "file", "files"),
        bytes(counts.bytes),
        number(counts.records, "CloudTrail record", "CloudTrail records"),
        number(summary.duplicates, "delivered twice", "delivered twice"),
        number(counts.transcripts, "transcript", "transcripts"),
        number(counts.commands, "command", "commands"),
        match counts.outputs {
            0 => String::new(),
            count =>
                format!(", {}", number(count, "output of Run Command", "outputs of Run Command")),
        },
        rules(set),
    )?;
    if summary.failed > 0 || summary.skipped > 0 {
        writeln!(
            out,
            "{} with nothing to evaluate; {}{} not or not wholly read{}",
            number(summary.skipped, "file", "files"),
            if summary.failed > 0 { BAD.render().to_string() } else { String::new() },
            number(summary.failed, "file", "files"),
            if summary.failed > 0 { BAD.render_reset().to_string() } else { String::new() },
        )?;
    }
    for notice in &summary.notices {
        writeln!(out, "  {}", Visible(notice))?;
    }
    if summary.sessions > 0 {
        writeln!(
            out,
            "{} opened: {} with a transcript here, {} of a kind that is never recorded, {} without a transcript",
            number(summary.sessions, "session", "sessions"),
            summary.recorded,
            summary.unrecordable,
            summary.unrecorded.len(),
        )?;
    }
    for session in summary.unrecorded.iter().take(if verbose { usize::MAX } else { LISTED }) {
        let who = session.principal.as_ref().and_then(model::Principal::label);
        writeln!(
            out,
            "  without a transcript: {}  {}  {}  {}",
            Visible(session.id.as_str()),
            session.start.map_or_else(|| "time unknown".to_owned(), |time| time.to_string()),
            Visible(session.target.as_deref().unwrap_or("node unknown")),
            Visible(who.unwrap_or("principal unknown")),
        )?;
    }
    more(out, summary.unrecorded.len(), verbose)?;
    for id in summary.unaudited.iter().take(if verbose { usize::MAX } else { LISTED }) {
        writeln!(out, "  a transcript, and no record of who opened it: {}", Visible(id.as_str()))?;
    }
    more(out, summary.unaudited.len(), verbose)
}

/// `164 rules and 26 correlations`: what can be told; parts of correlations are not counted.
pub(crate) fn rules(set: &RuleSet) -> String {
    let rules = (0..set.rules().len()).filter(|at| set.is_told(*at)).count();
    let correlations =
        (0..set.correlations().len()).filter(|at| set.is_correlation_told(*at)).count();
    let rules = number(rules as u64, "rule", "rules");
    match correlations {
        0 => rules,
        count => format!("{rules} and {}", number(count as u64, "correlation", "correlations")),
    }
}

fn more(out: &mut String, count: usize, verbose: bool) -> std::fmt::Result {
    if !verbose && count > LISTED {
        writeln!(out, "  … and {} more; --verbose lists them", count - LISTED)?;
    }
    Ok(())
}

/// `5 high, 11 medium`: the gravest first.
pub(crate) fn by_level(findings: &[u64; 5]) -> String {
    let counts: Vec<String> = Level::ALL
        .into_iter()
        .rev()
        .map(|level| (level, findings[level as usize]))
        .filter(|(_, count)| *count > 0)
        .map(|(level, count)| format!("{count} {level}"))
        .collect();
    counts.join(", ")
}

/// `3,337 records`
pub(crate) fn number(count: u64, one: &str, many: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { one } else { many })
}

/// `12.3 MB`
pub(crate) fn bytes(count: u64) -> String {
    indicatif::DecimalBytes(count).to_string()
}

/// Collects problems, in bounded memory.
#[derive(Default)]
pub(crate) struct Problems {
    /// Bytes read so far.
    pub(crate) bytes: u64,
    failed: Vec<Problem>,
    failed_more: u64,
    /// By reason: how many, and the first (all of them while there are few).
    skipped: BTreeMap<String, (u64, Vec<Problem>)>,
}

impl Problems {
    pub(crate) fn add(&mut self, problem: &Problem) {
        match problem.kind {
            ProblemKind::Failed if self.failed.len() < KEPT => self.failed.push(problem.clone()),
            ProblemKind::Failed => self.failed_more += 1,
            ProblemKind::Skipped => {
                let (count, kept) = self.skipped.entry(problem.reason.clone()).or_default();
                *count += 1;
                if kept.len() < KEPT {
                    kept.push(problem.clone());
                }
            }
        }
    }

    /// Tells them on standard error.
    pub(crate) fn tell(&self, verbose: bool, quiet: bool) {
        if !quiet {
            for (reason, (count, kept)) in &self.skipped {
                let Some(first) = kept.first() else { continue };
                if verbose || *count == 1 {
                    for problem in kept {
                        tell(&format!("left out: {}: {}", place(problem), Visible(reason)));
                    }
                } else {
                    let place = place(first);
                    let reason = Visible(reason);
                    tell(&format!("left out: {place} and {} more: {reason}", count - 1));
                }
            }
        }
        for problem in &self.failed {
            let reason = Visible(&problem.reason);
            tell(&format!("{BAD}not read{BAD:#}: {}: {reason}", place(problem)));
        }
        if self.failed_more > 0 {
            tell(&format!("… and {} more that could not be read", self.failed_more));
        }
    }
}

fn place(problem: &Problem) -> String {
    Visible(&problem.place.to_string()).to_string()
}

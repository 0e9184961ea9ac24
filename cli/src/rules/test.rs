//! `ssm-audit rules test`

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use model::{Evidence, Visible};
use notify::{RecursiveMode, Watcher as _};
use pipeline::cases::{self, Coverage, Outcome as Tried, Report};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use rules::{Diagnostic, RuleSet, Severity};
use serde::Serialize;

use super::args::{TestArgs, TestFormat};
use crate::diagnostics;
use crate::exit::{Failure, Outcome, tell};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn run(args: &TestArgs) -> Result<Outcome, Failure> {
    if !args.watch {
        return once(args);
    }
    let (send, changes) = channel();
    let failed = |error: notify::Error| Failure::usage(format!("cannot watch: {error}"));
    let mut watcher = notify::recommended_watcher(send).map_err(failed)?;
    // Of a file that an editor puts in the place of another nothing is heard by its own name.
    let opened = pipeline::pack::open(Some(&args.path)).ok();
    let root = opened.and_then(|opened| opened.root).unwrap_or_else(|| args.path.clone());
    if root.is_dir() {
        watcher.watch(&root, RecursiveMode::Recursive).map_err(failed)?;
    } else {
        let beside = root.parent().filter(|parent| !parent.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new("."));
        watcher.watch(beside, RecursiveMode::NonRecursive).map_err(failed)?;
    }
    // What is written here must not make it run again.
    let own = args.junit.as_deref().and_then(|path| std::path::absolute(path).ok());
    let is_own = |path: &PathBuf| std::path::absolute(path).ok() == own && own.is_some();
    let concerns = |event: &notify::Event| {
        // Reading a file is an event too.
        !event.kind.is_access() && !event.paths.iter().all(is_own)
    };
    loop {
        // While a rule is being written it is wrong now and then: that is told, and no reason to end.
        if let Err(failure) = once(args) {
            tell(&failure.message);
        }
        tell(&format!("{DIM}watching {}; Ctrl-C ends{DIM:#}", args.path.display()));
        if !wait(&changes, concerns) {
            return Ok(Outcome::Done);
        }
    }
}

/// How long nothing must happen before it is run again: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Waits until something has changed that `concerns` us, and then until nothing changes any more. `false`: nobody watches.
fn wait(
    changes: &Receiver<notify::Result<notify::Event>>,
    concerns: impl Fn(&notify::Event) -> bool,
) -> bool {
    loop {
        match changes.recv() {
            Ok(Ok(event)) if !concerns(&event) => {}
            Ok(_) => break,
            Err(_) => return false,
        }
    }
    loop {
        match changes.recv_timeout(QUIET) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

fn once(args: &TestArgs) -> Result<Outcome, Failure> {
    let (opened, pack) = super::open(Some(&args.path))?;
    let asked: Vec<Diagnostic> =
        pack.problems.iter().filter(|problem| opened.concerns(problem)).cloned().collect();
    diagnostics::show(&asked);
    let broken = asked.iter().filter(|problem| problem.severity == Severity::Error).count();
    let files: Vec<_> =
        opened.files.iter().filter(|file| opened.is_asked_for(&file.path)).cloned().collect();
    let set = RuleSet::compile(pack);
    let mut report = cases::run(&set, &files);
    report.coverage.retain(|of| opened.is_asked_for(&of.file));
    diagnostics::show(&report.problems);
    match args.format {
        TestFormat::Text => text(&report, args)?,
        TestFormat::Json => {
            for outcome in &report.outcomes {
                report::write::json_line(&mut io::stdout(), &Row::from(outcome))?;
            }
        }
    }
    if let Some(path) = &args.junit {
        let broken = asked.iter().filter(|problem| problem.severity == Severity::Error);
        junit(&report, broken.chain(&report.problems), path)?;
    }
    if report.outcomes.is_empty() && report.problems.is_empty() && broken == 0 {
        let path = args.path.display();
        return Err(Failure::usage(format!(
            "there are no cases in {path}; they stand beside a rule, in a file that ends with .test.yml"
        )));
    }
    let failed = report.outcomes.iter().any(|outcome| outcome.failure.is_some());
    let uncovered = args.require_coverage && report.coverage.iter().any(|of| !gaps(of).is_empty());
    Ok(if broken > 0 || !report.problems.is_empty() {
        Outcome::Usage
    } else if failed || uncovered {
        Outcome::Findings
    } else {
        Outcome::Done
    })
}

/// The selections that were not seen both ways, in words.
fn gaps(of: &Coverage) -> Vec<String> {
    of.selections
        .iter()
        .filter(|selection| !selection.is_covered())
        .map(|selection| {
            let what = if selection.held == 0 { "never held" } else { "always held" };
            format!("{} {what}", selection.name)
        })
        .collect()
}

fn text(report: &Report, args: &TestArgs) -> io::Result<()> {
    let mut out = anstream::stdout();
    let mut file = "";
    for outcome in &report.outcomes {
        let failed = outcome.failure.is_some();
        if !failed && !args.verbose {
            continue;
        }
        if file != outcome.source.name {
            file = &outcome.source.name;
            writeln!(out, "{}", Visible(file))?;
        }
        let line = line(outcome);
        let (colour, mark) = if failed { (BAD, "FAIL") } else { (GOOD, "ok") };
        let wanted = if outcome.expected { "fires" } else { "does not fire" };
        let name = Visible(&outcome.name);
        writeln!(out, "  {colour}{mark:<4}{colour:#} {name}  {DIM}line {line}, {wanted}{DIM:#}")?;
        if let Some(failure) = &outcome.failure {
            writeln!(out, "       {}", Visible(failure))?;
        } else {
            for Evidence { field, value, selection } in &outcome.evidence {
                let value = value.as_deref().unwrap_or("(absent)");
                let (field, value) = (Visible(field), Visible(value));
                writeln!(out, "       {DIM}{}:{DIM:#} {field} = {value}", Visible(selection))?;
            }
        }
    }
    let (mut selections, mut seen) = (0, 0);
    for of in &report.coverage {
        selections += of.selections.len();
        seen += of.selections.iter().filter(|selection| selection.is_covered()).count();
    }
    if args.verbose || args.require_coverage {
        for of in &report.coverage {
            let gaps = gaps(of);
            if !gaps.is_empty() {
                let (file, rule) = (Visible(&of.file), Visible(&of.rule));
                let gaps = gaps.join(", ");
                writeln!(out, "{file}: {rule}: selections not seen both ways: {gaps}")?;
            }
        }
    }
    let failed = report.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let passed = report.outcomes.len() - failed;
    let colour = if failed > 0 { BAD } else { GOOD };
    if selections == 0 {
        return writeln!(out, "{colour}{passed} passed, {failed} failed{colour:#}");
    }
    writeln!(
        out,
        "{colour}{passed} passed, {failed} failed{colour:#}; {seen} of {selections} selections seen to hold and not \
         to hold{}",
        if seen < selections && !args.verbose && !args.require_coverage {
            " (--verbose names the others)"
        } else {
            ""
        },
    )
}

fn line(outcome: &Tried) -> usize {
    let before = outcome.source.text.get(..outcome.span.start).unwrap_or_default();
    before.matches('\n').count() + 1
}

#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    line: usize,
    rule: &'a str,
    case: &'a str,
    fires: bool,
    passed: bool,
    failure: Option<&'a str>,
    evidence: &'a [Evidence],
}

impl<'a> From<&'a Tried> for Row<'a> {
    fn from(outcome: &'a Tried) -> Self {
        Self {
            file: &outcome.source.name,
            line: line(outcome),
            rule: &outcome.rule,
            case: &outcome.name,
            fires: outcome.expected,
            passed: outcome.failure.is_none(),
            failure: outcome.failure.as_deref(),
            evidence: &outcome.evidence,
        }
    }
}

fn junit<'p>(
    report: &Report,
    broken: impl Iterator<Item = &'p Diagnostic>,
    path: &Path,
) -> Result<(), Failure> {
    let mut document = quick_junit::Report::new("ssm-audit rules test");
    let mut suites: Vec<TestSuite> = Vec::new();
    for outcome in &report.outcomes {
        let file = outcome.source.name.as_str();
        if suites.last().is_none_or(|suite| suite.name.as_str() != file) {
            suites.push(TestSuite::new(file));
        }
        let status = match &outcome.failure {
            None => TestCaseStatus::success(),
            Some(failure) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(Visible(failure).to_string());
                status.set_description(format!("{file}:{}", line(outcome)));
                status
            }
        };
        let mut case = TestCase::new(Visible(&outcome.name).to_string(), status);
        case.set_classname(Visible(&outcome.rule).to_string());
        if let Some(suite) = suites.last_mut() {
            suite.add_test_case(case);
        }
    }
    // What could not be read was not tried: whoever reads only this must not take it for good.
    for problem in broken {
        let (file, (line, _)) = (problem.source.name.as_str(), problem.line_column());
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(Visible(&problem.message).to_string());
        status.set_description(format!("{file}:{line}"));
        let mut suite = TestSuite::new(file);
        suite.add_test_case(TestCase::new("is read", status));
        suites.push(suite);
    }
    document.add_test_suites(suites);
    let failed = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let xml = document.to_string().map_err(|error| failed(error.to_string()))?;
    fs::write(path, xml).map_err(|error| failed(error.to_string()))
}

//! `ssm-audit rules check`

use std::io::{self, Write as _};

use pipeline::sweep::EVALUATED;
use rules::check::{Circumstances, LINTS};
use rules::{Diagnostic, INVALID, Severity};
use serde::Serialize;

use super::args::{CheckArgs, CheckFormat};
use crate::diagnostics;
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &CheckArgs) -> Result<Outcome, Failure> {
    let mut out = anstream::stdout();
    if args.lints {
        for lint in LINTS {
            writeln!(out, "{:<18} {}", lint.code, lint.about)?;
        }
        return Ok(Outcome::Done);
    }
    for code in args.allow.iter().chain(&args.deny) {
        let known = LINTS.iter().any(|lint| lint.code == code) || code == "warnings";
        if !known {
            let message = format!("there is no lint `{code}`; --lints lists them");
            return Err(Failure::usage(message));
        }
    }
    let (opened, pack) = super::open(Some(&args.path))?;
    let tested = pipeline::cases::tested(&opened.files);
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    let today = jiff::Zoned::now().date();
    let around = Circumstances { read: &EVALUATED, tested: &tested, today };
    let mut problems = pack.problems.clone();
    problems.extend(rules::check::check(&pack, &around));
    problems.extend(pipeline::cases::check(&opened.files));
    problems.retain(|problem| {
        opened.concerns(problem) && !args.allow.iter().any(|c| c == problem.code)
    });
    for problem in &mut problems {
        let denied = |code: &String| code == problem.code || code == "warnings";
        if args.deny.iter().any(denied) {
            problem.severity = Severity::Error;
        }
    }
    problems.sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    problems.dedup();

    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    match args.format {
        CheckFormat::Text => {
            for problem in &problems {
                writeln!(out, "{}\n", diagnostics::render(problem))?;
            }
            let count = |count: usize, one: &str| {
                format!("{count} {one}{}", if count == 1 { "" } else { "s" })
            };
            let own = |name: &str| opened.is_asked_for(name);
            let rules = pack.rules.iter().filter(|rule| own(&rule.source().name)).count();
            let correlations = pack.correlations.iter();
            let correlations =
                correlations.filter(|linked| own(&linked.correlation.meta.source.name)).count();
            let filters = pack.filters.iter().filter(|f| own(&f.meta.source.name)).count();
            writeln!(
                out,
                "{}, {}, {}: {}, {}",
                count(rules, "rule"),
                count(correlations, "correlation"),
                count(filters, "filter"),
                count(errors, "error"),
                count(problems.len() - errors, "warning"),
            )?;
        }
        CheckFormat::Json => {
            for problem in &problems {
                report::write::json_line(&mut io::stdout(), &Row::from(problem))?;
            }
        }
        CheckFormat::Github => {
            for problem in &problems {
                writeln!(out, "{}", annotation(problem))?;
            }
        }
    }
    Ok(if errors > 0 { Outcome::Findings } else { Outcome::Done })
}

/// A problem as a row. Lines and columns count from 1, columns in characters; the end is behind the last one.
#[derive(Serialize)]
struct Row<'a> {
    severity: &'static str,
    code: &'a str,
    message: &'a str,
    help: Option<&'a str>,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

impl<'a> From<&'a Diagnostic> for Row<'a> {
    fn from(problem: &'a Diagnostic) -> Self {
        let (line, column) = problem.line_column();
        let (end_line, end_column) = problem.end_line_column();
        Self {
            severity: word(problem.severity),
            code: problem.code,
            message: &problem.message,
            help: problem.help.as_deref(),
            file: &problem.source.name,
            line,
            column,
            end_line,
            end_column,
        }
    }
}

/// `::error file=…,line=…::message`, as GitHub's workflow commands ask for it.
fn annotation(problem: &Diagnostic) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let (line, column) = problem.line_column();
    let (end_line, end_column) = problem.end_line_column();
    let title = if problem.code == INVALID { "ssm-audit" } else { problem.code };
    let help = problem.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    format!(
        "::{} file={},line={line},endLine={end_line},col={column},endColumn={end_column},title={}::{}",
        word(problem.severity),
        property(&problem.source.name),
        property(title),
        data(&format!("{}{help}", problem.message)),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_annotation_cannot_be_broken_out_of() {
        let source = rules::Source { name: "a,b:c.yml".into(), text: "x\ny: z\n".into() };
        let problem = Diagnostic::error(&Arc::new(source), 2..3, "50 %\n::error::").with_help("h");
        assert_eq!(
            annotation(&problem),
            "::error file=a%2Cb%3Ac.yml,line=2,endLine=2,col=1,endColumn=2,title=ssm-audit::50 %25%0A::error::%0Ah"
        );
    }
}

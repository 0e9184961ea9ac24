//! Problems with rules, shown in their source.

use std::io::IsTerminal as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use rules::{Diagnostic, INVALID, Severity};

use crate::exit::tell;

/// Most problems shown one by one.
const SHOWN: usize = 50;

/// Shows problems on standard error.
pub(crate) fn show(problems: &[Diagnostic]) {
    let colour = match anstream::ColorChoice::global() {
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => std::io::stderr().is_terminal(),
        _ => true,
    };
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    for problem in problems.iter().take(SHOWN) {
        tell(&rendered(problem, &renderer));
    }
    if problems.len() > SHOWN {
        tell(&format!("… and {} more", problems.len() - SHOWN));
    }
}

/// A problem in its source, for standard output.
pub(crate) fn render(problem: &Diagnostic) -> String {
    // Whoever prints it takes the colours out where they are not wanted.
    rendered(problem, &Renderer::styled())
}

fn rendered(problem: &Diagnostic, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let text = problem.source.text.as_str();
    let end = problem.span.end.clamp(problem.span.start, text.len());
    let snippet = Snippet::source(text)
        .path(problem.source.name.as_str())
        .annotation(AnnotationKind::Primary.span(problem.span.start..end));
    let message = match problem.code {
        INVALID => problem.message.clone(),
        code => format!("{} [{code}]", problem.message),
    };
    let mut group = level.primary_title(message.as_str()).element(snippet);
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

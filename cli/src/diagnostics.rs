//! Problems with rules, shown in their source.

use std::io::IsTerminal as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use rules::{Diagnostic, Severity};

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
        tell(&render(problem, &renderer));
    }
    if problems.len() > SHOWN {
        tell(&format!("… and {} more", problems.len() - SHOWN));
    }
}

fn render(problem: &Diagnostic, renderer: &Renderer) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let text = problem.source.text.as_str();
    let end = problem.span.end.clamp(problem.span.start, text.len());
    let snippet = Snippet::source(text)
        .path(problem.source.name.as_str())
        .annotation(AnnotationKind::Primary.span(problem.span.start..end));
    let mut group = level.primary_title(problem.message.as_str()).element(snippet);
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

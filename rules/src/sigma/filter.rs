//! A global filter: one exception for many rules (Filters specification).

use std::ops::Range;
use std::sync::Arc;

use model::LogSource;

use super::condition::Condition;
use super::meta::{self, Meta};
use super::rule::{Lists, Selection, errors, read_detection, read_logsource};
use super::spelling;
use super::yaml::{Node, Value};
use crate::diagnostic::{Diagnostic, Source};

/// Another document, by its id or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The id or name.
    pub text: String,
    /// Where it is written.
    pub span: Range<usize>,
}

/// A filter. Its condition is asked for beside that of each rule that it is for: what it must not let pass
/// is written `not selection`.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What it says of itself.
    pub meta: Meta,
    /// Rules of this log source.
    pub logsource: LogSource,
    /// Which of them; `None`: all.
    pub rules: Option<Vec<Reference>>,
    /// Search identifiers.
    pub selections: Vec<Selection>,
    /// The condition.
    pub condition: Condition,
    /// Where the condition stands.
    pub condition_span: Range<usize>,
}

pub(super) fn read(
    document: &Node,
    source: &Arc<Source>,
    lists: &Lists,
    problems: &mut Vec<Diagnostic>,
) -> Option<Filter> {
    let before = errors(problems);
    let meta = meta::read(document, source, &["logsource", "filter"], problems);
    let first = document.span.start..document.span.start + 1;
    let logsource = if let Some((key, node)) = document.entry("logsource") {
        read_logsource(key, node, source, problems)
    } else {
        problems.push(Diagnostic::error(source, first, "a filter needs a `logsource`"));
        LogSource::default()
    };
    let (key, filter) = document.entry("filter")?;
    let rules = match filter.entry("rules") {
        None => None,
        Some((key, node)) => references(key, node, source, problems),
    };
    let detection = read_detection(key, filter, &["rules"], source, lists, problems)?;
    if let Value::Map(entries) = &filter.value
        && filter.get("rules").is_none()
    {
        // Without it the filter is for all: who writes it nearly so did not mean that.
        let mut used = Vec::new();
        detection.condition.searches(&mut used);
        let is_used = |name: &str| used.iter().any(|at| detection.selections[*at].name == name);
        for (key, _) in entries {
            let Some(name) = key.scalar_text(source) else { continue };
            if spelling::nearest(&name, ["rules"].into_iter()).is_some() && !is_used(&name) {
                let message =
                    format!("`{name}` is a search identifier that the condition does not use");
                problems.push(
                    Diagnostic::error(source, key.span.clone(), message)
                        .with_help("did you mean `rules`?"),
                );
            }
        }
    }
    if errors(problems) > before {
        return None;
    }
    Some(Filter {
        meta: meta?,
        logsource,
        rules,
        selections: detection.selections,
        condition: detection.condition,
        condition_span: detection.condition_span,
    })
}

/// The rules that are named; `None` if all are meant.
fn references(
    key: &Node,
    node: &Node,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Vec<Reference>> {
    match &node.value {
        Value::Text(text) if text.eq_ignore_ascii_case("any") => None,
        _ => {
            let found = read_references(node, source, problems);
            if found.is_empty() {
                let message = "`rules` names no rule";
                problems.push(
                    Diagnostic::error(source, key.span.clone(), message)
                        .with_help("a list of ids or names, or `any`"),
                );
            }
            Some(found)
        }
    }
}

/// Ids and names in a list, or the one that stands there.
pub(super) fn read_references(
    node: &Node,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Reference> {
    let mut found = Vec::new();
    for item in node.items() {
        if let Some(text) = item.scalar_text(source) {
            found.push(Reference { text, span: item.span.clone() });
        } else {
            let message = format!("a rule is named by its id or name, this is {}", item.kind());
            problems.push(Diagnostic::error(source, item.span.clone(), message));
        }
    }
    found
}

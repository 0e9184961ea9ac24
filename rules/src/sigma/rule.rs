//! A YAML document → a rule, a correlation or a filter.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use model::{LogSource, RuleInfo};

use super::condition::{self, Condition};
use super::correlation::{self, Correlation};
use super::detection::{self, Search};
use super::filter::{self, Filter};
use super::meta::{self, Meta};
use super::spelling;
use super::test::Test;
use super::yaml::{self, Node, Value};
use crate::diagnostic::{Diagnostic, Severity, Source};

/// Lists by name, for `%placeholders%`.
pub type Lists = BTreeMap<String, Vec<String>>;

/// A search identifier with its definition.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub search: Search,
    /// Where its name stands.
    pub span: Range<usize>,
    /// The file of both: a filter's selections are not written where the rule is.
    pub source: Arc<Source>,
}

/// A rule as its author wrote it, understood.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it says of itself.
    pub meta: Meta,
    /// Which events it is for.
    pub logsource: LogSource,
    /// `logsource.definition`: what the source has to be set up for.
    pub definition: Option<String>,
    /// Search identifiers, in the order written; behind them those of the filters on it.
    pub selections: Vec<Selection>,
    /// The condition; several in a list are alternatives.
    pub condition: Condition,
    /// Where the condition stands.
    pub condition_span: Range<usize>,
    /// How many of the selections are the rule's own.
    pub own_selections: usize,
}

impl Rule {
    /// What findings say of it.
    pub const fn info(&self) -> &Arc<RuleInfo> {
        &self.meta.info
    }

    /// Where it was read.
    pub const fn source(&self) -> &Arc<Source> {
        &self.meta.source
    }

    /// The fields that it names, its filters and `fieldref` among it: each once, and where that is first.
    pub fn fields(&self) -> Vec<(&str, &Arc<Source>, Range<usize>)> {
        let mut named = Vec::new();
        for selection in &self.selections {
            let mut items = Vec::new();
            selection.search.items(&mut items);
            for item in items {
                if let Some(name) = item.field.as_deref() {
                    // It stands in front of its value.
                    let (start, text) = (selection.span.start, &selection.source.text);
                    let before = text.get(start..item.span.start).unwrap_or_default();
                    let at = before.rfind(name).map(|at| start + at..start + at + name.len());
                    named.push((name, &selection.source, at.unwrap_or_else(|| item.span.clone())));
                }
                if let Test::SameAs { field, .. } = &item.test {
                    named.push((field.as_str(), &selection.source, item.span.clone()));
                }
            }
        }
        named.sort_by(|a, b| a.0.cmp(b.0));
        named.dedup_by(|a, b| a.0 == b.0);
        named
    }
}

/// What a source holds.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Its correlations.
    pub correlations: Vec<Correlation>,
    /// Its filters.
    pub filters: Vec<Filter>,
}

/// Reads a source. Every mistake becomes a diagnostic; a document with an error is left out, the others are
/// returned.
pub fn parse(source: &Arc<Source>, lists: &Lists, problems: &mut Vec<Diagnostic>) -> Documents {
    let mut read = Documents::default();
    let documents = match yaml::documents(source) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.push(*problem);
            return read;
        }
    };
    if documents.is_empty() {
        problems.push(Diagnostic::error(source, 0..0, "no rule in this file"));
    }
    for document in &documents {
        if !matches!(document.value, Value::Map(_)) {
            let message = "a rule is a map with `title`, `logsource` and `detection`";
            problems.push(Diagnostic::error(source, document.span.clone(), message));
        } else if document.get("correlation").is_some() {
            read.correlations.extend(correlation::read(document, source, problems));
        } else if let (Some(_), Some((key, _))) =
            (document.get("detection"), document.entry("filter"))
        {
            let message = "a rule has no `filter`, and a filter has no `detection`";
            problems.push(Diagnostic::error(source, key.span.clone(), message).with_help(
                "what shall not match is a search identifier of `detection`; a filter for many rules is a document of its own",
            ));
        } else if document.get("filter").is_some() {
            read.filters.extend(filter::read(document, source, lists, problems));
        } else {
            read.rules.extend(rule(document, source, lists, problems));
        }
    }
    read
}

/// Most tests that a rule may come to when its condition is written out.
pub(crate) const MAX_TESTS: usize = 100_000;

fn rule(
    document: &Node,
    source: &Arc<Source>,
    lists: &Lists,
    problems: &mut Vec<Diagnostic>,
) -> Option<Rule> {
    let before = errors(problems);
    if let Some((key, _)) = document.entry("action") {
        problems.push(
            Diagnostic::error(source, key.span.clone(), "`action` is not Sigma 2 any more")
                .with_help(
                    "write each rule out, or make it a rule with several search identifiers",
                ),
        );
        return None;
    }
    let meta = meta::read(document, source, &["logsource", "detection"], problems);
    let first = document.span.start..document.span.start + 1;
    let (logsource, definition) = match document.entry("logsource") {
        None => {
            problems.push(Diagnostic::error(source, first.clone(), "a rule needs a `logsource`"));
            (LogSource::default(), None)
        }
        Some((key, node)) => (
            read_logsource(key, node, source, problems),
            node.get("definition").and_then(|node| node.scalar_text(source)),
        ),
    };
    let Some((key, detection)) = document.entry("detection") else {
        problems.push(Diagnostic::error(source, first, "a rule needs a `detection`"));
        return None;
    };
    let detection = read_detection(key, detection, &[], source, lists, problems)?;
    if errors(problems) > before {
        return None;
    }
    Some(Rule {
        meta: meta?,
        logsource,
        definition,
        own_selections: detection.selections.len(),
        selections: detection.selections,
        condition: detection.condition,
        condition_span: detection.condition_span,
    })
}

/// Search identifiers and the condition over them.
pub(super) struct Detection {
    pub(super) selections: Vec<Selection>,
    pub(super) condition: Condition,
    pub(super) condition_span: Range<usize>,
}

/// Reads a `detection`, or the part of a `filter` that is like one; keys in `other` are not searches.
pub(super) fn read_detection(
    key: &Node,
    detection: &Node,
    other: &[&str],
    source: &Arc<Source>,
    lists: &Lists,
    problems: &mut Vec<Diagnostic>,
) -> Option<Detection> {
    let before = errors(problems);
    let error = |node: &Node, message: &str| Diagnostic::error(source, node.span.clone(), message);
    let Value::Map(entries) = &detection.value else {
        problems.push(error(key, "this is a map of search identifiers and a `condition`"));
        return None;
    };
    let mut selections = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (key, node) in entries {
        let Some(name) = key.scalar_text(source) else {
            problems.push(error(key, "a search identifier has to be text"));
            continue;
        };
        match name.as_str() {
            "condition" => {}
            "timeframe" => {
                problems.push(
                    error(key, "`timeframe` is not Sigma 2 any more")
                        .with_help("write a correlation rule instead"),
                );
            }
            _ if other.contains(&name.as_str()) => {}
            _ => {
                names.push(name.clone());
                if let Some(search) = detection::read(node, source, lists, problems) {
                    let (span, source) = (key.span.clone(), Arc::clone(source));
                    selections.push(Selection { name, search, span, source });
                }
            }
        }
    }
    // A broken search is still one that a condition may name.
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let condition = read_condition(key, detection, &names, source, problems)?;
    if errors(problems) > before {
        return None;
    }
    let sizes: Vec<usize> = selections.iter().map(|selection| selection.search.size()).collect();
    if condition.size(&sizes) > MAX_TESTS {
        problems.push(
            error(key, &format!("this comes to more than {MAX_TESTS} tests"))
                .with_help("name each search identifier once, or shorten its lists"),
        );
        return None;
    }
    let condition_span =
        detection.get("condition").map_or_else(|| key.span.clone(), |node| node.span.clone());
    Some(Detection { selections, condition, condition_span })
}

pub(super) fn errors(problems: &[Diagnostic]) -> usize {
    problems.iter().filter(|p| p.severity == Severity::Error).count()
}

/// What a log source has.
const PARTS: [&str; 4] = ["category", "product", "service", "definition"];

pub(super) fn read_logsource(
    key: &Node,
    node: &Node,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) -> LogSource {
    let mut part = |name: &str| {
        let value = node.get(name)?;
        let text = value.scalar_text(source);
        if text.is_none() && !matches!(value.value, Value::Null) {
            let message = format!("`{name}` is one name, this is {}", value.kind());
            problems.push(Diagnostic::error(source, value.span.clone(), message));
        }
        text
    };
    let logsource = LogSource {
        category: part("category"),
        product: part("product"),
        service: part("service"),
    };
    // Others may be there. What is nearly one of these would make the rule one for more events than were meant.
    if let Value::Map(entries) = &node.value {
        for (key, _) in entries {
            let Some(name) = key.scalar_text(source) else { continue };
            let near = spelling::nearest(&name, PARTS.into_iter());
            if let Some(near) = near.filter(|near| *near != name) {
                let message = format!("a log source has no `{name}`");
                problems.push(
                    Diagnostic::error(source, key.span.clone(), message)
                        .with_help(format!("did you mean `{near}`?")),
                );
            }
        }
    }
    if logsource == LogSource::default() {
        problems.push(
            Diagnostic::error(
                source,
                key.span.clone(),
                "`logsource` names no category, product or service",
            )
            .with_help("such as `product: aws` and `service: cloudtrail`"),
        );
    }
    logsource
}

fn read_condition(
    key: &Node,
    detection: &Node,
    names: &[&str],
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Condition> {
    let Some(node) = detection.get("condition") else {
        problems.push(
            Diagnostic::error(source, key.span.clone(), "`detection` needs a `condition`")
                .with_help("such as `condition: selection`"),
        );
        return None;
    };
    let mut conditions = Vec::new();
    for item in node.items() {
        let Some(text) = item.as_text() else {
            problems.push(Diagnostic::error(
                source,
                item.span.clone(),
                format!("a condition is text, this is {}", item.kind()),
            ));
            continue;
        };
        match condition::parse(text, names) {
            Ok(condition) => conditions.push(condition),
            Err((message, within, help)) => {
                let span = locate(source, item, text, within);
                let mut problem = Diagnostic::error(source, span, message);
                problem.help = help;
                problems.push(problem);
            }
        }
    }
    match conditions.len() {
        0 => {
            if node.items().is_empty() {
                let span = node.span.start..node.span.end.max(node.span.start + 1);
                problems.push(
                    Diagnostic::error(source, span, "an empty condition")
                        .with_help("such as `condition: selection`"),
                );
            }
            None
        }
        1 => conditions.pop(),
        _ => Some(Condition::Or(conditions)),
    }
}

/// Where in the source a part of a scalar stands: exact where the scalar is written on one line without
/// escapes, the whole scalar otherwise.
pub(super) fn locate(
    source: &Source,
    node: &Node,
    text: &str,
    within: Range<usize>,
) -> Range<usize> {
    let written = source.text.get(node.span.clone()).unwrap_or_default();
    match written.find(text) {
        Some(at) => {
            let start = node.span.start + at;
            start + within.start..start + within.end.max(within.start + 1)
        }
        None => node.span.clone(),
    }
}

#[cfg(test)]
mod tests {
    use model::Level;

    use super::*;

    fn read(text: &str) -> (Vec<Rule>, Vec<String>) {
        let source = Arc::new(Source { name: "r.yml".into(), text: text.into() });
        let mut problems = Vec::new();
        let rules = parse(&source, &Lists::new(), &mut problems).rules;
        (rules, problems.iter().map(ToString::to_string).collect())
    }

    const GOOD: &str = "title: T\nid: 1\nlogsource:\n  product: aws\ndetection:\n  selection:\n    eventName: X\n  condition: selection\nlevel: high\ntags: [attack.t1059]\n";

    #[test]
    fn a_rule_is_read() {
        let (rules, problems) = read(GOOD);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(rules[0].info().level, Level::High);
        assert_eq!(rules[0].info().tags, ["attack.t1059"]);
    }

    #[test]
    fn several_documents_are_several_rules() {
        let (rules, problems) = read(&format!("{GOOD}---\n{GOOD}"));
        assert_eq!((rules.len(), problems.len()), (2, 0));
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let (rules, problems) = read(
            "title: T\nlogsource:\n  product: aws\nlevel: severe\ndetection:\n  a:\n    x|contians: y\n    z|re: '('\n  condition: a\n",
        );
        assert!(rules.is_empty());
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("r.yml:4:8: `severe`"), "{}", problems[0]);
        assert!(problems[1].starts_with("r.yml:7:5: unknown modifier"), "{}", problems[1]);
        assert!(problems[1].contains("did you mean `contains`"), "{}", problems[1]);
        assert!(problems[2].starts_with("r.yml:8:12: not a regular"), "{}", problems[2]);
    }

    #[test]
    fn a_wrong_condition_is_pointed_at_inside_its_line() {
        let (_, problems) = read(&GOOD.replace("condition: selection", "condition: not selectio"));
        assert!(problems[0].starts_with("r.yml:8:18: no search identifier"), "{problems:?}");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (part, message) in [
            ("title: T\n", "needs a `title`"),
            ("logsource:\n  product: aws\n", "needs a `logsource`"),
            ("  condition: selection\n", "needs a `condition`"),
        ] {
            let (rules, problems) = read(&GOOD.replace(part, ""));
            assert!(rules.is_empty());
            assert!(problems.iter().any(|p| p.contains(message)), "{problems:?}");
        }
        assert!(read("").1.first().unwrap().contains("no rule"));
        assert!(read("just text").1.first().unwrap().contains("a rule is a map"));
    }
}

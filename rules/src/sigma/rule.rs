//! A YAML document → a rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Level, LogSource, RuleInfo};

use super::condition::{self, Condition};
use super::detection::{self, Search};
use super::yaml::{self, Node, Value};
use crate::diagnostic::{Diagnostic, Source};

/// Lists by name, for `%placeholders%`.
pub type Lists = BTreeMap<String, Vec<String>>;

/// A rule as its author wrote it, understood.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What findings say of it.
    pub info: Arc<RuleInfo>,
    /// What it sees and why it matters.
    pub description: Option<String>,
    /// When it is wrong.
    pub false_positives: Vec<String>,
    /// What to do when it fires (a field of this product's own).
    pub response: Vec<String>,
    /// Which events it is for.
    pub logsource: LogSource,
    /// Search identifiers, in the order written.
    pub searches: Vec<(String, Search)>,
    /// The condition; several in a list are alternatives.
    pub condition: Condition,
    /// Where it was read.
    pub source: Arc<Source>,
    /// The document's first byte in it.
    pub offset: usize,
}

/// Reads the rules of a source. Every mistake becomes a diagnostic; a rule with an error is left out, the
/// others are returned.
pub fn parse(source: &Arc<Source>, lists: &Lists, problems: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let documents = match yaml::documents(source) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.push(*problem);
            return Vec::new();
        }
    };
    if documents.is_empty() {
        problems.push(Diagnostic::error(source, 0..0, "no rule in this file"));
    }
    documents.iter().filter_map(|document| rule(document, source, lists, problems)).collect()
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
    let error = |node: &Node, message: &str| Diagnostic::error(source, node.span.clone(), message);
    if !matches!(document.value, Value::Map(_)) {
        problems.push(error(document, "a rule is a map with `title`, `logsource` and `detection`"));
        return None;
    }
    for (kind, what) in [("correlation", "correlation rules"), ("filter", "filters")] {
        if let Some((key, _)) = document.entry(kind) {
            problems.push(error(key, &format!("{what} are not supported yet")));
            return None;
        }
    }
    if let Some((key, _)) = document.entry("action") {
        problems.push(
            error(key, "`action` is not Sigma 2 any more").with_help(
                "write each rule out, or make it a rule with several search identifiers",
            ),
        );
        return None;
    }
    let text = |key: &str| {
        document.get(key).and_then(|node| node.scalar_text(source)).filter(|text| !text.is_empty())
    };
    let texts = |key: &str| -> Vec<String> {
        let items = document.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(|node| node.scalar_text(source)).collect()
    };
    let first = Node { span: document.span.start..document.span.start + 1, ..document.clone() };
    let title = text("title");
    if title.is_none() {
        problems.push(error(&first, "a rule needs a `title`"));
    }
    let level = match document.get("level") {
        None => Level::Medium,
        Some(node) => match node.scalar_text(source).unwrap_or_default().parse::<Level>() {
            Ok(level) => level,
            Err(unknown) => {
                problems.push(error(node, &unknown.to_string()));
                Level::Medium
            }
        },
    };
    let logsource = match document.entry("logsource") {
        None => {
            problems.push(error(&first, "a rule needs a `logsource`"));
            LogSource::default()
        }
        Some((key, node)) => read_logsource(key, node, source, problems),
    };
    let Some((key, detection)) = document.entry("detection") else {
        problems.push(error(&first, "a rule needs a `detection`"));
        return None;
    };
    let Value::Map(entries) = &detection.value else {
        problems.push(error(key, "`detection` is a map of search identifiers and a `condition`"));
        return None;
    };
    let mut searches = Vec::new();
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
            _ => {
                if let Some(search) = detection::read(node, source, lists, problems) {
                    searches.push((name, search));
                }
            }
        }
    }
    // A broken search would only make its condition look wrong as well.
    if errors(problems) > before {
        return None;
    }
    let names: Vec<&str> = searches.iter().map(|(name, _)| name.as_str()).collect();
    let condition = read_condition(key, detection, &names, source, problems)?;
    if errors(problems) > before {
        return None;
    }
    let sizes: Vec<usize> = searches.iter().map(|(_, search)| search.size()).collect();
    if condition.size(&sizes) > MAX_TESTS {
        problems.push(
            error(key, &format!("this comes to more than {MAX_TESTS} tests"))
                .with_help("name each search identifier once, or shorten its lists"),
        );
        return None;
    }
    let title = title?;
    let id = text("id").unwrap_or_else(|| title.clone());
    Some(Rule {
        info: Arc::new(RuleInfo { id, title, level, tags: texts("tags") }),
        description: text("description").map(|text| text.trim().to_owned()),
        false_positives: texts("falsepositives"),
        response: texts("response"),
        logsource,
        searches,
        condition,
        source: Arc::clone(source),
        offset: document.span.start,
    })
}

fn errors(problems: &[Diagnostic]) -> usize {
    problems.iter().filter(|p| p.severity == crate::diagnostic::Severity::Error).count()
}

fn read_logsource(
    key: &Node,
    node: &Node,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) -> LogSource {
    let part = |name: &str| node.get(name).and_then(|node| node.scalar_text(source));
    let logsource = LogSource {
        category: part("category"),
        product: part("product"),
        service: part("service"),
    };
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
fn locate(
    source: &Source,
    node: &Node,
    text: &str,
    within: std::ops::Range<usize>,
) -> std::ops::Range<usize> {
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
    use super::*;

    fn read(text: &str) -> (Vec<Rule>, Vec<String>) {
        let source = Arc::new(Source { name: "r.yml".into(), text: text.into() });
        let mut problems = Vec::new();
        let rules = parse(&source, &Lists::new(), &mut problems);
        (rules, problems.iter().map(ToString::to_string).collect())
    }

    const GOOD: &str = "title: T\nid: 1\nlogsource:\n  product: aws\ndetection:\n  selection:\n    eventName: X\n  condition: selection\nlevel: high\ntags: [attack.t1059]\n";

    #[test]
    fn a_rule_is_read() {
        let (rules, problems) = read(GOOD);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(rules[0].info.level, Level::High);
        assert_eq!(rules[0].info.tags, ["attack.t1059"]);
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
        assert!(problems[2].starts_with("r.yml:8:11: not a regular"), "{}", problems[2]);
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

//! A correlation: several matches that say more together (Correlation Rules specification).

use std::ops::Range;
use std::sync::Arc;

use jiff::SignedDuration;

use super::condition::{self, Condition};
use super::filter::{Reference, read_references};
use super::meta::{self, Meta};
use super::rule::{errors, locate};
use super::spelling;
use super::test::Comparison;
use super::yaml::{Node, Value};
use crate::diagnostic::{Diagnostic, Source};

/// What is asked of the matches of a group within the timespan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CorrelationKind {
    /// How many there are.
    EventCount,
    /// How many different values of the fields there are.
    ValueCount,
    /// The sum of a field's values.
    ValueSum,
    /// Their mean.
    ValueAvg,
    /// This percentile of them, by nearest rank.
    ValuePercentile(f64),
    /// Which rules have matched.
    Temporal,
    /// The same, in the order listed.
    TemporalOrdered,
}

impl CorrelationKind {
    const WORDS: [&'static str; 8] = [
        "event_count",
        "value_count",
        "value_sum",
        "value_avg",
        "value_percentile",
        "value_median",
        "temporal",
        "temporal_ordered",
    ];

    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "event_count" => Self::EventCount,
            "value_count" => Self::ValueCount,
            "value_sum" => Self::ValueSum,
            "value_avg" => Self::ValueAvg,
            "value_percentile" => Self::ValuePercentile(0.0),
            "value_median" => Self::ValuePercentile(50.0),
            "temporal" => Self::Temporal,
            "temporal_ordered" => Self::TemporalOrdered,
            _ => return None,
        })
    }

    /// The word that Sigma uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventCount => "event_count",
            Self::ValueCount => "value_count",
            Self::ValueSum => "value_sum",
            Self::ValueAvg => "value_avg",
            Self::ValuePercentile(_) => "value_percentile",
            Self::Temporal => "temporal",
            Self::TemporalOrdered => "temporal_ordered",
        }
    }

    /// Is it about a field's values?
    pub const fn needs_field(self) -> bool {
        matches!(
            self,
            Self::ValueCount | Self::ValueSum | Self::ValueAvg | Self::ValuePercentile(_)
        )
    }

    /// Is it about which rules have matched?
    pub const fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }
}

/// A number, and how what was counted has to compare to it; `None`: equals it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// How.
    pub comparison: Option<Comparison>,
    /// To what.
    pub number: f64,
}

impl Bound {
    /// Does `value` compare so?
    #[expect(clippy::float_cmp, reason = "counts are whole, and `eq` says equal")]
    pub fn holds(self, value: f64) -> bool {
        self.comparison
            .map_or(value == self.number, |comparison| comparison.holds(&value, &self.number))
    }

    /// Does a greater value never end to hold?
    pub const fn is_lower(self) -> bool {
        matches!(self.comparison, Some(Comparison::Greater | Comparison::GreaterOrEqual))
    }
}

/// When a correlation holds.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelationCondition {
    /// All of these hold.
    Bounds(Vec<Bound>),
    /// Over the rules, by their index in [`Correlation::rules`].
    Rules(Condition),
}

/// A name for what has different names in different rules' events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// Rule by id or name → field.
    pub fields: Vec<(Reference, String)>,
}

/// A correlation as its author wrote it, understood.
#[derive(Clone, Debug)]
pub struct Correlation {
    /// What it says of itself.
    pub meta: Meta,
    /// What is asked.
    pub kind: CorrelationKind,
    /// Of the matches of these rules and correlations.
    pub rules: Vec<Reference>,
    /// Fields that all matches of a group have in common.
    pub group_by: Vec<String>,
    /// Other names of fields.
    pub aliases: Vec<Alias>,
    /// How far apart the first and the last match may be.
    pub timespan: SignedDuration,
    /// Shall the rules also be told on their own? `None`: not said, which means no.
    pub generate: Option<bool>,
    /// When it holds.
    pub condition: CorrelationCondition,
    /// The fields of a value correlation.
    pub fields: Vec<String>,
    /// Where `rules` stands.
    pub rules_span: Range<usize>,
    /// Where its condition stands; its `type`, if it has none.
    pub condition_span: Range<usize>,
}

/// What a correlation may say.
const KEYS: [&str; 8] =
    ["type", "rules", "group-by", "aliases", "timespan", "condition", "generate", "field"];

pub(super) fn read(
    document: &Node,
    source: &Arc<Source>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Correlation> {
    let before = errors(problems);
    let meta = meta::read(document, source, &["correlation"], problems);
    for key in ["logsource", "detection", "filter"] {
        if let Some((key, _)) = document.entry(key) {
            let message = "a correlation has no log source, no detection and no filter";
            problems.push(
                Diagnostic::error(source, key.span.clone(), message)
                    .with_help("put the rule into a document of its own, behind a line `---`"),
            );
        }
    }
    let (key, node) = document.entry("correlation")?;
    let Value::Map(entries) = &node.value else {
        let message = "`correlation` is a map with `type`, `rules` and `timespan`";
        problems.push(Diagnostic::error(source, key.span.clone(), message));
        return None;
    };
    let mut reader = Reader { source, problems, key, node };
    for (key, _) in entries {
        let name = key.scalar_text(source).unwrap_or_default();
        if !KEYS.contains(&name.as_str()) {
            let near = spelling::nearest(&name, KEYS.into_iter());
            let help = near.map_or_else(
                || format!("there are: {}", KEYS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            reader.error(key, format!("a correlation has no `{name}`"), Some(&help));
        }
    }
    let kind = reader.kind();
    let timespan = reader.timespan();
    let rules = match node.get("rules") {
        Some(node) => read_references(node, source, reader.problems),
        None => Vec::new(),
    };
    let group_by = node.get("group-by").map(|node| reader.names(node)).unwrap_or_default();
    let generate = reader.generate();
    let aliases = reader.aliases();
    let mut fields = node.get("field").map(|node| reader.names(node)).unwrap_or_default();
    // All mistakes are told at once: the condition is read also where something else is missing.
    let (kind, rules, condition) = reader.condition(kind?, rules, &mut fields)?;
    let timespan = timespan?;
    if rules.is_empty() {
        reader.missing("rules", "the ids or names of rules");
    }
    if kind.needs_field() && fields.is_empty() {
        let message = format!("`{}` needs the field whose values it is about", kind.as_str());
        let at = node.entry("condition").map_or(key, |(key, _)| key);
        reader.error(at, message, Some("write `field: …` into `condition`"));
    }
    if !kind.needs_field() && !fields.is_empty() {
        let within = node.get("condition").and_then(|condition| condition.entry("field"));
        let at = within.or_else(|| node.entry("field")).map_or(key, |(key, _)| key);
        let message = format!("`{}` counts matches and looks at no field", kind.as_str());
        let help = "for its different values there is `value_count`";
        reader.error(at, message, Some(help));
    } else if !matches!(kind, CorrelationKind::ValueCount) && fields.len() > 1 {
        let message = format!("`{}` is about one field", kind.as_str());
        reader.error(key, message, None);
    }
    if errors(problems) > before {
        return None;
    }
    let rules_span = node.entry("rules").map_or(key, |(key, _)| key).span.clone();
    Some(Correlation {
        meta: meta?,
        kind,
        rules,
        group_by,
        aliases,
        timespan,
        generate,
        condition,
        fields,
        rules_span,
        condition_span: node
            .entry("condition")
            .or_else(|| node.entry("type"))
            .map_or(key, |(key, _)| key)
            .span
            .clone(),
    })
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Vec<Diagnostic>,
    key: &'a Node,
    node: &'a Node,
}

impl Reader<'_> {
    fn error(&mut self, node: &Node, message: impl Into<String>, help: Option<&str>) {
        let mut problem = Diagnostic::error(self.source, node.span.clone(), message);
        problem.help = help.map(str::to_owned);
        self.problems.push(problem);
    }

    /// Names of fields in a list, or the one that stands there.
    fn names(&mut self, node: &Node) -> Vec<String> {
        let mut names = Vec::new();
        for item in node.items() {
            if let Some(name) = item.scalar_text(self.source) {
                names.push(name);
            } else {
                self.error(item, format!("a field is named, this is {}", item.kind()), None);
            }
        }
        names
    }

    fn missing(&mut self, name: &str, what: &str) {
        let message = format!("a correlation needs `{name}`: {what}");
        self.error(&self.key.clone(), message, None);
    }

    fn kind(&mut self) -> Option<CorrelationKind> {
        let words = CorrelationKind::WORDS;
        let Some(node) = self.node.get("type") else {
            self.missing("type", &words.join(", "));
            return None;
        };
        let word = node.scalar_text(self.source).unwrap_or_default();
        let kind = CorrelationKind::of(&word);
        if kind.is_none() {
            let help = spelling::nearest(&word, words.into_iter()).map_or_else(
                || format!("there are: {}", words.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.error(node, format!("`{word}` is no type of correlation"), Some(&help));
        }
        kind
    }

    fn timespan(&mut self) -> Option<SignedDuration> {
        const HELP: &str = "a whole number and a unit: s, m, h, d, w, M (30 days) or y (365 days)";
        let Some(node) = self.node.get("timespan") else {
            self.missing("timespan", HELP);
            return None;
        };
        let text = node.scalar_text(self.source).unwrap_or_default();
        let seconds = text.char_indices().last().and_then(|(at, unit)| {
            let unit: i64 = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 7 * 86_400,
                'M' => 30 * 86_400,
                'y' => 365 * 86_400,
                _ => return None,
            };
            let digits = text[..at].bytes().all(|byte| byte.is_ascii_digit());
            text[..at].parse::<i64>().ok().filter(|count| digits && *count > 0)?.checked_mul(unit)
        });
        if seconds.is_none() {
            self.error(node, format!("`{text}` is no timespan"), Some(HELP));
        }
        seconds.map(SignedDuration::from_secs)
    }

    fn generate(&mut self) -> Option<bool> {
        let node = self.node.get("generate")?;
        if let Value::Bool(generate) = node.value {
            return Some(generate);
        }
        self.error(node, "`generate` is `true` or `false`", None);
        None
    }

    fn aliases(&mut self) -> Vec<Alias> {
        let mut aliases = Vec::new();
        let Some(node) = self.node.get("aliases") else { return aliases };
        let Value::Map(entries) = &node.value else {
            self.error(node, "`aliases` is a map from a name to a field for each rule", None);
            return aliases;
        };
        for (key, value) in entries {
            let Value::Map(fields) = &value.value else {
                self.error(value, "an alias is a map from a rule to its field", None);
                continue;
            };
            let fields = fields.iter().filter_map(|(rule, field)| {
                let text = rule.scalar_text(self.source)?;
                let reference = Reference { text, span: rule.span.clone() };
                Some((reference, field.scalar_text(self.source)?))
            });
            let name = key.scalar_text(self.source).unwrap_or_default();
            aliases.push(Alias { name, fields: fields.collect() });
        }
        aliases
    }

    fn condition(
        &mut self,
        kind: CorrelationKind,
        mut rules: Vec<Reference>,
        fields: &mut Vec<String>,
    ) -> Option<(CorrelationKind, Vec<Reference>, CorrelationCondition)> {
        let Some(node) = self.node.get("condition") else {
            if !kind.is_temporal() {
                self.missing("condition", "how many, such as `gte: 10`");
                return None;
            }
            return Some((kind, rules, CorrelationCondition::Bounds(Vec::new())));
        };
        match &node.value {
            Value::Text(text) if kind.is_temporal() => {
                if rules.is_empty() {
                    rules = named_in(self.source, node, text);
                }
                let names: Vec<&str> = rules.iter().map(|rule| rule.text.as_str()).collect();
                match condition::parse(text, &names) {
                    Ok(condition) => Some((kind, rules, CorrelationCondition::Rules(condition))),
                    Err((message, within, help)) => {
                        let span = locate(self.source, node, text, within);
                        let mut problem = Diagnostic::error(self.source, span, message);
                        problem.help = help;
                        self.problems.push(problem);
                        None
                    }
                }
            }
            Value::Map(entries) => {
                let (mut kind, mut bounds) = (kind, Vec::new());
                for (key, value) in entries {
                    let name = key.scalar_text(self.source).unwrap_or_default();
                    let comparison = match name.as_str() {
                        "field" => {
                            fields.extend(self.names(value));
                            continue;
                        }
                        "percentile" => {
                            let word = self.node.get("type").and_then(Node::as_text);
                            if word == Some("value_median") {
                                let help = "another one is asked for with `value_percentile`";
                                self.error(key, "the median is the 50th percentile", Some(help));
                                continue;
                            }
                            match (kind, number(value, self.source)) {
                                (CorrelationKind::ValuePercentile(_), Some(n))
                                    if n > 0.0 && n <= 100.0 =>
                                {
                                    kind = CorrelationKind::ValuePercentile(n);
                                }
                                (CorrelationKind::ValuePercentile(_), _) => {
                                    self.error(value, "a percentile is from 1 to 100", None);
                                }
                                _ => self.error(key, "this is for `value_percentile`", None),
                            }
                            continue;
                        }
                        "eq" => None,
                        "gt" => Some(Comparison::Greater),
                        "gte" => Some(Comparison::GreaterOrEqual),
                        "lt" => Some(Comparison::Less),
                        "lte" => Some(Comparison::LessOrEqual),
                        _ => {
                            let help = "there are: gt, gte, lt, lte, eq, field, percentile";
                            let message = format!("a condition has no `{name}`");
                            self.error(key, message, Some(help));
                            continue;
                        }
                    };
                    match number(value, self.source) {
                        Some(number) => bounds.push(Bound { comparison, number }),
                        None => self.error(value, "this has to be a number", None),
                    }
                }
                if matches!(kind, CorrelationKind::ValuePercentile(n) if n <= 0.0) {
                    let help = "write `percentile: 95`; for the middle one there is `value_median`";
                    self.error(node, "which percentile?", Some(help));
                }
                if bounds.is_empty() && !kind.is_temporal() {
                    self.error(node, "how many?", Some("one of gt, gte, lt, lte, eq"));
                }
                Some((kind, rules, CorrelationCondition::Bounds(bounds)))
            }
            _ => {
                let message = if kind.is_temporal() {
                    "a condition is a map such as `gte: 2`, or text such as `a and not b`"
                } else {
                    "a condition is a map, such as `gte: 10`"
                };
                self.error(node, message, None);
                None
            }
        }
    }
}

fn number(node: &Node, source: &Source) -> Option<f64> {
    node.scalar_text(source)?.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// The rules that a condition speaks of, each once.
fn named_in(source: &Source, node: &Node, text: &str) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    let words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
    for word in words {
        let keyword = matches!(word.to_ascii_lowercase().as_str(), "" | "and" | "or" | "not");
        if !keyword && !found.iter().any(|known| known.text == word) {
            let at = text.find(word).unwrap_or(0);
            let span = locate(source, node, text, at..at + word.len());
            found.push(Reference { text: word.to_owned(), span });
        }
    }
    found
}

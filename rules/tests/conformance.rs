//! The corpus in `conformance/`: what Sigma says, case by case, and whether this engine does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::EventKind;
use rules::evaluate::{BadJson, Wanted, fill_from_json, full_scan};
use rules::sigma::yaml::{self, Node, Value};
use rules::{
    Correlator, Evaluator, Event, Pack, PackFile, Pivot, RuleSet, Severity, Slots, Source,
};
use ssm_audit_rules as rules;

struct Json(Vec<u8>);

impl Event for Json {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(&self.0, wanted, slots)
    }
}

/// A node as JSON text, which is YAML as well: numbers as they were written, keys in their order.
fn json(node: &Node, source: &Source) -> String {
    let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(_) => node.scalar_text(source).expect("a number has a text"),
        Value::Text(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| json(item, source)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| {
                    let key = key.scalar_text(source).unwrap_or_default();
                    format!("{}: {}", quoted(&key), json(value, source))
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Most rules of the corpus are for no log source in particular: all are evaluated on all events.
const LOGSOURCE: &str = "{product: aws, service: cloudtrail}";

struct Case<'a> {
    node: &'a Node,
    source: &'a Source,
}

impl Case<'_> {
    fn text(&self, key: &str) -> Option<String> {
        self.node.get(key).and_then(|node| node.scalar_text(self.source))
    }

    fn pack(&self) -> Pack {
        let rules = self.text("rules").unwrap_or_else(|| {
            let detection = self.node.get("detection").expect("a case has rules or a detection");
            format!(
                "title: case\nid: case\nlogsource: {LOGSOURCE}\ndetection: {}\n",
                json(detection, self.source)
            )
        });
        let mut files = vec![PackFile { path: "case.yml".into(), text: rules }];
        if let Some(Value::Map(lists)) = self.node.get("lists").map(|node| &node.value) {
            for (name, entries) in lists {
                let name = name.scalar_text(self.source).unwrap_or_default();
                let text = json(entries, self.source);
                files.push(PackFile { path: format!("lists/{name}.yml"), text });
            }
        }
        Pack::read(files)
    }

    /// Runs a case; every part that goes wrong is a line.
    fn run(&self, wrong: &mut Vec<String>) -> usize {
        let mut pack = self.pack();
        let errors: Vec<String> = pack
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        if self.node.get("invalid").is_some() {
            if errors.is_empty() {
                wrong.push("is not refused".into());
            }
            return 1;
        }
        if !errors.is_empty() {
            wrong.push(format!("is refused: {errors:?}"));
            return 1;
        }
        // The log sources of the corpus are made up.
        for rule in &mut pack.rules {
            rule.logsource.category = None;
            rule.logsource.product = Some("aws".into());
            rule.logsource.service = Some("cloudtrail".into());
        }
        let set = RuleSet::compile(pack);
        let events = self.node.get("events").map(Node::items).unwrap_or_default();
        if self.node.get("fires").is_some() {
            self.correlate(&set, events, wrong);
            return 1;
        }
        for (at, entry) in events.iter().enumerate() {
            let event = entry.get("event").expect("an entry has an event");
            let bytes = json(event, self.source).into_bytes();
            let mut evaluator = Evaluator::new(&set);
            let mut matched: Vec<String> = Vec::new();
            evaluator
                .evaluate(EventKind::CloudTrail, Pivot::default(), &Json(bytes.clone()), |found| {
                    matched.push(found.rule.info().id.clone());
                })
                .expect("events are JSON");
            let value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            let plain: Vec<String> = full_scan(&set, EventKind::CloudTrail, &value)
                .iter()
                .map(|at| set.rules()[*at].info().id.clone())
                .collect();
            if plain != matched {
                wrong.push(format!("event {at}: compiled {matched:?}, full scan {plain:?}"));
            }
            let expected: Vec<String> = match entry.get("match").map(|node| &node.value) {
                Some(Value::Bool(true)) => vec!["case".into()],
                Some(Value::Bool(false)) => Vec::new(),
                Some(Value::List(ids)) => {
                    ids.iter().filter_map(|id| id.scalar_text(self.source)).collect()
                }
                _ => panic!("an entry says what matches"),
            };
            if matched != expected {
                wrong.push(format!("event {at}: matched {matched:?}, expected {expected:?}"));
            }
        }
        events.len()
    }

    /// The fires of all correlations, with the events in their order, backwards, and mixed.
    fn correlate(&self, set: &RuleSet, events: &[Node], wrong: &mut Vec<String>) {
        let fires = self.node.get("fires").map(Node::items).unwrap_or_default();
        let text = |node: &Node, key: &str| node.get(key).and_then(|n| n.scalar_text(self.source));
        let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
        for turn in 0..3 {
            let mut order: Vec<usize> = (0..events.len()).collect();
            match turn {
                0 => {}
                1 => order.reverse(),
                _ => order.sort_by_key(|at| at * 7919 % 31),
            }
            let mut correlator = Correlator::new(set);
            let mut evaluator = Evaluator::new(set);
            for at in order {
                let bytes = json(&events[at], self.source).into_bytes();
                let when = text(&events[at], "time").map(|text| time(&text));
                evaluator
                    .evaluate(EventKind::CloudTrail, Pivot::default(), &Json(bytes), |found| {
                        correlator.add(found.index, when, at as u128, found.captures, ());
                    })
                    .expect("events are JSON");
            }
            let outcome = correlator.finish(|_| ());
            if outcome.fires.len() != fires.len() {
                let found: Vec<String> = outcome
                    .fires
                    .iter()
                    .map(|fire| {
                        let id = &fire.correlation.correlation.meta.info.id;
                        format!("{id} {:?} {}..{} {}", fire.group, fire.from, fire.to, fire.count)
                    })
                    .collect();
                wrong.push(format!("turn {turn}: fires {found:?}, expected {}", fires.len()));
                continue;
            }
            for (fire, expected) in outcome.fires.iter().zip(fires) {
                let id = &fire.correlation.correlation.meta.info.id;
                let mut differs = text(expected, "rule").is_some_and(|rule| rule != *id);
                differs |= text(expected, "from").is_some_and(|from| time(&from) != fire.from);
                differs |= text(expected, "to").is_some_and(|to| time(&to) != fire.to);
                let count = text(expected, "count").and_then(|count| count.parse::<f64>().ok());
                differs |= count.is_some_and(|count| (count - fire.count).abs() > 1e-9);
                if let Some(Value::Map(group)) = expected.get("group").map(|node| &node.value) {
                    let group: BTreeMap<String, String> = group
                        .iter()
                        .filter_map(|(key, value)| {
                            Some((key.scalar_text(self.source)?, value.scalar_text(self.source)?))
                        })
                        .collect();
                    let own: BTreeMap<String, String> = fire
                        .group
                        .iter()
                        .map(|(field, value)| ((*field).to_owned(), value.clone()))
                        .collect();
                    differs |= group != own;
                }
                if differs {
                    wrong.push(format!(
                        "turn {turn}: {id} {:?} from {} to {} count {}, expected {}",
                        fire.group,
                        fire.from,
                        fire.to,
                        fire.count,
                        json(expected, self.source),
                    ));
                }
            }
        }
    }
}

#[test]
fn the_engine_does_what_sigma_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let mut files: Vec<_> = std::fs::read_dir(&root)
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    let (mut cases, mut failures) = (0, Vec::new());
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("readable");
        let source = Arc::new(Source { name: name.clone(), text });
        let documents = yaml::documents(&source).unwrap_or_else(|error| panic!("{error}"));
        for node in documents.iter().flat_map(Node::items) {
            let case = Case { node, source: &source };
            let title = case.text("name").unwrap_or_else(|| "null".to_owned());
            let mut wrong = Vec::new();
            cases += case.run(&mut wrong);
            failures.extend(wrong.into_iter().map(|line| format!("{name}: {title}: {line}")));
        }
    }
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
    assert!(cases >= 400, "{cases} cases");
}

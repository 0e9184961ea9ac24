//! The compiled set against the definition.

use std::sync::Arc;

use model::EventKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::pack::{Pack, PackFile};

struct Json(Vec<u8>);

impl Event for Json {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(&self.0, wanted, slots)
    }
}

fn set(rules: &[String]) -> RuleSet {
    let files = rules
        .iter()
        .enumerate()
        .map(|(at, text)| PackFile { path: format!("r{at:04}.yml"), text: text.clone() });
    let pack = Pack::read(files);
    let errors: Vec<String> = pack.problems.iter().map(ToString::to_string).collect();
    assert!(pack.rules.len() == rules.len(), "{errors:#?}");
    RuleSet::compile(pack)
}

fn rule(id: usize, detection: &str) -> String {
    format!(
        "title: R{id}\nid: r{id}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}"
    )
}

fn matching(set: &RuleSet, event: &Value, pivot: Pivot<'_>) -> Vec<(String, Vec<Evidence>)> {
    let mut evaluator = Evaluator::new(set);
    let mut out = Vec::new();
    let event = Json(event.to_string().into_bytes());
    let result = evaluator.evaluate(EventKind::CloudTrail, pivot, &event, |found| {
        out.push((found.rule.info().id.clone(), found.evidence));
    });
    assert!(result.is_ok());
    out
}

fn fires(detection: &str, event: &Value) -> bool {
    let set = set(&[rule(0, detection)]);
    let fired = !matching(&set, event, Pivot::default()).is_empty();
    let plain = !full_scan(&set, EventKind::CloudTrail, event).is_empty();
    assert_eq!(fired, plain, "compiled and full scan differ: {detection} on {event}");
    fired
}

#[test]
fn matching_is_sigmas() {
    let event = json!({
        "eventName": "StartSession", "eventSource": "ssm.amazonaws.com", "n": 7, "nothing": null,
        "empty": [], "flag": false, "a.b": {"c": "dotted"},
        "request": {"target": "i-1", "list": [{"k": "x"}, {"k": "y"}], "ids": ["i-1", "i-2"]},
        "words": "the quick brown fox", "o": {"k": "é \"x\""},
    });
    let cases = [
        ("  s: {eventName: startsession}\n  condition: s\n", true),
        ("  s: {eventName|cased: startsession}\n  condition: s\n", false),
        ("  s: {eventName: [X, 'Start*']}\n  condition: s\n", true),
        ("  s: {request.target: i-1}\n  condition: s\n", true),
        ("  s: {request.list.k: y}\n  condition: s\n", true),
        ("  s: {request.ids|contains|all: [i-1, i-2]}\n  condition: s\n", true),
        ("  s: {request.ids|contains|all: [i-1, i-3]}\n  condition: s\n", false),
        ("  s: {request|contains: '\"k\":\"y\"'}\n  condition: s\n", true),
        ("  s: {a.b.c: dotted}\n  condition: s\n", true),
        (
            r#"  s: {o: '{"k":"é \"x\""}'}
  condition: s
"#,
            true,
        ),
        ("  s: {n: 7}\n  condition: s\n", true),
        ("  s: {n|gte: 7, n|lt: 8}\n  condition: s\n", true),
        ("  s: {flag: false}\n  condition: s\n", true),
        (
            "  s: {nothing: null, missing: null, request.target.deeper: null}\n  condition: s\n",
            true,
        ),
        ("  s: {empty: null}\n  condition: s\n", true),
        ("  s: {eventName: null}\n  condition: s\n", false),
        ("  s: {empty|exists: true}\n  condition: s\n", true),
        ("  s: ['eventName']\n  condition: s\n", true),
        ("  s: {nothing|exists: true}\n  condition: s\n", true),
        ("  s: {missing|exists: false}\n  condition: s\n", true),
        ("  s: {eventName: ''}\n  condition: s\n", false),
        ("  s: ['quick brown', nonsense]\n  condition: s\n", true),
        ("  s: {'|all': [quick, fox]}\n  condition: s\n", true),
        ("  s: {'|all': [quick, dog]}\n  condition: s\n", false),
        ("  s: [{n: 8}, {n: 7}]\n  condition: s\n", true),
        ("  s: {eventName: X}\n  f: {n: 7}\n  condition: not s and f\n", true),
        ("  s: {eventName|neq: X}\n  condition: s\n", true),
        ("  s: {eventName|re: '^Start'}\n  condition: s\n", true),
        ("  s: {eventName|fieldref: eventName}\n  condition: s\n", true),
        ("  s: {eventName|fieldref: missing}\n  condition: s\n", false),
        ("  s: {eventName: X}\n  t: {n: 7}\n  condition: [s, t]\n", true),
    ];
    for (detection, expected) in cases {
        assert_eq!(fires(detection, &event), expected, "{detection}");
    }
}

#[test]
fn the_evidence_is_what_spoke_for_the_match() {
    let set = set(&[rule(
        0,
        "  sel: {eventName: StartSession, request.ids|startswith: 'i-2'}\n  alt_1: {x: 1}\n  alt_2: {n: 7}\n  filter: {y: 1}\n  condition: sel and 1 of alt_* and not filter\n",
    )]);
    let event = json!({"eventName": "StartSession", "n": 7, "request": {"ids": ["i-1", "i-22"]}});
    let found = matching(&set, &event, Pivot::default());
    let evidence: Vec<(&str, Option<&str>, &str)> = found[0]
        .1
        .iter()
        .map(|e| (e.field.as_str(), e.value.as_deref(), e.selection.as_str()))
        .collect();
    assert_eq!(
        evidence,
        [
            ("eventName", Some("StartSession"), "sel"),
            ("request.ids", Some("i-22"), "sel"),
            ("n", Some("7"), "alt_2"),
        ]
    );
}

#[test]
fn the_pivot_rules_out_only_what_cannot_match() {
    let rules = [
        "  s: {eventName: StopLogging}\n  condition: s\n",
        "  s: {eventName|startswith: Stop}\n  condition: s\n",
        "  s: {eventSource: ssm.amazonaws.com}\n  condition: s\n",
        "  s: {eventName: X}\n  condition: not s\n",
        "  s: {eventName: X}\n  t: {n: 1}\n  condition: s or t\n",
        "  s: {errorCode: null}\n  condition: s\n",
    ];
    let set = set(&rules.iter().enumerate().map(|(at, text)| rule(at, text)).collect::<Vec<_>>());
    let mut evaluator = Evaluator::new(&set);
    let pivot = Pivot {
        event_source: Some(b"cloudtrail.amazonaws.com".as_slice()),
        event_name: Some(b"StopLogging".as_slice()),
        ..Pivot::default()
    };
    let partition = set.partition(EventKind::CloudTrail).unwrap();
    let candidates = evaluator.candidates(EventKind::CloudTrail, partition, &pivot);
    assert_eq!(candidates.rules, [0, 1, 3, 4, 5]);
    assert_eq!(
        evaluator.candidates(EventKind::CloudTrail, partition, &Pivot::default()).rules.len(),
        6
    );
    assert!(!evaluator.may_match(EventKind::Command, pivot));
}

#[test]
fn an_event_of_another_kind_is_not_looked_at() {
    let set = set(&[rule(0, "  s: {eventName: X}\n  condition: s\n")]);
    assert!(set.has(EventKind::CloudTrail) && !set.has(EventKind::LinuxProcess));
    assert_eq!(set.idle(&[EventKind::CloudTrail]).count(), 0);
    assert_eq!(set.idle(&[EventKind::Command]).count(), 1);
}

fn value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "",
        "a",
        "A",
        "ab",
        "aab",
        "b",
        "ba",
        "Ü",
        // Of these the length is another without regard to case, or there is more than one.
        "a\u{212a}b",
        "aſİ",
        "7",
        "xxxxxxxxxxxxxxxxAb",
        "10.0.0.1",
        "x*y",
        "2026-07-07T07:08:09Z",
    ]);
    let leaf = prop_oneof![
        4 => word.prop_map(Value::from),
        // Longer than what is looked at in short steps.
        1 => Just(Value::from("xAb".repeat(100))),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (0_i64..12).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]|a\\.b", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let keys = "eventName|eventSource|[abc]|a\\.b";
    prop::collection::btree_map(keys, value(), 0..6)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// A record of which it is known where its own keys' values stand.
struct Noted {
    bytes: Vec<u8>,
    places: Vec<(&'static str, Place)>,
}

impl Event for Noted {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_members(&self.bytes, &|name| self.member(name), wanted, slots)
    }

    fn member(&self, name: &str) -> Place {
        let place = self.places.iter().find(|(key, _)| *key == name);
        place.map_or(Place::Absent, |(_, place)| *place)
    }
}

/// Where the value of a key of an object stands.
fn nested(noted: &Noted, member: &str, key: &str) -> Place {
    use std::collections::BTreeMap;
    let Place::At(start, Some(end)) = noted.member(member) else { return Place::Unknown };
    let object = &noted.bytes[start..end];
    let values = serde_json::from_slice::<BTreeMap<&str, &serde_json::value::RawValue>>(object);
    let Ok(values) = values else { return Place::Unknown };
    let Some(value) = values.get(key) else { return Place::Absent };
    let begin = start + (value.get().as_ptr() as usize - object.as_ptr() as usize);
    Place::At(begin, (value.get().len() % 2 == 0).then_some(begin + value.get().len()))
}

/// An element such as `userIdentity`: no key twice, and none with a dot beside the first piece of its name.
fn identity() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-c]{0,3}".prop_map(Value::from),
        Just(Value::Null),
        (0_i64..12).prop_map(Value::from),
        Just(json!({"b.c": "ab", "b.d": "ab"})),
    ];
    let object = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("type|arn|a|b|c|b\\.c|b\\.d", inner, 0..5).prop_map(
                |mut map| {
                    if map.contains_key("b.c") || map.contains_key("b.d") {
                        map.remove("b");
                    }
                    Value::Object(map.into_iter().collect())
                }
            ),
        ]
    });
    object.boxed()
}

fn item() -> impl Strategy<Value = String> {
    let field =
        prop::sample::select(vec!["eventName", "eventSource", "a", "b", "a.b", "a.b.c", "b.a", ""]);
    let text = prop::sample::select(vec![
        "''",
        "a",
        "A",
        "ab",
        "'a*'",
        "'*b'",
        "'a?'",
        "'?'",
        "'*'",
        "ü",
        "7",
        "'*a*b*'",
        r"'x\*y'",
        "rue",
        "'\":7'",
        "'7}'",
        "'*true,*'",
    ]);
    let plain = prop::sample::select(vec![
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|cased",
        "|contains|cased",
        "|neq",
        "|contains|neq",
    ]);
    let named = prop::sample::select(vec!["eventName", "a", "a.b", "a.b.c", "b.a"]);
    let shape = prop::sample::select(vec!["", "|contains", "|startswith", "|endswith"]);
    let part = prop::sample::select(vec!["hour", "day|gte", "month|lt", "minute|neq", "year|gt"]);
    let regex = prop::sample::select(vec!["'^a'", "'b$'", "'(?i)A.?B'", "'.'", "'^$'", "'a|b'"]);
    prop_oneof![
        6 => (field.clone(), plain.clone(), text.clone())
            .prop_map(|(field, modifier, text)| format!("'{field}{modifier}': {text}")),
        2 => (field.clone(), plain, text.clone(), text.clone(), any::<bool>()).prop_map(
            |(field, modifier, a, b, all)| {
                format!("'{field}{modifier}{}': [{a}, {b}]", if all { "|all" } else { "" })
            }
        ),
        1 => (field.clone(), regex).prop_map(|(field, regex)| format!("'{field}|re': {regex}")),
        1 => named.clone().prop_map(|field| format!("'{field}': null")),
        1 => (named.clone(), any::<bool>()).prop_map(|(f, b)| format!("'{f}|exists': {b}")),
        1 => (field.clone(), 0..12).prop_map(|(field, n)| format!("'{field}|gte': {n}")),
        1 => field.prop_map(|field| format!("'{field}|cidr': 10.0.0.0/8")),
        1 => (named.clone(), shape, any::<bool>()).prop_map(|(field, shape, cased)| {
            format!("'{field}|fieldref{shape}{}': b", if cased { "|cased" } else { "" })
        }),
        1 => (named, part).prop_map(|(field, part)| format!("'{field}|{part}': 7")),
    ]
}

fn detection() -> impl Strategy<Value = String> {
    let map = || {
        prop::collection::vec(item(), 1..3).prop_map(|items| {
            // Two equal keys would not be YAML.
            let mut keys = std::collections::BTreeSet::new();
            let kept: Vec<String> = items
                .into_iter()
                .filter(|item| keys.insert(item.split("': ").next().unwrap_or_default().to_owned()))
                .collect();
            format!("{{{}}}", kept.join(", "))
        })
    };
    let condition = prop::sample::select(vec![
        "x and y",
        "x or y",
        "not x",
        "x and not y",
        "not (x or y)",
        "1 of them",
        "all of them",
        "not x or y",
        "x",
    ]);
    (map(), map(), condition)
        .prop_map(|(x, y, condition)| format!("  x: {x}\n  y: {y}\n  condition: {condition}\n"))
}

#[test]
fn a_rule_alone_finds_what_the_definition_finds() {
    // What the record's bytes rule out must not match.
    let cases = [
        ("request.force|endswith: rue", json!({"request": {"force": true}})),
        ("request.force: '?rue'", json!({"request": {"force": true}})),
        ("request.force|endswith: alse", json!({"request": {"force": false}})),
        ("request.n|endswith: '0400'", json!({"request": {"n": 90_400}})),
        ("request|endswith: 'rue}'", json!({"request": {"force": true}})),
        ("request|contains: '\"a\":true'", json!({"request": {"a": true, "b": 1}})),
        ("request|contains: '\"p\":3389,'", json!({"request": {"p": 3389, "q": 1}})),
        ("request|re: '\"p\":3389,'", json!({"request": {"p": 3389, "q": 1}})),
        ("request|contains: '[1000,2000]'", json!({"request": {"p": [1000, 2000]}})),
        (".a: x", json!({".a": "x", "eventName": "E"})),
    ];
    for (test, event) in cases {
        let set = set(&[rule(0, &format!("  s: {{{test}}}\n  condition: s\n"))]);
        assert_eq!(full_scan(&set, EventKind::CloudTrail, &event), [0], "{test}");
        for text in [event.to_string(), format!("{event:#}")] {
            let json = Json(text.clone().into_bytes());
            let pivot = Pivot { record: Some(&json.0), ..Pivot::default() };
            let mut found = Vec::new();
            let mut evaluator = Evaluator::new(&set);
            evaluator
                .evaluate(EventKind::CloudTrail, pivot, &json, |m| found.push(m.index))
                .unwrap();
            assert_eq!(found, [0], "{test} on {text}");
        }
    }
}

#[test]
fn an_event_that_is_nested_too_deeply_is_told() {
    let set = set(&[rule(0, "  s: [needle]\n  condition: s\n")]);
    for (depth, is_read) in [(100, true), (200, false), (100_000, false)] {
        let nested = format!("{{\"a\":{}\"needle\"{}}}", "[".repeat(depth), "]".repeat(depth));
        let mut found = Vec::new();
        let mut evaluator = Evaluator::new(&set);
        let event = Json(nested.into_bytes());
        let result = evaluator.evaluate(EventKind::CloudTrail, Pivot::default(), &event, |m| {
            found.push(m.index);
        });
        assert_eq!((result.is_ok(), found.len()), (is_read, usize::from(is_read)), "{depth}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Law 3: the compiled set finds what the full scan finds, whatever is known beforehand.
    #[test]
    fn the_compiled_set_matches_as_defined(
        detections in prop::collection::vec(detection(), 1..40),
        events in prop::collection::vec(event(), 1..6),
    ) {
        let rules: Vec<String> = detections.iter().enumerate().map(|(at, text)| rule(at, text)).collect();
        let set = set(&rules);
        let mut evaluator = Evaluator::new(&set);
        for event in &events {
            let expected: Vec<String> = full_scan(&set, EventKind::CloudTrail, event)
                .into_iter()
                .map(|at| set.rules()[at].info().id.clone())
                .collect();
            let own = |key: &str| event[key].as_str().map(str::as_bytes);
            let (event_source, event_name) = (own("eventSource"), own("eventName"));
            // With blanks between its parts it is the same.
            let written = [event.to_string(), format!("{event:#}")];
            for json in written.map(|text| Json(text.into_bytes())) {
                let pivots = [
                    Pivot::default(),
                    Pivot { event_source, event_name, record: None },
                    Pivot { event_source, event_name, record: Some(&json.0) },
                    Pivot { record: Some(&json.0), ..Pivot::default() },
                ];
                for pivot in pivots {
                    let mut found = Vec::new();
                    let result = evaluator.evaluate(EventKind::CloudTrail, pivot, &json, |m| {
                        found.push(m.rule.info().id.clone());
                    });
                    prop_assert!(result.is_ok());
                    prop_assert_eq!(&found, &expected, "{} on {}", rules.join("\n"), event);
                }
            }
        }
    }

    /// Where the record's own keys were noted beforehand, the same is found.
    #[test]
    fn noted_members_change_nothing(
        fields in prop::collection::vec(
            prop::sample::select(vec![
                "userIdentity.type", "userIdentity.arn", "userIdentity.a.type", "userIdentity.a.b.c", "userIdentity.a.b.d", "userIdentity",
                "userIdentity.a", "userAgent", "other", "other.type",
            ]),
            1..4,
        ),
        identity in identity(),
        other in identity(),
        agent in prop::option::of("[a-c]{0,3}"),
    ) {
        let tests: Vec<String> = fields
            .iter()
            .flat_map(|field| {
                ["|contains: a", ": null", "|exists: true", ": ab"].map(|test| format!("{field}{test}"))
            })
            .collect();
        let rules: Vec<String> = tests
            .iter()
            .enumerate()
            .map(|(at, test)| rule(at, &format!("  s: {{{test}}}\n  condition: s\n")))
            .collect();
        let set = set(&rules);
        let mut members = vec![("userIdentity", identity.to_string()), ("other", other.to_string())];
        members.extend(agent.map(|agent| ("userAgent", json!(agent).to_string())));
        let mut noted = Noted { bytes: b"{".to_vec(), places: Vec::new() };
        for (at, (key, value)) in members.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            noted.bytes.extend(format!("{comma}\"{key}\":").bytes());
            let start = noted.bytes.len();
            noted.bytes.extend(value.bytes());
            noted.places.push((key, Place::At(start, Some(noted.bytes.len()))));
        }
        noted.bytes.push(b'}');
        for (name, key) in [("userIdentity.type", "type"), ("userIdentity.arn", "arn")] {
            noted.places.push((name, nested(&noted, "userIdentity", key)));
        }
        let event: Value = serde_json::from_slice(&noted.bytes).unwrap();
        let mut found = Vec::new();
        let kind = EventKind::CloudTrail;
        let mut evaluator = Evaluator::new(&set);
        evaluator.evaluate(kind, Pivot::default(), &noted, |m| found.push(m.index)).unwrap();
        prop_assert_eq!(found, full_scan(&set, kind, &event), "{}", event);
        // Those that need a text that stands in the value of an own key.
        for chosen in rules.chunks(4).flat_map(|of_field| [&of_field[..1], &of_field[3..]]) {
            let set = self::set(chosen);
            let (mut found, mut evaluator) = (Vec::new(), Evaluator::new(&set));
            let pivot = Pivot { record: Some(&noted.bytes), ..Pivot::default() };
            evaluator.evaluate(kind, pivot, &noted, |m| found.push(m.index)).unwrap();
            prop_assert_eq!(found, full_scan(&set, kind, &event), "{}", event);
        }
    }

    #[test]
    fn no_rule_text_makes_the_reader_fail(text in "(?s).{0,300}") {
        let source = Arc::new(crate::diagnostic::Source { name: "x.yml".into(), text });
        let mut problems = Vec::new();
        let _ = crate::sigma::parse(&source, &std::collections::BTreeMap::default(), &mut problems);
    }
}

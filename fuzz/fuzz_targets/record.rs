//! Any bytes as a record: what the walk over them finds is what the definition finds in the parsed record.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use model::EventKind;
use rules::evaluate::{BadJson, Wanted, fill_from_json, full_scan};
use rules::{Evaluator, Event, Pack, PackFile, Pivot, RuleSet, Slots};

struct Json<'a>(&'a [u8]);

impl Event for Json<'_> {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(self.0, wanted, slots)
    }
}

const FIELDS: [&str; 8] =
    ["a", "a.b", "a.b.c", "b", "eventName", "userIdentity.type", "userIdentity", "x.y.z"];
const TESTS: [&str; 9] = [
    ": null", "|exists: true", ": ''", ": a", "|contains: a", "|re: '[a-z]{2}'", "|gte: 1",
    "|endswith: 'A'", "|cidr: 10.0.0.0/8",
];

fn set() -> &'static RuleSet {
    static SET: OnceLock<RuleSet> = OnceLock::new();
    SET.get_or_init(|| {
        let mut files = Vec::new();
        for (at, field) in FIELDS.iter().enumerate() {
            for (with, test) in TESTS.iter().enumerate() {
                let text = format!(
                    "title: {at}-{with}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  s:\n    {field}{test}\n  condition: s\n"
                );
                files.push(PackFile { path: format!("{at}-{with}.yml"), text });
            }
        }
        RuleSet::compile(Pack::read(files))
    })
}

/// An object with a key twice: which of them counts is not said anywhere.
fn has_twice(value: &serde_json::Value, bytes: &[u8]) -> bool {
    fn keys(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Object(map) => map.len() + map.values().map(keys).sum::<usize>(),
            serde_json::Value::Array(items) => items.iter().map(keys).sum(),
            _ => 0,
        }
    }
    let colons = {
        let (mut quoted, mut escaped, mut count) = (false, false, 0);
        for byte in bytes {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b':' if !quoted => count += 1,
                _ => {}
            }
        }
        count
    };
    colons != keys(value)
}

fuzz_target!(|bytes: &[u8]| {
    let mut evaluator = Evaluator::new(set());
    let mut found = Vec::new();
    let result = evaluator
        .evaluate(EventKind::CloudTrail, Pivot::default(), &Json(bytes), |m| found.push(m.index));
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    if !value.is_object() || has_twice(&value, bytes) {
        return;
    }
    assert!(result.is_ok(), "{result:?}");
    // An object's own text has its keys in their order and its numbers as they are written; a parsed one has not.
    let again = value.to_string();
    let mut quoted = false;
    let written: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| {
            quoted ^= *byte == b'"';
            quoted || !byte.is_ascii_whitespace()
        })
        .collect();
    if written == again.as_bytes() {
        assert_eq!(found, full_scan(set(), EventKind::CloudTrail, &value));
    }
});

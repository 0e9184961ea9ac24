//! Many rules made of a few real ones: disjoint, so that none matches what happens, or overlapping, so that all
//! are about the same calls and programs.

use rules::PackFile;
use serde_json::{Value, json};

/// How the copies of a rule differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// In every value: each copy is about something else.
    Disjoint,
    /// In every value but those that say what the event is about: its call, its service, its program.
    Overlapping,
}

/// The rules in `files`, as values.
pub fn documents(files: &[PackFile]) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for file in files.iter().filter(|file| !file.path.contains(".test.")) {
        let Ok(document) = serde_saphyr::from_str::<Value>(&file.text) else { continue };
        // Placeholders need lists, and a rule without a detection is a correlation, a filter or a list.
        if document.get("detection").is_some() && !file.text.contains("|expand") {
            rules.push(document);
        }
    }
    rules
}

/// `count` rules: the originals first, then copies of them in turn.
pub fn rules(originals: &[Value], count: usize, kind: Kind) -> Vec<Value> {
    (0..count)
        .map(|at| {
            let mut rule = originals[at % originals.len()].clone();
            if at >= originals.len() {
                rule["title"] = json!(format!("{} {at}", rule["title"].as_str().unwrap_or("rule")));
                rule["id"] = json!(format!("00000000-0000-4000-8000-{at:012}"));
                if let Some(rule) = rule.as_object_mut() {
                    rule.remove("name");
                }
                if let Some(detection) = rule["detection"].as_object_mut() {
                    for (name, search) in detection.iter_mut() {
                        if name != "condition" && name != "timeframe" {
                            vary(search, "", at, kind);
                        }
                    }
                }
            }
            rule
        })
        .collect()
}

/// Changes the values of a search, so that they are those of copy `at`.
fn vary(value: &mut Value, field: &str, at: usize, kind: Kind) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                vary(value, key, at, kind);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| vary(item, field, at, kind)),
        Value::String(text) => {
            let name = field.split('|').next().unwrap_or_default();
            let keeps = kind == Kind::Overlapping
                && matches!(name, "eventName" | "eventSource" | "Image" | "ParentImage");
            // Behind an anchor or a network nothing can be added.
            if !keeps && !field.contains("|cidr") {
                if field.contains("|endswith") {
                    *text = format!("-{at}{text}");
                } else {
                    let open = text.trim_end_matches(['*', '$']).len();
                    let end = text.split_off(open);
                    *text = format!("{text}-{at}{end}");
                }
            }
        }
        _ => {}
    }
}

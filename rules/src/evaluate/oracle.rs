//! The plain definition of matching: every rule, every test, one after the other, on the parsed event.
//!
//! Slow and simple on purpose. Tests hold the compiled set to it; nothing else calls it.

use model::EventKind;
use serde_json::Value;

use crate::compile::RuleSet;
use crate::sigma::condition::Condition;
use crate::sigma::{Item, Search, Selection, Test, fold};

/// Indices of the rules that match `event`, in order.
pub fn full_scan(set: &RuleSet, kind: EventKind, event: &Value) -> Vec<usize> {
    set.rules()
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.logsource.applies_to(kind))
        .filter(|(_, rule)| condition(&rule.condition, &rule.selections, event))
        .map(|(at, _)| at)
        .collect()
}

fn condition(expr: &Condition, searches: &[Selection], event: &Value) -> bool {
    match expr {
        Condition::Search(at) => search(&searches[*at].search, event),
        Condition::Not(inner) => !condition(inner, searches, event),
        Condition::And(items) => items.iter().all(|item| condition(item, searches, event)),
        Condition::Or(items) => items.iter().any(|item| condition(item, searches, event)),
    }
}

fn search(definition: &Search, event: &Value) -> bool {
    match definition {
        Search::All(items) => items.iter().all(|item| search(item, event)),
        Search::Any(items) => items.iter().any(|item| search(item, event)),
        Search::Not(inner) => !search(inner, event),
        Search::Item(item) => holds(item, event),
    }
}

fn holds(item: &Item, event: &Value) -> bool {
    let mut found = Vec::new();
    match &item.field {
        Some(name) => lookup(event, name, &mut found),
        None => scalars(event, &mut found),
    }
    let mut texts: Vec<String> = found.iter().filter_map(|value| text(value)).collect();
    if item.field.is_none() {
        keys(event, &mut texts);
    }
    match &item.test {
        Test::Exists(wanted) => *wanted != found.is_empty(),
        Test::Null => texts.is_empty(),
        Test::SameAs { field, cased, shape } => {
            let mut other = Vec::new();
            lookup(event, field, &mut other);
            let other: Vec<String> = other.iter().filter_map(|value| text(value)).collect();
            texts.iter().any(|a| {
                other.iter().any(|b| {
                    if *cased { shape.holds(a, b) } else { shape.holds(&fold(a), &fold(b)) }
                })
            })
        }
        test => texts.iter().any(|text| test.matches(text)),
    }
}

/// Every value that `name` can mean: dots nest, or are part of a key.
fn lookup<'v>(value: &'v Value, name: &str, out: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| lookup(item, name, out)),
        Value::Object(map) => {
            for (key, inner) in map {
                if key == name {
                    flatten(inner, out);
                } else if let Some(rest) =
                    name.strip_prefix(key.as_str()).and_then(|r| r.strip_prefix('.'))
                    && !key.is_empty()
                    && !rest.is_empty()
                {
                    lookup(inner, rest, out);
                }
            }
        }
        _ => {}
    }
}

fn flatten<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        // An empty array is there, and has no value.
        Value::Array(items) if items.is_empty() => out.push(&Value::Null),
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        value => out.push(value),
    }
}

fn scalars<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| scalars(item, out)),
        Value::Object(map) => map.values().for_each(|item| scalars(item, out)),
        value => out.push(value),
    }
}

fn keys(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys(item, out)),
        Value::Object(map) => {
            for (key, inner) in map {
                out.push(key.clone());
                keys(inner, out);
            }
        }
        _ => {}
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

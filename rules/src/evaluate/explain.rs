//! Why a rule matched an event, or did not: which selection held, which test failed, on which value.
//!
//! Asked of one rule and one event, by the plain definition; no speed is needed here.

use std::sync::Arc;

use model::EventKind;

use super::{BadJson, Event, Slots, Wanted};
use crate::compile::{FieldTable, RuleSet, SlotId};
use crate::diagnostic::Source;
use crate::sigma::condition::Condition;
use crate::sigma::{Item, Rule, Search, Test, fold};

/// What a rule came to on an event.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Did it match?
    pub fires: bool,
    /// How far it was from matching: the tests that would have had to come out the other way, weighted by how much
    /// they say about what the event is; 0 if it matched.
    pub distance: usize,
    /// By selection, in the rule's order; behind them those of the filters on it.
    pub selections: Vec<SelectionTrace>,
}

/// A selection, and whether it held.
#[derive(Clone, Debug)]
pub struct SelectionTrace {
    /// Its name.
    pub name: String,
    /// Did it hold?
    pub holds: bool,
    /// Does the condition ask for it?
    pub is_used: bool,
    /// Would the rule's answer be another if this selection's were?
    pub decides: bool,
    /// What it is made of.
    pub trace: Trace,
}

/// A part of a selection, and whether it held.
#[derive(Clone, Debug)]
pub enum Trace {
    /// All have to hold.
    All(Vec<Self>),
    /// One has to hold.
    Any(Vec<Self>),
    /// It must not hold.
    Not(Box<Self>),
    /// One test.
    Item(ItemTrace),
}

/// One test of one field.
#[derive(Clone, Debug)]
pub struct ItemTrace {
    /// The field; `None` for a keyword.
    pub field: Option<String>,
    /// What is asked, in words.
    pub test: String,
    /// Did it hold?
    pub holds: bool,
    /// Is the field there, be it null?
    pub is_present: bool,
    /// Does the text that was asked for stand in a value at all?
    pub is_near: bool,
    /// The values that the field has, the first few.
    pub values: Vec<String>,
    /// Where the value that was compared with stands.
    pub span: std::ops::Range<usize>,
    /// The file of that place.
    pub source: Arc<Source>,
}

impl Trace {
    /// Did it hold?
    pub fn holds(&self) -> bool {
        match self {
            Self::All(items) => items.iter().all(Self::holds),
            Self::Any(items) => items.iter().any(Self::holds),
            Self::Not(inner) => !inner.holds(),
            Self::Item(item) => item.holds,
        }
    }
}

/// Most values shown of a field.
const MAX_SHOWN: usize = 5;

/// Explains the rule with this index on an event; `None` if the rule is not for events of this kind.
pub fn explain(
    set: &RuleSet,
    rule: usize,
    kind: EventKind,
    event: &dyn Event,
) -> Result<Option<Explanation>, BadJson> {
    let Some(rule) = set.rules().get(rule) else { return Ok(None) };
    if !rule.logsource.applies_to(kind) {
        return Ok(None);
    }
    let Some(partition) = set.partition(kind) else { return Ok(None) };
    let mut slots = Slots::default();
    slots.clear(partition.fields.len());
    event.fill(&Wanted { keywords: true, ..Wanted::all(&partition.fields) }, &mut slots)?;
    let explainer = Explainer { fields: &partition.fields, slots: &slots };
    Ok(Some(explainer.rule(rule)))
}

struct Explainer<'a> {
    fields: &'a FieldTable,
    slots: &'a Slots,
}

impl Explainer<'_> {
    fn rule(&self, rule: &Rule) -> Explanation {
        let traces: Vec<Trace> = rule
            .selections
            .iter()
            .map(|selection| self.search(&selection.search, &selection.source))
            .collect();
        let distance = distance(&rule.condition, &traces, true);
        let held: Vec<bool> = traces.iter().map(Trace::holds).collect();
        let fires = rule.condition.eval(&|at| held[at]);
        let mut used = Vec::new();
        rule.condition.searches(&mut used);
        let selections = rule
            .selections
            .iter()
            .zip(traces)
            .enumerate()
            .map(|(at, (selection, trace))| SelectionTrace {
                name: selection.name.clone(),
                holds: held[at],
                is_used: used.contains(&at),
                decides: used.contains(&at) && flips(&rule.condition, at, &held) != fires,
                trace,
            })
            .collect();
        Explanation { fires, distance, selections }
    }

    fn search(&self, search: &Search, source: &Arc<Source>) -> Trace {
        let all = |items: &[Search]| items.iter().map(|item| self.search(item, source)).collect();
        match search {
            Search::All(items) => Trace::All(all(items)),
            Search::Any(items) => Trace::Any(all(items)),
            Search::Not(inner) => Trace::Not(Box::new(self.search(inner, source))),
            Search::Item(item) => Trace::Item(self.item(item, source)),
        }
    }

    fn item(&self, item: &Item, source: &Arc<Source>) -> ItemTrace {
        let slot = match &item.field {
            Some(field) => self.fields.find(field),
            None => Some(SlotId::KEYWORDS),
        };
        let values = || slot.into_iter().flat_map(|slot| self.slots.texts(slot));
        let is_present = slot.is_some_and(|slot| self.slots.is_present(slot));
        let holds = match &item.test {
            Test::Exists(wanted) => *wanted == is_present,
            Test::Null => values().next().is_none(),
            Test::SameAs { field, cased, shape } => {
                let other = self.fields.find(field);
                let others = || other.into_iter().flat_map(|slot| self.slots.texts(slot));
                values().any(|a| {
                    others().any(|b| {
                        if *cased { shape.holds(a, b) } else { shape.holds(&fold(a), &fold(b)) }
                    })
                })
            }
            test => values().any(|value| test.matches(value)),
        };
        let is_near = match &item.test {
            Test::Pattern { pattern, .. } => {
                let text = fold(pattern.longest_literal());
                text.len() > 2 && values().any(|value| fold(value).contains(&text))
            }
            _ => false,
        };
        let shown = if item.field.is_none() { 0 } else { MAX_SHOWN };
        // The value that spoke for it comes first.
        let mut values: Vec<String> = values().map(super::shorten).collect();
        values.sort_by_key(|value| !item.test.matches(value));
        values.truncate(shown);
        ItemTrace {
            field: item.field.clone(),
            test: words(item, source),
            holds,
            is_present,
            is_near,
            values,
            span: item.span.clone(),
            source: Arc::clone(source),
        }
    }
}

/// What the condition would come to if one selection were the other way.
fn flips(condition: &Condition, at: usize, held: &[bool]) -> bool {
    condition.eval(&|other| held[other] != (other == at))
}

/// What is asked, in words; text in the letters of the rule, not as it is compared.
fn words(item: &Item, source: &Source) -> String {
    let words = item.test.to_string();
    let written = source.text.get(item.span.clone()).unwrap_or_default();
    let written = written.trim().trim_matches(['\'', '"']);
    let folded = fold(written);
    match words.split_once('`') {
        Some((before, rest)) if rest == format!("{folded}`") => format!("{before}`{written}`"),
        _ => words,
    }
}

/// How many tests have to come out the other way for the condition to come to `wanted`.
fn distance(condition: &Condition, traces: &[Trace], wanted: bool) -> usize {
    let each = |items: &[Condition], wanted| -> Vec<usize> {
        items.iter().map(|item| distance(item, traces, wanted)).collect()
    };
    match condition {
        Condition::Search(at) => traces[*at].distance(wanted),
        Condition::Not(inner) => distance(inner, traces, !wanted),
        Condition::And(items) => fold_distances(&each(items, wanted), wanted),
        Condition::Or(items) => fold_distances(&each(items, wanted), !wanted),
    }
}

/// All of them are needed, or the nearest one.
fn fold_distances(distances: &[usize], all: bool) -> usize {
    if all { distances.iter().sum() } else { distances.iter().copied().min().unwrap_or(1) }
}

impl Trace {
    fn distance(&self, wanted: bool) -> usize {
        let each = |items: &[Self]| -> Vec<usize> {
            items.iter().map(|item| item.distance(wanted)).collect()
        };
        match self {
            Self::All(items) => fold_distances(&each(items), wanted),
            Self::Any(items) => fold_distances(&each(items), !wanted),
            Self::Not(inner) => inner.distance(!wanted),
            Self::Item(item) if item.holds == wanted => 0,
            // What an event is about weighs more than how it went.
            Self::Item(item) => {
                let weight = match item.field.as_deref() {
                    Some("eventName" | "Image" | "text") => 6,
                    _ => 2,
                };
                // A value in which the text stands, but not as it was asked for.
                if item.is_near { weight / 2 } else { weight }
            }
        }
    }
}

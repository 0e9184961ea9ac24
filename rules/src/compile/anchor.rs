//! For each rule a few predicates of which one has to hold if the rule does: its anchors.
//!
//! An event asks the fields' matchers once; only rules of which an anchor holds are looked at. What an event
//! costs then depends on what it is like, not on how many rules there are. An anchor may hold where its rule
//! does not, never the other way round.

use std::collections::BTreeMap;

use super::{Expr, FieldTable, Matcher, Predicate, PredicateId, SlotId};
use crate::sigma::{Part, Test};

/// Rules by their anchors.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    /// By predicate: the rules that it is an anchor of, by their place in the partition.
    pub(crate) rules: Vec<Vec<u32>>,
    /// By field: what finds out which of those predicates hold.
    pub(crate) matchers: Vec<(SlotId, Matcher)>,
    /// Rules without: looked at on every event.
    pub(crate) always: Vec<u32>,
}

impl Anchors {
    pub(crate) fn build<'e>(
        exprs: impl Iterator<Item = &'e Expr>,
        predicates: &[Predicate],
        fields: &FieldTable,
    ) -> Self {
        let costs: Vec<u32> = predicates.iter().map(|p| cost(p, fields)).collect();
        let mut anchors = Self { rules: vec![Vec::new(); predicates.len()], ..Self::default() };
        for (rule, expr) in (0_u32..).zip(exprs) {
            let leaf = |id: PredicateId, wanted: bool| match predicates[id as usize].test {
                // No field's matcher tells of two fields.
                Test::SameAs { .. } => Leaf::Free,
                _ if wanted => Leaf::Costs(costs[id as usize]),
                _ => Leaf::Free,
            };
            match necessary(expr, true, &leaf) {
                Some((_, set)) => {
                    for id in set {
                        let rules = &mut anchors.rules[id as usize];
                        if rules.last() != Some(&rule) {
                            rules.push(rule);
                        }
                    }
                }
                None => anchors.always.push(rule),
            }
        }
        let mut by_slot: BTreeMap<SlotId, Vec<(usize, &Predicate)>> = BTreeMap::new();
        for (at, predicate) in predicates.iter().enumerate() {
            if !anchors.rules[at].is_empty() {
                by_slot.entry(predicate.slot).or_default().push((at, predicate));
            }
        }
        let matcher = |(slot, own): (SlotId, Vec<_>)| (slot, Matcher::build(own.into_iter()));
        anchors.matchers = by_slot.into_iter().map(matcher).collect();
        anchors
    }

    /// Is the predicate an anchor?
    pub(crate) fn has(&self, id: PredicateId) -> bool {
        !self.rules[id as usize].is_empty()
    }
}

/// How often a predicate is likely to hold, roughly.
fn cost(predicate: &Predicate, fields: &FieldTable) -> u32 {
    let own = match &predicate.test {
        Test::Pattern { pattern, .. } => match pattern.parts() {
            [Part::Many] => 1_000,
            _ => literal(pattern.longest_literal(), pattern.as_literal().is_some()),
        },
        // It is run where one of its texts stands.
        Test::Regex(expression) => expression.required().map_or(500, |texts| {
            texts.iter().map(|text| literal(text, false)).fold(0, u32::saturating_add)
        }),
        Test::Cidr(_) => 40,
        Test::Number(..) | Test::Time { .. } | Test::SameAs { .. } => 200,
        Test::Exists(_) | Test::Null => 1_000,
    };
    // What decides which rules are looked at in the first place tells little beside.
    match fields.name(predicate.slot) {
        "eventName" => own + 4,
        "eventSource" => own + 60,
        // A few programs are run all day, whatever the rule is about that asks for more.
        "Image" | "ParentImage" => own + 8,
        _ => own,
    }
}

/// The same of a text that is the `whole` value, or stands in it.
fn literal(text: &str, whole: bool) -> u32 {
    match (text.len(), whole) {
        (0, _) => 500,
        (1..=3, true) => 4,
        (_, true) => 1,
        (1..=2, false) => 100,
        (3..=4, false) => 30,
        (5..=7, false) => 6,
        (_, false) => 3,
    }
}

/// What a predicate is worth as one of which it is known that it holds.
pub(crate) enum Leaf {
    /// Nothing follows from it.
    Free,
    /// It does not come to what is wanted.
    Never,
    /// It holds about so often.
    Costs(u32),
}

/// Predicates of which one holds whenever `expr` comes to `wanted`, and what they cost together. `None`: there are no
/// such.
pub(crate) fn necessary(
    expr: &Expr,
    wanted: bool,
    leaf: &impl Fn(PredicateId, bool) -> Leaf,
) -> Option<(u32, Vec<PredicateId>)> {
    let cheapest = |items: &[Expr]| {
        items
            .iter()
            .filter_map(|item| necessary(item, wanted, leaf))
            .min_by_key(|(cost, set)| (*cost, set.len()))
    };
    let union = |items: &[Expr]| {
        let mut all = (0_u32, Vec::new());
        for item in items {
            let (cost, set) = necessary(item, wanted, leaf)?;
            all.0 = all.0.saturating_add(cost);
            all.1.extend(set);
        }
        // Any of nothing holds never: there is nothing to look at, and no anchor to be wrong about.
        Some(all)
    };
    match (expr, wanted) {
        (Expr::Leaf(id, _), wanted) => match leaf(*id, wanted) {
            Leaf::Free => None,
            Leaf::Never => Some((0, Vec::new())),
            Leaf::Costs(cost) => Some((cost, vec![*id])),
        },
        (Expr::Not(inner), _) => necessary(inner, !wanted, leaf),
        (Expr::All(items), true) | (Expr::Any(items), false) => cheapest(items),
        (Expr::Any(items), true) | (Expr::All(items), false) => union(items),
    }
}

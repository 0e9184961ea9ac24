//! Can a condition hold at all, and can it fail?

use std::collections::HashMap;

use model::EventKind;

use super::fields;
use crate::sigma::condition::Condition;
use crate::sigma::{Item, Rule, Search, Test};

/// A rule's condition over its tests.
enum Formula {
    Test(usize),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// What is known of a rule's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No event can match.
    Never,
    /// Every event matches.
    Always,
    /// An event that has none of the fields matches.
    EvenIfAbsent,
    /// Neither, or too much to find out.
    Fine,
}

/// Assignments that are tried before it is given up.
const BUDGET: usize = 20_000;
/// Tests that are looked at meanwhile: a list of addresses has tens of thousands.
const LOOKS: usize = 20_000_000;

pub(super) fn verdict(rule: &Rule, kinds: &[EventKind]) -> Verdict {
    let mut logic = Logic { tests: Vec::new(), known: HashMap::new(), single: Vec::new(), kinds };
    let formula = logic.condition(&rule.condition, rule);
    // Each looks at all tests.
    let most = BUDGET.min(LOOKS / logic.tests.len().max(1));
    let mut budget = most;
    let mut values = vec![None; logic.tests.len()];
    if logic.find(&formula, true, 0, &mut values, &mut budget) == Some(false) {
        return Verdict::Never;
    }
    let mut budget = most;
    let mut values = vec![None; logic.tests.len()];
    if logic.find(&formula, false, 0, &mut values, &mut budget) == Some(false) {
        return Verdict::Always;
    }
    let absent: Vec<Option<bool>> = logic
        .tests
        .iter()
        .map(|item| Some(matches!(item.test, Test::Null | Test::Exists(false))))
        .collect();
    if eval(&formula, &absent) == Some(true) { Verdict::EvenIfAbsent } else { Verdict::Fine }
}

struct Logic<'r> {
    tests: Vec<&'r Item>,
    /// Which each is.
    known: HashMap<(Option<&'r str>, &'r Test), usize>,
    /// By test: is it about a field with one value?
    single: Vec<bool>,
    kinds: &'r [EventKind],
}

impl<'r> Logic<'r> {
    fn condition(&mut self, condition: &Condition, rule: &'r Rule) -> Formula {
        match condition {
            Condition::Search(at) => self.search(&rule.selections[*at].search),
            Condition::Not(inner) => Formula::Not(Box::new(self.condition(inner, rule))),
            Condition::And(items) => {
                Formula::All(items.iter().map(|item| self.condition(item, rule)).collect())
            }
            Condition::Or(items) => {
                Formula::Any(items.iter().map(|item| self.condition(item, rule)).collect())
            }
        }
    }

    fn search(&mut self, search: &'r Search) -> Formula {
        match search {
            Search::All(items) => {
                Formula::All(items.iter().map(|item| self.search(item)).collect())
            }
            Search::Any(items) => {
                Formula::Any(items.iter().map(|item| self.search(item)).collect())
            }
            Search::Not(inner) => Formula::Not(Box::new(self.search(inner))),
            Search::Item(item) => {
                let key = (item.field.as_deref(), &item.test);
                let at = *self.known.entry(key).or_insert_with(|| {
                    let single = item.field.as_deref().is_some_and(|field| {
                        self.kinds.iter().all(|kind| fields::is_single(*kind, field))
                    });
                    self.tests.push(item);
                    self.single.push(single);
                    self.tests.len() - 1
                });
                Formula::Test(at)
            }
        }
    }

    /// Is there an assignment with which the formula comes to `wanted`? `None`: not found out.
    fn find(
        &self,
        formula: &Formula,
        wanted: bool,
        at: usize,
        values: &mut [Option<bool>],
        budget: &mut usize,
    ) -> Option<bool> {
        match eval(formula, values) {
            Some(value) if value != wanted => return Some(false),
            // What is left open is false, or as it has to be.
            Some(_) => return Some(true),
            None => {}
        }
        *budget = budget.checked_sub(1)?;
        let mut unsure = false;
        for value in [true, false] {
            values[at] = Some(value);
            if self.is_consistent(at, values) {
                match self.find(formula, wanted, at + 1, values, budget) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => unsure = true,
                }
            }
        }
        values[at] = None;
        (!unsure).then_some(false)
    }

    /// Can the test at `at` have its value beside those before it?
    fn is_consistent(&self, at: usize, values: &[Option<bool>]) -> bool {
        let own = self.tests[at];
        (0..at).all(|other| {
            let (Some(a), Some(b)) = (values[other], values[at]) else { return true };
            let before = self.tests[other];
            before.field.is_none()
                || before.field != own.field
                || (agree(&before.test, a, &own.test, b)
                    && (!self.single[at] || agree_on_one(&before.test, a, &own.test, b)))
        })
    }
}

fn eval(formula: &Formula, values: &[Option<bool>]) -> Option<bool> {
    match formula {
        Formula::Test(at) => values[*at],
        Formula::Not(inner) => eval(inner, values).map(|value| !value),
        Formula::All(items) => {
            let mut all = Some(true);
            for item in items {
                match eval(item, values) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => all = None,
                }
            }
            all
        }
        Formula::Any(items) => {
            let mut any = Some(false);
            for item in items {
                match eval(item, values) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            any
        }
    }
}

/// Is it about the text of a value?
const fn is_about_text(test: &Test) -> bool {
    !matches!(test, Test::Null | Test::Exists(_))
}

/// Can both be so of one field?
fn agree(a: &Test, a_holds: bool, b: &Test, b_holds: bool) -> bool {
    let one_way = |a: &Test, a_holds: bool, b: &Test, b_holds: bool| match (a, b) {
        (Test::Null, test) if is_about_text(test) => !(a_holds && b_holds),
        (Test::Exists(there), test) if is_about_text(test) => *there == a_holds || !b_holds,
        (Test::Exists(a), Test::Exists(b)) => (a == b) == (a_holds == b_holds),
        // What is not there has no value.
        (Test::Exists(there), Test::Null) => *there == a_holds || b_holds,
        _ => true,
    };
    one_way(a, a_holds, b, b_holds) && one_way(b, b_holds, a, a_holds)
}

/// Can both be so of a field that has one value?
fn agree_on_one(a: &Test, a_holds: bool, b: &Test, b_holds: bool) -> bool {
    let one_way = |a: &Test, a_holds: bool, b: &Test, b_holds: bool| {
        let Test::Pattern { pattern, cased } = a else { return true };
        let Some(text) = pattern.as_literal().filter(|_| a_holds) else { return true };
        match b {
            // The value is known, but for its case.
            Test::Pattern { cased: other, .. } if cased == other || *cased => {
                b.matches(text) == b_holds
            }
            Test::Cidr(_) | Test::Number(..) | Test::Time { .. } => b.matches(text) == b_holds,
            Test::Regex(_) if *cased => b.matches(text) == b_holds,
            _ => true,
        }
    };
    one_way(a, a_holds, b, b_holds) && one_way(b, b_holds, a, a_holds)
}

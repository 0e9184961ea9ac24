//! Rules → a set that costs per event what the rules that could match cost, not what there are.
//!
//! ```text
//! Rule ──▶ Expr over predicates      a predicate is one test of one field; equal ones are one
//!          │                         `fields`: names → slots, resolved once
//!          ├─▶ program               what decides: jumps over predicates, no allocation
//!          └─▶ (kept)                what explains: which predicates held
//! predicates of one field ──▶ `matcher`: a hash for whole values, one automaton for all literals,
//!                              one for all regular expressions
//! ```
//!
//! Which rules can match at all is decided from two values that a CloudTrail record shows without being
//! parsed (`eventSource`, `eventName`): see [`crate::evaluate`].

mod fields;
mod matcher;
mod program;

use std::collections::HashMap;

use model::EventKind;

pub use fields::{FieldTable, SlotId};
pub(crate) use matcher::{Matcher, Scratch};
pub(crate) use program::{Op, compile as compile_program, run as run_program};

use crate::calendar::Calendars;
use crate::pack::Pack;
use crate::sigma::condition::Condition;
use crate::sigma::{Item, Rule, Search, Test};

/// Index of a predicate in its partition.
pub(crate) type PredicateId = u32;

/// One test of one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Predicate {
    pub(crate) slot: SlotId,
    pub(crate) test: Test,
}

/// A condition over predicates.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// A predicate, and the search identifier in whose definition it stands.
    Leaf(PredicateId, u16),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// A rule in a partition.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Index into [`RuleSet::rules`].
    pub(crate) rule: usize,
    pub(crate) expr: Expr,
    pub(crate) program: Vec<Op>,
    pub(crate) keywords: bool,
}

/// The rules for one kind of event.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) fields: FieldTable,
    pub(crate) predicates: Vec<Predicate>,
    /// By slot.
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) rules: Vec<Compiled>,
}

/// Compiled rules.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// By `EventKind as usize`.
    partitions: Vec<Option<Partition>>,
    calendars: Calendars,
}

impl RuleSet {
    /// Compiles the rules of a pack.
    pub fn compile(pack: Pack) -> Self {
        let Pack { rules, calendars, .. } = pack;
        let partitions: Vec<Option<Partition>> =
            EventKind::ALL.into_iter().map(|kind| Partition::compile(&rules, kind)).collect();
        Self { rules, partitions, calendars }
    }

    /// All rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Rules for none of these kinds of event: they compile and never fire.
    pub fn idle(&self, kinds: &[EventKind]) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| !kinds.iter().any(|&kind| rule.logsource.applies_to(kind)))
    }

    /// The calendars.
    pub const fn calendars(&self) -> &Calendars {
        &self.calendars
    }

    /// Are there rules for events of `kind`?
    pub fn has(&self, kind: EventKind) -> bool {
        self.partition(kind).is_some()
    }

    /// The fields that rules for `kind` name.
    pub fn fields(&self, kind: EventKind) -> Option<&FieldTable> {
        self.partition(kind).map(|partition| &partition.fields)
    }

    pub(crate) fn partition(&self, kind: EventKind) -> Option<&Partition> {
        self.partitions.get(kind as usize)?.as_ref()
    }
}

impl Partition {
    fn compile(rules: &[Rule], kind: EventKind) -> Option<Self> {
        let mut builder = Builder::default();
        let mut compiled = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            if !rule.logsource.applies_to(kind) {
                continue;
            }
            let expr = builder.condition(&rule.condition, rule);
            let keywords = builder.uses_keywords(&expr);
            compiled.push(Compiled { rule: at, program: compile_program(&expr), expr, keywords });
        }
        if compiled.is_empty() {
            return None;
        }
        let Builder { fields, predicates, .. } = builder;
        let matchers = (0..fields.len())
            .map(|slot| {
                Matcher::build(
                    predicates.iter().enumerate().filter(|(_, p)| p.slot.index() == slot),
                )
            })
            .collect();
        Some(Self { fields, predicates, matchers, rules: compiled })
    }
}

#[derive(Default)]
struct Builder {
    fields: FieldTable,
    predicates: Vec<Predicate>,
    known: HashMap<Predicate, PredicateId>,
}

impl Builder {
    fn condition(&mut self, condition: &Condition, rule: &Rule) -> Expr {
        match condition {
            Condition::Search(at) => {
                let search = u16::try_from(*at).unwrap_or(u16::MAX);
                self.search(&rule.searches[*at].1, search)
            }
            Condition::Not(inner) => Expr::Not(Box::new(self.condition(inner, rule))),
            Condition::And(items) => {
                Expr::All(items.iter().map(|item| self.condition(item, rule)).collect())
            }
            Condition::Or(items) => {
                Expr::Any(items.iter().map(|item| self.condition(item, rule)).collect())
            }
        }
    }

    fn search(&mut self, search: &Search, id: u16) -> Expr {
        match search {
            Search::All(items) => {
                Expr::All(items.iter().map(|item| self.search(item, id)).collect())
            }
            Search::Any(items) => {
                Expr::Any(items.iter().map(|item| self.search(item, id)).collect())
            }
            Search::Not(inner) => Expr::Not(Box::new(self.search(inner, id))),
            Search::Item(item) => Expr::Leaf(self.predicate(item), id),
        }
    }

    fn predicate(&mut self, item: &Item) -> PredicateId {
        let slot = match &item.field {
            Some(name) => self.fields.slot(name),
            None => SlotId::KEYWORDS,
        };
        if let Test::SameAs { field, .. } = &item.test {
            self.fields.slot(field);
        }
        let predicate = Predicate { slot, test: item.test.clone() };
        if let Some(&id) = self.known.get(&predicate) {
            return id;
        }
        let id = PredicateId::try_from(self.predicates.len()).unwrap_or(PredicateId::MAX);
        self.known.insert(predicate.clone(), id);
        self.predicates.push(predicate);
        id
    }

    fn uses_keywords(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Leaf(id, _) => self.predicates[*id as usize].slot == SlotId::KEYWORDS,
            Expr::Not(inner) => self.uses_keywords(inner),
            Expr::All(items) | Expr::Any(items) => {
                items.iter().any(|item| self.uses_keywords(item))
            }
        }
    }
}

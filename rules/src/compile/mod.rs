//! Rules → a set that costs per event what the rules that could match cost, not what there are.
//!
//! ```text
//! Rule ──▶ Expr over predicates      a predicate is one test of one field; equal ones are one
//!          │                         `fields`: names → slots, resolved once
//!          ├─▶ anchors               predicates of which one has to hold: which rules to look at
//!          ├─▶ program               what decides: predicates to ask for, no allocation
//!          └─▶ (kept)                what explains: which predicates held
//! predicates of one field ──▶ `matcher`: a hash for whole values, `needles` for all literals,
//!                              one automaton for all regular expressions
//! ```
//!
//! Which rules can match at all is decided from two values that a CloudTrail record shows without being
//! parsed (`eventSource`, `eventName`): see [`crate::evaluate`].

mod anchor;
mod fields;
mod matcher;
mod needles;
mod program;
mod remembered;

use std::sync::OnceLock;

use foldhash::HashMap;
use model::EventKind;

pub(crate) use anchor::{Anchors, Leaf, necessary};
use fields::is_added;
pub use fields::{FieldTable, SlotId};
pub(crate) use matcher::{Matcher, Scratch};
pub(crate) use program::Program;

use crate::calendar::Calendars;
use crate::correlate::Plan;
use crate::link::{LinkedCorrelation, Member};
use crate::pack::Pack;
use crate::sigma::condition::Condition;
use crate::sigma::{Item, Meta, Rule, Search, Status, Test};

/// Index of a predicate in its partition.
pub(crate) type PredicateId = u32;

/// One test of one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Predicate {
    pub(crate) slot: SlotId,
    pub(crate) test: Test,
}

/// How it is found out whether a predicate holds, in few bytes: this is looked at whenever it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) slot: SlotId,
    /// Its field's matcher tells.
    pub(crate) by_matcher: bool,
    /// So does the matcher of the field's anchors.
    pub(crate) by_anchors: bool,
    /// It is cheaper together with others. Expressions are as dear, and of two fields no matcher tells.
    pub(crate) counts: bool,
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
    pub(crate) program: Program,
    pub(crate) keywords: bool,
    /// The fields that correlations want of its matches.
    pub(crate) captures: Vec<SlotId>,
    /// Every field that it has to do with.
    pub(crate) slots: Vec<SlotId>,
}

/// The rules for one kind of event.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) fields: FieldTable,
    pub(crate) predicates: Vec<Predicate>,
    /// By predicate.
    pub(crate) ways: Vec<Way>,
    by_slot: Vec<Vec<PredicateId>>,
    /// By slot; made when one is first asked, which few are: mostly it is enough to know the anchors.
    matchers: Vec<OnceLock<Matcher>>,
    pub(crate) rules: Vec<Compiled>,
    pub(crate) anchors: Anchors,
}

/// Compiled rules.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    correlations: Vec<LinkedCorrelation>,
    plan: Plan,
    /// By rule, then by correlation: are its matches told on their own?
    told: [Vec<bool>; 2],
    /// By `EventKind as usize`; compiled when an event of the kind is first met.
    partitions: Vec<OnceLock<Option<Partition>>>,
    calendars: Calendars,
    /// By rule; known when it is first asked.
    names_added: OnceLock<Vec<bool>>,
}

impl RuleSet {
    /// Compiles the rules of a pack.
    pub fn compile(pack: Pack) -> Self {
        let Pack { rules, correlations, calendars, asked, .. } = pack;
        let plan = Plan::new(&correlations);
        let partitions = EventKind::ALL.into_iter().map(|_| OnceLock::new()).collect();
        let mut told = [vec![true; rules.len()], vec![true; correlations.len()]];
        // What a correlation is made of is not told beside it, unless one asks for that (`generate`).
        for generate in [false, true] {
            for linked in &correlations {
                if linked.correlation.generate.unwrap_or(false) == generate {
                    for member in &linked.members {
                        match *member {
                            Member::Rule(at) => told[0][at] = generate,
                            Member::Correlation(at) => told[1][at] = generate,
                        }
                    }
                }
            }
        }
        // A rule that cannot be used in its current state is not, and neither is one that was not asked for.
        let unusable = |meta: &Meta| {
            let is_asked = asked.as_ref().is_none_or(|files| files.contains(&meta.source.name));
            meta.status == Some(Status::Unsupported) || !is_asked
        };
        for (at, rule) in rules.iter().enumerate() {
            told[0][at] &= !unusable(&rule.meta);
        }
        for (at, linked) in correlations.iter().enumerate() {
            told[1][at] &= !unusable(&linked.correlation.meta);
        }
        let names_added = OnceLock::new();
        Self { rules, correlations, plan, told, partitions, calendars, names_added }
    }

    /// All correlations, each behind those that it is made of.
    pub fn correlations(&self) -> &[LinkedCorrelation] {
        &self.correlations
    }

    /// Are matches of the rule with this index told on their own?
    pub fn is_told(&self, rule: usize) -> bool {
        self.told[0].get(rule).copied().unwrap_or(false)
    }

    /// Are fires of the correlation with this index told on their own?
    pub fn is_correlation_told(&self, correlation: usize) -> bool {
        self.told[1].get(correlation).copied().unwrap_or(false)
    }

    /// Are matches of the rule with this index correlated?
    pub fn is_correlated(&self, rule: usize) -> bool {
        self.plan.is_listened_to(rule)
    }

    /// The fields that the matches of a rule carry along for correlations.
    pub fn captures(&self, rule: usize) -> &[String] {
        self.plan.captures(rule)
    }

    /// Does a rule, or a correlation that is made of it, name a field that does not stand in the event, `calendar.…` or
    /// `session.…`?
    pub fn names_added(&self, rule: usize) -> bool {
        let each = || (0..self.rules.len()).map(|rule| self.does_name_added(rule)).collect();
        let names: &Vec<bool> = self.names_added.get_or_init(each);
        names.get(rule).copied().unwrap_or(false)
    }

    fn does_name_added(&self, rule: usize) -> bool {
        self.captures(rule).iter().any(|name| is_added(name))
            || self.rules.get(rule).is_some_and(|rule| {
                let mut items = Vec::new();
                rule.selections.iter().for_each(|selection| selection.search.items(&mut items));
                items.iter().any(|item| {
                    let other = match &item.test {
                        Test::SameAs { field, .. } => Some(field.as_str()),
                        _ => None,
                    };
                    item.field.as_deref().into_iter().chain(other).any(is_added)
                })
            })
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Compiles the rules for these kinds of event now, not when the first one is met.
    pub fn warm_up(&self, kinds: &[EventKind]) {
        for kind in kinds {
            self.partition(*kind);
        }
    }

    /// All rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Rules for none of these kinds of event: they compile and never fire.
    pub fn idle(&self, kinds: &[EventKind]) -> impl Iterator<Item = &Rule> {
        let told = self.rules.iter().enumerate().filter(|(at, _)| self.is_told(*at));
        told.map(|(_, rule)| rule)
            .filter(|rule| !kinds.iter().any(|&kind| rule.logsource.applies_to(kind)))
    }

    /// The calendars.
    pub const fn calendars(&self) -> &Calendars {
        &self.calendars
    }

    /// Are there rules for events of `kind`?
    pub fn has(&self, kind: EventKind) -> bool {
        self.rules.iter().any(|rule| rule.logsource.applies_to(kind))
    }

    /// The fields that rules for `kind` name.
    pub fn fields(&self, kind: EventKind) -> Option<&FieldTable> {
        self.partition(kind).map(|partition| &partition.fields)
    }

    pub(crate) fn partition(&self, kind: EventKind) -> Option<&Partition> {
        let partition = self.partitions.get(kind as usize)?;
        partition
            .get_or_init(|| {
                // What is neither told nor correlated need not be asked.
                let serves = |at: usize| self.is_told(at) || self.is_correlated(at);
                Partition::compile(&self.rules, &self.plan, kind, serves)
            })
            .as_ref()
    }
}

impl Partition {
    fn compile(
        rules: &[Rule],
        plan: &Plan,
        kind: EventKind,
        serves: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let mut builder = Builder::default();
        let mut compiled = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            if !rule.logsource.applies_to(kind) || !serves(at) {
                continue;
            }
            let expr = builder.condition(&rule.condition, rule);
            let keywords = builder.uses_keywords(&expr);
            let mut slots = Vec::new();
            builder.slots(&expr, &mut slots);
            let captures: Vec<SlotId> =
                plan.captures(at).iter().map(|name| builder.fields.slot(name)).collect();
            let program = Program::new(&expr);
            slots.extend(&captures);
            slots.sort_unstable();
            slots.dedup();
            compiled.push(Compiled { rule: at, program, expr, keywords, captures, slots });
        }
        if compiled.is_empty() {
            return None;
        }
        let Builder { fields, predicates, .. } = builder;
        let mut by_slot: Vec<Vec<PredicateId>> = vec![Vec::new(); fields.len()];
        for (id, predicate) in (0..).zip(&predicates) {
            by_slot[predicate.slot.index()].push(id);
        }
        let matchers = by_slot.iter().map(|_| OnceLock::new()).collect();
        let exprs = compiled.iter().map(|compiled: &Compiled| &compiled.expr);
        let anchors = Anchors::build(exprs, &predicates, &fields);
        let way = |(id, predicate): (PredicateId, &Predicate)| Way {
            slot: predicate.slot,
            // No field's matcher tells of two fields.
            by_matcher: !matches!(predicate.test, Test::SameAs { .. }),
            by_anchors: anchors.has(id),
            counts: !matches!(predicate.test, Test::Regex(_) | Test::SameAs { .. }),
        };
        let ways = (0..).zip(&predicates).map(way).collect();
        Some(Self { fields, predicates, ways, by_slot, matchers, rules: compiled, anchors })
    }

    /// What finds out which predicates of a field hold.
    pub(crate) fn matcher(&self, slot: SlotId) -> &Matcher {
        self.matchers[slot.index()].get_or_init(|| {
            let own = self.by_slot[slot.index()].iter().map(|id| *id as usize);
            Matcher::build(own.map(|at| (at, &self.predicates[at])))
        })
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
                self.search(&rule.selections[*at].search, search)
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

    /// The fields that an expression asks for.
    fn slots(&self, expr: &Expr, out: &mut Vec<SlotId>) {
        match expr {
            Expr::Leaf(id, _) => {
                let predicate = &self.predicates[*id as usize];
                out.push(predicate.slot);
                if let Test::SameAs { field, .. } = &predicate.test {
                    out.extend(self.fields.find(field));
                }
            }
            Expr::Not(inner) => self.slots(inner, out),
            Expr::All(items) | Expr::Any(items) => {
                for item in items {
                    self.slots(item, out);
                }
            }
        }
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

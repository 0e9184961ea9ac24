//! A rule set on an event.
//!
//! ```text
//! pivot values ──▶ which rules could match at all?      (remembered per pair of values)
//!                  none: done, the event is never parsed
//!              texts of which a match needs one: not in the record's bytes, done likewise
//! event ──▶ slots: the fields that rules name, nothing else
//!       ──▶ many rules left: the matchers of the fields that anchors are about; only rules of which
//!           an anchor holds are looked at
//!       ──▶ per rule that could match: its program, which asks for predicates;
//!           the first question about a field runs that field's matcher over its values
//!       ──▶ matches, with the predicates that held as evidence
//! ```

mod explain;
mod json;
mod oracle;
mod screen;
mod slots;

use foldhash::{HashMap, HashMapExt as _};
use std::sync::Arc;

use model::{EventKind, Evidence};

pub use explain::{Explanation, ItemTrace, SelectionTrace, Trace, explain};
pub(crate) use json::Narrow;
pub use json::{BadJson, Place, Wanted, fill as fill_from_json, fill_members as fill_from_members};
pub use oracle::full_scan;
pub use slots::{Slots, ValueKind};

use self::screen::{Screen, Screens};

use crate::compile::{
    Compiled, Expr, Matcher, Partition, Predicate, PredicateId, RuleSet, Scratch, SlotId,
    run_program,
};
use crate::correlate::Captures;
use crate::sigma::{Rule, Test};

/// Something that rules can be evaluated on. The trait of the stage that calls it.
pub trait Event {
    /// Puts the values of the fields that are wanted into `slots`; and every value there is into
    /// [`SlotId::KEYWORDS`], if [`Wanted::keywords`].
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson>;

    /// Where the value of an own key of the record ([`Pivot::record`]) stands in its bytes, if that is known.
    fn member(&self, _name: &str) -> Place {
        Place::Unknown
    }
}

/// What is known of an event before it is parsed. `None`: not known, which rules nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pivot<'a> {
    /// `eventSource`.
    pub event_source: Option<&'a str>,
    /// `eventName`.
    pub event_name: Option<&'a str>,
    /// The record itself, as JSON, in which the values of all its fields stand: all but those that are added,
    /// `calendar.…` and `session.…`.
    pub record: Option<&'a [u8]>,
}

/// A rule matched.
#[derive(Debug)]
pub struct Match<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its index in [`RuleSet::rules`].
    pub index: usize,
    /// The values that made it match, in the rule's order.
    pub evidence: Vec<Evidence>,
    /// The values that correlations want to know.
    pub captures: Captures,
}

/// Pairs of pivot values remembered per kind of event. CloudTrail knows some thousands; more than this
/// are somebody's invention.
const MAX_REMEMBERED: usize = 1 << 16;

/// Longest pair of pivot values that is remembered, in bytes.
const MAX_KEY: usize = 512;

/// Most values of a field that are handed to correlations.
const MAX_CAPTURED: usize = 64;
/// Most evidence kept for a match.
const MAX_EVIDENCE: usize = 16;
/// Longest value kept as evidence, in bytes.
const MAX_VALUE: usize = 1024;

/// The rules that an event with certain pivot values may match.
#[derive(Debug, Default)]
struct Candidates {
    /// By their place in the partition, in order.
    rules: Vec<u32>,
    /// The same as bits.
    bits: Vec<u64>,
    /// Those of them without an anchor.
    always: Vec<u32>,
    /// Does one of them look for keywords?
    keywords: bool,
    /// The fields that they name.
    narrow: Narrow,
    /// What has to stand in the record for one of them to match.
    screen: Option<Arc<Screen>>,
}

impl Candidates {
    fn holds(&self, rule: u32) -> bool {
        self.bits.get(rule as usize / 64).is_some_and(|bits| bits >> (rule % 64) & 1 == 1)
    }
}

/// So few rules are run one by one without asking for their anchors.
const FEW: usize = 8;

/// Evaluates events against one rule set. Holds scratch memory: one for each thread.
pub struct Evaluator<'a> {
    set: &'a RuleSet,
    slots: Slots,
    /// By kind of event.
    scratch: [Scratch; EventKind::ALL.len()],
    /// By predicate: the event for which it was last found to hold.
    held: Vec<u64>,
    /// By slot: the event for which its matcher was last run.
    asked: Vec<u64>,
    /// By predicate: the event for which it was last tested alone.
    tested: Vec<u64>,
    event: u64,
    /// By kind of event, then by pivot values.
    remembered: Vec<HashMap<String, Arc<Candidates>>>,
    screens: Screens,
    /// A record in lower case.
    folded: Vec<u8>,
    key: String,
    /// The rules to look at, for the event at hand.
    chosen: Vec<u32>,
    /// Gather evidence also for rules that are not told on their own?
    evidence_of_parts: bool,
    /// What most matches capture.
    nothing: Captures,
}

impl<'a> Evaluator<'a> {
    /// An evaluator for `set`.
    pub fn new(set: &'a RuleSet) -> Self {
        Self {
            set,
            slots: Slots::default(),
            scratch: Default::default(),
            held: Vec::new(),
            asked: Vec::new(),
            tested: Vec::new(),
            event: 0,
            remembered: EventKind::ALL.iter().map(|_| HashMap::new()).collect(),
            screens: Screens::default(),
            folded: Vec::new(),
            key: String::new(),
            chosen: Vec::new(),
            evidence_of_parts: false,
            nothing: Captures::default(),
        }
    }

    /// Gathers evidence also for rules that are only parts of correlations; nobody is told it otherwise.
    #[must_use]
    pub fn with_evidence_of_parts(mut self) -> Self {
        self.evidence_of_parts = true;
        self
    }

    /// Makes room for a partition; what is there stays, since no event has two numbers.
    fn make_room(&mut self, partition: &Partition) {
        let (predicates, slots) = (partition.predicates.len(), partition.matchers.len());
        self.held.resize(predicates.max(self.held.len()), 0);
        self.asked.resize(slots.max(self.asked.len()), 0);
        self.tested.resize(self.held.len(), 0);
    }

    /// Could any rule match an event of `kind` with these pivot values?
    pub fn may_match(&mut self, kind: EventKind, pivot: Pivot<'_>) -> bool {
        !self.candidates(kind, pivot).rules.is_empty()
    }

    /// Evaluates an event; calls `on_match` for every rule that matches, in the set's order.
    pub fn evaluate(
        &mut self,
        kind: EventKind,
        pivot: Pivot<'_>,
        event: &dyn Event,
        mut on_match: impl FnMut(Match<'a>),
    ) -> Result<(), BadJson> {
        let candidates = self.candidates(kind, pivot);
        let Some(partition) = self.set.partition(kind) else { return Ok(()) };
        if candidates.rules.is_empty() {
            return Ok(());
        }
        if let (Some(screen), Some(record)) = (&candidates.screen, pivot.record)
            && !screen.lets_pass(record, event, &mut self.folded)
        {
            return Ok(());
        }
        self.make_room(partition);
        self.slots.clear(partition.fields.len());
        let wanted = Wanted {
            fields: &partition.fields,
            keywords: candidates.keywords,
            narrow: Some(&candidates.narrow),
        };
        event.fill(&wanted, &mut self.slots)?;
        self.event += 1;
        let now = self.event;
        let mut chosen = std::mem::take(&mut self.chosen);
        self.choose(kind, partition, &candidates, &mut chosen);
        // A few rules ask little: their tests are done one by one. A field's matcher would do those of all rules.
        let few = candidates.rules.len() <= FEW;
        for &at in &chosen {
            let compiled = &partition.rules[at as usize];
            let (held, asked, slots) = (&mut self.held, &mut self.asked, &self.slots);
            let (scratch, tested) = (&mut self.scratch[kind as usize], &mut self.tested);
            let matched = run_program(&compiled.program, |id| {
                let Predicate { slot, test } = &partition.predicates[id as usize];
                let slot = *slot;
                let alone = few && !matches!(test, Test::Regex(_) | Test::SameAs { .. });
                if alone && asked[slot.index()] != now {
                    if std::mem::replace(&mut tested[id as usize], now) != now
                        && alone_holds(test, slot, slots)
                    {
                        held[id as usize] = now;
                    }
                    return held[id as usize] == now;
                }
                if asked[slot.index()] != now {
                    asked[slot.index()] = now;
                    ask(partition, slot, slots, scratch, &mut |id| held[id as usize] = now);
                }
                held[id as usize] == now
            });
            if matched {
                on_match(self.matched(partition, compiled));
            }
        }
        self.chosen = chosen;
        Ok(())
    }

    /// Of the candidates those of which an anchor holds.
    fn choose(
        &mut self,
        kind: EventKind,
        partition: &Partition,
        candidates: &Candidates,
        chosen: &mut Vec<u32>,
    ) {
        chosen.clear();
        if candidates.rules.len() <= FEW {
            chosen.extend(&candidates.rules);
            return;
        }
        let (now, anchors) = (self.event, &partition.anchors);
        chosen.extend(&candidates.always);
        let (held, scratch) = (&mut self.held, &mut self.scratch[kind as usize]);
        for &slot in &anchors.slots {
            if !candidates.narrow.slots[slot.index()] {
                continue;
            }
            self.asked[slot.index()] = now;
            ask(partition, slot, &self.slots, scratch, &mut |id| {
                // A predicate may be reported more than once.
                if std::mem::replace(&mut held[id as usize], now) != now {
                    let rules = anchors.rules[id as usize].iter().copied();
                    chosen.extend(rules.filter(|rule| candidates.holds(*rule)));
                }
            });
        }
        chosen.sort_unstable();
        chosen.dedup();
    }

    /// The rules that an event with these pivot values may match.
    fn candidates(&mut self, kind: EventKind, pivot: Pivot<'_>) -> Arc<Candidates> {
        let Some(partition) = self.set.partition(kind) else { return Arc::default() };
        self.key.clear();
        // The length in front keeps every pair, and what is not known, apart.
        let length = pivot.event_source.map_or(0, |source| source.len() + 1);
        let known = u32::from(pivot.event_name.is_some());
        let mark = u32::try_from(length * 2).unwrap_or(u32::MAX).saturating_add(known);
        let Some(mark) = char::from_u32(mark).filter(|_| length < MAX_KEY) else {
            return Arc::new(self.narrow(kind, partition, pivot));
        };
        self.key.push(mark);
        for value in [pivot.event_source, pivot.event_name].into_iter().flatten() {
            self.key.push_str(value);
        }
        let remembered = &mut self.remembered[kind as usize];
        if let Some(candidates) = remembered.get(self.key.as_str()) {
            return Arc::clone(candidates);
        }
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        let candidates = Arc::new(self.narrow(kind, partition, pivot));
        // AWS's own names are short; what is longer is not worth the memory.
        if self.key.len() <= MAX_KEY {
            let remembered = &mut self.remembered[kind as usize];
            remembered.insert(self.key.clone(), Arc::clone(&candidates));
        }
        candidates
    }

    fn narrow(&mut self, kind: EventKind, partition: &Partition, pivot: Pivot<'_>) -> Candidates {
        self.make_room(partition);
        let known: Vec<(SlotId, &str)> =
            [("eventSource", pivot.event_source), ("eventName", pivot.event_name)]
                .into_iter()
                .filter_map(|(name, value)| Some((partition.fields.find(name)?, value?)))
                .collect();
        // The values alone, as if they were an event.
        self.slots.clear(partition.fields.len());
        self.event += 1;
        let now = self.event;
        for &(slot, value) in &known {
            self.slots.push(slot, value);
            let (held, scratch) = (&mut self.held, &mut self.scratch[kind as usize]);
            let matcher = &partition.matchers[slot.index()];
            matcher.run(slot, std::iter::once(value), true, scratch, &mut |id| {
                held[id as usize] = now;
            });
        }
        let held = &self.held;
        let holds = |id: PredicateId| {
            let predicate = &partition.predicates[id as usize];
            let is_known = known.iter().any(|(slot, _)| *slot == predicate.slot);
            match &predicate.test {
                Test::SameAs { .. } => None,
                _ => is_known.then(|| held[id as usize] == now),
            }
        };
        let rules: Vec<u32> = (0_u32..)
            .zip(&partition.rules)
            .filter(|(_, compiled)| possible(&compiled.expr, &holds) != Some(false))
            .map(|(at, _)| at)
            .collect();
        // Of what is no record there are no bytes to look at.
        let screen = pivot.record.and_then(|_| self.screens.of(partition, &rules, &holds));
        let mut bits = vec![0_u64; partition.rules.len().div_ceil(64)];
        for &rule in &rules {
            bits[rule as usize / 64] |= 1 << (rule % 64);
        }
        let always = &partition.anchors.always;
        let mut slots = vec![false; partition.fields.len()];
        for &at in &rules {
            let compiled = &partition.rules[at as usize];
            compiled.slots.iter().for_each(|slot| slots[slot.index()] = true);
        }
        let narrow = Narrow::new(&partition.fields, slots);
        Candidates {
            screen,
            narrow,
            keywords: rules.iter().any(|&at| partition.rules[at as usize].keywords),
            always: rules
                .iter()
                .copied()
                .filter(|rule| always.binary_search(rule).is_ok())
                .collect(),
            bits,
            rules,
        }
    }

    fn matched(&self, partition: &Partition, compiled: &Compiled) -> Match<'a> {
        let rule = &self.set.rules()[compiled.rule];
        let mut evidence = Vec::new();
        if self.evidence_of_parts || self.set.is_told(compiled.rule) {
            self.explain(partition, rule, &compiled.expr, &mut evidence);
        }
        let captures = if compiled.captures.is_empty() {
            self.nothing.clone()
        } else {
            Captures::new(compiled.captures.iter().map(|slot| {
                let values = self.slots.texts(*slot).take(MAX_CAPTURED);
                values.filter(|value| value.len() <= MAX_VALUE)
            }))
        };
        Match { rule, index: compiled.rule, evidence, captures }
    }

    /// Did the expression hold? Only asks what the program has asked, and what it has not.
    fn holds(&self, partition: &Partition, expr: &Expr) -> bool {
        match expr {
            Expr::Leaf(id, _) => {
                let slot = partition.predicates[*id as usize].slot;
                if self.asked[slot.index()] == self.event {
                    return self.held[*id as usize] == self.event;
                }
                let mut held = false;
                let mut scratch = Scratch::default();
                ask(partition, slot, &self.slots, &mut scratch, &mut |found| held |= found == *id);
                held
            }
            Expr::Not(inner) => !self.holds(partition, inner),
            Expr::All(items) => items.iter().all(|item| self.holds(partition, item)),
            Expr::Any(items) => items.iter().any(|item| self.holds(partition, item)),
        }
    }

    /// Is this the value for which the predicate held?
    fn speaks(&self, partition: &Partition, id: PredicateId, text: &str) -> bool {
        let predicate = &partition.predicates[id as usize];
        let Test::SameAs { .. } = &predicate.test else {
            return predicate.test.matches(text);
        };
        let matcher = &partition.matchers[predicate.slot.index()];
        matcher.same.iter().filter(|(same, _)| *same == id).any(|(_, same)| {
            let other = partition.fields.find(&same.field);
            other.is_some_and(|other| self.slots.texts(other).any(|other| same.holds(text, other)))
        })
    }

    /// Collects what spoke for a match: the predicates that held where holding was asked for.
    fn explain(&self, partition: &Partition, rule: &Rule, expr: &Expr, out: &mut Vec<Evidence>) {
        match expr {
            Expr::All(items) => {
                for item in items {
                    self.explain(partition, rule, item, out);
                }
            }
            Expr::Any(items) => items
                .iter()
                .filter(|item| self.holds(partition, item))
                .for_each(|item| self.explain(partition, rule, item, out)),
            // That something is not there is seen in the rule, not in the event.
            Expr::Not(_) => {}
            Expr::Leaf(id, search) => {
                let predicate = &partition.predicates[*id as usize];
                let value = self
                    .slots
                    .texts(predicate.slot)
                    .find(|text| self.speaks(partition, *id, text))
                    .or_else(|| self.slots.texts(predicate.slot).next())
                    .map(shorten);
                let evidence = Evidence {
                    field: partition.fields.name(predicate.slot).to_owned(),
                    value,
                    selection: rule
                        .selections
                        .get(usize::from(*search))
                        .map(|selection| selection.name.clone())
                        .unwrap_or_default(),
                };
                let known =
                    out.iter().any(|e| e.field == evidence.field && e.value == evidence.value);
                if !known && out.len() < MAX_EVIDENCE {
                    out.push(evidence);
                }
            }
        }
    }
}

fn shorten(text: &str) -> String {
    if text.len() <= MAX_VALUE {
        return text.to_owned();
    }
    let cut = (0..=MAX_VALUE).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}…", &text[..cut])
}

/// Does a test of one field hold?
fn alone_holds(test: &Test, slot: SlotId, slots: &Slots) -> bool {
    match test {
        Test::Exists(wanted) => *wanted == slots.is_present(slot),
        Test::Null => slots.texts(slot).next().is_none(),
        test => slots.texts(slot).any(|text| test.matches(text)),
    }
}

/// Runs the matcher of one slot.
fn ask(
    partition: &Partition,
    slot: SlotId,
    slots: &Slots,
    scratch: &mut Scratch,
    hit: &mut impl FnMut(PredicateId),
) {
    let matcher: &Matcher = &partition.matchers[slot.index()];
    matcher.run(slot, slots.texts(slot), slots.is_present(slot), scratch, hit);
    for (id, same) in &matcher.same {
        let Some(other) = partition.fields.find(&same.field) else { continue };
        if slots.texts(slot).any(|a| slots.texts(other).any(|b| same.holds(a, b))) {
            hit(*id);
        }
    }
}

/// Could the expression hold, as far as `known` tells? `None`: it depends on what is not known.
fn possible(expr: &Expr, known: &impl Fn(PredicateId) -> Option<bool>) -> Option<bool> {
    match expr {
        Expr::Leaf(id, _) => known(*id),
        Expr::Not(inner) => possible(inner, known).map(|holds| !holds),
        Expr::All(items) => {
            let mut all = Some(true);
            for item in items {
                match possible(item, known) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => all = None,
                }
            }
            all
        }
        Expr::Any(items) => {
            let mut any = Some(false);
            for item in items {
                match possible(item, known) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            any
        }
    }
}

#[cfg(test)]
mod tests;

//! A rule set on an event.
//!
//! ```text
//! pivot values ──▶ which rules could match at all?      (remembered per pair of values)
//!                  none: done, the event is never parsed
//!              texts of which a match needs one: not in the record's bytes, done likewise
//! event ──▶ slots: the fields that rules name, nothing else
//!       ──▶ many rules left: matchers that know the anchors alone; only rules of which an anchor holds
//!           are looked at
//!       ──▶ per rule that could match: its program, which asks for predicates (see `answers`)
//!       ──▶ matches, with the predicates that held as evidence
//! ```

mod answers;
mod explain;
mod json;
mod narrow;
mod oracle;
mod screen;
mod slots;
mod two;

use foldhash::{HashMap, HashMapExt as _};
use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::rc::Rc;

use model::{EventKind, Evidence};

pub use explain::{Explanation, ItemTrace, SelectionTrace, Trace, explain};
pub use json::{BadJson, Place, Wanted, fill as fill_from_json, fill_members as fill_from_members};
pub(crate) use narrow::Narrow;
pub use oracle::full_scan;
pub use slots::{Slots, ValueKind};

use self::answers::Answers;
use self::screen::{Scratch, Screen, Screens};
use self::two::Others;

use crate::compile::{Compiled, Expr, Partition, PredicateId, RuleSet, SlotId};
use crate::correlate::Captures;
use crate::sigma::{Rule, Test};

/// Something that rules can be evaluated on. The trait of the stage that calls it.
pub trait Event {
    /// Puts the values of the fields that are wanted into `slots`; and every value there is into
    /// [`SlotId::KEYWORDS`], if [`Wanted::keywords`].
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson>;

    /// Where the value of an own key of the record ([`Pivot::record`]), of `userIdentity.type`, or of `userIdentity.arn`
    /// stands in its bytes, if that is known.
    fn member(&self, _name: &str) -> Place {
        Place::Unknown
    }
}

/// What is known of an event before it is parsed. `None`: not known, which rules nothing out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pivot<'a> {
    /// The bytes of `eventSource`.
    pub event_source: Option<&'a [u8]>,
    /// The bytes of `eventName`.
    pub event_name: Option<&'a [u8]>,
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
/// Bytes of what is remembered with them. With some thousand rules that name no call each pair has all of these.
const MAX_SIZE: usize = 16 << 20;

/// Choices of fields kept by an evaluator, for each kind.
const MAX_NARROWS: usize = 1 << 10;

/// Longest pair of pivot values that is remembered, in bytes.
const MAX_KEY: usize = 512;

/// Most values of a field that are handed to correlations.
const MAX_CAPTURED: usize = 64;
/// Most evidence kept for a match.
const MAX_EVIDENCE: usize = 16;
/// Longest value kept as evidence, in bytes.
const MAX_VALUE: usize = 1024;

/// The rules that an event with certain pivot values may match.
#[derive(Debug)]
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
    narrow: Rc<Narrow>,
    /// What has to stand in the record for one of them to match.
    screen: Option<Rc<Screen>>,
}

impl Candidates {
    /// Bytes that it takes, about.
    fn size(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.rules)
            + size_of_val(&*self.bits)
            + size_of_val(&*self.always)
    }

    fn holds(&self, rule: u32) -> bool {
        self.bits.get(rule as usize / 64).is_some_and(|bits| bits >> (rule % 64) & 1 == 1)
    }
}

/// Pairs of pivot values that came lately, in front of all that are remembered.
#[derive(Debug, Default)]
struct Lately(Vec<Option<Recent>>);

/// A pair of pivot values.
#[derive(Clone, Debug)]
struct Recent {
    kind: EventKind,
    event_source: Vec<u8>,
    event_name: Vec<u8>,
    candidates: Rc<Candidates>,
}

/// Pairs that came lately.
const LATELY: usize = 512;

impl Lately {
    /// Where a pair is kept; `None`: it is not.
    fn place(pivot: &Pivot<'_>) -> Option<usize> {
        let (source, name) = (pivot.event_source?, pivot.event_name?);
        let end = u64::from_le_bytes(*name.last_chunk()?);
        let mixed = (end ^ (source.len() as u64) << 32 ^ name.len() as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> (64 - LATELY.ilog2())).ok()
    }

    fn find(&self, kind: EventKind, pivot: &Pivot<'_>) -> Option<&Rc<Candidates>> {
        let recent = self.0.get(Self::place(pivot)?)?.as_ref()?;
        let is_same = recent.kind == kind
            && Some(recent.event_name.as_slice()) == pivot.event_name
            && Some(recent.event_source.as_slice()) == pivot.event_source;
        is_same.then_some(&recent.candidates)
    }

    fn put(&mut self, kind: EventKind, pivot: &Pivot<'_>, candidates: &Rc<Candidates>) {
        let (Some(place), Some(source), Some(name)) =
            (Self::place(pivot), pivot.event_source, pivot.event_name)
        else {
            return;
        };
        self.0.resize(LATELY, None);
        let candidates = Rc::clone(candidates);
        match &mut self.0[place] {
            Some(recent) => {
                recent.event_source.clear();
                recent.event_source.extend_from_slice(source);
                recent.event_name.clear();
                recent.event_name.extend_from_slice(name);
                (recent.kind, recent.candidates) = (kind, candidates);
            }
            none => {
                let (event_source, event_name) = (source.to_vec(), name.to_vec());
                *none = Some(Recent { kind, event_source, event_name, candidates });
            }
        }
    }
}

/// So few rules are run one by one without asking for their anchors.
const FEW: usize = 8;

/// Evaluates events against one rule set. Holds scratch memory: one for each thread.
pub struct Evaluator<'a> {
    set: &'a RuleSet,
    slots: Slots,
    /// By kind of event.
    answers: [Answers; EventKind::ALL.len()],
    /// By kind of event, then by pivot values.
    remembered: Vec<HashMap<Vec<u8>, Rc<Candidates>>>,
    /// Bytes that those of a kind take, about.
    remembered_size: Vec<usize>,
    lately: Lately,
    /// By kind: where neither value is known.
    of_unknown: [Option<Rc<Candidates>>; EventKind::ALL.len()],
    screens: Screens,
    /// By kind, then by the slots that are wanted: names that somebody invented leave the same rules.
    narrows: [HashMap<Vec<bool>, Rc<Narrow>>; EventKind::ALL.len()],
    scratch: Scratch,
    key: Vec<u8>,
    /// The rules to look at, for the event at hand.
    chosen: Vec<u32>,
    /// Gather evidence also for rules that are not told on their own?
    evidence_of_parts: bool,
    /// What most matches capture.
    nothing: Captures,
    /// Where others are written first.
    packed: Vec<u8>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator for `set`.
    pub fn new(set: &'a RuleSet) -> Self {
        Self {
            set,
            slots: Slots::default(),
            answers: Default::default(),
            remembered: EventKind::ALL.iter().map(|_| HashMap::new()).collect(),
            remembered_size: vec![0; EventKind::ALL.len()],
            lately: Lately::default(),
            of_unknown: Default::default(),
            screens: Screens::default(),
            narrows: Default::default(),
            scratch: Scratch::default(),
            key: Vec::new(),
            chosen: Vec::new(),
            evidence_of_parts: false,
            nothing: Captures::default(),
            packed: Vec::new(),
        }
    }

    /// Gathers evidence also for rules that are only parts of correlations; nobody is told it otherwise.
    #[must_use]
    pub fn with_evidence_of_parts(mut self) -> Self {
        self.evidence_of_parts = true;
        self
    }

    /// Could any rule match an event of `kind` with these pivot values?
    pub fn may_match(&mut self, kind: EventKind, pivot: Pivot<'_>) -> bool {
        let partition = self.set.partition(kind);
        partition.is_some_and(|own| !self.candidates(kind, own, &pivot).rules.is_empty())
    }

    /// Evaluates an event; calls `on_match` for every rule that matches, in the set's order.
    pub fn evaluate(
        &mut self,
        kind: EventKind,
        pivot: Pivot<'_>,
        event: &dyn Event,
        mut on_match: impl FnMut(Match<'a>),
    ) -> Result<(), BadJson> {
        let Some(partition) = self.set.partition(kind) else { return Ok(()) };
        let candidates = self.candidates(kind, partition, &pivot);
        if candidates.rules.is_empty() {
            return Ok(());
        }
        if let (Some(screen), Some(record)) = (&candidates.screen, pivot.record)
            && !screen.lets_pass(record, event, &mut self.scratch)
        {
            return Ok(());
        }
        self.slots.clear(partition.fields.len());
        let wanted = Wanted {
            fields: &partition.fields,
            keywords: candidates.keywords,
            narrow: Some(&candidates.narrow),
        };
        event.fill(&wanted, &mut self.slots)?;
        let Self { answers, slots, .. } = self;
        let answers = &mut answers[kind as usize];
        answers.begin(partition);
        let mut chosen = std::mem::take(&mut self.chosen);
        choose(partition, &candidates, slots, answers, &mut chosen);
        for &at in &chosen {
            let compiled = &partition.rules[at as usize];
            let Self { answers, slots, .. } = self;
            let answers = &mut answers[kind as usize];
            if compiled.program.run(|id| answers.holds(partition, slots, id)) {
                on_match(self.matched(kind, partition, compiled));
            }
        }
        self.chosen = chosen;
        Ok(())
    }

    /// The rules that an event with these pivot values may match.
    fn candidates(
        &mut self,
        kind: EventKind,
        partition: &Partition,
        pivot: &Pivot<'_>,
    ) -> Rc<Candidates> {
        let is_unknown = pivot.event_source.is_none() && pivot.event_name.is_none();
        let known = if is_unknown {
            self.of_unknown[kind as usize].as_ref()
        } else {
            self.lately.find(kind, pivot)
        };
        if let Some(candidates) = known {
            return Rc::clone(candidates);
        }
        self.key.clear();
        // The length in front keeps every pair, and what is not known, apart.
        let length = pivot.event_source.map_or(0, |source| source.len() + 1);
        self.key.extend_from_slice(
            &(length * 2 + usize::from(pivot.event_name.is_some())).to_le_bytes(),
        );
        for value in [pivot.event_source, pivot.event_name].into_iter().flatten() {
            self.key.extend_from_slice(value);
        }
        let remembered = &mut self.remembered[kind as usize];
        if let Some(candidates) = remembered.get(self.key.as_slice()) {
            self.lately.put(kind, pivot, candidates);
            return Rc::clone(candidates);
        }
        let size = &mut self.remembered_size[kind as usize];
        if remembered.len() >= MAX_REMEMBERED || *size >= MAX_SIZE {
            remembered.clear();
            *size = 0;
        }
        let candidates = Rc::new(self.narrow(kind, partition, pivot));
        // AWS's own names are short; what is longer is not worth the memory.
        if self.key.len() <= MAX_KEY {
            let remembered = &mut self.remembered[kind as usize];
            remembered.insert(self.key.clone(), Rc::clone(&candidates));
            self.remembered_size[kind as usize] += self.key.len() + candidates.size();
        }
        if is_unknown {
            self.of_unknown[kind as usize] = Some(Rc::clone(&candidates));
        }
        candidates
    }

    fn narrow(&mut self, kind: EventKind, partition: &Partition, pivot: &Pivot<'_>) -> Candidates {
        let known: Vec<(SlotId, &str)> =
            [("eventSource", pivot.event_source), ("eventName", pivot.event_name)]
                .into_iter()
                .filter_map(|(name, value)| {
                    Some((partition.fields.find(name)?, str::from_utf8(value?).ok()?))
                })
                .collect();
        // The values alone, as if they were an event.
        let Self { answers, slots, .. } = self;
        let answers = &mut answers[kind as usize];
        slots.clear(partition.fields.len());
        answers.begin(partition);
        for &(slot, value) in &known {
            slots.push(slot, value);
            answers.ask(partition, slot, slots);
        }
        let holds = |id: PredicateId| {
            let predicate = &partition.predicates[id as usize];
            let is_known = known.iter().any(|(slot, _)| *slot == predicate.slot);
            match &predicate.test {
                Test::SameAs { .. } => None,
                _ => is_known.then(|| answers.is_held(id)),
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
        let narrows = &mut self.narrows[kind as usize];
        if narrows.len() >= MAX_NARROWS {
            narrows.clear();
        }
        let make = |slots: &Vec<bool>| Rc::new(Narrow::new(&partition.fields, slots.clone()));
        let narrow = Rc::clone(narrows.entry(slots).or_insert_with_key(make));
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

    fn matched(
        &mut self,
        kind: EventKind,
        partition: &Partition,
        compiled: &Compiled,
    ) -> Match<'a> {
        let rule = &self.set.rules()[compiled.rule];
        let mut evidence = Vec::new();
        if self.evidence_of_parts || self.set.is_told(compiled.rule) {
            let (answers, slots) = (&mut self.answers[kind as usize], &self.slots);
            Speaker { partition, rule, slots, answers }.explain(&compiled.expr, &mut evidence);
        }
        let captures = if compiled.captures.is_empty() {
            self.nothing.clone()
        } else {
            let (slots, packed) = (&self.slots, &mut self.packed);
            let fields = compiled
                .captures
                .iter()
                .map(|slot| slots.texts(*slot).take(MAX_CAPTURED).map(captured));
            Captures::new(fields, packed)
        };
        Match { rule, index: compiled.rule, evidence, captures }
    }
}

/// A value as correlations see it. Whoever is audited may choose it: of a long one its beginning and its hash stand for it, so that
/// what has it is not left out.
fn captured(value: &str) -> Cow<'_, str> {
    if value.len() <= MAX_VALUE {
        return Cow::Borrowed(value);
    }
    // The same on every machine and in every run.
    let hash = foldhash::quality::FixedState::with_seed(0).hash_one(value);
    let begin = &value[..value.floor_char_boundary(MAX_VALUE - 32)];
    Cow::Owned(format!("{begin}… ({} bytes, {hash:016x})", value.len()))
}

/// Of the candidates those of which an anchor holds.
fn choose(
    partition: &Partition,
    candidates: &Candidates,
    slots: &Slots,
    answers: &mut Answers,
    chosen: &mut Vec<u32>,
) {
    chosen.clear();
    if candidates.rules.len() <= FEW {
        chosen.extend(&candidates.rules);
        return;
    }
    let anchors = &partition.anchors;
    chosen.extend(&candidates.always);
    for (slot, matcher) in &anchors.matchers {
        if candidates.narrow.slots[slot.index()] {
            answers.ask_anchors((*slot, matcher), slots, |id| {
                let rules = anchors.rules[id as usize].iter().copied();
                chosen.extend(rules.filter(|rule| candidates.holds(*rule)));
            });
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
}

/// Says what spoke for a match.
struct Speaker<'s> {
    partition: &'s Partition,
    rule: &'s Rule,
    slots: &'s Slots,
    answers: &'s mut Answers,
}

impl Speaker<'_> {
    /// Did the expression hold?
    fn holds(&mut self, expr: &Expr) -> bool {
        match expr {
            Expr::Leaf(id, _) => self.answers.holds(self.partition, self.slots, *id),
            Expr::Not(inner) => !self.holds(inner),
            Expr::All(items) => items.iter().all(|item| self.holds(item)),
            Expr::Any(items) => items.iter().any(|item| self.holds(item)),
        }
    }

    /// Collects what spoke for a match: the predicates that held where holding was asked for.
    fn explain(&mut self, expr: &Expr, out: &mut Vec<Evidence>) {
        let Self { partition, rule, slots, .. } = *self;
        match expr {
            Expr::All(items) => {
                for item in items {
                    self.explain(item, out);
                }
            }
            Expr::Any(items) => {
                for item in items {
                    if self.holds(item) {
                        self.explain(item, out);
                    }
                }
            }
            // That something is not there is seen in the rule, not in the event.
            Expr::Not(_) => {}
            Expr::Leaf(id, search) => {
                let predicate = &partition.predicates[*id as usize];
                let mut values = slots.texts(predicate.slot);
                let first = values.next();
                // Of several the one for which the predicate held.
                let value = values
                    .next()
                    .and_then(|_| {
                        let mut all = slots.texts(predicate.slot);
                        let others = Others::of(&predicate.test, &partition.fields, slots);
                        all.find(|value| match &others {
                            Some(others) => others.any_stands_in(value),
                            None => predicate.test.matches(value),
                        })
                    })
                    .or(first)
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

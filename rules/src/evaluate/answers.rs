//! Which predicates hold for the event at hand.
//!
//! ```text
//! anchors' matchers ──▶ all anchors of a field are known
//! a predicate ──▶ known? else tested alone, as long as few of its field have been
//!                 else the field's matcher is run, and all of the field's are known
//! ```

use super::Slots;
use super::two::Others;
use crate::compile::{Matcher, Partition, Predicate, PredicateId, Scratch, SlotId, Way};
use crate::folded::Folded;
use crate::sigma::{OwnNeedles, Test};

/// Predicates of a field that are tested alone. The field's matcher costs about as much as a few of them, however many it
/// knows. Tests want to see both.
const ALONE: u32 = if cfg!(test) { 2 } else { 24 };

/// The last number of an event: then all begins anew. Tests want to see that.
const LAST: u32 = if cfg!(test) { 20 } else { u32::MAX - 1 };

/// What is known of events of one kind, one after the other. What holds an event's number is about that event.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The number of the event at hand, an even one.
    now: u32,
    /// By predicate: the number of the event of which it was asked last, and one more if it holds. Of thousands of predicates this
    /// is looked at here and there, so it has to be small.
    known: Vec<u32>,
    /// By predicate: what finds its texts.
    needles: Vec<OwnNeedles>,
    /// By slot.
    asked: Vec<Asked>,
    scratch: Scratch,
    /// For the anchors' matchers, which know less of the same fields.
    of_anchors: Scratch,
}

/// What was asked about a field.
#[derive(Debug, Default)]
struct Asked {
    /// Its matcher was run.
    all: u32,
    /// Its anchors' matcher was run.
    anchors: u32,
    /// Predicates were tested alone, and how many.
    alone: u32,
    count: u32,
    folded: Folded,
}

impl Answers {
    /// Nothing is known of what comes now.
    pub(super) fn begin(&mut self, partition: &Partition) {
        if self.now >= LAST {
            *self = Self::default();
        }
        self.now += 2;
        if self.asked.is_empty() {
            self.known.resize(partition.predicates.len(), 0);
            self.needles.resize_with(partition.predicates.len(), OwnNeedles::default);
            self.asked.resize_with(partition.fields.len(), Asked::default);
        }
    }

    /// Runs a field's matcher.
    pub(super) fn ask(&mut self, partition: &Partition, slot: SlotId, slots: &Slots) {
        let (now, known) = (self.now, &mut self.known);
        let asked = &mut self.asked[slot.index()];
        asked.all = now;
        let values = (slots.texts(slot), slots.is_present(slot));
        let folded = (now, &mut asked.folded);
        let hit = &mut |id| known[id as usize] = now | 1;
        partition.matcher(slot).run(slot, values, &mut self.scratch, folded, hit);
    }

    /// Runs the matcher of a field's anchors; calls `first` for each that holds.
    #[inline]
    pub(super) fn ask_anchors(
        &mut self,
        (slot, matcher): (SlotId, &Matcher),
        slots: &Slots,
        mut first: impl FnMut(PredicateId),
    ) {
        let (now, known) = (self.now, &mut self.known);
        let asked = &mut self.asked[slot.index()];
        asked.anchors = now;
        let is_present = slots.is_present(slot);
        if !is_present && !matcher.tells_of_absence() {
            return;
        }
        let values = (slots.texts(slot), is_present);
        let folded = (now, &mut asked.folded);
        matcher.run(slot, values, &mut self.of_anchors, folded, &mut |id| {
            // One may be reported more than once.
            if std::mem::replace(&mut known[id as usize], now | 1) != now | 1 {
                first(id);
            }
        });
    }

    /// Is it known that the predicate holds?
    pub(super) fn is_held(&self, id: PredicateId) -> bool {
        self.known[id as usize] == self.now | 1
    }

    /// Does the predicate hold?
    #[inline]
    pub(super) fn holds(&mut self, partition: &Partition, slots: &Slots, id: PredicateId) -> bool {
        let known = self.known[id as usize];
        if known & !1 == self.now {
            return known & 1 == 1;
        }
        let way = partition.ways[id as usize];
        let asked = &self.asked[way.slot.index()];
        let is_known =
            way.by_matcher && asked.all == self.now || way.by_anchors && asked.anchors == self.now;
        !is_known && self.find_out(partition, slots, (id, way))
    }

    /// The same of one of which nothing is known.
    #[inline(never)]
    fn find_out(
        &mut self,
        partition: &Partition,
        slots: &Slots,
        (id, way): (PredicateId, Way),
    ) -> bool {
        let now = self.now;
        let asked = &mut self.asked[way.slot.index()];
        if std::mem::replace(&mut asked.alone, now) != now {
            asked.count = 0;
        }
        asked.count += u32::from(way.counts);
        if asked.count > ALONE && way.by_matcher {
            self.ask(partition, way.slot, slots);
            return self.is_held(id);
        }
        let needles = &mut self.needles[id as usize];
        let predicate = &partition.predicates[id as usize];
        let holds = alone(predicate, partition, slots, (now, &mut asked.folded), needles);
        self.known[id as usize] = now | u32::from(holds);
        holds
    }
}

/// Does a predicate hold?
#[inline]
fn alone(
    predicate: &Predicate,
    partition: &Partition,
    slots: &Slots,
    (now, folded): (u32, &mut Folded),
    needles: &mut OwnNeedles,
) -> bool {
    let mut values = slots.texts(predicate.slot);
    match &predicate.test {
        Test::Exists(wanted) => *wanted == slots.is_present(predicate.slot),
        Test::Null => values.next().is_none(),
        test @ Test::SameAs { .. } => Others::of(test, &partition.fields, slots)
            .is_some_and(|others| values.any(|value| others.any_stands_in(value))),
        test => {
            let Some(value) = values.next() else { return false };
            // What was folded for another predicate need not be folded again.
            test.holds(value, folded.of(value, now), needles)
                || values.any(|value| further(test, value, folded, needles))
        }
    }
}

/// Does a test hold for a value that is not the first of its field?
#[inline(never)]
fn further(test: &Test, value: &str, folded: &mut Folded, needles: &mut OwnNeedles) -> bool {
    test.holds(value, folded.of(value, 0), needles)
}

//! What the values of a field came to that came lately: most of what happens has happened before.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::PredicateId;

/// Values that are remembered of a field.
const PLACES: usize = 64;
/// Longest value that is remembered, in bytes, and most predicates that hold for it.
const LONGEST: usize = 256;
const MOST: usize = 64;
/// Values after which it is looked how many of them were known; fewer than one in so many are not worth it.
const TRIAL: u32 = 4096;
const ONE_IN: u32 = 8;

/// Values of a field.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// By hash.
    places: Vec<Known>,
    asked: u32,
    known: u32,
    /// Hardly a value comes again.
    is_off: bool,
}

/// A value, and the predicates that hold for it.
#[derive(Debug, Default)]
struct Known {
    is_used: bool,
    text: String,
    holds: Vec<PredicateId>,
}

impl Remembered {
    /// Calls `hit` for every predicate that holds for a value: those that `look` finds, or found when it came before.
    pub(super) fn of<H: FnMut(PredicateId)>(
        &mut self,
        text: &str,
        look: impl FnOnce(&mut dyn FnMut(PredicateId)),
        hit: &mut H,
    ) {
        if text.len() > LONGEST || !self.is_on() {
            look(hit);
            return;
        }
        if self.places.is_empty() {
            self.places.resize_with(PLACES, Known::default);
        }
        let hash = FixedState::default().hash_one(text);
        let known = &mut self.places[usize::try_from(hash % PLACES as u64).unwrap_or_default()];
        if known.is_used && known.text == text {
            self.known += 1;
            known.holds.iter().copied().for_each(hit);
            return;
        }
        known.holds.clear();
        look(&mut |id| {
            known.holds.push(id);
            hit(id);
        });
        known.is_used = known.holds.len() <= MOST;
        known.text.clear();
        if known.is_used {
            known.text.push_str(text);
        } else {
            known.holds = Vec::new();
        }
    }

    fn is_on(&mut self) -> bool {
        if self.asked == TRIAL && !self.is_off {
            self.is_off = self.known < TRIAL / ONE_IN;
            if self.is_off {
                self.places = Vec::new();
            }
            (self.asked, self.known) = (0, 0);
        }
        self.asked = self.asked.saturating_add(1);
        !self.is_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a value, and how often it was looked at.
    fn told(remembered: &mut Remembered, text: &str) -> (Vec<PredicateId>, usize) {
        let (mut told, mut looks) = (Vec::new(), 0);
        let look = |hit: &mut dyn FnMut(PredicateId)| {
            looks += 1;
            text.bytes().for_each(|byte| hit(byte.into()));
        };
        remembered.of(text, look, &mut |id| told.push(id));
        (told, looks)
    }

    #[test]
    fn what_comes_again_is_told_again_without_a_look() {
        let mut remembered = Remembered::default();
        for looks in [1, 0, 0] {
            assert_eq!(told(&mut remembered, "ab"), (vec![97, 98], looks));
            assert_eq!(told(&mut remembered, ""), (vec![], looks));
        }
        // Too long, or too much to say.
        for text in ["x".repeat(LONGEST + 1), "x".repeat(MOST + 1)] {
            for _ in 0..3 {
                assert_eq!(told(&mut remembered, &text), (vec![120; text.len()], 1));
            }
        }
    }

    #[test]
    fn where_nothing_comes_again_nothing_is_remembered() {
        let mut remembered = Remembered::default();
        for at in 0..=TRIAL {
            let text = at.to_string();
            assert_eq!(told(&mut remembered, &text).0.len(), text.len());
        }
        assert!(remembered.is_off && remembered.places.is_empty());
        assert_eq!(told(&mut remembered, "ab"), (vec![97, 98], 1));
    }
}

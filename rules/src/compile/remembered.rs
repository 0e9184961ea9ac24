//! What the values of a field came to that came lately: most of what happens has happened before.

use super::PredicateId;
use crate::pairs::is_same;

/// Values that are remembered of a field.
const PLACES: usize = 256;
/// Longest value that is remembered, in bytes, and most predicates that hold for it.
const LONGEST: usize = 256;
const MOST: usize = 64;
/// Values after which it is looked how many of them were known; fewer than one in so many are not worth it.
const TRIAL: u32 = if cfg!(test) { 64 } else { 4096 };
const ONE_IN: u32 = 8;

/// Values of a field.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// By [`place`].
    places: Vec<Known>,
    /// Values until it is looked how many of them were known, and how many were.
    left: u32,
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
    #[inline]
    pub(super) fn of<H: FnMut(PredicateId)>(
        &mut self,
        text: &str,
        look: impl FnOnce(&mut dyn FnMut(PredicateId)),
        hit: &mut H,
    ) {
        if self.is_off || text.len() > LONGEST {
            look(hit);
            return;
        }
        if self.left == 0 {
            self.judge();
            if self.is_off {
                look(hit);
                return;
            }
        }
        self.left -= 1;
        let known = &mut self.places[place(text.as_bytes())];
        if known.is_used && is_same(known.text.as_bytes(), text.as_bytes()) {
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

    /// Begins the next trial, or gives up if too few were known in the last one.
    #[cold]
    fn judge(&mut self) {
        self.is_off = !self.places.is_empty() && self.known < TRIAL / ONE_IN;
        if self.is_off {
            self.places = Vec::new();
        } else {
            self.places.resize_with(PLACES, Known::default);
        }
        (self.left, self.known) = (TRIAL, 0);
    }
}

/// Where a value is kept: by its length, and by its bytes at either end and in the middle.
#[inline]
fn place(text: &[u8]) -> usize {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mixed = if text.len() < 8 {
        text.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
    } else {
        let middle = text.get(text.len() / 2..).and_then(<[u8]>::first_chunk);
        let ends = word(text.last_chunk()) ^ word(text.first_chunk()).rotate_left(23);
        ends ^ word(middle).rotate_left(41)
    };
    let mixed = (mixed ^ (text.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - PLACES.ilog2())).unwrap_or_default()
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

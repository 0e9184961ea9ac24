//! Tests of two fields: does a value of one stand in a value of the other?

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use foldhash::HashSet;

use super::Slots;
use crate::compile::FieldTable;
use crate::sigma::{Shape, Test, fold};

/// Values of the other field that are compared one by one. A record has a few; tens of thousands in both fields would take minutes.
/// Tests want to see both.
const ONE_BY_ONE: usize = if cfg!(test) { 2 } else { 16 };

/// Bytes of such values that are sought in one pass: more are no record of AWS's, and would take a gigabyte.
const MOST_ANYWHERE: usize = if cfg!(test) { 8 } else { 4 << 20 };

/// The values of the other field.
pub(super) struct Others<'a> {
    cased: bool,
    shape: Shape,
    ready: Ready<'a>,
}

/// Made ready to be sought.
enum Ready<'a> {
    OneByOne(Vec<&'a str>),
    /// All in one pass over a value, for those that may stand anywhere in it.
    Anywhere(AhoCorasick),
    ByLength(ByLength),
}

/// Texts as they are compared. Those that stand in a value are among its pieces that have the length of one of them, and there are
/// few lengths: as many texts of different lengths are a long record.
#[derive(Default)]
struct ByLength {
    texts: HashSet<Vec<u8>>,
    lengths: BTreeSet<usize>,
}

impl<'a> Others<'a> {
    /// `None`: the test is about one field alone.
    pub(super) fn of(test: &Test, fields: &FieldTable, slots: &'a Slots) -> Option<Self> {
        let Test::SameAs { field, cased, shape } = test else { return None };
        let others = fields.find(field).map(|other| slots.texts(other).collect());
        Some(Self::new(others.unwrap_or_default(), *cased, *shape))
    }

    fn new(others: Vec<&'a str>, cased: bool, shape: Shape) -> Self {
        if others.len() <= ONE_BY_ONE {
            return Self { cased, shape, ready: Ready::OneByOne(others) };
        }
        let others = others.into_iter().map(|other| as_compared(other, cased));
        let others: Vec<String> = others.collect();
        if shape == Shape::Contains
            && others.iter().map(String::len).sum::<usize>() <= MOST_ANYWHERE
            && let Ok(anywhere) =
                AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(&others)
        {
            return Self { cased, shape, ready: Ready::Anywhere(anywhere) };
        }
        let mut all = ByLength::default();
        for other in others {
            let text = other.into_bytes();
            all.lengths.insert(text.len());
            all.texts.insert(text);
        }
        Self { cased, shape, ready: Ready::ByLength(all) }
    }

    /// Does one of them stand so in the value?
    pub(super) fn any_stands_in(&self, value: &str) -> bool {
        let value = as_compared(value, self.cased);
        match &self.ready {
            Ready::OneByOne(others) => {
                others.iter().any(|other| self.shape.holds(&value, &as_compared(other, self.cased)))
            }
            Ready::Anywhere(anywhere) => anywhere.is_match(&*value),
            Ready::ByLength(all) => all.any_stands_in(value.as_bytes(), self.shape),
        }
    }
}

impl ByLength {
    fn any_stands_in(&self, value: &[u8], shape: Shape) -> bool {
        let is_one = |piece: &[u8]| self.texts.contains(piece);
        let mut lengths = self.lengths.range(..=value.len()).copied();
        match shape {
            Shape::Whole => is_one(value),
            Shape::StartsWith => lengths.any(|length| is_one(&value[..length])),
            Shape::EndsWith => lengths.any(|length| is_one(&value[value.len() - length..])),
            // Nothing stands everywhere.
            Shape::Contains => {
                lengths.any(|length| length == 0 || value.windows(length).any(is_one))
            }
        }
    }
}

fn as_compared(text: &str, cased: bool) -> String {
    if cased { text.to_owned() } else { fold(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law 3: however many there are, they are found as if each was asked for.
        #[test]
        fn many_say_what_each_says(
            others in prop::collection::vec("[abBü]{0,3}", 0..6),
            value in "[aAbüÜ]{0,5}",
            cased: bool,
        ) {
            let all: Vec<&str> = others.iter().map(String::as_str).collect();
            for shape in [Shape::Whole, Shape::Contains, Shape::StartsWith, Shape::EndsWith] {
                let expected = all.iter().any(|other| {
                    if cased { shape.holds(&value, other) } else { shape.holds(&fold(&value), &fold(other)) }
                });
                let seen = Others::new(all.clone(), cased, shape).any_stands_in(&value);
                prop_assert_eq!(seen, expected, "{:?}", shape);
            }
        }
    }
}

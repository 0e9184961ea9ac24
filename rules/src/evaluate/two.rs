//! Tests of two fields: does a value of one stand in a value of the other?

use aho_corasick::{AhoCorasick, Anchored, Input, StartKind};
use foldhash::HashSet;

use super::Slots;
use crate::compile::FieldTable;
use crate::sigma::{Shape, Test, fold};

/// Values of the other field that are compared one by one. A record has a few; tens of thousands in both fields would take minutes.
/// Tests want to see both.
const ONE_BY_ONE: usize = if cfg!(test) { 2 } else { 16 };

/// The values of the other field.
pub(super) struct Others<'a> {
    cased: bool,
    shape: Shape,
    ready: Ready<'a>,
}

/// Made ready to be sought.
enum Ready<'a> {
    OneByOne(Vec<&'a str>),
    /// As they are compared.
    Whole(HashSet<String>),
    /// Likewise, read backwards where a value has to end with one.
    All(AhoCorasick),
}

impl<'a> Others<'a> {
    /// `None`: the test is about one field alone.
    pub(super) fn of(test: &Test, fields: &FieldTable, slots: &'a Slots) -> Option<Self> {
        let Test::SameAs { field, cased, shape } = test else { return None };
        let others = fields.find(field).map(|other| slots.texts(other).collect());
        Some(Self::new(others.unwrap_or_default(), *cased, *shape))
    }

    fn new(others: Vec<&'a str>, cased: bool, shape: Shape) -> Self {
        let mut this = Self { cased, shape, ready: Ready::OneByOne(others) };
        let Ready::OneByOne(others) = &this.ready else { return this };
        if others.len() <= ONE_BY_ONE {
            return this;
        }
        this.ready = if shape == Shape::Whole {
            Ready::Whole(others.iter().map(|other| this.as_compared(other)).collect())
        } else {
            let texts = others.iter().map(|other| this.read(other));
            match AhoCorasick::builder().start_kind(StartKind::Both).build(texts) {
                Ok(all) => Ready::All(all),
                // They are larger than an automaton may be.
                Err(_) => return this,
            }
        };
        this
    }

    /// Does one of them stand so in the value?
    pub(super) fn any_stands_in(&self, value: &str) -> bool {
        match &self.ready {
            Ready::OneByOne(others) => {
                let value = self.as_compared(value);
                others.iter().any(|other| self.shape.holds(&value, &self.as_compared(other)))
            }
            Ready::Whole(others) => others.contains(&self.as_compared(value)),
            Ready::All(others) => {
                let value = self.read(value);
                let anywhere = self.shape == Shape::Contains;
                let anchored = if anywhere { Anchored::No } else { Anchored::Yes };
                let found = others.try_find(Input::new(&value).anchored(anchored));
                // It was made to be asked both ways.
                found.is_ok_and(|found| found.is_some())
            }
        }
    }

    fn as_compared(&self, text: &str) -> String {
        if self.cased { text.to_owned() } else { fold(text) }
    }

    /// What ends with a text begins with it, read backwards.
    fn read(&self, text: &str) -> Vec<u8> {
        let mut text = self.as_compared(text).into_bytes();
        if self.shape == Shape::EndsWith {
            text.reverse();
        }
        text
    }
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

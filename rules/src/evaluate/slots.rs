//! The values of one event's fields, in memory that is used again for the next.

use std::ops::Range;

use crate::compile::{FieldTable, SlotId};

/// What a value was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `null`: the field is there and has no value.
    Null,
    /// Anything with a text: strings, numbers, booleans, and objects as they were written.
    Text,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: ValueKind,
    start: usize,
    end: usize,
    /// The next value of the same field, from 1; 0 for none.
    next: u32,
}

/// Values by slot. A field has several where it lies in an array.
#[derive(Debug, Default)]
pub struct Slots {
    text: String,
    entries: Vec<Entry>,
    /// By slot: first and last entry, from 1.
    chains: Vec<(u32, u32)>,
}

impl Slots {
    /// Makes ready for an event with `slots` slots.
    pub(crate) fn clear(&mut self, slots: usize) {
        self.text.clear();
        self.entries.clear();
        self.chains.clear();
        self.chains.resize(slots, (0, 0));
    }

    /// Adds a value.
    pub fn push(&mut self, slot: SlotId, text: &str) {
        let start = self.keep(text);
        self.push_kept(slot, start..self.text.len());
    }

    /// Keeps a text of which values will be parts; returns where it begins.
    pub(crate) fn keep(&mut self, text: &str) -> usize {
        let start = self.text.len();
        self.text.push_str(text);
        start
    }

    /// Adds a value that was kept there.
    #[inline]
    pub(crate) fn push_kept(&mut self, slot: SlotId, range: Range<usize>) {
        self.add(slot, ValueKind::Text, range);
    }

    /// Adds a value, if there is one.
    pub fn push_some(&mut self, slot: SlotId, text: Option<&str>) {
        if let Some(text) = text {
            self.push(slot, text);
        }
    }

    /// Adds a value of the field of this name, if a rule names it.
    pub fn push_some_of(&mut self, fields: &FieldTable, name: &str, text: &str) {
        if let Some(slot) = fields.find(name) {
            self.push(slot, text);
        }
    }

    /// Notes that the field is there without a value.
    pub fn push_null(&mut self, slot: SlotId) {
        self.add(slot, ValueKind::Null, 0..0);
    }

    #[inline]
    fn add(&mut self, slot: SlotId, kind: ValueKind, Range { start, end }: Range<usize>) {
        let entry = Entry { kind, start, end, next: 0 };
        self.entries.push(entry);
        let id = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let (first, last) = &mut self.chains[slot.index()];
        if *first == 0 {
            *first = id;
        } else {
            self.entries[*last as usize - 1].next = id;
        }
        *last = id;
    }

    fn chain(&self, slot: SlotId) -> impl Iterator<Item = Entry> {
        let mut next = self.chains.get(slot.index()).map_or(0, |(first, _)| *first);
        std::iter::from_fn(move || {
            let entry = *self.entries.get((next as usize).checked_sub(1)?)?;
            next = entry.next;
            Some(entry)
        })
    }

    /// Is the field there, be it null?
    pub(crate) fn is_present(&self, slot: SlotId) -> bool {
        self.chains.get(slot.index()).is_some_and(|(first, _)| *first != 0)
    }

    /// The texts of the values that are not null.
    pub fn texts(&self, slot: SlotId) -> impl Iterator<Item = &str> {
        self.chain(slot)
            .filter(|entry| entry.kind == ValueKind::Text)
            .map(|entry| &self.text[entry.start..entry.end])
    }
}

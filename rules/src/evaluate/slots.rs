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
    /// `None`: it is not there at all.
    kind: Option<ValueKind>,
    /// The next value of the same field, in [`Slots::more`], from 1; 0 for none.
    next: u32,
    /// Of the first of a field that has several: the last, likewise.
    last: u32,
    start: usize,
    end: usize,
}

impl Entry {
    const NONE: Self = Self { kind: None, next: 0, last: 0, start: 0, end: 0 };
}

/// Text is checked faster if there is no part of so many bytes left at its end.
const CHECKED_AT_ONCE: usize = 2 * size_of::<usize>();

/// Values by slot. A field has several where it lies in an array.
#[derive(Debug, Default)]
pub struct Slots {
    text: String,
    /// By slot.
    first: Vec<Entry>,
    /// All that are not the first of their field.
    more: Vec<Entry>,
}

impl Slots {
    /// Makes ready for an event with `slots` slots.
    pub(crate) fn clear(&mut self, slots: usize) {
        self.text.clear();
        self.more.clear();
        self.first.resize(slots, Entry::NONE);
        for first in &mut self.first {
            (first.kind, first.next) = (None, 0);
        }
    }

    /// Adds a value.
    pub fn push(&mut self, slot: SlotId, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.push_kept(slot, start..self.text.len());
    }

    /// Keeps a text of which values will be parts; returns where it begins. `None`: it is none.
    pub(crate) fn keep(&mut self, text: &[u8]) -> Option<usize> {
        let start = self.text.len();
        let mut all = std::mem::take(&mut self.text).into_bytes();
        all.extend_from_slice(text);
        all.resize(all.len().next_multiple_of(CHECKED_AT_ONCE), b' ');
        match String::from_utf8(all) {
            Ok(all) => {
                self.text = all;
                Some(start)
            }
            Err(error) => {
                let mut all = error.into_bytes();
                all.truncate(start);
                self.text = String::from_utf8(all).unwrap_or_default();
                None
            }
        }
    }

    /// Adds a value that was kept there.
    #[inline]
    pub(crate) fn push_kept(&mut self, slot: SlotId, range: Range<usize>) {
        debug_assert!(self.text.get(range.clone()).is_some(), "a value is a part of the text");
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
        let first = &mut self.first[slot.index()];
        if first.kind.is_some() {
            self.add_more(slot, Entry { kind: Some(kind), start, end, ..Entry::NONE });
            return;
        }
        // Field by field: an entry that is put together elsewhere is copied in larger pieces than it was written in, and a processor
        // waits until all of these have reached its cache (no store forwarding).
        first.kind = Some(kind);
        first.next = 0;
        first.start = start;
        first.end = end;
    }

    /// Adds one that is not the first of its field.
    #[inline(never)]
    fn add_more(&mut self, slot: SlotId, entry: Entry) {
        self.more.push(entry);
        let id = u32::try_from(self.more.len()).unwrap_or(u32::MAX);
        let mut last = &mut self.first[slot.index()];
        // The first one knows the last: that one's `next` is 0.
        if last.next != 0 {
            let before = std::mem::replace(&mut last.last, id);
            last = &mut self.more[before as usize - 1];
        } else {
            last.last = id;
        }
        last.next = id;
    }

    /// Is the field there, be it null?
    #[inline]
    pub(crate) fn is_present(&self, slot: SlotId) -> bool {
        self.first.get(slot.index()).is_some_and(|first| first.kind.is_some())
    }

    /// The texts of the values that are not null.
    #[inline]
    pub fn texts(&self, slot: SlotId) -> impl Iterator<Item = &str> {
        Texts { slots: self, next: self.first.get(slot.index()) }
    }
}

/// See [`Slots::texts`].
struct Texts<'a> {
    slots: &'a Slots,
    next: Option<&'a Entry>,
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        loop {
            let entry = self.next?;
            self.next = match entry.next {
                0 => None,
                next => self.slots.more.get(next as usize - 1),
            };
            if entry.kind == Some(ValueKind::Text) {
                return Some(&self.slots.text[entry.start..entry.end]);
            }
        }
    }
}

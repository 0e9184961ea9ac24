//! Which fields are wanted of an object, and the keys that lead to them.

use std::cell::Cell;

use crate::compile::{FieldTable, SlotId};

/// A choice of the fields of a table.
#[derive(Debug, Default)]
pub(crate) struct Narrow {
    /// By slot.
    pub(crate) slots: Vec<bool>,
    /// By node of the table: is one of them here or below?
    pub(crate) nodes: Vec<bool>,
    /// By node: which of its keys lead on to them.
    pub(super) edges: Vec<Edges>,
}

/// Keys, and the nodes under them.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// Those without a dot come first.
    pub(super) all: Vec<(Box<str>, u32)>,
    /// How many of them have none.
    pub(super) undotted: usize,
    /// If they are few: by key, what comes of it where it is expected.
    expected: Vec<Followed>,
    /// By key, and in the end for the first: the one that came next in the object before, if any did. Who writes objects
    /// writes their keys in the same order.
    next: Vec<Cell<usize>>,
}

/// A key that is compared first where it followed before.
#[derive(Debug)]
pub(super) struct Followed {
    /// How it is written in front of its value.
    pub(super) written: Written,
    pub(super) node: u32,
    /// The field that its value is, if that is wanted.
    pub(super) slot: Option<SlotId>,
}

impl Edges {
    fn new(all: Vec<(Box<str>, u32)>, fields: &FieldTable, slots: &[bool]) -> Self {
        let undotted = all.iter().filter(|(key, _)| !key.contains('.')).count();
        let is_plain = |key: &str| !key.contains(['"', '\\']) && !key.contains(char::is_control);
        let (mut expected, mut next) = (Vec::new(), Vec::new());
        if all.len() <= FEW && all.iter().all(|(key, _)| is_plain(key)) {
            let one = |(key, node): &(Box<str>, u32)| Followed {
                written: Written::new(&format!("\"{key}\":")),
                node: *node,
                slot: fields.node(*node).slot.filter(|slot| slots[slot.index()]),
            };
            expected = all.iter().map(one).collect();
            next = vec![Cell::new(usize::MAX); all.len() + 1];
        }
        Self { all, undotted, expected, next }
    }

    /// Does the key stand here that is expected behind `last`? If so: which.
    #[inline]
    pub(super) fn expected(&self, last: usize, bytes: &[u8]) -> Option<(usize, &Followed)> {
        let nth = self.next.get(last)?.get();
        let expected = self.expected.get(nth)?;
        expected.written.begins(bytes).then_some((nth, expected))
    }

    /// Behind `last` came this one.
    pub(super) fn came(&self, last: usize, nth: usize) {
        if let Some(next) = self.next.get(last) {
            next.set(nth);
        }
    }
}

/// A text that is compared with what stands somewhere, often.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: Box<str>,
    /// Its bytes, if they are no more than this, and which bits of them matter.
    words: Option<[[u64; WORDS]; 2]>,
}

/// Eight bytes each.
const WORDS: usize = 4;

impl Written {
    fn new(text: &str) -> Self {
        let mut words = [[0; WORDS]; 2];
        let [own, masks] = &mut words;
        for (at, byte) in text.bytes().enumerate().take(WORDS * 8) {
            own[at / 8] |= u64::from(byte) << (at % 8 * 8);
            masks[at / 8] |= 0xff << (at % 8 * 8);
        }
        Self { text: text.into(), words: (text.len() <= WORDS * 8).then_some(words) }
    }

    /// Do the bytes begin with it? How long it is makes no difference, so that a processor foresees what comes.
    #[inline]
    fn begins(&self, bytes: &[u8]) -> bool {
        let (Some([words, masks]), Some(there)) =
            (&self.words, bytes.first_chunk::<{ WORDS * 8 }>())
        else {
            return bytes.starts_with(self.text.as_bytes());
        };
        let own = words.iter().zip(masks).zip(there.as_chunks::<8>().0);
        let other = own.fold(0, |other, ((word, mask), there)| {
            other | (u64::from_le_bytes(*there) ^ word) & mask
        });
        other == 0
    }
}

/// Keys that are compared one by one; of more the table's map is asked.
pub(super) const FEW: usize = 8;
impl Narrow {
    pub(crate) fn new(fields: &FieldTable, slots: Vec<bool>) -> Self {
        let nodes = fields.leading_to(&slots);
        let edges = (0_u32..).zip(&nodes).map(|(node, _)| {
            let edges = fields.node(node).edges.iter();
            let wanted = edges.filter(|(_, to)| nodes[**to as usize]);
            let mut all: Vec<(Box<str>, u32)> =
                wanted.map(|(key, to)| (key.clone(), *to)).collect();
            all.sort_by(|(a, _), (b, _)| (a.contains('.'), a).cmp(&(b.contains('.'), b)));
            Edges::new(all, fields, &slots)
        });
        Self { edges: edges.collect(), slots, nodes }
    }

    /// An object's own keys that lead to what is wanted, those with dots left out, and the nodes under them.
    pub(super) fn members(&self) -> &[(Box<str>, u32)] {
        self.edges.first().map_or(&[], |own| &own.all[..own.undotted])
    }
}

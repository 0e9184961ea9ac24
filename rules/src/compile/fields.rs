//! Field names → slots, and the way through nested objects to them.
//!
//! `a.b.c` names the value at `a`, `b`, `c` nested; and since keys may hold dots themselves, also the one
//! under the key `a.b` and then `c`, and so on. The table is a graph whose nodes are the part of a name
//! that has been walked and whose edges are keys; a walker of JSON follows keys and finds the slots.

use std::collections::HashMap;

/// A field's place in an event's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(u32);

impl SlotId {
    /// Every value of the event: what keywords are looked for in.
    pub const KEYWORDS: Self = Self(0);

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node of the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) slot: Option<SlotId>,
    pub(crate) edges: HashMap<Box<str>, u32>,
}

/// The fields that a partition's rules name.
#[derive(Clone, Debug)]
pub struct FieldTable {
    names: Vec<String>,
    slots: HashMap<String, SlotId>,
    nodes: Vec<Node>,
}

/// Most ways through nested objects that one name may have; behind it dots only nest.
const MAX_PARTS: usize = 8;

impl Default for FieldTable {
    fn default() -> Self {
        Self {
            names: vec!["keywords".to_owned()],
            slots: HashMap::new(),
            nodes: vec![Node::default()],
        }
    }
}

impl FieldTable {
    /// Number of slots.
    pub(crate) const fn len(&self) -> usize {
        self.names.len()
    }

    /// The slot of a field, if a rule names it.
    pub fn find(&self, name: &str) -> Option<SlotId> {
        self.slots.get(name).copied()
    }

    /// Names and slots of all fields that begin with `prefix`.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, SlotId)> {
        self.slots.iter().filter_map(move |(name, slot)| Some((name.strip_prefix(prefix)?, *slot)))
    }

    /// A slot's field.
    pub fn name(&self, slot: SlotId) -> &str {
        &self.names[slot.index()]
    }

    pub(crate) fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    /// The slot of a field, made if there is none.
    pub(crate) fn slot(&mut self, name: &str) -> SlotId {
        if let Some(slot) = self.find(name) {
            return slot;
        }
        let slot = SlotId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(name.to_owned());
        self.slots.insert(name.to_owned(), slot);
        self.add_ways(0, name, slot, MAX_PARTS);
        slot
    }

    /// Adds every way of cutting `rest` into keys below node `at`.
    fn add_ways(&mut self, at: u32, rest: &str, slot: SlotId, parts: usize) {
        for (cut, _) in rest.match_indices('.') {
            // Behind so many parts a name has only the plain way left: one key a part.
            if parts > 0 && cut > 0 && cut + 1 < rest.len() {
                let next = self.edge(at, &rest[..cut]);
                self.add_ways(next, &rest[cut + 1..], slot, parts - 1);
            }
        }
        let last = self.edge(at, rest);
        self.nodes[last as usize].slot = Some(slot);
    }

    fn edge(&mut self, from: u32, key: &str) -> u32 {
        if let Some(&to) = self.nodes[from as usize].edges.get(key) {
            return to;
        }
        let to = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        self.nodes[from as usize].edges.insert(key.into(), to);
        to
    }
}

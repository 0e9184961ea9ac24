//! Field names → slots, and the way through nested objects to them.
//!
//! `a.b.c` names the value at `a`, `b`, `c` nested; and since keys may hold dots themselves, also the one
//! under the key `a.b` and then `c`, and so on. The table is a graph whose nodes are the part of a name
//! that has been walked and whose edges are keys; a walker of JSON follows keys and finds the slots.

use foldhash::{HashMap, HashMapExt as _};

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
    /// Nodes by what has been walked.
    walked: HashMap<Box<str>, u32>,
}

/// Most parts of a name whose dots may be parts of keys; the dots of a longer one only nest.
const MAX_PARTS: usize = 16;

impl Default for FieldTable {
    fn default() -> Self {
        Self {
            names: vec!["keywords".to_owned()],
            slots: HashMap::new(),
            nodes: vec![Node::default()],
            walked: HashMap::new(),
        }
    }
}

/// What the fields begin with that the engine adds to an event: they do not stand in it.
const ADDED: [&str; 2] = ["calendar.", "session."];

/// Is this such a field?
pub(super) fn is_added(name: &str) -> bool {
    ADDED.iter().any(|added| name.starts_with(added))
}

impl FieldTable {
    /// Is this the field of a record, with a value that stands in it?
    pub(crate) fn is_of_record(&self, slot: SlotId) -> bool {
        slot != SlotId::KEYWORDS && !is_added(self.name(slot))
    }

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

    /// By node: is one of these slots there, or on a way that goes on from it?
    pub(crate) fn leading_to(&self, slots: &[bool]) -> Vec<bool> {
        let mut nodes: Vec<bool> = self
            .nodes
            .iter()
            .map(|node| node.slot.is_some_and(|slot| slots[slot.index()]))
            .collect();
        // What has been walked only becomes longer, and a longer name's node may have been made first.
        loop {
            let mut changed = false;
            for (at, node) in self.nodes.iter().enumerate() {
                if !nodes[at] && node.edges.values().any(|to| nodes[*to as usize]) {
                    nodes[at] = true;
                    changed = true;
                }
            }
            if !changed {
                return nodes;
            }
        }
    }

    /// The slot of a field, made if there is none.
    pub(crate) fn slot(&mut self, name: &str) -> SlotId {
        if let Some(slot) = self.find(name) {
            return slot;
        }
        let slot = SlotId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(name.to_owned());
        self.slots.insert(name.to_owned(), slot);
        self.add_ways(name, slot);
        slot
    }

    /// Adds every way of cutting a name into keys. What has been walked decides what may follow, however
    /// it was cut, so a name of n parts takes n nodes and at most n² / 2 edges.
    fn add_ways(&mut self, name: &str, slot: SlotId) {
        let mut cuts: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
        cuts.push(name.len());
        let reach = if cuts.len() > MAX_PARTS { 1 } else { cuts.len() };
        // Where a key may begin: at the start, and behind each dot.
        let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut + 1));
        for (part, start) in starts.take(cuts.len()).enumerate() {
            // A dot in front has no key before it.
            if start == 1 {
                continue;
            }
            for &end in cuts[part..].iter().take(reach) {
                let Some(key) = name.get(start..end) else { continue };
                // A key has a name, and so has what is left behind it.
                if (key.is_empty() || end + 1 == name.len()) && end < name.len() {
                    continue;
                }
                let from = self.walked(name.get(..start.saturating_sub(1)).unwrap_or_default());
                let to = self.walked(&name[..end]);
                self.nodes[from as usize].edges.insert(key.into(), to);
            }
        }
        // However many parts it has, a name may also be one key.
        let last = self.walked(name);
        self.nodes[0].edges.insert(name.into(), last);
        self.nodes[last as usize].slot = Some(slot);
    }

    /// The node at which `walked` of a name has been walked.
    fn walked(&mut self, walked: &str) -> u32 {
        if walked.is_empty() {
            return 0;
        }
        if let Some(&node) = self.walked.get(walked) {
            return node;
        }
        let node = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        self.walked.insert(walked.into(), node);
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_many_parts_stays_small() {
        let mut fields = FieldTable::default();
        fields.slot(&["a"; 12].join("."));
        assert!(fields.nodes.len() <= 14);
        fields.slot(&vec!["b"; 10_000].join("."));
        let edges: usize = fields.nodes.iter().map(|node| node.edges.len()).sum();
        assert!(edges < 11_000, "{edges}");
    }

    #[test]
    fn names_share_the_way_they_have_in_common() {
        let mut fields = FieldTable::default();
        let (ab, ac) = (fields.slot("a.b"), fields.slot("a.c"));
        let a = fields.node(0).edges["a"];
        assert_eq!(fields.node(fields.node(a).edges["b"]).slot, Some(ab));
        assert_eq!(fields.node(fields.node(a).edges["c"]).slot, Some(ac));
        assert_eq!(fields.node(fields.node(0).edges["a.b"]).slot, Some(ab));
    }
}

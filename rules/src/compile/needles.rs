//! Texts that are sought in a value, all at once.
//!
//! An automaton of them is the fastest way, and takes as long to make as to look through hundreds of lines without it: so it is made
//! when that many have come. Until then the first bytes of each place are looked up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Bytes of all texts up to which their automaton becomes a plain table: faster, and some hundred bytes for each of theirs.
const TABLE: usize = 8 << 10;
/// Values after which an automaton is worth the time that it takes to make it.
const WORTH_IT: u32 = 256;
/// Bytes by which texts are looked up.
const HEAD: usize = 3;

/// Texts that are sought.
#[derive(Debug, Default)]
pub(super) struct Needles {
    texts: Vec<String>,
    /// Without regard to the case of ASCII's letters; the texts are in lower case.
    folded: bool,
    /// Where to look for those that begin like this, in order.
    heads: Vec<(Head, u32)>,
    /// A bit for what may be one of the heads.
    may_be: Vec<u64>,
    /// Lengths that heads have: a bit for each.
    lengths: u8,
    values: AtomicU32,
    /// `None` inside: there are too many for one.
    automaton: OnceLock<Option<AhoCorasick>>,
}

/// The first bytes of a text, and how many they are.
type Head = u32;

/// Bits of a filter of heads.
const FILTER: usize = 1 << 14;

fn head(bytes: &[u8], folded: bool) -> Head {
    let length = u32::try_from(bytes.len()).unwrap_or_default() << 24;
    bytes.iter().fold(length, |head, byte| {
        let byte = if folded { byte.to_ascii_lowercase() } else { *byte };
        // The length stays in front.
        (head & 0xff00_0000) | (head << 8 & 0x00ff_ff00) | u32::from(byte)
    })
}

/// Where a head's bit is.
const fn bit(head: Head) -> usize {
    (head.wrapping_mul(0x9e37_79b1) >> 18) as usize
}

impl Needles {
    /// Of texts that are not empty; `folded` ones are in lower case.
    pub(super) fn new(texts: Vec<String>, folded: bool) -> Self {
        let mut this = Self { texts, folded, may_be: vec![0; FILTER / 64], ..Self::default() };
        for (at, text) in (0..).zip(&this.texts) {
            let bytes = &text.as_bytes()[..text.len().min(HEAD)];
            let head = head(bytes, false);
            this.heads.push((head, at));
            this.may_be[bit(head) / 64] |= 1 << (bit(head) % 64);
            this.lengths |= 1 << bytes.len();
        }
        this.heads.sort_unstable();
        this
    }

    /// Tells of every place at which one of them is found: which, from where, up to where.
    pub(super) fn each(&self, value: &str, mut found: impl FnMut(usize, usize, usize)) {
        if let Some(automaton) = self.automaton() {
            for hit in automaton.find_overlapping_iter(value) {
                found(hit.pattern().as_usize(), hit.start(), hit.end());
            }
            return;
        }
        let bytes = value.as_bytes();
        for start in 0..bytes.len() {
            for length in (1..=HEAD).filter(|length| self.lengths & 1 << length != 0) {
                let Some(first) = bytes.get(start..start + length) else { break };
                let head = head(first, self.folded);
                if self.may_be[bit(head) / 64] & 1 << (bit(head) % 64) == 0 {
                    continue;
                }
                let from = self.heads.partition_point(|(own, _)| *own < head);
                for &(_, at) in self.heads[from..].iter().take_while(|(own, _)| *own == head) {
                    let text = self.texts[at as usize].as_bytes();
                    let Some(there) = bytes.get(start..start + text.len()) else { continue };
                    if there == text || self.folded && there.eq_ignore_ascii_case(text) {
                        found(at as usize, start, start + text.len());
                    }
                }
            }
        }
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        if let Some(made) = self.automaton.get() {
            return made.as_ref();
        }
        if self.values.fetch_add(1, Ordering::Relaxed) < WORTH_IT {
            return None;
        }
        self.automaton.get_or_init(|| self.make()).as_ref()
    }

    fn make(&self) -> Option<AhoCorasick> {
        let is_small = self.texts.iter().map(String::len).sum::<usize>() <= TABLE;
        let kind = if is_small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(self.folded)
            .build(&self.texts)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law 3: with and without an automaton the same is found.
        #[test]
        fn both_ways_find_the_same(
            texts in prop::collection::btree_set("[abc]{1,5}|[a-cü/]{1,3}", 1..12),
            value in "[abcABCü/]{0,24}",
            folded: bool,
        ) {
            let needles = Needles::new(texts.into_iter().collect(), folded);
            let mut one = Vec::new();
            needles.each(&value, |at, start, end| one.push((at, start, end)));
            let mut other = BTreeSet::new();
            for hit in needles.make().unwrap().find_overlapping_iter(&value) {
                other.insert((hit.pattern().as_usize(), hit.start(), hit.end()));
            }
            prop_assert_eq!(one.len(), other.len());
            prop_assert_eq!(one.into_iter().collect::<BTreeSet<_>>(), other);
        }
    }
}

//! Texts that are sought in a value, all at once.
//!
//! Of each text those of its bytes in a row are chosen, four where it has as many, that are met least. A place of the value
//! is compared with a text only where a bit says that such bytes may stand there: of most values that is nowhere, however
//! many texts are sought. Nothing has to be made but two small tables, and a value is gone over once without looking into
//! more memory than these bits.

/// Texts that are sought.
#[derive(Debug, Default)]
pub(super) struct Needles {
    texts: Vec<Box<str>>,
    /// Of texts of one byte, of up to three, and of longer ones.
    one: Grams<1>,
    two: Grams<2>,
    four: Grams<4>,
}

/// Texts by `N` bytes of theirs in a row.
#[derive(Debug, Default)]
struct Grams<const N: usize> {
    /// A bit for what may be such bytes, by the uppermost bits of their hash.
    may_be: Vec<u64>,
    /// How far a hash is shifted to be the number of its bit.
    shift: u32,
    /// In order.
    own: Vec<Gram>,
    /// By the uppermost bits of the hash: where in `own` those that have them begin; and the end.
    begins: Vec<u32>,
    begins_shift: u32,
}

/// Bytes in a row, and the text in which they stand.
#[derive(Clone, Copy, Debug)]
struct Gram {
    hash: u32,
    text: u32,
    /// Where in the text.
    offset: u32,
}

/// Bits for each gram: how seldom other bytes are taken for one.
const BITS: usize = 32;
/// Fewest and most bits in all: what is looked into at each byte has to lie near.
const FEWEST: usize = 1 << 8;
const MOST: usize = 1 << 18;

/// What stands in commands, paths and names, the most frequent first.
const FREQUENT: &[u8] = b"/e-tsanoi rlcp.mdu0bhg12_=vfykw:xj35";

/// How frequent a byte is: the higher, the more.
const FREQUENCIES: [u32; 256] = {
    let mut all = [1; 256];
    let (mut rest, mut frequency) = (FREQUENT, 100);
    while let [byte, behind @ ..] = rest {
        all[*byte as usize] = frequency;
        all[byte.to_ascii_uppercase() as usize] = frequency;
        (rest, frequency) = (behind, frequency - 2);
    }
    all
};

fn hash<const N: usize>(bytes: [u8; N]) -> u32 {
    let mut all = [0; 4];
    all[..N].copy_from_slice(&bytes);
    // Different bytes have different hashes: an odd factor can be undone.
    u32::from_le_bytes(all).wrapping_mul(0x9e37_79b1)
}

impl<const N: usize> Grams<N> {
    /// Of texts that have as many bytes.
    fn new<'t>(texts: impl Iterator<Item = (u32, &'t str)>) -> Self {
        let mut own: Vec<Gram> = texts.filter_map(|(at, text)| Gram::of::<N>(at, text)).collect();
        if own.is_empty() {
            return Self::default();
        }
        own.sort_unstable_by_key(|gram| gram.hash);
        let bits = (own.len() * BITS).next_power_of_two().clamp(FEWEST, MOST);
        let shift = 32 - bits.ilog2();
        let mut may_be = vec![0; bits.div_ceil(64)];
        for gram in &own {
            let bit = (gram.hash >> shift) as usize;
            may_be[bit / 64] |= 1 << (bit % 64);
        }
        let places = own.len().next_power_of_two().max(2);
        let begins_shift = 32 - places.ilog2();
        let mut begins = vec![0; places + 1];
        for gram in &own {
            begins[(gram.hash >> begins_shift) as usize + 1] += 1;
        }
        let mut sum = 0;
        for place in &mut begins {
            sum += *place;
            *place = sum;
        }
        Self { may_be, shift, own, begins, begins_shift }
    }

    /// Tells of every place at which one of the texts may stand: which, and from where.
    fn each(&self, value: &[u8], mut may_stand: impl FnMut(usize, usize)) {
        if self.own.is_empty() {
            return;
        }
        for (at, bytes) in value.array_windows::<N>().enumerate() {
            let hash = hash(*bytes);
            let bit = (hash >> self.shift) as usize;
            if self.may_be.get(bit / 64).is_some_and(|bits| bits >> (bit % 64) & 1 == 1) {
                for gram in self.of(hash) {
                    if let Some(start) = at.checked_sub(gram.offset as usize) {
                        may_stand(gram.text as usize, start);
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn of(&self, hash: u32) -> impl Iterator<Item = &Gram> {
        let place = (hash >> self.begins_shift) as usize;
        let begin = |place: usize| self.begins.get(place).map_or(self.own.len(), |at| *at as usize);
        let own = self.own.get(begin(place)..begin(place + 1)).unwrap_or_default();
        own.iter().filter(move |gram| gram.hash == hash)
    }
}

impl Gram {
    /// Those bytes of a text that are met least.
    fn of<const N: usize>(at: u32, text: &str) -> Option<Self> {
        let windows = text.as_bytes().array_windows::<N>();
        let frequency =
            |bytes: &[u8; N]| bytes.iter().map(|byte| FREQUENCIES[usize::from(*byte)]).sum::<u32>();
        let (offset, bytes) = (0..).zip(windows).min_by_key(|(_, bytes)| frequency(bytes))?;
        Some(Self { hash: hash(*bytes), text: at, offset })
    }
}

impl Needles {
    /// Of texts that are not empty.
    pub(super) fn new(texts: Vec<Box<str>>) -> Self {
        let of = |lengths: std::ops::RangeInclusive<usize>| {
            let texts = (0..).zip(texts.iter().map(|text| &**text));
            texts.filter(move |(_, text)| lengths.contains(&text.len()))
        };
        let (one, two, four) =
            (Grams::new(of(1..=1)), Grams::new(of(2..=3)), Grams::new(of(4..=usize::MAX)));
        Self { texts, one, two, four }
    }

    /// Tells of every place at which one of them is found: which, from where, up to where.
    pub(super) fn each(&self, value: &str, mut found: impl FnMut(usize, usize, usize)) {
        let value = value.as_bytes();
        let mut may_stand = |at: usize, start: usize| {
            let text = self.texts[at].as_bytes();
            let end = start + text.len();
            if value.get(start..end) == Some(text) {
                found(at, start, end);
            }
        };
        self.four.each(value, &mut may_stand);
        self.two.each(value, &mut may_stand);
        self.one.each(value, &mut may_stand);
    }
}

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, MatchKind};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law 3: what an automaton finds is found.
        #[test]
        fn every_place_is_found(
            texts in prop::collection::btree_set("[abc]{1,9}|[a-cü/]{1,6}", 1..40),
            value in "[abcü/]{0,40}",
        ) {
            let texts: Vec<Box<str>> = texts.into_iter().map(String::into_boxed_str).collect();
            let all = texts.iter().map(|text| text.as_bytes());
            let automaton =
                AhoCorasick::builder().match_kind(MatchKind::Standard).build(all).unwrap();
            let hits = automaton.find_overlapping_iter(&value);
            let mut expected: Vec<_> =
                hits.map(|hit| (hit.pattern().as_usize(), hit.start(), hit.end())).collect();
            let mut seen = Vec::new();
            Needles::new(texts).each(&value, |at, start, end| seen.push((at, start, end)));
            expected.sort_unstable();
            seen.sort_unstable();
            prop_assert_eq!(seen, expected);
        }
    }
}

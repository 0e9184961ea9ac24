//! Texts that are sought in a value, all at once.
//!
//! Of each text those of its bytes in a row are chosen, four or two of a short one, that are met least. A place of the value
//! is compared with a text only where a bit says that such bytes may stand there: of most values that is nowhere, however
//! many texts are sought. Nothing has to be made but a small table or two, and a value is gone over without looking into
//! more memory than these bits. A few short texts are compared with sixteen places in one step instead.
//!
//! Of a text of five bytes or more two such rows are chosen that begin next to each other, so that wherever it stands one of
//! them begins at an even place: others need not be looked at.

use std::ops::RangeInclusive;

use crate::pairs::{Pair, is_same, rarest};

/// Texts that are sought.
#[derive(Debug, Default)]
pub(super) struct Needles {
    texts: Vec<Box<str>>,
    /// Those of one byte.
    one: Grams<1, 1>,
    /// A few short ones.
    few: Few,
    /// Those of two or three bytes, if they are too many for that.
    pairs: Grams<2, 1>,
    /// Those of four, likewise.
    threes: Grams<3, 2>,
    /// Those of five bytes and more.
    fours: Grams<4, 2>,
}

/// Texts by `N` bytes of theirs in a row. Every `STEP`th place of a value is looked at, and of each text `STEP` such rows are known,
/// side by side: one of them begins at such a place.
#[derive(Debug, Default)]
struct Grams<const N: usize, const STEP: usize> {
    /// A bit for what may be such bytes, by the uppermost bits of their hash: as many as [`Size`] says.
    may_be: Vec<u64>,
    size: Size,
    /// In order.
    own: Vec<Gram>,
    /// By the uppermost bits of the hash: where in `own` those that have them begin; and the end.
    begins: Vec<u32>,
    begins_shift: u32,
}

/// A few texts by a pair of their bytes.
#[derive(Debug, Default)]
struct Few {
    pairs: Vec<Pair>,
    /// By pair.
    texts: Vec<usize>,
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
const BITS: usize = 24;
/// How many bits there are in all. What is looked into at each place has to lie near, and how far it is shifted be known when the
/// program is built.
#[derive(Clone, Copy, Debug, Default)]
enum Size {
    #[default]
    Tiny,
    Small,
    Medium,
    Large,
}

impl Size {
    const ALL: [Self; 4] = [Self::Tiny, Self::Small, Self::Medium, Self::Large];

    /// The binary logarithm of it.
    const fn log(self) -> u32 {
        match self {
            Self::Tiny => 10,
            Self::Small => 13,
            Self::Medium => 16,
            Self::Large => 18,
        }
    }
}

/// So many short texts are compared with each place; more are found faster by their bits.
const FEW: usize = 8;

/// Places of which the bits are looked at in a row, and bytes that all of them reach.
const AT_ONCE: usize = 8;
const REACH: usize = (AT_ONCE - 1) * 2 + 4;

fn hash<const N: usize>(bytes: [u8; N]) -> u32 {
    let mut all = [0; 4];
    all[..N].copy_from_slice(&bytes);
    // Different bytes have different hashes: an odd factor can be undone.
    u32::from_le_bytes(all).wrapping_mul(0x9e37_79b1)
}

impl<const N: usize, const STEP: usize> Grams<N, STEP> {
    /// Of texts that have as many bytes, and one more for each place that is left out.
    fn new<'t>(texts: impl Iterator<Item = (u32, &'t str)>) -> Self {
        let mut own: Vec<Gram> = texts.flat_map(|(at, text)| Self::of_text(at, text)).collect();
        if own.is_empty() {
            return Self::default();
        }
        own.sort_unstable_by_key(|gram| gram.hash);
        let size = Size::ALL.into_iter().find(|size| own.len() * BITS <= 1 << size.log());
        let size = size.unwrap_or(Size::Large);
        let mut may_be = vec![0; 1 << (size.log() - 6)];
        for gram in &own {
            let bit = gram.hash >> (32 - size.log());
            may_be[bit as usize / 64] |= 1 << (bit % 64);
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
        Self { may_be, size, own, begins, begins_shift }
    }

    /// Those bytes of a text that are met least, and so many rows next to one another that one of them is looked at wherever
    /// the text stands.
    fn of_text(at: u32, text: &str) -> impl Iterator<Item = Gram> {
        let text = text.as_bytes();
        let first = rarest(text, N + STEP - 1);
        let offsets = first.map_or(0..0, |first| first..first + STEP);
        offsets.filter_map(move |offset| {
            let bytes = text.get(offset..)?.first_chunk::<N>()?;
            Some(Gram { hash: hash(*bytes), text: at, offset: u32::try_from(offset).ok()? })
        })
    }

    /// Tells of every place at which one of the texts may stand: which, and from where.
    fn each(&self, value: &[u8], may_stand: &mut impl FnMut(usize, usize)) {
        if self.own.is_empty() {
            return;
        }
        const { assert!((AT_ONCE - 1) * STEP + N <= REACH) };
        match self.size {
            Size::Tiny => self.each_of::<{ Size::Tiny.log() }>(value, may_stand),
            Size::Small => self.each_of::<{ Size::Small.log() }>(value, may_stand),
            Size::Medium => self.each_of::<{ Size::Medium.log() }>(value, may_stand),
            Size::Large => self.each_of::<{ Size::Large.log() }>(value, may_stand),
        }
    }

    fn each_of<const LOG: u32>(&self, value: &[u8], may_stand: &mut impl FnMut(usize, usize)) {
        // What it is asserted of need not be looked at again for each place.
        let may_be = self.may_be.as_slice();
        assert_eq!(may_be.len(), 1 << (LOG - 6), "the size is that of the bits");
        let mut look = |at: usize, bytes: [u8; N]| {
            let bit = hash(bytes) >> (32 - LOG);
            if may_be[bit as usize / 64] >> (bit % 64) & 1 == 1 {
                self.tell(hash(bytes), at, may_stand);
            }
        };
        let mut at = 0;
        while let Some(block) = value.get(at..).and_then(<[u8]>::first_chunk::<REACH>) {
            for place in (0..AT_ONCE).map(|nth| nth * STEP) {
                let mut bytes = [0; N];
                bytes.copy_from_slice(&block[place..place + N]);
                look(at + place, bytes);
            }
            at += AT_ONCE * STEP;
        }
        while let Some(bytes) = value.get(at..).and_then(<[u8]>::first_chunk::<N>) {
            look(at, *bytes);
            at += STEP;
        }
    }

    /// Tells of the texts of which these bytes are.
    #[inline(never)]
    fn tell(&self, hash: u32, at: usize, may_stand: &mut impl FnMut(usize, usize)) {
        let place = (hash >> self.begins_shift) as usize;
        let begin = |place: usize| self.begins.get(place).map_or(self.own.len(), |at| *at as usize);
        let own = self.own.get(begin(place)..begin(place + 1)).unwrap_or_default();
        for gram in own.iter().filter(|gram| gram.hash == hash) {
            if let Some(start) = at.checked_sub(gram.offset as usize) {
                may_stand(gram.text as usize, start);
            }
        }
    }
}

impl Few {
    /// `None`: they are too many.
    fn new<'t>(texts: impl Iterator<Item = (u32, &'t str)>) -> Option<Self> {
        let pair = |(at, text): (u32, &str)| Some((Pair::of(text.as_bytes())?, at as usize));
        let (pairs, texts): (Vec<_>, Vec<_>) = texts.filter_map(pair).take(FEW + 1).unzip();
        (pairs.len() <= FEW).then_some(Self { pairs, texts })
    }

    /// Tells of every place at which one of the texts may stand: which, and from where.
    fn each(&self, value: &[u8], may_stand: &mut impl FnMut(usize, usize)) {
        if self.pairs.is_empty() {
            return;
        }
        Pair::any(&self.pairs, value, |nth, start| {
            may_stand(self.texts[nth], start);
            false
        });
    }
}

impl Needles {
    /// Of texts that are not empty.
    pub(super) fn new(texts: Vec<Box<str>>) -> Self {
        let of = |lengths: RangeInclusive<usize>| {
            let texts = (0..).zip(texts.iter().map(|text| &**text));
            texts.filter(move |(_, text)| lengths.contains(&text.len()))
        };
        let mut this = Self { fours: Grams::new(of(5..=usize::MAX)), ..Self::default() };
        this.one = Grams::new(of(1..=1));
        if let Some(few) = Few::new(of(2..=4)) {
            this.few = few;
        } else {
            this.threes = Grams::new(of(4..=4));
            match Few::new(of(2..=3)) {
                Some(few) => this.few = few,
                None => this.pairs = Grams::new(of(2..=3)),
            }
        }
        this.texts = texts;
        this
    }

    /// Tells of every place at which one of them is found: which, from where, up to where.
    pub(super) fn each(&self, value: &str, mut found: impl FnMut(usize, usize, usize)) {
        let value = value.as_bytes();
        let mut may_stand = |at: usize, start: usize| {
            let text = self.texts[at].as_bytes();
            let end = start + text.len();
            if value.get(start..end).is_some_and(|there| is_same(there, text)) {
                found(at, start, end);
            }
        };
        self.fours.each(value, &mut may_stand);
        self.few.each(value, &mut may_stand);
        self.pairs.each(value, &mut may_stand);
        self.threes.each(value, &mut may_stand);
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

    #[test]
    fn one_is_found_however_many_they_are() {
        for count in [1, 10, 100, 1000, 5000] {
            let texts: Vec<Box<str>> = (0..count).map(|at| format!("text{at:04}").into()).collect();
            let needles = Needles::new(texts);
            let last = count - 1;
            for before in 0..20 {
                let mut seen = Vec::new();
                let value = format!("{}text{last:04}", " ".repeat(before));
                needles.each(&value, |at, start, end| seen.push((at, start, end)));
                assert_eq!(seen, [(last, before, value.len())]);
            }
        }
    }
}

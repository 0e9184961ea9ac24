//! Two bytes of a text, side by side, tell where it may stand: sixteen places are looked at in one step.

use fearless_simd::{Level, Simd, SimdBase as _, SimdMask as _, dispatch, u8x16};
use memchr::memmem;

use crate::folded::bytes_of;

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

/// Where in a text those `length` bytes begin that are met least; `None`: it is shorter.
pub(crate) fn rarest(text: &[u8], length: usize) -> Option<usize> {
    let frequency =
        |bytes: &[u8]| -> u32 { bytes.iter().map(|byte| FREQUENCIES[usize::from(*byte)]).sum() };
    let all = text.windows(length).enumerate();
    all.min_by_key(|(_, bytes)| frequency(bytes)).map(|(at, _)| at)
}

/// Places that are looked at in one step.
const BLOCK: usize = 16;

/// Two bytes of a text.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// Each as often as there are places in a block.
    bytes: [[u8; BLOCK]; 2],
    /// Where in the text they stand.
    offset: usize,
}

impl Pair {
    /// Those that are met least; `None`: the text has only one.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let offset = rarest(text, 2)?;
        let [first, second] = *text.get(offset..)?.first_chunk()?;
        Some(Self { bytes: [[first; BLOCK], [second; BLOCK]], offset })
    }

    /// Calls `may_stand` for every place where one of the texts may begin, with the number of its pair, until that is true. Is it
    /// ever? Whether the text stands there is for the caller to see, and whether there is room for it.
    pub(crate) fn any(
        all: &[Self],
        value: &[u8],
        mut may_stand: impl FnMut(usize, usize) -> bool,
    ) -> bool {
        dispatch!(Level::baseline(), simd => any(simd, all, value, &mut may_stand))
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "there is one kind of processor to compile it for")]
fn any<S: Simd>(
    simd: S,
    all: &[Pair],
    value: &[u8],
    may_stand: &mut impl FnMut(usize, usize) -> bool,
) -> bool {
    // A pair begins at every byte that has one behind it.
    let mut at = 0;
    while at + 1 < value.len() {
        let mut short = [0; BLOCK + 1];
        // The last block begins where there is a whole one, among what was looked at before.
        let from = at.min(value.len().saturating_sub(BLOCK + 1));
        let block = value[from..].first_chunk().unwrap_or_else(|| {
            short[..value.len()].copy_from_slice(value);
            &short
        });
        let here = u8x16::from_slice(simd, &block[..BLOCK]);
        let next = u8x16::from_slice(simd, &block[1..]);
        for (nth, Pair { bytes: [first, second], offset }) in all.iter().enumerate() {
            let is_here = here.simd_eq(u8x16::from_slice(simd, first))
                & next.simd_eq(u8x16::from_slice(simd, second));
            let mut places = is_here.to_bitmask() >> (at - from) << (at - from);
            while places != 0 {
                let place = from + places.trailing_zeros() as usize;
                if place.checked_sub(*offset).is_some_and(|start| may_stand(nth, start)) {
                    return true;
                }
                places &= places - 1;
            }
        }
        at = from + BLOCK;
    }
    false
}

/// Are they the same? Most are short, and of most the ends differ: a call would take longer than to look.
#[inline]
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    fn differ<const N: usize>(a: &[u8], b: &[u8]) -> Option<bool> {
        let is_other = a.first_chunk::<N>()? != b.first_chunk::<N>()?
            || a.last_chunk::<N>()? != b.last_chunk::<N>()?;
        Some(is_other)
    }
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        0..4 => a.iter().zip(b).all(|(a, b)| a == b),
        4..8 => differ::<4>(a, b) == Some(false),
        8..=16 => differ::<8>(a, b) == Some(false),
        17..=32 => differ::<16>(a, b) == Some(false),
        _ => differ::<16>(a, b) == Some(false) && a == b,
    }
}

/// Longest value that is looked at here, in bytes: in a longer one the library is faster, and it takes time in proportion to
/// the value alone.
const SHORT: usize = 256;

/// A text that is sought in one value after the other.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    pair: Option<Pair>,
    bytes: u64,
    long: memmem::Finder<'static>,
}

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        let long = memmem::Finder::new(text).into_owned();
        Self { pair: Pair::of(text.as_bytes()), bytes: bytes_of(text.as_bytes()), long }
    }

    /// The [`bytes_of`] it.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Does it stand in the value?
    pub(crate) fn is_in(&self, value: &str) -> bool {
        let (value, text) = (value.as_bytes(), self.long.needle());
        match &self.pair {
            Some(pair) if value.len() <= SHORT => {
                let is_here = |_, start| {
                    value.get(start..start + text.len()).is_some_and(|there| is_same(there, text))
                };
                Pair::any(std::slice::from_ref(pair), value, is_here)
            }
            _ => self.long.find(value).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law 3: it is found where the standard library finds it.
        #[test]
        fn what_is_there_is_found(text in "[ab\0]{0,4}", value in "[abc\0]{0,40}|[ab]{250,260}") {
            prop_assert_eq!(Needle::new(&text).is_in(&value), value.contains(&text));
        }

        #[test]
        fn same_is_what_is_equal(a in "[ab]{0,40}", at in 0_usize..40) {
            prop_assert!(is_same(a.as_bytes(), a.as_bytes()));
            let mut b = a.clone().into_bytes();
            if let Some(byte) = b.get_mut(at) {
                *byte ^= 3;
                prop_assert!(!is_same(a.as_bytes(), &b));
            }
            b.push(0);
            prop_assert!(!is_same(a.as_bytes(), &b));
        }
    }
}

//! Sixty-four bytes of JSON at a time, as bits: where strings begin and end, where brackets and colons stand
//! outside of them.
//!
//! A bit for each byte, the first byte's the lowest. What one block leaves open (a string, a backslash, a value
//! that nothing followed yet) goes on in the next. How many bytes are compared at once is what the processor can do.

#![expect(clippy::inline_always, reason = "compiled into what is made for each kind of processor")]

use fearless_simd::{Simd, SimdBase as _, SimdMask as _, u8x64};

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// What a block holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bits {
    /// Quotes that a string begins with.
    pub(super) begins: u64,
    /// Quotes that one ends with.
    pub(super) ends: u64,
    /// `{` and `[`
    pub(super) opens: u64,
    /// `}` and `]`
    pub(super) closes: u64,
    /// `:`
    pub(super) colons: u64,
    /// Where it is no JSON: a value right behind another, a backslash outside of a string.
    pub(super) wrong: u64,
}

/// What a block leaves to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blocks {
    /// All bits, if a string goes on.
    in_string: u64,
    /// The first bit, if the first byte is escaped.
    escaped: u64,
    /// The first bit, if what came last is a value.
    behind_value: u64,
}

/// Of each bit: how many are set from the first to itself, odd or even?
const fn odd_so_far(bits: u64) -> u64 {
    let mut odd = bits;
    let mut width = 1;
    while width < 64 {
        odd ^= odd << width;
        width *= 2;
    }
    odd
}

impl Blocks {
    /// The next bytes; behind the last there is nothing but blanks.
    #[inline(always)]
    pub(super) fn next<S: Simd>(&mut self, simd: S, bytes: &[u8]) -> Bits {
        let Some(block) = bytes.first_chunk::<BLOCK>() else {
            let mut block = [b' '; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            return self.block(u8x64::from_slice(simd, &block));
        };
        self.block(u8x64::from_slice(simd, block))
    }

    #[inline(always)]
    fn block<S: Simd>(&mut self, block: u8x64<S>) -> Bits {
        // Bytes that are this one.
        let equal = |block: u8x64<S>, byte: u8| block.simd_eq(byte).to_bitmask();
        // Brackets of both kinds differ in this bit, and nothing else becomes one by it.
        let alike = block | 0x20;
        let escapes = equal(block, b'\\');
        let quotes = equal(block, b'"') & !self.escaped(escapes);
        let strings = odd_so_far(quotes) ^ self.in_string;
        self.in_string = (strings >> 63).wrapping_neg();
        let begins = quotes & strings;
        let ends = quotes & !strings;
        let opens = equal(alike, b'{') & !strings;
        let closes = equal(alike, b'}') & !strings;
        let commas = equal(block, b',') & !strings;
        let colons = equal(block, b':') & !strings;
        // What comes next behind a value: a sum carries it over all that means nothing.
        let values = ends | closes;
        let nothing = !(quotes | opens | closes | commas | colons);
        let behind = values << 1 | self.behind_value;
        let (carried, goes_on) = (behind & nothing).overflowing_add(nothing);
        self.behind_value = values >> 63 | u64::from(goes_on);
        let next = (carried | behind) & !nothing;
        let wrong = next & (begins | opens) | escapes & !strings;
        Bits { begins, ends, opens, closes, colons, wrong }
    }

    /// Bytes that are escaped: those behind an odd number of backslashes.
    #[inline(always)]
    fn escaped(&mut self, escapes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if escapes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        // A backslash that is escaped escapes nothing.
        let escapes = escapes & !self.escaped;
        let behind = escapes << 1 | self.escaped;
        let odd = escapes & !EVEN & !behind;
        let (even, goes_on) = odd.overflowing_add(escapes);
        self.escaped = u64::from(goes_on);
        (EVEN ^ even << 1) & behind
    }
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Byte by byte it is the same.
        #[test]
        fn bits_are_where_the_bytes_are(text in "[\\\\\"a]{0,300}|[\\\\\"{}\\[\\],: 1]{0,300}") {
            let bytes = text.as_bytes();
            let mut blocks = Blocks::default();
            let (mut in_string, mut escaped) = (false, false);
            for chunk in bytes.chunks(BLOCK) {
                let bits = dispatch!(Level::new(), simd => blocks.next(simd, chunk));
                for (at, byte) in chunk.iter().enumerate() {
                    let has = |bits: u64| bits >> at & 1 == 1;
                    let is_quote = *byte == b'"' && !escaped;
                    prop_assert_eq!(has(bits.begins), is_quote && !in_string);
                    prop_assert_eq!(has(bits.ends), is_quote && in_string);
                    in_string ^= is_quote;
                    let outside = !in_string && !is_quote;
                    prop_assert_eq!(has(bits.opens), outside && matches!(byte, b'{' | b'['));
                    prop_assert_eq!(has(bits.closes), outside && matches!(byte, b'}' | b']'));
                    prop_assert_eq!(has(bits.colons), outside && *byte == b':');
                    if !in_string && *byte == b'\\' {
                        // Where an escape may not stand everything behind it is another matter.
                        prop_assert!(has(bits.wrong));
                        return Ok(());
                    }
                    escaped = *byte == b'\\' && !escaped;
                }
            }
        }
    }
}

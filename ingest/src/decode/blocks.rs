//! Sixty-four bytes of JSON at a time, as bits: where brackets and colons stand outside of strings.
//!
//! A bit for each byte, the first byte's the lowest. What one block leaves open (a string, a backslash) goes on in the
//! next. How many bytes are compared at once is what the processor can do.

#![expect(clippy::inline_always, reason = "compiled into what is made for each kind of processor")]

use std::ops::Range;

use fearless_simd::{Level, Simd, SimdBase as _, SimdMask as _, dispatch, u8x64};

/// Bytes of a block.
const BLOCK: usize = 64;
/// Blocks that are looked at in a row.
const ROW: usize = 32;
/// Bytes of these.
const BYTES: usize = ROW * BLOCK;
/// Those of the first row: it may be that nothing comes of it.
const FIRST: usize = 4;
/// Marks that are noted at once: few blocks have more.
const AT_ONCE: usize = 5;

/// Where brackets and colons stand outside of strings, row by row.
///
/// First all of a row are noted, then all are gone over: where they stand in their blocks is chance, in what order they come
/// is not, and a processor that knows what comes next need not wait. What was noted of a row serves every object in it.
pub(crate) struct Marks {
    blocks: Blocks,
    /// Where in the buffer the row begins, and where it ends; nothing is known where both are the same.
    row: Range<usize>,
    places: [u16; BYTES + AT_ONCE],
    count: usize,
    /// The next of them to be gone over.
    next: usize,
    /// Are there backslashes in this row or the one before?
    has_escapes: bool,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            blocks: Blocks::default(),
            row: 0..0,
            places: [0; BYTES + AT_ONCE],
            count: 0,
            next: 0,
            has_escapes: false,
        }
    }
}

impl Marks {
    /// Forgets what is known: the buffer will be another.
    pub(super) fn forget(&mut self) {
        self.row = 0..0;
    }

    /// Goes behind the bracket at `start`, which stands outside of strings.
    pub(super) fn begin(&mut self, buf: &[u8], start: usize) {
        if self.row.contains(&start) {
            let place = start - self.row.start;
            let before = self.left().1.iter().take_while(|known| usize::from(**known) < place);
            let nth = self.next + before.count();
            // If it is known as a bracket, what is known behind it is as well. Otherwise something in front of it is odd.
            if self.places().get(nth).is_some_and(|known| usize::from(*known) == place) {
                self.next = nth + 1;
                return;
            }
        }
        self.blocks = Blocks::default();
        self.row = start + 1..start + 1;
        self.read(buf, FIRST);
    }

    /// Goes on to the next row; `false`: there is none.
    pub(super) fn read_on(&mut self, buf: &[u8]) -> bool {
        self.read(buf, ROW)
    }

    fn read(&mut self, buf: &[u8], blocks: usize) -> bool {
        let start = self.row.end;
        let left = buf.get(start..).unwrap_or_default();
        (self.count, self.next) = (0, 0);
        let mut padded;
        let row = if let Some(row) = left.first_chunk::<BYTES>() {
            row
        } else {
            // Behind the last there is nothing but blanks.
            padded = [b' '; BYTES];
            padded[..left.len()].copy_from_slice(left);
            &padded
        };
        let blocks = left.len().div_ceil(BLOCK).min(blocks);
        dispatch!(Level::new(), simd => self.read_row(simd, row, blocks));
        self.row = start..buf.len().min(start + blocks * BLOCK);
        !self.row.is_empty()
    }

    #[inline(always)]
    fn read_row<S: Simd>(&mut self, simd: S, bytes: &[u8; BYTES], count: usize) {
        let before = self.blocks.escapes;
        let mut blocks = Blocks { wrong: 0, apart: 0, escapes: 0, ..self.blocks };
        let (row, _) = bytes.as_chunks::<BLOCK>();
        let (row, mut count, mut begin) = (row.iter().take(count), 0, 0);
        for block in row {
            let marked = blocks.marked(u8x64::from_slice(simd, block));
            note(marked, begin, &mut self.places[count..]);
            count += marked.count_ones() as usize;
            begin += 64;
        }
        (self.blocks, self.count) = (blocks, count);
        self.has_escapes = before | blocks.escapes != 0;
    }

    /// Is there a backslash outside of a string in this row? Then nothing that is known of it can be relied on.
    pub(super) const fn is_wrong(&self) -> bool {
        self.blocks.wrong != 0
    }

    /// May there be backslashes in a key that ends in this row? Keys are far shorter than a row.
    pub(super) const fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// Are there colons in this row that do not stand right behind a quote?
    pub(super) const fn are_apart(&self) -> bool {
        self.blocks.apart != 0
    }

    fn places(&self) -> &[u16] {
        self.places.get(..self.count).unwrap_or(&self.places)
    }

    /// Where the row begins, and where in it those stand, in order, that have not been gone over. Where no JSON is there may
    /// be other bytes among them.
    pub(super) fn left(&self) -> (usize, &[u16]) {
        (self.row.start, self.places().get(self.next..).unwrap_or_default())
    }

    /// So many of those that are left have been gone over.
    pub(super) fn pass(&mut self, count: usize) {
        self.next += count;
    }
}

/// Notes where the marks of a block stand. More than there are may be written.
#[inline(always)]
fn note(mut marked: u64, begin: u16, places: &mut [u16]) {
    let count = marked.count_ones() as usize;
    let mut next = |place: &mut u16| {
        let bit = marked.trailing_zeros();
        marked &= !1_u64.wrapping_shl(bit);
        #[expect(clippy::cast_possible_truncation, reason = "64 at most")]
        let bit = bit as u16;
        *place = begin + bit;
    };
    let Some((first, rest)) = places.split_first_chunk_mut::<AT_ONCE>() else { return };
    first.iter_mut().for_each(&mut next);
    if count > AT_ONCE {
        rest.iter_mut().take(count - AT_ONCE).for_each(next);
    }
}

/// What a block leaves to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Blocks {
    /// All bits, if a string goes on.
    in_string: u64,
    /// The first bit, if the first byte is escaped.
    escaped: u64,
    /// The first bit, if the last byte is a quote.
    behind_quote: u64,
    /// Backslashes.
    escapes: u64,
    /// Those outside of strings.
    wrong: u64,
    /// Colons that do not stand right behind a quote.
    apart: u64,
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
    /// Brackets and colons outside of strings.
    #[inline(always)]
    fn marked<S: Simd>(&mut self, block: u8x64<S>) -> u64 {
        // Bytes that are this one.
        let equal = |block: u8x64<S>, byte: u8| block.simd_eq(byte).to_bitmask();
        let escapes = equal(block, b'\\');
        let quotes = equal(block, b'"') & !self.escaped(escapes);
        let strings = odd_so_far(quotes) ^ self.in_string;
        self.in_string = (strings >> 63).wrapping_neg();
        self.escapes |= escapes;
        self.wrong |= escapes & !strings;
        let colons = equal(block, b':') & !strings;
        self.apart |= colons & !(quotes << 1 | self.behind_quote);
        self.behind_quote = quotes >> 63;
        // The four brackets differ in these bits alone. With `Y`, `_`, `y` and 0x7f it is the same, of which none stands
        // outside of a string in JSON.
        colons | equal(block & 0xd9, 0x59) & !strings
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Byte by byte it is the same.
        #[test]
        fn marks_are_where_the_bytes_are(
            text in "[\\\\\"a]{0,5000}|[\\\\\"{}\\[\\],: 1]{0,5000}|[:{}\"]{0,3000}|(\"[\\\\a]*\":){0,200}",
        ) {
            // As it would be between the braces of an object.
            let text = format!("{{{text}").into_bytes();
            let mut marks = Marks::default();
            marks.begin(&text, 0);
            let (mut in_string, mut escaped, mut last) = (false, false, b'{');
            loop {
                let (begin, places) = marks.left();
                let row = &text[begin..marks.row.end];
                let (mut expected, mut is_wrong, mut are_apart) = (Vec::new(), false, false);
                for (at, byte) in (0..).zip(row) {
                    let is_quote = *byte == b'"' && !escaped;
                    in_string ^= is_quote;
                    is_wrong |= !in_string && *byte == b'\\';
                    if !in_string && matches!(byte, b'{' | b'[' | b'}' | b']' | b':') {
                        expected.push(at);
                        are_apart |= *byte == b':' && last != b'"';
                    }
                    escaped = *byte == b'\\' && !escaped;
                    last = *byte;
                }
                prop_assert_eq!(marks.is_wrong(), is_wrong);
                // Where an escape may not stand everything behind it is another matter.
                if is_wrong {
                    break;
                }
                prop_assert_eq!(places, &expected);
                prop_assert_eq!(marks.are_apart(), are_apart);
                if !marks.read_on(&text) {
                    break;
                }
            }
        }
    }
}

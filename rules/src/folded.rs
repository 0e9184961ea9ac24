//! A value without regard to case, and what is known of it: many tests of one value come one after the other.

use crate::sigma::fold;

/// A value of a field without regard to case.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The number of the event whose first value it is; 0: it is another.
    event: u32,
    /// It is the same as the value.
    is_value: bool,
    /// Otherwise it is this.
    text: String,
    bytes: Bytes,
}

impl Folded {
    /// A value without regard to case, and what is known of that. `event`: the number of the event whose first value it is; 0 of
    /// others.
    #[inline]
    pub(crate) fn of<'a>(&'a mut self, value: &'a str, event: u32) -> (&'a str, &'a mut Bytes) {
        if event == 0 || self.event != event {
            self.fold(value, event);
        }
        (if self.is_value { value } else { &self.text }, &mut self.bytes)
    }

    #[inline(never)]
    fn fold(&mut self, value: &str, event: u32) {
        self.event = event;
        self.bytes = Bytes::default();
        self.is_value = is_lower(value.as_bytes());
        if self.is_value {
            return;
        }
        self.text.clear();
        if value.is_ascii() {
            self.text.push_str(value);
            self.text.make_ascii_lowercase();
        } else {
            self.text.push_str(&fold(value));
        }
    }
}

/// Is it ASCII without an uppercase letter? Eight bytes are looked at in one step, the last ones again where they have
/// been.
fn is_lower(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut others = words.iter().fold(0, |others, word| others | others_in(*word));
    if !rest.is_empty() {
        others |= others_in(text.last_chunk().copied().unwrap_or_else(|| {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            word
        }));
    }
    others == 0
}

/// Bits of bytes that are not ASCII, or uppercase letters. If one is not ASCII, those behind it may be taken for others as well.
const fn others_in(word: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = EACH * 0x80;
    let word = u64::from_le_bytes(word);
    // The uppermost bit is set from this letter on.
    let from_a = word.wrapping_add(EACH * (0x80 - b'A' as u64));
    let behind_z = word.wrapping_add(EACH * (0x7f - b'Z' as u64));
    (word | (from_a ^ behind_z)) & TOP
}

/// The bytes that stand in a text, by their lowest six bits.
pub(crate) fn bytes_of(text: &[u8]) -> u64 {
    text.iter().fold(0, |all, byte| all | 1 << (byte & 63))
}

/// Longest text of which it is known which bytes stand in it, in bytes.
const LONGEST: usize = 256;

/// What is known of the bytes of a text in which others are sought.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    /// [`bytes_of`] it; 0: not known.
    all: u64,
}

impl Bytes {
    /// May one with these [`bytes_of`] it stand in `text`, the same as when it was asked before? Of short text this is known after one
    /// look; in long text there is nearly every byte.
    pub(crate) fn may_hold(&mut self, text: &str, bytes: u64) -> bool {
        if text.len() > LONGEST {
            return true;
        }
        if self.all == 0 {
            self.all = bytes_of(text.as_bytes());
        }
        bytes & !self.all == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Law 3: what is known of a value is so, however often it is asked.
        #[test]
        fn a_value_is_folded_and_holds_what_stands_in_it(
            value in "[a-c1/@`{\\[]{0,40}|[a-zA-Z1Kü]{0,20}|[a-z@]{0,20}[AZü]?",
            text in "[a-c1/kü]{1,3}",
        ) {
            let mut folded = Folded::default();
            for _ in 0..3 {
                let (seen, bytes) = folded.of(&value, 2);
                prop_assert_eq!(seen, fold(&value));
                let may_hold = bytes.may_hold(seen, bytes_of(text.as_bytes()));
                prop_assert!(may_hold || !seen.contains(&text));
            }
        }
    }
}

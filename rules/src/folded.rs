//! A value without regard to case, and what is known of it: many tests of one value come one after the other.

use crate::sigma::fold;

/// A value of a field without regard to case.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The number of the event whose first value it is; 0: it is another.
    event: u64,
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
    pub(crate) fn of<'a>(&'a mut self, value: &'a str, event: u64) -> (&'a str, &'a mut Bytes) {
        if event == 0 || self.event != event {
            self.fold(value, event);
        }
        (if self.is_value { value } else { &self.text }, &mut self.bytes)
    }

    #[inline(never)]
    fn fold(&mut self, value: &str, event: u64) {
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

/// Is it ASCII without a letter that has another case? Whole blocks are looked at, the last one again where it has been.
fn is_lower(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let is_rest_lower = || {
        let last = text.last_chunk().copied().unwrap_or_else(|| {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            block
        });
        is_block_lower(&last)
    };
    blocks.iter().all(is_block_lower) && (rest.is_empty() || is_rest_lower())
}

const BLOCK: usize = 16;

fn is_block_lower(block: &[u8; BLOCK]) -> bool {
    // Written like this all of it is done in one step.
    let other = |byte: &u8| u8::from(*byte >= 0x80) | u8::from(byte.is_ascii_uppercase());
    block.iter().fold(0, |any, byte| any | other(byte)) == 0
}

/// The bytes that stand in a text, by their lowest six bits.
pub(crate) fn bytes_of(text: &[u8]) -> u64 {
    text.iter().fold(0, |all, byte| all | 1 << (byte & 63))
}

/// What is known of the bytes of a text in which others are sought.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    /// [`bytes_of`] it; 0: not known.
    all: u64,
    /// It was asked before.
    is_asked: bool,
}

impl Bytes {
    /// May one with these [`bytes_of`] it stand in `text`, the same as when it was asked before? To look for one is as dear as to
    /// know them, so they are known from the second time on.
    pub(crate) fn may_hold(&mut self, text: &str, bytes: u64) -> bool {
        if !std::mem::replace(&mut self.is_asked, true) {
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
            value in "[a-c1/]{0,40}|[a-cA-C1Kü]{0,20}",
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

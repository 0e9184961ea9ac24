//! What is open in an object, and what its own keys say.

use memchr::{memchr, memchr2};

use super::{Scan, skip_space};
use crate::decode::head::{Head, Key};

/// Deepest nesting in which kinds of brackets are told apart. CloudTrail's own stays below 20; the parser
/// refuses more than this, in that one record.
const MAX_DEPTH: u32 = 128;

/// The brackets that are open.
pub(super) struct Nesting {
    pub(super) depth: u32,
    /// One bit per level: set for an object.
    objects: u128,
}

impl Default for Nesting {
    fn default() -> Self {
        Self { depth: 1, objects: 1 }
    }
}

impl Nesting {
    pub(super) fn open(&mut self, bracket: u8, head: &mut Head) {
        if self.depth >= MAX_DEPTH {
            head.odd = true;
        } else {
            self.objects = self.objects << 1 | u128::from(bracket == b'{');
        }
        self.depth += 1;
    }

    /// Does it close what the same kind opened?
    pub(super) fn close(&mut self, bracket: u8) -> bool {
        self.depth -= 1;
        if self.depth < MAX_DEPTH {
            if (self.objects & 1 == 1) != (bracket == b'}') {
                return false;
            }
            self.objects >>= 1;
        }
        true
    }
}

/// What is going on among an object's own keys and values.
pub(super) struct Own {
    /// Where the object begins.
    pub(super) start: usize,
    /// The key whose object or array is open.
    pub(super) open: Option<Key>,
}

impl Own {
    /// A key stands between these quotes, and behind `colon` its value. Of a container's items: where they begin.
    pub(super) fn member<const TOP: bool>(
        &mut self,
        buf: &[u8],
        (begin, end): (usize, usize),
        colon: usize,
        head: &mut Head,
    ) -> Option<Scan> {
        let text = &buf[begin + 1..end];
        let Some(key) = Key::of(text) else {
            self.open = None;
            head.others = true;
            if let Some(at) = memchr2(b'\\', b'.', text) {
                head.odd |= memchr(b'\\', &text[at..]).is_some();
                head.dotted |= memchr(b'.', &text[at..]).is_some();
            }
            return None;
        };
        head.came(key);
        self.value::<TOP>(buf, key, colon, head)
    }

    /// The same of a key that is known.
    #[inline]
    pub(super) fn value<const TOP: bool>(
        &mut self,
        buf: &[u8],
        key: Key,
        colon: usize,
        head: &mut Head,
    ) -> Option<Scan> {
        self.open = None;
        head.follows(key);
        let at = skip_space(buf, colon + 1);
        match *buf.get(at)? {
            b'[' if TOP && key.holds_items() => {
                return Some(Scan::Items(at + 1 - self.start, key));
            }
            b'{' | b'[' => {
                head.set(key, at - self.start);
                self.open = Some(key);
            }
            b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => {
                head.set(key, at - self.start);
            }
            _ => {}
        }
        None
    }

    /// In `userIdentity`, a key ends with the second quote, and behind `colon` is its value. From the first on there may be
    /// escapes in it.
    pub(super) fn identity(
        &self,
        buf: &[u8],
        quotes: (usize, usize),
        colon: usize,
        head: &mut Head,
    ) {
        // It may be written otherwise than it is known by.
        head.odd |= memchr(b'\\', &buf[quotes.0..quotes.1]).is_some();
        head.set_identity(&buf[..=quotes.1], || skip_space(buf, colon + 1) - self.start);
    }

    /// An object or an array of the object's own ends before `end`.
    pub(super) fn close(&mut self, end: usize, head: &mut Head) {
        if let Some(key) = self.open.take() {
            head.close(key, end - self.start);
        }
    }
}

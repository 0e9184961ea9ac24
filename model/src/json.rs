//! Going over JSON text without building anything of it: what all need who read a record and want little of it.

use std::ops::Range;

use fearless_simd::{Level, Simd, SimdBase as _, SimdMask as _, dispatch, u8x16};
use memchr::memchr2;

/// A place in JSON text, and the ways to go on from it.
///
/// Only what is gone over is looked at, and not in earnest: that it is JSON through and through is for those who
/// parse it.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    /// The offset of the next byte.
    pub at: usize,
    /// Was there an escape in the string that was gone past last?
    pub is_escaped: bool,
}

/// What there should be at [`Cursor::at`] instead.
pub type Expected = &'static str;

const ENDLESS: Expected = "a string without an end";

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, is_escaped: false }
    }

    /// All of the text.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What is left of it.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next byte.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Goes on to what is not blank.
    #[inline]
    pub fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes this byte, blanks around it. Is it here?
    #[inline]
    pub fn take(&mut self, byte: u8) -> bool {
        let mut is_here = self.peek() == Some(byte);
        if !is_here {
            self.blanks();
            is_here = self.peek() == Some(byte);
        }
        if is_here {
            self.at += 1;
            self.blanks();
        }
        is_here
    }

    /// Goes past the string that begins here; returns its range, quotes left out.
    #[inline]
    pub fn string(&mut self) -> Result<Range<usize>, Expected> {
        let start = self.at + 1;
        let mut end = start;
        self.is_escaped = false;
        loop {
            let found = quote_or_escape(self.bytes, end);
            end = found.ok_or(ENDLESS)?;
            if self.bytes[end] == b'"' {
                break;
            }
            self.is_escaped = true;
            end += 2;
        }
        self.at = end + 1;
        Ok(start..end)
    }

    /// Goes past a number or a literal; returns it.
    pub fn word(&mut self) -> &'a [u8] {
        let is_word =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_word(byte)).count();
        self.at += length;
        &rest[..length]
    }

    /// Goes past a value.
    pub fn skip(&mut self) -> Result<(), Expected> {
        self.skip_to_end_of(0)
    }

    /// Goes to where so many objects and arrays end that have begun; of none, past a value.
    pub fn skip_to_end_of(&mut self, mut depth: usize) -> Result<(), Expected> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':' | b' ' | b'\n' | b'\t' | b'\r') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    self.word();
                }
                _ => return Err("a value was expected"),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// Offset of the first quote or backslash from there on. Most strings here are short: what is decided per call costs more than
/// what is done per byte, so the first bytes are looked at right here, with what every processor of the kind has.
#[inline]
fn quote_or_escape(bytes: &[u8], from: usize) -> Option<usize> {
    dispatch!(Level::baseline(), simd => near(simd, bytes, from))
}

/// Blocks that are looked at right here.
const NEAR: usize = 4;
const BLOCK: usize = 16;

#[inline(always)]
#[expect(clippy::inline_always, reason = "there is one kind of processor to compile it for")]
fn near<S: Simd>(simd: S, bytes: &[u8], from: usize) -> Option<usize> {
    let found_in = |block: &[u8; BLOCK]| {
        let block = u8x16::from_slice(simd, block);
        (block.simd_eq(b'"') | block.simd_eq(b'\\')).to_bitmask()
    };
    let mut rest = bytes.get(from..)?;
    for _ in 0..NEAR {
        let at = bytes.len() - rest.len();
        let Some((block, behind)) = rest.split_first_chunk() else {
            // Less than a block is left: the last one begins among what is in front of it.
            let Some(last) = bytes.last_chunk() else { break };
            let before = BLOCK - rest.len();
            let found = found_in(last) >> before;
            return (found != 0).then(|| at + found.trailing_zeros() as usize);
        };
        let found = found_in(block);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        rest = behind;
    }
    far(bytes, bytes.len() - rest.len())
}

/// The same, however far.
#[inline(never)]
fn far(bytes: &[u8], from: usize) -> Option<usize> {
    memchr2(b'"', b'\\', &bytes[from..]).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_gone_past_whatever_is_in_it() {
        for value in [r#""a\"b""#, "-1.5e+3", "null", "[]", r#"{"a": [1, {"b": "}"}], "c": {}}"#] {
            let text = format!("{value} , rest");
            let mut cursor = Cursor::new(text.as_bytes());
            assert_eq!(cursor.skip(), Ok(()));
            assert_eq!(cursor.at, value.len());
            assert!(cursor.take(b',') && cursor.peek() == Some(b'r') && !cursor.take(b','));
        }
        for broken in ["", "]", "\"a", "{\"a\": x}", "[1"] {
            assert!(Cursor::new(broken.as_bytes()).skip().is_err(), "{broken}");
        }
    }

    #[test]
    fn a_string_ends_at_its_quote() {
        // It begins with the byte in front, which is a quote where a reader has come to it.
        let string = |text: &str, start: usize| {
            let text = format!("\"{text}");
            let mut cursor = Cursor::new(text.as_bytes());
            cursor.at = start;
            cursor.string().map(|range| range.start - 1..range.end - 1)
        };
        for len in 0..120 {
            for before in 0..20 {
                for tail in ["", "\\\"", "\\\\", "\\\\\\\"", "é"] {
                    let text = format!("{}{}{tail}", " ".repeat(before), "a".repeat(len));
                    let buf = format!("{text}\",\"");
                    assert_eq!(string(&buf, before), Ok(before..text.len()), "{buf}");
                    assert!(string(&text, before).is_err(), "{text}");
                }
            }
        }
    }
}

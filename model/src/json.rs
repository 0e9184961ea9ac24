//! The one thing about JSON text that both its readers, who build nothing, need to be fast at.

use memchr::memchr2;

/// Offset of the quote that ends the string whose first byte is at `start`.
#[inline]
pub fn string_end(buf: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += quote_or_escape(buf.get(at..)?)?;
        if buf[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Offset of the first quote or backslash. Most strings here are short: what is decided per call costs more than
/// what is done per byte, so the first bytes are looked at right here, eight at a time.
#[inline]
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    /// The uppermost bit of each byte that is zero; of those above the first such byte it may be set for nothing.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(EACH) & !word & (EACH << 7)
    }
    let near = bytes.len().min(48) / 8 * 8;
    for (at, block) in bytes[..near].as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*block);
        let [quotes, escapes] = [b'"', b'\\'].map(|byte| EACH * u64::from(byte));
        let found = zeros(word ^ quotes) | zeros(word ^ escapes);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    memchr2(b'"', b'\\', &bytes[near..]).map(|at| near + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_quote() {
        for len in 0..120 {
            for before in 0..20 {
                for tail in ["", "\\\"", "\\\\", "\\\\\\\"", "é"] {
                    let text = format!("{}{}{tail}", " ".repeat(before), "a".repeat(len));
                    let buf = format!("{text}\",\"");
                    assert_eq!(string_end(buf.as_bytes(), before), Some(text.len()), "{buf}");
                    assert_eq!(string_end(text.as_bytes(), before), None, "{text}");
                }
            }
        }
    }
}

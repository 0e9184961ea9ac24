//! Texts in one piece of memory: many thousand matches wait for their windows, each with a few short values.

use std::sync::Arc;

/// Appends a text: its length, four bytes little-endian, then itself.
pub(super) fn push(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..length as usize]);
}

/// Bytes that a text takes.
pub(super) const fn length(text: &str) -> usize {
    4 + text.len()
}

/// The texts that were pushed.
#[derive(Clone, Debug)]
pub(super) struct Texts<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        // Only whole texts are pushed.
        std::str::from_utf8(text).ok()
    }
}

/// The values that an event has for the fields that correlations ask for, by the rule's captures.
#[derive(Clone, Debug, Default)]
pub struct Captures(Option<Arc<[u8]>>);

impl Captures {
    /// The values of field after field. `bytes` is memory to write them into first.
    pub fn new<F: IntoIterator<Item: AsRef<str>>>(
        fields: impl IntoIterator<Item = F>,
        bytes: &mut Vec<u8>,
    ) -> Self {
        bytes.clear();
        for field in fields {
            // The length of the field, in bytes, is in front of it.
            let start = bytes.len();
            bytes.extend_from_slice(&[0; 4]);
            for value in field {
                push(bytes, value.as_ref());
            }
            let length = u32::try_from(bytes.len() - start - 4).unwrap_or(u32::MAX);
            bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        }
        Self(Some(Arc::from(bytes.as_slice())))
    }

    /// The values of a field, by its place in [`RuleSet::captures`](crate::RuleSet::captures); none of one that is not
    /// there.
    pub fn values(&self, at: usize) -> impl Iterator<Item = &str> {
        self.field(at)
    }

    pub(super) fn field(&self, at: usize) -> Texts<'_> {
        let mut rest = self.0.as_deref().unwrap_or_default();
        for _ in 0..at {
            rest = split(rest).map_or(&[], |(_, rest)| rest);
        }
        Texts(split(rest).map_or(&[], |(field, _)| field))
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let fields = [vec!["a", "", "ü"], vec![], vec!["x"]];
        let captures = Captures::new(fields.clone(), &mut vec![1]);
        for (at, field) in fields.iter().enumerate() {
            assert_eq!(&captures.field(at).collect::<Vec<_>>(), field);
        }
        assert_eq!(captures.field(3).count(), 0);
        assert_eq!(Captures::default().field(0).count(), 0);
    }
}

//! One gzip member, read to its end and no further.
//!
//! Whatever stands behind the first member is not covered by the hash of its content, and readers that go on
//! to a second member would take it for part of the file. A file of a trail is one member and nothing else.

use std::io::Read;

#[expect(clippy::disallowed_types, reason = "to see what stands behind the first member")]
use flate2::bufread::GzDecoder;

/// Not one gzip member within the cap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOneMember {
    /// Not gzip, damaged, or cut.
    #[error("not readable as gzip: {0}")]
    Damaged(String),
    /// More than the cap.
    #[error("inflates to more than {max} bytes")]
    TooLarge {
        /// The cap.
        max: u64,
    },
    /// Another member, or anything else.
    #[error("{bytes} bytes follow the end of the compressed data, which no hash covers")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// Inflates `bytes` piece by piece into `sink`, at most `max` bytes of them.
pub(super) fn inflate(
    bytes: &[u8],
    max: u64,
    mut sink: impl FnMut(&[u8]),
) -> Result<(), NotOneMember> {
    #[expect(clippy::disallowed_types, reason = "counted against the cap below")]
    let mut decoder = GzDecoder::new(bytes);
    let (mut piece, mut left) = (vec![0; 64 << 10], max);
    loop {
        let read = match decoder.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(NotOneMember::Damaged(error.to_string())),
        };
        left = left.checked_sub(read as u64).ok_or(NotOneMember::TooLarge { max })?;
        sink(&piece[..read]);
    }
    match decoder.get_ref().len() {
        0 => Ok(()),
        bytes => Err(NotOneMember::Trailing { bytes }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], max: u64) -> Result<Vec<u8>, NotOneMember> {
        let mut out = Vec::new();
        inflate(bytes, max, |piece| out.extend_from_slice(piece))?;
        Ok(out)
    }

    #[test]
    fn one_member_and_nothing_else() {
        let (one, two) = (gzip(b"one"), gzip(b"two"));
        assert_eq!(read(&one, 3).unwrap(), b"one");
        let trailing = |bytes| Err(NotOneMember::Trailing { bytes });
        assert_eq!(read(&[&one[..], &two].concat(), 100), trailing(two.len()));
        assert_eq!(read(&[&one[..], b"\0"].concat(), 100), trailing(1));
        assert!(matches!(read(&one[..one.len() - 1], 100), Err(NotOneMember::Damaged(_))));
        assert!(matches!(read(b"one", 100), Err(NotOneMember::Damaged(_))));
        assert!(matches!(read(b"", 100), Err(NotOneMember::Damaged(_))));
        let mut changed = one.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(read(&changed, 100), Err(NotOneMember::Damaged(_))));
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert_eq!(read(&bomb, 1 << 20), Err(NotOneMember::TooLarge { max: 1 << 20 }));
        assert_eq!(read(&bomb, 10 << 20).unwrap().len(), 10 << 20);
    }
}

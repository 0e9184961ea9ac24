//! Decompression, the only room that may touch a raw decoder (`clippy.toml` holds that).
//!
//! Gzip members are read one after another, as Firehose concatenates them; every byte is counted
//! against a cap, so that a small object cannot become an endless stream.

use std::io::{self, BufRead, BufReader, Read};

#[expect(clippy::disallowed_types, reason = "this is the room for it")]
use flate2::bufread::MultiGzDecoder;

/// First two bytes of every gzip member (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The cap was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("inflates to more than {max} bytes")]
pub struct TooLarge {
    /// The cap, in bytes.
    pub max: u64,
}

/// Reads bytes, inflated where they are gzip, and fails with [`TooLarge`] past the cap.
pub struct Inflated<R: Read> {
    inner: Inner<R>,
    left: u64,
    max: u64,
}

#[expect(clippy::disallowed_types, reason = "this is the room for it")]
enum Inner<R: Read> {
    Plain(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
}

impl<R: Read> Inflated<R> {
    /// Looks at the first bytes and chooses.
    pub fn new(reader: R, max: u64) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        let inner = if reader.fill_buf()?.starts_with(&GZIP_MAGIC) {
            #[expect(clippy::disallowed_types, reason = "this is the room for it")]
            Inner::Gzip(Box::new(MultiGzDecoder::new(reader)))
        } else {
            Inner::Plain(reader)
        };
        Ok(Self { inner, left: max, max })
    }

    /// Was the input compressed?
    pub const fn is_compressed(&self) -> bool {
        matches!(self.inner, Inner::Gzip(_))
    }
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.inner {
            Inner::Plain(reader) => reader.read(out),
            Inner::Gzip(reader) => reader.read(out),
        }?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(TooLarge { max: self.max })),
        }
        Ok(read)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
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

    fn read(bytes: &[u8], max: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Inflated::new(bytes, max)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn plain_gzip_and_concatenated_members_read_alike() {
        assert_eq!(read(b"plain", 100).unwrap(), b"plain");
        assert_eq!(read(&gzip(b"one"), 100).unwrap(), b"one");
        assert_eq!(read(&[gzip(b"one"), gzip(b"two")].concat(), 100).unwrap(), b"onetwo");
        assert_eq!(read(b"", 100).unwrap(), b"");
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 128 << 10);
        let error = read(&bomb, 1 << 20).unwrap_err();
        assert!(error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooLarge>));
        assert_eq!(read(&bomb, 10 << 20).unwrap().len(), 10 << 20);
    }

    #[test]
    fn a_cut_member_is_an_error_after_its_bytes() {
        let mut whole = gzip(&b"0123456789".repeat(1000));
        whole.truncate(whole.len() - 9);
        assert!(read(&whole, 1 << 20).is_err());
    }
}

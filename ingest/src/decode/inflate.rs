//! Decompression, the only room that may touch a raw decoder (`clippy.toml` holds that).
//!
//! Gzip members are read one after another, as Firehose concatenates them; every byte is counted
//! against a cap, so that a small object cannot become an endless stream.
//!
//! Two decoders: `libdeflate` takes a whole small member at once and is the faster by half (a third of
//! all time was spent in the streaming one, measured on a gigabyte of CloudTrail); `zlib-rs` streams
//! everything else, in bounded memory.

use std::cell::{Cell, RefCell};
use std::io::{self, BufReader, Cursor, Read};

#[expect(clippy::disallowed_types, reason = "this is the room for it")]
use flate2::bufread::MultiGzDecoder;

/// First bytes of every gzip member (RFC 1952): magic, and the only method there is.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Largest compressed object that is taken whole.
const WHOLE: usize = 4 << 20;
/// What is read at once of an object at first.
const READ: usize = 64 << 10;
/// Largest inflated size that is taken whole: also the memory that this may cost.
const WHOLE_INFLATED: u64 = 32 << 20;

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
    /// What ended it: whoever reads on is told again, and never gets what lies behind.
    failed: Option<(io::ErrorKind, Failure)>,
}

#[derive(Clone, Debug)]
enum Failure {
    TooLarge(TooLarge),
    Other(String),
}

impl Failure {
    fn error(kind: io::ErrorKind, this: &Self) -> io::Error {
        match this {
            Self::TooLarge(too_large) => io::Error::other(*too_large),
            Self::Other(text) => io::Error::new(kind, text.clone()),
        }
    }
}

/// What is left of the object behind the bytes that have been read already.
type Rest<R> = BufReader<io::Chain<Cursor<Vec<u8>>, R>>;

#[expect(clippy::disallowed_types, reason = "this is the room for it")]
enum Inner<R: Read> {
    Plain(Rest<R>),
    Gzip(Box<MultiGzDecoder<Rest<R>>>),
    Whole(Cursor<Vec<u8>>),
}

impl<R: Read> Inflated<R> {
    /// Looks at the first bytes and chooses.
    pub fn new(mut reader: R, max: u64) -> io::Result<Self> {
        let mut room = SPARE.with(|spare| spare.read.take());
        let mut filled = fill(&mut reader, &mut room, 0, GZIP_MAGIC.len())?;
        let is_gzip = room[..filled].starts_with(&GZIP_MAGIC);
        if is_gzip {
            filled = fill(&mut reader, &mut room, filled, WHOLE)?;
            if let Some(whole) = inflate_whole(&room[..filled], max.min(WHOLE_INFLATED)) {
                SPARE.with(|spare| spare.read.set(room));
                let inner = Inner::Whole(Cursor::new(whole));
                return Ok(Self { inner, left: max, max, failed: None });
            }
        }
        let head = room[..filled].to_vec();
        SPARE.with(|spare| spare.read.set(room));
        let rest = BufReader::with_capacity(64 << 10, Cursor::new(head).chain(reader));
        let inner = if is_gzip {
            #[expect(clippy::disallowed_types, reason = "this is the room for it")]
            Inner::Gzip(Box::new(MultiGzDecoder::new(rest)))
        } else {
            Inner::Plain(rest)
        };
        Ok(Self { inner, left: max, max, failed: None })
    }
}

impl<R: Read> Inflated<R> {
    /// All its bytes, if they are in memory anyhow.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        match &self.inner {
            Inner::Whole(whole) => Some(whole.get_ref()),
            _ => None,
        }
    }

    /// All its bytes, those that were read as well, if they are in memory anyhow. Nothing is left to read then.
    pub(super) fn take_whole(&mut self) -> Option<Vec<u8>> {
        match &mut self.inner {
            Inner::Whole(whole) if self.failed.is_none() => {
                Some(std::mem::take(whole).into_inner())
            }
            _ => None,
        }
    }
}

/// Inflates an object that is one whole member of at most `max` bytes; `None` if it is anything else, or
/// damaged: the streaming decoder then gives what can be had and says what is wrong.
fn inflate_whole(data: &[u8], max: u64) -> Option<Vec<u8>> {
    let (_, size) = data.split_last_chunk::<4>()?;
    let size = u32::from_le_bytes(*size);
    // Any further member has to begin with the same bytes. They may also stand in compressed data by
    // chance, once in sixteen million: then it is streamed, which is right as well.
    let alone = memchr::memmem::find(&data[1..], &GZIP_MAGIC).is_none();
    if data.len() >= WHOLE || !alone || u64::from(size) > max {
        return None;
    }
    let mut out = room(size as usize);
    let data_only = deflated(data)?;
    let len = SPARE.with(|spare| {
        spare.decompressor.borrow_mut().deflate_decompress(data_only, &mut out).ok()
    })?;
    // The object has to end where the member does: its last bytes are this text's checksum and size.
    let sum = data.get(data.len() - 8..data.len() - 4)?;
    let mut crc = libdeflater::Crc::new();
    crc.update(&out);
    (len == out.len() && crc.sum().to_le_bytes() == sum).then_some(out)
}

/// What a member holds between its header and its last eight bytes (RFC 1952).
fn deflated(data: &[u8]) -> Option<&[u8]> {
    const FHCRC: u8 = 2;
    const FEXTRA: u8 = 4;
    const FNAME: u8 = 8;
    const FCOMMENT: u8 = 16;
    let (flags, mut rest) = (*data.get(3)?, data.get(10..data.len().checked_sub(8)?)?);
    if flags & FEXTRA != 0 {
        let length = u16::from_le_bytes(*rest.first_chunk()?);
        rest = rest.get(2 + usize::from(length)..)?;
    }
    for text in [FNAME, FCOMMENT] {
        if flags & text != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    if flags & FHCRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

/// Memory for the next object that is taken whole: to get it anew each time takes as long as to find the records in it.
#[expect(clippy::disallowed_types, reason = "this is the room for it")]
struct Spare {
    decompressor: RefCell<libdeflater::Decompressor>,
    /// For the object as it is.
    read: Cell<Vec<u8>>,
    /// For what it inflates to.
    inflated: Cell<Vec<u8>>,
}

thread_local! {
    #[expect(clippy::disallowed_types, reason = "this is the room for it")]
    static SPARE: Spare = Spare {
        decompressor: RefCell::new(libdeflater::Decompressor::new()),
        read: Cell::new(Vec::new()),
        inflated: Cell::new(Vec::new()),
    };
}

/// Reads on behind what was read, until so much is there or nothing is left; returns how much there is. All of `room` is
/// offered, which grows as it must: most objects come at once.
fn fill(
    reader: &mut impl Read,
    room: &mut Vec<u8>,
    mut filled: usize,
    enough: usize,
) -> io::Result<usize> {
    while filled < enough {
        if filled == room.len() {
            room.resize((filled * 2).clamp(READ, WHOLE), 0);
        }
        match reader.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// So many bytes, whatever they are.
fn room(size: usize) -> Vec<u8> {
    let mut room = SPARE.with(|spare| spare.inflated.take());
    if room.capacity() < size {
        return vec![0; size];
    }
    room.resize(size, 0);
    room
}

/// Gives memory back that is not needed any more.
pub(super) fn give_back(room: Vec<u8>) {
    SPARE.with(|Spare { inflated, .. }| {
        let kept = inflated.take();
        let (own, other) = (room.capacity(), kept.capacity());
        inflated.set(if own > other && own as u64 <= WHOLE_INFLATED { room } else { kept });
    });
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, failure)) = &self.failed {
            return Err(Failure::error(*kind, failure));
        }
        let read = match &mut self.inner {
            Inner::Plain(reader) => reader.read(out),
            Inner::Gzip(reader) => reader.read(out),
            Inner::Whole(reader) => reader.read(out),
        };
        let failure = match read {
            Ok(read) => match self.left.checked_sub(read as u64) {
                Some(left) => {
                    self.left = left;
                    return Ok(read);
                }
                None => (io::ErrorKind::Other, Failure::TooLarge(TooLarge { max: self.max })),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => (error.kind(), Failure::Other(error.to_string())),
        };
        let error = Failure::error(failure.0, &failure.1);
        self.failed = Some(failure);
        Err(error)
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
        assert_eq!(read(&[gzip(b"one"), gzip(b"one")].concat(), 100).unwrap(), b"oneone");
        assert_eq!(read(b"", 100).unwrap(), b"");
    }

    #[test]
    fn whatever_a_header_says_the_text_is_the_same() {
        let text = b"0123456789".repeat(50);
        let plain = gzip(&text);
        for flags in 0..32_u8 {
            let mut member = plain[..10].to_vec();
            member[3] = flags;
            let parts: [(u8, &[u8]); 4] =
                [(4, b"\x03\0abc"), (8, b"name.json\0"), (16, b"comment\0"), (2, b"\x12\x34")];
            for (flag, part) in parts {
                member.extend(part.iter().filter(|_| flags & flag != 0));
            }
            member.extend(&plain[10..]);
            assert_eq!(deflated(&member), Some(&plain[10..plain.len() - 8]));
            assert_eq!(inflate_whole(&member, 1000), Some(text.clone()));
            assert_eq!(inflate_whole(&[&member[..], b"x"].concat(), 1000), None);
            for cut in 0..member.len() {
                assert_eq!(inflate_whole(&member[..cut], 1 << 20), None);
            }
        }
    }

    #[test]
    fn memory_that_was_used_before_holds_nothing_of_it() {
        for len in [100, 10, 50, 0, 120] {
            let text = vec![b'a'; len];
            let whole = inflate_whole(&gzip(&text), 1000).unwrap();
            assert_eq!(whole, text);
            give_back(whole);
        }
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
        let mut out = Vec::new();
        let result = Inflated::new(whole.as_slice(), 1 << 20).unwrap().read_to_end(&mut out);
        assert!(result.is_err() && !out.is_empty());
    }

    #[test]
    fn an_error_is_told_to_whoever_reads_on() {
        let mut damaged = gzip(b"some text");
        let at = damaged.len() - 8;
        damaged[at] ^= 1;
        let mut inflated = Inflated::new(damaged.as_slice(), 100).unwrap();
        let mut out = Vec::new();
        assert!(inflated.read_to_end(&mut out).is_err());
        assert!(inflated.read_to_end(&mut out).is_err());
        let trailing = [gzip(b"text"), b"more".to_vec(), gzip(b"text")[20..].to_vec()].concat();
        assert!(read(&trailing, 100).is_err());
    }

    #[test]
    fn large_and_small_objects_inflate_alike() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(6 << 20)
        .collect();
        for len in [0, 1, 100_000, WHOLE - 100_000, WHOLE + 1, noise.len()] {
            assert!(read(&gzip(&noise[..len]), 1 << 30).unwrap() == noise[..len], "{len}");
        }
    }
}

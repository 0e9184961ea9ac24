//! A stream of bytes → the JSON objects in it, one at a time.
//!
//! Takes what AWS and its tools write: one document whose array holds the items (`Records`, `Events`,
//! `events`, `logEvents`), a bare array, one object a line, objects without anything between them
//! (Firehose), and any sequence of these. Memory is one buffer, as large as the largest item.

use std::cell::OnceCell;
use std::io::{self, Read};

use super::blocks::Marks;
use super::head::{Head, Key};
use super::inflate::give_back;
use super::json::{Scan, scan_object_at, skip_space};
use super::log_events::stream_of;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Bytes of a container in front of its items that are kept for their context.
const MAX_PREFIX: usize = 64 << 10;

/// One object of the stream.
pub(crate) struct Item<'a> {
    /// Its bytes, braces included.
    pub(crate) bytes: &'a [u8],
    /// Offset of its first byte in the stream.
    pub(crate) offset: u64,
    /// What its own keys say.
    pub(crate) head: &'a Head,
    /// The array that it stood in.
    pub(crate) within: Option<Key>,
    /// What the container says before that array, if the item stands in one.
    pub(crate) context: Option<&'a Context>,
}

/// A container's text before its items, such as `{"logGroup":"…","logStream":"…","logEvents":[`.
#[derive(Debug, Default)]
pub(crate) struct Context {
    text: Vec<u8>,
    /// The stream that it names, read when somebody asks.
    stream: OnceCell<Option<String>>,
}

impl Context {
    /// The log stream that it names.
    pub(crate) fn stream(&self) -> Option<&str> {
        self.stream.get_or_init(|| stream_of(&self.text)).as_deref()
    }
}

/// Why a stream, or a part of it, could not be split.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("{0}")]
    Read(io::Error),
    #[error("the input ends inside a value that began here")]
    Truncated,
    #[error("not JSON: {0}")]
    Syntax(&'static str),
    #[error("a value of more than {0} bytes")]
    ItemTooLarge(usize),
}

/// An item in the buffer: first byte, one past the last, and the array it stands in.
type Extent = (usize, usize, Option<Key>);

/// Where the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between top-level values.
    Top,
    /// In an array of items; `bool`: a comma or the end must come first.
    Array(Option<Key>, bool),
    /// Behind a container's array: the rest of that container.
    Tail,
    /// Nothing more can be read.
    Done,
}

/// Splits a stream.
pub(crate) struct Items<R> {
    reader: Option<R>,
    buf: Vec<u8>,
    /// First byte not yet consumed.
    start: usize,
    /// Stream offset of `buf[0]`.
    base: u64,
    eof: bool,
    /// A read failed behind good bytes: told once those are used up.
    failed: Option<io::Error>,
    state: State,
    head: Head,
    marks: Marks,
    context: Context,
    max_item: usize,
}

impl<R> Drop for Items<R> {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.buf));
    }
}

impl<R: Read> Items<R> {
    /// Begins at `start` of what there is of the artifact, and goes on with what `reader` has of it, if it has
    /// anything. Single items over `max_item` bytes are refused.
    pub(crate) fn new(there: Vec<u8>, start: usize, reader: Option<R>, max_item: usize) -> Self {
        Self {
            eof: reader.is_none(),
            reader,
            buf: there,
            start,
            base: 0,
            failed: None,
            state: State::Top,
            head: Head::default(),
            marks: Marks::default(),
            context: Context::default(),
            max_item,
        }
    }

    /// The stream offset at which the next read begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The next object; `Err` with the offset of what is wrong. After an error the stream goes on where
    /// it can: at the next line between top-level values, nowhere inside an array.
    pub(crate) fn next(&mut self) -> Option<Result<Item<'_>, (u64, ItemError)>> {
        match self.advance() {
            Ok(Some((from, to, within))) => Some(Ok(Item {
                bytes: &self.buf[from..to],
                offset: self.base + from as u64,
                head: &self.head,
                within,
                context: within.map(|_| &self.context),
            })),
            Ok(None) => None,
            Err((at, error)) => {
                // An array goes on behind a value that was passed over.
                if !matches!(self.state, State::Array(_, true)) {
                    self.recover();
                }
                Some(Err((at, error)))
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Extent>, (u64, ItemError)> {
        loop {
            let Some(byte) = self.peek()? else {
                return match self.state {
                    State::Top | State::Done => Ok(None),
                    State::Array(..) | State::Tail => {
                        self.state = State::Done;
                        Err((self.offset(), ItemError::Truncated))
                    }
                };
            };
            match (self.state, byte) {
                (State::Done, _) => return Ok(None),
                (State::Top, b'{') => match self.scan::<true>()? {
                    Scan::Items(end, key) => {
                        self.context.text.clear();
                        self.context.stream.take();
                        let text = &self.buf[self.start..self.start + end];
                        if text.len() <= MAX_PREFIX {
                            self.context.text.extend_from_slice(text);
                        }
                        self.start += end;
                        self.state = State::Array(Some(key), false);
                    }
                    Scan::End(end) => return Ok(Some(self.take(end, None))),
                    Scan::More | Scan::Bad(..) => unreachable!("scan() resolves these"),
                },
                (State::Top, b'[') => {
                    self.start += 1;
                    self.state = State::Array(None, false);
                }
                // Between concatenated or line-separated documents; a stray comma is what people leave
                // when they cut records out of an array.
                (State::Top, b',') => self.start += 1,
                (State::Array(..), b']') => {
                    self.start += 1;
                    self.state = match self.state {
                        State::Array(Some(_), _) => State::Tail,
                        _ => State::Top,
                    };
                }
                (State::Array(key, true), b',') => {
                    self.start += 1;
                    self.state = State::Array(key, false);
                }
                (State::Array(key, false), b'{') => match self.scan::<false>()? {
                    Scan::End(end) => {
                        self.state = State::Array(key, true);
                        return Ok(Some(self.take(end, key)));
                    }
                    _ => unreachable!("scan() resolves these"),
                },
                (State::Tail, _) => self.skip_tail()?,
                (State::Array(_, true), _) => {
                    let problem = self.syntax("expected `,` or `]`");
                    self.state = State::Done;
                    return Err(problem);
                }
                (State::Array(key, false), _) => {
                    // What is no object is no event: told, and passed over.
                    let problem = self.syntax("expected an object");
                    self.skip_value()?;
                    self.state = State::Array(key, true);
                    return Err(problem);
                }
                (State::Top, _) => return Err(self.syntax("expected `{` or `[`")),
            }
        }
    }

    /// Passes over a value that is no object: up to the comma or bracket behind it.
    fn skip_value(&mut self) -> Result<(), (u64, ItemError)> {
        let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
        let from = self.offset();
        loop {
            let Some(&byte) = self.buf.get(self.start) else {
                if self.offset() - from > self.max_item as u64 {
                    self.state = State::Done;
                    return Err((from, ItemError::ItemTooLarge(self.max_item)));
                }
                if !self.fill(CHUNK)? {
                    self.state = State::Done;
                    return Err((from, ItemError::Truncated));
                }
                continue;
            };
            match byte {
                _ if std::mem::take(&mut escaped) => {}
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'{' => depth += 1,
                b',' | b']' if depth == 0 => return Ok(()),
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.start += 1;
        }
    }

    fn syntax(&self, what: &'static str) -> (u64, ItemError) {
        (self.offset(), ItemError::Syntax(what))
    }

    fn take(&mut self, len: usize, key: Option<Key>) -> Extent {
        let from = self.start;
        self.start += len;
        (from, self.start, key)
    }

    /// Scans the object at `start`, reading as much as that takes.
    fn scan<const TOP: bool>(&mut self) -> Result<Scan, (u64, ItemError)> {
        loop {
            match scan_object_at::<TOP>(&self.buf, self.start, &mut self.head, &mut self.marks) {
                Scan::More => {
                    let have = self.buf.len() - self.start;
                    if have > self.max_item {
                        return Err((self.offset(), ItemError::ItemTooLarge(self.max_item)));
                    }
                    // Reading as much again as there is keeps the rescans linear in the item's size.
                    if !self.fill(have.max(CHUNK))? {
                        return Err((self.offset(), ItemError::Truncated));
                    }
                }
                Scan::Bad(at, what) => {
                    return Err((self.offset() + at as u64, ItemError::Syntax(what)));
                }
                done => return Ok(done),
            }
        }
    }

    /// Skips what follows the items of a container, up to its closing brace.
    fn skip_tail(&mut self) -> Result<(), (u64, ItemError)> {
        // The rest is scanned as an object of its own, after a brace put in front of it: the array's
        // closing bracket has just been consumed, so there is a byte to put it on.
        self.start -= 1;
        self.buf[self.start] = b'{';
        self.marks.forget();
        match self.scan::<true>() {
            Ok(Scan::End(end)) => {
                self.start += end;
                self.state = State::Top;
                Ok(())
            }
            // A second array of items.
            Ok(Scan::Items(end, key)) => {
                self.start += end;
                self.state = State::Array(Some(key), false);
                Ok(())
            }
            Ok(_) => unreachable!("scan() resolves these"),
            Err(error) => {
                self.state = State::Done;
                Err(error)
            }
        }
    }

    /// First byte that is not white space.
    fn peek(&mut self) -> Result<Option<u8>, (u64, ItemError)> {
        loop {
            self.start = skip_space(&self.buf, self.start);
            match self.buf.get(self.start) {
                Some(&byte) => return Ok(Some(byte)),
                None => {
                    if !self.fill(CHUNK)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads at least one more byte behind what is there, up to `want`; `false` at the end.
    fn fill(&mut self, want: usize) -> Result<bool, (u64, ItemError)> {
        if let Some(error) = self.failed.take() {
            self.state = State::Done;
            return Err((self.base + self.buf.len() as u64, ItemError::Read(error)));
        }
        let Some(reader) = self.reader.as_mut().filter(|_| !self.eof) else { return Ok(false) };
        self.marks.forget();
        // One consumed byte is kept in front, for `skip_tail`.
        let keep = self.start.saturating_sub(1);
        if keep > 0 {
            self.buf.copy_within(keep.., 0);
            self.buf.truncate(self.buf.len() - keep);
            self.base += keep as u64;
            self.start -= keep;
        }
        let len = self.buf.len();
        self.buf.reserve(want);
        match reader.by_ref().take(want as u64).read_to_end(&mut self.buf) {
            Ok(read) => self.eof = read < want,
            Err(error) => {
                self.eof = true;
                self.failed = Some(error);
            }
        }
        let filled = self.buf.len();
        if filled == len && self.failed.is_some() {
            return self.fill(0);
        }
        Ok(filled > len)
    }

    /// After an error between top-level values, goes on at the next line.
    fn recover(&mut self) {
        if self.state != State::Top {
            self.state = State::Done;
            return;
        }
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buf[self.start..]) {
                self.start += at + 1;
                return;
            }
            self.start = self.buf.len();
            if !matches!(self.fill(CHUNK), Ok(true)) {
                self.state = State::Done;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time: every boundary is met.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some((&first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            out[0] = first;
            Ok(1)
        }
    }

    fn split(text: &str) -> Vec<String> {
        let mut items = Items::new(Vec::new(), 0, Some(Trickle(text.as_bytes())), 1 << 20);
        let mut out = Vec::new();
        while let Some(item) = items.next() {
            out.push(match item {
                Ok(item) => {
                    let body = String::from_utf8_lossy(item.bytes).into_owned();
                    assert_eq!(
                        &text[usize::try_from(item.offset).unwrap_or(0)..][..body.len()],
                        body
                    );
                    body
                }
                Err((at, error)) => format!("{at}: {error}"),
            });
        }
        out
    }

    #[test]
    fn every_way_of_writing_items_is_read() {
        let cases: [(&str, &[&str]); 12] = [
            (r#"{"Records":[{"a":1},{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"{"x":[1],"Records":[{"a":1}],"y":{"z":[]}}"#, &[r#"{"a":1}"#]),
            (r#"{"Records":[]}"#, &[]),
            (r#"{"Records":[],"Records":[{"a":1}]}"#, &[r#"{"a":1}"#]),
            (r#"{"Events":[{"a":1}],"x":1,"Records":[{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"[{"a":1} , {"b":2}]"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            ("{\"a\":1}\n{\"b\":2}\n", &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"{"a":1}{"b":2}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"{"Records":[{"a":1}]}{"Records":[{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
            (r#"{"Records":"a string"}"#, &[r#"{"Records":"a string"}"#]),
            (r#"{"detail":{"Records":[1]}}"#, &[r#"{"detail":{"Records":[1]}}"#]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_the_rest_goes_on() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "{\"a\":1}\nrubbish\n{\"b\":2}\n",
                &[r#"{"a":1}"#, "8: not JSON: expected `{` or `[`", r#"{"b":2}"#],
            ),
            (
                r#"{"Records":[{"a":1},{"b":"#,
                &[r#"{"a":1}"#, "20: the input ends inside a value that began here"],
            ),
            (
                r#"{"Records":[{"a":1}"#,
                &[r#"{"a":1}"#, "19: the input ends inside a value that began here"],
            ),
            (r#"{"Records":[{"a":1} 7]}"#, &[r#"{"a":1}"#, "20: not JSON: expected `,` or `]`"]),
            (
                r#"{"Records":[7,[1,{"x":2}],{"a":1}]}"#,
                &[
                    "12: not JSON: expected an object",
                    "14: not JSON: expected an object",
                    r#"{"a":1}"#,
                ],
            ),
            (
                r#"{"Records":[{"a":1}]"#,
                &[r#"{"a":1}"#, "20: the input ends inside a value that began here"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn an_item_larger_than_the_limit_is_refused() {
        let text = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
        let mut items = Items::new(Vec::new(), 0, Some(text.as_bytes()), 1 << 20);
        assert!(matches!(items.next(), Some(Err((0, ItemError::ItemTooLarge(_))))));
        assert!(items.next().is_none());
    }
}

//! A JSON object → the values of the fields that rules name.
//!
//! One walk over the bytes, guided by the field table: what no rule names is skipped from quote to quote, nothing is
//! built. Arrays count as any of their elements; an object that a rule names as if it had a value is its own text,
//! without the blanks between its parts.
//!
//! Only what is named is checked: that a record is JSON through and through is for those who parse it. What is broken
//! where rules look is told.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use model::json::Cursor;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::narrow::{FEW, Narrow};
use super::slots::Slots;
use crate::compile::{FieldTable, SlotId};

/// The bytes are not a JSON object.
#[derive(Debug, thiserror::Error)]
#[error("not valid JSON: {0}")]
pub struct BadJson(String);

impl From<serde_json::Error> for BadJson {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// What is wanted of an event.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The fields that rules name.
    pub fields: &'a FieldTable,
    /// Every value there is goes into [`SlotId::KEYWORDS`] as well.
    pub keywords: bool,
    /// The fields that those rules name that can match at all; `None`: all.
    pub(crate) narrow: Option<&'a Narrow>,
}

/// More of a record's own keys than this are found faster by going over all of it.
const MANY: usize = 32;

/// Where the value of an object's own key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its first byte, and one behind its last, if that is known.
    At(usize, Option<usize>),
    /// There is no such key.
    Absent,
    /// Not known.
    Unknown,
}

impl<'a> Wanted<'a> {
    /// Everything that rules name.
    pub const fn all(fields: &'a FieldTable) -> Self {
        Self { fields, keywords: false, narrow: None }
    }

    /// Is the value of this field wanted?
    pub fn slot(&self, slot: SlotId) -> bool {
        self.narrow.is_none_or(|narrow| narrow.slots[slot.index()])
    }

    fn node(&self, node: u32) -> bool {
        self.narrow.is_none_or(|narrow| narrow.nodes[node as usize])
    }
}

/// Fills `slots` from the object in `bytes`.
pub fn fill(bytes: &[u8], wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
    let mut walker = Walker {
        cursor: Cursor::new(bytes),
        kept: if bytes.len() <= KEPT { slots.keep(bytes) } else { None },
        depth: 0,
        wanted,
        slots,
        is_plain: false,
        left: 0,
    };
    walker.cursor.blanks();
    if walker.cursor.peek() != Some(b'{') {
        return Err(walker.wrong("an object was expected"));
    }
    walker.object(0)?;
    walker.cursor.blanks();
    if walker.cursor.at < bytes.len() {
        return Err(walker.wrong("something follows the object"));
    }
    if wanted.keywords {
        everything(serde_json::from_slice(bytes)?, slots, 0)?;
    }
    Ok(())
}

/// The same where it is known where the values of the object's own keys stand. What `find` tells has to be true of
/// every key, and no key may have a dot in it: otherwise it answers [`Place::Unknown`].
pub fn fill_members(
    bytes: &[u8],
    find: &dyn Fn(&str) -> Place,
    wanted: &Wanted<'_>,
    slots: &mut Slots,
) -> Result<(), BadJson> {
    let Some(narrow) = wanted.narrow.filter(|_| !wanted.keywords) else {
        return fill(bytes, wanted, slots);
    };
    let members = narrow.members();
    let mut places = [Place::Unknown; MANY];
    for (place, (key, _)) in places.iter_mut().zip(members) {
        *place = find(key);
        if *place == Place::Unknown {
            return fill(bytes, wanted, slots);
        }
    }
    // Nobody was asked about keys with dots in them if there are no others.
    if members.len() > MANY || members.is_empty() {
        return fill(bytes, wanted, slots);
    }
    let mut walker = Walker {
        cursor: Cursor::new(bytes),
        kept: None,
        depth: 1,
        wanted,
        slots,
        is_plain: false,
        left: 0,
    };
    for (place, (key, node)) in places.iter().zip(members) {
        if let Place::At(at, _) = *place {
            walker.cursor.at = at;
            (walker.depth, walker.left) = (1, 0);
            // AWS's own element: no key is there twice. When all that is wanted of it was found, the rest need not be
            // looked at.
            walker.is_plain = **key == *"userIdentity";
            walker.value(*node)?;
        }
    }
    Ok(())
}

/// Text of a JSON string. An unpaired surrogate, which is no character, becomes U+FFFD: whoever may choose a
/// parameter must not be able to hide the record that it stands in.
fn text_of(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    let inner = &json[1..json.len() - 1];
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    if let Ok(text) = serde_json::from_str::<String>(json) {
        return Ok(Cow::Owned(text));
    }
    let Lossy(text) = serde_json::from_str(json)?;
    Ok(Cow::Owned(text))
}

/// A string read as bytes, in which `serde_json` allows any code unit.
struct Lossy(String);

impl<'de> serde::Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lossy, E> {
                Ok(Lossy(text.to_owned()))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Lossy, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The text of a JSON value without the blanks between its parts and without needless escapes, so that it does not
/// matter who wrote it.
fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains(['\\', ' ', '\n', '\t', '\r']) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(quote) = rest.find('"') {
        let (between, string) = rest.split_at(quote);
        out.extend(between.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')));
        let mut end = 1;
        while let Some(skip) = string[end..].find(['"', '\\']) {
            end += skip + 1;
            if string.as_bytes()[end - 1] == b'"' {
                break;
            }
            // What is escaped is one byte at least; the value is JSON, so there is one.
            end += 1;
        }
        let written = &string[..end];
        match text_of(written) {
            Ok(text) if written.contains('\\') => {
                out.push_str(&serde_json::to_string(&text).unwrap_or_default());
            }
            _ => out.push_str(written),
        }
        rest = &string[end..];
    }
    out.extend(rest.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')));
    Cow::Owned(out)
}

/// Longest text that is put into the slots as a whole, in bytes. Of a longer one not much may be wanted. Tests want to see both.
const KEPT: usize = if cfg!(test) { 64 } else { 1 << 10 };

/// Deepest nesting that is followed. The decoder refuses deeper records as well.
const MAX_DEPTH: usize = 128;

/// Walks over one JSON text.
struct Walker<'b, 'w, 's> {
    cursor: Cursor<'b>,
    /// Where all of it was put into the slots: then no value has to be looked at, or be copied.
    kept: Option<usize>,
    depth: usize,
    wanted: &'w Wanted<'w>,
    slots: &'s mut Slots,
    /// May an object be left when all that is wanted of it was found?
    is_plain: bool,
    /// How many objects have been left so, one in the other.
    left: usize,
}

impl Walker<'_, '_, '_> {
    #[cold]
    #[inline(never)]
    fn wrong(&self, what: &str) -> BadJson {
        BadJson(format!("{what} at byte {}", self.cursor.at))
    }

    #[inline]
    fn string(&mut self) -> Result<Range<usize>, BadJson> {
        self.cursor.string().map_err(|what| self.wrong(what))
    }

    /// Goes past a value that nobody wants.
    fn skip(&mut self) -> Result<(), BadJson> {
        self.skip_to_end_of(0)
    }

    fn skip_to_end_of(&mut self, depth: usize) -> Result<(), BadJson> {
        self.cursor.skip_to_end_of(depth).map_err(|what| self.wrong(what))
    }

    fn deeper(&mut self) -> Result<(), BadJson> {
        self.depth += 1;
        self.cursor.at += 1;
        self.cursor.blanks();
        if self.depth > MAX_DEPTH { Err(self.wrong("nested too deeply")) } else { Ok(()) }
    }

    /// An object below `node` of the field table.
    fn object(&mut self, node: u32) -> Result<(), BadJson> {
        self.deeper()?;
        // How many keys are still to come. One with a dot in it, as there are of a web identity, is not among them: the first piece
        // of its name is, and what has no such key is gone over to its end.
        let mut ways = match (self.is_plain, self.wanted.narrow) {
            (true, Some(narrow)) => narrow.edges[node as usize].undotted,
            _ => usize::MAX,
        };
        let edges = self.wanted.narrow.map(|narrow| &narrow.edges[node as usize]);
        let mut last = edges.map_or(0, |edges| edges.all.len());
        if !self.cursor.take(b'}') {
            loop {
                let expected = edges.and_then(|own| own.expected(last, self.cursor.rest()));
                let mut is_dotted = false;
                let is_wanted = if let Some((nth, expected)) = expected {
                    last = nth;
                    is_dotted = edges.is_some_and(|edges| nth >= edges.undotted);
                    self.cursor.at += expected.written.text.len();
                    if self.cursor.peek() == Some(b'"') {
                        self.text(expected.slot)?;
                    } else {
                        self.cursor.blanks();
                        self.value(expected.node)?;
                    }
                    true
                } else {
                    let key = self.cursor.at;
                    let below = self.key(node, &mut last)?;
                    if self.is_plain && below.is_some() {
                        // The colon behind it makes no difference.
                        let written = &self.cursor.bytes()[key..self.cursor.at];
                        is_dotted = written.iter().any(|byte| matches!(byte, b'.' | b'\\'));
                    }
                    match below {
                        Some(below) => self.value(below)?,
                        None => self.skip()?,
                    }
                    below.is_some()
                };
                if is_wanted {
                    ways = ways.saturating_sub(usize::from(!is_dotted));
                    if ways == 0 && self.is_plain {
                        self.left += 1;
                        return Ok(());
                    }
                    if self.left > 0 {
                        let left = std::mem::take(&mut self.left);
                        self.skip_to_end_of(left)?;
                        self.depth -= left;
                    }
                }
                if self.cursor.take(b',') {
                    continue;
                }
                if self.cursor.take(b'}') {
                    break;
                }
                return Err(self.wrong("a comma or `}` was expected"));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Goes past a key, behind `last` of those that are wanted, and its colon; returns the node under it, if anything there is
    /// wanted.
    fn key(&mut self, node: u32, last: &mut usize) -> Result<Option<u32>, BadJson> {
        if self.cursor.peek() != Some(b'"') {
            return Err(self.wrong("a key was expected"));
        }
        let key = self.string()?;
        let below = self.edge(node, key, last);
        if !self.cursor.take(b':') {
            return Err(self.wrong("a colon was expected"));
        }
        Ok(below)
    }

    /// The node under a key, if anything there is wanted.
    fn edge(&self, node: u32, key: Range<usize>, last: &mut usize) -> Option<u32> {
        let bytes = &self.cursor.bytes()[key.clone()];
        if !self.cursor.is_escaped {
            return self.edge_named(node, bytes, last);
        }
        let quoted = &self.cursor.bytes()[key.start - 1..=key.end];
        // A key that is no text is a key that no rule names.
        let json = std::str::from_utf8(quoted).ok()?;
        self.edge_named(node, text_of(json).ok()?.as_bytes(), last)
    }

    fn edge_named(&self, node: u32, key: &[u8], last: &mut usize) -> Option<u32> {
        if let Some(narrow) = self.wanted.narrow {
            let edges = &narrow.edges[node as usize];
            if edges.all.len() <= FEW {
                let nth = edges.all.iter().position(|(name, _)| name.as_bytes() == key)?;
                edges.came(*last, nth);
                *last = nth;
                return Some(edges.all[nth].1);
            }
        }
        let edges = &self.wanted.fields.node(node).edges;
        let below = edges.get(std::str::from_utf8(key).ok()?).copied();
        below.filter(|below| self.wanted.node(*below))
    }

    /// A string, the value of this field if it is wanted.
    #[inline]
    fn text(&mut self, slot: Option<SlotId>) -> Result<(), BadJson> {
        let text = self.string()?;
        let Some(slot) = slot else { return Ok(()) };
        match self.kept {
            // A value without escapes is what stands between its quotes.
            Some(kept) if !self.cursor.is_escaped => {
                self.slots.push_kept(slot, kept + text.start..kept + text.end);
                Ok(())
            }
            _ => self.copy(slot, text),
        }
    }

    /// Copies the value of a field.
    #[inline(never)]
    fn copy(&mut self, slot: SlotId, text: Range<usize>) -> Result<(), BadJson> {
        // What is no text is read as far as it is: nobody hides a record by a byte.
        let lossy = |range: Range<usize>| String::from_utf8_lossy(&self.cursor.bytes()[range]);
        if self.cursor.is_escaped {
            self.slots.push(slot, &text_of(&lossy(text.start - 1..text.end + 1))?);
        } else {
            self.slots.push(slot, &lossy(text));
        }
        Ok(())
    }

    /// A value below `node`.
    fn value(&mut self, node: u32) -> Result<(), BadJson> {
        let here = self.wanted.fields.node(node);
        let slot = here.slot.filter(|slot| self.wanted.slot(*slot));
        match self.cursor.peek() {
            Some(b'[') => {
                self.deeper()?;
                // In an array every element counts.
                let is_plain = std::mem::take(&mut self.is_plain);
                if self.cursor.take(b']') {
                    if let Some(slot) = slot {
                        // There, and without a value.
                        self.slots.push_null(slot);
                    }
                } else {
                    loop {
                        self.value(node)?;
                        if self.cursor.take(b']') {
                            break;
                        }
                        if !self.cursor.take(b',') {
                            return Err(self.wrong("a comma or `]` was expected"));
                        }
                    }
                }
                self.depth -= 1;
                self.is_plain = is_plain;
                Ok(())
            }
            Some(b'{') => {
                let start = self.cursor.at;
                if let Some(slot) = slot {
                    self.skip()?;
                    // Its own text has to be JSON, whoever looks at it.
                    let raw: &RawValue =
                        serde_json::from_slice(&self.cursor.bytes()[start..self.cursor.at])?;
                    self.slots.push(slot, &compact(raw.get()));
                    self.cursor.at = start;
                }
                if here.edges.is_empty() { self.skip() } else { self.object(node) }
            }
            Some(b'"') => self.text(slot),
            Some(b'n') => {
                self.cursor.word();
                if let Some(slot) = slot {
                    self.slots.push_null(slot);
                }
                Ok(())
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                let start = self.cursor.at;
                self.cursor.word();
                if let Some(slot) = slot {
                    let raw: &RawValue =
                        serde_json::from_slice(&self.cursor.bytes()[start..self.cursor.at])?;
                    self.slots.push(slot, raw.get());
                }
                Ok(())
            }
            _ => Err(self.wrong("a value was expected")),
        }
    }
}

/// Every key and scalar of a value, for keywords: they are looked for in the whole event.
fn everything(raw: &RawValue, slots: &mut Slots, depth: usize) -> Result<(), serde_json::Error> {
    let json = raw.get();
    match json.as_bytes().first() {
        Some(b'[' | b'{') if depth >= MAX_DEPTH => {
            return Err(serde::de::Error::custom("nested too deeply"));
        }
        Some(b'[') => {
            for element in serde_json::from_str::<Vec<&RawValue>>(json)? {
                everything(element, slots, depth + 1)?;
            }
        }
        Some(b'{') => {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            deserializer.deserialize_map(Entries { slots, depth })?;
        }
        Some(b'"') => slots.push(SlotId::KEYWORDS, &text_of(json)?),
        Some(b'n') => {}
        _ => slots.push(SlotId::KEYWORDS, json),
    }
    Ok(())
}

struct Entries<'s> {
    slots: &'s mut Slots,
    /// How deep the object is.
    depth: usize,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Lossy(key)) = map.next_key()? {
            self.slots.push(SlotId::KEYWORDS, &key);
            let raw: &RawValue = map.next_value()?;
            everything(raw, self.slots, self.depth + 1).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

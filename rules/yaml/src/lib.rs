//! YAML text → nodes that know where they were written.
//!
//! The parser and its budgets (aliases, depth, size) are `serde-saphyr`'s; this only keeps the spans. To parse two hundred rules takes
//! 40 ms, which is most of what a function needs to begin: so the rules that ship are parsed when the program is built, and
//! [`Packed`] has their nodes, packed.

mod packed;

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

pub use packed::{Packed, pack};

/// What nodes were written in.
pub trait Written {
    /// The whole text.
    fn text(&self) -> &str;
}

impl Written for str {
    fn text(&self) -> &str {
        self
    }
}

impl<T: Written + ?Sized> Written for std::sync::Arc<T> {
    fn text(&self) -> &str {
        (**self).text()
    }
}

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where, in bytes.
    pub at: usize,
    /// What is wrong, in lower case.
    pub message: String,
}

/// A node and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Bytes in the source: where it stands, or where an alias for it does.
    pub span: Range<usize>,
    /// Where it is written out: the same, but for an alias.
    pub written: Range<usize>,
    /// What stands there.
    pub value: Value,
}

/// What a node holds. Sigma knows text, numbers, booleans and null.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`; `yes` and `no` are text (YAML 1.2).
    Bool(bool),
    /// A number. Its text is in the source, at the node's span.
    Number(f64),
    /// Text, quoted or not.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a scalar as text: a number as it was written in `source`.
    pub fn scalar_text(&self, source: &impl Written) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(bool) => Some(bool.to_string()),
            Value::Number(number) => Some(
                source
                    .text()
                    .get(self.written.clone())
                    .map(str::trim)
                    .filter(|text| {
                        text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                    })
                    .map_or_else(|| number.to_string(), str::to_owned),
            ),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The value under `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value under `key` of a mapping.
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(k, _)| k.as_text() == Some(key)).map(|(k, v)| (k, v))
    }

    /// The items of a sequence, or the one scalar itself; nothing for null.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// A word for the kind of node, for messages.
    pub const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads all documents of a text.
pub fn documents(text: &str) -> Result<Vec<Node>, Broken> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let at = error
            .location()
            .map_or(0, |location| byte_offset(text, location.line(), location.column()));
        let told = error.to_string();
        // The message begins with the place, which is told beside it.
        let message = match told.split_once(": ") {
            Some((place, rest)) if place.contains("line ") => rest,
            _ => told.as_str(),
        };
        let message = message.lines().next().unwrap_or_default();
        // What the parser would do on other settings, and the place once more, help nobody here.
        let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
        let message = message.rsplit_once(" at line ").map_or(message, |(before, _)| before);
        Broken { at, message: message.to_owned() }
    })
}

/// Byte offset of a line and column, both from 1, the column in characters.
fn byte_offset(text: &str, line: u64, column: u64) -> usize {
    let skip = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = text.split_inclusive('\n').take(skip).map(str::len).sum();
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned: Spanned<Value> = Spanned::deserialize(deserializer)?;
        let bytes = |location: &serde_saphyr::Location| {
            let span = location.span();
            let start = span.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            let len = span.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
            start..start + len
        };
        let (span, written) = (bytes(&spanned.referenced), bytes(&spanned.defined));
        Ok(Self { span, written, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a boolean, null, a list or a map")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "the exact digits are taken from the source")]
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "the exact digits are taken from the source")]
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

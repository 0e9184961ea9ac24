//! A JSON object → the values of the fields that rules name.
//!
//! `serde_json` guided by the field table: what no rule names is skipped, nothing is built. Arrays count as
//! any of their elements; an object that a rule names as if it had a value is its own text, without the
//! blanks between its parts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::slots::Slots;
use crate::compile::{FieldTable, SlotId};

/// The bytes are not a JSON object.
#[derive(Debug, thiserror::Error)]
#[error("not valid JSON: {0}")]
pub struct BadJson(#[from] serde_json::Error);

/// Fills `slots` from the object in `bytes`.
pub fn fill(
    bytes: &[u8],
    fields: &FieldTable,
    keywords: bool,
    slots: &mut Slots,
) -> Result<(), BadJson> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_map(Object { fields, node: 0, slots })?;
    deserializer.end()?;
    if keywords {
        everything(serde_json::from_slice(bytes)?, slots)?;
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

/// A value below `node` of the field table.
fn value(
    raw: &RawValue,
    fields: &FieldTable,
    node: u32,
    slots: &mut Slots,
) -> Result<(), serde_json::Error> {
    let json = raw.get();
    let here = fields.node(node);
    match json.as_bytes().first() {
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(json)?;
            if let (true, Some(slot)) = (elements.is_empty(), here.slot) {
                // There, and without a value.
                slots.push_null(slot);
            }
            for element in elements {
                value(element, fields, node, slots)?;
            }
        }
        Some(b'{') => {
            if let Some(slot) = here.slot {
                slots.push(slot, &compact(json));
            }
            if !here.edges.is_empty() {
                let mut deserializer = serde_json::Deserializer::from_str(json);
                deserializer.deserialize_map(Object { fields, node, slots })?;
            }
        }
        first => {
            let Some(slot) = here.slot else { return Ok(()) };
            match first {
                Some(b'"') => slots.push(slot, &text_of(json)?),
                Some(b'n') => slots.push_null(slot),
                _ => slots.push(slot, json),
            }
        }
    }
    Ok(())
}

/// Takes the blanks between the parts of a JSON text away, so that it does not matter who wrote it.
fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains([' ', '\n', '\t', '\r']) {
        return Cow::Borrowed(json);
    }
    let (mut quoted, mut escaped) = (false, false);
    let kept = json.chars().filter(|&c| {
        if std::mem::take(&mut escaped) {
            return true;
        }
        match c {
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        quoted || !matches!(c, ' ' | '\n' | '\t' | '\r')
    });
    Cow::Owned(kept.collect())
}

/// The keys of an object, followed through the field table.
struct Object<'f, 's> {
    fields: &'f FieldTable,
    node: u32,
    slots: &'s mut Slots,
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(next) = map.next_key_seed(Edge { fields: self.fields, node: self.node })? {
            match next {
                Some(node) => {
                    let raw: &RawValue = map.next_value()?;
                    value(raw, self.fields, node, self.slots).map_err(serde::de::Error::custom)?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key → the node below it, if rules name anything there.
struct Edge<'f> {
    fields: &'f FieldTable,
    node: u32,
}

impl<'de> DeserializeSeed<'de> for Edge<'_> {
    type Value = Option<u32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // As bytes, so that a key that is no text is only a key that no rule names.
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Edge<'_> {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.fields.node(self.node).edges.get(key).copied())
    }

    fn visit_bytes<E: serde::de::Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        std::str::from_utf8(key).map_or(Ok(None), |key| self.visit_str(key))
    }
}

/// Every key and scalar of a value, for keywords: they are looked for in the whole event.
fn everything(raw: &RawValue, slots: &mut Slots) -> Result<(), serde_json::Error> {
    let json = raw.get();
    match json.as_bytes().first() {
        Some(b'[') => {
            for element in serde_json::from_str::<Vec<&RawValue>>(json)? {
                everything(element, slots)?;
            }
        }
        Some(b'{') => {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            deserializer.deserialize_map(Entries { slots })?;
        }
        Some(b'"') => slots.push(SlotId::KEYWORDS, &text_of(json)?),
        Some(b'n') => {}
        _ => slots.push(SlotId::KEYWORDS, json),
    }
    Ok(())
}

struct Entries<'s> {
    slots: &'s mut Slots,
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
            everything(raw, self.slots).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

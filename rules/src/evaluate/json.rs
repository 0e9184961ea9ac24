//! A JSON object → the values of the fields that rules name.
//!
//! One pass of `serde_json` guided by the field table: what no rule names is skipped, nothing is built.
//! Arrays count as any of their elements; an object that a rule names as if it had a value is its own
//! text, as it was written.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
    Below { fields, node: 0, slots }.deserialize(&mut deserializer)?;
    if keywords {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        Everything { slots }.deserialize(&mut deserializer)?;
    }
    Ok(())
}

/// A value below a node of the field table.
struct Below<'f, 's> {
    fields: &'f FieldTable,
    node: u32,
    slots: &'s mut Slots,
}

impl<'de> DeserializeSeed<'de> for Below<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Some(slot) = self.fields.node(self.node).slot else {
            return deserializer.deserialize_any(self);
        };
        // A field that a rule names: its text is needed whatever it is.
        let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
        self.value(slot, raw).map_err(serde::de::Error::custom)
    }
}

impl Below<'_, '_> {
    fn value(self, slot: SlotId, raw: &RawValue) -> Result<(), serde_json::Error> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => {
                let inner = &text[1..text.len() - 1];
                if inner.contains('\\') {
                    self.slots.push(slot, &serde_json::from_str::<String>(text)?);
                } else {
                    self.slots.push(slot, inner);
                }
            }
            Some(b'n') => self.slots.push_null(slot),
            Some(b'[') => {
                let Below { fields, node, slots } = self;
                for element in serde_json::from_str::<Vec<&RawValue>>(text)? {
                    Below { fields, node, slots: &mut *slots }.value(slot, element)?;
                }
            }
            Some(b'{') => {
                self.slots.push(slot, text);
                if !self.fields.node(self.node).edges.is_empty() {
                    let mut deserializer = serde_json::Deserializer::from_str(text);
                    deserializer.deserialize_any(self)?;
                }
            }
            _ => self.slots.push(slot, text),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Below<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, node, slots } = self;
        while let Some(next) = map.next_key_seed(Edge { fields, node })? {
            match next {
                Some(node) => {
                    map.next_value_seed(Below { fields, node, slots: &mut *slots })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { fields, node, slots } = self;
        while seq.next_element_seed(Below { fields, node, slots: &mut *slots })?.is_some() {}
        Ok(())
    }

    // A scalar where a rule expects an object: nothing of what it names is there.
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
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
        deserializer.deserialize_str(self)
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
}

/// Every scalar of a value, for keywords.
struct Everything<'s> {
    slots: &'s mut Slots,
}

impl<'de> DeserializeSeed<'de> for Everything<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Everything<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(Everything { slots: &mut *self.slots })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Everything { slots: &mut *self.slots })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.slots.push(SlotId::KEYWORDS, if value { "true" } else { "false" });
        Ok(())
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.slots.push(SlotId::KEYWORDS, &value.to_string());
        Ok(())
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.slots.push(SlotId::KEYWORDS, &value.to_string());
        Ok(())
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.slots.push(SlotId::KEYWORDS, &value.to_string());
        Ok(())
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.slots.push(SlotId::KEYWORDS, value);
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

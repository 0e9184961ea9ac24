//! Nodes as bytes, and back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Node, Value};

#[derive(Serialize, Deserialize)]
struct PackedNode<'a> {
    span: (u32, u32),
    /// Where it is written out, if that is elsewhere.
    written: Option<(u32, u32)>,
    #[serde(borrow)]
    value: Content<'a>,
}

#[derive(Serialize, Deserialize)]
enum Content<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    #[serde(borrow)]
    List(Vec<PackedNode<'a>>),
    #[serde(borrow)]
    Map(Vec<(PackedNode<'a>, PackedNode<'a>)>),
}

fn short(span: &std::ops::Range<usize>) -> (u32, u32) {
    let end = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (end(span.start), end(span.end))
}

impl<'a> From<&'a Node> for PackedNode<'a> {
    fn from(node: &'a Node) -> Self {
        let span = short(&node.span);
        let written = Some(short(&node.written)).filter(|written| *written != span);
        let value = match &node.value {
            Value::Null => Content::Null,
            Value::Bool(value) => Content::Bool(*value),
            Value::Number(value) => Content::Number(*value),
            Value::Text(text) => Content::Text(text),
            Value::List(items) => Content::List(items.iter().map(Self::from).collect()),
            Value::Map(entries) => {
                Content::Map(entries.iter().map(|(k, v)| (Self::from(k), Self::from(v))).collect())
            }
        };
        Self { span, written, value }
    }
}

impl From<PackedNode<'_>> for Node {
    fn from(packed: PackedNode<'_>) -> Self {
        let long = |(start, end): (u32, u32)| start as usize..end as usize;
        let value = match packed.value {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(value),
            Content::Number(value) => Value::Number(value),
            Content::Text(text) => Value::Text(text.to_owned()),
            Content::List(items) => Value::List(items.into_iter().map(Self::from).collect()),
            Content::Map(entries) => {
                Value::Map(entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
            }
        };
        let span = long(packed.span);
        let written = packed.written.map_or_else(|| span.clone(), long);
        Self { span, written, value }
    }
}

/// The documents of a text, as bytes.
pub fn pack(nodes: &[Node]) -> Vec<u8> {
    let packed: Vec<PackedNode<'_>> = nodes.iter().map(PackedNode::from).collect();
    postcard::to_stdvec(&packed).expect("nodes are plain values")
}

/// Texts whose documents were packed beforehand. A text has to be the same to the byte.
#[derive(Debug, Default)]
pub struct Packed(BTreeMap<&'static str, &'static [u8]>);

impl Packed {
    /// Each text, and what [`pack`] made of its documents.
    pub fn new(all: impl IntoIterator<Item = (&'static str, &'static [u8])>) -> Self {
        Self(all.into_iter().collect())
    }

    /// The documents of a text, if they are known.
    pub fn get(&self, text: &str) -> Option<Vec<Node>> {
        let packed: Vec<PackedNode<'_>> = postcard::from_bytes(self.0.get(text)?).ok()?;
        Some(packed.into_iter().map(Node::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_was_read() {
        let text = "a: &x [1, 'two', ~, true]\nb: *x\n---\nc: {d: 1.5}\n";
        let nodes = crate::documents(text).unwrap();
        let bytes: &'static [u8] = Box::leak(pack(&nodes).into_boxed_slice());
        let packed = Packed::new([(text, bytes)]);
        assert_eq!(packed.get(text).unwrap(), nodes);
        assert!(packed.get("a: 1").is_none());
    }
}

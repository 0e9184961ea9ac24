//! Texts that come again and again, each kept once: a million sessions have a thousand principals.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, RecordBatch, StringArray};
use foldhash::{HashMap, HashMapExt as _};

/// A text, as a number. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// This one, or the other if there is none.
    pub(super) const fn or(self, other: Self) -> Self {
        if self.is_none() { other } else { self }
    }
}

/// The texts by their numbers.
#[derive(Debug)]
pub(super) struct Symbols {
    known: HashMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Symbols {
    pub(super) fn new() -> Self {
        Self { known: HashMap::new(), texts: Vec::new() }
    }

    pub(super) fn of(&mut self, text: Option<&str>) -> Symbol {
        let Some(text) = text else { return Symbol::default() };
        if let Some(symbol) = self.known.get(text) {
            return *symbol;
        }
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        let symbol = Symbol(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.known.insert(text, symbol);
        symbol
    }

    /// The one whose text comes first; the other if one is none.
    pub(super) fn least(&self, a: Symbol, b: Symbol) -> Symbol {
        match (self.text(a), self.text(b)) {
            (Some(one), Some(other)) if other < one => b,
            (None, _) => b,
            _ => a,
        }
    }

    pub(super) fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get((symbol.0 as usize).checked_sub(1)?).map(|text| &**text)
    }
}

/// A column of texts. What is not there reads as null.
pub(super) struct Texts<'b>(Option<&'b StringArray>);

impl<'b> Texts<'b> {
    pub(super) fn of(batch: &'b RecordBatch, name: &str) -> Self {
        Self(batch.column_by_name(name).and_then(|column| column.as_string_opt()))
    }

    pub(super) fn get(&self, at: usize) -> Option<&'b str> {
        let texts = self.0?;
        texts.is_valid(at).then(|| texts.value(at))
    }
}

/// A column of flags.
pub(super) struct Flags<'b>(Option<&'b BooleanArray>);

impl<'b> Flags<'b> {
    pub(super) fn of(batch: &'b RecordBatch, name: &str) -> Self {
        Self(batch.column_by_name(name).and_then(|column| column.as_boolean_opt()))
    }

    pub(super) fn get(&self, at: usize) -> Option<bool> {
        let flags = self.0?;
        flags.is_valid(at).then(|| flags.value(at))
    }
}

/// A column of times in microseconds, or of whole numbers.
pub(super) struct Numbers<'b>(Option<&'b dyn Array>);

impl<'b> Numbers<'b> {
    pub(super) fn of(batch: &'b RecordBatch, name: &str) -> Self {
        Self(batch.column_by_name(name).map(|column| &**column))
    }

    pub(super) fn get(&self, at: usize) -> Option<i64> {
        let column = self.0?;
        if !column.is_valid(at) {
            return None;
        }
        let times = column.as_primitive_opt::<TimestampMicrosecondType>().map(|a| a.value(at));
        times.or_else(|| column.as_primitive_opt::<Int64Type>().map(|a| a.value(at)))
    }
}

//! Texts that come again and again, each kept once: a million sessions have a thousand principals.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
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

    /// Takes names out of the texts. What has been given a number keeps it.
    pub(super) fn redact(&mut self, redactor: &crate::redact::Redactor) {
        for text in &mut self.texts {
            if let Some(changed) = redactor.changed(text) {
                *text = changed.into();
            }
        }
    }

    pub(super) fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get((symbol.0 as usize).checked_sub(1)?).map(|text| &**text)
    }
}

/// A column of texts, plain or with a dictionary. What is not there reads as null.
pub(super) enum Texts<'b> {
    Absent,
    Plain(&'b StringArray),
    Dictionary { keys: &'b PrimitiveArray<Int32Type>, values: &'b StringArray },
}

impl<'b> Texts<'b> {
    pub(super) fn of(batch: &'b RecordBatch, name: &str) -> Self {
        let Some(column) = batch.column_by_name(name) else { return Self::Absent };
        if let Some(texts) = column.as_string_opt() {
            return Self::Plain(texts);
        }
        let dictionary = column.as_dictionary_opt::<Int32Type>();
        match dictionary.and_then(|d| Some((d.keys(), d.values().as_string_opt()?))) {
            Some((keys, values)) => Self::Dictionary { keys, values },
            None => Self::Absent,
        }
    }

    /// Where its value stands in the dictionary, if there is one.
    fn key(&self, at: usize) -> Option<usize> {
        match self {
            Self::Dictionary { keys, .. } if keys.is_valid(at) => {
                usize::try_from(keys.value(at)).ok()
            }
            _ => None,
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&'b str> {
        match self {
            Self::Absent => None,
            Self::Plain(texts) => texts.is_valid(at).then(|| texts.value(at)),
            Self::Dictionary { values, .. } => {
                let key = self.key(at)?;
                values.is_valid(key).then(|| values.value(key))
            }
        }
    }
}

/// A column of texts, as symbols: each of a dictionary's values is looked up once.
pub(super) struct Column<'b> {
    pub(super) texts: Texts<'b>,
    known: Vec<Option<Symbol>>,
}

impl<'b> Column<'b> {
    pub(super) fn of(batch: &'b RecordBatch, name: &str) -> Self {
        let texts = Texts::of(batch, name);
        let length = match &texts {
            Texts::Dictionary { values, .. } => values.len(),
            _ => 0,
        };
        Self { texts, known: vec![None; length] }
    }

    pub(super) fn symbol(&mut self, at: usize, symbols: &mut Symbols) -> Symbol {
        let Some(key) = self.texts.key(at) else { return symbols.of(self.texts.get(at)) };
        let texts = &self.texts;
        *self.known[key].get_or_insert_with(|| symbols.of(texts.get(at)))
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

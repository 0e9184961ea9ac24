//! What is known of the rules that ship before they are read.
//!
//! To parse their two hundred files takes 40 ms, and their five hundred expressions 20 ms: most of what a function needs to begin. So
//! both is done when the program is built. A text and an expression have to be the same to the byte for it to hold.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::Pack;
use crate::sigma::{Program, Test, yaml};

static KNOWN: OnceLock<Known> = OnceLock::new();

/// What was made out beforehand.
#[derive(Debug, Default)]
pub struct Known {
    texts: yaml::Packed,
    /// In order of their sources.
    expressions: Vec<KnownExpression<'static>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownExpression<'a> {
    source: &'a str,
    /// Texts of which it needs one; none, if it needs none.
    #[serde(borrow)]
    needed: Vec<&'a str>,
    /// The code of a [`Program`]; nothing, if there is none.
    program: &'a [u8],
}

impl Known {
    /// Each text with what [`yaml::pack`] made of its documents; and what [`expressions`] made of all of them, when the same
    /// program was built.
    pub fn new(
        texts: impl IntoIterator<Item = (&'static str, &'static [u8])>,
        expressions: &'static [u8],
    ) -> Self {
        let expressions = postcard::from_bytes(expressions).expect("they were made beside this");
        Self { texts: yaml::Packed::new(texts), expressions }
    }

    fn expression(&self, source: &str) -> Option<&KnownExpression<'static>> {
        let at = self.expressions.binary_search_by(|own| own.source.cmp(source)).ok()?;
        self.expressions.get(at)
    }

    fn needed(&self, source: &str) -> Option<Vec<String>> {
        Some(self.expression(source)?.needed.iter().map(ToString::to_string).collect())
    }

    fn program(&self, source: &str) -> Option<Program> {
        Program::of(self.expression(source)?.program)
    }
}

/// Tells what is known. To be called before the first rule is read; what is told later is not heard.
pub fn know(known: Known) {
    let _ = KNOWN.set(known);
}

/// The documents of a text, if they are known.
pub(crate) fn documents(text: &str) -> Option<Vec<yaml::Node>> {
    KNOWN.get()?.texts.get(text)
}

/// Texts of which an expression needs one, if that is known; none, if it needs none.
pub(crate) fn needed(expression: &str) -> Option<Vec<String>> {
    KNOWN.get()?.needed(expression)
}

/// What an expression does, if that is known.
pub(crate) fn program(expression: &str) -> Option<Program> {
    KNOWN.get()?.program(expression)
}

/// What is to be known of the expressions of a pack.
pub fn expressions(pack: &Pack) -> Vec<u8> {
    let mut all: BTreeMap<&str, (&[String], Vec<u8>)> = BTreeMap::new();
    let filters = pack.filters.iter().flat_map(|filter| &filter.selections);
    for selection in pack.rules.iter().flat_map(|rule| &rule.selections).chain(filters) {
        let mut items = Vec::new();
        selection.search.items(&mut items);
        for item in items {
            if let Test::Regex(expression) = &item.test {
                let program = expression.program().map(|program| program.code().to_vec());
                let program = program.unwrap_or_default();
                let needed = expression.required().unwrap_or_default();
                all.insert(expression.source(), (needed, program));
            }
        }
    }
    let all: Vec<KnownExpression<'_>> = all
        .iter()
        .map(|(source, (needed, program))| KnownExpression {
            source,
            needed: needed.iter().map(String::as_str).collect(),
            program,
        })
        .collect();
    postcard::to_stdvec(&all).expect("texts are plain values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PackFile;

    #[test]
    fn what_was_made_out_is_what_would_be() {
        let text = "title: x\nlogsource: {category: process_creation}\ndetection:\n  \
                    s: {CommandLine|re: ['umask\\s+0', '^[0-9]+$', 'a(bcd|efg)+']}\n  condition: s\n";
        let pack = Pack::read([PackFile { path: "x.yml".into(), text: text.into() }]);
        let made: &'static [u8] = Box::leak(expressions(&pack).into_boxed_slice());
        let known = Known::new([], made);
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(known.needed(r"umask\s+0"), Some(texts(&["umask"])));
        assert_eq!(known.needed("a(bcd|efg)+"), Some(texts(&["bcd", "efg"])));
        assert_eq!(known.needed("^[0-9]+$"), Some(texts(&[])));
        assert_eq!(known.needed("a"), None);
        let made = pack.rules[0].selections[0].search.clone();
        let mut items = Vec::new();
        made.items(&mut items);
        assert_eq!(items.len(), 3);
        for item in items {
            let Test::Regex(expression) = &item.test else { panic!("{item:?}") };
            assert!(known.program(expression.source()).is_some());
            assert_eq!(known.program(expression.source()), expression.program());
        }
    }
}

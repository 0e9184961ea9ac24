//! A search identifier's definition: maps, lists of maps, keyword lists.

use std::ops::Range;
use std::sync::Arc;

use super::modifier::{Modifiers, syntax_error};
use super::rule::{Lists, MAX_TESTS, locate};
use super::test::Test;
use super::yaml::{Node, Value};
use crate::diagnostic::{Diagnostic, Source};

/// A definition, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// A map: every item must hold.
    All(Vec<Self>),
    /// A list of maps: any must hold.
    Any(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// One test of one field.
    Item(Item),
}

/// A test and the field that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The field, or `None` for a keyword: any value of the event.
    pub field: Option<String>,
    /// The test.
    pub test: Test,
    /// Where its value stands in the source.
    pub span: Range<usize>,
}

impl Search {
    /// Its items.
    pub fn items<'s>(&'s self, out: &mut Vec<&'s Item>) {
        match self {
            Self::All(items) | Self::Any(items) => items.iter().for_each(|item| item.items(out)),
            Self::Not(inner) => inner.items(out),
            Self::Item(item) => out.push(item),
        }
    }

    /// Number of tests.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::All(items) | Self::Any(items) => items.iter().map(Self::size).sum(),
            Self::Not(inner) => inner.size(),
            Self::Item(_) => 1,
        }
    }
}

/// Reads a definition.
pub(crate) fn read(
    node: &Node,
    source: &Arc<Source>,
    lists: &Lists,
    problems: &mut Vec<Diagnostic>,
) -> Option<Search> {
    let mut reader = Reader { source, lists, problems, tests: 0 };
    reader.definition(node)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    lists: &'a Lists,
    problems: &'a mut Vec<Diagnostic>,
    /// Tests so far.
    tests: usize,
}

impl Reader<'_> {
    fn problem(&mut self, node: &Node, message: impl Into<String>, help: Option<String>) {
        let mut problem = Diagnostic::error(self.source, node.span.clone(), message);
        problem.help = help;
        self.problems.push(problem);
    }

    /// A wrong expression is pointed at inside.
    fn point_into(&mut self, node: &Node) {
        if let Some(problem) = self.problems.last_mut()
            && problem.message.starts_with("not a regular expression")
            && let Some(text) = node.as_text()
            && let Some(within) = syntax_error(text)
        {
            problem.span = locate(self.source, node, text, within);
        }
    }

    fn definition(&mut self, node: &Node) -> Option<Search> {
        match &node.value {
            Value::Map(_) => self.map(node),
            Value::List(items) if items.is_empty() => {
                self.problem(node, "an empty list can never match", None);
                None
            }
            Value::List(items) => {
                // Maps and keywords may stand side by side; any of them will do.
                let mut any = Vec::new();
                for item in items {
                    any.push(match &item.value {
                        Value::Map(_) => self.map(item)?,
                        _ => self.values(None, &Modifiers::default(), item)?,
                    });
                }
                Some(Search::Any(any))
            }
            Value::Null => {
                self.problem(node, "a search identifier without a definition", None);
                None
            }
            _ => self.values(None, &Modifiers::default(), node),
        }
    }

    fn map(&mut self, node: &Node) -> Option<Search> {
        let Value::Map(entries) = &node.value else { return None };
        if entries.is_empty() {
            self.problem(node, "an empty map would match everything", None);
            return None;
        }
        let mut all = Vec::new();
        let mut complete = true;
        for (key, value) in entries {
            match self.item(key, value) {
                Some(item) => all.push(item),
                // Go on, so that all mistakes are told at once.
                None => complete = false,
            }
        }
        complete.then_some(Search::All(all))
    }

    fn item(&mut self, key: &Node, value: &Node) -> Option<Search> {
        let Some(text) = key.scalar_text(self.source) else {
            self.problem(key, "a field's name has to be text", None);
            return None;
        };
        let mut words = text.split('|');
        let field = words.next().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        let words: Vec<&str> = words.map(str::trim).collect();
        if words.contains(&"") {
            self.problem(key, "a `|` without a modifier behind it", None);
            return None;
        }
        match Modifiers::parse(&words) {
            Ok(modifiers) => self.values(field.as_deref(), &modifiers, value),
            Err((message, help)) => {
                self.problem(key, message, help);
                None
            }
        }
    }

    fn values(
        &mut self,
        field: Option<&str>,
        modifiers: &Modifiers,
        node: &Node,
    ) -> Option<Search> {
        let nodes = match &node.value {
            Value::List(items) if items.is_empty() => {
                self.problem(node, "an empty list can never match", None);
                return None;
            }
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if modifiers.all && nodes.len() < 2 {
            let problem = Diagnostic::error(
                self.source,
                node.span.clone(),
                "`all` has no effect on a single value",
            );
            self.problems.push(problem.warning());
        }
        let mut searches = Vec::new();
        let mut complete = true;
        for value in nodes {
            match modifiers.tests(value, self.source, self.lists) {
                Ok(tests) => {
                    if nodes.len() > 1 && tests == [Test::Null] {
                        let message = "`null` in a list of values";
                        let problem = Diagnostic::error(self.source, value.span.clone(), message)
                            .with_help("Sigma asks for a search identifier of its own");
                        self.problems.push(problem.warning());
                    }
                    self.tests += tests.len();
                    if self.tests > MAX_TESTS {
                        let message = format!("this comes to more than {MAX_TESTS} tests");
                        self.problem(value, message, None);
                        return None;
                    }
                    let about_fields = |test: &Test| {
                        matches!(test, Test::Exists(_) | Test::Null | Test::SameAs { .. })
                    };
                    if field.is_none() && tests.iter().any(about_fields) {
                        self.problem(value, "this asks something of a field, and names none", None);
                        complete = false;
                        continue;
                    }
                    let item = |test| {
                        // A keyword is looked for anywhere in a value.
                        let test = match (field, test) {
                            (None, Test::Pattern { pattern, cased }) => {
                                Test::Pattern { pattern: pattern.open_start().open_end(), cased }
                            }
                            (_, test) => test,
                        };
                        let span = value.span.clone();
                        Search::Item(Item { field: field.map(str::to_owned), test, span })
                    };
                    searches.push(one_or(tests.into_iter().map(item).collect(), Search::Any));
                }
                Err((message, help)) => {
                    self.problem(value, message, help);
                    self.point_into(value);
                    complete = false;
                }
            }
        }
        if !complete {
            return None;
        }
        let search = one_or(searches, if modifiers.all { Search::All } else { Search::Any });
        Some(if modifiers.negate { Search::Not(Box::new(search)) } else { search })
    }
}

fn one_or(mut items: Vec<Search>, many: fn(Vec<Search>) -> Search) -> Search {
    if items.len() == 1 { items.remove(0) } else { many(items) }
}

//! `selection and not 1 of filter_*` → a tree over search identifiers.
//!
//! Precedence from loosest: `or`, `and`, `not`; quantifiers and parentheses bind tightest.

use std::ops::Range;

use super::pattern::Pattern;

/// A condition, its quantifiers resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The search identifier with this index.
    Search(usize),
    /// Not.
    Not(Box<Self>),
    /// All of these.
    And(Vec<Self>),
    /// Any of these.
    Or(Vec<Self>),
}

impl Condition {
    /// Number of tests, given those of each search identifier.
    pub(crate) fn size(&self, sizes: &[usize]) -> usize {
        match self {
            Self::Search(at) => sizes.get(*at).copied().unwrap_or(0).max(1),
            Self::Not(inner) => inner.size(sizes),
            Self::And(items) | Self::Or(items) => {
                items.iter().fold(0, |sum, item| sum.saturating_add(item.size(sizes)))
            }
        }
    }
}

impl Condition {
    /// The same over identifiers that begin at `by`.
    pub(crate) fn shifted(&self, by: usize) -> Self {
        let all = |items: &[Self]| items.iter().map(|item| item.shifted(by)).collect();
        match self {
            Self::Search(at) => Self::Search(at + by),
            Self::Not(inner) => Self::Not(Box::new(inner.shifted(by))),
            Self::And(items) => Self::And(all(items)),
            Self::Or(items) => Self::Or(all(items)),
        }
    }

    /// The search identifiers that it asks for, each as often as it does.
    pub fn searches(&self, out: &mut Vec<usize>) {
        match self {
            Self::Search(at) => out.push(*at),
            Self::Not(inner) => inner.searches(out),
            Self::And(items) | Self::Or(items) => {
                for item in items {
                    item.searches(out);
                }
            }
        }
    }

    /// Does it hold, where `holds` tells of each identifier?
    pub fn eval(&self, holds: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Search(at) => holds(*at),
            Self::Not(inner) => !inner.eval(holds),
            Self::And(items) => items.iter().all(|item| item.eval(holds)),
            Self::Or(items) => items.iter().any(|item| item.eval(holds)),
        }
    }
}

/// Most search identifiers that a condition may come to, quantifiers written out.
const MAX_TERMS: usize = 20_000;

/// What is wrong with a condition: message, bytes in it, help.
pub type ConditionError = (String, Range<usize>, Option<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    And,
    Or,
    Not,
    Of,
    Word(&'a str),
}

/// Reads a condition over the search identifiers `names`.
pub fn parse(text: &str, names: &[&str]) -> Result<Condition, ConditionError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, names, end: text.len(), depth: 0, terms: 0 };
    if tokens.is_empty() {
        return Err(("an empty condition".into(), 0..text.len(), None));
    }
    let condition = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(condition),
        Some((Token::Close, span)) => Err(("a `)` that nothing opened".into(), span.clone(), None)),
        Some((_, span)) => Err(("expected `and`, `or` or the end".into(), span.clone(), None)),
    }
}

fn tokens(text: &str) -> Result<Vec<(Token<'_>, Range<usize>)>, ConditionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        at += c.len_utf8();
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '|' => {
                return Err((
                    "an aggregation behind `|` is not Sigma 2 any more".into(),
                    start..text.len(),
                    Some("write a correlation rule instead".into()),
                ));
            }
            c if is_word(c) => {
                at = text[at..].find(|c| !is_word(c)).map_or(text.len(), |more| at + more);
                let word = &text[start..at];
                match word.to_ascii_lowercase().as_str() {
                    "and" => Token::And,
                    "or" => Token::Or,
                    "not" => Token::Not,
                    "of" => Token::Of,
                    _ => Token::Word(word),
                }
            }
            c => return Err((format!("`{c}` has no meaning here"), start..at, None)),
        };
        tokens.push((token, start..at));
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '.' | '?')
}

/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 100;

struct Parser<'a> {
    tokens: &'a [(Token<'a>, Range<usize>)],
    at: usize,
    names: &'a [&'a str],
    end: usize,
    depth: usize,
    /// Search identifiers so far.
    terms: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    fn or(&mut self) -> Result<Condition, ConditionError> {
        let mut any = vec![self.and()?];
        while self.peek() == Some(Token::Or) {
            self.at += 1;
            any.push(self.and()?);
        }
        Ok(one_or(any, Condition::Or))
    }

    fn and(&mut self) -> Result<Condition, ConditionError> {
        let mut all = vec![self.not()?];
        while self.peek() == Some(Token::And) {
            self.at += 1;
            all.push(self.not()?);
        }
        Ok(one_or(all, Condition::And))
    }

    fn not(&mut self) -> Result<Condition, ConditionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(("nested too deeply".into(), self.span(), None));
        }
        let result = if self.peek() == Some(Token::Not) {
            self.at += 1;
            Ok(Condition::Not(Box::new(self.not()?)))
        } else {
            self.atom()
        };
        self.depth -= 1;
        result
    }

    fn atom(&mut self) -> Result<Condition, ConditionError> {
        let span = self.span();
        match self.peek() {
            Some(Token::Open) => {
                self.at += 1;
                let inner = self.or()?;
                if self.peek() != Some(Token::Close) {
                    return Err(("a `(` that nothing closes".into(), span, None));
                }
                self.at += 1;
                Ok(inner)
            }
            Some(Token::Word(word)) => {
                self.at += 1;
                if self.peek() == Some(Token::Of) {
                    self.at += 1;
                    return self.quantified(word, span);
                }
                self.count(1, &span)?;
                self.names
                    .iter()
                    .position(|&name| name == word)
                    .map(Condition::Search)
                    .ok_or_else(|| self.unknown(word, span))
            }
            Some(_) | None => {
                Err(("expected a search identifier, `not`, `(` or `1 of …`".into(), span, None))
            }
        }
    }

    fn quantified(
        &mut self,
        quantifier: &str,
        span: Range<usize>,
    ) -> Result<Condition, ConditionError> {
        let all = match quantifier.to_ascii_lowercase().as_str() {
            "all" => true,
            "1" | "any" => false,
            _ => {
                return Err((
                    format!("`{quantifier} of` is not a quantifier"),
                    span,
                    Some("write `1 of`, `any of` or `all of`".into()),
                ));
            }
        };
        let which = self.span();
        let Some(Token::Word(pattern)) = self.peek() else {
            return Err(("expected `them` or a pattern such as `selection_*`".into(), which, None));
        };
        self.at += 1;
        let them = pattern.eq_ignore_ascii_case("them");
        let fits = Pattern::parse(pattern);
        let chosen: Vec<Condition> = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| {
                // An underscore in front takes an identifier out, unless the pattern asks for it.
                (!name.starts_with('_') || (!them && pattern.starts_with('_')))
                    && (them || fits.matches(name))
            })
            .map(|(index, _)| Condition::Search(index))
            .collect();
        self.count(chosen.len(), &which)?;
        if chosen.is_empty() {
            return Err((
                format!("no search identifier fits `{pattern}`"),
                which,
                Some(format!("there are: {}", self.names.join(", "))),
            ));
        }
        Ok(one_or(chosen, if all { Condition::And } else { Condition::Or }))
    }

    fn count(&mut self, terms: usize, span: &Range<usize>) -> Result<(), ConditionError> {
        self.terms += terms;
        if self.terms > MAX_TERMS {
            let message = format!("a condition of more than {MAX_TERMS} search identifiers");
            return Err((message, span.clone(), None));
        }
        Ok(())
    }

    fn unknown(&self, word: &str, span: Range<usize>) -> ConditionError {
        let help = if word.contains('*') {
            Some(format!("write `1 of {word}` or `all of {word}`"))
        } else if matches!(word.to_ascii_lowercase().as_str(), "all" | "any" | "1") {
            Some(format!("write `{word} of …`"))
        } else if let Some(name) = super::spelling::nearest(word, self.names.iter().copied()) {
            Some(format!("did you mean `{name}`?"))
        } else {
            (!self.names.is_empty()).then(|| format!("there are: {}", self.names.join(", ")))
        };
        (format!("no search identifier `{word}`"), span, help)
    }
}

fn one_or(mut items: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    if items.len() == 1 { items.remove(0) } else { many(items) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(condition: &Condition) -> String {
        let list = |items: &[Condition]| items.iter().map(show).collect::<Vec<_>>().join(" ");
        match condition {
            Condition::Search(index) => index.to_string(),
            Condition::Not(inner) => format!("!{}", show(inner)),
            Condition::And(items) => format!("&({})", list(items)),
            Condition::Or(items) => format!("|({})", list(items)),
        }
    }

    #[test]
    fn conditions_are_read_with_their_precedence() {
        let names = ["a", "b", "sel_1", "sel_2", "_x"];
        let cases = [
            ("a", "0"),
            ("a and b or not a and b", "|(&(0 1) &(!0 1))"),
            ("not (a or b)", "!|(0 1)"),
            ("a AND NOT b", "&(0 !1)"),
            ("1 of sel_*", "|(2 3)"),
            ("all of sel_*", "&(2 3)"),
            ("1 of them", "|(0 1 2 3)"),
            ("not 1 of sel_*", "!|(2 3)"),
            ("all of _*", "4"),
            ("any of sel_?", "|(2 3)"),
            ("a and (b or sel_1) and sel_2", "&(0 |(1 2) 3)"),
        ];
        for (text, expected) in cases {
            let shown = parse(text, &names).map(|condition| show(&condition));
            assert_eq!(shown, Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let names = ["selection", "filter"];
        let cases = [
            ("", "an empty condition", 0),
            ("selection and", "expected a search identifier", 13),
            ("selction", "no search identifier", 0),
            ("selection or (filter", "a `(` that nothing closes", 13),
            ("selection)", "a `)` that nothing opened", 9),
            ("selection filter", "expected `and`", 10),
            ("1 of nope_*", "no search identifier fits", 5),
            ("2 of them", "not a quantifier", 0),
            ("selection | count() > 5", "aggregation", 10),
            ("selection & filter", "no meaning", 10),
        ];
        for (text, message, at) in cases {
            let (found, span, _) = parse(text, &names).expect_err(text);
            assert!(found.contains(message), "{text}: {found}");
            assert_eq!(span.start, at, "{text}");
        }
        assert!(parse(&"(".repeat(10_000), &names).is_err());
    }
}

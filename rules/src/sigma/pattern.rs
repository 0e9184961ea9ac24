//! Text with wildcards: `*` any characters, `?` any one, `\` takes their meaning away.

use std::fmt::{self, Write as _};

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// These characters.
    Literal(String),
    /// One character.
    One,
    /// Any number of characters.
    Many,
}

/// A pattern. Never holds two `Many` or two literals in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// Folds case, as Sigma compares text: by default without regard to it. Character by character, so that a
/// part of a text folds as it does inside the whole.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let one = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some('ς'), None) => 'σ',
            (Some(lower), None) => lower,
            _ => c,
        }
    };
    text.chars().map(one).collect()
}

impl Pattern {
    /// Reads Sigma's notation. A backslash takes the meaning of `*`, `?` and of another backslash; before
    /// anything else it is itself.
    pub fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let escaped = chars.next_if(|&next| matches!(next, '*' | '?' | '\\'));
                    pattern.push_char(escaped.unwrap_or('\\'));
                }
                '*' => pattern.push(Part::Many),
                '?' => pattern.push(Part::One),
                c => pattern.push_char(c),
            }
        }
        pattern
    }

    /// Exactly this text, whatever characters it holds.
    pub fn literal(text: &str) -> Self {
        let mut pattern = Self::default();
        if !text.is_empty() {
            pattern.parts.push(Part::Literal(text.to_owned()));
        }
        pattern
    }

    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text, if there is no wildcard.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Anything may stand before.
    #[must_use]
    pub fn open_start(mut self) -> Self {
        if self.parts.first() != Some(&Part::Many) {
            self.parts.insert(0, Part::Many);
        }
        self
    }

    /// Anything may follow.
    #[must_use]
    pub fn open_end(mut self) -> Self {
        self.push(Part::Many);
        self
    }

    /// The same without regard to case: to be matched against folded text.
    #[must_use]
    pub fn folded(&self) -> Self {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => Part::Literal(fold(text)),
            other => other.clone(),
        });
        Self { parts: parts.collect() }
    }

    /// Applies `change` to each literal.
    pub fn map_literals(&mut self, mut change: impl FnMut(&str) -> String) {
        for part in &mut self.parts {
            if let Part::Literal(text) = part {
                *text = change(text);
            }
        }
    }

    /// The longest literal, by which a search can find candidates. Empty if there is none.
    pub fn longest_literal(&self) -> &str {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                Part::One | Part::Many => None,
            })
            .max_by_key(|text| text.len())
            .unwrap_or_default()
    }

    /// Does the whole of `text` fit? Time is at most the product of the lengths; a literal part is
    /// sought with the standard library's linear search.
    pub fn matches(&self, text: &str) -> bool {
        let (mut part, mut rest) = (0, text);
        // Where to go on when what follows the last `*` does not fit: one character further.
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let fits = match self.parts.get(part) {
                Some(Part::Many) => {
                    part += 1;
                    retry = Some((part, rest));
                    continue;
                }
                Some(Part::One) => {
                    let mut chars = rest.chars();
                    chars.next().map(|_| chars.as_str())
                }
                Some(Part::Literal(literal)) => rest.strip_prefix(literal.as_str()),
                None if rest.is_empty() => return true,
                None => None,
            };
            if let Some(behind) = fits {
                rest = behind;
                part += 1;
                continue;
            }
            let Some((back, from)) = retry else { return false };
            let next = match self.parts.get(back) {
                // Straight to the next place where the literal stands.
                Some(Part::Literal(literal)) => {
                    let skip = from.chars().next().map_or(0, char::len_utf8);
                    let Some(at) =
                        (skip > 0).then(|| from[skip..].find(literal.as_str())).flatten()
                    else {
                        return false;
                    };
                    &from[skip + at..]
                }
                None => return true,
                Some(_) => {
                    let mut chars = from.chars();
                    if chars.next().is_none() {
                        return false;
                    }
                    chars.as_str()
                }
            };
            retry = Some((back, next));
            part = back;
            rest = next;
        }
    }

    fn push(&mut self, part: Part) {
        if part != Part::Many || self.parts.last() != Some(&Part::Many) {
            self.parts.push(part);
        }
    }

    fn push_char(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(Part::Literal(text)) => text.push(c),
            _ => self.parts.push(Part::Literal(c.to_string())),
        }
    }
}

/// As it would be written in a rule.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::One => f.write_char('?')?,
                Part::Many => f.write_char('*')?,
                Part::Literal(text) => {
                    for c in text.chars() {
                        if matches!(c, '*' | '?') {
                            f.write_char('\\')?;
                        }
                        f.write_char(c)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_and_escapes_are_those_of_the_specification() {
        let cases = [
            (r"*\cmd.exe", r"C:\Windows\cmd.exe", true),
            (r"a?c", "abc", true),
            (r"a?c", "ac", false),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\\*c", r"a\xyzc", true),
            (r"a\\\*c", r"a\*c", true),
            (r"a\b", r"a\b", true),
            (r"a\\b", r"a\b", true),
            (r"a\\\\b", r"a\\b", true),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*ab", "aab", true),
            ("*ab?", "abab", false),
            ("*ab?", "ababx", true),
            ("?", "ü", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Pattern::parse(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    /// The definition, without any cleverness.
    fn oracle(parts: &[Part], text: &str) -> bool {
        match parts {
            [] => text.is_empty(),
            [Part::Many, rest @ ..] => (0..=text.len())
                .filter(|&at| text.is_char_boundary(at))
                .any(|at| oracle(rest, &text[at..])),
            [Part::One, rest @ ..] => {
                let mut chars = text.chars();
                chars.next().is_some() && oracle(rest, chars.as_str())
            }
            [Part::Literal(literal), rest @ ..] => {
                text.strip_prefix(literal.as_str()).is_some_and(|behind| oracle(rest, behind))
            }
        }
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(pattern in "[ab*?ü\\\\]{0,8}", text in "[abü\\\\*]{0,10}") {
            let pattern = Pattern::parse(&pattern);
            prop_assert_eq!(pattern.matches(&text), oracle(pattern.parts(), &text));
        }
    }
}

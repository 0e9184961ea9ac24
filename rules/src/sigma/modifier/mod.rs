//! `field|modifier|modifier: value` → what to test.

use std::net::IpAddr;

use ipnet::IpNet;

use super::expression::{BadExpression, Expression, REGEX_SIZE};
use super::pattern::Pattern;
use super::rule::Lists;
use super::test::{Comparison, Number, Shape, Test, TimePart};
use super::yaml::{Node, Value};
use crate::diagnostic::Source;

mod variants;

use variants::{Encoding, encode, expand, windash};

/// An item's key, taken apart and understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modifiers {
    /// All values must pass, not any.
    pub(crate) all: bool,
    /// What passes must not.
    pub(crate) negate: bool,
    cased: bool,
    expand: bool,
    windash: bool,
    shape: Shape,
    kind: Kind,
    /// Only this part of a date is looked at.
    time: Option<TimePart>,
    encodings: Vec<Encoding>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Text,
    Regex {
        flags: String,
    },
    Cidr,
    Exists,
    FieldRef,
    Number(Comparison),
}

/// Every modifier, for suggestions.
const KNOWN: &[&str] = &[
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
    "year",
];

impl Modifiers {
    /// Reads the words behind the field's name. An error is a message and its help.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, (String, Option<String>)> {
        let mut this = Self::default();
        for &word in words {
            let shape = match word {
                "contains" => Some(Shape::Contains),
                "startswith" => Some(Shape::StartsWith),
                "endswith" => Some(Shape::EndsWith),
                _ => None,
            };
            if let Some(shape) = shape {
                if this.shape != Shape::Whole {
                    return Err((
                        format!("`{word}` with another of `contains`, `startswith`, `endswith`"),
                        Some("one of them says where the value stands".into()),
                    ));
                }
                this.shape = shape;
                continue;
            }
            if let Some(part) = TimePart::of(word) {
                if this.time.is_some() {
                    return Err((
                        format!("`{word}` with another part of a date"),
                        Some("write one item for each part".into()),
                    ));
                }
                this.time = Some(part);
                continue;
            }
            let kind = match word {
                "re" => Some(Kind::Regex { flags: String::new() }),
                "cidr" => Some(Kind::Cidr),
                "exists" => Some(Kind::Exists),
                "fieldref" => Some(Kind::FieldRef),
                "lt" => Some(Kind::Number(Comparison::Less)),
                "lte" => Some(Kind::Number(Comparison::LessOrEqual)),
                "gt" => Some(Kind::Number(Comparison::Greater)),
                "gte" => Some(Kind::Number(Comparison::GreaterOrEqual)),
                _ => None,
            };
            if let Some(kind) = kind {
                if this.kind != Kind::Text {
                    return Err((format!("`{word}` with another modifier of its kind"), None));
                }
                if word == "re" && this.shape != Shape::Whole {
                    return Err((
                        "`re` takes the value as it is written".into(),
                        Some("put `re` first".into()),
                    ));
                }
                this.kind = kind;
                continue;
            }
            match word {
                "all" => this.all = true,
                "neq" => this.negate = true,
                "cased" => this.cased = true,
                "expand" => this.expand = true,
                "windash" => this.windash = true,
                "i" | "m" | "s" => match &mut this.kind {
                    Kind::Regex { flags } => flags.push_str(word),
                    _ => {
                        return Err((
                            format!("`{word}` is a flag of `re`"),
                            Some(format!("write `re|{word}`")),
                        ));
                    }
                },
                "utf16le" | "wide" => this.encoding(Encoding::Utf16Le, word)?,
                "utf16be" => this.encoding(Encoding::Utf16Be, word)?,
                "utf16" => this.encoding(Encoding::Utf16, word)?,
                "base64" => this.encoding(Encoding::Base64, word)?,
                "base64offset" => this.encoding(Encoding::Base64Offset, word)?,
                _ => {
                    let near = super::spelling::nearest(word, KNOWN.iter().copied());
                    let help = near.map(|known| format!("did you mean `{known}`?"));
                    return Err((format!("unknown modifier `{word}`"), help));
                }
            }
        }
        this.check()
    }

    /// Modifiers are applied in the order written, so an encoding must see the value without wildcards.
    fn encoding(&mut self, encoding: Encoding, word: &str) -> Result<(), (String, Option<String>)> {
        if let Some(shape) = self.shape.word() {
            return Err((
                format!("`{word}` behind `{shape}` would encode its wildcards"),
                Some(format!("write `{word}|{shape}`")),
            ));
        }
        self.encodings.push(encoding);
        Ok(())
    }

    fn check(self) -> Result<Self, (String, Option<String>)> {
        let text_only = self.windash || !self.encodings.is_empty() || self.expand;
        if (self.kind != Kind::Text || self.time.is_some()) && text_only {
            let message = "`expand`, `windash` and encodings are for text, not with `re`, `cidr`, \
                           `exists`, `fieldref`, a comparison or a part of a date";
            return Err((message.into(), None));
        }
        let shaped = matches!(self.kind, Kind::Text | Kind::FieldRef | Kind::Regex { .. });
        if let Some(word) = self.shape.word()
            && (!shaped || self.time.is_some())
        {
            return Err((
                format!("`{word}` is for text, `re` and `fieldref`"),
                Some(format!("leave `{word}` out")),
            ));
        }
        if self.time.is_some() && !matches!(self.kind, Kind::Text | Kind::Number(_)) {
            return Err(("a part of a date is a number: it can only be compared".into(), None));
        }
        if self.cased && !matches!(self.kind, Kind::Text | Kind::FieldRef) {
            let help = matches!(self.kind, Kind::Regex { .. })
                .then(|| "a regular expression is case-sensitive already".into());
            return Err(("`cased` is for text".into(), help));
        }
        if self.encodings.contains(&Encoding::Base64Offset) && self.shape != Shape::Contains {
            return Err((
                "`base64offset` without `contains` can never match".into(),
                Some("write `base64offset|contains`".into()),
            ));
        }
        let readable = |e: &Encoding| matches!(e, Encoding::Base64 | Encoding::Base64Offset);
        if self.encodings.last().is_some_and(|last| !readable(last)) {
            return Err((
                "a UTF-16 modifier without `base64` or `base64offset` behind it".into(),
                Some("log values are text; encode to Base64 what you look for".into()),
            ));
        }
        Ok(self)
    }

    /// The tests of one value: more than one where a modifier makes variants, any of which may pass.
    pub(crate) fn tests(
        &self,
        node: &Node,
        source: &Source,
        lists: &Lists,
    ) -> Result<Vec<Test>, (String, Option<String>)> {
        if matches!(node.value, Value::Null) && self.kind == Kind::Text {
            let plain = self.shape == Shape::Whole && self.time.is_none() && !self.expand;
            if plain && !self.windash && self.encodings.is_empty() {
                return Ok(vec![Test::Null]);
            }
            return Err((
                "null is no text".into(),
                Some("write the field without modifiers: `field: null`".into()),
            ));
        }
        let Some(text) = node.scalar_text(source) else {
            return Err((format!("expected a value, found {}", node.kind()), None));
        };
        if let Some(part) = self.time {
            let comparison = match self.kind {
                Kind::Number(comparison) => Some(comparison),
                _ => None,
            };
            let range = part.range();
            return match text.trim().parse::<i64>() {
                Ok(number) if range.contains(&number) => {
                    Ok(vec![Test::Time { part, comparison, number }])
                }
                _ => Err((
                    format!("`{text}` is no {}", part.as_str()),
                    Some(format!("a number from {} to {}", range.start(), range.end())),
                )),
            };
        }
        match &self.kind {
            Kind::Text => self.text(&text, node, lists),
            Kind::Regex { flags } => {
                let mut expression = match self.shape {
                    Shape::Whole | Shape::Contains => text,
                    Shape::StartsWith => format!(r"\A(?:{text})"),
                    Shape::EndsWith => format!(r"(?:{text})\z"),
                };
                if !flags.is_empty() {
                    expression = format!("(?{flags}){expression}");
                }
                match Expression::new(&expression) {
                    Ok(expression) => Ok(vec![Test::Regex(expression)]),
                    Err(error) => {
                        let help = matches!(error, BadExpression::TooLarge).then(|| {
                            "`\\w` and its like stand for every alphabet; `[A-Za-z0-9_]` is smaller".into()
                        });
                        Err((regex_message(&error), help))
                    }
                }
            }
            Kind::Cidr => match text
                .parse::<IpNet>()
                .or_else(|error| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| error))
            {
                Ok(net) => Ok(vec![Test::Cidr(net)]),
                Err(_) => Err((
                    format!("`{text}` is not a network"),
                    Some("such as 10.0.0.0/8 or fd00::/8".into()),
                )),
            },
            Kind::Exists => match node.value {
                Value::Bool(wanted) => Ok(vec![Test::Exists(wanted)]),
                _ => Err(("`exists` takes `true` or `false`".into(), None)),
            },
            Kind::FieldRef if !matches!(node.value, Value::Text(_)) => Err((
                format!("`fieldref` takes the name of a field, this is {}", node.kind()),
                Some("a name that looks like something else is put in quotes".into()),
            )),
            Kind::FieldRef => {
                Ok(vec![Test::SameAs { field: text, cased: self.cased, shape: self.shape }])
            }
            Kind::Number(comparison) => {
                // YAML knows more notations than logs do: `0x10`, `1_000`.
                let number = Number::parse(text.trim()).or_else(|| match node.value {
                    Value::Number(number) => Number::parse(&number.to_string()),
                    _ => None,
                });
                number
                    .map(|number| vec![Test::Number(*comparison, number)])
                    .ok_or_else(|| (format!("`{text}` is not a number"), None))
            }
        }
    }

    fn text(
        &self,
        text: &str,
        node: &Node,
        lists: &Lists,
    ) -> Result<Vec<Test>, (String, Option<String>)> {
        let mut patterns = if self.expand {
            expand(text, lists)?
        } else if matches!(node.value, Value::Text(_)) {
            vec![Pattern::parse(text)]
        } else {
            vec![Pattern::literal(text)]
        };
        if self.windash {
            patterns = patterns.into_iter().flat_map(|pattern| windash(&pattern)).collect();
        }
        if !self.encodings.is_empty() {
            patterns = encode(&patterns, &self.encodings)?;
        }
        // Base64 is about exact bytes: another case is another text.
        let cased = self.cased || !self.encodings.is_empty();
        Ok(patterns
            .into_iter()
            .map(|pattern| {
                let pattern = match self.shape {
                    Shape::Whole => pattern,
                    Shape::Contains => pattern.open_start().open_end(),
                    Shape::StartsWith => pattern.open_end(),
                    Shape::EndsWith => pattern.open_start(),
                };
                Test::Pattern { pattern: if cased { pattern } else { pattern.folded() }, cased }
            })
            .collect())
    }
}

fn regex_message(error: &BadExpression) -> String {
    let text = match error {
        BadExpression::TooLarge => {
            return format!("the expression needs more than {REGEX_SIZE} bytes when compiled");
        }
        BadExpression::Syntax(error) => error.to_string(),
        BadExpression::Other(error) => error.to_string(),
    };
    // The last line holds the reason; the lines before repeat the expression.
    let reason = text.lines().last().unwrap_or_default();
    format!("not a regular expression: {}", reason.trim_start_matches("error: "))
}

/// Where in an expression it ends to be one.
pub(super) fn syntax_error(expression: &str) -> Option<std::ops::Range<usize>> {
    match regex_syntax::parse(expression).err()? {
        regex_syntax::Error::Parse(error) => {
            Some(error.span().start.offset..error.span().end.offset)
        }
        regex_syntax::Error::Translate(error) => {
            Some(error.span().start.offset..error.span().end.offset)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn tests(modifiers: &str, yaml: &str) -> Result<Vec<Test>, String> {
        let words: Vec<&str> = modifiers.split('|').filter(|word| !word.is_empty()).collect();
        let modifiers = Modifiers::parse(&words).map_err(|(message, _)| message)?;
        let source = Arc::new(Source { name: "x".into(), text: format!("v: {yaml}\n") });
        let documents = crate::sigma::yaml::documents(&source).unwrap();
        let lists = Lists::from([("ok".to_owned(), vec!["one".to_owned(), "t*o".to_owned()])]);
        modifiers
            .tests(documents[0].get("v").unwrap(), &source, &lists)
            .map_err(|(message, _)| message)
    }

    fn passes(modifiers: &str, yaml: &str, value: &str) -> bool {
        tests(modifiers, yaml).unwrap().iter().any(|test| test.matches(value))
    }

    #[test]
    fn modifiers_say_what_they_say() {
        let cases = [
            ("", "Abc", "aBC", true),
            ("cased", "Abc", "abc", false),
            ("contains", "b", "ABC", true),
            ("startswith", "/etc", "/etc/passwd", true),
            ("endswith", "/sudo", "/usr/bin/SUDO", true),
            ("contains|cased", "B", "abc", false),
            ("re", "'^a.c$'", "abc", true),
            ("re", "'B'", "abc", false),
            ("re|i", "'B'", "abc", true),
            ("cidr", "10.0.0.0/8", "10.1.2.3", true),
            ("cidr", "10.0.0.0/8", "AWS Internal", false),
            ("cidr", "'fd00::/8'", "fd00:ec2::254", true),
            ("gte", "10", "10", true),
            ("gt", "10", "ten", false),
            ("", "17", "17", true),
            ("", "true", "TRUE", true),
            ("expand", "'%ok%'", "ONE", true),
            ("expand", "'x-%ok%'", "x-two", true),
            ("windash", "'-f'", "/f", true),
            ("windash|contains", "' -f'", "x \u{2013}f", true),
            ("base64", "foo", "Zm9v", true),
            ("base64offset|contains", "foo", "eGZvb3g=", true),
            ("wide|base64offset|contains", "ping", "cABpAG4AZwA=", true),
            ("wide|base64offset|contains", "'中文命令'", "x LU6HZX1U5E4=", true),
            ("base64", "'ÿþab'", "w7/DvmFi", true),
            ("windash|contains", "' -a -b'", "x -a /b", true),
            ("windash|contains", "'\"-enc'", "x \"/enc", true),
            ("expand", "'\\%a-%ok%'", "%a-one", true),
            ("gt", "5", "infinity", false),
            ("gt", "9007199254740992", "9007199254740993", true),
            ("lt", "0x10", "15", true),
            ("contains", "'ΔΟΣ'", "ΟΔΟΣΑ", true),
            ("", "'a?b'", "aİb", true),
            ("re", "'^\\w{32}$'", "0123456789abcdef0123456789abcdef", true),
            ("re|startswith", "'a|b'", "bc", true),
            ("re|startswith", "'a|b'", "cb", false),
            ("re|i|endswith", "'a|b'", "cB", true),
            ("hour", "8", "2026-11-20T08:12:44Z", true),
            ("hour|gte", "20", "2026-11-20T19:59:59+02:00", false),
            ("week", "47", "2026-11-20", true),
            ("minute|lt", "13", "2026-11-20 08:12:44", true),
            ("year", "2026", "soon", false),
            ("expand", "'%ok%-%ok%'", "one-tango", true),
            ("expand", "'%ok%-%ok%'", "one-", false),
        ];
        for (modifiers, yaml, value, expected) in cases {
            assert_eq!(passes(modifiers, yaml, value), expected, "|{modifiers}: {yaml} on {value}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let cases = [
            ("contains|startswith", "x", "`startswith` with another"),
            ("contians", "x", "unknown modifier"),
            ("i", "x", "flag of `re`"),
            ("re", "'a('", "not a regular expression"),
            ("re", "'(a{1000}){1000}'", "needs more than"),
            ("cidr", "nowhere", "not a network"),
            ("exists", "maybe", "takes `true` or `false`"),
            ("gt", "ten", "not a number"),
            ("expand", "'%nolist%'", "no list"),
            ("wide", "x", "UTF-16"),
            ("base64", "'a*'", "wildcard"),
            ("hour", "24", "no hour"),
            ("hour|minute", "3", "another part of a date"),
            ("contains|base64offset", "foo", "would encode its wildcards"),
            ("base64|wide", "foo", "UTF-16"),
            ("contains|re", "foo", "as it is written"),
            ("re|cased", "foo", "`cased` is for text"),
            ("cidr|contains", "10.0.0.0/8", "`contains` is for text"),
            ("contains", "null", "null is no text"),
            ("base64offset|contains", "a", "too short"),
        ];
        for (modifiers, yaml, message) in cases {
            let error = tests(modifiers, yaml).unwrap_err();
            assert!(error.contains(message), "|{modifiers}: {yaml}: {error}");
        }
    }
}

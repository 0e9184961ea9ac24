//! `field|modifier|modifier: value` → what to test.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ipnet::IpNet;

use super::expression::{BadExpression, Expression, REGEX_SIZE};
use super::pattern::Pattern;
use super::rule::Lists;
use super::test::{Comparison, Number, Shape, Test, TimePart};
use super::yaml::{Node, Value};
use crate::diagnostic::Source;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf16Le,
    Utf16Be,
    Utf16,
    Base64,
    Base64Offset,
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

/// `%name%` stands for each entry of the list of that name; text around it stays, and `\%` is a percent
/// sign.
fn expand(text: &str, lists: &Lists) -> Result<Vec<Pattern>, (String, Option<String>)> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let (mut rest, mut placeholders) = (text, 0);
    while let Some(open) = find_percent(rest) {
        parts.push(vec![unescape(&rest[..open])]);
        let Some(close) = find_percent(&rest[open + 1..]) else {
            return Err((
                "a placeholder without its closing `%`".into(),
                Some("a percent sign that is meant as such is written `\\%`".into()),
            ));
        };
        let name = &rest[open + 1..open + 1 + close];
        let Some(entries) = lists.get(name) else {
            let near = super::spelling::nearest(name, lists.keys().map(String::as_str));
            let known: Vec<&str> = lists.keys().map(String::as_str).collect();
            let help = match near {
                Some(near) => format!("did you mean `%{near}%`?"),
                None if known.is_empty() => "no lists are there; put one into `lists/`".to_owned(),
                None => format!("lists that are there: {}", known.join(", ")),
            };
            return Err((format!("no list for the placeholder `%{name}%`"), Some(help)));
        };
        parts.push(entries.clone());
        placeholders += 1;
        rest = &rest[open + close + 2..];
    }
    if placeholders == 0 {
        return Err((
            "`expand` on a value without a `%placeholder%`".into(),
            Some("write the list's name between percent signs".into()),
        ));
    }
    parts.push(vec![unescape(rest)]);
    let total = parts.iter().fold(1_usize, |total, part| total.saturating_mul(part.len()));
    if total > super::rule::MAX_TESTS {
        return Err((format!("these lists come to {total} values"), None));
    }
    let mut texts = vec![String::new()];
    for part in &parts {
        texts = texts
            .iter()
            .flat_map(|text| part.iter().map(move |entry| format!("{text}{entry}")))
            .collect();
    }
    Ok(texts.iter().map(|text| Pattern::parse(text)).collect())
}

/// The first percent sign that is not escaped. Two backslashes in front are one, and no escape.
fn find_percent(text: &str) -> Option<usize> {
    let escapes = |at: usize| text[..at].chars().rev().take_while(|c| *c == '\\').count();
    text.match_indices('%').map(|(at, _)| at).find(|&at| escapes(at) % 2 == 0)
}

fn unescape(text: &str) -> String {
    text.replace("\\%", "%")
}

/// Windows programs take any of these for the dash in front of an option.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
/// Options of a value that are varied independently of one another; of more, all in the same way.
const MAX_DASHES: usize = 4;

/// Variants with each kind of dash in place of those that begin an option.
fn windash(pattern: &Pattern) -> Vec<Pattern> {
    // Where an option begins: a dash with a word behind it and none in front. Of `--run` that is the second.
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let begins = |before: Option<char>, c: char, after: Option<char>| {
        DASHES.contains(&c) && !before.is_some_and(is_word) && after.is_some_and(is_word)
    };
    // The variant, and the number of options in it.
    let vary = |pattern: &Pattern, choose: &dyn Fn(usize) -> char| {
        let mut variant = pattern.clone();
        let mut at = 0;
        variant.map_literals(|text| {
            let chars: Vec<char> = text.chars().collect();
            (0..chars.len())
                .map(|i| {
                    let before = i.checked_sub(1).map(|i| chars[i]);
                    if begins(before, chars[i], chars.get(i + 1).copied()) {
                        at += 1;
                        choose(at - 1)
                    } else {
                        chars[i]
                    }
                })
                .collect()
        });
        (variant, at)
    };
    let (_, options) = vary(pattern, &|_| '-');
    if options > MAX_DASHES {
        return DASHES.iter().map(|&dash| vary(pattern, &|_| dash).0).collect();
    }
    let variants = DASHES.len().pow(u32::try_from(options).unwrap_or(0));
    (0..variants)
        .map(|number| {
            vary(pattern, &|at| {
                let power = DASHES.len().pow(u32::try_from(at).unwrap_or(0));
                DASHES[number / power % DASHES.len()]
            })
            .0
        })
        .collect()
}

/// Values that stand for bytes, encoded. Wildcards cannot be encoded.
fn encode(
    patterns: &[Pattern],
    encodings: &[Encoding],
) -> Result<Vec<Pattern>, (String, Option<String>)> {
    let mut out = Vec::new();
    for pattern in patterns {
        let Some(text) = pattern.as_literal() else {
            return Err((
                "a wildcard in a value that is to be encoded".into(),
                Some("escape it with a backslash, or leave the encoding out".into()),
            ));
        };
        // UTF-16 of text; what was encoded before is not text any more, but for Base64.
        let wide = |values: &[Vec<u8>], order: fn(u16) -> [u8; 2]| -> Vec<Vec<u8>> {
            let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
            values.iter().map(|v| text(v).encode_utf16().flat_map(order).collect()).collect()
        };
        let mut values = vec![text.as_bytes().to_vec()];
        for encoding in encodings {
            values = match encoding {
                Encoding::Utf16Le => wide(&values, u16::to_le_bytes),
                Encoding::Utf16Be => wide(&values, u16::to_be_bytes),
                Encoding::Utf16 => wide(&values, u16::to_le_bytes)
                    .into_iter()
                    .map(|bytes| [vec![0xff, 0xfe], bytes].concat())
                    .collect(),
                Encoding::Base64 => {
                    values.iter().map(|bytes| STANDARD.encode(bytes).into_bytes()).collect()
                }
                Encoding::Base64Offset => {
                    values.iter().flat_map(|bytes| offsets(bytes)).map(String::into_bytes).collect()
                }
            };
        }
        for bytes in values {
            // What comes last is Base64: plain characters.
            let text = String::from_utf8(bytes).unwrap_or_default();
            if text.is_empty() {
                return Err((
                    "too short to be found inside Base64".into(),
                    Some("give at least two characters".into()),
                ));
            }
            out.push(Pattern::literal(&text));
        }
    }
    Ok(out)
}

/// The text that `bytes` turn into inside any Base64, at each of the three alignments: only the
/// characters that depend on nothing but `bytes`.
fn offsets(bytes: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|offset| {
        let padded = [&vec![0; offset], bytes].concat();
        let text = STANDARD_NO_PAD.encode(&padded);
        let start = [0, 2, 3][offset];
        // The last character holds bits of what follows unless the length is a multiple of three.
        let end = text.len() - usize::from(padded.len() % 3 != 0);
        text.get(start..end).unwrap_or_default().to_owned()
    })
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

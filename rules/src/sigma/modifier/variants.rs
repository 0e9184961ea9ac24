//! Modifiers that make several values of one: lists, dashes, encodings.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::sigma::pattern::Pattern;
use crate::sigma::rule::Lists;

/// How a value is encoded before it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16Le,
    Utf16Be,
    Utf16,
    Base64,
    Base64Offset,
}

/// `%name%` stands for each entry of the list of that name; text around it stays, and `\%` is a percent
/// sign.
pub(super) fn expand(text: &str, lists: &Lists) -> Result<Vec<Pattern>, (String, Option<String>)> {
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
            let near = crate::sigma::spelling::nearest(name, lists.keys().map(String::as_str));
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
    if total > crate::sigma::rule::MAX_TESTS {
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
pub(super) fn windash(pattern: &Pattern) -> Vec<Pattern> {
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
pub(super) fn encode(
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

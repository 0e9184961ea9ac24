//! Text that has to stand in whatever an expression is found in.
//!
//! Running hundreds of expressions on every value is slow, also as one engine: its states do not fit any cache.
//! Most expressions need some plain text, though; that is looked for together with all other text, and the
//! expression is run where it was found.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::pattern::fold;

/// Most alternatives of which one has to be there.
const MAX_SET: usize = 32;
/// Shorter text is found nearly everywhere.
const MIN_LENGTH: usize = 3;

/// Texts of which one has to stand, folded, in any folded text that the expression is found in. `None`: none
/// that are worth looking for.
pub(super) fn required(hir: &Hir) -> Option<Vec<String>> {
    needed(hir).filter(|set| set.iter().all(|text| text.len() >= MIN_LENGTH))
}

/// The text that this stands for, if it is one and always the same when folded.
fn exact(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(String::new()),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(fold),
        HirKind::Class(Class::Unicode(class)) => {
            // `[Aa]`: the same letter, folded. More characters than a letter has forms are no letter.
            let mut all = class.iter().flat_map(|range| range.start()..=range.end());
            let first = fold(all.next()?.encode_utf8(&mut [0; 4]));
            let same = all.take(5).all(|c| fold(c.encode_utf8(&mut [0; 4])) == first);
            let size: usize = class.iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum();
            (same && size <= 4).then_some(first)
        }
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(exact).collect(),
        HirKind::Class(Class::Bytes(_)) | HirKind::Repetition(_) | HirKind::Alternation(_) => None,
    }
}

fn needed(hir: &Hir) -> Option<Vec<String>> {
    if let Some(text) = exact(hir) {
        return (!text.is_empty()).then(|| vec![text]);
    }
    match hir.kind() {
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed(&repetition.sub),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(needed(part)?);
            }
            (all.len() <= MAX_SET).then_some(all)
        }
        HirKind::Concat(parts) => {
            let mut sets: Vec<Vec<String>> = Vec::new();
            let mut run = String::new();
            for part in parts {
                if let Some(text) = exact(part) {
                    run.push_str(&text);
                    continue;
                }
                if !run.is_empty() {
                    sets.push(vec![std::mem::take(&mut run)]);
                }
                sets.extend(needed(part));
            }
            if !run.is_empty() {
                sets.push(vec![run]);
            }
            // The one that is found least often: its shortest text is the longest; of equals the smallest.
            let shortest = |set: &Vec<String>| set.iter().map(String::len).min().unwrap_or(0);
            sets.into_iter().max_by_key(|set| (shortest(set).min(8), std::cmp::Reverse(set.len())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sigma::Expression;

    #[test]
    fn what_has_to_be_there_is_found() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            (r"(^|[;&|])\s*umask\s+0*0", Some(&["umask"])),
            (r"(?i)Boat\s+-D", Some(&["boat"])),
            (r"^(cat|less)\s+/etc/shadow", Some(&["/etc/shadow"])),
            (r"(curl|wget) .*", Some(&["curl", "wget"])),
            (r"(curl|w) .*", None),
            (r"[0-9]+", None),
            (r"a(bcd)?e", None),
            (r"x(abc)+y", Some(&["abc"])),
            (r"ÄÖÜ", Some(&["äöü"])),
        ];
        for (expression, expected) in cases {
            let expected = expected.map(|set| set.iter().map(ToString::to_string).collect());
            let hir = regex_syntax::parse(expression).unwrap();
            assert_eq!(required(&hir), expected, "{expression}");
        }
    }

    proptest! {
        /// Law 3: where the expression is found, so is one of its texts.
        #[test]
        fn no_match_is_without_its_text(
            expression in r"(\(\?i\))?([ab]{1,4}|K|ſ|\((aab|bAa|abab)\|(Bab|aaa)\)[+?]?|\.|\[ab\]|a\*|\^|\$){1,6}",
            text in "[aAbBkKſsK ]{0,16}",
        ) {
            let Some(expression) = Expression::parse(&expression) else { return Ok(()) };
            if expression.is_match(&text) && let Some(set) = expression.required() {
                let folded = fold(&text);
                prop_assert!(set.iter().any(|own| folded.contains(own.as_str())), "{set:?}");
            }
        }
    }
}

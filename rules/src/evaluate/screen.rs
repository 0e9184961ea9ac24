//! Texts of which one has to stand in a record's bytes for any of a few rules to match: what has none of them is
//! never parsed.
//!
//! Bytes are looked at, not values: where JSON writes a character as `\u0041`, or a letter has a case beyond
//! ASCII, nothing can be ruled out, and nothing is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aho_corasick::{AhoCorasick, packed};
use fearless_simd::{Level, Simd as _, dispatch};
use foldhash::HashMap;
use memchr::memmem;

use super::{Event, Place};
use crate::compile::{Compiled, Leaf, Partition, Predicate, PredicateId, necessary};
use crate::sigma::{Part, Test};

/// Shorter texts are everywhere. Tests want to see them at work.
const SHORTEST: usize = if cfg!(test) { 1 } else { 4 };
/// Where more texts than this are sought, parsing costs no more.
const MOST: usize = 64;
/// Screens kept by an evaluator.
const KEPT: usize = 256;

/// Records after which it is known what a screen is good for.
const TRIAL: u32 = 512;

/// What is looked for in the bytes.
#[derive(Debug)]
pub(super) struct Screen {
    /// In all of the record.
    whole: Search,
    /// In the values of its own keys, if all is about such: a few bytes of thousands.
    parts: Vec<(String, Search)>,
    seen: AtomicU32,
    passed: AtomicU32,
}

#[derive(Debug)]
enum Search {
    /// A few texts, many bytes at a time.
    Few(packed::Searcher),
    Many(AhoCorasick),
}

impl Search {
    fn new<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Self> {
        let texts: Vec<&str> = texts.collect();
        Some(match packed::Searcher::new(&texts) {
            Some(few) => Self::Few(few),
            None => Self::Many(AhoCorasick::new(&texts).ok()?),
        })
    }

    /// May one of the texts stand here?
    fn may_match(&self, bytes: &[u8], folded: &mut Vec<u8>) -> bool {
        if folded.len() < bytes.len() {
            folded.resize(bytes.len(), 0);
        }
        let folded = &mut folded[..bytes.len()];
        let seen = dispatch!(Level::new(), simd => simd.vectorize(|| fold(bytes, folded)));
        if !seen.is_ascii {
            return true;
        }
        // The escapes that stand for what could be written without.
        if seen.is_escaped
            && [br"\u", br"\/"].iter().any(|escape| memmem::find(bytes, *escape).is_some())
        {
            return true;
        }
        match self {
            Self::Few(few) => few.find(&*folded).is_some(),
            Self::Many(many) => many.is_match(&*folded),
        }
    }
}

/// What was seen in bytes while they were folded.
struct Seen {
    is_ascii: bool,
    is_escaped: bool,
}

/// Writes bytes in lower case. Written like this many are done at a time.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each kind of processor")]
fn fold(bytes: &[u8], folded: &mut [u8]) -> Seen {
    let (mut all, mut escapes) = (0, 0);
    for (to, from) in folded.iter_mut().zip(bytes) {
        all |= from;
        escapes |= u8::from(*from == b'\\');
        *to = from | u8::from(from.is_ascii_uppercase()) << 5;
    }
    Seen { is_ascii: all < 0x80, is_escaped: escapes != 0 }
}

impl Screen {
    fn new(texts: &[Sought]) -> Option<Self> {
        let whole = Search::new(texts.iter().map(|(_, text)| text.as_str()))?;
        let mut parts: Vec<(String, Search)> = Vec::new();
        let all_are_of_members = texts.iter().all(|(member, _)| !member.is_empty());
        for own in texts.chunk_by(|a, b| a.0 == b.0).filter(|_| all_are_of_members) {
            let search = Search::new(own.iter().map(|(_, text)| text.as_str()))?;
            parts.push((own[0].0.clone(), search));
        }
        Some(Self { whole, parts, seen: AtomicU32::new(0), passed: AtomicU32::new(0) })
    }

    /// May one of the rules match this record? `folded` is scratch memory.
    pub(super) fn lets_pass(&self, record: &[u8], event: &dyn Event, folded: &mut Vec<u8>) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        // What lets most pass is not worth asking.
        if seen >= TRIAL && self.passed.load(Ordering::Relaxed) > seen / 2 {
            return true;
        }
        let passes = self.may_match(record, event, folded);
        if seen < TRIAL {
            self.seen.fetch_add(1, Ordering::Relaxed);
            self.passed.fetch_add(u32::from(passes), Ordering::Relaxed);
        }
        passes
    }

    fn may_match(&self, record: &[u8], event: &dyn Event, folded: &mut Vec<u8>) -> bool {
        if self.parts.is_empty() {
            return self.whole.may_match(record, folded);
        }
        for (member, search) in &self.parts {
            match event.member(member) {
                Place::At(start, end) => {
                    let value = record.get(start..end.min(record.len())).unwrap_or(record);
                    if search.may_match(value, folded) {
                        return true;
                    }
                }
                Place::Absent => {}
                Place::Unknown => return self.whole.may_match(record, folded),
            }
        }
        false
    }
}

/// A text, and in front of it the record's own key whose value it has to stand in; no key: anywhere.
type Sought = (String, String);

/// The screens made so far: most pairs of pivot values leave the same few rules.
#[derive(Debug, Default)]
pub(super) struct Screens {
    known: HashMap<Vec<Sought>, Arc<Screen>>,
}

impl Screens {
    /// The screen for these rules; `None` if they cannot be told from the bytes.
    /// `known` says of a predicate whether it holds, where the pivot values tell.
    pub(super) fn of(
        &mut self,
        partition: &Partition,
        rules: &[u32],
        known: &impl Fn(PredicateId) -> Option<bool>,
    ) -> Option<Arc<Screen>> {
        let mut texts = Vec::new();
        for &rule in rules {
            texts.extend(of_rule(partition, &partition.rules[rule as usize], known)?);
            if texts.len() > MOST {
                return None;
            }
        }
        texts.sort_unstable();
        texts.dedup();
        if let Some(screen) = self.known.get(&texts) {
            return Some(Arc::clone(screen));
        }
        let screen = Arc::new(Screen::new(&texts)?);
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(texts, Arc::clone(&screen));
        Some(screen)
    }
}

/// Texts of which one stands in every record that the rule matches.
fn of_rule(
    partition: &Partition,
    rule: &Compiled,
    known: &impl Fn(PredicateId) -> Option<bool>,
) -> Option<Vec<Sought>> {
    let leaf = |id: PredicateId, wanted: bool| match known(id) {
        Some(holds) if holds != wanted => Leaf::Never,
        Some(_) => Leaf::Free,
        None if !wanted => Leaf::Free,
        None => match texts(partition, &partition.predicates[id as usize]) {
            // Many short ones let more pass than one long one.
            Some(texts) => {
                let shortest = texts.iter().map(String::len).min().unwrap_or_default();
                let each = 1 + 64 / u32::try_from(shortest.clamp(1, 64)).unwrap_or(64);
                Leaf::Costs(each.saturating_mul(u32::try_from(texts.len()).unwrap_or(u32::MAX)))
            }
            None => Leaf::Free,
        },
    };
    let (_, ids) = necessary(&rule.expr, true, &leaf)?;
    let mut all = Vec::new();
    for id in ids {
        let predicate = &partition.predicates[id as usize];
        let member = partition.fields.name(predicate.slot).split('.').next().unwrap_or_default();
        let texts = texts(partition, predicate).unwrap_or_default();
        all.extend(texts.into_iter().map(|text| (member.to_owned(), text)));
    }
    Some(all)
}

/// Texts of which one stands, in lower case, in the bytes of a record for which the predicate holds.
fn texts(partition: &Partition, predicate: &Predicate) -> Option<Vec<String>> {
    // What is added to the record does not stand in it; keywords are sought in all of that.
    if !partition.fields.is_of_record(predicate.slot) {
        return None;
    }
    let texts = match &predicate.test {
        Test::Pattern { pattern, .. } => {
            let parts = pattern.parts();
            let last = parts.len().wrapping_sub(1);
            let of_part = |(at, part): (usize, &Part)| match part {
                Part::Literal(text) => text_of(text, at == 0, at == last),
                Part::One | Part::Many => None,
            };
            let longest = parts.iter().enumerate().filter_map(of_part).max_by_key(String::len);
            vec![longest?]
        }
        Test::Regex(regex) => {
            let required = regex.required()?.iter();
            required.map(|text| text_of(text, false, false)).collect::<Option<_>>()?
        }
        Test::Cidr(_)
        | Test::Number(..)
        | Test::Exists(_)
        | Test::Null
        | Test::Time { .. }
        | Test::SameAs { .. } => return None,
    };
    texts.iter().all(|text| text.len() >= SHORTEST).then_some(texts)
}

/// The longest piece of a value's text that JSON has no other way to write. `begins` and `ends`: with it the value
/// does.
fn text_of(text: &str, begins: bool, ends: bool) -> Option<String> {
    let is_plain = |c: char| c.is_ascii() && !c.is_ascii_control() && !matches!(c, '"' | '\\');
    let longest = text.split(|c| !is_plain(c)).max_by_key(|piece| piece.len())?;
    let is_whole = longest.len() == text.len();
    let lower = longest.to_ascii_lowercase();
    // Such a value is a string, and its quotes stand in the record. A number or an object has none.
    let word = |word: &str| word.starts_with(&lower) || lower.starts_with(word);
    let is_string = lower.starts_with(|c: char| c.is_ascii_lowercase())
        && !["true", "false", "null"].into_iter().any(word);
    Some(match (begins && is_whole && is_string, ends && is_whole && is_string) {
        (true, true) => format!("\"{lower}\""),
        (true, false) => format!("\"{lower}"),
        (false, true) => format!("{lower}\""),
        (false, false) => lower,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_to_stand_in_the_bytes_is_sought() {
        let cases = [
            ("Root", true, true, Some("\"root\"")),
            ("Root", true, false, Some("\"root")),
            ("Root", false, true, Some("root\"")),
            ("Root", false, false, Some("root")),
            // A value that is no string has no quotes.
            ("true", true, true, Some("true")),
            ("tr", true, false, Some("tr")),
            ("truest", true, true, Some("truest")),
            ("1234", true, true, Some("1234")),
            ("{a}", true, true, Some("{a}")),
            // JSON may write these in two ways.
            ("a\\role", true, true, Some("role")),
            ("a\"bcd", true, false, Some("bcd")),
            ("Übung", false, false, Some("bung")),
            ("", true, true, Some("")),
        ];
        for (text, begins, ends, expected) in cases {
            assert_eq!(text_of(text, begins, ends).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_can_be_written_otherwise_passes() {
        let search = Search::new(["\"root\""].into_iter()).unwrap();
        let mut folded = Vec::new();
        for (record, passes) in [
            (r#"{"a": "ROOT"}"#, true),
            (r#"{"a": "roots"}"#, false),
            (r#"{"a": "r\u006fot"}"#, true),
            (r#"{"a": "b", "b": "ü"}"#, true),
            (r#"{"a": "b\n"}"#, false),
            (r#"{"a": "\/root"}"#, true),
        ] {
            assert_eq!(search.may_match(record.as_bytes(), &mut folded), passes, "{record}");
        }
    }
}

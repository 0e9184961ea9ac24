//! Texts of which one has to stand in a record's bytes for any of a few rules to match: what has none of them is
//! never parsed.
//!
//! Bytes are looked at, not values: where JSON writes a character as `\u0041`, or a letter has a case beyond
//! ASCII, nothing can be ruled out, and nothing is.

use std::cell::Cell;
use std::rc::Rc;

use aho_corasick::{AhoCorasick, packed};
use fearless_simd::{Level, Simd as _, dispatch};
use foldhash::HashMap;
use memchr::memmem;
use model::json::Cursor;

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
    /// In some of its values, if all is about such: a few bytes of thousands.
    values: Vec<InValue>,
    seen: Cell<u32>,
    passed: Cell<u32>,
}

/// What is looked for in one value.
#[derive(Debug)]
struct InValue {
    place: String,
    /// What the value begins with, if all is about that.
    begins: Vec<String>,
    search: Search,
    /// No other has this number.
    number: usize,
}

/// Memory of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A value in lower case.
    folded: Vec<u8>,
    lately: Vec<Lately>,
}

/// What was looked at last for an [`InValue`], and whether it may match: who calls calls again.
#[derive(Clone, Debug, Default)]
struct Lately {
    /// Whose.
    number: usize,
    value: Vec<u8>,
    may_match: bool,
}

/// Values that are remembered, and the longest of them, in bytes.
const LATELY: usize = 64;
const LONGEST: usize = 256;

impl InValue {
    fn new<'t>(
        place: &str,
        texts: impl Iterator<Item = &'t str> + Clone,
        number: usize,
    ) -> Option<Self> {
        let mut begins: Vec<String> = texts.clone().map(ToOwned::to_owned).collect();
        // It is a string that is sought, and its first quote with it.
        if !begins.iter().all(|text| text.starts_with('"')) {
            begins.clear();
        }
        Some(Self { place: place.to_owned(), begins, search: Search::new(texts)?, number })
    }

    /// May one of the texts stand in the value that begins at `start`? Where it ends may not be known yet.
    fn may_match(
        &self,
        record: &[u8],
        (start, end): (usize, Option<usize>),
        scratch: &mut Scratch,
    ) -> bool {
        if !self.begins.is_empty() && record.get(start) == Some(&b'"') {
            let value = &record[start..];
            return self.begins.iter().any(|text| may_begin(value, text.as_bytes()));
        }
        let end = end.unwrap_or_else(|| end_of(record, start));
        let value = record.get(start..end).unwrap_or(record);
        let Scratch { folded, lately } = scratch;
        if value.len() > LONGEST {
            return self.search.may_match(value, folded);
        }
        lately.resize(LATELY, Lately::default());
        let last = &mut lately[self.number % LATELY];
        if last.number != self.number || last.value != value {
            last.number = self.number;
            last.value.clear();
            last.value.extend_from_slice(value);
            last.may_match = self.search.may_match(value, folded);
        }
        last.may_match
    }
}

/// May a string in JSON begin with this, in lower case? The first byte that differs tells that it does not, unless it is one of
/// an escape, or of a letter that has a case beyond ASCII.
fn may_begin(value: &[u8], text: &[u8]) -> bool {
    let mut pairs = value.iter().map(u8::to_ascii_lowercase).zip(text);
    let other = pairs.find(|(there, sought)| there != *sought);
    other.is_none_or(|(there, _)| !there.is_ascii() || there == b'\\')
}

#[derive(Debug)]
enum Search {
    /// One text.
    One(memmem::Finder<'static>),
    /// A few texts, many bytes at a time.
    Few(packed::Searcher),
    Many(AhoCorasick),
}

impl Search {
    fn new<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Self> {
        let texts: Vec<&str> = texts.collect();
        if let [text] = &*texts {
            return Some(Self::One(memmem::Finder::new(text).into_owned()));
        }
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
            Self::One(one) => one.find(&*folded).is_some(),
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
    fn new(texts: &[Sought], numbers: &mut usize) -> Option<Self> {
        let whole = Search::new(texts.iter().map(|(_, text)| text.as_str()))?;
        let mut values = Vec::new();
        let all_have_places = texts.iter().all(|(place, _)| !place.is_empty());
        for own in texts.chunk_by(|a, b| a.0 == b.0).filter(|_| all_have_places) {
            *numbers += 1;
            let texts = own.iter().map(|(_, text)| text.as_str());
            values.push(InValue::new(&own[0].0, texts, *numbers)?);
        }
        Some(Self { whole, values, seen: Cell::new(0), passed: Cell::new(0) })
    }

    /// May one of the rules match this record?
    pub(super) fn lets_pass(
        &self,
        record: &[u8],
        event: &dyn Event,
        scratch: &mut Scratch,
    ) -> bool {
        let seen = self.seen.get();
        // What lets most pass is not worth asking.
        if seen >= TRIAL && self.passed.get() > seen / 2 {
            return true;
        }
        let passes = self.may_match(record, event, scratch);
        if seen < TRIAL {
            self.seen.set(seen + 1);
            self.passed.set(self.passed.get() + u32::from(passes));
        }
        passes
    }

    fn may_match(&self, record: &[u8], event: &dyn Event, scratch: &mut Scratch) -> bool {
        if self.values.is_empty() {
            return self.whole.may_match(record, &mut scratch.folded);
        }
        for of_value in &self.values {
            match event.member(&of_value.place) {
                Place::At(start, end) => {
                    if of_value.may_match(record, (start, end), scratch) {
                        return true;
                    }
                }
                Place::Absent => {}
                Place::Unknown => return self.whole.may_match(record, &mut scratch.folded),
            }
        }
        false
    }
}

/// Where the value ends that begins here.
fn end_of(record: &[u8], start: usize) -> usize {
    let mut cursor = Cursor::new(record);
    cursor.at = start;
    cursor.skip().map_or(record.len(), |()| cursor.at)
}

/// A text, and in front of it the own key of the record, or one of [`KNOWN`], whose value it has to stand in; empty: anywhere.
type Sought = (String, String);

/// What is known of a record beside its own keys.
const KNOWN: [&str; 2] = ["userIdentity.type", "userIdentity.arn"];

/// The screens made so far: most pairs of pivot values leave the same few rules.
#[derive(Debug, Default)]
pub(super) struct Screens {
    /// So many [`InValue`] have been made.
    numbers: usize,
    known: HashMap<Vec<Sought>, Rc<Screen>>,
}

impl Screens {
    /// The screen for these rules; `None` if they cannot be told from the bytes.
    /// `known` says of a predicate whether it holds, where the pivot values tell.
    pub(super) fn of(
        &mut self,
        partition: &Partition,
        rules: &[u32],
        known: &impl Fn(PredicateId) -> Option<bool>,
    ) -> Option<Rc<Screen>> {
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
            return Some(Rc::clone(screen));
        }
        let screen = Rc::new(Screen::new(&texts, &mut self.numbers)?);
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(texts, Rc::clone(&screen));
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
        let name = partition.fields.name(predicate.slot);
        let member = name.split('.').next().unwrap_or_default();
        let place = if KNOWN.contains(&name) { name } else { member };
        let texts = texts(partition, predicate).unwrap_or_default();
        all.extend(texts.into_iter().map(|text| (place.to_owned(), text)));
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
    // Such a value is a string, and its quotes stand in the record. A number, a word or an object has none.
    let words = || ["true", "false", "null"].into_iter();
    let begins_string = lower.starts_with(|c: char| c.is_ascii_lowercase())
        && !words().any(|word| word.starts_with(&lower) || lower.starts_with(word));
    let ends_string = lower.ends_with(|c: char| !c.is_ascii_digit() && c != '}')
        && !words().any(|word| word.ends_with(&lower));
    let is_string = is_whole && (begins && begins_string || ends && ends_string);
    // Otherwise it may be of an object's own text, whose parts may have blanks between them.
    let stands_outside =
        |c: char| "{}[]:,+-.".contains(c) || c.is_ascii_digit() || "truefalsn".contains(c);
    if !is_string && lower.chars().all(stands_outside) {
        let parts = lower.split(['{', '}', '[', ']', ':', ',']);
        return parts.max_by_key(|part| part.len()).map(ToOwned::to_owned);
    }
    Some(match (begins && is_string, ends && is_string) {
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
            ("truest", true, true, Some("\"truest\"")),
            ("1234", true, true, Some("1234")),
            ("rue", false, true, Some("rue")),
            ("xrue", false, true, Some("xrue\"")),
            ("e400", false, true, Some("e400")),
            ("abc}", false, true, Some("abc}")),
            ("10.0.0.0/8", false, true, Some("10.0.0.0/8")),
            // The parts of an object may have blanks between them.
            (":3389,", false, false, Some("3389")),
            ("true},{", false, false, Some("true")),
            ("10.1.2.3:443", true, true, Some("10.1.2.3")),
            ("arn:aws:iam", false, false, Some("arn:aws:iam")),
            ("arn:aws", true, false, Some("\"arn:aws")),
            ("{x}", true, true, Some("{x}")),
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
    fn the_first_bytes_tell_what_a_string_does_not_begin_with() {
        for (value, passes) in [
            (r#""root""#, true),
            (r#""ROOT"#, true),
            (r#""rooT","x""#, true),
            (r#""roots""#, false),
            (r#""r""#, false),
            (r#""assumedrole""#, false),
            (r#""r\u006fot""#, true),
            ("\"roo\u{212a}", true),
            ("", true),
        ] {
            assert_eq!(may_begin(value.as_bytes(), br#""root""#), passes, "{value}");
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

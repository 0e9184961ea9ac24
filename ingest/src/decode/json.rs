//! The one pass over JSON that every record gets: where does this value end, and what do its own keys
//! say? Nothing is built; the caller parses what it needs, and most records need nothing.
//!
//! This is the floor of the product's speed (`benches/`): a byte of CloudTrail is inflated, looked at
//! here, and for nine records in ten never looked at again.

use fearless_simd::{Level, Simd, dispatch};
use memchr::{memchr, memchr2};
use model::json::Cursor;

use super::blocks::{BLOCK, Blocks};
use super::head::{Head, Key};

/// How far a scan came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The object ends before this offset.
    End(usize),
    /// The buffer ends first.
    More,
    /// The items begin after this offset, in the array under `key`; the object goes on behind it.
    Items(usize, Key),
    /// Not JSON at this offset.
    Bad(usize, &'static str),
}

/// Deepest nesting in which kinds of brackets are told apart. CloudTrail's own stays below 20; the parser
/// refuses more than this, in that one record.
const MAX_DEPTH: u32 = 128;

/// Finds the end of the object that starts at `buf[0]`, and notes what its own keys say.
///
/// Strings and brackets are matched; what lies between (numbers, literals, colons) is left to the parser
/// that reads the record in earnest. With `TOP`, stops where the array that holds the items opens.
pub(crate) fn scan_object<const TOP: bool>(buf: &[u8], head: &mut Head) -> Scan {
    debug_assert_eq!(buf.first(), Some(&b'{'));
    head.clear();
    if let Some(scan) = in_blocks::<TOP>(buf, head) {
        return scan;
    }
    // Something is wrong: what, is told best byte by byte.
    head.clear();
    byte_by_byte::<TOP>(buf, head)
}

/// The same many bytes at a time; `None` where that does not do.
fn in_blocks<const TOP: bool>(buf: &[u8], head: &mut Head) -> Option<Scan> {
    dispatch!(Level::new(), simd => block_by_block::<_, TOP>(simd, buf, head))
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each kind of processor")]
fn block_by_block<S: Simd, const TOP: bool>(simd: S, buf: &[u8], head: &mut Head) -> Option<Scan> {
    let mut blocks = Blocks::default();
    let mut nesting = Nesting::default();
    let mut own = Own::default();
    // The quotes with which the last string began and ended.
    let (mut begin, mut end) = (0, 0);
    let mut at = 1;
    while at < buf.len() {
        let bits = blocks.next(simd, &buf[at..]);
        let brackets = bits.opens | bits.closes;
        // Up to what is wrong all is well; of what is nested only the brackets matter, of what is not the members.
        let well = (bits.wrong & bits.wrong.wrapping_neg()).wrapping_sub(1);
        let ours = (brackets | bits.colons) & well;
        let wanted = |depth: u32| if depth == 1 { ours } else { brackets & well };
        let last = |bits: u64| (bits != 0).then(|| at + 63 - bits.leading_zeros() as usize);
        let mut left = wanted(nesting.depth);
        while left != 0 {
            let nth = left.trailing_zeros();
            let (bit, i) = (1_u64 << nth, at + nth as usize);
            left &= left - 1;
            if bits.colons & bit != 0 {
                let before = bit - 1;
                let quotes = (
                    last(bits.begins & before).unwrap_or(begin),
                    last(bits.ends & before).unwrap_or(end),
                );
                // In front of it stands the key.
                if quotes.0 >= quotes.1 || skip_space(buf, quotes.1 + 1) != i {
                    return None;
                }
                if let Some(items) = own.member::<TOP>(buf, quotes, i, head) {
                    return Some(items);
                }
            } else if bits.opens & bit != 0 {
                nesting.open(buf[i], head);
                left = wanted(nesting.depth) & !(bit | (bit - 1));
            } else {
                if !nesting.close(buf[i]) {
                    return None;
                }
                if nesting.depth == 0 {
                    return Some(Scan::End(i + 1));
                }
                if nesting.depth == 1 {
                    own.close(i + 1, head);
                }
                left = wanted(nesting.depth) & !(bit | (bit - 1));
            }
        }
        if bits.wrong != 0 {
            return None;
        }
        begin = last(bits.begins).unwrap_or(begin);
        end = last(bits.ends).unwrap_or(end);
        at += BLOCK;
    }
    Some(Scan::More)
}

/// The brackets that are open.
struct Nesting {
    depth: u32,
    /// One bit per level: set for an object.
    objects: u128,
}

impl Default for Nesting {
    fn default() -> Self {
        Self { depth: 1, objects: 1 }
    }
}

impl Nesting {
    fn open(&mut self, bracket: u8, head: &mut Head) {
        if self.depth >= MAX_DEPTH {
            head.odd = true;
        } else {
            self.objects = self.objects << 1 | u128::from(bracket == b'{');
        }
        self.depth += 1;
    }

    /// Does it close what the same kind opened?
    fn close(&mut self, bracket: u8) -> bool {
        self.depth -= 1;
        if self.depth < MAX_DEPTH {
            if (self.objects & 1 == 1) != (bracket == b'}') {
                return false;
            }
            self.objects >>= 1;
        }
        true
    }
}

/// What is going on among an object's own keys and values.
#[derive(Default)]
struct Own {
    /// The key whose object or array is open.
    open: Option<Key>,
}

impl Own {
    /// A key stands between these quotes, and behind `colon` its value. Of a container's items: where they begin.
    fn member<const TOP: bool>(
        &mut self,
        buf: &[u8],
        (begin, end): (usize, usize),
        colon: usize,
        head: &mut Head,
    ) -> Option<Scan> {
        let text = &buf[begin + 1..end];
        self.open = None;
        let Some(key) = Key::of(text) else {
            if let Some(at) = memchr2(b'\\', b'.', text) {
                head.odd |= memchr(b'\\', &text[at..]).is_some();
                head.dotted |= memchr(b'.', &text[at..]).is_some();
            }
            return None;
        };
        let at = skip_space(buf, colon + 1);
        match *buf.get(at)? {
            b'[' if TOP && key.holds_items() => return Some(Scan::Items(at + 1, key)),
            b'{' | b'[' => {
                head.set(key, at);
                self.open = Some(key);
            }
            b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => head.set(key, at),
            _ => {}
        }
        None
    }

    /// An object or an array of the object's own ends before `end`.
    fn close(&mut self, end: usize, head: &mut Head) {
        if let Some(key) = self.open.take() {
            head.close(key, end);
        }
    }
}

/// The same byte by byte.
fn byte_by_byte<const TOP: bool>(buf: &[u8], head: &mut Head) -> Scan {
    let mut nesting = Nesting::default();
    let mut own = Own::default();
    // The quotes of the string that has just ended.
    let mut string = None;
    // May a string, an object or an array begin here? Not right behind another value: without this a cut
    // record would swallow the whole ones behind it.
    let mut ready = true;
    let mut i = 1;
    loop {
        let Some(&byte) = buf.get(i) else { return Scan::More };
        match byte {
            b'"' => {
                if !std::mem::replace(&mut ready, false) {
                    return Scan::Bad(i, "a value where `,` or `:` was expected");
                }
                let mut cursor = Cursor::new(buf);
                cursor.at = i;
                let Ok(text) = cursor.string() else { return Scan::More };
                string = Some((i, text.end));
                i = cursor.at;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => {
                i += 1;
                continue;
            }
            b'{' | b'[' => {
                if !ready {
                    return Scan::Bad(i, "a value where `,` or `:` was expected");
                }
                nesting.open(byte, head);
            }
            b'}' | b']' => {
                if !nesting.close(byte) {
                    return Scan::Bad(i, "a bracket closes what another kind opened");
                }
                ready = false;
                if nesting.depth == 0 {
                    return Scan::End(i + 1);
                }
                if nesting.depth == 1 {
                    own.close(i + 1, head);
                }
            }
            b',' => ready = true,
            b':' => {
                ready = true;
                if nesting.depth == 1
                    && let Some(quotes) = string
                    && let Some(items) = own.member::<TOP>(buf, quotes, i, head)
                {
                    return items;
                }
            }
            _ => {}
        }
        string = None;
        i += 1;
    }
}

/// First byte that is not JSON white space, from `at`.
pub(crate) fn skip_space(buf: &[u8], mut at: usize) -> usize {
    while matches!(buf.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::head::Member;
    use super::*;

    fn scan(text: &str) -> (Scan, Head) {
        let mut head = Head::default();
        (scan_object::<false>(text.as_bytes(), &mut head), head)
    }

    #[test]
    fn own_keys_are_seen_and_nested_ones_are_not() {
        let text = r#"{"a":{"eventName":"Nested"},"eventName":"Real","eventID":7} tail"#;
        let (end, head) = scan(text);
        assert_eq!(end, Scan::End(text.len() - 5));
        assert_eq!(head.text(text.as_bytes(), Key::EventName), Some("Real"));
        assert!(head.has(Key::EventId) && head.text(text.as_bytes(), Key::EventId).is_none());
        assert!(head.is_exact());
    }

    #[test]
    fn it_is_known_where_values_stand() {
        let text = r#"{"eventName":"Real","readOnly":true,"userIdentity":{"a":[{}]},"resources":[],"x":1}"#;
        let (_, head) = scan(text);
        for (name, value) in
            [("eventName", "\"Real\""), ("userIdentity", r#"{"a":[{}]}"#), ("resources", "[]")]
        {
            let Member::At(start, end) = head.member(text.as_bytes(), name) else {
                panic!("{name}")
            };
            assert_eq!(&text[start..end], value);
        }
        let read_only = text.find("true").unwrap();
        assert_eq!(head.member(text.as_bytes(), "readOnly"), Member::At(read_only, usize::MAX));
        assert_eq!(head.member(text.as_bytes(), "eventSource"), Member::Absent);
        assert_eq!(head.member(text.as_bytes(), "x"), Member::Unknown);
    }

    #[test]
    fn a_value_that_equals_a_key_is_a_value() {
        let text = r#"{"message":"eventName","x":"eventSource"}"#;
        let (_, head) = scan(text);
        assert!(!head.has(Key::EventName) && !head.has(Key::EventSource));
    }

    #[test]
    fn tricks_with_keys_are_marked_odd() {
        for text in [r#"{"event\u004eame":"X"}"#, r#"{"eventName":"A","eventName":"B"}"#] {
            assert!(!scan(text).1.is_exact(), "{text}");
        }
    }

    #[test]
    fn broken_objects_are_named() {
        assert_eq!(
            scan(r#"{"a":[1}"#).0,
            Scan::Bad(7, "a bracket closes what another kind opened")
        );
        assert_eq!(scan(r#"{"a":"\"#).0, Scan::More);
        assert_eq!(scan(r#"{"a":1"#).0, Scan::More);
        let cut = r#"{"a":"b" {"eventName":"X"} }"#;
        assert_eq!(scan(cut).0, Scan::Bad(9, "a value where `,` or `:` was expected"));
    }

    #[test]
    fn a_deep_object_ends_where_it_ends() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        let (end, head) = scan(&deep);
        assert_eq!(end, Scan::End(deep.len()));
        assert!(!head.is_exact());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "[\\\\\"{}\\[\\],:\u{0}-\u{1f}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("[a-z\"\\\\]{0,6}|eventName|eventSource", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Law 3: what is looked at in blocks is seen as it is byte by byte.
    fn both<const TOP: bool>(text: &[u8]) {
        let (mut quick, mut slow) = (Head::default(), Head::default());
        let Some(scan) = in_blocks::<TOP>(text, &mut quick) else { return };
        assert_eq!(scan, byte_by_byte::<TOP>(text, &mut slow), "{}", text.escape_ascii());
        if scan == Scan::More {
            // It is scanned again when there is more.
            return;
        }
        assert_eq!(format!("{quick:?}"), format!("{slow:?}"), "{}", text.escape_ascii());
    }

    #[test]
    fn what_is_in_order_is_looked_at_in_blocks() {
        for text in [
            r#"{"eventName":"A","readOnly":true, "eventID" : 7 ,"userIdentity":{"a":[1,"b\""]}}"#,
            r#"{"message":"{\"eventName\":\"A\"}","x":[[],{},""]}"#,
        ] {
            assert!(in_blocks::<false>(text.as_bytes(), &mut Head::default()).is_some());
            both::<false>(text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn blocks_and_bytes_say_the_same(
            value in json(),
            cut in 0_usize..400,
            change in prop::option::of((1_usize..400, "[\\\\\"{}\\[\\],:t1 a]")),
        ) {
            let object = serde_json::json!({
                "eventName": value.clone(), "Records": [value.clone()], "readOnly": true, "a.b": value,
            });
            for text in [object.to_string(), serde_json::to_string_pretty(&object).unwrap()] {
                let mut text = text.into_bytes();
                if let Some((at, with)) = &change && *at < text.len() {
                    text[*at] = with.as_bytes()[0];
                }
                both::<false>(&text);
                both::<true>(&text);
                text.truncate(cut.max(1));
                both::<false>(&text);
                both::<true>(&text);
            }
        }

        #[test]
        fn blocks_and_bytes_say_the_same_of_anything(
            text in "\\{[\\\\\"{}\\[\\],:t1 a.]{0,200}",
        ) {
            both::<false>(text.as_bytes());
            both::<true>(text.as_bytes());
        }

        #[test]
        fn the_end_is_where_a_real_parser_puts_it(value in json(), tail in "\\PC{0,8}") {
            let object = serde_json::json!({ "k": value.clone(), "eventName": value });
            let text = object.to_string();
            let (end, head) = scan(&format!("{text}{tail}"));
            prop_assert_eq!(end, Scan::End(text.len()));
            let own = object["eventName"].as_str();
            if let Some(seen) = head.text(text.as_bytes(), Key::EventName) {
                prop_assert_eq!(Some(seen), own);
            }
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buf = vec![b'{'];
            buf.extend(bytes);
            let mut head = Head::default();
            let _ = scan_object::<false>(&buf, &mut head);
            let _ = scan_object::<true>(&buf, &mut head);
        }
    }
}

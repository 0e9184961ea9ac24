//! The one pass over JSON that every record gets: where does this value end, and what do its own keys
//! say? Nothing is built; the caller parses what it needs, and most records need nothing.
//!
//! This is the floor of the product's speed (`benches/`): a byte of CloudTrail is inflated, looked at
//! here, and for nine records in ten never looked at again.

use memchr::memrchr;
use model::json::Cursor;

use super::blocks::Marks;
use super::head::{Head, Key};

mod own;

use own::{Nesting, Own};

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

/// Finds the end of the object that starts at `buf[0]`, and notes what its own keys say.
///
/// Strings and brackets are matched; what lies between (numbers, literals, colons) is left to the parser
/// that reads the record in earnest. With `TOP`, stops where the array that holds the items opens.
pub(crate) fn scan_object<const TOP: bool>(buf: &[u8], head: &mut Head) -> Scan {
    scan_object_at::<TOP>(buf, 0, head, &mut Marks::default())
}

/// The same of the object that starts at `buf[start]`; offsets are from there. `marks` is what is known of this buffer from
/// the objects before.
pub(crate) fn scan_object_at<const TOP: bool>(
    buf: &[u8],
    start: usize,
    head: &mut Head,
    marks: &mut Marks,
) -> Scan {
    debug_assert_eq!(buf.get(start), Some(&b'{'));
    head.clear();
    if let Some(scan) = in_blocks::<TOP>(buf, start, head, marks) {
        return scan;
    }
    // Something is wrong: what, is told best byte by byte.
    head.clear();
    byte_by_byte::<TOP>(&buf[start..], head)
}

/// The same many bytes at a time; `None` where that does not do.
fn in_blocks<const TOP: bool>(
    buf: &[u8],
    start: usize,
    head: &mut Head,
    marks: &mut Marks,
) -> Option<Scan> {
    let mut nesting = Nesting::default();
    let mut own = Own { start, open: None };
    marks.begin(buf, start);
    loop {
        if marks.is_wrong() {
            return None;
        }
        let (are_apart, has_escapes) = (marks.are_apart(), marks.has_escapes());
        let (row, places) = marks.left();
        let mut left = places.iter().map(|place| row + usize::from(*place));
        'row: loop {
            // What is nested: colons mostly.
            while nesting.depth > 1 {
                let Some(i) = left.next() else { break 'row };
                let byte = buf[i];
                if byte == b':' {
                    if are_apart && byte_before(buf, i).1 != b'"' {
                        return None;
                    }
                    if nesting.depth == 2 && own.open == Some(Key::UserIdentity) {
                        let quote = byte_before(buf, i).0;
                        // Where the key begins matters only if there may be escapes in it: here, or behind many blanks.
                        let may_be_escaped = has_escapes || quote + 1 < i;
                        let begin = if may_be_escaped { key_before(buf, i)?.0 } else { quote };
                        own.identity(buf, (begin, quote), i, head);
                    }
                } else if is_closing(byte) {
                    if !nesting.close(byte) {
                        return None;
                    }
                    if nesting.depth == 1 {
                        own.close(i + 1, head);
                    }
                } else if is_opening(byte) && begins_value(byte_before(buf, i).1) {
                    nesting.open(byte, head);
                } else {
                    return None;
                }
            }
            // The object's own.
            let Some(i) = left.next() else { break };
            let byte = buf[i];
            if byte == b':' {
                let items = match head.expected(buf, i) {
                    Some(key) => own.value::<TOP>(buf, key, i, head),
                    None => own.member::<TOP>(buf, key_before(buf, i)?, i, head),
                };
                if items.is_some() {
                    return items;
                }
            } else if is_opening(byte) && begins_value(byte_before(buf, i).1) {
                nesting.open(byte, head);
            } else if is_closing(byte) && nesting.close(byte) {
                let passed = places.len() - left.len();
                marks.pass(passed);
                return Some(Scan::End(i + 1 - start));
            } else {
                return None;
            }
        }
        if !marks.read_on(buf) {
            return Some(Scan::More);
        }
    }
}

/// The last byte before `at` that is not blank, and where it stands. There is one: the brace with which all begins.
#[inline]
fn byte_before(buf: &[u8], at: usize) -> (usize, u8) {
    let mut at = at - 1;
    let mut byte = buf[at];
    while is_blank(byte) && at > 0 {
        at -= 1;
        byte = buf[at];
    }
    (at, byte)
}

/// `{` or `[`: they differ in this bit, and nothing else becomes one by it.
const fn is_opening(byte: u8) -> bool {
    byte | 0x20 == b'{'
}

/// `}` or `]`
const fn is_closing(byte: u8) -> bool {
    byte | 0x20 == b'}'
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// May a value follow this?
const fn begins_value(byte: u8) -> bool {
    matches!(byte, b',' | b':' | b'[' | b'{')
}

/// May a key follow this?
const fn begins_key(byte: u8) -> bool {
    matches!(byte, b',' | b'{')
}

/// The quotes of the key that stands in front of a colon outside of a string.
fn key_before(buf: &[u8], colon: usize) -> Option<(usize, usize)> {
    let (end, quote) = byte_before(buf, colon);
    if quote != b'"' {
        return None;
    }
    let mut begin = end;
    loop {
        begin = memrchr(b'"', &buf[..begin])?;
        // Behind an odd number of backslashes it is a part of the text.
        let escapes = buf[..begin].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            break;
        }
    }
    begins_key(byte_before(buf, begin).1).then_some((begin, end))
}

/// The same byte by byte.
fn byte_by_byte<const TOP: bool>(buf: &[u8], head: &mut Head) -> Scan {
    let mut nesting = Nesting::default();
    let mut own = Own { start: 0, open: None };
    // The byte that was not blank before this one, where a string began that it ends, and the byte before that. A value
    // right behind another is no JSON: without this a cut record would swallow the whole ones behind it.
    let mut last = b'{';
    let mut string = (0, 0, b'{');
    let mut i = 1;
    loop {
        let Some(&byte) = buf.get(i) else { return Scan::More };
        match byte {
            b'"' => {
                let mut cursor = Cursor::new(buf);
                cursor.at = i;
                let Ok(text) = cursor.string() else { return Scan::More };
                string = (i, text.end, last);
                last = byte;
                i = cursor.at;
                continue;
            }
            b'{' | b'[' => {
                if !begins_value(last) {
                    return Scan::Bad(i, "a value where `,` or `:` was expected");
                }
                nesting.open(byte, head);
            }
            b'}' | b']' => {
                if !nesting.close(byte) {
                    return Scan::Bad(i, "a bracket closes what another kind opened");
                }
                if nesting.depth == 0 {
                    return Scan::End(i + 1);
                }
                if nesting.depth == 1 {
                    own.close(i + 1, head);
                }
            }
            b':' => {
                let (begin, end, before) = string;
                if last != b'"' {
                    return Scan::Bad(i, "a colon where no key is in front of it");
                }
                if nesting.depth == 2 && own.open == Some(Key::UserIdentity) {
                    own.identity(buf, (begin, end), i, head);
                }
                if nesting.depth == 1 {
                    if !begins_key(before) {
                        return Scan::Bad(begin, "a key where `,` was expected");
                    }
                    if let Some(items) = own.member::<TOP>(buf, (begin, end), i, head) {
                        return items;
                    }
                }
            }
            _ => {}
        }
        if !is_blank(byte) {
            last = byte;
        }
        i += 1;
    }
}

/// First byte that is not JSON white space, from `at`.
pub(crate) fn skip_space(buf: &[u8], mut at: usize) -> usize {
    while buf.get(at).is_some_and(|byte| is_blank(*byte)) {
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
            assert!(text[start..].starts_with(value), "{name}");
            let is_nested = !value.starts_with('"');
            assert_eq!(end, is_nested.then(|| start + value.len()), "{name}");
        }
        let read_only = text.find("true").unwrap();
        assert_eq!(head.member(text.as_bytes(), "readOnly"), Member::At(read_only, None));
        assert_eq!(head.member(text.as_bytes(), "eventSource"), Member::Absent);
        for other in ["x", "y"] {
            assert_eq!(head.member(text.as_bytes(), other), Member::Unknown);
        }
        let text = r#"{"eventName":"Real","requestParameters":{"x":1}}"#;
        assert_eq!(scan(text).1.member(text.as_bytes(), "x"), Member::Absent);
    }

    #[test]
    fn it_is_known_who_called() {
        let place = |text: &str| scan(text).1.member(text.as_bytes(), "userIdentity.type");
        let text = r#"{"userIdentity":{"sessionContext":{"arn":"a"},"arn":"b"}}"#;
        let arn = scan(text).1.member(text.as_bytes(), "userIdentity.arn");
        assert_eq!(arn, Member::At(text.find("\"b").unwrap(), None));
        for identity in [
            r#"{"type":"Root","arn":"a"}"#,
            r#"{"sessionContext":{"sessionIssuer":{"type":"Role"}}, "type" : "Root"}"#,
        ] {
            let text = format!(r#"{{"type":"A","userIdentity":{identity},"x":{{"type":"B"}}}}"#);
            let Member::At(start, _) = place(&text) else { panic!("{text}") };
            assert!(text[start..].starts_with(r#""Root""#), "{text}");
        }
        for (identity, expected) in [
            ("{}", Member::Absent),
            (r#"{"a":{"type":"Root"}}"#, Member::Absent),
            ("null", Member::Unknown),
            (r#"[{"type":"Root"}]"#, Member::Unknown),
            (r#"{"type":7}"#, Member::Unknown),
            (r#"{"type":"A","type":"B"}"#, Member::Unknown),
            (r#"{"t\u0079pe":"A"}"#, Member::Unknown),
            (r#"{"x\"type":"Role","type":"Root"}"#, Member::Unknown),
        ] {
            let text = format!(r#"{{"userIdentity":{identity},"x":{{"type":"B"}}}}"#);
            assert_eq!(place(&text), expected, "{text}");
        }
        // However far its colon is from it.
        for blanks in [0, 10, 9_000] {
            let blanks = " ".repeat(blanks);
            let text = format!(r#"{{"userIdentity":{{"t\u0079pe"{blanks}: "A"}}}}"#);
            assert_eq!(place(&text), Member::Unknown, "{}", blanks.len());
        }
        assert_eq!(place(r#"{"x":{"type":"Root"}}"#), Member::Absent);
        assert_eq!(place(r#"{"userIdentity.type":"Root"}"#), Member::Unknown);
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
        let Some(scan) = in_blocks::<TOP>(text, 0, &mut quick, &mut Marks::default()) else {
            return;
        };
        assert_eq!(scan, byte_by_byte::<TOP>(text, &mut slow), "{}", text.escape_ascii());
        if scan == Scan::More {
            // It is scanned again when there is more.
            return;
        }
        assert!(quick.says_as(&slow), "{quick:?} {slow:?} {}", text.escape_ascii());
    }

    #[test]
    fn what_is_in_order_is_looked_at_in_blocks() {
        for text in [
            r#"{"eventName":"A","readOnly":true, "eventID" : 7 ,"userIdentity":{"a":[1,"b\""]}}"#,
            r#"{"message":"{\"eventName\":\"A\"}","x":[[],{},""]}"#,
        ] {
            let (head, marks) = (&mut Head::default(), &mut Marks::default());
            assert!(in_blocks::<false>(text.as_bytes(), 0, head, marks).is_some());
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

        /// What is known from the objects before changes nothing, whatever stands between them.
        #[test]
        fn an_object_is_the_same_behind_others(
            pieces in prop::collection::vec((json(), any::<bool>(), "[,\n \\\\\"}{a:]{0,3}"), 1..12),
        ) {
            let mut buf = Vec::new();
            let mut marks = Marks::default();
            for (value, is_pretty, between) in pieces {
                let object = serde_json::json!({
                    "eventName": value.clone(), "userIdentity": { "type": value, "arn": "a" }, "readOnly": true,
                });
                let text = if is_pretty {
                    serde_json::to_string_pretty(&object).unwrap()
                } else {
                    object.to_string()
                };
                buf.extend(text.bytes().chain(between.bytes()));
            }
            let mut start = 0;
            while start < buf.len() {
                if buf[start] != b'{' {
                    start += 1;
                    continue;
                }
                let (mut first, mut alone) = (Head::default(), Head::default());
                let scan = scan_object_at::<false>(&buf, start, &mut first, &mut marks);
                prop_assert_eq!(scan, scan_object::<false>(&buf[start..], &mut alone));
                match scan {
                    Scan::End(length) => {
                        prop_assert!(first.says_as(&alone));
                        start += length;
                    }
                    _ => start += 1,
                }
            }
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

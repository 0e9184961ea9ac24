//! Words as the shell makes them of what was written: quotes taken off, escapes undone.

/// The words of one argument as bash would pass them, expansions left as they are written. Mostly one: `$IFS`
/// outside quotes, with which blanks are avoided (`cat${IFS}/etc/shadow`), separates two.
pub(super) fn unquoted(raw: &str) -> Vec<String> {
    let mut words = vec![String::with_capacity(raw.len())];
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let word = words.len() - 1;
        let word = &mut words[word];
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => match after.chars().next() {
                Some('\n') => &after[1..],
                Some(next) => {
                    word.push(next);
                    &after[next.len_utf8()..]
                }
                None => after,
            },
            '\'' => {
                let (text, after) = after.split_once('\'').unwrap_or((after, ""));
                word.push_str(text);
                after
            }
            '$' if after.starts_with('\'') => ansi_c(&after[1..], word),
            '"' => double(after, word),
            '$' if after.starts_with("IFS") && !after[3..].starts_with(is_name) => {
                words.push(String::new());
                &after[3..]
            }
            '$' if after.starts_with("{IFS") => {
                words.push(String::new());
                after.split_once('}').map_or("", |(_, after)| after)
            }
            // What a substitution holds is another line's.
            '$' if after.starts_with('(') => {
                let end = closing(after);
                word.push_str(&rest[..=end]);
                &after[end..]
            }
            c => {
                word.push(c);
                after
            }
        };
    }
    words
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Length of a text in parentheses at the start of `text`.
fn closing(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Behind an opening `"`; returns what follows the closing one.
fn double<'r>(mut rest: &'r str, word: &mut String) -> &'r str {
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '"' => return after,
            '\\' => match after.chars().next() {
                Some('\n') => &after[1..],
                Some(next @ ('$' | '`' | '"' | '\\')) => {
                    word.push(next);
                    &after[1..]
                }
                _ => {
                    word.push('\\');
                    after
                }
            },
            '$' if after.starts_with('(') => {
                let end = closing(after);
                word.push_str(&rest[..=end]);
                &after[end..]
            }
            c => {
                word.push(c);
                after
            }
        };
    }
    rest
}

/// Behind an opening `$'`; returns what follows the closing quote.
fn ansi_c<'r>(mut rest: &'r str, word: &mut String) -> &'r str {
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' => break,
            '\\' => {
                let Some(kind) = rest.chars().next() else { break };
                rest = &rest[kind.len_utf8()..];
                let digits = |rest: &str, radix: u32, most: usize| {
                    rest.chars().take(most).take_while(|c| c.is_digit(radix)).count()
                };
                let mut number = |rest: &mut &str, radix: u32, most: usize| {
                    let (number, after) = rest.split_at(digits(rest, radix, most));
                    *rest = after;
                    let value = u32::from_str_radix(number, radix).ok();
                    word.extend(value.and_then(char::from_u32));
                };
                match kind {
                    'n' => word.push('\n'),
                    't' => word.push('\t'),
                    'r' => word.push('\r'),
                    'e' | 'E' => word.push('\u{1b}'),
                    'x' => number(&mut rest, 16, 2),
                    'u' => number(&mut rest, 16, 4),
                    'U' => number(&mut rest, 16, 8),
                    '0'..='7' => {
                        let (value, after) = octal(kind, rest);
                        word.extend(value);
                        rest = after;
                    }
                    other => word.push(other),
                }
            }
            c => word.push(c),
        }
    }
    rest
}

fn octal(first: char, rest: &str) -> (Option<char>, &str) {
    let more = rest.chars().take(2).take_while(|c| c.is_digit(8)).count();
    let (digits, after) = rest.split_at(more);
    let value = u32::from_str_radix(&format!("{first}{digits}"), 8).ok();
    (value.and_then(char::from_u32), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_the_shell_passes() {
        let cases: [(&str, &[&str]); 12] = [
            ("plain", &["plain"]),
            ("'a b'c", &["a bc"]),
            (r#""a \"b\" \n $x""#, &[r#"a "b" \n $x"#]),
            (r"\rm", &["rm"]),
            (r"c\a't'", &["cat"]),
            ("cat${IFS}/etc/shadow", &["cat", "/etc/shadow"]),
            ("cat$IFS/etc/shadow", &["cat", "/etc/shadow"]),
            ("'cat$IFS/x'", &["cat$IFS/x"]),
            ("$IFSX", &["$IFSX"]),
            (r"$'\x63\141t\n'", &["cat\n"]),
            (r#""a$(echo "b c")d""#, &[r#"a$(echo "b c")d"#]),
            ("", &[""]),
        ];
        for (raw, expected) in cases {
            assert_eq!(unquoted(raw), expected, "{raw}");
        }
    }
}

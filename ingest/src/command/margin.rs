//! Streamed lines, mended by what stands around them: by the margin that several lines were wrapped at, and by what the
//! command printed.

use std::collections::BTreeMap;

/// The width at which the lines of a transcript were wrapped, told from the blanks that stand at the same
/// columns of all of them. `lines`: length of the prompt, and what was typed.
pub(crate) fn width(lines: &[(usize, String)]) -> Option<usize> {
    let distinct: BTreeMap<&str, usize> =
        lines.iter().map(|(prompt, text)| (text.as_str(), *prompt)).collect();
    let lines: Vec<(usize, Vec<char>)> =
        distinct.into_iter().map(|(text, prompt)| (prompt, text.chars().collect())).collect();
    let longest = lines.iter().map(|(prompt, text)| prompt + text.len()).max()?;
    let mut best: Option<(usize, usize)> = None;
    for width in 20..longest.min(400) {
        // A line that was edited at the margin may not fit, of several.
        let (mut wraps, mut fitting, mut others) = (0, 0, 0);
        for (prompt, text) in lines.iter().filter(|(prompt, text)| prompt + text.len() > width + 1)
        {
            let mut at = width;
            let mut found = 0;
            let mut fits = true;
            while let Some(c) = at.checked_sub(*prompt).and_then(|at| text.get(at)) {
                fits &= *c == ' ' || Some(c) == text.get(at - prompt + 1);
                found += usize::from(*c == ' ');
                at += width + 1;
            }
            if fits {
                wraps += found;
                fitting += 1;
            } else {
                others += 1;
            }
        }
        // One column of six is blank by chance, and there are many widths to choose from: few terminals are
        // narrow, and most that are not asked for a size have 80 columns.
        let enough = if width == 80 { 1 } else { 4 };
        let enough =
            fitting > others && wraps >= enough + if width < 60 { others } else { 2 * others };
        if enough && best.is_none_or(|(most, _)| wraps > most) {
            best = Some((wraps, width));
        }
    }
    best.map(|(_, width)| width)
}

/// Takes the blanks out that wrapping at `width` has put into a line; `None` if it does not fit.
pub(crate) fn unwrap(prompt: usize, text: &str, width: usize) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut next = width;
    let mut changed = false;
    for (at, c) in chars.iter().enumerate() {
        if prompt + at == next {
            if *c != ' ' && Some(c) != chars.get(at + 1) {
                return None;
            }
            next += width + 1;
            changed = true;
            continue;
        }
        out.push(*c);
    }
    changed.then_some(out)
}

/// `echo` prints what it was given. Where the line was edited, or wrapped, and can no longer be read, one of the
/// first lines that it `printed` tells what was typed, if it is like it.
pub(crate) fn echoed(text: &str, printed: &[String]) -> Option<String> {
    const SPECIAL: &[char] = &[
        '$', '`', '"', '\'', '\\', '|', '&', ';', '<', '>', '(', ')', '{', '}', '*', '?', '[', ']',
        '~', '#', '!', '\u{fffd}',
    ];
    const LONGEST: usize = 2000;
    let typed = text.strip_prefix("echo ")?;
    if typed.contains(SPECIAL) || typed.starts_with('-') || typed.len() > LONGEST {
        return None;
    }
    printed.iter().find_map(|line| {
        let line = line.trim_end();
        let fits = (8..=LONGEST).contains(&line.len())
            && !line.contains(SPECIAL)
            && !line.starts_with(' ')
            && !line.contains("  ");
        let like = line.starts_with(typed.trim()) || 2 * shared(typed, line) >= line.len();
        (fits && line != typed.trim() && like).then(|| format!("echo {line}"))
    })
}

/// The same for `printf '%s\n'`, which prints each of its words on a line: `below` is all that it printed.
pub(crate) fn printed_words(text: &str, below: &[String]) -> Option<String> {
    const FORMATS: [&str; 2] = [r#"printf "%s\n" "#, r"printf '%s\n' "];
    let format = FORMATS.into_iter().find(|format| text.starts_with(format))?;
    let typed: Vec<&str> = text[format.len()..].split_whitespace().collect();
    let words: Vec<&str> = below.iter().map(|line| line.trim_end()).collect();
    let plain = |word: &&str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ',' | ':'))
    };
    // Most of them have to stand in the line.
    let known = words.iter().filter(|word| typed.contains(word)).count();
    (words.len() > 2 && words.iter().chain(&typed).all(plain) && 5 * known >= 4 * words.len())
        .then(|| format!("{format}{}", words.join(" ")))
}

/// A word that was printed, and that stands in the line with a blank in it, shows where the margin was.
pub(crate) fn margin_by(prompt: usize, text: &str, printed: &[String]) -> Option<String> {
    printed.iter().map(|line| line.trim_end()).find_map(|word| {
        if !(8..=200).contains(&word.len())
            || word.contains(' ')
            || !word.is_ascii()
            || text.contains(word)
        {
            return None;
        }
        let at = (2..word.len() - 1).find_map(|cut| {
            text.find(&format!("{} {}", &word[..cut], &word[cut..])).map(|start| start + cut)
        })?;
        let column = prompt + text[..at].chars().count();
        // As many rows as have a blank at each margin.
        (1..=8).rev().find_map(|rows| {
            let width =
                (column + 1).is_multiple_of(rows).then_some((column + 1) / rows)?.checked_sub(1)?;
            let text = unwrap(prompt, text, width).filter(|_| width >= 20)?;
            text.contains(word).then_some(text)
        })
    })
}

/// Length of the longest text that both have.
fn shared(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row = vec![0_usize; b.len() + 1];
    let mut longest = 0;
    for x in a {
        for (at, y) in b.iter().enumerate().rev() {
            row[at + 1] = if x == y { row[at] + 1 } else { 0 };
            longest = longest.max(row[at + 1]);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_tells_what_it_was_given() {
        let printed =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let lines = printed(&["", " END", "INSERTED word00 word01 END"]);
        assert_eq!(
            echoed("echo word00 wordIword00 word01 EN", &lines).as_deref(),
            Some("echo INSERTED word00 word01 END")
        );
        assert_eq!(echoed("echo $(date) is the day", &printed(&["monday is the day"])), None);
        assert_eq!(echoed("echo one thing", &printed(&["another matter altogether"])), None);
    }

    #[test]
    fn what_is_printed_tells_what_was_typed() {
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let below = lines(&["a1", "a2", "a3", "a4", "last"]);
        assert_eq!(
            printed_words("printf \"%s\\n\" a1 a2 a3 a 4 a5 last", &below[..3]).as_deref(),
            Some("printf \"%s\\n\" a1 a2 a3")
        );
        assert_eq!(printed_words("printf \"%s\\n\" $(ls)", &below), None);
        // A prompt of 2, and 20 columns.
        let typed = "grep -c INFO /var/log/x && echo resized-small";
        let mut shown = String::new();
        for c in typed.chars() {
            if (2 + shown.len()) % 21 == 20 {
                shown.push(' ');
            }
            shown.push(c);
        }
        let printed = lines(&["973", "resized-small"]);
        assert_eq!(margin_by(2, &shown, &printed).as_deref(), Some(typed), "{shown}");
    }

    #[test]
    fn blanks_at_one_column_are_no_wrapping_yet() {
        // All three have a blank at column 30 of the line.
        let lines: Vec<(usize, String)> =
            ["printf '%s\\n' a b c", "free -m -h --total", "tail -n 3 /var/log/app/app.log"]
                .into_iter()
                .map(|text| (30 - text.find(' ').unwrap_or_default(), text.to_owned()))
                .collect();
        assert_eq!(width(&lines), None);
    }

    #[test]
    fn wrapping_is_told_from_several_lines() {
        let wrap = |text: &str| {
            let mut out = String::new();
            for (at, c) in text.chars().enumerate() {
                if at > 0 && (at + 2) % 30 == 0 {
                    out.push(' ');
                }
                out.push(c);
            }
            out
        };
        let texts = [
            "echo abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
            "cat /etc/nginx/sites-available/default/some/long/file/name.conf",
        ];
        let lines: Vec<(usize, String)> = texts.iter().map(|text| (2, wrap(text))).collect();
        let width = width(&lines);
        assert_eq!(width, Some(30));
        for (text, (prompt, line)) in texts.iter().zip(&lines) {
            assert_eq!(unwrap(*prompt, line, 30).as_deref(), Some(*text));
        }
    }
}

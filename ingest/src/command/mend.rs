//! Commands from the stream, mended where it can be told what its stripping has done to them.
//!
//! The agent takes carriage returns and control sequences out of the stream (FORMATS A4). What a line editor
//! painted twice then stands there twice, what it painted over stands in front of what replaced it, and where
//! it wrapped there is a blank too many.

use std::collections::BTreeMap;

/// Longest line that is mended, in bytes. Nobody edits a longer one by hand.
const MAX_LINE: usize = 2048;

/// Words that commands begin with often enough to be recognised behind other text.
pub(crate) const FIRST_WORDS: &[&str] = &[
    "apt-get",
    "aws",
    "cat",
    "chmod",
    "chown",
    "curl",
    "docker",
    "echo",
    "export",
    "find",
    "getent",
    "git",
    "grep",
    "head",
    "hostname",
    "journalctl",
    "kubectl",
    "mkdir",
    "mysql",
    "ping",
    "printf",
    "psql",
    "python3",
    "rsync",
    "sed",
    "ssh",
    "sudo",
    "systemctl",
    "tail",
    "tar",
    "touch",
    "uname",
    "uptime",
    "vim",
    "wget",
    "whoami",
];

/// What was typed, of a line behind its prompt; `None` if there is nothing to mend. `prompt` is the prompt in
/// full, `known` the first words of this session's other commands, `history` those commands, the newest first.
pub(crate) fn mend<'h>(
    typed: &str,
    prompt: &str,
    known: &BTreeMap<String, u32>,
    history: &(impl Iterator<Item = &'h str> + Clone),
) -> Option<String> {
    const BLANKED: &str = "                    ";
    // What follows looks at each place of the line, and from each at the rest.
    if typed.len() > MAX_LINE {
        return None;
    }
    if let Some(found) = found(typed, prompt, history) {
        return Some(found);
    }
    let mut text = typed.trim_end();
    // A message that was blanked out before anything was typed: only its return was lost.
    if let Some(at) = text.rfind(BLANKED) {
        text = text[at + BLANKED.len()..].trim_start();
    }
    // The editor painted the line afresh, prompt included: behind a search in the history, or on a screen that
    // was cleared. Otherwise somebody has typed what looks like the prompt.
    if prompt.trim().len() >= 4
        && let Some(at) = text.rfind(prompt)
    {
        let (before, after) = (text[..at].trim(), &text[at + prompt.len()..]);
        if before.contains("-i-search)") || after.starts_with(before) {
            text = after;
        }
    }
    text = once(text);
    if let Some(line) = recalled(text, history) {
        return Some(line);
    }
    if let Some(text) = changed_before(text).or_else(|| put_before(typed)) {
        return Some(text);
    }
    text = replaced(text, known);
    (text != typed.trim_end()).then(|| text.to_owned())
}

/// What a search in the history ended with, where the line was not painted afresh: the newest command that has
/// what was searched for, and what was added to it.
fn found<'h>(
    typed: &str,
    prompt: &str,
    history: &(impl Iterator<Item = &'h str> + Clone),
) -> Option<String> {
    let (_, search) = typed.split_once("(reverse-i-search)`")?;
    let back = search.rfind(prompt.trim_end()).filter(|_| !prompt.trim().is_empty())?;
    let (sought, shown) = search[..back].split_once("': ")?;
    let more = search[back + prompt.trim_end().len()..].trim();
    if sought.is_empty() {
        return None;
    }
    let command = history
        .clone()
        .find(|command| command.contains(sought) && command.contains(shown.trim()))
        .or_else(|| history.clone().find(|command| command.contains(sought)))?;
    // The line is painted again only as far as it has changed.
    if command.starts_with(more) {
        return Some(command.to_owned());
    }
    let adds = more.starts_with(['#', '|', '&', ';', '>']);
    adds.then(|| format!("{command} {more}"))
}

/// A text that was painted twice, once: `…ab` + `…ab`. What is repeated has to be long, of several
/// characters, and glued: blanks between words that are the same are somebody's own.
fn once(text: &str) -> &str {
    let bytes = text.as_bytes();
    for size in (6..=text.len() / 2).rev() {
        let (first, second) = (text.len() - 2 * size, text.len() - size);
        if !text.is_char_boundary(first) || !text.is_char_boundary(second) {
            continue;
        }
        let (a, b) = (&text[first..second], &text[second..]);
        let varied = bytes[second..].windows(2).any(|pair| pair[0] != pair[1]);
        if a == b && varied && (!b.starts_with(' ') || first == 0) {
            return &text[..second];
        }
    }
    text
}

/// A line that was changed in the middle, key by key, what is behind the change painted again each time:
/// `tail -n 5` + ` file` + ` file` + `2 file`. What was painted first and what came right behind it shows that
/// something was deleted: the word in front.
fn changed_before(text: &str) -> Option<String> {
    const SHORTEST: usize = 5;
    // Places that the same text follows: a line has few, unless somebody means it to have many.
    let mut looks = 16;
    for (start, _) in text.match_indices(' ') {
        let behind = &text[start..];
        // A blank that the same text follows, one key further on.
        for (at, _) in behind.match_indices(' ').skip(1) {
            let Some(key) = behind[..at].chars().next_back() else { continue };
            let tail = &behind[..at - key.len_utf8()];
            if tail.len() < SHORTEST || key == ' ' || !behind[at..].starts_with(tail) {
                continue;
            }
            looks -= 1;
            if looks == 0 {
                return None;
            }
            // In front: the tail once more, or what was left of it when the cursor went back over it.
            let head = &text[..start];
            let left = (2..=tail.len())
                .rev()
                .filter(|size| tail.is_char_boundary(*size))
                .find_map(|size| head.strip_suffix(&tail[..size]));
            let Some(head) = left else { continue };
            // The same word again and again is what somebody typed.
            if is_periodic(&behind[..at]) {
                continue;
            }
            let mut changed = head[..head.rfind(' ').map_or(0, |at| at + 1)].to_owned();
            changed.push(key);
            let mut rest = &behind[at + tail.len()..];
            while let Some(key) = rest.chars().next()
                && let Some(next) = rest[key.len_utf8()..].strip_prefix(tail)
            {
                changed.push(key);
                rest = next;
            }
            return Some(changed + tail + rest);
        }
    }
    None
}

/// Does a text repeat its own beginning?
fn is_periodic(text: &str) -> bool {
    (1..=text.len() / 2).any(|period| {
        let (bytes, rest) = (text.as_bytes(), &text.as_bytes()[period..]);
        bytes[..rest.len()] == *rest
    })
}

/// A word that was put before a line afterwards stands behind it: `ls -l /rootsudo `, and perhaps what was added at the
/// end then. Of a word that begins as the line does, the first letter needs no painting: `echo xcho `.
fn put_before(typed: &str) -> Option<String> {
    if let Some((line, added)) = typed.rsplit_once("sudo ") {
        // With a command behind it, it would be a line of its own.
        let alone = !added.starts_with(|c: char| c.is_alphanumeric() || c == '-');
        if alone && takes_a_word(line) {
            return Some(format!("sudo {line}{}", added.trim_end()));
        }
    }
    // The others only where the blank behind them is the line's last.
    let typed = typed.strip_suffix(' ')?;
    ["time", "nohup", "watch", "exec", "echo", "man"].into_iter().find_map(|word| {
        // A letter that was there already needs no painting.
        let painted = (0..=word.len()).map(|at| match at {
            0 => word.to_owned(),
            at => format!("{}{}", &word[..at - 1], &word[at..]),
        });
        let line = painted.into_iter().enumerate().find_map(|(at, painted)| {
            let line = typed.strip_suffix(painted.as_str())?;
            let there = at == 0 || line.starts_with(&word[at - 1..at]);
            there.then_some(line)
        })?;
        takes_a_word(line).then(|| format!("{word} {line}"))
    })
}

/// Is this a command line that a word can be glued to?
fn takes_a_word(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or_default();
    let command = first != "sudo"
        && first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && line.len() > first.len();
    let glued =
        line.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '"' | '\'' | ')'));
    // A program whose name ends so: `visudo`, `/usr/bin/sudo`.
    let own = line.ends_with(" vi") || line.ends_with("bin/");
    command && glued && !own
}

/// Lines of the history that were recalled one after the other, each painted over the one before as far as it differs.
fn recalled<'h>(text: &str, history: &(impl Iterator<Item = &'h str> + Clone)) -> Option<String> {
    const MOST: usize = 40;
    let mut lines: Vec<&str> = Vec::new();
    for line in history.clone().take(2 * MOST) {
        if lines.len() < MOST && line.len() > 2 && !line.contains('\n') && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let first = lines.iter().find(|line| text.starts_with(**line) && text.len() > line.len())?;
    let (mut at, mut last, mut count) = (first.len(), *first, 1);
    while at < text.len() {
        let rest = &text[at..];
        let same = |line: &str| {
            let common = last.bytes().zip(line.bytes()).take_while(|(a, b)| a == b).count();
            line.floor_char_boundary(common)
        };
        // The longest piece first.
        let fits =
            |line: &&&str| !line[same(line)..].is_empty() && rest.starts_with(&line[same(line)..]);
        let Some(next) = lines.iter().filter(fits).max_by_key(|line| line.len() - same(line))
        else {
            break;
        };
        (at, last, count) = (at + next.len() - same(next), *next, count + 1);
    }
    let rest = &text[at..];
    (count > 1 && (rest.is_empty() || rest.starts_with(' '))).then(|| format!("{last}{rest}"))
}

/// What replaced a line that was taken back: the last command that begins in the middle of a word.
fn replaced<'t>(text: &'t str, known: &BTreeMap<String, u32>) -> &'t str {
    let mut found = text;
    for (at, _) in text.char_indices().skip(2) {
        let (before, after) = text.split_at(at);
        let word = after.split(' ').next().unwrap_or_default();
        let common = FIRST_WORDS.contains(&word);
        let own = word.len() >= 2 && known.get(word).is_some_and(|count| *count > 0);
        if !common && !own {
            continue;
        }
        let previous = before.chars().next_back().unwrap_or(' ');
        let closes = match previous {
            '"' | '\'' => before.matches(previous).count() % 2 == 0,
            other => matches!(other, ')' | '*'),
        };
        let glued = if word.len() <= 3 {
            // Short words end many others: only behind what no word has in front of its end.
            previous.is_ascii_digit() || closes
        } else {
            previous.is_ascii_alphanumeric() || closes
        };
        // A word of its own that happens to end so: `unzip`, `mycat`.
        let start = before.rfind(' ').map_or(0, |at| at + 1);
        let whole = &text[start..at + word.len()];
        // Words of English end in these: `typing`, `detail`, `overhead`.
        if matches!(word, "ping" | "head" | "tail" | "find" | "touch" | "git" | "vim")
            && whole.bytes().all(|byte| byte.is_ascii_lowercase())
        {
            continue;
        }
        if glued && !names_a_program(&text[..start]) && !whole.starts_with(['$', '"', '\'']) {
            found = after;
        }
    }
    found
}

/// A line that was taken back behind a list of completions, and what was typed instead: a command that is known,
/// with arguments. `begun`: the line as it was then.
pub(crate) fn taken_back(text: &str, begun: &str) -> Option<String> {
    let typed = text.strip_prefix(begun)?;
    let (word, arguments) = typed.split_once(' ')?;
    (FIRST_WORDS.contains(&word) && !arguments.trim().is_empty())
        .then(|| typed.trim_end().to_owned())
}

/// What was put in front of a line stands where the cursor went afterwards: `at /etc/passwdc | head` was
/// `cat /etc/passwd | head`. Only if it makes a command that is known of a word that is none.
pub(crate) fn put_in_front(text: &str, known: &BTreeMap<String, u32>) -> Option<String> {
    let (first, rest) = text.split_once(' ')?;
    let is_known = |word: &str| FIRST_WORDS.contains(&word) || known.contains_key(word);
    if first.is_empty() || is_known(first) || text.contains('\n') {
        return None;
    }
    let ends = rest
        .match_indices(' ')
        .map(|(at, _)| at)
        .chain([rest.len()])
        .collect::<Vec<_>>()
        .into_iter();
    ends.rev().find_map(|end| {
        let word = rest[..end].rsplit(' ').next()?;
        (1..=4.min(word.len().checked_sub(1)?)).rev().find_map(|size| {
            let put = word.get(word.len() - size..)?;
            let command = format!("{put}{first}");
            let whole = FIRST_WORDS.contains(&command.as_str());
            whole.then(|| format!("{command} {}{}", &rest[..end - size], &rest[end..]))
        })
    })
}

/// Does a program's name stand behind this? Many end in another's: `egrep`, `visudo`, `multitail`.
fn names_a_program(before: &str) -> bool {
    let previous = before.split_whitespace().next_back().unwrap_or_default();
    previous.is_empty()
        || previous.ends_with(['|', ';', '&', '(', '`'])
        || previous.contains('=')
        || matches!(
            previous,
            "sudo"
                | "doas"
                | "exec"
                | "nohup"
                | "time"
                | "env"
                | "xargs"
                | "which"
                | "man"
                | "type"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_painted_twice_or_over_is_told() {
        let known = BTreeMap::from([("cd".to_owned(), 3)]);
        let history = || ["wc -l b", "false", "wc -l a"].into_iter();
        let cases = [
            ("echo single paste lineecho single paste line", "echo single paste line"),
            ("ecsh-5.2$ echo after", "echo after"),
            ("rm -rf /tmp/wrongecho never mind", "echo never mind"),
            ("ls -1 | head -2cd /srv/data", "cd /srv/data"),
            ("ls -l /srv/datasudo ", "sudo ls -l /srv/data"),
            ("ls -l /srv/datasudo /", "sudo ls -l /srv/data/"),
            ("ps | head -2time ", "time ps | head -2"),
            ("echo $((1+2))cho ", "echo echo $((1+2))"),
            ("cd /tmpeho ", "echo cd /tmp"),
            ("wc -l bfalsewc -l a", "wc -l a"),
            ("wc -l ba", "wc -l a"),
            ("tail -n 5 /var/log/x /var/log/x2 /var/log/x", "tail -n 2 /var/log/x"),
            ("grep foo /v /var/xE /var/xR /var/xR /var/x | wc -l", "grep ERR /var/x | wc -l"),
            ("(reverse-i-search)`wc': wcsh-5.2$", "wc -l b"),
            ("(reverse-i-search)`wc': wc -l ash-5.2$", "wc -l a"),
            ("(reverse-i-search)`fa': falsesh-5.2$ # again", "false # again"),
            ("(reverse-i-search)`wc': wc -l ash-5.2$ echo new", "echo new"),
        ];
        for (typed, expected) in cases {
            assert_eq!(
                mend(typed, "sh-5.2$ ", &known, &history()).as_deref(),
                Some(expected),
                "{typed}"
            );
        }
        for typed in [
            "cp file1 file1",
            "echo aaaaaaaaaaaaaaaa",
            "unzip -l x",
            "/usr/bin/cat x",
            "sudo cat x",
            "cat app-1.log app-2.log app-3.log",
            "echo word word word word word word word end",
            "add --port host1 --port host2 --port host3",
            "cp /etc/app.conf /etc/app.conf.bak",
            "apt-get install sudo",
            "alias ls=\"sudo cat x\"",
            "ls -l /etc/sudoers /usr/bin/sudo",
            "file /usr/bin/sudo /bin/su",
            "EDITOR=vim visudo /etc/x",
            "which visudo",
            "sudo visudo -f x",
            "ps aux | egrep root",
            "kubectl get pods && sudo zgrep x y",
        ] {
            assert_eq!(mend(typed, "sh-5.2$ ", &known, &history()), None, "{typed}");
        }
    }

    #[test]
    fn what_was_put_in_front_is_told_by_what_it_makes() {
        let known = BTreeMap::from([("ls".to_owned(), 3)]);
        let cases = [
            ("at /etc/passwdc | head -2", Some("cat /etc/passwd | head -2")),
            ("cho helloe", Some("echo hello")),
            ("ls -lac", None),
            ("cat abc", None),
            ("foo abc", None),
        ];
        for (text, expected) in cases {
            assert_eq!(put_in_front(text, &known).as_deref(), expected, "{text}");
        }
    }
}

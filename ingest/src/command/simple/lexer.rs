//! What has to be known of a line while it is read: will the shell wait for more, and may a shell with a prompt of
//! its own be at work after it? Asked for every command of a transcript, so it is a lexer and no parser.

/// A word with its quotes taken off, and how it was written.
#[derive(Clone, Debug)]
struct Word<'a> {
    text: String,
    raw: &'a str,
    /// Where it starts in the line.
    start: usize,
}

/// Splits a line at the operators that separate commands.
fn split(line: &str) -> Vec<Vec<Word<'_>>> {
    let mut pieces = Vec::new();
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut chars = line.char_indices().peekable();
    let mut word: Option<(usize, String)> = None;
    let mut redirect = false;

    macro_rules! end_word {
        ($at:expr) => {
            if let Some((start, text)) = word.take() {
                // The target of a redirection is not an argument.
                if !std::mem::take(&mut redirect) {
                    words.push(Word { text, raw: &line[start..$at], start });
                }
            }
        };
    }

    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let text = &mut word.get_or_insert((at, String::new())).1;
                if let Some((_, next)) = chars.next()
                    && next != '\n'
                {
                    text.push(next);
                }
            }
            '\'' => {
                let text = &mut word.get_or_insert((at, String::new())).1;
                for (_, c) in chars.by_ref() {
                    if c == '\'' {
                        break;
                    }
                    text.push(c);
                }
            }
            '"' => {
                let text = &mut word.get_or_insert((at, String::new())).1;
                while let Some((_, c)) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => text.extend(chars.next().map(|(_, c)| c)),
                        c => text.push(c),
                    }
                }
            }
            '#' if word.is_none() => {
                // A comment runs to the end of its line.
                while chars.next_if(|&(_, c)| c != '\n').is_some() {}
            }
            ' ' | '\t' => end_word!(at),
            '>' | '<' => {
                // `2>` : the number belongs to the operator.
                if word.as_ref().is_some_and(|(_, t)| t.bytes().all(|b| b.is_ascii_digit())) {
                    word = None;
                } else {
                    end_word!(at);
                }
                while chars.next_if(|&(_, c)| matches!(c, '>' | '<' | '&' | '|')).is_some() {}
                redirect = true;
            }
            ';' | '|' | '&' | '\n' | '(' | ')' | '`' => {
                end_word!(at);
                redirect = false;
                if !words.is_empty() {
                    pieces.push(std::mem::take(&mut words));
                }
            }
            c => word.get_or_insert((at, String::new())).1.push(c),
        }
    }
    end_word!(line.len());
    if !words.is_empty() {
        pieces.push(words);
    }
    pieces
}

/// Deepest chain of wrappers followed.
const MAX_DEPTH: usize = 8;

/// Longest end mark of a here-document, and most of them on a line.
const MAX_MARK: usize = 128;
const MAX_HEREDOCS: usize = 8;
/// Longest text of which is asked whether the shell waits for more.
const MAX_OPEN: usize = 16 << 10;

/// Words of the shell's grammar in front of a command.
const KEYWORDS: &[&str] = &[
    "if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "exec", "builtin",
    "command",
];

/// `NAME=value`
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// May a shell with a prompt of its own be at work after this line?
pub(crate) fn starts_a_shell(line: &str) -> bool {
    starts_a_shell_at(line, 0)
}

fn starts_a_shell_at(line: &str, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let pieces = split(line);
    pieces.iter().any(|words| {
        let skip = words
            .iter()
            .take_while(|word| KEYWORDS.contains(&word.raw) || is_assignment(&word.text))
            .count();
        let words: Vec<&str> = words[skip..].iter().map(|word| word.text.as_str()).collect();
        starts_interactive(&words, depth)
    })
}

/// Does the terminal echo after this line? `None`: as before.
pub(crate) fn echo_after(line: &str) -> Option<bool> {
    let mut echo = None;
    for words in split(line) {
        let mut words =
            words.iter().map(|word| word.text.as_str()).skip_while(|word| KEYWORDS.contains(word));
        if words.next() != Some("stty") {
            continue;
        }
        for word in words {
            match word {
                "-echo" | "raw" => echo = Some(false),
                "echo" | "sane" | "-raw" => echo = Some(true),
                _ => {}
            }
        }
    }
    echo
}

/// Does this line keep the shell from writing its history?
pub(crate) fn turns_history_off(line: &str) -> bool {
    if !line.contains("hist") && !line.contains("HIST") {
        return false;
    }
    split(line).iter().any(|words| {
        let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let assigns =
            words.iter().take_while(|w| is_assignment(w) || **w == "export").any(|word| {
                matches!(
                    word.split_once('='),
                    Some(("HISTFILE", "" | "/dev/null") | ("HISTSIZE" | "HISTFILESIZE", "0"))
                )
            });
        assigns
            || match words[..] {
                ["unset", .., "HISTFILE"]
                | ["unset", "HISTFILE", ..]
                | ["set", "+o", "history", ..]
                | ["shopt", "-uo" | "-ou", "history", ..]
                | ["history", "-c" | "-cw" | "-wc" | "-d", ..] => true,
                ["ln", .., "/dev/null", to] => to.ends_with("_history"),
                _ => false,
            }
    })
}

/// Do these words start something that has a prompt?
fn starts_interactive(words: &[&str], depth: usize) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    if depth > MAX_DEPTH {
        return false;
    }
    let name = first.rsplit('/').next().unwrap_or_default();
    // The words behind the options, of which some take a value.
    let operands = |with_value: &[&str]| {
        let mut at = 0;
        while let Some(word) =
            rest.get(at).filter(|word| word.starts_with('-') || is_assignment(word))
        {
            at += 1 + usize::from(with_value.contains(word));
            if *word == "--" {
                break;
            }
        }
        rest.get(at..).unwrap_or_default()
    };
    // `-iu bob`: a value may follow options that are written together.
    let grouped = rest.iter().position(|word| {
        word.len() > 2 && word.starts_with('-') && !word.starts_with("--") && word.ends_with('u')
    });
    let flag = |letter: char| {
        rest.iter()
            .take_while(|word| word.starts_with('-'))
            .any(|word| !word.starts_with("--") && word.contains(letter))
    };
    match name {
        "sh" | "bash" | "dash" | "zsh" | "fish" | "ksh" | "ash" | "rbash" | "pwsh" => {
            let operands = operands(&["-O", "-o", "--rcfile", "--init-file"]);
            if flag('c') {
                return operands.first().is_some_and(|line| depth < MAX_DEPTH && starts_a_shell_at(line, depth + 1));
            }
            flag('i') || operands.is_empty()
        }
        "su" => match rest.iter().position(|word| *word == "-c") {
            Some(at) => rest.get(at + 1).is_some_and(|line| starts_a_shell_at(line, depth + 1)),
            None => !flag('c'),
        },
        "sudo" | "doas" => {
            let command = operands(&[
                "-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-D", "-R", "-U", "--user",
            ]);
            let command = match grouped {
                Some(at) if rest[..at].iter().all(|word| word.starts_with('-')) => {
                    rest.get(at + 2..).unwrap_or_default()
                }
                _ => command,
            };
            if command.is_empty() {
                flag('i')
                    || flag('s')
                    || rest.iter().any(|word| matches!(*word, "--login" | "--shell"))
            } else {
                starts_interactive(command, depth + 1)
            }
        }
        "env" | "nice" | "nohup" | "setsid" | "exec" | "command" | "stdbuf"
        | "chroot" => {
            let operands = operands(&["-u", "-n", "-C", "-S", "-c"]);
            if name == "chroot" {
                return operands.len() == 1
                    || starts_interactive(operands.get(1..).unwrap_or_default(), depth + 1);
            }
            starts_interactive(operands, depth + 1)
        }
        "ssh" => {
            operands(&[
                "-i", "-p", "-l", "-o", "-L", "-R", "-D", "-F", "-J", "-b", "-c", "-e", "-m", "-w",
                "-W",
            ])
            .len()
                <= 1
                || flag('t')
        }
        "pkexec" | "timeout" | "busybox" | "toybox" | "unshare" | "strace" | "proxychains" | "torsocks" | "chrt" | "taskset"
        | "flock" | "runuser" | "setpriv" | "systemd-run" => {
            // Somewhere behind its own options and operands.
            (0..rest.len().min(6)).any(|at| starts_interactive(&rest[at..], depth + 1)) || name == "runuser" && !rest.contains(&"-c")
        }
        "aws" => rest.iter().any(|word| matches!(*word, "start-session" | "execute-command")),
        // Programs that start others when they are told so.
        "awk" | "gawk" | "mawk" | "perl" | "ruby" | "php" | "lua" | "find" | "xargs" | "python" | "python2" | "python3" | "expect"
        | "socat" | "eval" | "ionice" | "rlwrap" | "zip" | "tar" => rest.iter().any(|word| {
            let shell = ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ash", "pty.spawn"];
            shell.iter().any(|shell| word.contains(shell)) || matches!(*word, "sh" | "bash" | "zsh" | "dash")
        }),
        "docker" | "docker-compose" | "podman" | "kubectl" | "oc" | "nerdctl" | "lxc" | "crictl" => {
            rest.iter().any(|word| matches!(*word, "exec" | "run" | "attach" | "debug"))
        }
        "tmux" | "screen" | "nsenter" | "machinectl" | "newgrp" | "sg" | "script"
        | "telnet"
        // Programs from which a shell can be had (`:shell`, `!`).
        | "vi" | "vim" | "nvim" | "view" | "ex" | "ed" | "emacs" | "nano" | "less" | "more" | "man"
        | "mc" | "gdb" | "ftp" | "sftp" => true,
        _ => false,
    }
}

/// Does the shell wait for more after this text?
pub(crate) fn is_incomplete(text: &str) -> bool {
    if text.len() > MAX_OPEN {
        return false;
    }
    let backslashes = text.bytes().rev().take_while(|&b| b == b'\\').count();
    if backslashes % 2 == 1 {
        return true;
    }
    if let Some(open) = open_heredoc(text) {
        return open;
    }
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0_i32;
    let mut previous = ' ';
    let mut comment = false;
    for c in text.chars() {
        let before = std::mem::replace(&mut previous, c);
        if std::mem::take(&mut escaped) {
            continue;
        }
        // A comment has no quotes, and ends with its line.
        comment |= quote.is_none()
            && c == '#'
            && (before.is_whitespace() || matches!(before, ';' | '&' | '|' | '('));
        comment &= c != '\n';
        if comment {
            continue;
        }
        match (quote, c) {
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '(' | '{') => depth += 1,
            (None, ')' | '}') => depth -= 1,
            _ => {}
        }
    }
    if quote.is_some() || depth > 0 {
        return true;
    }
    let last = text.trim_end();
    if last.ends_with("&&") || last.ends_with("||") || last.ends_with('|') {
        return true;
    }
    let (mut opened, mut closed) = (0, 0);
    for piece in split(text) {
        for (at, word) in piece.iter().enumerate() {
            match word.raw {
                // The words that open a construct do so only where a command may begin.
                "if" | "for" | "while" | "until" | "case" | "select" if at == 0 => opened += 1,
                "fi" | "done" | "esac" if at == 0 => closed += 1,
                _ => {}
            }
        }
    }
    opened > closed
}

/// Is a here-document open at the end of `text`? `None` where there is none at all.
fn open_heredoc(text: &str) -> Option<bool> {
    let mut lines = text.split('\n');
    let mut any = None;
    while let Some(line) = lines.next() {
        // Several may be begun on one line; their bodies follow one after the other.
        for (at, _) in line.match_indices("<<").take(MAX_HEREDOCS) {
            if line[..at].ends_with('<') || line[at + 2..].starts_with('<') {
                continue;
            }
            let rest = line[at + 2..].trim_start_matches('-').trim_start();
            // The end mark is one word, and short.
            let rest = &rest[..rest.floor_char_boundary(MAX_MARK)];
            let Some(word) = split(rest).into_iter().flatten().next() else { continue };
            if word.start != 0 || word.text.is_empty() {
                continue;
            }
            any = Some(!lines.by_ref().any(|body| body.trim_start_matches('\t') == word.text));
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_waits_for_what_is_open() {
        for text in ["echo 'a", "ls \\", "cat <<EOF", "if true; then", "f() {", "a &&", "a |"] {
            assert!(is_incomplete(text), "{text}");
        }
        assert!(is_incomplete("cat <<A; cat <<B\nx\nA"));
        for text in [
            "echo 'a'",
            "cat <<A; cat <<B\nx\nA\ny\nB",
            "cat <<EOF\nx\nEOF",
            "if a; then b; fi",
            "f() { :; }",
            "cat <<<x",
            "id # don't",
        ] {
            assert!(!is_incomplete(text), "{text}");
        }
    }

    #[test]
    fn shells_are_told_from_scripts() {
        for line in [
            "bash",
            "sudo -i",
            "sudo su -",
            "sudo -u bob bash",
            "su - bob",
            "exec zsh",
            "ssh host",
            "sudo -iu bob zsh",
            "docker exec -it web sh",
            "env A=b bash --norc",
            "cd / && sudo -s",
            "pkexec bash",
            "sudo timeout 1h bash",
            "sudo bash -c bash",
            "sudo su -c bash",
            "busybox sh",
            "sudo awk 'BEGIN{system(\"/bin/sh\")}'",
            "sudo find . -exec /bin/sh \\; -quit",
            "sudo python3 -c 'import pty;pty.spawn(\"/bin/bash\")'",
            "docker-compose exec web sh",
            "aws ssm start-session --target i-0abc",
        ] {
            assert!(starts_a_shell(line), "{line}");
        }
        for line in
            ["sh x.sh", "bash -c id", "sudo ls", "ssh host uptime", "echo bash", "sudo bash x.sh"]
        {
            assert!(!starts_a_shell(line), "{line}");
        }
    }
}

//! What a line shows by itself: the shape of a prompt, a further line of a command, a block of several.

use super::prompt::is_sign;
use super::simple;

/// Most lines added to a command. Whether the shell waits for more is asked of the whole text, each time.
pub(super) const MAX_CONTINUED: usize = 400;

/// Is there a sign in front, as prompts have?
pub(super) fn may_have_prompt(line: &str) -> bool {
    let front = line.as_bytes();
    let front = &front[..front.len().min(1100)];
    memchr::memchr3(b'$', b'#', b'%', front).or_else(|| memchr::memchr(b'>', front)).is_some()
}

/// Does this text end as a prompt does?
pub(super) fn ends_as_prompt(text: &str) -> bool {
    let last = text.trim_end().chars().next_back();
    text.ends_with(' ') && last.is_some_and(is_sign)
}

/// A command typed while a program in the background printed lines into it: what was typed, put together.
/// Such lines end alike but for numbers; there are at least so many, and each has a piece of it.
pub(super) fn untangle(text: &str, least: usize) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let (last, broken) = lines.split_last()?;
    if broken.len() < least {
        return None;
    }
    // From the end: letters alike, or digits in both.
    let alike = |a: char, b: char| a == b || (a.is_ascii_digit() && b.is_ascii_digit());
    let common = broken.windows(2).map(|pair| {
        pair[0].chars().rev().zip(pair[1].chars().rev()).take_while(|(a, b)| alike(*a, *b)).count()
    });
    let common = common.min().filter(|common| *common >= 4)?;
    // A program that prints the same again and again is rare; a text that was typed and comes back is not.
    let noise = |line: &str| line.chars().skip(line.chars().count() - common).collect::<String>();
    if least > 2 && broken.windows(2).all(|pair| noise(pair[0]) == noise(pair[1])) {
        return None;
    }
    let mut out = String::new();
    for line in broken {
        let keep = line.chars().count() - common;
        // A line that is nothing but this is one of several that are alike.
        if keep == 0 {
            return None;
        }
        out.extend(line.chars().take(keep));
    }
    out.push_str(last);
    Some(out)
}

/// Does the line leave the terminal without echo?
pub(super) fn hides_input(text: &str) -> bool {
    text.contains("stty") && simple::echo_after(text) == Some(false)
}

/// Splits a block into the commands that it holds: each as many lines as the shell would wait for.
pub(super) fn split_block(text: &str) -> Vec<String> {
    if !text.contains('\n') {
        return vec![text.to_owned()];
    }
    let mut out = Vec::new();
    let mut current = String::new();
    for (at, line) in text.split('\n').enumerate() {
        if !current.is_empty() {
            current.push('\n');
        }
        current.push_str(line);
        if at >= MAX_CONTINUED || !simple::is_incomplete(&current) {
            out.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        out.push(current);
    }
    out
}

/// Is this the prompt of a further line (`for> `, `> `)?
pub(super) fn is_secondary(prompt: &str) -> bool {
    let name = prompt.trim_end().strip_suffix('>');
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == ' '))
}

/// What was typed behind the shell's secondary prompt, PS2.
pub(super) fn continuation(line: &str) -> Option<&str> {
    if let Some(more) = line.strip_prefix("> ").or_else(|| (line == ">").then_some("")) {
        return Some(more);
    }
    if let Some(more) = line.strip_prefix(">> ") {
        // PowerShell.
        return Some(more);
    }
    // zsh names what it waits for the end of: `for> `, `quote> `.
    let (word, more) = line.split_once("> ")?;
    matches!(
        word.rsplit(' ').next().unwrap_or_default(),
        "for"
            | "while"
            | "until"
            | "if"
            | "then"
            | "else"
            | "elif"
            | "case"
            | "function"
            | "quote"
            | "dquote"
            | "bquote"
            | "heredoc"
            | "pipe"
            | "cmdand"
            | "cmdor"
            | "cursh"
            | "subsh"
            | "repeat"
            | "select"
    )
    .then_some(more)
}

//! PowerShell's tree → programs.
//!
//! A cmdlet is no process: it runs inside PowerShell, whose image it therefore has, with its own text as the
//! command line, where rules look for it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tree_sitter::Tree;

use super::{Context, Found, MAX_DEPTH, Splitter, walk};

/// Windows' own PowerShell.
pub(super) const SHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";

/// Aliases of cmdlets that look like programs.
const ALIASES: &[&str] = &[
    "cat", "cd", "chdir", "clc", "clear", "cls", "copy", "cp", "del", "dir", "echo", "epal",
    "erase", "fl", "foreach", "ft", "gc", "gci", "gcm", "gi", "gl", "gm", "gp", "gps", "group",
    "gsv", "gwmi", "h", "history", "iex", "ii", "irm", "iwr", "kill", "ls", "man", "md", "measure",
    "mkdir", "mount", "move", "mv", "ni", "popd", "ps", "pushd", "pwd", "r", "rd", "ren", "ri",
    "rm", "rmdir", "saps", "sasv", "select", "set", "sl", "sleep", "sort", "spps", "start", "sv",
    "tee", "type", "where", "wget", "curl", "write", "exit", "?", "%",
];

/// The path of what is called by this name.
pub(super) fn image(name: &str) -> String {
    if name.contains(['\\', '/']) {
        return name.to_owned();
    }
    let lower = name.to_ascii_lowercase();
    let verb_noun = lower.split_once('-').is_some_and(|(verb, noun)| {
        let letters = |part: &str| !part.is_empty() && part.chars().all(char::is_alphanumeric);
        letters(verb) && letters(noun) && !lower.ends_with("exe")
    });
    if verb_noun || ALIASES.contains(&lower.as_str()) {
        return SHELL.to_owned();
    }
    match lower.as_str() {
        "powershell" | "powershell.exe" => SHELL.to_owned(),
        "pwsh" | "pwsh.exe" => r"C:\Program Files\PowerShell\7\pwsh.exe".to_owned(),
        _ if lower.contains('.') => format!(r"C:\Windows\System32\{name}"),
        _ => format!(r"C:\Windows\System32\{name}.exe"),
    }
}

/// Takes the programs of a line. Returns whether all of it could be followed.
pub(super) fn programs(
    splitter: &mut Splitter,
    tree: &Tree,
    line: &str,
    context: &Context<'_>,
    found: &mut Found,
) -> bool {
    let mut commands: Vec<Vec<String>> = Vec::new();
    walk(tree, |node| {
        if node.kind() == "command" && commands.len() <= super::MAX_PROGRAMS {
            commands.push(words(&line[node.byte_range()]));
        }
    });
    for command in &commands {
        start(splitter, command, context, found);
    }
    !tree.root_node().has_error() || !commands.is_empty()
}

/// The words of a command, their quotes taken off.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    let mut depth = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '`' => word.get_or_insert_default().extend(chars.next()),
            '\'' | '"' if depth == 0 => {
                let word = word.get_or_insert_default();
                while let Some(inside) = chars.next() {
                    match inside {
                        '`' if c == '"' => word.extend(chars.next()),
                        // A quote that is written twice is one.
                        inside if inside == c => match chars.next_if_eq(&c) {
                            Some(quote) => word.push(quote),
                            None => break,
                        },
                        inside => word.push(inside),
                    }
                }
            }
            c if c.is_whitespace() && depth == 0 => out.extend(word.take()),
            c => {
                match c {
                    '(' | '{' => depth += 1,
                    ')' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                word.get_or_insert_default().push(c);
            }
        }
    }
    out.extend(word);
    if out.first().is_some_and(|first| first == "&" || first == ".") {
        out.remove(0);
    }
    out
}

fn start(splitter: &mut Splitter, words: &[String], context: &Context<'_>, found: &mut Found) {
    if words.is_empty() {
        return;
    }
    let Some(image) = found.push(context, words) else { return };
    if context.depth >= MAX_DEPTH {
        return;
    }
    let inner = Context { parent: &image, depth: context.depth + 1, ..*context };
    let name = words[0].to_ascii_lowercase();
    let name = name.rsplit(['\\', '/']).next().unwrap_or_default();
    let rest = &words[1..];
    match name.strip_suffix(".exe").unwrap_or(name) {
        "cmd" => {
            let at = rest.iter().position(|word| {
                let word = word.to_ascii_lowercase();
                word.starts_with("/c") || word.starts_with("/k")
            });
            let Some(at) = at else { return };
            let line = rest[at + 1..].join(" ");
            let attached = rest[at].get(2..).unwrap_or_default();
            for part in format!("{attached} {line}").split(['&', '|']) {
                start(splitter, &self::words(part), &inner, found);
            }
        }
        "powershell" | "pwsh" => {
            // Options may be cut short: `-e`, `-enc`, `-c`.
            let mut rest = rest.iter();
            while let Some(option) = rest.next() {
                let option = option.to_ascii_lowercase();
                let is = |full: &str| option.len() > 1 && full.starts_with(option.as_str());
                if is("-encodedcommand") || option == "-ec" {
                    if let Some(line) = rest.next().and_then(|code| decoded(code)) {
                        splitter.line(&line, &inner, found);
                    }
                    return;
                }
                if is("-command") {
                    let line: Vec<&str> = rest.map(String::as_str).collect();
                    splitter.line(&line.join(" "), &inner, found);
                    return;
                }
            }
        }
        "iex" | "invoke-expression" => splitter.line(&rest.join(" "), &inner, found),
        "start-process" | "saps" | "start" => {
            let option = |name: &str| {
                let at = rest.iter().position(|word| {
                    word.len() > 2 && name.starts_with(word.to_ascii_lowercase().as_str())
                });
                at.and_then(|at| rest.get(at + 1))
            };
            let file =
                option("-filepath").or_else(|| rest.iter().find(|word| !word.starts_with('-')));
            let Some(file) = file else { return };
            let mut run = vec![file.clone()];
            run.extend(
                option("-argumentlist")
                    .map(|list| self::words(&list.replace(',', " ")))
                    .into_iter()
                    .flatten(),
            );
            start(splitter, &run, &inner, found);
        }
        "runas" => {
            if let Some(line) = rest.last() {
                start(splitter, &self::words(line), &inner, found);
            }
        }
        // A script block, as `Invoke-Command` is given, is in the same tree.
        _ => {}
    }
}

/// The line that `-EncodedCommand` is given: base64 of UTF-16.
fn decoded(code: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(code).ok()?;
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

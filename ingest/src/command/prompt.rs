//! Where does the prompt end and the typing begin?
//!
//! A prompt is text like any other; its shape is all there is. The shapes known here are those of the
//! shells that the agent starts and of the distributions' defaults, from the most to the least telling.

use model::ShellFamily;

/// How telling a prompt's shape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// `$ ` or `# ` alone: dash, and any line of a file that begins so.
    Bare,
    /// Some word, then the sign.
    Word,
    /// `sh-5.2$ `: bash without a configured prompt.
    ShellVersion,
    /// `PS C:\\Windows>`, as PowerShell comes.
    PowerShell,
    /// `user@host:dir$ ` or `[user@host dir]$ `.
    UserAtHost,
}

/// A prompt at the start of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// The prompt, with the blank behind its sign.
    pub text: &'a str,
    /// What it looks like.
    pub shape: Shape,
    /// The user it shows.
    pub user: Option<&'a str>,
    /// The host it shows.
    pub host: Option<&'a str>,
    /// The directory it shows.
    pub cwd: Option<&'a str>,
}

/// A prompt that outlives the line that it was read from.
pub(super) struct OwnedPrompt {
    pub(super) text: String,
    shape: Shape,
    user: Option<String>,
    host: Option<String>,
    cwd: Option<String>,
}

impl OwnedPrompt {
    pub(super) fn of(prompt: &Prompt<'_>) -> Self {
        Self {
            text: prompt.text.to_owned(),
            shape: prompt.shape,
            user: prompt.user.map(str::to_owned),
            host: prompt.host.map(str::to_owned),
            cwd: prompt.cwd.map(str::to_owned),
        }
    }

    pub(super) fn prompt(&self) -> Prompt<'_> {
        Prompt {
            text: &self.text,
            shape: self.shape,
            user: self.user.as_deref(),
            host: self.host.as_deref(),
            cwd: self.cwd.as_deref(),
        }
    }
}

/// Does a prompt end in this?
pub(super) const fn is_sign(c: char) -> bool {
    matches!(c, '$' | '#' | '%' | '>' | '❯' | '»' | 'λ' | '➜' | '→' | '⟩' | '▶' | '›')
}

/// Farthest sign where nothing else says that this is a prompt.
const NEAR: usize = 100;
/// How the prompt of a widespread theme begins; it ends in nothing of its own.
const OH_MY_ZSH: &str = "➜  ";

/// Longest text in front of the sign, of a prompt that is known; and of one that is not.
const MAX_PROMPT: usize = 1000;
const MAX_NEW: usize = 200;

impl<'a> Prompt<'a> {
    /// The prompt at the start of `line`, and what follows it. A prompt that the terminal shows twice
    /// (readline repaints it when the window's size arrives) counts once.
    pub fn split(line: &'a str) -> Option<(Self, &'a str)> {
        let (prompt, mut rest) = Self::split_once(line)?;
        while let Some(again) = rest.strip_prefix(prompt.text) {
            rest = again;
        }
        Some((prompt, rest))
    }

    fn split_once(line: &'a str) -> Option<(Self, &'a str)> {
        for (at, sign) in line.char_indices().take_while(|&(at, _)| at <= MAX_NEW) {
            if !matches!(sign, '$' | '#' | '%' | '>') {
                continue;
            }
            // The blank behind the sign; the terminal may have trimmed it at the line's end.
            let after = &line[at + 1..];
            let end = match after.chars().next() {
                Some(' ') => at + 2,
                None => at + 1,
                Some(_) => continue,
            };
            if let Some(prompt) = Self::classify(&line[..end], &line[..at], sign) {
                return Some((prompt, &line[end..]));
            }
        }
        None
    }

    /// The same where the shell has marked that it reads: whatever ends in one of the signs that prompts end in.
    pub(super) fn split_marked(line: &'a str) -> Option<(Self, &'a str)> {
        Self::split_at(line, Self::loose_end(line, MAX_PROMPT, true)?)
    }

    /// The same where a prompt may well be; `first`: of the first shell.
    pub(super) fn split_loose(line: &'a str, first: bool) -> Option<(Self, &'a str)> {
        let end = Self::loose_end(line, NEAR, false)?;
        let text = &line[..end];
        // What no prompt has in it, unless somebody means to.
        let odd = text.contains(['"', '\'', '=', ';', '|', '&', '<', '{', '*', '`'])
            || text.trim_end().contains("  ") && !text.starts_with(OH_MY_ZSH);
        // Much of what is printed has such a sign in it.
        let body = text.trim_end().strip_suffix('>');
        let arrow = !first && body.is_some_and(|body| body.trim_end().contains(' '));
        (!odd && !arrow).then(|| Self::split_at(line, end)).flatten()
    }

    fn split_at(line: &'a str, end: usize) -> Option<(Self, &'a str)> {
        let (text, mut rest) = line.split_at_checked(end)?;
        while let Some(again) = rest.strip_prefix(text) {
            rest = again;
        }
        Some((Self::whole(text), rest))
    }

    /// Where a prompt ends that can be any.
    fn loose_end(line: &str, most: usize, certain: bool) -> Option<usize> {
        if let Some(rest) = line.strip_prefix(OH_MY_ZSH) {
            // A directory, perhaps a branch, perhaps a mark: then what is typed.
            let mut end = line.len() - rest.len() + rest.find(' ').map_or(rest.len(), |at| at + 1);
            for word in ["git:(", "✗ "] {
                if line[end..].starts_with(word) {
                    end += line[end..].find(' ').map_or(line.len() - end, |at| at + 1);
                }
            }
            return Some(end);
        }
        let mut ends =
            line.char_indices().take_while(|&(at, _)| at <= most).filter_map(|(at, c)| {
                let end = at + c.len_utf8();
                match line[end..].chars().next() {
                    Some(' ') if is_sign(c) => Some((at, end + 1)),
                    None if is_sign(c) => Some((at, end)),
                    _ => None,
                }
            });
        match ends.next() {
            // An arrow in front, and the sign behind.
            Some((0, end)) if !line.starts_with(['$', '#', '%', '>']) => {
                let is_strong = |at: usize| at < NEAR && line[at..].starts_with(['$', '#', '%']);
                Some(ends.next().filter(|&(at, _)| is_strong(at)).map_or(end, |(_, end)| end))
            }
            Some((_, end)) => Some(end),
            None if certain => {
                line.match_indices(": ").map(|(at, _)| at + 2).find(|end| *end <= NEAR)
            }
            None => None,
        }
    }

    /// The grammar of the shell that shows it.
    pub(super) const fn family(&self) -> ShellFamily {
        match self.shape {
            Shape::PowerShell => ShellFamily::PowerShell,
            _ => ShellFamily::Posix,
        }
    }

    /// A prompt whose end is known: the shell has marked it.
    pub fn whole(text: &'a str) -> Self {
        let body = text.trim_end();
        let mut chars = body.chars();
        let sign = chars.next_back().unwrap_or(' ');
        let shape = Shape::Word;
        Self::classify(text, chars.as_str(), sign).unwrap_or(Self {
            text,
            shape,
            user: None,
            host: None,
            cwd: None,
        })
    }

    fn classify(text: &'a str, body: &'a str, sign: char) -> Option<Self> {
        let bare = |shape| Self { text, shape, user: None, host: None, cwd: None };
        if body.is_empty() {
            return matches!(sign, '$' | '#' | '%').then(|| bare(Shape::Bare));
        }
        if sign == '>' {
            // `[host]: PS C:\\> ` on another machine.
            let (host, own) = match body.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
                Some((host, own)) => (Some(host), own),
                None => (None, body),
            };
            let cwd = own.strip_prefix("PS ")?;
            return Some(Self { text, shape: Shape::PowerShell, user: None, host, cwd: Some(cwd) });
        }
        if let Some(version) = body.strip_prefix("sh-").or_else(|| body.strip_prefix("bash-")) {
            let is_version =
                !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            return is_version.then(|| bare(Shape::ShellVersion));
        }
        let bracketed = body.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some((user, rest)) = bracketed.unwrap_or(body).split_once('@') {
            let separator = if bracketed.is_some() { ' ' } else { ':' };
            let (host, cwd) = match rest.split_once(separator) {
                Some((host, cwd)) => (host, Some(cwd)),
                None => (rest, None),
            };
            if is_name(user) && is_name(host) {
                let named = |name: &'a str| (!name.is_empty()).then_some(name);
                return Some(Self {
                    text,
                    shape: Shape::UserAtHost,
                    user: named(user),
                    host: named(host),
                    cwd,
                });
            }
        }
        // `user@host dir % `, as zsh comes.
        if let Some((who, cwd)) = body.trim_end().split_once(' ')
            && let Some((user, host)) = who.split_once('@')
            && is_name(user)
            && is_name(host)
            && !user.is_empty()
            && !host.is_empty()
            && !cwd.contains(char::is_whitespace)
        {
            return Some(Self {
                text,
                shape: Shape::UserAtHost,
                user: Some(user),
                host: Some(host),
                cwd: Some(cwd),
            });
        }
        (!body.contains(char::is_whitespace)).then(|| bare(Shape::Word))
    }
}

/// What stays the same of a prompt from line to line. The directory changes, and so do counters and clocks.
#[derive(Clone, Debug)]
pub struct Template {
    /// The prompt with what changes taken out.
    fixed: String,
    /// Its last characters, blank included: where to look for its end.
    tail: String,
    /// As it was seen.
    text: String,
    /// What an assignment announced, if it did: literal pieces, with something unknown between them.
    pieces: Vec<String>,
    shape: Shape,
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.fixed == other.fixed
    }
}

impl Eq for Template {}

impl Template {
    /// The template of a prompt.
    pub fn of(prompt: &Prompt<'_>) -> Self {
        let tail: String = {
            let count = prompt.text.chars().count();
            prompt.text.chars().skip(count.saturating_sub(2)).collect()
        };
        let text = prompt.text.to_owned();
        Self { fixed: fixed(prompt), tail, text, pieces: Vec::new(), shape: prompt.shape }
    }

    /// The template that a command sets, if it is nothing but an assignment to `PS1` or `PROMPT`.
    pub fn of_assignment(command: &str) -> Option<Self> {
        let text = command.trim();
        if text == "unset PS1" {
            let none = String::new;
            return Some(Self {
                fixed: none(),
                tail: none(),
                text: none(),
                pieces: Vec::new(),
                shape: Shape::Word,
            });
        }
        let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
        let value = ["PS1=", "PROMPT="].iter().find_map(|name| text.strip_prefix(name))?;
        let value = match value.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                value[1..].strip_suffix(quote).filter(|v| !v.contains(quote))?
            }
            _ if value
                .contains(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '$')) =>
            {
                return None;
            }
            _ => value,
        };
        let pieces = shown(value);
        let last = pieces.last().map_or("", String::as_str);
        let empty = pieces.len() == 1 && last.trim().is_empty();
        // A prompt that ends in something unknown cannot be told from what is typed behind it.
        if last.is_empty() && !empty {
            return None;
        }
        let none = String::new;
        let pieces = if empty { Vec::new() } else { pieces };
        Some(Self { fixed: none(), tail: none(), text: none(), pieces, shape: Shape::Word })
    }

    /// Is it the same prompt but for a word: another directory, an environment, a branch?
    pub fn is_like(&self, other: &Self) -> bool {
        let (a, b): (Vec<&str>, Vec<&str>) =
            (self.fixed.split_whitespace().collect(), other.fixed.split_whitespace().collect());
        let sign = |words: &[&str]| words.last().and_then(|word| word.chars().next_back());
        if sign(&a) != sign(&b) || a.is_empty() {
            return false;
        }
        // A sign alone is not like a word with that sign.
        let bare = |words: &[&str]| words.len() == 1 && words[0].chars().count() == 1;
        if bare(&a) != bare(&b) {
            return false;
        }
        if a.len() == b.len() {
            return a.iter().zip(&b).filter(|(a, b)| a != b).count() <= 1;
        }
        // A word more.
        let (short, long) = if a.len() < b.len() { (&a, &b) } else { (&b, &a) };
        long.len() == short.len() + 1
            && (0..long.len()).any(|at| {
                let mut words = long.clone();
                words.remove(at);
                words == *short
            })
    }

    /// Is this a prompt that an assignment announced?
    pub fn announces(&self, prompt: &Prompt<'_>) -> bool {
        self.split_announced(prompt.text).is_some_and(|(found, _)| found.text == prompt.text)
    }

    fn split_announced<'a>(&self, line: &'a str) -> Option<(Prompt<'a>, &'a str)> {
        let (first, others) = self.pieces.split_first()?;
        let mut end = line.starts_with(first.as_str()).then_some(first.len())?;
        for piece in others {
            let from = end + line.get(end..)?.chars().next()?.len_utf8();
            end = from + line.get(from..)?.find(piece.as_str())? + piece.len();
        }
        (end <= MAX_PROMPT).then(|| {
            let (text, rest) = line.split_at(end);
            (Prompt::whole(text), rest)
        })
    }

    /// The prompt as it was seen, if it is one that no output is likely to hold by chance.
    pub fn literal(&self) -> Option<&str> {
        (self.shape >= Shape::ShellVersion).then_some(self.text.as_str())
    }

    /// Has the line what this prompt ends in?
    pub fn may_be_in(&self, line: &str) -> bool {
        let tail = self.tail.trim_end();
        !tail.is_empty() && line.contains(tail)
    }

    /// What it begins with, unless that changes.
    pub fn first_char(&self) -> Option<char> {
        self.text.chars().next().filter(|c| !c.is_ascii_digit() && !matches!(c, '/' | '~'))
    }

    /// Is there one of the signs in it that most prompts have?
    pub fn has_sign(&self) -> bool {
        let sign = |text: &str| text.contains(['$', '#', '%', '>']);
        sign(&self.tail) || self.pieces.last().is_some_and(|last| sign(last))
    }

    /// Is it the prompt that shows nothing?
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.pieces.is_empty()
    }

    /// Splits a line behind this prompt, which may be painted twice.
    pub fn split<'a>(&self, line: &'a str) -> Option<(Prompt<'a>, &'a str)> {
        if !self.pieces.is_empty() {
            return self.split_announced(line);
        }
        let mut found = self.split_once(line)?;
        while let Some(again) = self.split_once(found.1).filter(|_| !self.tail.trim().is_empty()) {
            // Only the prompt itself, not something typed that looks like a short one.
            if again.0.text != found.0.text {
                break;
            }
            found = again;
        }
        Some(found)
    }

    fn split_once<'a>(&self, line: &'a str) -> Option<(Prompt<'a>, &'a str)> {
        if self.fixed == OH_MY_ZSH {
            return line.starts_with(OH_MY_ZSH).then(|| Prompt::split_marked(line)).flatten();
        }
        let trimmed = self.tail.trim_end();
        if trimmed.is_empty() {
            return None;
        }
        for (at, _) in line.match_indices(trimmed).take_while(|(at, _)| *at <= MAX_PROMPT) {
            let sign = at + trimmed.len();
            let rest = &line[sign..];
            let blank = self.tail.len() > trimmed.len();
            let end = match (blank, rest.starts_with(' ')) {
                (true, true) => sign + 1,
                (true, false) if !rest.is_empty() => continue,
                _ => sign,
            };
            let last = line[..sign].chars().next_back().unwrap_or(' ');
            let body = &line[..sign - last.len_utf8()];
            let text = &line[..end];
            let prompt = Prompt::classify(text, body, last).filter(|p| p.shape == self.shape);
            let prompt = prompt.unwrap_or_else(|| Prompt::whole(text));
            if fixed(&prompt) == self.fixed {
                return Some((prompt, &line[end..]));
            }
        }
        None
    }
}

/// A prompt with what changes taken out: digits, paths, and the directory where it is known.
fn fixed(prompt: &Prompt<'_>) -> String {
    let body = prompt.text.trim_end();
    if prompt.shape == Shape::ShellVersion {
        return body.to_owned();
    }
    if body.starts_with(OH_MY_ZSH) {
        return OH_MY_ZSH.to_owned();
    }
    if prompt.shape == Shape::PowerShell {
        return format!("[{}]PS>", prompt.host.unwrap_or_default());
    }
    if let (Shape::UserAtHost, Some(user)) = (prompt.shape, prompt.user) {
        let sign = body.chars().next_back().unwrap_or(' ');
        let style = if body.starts_with('[') { "[" } else { "" };
        return format!("{style}{user}@{}{sign}", prompt.host.unwrap_or_default());
    }
    let mut out = String::new();
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            while chars.next_if(char::is_ascii_digit).is_some() {}
            out.push('0');
        } else if matches!(c, '/' | '~') {
            while chars
                .next_if(|c| !matches!(c, ' ' | ']' | ')' | '$' | '#' | '%' | '>' | ':'))
                .is_some()
            {}
            out.push('/');
        } else {
            out.push(c);
        }
    }
    out
}

/// What a prompt string of bash shows: literal pieces, with something unknown between them.
fn shown(value: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut chars = value.chars();
    let mut silent = false;
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => match chars.next() {
                Some('[') => {
                    silent = true;
                    continue;
                }
                Some(']') => {
                    silent = false;
                    continue;
                }
                // Only the last line of a prompt is in front of what is typed.
                Some('n') => {
                    pieces = vec![String::new()];
                    continue;
                }
                Some('e' | 'a' | 'r') | None => continue,
                Some('\\') => '\\',
                Some(_) => {
                    if pieces.last().is_some_and(|piece| !piece.is_empty()) || pieces.len() == 1 {
                        pieces.push(String::new());
                    }
                    continue;
                }
            },
            c => c,
        };
        if !silent && let Some(piece) = pieces.last_mut() {
            piece.push(literal);
        }
    }
    pieces
}

/// A user's or host's name as prompts show them. Empty is fine: `[@ip-10-0-1-11 ~]$` is seen where the
/// user has no name.
fn is_name(text: &str) -> bool {
    text.len() <= 64 && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_told_from_commands() {
        let cases = [
            ("sh-5.2$ whoami", Some((Shape::ShellVersion, "whoami"))),
            ("sh-4.2$ sh-4.2$ date", Some((Shape::ShellVersion, "date"))),
            ("PS C:\\Users\\x y> dir", Some((Shape::PowerShell, "dir"))),
            ("[web01]: PS C:\\> whoami", Some((Shape::PowerShell, "whoami"))),
            ("$ ls -la", Some((Shape::Bare, "ls -la"))),
            ("# id", Some((Shape::Bare, "id"))),
            ("[root@ip-172-31-34-20 bin]# cd /", Some((Shape::UserAtHost, "cd /"))),
            ("maya@web-1:~/src$ echo $HOME > x", Some((Shape::UserAtHost, "echo $HOME > x"))),
            ("sh-5.2$", Some((Shape::ShellVersion, ""))),
            ("total 12", None),
            ("uid=0(root) gid=0(root)", None),
            ("", None),
        ];
        for (line, expected) in cases {
            let found = Prompt::split(line).map(|(prompt, rest)| (prompt.shape, rest));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_prompt_tells_who_and_where() {
        let (prompt, _) =
            Prompt::split("[ec2-user@ip-10-0-1-11 ~]$ id").unwrap_or_else(|| panic!());
        assert_eq!(
            (prompt.user, prompt.host, prompt.cwd),
            (Some("ec2-user"), Some("ip-10-0-1-11"), Some("~"))
        );
    }

    #[test]
    fn a_template_is_what_stays() {
        let (prompt, _) = Prompt::split("[maya@web ~]$ cd /opt").unwrap();
        let template = Template::of(&prompt);
        assert_eq!(template.split("[maya@web opt]$ ls").map(|(_, rest)| rest), Some("ls"));
        assert_eq!(template.split("[root@web opt]# ls").map(|(_, rest)| rest), None);
        assert_eq!(template.split("[maya@web opt]# ls").map(|(_, rest)| rest), None);
    }

    #[test]
    fn an_assignment_tells_the_prompt_to_come() {
        let cases = [
            (r"PS1='\!:\#> '", "12:7> ls -la", Some("ls -la")),
            ("PS1='$ '", "$ id", Some("id")),
            (r"export PS1='\u@\h:\w\$ '", "maya@web:/x$ id", Some("id")),
            (r"PS1='[\u] \$ '", "$ id", None),
            (r"PS1='>> '", ">> id", Some("id")),
        ];
        for (assignment, line, rest) in cases {
            let template = Template::of_assignment(assignment).unwrap();
            assert_eq!(template.split(line).map(|(_, rest)| rest), rest, "{assignment}");
        }
        assert!(Template::of_assignment("echo PS1=x").is_none());
    }
}

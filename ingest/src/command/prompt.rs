//! Where does the prompt end and the typing begin?
//!
//! A prompt is text like any other; its shape is all there is. The shapes known here are those of the
//! shells that the agent starts and of the distributions' defaults, from the most to the least telling.

/// How telling a prompt's shape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// `$ ` or `# ` alone: dash, and any line of a file that begins so.
    Bare,
    /// Some word, then the sign.
    Word,
    /// `sh-5.2$ `: bash without a configured prompt.
    ShellVersion,
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

/// Longest text in front of the sign.
const MAX_PROMPT: usize = 200;

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
        for (at, sign) in line.char_indices().take_while(|&(at, _)| at <= MAX_PROMPT) {
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

    fn classify(text: &'a str, body: &'a str, sign: char) -> Option<Self> {
        let bare = |shape| Self { text, shape, user: None, host: None, cwd: None };
        if body.is_empty() {
            return matches!(sign, '$' | '#' | '%').then(|| bare(Shape::Bare));
        }
        if sign == '>' {
            return None;
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
        (!body.contains(char::is_whitespace)).then(|| bare(Shape::Word))
    }
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
}

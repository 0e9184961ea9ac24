//! History expansion: bash prints the line that it made of `sudo !!` before it runs it.

/// The line that was run, if `typed` asks for the history and `printed`, the first line behind it, can be what
/// came of it.
pub(crate) fn expanded(typed: &str, printed: &str) -> Option<String> {
    if typed.contains('\n') {
        return None;
    }
    let printed = printed.trim_end();
    if let Some(rest) = typed.strip_prefix('^') {
        // `^old^new^`: what was new is there.
        let new = rest.split('^').nth(1)?;
        return printed.contains(new).then(|| printed.to_owned());
    }
    let pieces = fixed_pieces(typed)?;
    let mut rest = printed;
    for (at, piece) in pieces.iter().enumerate() {
        let found = if at == 0 {
            rest.starts_with(piece.as_str()).then_some(0)
        } else {
            rest.find(piece.as_str())
        };
        rest = &rest[found? + piece.len()..];
    }
    // What follows the last designator ends the line.
    let last = pieces.last().map_or("", String::as_str);
    (printed.ends_with(last) && !printed.is_empty()).then(|| printed.to_owned())
}

/// The text between the history designators of a line; `None` if there are none.
fn fixed_pieces(typed: &str) -> Option<Vec<String>> {
    let mut pieces = vec![String::new()];
    let mut chars = typed.chars().peekable();
    let mut quoted = false;
    let mut previous = ' ';
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let designates = c == '!'
            && !quoted
            && previous != '\\'
            && next.is_some_and(|next| !next.is_whitespace() && !matches!(next, '=' | '(' | '"'));
        if c == '\'' {
            quoted = !quoted;
        }
        if designates {
            // `!!`, `!$`, `!-2`, `!cat`, `!echo:1`, `!?text?`
            while chars
                .next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '|' | '&' | ')' | '"'))
                .is_some()
            {}
            pieces.push(String::new());
            previous = '!';
        } else {
            if let Some(piece) = pieces.last_mut() {
                piece.push(c);
            }
            previous = c;
        }
    }
    (pieces.len() > 1).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expansion_fits_what_was_typed() {
        let cases = [
            ("sudo !!", "sudo ls /opt", true),
            ("wc -l !$", "wc -l /etc/passwd", true),
            ("!cat", "cat /etc/passwd", true),
            ("^ls^stat^", "sudo stat /opt", true),
            ("echo !echo:1", "echo recovered", true),
            ("sudo !!", "bash: !!: event not found", false),
            ("echo hi!", "hi!", false),
            ("echo '!!'", "!!", false),
            ("[ 1 != 2 ]", "x", false),
        ];
        for (typed, printed, expected) in cases {
            assert_eq!(expanded(typed, printed).is_some(), expected, "{typed} / {printed}");
        }
    }
}

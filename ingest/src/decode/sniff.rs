//! The form of an artifact, from its first bytes.

use super::transcript::script;

/// What an artifact is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing at all.
    Empty,
    /// JSON documents: CloudTrail files, envelopes. Told apart item by item.
    Json,
    /// JSON documents that hold log events, in which there may be transcripts. Read in the same way.
    JsonLogEvents,
    /// A CloudWatch Logs export task's object: `<RFC 3339 time> <message>` lines.
    LogExport,
    /// A transcript as the agent uploads it to S3, between `script`'s header and footer.
    ScriptObject,
    /// The same text with single line ends, as the agent uploads it to CloudWatch Logs.
    ScriptUpload,
    /// The terminal's bytes themselves, as the agent keeps them on the node.
    Raw,
    /// None of these.
    Unknown,
}

impl Form {
    /// May it hold transcripts? Their sessions are known only once CloudTrail has been read.
    pub const fn may_hold_transcripts(self) -> bool {
        matches!(
            self,
            Self::JsonLogEvents
                | Self::LogExport
                | Self::ScriptObject
                | Self::ScriptUpload
                | Self::Raw
        )
    }
}

/// Tells the form of what begins with `head`.
pub(crate) fn sniff(head: &[u8], name: &str) -> Form {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let trimmed = text.trim_ascii_start();
    if trimmed.is_empty() {
        // Blanks as far as can be seen may hide anything behind them.
        return if head.len() < super::SNIFF { Form::Empty } else { Form::Unknown };
    }
    if starts_json(trimmed) {
        return if holds_log_events(trimmed) { Form::JsonLogEvents } else { Form::Json };
    }
    if export_line(text).is_some() {
        return Form::LogExport;
    }
    if let Some(header) = script::Header::find(head) {
        return if header.doubled { Form::ScriptObject } else { Form::ScriptUpload };
    }
    if looks_like_terminal(head) || name.ends_with("ipcTempFile.log") {
        return Form::Raw;
    }
    Form::Unknown
}

/// `{"` or `[{`: a prompt such as `[ec2-user@host ~]$` begins with a bracket, too.
fn starts_json(text: &[u8]) -> bool {
    let Some((&first, rest)) = text.split_first() else { return false };
    let next = rest.trim_ascii_start().first();
    match first {
        b'{' => matches!(next, Some(b'"' | b'}') | None),
        b'[' => matches!(next, Some(b'{' | b']') | None),
        _ => false,
    }
}

/// Do the first items look like log events? This only decides what is read first.
fn holds_log_events(text: &[u8]) -> bool {
    let start = &text[..text.len().min(4096)];
    let has = |key: &[u8]| memchr::memmem::find(start, key).is_some();
    has(b"\"sessionData\"")
        || (has(b"\"message\"")
            && (has(b"\"logStream") || has(b"\"ingestionTime\"") || has(b"\"timestamp\"")))
}

/// Time and message of an export task's line: `2026-10-05T09:41:12.000Z message`.
pub(crate) fn export_line(line: &[u8]) -> Option<(&str, &[u8])> {
    const LEN: usize = "2026-10-05T09:41:12.000Z".len();
    let time = line.get(..LEN)?;
    let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = time.iter().zip(shape).all(|(&byte, &mark)| match mark {
        b'd' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    let message = line.get(LEN..)?;
    let message = message.strip_prefix(b" ")?;
    fits.then(|| std::str::from_utf8(time).ok().map(|time| (time, message))).flatten()
}

/// A terminal's output has a carriage return before nearly every line feed, which no text file of a
/// Linux node has, and mostly control sequences as well. Bytes that no terminal gets mean another format.
fn looks_like_terminal(head: &[u8]) -> bool {
    if head.contains(&0) {
        return false;
    }
    let feeds = memchr::memchr_iter(b'\n', head).count();
    let returns =
        memchr::memchr_iter(b'\n', head).filter(|&at| at > 0 && head[at - 1] == b'\r').count();
    let sequences = memchr::memmem::find_iter(head, b"\x1b[").take(1).count()
        + memchr::memmem::find_iter(head, b"\x1b]").take(1).count();
    let printable =
        head.iter().filter(|&&b| b >= 0x20 || matches!(b, b'\t'..=b'\r' | 0x1b | 7 | 8));
    let mostly_text = printable.count() * 20 >= head.len() * 19;
    let prompt =
        |text: &[u8]| matches!(text.first(), Some(b'$' | b'#')) && text.get(1) == Some(&b' ');
    mostly_text
        && (returns * 2 > feeds
            || sequences > 0
            || (feeds == 0 && (prompt(head) || head.starts_with(b"sh-"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_content() {
        let cases: [(&[u8], Form); 16] = [
            (b"{\"timestamp\":1,\"message\":\"x\"}", Form::JsonLogEvents),
            (b"", Form::Empty),
            (b" \n", Form::Empty),
            (b"{\"Records\":[", Form::Json),
            (b"\xef\xbb\xbf{ \"a\": 1}", Form::Json),
            (b"[ {\"a\":1}]", Form::Json),
            (b"[ec2-user@host ~]$ id\r\n", Form::Raw),
            (b"{ cat; }\r\n", Form::Raw),
            (b"# id -un\r\nroot\r\n", Form::Raw),
            (b"# Title\n\nsome text\n", Form::Unknown),
            (b"\x1b[?2004h$ ", Form::Raw),
            (b"2026-10-05T09:41:12.000Z {\"eventVersion\":\"1.0\"}\n", Form::LogExport),
            (b"Script started on 2026-10-05 09:41:12+00:00 [<x>]\n# id\r\r\n", Form::ScriptObject),
            (b"Script started on 2026-10-05 09:41:12+0000\n# id\r\n", Form::ScriptUpload),
            (b"\x7fELF\x02\x01\x01\0\0\0\0", Form::Unknown),
            (b"just text\n", Form::Unknown),
        ];
        for (head, form) in cases {
            assert_eq!(sniff(head, "x"), form, "{}", head.escape_ascii());
        }
    }
}

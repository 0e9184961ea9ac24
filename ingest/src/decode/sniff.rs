//! The form of an artifact, from its first bytes.

use super::run_command::CommandOutput;
use super::transcript::powershell::Banner;
use super::transcript::script;

/// What an artifact is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing at all.
    Empty,
    /// JSON documents: CloudTrail files, envelopes. Told apart item by item.
    Json,
    /// A CloudWatch Logs export task's object: `<RFC 3339 time> <message>` lines.
    LogExport,
    /// A transcript as the agent uploads it to S3, between `script`'s header and footer.
    ScriptObject,
    /// The same text with single line ends, as the agent uploads it to CloudWatch Logs.
    ScriptUpload,
    /// The terminal's bytes themselves, as the agent keeps them on the node.
    Raw,
    /// A transcript that PowerShell wrote.
    PowerShell,
    /// What a Run Command invocation printed. The only form that its name alone tells: it can be anything.
    RunCommand,
    /// None of these.
    Unknown,
}

impl Form {
    /// Is it a transcript, and nothing else? Its session is known only once CloudTrail has been read.
    pub const fn is_transcript(self) -> bool {
        matches!(self, Self::ScriptObject | Self::ScriptUpload | Self::Raw | Self::PowerShell)
    }

    /// May it hold both records and transcripts?
    pub const fn may_hold_both(self) -> bool {
        matches!(self, Self::Json | Self::LogExport)
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
    if CommandOutput::of_path(name, model::Place::new(name, 0)).is_some() {
        return Form::RunCommand;
    }
    if Banner::find(head).is_some() {
        return Form::PowerShell;
    }
    if is_agents_file(name) {
        // Whatever a session printed, this is its terminal.
        return Form::Raw;
    }
    if is_session_object(name) && !starts_json_event(trimmed) {
        // What the person made the terminal show must not decide what the object is.
        return match script::Header::find(head) {
            Some(header) if header.doubled => Form::ScriptObject,
            Some(_) => Form::ScriptUpload,
            None => Form::Raw,
        };
    }
    if starts_json(trimmed) || cut_ndjson(trimmed) {
        return Form::Json;
    }
    if export_line(text).is_some() {
        return Form::LogExport;
    }
    if let Some(header) = script::Header::find(head) {
        return if header.doubled { Form::ScriptObject } else { Form::ScriptUpload };
    }
    if looks_like_terminal(head) {
        return Form::Raw;
    }
    Form::Unknown
}

/// The agent's own file on a node: `…/orchestration/<session id>/<plugin>/ipcTempFile.log`.
fn is_agents_file(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.ends_with("/ipcTempFile.log") && name.contains("/orchestration/")
}

/// The object that the agent uploads: `<session id>.log`.
fn is_session_object(name: &str) -> bool {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let file = file.strip_suffix(".gz").unwrap_or(file);
    file.strip_suffix(".log").is_some_and(model::SessionId::looks_like)
}

/// Log events of a session, saved under its name.
fn starts_json_event(text: &[u8]) -> bool {
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let has = |key: &[u8]| memchr::memmem::find(line, key).is_some();
    starts_json(text)
        && !line.ends_with(b"\r")
        && ((has(b"\"sessionData\"") && has(b"\"sessionId\""))
            || (has(b"\"message\"") && has(b"\"timestamp\"")))
}

/// NDJSON whose first line was cut off, as rotation leaves it: the next one is whole.
fn cut_ndjson(text: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else { return false };
    let (line, rest) = text.split_at(end);
    line.trim_ascii_end().ends_with(b"}")
        && line.contains(&b'"')
        && starts_json(rest.trim_ascii_start())
}

/// `{"` or `[{`: a prompt such as `[ec2-user@host ~]$` begins with a bracket, too.
pub(crate) fn starts_json(text: &[u8]) -> bool {
    let Some((&first, rest)) = text.split_first() else { return false };
    let next = rest.trim_ascii_start().first();
    match first {
        b'{' => matches!(next, Some(b'"' | b'}') | None),
        b'[' => matches!(next, Some(b'{' | b']') | None),
        _ => false,
    }
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
    let shell =
        memchr::memmem::find(head, b"\x1b[?2004h").is_some() || head.starts_with(b"\x1b[?1034h");
    shell && returns * 2 > feeds
        || mostly_text
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
            (b"ab\":1}\n{\"eventName\":\"x\"}\n", Form::Json),
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

    #[test]
    fn what_a_session_prints_does_not_decide_what_its_recording_is() {
        let printed = b"{\"Records\":[{\"eventName\":\"x\"}]}\r\n$ id\r\n";
        let agent =
            "x/i-1/session/orchestration/maya-0123456789abcdef0/Standard_Stream/ipcTempFile.log";
        assert_eq!(sniff(printed, agent), Form::Raw);
        assert_eq!(sniff(printed, "maya-0123456789abcdef0.log"), Form::Raw);
        assert_eq!(sniff(printed, "trail.json"), Form::Json);
        let streamed = b"{\"sessionId\":\"maya-0123456789abcdef0\",\"sessionData\":[\"$ id\"]}\n";
        assert_eq!(sniff(streamed, "maya-0123456789abcdef0.log"), Form::Json);
    }
}

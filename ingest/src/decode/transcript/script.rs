//! The text that `script` makes of a recording: header, body, footer (FORMATS A3).
//!
//! Told by structure, not by its English words, which are translated on localised nodes: in an S3 object
//! the second terminal has put `\r` before every line feed of the body, so only the header's and the
//! footer's own line feeds stand alone.

use jiff::Timestamp;

use super::super::time::parse_time;

/// The first line of a `script` recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes, line feed included.
    pub(crate) len: usize,
    /// The time in it: the end of the session.
    pub(crate) time: Option<Timestamp>,
    /// `COMMAND="…"`, which names node and session.
    pub(crate) command: Option<String>,
    /// Are the body's line ends doubled, as in an S3 object?
    pub(crate) doubled: bool,
    /// Did the agent print the recording in a shell of its own, as before version 2.3.978? What that shell
    /// printed itself has ordinary line ends.
    pub(crate) wrapped: bool,
}

/// Longest header taken.
const MAX_HEADER: usize = 2048;

impl Header {
    /// The header at the start of `head`, if there is one.
    pub(crate) fn find(head: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b'\n', &head[..head.len().min(MAX_HEADER)])?;
        let line = std::str::from_utf8(&head[..end]).ok()?;
        if line.ends_with('\r') || line.chars().any(char::is_control) {
            return None;
        }
        let english = line.starts_with("Script started on ");
        let dated = has_clock(line) && has_year(line);
        if !(english || dated) {
            return None;
        }
        let body = &head[end + 1..];
        let doubled = is_doubled(body);
        // Without the English words the body has to look like a terminal's.
        if !english && !doubled && !body.contains(&b'\r') && !body.contains(&0x1b) {
            return None;
        }
        let (before, bracket) = line.split_once(" [").map_or((line, ""), |(a, b)| (a, b));
        let command = bracket
            .split_once("COMMAND=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(command, _)| command.to_owned());
        let first = &body[..body.len().min(MAX_HEADER)];
        let wrapped = memchr::memmem::find(first, b"ssm-session-logger ").is_some();
        Some(Self { len: end + 1, time: time_in(before), command, doubled, wrapped })
    }
}

/// A `12:34` somewhere.
fn has_clock(line: &str) -> bool {
    line.as_bytes()
        .windows(5)
        .any(|w| w[2] == b':' && [w[0], w[1], w[3], w[4]].iter().all(u8::is_ascii_digit))
}

/// A year from 1990 to 2099 somewhere.
fn has_year(line: &str) -> bool {
    line.as_bytes().windows(4).any(|w| {
        (w.starts_with(b"20") || w.starts_with(b"199")) && w.iter().all(u8::is_ascii_digit)
    })
}

/// Has every line feed but the footer's a carriage return before it, and most of them two? (A body of
/// one line may have no line feed at all.)
fn is_doubled(body: &[u8]) -> bool {
    let (mut ends, mut double) = (0, 0);
    for at in memchr::memchr_iter(b'\n', body) {
        if at >= 1 && body[at - 1] == b'\r' {
            ends += 1;
            double += usize::from(at >= 2 && body[at - 2] == b'\r');
        }
    }
    double * 2 > ends
}

/// The time at the end of `… started on <time>`, in the forms that newer versions write.
fn time_in(text: &str) -> Option<Timestamp> {
    // `2026-10-05 09:41:12+00:00`: two words at the end.
    let mut words = text.rsplit(' ');
    let (clock, date) = (words.next()?, words.next()?);
    parse_time(&format!("{date} {clock}"))
}

/// Takes a body apart from its footer, as it streams by: the footer can only be told at the end.
pub(crate) struct Body {
    doubled: bool,
    /// Line ends with one carriage return are the wrapping shell's own.
    wrapped: bool,
    /// Bytes that may belong to the footer, or of which the next byte decides.
    held: Vec<u8>,
    /// Offset of the first held byte.
    held_at: u64,
}

/// Longest footer: `\nScript done on <time> [COMMAND_EXIT_CODE="0"]\n`, translated.
const MAX_FOOTER: usize = 512;

/// The footer of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// The time in it.
    pub(crate) time: Option<Timestamp>,
}

impl Body {
    pub(crate) const fn new(doubled: bool, offset: u64) -> Self {
        Self { doubled, wrapped: false, held: Vec::new(), held_at: offset }
    }

    /// A body inside a shell of the agent's own.
    pub(crate) const fn wrapped(mut self, wrapped: bool) -> Self {
        self.wrapped = wrapped;
        self
    }

    /// Takes more of the body; hands over what is certainly not footer, undone, with its offset.
    pub(crate) fn push(&mut self, bytes: &[u8], write: &mut impl FnMut(&[u8], u64)) {
        self.held.extend_from_slice(bytes);
        let Some(free) = self.held.len().checked_sub(MAX_FOOTER) else { return };
        // Whole lines go, so that a pair of `\r` and `\n` is never torn.
        let Some(at) = memchr::memrchr(b'\n', &self.held[..free]) else {
            if free > 16 << 10 {
                self.release(free, write);
            }
            return;
        };
        self.release(at + 1, write);
    }

    /// Bytes held back.
    pub(crate) const fn held(&self) -> usize {
        self.held.len()
    }

    /// The end: hands over the rest without the footer, which it returns.
    pub(crate) fn finish(mut self, write: &mut impl FnMut(&[u8], u64)) -> Option<Footer> {
        let found = self.footer();
        let end = found.as_ref().map_or(self.held.len(), |(at, _)| *at);
        self.release(end, write);
        found.map(|(_, footer)| footer)
    }

    /// Only the last footer at the very end counts: a program can print any number of them.
    fn footer(&self) -> Option<(usize, Footer)> {
        let text = self.held.strip_suffix(b"\n").unwrap_or(&self.held);
        let at = memchr::memrchr(b'\n', text)?;
        if text.len() - at > MAX_FOOTER {
            return None;
        }
        // In the doubled form every line feed of the body has a carriage return before it, so that a
        // bare one at the very end is `script`'s own, whatever a program printed before.
        if self.doubled && (text.len() == self.held.len() || text.ends_with(b"\r")) {
            return None;
        }
        let line = std::str::from_utf8(&text[at + 1..]).ok()?;
        let english = line.starts_with("Script done on ");
        if line.chars().any(char::is_control) || !(english || has_clock(line) && has_year(line)) {
            return None;
        }
        if !self.doubled && !english && !line.contains("COMMAND_EXIT_CODE=") {
            return None;
        }
        let before = line.split_once(" [").map_or(line, |(before, _)| before);
        Some((at, Footer { time: time_in(before) }))
    }

    fn release(&mut self, len: usize, write: &mut impl FnMut(&[u8], u64)) {
        let mut from = 0;
        if self.doubled {
            // Every `\n` came out of the second terminal as `\r\n`: take one `\r` back.
            while let Some(at) = memchr::memchr(b'\n', &self.held[from..len]) {
                let feed = from + at;
                let returned = feed > from && self.held[feed - 1] == b'\r';
                let twice = returned && feed > from + 1 && self.held[feed - 2] == b'\r';
                let end = if returned && (twice || !self.wrapped) { feed - 1 } else { feed };
                if end > from {
                    write(&self.held[from..end], self.held_at + from as u64);
                }
                write(b"\n", self.held_at + feed as u64);
                from = feed + 1;
            }
        }
        if from < len {
            write(&self.held[from..len], self.held_at + from as u64);
        }
        self.held.drain(..len);
        self.held_at += len as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_of_every_version_are_known() {
        let cases = [
            ("Script started on Fri 19 May 2017 03:56:41 PM CDT\n", None),
            ("Script started on 2022-01-25 06:49:24+0000\n", Some(1_643_093_364)),
            ("Script started on 2020-11-24 11:32:29-05:00\n", Some(1_606_235_549)),
            (
                "Script started on 2026-10-05 09:00:00+00:00 [<not executed on terminal>]\n",
                Some(1_791_190_800),
            ),
            ("Script started on Thu Jul  7 19:22:34 2016\n", None),
            (
                "Skript gestartet am 2026-10-05 09:00:00+00:00 [<nicht ausgeführt>]\n$ id\r\r\n",
                Some(1_791_190_800),
            ),
        ];
        for (text, time) in cases {
            let header = Header::find(text.as_bytes());
            let found = header.map(|header| header.time.map(Timestamp::as_second));
            assert_eq!(found, Some(time), "{text}");
        }
        for text in ["hello 2020 12:00\nworld\n", "$ date\r\n", "", "Script started on"] {
            assert_eq!(Header::find(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_header_of_new_versions_names_node_and_session() {
        let header = Header::find(
            b"Script started on 2026-10-05 09:00:00+00:00 [COMMAND=\"cat /var/lib/amazon/ssm/i-0123456789abcdef0/session/orchestration/maya-0d225423a59c47fc5/Standard_Stream/ipcTempFile.log\" <not executed on terminal>]\n",
        )
        .unwrap();
        let mut head = super::super::TranscriptHead::new(
            model::Place::new("x", 0),
            super::super::TranscriptForm::S3,
        );
        head.learn_from_header(&header.command.unwrap());
        assert_eq!(head.target.as_deref(), Some("i-0123456789abcdef0"));
        assert_eq!(head.session_id.unwrap().as_str(), "maya-0d225423a59c47fc5");
    }

    fn undo(doubled: bool, body: &[u8], chunk: usize) -> (Vec<u8>, Option<Footer>) {
        let mut reading = Body::new(doubled, 0);
        let mut out = Vec::new();
        let mut write = |bytes: &[u8], at: u64| {
            let at = usize::try_from(at).unwrap();
            assert_eq!(&body[at..at + bytes.len()], bytes, "the offset is that of the bytes");
            out.extend_from_slice(bytes);
        };
        for part in body.chunks(chunk) {
            reading.push(part, &mut write);
        }
        let footer = reading.finish(&mut write);
        (out, footer)
    }

    const FOOTER: &str = "\nScript done on 2026-10-05 09:00:00+00:00 [COMMAND_EXIT_CODE=\"0\"]\n";

    #[test]
    fn only_the_last_footer_counts() {
        let forged =
            format!("$ x\r\r\nScript done on 2026-10-05 09:00:00+00:00\r\r\n$ y\r\r\n{FOOTER}");
        let (body, footer) = undo(true, forged.as_bytes(), 7);
        assert_eq!(body, b"$ x\r\nScript done on 2026-10-05 09:00:00+00:00\r\n$ y\r\n");
        assert!(footer.is_some());
        let cut = "$ x\r\r\nScript done on 2026-10-05 09:00:00+00:00\r\r\n";
        assert_eq!(undo(true, cut.as_bytes(), 7).1, None);
    }

    proptest! {
        /// What `script` does to the terminal's bytes, done and undone, at any chunking.
        #[test]
        fn the_second_terminal_is_undone_exactly(
            ipc in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), 0x20_u8..0x7f, any::<u8>()], 0..3000),
            chunk in 1_usize..700,
            footer in any::<bool>(),
        ) {
            let mut object = Vec::new();
            for &byte in &ipc {
                if byte == b'\n' {
                    object.push(b'\r');
                }
                object.push(byte);
            }
            if footer {
                object.extend_from_slice(FOOTER.as_bytes());
            }
            let (body, found) = undo(true, &object, chunk);
            prop_assert_eq!(found.is_some(), footer);
            prop_assert_eq!(body, ipc);
        }
    }
}

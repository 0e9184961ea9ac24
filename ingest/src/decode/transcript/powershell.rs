//! A transcript that PowerShell wrote (`Start-Transcript`), which is what the agent uploads on Windows (FORMATS A6): the
//! console's text between two banners, with the agent's own replaying command in front.

use std::char::{REPLACEMENT_CHARACTER, decode_utf16};

/// Longest banner looked at, in bytes.
const MAX_BANNER: usize = 16 << 10;

/// What the file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16,
}

/// The banner in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Banner {
    pub(crate) encoding: Encoding,
    /// Bytes of the byte order mark.
    pub(crate) mark: usize,
    /// The user the session ran as, `MACHINE\user`.
    pub(crate) user: Option<String>,
}

impl Banner {
    /// Finds the banner at the start of a file. Its words are in the system's language, so it is told by its frame:
    /// a row of stars, a title, lines `name: value`, a row of stars.
    pub(crate) fn find(head: &[u8]) -> Option<Self> {
        let (encoding, mark) = match head {
            [0xff, 0xfe, ..] => (Encoding::Utf16, 2),
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [b'*', 0, ..] => (Encoding::Utf16, 0),
            _ => (Encoding::Utf8, 0),
        };
        let head = &head[mark..head.len().min(MAX_BANNER)];
        // Whatever else it is, it begins with no frame.
        if head.first() != Some(&b'*') {
            return None;
        }
        let mut text = String::new();
        match encoding {
            Encoding::Utf8 => text.push_str(&String::from_utf8_lossy(head)),
            Encoding::Utf16 => push_utf16(head, &mut text),
        }
        let mut lines = text.lines();
        if !is_frame(lines.next()?) {
            return None;
        }
        let _title = lines.next()?;
        let mut values: Vec<(&str, &str)> = Vec::new();
        for line in lines.take(40) {
            if is_frame(line) {
                let named = |name: &str| {
                    values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
                };
                // The second is the user in every language; the first is the time.
                let user = named("Username").or_else(|| values.get(1).map(|(_, value)| *value));
                let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
                return (values.len() >= 3).then_some(Self { encoding, mark, user });
            }
            if let Some((name, value)) = line.split_once(": ") {
                values.push((name.trim(), value.trim()));
            }
        }
        None
    }
}

fn is_frame(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 10 && line.bytes().all(|byte| byte == b'*')
}

fn push_utf16(bytes: &[u8], text: &mut String) {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    text.extend(decode_utf16(units).map(|c| c.unwrap_or(REPLACEMENT_CHARACTER)));
}

/// Turns the file's bytes into lines of UTF-8, each with where it stands.
pub(crate) struct Lines {
    encoding: Encoding,
    /// Bytes of a line that has not ended.
    rest: Vec<u8>,
    /// Where they stand.
    offset: u64,
    frames: [bool; 3],
}

/// Longest line held back; a longer one is cut.
const MAX_LINE: usize = 1 << 20;

impl Lines {
    pub(crate) const fn new(encoding: Encoding, offset: u64) -> Self {
        Self { encoding, rest: Vec::new(), offset, frames: [false; 3] }
    }

    /// Takes in bytes; `line` is told each line without its end, where it begins, and where the next does.
    pub(crate) fn push(&mut self, bytes: &[u8], line: &mut impl FnMut(&str, u64, u64)) {
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let mut from = 0;
        while let Some(end) = self.line_end(&rest[from..]) {
            self.line(&rest[from..from + end], line);
            from += end;
        }
        self.rest = rest[from..].to_vec();
    }

    /// The end of the file. Returns whether the closing banner is there.
    pub(crate) fn finish(mut self, line: &mut impl FnMut(&str, u64, u64)) -> bool {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.line(&rest, line);
        }
        // Stars, a title and a time, stars: the last of four lines.
        self.frames[0]
    }

    /// Length of the first line with its end.
    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        let end = match self.encoding {
            Encoding::Utf8 => memchr::memchr(b'\n', bytes).map(|at| at + 1),
            Encoding::Utf16 => {
                bytes.chunks_exact(2).position(|unit| unit == [b'\n', 0]).map(|unit| 2 * unit + 2)
            }
        };
        // Cut between characters, as far as can be.
        end.or_else(|| (bytes.len() > MAX_LINE).then_some(MAX_LINE))
    }

    fn line(&mut self, bytes: &[u8], line: &mut impl FnMut(&str, u64, u64)) {
        let next = self.offset + bytes.len() as u64;
        let mut text = String::with_capacity(bytes.len());
        match self.encoding {
            Encoding::Utf8 => text.push_str(&String::from_utf8_lossy(bytes)),
            Encoding::Utf16 => push_utf16(bytes, &mut text),
        }
        let text = text.trim_end_matches(['\r', '\n']);
        if !text.is_empty() {
            self.frames.rotate_right(1);
            self.frames[0] = is_frame(text);
        }
        line(text, self.offset, next);
        self.offset = next;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A transcript as Windows PowerShell 5.1 frames it.
    pub(crate) const SAMPLE: &str = "**********************\r\n\
        Windows PowerShell transcript start\r\n\
        Start time: 20261005094112\r\n\
        Username: EC2AMAZ-7K2\\ssm-user\r\n\
        RunAs User: EC2AMAZ-7K2\\ssm-user\r\n\
        Machine: EC2AMAZ-7K2 (Microsoft Windows NT 10.0.20348.0)\r\n\
        Host Application: powershell.exe\r\n\
        **********************\r\n\
        PS C:\\Windows\\system32> &'C:\\Program Files\\Amazon\\SSM\\ssm-session-logger.exe' C:\\x\\ipcTempFile.log true\r\n\
        Windows PowerShell\r\n\
        \r\n\
        PS C:\\Windows\\system32> whoami /all\r\n\
        ec2amaz-7k2\\ssm-user\r\n\
        PS C:\\Windows\\system32> cd C:\\Users\r\n\
        PS C:\\Users> Get-ChildItem |\r\n\
        >> Select-Object Name\r\n\
        Größe\r\n\
        PS C:\\Users> exit\r\n\
        PS C:\\Windows\\system32> exit\r\n\
        **********************\r\n\
        Windows PowerShell transcript end\r\n\
        End time: 20261005094412\r\n\
        **********************\r\n";

    pub(crate) fn utf16(text: &str) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    }

    #[test]
    fn the_banner_is_told_by_its_frame() {
        let found = Banner::find(SAMPLE.as_bytes());
        assert_eq!(found.as_ref().and_then(|b| b.user.as_deref()), Some("EC2AMAZ-7K2\\ssm-user"));
        let found = Banner::find(&utf16(SAMPLE));
        assert_eq!(found.map(|b| (b.encoding, b.mark)), Some((Encoding::Utf16, 2)));
        let german = SAMPLE.replace("Username", "Benutzername").replace("Start time", "Startzeit");
        let marked = [b"\xef\xbb\xbf", german.as_bytes()].concat();
        let found = Banner::find(&marked);
        assert_eq!(
            found.map(|b| (b.mark, b.user)),
            Some((3, Some("EC2AMAZ-7K2\\ssm-user".into())))
        );
        assert_eq!(Banner::find(b"**********************\r\nhello\r\n"), None);
    }

    #[test]
    fn lines_are_the_same_in_both_encodings_and_however_they_arrive() {
        let read = |bytes: &[u8], encoding, piece: usize| {
            let mut lines = Lines::new(encoding, 0);
            let mut out = Vec::new();
            for chunk in bytes.chunks(piece) {
                lines.push(chunk, &mut |text, _, _| out.push(text.to_owned()));
            }
            let whole = lines.finish(&mut |text, _, _| out.push(text.to_owned()));
            (out, whole)
        };
        let expected: Vec<String> = SAMPLE.lines().map(str::to_owned).collect();
        for piece in [1, 2, 3, 7, 100_000] {
            assert_eq!(read(SAMPLE.as_bytes(), Encoding::Utf8, piece), (expected.clone(), true));
            assert_eq!(read(&utf16(SAMPLE)[2..], Encoding::Utf16, piece), (expected.clone(), true));
        }
    }
}

//! A folder of files that are hashed while they are written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its name in the folder.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// Rows, where it has rows.
    pub rows: Option<u64>,
}

/// A file that is being written.
pub struct Hashing {
    name: String,
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Hashing {
    /// Begins a file in a folder.
    pub fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let path: PathBuf = folder.join(name);
        let file = File::create(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        let out = BufWriter::with_capacity(256 << 10, file);
        Ok(Self { name: name.to_owned(), out, hash: Sha256::new(), bytes: 0 })
    }

    /// Ends it.
    pub fn finish(mut self, rows: Option<u64>) -> io::Result<Written> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        let Self { name, hash, bytes, .. } = self;
        Ok(Written { name, bytes, sha256: hex(&hash.finalize()), rows })
    }
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.out.write(buffer)?;
        self.hash.update(&buffer[..length]);
        self.bytes += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

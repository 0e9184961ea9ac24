//! One JSON object a line.

use std::io;

use model::Finding;

use super::{Row, Write};

/// Writes NDJSON.
pub struct Ndjson<W> {
    out: W,
}

impl<W: io::Write> Ndjson<W> {
    /// Writes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: io::Write> Write for Ndjson<W> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Row::from(finding))?;
        self.out.write_all(b"\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! One JSON object a line.

use std::io;

use model::Finding;

use super::json::write_line;
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
        write_line(&mut self.out, &Row::from(finding))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

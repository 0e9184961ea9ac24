//! Where findings go.

use std::io::{self, BufWriter, Write as _};

use report::write::{Csv, Ndjson, Text, TextOptions, Write};

use crate::args::Format;

/// Opens standard output for findings.
pub(crate) fn open(format: Format, text: TextOptions) -> Box<dyn Write> {
    match format {
        // Escape sequences are taken out again where there is no terminal.
        Format::Text => Box::new(Text::new(BufWriter::new(anstream::stdout()), text)),
        Format::Json => Box::new(Ndjson::new(BufWriter::new(io::stdout()))),
        Format::Csv => Box::new(Csv::new(BufWriter::new(io::stdout()))),
    }
}

/// Prints text to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

//! CSV, safe to open in a spreadsheet.

use std::borrow::Cow;
use std::io;

use model::{Evidence, Finding, Visible};
use serde::Serialize;

use super::{Row, Write};

/// Writes CSV with a header, also when there are no findings.
pub struct Csv<W: io::Write> {
    out: csv::Writer<W>,
    begun: bool,
}

/// The header: [`Row`]'s fields.
const COLUMNS: [&str; 24] = [
    "finding_id",
    "rule_id",
    "rule_title",
    "level",
    "tags",
    "time",
    "time_end",
    "session_id",
    "principal",
    "principal_type",
    "principal_claimed_name",
    "account",
    "region",
    "target",
    "event_id",
    "event_name",
    "command",
    "source_ip",
    "error_code",
    "evidence",
    "artifact",
    "artifact_offset",
    "correlated_count",
    "correlated",
];

impl<W: io::Write> Csv<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        // Always quoted: which character separates cells is the reader's setting.
        let out = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(out);
        Self { out, begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.out.write_record(COLUMNS)?;
        }
        Ok(())
    }
}

/// Writes rows of a view as CSV: a header, which is also there without rows, and the fields in their order.
pub fn rows<T: Serialize>(out: impl io::Write, columns: &[&str], rows: &[T]) -> io::Result<()> {
    let mut out = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(out);
    out.write_record(columns)?;
    // Through CSV once, which knows how to write a field; then each cell is made safe.
    for some in rows.chunks(1024) {
        let mut plain = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        for row in some {
            plain.serialize(row)?;
        }
        let plain = plain.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let mut cells = csv::ReaderBuilder::new().has_headers(false).from_reader(&*plain);
        let mut record = csv::StringRecord::new();
        while cells.read_record(&mut record)? {
            for cell in &record {
                out.write_field(&*inert(cell))?;
            }
            out.write_record(None::<&[u8]>)?;
        }
    }
    out.flush()
}

/// Text as it may stand in a cell: control characters as escapes, as in text output, and nothing that a
/// spreadsheet runs. A cell that begins with one of these is a formula; a quote in front makes it text
/// (OWASP, "CSV Injection").
fn inert(cell: &str) -> Cow<'_, str> {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    // Nearly all of millions: names, numbers and times that are as they are.
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" ./:_-@,+=".contains(byte);
    if cell.bytes().next().is_none_or(|first| first.is_ascii_alphanumeric())
        && cell.as_bytes().iter().all(plain)
    {
        return Cow::Borrowed(cell);
    }
    let shown = Visible(cell).to_string();
    let first = cell.trim_start().chars().next();
    if first.is_some_and(|first| FORMULA.contains(&first)) || cell.starts_with(['\t', '\r', '\n']) {
        format!("'{shown}").into()
    } else {
        shown.into()
    }
}

fn evidence(evidence: &[Evidence]) -> String {
    let parts: Vec<String> = evidence
        .iter()
        .map(|e| format!("{}={}", e.field, e.value.as_deref().unwrap_or("(absent)")))
        .collect();
    parts.join("; ")
}

impl<W: io::Write> Write for Csv<W> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.begin()?;
        let row = Row::from(finding);
        let tags = row.tags.join(" ");
        let evidence = evidence(row.evidence);
        let offset = row.artifact_offset.to_string();
        let correlated: Vec<&str> = row.correlated.iter().map(|part| part.finding_id).collect();
        let correlated = correlated.join(" ");
        let text = |cell: Option<&'_ str>| cell.unwrap_or_default().to_owned();
        let cells = [
            row.finding_id.to_owned(),
            row.rule_id.to_owned(),
            row.rule_title.to_owned(),
            row.level.to_owned(),
            tags,
            row.time.unwrap_or_default(),
            row.time_end.unwrap_or_default(),
            text(row.session_id),
            text(row.principal),
            text(row.principal_type),
            text(row.principal_claimed_name),
            text(row.account),
            text(row.region),
            text(row.target),
            text(row.event_id),
            text(row.event_name),
            text(row.command),
            text(row.source_ip),
            text(row.error_code),
            evidence,
            row.artifact.to_owned(),
            offset,
            row.correlated_count.to_string(),
            correlated,
        ];
        self.out.write_record(cells.iter().map(|cell| inert(cell).into_owned()))?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_formula_passes_alive() {
        for cell in ["=cmd()", "+1", "-1", "@x", "\t=1", "\r=1", "＝1"] {
            assert!(inert(cell).starts_with('\''), "{cell:?}");
        }
        assert_eq!(inert("a=b"), "a=b");
        assert_eq!(inert("a\u{1b}[2J\u{9b}1m\n"), r"a\x1b[2J\x9b1m\n");
    }
}

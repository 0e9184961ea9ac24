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
    let mut table = Table::new(out, columns)?;
    table.write(rows)?;
    table.finish().map(|_| ())
}

/// Rows of a table as CSV, as they come.
pub struct Table<W: io::Write> {
    out: csv::Writer<W>,
    rows: u64,
}

impl<W: io::Write> Table<W> {
    /// Begins it with a header.
    pub fn new(out: W, columns: &[&str]) -> io::Result<Self> {
        let mut out =
            csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(out);
        out.write_record(columns)?;
        Ok(Self { out, rows: 0 })
    }

    /// Writes some: their fields, in the columns' order.
    pub fn write<T: Serialize>(&mut self, rows: &[T]) -> io::Result<()> {
        self.rows += rows.len() as u64;
        write_rows(&mut self.out, rows)
    }

    /// Writes a row by the names of its fields. Of a list the items stand with blanks between.
    pub fn write_named<T: Serialize>(&mut self, columns: &[&str], row: &T) -> io::Result<()> {
        self.rows += 1;
        let row = serde_json::to_value(row)?;
        for column in columns {
            let cell = match &row[column] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(items) => {
                    let items: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
                    items.join(" ")
                }
                other => other.to_string(),
            };
            self.out.write_field(&*inert(&cell))?;
        }
        self.out.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Ends it; gives back what was written to, and the number of rows.
    pub fn finish(self) -> io::Result<(W, u64)> {
        let rows = self.rows;
        let out = self.out.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        Ok((out, rows))
    }
}

fn write_rows<W: io::Write, T: Serialize>(out: &mut csv::Writer<W>, rows: &[T]) -> io::Result<()> {
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
    Ok(())
}

/// How many rows a CSV has, its header left out; `None` if it is none.
pub fn count_rows(bytes: &[u8]) -> Option<u64> {
    let mut reader = csv::Reader::from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record).ok()? {
        rows += 1;
    }
    Some(rows)
}

/// The rows of a CSV, by the names in its header.
pub fn read_rows<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, String> {
    let rows = csv::Reader::from_reader(bytes).into_deserialize();
    rows.collect::<Result<_, _>>().map_err(|error| error.to_string())
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

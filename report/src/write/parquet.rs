//! Rows of a report as Parquet, streamed.

use std::io::Write;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use jiff::Timestamp;

use crate::view::{Notes, SessionRow};

/// A file of rows, as they come.
pub struct Parquet<W: Write + Send> {
    writer: ArrowWriter<W>,
    rows: u64,
}

impl<W: Write + Send> Parquet<W> {
    /// Begins it.
    pub fn new(out: W, schema: SchemaRef) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            // Not the library's version: the bytes shall be the same when it changes.
            .set_created_by("ssm-audit".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .build();
        Ok(Self { writer: ArrowWriter::try_new(out, schema, Some(properties))?, rows: 0 })
    }

    /// Writes some.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch)
    }

    /// Ends it; gives back what was written to, and the number of rows.
    pub fn finish(self) -> Result<(W, u64), ParquetError> {
        let rows = self.rows;
        Ok((self.writer.into_inner()?, rows))
    }
}

/// The columns of `access.parquet`: those of the sessions view, and the notes.
pub fn access_schema() -> SchemaRef {
    let fields = SessionRow::COLUMNS.iter().map(|name| {
        let kind = match *name {
            "mfa" => DataType::Boolean,
            "start" | "end" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "duration_s" => DataType::Float64,
            "commands" | "findings" => DataType::Int64,
            _ => DataType::Utf8,
        };
        Field::new(*name, kind, true)
    });
    let notes = Field::new("notes", DataType::Utf8, true);
    Arc::new(Schema::new(fields.chain([notes]).collect::<Vec<_>>()))
}

/// Sessions with their notes, as columns.
pub fn access_batch<'r>(rows: &'r [(SessionRow<'r>, Notes)]) -> RecordBatch {
    let text = |of: fn(&'r SessionRow<'r>) -> Option<&'r str>| -> ArrayRef {
        Arc::new(rows.iter().map(|(row, _)| of(row)).collect::<StringArray>())
    };
    let time = |of: fn(&SessionRow<'_>) -> Option<Timestamp>| -> ArrayRef {
        let micros = rows.iter().map(|(row, _)| of(row).map(Timestamp::as_microsecond));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let number = |of: fn(&SessionRow<'_>) -> u64| -> ArrayRef {
        let numbers = rows.iter().map(|(row, _)| i64::try_from(of(row)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(numbers))
    };
    let columns: Vec<ArrayRef> = vec![
        text(|row| Some(row.session_id)),
        text(|row| row.principal_arn),
        text(|row| row.principal_type),
        text(|row| row.principal_name),
        text(|row| row.account),
        text(|row| row.region),
        text(|row| row.target),
        text(|row| row.kind),
        text(|row| row.document),
        text(|row| row.reason),
        Arc::new(rows.iter().map(|(row, _)| row.mfa).collect::<BooleanArray>()),
        text(|row| row.source_ip),
        text(|row| row.user_agent),
        text(|row| row.run_as),
        time(|row| row.start),
        time(|row| row.end),
        text(|row| row.end_source),
        Arc::new(rows.iter().map(|(row, _)| row.duration_s).collect::<Float64Array>()),
        number(|row| row.commands),
        number(|row| row.findings),
        text(|row| row.highest_level),
        text(|row| Some(row.coverage.as_str())),
        text(|row| Some(&*row.coverage_reason)),
        Arc::new(rows.iter().map(|(_, notes)| Some(notes.to_string())).collect::<StringArray>()),
    ];
    RecordBatch::try_new(access_schema(), columns).expect("columns of the schema")
}

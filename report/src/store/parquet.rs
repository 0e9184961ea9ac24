//! Rows to Parquet and back: the same rows, the same bytes.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::reader::ChunkReader;
use arrow_array::RecordBatch;

use super::table::Row;

/// Rows in a group: what is read at once.
const GROUP: usize = 128 << 10;
/// Rows in a batch.
const BATCH: usize = 8 << 10;

/// Writes a file. The rows are put in order first: by time, then by what is theirs alone.
pub fn encode<R: Row>(rows: &mut [R]) -> Result<Vec<u8>, ParquetError> {
    rows.sort_by(R::order);
    let schema = R::schema();
    let properties = WriterProperties::builder()
        // Not the library's version: the bytes shall be the same when it changes.
        .set_created_by("ssm-audit".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    for chunk in rows.chunks(BATCH) {
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), R::columns(chunk))?)?;
    }
    writer.into_inner()
}

/// Reads a file, batch by batch.
pub struct Batches(ParquetRecordBatchReader);

impl Batches {
    /// Opens it. Only the columns named are read; all if there are none.
    pub fn open<C: ChunkReader + 'static>(file: C, columns: &[&str]) -> Result<Self, ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH);
        let mask = if columns.is_empty() {
            ProjectionMask::all()
        } else {
            ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied())
        };
        Ok(Self(builder.with_projection(mask).build()?))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.map_err(ParquetError::from))
    }
}

/// The rows of a file.
pub fn decode<R: Row>(bytes: impl Into<bytes::Bytes>) -> Result<Vec<R>, ParquetError> {
    let mut rows = Vec::new();
    for batch in Batches::open(bytes.into(), &[])? {
        rows.extend(R::read(&batch?));
    }
    Ok(rows)
}

//! Rows to Parquet and back: the same rows, the same bytes.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::RowGroupMetaData;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::reader::ChunkReader;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};

use super::table::Row;

/// Rows in a group: what is read at once.
const GROUP: usize = 128 << 10;
/// So few rows are not compressed.
const FEW: usize = 128;
/// So few rows are not worth their dictionaries.
const FOLDED: i64 = 1024;
/// Rows in a batch.
const BATCH: usize = 8 << 10;

/// Writes a file. The rows are put in order first: by time, then by what is theirs alone.
pub fn encode<R: Row>(rows: &mut [R]) -> Result<Vec<u8>, ParquetError> {
    rows.sort_by(R::order);
    let schema = R::schema();
    // Most files are a few rows of one artifact: there is nothing to compress, and a context for each column costs more
    // than everything else.
    let compression = if rows.len() < FEW {
        Compression::UNCOMPRESSED
    } else {
        Compression::ZSTD(ZstdLevel::try_new(3)?)
    };
    let properties = WriterProperties::builder()
        // Not the library's version: the bytes shall be the same when it changes.
        .set_created_by("ssm-audit".to_owned())
        .set_compression(compression)
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
        Self::of(builder, columns)
    }

    /// Opens it to be folded: texts come with their dictionaries, but for those in `plain`, which are nearly all
    /// different.
    pub(crate) fn fold<C: ChunkReader + 'static>(
        file: C,
        columns: &[&str],
        plain: &[&str],
    ) -> Result<Self, ParquetError> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
        if metadata.metadata().file_metadata().num_rows() < FOLDED {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
            return Self::of(builder, columns);
        }
        let keyed = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        // A dictionary that is not in the file would have to be made.
        let has_dictionary = |name: &str| {
            let mut chunks =
                metadata.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
            chunks.all(|chunk| {
                chunk.column_path().parts() != [name] || chunk.dictionary_page_offset().is_some()
            })
        };
        let fields = metadata.schema().fields().iter().map(|field| {
            let name = field.name().as_str();
            let is_text = *field.data_type() == DataType::Utf8;
            if is_text && !plain.contains(&name) && has_dictionary(name) {
                Arc::new(field.as_ref().clone().with_data_type(keyed.clone()))
            } else {
                Arc::clone(field)
            }
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowReaderOptions::default().with_schema(schema);
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        Self::of(builder.with_batch_size(GROUP), columns)
    }

    fn of<C: ChunkReader + 'static>(
        builder: ParquetRecordBatchReaderBuilder<C>,
        columns: &[&str],
    ) -> Result<Self, ParquetError> {
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

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::store::{Activity, CommandRow};

    fn time() -> impl Strategy<Value = Option<Timestamp>> {
        proptest::option::of(-1_000_000_000_000_i64..4_000_000_000_000_000)
            .prop_map(|micros| micros.and_then(|m| Timestamp::from_microsecond(m).ok()))
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("\\PC{0,8}")
    }

    prop_compose! {
        fn command()(
            time in time(), session_id in text(), ordinal in 0..5_u64, text in "\\PC{0,8}",
            level in proptest::option::of(0..9_u64), user in text(),
        ) -> CommandRow {
            CommandRow { time, session_id, ordinal, text, user, level, ..CommandRow::default() }
        }
    }

    prop_compose! {
        fn activity()(time in time(), event_id in text(), mfa in proptest::option::of(any::<bool>()), offset in 0..9_u64)
            -> Activity {
            Activity { time, event_id, mfa, offset, ..Activity::default() }
        }
    }

    /// What is written is what is read, in the table's order; and in whatever order it came, the bytes are the same.
    fn holds<R: Row + Clone + PartialEq + std::fmt::Debug>(
        mut rows: Vec<R>,
        seed: u64,
    ) -> Result<(), TestCaseError> {
        let first = encode(&mut rows).unwrap();
        let mut again = rows.clone();
        let mut at = seed;
        for i in (1..again.len()).rev() {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            again.swap(i, usize::try_from(at >> 33).unwrap_or_default() % (i + 1));
        }
        // Rows that the order does not tell apart would be a coincidence of all their keys.
        again.sort_by(R::order);
        let read = decode::<R>(first.clone()).unwrap();
        prop_assert_eq!(&read, &rows);
        if again == rows {
            prop_assert_eq!(encode(&mut again).unwrap(), first);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_same_rows_are_the_same_bytes(rows in proptest::collection::vec(command(), 0..200), seed: u64) {
            holds(rows, seed)?;
        }

        #[test]
        fn and_so_they_are_in_other_tables(rows in proptest::collection::vec(activity(), 0..40), seed: u64) {
            holds(rows, seed)?;
        }
    }

    #[test]
    fn a_column_that_a_file_has_not_reads_as_null() {
        let mut rows = vec![CommandRow { text: "ls".to_owned(), ..CommandRow::default() }];
        let bytes = encode(&mut rows).unwrap();
        let batch = Batches::open(bytes::Bytes::from(bytes), &["text"]).unwrap().next().unwrap();
        let batch = batch.unwrap();
        assert_eq!(batch.num_columns(), 1);
        assert_eq!(CommandRow::read(&batch), rows);
        assert!(batch.column(0).is_valid(0));
    }
}

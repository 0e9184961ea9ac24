//! The rows of a report as another engine has computed them: files of Parquet, by the names of `deploy/sql/report.sql`.
//!
//! What an engine writes is not to the letter what this program would have: times in other units, numbers of another width. That
//! is put right here; a column that is missing, or of another kind, is an error that names it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Int32Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array as _, ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::commands::{self, Commands};
use super::events::EventRow;
use super::sessions::Sessions;
use crate::store::{Batches, FindingRow, Row};

/// A folder with them: `access`, `commands`, `findings`, `events`, each a file `NAME.parquet` or a folder of files.
#[derive(Clone, Debug)]
pub struct Tables(PathBuf);

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct TableError {
    /// The table, or its file.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl Tables {
    /// In this folder.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    fn files(&self, name: &str) -> io::Result<Vec<PathBuf>> {
        let one = self.0.join(format!("{name}.parquet"));
        if one.is_file() {
            return Ok(vec![one]);
        }
        // Spark's job has the same rows as CSV beside it.
        let folder = self.0.join(name);
        let inner = folder.join("parquet");
        let mut files = Vec::new();
        below(if inner.is_dir() { &inner } else { &folder }, &mut files)?;
        files.sort();
        Ok(files)
    }

    /// Calls `each` with the rows of a table, as `schema` says.
    fn read(
        &self,
        name: &str,
        schema: &Schema,
        mut each: impl FnMut(&RecordBatch),
    ) -> Result<(), TableError> {
        let failed = |reason: String| TableError { name: name.to_owned(), reason };
        let files = self.files(name).map_err(|error| failed(error.to_string()))?;
        for path in files {
            let failed = |reason: String| TableError { name: path.display().to_string(), reason };
            let file = File::open(&path).map_err(|error| failed(error.to_string()))?;
            // An engine that finds nothing may write an empty file.
            if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
                continue;
            }
            let batches = Batches::open(file, &[]).map_err(|error| failed(error.to_string()))?;
            for batch in batches {
                let batch = batch.map_err(|error| failed(error.to_string()))?;
                each(&conform(&batch, schema).map_err(failed)?);
            }
        }
        Ok(())
    }

    /// The sessions.
    pub fn sessions(&self) -> Result<Sessions, TableError> {
        let mut sessions = Sessions::empty();
        let schema = crate::write::access_schema();
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        // The notes are told here.
        fields.pop();
        self.read("access", &Schema::new(fields), |batch| sessions.take(batch))?;
        Ok(sessions)
    }

    /// The commands, with what they are of.
    pub fn commands(
        &self,
        sessions: &Sessions,
        mut each: impl FnMut(Commands),
    ) -> Result<(), TableError> {
        self.read("commands", &commands::schema(), |batch| {
            each(Commands::taken(batch.clone(), sessions));
        })
    }

    /// The findings.
    pub fn findings(&self, mut each: impl FnMut(FindingRow)) -> Result<(), TableError> {
        self.read("findings", &FindingRow::schema(), |batch| {
            FindingRow::read(batch).into_iter().for_each(&mut each);
        })
    }

    /// Refused attempts and changes.
    pub fn events(&self) -> Result<Vec<EventRow>, TableError> {
        let mut rows = Vec::new();
        self.read("events", &EventRow::schema(), |batch| rows.extend(EventRow::read(batch)))?;
        rows.sort_by(EventRow::order);
        Ok(rows)
    }
}

/// The files below a folder, but for those that engines write for themselves.
fn below(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(['_', '.']) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            below(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The columns of `schema`, in their order and of its types.
fn conform(batch: &RecordBatch, schema: &Schema) -> Result<RecordBatch, String> {
    let mut columns = Vec::new();
    let mut fields = Vec::new();
    for field in schema.fields() {
        let name = field.name();
        let column =
            batch.column_by_name(name).ok_or_else(|| format!("it has no column `{name}`"))?;
        columns.push(column_of(column, field.data_type()).ok_or_else(|| {
            format!("its column `{name}` is {}, not {}", column.data_type(), field.data_type())
        })?);
        // Engines do not say what is never null.
        fields.push(Field::new(name, field.data_type().clone(), true));
    }
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, columns).map_err(|error| error.to_string())
}

fn column_of(column: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    if column.data_type() == wanted {
        return Some(Arc::clone(column));
    }
    match (column.data_type(), wanted) {
        (DataType::Int32, DataType::Int64) => {
            let numbers = column.as_primitive::<Int32Type>();
            Some(Arc::new(numbers.iter().map(|n| n.map(i64::from)).collect::<Int64Array>()))
        }
        // Whatever it is called: a time is a number of microseconds since 1970, in UTC.
        (DataType::Timestamp(unit, _), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            let micros: TimestampMicrosecondArray = match unit {
                TimeUnit::Second => column
                    .as_primitive::<TimestampSecondType>()
                    .iter()
                    .map(|time| time.and_then(|time| time.checked_mul(1_000_000)))
                    .collect(),
                TimeUnit::Millisecond => column
                    .as_primitive::<TimestampMillisecondType>()
                    .iter()
                    .map(|time| time.and_then(|time| time.checked_mul(1_000)))
                    .collect(),
                TimeUnit::Microsecond => {
                    column.as_primitive::<TimestampMicrosecondType>().iter().collect()
                }
                TimeUnit::Nanosecond => column
                    .as_primitive::<TimestampNanosecondType>()
                    .iter()
                    .map(|time| time.map(|time| time.div_euclid(1_000)))
                    .collect(),
            };
            Some(Arc::new(micros.with_timezone("UTC")))
        }
        // The item of a list may be called anything.
        (DataType::List(item), DataType::List(wanted))
            if item.data_type() == wanted.data_type() =>
        {
            let list = column.as_list::<i32>().clone();
            let (_, offsets, values, nulls) = list.into_parts();
            let list = arrow_array::ListArray::try_new(Arc::clone(wanted), offsets, values, nulls);
            list.ok().map(|list| Arc::new(list) as ArrayRef)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{StringArray, TimestampNanosecondArray};

    use super::*;

    #[test]
    fn times_and_numbers_are_put_right() {
        let times = TimestampNanosecondArray::from(vec![Some(1_500), None, Some(-1)]);
        let times: ArrayRef = Arc::new(times);
        let wanted = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let times = column_of(&times, &wanted).unwrap();
        let micros: Vec<_> = times.as_primitive::<TimestampMicrosecondType>().iter().collect();
        assert_eq!((times.data_type(), micros), (&wanted, vec![Some(1), None, Some(-1)]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        assert!(column_of(&text, &DataType::Int64).is_none());
        let batch = RecordBatch::try_from_iter([("a", text)]).unwrap();
        let schema = Schema::new(vec![Field::new("b", DataType::Utf8, true)]);
        assert!(conform(&batch, &schema).unwrap_err().contains("`b`"));
    }
}

//! A table of facts: its columns, and rows to and from Arrow.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use jiff::Timestamp;
use jiff::civil::Date;

/// A row of a table.
pub trait Row: Sized {
    /// The table's name: a folder under `facts/`.
    const TABLE: &'static str;
    /// Counted up when a column changes its meaning or goes. Columns may be added without.
    const VERSION: u32;

    /// Its columns.
    fn fields() -> Vec<Field>;
    /// The columns of these rows, or of what has them.
    fn columns<R: Borrow<Self>>(rows: &[R]) -> Vec<ArrayRef>;
    /// The rows of a batch. A column that is not there reads as null: the file may be older than it.
    fn read(batch: &RecordBatch) -> Vec<Self>;
    /// When it happened; tells the partition.
    fn time(&self) -> Option<Timestamp>;
    /// What rows are sorted by, behind the time.
    fn order(&self, other: &Self) -> std::cmp::Ordering;

    /// The schema, with name and version in its metadata.
    fn schema() -> Arc<Schema> {
        schema(Self::TABLE, Self::VERSION, Self::fields())
    }
}

/// A schema with name and version in its metadata.
pub(crate) fn schema(table: &str, version: u32, fields: Vec<Field>) -> Arc<Schema> {
    let metadata: HashMap<String, String> = HashMap::from([
        ("ssm_audit.table".to_owned(), table.to_owned()),
        ("ssm_audit.version".to_owned(), version.to_string()),
    ]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// The UTC day of a time: the partition that a row lies in.
pub fn day(time: Option<Timestamp>) -> Option<Date> {
    time.map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// A kind of column.
pub trait Column {
    /// What a row holds.
    type Value;
    fn field(name: &str) -> Field;
    fn array<'v>(values: impl Iterator<Item = &'v Self::Value>) -> ArrayRef
    where
        Self::Value: 'v;
    fn value(array: Option<&ArrayRef>, at: usize) -> Self::Value;
}

fn there(array: Option<&ArrayRef>, at: usize) -> Option<&ArrayRef> {
    array.filter(|array| array.is_valid(at))
}

/// Text that is always there.
pub struct Text;

impl Column for Text {
    type Value = String;

    fn field(name: &str) -> Field {
        Field::new(name, DataType::Utf8, false)
    }

    fn array<'v>(values: impl Iterator<Item = &'v String>) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(values))
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> String {
        MaybeText::value(array, at).unwrap_or_default()
    }
}

/// Text.
pub struct MaybeText;

impl Column for MaybeText {
    type Value = Option<String>;

    fn field(name: &str) -> Field {
        Field::new(name, DataType::Utf8, true)
    }

    fn array<'v>(values: impl Iterator<Item = &'v Option<String>>) -> ArrayRef {
        Arc::new(values.map(Option::as_deref).collect::<StringArray>())
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> Option<String> {
        let texts = there(array, at)?.as_string_opt::<i32>()?;
        Some(texts.value(at).to_owned())
    }
}

/// A list of texts.
pub struct Texts;

impl Column for Texts {
    type Value = Vec<String>;

    fn field(name: &str) -> Field {
        let item = Field::new("item", DataType::Utf8, true);
        Field::new(name, DataType::List(Arc::new(item)), false)
    }

    fn array<'v>(values: impl Iterator<Item = &'v Vec<String>>) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for list in values {
            for text in list {
                lists.values().append_value(text);
            }
            lists.append(true);
        }
        Arc::new(lists.finish())
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> Vec<String> {
        let Some(list) = there(array, at).and_then(|array| array.as_list_opt::<i32>()) else {
            return Vec::new();
        };
        let items = list.value(at);
        let texts = items.as_string_opt::<i32>();
        texts.into_iter().flat_map(|texts| texts.iter().flatten().map(str::to_owned)).collect()
    }
}

/// A time in UTC, to the microsecond.
pub struct Time;

impl Column for Time {
    type Value = Option<Timestamp>;

    fn field(name: &str) -> Field {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Field::new(name, utc, true)
    }

    fn array<'v>(values: impl Iterator<Item = &'v Option<Timestamp>>) -> ArrayRef {
        let micros = values.map(|time| time.map(Timestamp::as_microsecond));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> Option<Timestamp> {
        let times = there(array, at)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Timestamp::from_microsecond(times.value(at)).ok()
    }
}

/// A count, a size, an offset. Signed in the file: not every engine knows other numbers.
pub struct Number;

impl Column for Number {
    type Value = u64;

    fn field(name: &str) -> Field {
        Field::new(name, DataType::Int64, false)
    }

    fn array<'v>(values: impl Iterator<Item = &'v u64>) -> ArrayRef {
        let signed = values.map(|number| i64::try_from(*number).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(signed))
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> u64 {
        MaybeNumber::value(array, at).unwrap_or_default()
    }
}

/// The same, where it may be unknown.
pub struct MaybeNumber;

impl Column for MaybeNumber {
    type Value = Option<u64>;

    fn field(name: &str) -> Field {
        Field::new(name, DataType::Int64, true)
    }

    fn array<'v>(values: impl Iterator<Item = &'v Option<u64>>) -> ArrayRef {
        let signed = values.map(|number| number.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        Arc::new(signed.collect::<Int64Array>())
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> Option<u64> {
        let numbers = there(array, at)?.as_primitive_opt::<Int64Type>()?;
        u64::try_from(numbers.value(at)).ok()
    }
}

/// Yes, no or unknown.
pub struct MaybeFlag;

impl Column for MaybeFlag {
    type Value = Option<bool>;

    fn field(name: &str) -> Field {
        Field::new(name, DataType::Boolean, true)
    }

    fn array<'v>(values: impl Iterator<Item = &'v Option<bool>>) -> ArrayRef {
        Arc::new(values.copied().collect::<BooleanArray>())
    }

    fn value(array: Option<&ArrayRef>, at: usize) -> Option<bool> {
        Some(there(array, at)?.as_boolean_opt()?.value(at))
    }
}

/// Defines a row type: its fields are the table's columns, in order.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $row:ident = $table:literal, version $version:literal, at $time:ident, then by $($key:ident),+;
        $( $(#[$column_doc:meta])* $column:ident: $kind:ident, )+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $row {
            $( $(#[$column_doc])* #[serde(default)] pub $column: <$kind as Column>::Value, )+
        }

        impl Row for $row {
            const TABLE: &'static str = $table;
            const VERSION: u32 = $version;

            fn fields() -> Vec<Field> {
                vec![$( <$kind as Column>::field(stringify!($column)), )+]
            }

            fn columns<R: std::borrow::Borrow<Self>>(rows: &[R]) -> Vec<ArrayRef> {
                let rows = || rows.iter().map(std::borrow::Borrow::<Self>::borrow);
                vec![$( <$kind as Column>::array(rows().map(|row| &row.$column)), )+]
            }

            fn read(batch: &RecordBatch) -> Vec<Self> {
                $( let $column = batch.column_by_name(stringify!($column)); )+
                (0..batch.num_rows())
                    .map(|at| Self { $( $column: <$kind as Column>::value($column, at), )+ })
                    .collect()
            }

            fn time(&self) -> Option<Timestamp> {
                self.$time
            }

            fn order(&self, other: &Self) -> Ordering {
                let key = |row: &Self| ($( row.$key.clone(), )+);
                self.$time.cmp(&other.$time).then_with(|| key(self).cmp(&key(other)))
            }
        }
    };
}

pub(crate) use table;

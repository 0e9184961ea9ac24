//! The commands of some sessions, each once, day by day.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, new_null_array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave;
use foldhash::quality::RandomState;
use foldhash::{HashSet, HashSetExt as _};
use jiff::Timestamp;
use jiff::civil::Date;

use super::period::Period;
use super::sessions::{Range, SessionNumber, Sessions};
use super::symbols::{Flags, Numbers, Texts};
use crate::store::{CommandRow, Entry, Store, StoreError};

/// Whose commands.
pub struct Wanted<'a> {
    /// All sessions, read with their transcripts.
    pub sessions: &'a Sessions,
    /// By a session's number: is it one of those?
    pub is_wanted: &'a [bool],
    /// When it is looked.
    pub as_of: Timestamp,
    /// Commands of transcripts that do not tell their session are told if they were run in it, and `are_unowned_wanted`.
    pub period: &'a Period,
    /// See there.
    pub are_unowned_wanted: bool,
    /// Changes texts before they go out.
    pub redact: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// Commands of a day, in order of their time.
pub struct Commands {
    /// The columns of [`schema`].
    pub batch: RecordBatch,
    /// Whose each is.
    pub sessions: Vec<Option<SessionNumber>>,
}

impl Commands {
    /// Those that another engine has computed.
    pub(super) fn taken(batch: RecordBatch, sessions: &Sessions) -> Self {
        let ids = Texts::of(&batch, "session_id");
        let of = |at| ids.get(at).and_then(|id| sessions.find(id));
        let sessions = (0..batch.num_rows()).map(of).collect();
        // What is never null is said by the schema, and not by every engine.
        let batch = RecordBatch::try_new(schema(), batch.columns().to_vec()).unwrap_or(batch);
        Self { batch, sessions }
    }

    /// With other texts, where there are names to take out.
    #[must_use]
    pub fn redacted(self, redact: &dyn Fn(&str) -> Option<String>) -> Self {
        let columns = self.batch.columns().iter().map(|column| {
            let Some(texts) = column.as_any().downcast_ref::<StringArray>() else {
                return Arc::clone(column);
            };
            let changed = texts.iter().map(|text| {
                let text = text?;
                Some(redact(text).map_or(Cow::Borrowed(text), Cow::Owned))
            });
            Arc::new(changed.collect::<StringArray>()) as ArrayRef
        });
        let batch = RecordBatch::try_new(self.batch.schema(), columns.collect());
        Self { batch: batch.expect("columns of the schema"), ..self }
    }

    /// Each command: whose it is, and what a page shows of it.
    pub fn each(&self, mut each: impl FnMut(Option<SessionNumber>, Line<'_>)) {
        let texts = |name| Texts::of(&self.batch, name);
        let (text, status, confidence) = (texts("text"), texts("status"), texts("confidence"));
        let (user, times) = (texts("user"), Numbers::of(&self.batch, "time"));
        let privileged = Flags::of(&self.batch, "privileged");
        for (at, session) in self.sessions.iter().enumerate() {
            let line = Line {
                time: times.get(at),
                text: text.get(at).unwrap_or_default(),
                status: status.get(at).unwrap_or_default(),
                confidence: confidence.get(at).unwrap_or_default(),
                user: user.get(at),
                is_privileged: privileged.get(at) == Some(true),
            };
            each(*session, line);
        }
    }
}

/// A command, as far as a page shows it.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Microseconds.
    pub time: Option<i64>,
    /// The line.
    pub text: &'a str,
    /// What became of it.
    pub status: &'a str,
    /// How sure that is.
    pub confidence: &'a str,
    /// The user that the prompt shows.
    pub user: Option<&'a str>,
    /// Was it run as root, or does it change to another user?
    pub is_privileged: bool,
}

/// Columns taken as they are from the facts, in front of and behind `privileged`.
const FACTS: [&str; 12] = [
    "time",
    "time_end",
    "ordinal",
    "text",
    "original",
    "shell",
    "status",
    "confidence",
    "user",
    "host",
    "cwd",
    "level",
];
const BEHIND: [&str; 3] = ["artifact", "offset", "offset_end"];

/// The columns: what is known of the session, the command, whether it was run as root, and where it stands.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let own = <CommandRow as crate::store::Row>::fields();
    let fact = |name: &&str| own.iter().find(|field| field.name() == *name).cloned();
    let mut fields: Vec<Field> =
        ["session_id", "principal_arn", "account", "region", "target"].map(text).into();
    fields.extend(FACTS.iter().filter_map(fact));
    fields.push(Field::new("privileged", DataType::Boolean, false));
    fields.extend(BEHIND.iter().filter_map(fact));
    Arc::new(Schema::new(fields))
}

/// The columns' names.
pub fn columns() -> Vec<String> {
    schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Words that give a command, or what follows, another user's rights.
const RAISING: [&str; 7] = ["sudo", "su", "doas", "pkexec", "runuser", "gsudo", "runas"];

/// What stands between words. `deploy/sql/report.sql` has the same.
const BETWEEN: &[char] = &[
    ' ', '\t', '\n', '\r', ';', '&', '|', '(', ')', '{', '}', '<', '>', '`', '$', '"', '\'', '/',
    '\\', '=',
];

/// Was a line run as root, or does it name a program that changes to another user? Too much rather than too little: `echo sudo`
/// is one.
fn is_privileged(user: Option<&str>, text: &str) -> bool {
    matches!(user, Some("root" | "Administrator"))
        || text.split(BETWEEN).any(|word| RAISING.contains(&word))
}

/// Calls `each` with the commands of each day.
pub fn read(
    store: &Store,
    range: Range,
    wanted: &Wanted<'_>,
    mut each: impl FnMut(Commands) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (since, until) = range.days_as_of(wanted.as_of);
    let mut days: BTreeMap<Option<Date>, Vec<Entry>> = BTreeMap::new();
    for file in store.files::<CommandRow>(since, until)? {
        let day = file.path.split('/').find_map(|part| part.strip_prefix("date="));
        days.entry(day.and_then(|day| day.parse().ok())).or_default().push(file);
    }
    let (mut told, seeds) = (HashSet::new(), Default::default());
    for files in days.values() {
        let mut batches = Vec::new();
        store.read::<CommandRow>(files, &[], |batch| batches.push(batch.clone()))?;
        let commands = wanted.of(&batches, &mut told, &seeds).map_err(|error| {
            // Which of the day's files it was, arrow does not say.
            let path = files.first().map(|file| file.path.clone()).unwrap_or_default();
            StoreError::Parquet { path, source: error.into() }
        })?;
        if let Some(commands) = commands {
            each(commands)?;
        }
    }
    Ok(())
}

/// A row, by what puts it in its place.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'b> {
    time: Option<i64>,
    session: &'b str,
    artifact: &'b str,
    ordinal: i64,
    offset: i64,
    text: &'b str,
    place: (usize, usize),
}

impl Key<'_> {
    /// What makes it this command, whenever it was read. As wide as two, with seeds that nobody outside knows.
    fn hash(&self, seeds: &[RandomState; 2]) -> u128 {
        let what = (self.session, self.artifact, self.ordinal, self.offset, self.text);
        let [high, low] = [0, 1].map(|at| u128::from(seeds[at].hash_one(what)));
        high << 64 | low
    }
}

impl Wanted<'_> {
    fn of(
        &self,
        batches: &[RecordBatch],
        told: &mut HashSet<u128>,
        seeds: &[RandomState; 2],
    ) -> Result<Option<Commands>, ArrowError> {
        let mut keys: Vec<(Key<'_>, Option<SessionNumber>)> = Vec::new();
        let (since, until) = (self.period.since(), self.period.until());
        let span = since.as_microsecond()..until.as_microsecond();
        for (nth, batch) in batches.iter().enumerate() {
            let (ids, artifacts) = (Texts::of(batch, "session_id"), Texts::of(batch, "artifact"));
            let times = Numbers::of(batch, "time");
            let lines = Texts::of(batch, "text");
            let (ordinals, offsets) = (Numbers::of(batch, "ordinal"), Numbers::of(batch, "offset"));
            // Rows of a session stand together where there is no time to tell them apart.
            let mut known: Option<(&str, Option<SessionNumber>)> = None;
            for at in 0..batch.num_rows() {
                let (id, time) = (ids.get(at), times.get(at));
                let artifact = artifacts.get(at).unwrap_or_default();
                let session = match id {
                    None => None,
                    Some(id) if known.is_some_and(|(last, _)| last == id) => {
                        known.and_then(|k| k.1)
                    }
                    Some(id) => {
                        let found = self.sessions.find(id);
                        known = Some((id, found));
                        found
                    }
                };
                let is_wanted = match session {
                    Some(session) => {
                        self.is_wanted[session.index()] && self.sessions.shows(session, artifact)
                    }
                    None => {
                        id.is_none()
                            && self.are_unowned_wanted
                            && time.is_some_and(|time| span.contains(&time))
                    }
                };
                if is_wanted {
                    let key = Key {
                        time,
                        session: id.unwrap_or_default(),
                        artifact,
                        ordinal: ordinals.get(at).unwrap_or_default(),
                        offset: offsets.get(at).unwrap_or_default(),
                        text: lines.get(at).unwrap_or_default(),
                        place: (nth, at),
                    };
                    keys.push((key, session));
                }
            }
        }
        if keys.is_empty() {
            return Ok(None);
        }
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        // The same command, from a version of the object that was there before: that may lie in another day.
        let mut today = HashSet::with_capacity(keys.len());
        keys.retain(|(key, session)| {
            let hash = key.hash(seeds);
            let is_told_again = session.is_some_and(|s| self.sessions.is_told_again(s));
            today.insert(hash) && (!is_told_again || told.insert(hash))
        });
        if keys.is_empty() {
            return Ok(None);
        }
        let places: Vec<(usize, usize)> = keys.iter().map(|(key, _)| key.place).collect();
        let sessions: Vec<Option<SessionNumber>> =
            keys.iter().map(|(_, session)| *session).collect();
        let batch = self.batch(batches, &keys, &places)?;
        Ok(Some(Commands { batch, sessions }))
    }

    fn batch(
        &self,
        batches: &[RecordBatch],
        keys: &[(Key<'_>, Option<SessionNumber>)],
        places: &[(usize, usize)],
    ) -> Result<RecordBatch, ArrowError> {
        let redact = |text: Option<&str>| -> Option<String> { (self.redact)(text?) };
        let texts = |values: Vec<Option<&str>>| -> ArrayRef {
            let changed = values
                .iter()
                .map(|text| redact(*text).map(Cow::Owned).or_else(|| text.map(Cow::Borrowed)));
            Arc::new(changed.collect::<StringArray>())
        };
        let who: Vec<[Option<&str>; 4]> = keys
            .iter()
            .map(|(_, session)| session.map(|s| self.sessions.who(s)).unwrap_or_default())
            .collect();
        let session = |key: &Key<'_>| key.session.to_owned();
        let ids: Vec<String> = keys.iter().map(|(key, _)| session(key)).collect();
        let mut columns: Vec<ArrayRef> = vec![texts(
            ids.iter().map(|id| Some(id.as_str()).filter(|id| !id.is_empty())).collect(),
        )];
        for at in 0..4 {
            columns.push(texts(who.iter().map(|who| who[at]).collect()));
        }
        let schema = schema();
        let gather = |name: &str| -> Result<ArrayRef, ArrowError> {
            let field = schema.field_with_name(name)?;
            // A file may be older than the column.
            let own = |batch: &RecordBatch| batch.column_by_name(name).map(Arc::clone);
            let arrays: Vec<ArrayRef> = batches
                .iter()
                .map(|batch| own(batch).unwrap_or_else(|| nothing(field, batch.num_rows())))
                .collect();
            let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &**array).collect();
            let column = interleave(&arrays, places)?;
            Ok(match column.as_any().downcast_ref::<StringArray>() {
                Some(plain) if plain.iter().any(|text| redact(text).is_some()) => {
                    texts(plain.iter().collect())
                }
                _ => column,
            })
        };
        let facts = FACTS.iter().map(|name| gather(name)).collect::<Result<Vec<_>, _>>()?;
        let place = |name: &str| FACTS.iter().position(|fact| *fact == name).unwrap_or_default();
        let column = |name: &str| facts[place(name)].as_any().downcast_ref::<StringArray>();
        let flags: Vec<bool> = match (column("user"), column("text")) {
            (Some(users), Some(lines)) => users
                .iter()
                .zip(lines.iter())
                .map(|(user, line)| is_privileged(user, line.unwrap_or_default()))
                .collect(),
            _ => vec![false; places.len()],
        };
        columns.extend(facts);
        columns.push(Arc::new(BooleanArray::from(flags)));
        for name in BEHIND {
            columns.push(gather(name)?);
        }
        RecordBatch::try_new(schema, columns)
    }
}

/// A column of nulls; where there are none, of zeroes or of empty texts.
fn nothing(field: &Field, rows: usize) -> ArrayRef {
    match field.data_type() {
        kind if field.is_nullable() => new_null_array(kind, rows),
        DataType::Int64 => Arc::new((0..rows).map(|_| Some(0)).collect::<Int64Array>()),
        _ => Arc::new((0..rows).map(|_| Some("")).collect::<StringArray>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_raised_by_words() {
        for (user, text) in [
            (Some("root"), "ls"),
            (None, "sudo ls"),
            (Some("x"), "cd / && sudo ls"),
            (None, "su"),
            (None, "true; su - postgres"),
            (None, "/usr/bin/sudo id"),
            (None, "true;sudo id"),
            (None, "echo \"$(sudo id)\""),
            (None, "a\nsu"),
        ] {
            assert!(is_privileged(user, text), "{text}");
        }
        for text in ["ls", "cat sudoers", "results", "ls su-backup"] {
            assert!(!is_privileged(Some("ssm-user"), text), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_older_or_another_harms_no_other() {
        let place = tempfile::TempDir::new().unwrap();
        let store = Store::open(place.path().to_str().unwrap()).unwrap();
        let sessions =
            Sessions::read_with_transcripts(&store, Range::default(), Timestamp::MAX).unwrap();
        let period = Period::parse("2026-10", &jiff::tz::TimeZone::UTC, Timestamp::MAX).unwrap();
        let wanted = Wanted {
            sessions: &sessions,
            is_wanted: &[],
            period: &period,
            as_of: Timestamp::MAX,
            are_unowned_wanted: true,
            redact: &|_| None,
        };
        let row = CommandRow {
            time: "2026-10-05T00:00:00Z".parse().ok(),
            text: "ls".to_owned(),
            original: Some("sl".to_owned()),
            ..CommandRow::default()
        };
        let whole = crate::store::encode(&mut [row]).unwrap();
        let whole = crate::store::Batches::open(bytes::Bytes::from(whole), &[]).unwrap();
        let whole = whole.map(Result::unwrap).next().unwrap();
        let at = whole.schema().index_of("original").unwrap();
        let mut older = whole.clone();
        older.remove_column(at);
        let of =
            |batches: &[RecordBatch]| wanted.of(batches, &mut HashSet::new(), &Default::default());
        let ordinal = whole.schema().index_of("ordinal").unwrap();
        let mut columns = whole.columns().to_vec();
        columns[ordinal] = Arc::new(Int64Array::from(vec![2]));
        let second = RecordBatch::try_new(whole.schema(), columns).unwrap();
        let both = of(&[older, second]).unwrap().unwrap().batch;
        let originals = Texts::of(&both, "original");
        assert_eq!([originals.get(0), originals.get(1)], [None, Some("sl")]);
        // A column of another kind is told, and is no reason to fall over.
        let names = whole.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        let mut columns = whole.columns().to_vec();
        columns[ordinal] = Arc::new(StringArray::from(vec!["1"]));
        let other = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
        assert!(of(&[whole, other]).is_err());
    }
}

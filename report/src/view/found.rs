//! The findings of a period, each once.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use foldhash::{HashSet, HashSetExt as _};
use jiff::Timestamp;
use serde::Serialize;

use super::period::Period;
use super::sessions::Range;
use crate::redact::Redactor;
use crate::store::{Column as _, FindingRow, Row as _, Store, StoreError, Text, schema};

/// A finding, and what became of its alert: a row of `findings.csv` and `findings.parquet`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundRow {
    /// The finding.
    #[serde(flatten)]
    pub finding: FindingRow,
    /// `delivered`, `partly`, `waiting`, or `none`: no alert was to be sent.
    pub alert_state: String,
}

impl Borrow<FindingRow> for FoundRow {
    fn borrow(&self) -> &FindingRow {
        &self.finding
    }
}

impl FoundRow {
    /// A finding, with what is known of its alert.
    pub fn new(finding: FindingRow, states: &BTreeMap<String, String>) -> Self {
        let state = states.get(&finding.finding_id).map_or("none", String::as_str);
        Self { alert_state: state.to_owned(), finding }
    }

    /// The columns.
    pub fn schema() -> Arc<Schema> {
        let fields = FindingRow::fields().into_iter().chain([Text::field("alert_state")]);
        schema("report_findings", 1, fields.collect())
    }

    /// Their values.
    pub fn batch(rows: &[Self]) -> RecordBatch {
        let states = Text::array(rows.iter().map(|row| &row.alert_state));
        let columns = FindingRow::columns(rows).into_iter().chain([states]).collect();
        RecordBatch::try_new(Self::schema(), columns).expect("columns of the schema")
    }

    /// Takes names out.
    pub fn redact(&mut self, redactor: &Redactor) {
        let row = &mut self.finding;
        let maybe = [
            &mut row.session_id,
            &mut row.principal,
            &mut row.principal_claimed_name,
            &mut row.command,
            &mut row.correlated,
        ];
        maybe.into_iter().flatten().for_each(|text| redactor.mend(text));
        redactor.mend(&mut row.evidence);
        redactor.mend(&mut row.artifact);
    }
}

/// Calls `each` for the findings of a period that `holds` wants, in order of their time. Findings without a time are told last, if
/// `holds` wants them.
pub fn read(
    store: &Store,
    period: &Period,
    as_of: Timestamp,
    holds: impl Fn(&FindingRow) -> bool,
    mut each: impl FnMut(FindingRow),
) -> Result<(), StoreError> {
    let range = Range { since: Some(period.since()), until: Some(period.until()) };
    let (since, until) = range.days_as_of(as_of);
    let files = store.files::<FindingRow>(since, until)?;
    let mut told: HashSet<u128> = HashSet::new();
    let mut tell = |rows: &mut Vec<FindingRow>| {
        // Of two files that have the same finding the first by its name and place counts.
        rows.sort_by(|a, b| {
            a.order(b).then_with(|| (&a.artifact, a.offset).cmp(&(&b.artifact, b.offset)))
        });
        for row in rows.drain(..) {
            let id = u128::from_str_radix(&row.finding_id, 16).ok();
            if id.is_none_or(|id| told.insert(id)) {
                each(row);
            }
        }
    };
    let is_wanted = |row: &FindingRow| {
        row.time.is_none_or(|time| period.holds(time) && time < as_of) && holds(row)
    };
    let mut undated = Vec::new();
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    for files in files.chunk_by(|a, b| folder(&a.path) == folder(&b.path)) {
        let mut rows = Vec::new();
        store.read::<FindingRow>(files, &[], |batch| {
            rows.extend(FindingRow::read(batch).into_iter().filter(is_wanted));
        })?;
        undated.extend(rows.extract_if(.., |row| row.time.is_none()));
        tell(&mut rows);
    }
    tell(&mut undated);
    Ok(())
}

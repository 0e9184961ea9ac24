//! The findings of a period, each once.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;
use foldhash::{HashSet, HashSetExt as _};

use jiff::Timestamp;

use super::period::Period;
use super::sessions::Range;
use crate::redact::Redactor;
use crate::store::{
    Column, FindingRow, MaybeText, Number, Row, Store, StoreError, Text, Texts, Time, table,
};

table! {
    /// A finding, and what became of its alert: a row of `findings.csv` and `findings.parquet`.
    FoundRow = "report_findings", version 1, at time, then by finding_id, artifact;
    /// When it happened; for a command the earliest time at which it can have run.
    time: Time,
    /// The latest such time.
    time_end: Time,
    /// Stable id.
    finding_id: Text,
    /// The rule's id.
    rule_id: Text,
    /// Its title.
    rule_title: Text,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    level: Text,
    /// The rule's tags.
    tags: Texts,
    /// The session.
    session_id: MaybeText,
    /// Who, as AWS authenticated them: the ARN where there is one.
    principal: MaybeText,
    /// `userIdentity.type`.
    principal_type: MaybeText,
    /// The role session name: chosen by whoever assumed the role.
    principal_claimed_name: MaybeText,
    /// The account.
    account: MaybeText,
    /// The region.
    region: MaybeText,
    /// The node or container.
    target: MaybeText,
    /// `eventID`.
    event_id: MaybeText,
    /// `eventName`, or `command`.
    event_name: MaybeText,
    /// The line that a person ran, masked.
    command: MaybeText,
    /// `sourceIPAddress`.
    source_ip: MaybeText,
    /// `errorCode`.
    error_code: MaybeText,
    /// What made the rule match: a JSON array.
    evidence: Text,
    /// What a correlation is made of: a JSON array.
    correlated: MaybeText,
    /// How many matches a correlation is made of; 0 for a finding on one event.
    correlated_count: Number,
    /// The object it was read in.
    artifact: Text,
    /// Where in it, after decompression.
    offset: Number,
    /// `delivered`, `partly`, `waiting`, or `none`: no alert was to be sent.
    alert_state: Text,
}

impl FoundRow {
    /// A finding, with what is known of its alert.
    pub fn new(row: FindingRow, states: &BTreeMap<String, String>) -> Self {
        let state = states.get(&row.finding_id).map_or("none", String::as_str);
        Self {
            alert_state: state.to_owned(),
            time: row.time,
            time_end: row.time_end,
            finding_id: row.finding_id,
            rule_id: row.rule_id,
            rule_title: row.rule_title,
            level: row.level,
            tags: row.tags,
            session_id: row.session_id,
            principal: row.principal,
            principal_type: row.principal_type,
            principal_claimed_name: row.principal_claimed_name,
            account: row.account,
            region: row.region,
            target: row.target,
            event_id: row.event_id,
            event_name: row.event_name,
            command: row.command,
            source_ip: row.source_ip,
            error_code: row.error_code,
            evidence: row.evidence,
            correlated: row.correlated,
            correlated_count: row.correlated_count,
            artifact: row.artifact,
            offset: row.offset,
        }
    }

    /// Takes names out.
    pub fn redact(&mut self, redactor: &Redactor) {
        let maybe = [
            &mut self.session_id,
            &mut self.principal,
            &mut self.principal_claimed_name,
            &mut self.command,
            &mut self.correlated,
        ];
        maybe.into_iter().flatten().for_each(|text| redactor.mend(text));
        redactor.mend(&mut self.evidence);
        redactor.mend(&mut self.artifact);
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

//! The record of what was told to whom: what an auditor reads of the alerts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;
use jiff::Timestamp;
use jiff::civil::Date;

use super::state::{Pending, Stamp, folder};
use crate::redact::Redactor;
use crate::store::{Column, MaybeText, Number, Row, Store, StoreError, Text, Time, table};

table! {
    /// A notification.
    Delivery = "alerts", version 1, at created, then by alert_id, number;
    /// When it was due.
    created: Time,
    /// The group of findings.
    alert_id: Text,
    /// Which notification of that group, from 1.
    number: Number,
    /// `delivered`: all sinks have it; `partly`: some; `waiting`: none yet.
    state: Text,
    /// The rule.
    rule_id: Text,
    /// Its title.
    rule_title: Text,
    /// The gravest level of the findings.
    level: Text,
    /// Findings that it tells of for the first time.
    findings: Number,
    /// When the first of them happened.
    first: Time,
    /// The session that they have in common.
    session_id: MaybeText,
    /// The principal that they have in common.
    principal: MaybeText,
    /// The account that they have in common.
    account: MaybeText,
    /// The region that they have in common.
    region: MaybeText,
    /// The node or container that they have in common.
    target: MaybeText,
    /// The sinks, with commas.
    sinks: Text,
    /// Those that have it, with commas.
    delivered_to: Text,
    /// When the last of them had it.
    delivered: Time,
    /// Tries that failed.
    failed_tries: Number,
}

impl Delivery {
    /// Takes names out.
    pub fn redact(&mut self, redactor: &Redactor) {
        let texts = [&mut self.session_id, &mut self.principal];
        texts.into_iter().flatten().for_each(|text| redactor.mend(text));
    }
}

/// The notifications about these days, in order of time, and what became of each finding: its id → `delivered`, `partly` or
/// `waiting`.
pub fn record(
    store: &Store,
    days: impl IntoIterator<Item = Option<Date>>,
) -> Result<(Vec<Delivery>, BTreeMap<String, String>), StoreError> {
    let (mut deliveries, mut states) = (Vec::new(), BTreeMap::new());
    for day in days {
        let mut known: BTreeMap<(String, u64), Noted> = BTreeMap::new();
        for entry in store.list(&folder(day))? {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            let Some(name) = name.strip_suffix(".json") else { continue };
            let mut parts = name.splitn(3, '.');
            let (Some(id), Some(number), Some(what)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            let noted = known.entry((id.to_owned(), number)).or_default();
            if what == "pending" {
                noted.pending = Some(entry.path);
            } else if let Some(sink) = what.strip_prefix("sent.") {
                noted.sent.insert(sink.to_owned(), entry.path);
            } else if what.starts_with("failed-") {
                noted.failed += 1;
            }
        }
        for ((alert_id, number), noted) in known {
            let Some(path) = &noted.pending else { continue };
            let Some(pending) = read::<Pending>(store, path)? else { continue };
            let has = pending.sinks.iter().filter(|sink| noted.sent.contains_key(*sink));
            let has: Vec<String> = has.cloned().collect();
            let state = match has.len() {
                0 => "waiting",
                some if some < pending.sinks.len() => "partly",
                _ => "delivered",
            };
            let mut delivered = None;
            for path in noted.sent.values() {
                delivered = delivered.max(read::<Stamp>(store, path)?.map(|stamp| stamp.time));
            }
            for id in &pending.finding_ids {
                states.insert(id.clone(), state.to_owned());
            }
            let alert = pending.alert;
            deliveries.push(Delivery {
                created: Some(pending.created),
                alert_id,
                number,
                state: state.to_owned(),
                rule_id: alert.rule_id,
                rule_title: alert.rule_title,
                level: alert.level,
                findings: pending.finding_ids.len() as u64,
                first: alert.first,
                session_id: alert.session_id,
                principal: alert.principal,
                account: alert.account,
                region: alert.region,
                target: alert.target,
                sinks: pending.sinks.join(","),
                delivered_to: has.join(","),
                delivered,
                failed_tries: noted.failed,
            });
        }
    }
    deliveries.sort_by(Delivery::order);
    Ok((deliveries, states))
}

#[derive(Default)]
struct Noted {
    pending: Option<String>,
    /// By sink.
    sent: BTreeMap<String, String>,
    failed: u64,
}

fn read<T: for<'de> serde::Deserialize<'de>>(
    store: &Store,
    path: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| StoreError::Json { path: path.to_owned(), source })
}

//! What has been told of a group, and what is due. The state is objects that are created once:
//!
//! ```text
//! alerts/date=D/<alert id>.<n>.pending.json     the n-th notification: who created it sends it
//! alerts/date=D/<alert id>.<n>.sent.<sink>.json that sink has it
//! alerts/date=D/<alert id>.<n>.failed-<k>.json  the k-th try is over, and not all sinks have it
//! alerts/date=D/<alert id>.<n>.retry-<k>.json   the k-th try: who created it sends it
//! ```
//!
//! A process that dies between the first and the second leaves a notification pending. When a try is [`LEASE`] old, or
//! has failed, the next sweep may take it up: nothing is lost, and a sink hears twice at most as often as processes died.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Alert, Group, Routes};
use crate::sink::Receipt;
use crate::store::{Store, StoreError};

/// A try that is older belongs to a process that is gone.
pub const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// A notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) created: Timestamp,
    /// The findings that it tells of.
    pub(super) finding_ids: Vec<String>,
    pub(super) sinks: Vec<String>,
    pub(super) alert: Alert,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) time: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    /// What was done, where it is more than to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<serde_json::Value>,
}

/// What the store knows of the notifications of a group.
#[derive(Clone, Debug, Default)]
struct Known {
    /// By number.
    notifications: BTreeMap<u32, Notification>,
}

#[derive(Clone, Debug, Default)]
struct Notification {
    pending: bool,
    sent: BTreeSet<String>,
    retries: u32,
    failed: BTreeSet<u32>,
}

/// A notification that is to be sent now, by this process and no other.
#[derive(Clone, Debug)]
pub struct Due {
    /// What.
    pub alert: Alert,
    /// To whom; those that have it are left out.
    pub sinks: Vec<String>,
    day: Option<Date>,
    /// Which try: 0 is the first.
    attempt: u32,
}

/// The state of the alerts of some days.
#[derive(Debug)]
pub struct State<'s> {
    store: &'s Store,
    known: BTreeMap<String, Known>,
}

pub(super) fn folder(day: Option<Date>) -> String {
    let day = day.map_or_else(|| crate::store::NO_DATE.to_owned(), |day| day.to_string());
    format!("alerts/date={day}")
}

fn path(day: Option<Date>, id: &str, number: u32, what: &str) -> String {
    format!("{}/{id}.{number}.{what}.json", folder(day))
}

impl<'s> State<'s> {
    /// As if nothing had been told: what is there already will not be created, and so not be sent.
    pub const fn blank(store: &'s Store) -> Self {
        Self { store, known: BTreeMap::new() }
    }

    /// Reads the state of these days.
    pub fn read(
        store: &'s Store,
        days: impl IntoIterator<Item = Option<Date>>,
    ) -> Result<Self, StoreError> {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let days: BTreeSet<Option<Date>> = days.into_iter().collect();
        for day in days {
            for entry in store.list(&folder(day))? {
                let name = entry.path.rsplit('/').next().unwrap_or_default();
                let Some(name) = name.strip_suffix(".json") else { continue };
                let mut parts = name.splitn(3, '.');
                let (Some(id), Some(number), Some(what)) =
                    (parts.next(), parts.next(), parts.next())
                else {
                    continue;
                };
                let Ok(number) = number.parse() else { continue };
                let group = known.entry(id.to_owned()).or_default();
                let notification: &mut Notification =
                    group.notifications.entry(number).or_default();
                if what == "pending" {
                    notification.pending = true;
                } else if let Some(sink) = what.strip_prefix("sent.") {
                    notification.sent.insert(sink.to_owned());
                } else if let Some(attempt) = what.strip_prefix("retry-") {
                    let attempt = attempt.parse().unwrap_or_default();
                    notification.retries = notification.retries.max(attempt);
                } else if let Some(attempt) = what.strip_prefix("failed-") {
                    notification.failed.extend(attempt.parse::<u32>().ok());
                }
            }
        }
        Ok(Self { store, known })
    }

    /// What is to be sent of a group at `now`: a first notification, an update, one that somebody else could not send.
    /// `complete` fills in what a group does not know.
    pub fn due(
        &self,
        group: &Group,
        routes: &Routes,
        now: Timestamp,
        complete: impl Fn(&mut Alert),
    ) -> Result<Vec<Due>, StoreError> {
        let mut due = Vec::new();
        let none = Known::default();
        let known = self.known.get(&group.id).unwrap_or(&none);
        let mut told = BTreeSet::new();
        let mut last: Option<(u32, Timestamp)> = None;
        for (number, notification) in known.notifications.iter().filter(|(_, n)| n.pending) {
            let Some(pending) = self.pending(group, *number)? else { continue };
            told.extend(pending.finding_ids.iter().cloned());
            last = Some((*number, pending.created));
            // To a sink that the routes do not have any more nobody can send: it is not tried again and again.
            let waits = |sink: &&String| {
                !notification.sent.contains(*sink) && routes.sinks.contains_key(*sink)
            };
            let waiting: Vec<String> = pending.sinks.iter().filter(waits).cloned().collect();
            if waiting.is_empty() || !self.is_free(group, *number, notification, &pending, now)? {
                continue;
            }
            let attempt = notification.retries + 1;
            let stamp = Stamp { time: now, reasons: Vec::new(), done: None };
            if self.create(group.day, &group.id, *number, &format!("retry-{attempt}"), &stamp)? {
                due.push(Due { alert: pending.alert, sinks: waiting, day: group.day, attempt });
            }
        }
        let number = last.map_or(1, |(number, _)| number + 1);
        let wait = match last {
            None => SignedDuration::ZERO,
            Some((1, _)) => routes.update_after,
            Some(_) => routes.window,
        };
        let is_time = last.is_none_or(|(_, created)| now.duration_since(created) >= wait);
        if let Some(mut alert) = group.alert(&told, number).filter(|_| is_time) {
            complete(&mut alert);
            let sinks = routes.sinks_of(&alert);
            if sinks.is_empty() || routes.mute_of(&alert, now).is_some() {
                return Ok(due);
            }
            let ids = group.findings.iter().map(|row| &row.finding_id);
            let pending = Pending {
                created: now,
                finding_ids: ids.filter(|id| !told.contains(*id)).cloned().collect(),
                sinks: sinks.clone(),
                alert: alert.clone(),
            };
            // Who creates it sends it.
            if self.create(group.day, &group.id, number, "pending", &pending)? {
                due.push(Due { alert, sinks, day: group.day, attempt: 0 });
            }
        }
        Ok(due)
    }

    /// Is the last try over?
    fn is_free(
        &self,
        group: &Group,
        number: u32,
        notification: &Notification,
        pending: &Pending,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if notification.failed.contains(&notification.retries) {
            return Ok(true);
        }
        let since = match notification.retries {
            0 => pending.created,
            attempt => {
                let path = path(group.day, &group.id, number, &format!("retry-{attempt}"));
                let stamp: Option<Stamp> = self.json(&path)?;
                stamp.map_or(pending.created, |stamp| stamp.time)
            }
        };
        Ok(now.duration_since(since) >= LEASE)
    }

    /// Notes that a sink has it.
    pub fn sent(
        &self,
        due: &Due,
        sink: &str,
        receipt: Receipt,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stamp = Stamp { time: now, reasons: Vec::new(), done: receipt.0 };
        let Alert { alert_id, number, .. } = &due.alert;
        self.create(due.day, alert_id, *number, &format!("sent.{sink}"), &stamp).map(|_| ())
    }

    /// Notes that a try is over and not all sinks have it: the next sweep may take it up at once.
    pub fn failed(
        &self,
        due: &Due,
        reasons: Vec<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stamp = Stamp { time: now, reasons, done: None };
        let Alert { alert_id, number, .. } = &due.alert;
        let what = format!("failed-{}", due.attempt);
        self.create(due.day, alert_id, *number, &what, &stamp).map(|_| ())
    }

    fn create(
        &self,
        day: Option<Date>,
        id: &str,
        number: u32,
        what: &str,
        value: &impl Serialize,
    ) -> Result<bool, StoreError> {
        let json = serde_json::to_vec_pretty(value).expect("plain values are JSON");
        let is_created = self.store.create(&path(day, id, number, what), json)?;
        // A claim has to last before anything is sent, and so does that it was.
        if is_created {
            self.store.sync()?;
        }
        Ok(is_created)
    }

    fn pending(&self, group: &Group, number: u32) -> Result<Option<Pending>, StoreError> {
        self.json(&path(group.day, &group.id, number, "pending"))
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.store.get(path)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| StoreError::Json { path: path.to_owned(), source })
    }
}

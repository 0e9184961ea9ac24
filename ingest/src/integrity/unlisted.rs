//! Log files that no digest lists.
//!
//! The folder of an account and region belongs to all trails that deliver there, and the name of a log file
//! does not say which trail's it is: so what is listed is gathered over the folder's chains.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::layout::{Folder, log_time};
use super::report::{Kind, Problem};

/// What the digests of a folder cover.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// Keys, also those that invalid digests list: an invalid digest is told of, and once is enough.
    pub(super) listed: BTreeSet<String>,
    /// Of digests that are not invalid.
    pub(super) spans: Vec<(Timestamp, Timestamp)>,
}

impl Cover {
    /// Files in the folder, of a minute that digests cover, that are not listed.
    pub(super) fn unlisted(
        &mut self,
        folder: &Folder,
        list: impl Fn(&str) -> Result<Vec<String>, String>,
        uri: impl Fn(&str) -> String,
    ) -> Vec<Problem> {
        self.merge();
        let day = |time: &Timestamp| time.to_zoned(TimeZone::UTC).date();
        let days: BTreeSet<_> = self
            .spans
            .iter()
            .flat_map(|(start, end)| {
                let until = day(end);
                std::iter::successors(Some(day(start)), |day| day.tomorrow().ok())
                    .take_while(move |day| *day <= until)
            })
            .collect();
        let mut problems = Vec::new();
        for day in days {
            let place = folder.logs(day);
            match list(&place) {
                Ok(keys) => {
                    let unlisted = keys.iter().filter(|key| !self.listed.contains(*key));
                    problems.extend(unlisted.filter_map(|key| self.judge(key, uri(key))));
                }
                Err(reason) => problems.push(Problem {
                    from: None,
                    to: None,
                    object: uri(&place),
                    kind: Kind::Unreadable,
                    reason: format!("what lies there is not known: {reason}"),
                }),
            }
        }
        problems
    }

    /// Joins spans that touch: between two of them a file may be in either digest.
    fn merge(&mut self) {
        self.spans.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for &(start, end) in &self.spans {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        self.spans = merged;
    }

    fn judge(&self, key: &str, object: String) -> Option<Problem> {
        let minute = log_time(key)?;
        let over = minute.checked_add(SignedDuration::from_mins(1)).ok()?;
        let &(_, end) = self.spans.iter().find(|(start, end)| *start <= minute && over <= *end)?;
        // A digest lists what was delivered in its hour, and files are delivered minutes after their name.
        let (kind, reason) = if end.duration_since(minute) <= SignedDuration::from_hours(1) {
            let reason = "no digest lists it; it may have been delivered after the last one, and the next may list it";
            (Kind::WaitingLogFile, reason)
        } else {
            let reason = "no digest lists it, though digests cover its time: nothing proves that CloudTrail delivered it";
            (Kind::UnlistedLogFile, reason)
        };
        Some(Problem {
            from: Some(minute),
            to: Some(over),
            object,
            kind,
            reason: reason.to_owned(),
        })
    }
}

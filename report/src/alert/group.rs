//! Which findings belong together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::{Alert, Told};
use crate::store::{FindingRow, day};

/// The findings of one rule in one session on one day; without a session, those of one principal in one account.
#[derive(Clone, Debug)]
pub struct Group {
    /// Derived from what makes it a group. 32 hexadecimal digits.
    pub id: String,
    /// The UTC day.
    pub day: Option<Date>,
    /// In order of time, each once.
    pub findings: Vec<FindingRow>,
}

/// Findings told one by one in an alert.
const TOLD: usize = 10;
/// Values told as evidence of one.
const EVIDENCE: usize = 8;

/// Puts findings into groups. In which order they come changes nothing.
pub fn groups(rows: impl IntoIterator<Item = FindingRow>) -> Vec<Group> {
    let mut by: BTreeMap<(Option<Date>, String), BTreeMap<String, FindingRow>> = BTreeMap::new();
    for row in rows {
        let day = day(row.time);
        let id = id(&row, day);
        by.entry((day, id)).or_default().entry(row.finding_id.clone()).or_insert(row);
    }
    by.into_iter()
        .map(|((day, id), findings)| {
            let mut findings: Vec<FindingRow> = findings.into_values().collect();
            findings.sort_by(|a, b| (a.time, &a.finding_id).cmp(&(b.time, &b.finding_id)));
            Group { id, day, findings }
        })
        .collect()
}

fn id(row: &FindingRow, day: Option<Date>) -> String {
    let day = day.map(|day| day.to_string()).unwrap_or_default();
    let who = match &row.session_id {
        Some(session) => ["session", session, ""],
        None => [
            "principal",
            row.principal.as_deref().unwrap_or_default(),
            row.account.as_deref().unwrap_or_default(),
        ],
    };
    let mut hash = Sha256::new();
    for part in [&["alert", &row.rule_id, &day], who.as_slice()].concat() {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    format!(
        "{:032x}",
        digest.iter().take(16).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte))
    )
}

impl Group {
    /// What is to be told, of those findings whose ids are not `known`. `None` if there is nothing new.
    pub fn alert(&self, known: &BTreeSet<String>, number: u32) -> Option<Alert> {
        let fresh: Vec<&FindingRow> =
            self.findings.iter().filter(|row| !known.contains(&row.finding_id)).collect();
        let (first, newest) = (self.findings.first()?, fresh.first()?);
        // What all have in common is the group's own.
        let common = |of: fn(&FindingRow) -> &Option<String>| {
            let one = of(first).clone();
            one.filter(|one| self.findings.iter().all(|row| of(row).as_ref() == Some(one)))
        };
        let times = || self.findings.iter().filter_map(|row| row.time);
        let account = common(|row| &row.account);
        let region = common(|row| &row.region);
        let mut alert = Alert {
            alert_id: self.id.clone(),
            number,
            rule_id: newest.rule_id.clone(),
            rule_title: newest.rule_title.clone(),
            level: self.level().to_owned(),
            tags: newest.tags.clone(),
            count: self.findings.len() as u64,
            new: fresh.len() as u64,
            first: times().min(),
            last: times().max(),
            session_id: common(|row| &row.session_id),
            principal: common(|row| &row.principal),
            principal_claimed_name: common(|row| &row.principal_claimed_name),
            account,
            region,
            target: common(|row| &row.target),
            why: None,
            next: Vec::new(),
            links: Vec::new(),
            findings: fresh.iter().take(TOLD).map(|row| told(row)).collect(),
            cut: false,
        };
        alert.links = super::render::links(&alert);
        Some(alert)
    }

    /// The gravest level.
    pub fn level(&self) -> &str {
        let level = |row: &FindingRow| row.level.parse::<model::Level>().ok();
        let gravest = self.findings.iter().max_by_key(|row| level(row));
        gravest.map_or("informational", |row| row.level.as_str())
    }

    /// When the last one happened.
    pub fn last(&self) -> Option<Timestamp> {
        self.findings.iter().filter_map(|row| row.time_end.or(row.time)).max()
    }
}

fn told(row: &FindingRow) -> Told {
    let evidence: Vec<model::Evidence> = serde_json::from_str(&row.evidence).unwrap_or_default();
    Told {
        finding_id: row.finding_id.clone(),
        time: row.time,
        event_name: row.event_name.clone(),
        command: row.command.clone(),
        target: row.target.clone(),
        source_ip: row.source_ip.clone(),
        error_code: row.error_code.clone(),
        evidence: evidence.into_iter().take(EVIDENCE).map(|e| (e.field, e.value)).collect(),
        event_id: row.event_id.clone(),
        artifact: row.artifact.clone(),
        offset: row.offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, rule: &str, session: Option<&str>, time: &str) -> FindingRow {
        FindingRow {
            finding_id: id.to_owned(),
            rule_id: rule.to_owned(),
            session_id: session.map(str::to_owned),
            principal: Some("arn:aws:iam::111122223333:user/x".to_owned()),
            time: time.parse().ok(),
            level: "high".to_owned(),
            ..FindingRow::default()
        }
    }

    #[test]
    fn a_rule_in_a_session_is_one_group_whatever_the_order() {
        let rows = [
            row("1", "a", Some("s"), "2026-10-01T09:00:00Z"),
            row("2", "a", Some("s"), "2026-10-01T08:00:00Z"),
            row("3", "a", Some("t"), "2026-10-01T09:00:00Z"),
            row("4", "b", Some("s"), "2026-10-01T09:00:00Z"),
            row("5", "a", None, "2026-10-01T09:00:00Z"),
            row("6", "a", None, "2026-10-02T09:00:00Z"),
            row("1", "a", Some("s"), "2026-10-01T09:00:00Z"),
        ];
        let found = groups(rows.clone());
        assert_eq!(found.len(), 5);
        let mut reversed = rows.to_vec();
        reversed.reverse();
        let ids = |groups: &[Group]| groups.iter().map(|g| g.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&groups(reversed)), ids(&found));
        let pair = found.iter().find(|group| group.findings.len() == 2).unwrap();
        let alert = pair.alert(&BTreeSet::new(), 1).unwrap();
        assert_eq!((alert.count, alert.new, alert.findings[0].finding_id.as_str()), (2, 2, "2"));
        let known = BTreeSet::from(["2".to_owned()]);
        assert_eq!(pair.alert(&known, 2).unwrap().new, 1);
        let all = BTreeSet::from(["1".to_owned(), "2".to_owned()]);
        assert!(pair.alert(&all, 3).is_none());
    }
}

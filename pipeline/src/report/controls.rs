//! Which parts of a report are evidence for which control: `controls.yml`, and the tags of rules.

use std::collections::BTreeMap;

use report::view::{Control, Evidence};
use serde::Deserialize;

const CONTROLS: &str = include_str!("controls.yml");

/// A control, as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    tag: String,
    framework: String,
    control: String,
    title: String,
    asks: String,
    evidence: Vec<Key>,
}

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Access,
    Commands,
    Privileged,
    Findings,
    Alerts,
    Coverage,
    Denied,
    Preferences,
    Trail,
    Integrity,
    Manifest,
    NoMfa,
    AfterHours,
    BreakGlass,
    Unrecordable,
    LongSessions,
    FirstAccess,
}

impl Key {
    /// What it is, in which file, and which rows of it.
    const fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Access => ("sessions: who, where, when, recorded or not", "access.csv", ""),
            Self::Commands => ("commands that were run", "commands.parquet", ""),
            Self::Privileged => {
                ("commands as root or by sudo", "commands.parquet", "privileged is true")
            }
            Self::Findings => ("findings of all rules", "findings.csv", ""),
            Self::Alerts => ("alerts, and when they arrived", "alerts.csv", ""),
            Self::Coverage => ("what is not known that should be", "coverage.csv", ""),
            Self::Denied => ("refused attempts", "events.csv", "category is denied"),
            Self::Preferences => (
                "changes to preferences and documents of Session Manager",
                "events.csv",
                "category is preferences",
            ),
            Self::Trail => ("changes to the audit trail", "events.csv", "category is trail"),
            Self::Integrity => {
                ("CloudTrail's log files, verified by its digests", "integrity.json", "")
            }
            Self::Manifest => ("hashes of this report's files", "manifest.json", "files"),
            Self::NoMfa => (
                "sessions for which AWS saw no second factor",
                "access.csv",
                "notes contain no-mfa",
            ),
            Self::AfterHours => {
                ("sessions outside business hours", "access.csv", "notes contain after-hours")
            }
            Self::BreakGlass => {
                ("sessions through break-glass roles", "access.csv", "notes contain break-glass")
            }
            Self::Unrecordable => (
                "port forwarding and SSH, which are not recorded",
                "access.csv",
                "notes contain unrecordable",
            ),
            Self::LongSessions => ("long sessions", "access.csv", "notes contain long"),
            Self::FirstAccess => (
                "first sessions of an identity on a node",
                "access.csv",
                "notes contain first-access",
            ),
        }
    }
}

/// The controls, with what there is of each. `tags` are findings by tag.
pub(super) fn of(rows: impl Fn(Key) -> u64, tags: &BTreeMap<String, u64>) -> Vec<Control> {
    let entries: Vec<Entry> = serde_saphyr::from_str(CONTROLS).expect("the file is held by a test");
    let control = |entry: Entry| {
        let mut evidence: Vec<Evidence> = entry
            .evidence
            .iter()
            .map(|key| {
                let (what, file, rows_where) = key.told();
                Evidence {
                    what: what.to_owned(),
                    file,
                    rows_where: rows_where.to_owned(),
                    rows: rows(*key),
                }
            })
            .collect();
        evidence.push(Evidence {
            what: "findings of rules about it".to_owned(),
            file: "findings.csv",
            rows_where: format!("one of the tags is {}", entry.tag),
            rows: tags.get(&entry.tag).copied().unwrap_or_default(),
        });
        Control {
            framework: entry.framework,
            control: entry.control,
            title: entry.title,
            asks: entry.asks,
            evidence,
        }
    };
    entries.into_iter().map(control).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_tag_of_the_pack_is_a_control() {
        let entries: Vec<Entry> = serde_saphyr::from_str(CONTROLS).unwrap();
        let tags: BTreeSet<&str> = entries.iter().map(|entry| entry.tag.as_str()).collect();
        assert_eq!(tags.len(), entries.len(), "a tag is there twice");
        let pack = crate::pack::load(None).unwrap();
        let correlations = pack.correlations.iter().map(|linked| &linked.correlation.meta.info);
        let infos = pack.rules.iter().map(rules::Rule::info).chain(correlations);
        let used = infos.flat_map(|info| info.tags.iter());
        let is_control = |tag: &&String| {
            ["soc2.", "pci-dss.", "hipaa.", "iso-27001.", "nist-800-53."]
                .iter()
                .any(|space| tag.starts_with(space))
        };
        let missing: BTreeSet<&String> =
            used.filter(is_control).filter(|tag| !tags.contains(tag.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(entries.iter().all(|entry| !entry.asks.is_empty() && !entry.title.is_empty()));
    }

    #[test]
    fn what_there_is_not_is_said() {
        let none = of(|_| 0, &BTreeMap::new());
        assert!(none.iter().all(|control| control.rows() == 0 && !control.evidence.is_empty()));
    }
}

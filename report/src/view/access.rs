//! Who had access to what.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::sessions::SessionRow;

/// What a principal had of a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Access<'s> {
    /// Who.
    pub principal_arn: Option<&'s str>,
    /// The user's name.
    pub principal_name: Option<&'s str>,
    /// In which account.
    pub account: Option<&'s str>,
    /// In which region.
    pub region: Option<&'s str>,
    /// The node or container.
    pub target: Option<&'s str>,
    /// How often.
    pub sessions: u64,
    /// Of these, not wholly recorded.
    pub gaps: u64,
    /// The first, in these sessions.
    pub first: Option<Timestamp>,
    /// The last.
    pub last: Option<Timestamp>,
    /// Seconds in all, of sessions whose end is known.
    pub duration_s: f64,
    /// Commands in the transcripts.
    pub commands: u64,
    /// Findings that belong to these sessions.
    pub findings: u64,
}

impl Access<'_> {
    /// The fields in their order.
    pub const COLUMNS: [&'static str; 12] = [
        "principal_arn",
        "principal_name",
        "account",
        "region",
        "target",
        "sessions",
        "gaps",
        "first",
        "last",
        "duration_s",
        "commands",
        "findings",
    ];
}

/// Sessions, by principal and node.
pub fn access<'s>(rows: &[SessionRow<'s>]) -> Vec<Access<'s>> {
    let mut by: BTreeMap<_, Access<'s>> = BTreeMap::new();
    for row in rows {
        let key = (row.principal_arn, row.account, row.region, row.target);
        let access = by.entry(key).or_insert_with(|| Access {
            principal_arn: row.principal_arn,
            principal_name: row.principal_name,
            account: row.account,
            region: row.region,
            target: row.target,
            sessions: 0,
            gaps: 0,
            first: None,
            last: None,
            duration_s: 0.0,
            commands: 0,
            findings: 0,
        });
        // One principal may have been known by several names.
        access.principal_name = match (access.principal_name, row.principal_name) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        access.sessions += 1;
        access.gaps += u64::from(row.coverage.is_gap());
        access.first = [access.first, row.start].into_iter().flatten().min();
        access.last = access.last.max(row.start);
        access.duration_s += row.duration_s.unwrap_or_default();
        access.commands += row.commands;
        access.findings += row.findings;
    }
    by.into_values().collect()
}

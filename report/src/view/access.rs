//! Who had access to what.

use foldhash::HashMap;
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

impl<'s> Access<'s> {
    fn key(&self) -> Key<'s> {
        (self.principal_arn, self.account, self.region, self.target)
    }

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

/// Who, and where: what a row of the view is for.
type Key<'s> = (Option<&'s str>, Option<&'s str>, Option<&'s str>, Option<&'s str>);

/// Sessions, by principal and node, as they come. The view keeps each text once, so where it lies tells which it is.
#[derive(Debug, Default)]
pub struct Accesses<'s>(HashMap<[usize; 4], Access<'s>>);

fn place(text: Option<&str>) -> usize {
    text.map_or(0, |text| text.as_ptr().addr())
}

impl<'s> Accesses<'s> {
    /// Counts a session.
    pub fn note(&mut self, row: &SessionRow<'s>) {
        let key = [row.principal_arn, row.account, row.region, row.target].map(place);
        let access = self.0.entry(key).or_insert_with(|| Access {
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
        access.principal_name = least(access.principal_name, row.principal_name);
        access.sessions += 1;
        access.gaps += u64::from(row.coverage.is_gap());
        access.first = [access.first, row.start].into_iter().flatten().min();
        access.last = access.last.max(row.start);
        access.duration_s += row.duration_s.unwrap_or_default();
        access.commands += row.commands;
        access.findings += row.findings;
    }

    /// The rows, in order of who and where.
    pub fn rows(self) -> Vec<Access<'s>> {
        let mut rows: Vec<Access<'s>> = self.0.into_values().collect();
        rows.sort_unstable_by_key(Access::key);
        // A text that lay in two places.
        rows.dedup_by(|next, access| {
            let same = next.key() == access.key();
            if same {
                access.principal_name = least(access.principal_name, next.principal_name);
                access.sessions += next.sessions;
                access.gaps += next.gaps;
                access.first = [access.first, next.first].into_iter().flatten().min();
                access.last = access.last.max(next.last);
                access.duration_s += next.duration_s;
                access.commands += next.commands;
                access.findings += next.findings;
            }
            same
        });
        rows
    }
}

/// One principal may have been known by several names.
fn least<'s>(a: Option<&'s str>, b: Option<&'s str>) -> Option<&'s str> {
    match (a, b) {
        (Some(one), Some(other)) if one.as_ptr() == other.as_ptr() => a,
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => a.or(b),
    }
}

//! The figures of a period: what a reader wants to know before any table.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashSet};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::coverage::Coverage;
use super::period::Period;
use super::sessions::SessionRow;

/// What is worth a look in a session: the words of `access.csv`'s last column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// Opened through a role that is kept for emergencies.
    BreakGlass,
    /// Begun outside the business hours.
    AfterHours,
    /// AWS says that there was no second factor.
    NoMfa,
    /// Commands as root, or with another user's rights.
    Privileged,
    /// Of a kind that Session Manager does not record: port forwarding, SSH.
    Unrecordable,
    /// Longer than is usual.
    Long,
    /// The first of this principal on this node, in the time that was looked back.
    FirstAccess,
}

impl Note {
    /// All, the gravest first.
    pub const ALL: [Self; 7] = [
        Self::BreakGlass,
        Self::AfterHours,
        Self::NoMfa,
        Self::Privileged,
        Self::Unrecordable,
        Self::Long,
        Self::FirstAccess,
    ];

    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakGlass => "break-glass",
            Self::AfterHours => "after-hours",
            Self::NoMfa => "no-mfa",
            Self::Privileged => "privileged",
            Self::Unrecordable => "unrecordable",
            Self::Long => "long",
            Self::FirstAccess => "first-access",
        }
    }
}

/// The notes of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes(u8);

impl Notes {
    /// Adds one.
    pub const fn note(&mut self, note: Note) {
        self.0 |= 1 << note as u8;
    }

    /// Is it there?
    pub const fn has(self, note: Note) -> bool {
        self.0 & (1 << note as u8) != 0
    }

    /// Those that are there, the gravest first.
    pub fn all(self) -> impl Iterator<Item = Note> {
        Note::ALL.into_iter().filter(move |note| self.has(*note))
    }
}

impl std::fmt::Display for Notes {
    /// With blanks between.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, note) in self.all().enumerate() {
            if nth > 0 {
                f.write_str(" ")?;
            }
            f.write_str(note.as_str())?;
        }
        Ok(())
    }
}

/// What sums up sessions: those of a principal, of a node, of an account, or all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sum {
    /// Sessions.
    pub sessions: u64,
    /// Commands in them.
    pub commands: u64,
    /// Findings that belong to them.
    pub findings: u64,
    /// Sessions that are not wholly recorded.
    pub gaps: u64,
    /// Seconds, of sessions whose end is known.
    pub duration_s: f64,
    /// Sessions by [`Note`].
    pub notes: BTreeMap<&'static str, u64>,
    /// The begin of the last session.
    pub last: Option<Timestamp>,
}

impl Sum {
    fn note(&mut self, row: &SessionRow<'_>, notes: Notes) {
        self.sessions += 1;
        self.commands += row.commands;
        self.findings += row.findings;
        self.gaps += u64::from(row.coverage.is_gap());
        self.duration_s += row.duration_s.unwrap_or_default();
        for note in notes.all() {
            *self.notes.entry(note.as_str()).or_default() += 1;
        }
        self.last = self.last.max(row.start.or(row.end));
    }
}

/// The sum of a principal, of a node or of an account.
#[derive(Clone, Debug, Serialize)]
pub struct SumOf {
    /// The ARN, the node, the account; null where it is not known.
    pub name: Option<String>,
    /// How many others: nodes of a principal, principals of a node or of an account.
    pub others: u64,
    /// What they come to.
    #[serde(flatten)]
    pub sum: Sum,
}

/// A day.
#[derive(Clone, Debug, Serialize)]
pub struct DayOf {
    /// Which, in the period's time zone.
    pub day: Date,
    /// Sessions begun on it.
    pub sessions: u64,
}

/// The figures of the sessions.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// All of them.
    pub all: Sum,
    /// Principals, by their ARNs.
    pub principals: u64,
    /// Nodes and containers.
    pub nodes: u64,
    /// Accounts.
    pub accounts: u64,
    /// Sessions by what they gave access to; `custom` for documents of somebody's own.
    pub kinds: BTreeMap<String, u64>,
    /// Sessions by their coverage.
    pub coverage: BTreeMap<&'static str, u64>,
    /// Wholly recorded, of those that could be and whose time is over: 0 to 100. Null where there are none.
    pub coverage_percent: Option<f64>,
    /// Sessions of which AWS does not say whether there was a second factor.
    pub mfa_unknown: u64,
    /// Sessions of each day.
    pub days: Vec<DayOf>,
    /// Sessions by weekday (Monday first) and hour of their begin.
    pub weekday_hour: [[u64; 24]; 7],
    /// The principals with most sessions.
    pub by_principal: Vec<SumOf>,
    /// The nodes with most sessions.
    pub by_node: Vec<SumOf>,
    /// The accounts with most sessions.
    pub by_account: Vec<SumOf>,
}

/// Principals and nodes told by name.
const MOST: usize = 100;

/// Gathers the figures.
pub struct Gather<'s> {
    zone: TimeZone,
    all: Sum,
    tally: super::coverage::Tally,
    kinds: BTreeMap<&'s str, u64>,
    mfa_unknown: u64,
    days: BTreeMap<Date, u64>,
    weekday_hour: [[u64; 24]; 7],
    by: [Sums<'s>; 3],
}

/// By name: the sum, and the others that it met.
type Sums<'s> = HashMap<Option<&'s str>, (Sum, HashSet<&'s str>)>;

impl<'s> Gather<'s> {
    /// Of a period.
    pub fn new(period: &Period) -> Self {
        Self {
            zone: period.zone.clone(),
            all: Sum::default(),
            tally: super::coverage::Tally::default(),
            kinds: BTreeMap::new(),
            mfa_unknown: 0,
            days: period.days().map(|day| (day, 0)).collect(),
            weekday_hour: [[0; 24]; 7],
            by: Default::default(),
        }
    }

    /// Counts a session.
    pub fn note(&mut self, row: &SessionRow<'s>, notes: Notes) {
        self.all.note(row, notes);
        self.tally.note(row.coverage);
        let kind = row.kind.unwrap_or(if row.document.is_some() { "custom" } else { "unknown" });
        *self.kinds.entry(kind).or_default() += 1;
        self.mfa_unknown += u64::from(row.mfa.is_none());
        if let Some(start) = row.start {
            let local = start.to_zoned(self.zone.clone());
            if let Some(count) = self.days.get_mut(&local.date()) {
                *count += 1;
            }
            let weekday = local.weekday().to_monday_zero_offset();
            let (weekday, hour) = (usize::try_from(weekday), usize::try_from(local.hour()));
            if let (Ok(weekday), Ok(hour)) = (weekday, hour) {
                self.weekday_hour[weekday][hour] += 1;
            }
        }
        let others = [
            (row.principal_arn, row.target),
            (row.target, row.principal_arn),
            (row.account, row.principal_arn),
        ];
        for (sums, (name, other)) in self.by.iter_mut().zip(others) {
            let (sum, met) = sums.entry(name).or_default();
            sum.note(row, notes);
            met.extend(other);
        }
    }

    /// What it comes to.
    pub fn figures(self) -> Figures {
        let count = |sums: &Sums<'_>| sums.keys().flatten().count() as u64;
        let [principals, nodes, accounts] = self.by.each_ref().map(count);
        let [by_principal, by_node, by_account] = self.by.map(most);
        let coverage = Coverage::ALL.map(|state| (state.as_str(), self.tally.of(state)));
        Figures {
            principals,
            nodes,
            accounts,
            kinds: self.kinds.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
            coverage: coverage.into(),
            coverage_percent: self.tally.percent(),
            mfa_unknown: self.mfa_unknown,
            days: self.days.into_iter().map(|(day, sessions)| DayOf { day, sessions }).collect(),
            weekday_hour: self.weekday_hour,
            by_principal,
            by_node,
            by_account,
            all: self.all,
        }
    }
}

fn most(sums: Sums<'_>) -> Vec<SumOf> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by(|(a, (one, _)), (b, (other, _))| {
        other.sessions.cmp(&one.sessions).then_with(|| a.cmp(b))
    });
    sums.truncate(MOST);
    let of = |(name, (sum, met)): (Option<&str>, (Sum, HashSet<&str>))| SumOf {
        name: name.map(str::to_owned),
        others: met.len() as u64,
        sum,
    };
    sums.into_iter().map(of).collect()
}

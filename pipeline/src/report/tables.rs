//! The rows of the page's tables, and gaps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use report::redact::Redactor;
use report::store::{FindingRow, Store, StoreError};
use report::view::events::EventRow;
use report::view::found::FoundRow;
use report::view::{Notes, Period, SessionRow};
use report::write::page::{Cell, Kind, MOST_ROWS, Table, clock, node_name, short};
use serde::{Deserialize, Serialize};

use crate::integrity::Problem;

/// Something that is not known and should be: a row of `coverage.csv`.
#[expect(clippy::struct_field_names, reason = "fields are the columns")]
#[derive(Clone, Debug, Serialize)]
pub(super) struct Gap {
    pub(super) gap: String,
    subject: String,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    principal_arn: Option<String>,
    account: Option<String>,
    region: Option<String>,
    target: Option<String>,
    kind: Option<String>,
    document: Option<String>,
    reason: String,
}

impl Gap {
    pub(super) const COLUMNS: [&'static str; 11] = [
        "gap",
        "subject",
        "start",
        "end",
        "principal_arn",
        "account",
        "region",
        "target",
        "kind",
        "document",
        "reason",
    ];

    pub(super) fn of_session(row: &SessionRow<'_>) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            gap: row.coverage.as_str().to_owned(),
            subject: row.session_id.to_owned(),
            start: row.start,
            end: row.end,
            principal_arn: text(row.principal_arn),
            account: text(row.account),
            region: text(row.region),
            target: text(row.target),
            kind: text(row.kind),
            document: text(row.document),
            reason: row.coverage_reason.clone(),
        }
    }

    pub(super) fn of_trail(problem: Problem) -> Self {
        Self {
            account: Some(problem.account),
            region: Some(problem.region),
            kind: Some(problem.kind),
            start: problem.from,
            end: problem.to,
            ..Self::bare("trail", problem.subject, problem.reason)
        }
    }

    fn bare(gap: &str, subject: String, reason: String) -> Self {
        Self {
            gap: gap.to_owned(),
            subject,
            reason,
            start: None,
            end: None,
            principal_arn: None,
            account: None,
            region: None,
            target: None,
            kind: None,
            document: None,
        }
    }

    pub(super) fn redact(&mut self, redactor: &Redactor) {
        redactor.mend(&mut self.subject);
        redactor.mend(&mut self.reason);
    }
}

/// What stands in `quarantine/`.
#[derive(Deserialize)]
struct Quarantined {
    artifact: String,
    stored: Option<Timestamp>,
    problems: Vec<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    offset: u64,
    reason: String,
}

/// Objects that could not be read, or not to their end: those that were stored in the period, and those of which nobody tells
/// when.
pub(super) fn unreadable(
    store: &Store,
    period: &Period,
    as_of: Timestamp,
) -> Result<Vec<Gap>, StoreError> {
    let mut gaps = Vec::new();
    for entry in store.list("quarantine")? {
        let Some(bytes) = store.get(&entry.path)? else { continue };
        let note: Quarantined = serde_json::from_slice(&bytes)
            .map_err(|source| StoreError::Json { path: entry.path.clone(), source })?;
        if note.stored.is_some_and(|time| !period.holds(time) || time >= as_of) {
            continue;
        }
        let first = note.problems.first();
        let more = note.problems.len().saturating_sub(1);
        let mut reason = first.map_or_else(String::new, |problem| {
            format!("byte {}: {}", problem.offset, problem.reason)
        });
        if more > 0 {
            reason = format!("{reason}, and {more} more");
        }
        gaps.push(Gap { start: note.stored, ..Gap::bare("unreadable", note.artifact, reason) });
    }
    gaps.sort_by(|a, b| (a.start, &a.subject).cmp(&(b.start, &b.subject)));
    Ok(gaps)
}

fn who(arn: Option<&str>) -> Cell {
    Cell::of(arn.map(short).as_deref())
}

/// How things are told.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) zone: &'a TimeZone,
    pub(super) names: &'a BTreeMap<String, String>,
}

impl Tables<'_> {
    fn node(&self, id: Option<&str>) -> Cell {
        Cell::of(id.map(|id| node_name(self.names, id)).as_deref())
    }

    fn time(&self, time: Option<Timestamp>) -> Cell {
        time.map_or(Cell::None, |time| Cell::Text(clock(Some(time), self.zone)))
    }

    pub(super) fn sessions<'s>(
        &self,
        rows: impl Iterator<Item = (SessionRow<'s>, Notes, Option<usize>)>,
        total: u64,
    ) -> Table {
        let (mut cells, mut sections) = (Vec::new(), Vec::new());
        for (row, notes, section) in rows {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes")]
            let minutes = row.duration_s.map(|seconds| (seconds / 60.0).round() as u64);
            let custom = row.document.is_some().then_some("custom");
            cells.push(vec![
                // The first column leads to the section, and so it is never empty.
                Cell::Text(match row.start.or(row.end) {
                    Some(time) => clock(Some(time), self.zone),
                    None => "not known".to_owned(),
                }),
                who(row.principal_arn),
                self.node(row.target),
                Cell::of(row.account),
                Cell::of(row.kind.or(custom)),
                minutes.map_or(Cell::None, Cell::Number),
                Cell::Number(row.commands),
                Cell::Number(row.findings),
                Cell::of(row.highest_level),
                Cell::of(Some(row.coverage.as_str())),
                Cell::Text(notes.to_string()),
                Cell::of(row.source_ip),
            ]);
            sections.push(section);
        }
        Table {
            name: "sessions",
            title: "Sessions",
            told: "Who was on which node, and when. The begin of a session leads to its timeline."
                .to_owned(),
            none: "There were no sessions in this period.",
            columns: &[
                ("start", "Begin", Kind::Time),
                ("principal_arn", "Identity", Kind::Id),
                ("target", "Node", Kind::Id),
                ("account", "Account", Kind::Text),
                ("kind", "Kind", Kind::Text),
                ("minutes", "Minutes", Kind::Number),
                ("commands", "Commands", Kind::Number),
                ("findings", "Findings", Kind::Number),
                ("highest_level", "Gravest", Kind::Level),
                ("coverage", "Recorded", Kind::Coverage),
                ("notes", "Worth a look", Kind::Text),
                ("source_ip", "From", Kind::Text),
            ],
            rows: cells,
            sections,
            total,
            file: "access.csv",
        }
    }

    pub(super) fn gaps(&self, gaps: &[Gap], section: impl Fn(&str) -> Option<usize>) -> Table {
        let mut rows = Vec::new();
        for gap in gaps.iter().take(MOST_ROWS) {
            let time = gap.start.or(gap.end);
            rows.push(vec![
                Cell::Text(
                    time.map_or_else(|| "not known".to_owned(), |t| clock(Some(t), self.zone)),
                ),
                Cell::of(Some(&gap.gap)),
                Cell::of(Some(&gap.reason)),
                who(gap.principal_arn.as_deref()),
                self.node(gap.target.as_deref()),
                Cell::of(gap.account.as_deref()),
                Cell::of(Some(&gap.subject)),
            ]);
        }
        Table {
            name: "gaps",
            title: "Gaps in coverage",
            told: "Everything that is not known and should be, with the reason.".to_owned(),
            none: "There are no gaps: each session that can be recorded was, and everything could be read.",
            columns: &[
                ("start", "When", Kind::Time),
                ("gap", "Gap", Kind::Coverage),
                ("reason", "Reason", Kind::Long),
                ("principal_arn", "Identity", Kind::Id),
                ("target", "Node", Kind::Id),
                ("account", "Account", Kind::Text),
                ("subject", "Session or object", Kind::Id),
            ],
            sections: gaps.iter().take(MOST_ROWS).map(|gap| section(&gap.subject)).collect(),
            rows,
            total: gaps.len() as u64,
            file: "coverage.csv",
        }
    }

    pub(super) fn events(&self, events: &[EventRow]) -> Table {
        let mut rows = Vec::new();
        for row in events.iter().take(MOST_ROWS) {
            rows.push(vec![
                self.time(row.time),
                Cell::of(Some(&row.category)),
                Cell::of(row.event_name.as_deref()),
                who(row.principal.as_deref()),
                self.node(row.target.as_deref()),
                Cell::of(row.document.as_deref()),
                Cell::of(row.error_code.as_deref()),
                Cell::of(row.account.as_deref()),
                Cell::of(row.region.as_deref()),
                Cell::of(row.source_ip.as_deref()),
            ]);
        }
        Table {
            name: "events",
            title: "Refused attempts and changes",
            told: "Attempts that AWS refused, changes to Session Manager's preferences and documents, and changes to the audit trail."
                .to_owned(),
            none: "No attempt was refused, and nothing was changed in preferences, documents or the trail.",
            columns: &[
                ("time", "When", Kind::Time),
                ("category", "What", Kind::Text),
                ("event_name", "Call", Kind::Text),
                ("principal", "Identity", Kind::Id),
                ("target", "Node", Kind::Id),
                ("document", "Document", Kind::Id),
                ("error_code", "Error", Kind::Text),
                ("account", "Account", Kind::Text),
                ("region", "Region", Kind::Text),
                ("source_ip", "From", Kind::Text),
            ],
            sections: vec![None; rows.len()],
            rows,
            total: events.len() as u64,
            file: "events.csv",
        }
    }
}

/// Findings that the page shows: the gravest, if there are too many.
#[derive(Default)]
pub(super) struct Kept(Vec<(model::Level, FoundRow, Option<usize>)>);

impl Kept {
    /// Keeps one. What it does not say itself its session does: principal, account, region and node.
    pub(super) fn finding(
        &mut self,
        row: &FoundRow,
        place: Option<usize>,
        session: [Option<&str>; 4],
    ) {
        let [principal, account, _, target] = session.map(|text| text.map(str::to_owned));
        let FoundRow { finding, alert_state } = row;
        let level = finding.level.parse().unwrap_or(model::Level::Informational);
        let finding = FindingRow {
            // What the page does not show need not be kept.
            evidence: String::new(),
            correlated: None,
            tags: Vec::new(),
            artifact: String::new(),
            principal: finding.principal.clone().or(principal),
            account: finding.account.clone().or(account),
            target: finding.target.clone().or(target),
            ..finding.clone()
        };
        let row = FoundRow { finding, alert_state: alert_state.clone() };
        self.0.push((level, row, place.map(|place| place + 1)));
        if self.0.len() >= MOST_ROWS * 2 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.0.len() > MOST_ROWS {
            self.0.sort_by(|(a, one, _), (b, other, _)| {
                let [one, other] = [&one.finding, &other.finding];
                (b, one.time, &one.finding_id).cmp(&(a, other.time, &other.finding_id))
            });
            self.0.truncate(MOST_ROWS);
        }
    }

    pub(super) fn findings(&mut self, tables: &Tables<'_>, total: u64) -> Table {
        self.cut();
        let when = |row: &FindingRow| row.time.or(row.time_end);
        self.0.sort_by(|(_, a, _), (_, b, _)| {
            let [a, b] = [&a.finding, &b.finding];
            (when(a), &a.finding_id).cmp(&(when(b), &b.finding_id))
        });
        let (mut rows, mut sections) = (Vec::new(), Vec::new());
        for (_, FoundRow { finding: row, alert_state }, section) in self.0.drain(..) {
            let time = match (row.time, row.time_end) {
                (Some(time), _) => clock(Some(time), tables.zone),
                (None, Some(end)) => format!("{} at the latest", clock(Some(end), tables.zone)),
                (None, None) => "not known".to_owned(),
            };
            rows.push(vec![
                Cell::Text(time),
                Cell::of(Some(&row.level)),
                Cell::of(Some(&row.rule_title)),
                who(row.principal.as_deref()),
                tables.node(row.target.as_deref()),
                Cell::of(row.command.as_deref().or(row.event_name.as_deref())),
                Cell::of(row.account.as_deref()),
                Cell::of(Some(match alert_state.as_str() {
                    "none" => "no alert",
                    state => state,
                })),
            ]);
            sections.push(section);
        }
        Table {
            name: "findings",
            title: "Findings",
            told:
                "What rules found. Where it belongs to a session, its time leads to the timeline."
                    .to_owned(),
            none: "No rule found anything in this period.",
            columns: &[
                ("time", "When", Kind::Time),
                ("level", "Level", Kind::Level),
                ("rule_title", "Rule", Kind::Long),
                ("principal", "Identity", Kind::Id),
                ("target", "Node", Kind::Id),
                ("command", "Command or call", Kind::Id),
                ("account", "Account", Kind::Text),
                ("alert_state", "Alert", Kind::Text),
            ],
            rows,
            sections,
            total,
            file: "findings.csv",
        }
    }
}

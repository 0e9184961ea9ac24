//! The files of a report, one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use jiff::Timestamp;
use report::alert::Delivery;
use report::store::{Activity, CommandRow, FindingRow, Row, Transcript};
use report::view::commands::{self, Commands, Wanted};
use report::view::events::EventRow;
use report::view::found::FoundRow;
use report::view::{
    AlertFigures, CommandFigures, Control, EventFigures, FindingFigures, Gather, Note, Notes,
    Range, RuleFigures, SessionRow, Whole,
};
use report::write::page::{Line, MOST_COMMANDS};
use report::write::{Fact, FactsOf, Parquet, access_batch, access_schema, csv_rows, hex};
use serde::Serialize;

use super::controls::{self, Key};
use super::tables::{self, Gap};
use super::writer::{Told, Writer, findings_of};
use super::{ReportError, judge};
use crate::integrity::Kept;
/// Rows that are written at once.
const CHUNK: usize = 8 << 10;

impl Writer<'_> {
    pub(super) fn findings(
        &mut self,
        told: &mut Told,
        shown: &mut tables::Kept,
    ) -> Result<(FindingFigures, BTreeMap<String, u64>), ReportError> {
        let schema = FoundRow::schema();
        let columns: Vec<&str> =
            schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut csv = report::write::Table::new(self.create("findings.csv")?, &columns)?;
        let out = self.create("findings.parquet")?;
        let mut parquet =
            Parquet::new(out, Arc::clone(&schema)).map_err(parquet("findings.parquet"))?;
        let mut figures = FindingFigures::default();
        let mut rules: BTreeMap<String, (RuleFigures, BTreeSet<String>)> = BTreeMap::new();
        let mut tags: BTreeMap<String, u64> = BTreeMap::new();
        let mut waiting: Vec<FoundRow> = Vec::new();
        let mut failed = None;
        let filter = &self.options.filter;
        let holds = |row: &FindingRow| match row
            .session_id
            .as_deref()
            .and_then(|id| self.sessions.find(id))
        {
            Some(number) if row.time.is_none() => self.judged.is_wanted[number.index()],
            Some(number) => filter.is_empty() || self.judged.is_wanted[number.index()],
            None => row.time.is_some() && filter.holds(judge::Known::of_finding(row)),
        };
        let mut flush = |rows: &mut Vec<FoundRow>| -> Result<(), ReportError> {
            for row in &*rows {
                csv.write_named(&columns, row)?;
            }
            let batch = FoundRow::batch(rows);
            parquet.write(&batch).map_err(self::parquet("findings.parquet"))?;
            rows.clear();
            Ok(())
        };
        findings_of(self.store, self.options, holds, |row| {
            let session = row.session_id.as_deref().and_then(|id| self.sessions.find(id));
            let mut row = FoundRow::new(row, &self.alert_states);
            if self.options.redact {
                row.redact(&self.redactor);
            }
            let FoundRow { finding, alert_state } = &row;
            figures.total += 1;
            *figures.levels.entry(finding.level.clone()).or_default() += 1;
            *figures.alert_states.entry(alert_state.clone()).or_default() += 1;
            for tag in &finding.tags {
                *tags.entry(tag.clone()).or_default() += 1;
            }
            let (rule, met) = rules.entry(finding.rule_id.clone()).or_insert_with(|| {
                let rule = RuleFigures {
                    rule_id: finding.rule_id.clone(),
                    title: finding.rule_title.clone(),
                    level: finding.level.clone(),
                    ..RuleFigures::default()
                };
                (rule, BTreeSet::new())
            });
            rule.findings += 1;
            *rule.alert_states.entry(alert_state.clone()).or_default() += 1;
            met.extend(finding.session_id.clone());
            let place = session.and_then(|number| told.place.get(&number).copied());
            if let Some(place) = place {
                let key = (finding.level.clone(), finding.rule_title.clone());
                *told.findings[place].entry(key).or_default() += 1;
            }
            let who = session.map(|session| self.sessions.who(session)).unwrap_or_default();
            shown.finding(&row, place, who);
            waiting.push(row);
            if waiting.len() >= CHUNK
                && failed.is_none()
                && let Err(error) = flush(&mut waiting)
            {
                failed = Some(error);
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        flush(&mut waiting)?;
        let (out, rows) = csv.finish()?;
        self.files.push(out.finish(Some(rows))?);
        let (out, rows) = parquet.finish().map_err(self::parquet("findings.parquet"))?;
        self.files.push(out.finish(Some(rows))?);
        figures.rules = rules
            .into_values()
            .map(|(rule, met)| RuleFigures { sessions: met.len() as u64, ..rule })
            .collect();
        let level = |rule: &RuleFigures| rule.level.parse::<model::Level>().ok();
        figures.rules.sort_by(|a, b| {
            (level(b), b.findings, &a.title).cmp(&(level(a), a.findings, &b.title))
        });
        Ok((figures, tags))
    }

    /// The commands, day by day: while one day is written the next is read.
    pub(super) fn commands(&mut self, told: &mut Told) -> Result<CommandFigures, ReportError> {
        const NAME: &str = "commands.parquet";
        let period = &self.options.period;
        let range = Range { since: Some(period.since()), until: Some(period.until()) };
        let redact = |text: &str| {
            if self.options.redact { self.redactor.changed(text) } else { None }
        };
        let wanted = Wanted {
            sessions: &self.sessions,
            is_wanted: &self.judged.is_wanted,
            period,
            as_of: self.options.as_of,
            are_unowned_wanted: self.options.filter.is_empty(),
            redact: &redact,
        };
        let out = self.create(NAME)?;
        let (mut figures, notes) = (CommandFigures::default(), &mut self.judged.notes);
        let (send, receive) = sync_channel::<arrow_array::RecordBatch>(1);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                let mut parquet = Parquet::new(out, commands::schema())?;
                for batch in receive {
                    parquet.write(&batch)?;
                }
                parquet.finish()
            });
            let mut each = |day: Commands| {
                day.each(|session, line| {
                    figures.total += 1;
                    figures.privileged += u64::from(line.is_privileged);
                    let Some(session) = session else { return };
                    if line.is_privileged {
                        notes[session.index()].note(Note::Privileged);
                    }
                    let Some(place) = told.place.get(&session) else { return };
                    let (count, lines) = &mut told.lines[*place];
                    *count += 1;
                    if lines.len() < MOST_COMMANDS {
                        lines.push(Line {
                            time: line.time.and_then(|time| Timestamp::from_microsecond(time).ok()),
                            text: line.text.to_owned(),
                            status: line.status.to_owned(),
                            confidence: line.confidence.to_owned(),
                            user: line.user.map(str::to_owned),
                        });
                    }
                });
                // Who writes has failed, and says so in the end.
                let _ = send.send(day.batch);
            };
            let read = match &self.options.tables {
                None => commands::read(self.store, range, &wanted, |day| {
                    each(day);
                    Ok(())
                })
                .map_err(ReportError::from),
                Some((tables, _)) => tables
                    .commands(&self.sessions, |day| each(day.redacted(&redact)))
                    .map_err(ReportError::from),
            };
            drop(send);
            let written = writer.join().expect("it does not panic");
            read.map(|()| written)
        })?;
        let (out, rows) = written.map_err(parquet(NAME))?;
        self.files.push(out.finish(Some(rows))?);
        Ok(figures)
    }

    pub(super) fn access(&mut self) -> Result<report::view::Figures, ReportError> {
        const NAME: &str = "access.parquet";
        #[derive(Serialize)]
        struct Out<'r>(&'r SessionRow<'r>, String);
        let columns: Vec<&str> = SessionRow::COLUMNS.into_iter().chain(["notes"]).collect();
        let mut csv = report::write::Table::new(self.create("access.csv")?, &columns)?;
        let out = self.create(NAME)?;
        let mut gather = Gather::new(&self.options.period);
        let (send, receive) = sync_channel::<arrow_array::RecordBatch>(2);
        let written = std::thread::scope(|scope| -> Result<_, ReportError> {
            let writer = scope.spawn(move || {
                let mut parquet = Parquet::new(out, access_schema())?;
                for batch in receive {
                    parquet.write(&batch)?;
                }
                parquet.finish()
            });
            for numbers in self.judged.order.chunks(CHUNK) {
                let rows: Vec<(SessionRow<'_>, Notes)> = numbers
                    .iter()
                    .map(|number| (self.row(*number), self.judged.notes[number.index()]))
                    .collect();
                for (row, notes) in &rows {
                    gather.note(row, *notes);
                }
                let _ = send.send(access_batch(&rows));
                let rows: Vec<Out<'_>> =
                    rows.iter().map(|(row, notes)| Out(row, notes.to_string())).collect();
                csv.write(&rows)?;
            }
            drop(send);
            writer.join().expect("it does not panic").map_err(parquet(NAME))
        })?;
        let figures = gather.figures();
        let (out, rows) = csv.finish()?;
        self.files.push(out.finish(Some(rows))?);
        let (out, rows) = written;
        self.files.push(out.finish(Some(rows))?);
        Ok(figures)
    }

    /// Everything that is not known and should be: sessions, then objects that could not be read, then CloudTrail's proof.
    pub(super) fn gaps(&mut self) -> Result<Vec<Gap>, ReportError> {
        let mut gaps = Vec::new();
        for number in &self.judged.order {
            let row = self.row(*number);
            if row.coverage.is_gap() {
                gaps.push(Gap::of_session(&row));
            }
        }
        if self.options.filter.is_empty() {
            let mut unreadable =
                tables::unreadable(self.store, &self.options.period, self.options.as_of)?;
            let mend = |gap: &mut Gap| gap.redact(&self.redactor);
            unreadable.iter_mut().for_each(mend);
            gaps.extend(unreadable);
            gaps.extend(self.integrity.iter().flat_map(Kept::problems).map(Gap::of_trail));
        }
        let mut out = self.create("coverage.csv")?;
        csv_rows(&mut out, &Gap::COLUMNS, &gaps)?;
        self.files.push(out.finish(Some(gaps.len() as u64))?);
        Ok(gaps)
    }

    pub(super) fn events(&mut self) -> Result<EventFigures, ReportError> {
        let fields = EventRow::fields();
        let columns: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let mut csv = report::write::Table::new(self.create("events.csv")?, &columns)?;
        let mut figures = EventFigures::default();
        for row in &self.events {
            csv.write_named(&columns, row)?;
            match row.category.as_str() {
                "denied" => figures.denied += 1,
                "preferences" => figures.preferences += 1,
                _ => figures.trail += 1,
            }
        }
        let (out, rows) = csv.finish()?;
        self.files.push(out.finish(Some(rows))?);
        Ok(figures)
    }

    pub(super) fn alerts(&mut self) -> Result<AlertFigures, ReportError> {
        let fields = Delivery::fields();
        let columns: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let mut csv = report::write::Table::new(self.create("alerts.csv")?, &columns)?;
        let mut figures = AlertFigures::default();
        for row in &self.alerts {
            csv.write_named(&columns, row)?;
            figures.notifications += 1;
            *figures.states.entry(row.state.clone()).or_default() += 1;
        }
        let (out, rows) = csv.finish()?;
        self.files.push(out.finish(Some(rows))?);
        Ok(figures)
    }

    /// What was verified of CloudTrail's digests, as it was kept.
    pub(super) fn integrity(
        &mut self,
    ) -> Result<Option<report::view::IntegrityFigures>, ReportError> {
        let Some(kept) = &self.integrity else { return Ok(None) };
        let mut out = self.create("integrity.json")?;
        out.write_all(&kept.json)?;
        let figures = kept.figures();
        self.files.push(out.finish(None)?);
        Ok(Some(figures))
    }

    pub(super) fn controls(
        &mut self,
        whole: &mut Whole,
        tags: &BTreeMap<String, u64>,
    ) -> Result<Vec<Control>, ReportError> {
        #[derive(Serialize)]
        struct Out<'a> {
            framework: &'a str,
            control: &'a str,
            title: &'a str,
            asks: &'a str,
            evidence: &'a str,
            file: &'a str,
            rows_where: &'a str,
            rows: u64,
            control_has_evidence: &'a str,
        }
        let note =
            |note: Note| whole.sessions.all.notes.get(note.as_str()).copied().unwrap_or_default();
        let files = self.files.len() as u64;
        let rows = |key: Key| match key {
            Key::Access => whole.sessions.all.sessions,
            Key::Commands => whole.commands.total,
            Key::Privileged => whole.commands.privileged,
            Key::Findings => whole.findings.total,
            Key::Alerts => whole.alerts.notifications,
            Key::Coverage => whole.gaps.values().sum(),
            Key::Denied => whole.events.denied,
            Key::Preferences => whole.events.preferences,
            Key::Trail => whole.events.trail,
            Key::Integrity => {
                whole.integrity.as_ref().map_or(0, |done| done.digests_valid + done.log_files_valid)
            }
            // Those to come: controls, facts, the figures and the page.
            Key::Manifest => files + 4,
            Key::NoMfa => note(Note::NoMfa),
            Key::AfterHours => note(Note::AfterHours),
            Key::BreakGlass => note(Note::BreakGlass),
            Key::Unrecordable => note(Note::Unrecordable),
            Key::LongSessions => note(Note::Long),
            Key::FirstAccess => note(Note::FirstAccess),
        };
        let controls = controls::of(rows, tags);
        let mut lines = Vec::new();
        for control in &controls {
            let all = control.rows();
            for evidence in &control.evidence {
                lines.push(Out {
                    framework: &control.framework,
                    control: &control.control,
                    title: &control.title,
                    asks: &control.asks,
                    evidence: &evidence.what,
                    file: evidence.file,
                    rows_where: &evidence.rows_where,
                    rows: evidence.rows,
                    control_has_evidence: if all == 0 { "none in this period" } else { "yes" },
                });
            }
        }
        let columns = [
            "framework",
            "control",
            "title",
            "asks",
            "evidence",
            "file",
            "rows_where",
            "rows",
            "control_has_evidence",
        ];
        let mut out = self.create("controls.csv")?;
        csv_rows(&mut out, &columns, &lines)?;
        self.files.push(out.finish(Some(lines.len() as u64))?);
        whole.controls.with_evidence = controls.iter().filter(|c| c.rows() > 0).count() as u64;
        whole.controls.without = controls.len() as u64 - whole.controls.with_evidence;
        Ok(controls)
    }

    /// The fact files that were read.
    pub(super) fn facts(&mut self) -> Result<FactsOf, ReportError> {
        let mut facts = FactsOf::default();
        let mut out = self.create("facts.csv")?;
        let mut rows = Vec::new();
        for seen in self.store.witness() {
            facts.files += 1;
            facts.rows += seen.rows;
            facts.bytes += seen.bytes;
            rows.push(Fact {
                path: seen.path,
                bytes: seen.bytes,
                sha256: hex(&seen.sha256),
                rows: Some(seen.rows),
            });
        }
        if self.options.tables.is_some() {
            // The engine has read them; what it read is known by name and size.
            let period = &self.options.period;
            let range = Range { since: Some(period.since()), until: Some(period.until()) };
            let (since, until) = range.days_as_of(self.options.as_of);
            let mut files = self.store.files::<Activity>(since, until)?;
            files.extend(self.store.files::<CommandRow>(since, until)?);
            files.extend(self.store.files::<FindingRow>(since, until)?);
            files.extend(self.store.files::<Transcript>(since, until)?);
            files.sort();
            rows.clear();
            facts = FactsOf { files: files.len() as u64, ..FactsOf::default() };
            for file in files {
                facts.bytes += file.size;
                rows.push(Fact {
                    path: file.path,
                    bytes: file.size,
                    sha256: String::new(),
                    rows: None,
                });
            }
        }
        csv_rows(&mut out, &Fact::COLUMNS, &rows)?;
        self.files.push(out.finish(Some(facts.files))?);
        Ok(facts)
    }
}

fn parquet<E: std::fmt::Display>(name: &'static str) -> impl Fn(E) -> ReportError {
    move |error| ReportError::Parquet(name, error.to_string())
}

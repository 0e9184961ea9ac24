//! The report of a period: facts → views → files, and a manifest of their hashes.
//!
//! ```text
//! sessions ──▶ findings ──▶ commands ──▶ access ──▶ coverage, events, alerts ──▶ controls ──▶ report.html, report.json
//!                                                                          facts.csv ──▶ manifest.json
//! ```
//!
//! What grows with the period is streamed; held at once are the sessions, as `Sessions` keeps them, and what the page shows.

mod controls;
mod judge;
mod publish;
mod tables;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::sync_channel;

use jiff::{SignedDuration, Timestamp};
use report::alert::{Delivery, record};
use report::redact::{Names, Redactor};
use report::store::{FindingRow, Row, Store, StoreError};
use report::view::commands::{self, Commands, Wanted};
use report::view::events::{self, EventRow};
use report::view::found::{self, FoundRow};
use report::view::{
    AlertFigures, CommandFigures, Control, ControlFigures, EventFigures, FindingFigures, Gather,
    Grace, Note, Notes, Period, PeriodOf, Range, RuleFigures, SessionNumber, SessionRow, Sessions,
    Whole,
};
use report::write::page::{Line, MOST_COMMANDS, MOST_ROWS, MOST_SECTIONS, Page, Section};
use report::write::{
    Fact, FactsOf, Hashing, MANIFEST, Manifest, Parquet, Previous, RulesOf, Tool, Written,
    access_batch, access_schema, csv_rows, hex,
};
use serde::Serialize;

use self::controls::Key;
pub use self::judge::{BreakGlass, Filter};
pub use self::publish::{Place, Published, publish};
use self::tables::Gap;
use crate::integrity::Kept;

/// What a report is to be about.
pub struct Options<'a> {
    /// Of when.
    pub period: Period,
    /// The time at which to look: what is missing then.
    pub as_of: Timestamp,
    /// How long a transcript may take.
    pub grace: Grace,
    /// What it is narrowed to.
    pub filter: Filter,
    /// Shall other names stand for the principals?
    pub redact: bool,
    /// From when on a session is long.
    pub long: SignedDuration,
    /// Days that are looked back for a first access; 0 for none.
    pub lookback_days: i32,
    /// The name of the calendar that business hours are taken from.
    pub calendar: &'a str,
    /// Names of nodes, by their ids.
    pub names: BTreeMap<String, String>,
    /// What the rules say of hours and roles, and which they are.
    pub standards: &'a Standards,
    /// The report before.
    pub previous: Option<Previous>,
    /// The version of the program.
    pub version: &'a str,
}

/// So long after a period everything has come that will: a session may last a day, and its transcript is uploaded then. A report
/// that is as of that time is the same whenever it is made.
pub const SETTLED: SignedDuration = SignedDuration::from_hours(48);

impl Options<'_> {
    /// What is usual, of a period.
    pub fn usual(period: Period) -> Self {
        static NONE: std::sync::LazyLock<Standards> = std::sync::LazyLock::new(Standards::default);
        Self {
            as_of: period.until(),
            grace: Grace::default(),
            filter: Filter::default(),
            redact: false,
            long: SignedDuration::from_hours(8),
            lookback_days: 90,
            calendar: "business_hours",
            names: BTreeMap::new(),
            standards: &NONE,
            previous: None,
            version: "",
            period,
        }
    }
}

/// What a report takes from a pack of rules.
#[derive(Clone, Debug, Default)]
pub struct Standards {
    /// The calendars.
    pub calendars: rules::Calendars,
    /// The roles that are kept for emergencies.
    pub break_glass: BreakGlass,
    /// Which rules they are.
    pub rules: RulesOf,
}

impl Standards {
    /// Those of a pack, and of the files that it was read from.
    pub fn of(pack: &rules::Pack, files: &[rules::PackFile]) -> Self {
        Self {
            calendars: pack.calendars.clone(),
            break_glass: BreakGlass::of(pack),
            rules: RulesOf {
                sha256: hash_of_rules(files),
                rules: pack.rules.len() + pack.correlations.len(),
            },
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the report.
    #[error("writing the report: {0}")]
    Io(#[from] io::Error),
    /// A Parquet file of the report.
    #[error("writing {0}: {1}")]
    Parquet(&'static str, String),
    /// There is another report in its place.
    #[error("{0}")]
    There(String),
}

/// Rows that are written at once.
const CHUNK: usize = 8 << 10;

/// Writes the files of a report into a folder that is there. The store has to be [`Store::witnessed`].
pub fn write(
    store: &Store,
    options: &Options<'_>,
    folder: &Path,
) -> Result<(Manifest, Whole), ReportError> {
    Writer::open(store, options, folder)?.write()
}

/// The hash of a pack: over its files, in order of their contents' hashes.
fn hash_of_rules(files: &[rules::PackFile]) -> String {
    use sha2::{Digest as _, Sha256};
    let is_rule = |file: &&rules::PackFile| {
        !file.path.ends_with(".test.yml") && !file.path.ends_with(".test.yaml")
    };
    let hashes: BTreeSet<[u8; 32]> =
        files.iter().filter(is_rule).map(|file| Sha256::digest(&file.text).into()).collect();
    let mut whole = Sha256::new();
    for hash in &hashes {
        whole.update(hash);
    }
    hex(&whole.finalize())
}

/// What is known of a session beside its row.
struct Judged {
    /// In order of their start.
    order: Vec<SessionNumber>,
    /// By [`SessionNumber`].
    notes: Vec<Notes>,
    is_wanted: Vec<bool>,
}

struct Writer<'a> {
    store: &'a Store,
    options: &'a Options<'a>,
    folder: &'a Path,
    sessions: Sessions,
    judged: Judged,
    redactor: Redactor,
    events: Vec<EventRow>,
    alerts: Vec<Delivery>,
    alert_states: BTreeMap<String, String>,
    integrity: Option<Kept>,
    files: Vec<Written>,
}

/// The sessions that are told with their commands.
#[derive(Default)]
struct Told {
    /// By [`SessionNumber`]: the place in what follows.
    place: foldhash::HashMap<SessionNumber, usize>,
    lines: Vec<(u64, Vec<Line>)>,
    findings: Vec<BTreeMap<(String, String), u64>>,
}

impl<'a> Writer<'a> {
    fn open(
        store: &'a Store,
        options: &'a Options<'a>,
        folder: &'a Path,
    ) -> Result<Self, ReportError> {
        let Options { period, as_of, grace, filter, .. } = options;
        let range = Range { since: Some(period.since()), until: Some(period.until()) };
        let mut sessions = Sessions::read_with_transcripts(store, range)?;
        let order = sessions.ordered(range, *as_of, *grace, |row| filter.holds_session(row));
        let mut is_wanted = vec![false; sessions.count()];
        for number in &order {
            is_wanted[number.index()] = true;
        }
        let judge = judge::Judge::new(options, store)?;
        let mut notes = vec![Notes::default(); sessions.count()];
        judge.all(&sessions, &order, &mut notes);
        let is_ours = |session: Option<&str>, known: judge::Known<'_>| match session
            .and_then(|id| sessions.find(id))
        {
            Some(number) => is_wanted[number.index()] || filter.is_empty(),
            None => filter.holds(known),
        };
        let mut events = events::read(store, period, |row| {
            is_ours(row.session_id.as_deref(), judge::Known::of_event(row))
        })?;
        let days = period.days_of_facts().map(Some);
        let (mut alerts, alert_states) = record(store, days)?;
        if !filter.is_empty() {
            alerts.retain(|alert| {
                is_ours(alert.session_id.as_deref(), judge::Known::of_alert(alert))
            });
        }
        let mut redactor = Redactor::default();
        if options.redact {
            let mut names = Names::default();
            for number in &order {
                let row = sessions.at(*number, *as_of, *grace);
                names.add(row.principal_arn, [row.principal_name, row.run_as]);
            }
            for row in &events {
                names.add(row.principal.as_deref(), [row.principal_claimed_name.as_deref()]);
            }
            found::read(
                store,
                period,
                |_| true,
                |row| {
                    names.add(row.principal.as_deref(), [row.principal_claimed_name.as_deref()]);
                },
            )?;
            redactor = names.redactor();
            sessions.redact(&redactor);
            for row in &mut events {
                row.redact(&redactor);
            }
            for row in &mut alerts {
                row.redact(&redactor);
            }
        }
        let integrity = crate::integrity::latest(store, period.since(), period.until())?;
        let judged = Judged { order, notes, is_wanted };
        let files = Vec::new();
        Ok(Self {
            store,
            options,
            folder,
            sessions,
            judged,
            redactor,
            events,
            alerts,
            alert_states,
            integrity,
            files,
        })
    }

    fn create(&self, name: &str) -> Result<Hashing, ReportError> {
        Ok(Hashing::create(self.folder, name)?)
    }

    fn row(&self, number: SessionNumber) -> SessionRow<'_> {
        self.sessions.at(number, self.options.as_of, self.options.grace)
    }

    fn write(mut self) -> Result<(Manifest, Whole), ReportError> {
        let mut told = self.choose();
        let mut shown = tables::Kept::default();
        let (findings, tags) = self.findings(&mut told, &mut shown)?;
        let commands = self.commands(&mut told)?;
        let figures = self.access()?;
        let gaps = self.gaps()?;
        let events = self.events()?;
        let alerts = self.alerts()?;
        let integrity = self.integrity()?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for gap in &gaps {
            *counts.entry(gap.gap.clone()).or_default() += 1;
        }
        let mut whole = Whole {
            period: PeriodOf::from(&self.options.period),
            as_of: self.options.as_of,
            filters: self.options.filter.told(),
            redacted: self.options.redact,
            sessions: figures,
            commands,
            findings,
            events,
            alerts,
            gaps: counts,
            integrity,
            controls: ControlFigures::default(),
        };
        let controls = self.controls(&mut whole, &tags)?;
        let facts = self.facts()?;
        let json = serde_json::to_vec_pretty(&whole).map_err(io::Error::from)?;
        let mut out = self.create("report.json")?;
        out.write_all(&json)?;
        out.write_all(b"\n")?;
        self.files.push(out.finish(None)?);
        self.page(&whole, &controls, &told, &gaps, shown, facts)?;
        let manifest = self.manifest(facts)?;
        Ok((manifest, whole))
    }

    /// The sessions that are told with their commands: those that most need a look, if there are too many.
    fn choose(&self) -> Told {
        let order = &self.judged.order;
        let mut chosen: Vec<SessionNumber> = order.clone();
        if chosen.len() > MOST_SECTIONS {
            let mut ranked: Vec<(u32, usize)> =
                order.iter().enumerate().map(|(at, number)| (self.rank(*number), at)).collect();
            ranked.sort_unstable_by_key(|(rank, at)| (std::cmp::Reverse(*rank), *at));
            ranked.truncate(MOST_SECTIONS);
            let mut places: Vec<usize> = ranked.into_iter().map(|(_, at)| at).collect();
            places.sort_unstable();
            chosen = places.into_iter().map(|at| order[at]).collect();
        }
        let lines = vec![(0, Vec::new()); chosen.len()];
        let findings = vec![BTreeMap::new(); chosen.len()];
        let place = chosen.into_iter().enumerate().map(|(at, number)| (number, at)).collect();
        Told { place, lines, findings }
    }

    /// How much a session needs a look.
    fn rank(&self, number: SessionNumber) -> u32 {
        let row = self.row(number);
        let level = row.highest_level.and_then(|level| level.parse::<model::Level>().ok());
        let level = level.map_or(0, |level| 1 + level as u32);
        let notes = self.judged.notes[number.index()];
        let notes = u32::try_from(notes.all().filter(|note| *note != Note::FirstAccess).count());
        level * 16 + u32::from(row.coverage.is_gap()) * 8 + notes.unwrap_or_default()
    }

    fn findings(
        &mut self,
        told: &mut Told,
        shown: &mut tables::Kept,
    ) -> Result<(FindingFigures, BTreeMap<String, u64>), ReportError> {
        let fields = FoundRow::fields();
        let columns: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let mut csv = report::write::Table::new(self.create("findings.csv")?, &columns)?;
        let out = self.create("findings.parquet")?;
        let mut parquet =
            Parquet::new(out, FoundRow::schema()).map_err(parquet("findings.parquet"))?;
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
            let batch = arrow_batch(rows);
            parquet.write(&batch).map_err(self::parquet("findings.parquet"))?;
            rows.clear();
            Ok(())
        };
        found::read(self.store, &self.options.period, holds, |row| {
            let session = row.session_id.as_deref().and_then(|id| self.sessions.find(id));
            let mut row = FoundRow::new(row, &self.alert_states);
            if self.options.redact {
                row.redact(&self.redactor);
            }
            figures.total += 1;
            *figures.levels.entry(row.level.clone()).or_default() += 1;
            *figures.alert_states.entry(row.alert_state.clone()).or_default() += 1;
            for tag in &row.tags {
                *tags.entry(tag.clone()).or_default() += 1;
            }
            let (rule, met) = rules.entry(row.rule_id.clone()).or_insert_with(|| {
                let rule = RuleFigures {
                    rule_id: row.rule_id.clone(),
                    title: row.rule_title.clone(),
                    level: row.level.clone(),
                    ..RuleFigures::default()
                };
                (rule, BTreeSet::new())
            });
            rule.findings += 1;
            *rule.alert_states.entry(row.alert_state.clone()).or_default() += 1;
            met.extend(row.session_id.clone());
            let place = session.and_then(|number| told.place.get(&number).copied());
            if let Some(place) = place {
                let key = (row.level.clone(), row.rule_title.clone());
                *told.findings[place].entry(key).or_default() += 1;
            }
            shown.finding(&row, place);
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
    fn commands(&mut self, told: &mut Told) -> Result<CommandFigures, ReportError> {
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
            let read = commands::read(self.store, range, &wanted, |day: Commands| {
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
                Ok(())
            });
            drop(send);
            let written = writer.join().expect("it does not panic");
            read.map(|()| written)
        })?;
        let (out, rows) = written.map_err(parquet(NAME))?;
        self.files.push(out.finish(Some(rows))?);
        Ok(figures)
    }

    fn access(&mut self) -> Result<report::view::Figures, ReportError> {
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
    fn gaps(&mut self) -> Result<Vec<Gap>, ReportError> {
        let mut gaps = Vec::new();
        for number in &self.judged.order {
            let row = self.row(*number);
            if row.coverage.is_gap() {
                gaps.push(Gap::of_session(&row));
            }
        }
        if self.options.filter.is_empty() {
            let mut unreadable = tables::unreadable(self.store, &self.options.period)?;
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

    fn events(&mut self) -> Result<EventFigures, ReportError> {
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

    fn alerts(&mut self) -> Result<AlertFigures, ReportError> {
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
    fn integrity(&mut self) -> Result<Option<report::view::IntegrityFigures>, ReportError> {
        let Some(kept) = &self.integrity else { return Ok(None) };
        let mut out = self.create("integrity.json")?;
        out.write_all(&kept.json)?;
        let figures = kept.figures();
        self.files.push(out.finish(None)?);
        Ok(Some(figures))
    }

    fn controls(
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
            evidence_in_all: String,
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
                    evidence_in_all: if all == 0 {
                        "none in this period".to_owned()
                    } else {
                        format!("{all} rows")
                    },
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
            "evidence_in_all",
        ];
        let mut out = self.create("controls.csv")?;
        csv_rows(&mut out, &columns, &lines)?;
        self.files.push(out.finish(Some(lines.len() as u64))?);
        whole.controls.with_evidence = controls.iter().filter(|c| c.rows() > 0).count() as u64;
        whole.controls.without = controls.len() as u64 - whole.controls.with_evidence;
        Ok(controls)
    }

    /// The fact files that were read.
    fn facts(&mut self) -> Result<FactsOf, ReportError> {
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
                rows: seen.rows,
            });
        }
        csv_rows(&mut out, &Fact::COLUMNS, &rows)?;
        self.files.push(out.finish(Some(facts.files))?);
        Ok(facts)
    }

    fn page(
        &mut self,
        whole: &Whole,
        controls: &[Control],
        told: &Told,
        gaps: &[Gap],
        mut shown: tables::Kept,
        facts: FactsOf,
    ) -> Result<(), ReportError> {
        let options = self.options;
        let mut sections = Vec::with_capacity(told.lines.len());
        for number in &self.judged.order {
            let Some(place) = told.place.get(number) else { continue };
            let (count, commands) = &told.lines[*place];
            sections.push(Section {
                number: place + 1,
                row: self.row(*number),
                notes: self.judged.notes[number.index()],
                commands: commands.clone(),
                count: *count,
                findings: told.findings[*place].clone(),
            });
        }
        // Too many for a page: those that most need a look.
        let mut order: Vec<SessionNumber> = self.judged.order.clone();
        if order.len() > MOST_ROWS {
            order.sort_by_cached_key(|number| std::cmp::Reverse(self.rank(*number)));
            order.truncate(MOST_ROWS);
            order.sort_unstable_by_key(|number| {
                let row = self.row(*number);
                (row.start, row.session_id.to_owned())
            });
        }
        let tables = tables::Tables { zone: &options.period.zone, names: &options.names };
        let sessions = order.iter().map(|number| {
            let place = told.place.get(number).map(|place| place + 1);
            (self.row(*number), self.judged.notes[number.index()], place)
        });
        let tables = vec![
            tables.sessions(sessions, whole.sessions.all.sessions),
            shown.findings(&tables, whole.findings.total),
            tables.gaps(gaps, |id| {
                let number = self.sessions.find(id)?;
                told.place.get(&number).map(|place| place + 1)
            }),
            tables.events(&self.events),
        ];
        let previous = options.previous.as_ref();
        let has_calendar = options.standards.calendars.contains_key(options.calendar);
        let page = Page {
            whole,
            zone: &options.period.zone,
            version: options.version,
            rules: (&options.standards.rules.sha256, options.standards.rules.rules),
            facts: (facts.files, facts.rows),
            previous: previous.map(|previous| (&*previous.period, &*previous.sha256)),
            names: &options.names,
            calendar: has_calendar.then_some(options.calendar),
            long_hours: options.long.as_hours(),
            lookback_days: options.lookback_days.into(),
            tables,
            alerts: &self.alerts,
            controls,
            sections: &sections,
        };
        let mut out = self.create("report.html")?;
        page.write(&mut out)?;
        let written = out.finish(None)?;
        self.files.push(written);
        Ok(())
    }

    fn manifest(&mut self, facts: FactsOf) -> Result<Manifest, ReportError> {
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        let options = self.options;
        let manifest = Manifest {
            manifest: 1,
            tool: Tool { name: "ssm-audit".to_owned(), version: options.version.to_owned() },
            period: PeriodOf::from(&options.period),
            as_of: options.as_of,
            engine: "local".to_owned(),
            filters: options.filter.told(),
            redacted: options.redact,
            rules: options.standards.rules.clone(),
            previous: options.previous.clone(),
            facts,
            files: self.files.clone(),
        };
        let mut json = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?;
        json.push(b'\n');
        let mut file = File::create(self.folder.join(MANIFEST))?;
        file.write_all(&json)?;
        file.sync_all()?;
        Ok(manifest)
    }
}

fn parquet<E: std::fmt::Display>(name: &'static str) -> impl Fn(E) -> ReportError {
    move |error| ReportError::Parquet(name, error.to_string())
}

fn arrow_batch<R: Row>(rows: &[R]) -> arrow_array::RecordBatch {
    arrow_array::RecordBatch::try_new(R::schema(), R::columns(rows)).expect("columns of the schema")
}

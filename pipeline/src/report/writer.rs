//! What is held while a report is written, and in which order its files come.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use report::alert::{Delivery, record};
use report::redact::{Names, Redactor};
use report::store::{FindingRow, Row as _, Store};
use report::view::events::{self, EventRow};
use report::view::found;
use report::view::{
    Control, ControlFigures, Note, Notes, PeriodOf, Range, SessionNumber, SessionRow, Sessions,
    Whole,
};
use report::write::page::{Line, MOST_ROWS, MOST_SECTIONS, Page, Section};
use report::write::{FactsOf, Hashing, MANIFEST, Manifest, Tool, Written};

use super::tables::{self, Gap};
use super::{Options, ReportError, judge};
use crate::integrity::Kept;
/// What is known of a session beside its row.
pub(super) struct Judged {
    /// In order of their start.
    pub(super) order: Vec<SessionNumber>,
    /// By [`SessionNumber`].
    pub(super) notes: Vec<Notes>,
    pub(super) is_wanted: Vec<bool>,
}

pub(super) struct Writer<'a> {
    pub(super) store: &'a Store,
    pub(super) options: &'a Options<'a>,
    pub(super) folder: &'a Path,
    pub(super) sessions: Sessions,
    pub(super) judged: Judged,
    pub(super) redactor: Redactor,
    pub(super) events: Vec<EventRow>,
    pub(super) alerts: Vec<Delivery>,
    pub(super) alert_states: BTreeMap<String, String>,
    pub(super) integrity: Option<Kept>,
    pub(super) files: Vec<Written>,
}

/// The findings of the period that `holds` wants, in order of time, wherever they come from.
pub(super) fn findings_of(
    store: &Store,
    options: &Options<'_>,
    holds: impl Fn(&FindingRow) -> bool,
    mut each: impl FnMut(FindingRow),
) -> Result<(), ReportError> {
    let Some((tables, _)) = &options.tables else {
        return Ok(found::read(store, &options.period, options.as_of, holds, each)?);
    };
    let mut rows = Vec::new();
    tables.findings(|row| {
        if holds(&row) {
            rows.push(row);
        }
    })?;
    // Those without a time are told last, as they are where they are read here.
    rows.sort_by(|a, b| a.time.is_none().cmp(&b.time.is_none()).then_with(|| a.order(b)));
    rows.into_iter().for_each(&mut each);
    Ok(())
}

/// The sessions that are told with their commands.
#[derive(Default)]
pub(super) struct Told {
    /// By [`SessionNumber`]: the place in what follows.
    pub(super) place: foldhash::HashMap<SessionNumber, usize>,
    pub(super) lines: Vec<(u64, Vec<Line>)>,
    pub(super) findings: Vec<BTreeMap<(String, String), u64>>,
}

impl<'a> Writer<'a> {
    pub(super) fn open(
        store: &'a Store,
        options: &'a Options<'a>,
        folder: &'a Path,
    ) -> Result<Self, ReportError> {
        let Options { period, as_of, grace, filter, .. } = options;
        let range = Range { since: Some(period.since()), until: Some(period.until()) };
        let tables = options.tables.as_ref().map(|(tables, _)| tables);
        let mut sessions = match tables {
            Some(tables) => tables.sessions()?,
            None => Sessions::read_with_transcripts(store, range, *as_of)?,
        };
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
            // Of a session that began before only this may lie in the period.
            Some(number) => is_wanted[number.index()] || filter.holds(known),
            None => filter.holds(known),
        };
        let is_wanted_event =
            |row: &EventRow| is_ours(row.session_id.as_deref(), judge::Known::of_event(row));
        let mut events = match tables {
            Some(tables) => {
                let mut events = tables.events()?;
                events.retain(is_wanted_event);
                events
            }
            None => events::read(store, period, *as_of, is_wanted_event)?,
        };
        // What transcripts without times tell lies in no day.
        let days = period.days_of_facts().map(Some).chain([None]);
        let (mut alerts, alert_states) = record(store, days)?;
        alerts.retain(|alert| {
            let known = judge::Known::of_alert(alert);
            match (alert.first, alert.session_id.as_deref()) {
                (Some(first), session) => period.holds(first) && is_ours(session, known),
                (None, session) => session
                    .and_then(|id| sessions.find(id))
                    .is_some_and(|number| is_wanted[number.index()]),
            }
        });
        let mut redactor = Redactor::default();
        if options.redact {
            let mut names = Names::default();
            for number in &order {
                let row = sessions.at(*number, *as_of, *grace);
                names.add(row.principal_arn, [row.principal_name]);
                names.user(row.principal_arn, row.run_as);
            }
            for row in &events {
                names.add(row.principal.as_deref(), [row.principal_claimed_name.as_deref()]);
            }
            findings_of(
                store,
                options,
                |_| true,
                |row| {
                    names.add(row.principal.as_deref(), [row.principal_claimed_name.as_deref()]);
                },
            )?;
            for alert in &alerts {
                names.add(alert.principal.as_deref(), []);
            }
            let ids = sessions.ids().map(str::to_owned).collect::<Vec<_>>();
            for id in &ids {
                names.login(id);
            }
            redactor = names.redactor();
            sessions.redact(&redactor);
            for row in &mut events {
                row.redact(&redactor);
            }
            for row in &mut alerts {
                row.redact(&redactor);
            }
        }
        // It is about whole trails, and not about what a filter leaves.
        let integrity = if filter.is_empty() {
            crate::integrity::of_time(store, period.since(), period.until())?
        } else {
            None
        };
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

    pub(super) fn create(&self, name: &str) -> Result<Hashing, ReportError> {
        Ok(Hashing::create(self.folder, name)?)
    }

    pub(super) fn row(&self, number: SessionNumber) -> SessionRow<'_> {
        self.sessions.at(number, self.options.as_of, self.options.grace)
    }

    pub(super) fn write(mut self) -> Result<(Manifest, Whole), ReportError> {
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
            is_settled: self.options.is_settled(),
            measures: self.options.measures(),
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
    pub(super) fn rank(&self, number: SessionNumber) -> u32 {
        let row = self.row(number);
        let level = row.highest_level.and_then(|level| level.parse::<model::Level>().ok());
        let level = level.map_or(0, |level| 1 + level as u32);
        let notes = self.judged.notes[number.index()];
        let notes = u32::try_from(notes.all().filter(|note| *note != Note::FirstAccess).count());
        level * 16 + u32::from(row.coverage.is_gap()) * 8 + notes.unwrap_or_default()
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
            is_settled: options.is_settled(),
            measures: options.measures(),
            engine: options.tables.as_ref().map_or("local", |(_, engine)| engine).to_owned(),
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

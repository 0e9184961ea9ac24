//! An event → the verbs → an answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingest::source::Bucket;
use ingest::{Limits, Problem, ProblemKind};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use pipeline::alerts::{self, Of};
use pipeline::compact;
use pipeline::ingest::{Artifact, Observer, Options, Outcome, quarantine};
use pipeline::report as monthly;
use pipeline::sweep;
use report::mask::Masker;
use report::store::{FindingRow, Store, StoreError};
use report::view::{Grace, Period};
use serde_json::{Value, json};

use crate::clock;
use crate::config::{Config, parse_age};
use crate::event::{Answer, Event, Item, Task, What, Work, recognise};
use crate::log::{Log, Metric, Severity, metrics};
use crate::rules::{Desk, DeskError};

/// Objects that are read at a time: they mostly wait for the network.
const JOBS: usize = 4;

/// What lasts from one invocation to the next.
pub(crate) struct App {
    config: Config,
    store: Store,
    desk: Desk,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// An invocation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was not understood.
    #[error("{0}")]
    Event(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The report.
    #[error(transparent)]
    Report(#[from] monthly::ReportError),
    /// Something of it could not be done now.
    #[error("{0}")]
    Undone(String),
}

impl Failure {
    /// What Lambda calls it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "UnknownEvent",
            Self::Store(_) => "Store",
            Self::Report(_) => "Report",
            Self::Undone(_) => "Undone",
        }
    }
}

impl App {
    pub(crate) fn open(config: Config, log: &Log) -> Result<Self, DeskError> {
        let store = Store::open(&config.store)?.keeping(config.cache);
        let desk = Desk::open(&config, &store, log)?;
        Ok(Self { config, store, desk, buckets: Mutex::default() })
    }

    /// Does what an event asks for. What is not done when `stop` becomes true is given back.
    pub(crate) fn handle(
        &self,
        event: &Value,
        stop: &Arc<AtomicBool>,
        log: &Log,
    ) -> Result<Value, Failure> {
        match recognise(event).map_err(|error| Failure::Event(error.to_string()))? {
            Event::Work(work) => self.work(work, stop, log),
            Event::Task(Task::Sweep { since }) => self.sweep(since.as_deref(), log),
            Event::Task(Task::Compact { since, min_files }) => {
                self.compact(since.as_deref(), min_files, log)
            }
            Event::Task(Task::Report { period, out, replace }) => {
                self.report(period.as_deref().unwrap_or("last-month"), out, replace, log)
            }
        }
    }

    fn sweep(&self, since: Option<&str>, log: &Log) -> Result<Value, Failure> {
        let now = clock::now();
        let back = age(since)?.unwrap_or(self.config.sweep_since);
        let since = now.checked_sub(back).ok();
        let orders = self.desk.orders(&self.config, &self.store, log);
        let grace = Grace { upload: self.config.grace, ..Grace::default() };
        let options = sweep::Options { now, since, grace, masker: Masker::default() };
        let summary = sweep::sweep(&self.store, &orders.set, &options)?;
        let mut told = alerts::Summary::default();
        // A claim to send is as old as it is, not as the work before it.
        let now = clock::now();
        if let Some(routing) = &orders.routing {
            let (routes, sinks) = &**routing;
            told = alerts::deliver(&self.store, &orders.set, routes, sinks, Of::Since(since), now)?;
        }
        tell_of_alerts(&told, log);
        for notice in &summary.notices {
            log.line(Severity::Warn, notice, json!({}));
        }
        self.forget_unread(log);
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let count = |count: u64| vec![count as f64];
        self.measure(&[
            ("Findings", "Count", count(summary.new)),
            ("Alerts", "Count", count(told.sent)),
            ("AlertsFailed", "Count", count(told.failed.len() as u64)),
            ("LagSeconds", "Seconds", told.lags(now)),
        ]);
        let mut answer = serde_json::to_value(&summary).unwrap_or_default();
        answer["alerts"] = serde_json::to_value(&told).unwrap_or_default();
        log.line(Severity::Info, "swept", answer.clone());
        Ok(answer)
    }

    /// What this task did not read the next one will not either.
    fn forget_unread(&self, log: &Log) {
        if let Err(error) = self.store.forget_unread() {
            let what = "facts are not kept in /tmp: the next sweep reads them from the bucket";
            log.line(Severity::Warn, what, json!({"reason": error.to_string()}));
        }
    }

    fn compact(
        &self,
        since: Option<&str>,
        min_files: Option<usize>,
        log: &Log,
    ) -> Result<Value, Failure> {
        const DAY: SignedDuration = SignedDuration::from_hours(24);
        let now = clock::now();
        let back = age(since)?.unwrap_or(self.config.sweep_since.saturating_add(DAY));
        let since = |back: SignedDuration| {
            now.checked_sub(back).ok().map(|since| since.to_zoned(TimeZone::UTC).date())
        };
        let options = compact::Options {
            since: since(back),
            until: None,
            // What one run replaced a later one removes, though it may be late.
            remove_since: since(back.saturating_add(DAY * 7)),
            now,
            min_files: min_files.unwrap_or(8),
            // An hour, but for what a schedule of each hour may come early.
            keep: SignedDuration::from_mins(55),
            is_trial: false,
        };
        let summary = compact::compact(&self.store, &options)?;
        self.forget_unread(log);
        let answer = serde_json::to_value(summary).unwrap_or_default();
        log.line(Severity::Info, "compacted", answer.clone());
        Ok(answer)
    }

    fn report(
        &self,
        period: &str,
        out: Option<String>,
        replace: bool,
        log: &Log,
    ) -> Result<Value, Failure> {
        let now = clock::now();
        let period = Period::parse(period, &self.config.zone, now).map_err(Failure::Event)?;
        let settled = period.until().checked_add(monthly::SETTLED).unwrap_or(now);
        let orders = self.desk.orders(&self.config, &self.store, log);
        let out = out.unwrap_or_else(|| format!("{}/reports/{}", self.config.store, period.label));
        if aws::s3_uri(&out).is_none() {
            return Err(Failure::Event(format!(
                "`out` is `{out}`; it has to be s3://bucket/prefix"
            )));
        }
        let place = monthly::Place::new(&out);
        let options = monthly::Options {
            as_of: settled.min(now),
            grace: Grace { upload: self.config.grace, ..Grace::default() },
            standards: &orders.standards,
            previous: place.previous(&period)?,
            version: env!("CARGO_PKG_VERSION"),
            clock: now,
            ..monthly::Options::usual(period)
        };
        // Which facts a report was made from is told by what was read for it alone.
        let store = Store::open(&self.config.store)?.witnessed()?;
        let stage = place.stage().map_err(monthly::ReportError::from)?;
        let (manifest, whole) = monthly::write(&store, &options, stage.path())?;
        let published = monthly::publish(stage, &place, replace)?;
        let answer = json!({
            "report": out,
            "published": published,
            "sessions": whole.sessions.all.sessions,
            "coverage_percent": whole.sessions.coverage_percent,
            "gaps": whole.gaps,
            "findings": whole.findings.levels,
            "files": manifest.files.len() + 1,
        });
        log.line(Severity::Info, "reported", answer.clone());
        Ok(answer)
    }

    fn measure(&self, all: &[Metric]) {
        metrics(&self.config.namespace, &self.config.function, all);
    }

    fn bucket(&self, name: &str) -> std::io::Result<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(name) {
            return Ok(bucket.clone());
        }
        let bucket = Bucket::open(&format!("s3://{name}"))?;
        buckets.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }

    fn work(&self, work: Work, stop: &Arc<AtomicBool>, log: &Log) -> Result<Value, Failure> {
        let Work { items, answer } = work;
        let mut watch =
            Watch { app: self, log, parts: Vec::new(), findings: Vec::new(), quarantined: 0 };
        let mut artifacts = Vec::new();
        for (at, item) in items.iter().enumerate() {
            for what in &item.what {
                let state = PartState::Waiting;
                let part = Part { item: at, etag: None, is_object: false, state };
                let number = watch.parts.len();
                match what {
                    What::Nothing(why) => {
                        log.line(Severity::Debug, "nothing to do", json!({"why": why}));
                    }
                    What::Malformed { text, reason } => {
                        watch.parts.push(part);
                        watch.malformed(number, text, reason);
                    }
                    What::Delivered { name, bytes } => {
                        watch.parts.push(part);
                        artifacts.push(Artifact::delivered(name, bytes.clone()).numbered(number));
                    }
                    What::Object { bucket, key, version_id, etag } => {
                        watch.parts.push(Part { etag: etag.clone(), is_object: true, ..part });
                        match self.bucket(bucket) {
                            Ok(bucket) => {
                                let object = bucket.object(key, version_id.as_deref());
                                artifacts.push(Artifact::object(object).numbered(number));
                            }
                            Err(error) => {
                                watch.parts[number].state = PartState::Failed(error.to_string());
                            }
                        }
                    }
                }
            }
        }
        let orders = self.desk.orders(&self.config, &self.store, log);
        let options = Options {
            masker: Masker::default(),
            jobs: artifacts.len().clamp(1, JOBS),
            limits: Limits { max_inflated: self.config.max_inflated, ..Limits::default() },
            index_sessions: true,
            stop: Arc::clone(stop),
            clock: Some(nanos),
        };
        let done =
            pipeline::ingest::ingest(artifacts, &self.store, &orders.set, &options, &mut watch);
        let Watch { parts, findings, quarantined, .. } = watch;
        let summary = done.unwrap_or_else(|error| {
            // What was not acknowledged is given back below.
            log.error("the store fails", json!({"reason": error.to_string()}));
            pipeline::ingest::Summary::default()
        });
        let mut told = alerts::Summary::default();
        let now = clock::now();
        if let Some(routing) = orders.routing.as_ref().filter(|_| !findings.is_empty()) {
            let (routes, sinks) = &**routing;
            match alerts::first(&self.store, &orders.set, routes, sinks, findings, now) {
                Ok(summary) => told = summary,
                // The findings are facts: the next sweep tells of them.
                Err(error) => {
                    log.error("alerts wait for the sweep", json!({"reason": error.to_string()}));
                }
            }
        }
        tell_of_alerts(&told, log);
        let mut failed: Vec<Option<String>> = vec![None; items.len()];
        for part in &parts {
            if let Some(reason) = part.state.reason() {
                failed[part.item].get_or_insert_with(|| reason.to_owned());
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let count = |count: u64| vec![count as f64];
        let objects = parts.iter().filter(|part| part.is_object && part.state.is_done()).count();
        let given_back = failed.iter().flatten().count() as u64;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        let rule_ms = Duration::from_nanos(summary.rule_nanos).as_micros() as f64 / 1e3;
        self.measure(&[
            ("Artifacts", "Count", count(summary.read + summary.known)),
            ("Objects", "Count", count(objects as u64)),
            ("Events", "Count", count(summary.records + summary.rows.commands)),
            ("Findings", "Count", count(summary.rows.findings)),
            ("Alerts", "Count", count(told.sent)),
            ("AlertsFailed", "Count", count(told.failed.len() as u64)),
            ("Quarantined", "Count", count(summary.quarantined + quarantined)),
            ("Failed", "Count", count(given_back)),
            ("LagSeconds", "Seconds", told.lags(now)),
            ("RuleMilliseconds", "Milliseconds", vec![rule_ms]),
        ]);
        let said = json!({
            "items": items.len(),
            "read": summary.read,
            "known": summary.known,
            "skipped": summary.skipped,
            "quarantined": summary.quarantined + quarantined,
            "given_back": given_back,
            "records": summary.records,
            "rows": summary.rows,
            "alerts": told.sent,
        });
        log.line(Severity::Info, "ingested", said.clone());
        respond(answer, &items, &failed, said)
    }
}

/// The age that a task names.
fn age(text: Option<&str>) -> Result<Option<SignedDuration>, Failure> {
    let wrong =
        |text| Failure::Event(format!("`since` is `{text}`; it has to be an age such as 3d"));
    text.map(|text| parse_age(text).ok_or_else(|| wrong(text))).transpose()
}

fn tell_of_alerts(told: &alerts::Summary, log: &Log) {
    for failed in &told.failed {
        log.error("an alert was not taken", serde_json::to_value(failed).unwrap_or_default());
    }
    for mute in &told.expired_mutes {
        log.error("a mute is over, and mutes nothing", json!({"mute": mute}));
    }
    for done in &told.responses {
        log.line(Severity::Warn, "a response", done.clone());
    }
}

fn nanos() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = *BEGAN.get_or_init(clock::instant);
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Tells the caller what has failed, as they want to hear it.
fn respond(
    answer: Answer,
    items: &[Item],
    failed: &[Option<String>],
    said: Value,
) -> Result<Value, Failure> {
    let each = || items.iter().zip(failed);
    match answer {
        Answer::Batch => {
            let failures: Vec<Value> = each()
                .filter(|(_, reason)| reason.is_some())
                .map(|(item, _)| json!({"itemIdentifier": item.id}))
                .collect();
            Ok(json!({"batchItemFailures": failures}))
        }
        // It does not bring back a record that failed: it takes it somewhere else. It does try again what ends in an error.
        Answer::Firehose if failed.iter().any(Option::is_some) => {
            Err(Failure::Undone(failed.iter().flatten().cloned().collect::<Vec<_>>().join("; ")))
        }
        Answer::Firehose => {
            // The data goes on as it came: this looks on.
            let records: Vec<Value> = items
                .iter()
                .map(|item| json!({"recordId": item.id, "result": "Ok", "data": item.data}))
                .collect();
            Ok(json!({"records": records}))
        }
        Answer::Error => {
            let reasons: Vec<&str> = failed.iter().flatten().map(String::as_str).collect();
            if reasons.is_empty() { Ok(said) } else { Err(Failure::Undone(reasons.join("; "))) }
        }
    }
}

/// Something that an item is about, and what became of it.
struct Part {
    item: usize,
    etag: Option<String>,
    /// Is it an object of a bucket of logs?
    is_object: bool,
    state: PartState,
}

enum PartState {
    /// Nobody has said anything: it was not come to.
    Waiting,
    /// It is done, or will never be.
    Done,
    /// It may be done later.
    Failed(String),
}

impl PartState {
    const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Waiting => Some("it was not come to"),
            Self::Failed(reason) => Some(reason),
        }
    }
}

struct Watch<'a> {
    app: &'a App,
    log: &'a Log,
    parts: Vec<Part>,
    findings: Vec<FindingRow>,
    quarantined: u64,
}

/// Findings of an invocation that are told of at once; the rest is told by the sweep.
const AT_ONCE: usize = 10_000;

impl Watch<'_> {
    /// What makes no sense never will: its reason is kept, and it does not come again.
    fn malformed(&mut self, number: usize, text: &str, reason: &str) {
        let text = Masker::default().text(text).into_owned();
        self.quarantine(number, "message", &text, reason, Some(&text));
    }

    fn quarantine(
        &mut self,
        number: usize,
        name: &str,
        version: &str,
        reason: &str,
        text: Option<&str>,
    ) {
        self.log.error("quarantined", json!({"artifact": name, "reason": reason}));
        self.parts[number].state = match quarantine(&self.app.store, name, version, reason, text) {
            Ok(()) => {
                self.quarantined += 1;
                PartState::Done
            }
            Err(error) => PartState::Failed(error.to_string()),
        };
    }
}

impl Observer for Watch<'_> {
    fn done(&mut self, number: usize, outcome: Outcome) {
        match outcome {
            Outcome::Known => self.parts[number].state = PartState::Done,
            Outcome::Read(findings) => {
                let room = AT_ONCE.saturating_sub(self.findings.len());
                self.findings.extend(findings.into_iter().take(room));
                self.parts[number].state = PartState::Done;
            }
            Outcome::Gone(problem) => {
                let (name, etag) =
                    (problem.place.artifact.to_string(), self.parts[number].etag.clone());
                let reason = "it was gone before it could be read: somebody deleted it";
                self.quarantine(number, &name, &etag.unwrap_or_default(), reason, None);
            }
            Outcome::Failed(problem) => {
                let reason = format!("{}: {}", problem.place.artifact, problem.reason);
                self.log.error("given back", json!({"reason": reason}));
                self.parts[number].state = PartState::Failed(reason);
            }
        }
    }

    fn problem(&mut self, problem: &Problem) {
        let severity = match problem.kind {
            ProblemKind::Skipped => Severity::Debug,
            ProblemKind::Failed => Severity::Warn,
        };
        let place = problem.place.to_string();
        self.log.line(severity, "not read", json!({"place": place, "reason": problem.reason}));
    }

    fn artifact(&mut self, _: u64) {}
}

/// Becomes true when so much time has passed, unless it is dropped before.
pub(crate) async fn stop_after(time: Duration, stop: Arc<AtomicBool>) {
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    // Whoever waits for this waits for the work instead.
    std::future::pending::<()>().await;
}

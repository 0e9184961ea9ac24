//! Rules and routes of the function, and how they are kept fresh.
//!
//! Those in a bucket are looked at again when a minute has passed. A version that does not compile changes nothing: the last
//! good one stays, also for functions that start meanwhile, because it is kept in the store, and the operator is told once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ingest::source::{Bucket, Object, Versions};
use pipeline::alerts::Sinks;
use pipeline::report::Standards;
use report::alert::{Alert, Form, Routes, SinkConfig};
use report::sink;
use report::store::{Store, StoreError};
use rules::{Pack, PackFile, RuleSet, Severity as Gravity};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::config::{Config, RoutesFrom, RulesFrom};
use crate::log::{Log, Severity};

/// How long what was read is taken to be what is there.
const FRESH: Duration = Duration::from_mins(1);
/// Largest file of rules, of a list, or of routes.
const MAX_FILE: u64 = 4 << 20;
/// Most files of rules.
const MAX_FILES: usize = 50_000;

/// What is evaluated, and who is told.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) set: Arc<RuleSet>,
    /// What reports take from the rules.
    pub(crate) standards: Arc<Standards>,
    /// Without them nobody is told.
    pub(crate) routing: Option<Arc<(Routes, Sinks)>>,
}

/// The orders as they are.
pub(crate) struct Desk {
    state: Mutex<State>,
}

struct State {
    orders: Orders,
    rules_version: String,
    routes_version: String,
    looked: Instant,
}

/// Why the function cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("rules: {0}")]
    Rules(String),
    #[error("routes: {0}")]
    Routes(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Desk {
    pub(crate) fn open(config: &Config, store: &Store, log: &Log) -> Result<Self, DeskError> {
        pipeline::pack::know();
        let (compiled, rules_version) = match &config.rules {
            RulesFrom::Shipped => {
                (compile(&pipeline::pack::embedded()).map_err(DeskError::Rules)?, String::new())
            }
            RulesFrom::Directory(path) => {
                let files =
                    pipeline::pack::files(path).map_err(|e| DeskError::Rules(e.to_string()))?;
                (compile(&files).map_err(DeskError::Rules)?, String::new())
            }
            RulesFrom::Bucket(uri) => first_rules(config, uri, store, log)?,
        };
        let set = Arc::clone(&compiled.set);
        // While the rest is made ready and the first event is on its way; without a thread it is made when it is needed.
        let _ = std::thread::Builder::new().spawn(move || pipeline::ingest::warm_up(&set));
        let (routing, routes_version) = match &config.routes {
            RoutesFrom::Object(uri) => {
                let (text, version) = object_text(uri).map_err(DeskError::Routes)?;
                (Some(routing(&text).map_err(DeskError::Routes)?), version)
            }
            RoutesFrom::File(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|e| DeskError::Routes(e.to_string()))?;
                (Some(routing(&text).map_err(DeskError::Routes)?), String::new())
            }
            RoutesFrom::Topic { arn, level, format } => {
                let format = match format {
                    Form::Text => "text",
                    Form::Json => "json",
                    Form::Chat => "chat",
                };
                // JSON is YAML.
                let routes = json!({
                    "sinks": {"topic": {"type": "sns", "topic_arn": arn, "format": format}},
                    "routes": [{"match": {"level": level.as_str()}, "sinks": ["topic"]}],
                });
                (Some(routing(&routes.to_string()).map_err(DeskError::Routes)?), String::new())
            }
            RoutesFrom::Nobody => (None, String::new()),
        };
        let Compiled { set, standards } = compiled;
        let orders = Orders { set, standards, routing };
        let state = State { orders, rules_version, routes_version, looked: clock::instant() };
        Ok(Self { state: Mutex::new(state) })
    }

    /// The orders, looked at again if it is time.
    pub(crate) fn orders(&self, config: &Config, store: &Store, log: &Log) -> Orders {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= FRESH {
            state.looked = clock::instant();
            if let RulesFrom::Bucket(uri) = &config.rules {
                renew_rules(&mut state, config, uri, store, log);
            }
            if let RoutesFrom::Object(uri) = &config.routes {
                renew_routes(&mut state, config, uri, store, log);
            }
        }
        state.orders.clone()
    }
}

fn renew_rules(state: &mut State, config: &Config, uri: &str, store: &Store, log: &Log) {
    let listed = match list(uri) {
        Ok(listed) if listed.version == state.rules_version => return,
        Ok(listed) => listed,
        Err(reason) => {
            log.line(
                Severity::Warn,
                "the rules could not be listed; those before stay",
                json!({"rules": uri, "reason": reason}),
            );
            return;
        }
    };
    let version = listed.version.clone();
    let files = match listed.read() {
        Ok(files) => files,
        Err(reason) => {
            // They may be read the next time.
            let what = json!({"rules": uri, "reason": reason});
            log.line(Severity::Warn, "the rules could not be read; those before stay", what);
            return;
        }
    };
    match compile(&files) {
        Ok(Compiled { set, standards }) => {
            log.line(
                Severity::Info,
                "new rules",
                json!({"rules": uri, "version": version, "count": set.rules().len()}),
            );
            keep(store, &version, files, log);
            state.orders.set = set;
            state.orders.standards = standards;
        }
        Err(reason) => refused(config, "rules", uri, &version, &reason, store, log),
    }
    // What is wrong stays wrong: it is not read again before it changes.
    state.rules_version = version;
}

fn renew_routes(state: &mut State, config: &Config, uri: &str, store: &Store, log: &Log) {
    match object_text(uri) {
        Ok((_, version)) if version == state.routes_version => {}
        Ok((text, version)) => {
            match routing(&text) {
                Ok(routing) => {
                    log.line(
                        Severity::Info,
                        "new routes",
                        json!({"routes": uri, "version": version}),
                    );
                    state.orders.routing = Some(routing);
                }
                Err(reason) => refused(config, "routes", uri, &version, &reason, store, log),
            }
            state.routes_version = version;
        }
        Err(reason) => {
            log.line(
                Severity::Warn,
                "the routes could not be read; those before stay",
                json!({"routes": uri, "reason": reason}),
            );
        }
    }
}

/// The rules of a bucket when a function starts: those that are there, else the last that were good, else those that ship. There
/// are always some.
fn first_rules(
    config: &Config,
    uri: &str,
    store: &Store,
    log: &Log,
) -> Result<(Compiled, String), DeskError> {
    // Without a version they are looked at again when a minute has passed.
    let mut version = String::new();
    let read = list(uri).and_then(|listed| {
        let version = listed.version.clone();
        Ok((listed.read()?, version))
    });
    let reason = match read {
        Ok((files, read_version)) => {
            version = read_version;
            match compile(&files) {
                Ok(set) => {
                    keep(store, &version, files, log);
                    return Ok((set, version));
                }
                Err(reason) => reason,
            }
        }
        Err(reason) => reason,
    };
    refused(config, "rules", uri, &version, &reason, store, log);
    // What was good once may not be for this program.
    let kept = last_good(store).map_err(|error| error.to_string());
    match kept.and_then(|files| files.map(|files| compile(&files)).transpose()) {
        Ok(Some(set)) => return Ok((set, version)),
        Ok(None) => {}
        Err(reason) => log.error(
            "the last good rules cannot be used; those that ship are",
            json!({"reason": reason}),
        ),
    }
    let set = compile(&pipeline::pack::embedded()).map_err(DeskError::Rules)?;
    Ok((set, version))
}

/// Rules in a bucket.
struct Listed {
    objects: Vec<Object>,
    /// Below which the files lie.
    root: String,
    version: String,
}

fn list(uri: &str) -> Result<Listed, String> {
    let bucket = Bucket::open(uri).map_err(|error| error.to_string())?;
    let mut objects = Vec::new();
    for object in bucket.list(Versions::Latest) {
        let object = object.map_err(|error| error.to_string())?;
        let name = object.uri();
        if name.ends_with(".yml") || name.ends_with(".yaml") {
            objects.push(object);
        }
        if objects.len() > MAX_FILES {
            return Err(format!("more than {MAX_FILES} files"));
        }
    }
    objects.sort_by_key(Object::uri);
    let mut hash = Sha256::new();
    for object in &objects {
        hash.update(format!("{}\n{}\n", object.uri(), object.etag.as_deref().unwrap_or_default()));
    }
    let version = hash
        .finalize()
        .iter()
        .take(16)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok(Listed { objects, root: format!("{}/", uri.trim_end_matches('/')), version })
}

impl Listed {
    fn read(self) -> Result<Vec<PackFile>, String> {
        if self.objects.is_empty() {
            return Err("there are no rules".to_owned());
        }
        let read = |object: &Object| {
            let name = object.uri();
            let text = text_of(object).map_err(|error| format!("{name}: {error}"))?;
            let path = name.strip_prefix(&self.root).unwrap_or(&name).to_owned();
            Ok(PackFile { path, text })
        };
        self.objects.iter().map(read).collect()
    }
}

fn text_of(object: &Object) -> Result<String, String> {
    use std::io::Read as _;
    let got = object.get().map_err(|error| error.to_string())?;
    let mut text = String::new();
    got.reader().take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("larger than {MAX_FILE} bytes"));
    }
    Ok(text)
}

/// An object's text and version.
fn object_text(uri: &str) -> Result<(String, String), String> {
    use std::io::Read as _;
    let (bucket, key) = aws::s3_uri(uri).ok_or("it is no s3://bucket/key")?;
    let bucket = Bucket::open(&format!("s3://{bucket}")).map_err(|error| error.to_string())?;
    let got = bucket.object(key, None).get().map_err(|error| format!("{uri}: {error}"))?;
    let (version, mut text) = (got.etag.clone(), String::new());
    got.reader()
        .take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(|error| format!("{uri}: {error}"))?;
    Ok((text, version))
}

/// Rules, ready.
struct Compiled {
    set: Arc<RuleSet>,
    standards: Arc<Standards>,
}

/// All or nothing: a rule that is left out finds nothing, and nobody would know.
fn compile(files: &[PackFile]) -> Result<Compiled, String> {
    let pack = Pack::read(files.iter().cloned());
    let standards = Arc::new(Standards::of(&pack, files));
    let errors: Vec<String> = pack
        .problems
        .iter()
        .filter(|problem| problem.severity == Gravity::Error)
        .map(|problem| format!("{}: {}", problem.source.name, problem.message))
        .collect();
    if !errors.is_empty() {
        let rest = errors.len().saturating_sub(10);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        return Err(format!("{}{more}", errors[..errors.len() - rest].join("; ")));
    }
    let set = RuleSet::compile(pack);
    let is_told = (0..set.rules().len()).any(|at| set.is_told(at))
        || (0..set.correlations().len()).any(|at| set.is_correlation_told(at));
    if is_told {
        Ok(Compiled { set: Arc::new(set), standards })
    } else {
        Err("there are no rules".to_owned())
    }
}

fn routing(text: &str) -> Result<Arc<(Routes, Sinks)>, String> {
    let routes = Routes::parse(text).map_err(|error| error.to_string())?;
    #[expect(clippy::disallowed_methods, reason = "the shells read the environment")]
    let secret = |name: &str| std::env::var(name).ok();
    let sinks = Sinks::open(&routes, &secret).map_err(|error| error.to_string())?;
    Ok(Arc::new((routes, sinks)))
}

/// Rules that compiled, as they are kept in the store.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: String,
    files: Vec<(String, String)>,
}

const GOOD: &str = "rules";

/// Keeps rules that compiled: `rules/<time>-<version>.json`, if the latest are others.
fn keep(store: &Store, version: &str, files: Vec<PackFile>, log: &Log) {
    let kept = || -> Result<(), StoreError> {
        let latest = store.list(GOOD)?.into_iter().map(|entry| entry.path).max();
        if latest.is_some_and(|path| path.ends_with(&format!("-{version}.json"))) {
            return Ok(());
        }
        let files = files.into_iter().map(|file| (file.path, file.text)).collect();
        let kept = Kept { version: version.to_owned(), files };
        let json = serde_json::to_vec(&kept).expect("texts are JSON");
        let seconds = clock::now().as_second();
        store.create(&format!("{GOOD}/{seconds:012}-{version}.json"), json)?;
        store.sync()
    };
    if let Err(error) = kept() {
        log.line(
            Severity::Warn,
            "the rules could not be kept",
            json!({"reason": error.to_string()}),
        );
    }
}

fn last_good(store: &Store) -> Result<Option<Vec<PackFile>>, StoreError> {
    let Some(latest) = store.list(GOOD)?.into_iter().map(|entry| entry.path).max() else {
        return Ok(None);
    };
    let Some(bytes) = store.get(&latest)? else { return Ok(None) };
    let kept: Kept = serde_json::from_slice(&bytes)
        .map_err(|source| StoreError::Json { path: latest, source })?;
    Ok(Some(kept.files.into_iter().map(|(path, text)| PackFile { path, text }).collect()))
}

/// Tells the operator, once for a version however many functions see it.
fn refused(
    config: &Config,
    what: &str,
    uri: &str,
    version: &str,
    reason: &str,
    store: &Store,
    log: &Log,
) {
    log.error(
        &format!("the {what} cannot be used; the last good ones stay"),
        json!({"from": uri, "version": version, "reason": reason}),
    );
    let Some(topic) = &config.operator_topic else { return };
    let told = || -> Result<(), String> {
        // What could not even be listed has no version; a day later it is news again.
        let day = clock::now().to_string().chars().take(10).collect::<String>();
        let version = if version.is_empty() { &day } else { version };
        let path = format!("operator/{what}-{version}.json");
        if store.has(&path).map_err(|error| error.to_string())? {
            return Ok(());
        }
        let sink = SinkConfig::Sns { topic_arn: topic.clone(), format: Form::Text };
        let sink = sink::open(&sink, &|_| None).map_err(|error| error.to_string())?;
        let now = clock::now();
        let alert = Alert {
            alert_id: version.to_owned(),
            number: 1,
            rule_id: format!("ssm-audit.{what}"),
            rule_title: format!("ssm-audit: the {what} cannot be used; the last good ones stay"),
            level: "high".to_owned(),
            tags: Vec::new(),
            count: 1,
            new: 1,
            first: Some(now),
            last: Some(now),
            session_id: None,
            principal: None,
            principal_claimed_name: None,
            account: None,
            region: None,
            target: None,
            why: Some(format!("{uri}: {reason}")),
            next: vec![format!(
                "mend the {what}: `ssm-audit rules check` says what is wrong and where"
            )],
            links: Vec::new(),
            findings: Vec::new(),
            cut: false,
        };
        sink.send(&alert, now).map_err(|error| error.to_string())?;
        // Behind the message: to be told twice is better than never.
        let note = json!({"from": uri, "reason": reason}).to_string();
        store.create(&path, note.into_bytes()).map(|_| ()).map_err(|error| error.to_string())
    };
    if let Err(error) = told() {
        log.error("the operator could not be told", json!({"topic": topic, "reason": error}));
    }
}

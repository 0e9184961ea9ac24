//! The tests beside a rule: what it must fire on, and what it must leave alone.
//!
//! `<rule>.test.yml` holds a list `cases`. A case has a `name`, `fires: true | false`, an `event` (a
//! CloudTrail record), a `command` (a line that a person ran) or a `transcript` (what was observed in it), and
//! optionally `evidence`: fields that the match must show.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::command::simple::Splitter;
use ingest::{RawRecord, TranscriptForm, TranscriptHead};
use model::{
    ByteSpan, Command, CommandStatus, Confidence, EventKind, Observation, ObservationKind, Place,
    Principal, PrincipalType, Session, SessionId, SessionKind, ShellFamily,
};
use rules::sigma::yaml::{self, Node, Value};
use rules::{Diagnostic, Evaluator, Match, PackFile, Pivot, RuleSet, Source};
use serde_json::json;

use crate::events::{Added, CommandEvent, RecordEvent, TranscriptEvent, process_kind};

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The file of cases.
    pub file: String,
    /// The case's name.
    pub name: String,
    /// Must it fire?
    pub expected: bool,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
}

/// Runs the cases of a pack's files against its rules. What cannot be read is a diagnostic.
pub fn run(set: &RuleSet, files: &[PackFile]) -> (Vec<Outcome>, Vec<Diagnostic>) {
    let mut runner = Runner { set, evaluator: Evaluator::new(set), problems: Vec::new() };
    let mut outcomes = Vec::new();
    for file in files {
        let Some(stem) = file.path.strip_suffix(".test.yml") else { continue };
        let source = Arc::new(Source { name: file.path.clone(), text: file.text.clone() });
        let rule = set.rules().iter().find(|rule| rule.source().name == format!("{stem}.yml"));
        let Some(rule) = rule else {
            let problem =
                Diagnostic::error(&source, 0..1, format!("no rule {stem}.yml for these cases"));
            runner.problems.push(problem);
            continue;
        };
        runner.file(&source, &rule.info().id.clone(), &mut outcomes);
    }
    (outcomes, runner.problems)
}

/// What a case may say.
const KEYS: [&str; 12] = [
    "name",
    "fires",
    "event",
    "command",
    "transcript",
    "evidence",
    "user",
    "host",
    "cwd",
    "session",
    "status",
    "shell",
];

struct Runner<'a> {
    set: &'a RuleSet,
    evaluator: Evaluator<'a>,
    problems: Vec<Diagnostic>,
}

impl Runner<'_> {
    fn file(&mut self, source: &Arc<Source>, rule: &str, outcomes: &mut Vec<Outcome>) {
        let documents = match yaml::documents(source) {
            Ok(documents) => documents,
            Err(problem) => {
                self.problems.push(*problem);
                return;
            }
        };
        if documents.first().and_then(|document| document.get("cases")).is_none() {
            let problem = Diagnostic::error(source, 0..1, "a file of cases needs a list `cases`");
            self.problems.push(problem);
        }
        let cases = documents.first().and_then(|document| document.get("cases"));
        let defaults = documents.first().and_then(|document| document.get("event"));
        for case in cases.map(Node::items).unwrap_or_default() {
            match self.case(case, defaults, source, rule) {
                Ok(outcome) => outcomes.push(outcome),
                Err(message) => {
                    self.problems.push(Diagnostic::error(source, case.span.clone(), message));
                }
            }
        }
    }

    fn case(
        &mut self,
        case: &Node,
        defaults: Option<&Node>,
        source: &Arc<Source>,
        rule: &str,
    ) -> Result<Outcome, String> {
        let text = |key: &str| case.get(key).and_then(|node| node.scalar_text(source));
        if let Value::Map(entries) = &case.value {
            for (key, _) in entries {
                let key = key.scalar_text(source).unwrap_or_default();
                if !KEYS.contains(&key.as_str()) {
                    return Err(format!("`{key}` means nothing in a case"));
                }
            }
        }
        let name = text("name").ok_or("a case needs a `name`")?;
        let expected = match case.get("fires").map(|node| &node.value) {
            Some(Value::Bool(fires)) => *fires,
            _ => return Err("a case needs `fires: true` or `fires: false`".into()),
        };
        let found = match (case.get("event"), text("command")) {
            (Some(event), None) => {
                let mut record = defaults.map_or_else(|| json!({}), |node| to_json(node, source));
                merge(&mut record, to_json(event, source));
                self.event(&record, rule)?
            }
            (None, Some(line)) => self.command(&line, case, source, rule)?,
            (None, None) if case.get("transcript").is_some() => {
                self.transcript(case, source, rule)?
            }
            _ => return Err("a case needs an `event`, a `command` or a `transcript`".into()),
        };
        let fields: Vec<&str> = found.iter().flatten().map(String::as_str).collect();
        let missing: Vec<String> = case
            .get("evidence")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(|node| node.scalar_text(source))
            .filter(|field| !fields.contains(&field.as_str()))
            .collect();
        let failure = match (expected, found.is_some()) {
            (true, false) => Some("does not fire".to_owned()),
            (false, true) => Some(format!("fires, on {}", fields.join(", "))),
            (true, true) if !missing.is_empty() => {
                Some(format!("fires on {}, not on {}", fields.join(", "), missing.join(", ")))
            }
            _ => None,
        };
        Ok(Outcome { file: source.name.clone(), name, expected, failure })
    }

    /// The fields that a record makes the rule fire on, if it does.
    fn event(
        &mut self,
        record: &serde_json::Value,
        rule: &str,
    ) -> Result<Option<Vec<String>>, String> {
        let bytes = record.to_string().into_bytes();
        let raw = RawRecord {
            bytes: &bytes,
            offset: 0,
            event_source: record["eventSource"].as_str(),
            event_name: record["eventName"].as_str(),
            event_id: None,
            account: None,
        };
        let added = Added::new(self.set, EventKind::CloudTrail);
        let event = RecordEvent::new(&raw, &added);
        let pivot = Pivot { event_source: raw.event_source, event_name: raw.event_name };
        let mut found = None;
        self.evaluator
            .evaluate(EventKind::CloudTrail, pivot, &event, |m| note(&m, rule, &mut found))
            .map_err(|error| error.to_string())?;
        Ok(found)
    }

    /// The same for a line that a person ran.
    fn command(
        &mut self,
        line: &str,
        case: &Node,
        source: &Arc<Source>,
        rule: &str,
    ) -> Result<Option<Vec<String>>, String> {
        let text = |key: &str| case.get(key).and_then(|node| node.scalar_text(source));
        let status = match text("status").as_deref() {
            None | Some("executed") => CommandStatus::Executed,
            Some("aborted") => CommandStatus::Aborted,
            Some("repl") => CommandStatus::Repl,
            Some("hidden") => CommandStatus::Hidden,
            Some("unfinished") => CommandStatus::Unfinished,
            Some(other) => return Err(format!("`{other}` is no status of a command")),
        };
        let shell = match text("shell").as_deref() {
            None | Some("posix") => ShellFamily::Posix,
            Some("powershell") => ShellFamily::PowerShell,
            Some(other) => return Err(format!("`{other}` is no family of shells")),
        };
        let head = TranscriptHead::new(Place::new("case", 0), TranscriptForm::S3);
        let command = Command {
            ordinal: 1,
            text: line.to_owned(),
            original: None,
            shell,
            status,
            confidence: Confidence::Certain,
            reason: "a test case",
            user: text("user"),
            host: text("host"),
            cwd: text("cwd"),
            level: None,
            time: None,
            time_end: None,
            bytes: ByteSpan::default(),
        };
        let session = session(case.get("session"), source);
        let mut found = None;
        for kind in [EventKind::Command, process_kind(command.shell)] {
            let added = Added::new(self.set, kind);
            let programs = match (kind, status) {
                (EventKind::Command, _) => vec![None],
                (_, CommandStatus::Executed) => {
                    Splitter::new().programs(line, command.shell).into_iter().map(Some).collect()
                }
                _ => Vec::new(),
            };
            for program in &programs {
                let event = CommandEvent {
                    head: &head,
                    command: &command,
                    program: program.as_ref(),
                    session: &session,
                    time: session.start,
                    added: &added,
                };
                // A command is no JSON, so filling it cannot fail.
                let _ = self
                    .evaluator
                    .evaluate(kind, Pivot::default(), &event, |m| note(&m, rule, &mut found));
            }
        }
        Ok(found)
    }

    /// The same for a transcript as a whole.
    fn transcript(
        &mut self,
        case: &Node,
        source: &Arc<Source>,
        rule: &str,
    ) -> Result<Option<Vec<String>>, String> {
        let node = case.get("transcript");
        let field = |key: &str| node.and_then(|node| node.get(key));
        let text = |key: &str| field(key).and_then(|node| node.scalar_text(source));
        let mut head = TranscriptHead::new(Place::new("case", 0), TranscriptForm::S3);
        for item in field("observation").map(Node::items).unwrap_or_default() {
            let word = item.scalar_text(source).unwrap_or_default();
            let kind = ObservationKind::ALL.into_iter().find(|kind| kind.as_str() == word);
            let kind = kind.ok_or_else(|| format!("`{word}` is no observation"))?;
            let bytes = ByteSpan::default();
            head.observations.note(Observation { kind, ordinal: 1, count: 1, time: None, bytes });
        }
        head.complete = text("complete").map(|complete| complete == "true");
        head.commands = text("commands").and_then(|commands| commands.parse().ok()).unwrap_or(1);
        let session = session(case.get("session"), source);
        let added = Added::new(self.set, EventKind::Transcript);
        let event =
            TranscriptEvent { head: &head, session: &session, time: session.start, added: &added };
        let mut found = None;
        // A transcript is no JSON, so filling the event cannot fail.
        let _ = self.evaluator.evaluate(EventKind::Transcript, Pivot::default(), &event, |m| {
            note(&m, rule, &mut found);
        });
        Ok(found)
    }
}

fn note(found: &Match<'_>, rule: &str, fields: &mut Option<Vec<String>>) {
    if found.rule.info().id == rule {
        let own = found.evidence.iter().map(|evidence| evidence.field.clone());
        fields.get_or_insert_default().extend(own);
    }
}

fn session(node: Option<&Node>, source: &Source) -> Session {
    let text = |key: &str| node.and_then(|node| node.get(key)).and_then(|n| n.scalar_text(source));
    let id = text("id").unwrap_or_else(|| "case-00000000000000000".to_owned());
    let mut session = Session::unknown(SessionId::new(id));
    session.principal = text("principal").map(|arn| Principal::from_arn(&arn));
    if let (Some(principal), Some(kind)) = (&mut session.principal, text("principal_type")) {
        principal.kind = PrincipalType::from(kind);
    }
    session.document = text("document");
    session.target = text("target");
    session.account = text("account");
    session.region = text("region");
    session.start = text("start").and_then(|text| ingest::decode::parse_time(&text));
    session.kind = match text("kind").as_deref() {
        Some("shell") => Some(SessionKind::Shell),
        Some("port-forward") => Some(SessionKind::PortForward),
        Some("port-forward-remote") => Some(SessionKind::PortForwardRemote),
        Some("ssh") => Some(SessionKind::Ssh),
        Some("ecs-exec") => Some(SessionKind::EcsExec),
        Some("interactive-command") => Some(SessionKind::InteractiveCommand),
        Some("noninteractive-command") => Some(SessionKind::NoninteractiveCommand),
        _ => SessionKind::of_document(session.document.as_deref(), session.target.as_deref()),
    };
    session
}

/// A node as JSON.
fn to_json(node: &Node, source: &Source) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Number(number) => node
            .scalar_text(source)
            .and_then(|text| serde_json::from_str::<serde_json::Number>(&text).ok())
            .map_or_else(|| json!(number), serde_json::Value::Number),
        Value::List(items) => items.iter().map(|item| to_json(item, source)).collect(),
        Value::Map(entries) => {
            let entries: BTreeMap<String, serde_json::Value> = entries
                .iter()
                .filter_map(|(key, value)| Some((key.scalar_text(source)?, to_json(value, source))))
                .collect();
            json!(entries)
        }
    }
}

/// Lays `over` on `base`: maps are merged, everything else is replaced.
fn merge(base: &mut serde_json::Value, over: serde_json::Value) {
    match (base, over) {
        (serde_json::Value::Object(base), serde_json::Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pack's own cases, every one of them.
    #[test]
    fn the_pack_passes_its_own_cases() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules.d");
        let files = crate::pack::files(&root).unwrap_or_default();
        let pack = rules::Pack::read(files.clone());
        let problems: Vec<String> = pack.problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        let count = pack.rules.len();
        let set = RuleSet::compile(pack);
        let idle: Vec<&str> =
            set.idle(&crate::scan::EVALUATED).map(|rule| rule.info().title.as_str()).collect();
        assert!(idle.is_empty(), "no event has these rules' log sources: {idle:?}");
        let (outcomes, problems) = run(&set, &files);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        let failures: Vec<&Outcome> = outcomes.iter().filter(|o| o.failure.is_some()).collect();
        assert!(failures.is_empty(), "{failures:#?}");
        for rule in set.rules() {
            let own = rule.source().name.replace(".yml", ".test.yml");
            for expected in [true, false] {
                let cases = outcomes.iter().filter(|o| o.file == own && o.expected == expected);
                assert!(cases.count() > 0, "{own} has no case with `fires: {expected}`");
            }
        }
        assert!(
            count >= 20 && outcomes.len() >= count * 4,
            "{count} rules, {} cases",
            outcomes.len()
        );
    }
}

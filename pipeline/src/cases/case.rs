//! A file of cases → what each asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::{TranscriptForm, TranscriptHead};
use jiff::{SignedDuration, Span, Timestamp};
use model::{
    ByteSpan, Command, CommandStatus, Confidence, Observation, ObservationKind, Place, Principal,
    PrincipalType, Session, SessionId, SessionKind, ShellFamily,
};
use report::view::Coverage;
use rules::sigma::yaml::{self, Node, Value};
use rules::{Diagnostic, Source};
use serde_json::json;

use super::happening::{Happening, Recorded};

/// What is asked of a rule.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) fires: bool,
    /// The rule that is meant, by id or name, where its file holds several.
    pub(super) rule: Option<String>,
    /// Fields that the match must quote, some with the value.
    pub(super) evidence: Vec<(String, Option<String>)>,
    pub(super) what: What,
    pub(super) span: std::ops::Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// These, one after the other.
    Happenings(Vec<Happening>),
    /// What a file beside the cases holds.
    Recording(String),
}

/// What a case may say.
const KEYS: [&str; 15] = [
    "name",
    "fires",
    "rule",
    "event",
    "events",
    "command",
    "transcript",
    "recording",
    "evidence",
    "user",
    "host",
    "cwd",
    "session",
    "status",
    "shell",
];
/// What a case says of itself, and none of its events.
const OWN_KEYS: [&str; 5] = ["fires", "rule", "evidence", "events", "recording"];
/// What one of several events may say beside.
const STEP_KEYS: [&str; 3] = ["at", "repeat", "every"];
/// What happens, where there is one event alone.
const EVENT_KEYS: [&str; 9] =
    ["event", "command", "transcript", "session", "user", "host", "cwd", "status", "shell"];
/// What a session may say.
const SESSION_KEYS: [&str; 9] = [
    "id",
    "principal",
    "principal_type",
    "document",
    "target",
    "account",
    "region",
    "start",
    "kind",
];
/// What the view of a store says of one beside.
const VIEW_KEYS: [&str; 11] = [
    "commands",
    "coverage",
    "coverage_reason",
    "duration_s",
    "findings",
    "highest_level",
    "mfa",
    "run_as",
    "source_ip",
    "user_agent",
    "reason",
];

/// When events happen that say nothing of it.
const NOON: &str = "2026-01-05T12:00:00Z";
/// Most events of a case.
const MAX_EVENTS: usize = 20_000;

/// Reads the cases of a file. What cannot be read is told, and the others are returned.
pub(super) fn read(source: &Arc<Source>, problems: &mut Vec<Diagnostic>) -> Vec<Case> {
    let documents = match yaml::documents(source) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.push(*problem);
            return Vec::new();
        }
    };
    let first = documents.first();
    let Some((_, list)) = first.and_then(|document| document.entry("cases")) else {
        let problem = Diagnostic::error(source, 0..1, "a file of cases needs a list `cases`");
        problems.push(problem);
        return Vec::new();
    };
    if let Some(Value::Map(entries)) = first.map(|document| &document.value) {
        for (key, _) in entries {
            let name = key.scalar_text(source).unwrap_or_default();
            if !["cases", "event", "session"].contains(&name.as_str()) {
                let message = format!("`{name}` means nothing in a file of cases");
                problems.push(
                    Diagnostic::error(source, key.span.clone(), message).with_help(
                        "there are: cases; event, the base of all records; session, the base of all sessions",
                    ),
                );
            }
        }
    }
    for other in documents.iter().skip(1) {
        let message = "a file of cases is one document: this one is not read";
        problems.push(Diagnostic::error(source, other.span.clone(), message));
    }
    let base = |key: &str| first.and_then(|document| document.get(key));
    let reader = Reader { source, event: base("event"), session: base("session") };
    let mut cases = Vec::new();
    let parts = [
        reader.event.map(|node| reader.map(node)),
        reader.session.map(|node| reader.is_session(node)),
    ];
    problems.extend(parts.into_iter().flatten().filter_map(Result::err).map(|problem| *problem));
    for node in list.items() {
        match reader.case(node) {
            Ok(case) => cases.push(case),
            Err(problem) => problems.push(*problem),
        }
    }
    cases
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    event: Option<&'a Node>,
    session: Option<&'a Node>,
}

type Outcome<T> = Result<T, Box<Diagnostic>>;

impl Reader<'_> {
    fn wrong<T>(&self, node: &Node, message: impl Into<String>, help: &str) -> Outcome<T> {
        let mut problem = Diagnostic::error(self.source, node.span.clone(), message);
        problem.help = Some(help.to_owned()).filter(|help| !help.is_empty());
        Err(Box::new(problem))
    }

    fn text(&self, node: &Node, key: &str) -> Option<String> {
        node.get(key).and_then(|node| node.scalar_text(self.source))
    }

    fn keys(&self, node: &Node, known: &[&str]) -> Outcome<()> {
        self.map(node)?;
        let Value::Map(entries) = &node.value else { return Ok(()) };
        for (key, _) in entries {
            let name = key.scalar_text(self.source).unwrap_or_default();
            if !known.contains(&name.as_str()) {
                let help = format!("there are: {}", known.join(", "));
                return self.wrong(key, format!("`{name}` means nothing here"), &help);
            }
        }
        Ok(())
    }

    fn map(&self, node: &Node) -> Outcome<()> {
        if matches!(node.value, Value::Map(_)) {
            return Ok(());
        }
        self.wrong(node, format!("this has to be a map, and is {}", node.kind()), "")
    }

    /// May a session be written so?
    fn is_session(&self, node: &Node) -> Outcome<()> {
        let known: Vec<&str> = SESSION_KEYS.into_iter().chain(VIEW_KEYS).collect();
        self.keys(node, &known)?;
        if let Some(start) = node.get("start") {
            let text = start.scalar_text(self.source).unwrap_or_default();
            if ingest::decode::parse_time(&text).is_none() {
                return self.wrong(
                    start,
                    format!("`{text}` is no time"),
                    "such as 2026-01-05T12:00:00Z",
                );
            }
        }
        if let Some(kind) = node.get("kind") {
            let text = kind.scalar_text(self.source).unwrap_or_default();
            if !SessionKind::ALL.iter().any(|known| known.as_str() == text) {
                let known: Vec<&str> = SessionKind::ALL.iter().map(|kind| kind.as_str()).collect();
                let help = format!("there are: {}", known.join(", "));
                return self.wrong(kind, format!("`{text}` is no kind of session"), &help);
            }
        }
        Ok(())
    }

    fn case(&self, node: &Node) -> Outcome<Case> {
        self.keys(node, &KEYS)?;
        let Some(name) = self.text(node, "name") else {
            return self.wrong(node, "a case needs a `name`", "what does it show?");
        };
        let fires = match node.get("fires").map(|node| &node.value) {
            Some(Value::Bool(fires)) => *fires,
            _ => return self.wrong(node, "a case needs `fires: true` or `fires: false`", ""),
        };
        let what = match (node.get("events"), self.text(node, "recording")) {
            (Some(_), None) | (None, Some(_))
                if let Some((key, _)) = EVENT_KEYS.iter().find_map(|key| node.entry(key)) =>
            {
                let message =
                    "a case with `events` or a `recording` says this of each event, or not at all";
                return self.wrong(key, message, "");
            }
            (Some(events), None) => What::Happenings(self.steps(events)?),
            (None, Some(file)) => What::Recording(file),
            (Some(_), Some(_)) => {
                return self.wrong(node, "a case has `events` or a `recording`, not both", "");
            }
            (None, None) => What::Happenings(vec![self.happening(node, None)?]),
        };
        let mut evidence = Vec::new();
        match node.get("evidence").map(|node| (&node.value, node)) {
            Some((Value::Map(entries), _)) => {
                for (key, value) in entries {
                    let field = key.scalar_text(self.source).unwrap_or_default();
                    evidence.push((field, value.scalar_text(self.source)));
                }
            }
            Some((_, node)) => {
                for item in node.items() {
                    let Some(field) = item.scalar_text(self.source) else {
                        let message = format!("evidence is a field, this is {}", item.kind());
                        return self.wrong(
                            item,
                            message,
                            "a list of fields, or a map from each to its value",
                        );
                    };
                    evidence.push((field, None));
                }
            }
            None => {}
        }
        let rule = self.text(node, "rule");
        Ok(Case { name, fires, rule, evidence, what, span: node.span.clone() })
    }

    /// Several events, each at its time.
    fn steps(&self, node: &Node) -> Outcome<Vec<Happening>> {
        let mut happenings = Vec::new();
        if node.items().is_empty() {
            return self.wrong(
                node,
                "what happens in this case?",
                "`events` is a list of at least one",
            );
        }
        for step in node.items() {
            let own = KEYS.into_iter().filter(|key| !OWN_KEYS.contains(key));
            let own: Vec<&str> = own.chain(STEP_KEYS).collect();
            self.keys(step, &own)?;
            let at = match step.get("at") {
                Some(node) => self.duration(node)?,
                None => SignedDuration::ZERO,
            };
            let every = match step.get("every") {
                Some(node) => self.duration(node)?,
                None => SignedDuration::ZERO,
            };
            let repeat = match self.text(step, "repeat") {
                None => 1,
                Some(text) => match text.parse::<usize>() {
                    Ok(count) if count > 0 => count,
                    _ => return self.wrong(step, "`repeat` is how often: a whole number", ""),
                },
            };
            for turn in 0..repeat {
                if happenings.len() >= MAX_EVENTS {
                    return self.wrong(step, format!("more than {MAX_EVENTS} events"), "");
                }
                let turn = i32::try_from(turn).unwrap_or(i32::MAX);
                let offset = every.checked_mul(turn).and_then(|since| since.checked_add(at));
                let base = NOON.parse::<Timestamp>().ok();
                let time = offset.and_then(|offset| base?.checked_add(offset).ok());
                happenings.push(self.happening(step, time)?);
            }
        }
        Ok(happenings)
    }

    fn duration(&self, node: &Node) -> Outcome<SignedDuration> {
        let text = node.scalar_text(self.source).unwrap_or_default();
        let span = text.trim_start_matches('+').parse::<Span>();
        match span.ok().and_then(|span| SignedDuration::try_from(span).ok()) {
            Some(duration) => Ok(duration),
            None => self.wrong(node, format!("`{text}` is no duration"), "such as 90s, 5m or 2h"),
        }
    }

    fn happening(&self, node: &Node, time: Option<Timestamp>) -> Outcome<Happening> {
        if let Some(session) = node.get("session") {
            self.is_session(session)?;
        }
        match (node.get("event"), self.text(node, "command"), node.get("transcript")) {
            (Some(event), None, None) => {
                self.map(event)?;
                let base = self.event.map(|node| to_json(node, self.source));
                let mut record = base.unwrap_or_else(|| json!({}));
                merge(&mut record, to_json(event, self.source));
                if let Some(time) = time
                    && event.get("eventTime").is_none()
                {
                    record["eventTime"] = json!(time.to_string());
                }
                match Recorded::new(record.to_string().into_bytes()) {
                    Ok(record) => Ok(Happening::Record(Box::new(record))),
                    Err(error) => self.wrong(event, error.to_string(), ""),
                }
            }
            (None, Some(line), None) => self.command(line, node, time),
            (None, None, Some(transcript)) => self.transcript(transcript, node, time),
            (None, None, None) if node.get("session").is_some() => self.whole_session(node, time),
            (None, None, None) => self.wrong(
                node,
                "what happens in this case?",
                "an `event`, a `command`, a `transcript`, a `session`, `events` or a `recording`",
            ),
            _ => self.wrong(node, "a case has one of `event`, `command` and `transcript`", ""),
        }
    }

    fn command(&self, line: String, node: &Node, time: Option<Timestamp>) -> Outcome<Happening> {
        let status = match self.text(node, "status").as_deref() {
            None | Some("executed") => CommandStatus::Executed,
            Some("aborted") => CommandStatus::Aborted,
            Some("repl") => CommandStatus::Repl,
            Some("hidden") => CommandStatus::Hidden,
            Some("unfinished") => CommandStatus::Unfinished,
            Some(other) => {
                let help = "there are: executed, aborted, repl, hidden, unfinished";
                return self.wrong(node, format!("`{other}` is no status of a command"), help);
            }
        };
        let shell = match self.text(node, "shell").as_deref() {
            None | Some("posix") => ShellFamily::Posix,
            Some("powershell") => ShellFamily::PowerShell,
            Some(other) => {
                let help = "there are: posix, powershell";
                return self.wrong(node, format!("`{other}` is no family of shells"), help);
            }
        };
        let command = Command {
            ordinal: 1,
            text: line,
            original: None,
            shell,
            status,
            confidence: Confidence::Certain,
            reason: "a test case",
            user: self.text(node, "user"),
            host: self.text(node, "host"),
            cwd: self.text(node, "cwd"),
            level: None,
            time,
            time_end: None,
            bytes: ByteSpan::default(),
        };
        Ok(Happening::Command(Box::new((command, self.session(node, time)))))
    }

    fn transcript(
        &self,
        transcript: &Node,
        node: &Node,
        time: Option<Timestamp>,
    ) -> Outcome<Happening> {
        self.keys(transcript, &["observation", "complete", "commands"])?;
        let mut head = TranscriptHead::new(Place::new("case", 0), TranscriptForm::S3);
        for item in transcript.get("observation").map(Node::items).unwrap_or_default() {
            let word = item.scalar_text(self.source).unwrap_or_default();
            let kind = ObservationKind::ALL.into_iter().find(|kind| kind.as_str() == word);
            let Some(kind) = kind else {
                let known: Vec<&str> =
                    ObservationKind::ALL.iter().map(|kind| kind.as_str()).collect();
                let help = format!("there are: {}", known.join(", "));
                return self.wrong(item, format!("`{word}` is no observation"), &help);
            };
            let bytes = ByteSpan::default();
            head.observations.note(Observation { kind, ordinal: 1, count: 1, time: None, bytes });
        }
        head.complete = match transcript.get("complete").map(|node| (&node.value, node)) {
            None => None,
            Some((Value::Bool(complete), _)) => Some(*complete),
            Some((_, node)) => return self.wrong(node, "`complete` is `true` or `false`", ""),
        };
        head.commands = match transcript.get("commands") {
            None => 1,
            Some(node) => match node.scalar_text(self.source).and_then(|text| text.parse().ok()) {
                Some(commands) => commands,
                None => return self.wrong(node, "`commands` is how many: a whole number", ""),
            },
        };
        Ok(Happening::Transcript(Box::new((head, self.session(node, time)))))
    }

    /// A session as the view of a store has it.
    fn whole_session(&self, node: &Node, time: Option<Timestamp>) -> Outcome<Happening> {
        let mut values = BTreeMap::new();
        for from in [self.session, node.get("session")].into_iter().flatten() {
            for name in VIEW_KEYS {
                values.extend(self.text(from, name).map(|text| (name.to_owned(), text)));
            }
        }
        if let Some(word) = values.get("coverage")
            && !Coverage::ALL.iter().any(|coverage| coverage.as_str() == word)
        {
            let known: Vec<&str> = Coverage::ALL.iter().map(|c| c.as_str()).collect();
            let help = format!("there are: {}", known.join(", "));
            return self.wrong(node, format!("`{word}` is no state of coverage"), &help);
        }
        let mut session = self.session(node, time);
        session.reason = values.get("reason").cloned();
        Ok(Happening::Session(Box::new((values, session))))
    }

    fn session(&self, node: &Node, time: Option<Timestamp>) -> Session {
        let own = node.get("session");
        let text = |key: &str| {
            let from = |node: Option<&Node>| node.and_then(|node| self.text(node, key));
            from(own).or_else(|| from(self.session))
        };
        let id = text("id").unwrap_or_else(|| "case-00000000000000000".to_owned());
        let mut session = Session::unknown(SessionId::new(id));
        session.principal = text("principal").map(|arn| Principal::from_arn(&arn));
        if let (Some(principal), Some(kind)) = (&mut session.principal, text("principal_type")) {
            principal.kind = PrincipalType::from(kind.as_str());
        }
        session.document = text("document");
        session.target = text("target");
        session.account = text("account");
        session.region = text("region");
        session.start = text("start").and_then(|text| ingest::decode::parse_time(&text)).or(time);
        let kind = text("kind");
        let kind =
            kind.and_then(|kind| SessionKind::ALL.into_iter().find(|known| known.as_str() == kind));
        session.kind = kind.or_else(|| {
            SessionKind::of_document(session.document.as_deref(), session.target.as_deref())
        });
        session
    }
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
            let entries: serde_json::Map<String, serde_json::Value> = entries
                .iter()
                .filter_map(|(key, value)| Some((key.scalar_text(source)?, to_json(value, source))))
                .collect();
            serde_json::Value::Object(entries)
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

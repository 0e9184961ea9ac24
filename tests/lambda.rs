//! The function as Lambda runs it: the built binary behind the Runtime API, with buckets, topics and queues over the wire.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "account/mod.rs"]
mod account;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use account::{Account, month, root};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

/// An instance of the function.
struct Function {
    runtime: Child,
    events: ChildStdin,
    answers: BufReader<ChildStdout>,
    log: NamedTempFile,
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.runtime.kill();
        let _ = self.runtime.wait();
    }
}

impl Function {
    fn start(account: &Account, environment: &[(&str, &str)]) -> Self {
        Self::with_seconds(account, environment, "60")
    }

    fn with_seconds(account: &Account, environment: &[(&str, &str)], seconds: &str) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut command = Command::new(&account.python);
        command
            .arg(root().join("tests/python/runtime.py"))
            .arg(env!("CARGO_BIN_EXE_bootstrap"))
            .arg(log.path())
            .args(["--seconds", seconds])
            .envs(account.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (name, value) in environment {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        let mut runtime = command.spawn().unwrap();
        let events = runtime.stdin.take().unwrap();
        let answers = BufReader::new(runtime.stdout.take().unwrap());
        Self { runtime, events, answers, log }
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line}\n{}", self.log()))
    }

    /// Waits until it asks for its first event, or has ended.
    fn begin(&mut self) -> Value {
        self.answer()
    }

    fn send(&mut self, event: &Value) {
        writeln!(self.events, "{event}").unwrap();
    }

    /// What it answers: `response` or `error`, and the body.
    fn invoke(&mut self, event: &Value) -> (String, Value) {
        self.send(event);
        let answer = self.answer();
        (answer["kind"].as_str().unwrap().to_owned(), answer["body"].clone())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// The sum of a metric.
    fn metric(&self, name: &str) -> f64 {
        let lines = self.log();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("_aws").is_some()).filter_map(|line| line[name].as_f64()).sum()
    }
}

/// The notification of an object, as S3 writes it.
fn notification(bucket: &str, key: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
        "eventTime": "2026-10-01T08:00:00.000Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": form(key), "size": 1, "eTag": "0"}},
    }]})
}

/// Encoded like a form.
fn form(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn message(id: &str, body: &Value) -> Value {
    json!({"messageId": id, "eventSource": "aws:sqs", "body": body.to_string()})
}

fn batch(messages: &[Value]) -> Value {
    json!({"Records": messages})
}

/// The keys of everything below the example's month.
fn keys() -> Vec<String> {
    let root = PathBuf::from(month());
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn environment(topic: &str) -> Vec<(&str, &str)> {
    vec![
        ("SSM_AUDIT_STORE", "s3://audit/store"),
        ("SSM_AUDIT_TOPIC_ARN", topic),
        ("SSM_AUDIT_TOPIC_LEVEL", "informational"),
        ("SSM_AUDIT_TOPIC_FORMAT", "json"),
    ]
}

fn alert_ids(heard: &[Value]) -> Vec<String> {
    let alert = |message: &Value| {
        serde_json::from_str::<Value>(message["Message"].as_str().unwrap()).unwrap()
    };
    heard.iter().map(|message| alert(message)["alert_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn three_times_to_three_functions_in_any_order_is_once() {
    let account = Account::start();
    account.does(&["bucket", "logs"]);
    account.does(&["bucket", "audit"]);
    account.does(&["upload", &month(), "logs"]);
    let (topic, queue) = account.topic("alerts", "heard", &[]);
    let mut functions: Vec<Function> =
        (0..3).map(|_| Function::start(&account, &environment(&topic))).collect();
    for function in &mut functions {
        assert!(function.begin()["ms_to_ready"].is_number());
    }
    let mut random = fastrand::Rng::with_seed(3);
    let events: Vec<Value> = keys()
        .iter()
        .enumerate()
        .map(|(at, key)| message(&format!("m{at}"), &notification("logs", key)))
        .collect();
    // Each batch to all three at once, each in an order of its own.
    let mut orders: Vec<Vec<Value>> = vec![events; 3];
    for order in &mut orders {
        random.shuffle(order);
    }
    for at in (0..orders[0].len()).step_by(10) {
        for (function, order) in functions.iter_mut().zip(&orders) {
            function.send(&batch(&order[at..order.len().min(at + 10)]));
        }
        for function in &mut functions {
            let answer = function.answer();
            assert_eq!(answer["body"], json!({"batchItemFailures": []}), "{}", function.log());
        }
    }
    let sweep = json!({"task": "sweep", "since": "3650d"});
    for function in &mut functions {
        function.send(&sweep);
    }
    for function in &mut functions {
        assert_eq!(function.answer()["kind"], "response", "{}", function.log());
    }
    // What one sweep found while another was telling is told by the next.
    functions[0].invoke(&sweep);
    let ids = alert_ids(&account.received(&queue));
    let different: BTreeSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (31, 31));
    // One row each: the store is what one function would have made of it.
    let rows: Value = serde_json::from_str(&account.does(&["facts", "audit", "store/"])).unwrap();
    assert_eq!(rows, json!({"activity": 75, "commands": 74, "transcripts": 14, "findings": 33}));
    // The report, by one of them, then by another: it is there already.
    let report = json!({"task": "report", "period": "2026-10"});
    for (function, published) in [(1, "new"), (2, "same")] {
        let (kind, body) = functions[function].invoke(&report);
        assert_eq!(
            (kind.as_str(), &body["published"], &body["sessions"], &body["report"]),
            ("response", &published.into(), &18.into(), &"s3://audit/store/reports/2026-10".into()),
            "{}",
            functions[function].log()
        );
    }
    // Put together; what is there stays what it is, for who keeps what was read as well.
    let compact = json!({"task": "compact", "since": "3650d", "min_files": 2});
    let (kind, body) = functions[1].invoke(&compact);
    let log = functions[1].log();
    assert!(kind == "response" && body["replaced"].as_u64() >= Some(8), "{body} {log}");
    for function in [0, 2] {
        let (kind, body) = functions[function].invoke(&sweep);
        let log = functions[function].log();
        assert_eq!(
            (kind.as_str(), &body["new"], &body["sessions"]),
            ("response", &0.into(), &18.into()),
            "{log}"
        );
        assert!(!log.contains("facts are not kept"), "{log}");
    }
    let (_, body) = functions[2].invoke(&compact);
    assert_eq!((&body["replaced"], &body["removed"]), (&0.into(), &0.into()));
    assert!(functions[0].log().contains("\"trace_id\":\"Root=1-5759e988"));
    assert!(
        functions.iter().map(|function| function.metric("Artifacts")).sum::<f64>() >= 3.0 * 79.0
    );
    let objects = functions.iter().map(|function| function.metric("Objects")).sum::<f64>();
    assert!(objects >= 3.0 * 79.0, "{objects}");
}

/// What begins like a transcript and goes on with `size` zeros, as gzip.
fn bomb(size: u64) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(b"Script started on 2026-10-01 08:00:00+00:00\n$ id\r\r\n").unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), size), &mut gzip).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn of_a_batch_only_what_can_be_done_later_comes_back() {
    let account = Account::start();
    let files = TempDir::new().unwrap();
    account.does(&["bucket", "logs"]);
    account.does(&["bucket", "audit"]);
    account.does(&["upload", &month(), "logs"]);
    fs::write(files.path().join("bomb.log.gz"), bomb(64 << 20)).unwrap();
    account.does(&["upload", files.path().to_str().unwrap(), "logs"]);
    let (topic, queue) = account.topic("alerts", "heard", &[]);
    let mut environment = environment(&topic);
    environment.push(("SSM_AUDIT_MAX_INFLATED", "16777216"));
    let mut function = Function::start(&account, &environment);
    function.begin();
    let good: Vec<String> =
        keys().into_iter().filter(|key| key.starts_with("sessions/")).take(7).collect();
    let mut messages: Vec<Value> =
        good.iter().map(|key| message(key, &notification("logs", key))).collect();
    messages.push(json!({"messageId": "malformed", "eventSource": "aws:sqs", "body": "{\"Records\": [{\"s3\":"}));
    messages.push(message("gone", &notification("logs", "sessions/deleted-0a1b2c3d4e5f67890.log")));
    messages.push(message("bomb", &notification("logs", "bomb.log.gz")));
    // A bucket that nobody lets us read, or that is not there yet, may be there later.
    messages.push(message("later", &notification("not-made-yet", "x.log")));
    let (kind, body) = function.invoke(&batch(&messages));
    assert_eq!(kind, "response");
    assert_eq!(
        body,
        json!({"batchItemFailures": [{"itemIdentifier": "later"}]}),
        "{}",
        function.log()
    );
    let kept: Value =
        serde_json::from_str(&account.does(&["texts", "audit", "store/quarantine/"])).unwrap();
    let kept: Vec<String> = kept.as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(kept.len(), 3, "{kept:#?}");
    for reason in ["no JSON", "somebody deleted it", "16777216"] {
        assert!(kept.iter().any(|text| text.contains(reason)), "{reason}: {kept:#?}");
    }
    assert!((function.metric("Quarantined") - 3.0).abs() < 0.1, "{}", function.log());
    // The rest is done, and of the bomb what came before it was too large.
    let rows: Value = serde_json::from_str(&account.does(&["facts", "audit", "store/"])).unwrap();
    assert_eq!(rows["transcripts"], 8);
    // Directly, the invocation fails, and Lambda tries again.
    let (kind, body) = function.invoke(&notification("not-made-yet", "x.log"));
    assert_eq!((kind.as_str(), &body["errorType"]), ("error", &json!("Undone")));
    let (kind, _) = function.invoke(&notification("logs", &good[0]));
    assert_eq!(kind, "response");
    drop(queue);
}

#[test]
fn a_call_is_told_at_once_and_a_stream_as_it_comes() {
    let account = Account::start();
    account.does(&["bucket", "audit"]);
    let (topic, queue) = account.topic("alerts", "heard", &[]);
    let mut function = Function::start(&account, &environment(&topic));
    function.begin();
    let (session, group) = ("alice@example.com-0a1b2c3d4e5f67890", "/aws/ssm/sessions");
    let call = json!({
        "version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ssm",
        "account": "111122223333", "region": "us-east-1", "time": "2026-10-01T08:00:00Z", "resources": [],
        "detail": {
            "eventVersion": "1.08", "eventSource": "ssm.amazonaws.com", "eventName": "StartSession",
            "eventTime": "2026-10-01T08:00:00Z", "awsRegion": "us-east-1", "eventID": "call-1",
            "recipientAccountId": "111122223333", "sourceIPAddress": "203.0.113.10",
            "userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333"},
            "requestParameters": {"target": "i-0123456789abcdef0"}, "responseElements": {"sessionId": session},
        },
    });
    let (kind, body) = function.invoke(&call);
    assert_eq!((kind.as_str(), &body["read"]), ("response", &json!(1)), "{}", function.log());
    let first = account.received(&queue);
    assert!(
        !first.is_empty() && first.iter().all(|m| m.to_string().contains("i-0123456789abcdef0"))
    );
    // Somebody else's event that only looks like it is none.
    let mut forged = call.clone();
    forged["source"] = "my.app".into();
    let (_, body) = function.invoke(&forged);
    assert_eq!((&body["quarantined"], &body["read"]), (&json!(1), &json!(0)));
    // Two deliveries of a stream, the second one twice; whose session it is is known.
    let delivery = |id: &str, lines: &[&str]| {
        let event = json!({
            "eventVersion": "1.0", "eventTime": "2026-10-01T08:00:10Z", "awsRegion": "us-east-1",
            "target": {"id": "i-0123456789abcdef0"}, "userIdentity": {"arn": "arn:aws:iam::111122223333:root"},
            "runAsUser": "ssm-user", "sessionId": session, "sessionData": lines,
        });
        let data = json!({
            "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": group, "logStream": session,
            "subscriptionFilters": ["s"],
            "logEvents": [{"id": id, "timestamp": 1_790_841_610_000_u64, "message": event.to_string()}],
        });
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(data.to_string().as_bytes()).unwrap();
        STANDARD.encode(gzip.finish().unwrap())
    };
    let (one, two) = (
        delivery("1", &["$ $ id", "uid=0(root)"]),
        delivery("2", &["$ sudo su -", "# cat /etc/shadow", "root:*:"]),
    );
    let direct = json!({"awslogs": {"data": one}});
    assert_eq!(function.invoke(&direct).1["rows"]["commands"], 1, "{}", function.log());
    let kinesis = json!({"Records": [{
        "eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "9", "data": two},
    }]});
    assert_eq!(function.invoke(&kinesis).1, json!({"batchItemFailures": []}));
    let firehose = json!({"deliveryStreamArn": "arn:aws:firehose:::x", "records": [{"recordId": "r", "data": two}]});
    let (_, answer) = function.invoke(&firehose);
    assert_eq!(answer, json!({"records": [{"recordId": "r", "result": "Ok", "data": two}]}));
    let told = account.received(&queue);
    let told: Vec<String> = told.iter().map(|message| message["Message"].to_string()).collect();
    assert!(told.iter().any(|text| text.contains("sudo su -")), "{told:#?}");
    assert!(told.iter().all(|text| text.contains("arn:aws:iam::111122223333:root")), "{told:#?}");
    let rows: Value = serde_json::from_str(&account.does(&["facts", "audit", "store/"])).unwrap();
    assert_eq!((&rows["transcripts"], &rows["activity"]), (&json!(2), &json!(1)));
    // Nobody has stored an object: what tells of silence has to see that.
    assert!(function.metric("Objects") < 1.0);
    assert!(function.metric("Artifacts") > 0.0);
}

#[test]
fn rules_that_do_not_compile_change_nothing() {
    let account = Account::start();
    for bucket in ["logs", "audit", "config"] {
        account.does(&["bucket", bucket]);
    }
    account.does(&["upload", &month(), "logs"]);
    let (operator, heard) = account.topic("operator", "operator", &[]);
    let rule = "title: A session\nid: 5d2ac5c5-0f0f-4f4e-8f4e-0a0b0c0d0e0f\nstatus: test\n\
                logsource: {product: aws, service: cloudtrail}\n\
                detection: {selection: {eventName: StartSession}, condition: selection}\nlevel: low\n";
    account.does(&["put", "config", "rules/a.yml", rule]);
    let environment = [
        ("SSM_AUDIT_STORE", "s3://audit/store"),
        ("SSM_AUDIT_RULES", "s3://config/rules/"),
        ("SSM_AUDIT_OPERATOR_TOPIC_ARN", operator.as_str()),
    ];
    let key = keys().into_iter().find(|key| key.contains("CloudTrail/")).unwrap();
    let findings = |function: &mut Function, key: &str| {
        function.begin();
        let (kind, body) = function.invoke(&notification("logs", key));
        assert_eq!(kind, "response", "{}", function.log());
        body["rows"]["matches"].as_u64().unwrap()
    };
    let mut good = Function::start(&account, &environment);
    findings(&mut good, &key);
    // Broken: functions that start now go on with the last good ones, and the operator hears of it once.
    account.does(&[
        "put",
        "config",
        "rules/a.yml",
        &rule.replace("condition: selection", "condition: selektion"),
    ]);
    for _ in 0..2 {
        let mut broken = Function::start(&account, &environment);
        findings(&mut broken, &key);
        assert!(broken.log().contains("the last good ones stay"), "{}", broken.log());
        assert!(broken.log().contains("selektion"), "{}", broken.log());
    }
    let told = account.received(&heard);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0]["Message"].as_str().unwrap().contains("selektion"));
    let kept: Value =
        serde_json::from_str(&account.does(&["texts", "audit", "store/rules/"])).unwrap();
    assert_eq!(kept.as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_with_the_environment_is_told_at_the_start() {
    let account = Account::start();
    let wrong =
        [("SSM_AUDIT_STORE", "here"), ("SSM_AUDIT_TOPIC_ARN", "there"), ("SSM_AUDIT_LOG", "loud")];
    let mut function = Function::start(&account, &wrong);
    assert_eq!(function.begin(), json!({"exit": 2}));
    let line: Value = serde_json::from_str(function.log().lines().next().unwrap()).unwrap();
    let named: BTreeMap<&str, bool> = ["SSM_AUDIT_STORE", "SSM_AUDIT_TOPIC_ARN", "SSM_AUDIT_LOG"]
        .map(|name| (name, line["wrong"].to_string().contains(name)))
        .into();
    assert!(named.values().all(|is_named| *is_named), "{line}");
}

#[test]
fn what_there_is_no_time_for_is_given_back() {
    let account = Account::start();
    account.does(&["bucket", "logs"]);
    account.does(&["bucket", "audit"]);
    account.does(&["upload", &month(), "logs"]);
    let (topic, _) = account.topic("alerts", "heard", &[]);
    // The time is over before it has begun.
    let mut function = Function::with_seconds(&account, &environment(&topic), "0.001");
    function.begin();
    let messages: Vec<Value> =
        keys().iter().map(|key| message(key, &notification("logs", key))).collect();
    let (_, body) = function.invoke(&batch(&messages));
    let back = body["batchItemFailures"].as_array().unwrap().len();
    assert!(back > 0 && function.log().contains("there was no time left"), "{back}");
    // Another one, with time, does the rest.
    let mut other = Function::start(&account, &environment(&topic));
    other.begin();
    let (_, body) = other.invoke(&batch(&messages));
    assert_eq!(body, json!({"batchItemFailures": []}));
    let rows: Value = serde_json::from_str(&account.does(&["facts", "audit", "store/"])).unwrap();
    assert_eq!(rows["activity"], 75);
}

//! Services of which the stand-in has too little: Security Hub, Athena, what the doctor asks, and the end of a session.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::NOW;
use crate::account::{Account, month, root};

/// Services of which the stand-in has too little, and what they were asked.
pub(crate) struct Services {
    server: Child,
    pub(crate) endpoint: String,
    asked: tempfile::NamedTempFile,
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Services {
    pub(crate) fn start(account: &Account, refused: &str) -> Self {
        Self::with(account, refused, &[])
    }

    fn with(account: &Account, refused: &str, preferences: &[&str]) -> Self {
        let asked = tempfile::NamedTempFile::new().unwrap();
        let mut server = Command::new(&account.python)
            .arg(root().join("tests/python/services.py"))
            .arg(refused)
            .arg(asked.path())
            .args(preferences)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { server, endpoint: format!("http://127.0.0.1:{}", port.trim()), asked }
    }

    /// What it was asked.
    pub(crate) fn end(self) -> Vec<Value> {
        let text = fs::read_to_string(self.asked.path()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn a_report_goes_to_a_bucket_and_a_trail_is_verified_there() {
    let account = Account::start();
    for name in ["logs", "audit", "larkspur-trail"] {
        account.does(&["bucket", name]);
    }
    account.does(&["upload", &month(), "logs"]);
    let store = "s3://audit/store";
    account.run(&["ingest", "s3://logs", "--store", store]);
    account.run(&["sweep", "--store", store, "--now", NOW]);
    // What CloudTrail signed, with keys that the service is asked for.
    let fixture = root().join("ingest/fixtures/digests/good.json");
    account.does(&["restore", fixture.to_str().unwrap(), "larkspur-trail"]);
    let services = Services::start(&account, "0");
    let verify = |more: &[&str]| {
        let args = ["verify", "--cloudtrail", "s3://larkspur-trail", "--format", "json"];
        let mut command = account.ssm_audit(&[&args, more].concat());
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", &services.endpoint);
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap(), json, err)
    };
    let (code, json, err) = verify(&["--store", store]);
    assert_eq!(code, 0, "{json} {err}");
    let chain = &json["trail"]["chains"][0];
    assert_eq!((&chain["digests"]["valid"], &chain["log_files"]["valid"]), (&4.into(), &3.into()));
    let key = fs::read_to_string(&fixture).unwrap();
    let key: Value = serde_json::from_str(&key).unwrap();
    let log = key["objects"].as_object().unwrap().keys().find(|key| key.contains("/CloudTrail/"));
    account.does(&["delete", "larkspur-trail", log.unwrap()]);
    let (code, json, _) = verify(&[]);
    assert_eq!((code, &json["trail"]["chains"][0]["log_files"]["missing"]), (1, &1.into()));
    assert!(services.end().iter().all(|call| call["operation"] == "ListPublicKeys"));
    // The report cites it, and is the same wherever it goes.
    let args = ["report", "--store", store, "--period", "2026-10", "--now", NOW];
    let (code, told, err) = account.run(&args);
    assert_eq!((code, &told["published"]), (0, &"new".into()), "{err}");
    assert_eq!(told["figures"]["integrity"]["log_files_valid"], 3);
    assert_eq!(account.run(&args).1["published"], "same");
    let place = TempDir::new().unwrap();
    let local = place.path().join("2026-10");
    let local = local.to_str().unwrap();
    account.run(&[&args[..], &["--out", local]].concat());
    let remote = "s3://audit/store/reports/2026-10";
    let hash = |report: &str| {
        let (code, json, err) =
            account.run(&["verify", report, "--store", store, "--format", "json"]);
        assert_eq!(code, 0, "{json} {err}");
        json["report"]["manifest_sha256"].clone()
    };
    assert_eq!(hash(remote), hash(local));
    // Another one does not take its place unasked.
    let other = [&args[..], &["--long", "1m"]].concat();
    let (code, _, err) = account.run(&other);
    assert_eq!(code, 2);
    assert!(err.contains("other files") && err.contains("--replace"), "{err}");
    let (_, told, _) = account.run(&[&other[..], &["--replace"]].concat());
    assert_eq!(told["published"], "replaced");
}

#[test]
fn athena_computes_the_same_report() {
    let account = Account::start();
    for name in ["logs", "audit", "results"] {
        account.does(&["bucket", name]);
    }
    account.does(&["upload", &month(), "logs"]);
    let store = "s3://audit/ssm/store";
    account.run(&["ingest", "s3://logs", "--store", store]);
    account.run(&["sweep", "--store", store, "--now", NOW]);
    let asked = tempfile::NamedTempFile::new().unwrap();
    let mut server = Command::new(&account.python)
        .arg(root().join("tests/python/athena.py"))
        .arg(asked.path())
        .envs(account.environment())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let _server = Ended(server);
    let place = TempDir::new().unwrap();
    let report = |name: &str, more: &[&str]| {
        let out = place.path().join(name);
        let out = out.to_str().unwrap().to_owned();
        let args = ["report", "--store", store, "--period", "2026-10", "--lookback", "0"];
        let mut command =
            account.ssm_audit(&[&args[..], &["--now", NOW, "--out", &out], more].concat());
        command.env("AWS_ENDPOINT_URL_ATHENA", format!("http://127.0.0.1:{}", port.trim()));
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), err, out)
    };
    let (code, err, own) = report("own", &[]);
    assert_eq!(code, 0, "{err}");
    let athena = ["--engine", "athena", "--athena-output", "s3://results/queries"];
    let (code, err, theirs) = report("theirs", &athena);
    assert_eq!(code, 0, "{err}");
    for name in ["access.csv", "findings.csv", "coverage.csv", "events.csv", "report.json"] {
        let read = |folder: &str| fs::read_to_string(format!("{folder}/{name}")).unwrap();
        assert_eq!(read(&own), read(&theirs), "{name}");
    }
    let statements = fs::read_to_string(asked.path()).unwrap();
    assert!(statements.contains("projection.enabled") && statements.contains("UNLOAD"));
    // What Athena says of an error is told.
    let (code, err, _) = report("x", &[&athena[..], &["--grace", "0s"]].concat());
    assert_eq!(code, 0, "{err}");
    let (code, err, _) = report("y", &["--engine", "athena"]);
    assert_eq!(code, 2, "{err}");
    let (code, err, _) = report("z", &["--engine", "athena", "--athena-output", "/tmp/x"]);
    assert_eq!(code, 2, "{err}");
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn security_hub_has_a_finding_for_each_alert() {
    let account = Account::start();
    let store = TempDir::new().unwrap();
    let store_name = store.path().to_str().unwrap();
    let file = store.path().join("routes.yml");
    fs::write(
        &file,
        "sinks:
  hub: {type: security-hub, product_arn: 'arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default'}
routes:
  - {sinks: [hub]}
",
    )
    .unwrap();
    account.run(&["ingest", &month(), "--store", store_name]);
    let services = Services::start(&account, "4");
    let sweep = || {
        let args =
            ["sweep", "--store", store_name, "--now", NOW, "--routes", file.to_str().unwrap()];
        let output = account
            .ssm_audit(&args)
            .env("AWS_ENDPOINT_URL_SECURITYHUB", &services.endpoint)
            .output()
            .unwrap();
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), summary["alerts"].clone())
    };
    // What was refused is tried again.
    let (code, first) = sweep();
    assert_eq!((code, first["failed"].as_array().unwrap().len()), (Some(3), 4), "{first}");
    assert!(first["failed"][0]["reason"].as_str().unwrap().contains("InternalException"));
    let (code, second) = sweep();
    assert_eq!((code, &second["sent"]), (Some(0), &4.into()), "{second}");
    let asked = services.end();
    let ids: BTreeSet<String> = asked.iter().map(|call| call["asked"]["Id"].to_string()).collect();
    assert_eq!((asked.len(), ids.len()), (31, 31));
    let kinds: BTreeSet<&str> =
        asked.iter().map(|call| call["asked"]["Resources"][0]["Type"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["AwsEc2Instance", "Other"]));
}

#[test]
fn the_doctor_sees_what_is_missing_and_what_is_there() {
    let account = Account::start();
    for bucket in ["logs", "trail"] {
        account.does(&["bucket", bucket]);
    }
    let examine = |services: &Services| {
        let args = ["doctor", "--function", "ssm-audit-ingest", "--format", "json"];
        let output = account
            .ssm_audit(&args)
            .env("AWS_ENDPOINT_URL_SSM", &services.endpoint)
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let mut found: Vec<String> = Vec::new();
        for line in out.lines() {
            let check: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            // What is not as it should be says how it is mended.
            assert!(text("state") == "ok" || !text("mend").is_empty(), "{line}");
            found.push(format!(
                "{} {} {}: {}",
                text("state"),
                text("area"),
                text("subject"),
                text("found")
            ));
        }
        (output.status.code().unwrap(), found)
    };
    let has = |found: &[String], begins: &str| {
        assert!(found.iter().any(|line| line.starts_with(begins)), "{begins}: {found:#?}");
    };
    let bare = Services::start(&account, "0");
    let (code, found) = examine(&bare);
    assert_eq!(code, 1);
    for begins in [
        "fail preferences SSM-SessionManagerRunShell: there is none",
        "fail documents Quiet-Shell: ",
        "ok documents Logged-Shell: ",
        "fail trail trails: ",
        "fail bucket logs: nobody is told",
        "warn bucket logs: versions are not kept",
        "unknown function ssm-audit-ingest: ",
    ] {
        has(&found, begins);
    }
    // Half of it.
    account.does(&["trail", "half", "trail", "half"]);
    let queue = account.does(&["told", "logs", "ingest"]);
    account.does(&["function", "ssm-audit-ingest", queue.trim(), "half"]);
    let preferences = r#"{"inputs": {"cloudWatchLogGroupName": "/ssm", "runAsEnabled": false, "idleSessionTimeout": "60"}}"#;
    let half = Services::with(&account, "0", &[preferences]);
    let (code, found) = examine(&half);
    assert_eq!(code, 1);
    for begins in [
        "warn preferences logging: ",
        "warn preferences runAsEnabled: ",
        "warn preferences idleSessionTimeout: ",
        "warn trail half: of one region",
        "warn trail half: log file validation",
        "fail trail trails: ",
        "ok bucket logs: new objects are told to arn:aws:sqs",
        "fail bucket trail: nobody",
        "fail function ssm-audit-ingest: it has no SSM_AUDIT_STORE",
        "fail function ssm-audit-ingest: of arn:aws:sqs",
    ] {
        has(&found, begins);
    }
}

#[test]
fn a_session_is_ended_only_where_all_is_said() {
    let account = Account::start();
    let (logs, store) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store_name = store.path().to_str().unwrap();
    let session = |id: &str, at: &str| {
        serde_json::json!({
            "eventVersion": "1.08",
            "eventSource": "ssm.amazonaws.com",
            "eventName": "StartSession",
            "eventTime": at,
            "awsRegion": "eu-west-1",
            "eventID": format!("{id}-event"),
            "recipientAccountId": "111122223333",
            "userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root"},
            "requestParameters": {"target": "i-0123456789abcdef0"},
            "responseElements": {"sessionId": id},
        })
        .to_string()
    };
    let lines = [
        session("alice-0a1b2c3d4e5f67890", "2026-10-01T08:00:00Z"),
        session("gone-0a1b2c3d4e5f67890", "2026-10-01T08:00:00Z"),
        session("old-0a1b2c3d4e5f67890", "2026-09-01T08:00:00Z"),
    ];
    fs::write(logs.path().join("events.json"), lines.join("\n")).unwrap();
    account.run(&["ingest", logs.path().to_str().unwrap(), "--store", store_name]);
    let services = Services::start(&account, "0");
    let file = store.path().join("routes.yml");
    let sweep = |name: &str, more: &str| {
        let routes = format!(
            "sinks:\n  {name}: {{type: terminate-session, rules: [Session opened by the account root user], level: high{more}}}\n\
             routes:\n  - {{sinks: [{name}]}}\n"
        );
        fs::write(&file, routes).unwrap();
        let now = "2026-10-01T08:01:00Z";
        let args =
            ["sweep", "--store", store_name, "--now", now, "--routes", file.to_str().unwrap()];
        let output = account
            .ssm_audit(&args)
            .env("AWS_ENDPOINT_URL_SSM", &services.endpoint)
            .output()
            .unwrap();
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut outcomes: Vec<String> = summary["alerts"]["responses"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|done| done["rule_id"].as_str().is_some())
            .map(|done| {
                let text = |name: &str| done[name].as_str().unwrap_or("-").to_owned();
                format!("{} {}: {}", text("session_id"), text("outcome"), text("reason"))
            })
            .filter(|line| !line.contains("not among those"))
            .collect();
        outcomes.sort();
        outcomes
    };
    // First only said, by default; then, in a store of its own, done.
    let said = sweep("dry", "");
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("alice") && said[0].contains("dry-run"), "{said:?}");
    fs::remove_dir_all(store.path().join("alerts")).unwrap();
    let done = sweep("real", ", dry_run: false");
    assert_eq!(
        done,
        [
            "alice-0a1b2c3d4e5f67890 terminated: -",
            "gone-0a1b2c3d4e5f67890 refused: there is no such session any more",
            "old-0a1b2c3d4e5f67890 refused: it is more than a day ago: the session is over",
        ]
    );
    let asked = services.end();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["asked"]["SessionId"], "alice-0a1b2c3d4e5f67890");
    // What was done is a fact.
    let facts: Vec<String> = walk(&store.path().join("alerts"))
        .into_iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .filter(|text| text.contains("ssm:TerminateSession"))
        .collect();
    assert!(facts.iter().any(|text| text.contains("\"terminated\"")));
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

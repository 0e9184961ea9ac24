//! Buckets and topics, over the wire: an AWS stand-in is started for these tests, and what arrives is what counts.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "account/mod.rs"]
mod account;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use account::{Account, month, root};
use serde_json::Value;
use tempfile::TempDir;

const NOW: &str = "2027-01-01T00:00:00Z";

impl Account {
    fn ssm_audit(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ssm-audit"));
        command.args(args).current_dir(root()).envs(self.environment());
        for name in ["SSM_AUDIT_RULES", "SSM_AUDIT_STORE", "SSM_AUDIT_ROUTES"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &[&str]) -> (i32, Value, String) {
        let output = self.ssm_audit(args).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let out = String::from_utf8(output.stdout).unwrap();
        let last = out.lines().last().unwrap_or("null");
        (output.status.code().unwrap(), serde_json::from_str(last).unwrap_or(Value::Null), err)
    }
}

#[test]
fn a_bucket_is_a_source_and_a_store() {
    let account = Account::start();
    account.does(&["bucket", "logs"]);
    account.does(&["bucket", "audit"]);
    account.does(&["upload", &month(), "logs"]);
    let (code, summary, err) =
        account.run(&["ingest", "s3://logs/", "--store", "s3://audit/ssm/store"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!((&summary["artifacts"], &summary["read"]), (&79.into(), &79.into()));
    // What the store has is not downloaded.
    let (_, again, _) = account.run(&["ingest", "s3://logs", "--store", "s3://audit/ssm/store"]);
    assert_eq!(
        (&again["known"], &again["read"], &again["bytes"]),
        (&79.into(), &0.into(), &0.into())
    );
    let (_, part, _) =
        account.run(&["ingest", "s3://logs/sessions", "--store", "s3://audit/ssm/store"]);
    assert!(part["known"].as_u64().unwrap() > 5 && part["read"] == 0, "{part}");
    // The same findings as from files.
    let files = TempDir::new().unwrap();
    let files = files.path().to_str().unwrap();
    account.run(&["ingest", &month(), "--store", files]);
    for store in ["s3://audit/ssm/store", files] {
        let (code, swept, err) = account.run(&["sweep", "--store", store, "--now", NOW]);
        assert_eq!((code, &swept["new"]), (0, &12.into()), "{err}");
        let (_, swept, _) = account.run(&["sweep", "--store", store, "--now", NOW]);
        assert_eq!(swept["new"], 0);
    }
    let sessions = |store: &str| {
        let args = ["sessions", "--store", store, "--now", NOW, "--format", "json"];
        let out = account.ssm_audit(&args).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(sessions("s3://audit/ssm/store"), sessions(files));
    // A bucket that is not there is told, and is no empty one.
    let (code, _, err) = account.run(&["ingest", "s3://nowhere/", "--store", files]);
    assert_eq!(code, 3);
    assert!(err.contains("nowhere"), "{err}");
}

#[test]
fn an_object_is_created_once_however_many_try() {
    let account = Account::start();
    account.does(&["bucket", "audit"]);
    let source = TempDir::new().unwrap();
    let from = root().join("examples/month/cloudtrail");
    let running: Vec<Child> = (0..4)
        .map(|_| {
            let args = ["ingest", from.to_str().unwrap(), "--store", "s3://audit"];
            account.ssm_audit(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in running {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let file = source.path().join("routes.yml");
    let (topic, queue) = account.topic("alerts", "heard", &[]);
    all_to(&topic, &file);
    // Four sweeps at once: one message for each group.
    let running: Vec<Child> = (0..4)
        .map(|_| {
            let args = [
                "sweep",
                "--store",
                "s3://audit",
                "--now",
                NOW,
                "--routes",
                file.to_str().unwrap(),
            ];
            account.ssm_audit(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in running {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    // What a sweep found while another had read the findings already is told by the next.
    account.run(&[
        "sweep",
        "--store",
        "s3://audit",
        "--now",
        NOW,
        "--routes",
        file.to_str().unwrap(),
    ]);
    let heard = account.received(&queue);
    let ids: Vec<String> =
        heard.iter().map(|message| alert(message)["alert_id"].to_string()).collect();
    let different: BTreeSet<&String> = ids.iter().collect();
    assert!(ids.len() > 10 && different.len() == ids.len(), "{} of {}", different.len(), ids.len());
}

#[test]
fn keys_and_versions_are_taken_as_they_are() {
    let account = Account::start();
    let store = TempDir::new().unwrap();
    let store = store.path().to_str().unwrap();
    account.does(&["bucket", "odd"]);
    let session = |line: &str| {
        format!(
            "Script started on 2026-10-01 08:00:00+00:00 [<not executed on terminal>]\n\
             $ {line}\r\r\nok\r\r\n$ exit\r\r\n\n\
             Script done on 2026-10-01 08:00:00+00:00 [COMMAND_EXIT_CODE=\"0\"]\n"
        )
    };
    // From before versions were kept.
    let old = "logs/old-0a1b2c3d4e5f67893.log";
    account.does(&["put", "odd", old, &session("date")]);
    account.does(&["versioned", "odd"]);
    let keys = ["logs/a//b c+d=é,@x-0a1b2c3d4e5f67890.log", "logs/%41-0a1b2c3d4e5f67891.log"];
    for key in keys {
        account.does(&["put", "odd", key, &session("id")]);
    }
    // A folder's marker is no artifact, nor is what only begins with the same letters.
    account.does(&["put", "odd", "logs/", ""]);
    account.does(&["put", "odd", "logs2/x-0a1b2c3d4e5f67892.log", &session("id")]);
    let (code, summary, err) = account.run(&["ingest", "s3://odd/logs", "--store", store]);
    assert_eq!((code, &summary["read"]), (0, &3.into()), "{err}");
    // Somebody writes over what they have done, and removes the rest.
    account.does(&["put", "odd", keys[0], &session("whoami")]);
    account.does(&["put", "odd", old, &session("true")]);
    account.does(&["delete", "odd", keys[1]]);
    let (_, latest, _) = account.run(&["ingest", "s3://odd/logs", "--store", store]);
    assert_eq!((&latest["known"], &latest["read"]), (&0.into(), &2.into()), "{latest}");
    let fresh = TempDir::new().unwrap();
    let fresh = fresh.path().to_str().unwrap();
    let (code, all, err) =
        account.run(&["ingest", "s3://odd/logs", "--versions", "--store", fresh]);
    assert_eq!((code, &all["read"], &all["rows"]["commands"]), (0, &5.into(), &10.into()), "{err}");
}

#[test]
fn a_log_group_is_read_when_it_is_quiet() {
    let account = Account::start();
    let (store, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = store.path().to_str().unwrap();
    let group = "/aws/ssm/sessions";
    let (quiet, busy) = ("alice@example.com-0a1b2c3d4e5f67890", "bob-0a1b2c3d4e5f67891");
    let event = |session: &str, lines: &[&str]| {
        serde_json::json!({
            "eventVersion": "1.0",
            "eventTime": "2026-10-01T08:00:00Z",
            "awsRegion": "us-east-1",
            "target": {"id": "i-02573cafcfEXAMPLE"},
            "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/Ops/alice@example.com"},
            "runAsUser": "ssm-user",
            "sessionId": session,
            "sessionData": lines,
        })
        .to_string()
    };
    let file = files.path().join("events");
    let put = |stream: &str, lines: &[String], age: &str| {
        fs::write(&file, lines.join("\n")).unwrap();
        account.does(&["stream", group, stream, file.to_str().unwrap(), age]);
    };
    put(quiet, &[event(quiet, &["$ id", "uid=0(root)"]), event(quiet, &["$ sudo su -"])], "3600");
    put(busy, &[event(busy, &["$ date"])], "20");
    let record = serde_json::json!({
        "eventVersion": "1.08",
        "eventSource": "ssm.amazonaws.com",
        "eventName": "StartSession",
        "eventTime": "2026-10-01T08:00:00Z",
        "awsRegion": "us-east-1",
        "eventID": "11111111-1111-1111-1111-111111111111",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "requestParameters": {"target": "i-02573cafcfEXAMPLE"},
        "responseElements": {"sessionId": quiet},
    });
    // More than a page, and of several hours.
    let records: Vec<String> = (0..12_000)
        .map(|at| {
            let mut record = record.clone();
            record["eventID"] = format!("{at:08}-1111-1111-1111-111111111111").into();
            record["responseElements"]["sessionId"] = format!("alice-{at:017x}").into();
            record.to_string()
        })
        .chain([record.to_string()])
        .collect();
    put("111122223333_CloudTrail_us-east-1", &records, "21600");
    let uri = format!("cwl://{group}");
    let (code, summary, err) = account.run(&["ingest", &uri, "--store", store]);
    assert_eq!(code, 0, "{err}");
    assert_eq!((&summary["records"], &summary["rows"]["transcripts"]), (&12_001.into(), &1.into()));
    // What is known is not read again; where the listing may end is known.
    let (_, again, _) = account.run(&["ingest", &uri, "--store", store]);
    assert_eq!(
        (&again["read"], &again["bytes"], &again["failed"]),
        (&0.into(), &0.into(), &0.into())
    );
    let checkpoints = fs::read_dir(Path::new(store).join("checkpoints")).unwrap().count();
    assert_eq!(checkpoints, 1);
    // An hour that was not over when a run said how far it came is read by the next.
    let other = TempDir::new().unwrap();
    let other = other.path().to_str().unwrap();
    let before = account.does(&["later", "-14400"]);
    let (_, first, _) = account.run(&["ingest", &uri, "--store", other, "--now", before.trim()]);
    let (_, second, _) = account.run(&["ingest", &uri, "--store", other]);
    let records = |summary: &Value| summary["records"].as_u64().unwrap();
    assert!(records(&first) > 0 && records(&second) > 0, "{first} {second}");
    assert_eq!(records(&first) + records(&second), 12_001);
    // The session that was busy is quiet an hour later.
    let later = account.does(&["later", "3600"]);
    let (_, later, _) = account.run(&["ingest", &uri, "--store", store, "--now", later.trim()]);
    assert_eq!(later["rows"]["transcripts"], 1, "{later}");
    let (code, _, err) = account.run(&["ingest", "cwl:///nowhere", "--store", store]);
    assert!(code == 3 && err.contains("ResourceNotFound"), "{err}");
}

#[test]
fn an_event_history_is_read_hour_by_hour() {
    let account = Account::start();
    let store = TempDir::new().unwrap();
    let store = store.path().to_str().unwrap();
    let services = Services::start(&account, "0");
    let (later, earlier) = (account.does(&["later", "7200"]), account.does(&["later", "-3600"]));
    let ask = |uri: &str, endpoint: Option<&str>| {
        let args = ["--since", earlier.trim(), "--now", later.trim()];
        let mut command =
            account.ssm_audit(&[&["ingest", uri, "--store", store], args.as_slice()].concat());
        command.envs(endpoint.map(|endpoint| ("AWS_ENDPOINT_URL_CLOUDTRAIL", endpoint)));
        let output = command.output().unwrap();
        let summary = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap(), summary, String::from_utf8(output.stderr).unwrap())
    };
    // In pages, no faster than the service answers, each event once.
    let history = "lookup://us-east-1?ReadOnly=false";
    let (code, first, err) = ask(history, Some(&services.endpoint));
    assert_eq!(
        (code, &first["records"], &first["rows"]["activity"]),
        (0, &120.into(), &120.into()),
        "{err}"
    );
    let (_, again, _) = ask(history, Some(&services.endpoint));
    assert_eq!((&again["artifacts"], &again["records"]), (&0.into(), &0.into()));
    let asked = services.end();
    assert!(
        asked.len() >= 3 && asked.iter().all(|call| call["operation"] == "LookupEvents"),
        "{asked:?}"
    );
    // What is asked for where nothing is said, of another writer of that interface.
    account.does(&["users", "10"]);
    let (code, usual, err) = ask("lookup://", None);
    assert_eq!((code, &usual["failed"]), (0, &0.into()), "{err}");
    for (uri, named) in [("lookup://x?EventNam=y", "EventName"), ("lookup://x?y", "attribute")] {
        let (code, _, err) = ask(uri, None);
        assert!(code == 2 && err.contains(named), "{err}");
    }
}

/// Services of which the stand-in has too little, and what they were asked.
struct Services {
    server: Child,
    endpoint: String,
    asked: tempfile::NamedTempFile,
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Services {
    fn start(account: &Account, refused: &str) -> Self {
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
    fn end(self) -> Vec<Value> {
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
fn what_is_in_a_bucket_is_fed_to_a_queue() {
    let account = Account::start();
    account.does(&["bucket", "logs"]);
    account.does(&["upload", &month(), "logs"]);
    account.does(&["put", "logs", "odd/a b+c=d@é.log", "Script started"]);
    let (_, queue) = account.topic("unused", "work", &[]);
    let (code, counted, err) = account.run(&["backfill", "s3://logs", "--dry-run"]);
    assert_eq!(
        (code, &counted["objects"], &counted["messages"]),
        (0, &80.into(), &0.into()),
        "{err}"
    );
    let args = ["backfill", "s3://logs", "--queue", &queue, "--per-message", "3"];
    let (code, sent, err) = account.run(&args);
    assert_eq!((code, &sent["objects"], &sent["messages"]), (0, &80.into(), &27.into()), "{err}");
    let keys: Vec<String> = account
        .received(&queue)
        .iter()
        .flat_map(|message| message["Records"].as_array().unwrap().clone())
        .map(|record| record["s3"]["object"]["key"].as_str().unwrap().to_owned())
        .collect();
    let different: BTreeSet<&String> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (80, 80));
    assert!(keys.iter().any(|key| key == "odd/a+b%2Bc%3Dd%40%C3%A9.log"), "{keys:?}");
    // Where it was interrupted it goes on.
    let args = [&args[..], &["--after", "odd/"]].concat();
    assert!(account.run(&args).1["objects"].as_u64().unwrap() < 80);
    let (code, _, err) =
        account.run(&["backfill", "s3://logs", "--queue", &format!("{queue}-not-there")]);
    assert_eq!(code, 3, "{err}");
    assert_eq!(account.run(&["backfill", "s3://logs"]).0, 2);
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

/// Routes by which a topic hears everything.
fn all_to(topic: &str, file: &Path) {
    let routes = format!(
        "sinks:\n  topic: {{type: sns, topic_arn: '{topic}', format: json}}\nroutes:\n  - {{sinks: [topic]}}\n"
    );
    fs::write(file, routes).unwrap();
}

/// The alert in a message from a topic.
fn alert(message: &Value) -> Value {
    serde_json::from_str(message["Message"].as_str().unwrap()).unwrap()
}

#[test]
fn a_topic_hears_what_its_subscribers_asked_for() {
    let account = Account::start();
    let store = TempDir::new().unwrap();
    let store_name = store.path().to_str().unwrap();
    let (topic, all) = account.topic("alerts", "all", &[]);
    let (_, grave) = account.topic("alerts", "grave", &[r#"{"level": ["high", "critical"]}"#]);
    let (chat, chatted) = account.topic("chat", "chatted", &[]);
    let (fifo, ordered) = account.topic("ordered.fifo", "ordered.fifo", &[]);
    let file = store.path().join("routes.yml");
    let routes = format!(
        "sinks:
  people: {{type: sns, topic_arn: '{topic}'}}
  chat: {{type: sns, topic_arn: '{chat}', format: chat}}
  ordered: {{type: sns, topic_arn: '{fifo}', format: json}}
routes:
  - {{sinks: [people, ordered]}}
  - {{match: {{level: high}}, sinks: [chat]}}
"
    );
    fs::write(&file, routes).unwrap();
    let routes = file.to_str().unwrap();
    account.run(&["ingest", &month(), "--store", store_name]);
    let (code, swept, err) =
        account.run(&["sweep", "--store", store_name, "--now", NOW, "--routes", routes]);
    assert_eq!(code, 0, "{err}");
    let groups = swept["alerts"]["groups"].as_u64().unwrap();
    let (all, grave, chatted, ordered) = (
        account.received(&all),
        account.received(&grave),
        account.received(&chatted),
        account.received(&ordered),
    );
    assert_eq!((all.len() as u64, ordered.len() as u64), (groups, groups));
    assert!(!grave.is_empty() && grave.len() < all.len());
    assert_eq!(grave.len(), chatted.len());
    for message in &all {
        let subject = message["Subject"].as_str().unwrap();
        assert!(subject.len() <= 100 && subject.starts_with('['), "{subject}");
        let text = message["Message"].as_str().unwrap();
        let who = if subject.contains("nobody opened") { "session" } else { "who" };
        for part in [who, "when", "What to look at next", "Why it matters"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let attributes = &message["MessageAttributes"];
        for name in ["level", "rule", "account", "region", "principal", "tags"] {
            // Whose a session without a record is, nobody knows.
            let is_unaudited = subject.contains("nobody opened");
            assert!(attributes[name]["Value"].is_string() || is_unaudited, "{name}: {message}");
        }
    }
    for message in &chatted {
        let chat: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
        assert_eq!((&chat["version"], &chat["source"]), (&"1.0".into(), &"custom".into()));
        assert_eq!(chat["content"]["textType"], "client-markdown");
    }
    assert!(ordered.iter().all(|message| alert(message)["number"] == 1));
    // Told once.
    let (_, swept, _) =
        account.run(&["sweep", "--store", store_name, "--now", NOW, "--routes", routes]);
    assert_eq!(swept["alerts"]["sent"], 0);
}

#[test]
fn a_topic_that_fails_for_a_while_hears_everything_in_the_end() {
    let account = Account::start();
    let store = TempDir::new().unwrap();
    let store_name = store.path().to_str().unwrap();
    let (topic, queue) = account.topic("alerts", "heard", &[]);
    let file = store.path().join("routes.yml");
    all_to(&topic, &file);
    account.run(&["ingest", &month(), "--store", store_name]);
    let mut faulty = Command::new(&account.python)
        .arg(root().join("tests/python/faulty.py"))
        .args([&account.endpoint, "5", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(faulty.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let before = format!("http://127.0.0.1:{}", port.trim());
    let (mut runs, mut failed) = (0, 0);
    loop {
        let args =
            ["sweep", "--store", store_name, "--now", NOW, "--routes", file.to_str().unwrap()];
        let output = account.ssm_audit(&args).env("AWS_ENDPOINT_URL", &before).output().unwrap();
        runs += 1;
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let unsent = summary["alerts"]["failed"].as_array().unwrap().len();
        failed += unsent;
        assert_eq!(output.status.code(), Some(if unsent > 0 { 3 } else { 0 }));
        if unsent == 0 {
            break;
        }
        assert!(runs < 40, "it never ends");
    }
    let _ = faulty.kill();
    let _ = faulty.wait();
    assert!(failed > 0, "nothing failed: this tests nothing");
    let heard: Vec<Value> = account.received(&queue);
    let ids: BTreeSet<String> = heard.iter().map(|m| alert(m)["alert_id"].to_string()).collect();
    assert_eq!(ids.len(), 31, "all arrived");
    // Twice only what was passed on and not answered: it cannot be told from what was lost.
    assert!(heard.len() < ids.len() + 15, "{} messages", heard.len());
}

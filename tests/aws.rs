//! Buckets and topics, over the wire: an AWS stand-in is started for these tests, and what arrives is what counts.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "account/mod.rs"]
mod account;
#[path = "aws/services.rs"]
mod services;
#[path = "aws/topics.rs"]
mod topics;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use account::{Account, month, root};
use serde_json::Value;
use services::Services;
use tempfile::TempDir;
use topics::{alert, all_to};

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

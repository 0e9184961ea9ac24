//! `ssm-audit scan`, through the built binary, on real-looking input.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn ssm_audit(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ssm-audit"));
    command.args(args).current_dir(root()).env_remove("SSM_AUDIT_RULES");
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    result(ssm_audit(args).output().expect("the binary runs"))
}

fn result(output: Output) -> (i32, String, String) {
    (
        output.status.code().expect("an exit code"),
        String::from_utf8(output.stdout).expect("output is UTF-8"),
        String::from_utf8(output.stderr).expect("messages are UTF-8"),
    )
}

fn piped(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = ssm_audit(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // It may have ended already, and rightly so, without reading anything.
    if let Err(error) = child.stdin.take().unwrap().write_all(input) {
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
    result(child.wait_with_output().unwrap())
}

fn findings(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is a JSON object"))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A `StartSession` by the account root user: the gravest thing there is.
fn record(id: &str) -> Value {
    json!({
        "eventVersion": "1.11", "eventID": id, "eventTime": "2026-10-05T09:00:00Z",
        "eventSource": "ssm.amazonaws.com", "eventName": "StartSession", "awsRegion": "eu-west-1",
        "userIdentity": {"type": "Root", "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:root", "principalId": "111122223333"},
        "requestParameters": {"target": "i-0123456789abcdef0"},
        "responseElements": {"sessionId": "root-0123456789abcdef0"},
        "sourceIPAddress": "203.0.113.7", "recipientAccountId": "111122223333",
    })
}

const ROOT_RULE: &str = "Session opened by the account root user";

fn titles(stdout: &str) -> Vec<String> {
    findings(stdout).iter().map(|f| f["rule_title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_month_tells_its_story() {
    let (code, stdout, stderr) = run(&["scan", "examples/month", "--format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    let found = findings(&stdout);
    let expected: Value =
        serde_json::from_slice(&fs::read(root().join("examples/month.expected.json")).unwrap())
            .unwrap();
    // What each incident must be found as, by a word of the rule's title; "-": it is no rule's business.
    let named = [
        ("port-forwarding-to-database", "relay"),
        ("ssh-session", "SSH session"),
        ("denied-start-session", "refused"),
        ("after-hours-session", "outside business hours"),
        ("root-shell", "root shell"),
        ("shadow-file-read", "Credential file"),
        ("send-command-to-25-nodes", "many nodes"),
        ("iam-user-with-long-term-key-without-mfa", "long-term"),
        ("break-glass-role-assumed", "-"),
        ("break-glass-session", "break-glass"),
        ("missing-transcript", "-"),
        ("session-preferences-changed", "preferences"),
        ("missing-transcript-after-preferences-change", "-"),
        ("download-piped-to-shell", "Downloaded"),
        ("history-evasion", "history"),
        ("stop-logging-denied", "refused"),
        ("stop-logging", "CloudTrail stopped"),
        ("start-logging", "-"),
        ("unaudited-transcript", "-"),
    ];
    for incident in expected["incidents"].as_array().unwrap() {
        let label = incident["label"].as_str().unwrap();
        let (_, word) = named
            .iter()
            .find(|(name, _)| *name == label)
            .unwrap_or_else(|| panic!("{label} is new"));
        if *word == "-" {
            continue;
        }
        let key = if incident["event_id"].is_null() { "session_id" } else { "event_id" };
        assert!(
            found.iter().any(
                |f| f[key] == incident[key] && f["rule_title"].as_str().unwrap().contains(word)
            ),
            "{label} ({}) is not found as `{word}`",
            incident[key]
        );
    }
    // Ordinary sessions raise nothing above low.
    let of_interest: BTreeSet<&str> = expected["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|incident| incident["session_id"].as_str())
        .collect();
    for finding in &found {
        let ordinary = finding["session_id"].as_str().is_some_and(|id| !of_interest.contains(id));
        let mild = matches!(finding["level"].as_str(), Some("low" | "informational"));
        assert!(!ordinary || mild, "{finding}");
    }
    // Every session that CloudTrail opened is told with its principal.
    for finding in found.iter().filter(|f| f["command"].is_string()) {
        let id = finding["session_id"].as_str().unwrap();
        let session =
            expected["sessions"].as_array().unwrap().iter().find(|s| s["id"] == *id).unwrap();
        if session["audited"] == json!(true) {
            assert_eq!(finding["principal"], session["principal"], "{id}");
            assert_eq!(finding["target"], session["target"], "{id}");
        }
    }
    assert!(stderr.contains("2 without a transcript"), "{stderr}");
    assert!(stderr.contains("15 delivered twice"), "{stderr}");
}

#[test]
fn text_output_is_for_people() {
    let (code, stdout, _) =
        run(&["scan", "examples/month", "--color", "never", "--level", "medium"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("month", stdout);
}

#[test]
fn a_row_has_every_documented_column() {
    let (_, stdout, _) =
        piped(&["scan", "-", "--format", "json"], record("e-1").to_string().as_bytes());
    insta::assert_json_snapshot!("root_session", findings(&stdout));
    let documented = fs::read_to_string(root().join("docs/findings.md")).unwrap();
    for finding in findings(&stdout) {
        for key in finding.as_object().unwrap().keys() {
            assert!(documented.contains(&format!("| `{key}`")), "docs/findings.md lacks `{key}`");
        }
    }
    let (_, csv, _) =
        piped(&["scan", "-", "--format", "csv"], record("e-1").to_string().as_bytes());
    let header: BTreeSet<&str> =
        csv.lines().next().unwrap().split(',').map(|cell| cell.trim_matches('"')).collect();
    let keys: BTreeSet<String> =
        findings(&stdout)[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(header, keys.iter().map(String::as_str).collect());
}

#[test]
fn threads_change_nothing() {
    let one = run(&["scan", "examples/month", "--format", "json", "--jobs", "1"]);
    for jobs in ["2", "7", "32"] {
        assert_eq!(run(&["scan", "examples/month", "--format", "json", "--jobs", jobs]), one);
    }
}

#[test]
fn every_wrapping_of_a_record_is_read() {
    let record = record("e-1");
    let text = record.to_string();
    let wrappings: Vec<(&str, Vec<u8>)> = vec![
        ("a file", json!({"Records": [record]}).to_string().into_bytes()),
        ("gzip", gzip(json!({"Records": [record]}).to_string().as_bytes())),
        ("two gzip members", [gzip(b"{\"Records\":["), gzip(format!("{text}]}}").as_bytes())].concat()),
        ("NDJSON", format!("{text}\n").into_bytes()),
        ("an array", json!([record]).to_string().into_bytes()),
        ("pretty", serde_json::to_vec_pretty(&json!([record])).unwrap()),
        ("lookup-events", json!({"Events": [{"EventId": "e-1", "CloudTrailEvent": text}]}).to_string().into_bytes()),
        (
            "EventBridge",
            json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ssm", "detail": record})
                .to_string()
                .into_bytes(),
        ),
        ("a log event", json!({"timestamp": 1, "logStream": "111122223333_CloudTrail_eu-west-1", "message": text}).to_string().into_bytes()),
        ("filter-log-events", json!({"events": [{"logStreamName": "s", "timestamp": 1, "message": text}], "searchedLogStreams": []}).to_string().into_bytes()),
        ("subscription", json!({"messageType": "DATA_MESSAGE", "logStream": "s", "logEvents": [{"id": "1", "timestamp": 1, "message": text}]}).to_string().into_bytes()),
        ("a log export", format!("2026-10-05T09:00:00.000Z {text}\n").into_bytes()),
        ("a byte order mark", [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat()),
    ];
    for (name, bytes) in wrappings {
        let (code, stdout, stderr) = piped(&["scan", "-", "--format", "json"], &bytes);
        assert_eq!((code, titles(&stdout)), (0, vec![ROOT_RULE.to_owned()]), "{name}: {stderr}");
    }
}

#[test]
fn every_form_of_a_transcript_is_read() {
    let session = "maya-0123456789abcdef0";
    let pty = "\u{1b}[?2004hsh-5.2$ sudo -i\r\n\u{1b}[?2004l\r\u{1b}[?2004h[root@web ~]# id\r\n\u{1b}[?2004l\ruid=0(root)\r\n";
    let header = "Script started on 2026-10-05 09:00:00+00:00 [<not executed on terminal>]\n";
    let footer = "\nScript done on 2026-10-05 09:00:00+00:00 [COMMAND_EXIT_CODE=\"0\"]\n";
    let object = format!("{header}{}{footer}", pty.replace('\n', "\r\n"));
    let upload = format!("{header}{pty}{footer}");
    let streamed = json!({
        "eventVersion": "1.0", "eventTime": "2026-10-05T09:00:00Z", "awsRegion": "eu-west-1",
        "target": {"id": "i-0123456789abcdef0"},
        "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/Ops/maya"},
        "runAsUser": "ssm-user", "sessionId": session, "sessionData": ["sh-5.2$ sudo -i", "[root@web ~]# id", "uid=0(root)"],
    });
    let event = |message: &str| {
        json!({"timestamp": 1_791_190_800_000_i64, "logGroup": "g", "logStream": session, "message": message}).to_string()
    };
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("object", object.clone().into_bytes()),
        ("object, gzip", gzip(object.as_bytes())),
        ("raw", pty.as_bytes().to_vec()),
        ("streamed", streamed.to_string().into_bytes()),
        ("streamed, in a log event", event(&streamed.to_string()).into_bytes()),
        ("upload", upload.clone().into_bytes()),
        ("upload, in a log event", event(&upload).into_bytes()),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("{session}.log"));
    for (name, bytes) in forms {
        fs::write(&path, bytes).unwrap();
        let (code, stdout, stderr) = run(&["scan", path.to_str().unwrap(), "--format", "json"]);
        assert_eq!(code, 0, "{name}: {stderr}");
        let found = findings(&stdout);
        let shell =
            found.iter().find(|f| f["level"] == "medium").unwrap_or_else(|| panic!("{name}"));
        assert_eq!(shell["command"], "sudo -i", "{name}");
        assert_eq!(shell["session_id"], session, "{name}");
    }
}

#[test]
fn a_command_is_attributed_by_its_session_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("trail.json"), json!({"Records": [record("e-1")]}).to_string())
        .unwrap();
    fs::write(dir.path().join("a_root-0123456789abcdef0.log"), "$ id\r\n").unwrap();
    fs::write(dir.path().join("root-0123456789abcdef0.log"), "$ sudo su -\r\n").unwrap();
    fs::write(dir.path().join("eve-0000000000000000a.log"), "$ sudo su -\r\n").unwrap();
    let (code, stdout, stderr) = run(&["scan", dir.path().to_str().unwrap(), "--format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    for finding in findings(&stdout).iter().filter(|f| f["command"].is_string()) {
        let known = finding["session_id"] == "root-0123456789abcdef0";
        let principal = if known { json!("arn:aws:iam::111122223333:root") } else { Value::Null };
        assert_eq!(finding["principal"], principal, "{finding}");
    }
}

#[test]
fn copies_of_a_record_are_one_finding() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.json", "b.json", "c.json"] {
        fs::write(dir.path().join(name), json!({"Records": [record("e-1")]}).to_string()).unwrap();
    }
    let (_, stdout, stderr) = run(&["scan", dir.path().to_str().unwrap(), "--format", "json"]);
    let found = findings(&stdout);
    assert_eq!(found.len(), 1);
    assert!(found[0]["artifact"].as_str().unwrap().ends_with("a.json"), "the first in order");
    assert!(stderr.contains("2 delivered twice"), "{stderr}");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let good = json!({"Records": [record("e-1")]}).to_string();
    let cut = gzip(json!({"Records": vec![record("e-2"); 2000]}).to_string().as_bytes());
    let files: [(&str, Vec<u8>, &str); 7] = [
        ("binary.bin", vec![0x7f, b'E', b'L', b'F', 0, 1, 2, 3], "neither a log nor a transcript"),
        (
            "bomb.json.gz",
            gzip(&[b"[".as_slice(), &vec![b' '; 9 << 20]].concat()),
            "inflates to more than 8000000 bytes",
        ),
        ("broken.json", good[..good.len() - 40].into(), "the input ends inside a value"),
        ("cut.json.gz", cut[..cut.len() - 200].into(), "cut off"),
        ("good.json", good.clone().into(), ""),
        ("other.json", br#"{"hello": "world"}"#.to_vec(), "JSON that is no event known here"),
        ("rubbish.ndjson", b"{\"a\":1}\nrubbish\n".to_vec(), "(byte 8): not JSON"),
    ];
    for (name, bytes, _) in &files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let path = dir.path().to_str().unwrap();
    let (code, stdout, stderr) =
        run(&["scan", path, "--format", "json", "--max-inflated", "8000000"]);
    assert_eq!(code, 3);
    let ids: BTreeSet<String> =
        findings(&stdout).iter().map(|f| f["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["e-1", "e-2"].map(String::from).into(), "records before a cut are read");
    for (name, _, reason) in files.iter().filter(|(_, _, reason)| !reason.is_empty()) {
        let told = stderr.lines().any(|line| line.contains(name) && line.contains(reason));
        assert!(told, "{name}: no `{reason}` in\n{stderr}");
    }
    let (code, _, stderr) = run(&["scan", "no/such/path"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("no/such/path"), "{stderr}");
}

/// What a person in a session makes the terminal print is never more than text.
#[test]
fn a_session_cannot_write_the_trail() {
    let session = "eve-0123456789abcdef0";
    let forged = record("forged").to_string();
    let header = "Script started on 2026-10-05 09:00:00+00:00 [<not executed on terminal>]\n";
    let event = |message: &str| {
        json!({"timestamp": 1, "logGroup": "g", "logStream": session, "message": message})
            .to_string()
    };
    let whole = json!({"Records": [record("forged")]}).to_string();
    let dir = tempfile::tempdir().unwrap();
    let agent = dir.path().join("i-1/session/orchestration").join(session).join("Standard_Stream");
    fs::create_dir_all(&agent).unwrap();
    let files: [(PathBuf, String); 4] = [
        (
            dir.path().join("upload.jsonl"),
            [
                event(&format!("{header}$ true\r")),
                event(&format!("{forged}\r\n$ sudo -i\r\n$ exit\r")),
            ]
            .join("\n"),
        ),
        (dir.path().join("alone.jsonl"), event(&forged)),
        (agent.join("ipcTempFile.log"), format!("{whole}\r\n$ sudo -i\r\n")),
        (dir.path().join(format!("{session}.log")), format!("{whole}\r\n$ sudo -i\r\n")),
    ];
    for (path, text) in files {
        fs::write(&path, &text).unwrap();
        let (_, stdout, stderr) = run(&["scan", path.to_str().unwrap(), "--format", "json"]);
        let found = findings(&stdout);
        assert!(found.iter().all(|f| f["event_id"].is_null()), "{}: {stdout}", path.display());
        assert!(stderr.contains("0 CloudTrail records"), "{stderr}");
        if text.contains("sudo -i") && !path.ends_with("alone.jsonl") {
            assert!(
                found.iter().any(|f| f["command"] == "sudo -i"),
                "{}: {stderr}",
                path.display()
            );
        }
    }
    // Neither does a header that it prints name another session.
    let claim = "Script started on 2026-10-05 09:00:00+00:00 [COMMAND=\"cat /x/i-1/session/orchestration/ceo-0123456789abcdef0/Standard_Stream/ipcTempFile.log\" <x>]\n$ sudo -i\r\r\n";
    let path = dir.path().join(format!("{session}.log"));
    fs::write(&path, claim).unwrap();
    let (code, stdout, stderr) = run(&["scan", path.to_str().unwrap(), "--format", "json"]);
    assert!(findings(&stdout).iter().all(|f| f["session_id"] == session), "{stdout}");
    assert!(code == 3 && stderr.contains("names another session"), "{stderr}");
}

/// CloudTrail may come as log events, before or behind the transcripts, in one artifact or a pipe.
#[test]
fn sessions_are_known_wherever_their_records_are() {
    let id = "root-0123456789abcdef0";
    let trail = json!({"timestamp": 1, "logStream": "trail", "message": record("e-1").to_string()});
    let streamed =
        json!({"sessionId": id, "sessionData": ["$ sudo -i"], "eventTime": "2026-10-05T09:01:00Z"});
    let lines = [format!("{trail}\n{streamed}\n"), format!("{streamed}\n{trail}\n")];
    let dir = tempfile::tempdir().unwrap();
    for text in &lines {
        let path = dir.path().join("all.ndjson");
        fs::write(&path, text).unwrap();
        let by_path = run(&["scan", path.to_str().unwrap(), "--format", "json"]).1;
        let by_pipe = piped(&["scan", "-", "--format", "json"], text.as_bytes()).1;
        for stdout in [by_path, by_pipe] {
            let found = findings(&stdout);
            let shell =
                found.iter().find(|f| f["command"] == "sudo -i").expect("the command is found");
            assert_eq!(shell["principal"], "arn:aws:iam::111122223333:root", "{stdout}");
            assert_eq!(found.iter().filter(|f| f["event_id"] == "e-1").count(), 1, "{stdout}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once_and_wholly() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for text in ["$ sudo -i\r\n".to_owned(), record("e-1").to_string()] {
        let scan = ssm_audit(&["scan", pipe.to_str().unwrap(), "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        fs::write(&pipe, text).unwrap();
        let (code, stdout, stderr) = result(scan.wait_with_output().unwrap());
        assert!(code == 0 && !findings(&stdout).is_empty(), "{stderr}");
    }
}

#[test]
fn damage_is_told_however_small_the_file() {
    let good = gzip(json!({"Records": [record("e-1")]}).to_string().as_bytes());
    let mut sum = good.clone();
    let at = sum.len() - 8;
    sum[at] ^= 1;
    let mut size = good.clone();
    let last = size.len() - 1;
    size[last] ^= 1;
    for (name, bytes) in [("checksum", sum), ("size", size)] {
        let (code, stdout, stderr) = piped(&["scan", "-", "--format", "json"], &bytes);
        assert_eq!((code, titles(&stdout)), (3, vec![ROOT_RULE.to_owned()]), "{name}: {stderr}");
    }
    // A cut record must not swallow the whole ones behind it.
    let cut = r#"{"eventSource":"s3.amazonaws.com","eventName":"GetObject","k":"v""#;
    let text = format!("{cut}\n{}\n}}\n", record("e-1"));
    let (code, stdout, _) = piped(&["scan", "-", "--format", "json"], text.as_bytes());
    assert_eq!((code, titles(&stdout)), (3, vec![ROOT_RULE.to_owned()]));
    // A character that is none must not hide the record it stands in.
    let text = record("e-1").to_string().replace("i-0123456789abcdef0", "i-\\ud800");
    let (_, stdout, stderr) = piped(&["scan", "-", "--format", "json"], text.as_bytes());
    assert_eq!(titles(&stdout), [ROOT_RULE], "{stderr}");
    let mut bytes = record("e-1").to_string().replace("i-0123456789abcdef0", "i-@").into_bytes();
    let at = bytes.windows(3).position(|some| some == b"i-@").unwrap();
    bytes[at + 2] = 0xff;
    let (code, stdout, stderr) = piped(&["scan", "-", "--format", "json"], &bytes);
    assert_eq!((code, titles(&stdout)), (0, vec![ROOT_RULE.to_owned()]), "{stderr}");
    assert!(stderr.contains("1 session opened"), "{stderr}");
}

#[test]
fn a_command_is_in_the_period_if_it_may_have_run_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = record("e-1");
    opened["eventTime"] = json!("2026-10-04T23:50:00Z");
    fs::write(dir.path().join("trail.json"), opened.to_string()).unwrap();
    let object = "Script started on 2026-10-05 09:00:00+00:00\n$ sudo -i\r\r\n\nScript done on 2026-10-05 09:00:00+00:00\n";
    fs::write(dir.path().join("root-0123456789abcdef0.log"), object).unwrap();
    let scan = |since: &str| {
        let args = ["scan", dir.path().to_str().unwrap(), "--format", "json", "--since", since];
        let found = findings(&run(&args).1);
        found.iter().filter(|f| f["command"] == "sudo -i").count()
    };
    assert!(scan("2026-10-05") > 0);
    assert_eq!(scan("2026-10-06"), 0);
}

#[test]
fn exit_codes_tell() {
    let good = record("e-1").to_string();
    let scan = |more: &[&str]| piped(&[&["scan", "-"], more].concat(), good.as_bytes()).0;
    assert_eq!(scan(&[]), 0);
    assert_eq!(scan(&["--fail-on", "critical"]), 1);
    assert_eq!(scan(&["--fail-on", "low"]), 1);
    assert_eq!(scan(&["--fail-on", "low", "--until", "2026-10-01"]), 0);
    assert_eq!(scan(&["--since", "2026-10-06", "--fail-on", "low"]), 0);
    assert_eq!(scan(&["--since", "soon"]), 2);
    assert_eq!(scan(&["--level", "grave"]), 2);
    assert_eq!(scan(&["--rules", "no/such/rules"]), 2);
    assert_eq!(run(&["scan"]).0, 2);
    assert_eq!(run(&["nonsense"]).0, 2);
}

#[test]
fn wrong_rules_are_shown_in_their_place_and_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let rule = "title: Mine\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    eventName|contians: Start\n  condition: selection\n";
    fs::write(dir.path().join("mine.yml"), rule).unwrap();
    let path = dir.path().to_str().unwrap();
    let good = record("e-1").to_string();
    let (code, stdout, stderr) = piped(&["scan", "-", "--rules", path], good.as_bytes());
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in ["mine.yml:7:5", "eventName|contians: Start", "^^^^", "did you mean `contains`?"] {
        assert!(stderr.contains(part), "no `{part}` in\n{stderr}");
    }
    fs::write(dir.path().join("good.yml"), rule.replace("contians", "contains")).unwrap();
    let args = ["scan", "-", "--rules", path, "--skip-invalid-rules", "--format", "json"];
    let (code, stdout, _) = piped(&args, good.as_bytes());
    assert_eq!((code, titles(&stdout)), (0, vec!["Mine".to_owned()]));
}

#[test]
fn hostile_text_does_not_reach_the_terminal_alive() {
    let mut hostile = record("e-1");
    hostile["userIdentity"]["arn"] = json!("arn:\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}root");
    hostile["requestParameters"]["target"] = json!("=cmd|' /C calc'!A0");
    let input = hostile.to_string();
    for color in ["always", "never"] {
        let (_, stdout, _) = piped(&["scan", "-", "--color", color], input.as_bytes());
        assert!(!stdout.contains("\u{1b}]") && !stdout.contains("\u{1b}[2J"), "{stdout}");
        assert!(!stdout.contains('\u{202e}') && stdout.contains(r"\x1b]0;owned\x07"), "{stdout}");
    }
    let (_, csv, _) = piped(&["scan", "-", "--format", "csv"], input.as_bytes());
    assert!(csv.contains("\"'=cmd|") && !csv.contains("\"=cmd|"), "{csv}");
    assert!(!csv.contains('\u{1b}') && !csv.contains('\u{7}'), "{csv}");
}

#[test]
fn help_completions_and_manual_are_there() {
    let (code, help, _) = run(&["scan", "--help"]);
    assert_eq!(code, 0);
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script, _) = run(&["completions", shell]);
        assert!(code == 0 && script.contains("ssm-audit"), "{shell}");
    }
    let (code, page, _) = run(&["man"]);
    assert!(code == 0 && page.contains(".TH") && page.contains("fail\\-on"), "{page}");
}

//! `ssm-audit rules …` and `ssm-audit backtest`, through the built binary.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace")
}

fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ssm-audit"));
    command.current_dir(directory).env_remove("SSM_AUDIT_RULES").env("NO_COLOR", "1");
    command
}

fn run_in(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let output = command(directory).args(args).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn run(args: &[&str]) -> (i32, String, String) {
    run_in(&root(), args)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// A rule without anything to complain about, for a directory with its cases.
const RULE: &str = "\
title: Package removed
id: 0b8f6c3a-5d0e-4a54-9a3e-0c6f4a7d1e11
description: A package was removed.
owner: platform
level: low
logsource:
  product: linux
  category: process_creation
detection:
  selection:
    Image|endswith: /apt-get
    CommandLine|contains: ' remove '
  condition: selection
";
const CASES: &str = "\
cases:
  - name: removed
    fires: true
    command: sudo apt-get remove nginx
    evidence:
      CommandLine: apt-get remove nginx
  - name: installed
    fires: false
    command: sudo apt-get install nginx
";

fn pack(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    directory
}

#[test]
fn the_pack_has_nothing_to_complain_about() {
    let (code, stdout, _) = run(&["rules", "check", "rules.d", "--deny", "warnings"]);
    assert_eq!(code, 0, "{stdout}");
    let (code, stdout, _) = run(&["rules", "test", "rules.d"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains(" passed, 0 failed"), "{stdout}");
}

#[test]
fn the_catalogue_is_that_of_the_pack() {
    let (code, stdout, _) = run(&["rules", "docs", "rules.d", "--out", "docs/rules", "--check"]);
    assert_eq!(code, 0, "run `ssm-audit rules docs`:\n{stdout}");
}

const MISTAKES: &str = "\
title: Many mistakes
id: not-a-uuid
level: low
expires: 2020-01-01
tags: [Attack.T1059]
logsource:
  product: aws
  service: cloudtrail
detection:
  selection:
    eventname: StartSession
    requestParameters.documentName|re: '.*Quiet'
  never:
    eventName: StartSession
  other:
    eventName: StopLogging
  unused:
    eventName: X
  condition: selection and never and other
---
title: Broken
logsource:
  product: aws
  service: cloudtrail
detection:
  selection:
    eventName|contians: x
    userAgent|re: 'a(b'
    sourceIPAddress|cidr: 10.0.0.0/99
  condition: selction
---
title: Counts what is not there
id: 0b8f6c3a-5d0e-4a54-9a3e-0c6f4a7d1e12
correlation:
  type: event_count
  rules: [nobody]
  timespan: 5 minutes
  condition: {gte: many}
";

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let directory = pack(&[("r/many.yml", MISTAKES)]);
    let (code, stdout, _) = run_in(directory.path(), &["rules", "check", "r"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("check", stdout);
    let (_, stdout, _) = run_in(directory.path(), &["rules", "check", "r", "--format", "github"]);
    insta::assert_snapshot!("check_github", stdout);
    let (_, stdout, _) = run_in(directory.path(), &["rules", "check", "r", "--format", "json"]);
    for row in lines(&stdout) {
        let (line, column) = (row["line"].as_u64().unwrap(), row["column"].as_u64().unwrap());
        assert!(line >= 1 && column >= 1 && row["file"] == "r/many.yml", "{row}");
    }
}

/// A slip must not make a rule one for more, or for less, without a word.
#[test]
fn what_would_be_left_out_is_told() {
    let filter = "title: F\nlogsource: {product: linux}\nfilter:\n  rule: r\n  s: {Image: x}\n  condition: not s\n";
    let with_filter = format!("{RULE}filter: {{s: {{Image: x}}, condition: not s}}\n");
    let correlation = |lines: &str| {
        format!(
            "{RULE}name: removed\n---\ntitle: C\ncorrelation:\n  rules: [removed]\n  timespan: 5m\n{lines}\n"
        )
    };
    let cases = [
        (filter.to_owned(), "did you mean `rules`?"),
        (filter.replace("rule: r", "rules: any\n  other: {Image: y}"), "does not use `other`"),
        (with_filter, "a rule has no `filter`"),
        (RULE.replace("category: ", "categroy: "), "did you mean `category`?"),
        (RULE.replace("product: linux", "product: [linux]"), "`product` is one name"),
        (
            correlation("  type: event_count\n  group-by: [{User: x}]\n  condition: {gte: 3}"),
            "a field is named, this is",
        ),
        (
            correlation("  type: event_count\n  condition: {gte: 3, field: User}"),
            "`event_count` counts matches and looks at no field",
        ),
        (
            correlation("  type: value_median\n  condition: {gte: 3, field: User, percentile: 95}"),
            "the median is the 50th percentile",
        ),
        (
            correlation(
                "  type: event_count\n  condition: {gte: 3}\n  aliases: {who: {removed: User}}",
            ),
            "nothing asks for the alias `who`",
        ),
        (
            correlation("  type: event_count\n  condition: {gt: 5, lt: 3}"),
            "no count of matches fits",
        ),
        (correlation("  type: event_count\n  condition: {eq: 2.5}"), "no count of matches fits"),
        (RULE.replace("owner: platform", "owner: [a, b]"), "`owner` is one text"),
        (
            RULE.replace("level: low", "level: low\nexpires: 2030-01-01T00:00:00"),
            "not written YYYY-MM-DD",
        ),
        (RULE.replace("level: low", "level: low\ntags: [attack.]"), "`attack.` is no tag"),
        (
            RULE.replace("CommandLine|contains: ' remove '", "Image|fieldref: CommandLin"),
            "did you mean `CommandLine`?",
        ),
        (
            RULE.replace("CommandLine|contains: ' remove '", "calendar.office: outsid"),
            "no calendar answers `outsid`",
        ),
        (
            correlation("  type: temporal\n  condition: other")
                .replace("[removed]", "[removed, other]"),
            "the condition does not name `removed`",
        ),
    ];
    for (text, expected) in cases {
        let other = RULE.replace("0c6f4a7d1e11", "0c6f4a7d1e13") + "name: other\n";
        let directory = pack(&[("r.yml", &text), ("other.yml", &other)]);
        let (_, stdout, _) = run_in(directory.path(), &["rules", "check", "."]);
        assert!(stdout.contains(expected), "{expected}:\n{stdout}\n{text}");
    }
}

/// A case must not pass because what it says was not read.
#[test]
fn what_a_case_says_is_read_or_told() {
    let cases = [
        ("transcript: {complet: false}", "`complet` means nothing here"),
        ("transcript: {complete: nearly}", "`complete` is `true` or `false`"),
        ("events: []", "`events` is a list of at least one"),
        ("event: hello", "this has to be a map"),
        ("command: ls, session: {strat: x}", "`strat` means nothing here"),
        ("command: ls, session: {kind: shelll}", "`shelll` is no kind of session"),
        ("command: ls, session: {start: someday}", "`someday` is no time"),
        ("command: ls, evidence: [[Image], {CommandLine: nope}]", "evidence is a field"),
        ("command: ls, events: [{command: ls}]", "says this of each event"),
        ("events: [{command: ls, fires: true}]", "`fires` means nothing here"),
    ];
    for (what, expected) in cases {
        let text = format!("cases:\n  - {{name: n, fires: false, {what}}}\n");
        let directory = pack(&[("a.yml", RULE), ("a.test.yml", &text)]);
        let (code, stdout, stderr) = run_in(directory.path(), &["rules", "test", "."]);
        assert!(code == 2 && (stdout + &stderr).contains(expected), "{text}: {expected}");
    }
    // A correlation that is a part of another has cases of its own, and a recording shows none of it.
    let chain = RULE.to_owned()
        + "name: leaf\n---\ntitle: Inner\nid: 0b8f6c3a-5d0e-4a54-9a3e-0c6f4a7d1e21\nname: inner\ncorrelation: {type: event_count, rules: [leaf], timespan: 5m, condition: {gte: 2}}\n---\n"
        + "title: Outer\nid: 0b8f6c3a-5d0e-4a54-9a3e-0c6f4a7d1e22\ncorrelation: {type: event_count, rules: [inner], timespan: 1h, condition: {gte: 2}}\n";
    let case = |what: &str| format!("cases:\n  - {{name: n, rule: inner, fires: true, {what}}}\n");
    let events = case("events: [{command: apt-get remove x, repeat: 2, every: 10s}]");
    let directory = pack(&[("a.yml", &chain), ("a.test.yml", &events)]);
    let (code, stdout, stderr) = run_in(directory.path(), &["rules", "test", "."]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let recording = case("recording: a.log");
    let directory =
        pack(&[("a.yml", &chain), ("a.test.yml", &recording), ("a.log", "$ apt-get remove x\n")]);
    let (code, _, stderr) = run_in(directory.path(), &["rules", "test", "."]);
    assert!(code == 2 && stderr.contains("is not told on its own"), "{stderr}");
    let second = format!("{CASES}---\ncases: []\n");
    let directory = pack(&[("a.yml", RULE), ("a.test.yml", &second)]);
    let (code, ..) = run_in(directory.path(), &["rules", "test", "."]);
    assert_eq!(code, 2);
}

#[test]
fn what_is_explained_is_what_is_written() {
    let rule = |test: &str| {
        format!(
            "title: R\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  s: {{{test}}}\n  condition: s\n"
        )
    };
    let event = r#"{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventTime":"2026-10-05T09:00:00Z",
        "requestParameters":{"a":123456789012345678901234567890,"b":1.10,"c":1e3,"d":"\ud800"}}"#;
    for test in [
        "requestParameters.a: '123456789012345678901234567890'",
        "requestParameters.b: '1.10'",
        "requestParameters.c: '1e3'",
    ] {
        let directory = pack(&[("r.yml", &rule(test)), ("event.json", event)]);
        let (code, stdout, stderr) =
            run_in(directory.path(), &["rules", "explain", "r.yml", "event.json"]);
        assert!(code == 0 && stdout.contains("fires"), "{test}: {stdout}{stderr}");
        let scan = ["scan", "event.json", "--rules", "r.yml", "--format", "json", "-q"];
        assert_eq!(lines(&run_in(directory.path(), &scan).1).len(), 1, "{test}");
    }
}

#[test]
fn what_is_wrong_with_what_serves_a_part_is_told() {
    let rule = RULE.replace("' remove '", "'%verbs%'").replace("|contains", "|expand|contains");
    let other = "title: F\nlogsource: {product: linux}\nfilter: {rules: any, s: {Image|contians: x}, condition: not s}\n";
    for (name, text) in [
        ("lists/verbs.yml", "- remove\n- [purge]\n"),
        ("filter.yml", &other.replace("filter: ", "filter:\n  ")),
        ("calendars.yml", "office: {weekdayz: [mon]}\n"),
    ] {
        let list = if name.starts_with("lists") { text } else { "- remove\n" };
        let other = ("lists/unused.yml", "- [a]\n");
        let files = [("part/r.yml", rule.as_str()), ("lists/verbs.yml", list), (name, text), other];
        let directory = pack(&files);
        let (code, stdout, _) = run_in(directory.path(), &["rules", "check", "part/r.yml"]);
        assert!(
            code == 1 && stdout.contains(name) && !stdout.contains("unused"),
            "{name}: {stdout}"
        );
        let logs = root().join("examples/month");
        let scan = ["scan", logs.to_str().unwrap(), "--rules", "part/r.yml", "-q"];
        assert_eq!(run_in(directory.path(), &scan).0, 2, "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_error_among_others() {
    let wrong = RULE.replace("contains", "contians").replace("0c6f4a7d1e11", "0c6f4a7d1e14");
    let directory = pack(&[("p/good.yml", RULE), ("p/wrong.yml", &wrong)]);
    fs::write(directory.path().join("p/latin1.yml"), b"title: caf\xe9\n").unwrap();
    let (code, stdout, _) = run_in(directory.path(), &["rules", "check", "p"]);
    assert!(code == 1 && stdout.contains("did you mean `contains`"), "{stdout}");
    assert!(stdout.contains("cannot be read: stream did not contain valid UTF-8"), "{stdout}");
    assert!(stdout.contains("p/latin1.yml"), "{stdout}");
    let logs = root().join("examples/month");
    let scan = ["scan", logs.to_str().unwrap(), "--rules", "p", "-q"];
    assert_eq!(run_in(directory.path(), &scan).0, 2);
    let scan = [&scan[..], &["--skip-invalid-rules"]].concat();
    assert_eq!(run_in(directory.path(), &scan).0, 0);
}

#[test]
fn a_part_of_a_pack_takes_no_page_away() {
    let other = RULE.replace("0c6f4a7d1e11", "0c6f4a7d1e13");
    let directory = pack(&[("p/a/r.yml", RULE), ("p/b.yml", &other), ("p/lists/l.yml", "- x\n")]);
    let docs = |path: &str| run_in(directory.path(), &["rules", "docs", path, "--out", "out/d"]);
    let (code, stdout, stderr) = docs("p");
    assert!(code == 0 && stdout.contains("3 pages, 3 changed"), "{stdout}{stderr}");
    let page = fs::read_to_string(directory.path().join("out/d/a/r.md")).unwrap();
    assert!(page.contains("](../../../p/a/r.yml)"), "{page}");
    for part in ["p/a", "p/a/r.yml"] {
        let (code, _, stderr) = docs(part);
        assert!(code == 2 && stderr.contains("of a whole pack"), "{stderr}");
    }
    fs::remove_file(directory.path().join("p/b.yml")).unwrap();
    let (_, stdout, _) = docs("p");
    assert!(stdout.contains("removed out/d/b.md"), "{stdout}");
    assert!(directory.path().join("out/d/a/r.md").is_file());
}

#[test]
fn lints_are_allowed_and_denied_by_name() {
    let rule = RULE.replace("owner: platform\n", "");
    let directory = pack(&[("a.yml", &rule), ("a.test.yml", CASES)]);
    let check = |args: &[&str]| {
        let all = [&["rules", "check", "a.yml"], args].concat();
        run_in(directory.path(), &all)
    };
    assert_eq!(check(&[]).0, 0);
    assert_eq!(check(&["--deny", "warnings"]).0, 1);
    assert_eq!(check(&["--deny", "no-owner"]).0, 1);
    assert_eq!(check(&["--allow", "no-owner", "--deny", "warnings"]).0, 0);
    let (code, _, stderr) = check(&["--allow", "no-onwer"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("there is no lint `no-onwer`"), "{stderr}");
}

#[test]
fn every_template_passes_check_and_test() {
    for kind in ["cloudtrail", "command", "process", "transcript", "correlation", "filter"] {
        let directory = tempfile::tempdir().unwrap();
        let file = format!("rules.d/{kind}.yml");
        let title = if kind == "correlation" {
            "[P1] too many # sessions: it's"
        } else {
            "It's \"quoted\": a rule"
        };
        let make = ["rules", "new", &file, "--kind", kind, "--title", title];
        let (code, stdout, stderr) = run_in(directory.path(), &make);
        assert_eq!(code, 0, "{kind}: {stderr}");
        assert!(stdout.contains(&format!("made {file}")), "{stdout}");
        // A filter is for rules, and there are none.
        let allow = if kind == "filter" { "filter-idle" } else { "no-id" };
        let check = ["rules", "check", &file, "--deny", "warnings", "--allow", allow];
        let (code, stdout, _) = run_in(directory.path(), &check);
        assert_eq!(code, 0, "{kind}: {stdout}");
        if kind != "filter" {
            let test = ["rules", "test", &file, "--require-coverage"];
            let (code, stdout, stderr) = run_in(directory.path(), &test);
            assert_eq!(code, 0, "{kind}: {stdout}{stderr}");
        }
        let (code, _, stderr) = run_in(directory.path(), &make);
        assert_eq!(code, 2, "a file that is there is not written over");
        assert!(stderr.contains("is there already"), "{stderr}");
    }
}

#[test]
fn a_case_that_fails_says_why() {
    let cases = CASES.replace("install nginx", "remove nginx");
    let cases = format!(
        "{cases}  - name: another program\n    fires: true\n    command: yum remove nginx\n  - name: other evidence\n    fires: true\n    command: apt-get remove x\n    evidence: {{Image: /bin/x}}\n"
    );
    let directory = pack(&[("a.yml", RULE), ("a.test.yml", &cases)]);
    let (code, stdout, _) =
        run_in(directory.path(), &["rules", "test", "a.yml", "--verbose", "--junit", "report.xml"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("test_failures", stdout);
    let junit = fs::read_to_string(directory.path().join("report.xml")).unwrap();
    assert!(junit.contains("tests=\"4\" skipped=\"0\" failures=\"3\""), "{junit}");
    let (_, stdout, _) =
        run_in(directory.path(), &["rules", "test", "a.test.yml", "--format", "json"]);
    let rows = lines(&stdout);
    assert_eq!(rows.iter().filter(|row| row["passed"] == true).count(), 1, "{rows:?}");
}

#[test]
fn cases_without_a_rule_and_rules_without_cases_are_told() {
    let directory = pack(&[("a.test.yml", CASES), ("b.yml", RULE)]);
    let (code, _, stderr) = run_in(directory.path(), &["rules", "test", "."]);
    assert_eq!(code, 2);
    assert!(stderr.contains("no rule in ./a.yml for these cases"), "{stderr}");
    let (code, _, stderr) = run_in(directory.path(), &["rules", "test", "b.yml"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("there are no cases in b.yml"), "{stderr}");
}

#[test]
fn a_recording_can_be_a_case() {
    let recording = fs::read(
        root().join("examples/month/sessions").join(
            fs::read_dir(root().join("examples/month/sessions"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .find(|name| name.to_string_lossy().starts_with("svc-migrate"))
                .expect("the example is there"),
        ),
    )
    .unwrap();
    let rule =
        RULE.replace("/apt-get", "/pg_dump").replace("    CommandLine|contains: ' remove '\n", "");
    let cases = "cases:\n  - {name: the migration, fires: true, recording: session.log}\n  - {name: not there, fires: true, recording: other.log}\n";
    let directory = pack(&[("a.yml", &rule), ("a.test.yml", cases)]);
    fs::write(directory.path().join("session.log"), recording).unwrap();
    let (code, stdout, stderr) = run_in(directory.path(), &["rules", "test", "a.yml"]);
    assert_eq!(code, 2, "{stdout}{stderr}");
    assert!(stdout.contains("1 passed, 0 failed"), "{stdout}");
    assert!(stderr.contains("there is no file other.log"), "{stderr}");
}

#[test]
fn watching_runs_again_when_a_file_changes() {
    let directory = pack(&[("a.yml", RULE), ("a.test.yml", CASES)]);
    let mut child = command(directory.path())
        .args(["rules", "test", "a.yml", "--watch", "--junit", "report.xml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = out.next().expect("a line").expect("readable");
    assert!(first.starts_with("2 passed, 0 failed"), "{first}");
    let mut next = || {
        let line = out.find(|line| line.as_ref().is_ok_and(|line| line.contains("passed, ")));
        line.expect("it ran again").expect("readable")
    };
    // As editors save: another file in its place.
    let path = |name: &str| directory.path().join(name);
    fs::write(path("new"), RULE.replace("remove", "purge")).unwrap();
    fs::rename(path("new"), path("a.yml")).unwrap();
    let failed = next();
    assert!(failed.starts_with("1 passed, 1 failed"), "{failed}");
    fs::write(path("a.test.yml"), CASES.replace("fires: true", "fires: false")).unwrap();
    let good = (0..3).any(|_| next().starts_with("2 passed, 0 failed"));
    child.kill().expect("it is running");
    child.wait().expect("it ends");
    assert!(good);
}

#[test]
fn explaining_shows_which_test_failed_on_which_value() {
    let (code, stdout, _) = run(&["rules", "explain", "role-without-mfa", "examples/month"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("does not fire: Session opened by an assumed role without MFA"));
    let (code, stdout, _) =
        run(&["rules", "explain", "rules.d/commands/sudo.yml", "--command", "sudo -u app id"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("explain_sudo", stdout);
    let (code, stdout, _) = run(&["rules", "explain", "many-sessions", "examples/month"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("asked: event_count, above 10, within 300 s"), "{stdout}");
    let (code, _, stderr) = run(&["rules", "explain", "sudp", "--command", "id"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("did you mean `sudo`?"), "{stderr}");
}

#[test]
fn a_backtest_tells_what_is_new_and_what_is_gone() {
    let sudo = fs::read_to_string(root().join("rules.d/commands/sudo.yml")).unwrap();
    let wider = sudo.replace("      - /sudo\n", "      - /cat\n");
    assert_ne!(sudo, wider);
    let directory = pack(&[("sudo.yml", &wider)]);
    let file = directory.path().join("sudo.yml");
    let (code, stdout, _) = run(&[
        "backtest",
        "--rules",
        file.to_str().unwrap(),
        "examples/month",
        "--against",
        "rules.d",
        "--fail-on-change",
    ]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("backtest", stdout);
    let (code, stdout, _) =
        run(&["backtest", "--rules", "rules.d", "examples/month", "--format", "json"]);
    assert_eq!(code, 0);
    for row in lines(&stdout) {
        assert_eq!((&row["new"], &row["gone"]), (&Value::from(0), &Value::from(0)), "{row}");
        let days = row["days"].as_array().unwrap();
        let by_day: u64 = days.iter().map(|day| day[1].as_u64().unwrap()).sum();
        assert_eq!(Value::from(by_day), row["findings"], "{row}");
    }
}

#[test]
fn a_correlation_is_a_finding_with_its_matches() {
    let (_, stdout, _) = run(&["scan", "examples/month", "--format", "json", "-q"]);
    let found = lines(&stdout);
    let correlated: Vec<&Value> = found.iter().filter(|row| row["correlated_count"] != 0).collect();
    assert!(!correlated.is_empty());
    for row in correlated {
        let parts = row["correlated"].as_array().unwrap();
        assert_eq!(Value::from(parts.len()), row["correlated_count"], "{row}");
        let times: Vec<&str> = parts.iter().map(|part| part["time"].as_str().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times.first().copied(), row["time"].as_str());
    }
}

#[test]
fn the_same_person_with_other_keys_is_the_same_person() {
    let arn = "arn:aws:sts::111122223333:assumed-role/ops/alice";
    let records: Vec<String> = (0..11)
        .map(|n| {
            serde_json::json!({
                "eventVersion": "1.11", "eventID": format!("e-{n}"), "eventSource": "ssm.amazonaws.com",
                "eventName": "StartSession", "eventTime": format!("2026-11-20T10:00:{n:02}Z"),
                "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
                "userIdentity": {"type": "AssumedRole", "arn": arn, "accessKeyId": format!("ASIA{n:016}")},
                "requestParameters": {"target": "i-0123456789abcdef0"},
                "responseElements": {"sessionId": format!("alice-{n:017}")},
            })
            .to_string()
        })
        .collect();
    let directory = pack(&[("a.json", &records.join("\n")), ("b.json", &records[3])]);
    let logs = directory.path().to_str().unwrap();
    for jobs in ["1", "2"] {
        let args = ["scan", logs, "--format", "json", "-q", "--jobs", jobs];
        let found = lines(&run(&args).1);
        let many: Vec<&Value> = found
            .iter()
            .filter(|row| {
                row["rule_title"] == "Many sessions opened in a few minutes by one principal"
            })
            .collect();
        assert_eq!(many.len(), 1, "{found:?}");
        // A record that was delivered twice is one event.
        assert_eq!(many[0]["correlated_count"], 11);
        assert_eq!((&many[0]["principal"], &many[0]["session_id"]), (&arn.into(), &Value::Null));
    }
}

#[test]
fn a_timeline_ends_with_what_several_events_show() {
    let (code, stdout, _) = run(&["timeline", "examples/month"]);
    assert_eq!(code, 0);
    let (_, last) = stdout.split_once("\nover several events\n").expect("there are some");
    assert!(last.contains("HIGH Session opened by the person who has just changed"), "{last}");
    let session = "rafael.souza@example.com-8877i4384kbrfrasfm6t8t22s4";
    let (_, stdout, _) = run(&["timeline", "examples/month", "--session", session]);
    let (_, last) = stdout.split_once("\nover several events\n").expect("there is one");
    assert_eq!(last.matches("HIGH").count(), 1, "{last}");
}

#[test]
fn a_filter_takes_out_what_it_selects() {
    let filter = "\
title: Rafael may
logsource: {product: linux, category: process_creation}
filter:
  rules: any
  selection: {session.principal|contains: rafael}
  condition: not selection
";
    let sudo = fs::read_to_string(root().join("rules.d/commands/sudo.yml")).unwrap();
    let directory = pack(&[("sudo.yml", &sudo), ("filters/rafael.yml", filter)]);
    let count = |rules: &Path| {
        let args = [
            "scan",
            "examples/month",
            "--rules",
            rules.to_str().unwrap(),
            "--format",
            "json",
            "-q",
        ];
        lines(&run(&args).1).len()
    };
    assert_eq!(count(&directory.path().join("sudo.yml")), 3);
    assert_eq!(count(directory.path()), 2);
}

#[test]
fn the_schemas_are_json() {
    for kind in ["rule", "cases"] {
        let (code, stdout, _) = run(&["rules", "schema", kind]);
        assert_eq!(code, 0);
        let schema: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

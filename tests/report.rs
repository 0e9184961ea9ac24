//! `ssm-audit report` and `verify`, through the built binary: the same facts give the same bytes, and what was altered is named.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "python/mod.rs"]
mod python;
#[path = "report/verify.rs"]
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

const NOW: &str = "2026-11-03T00:00:00Z";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ssm-audit"));
    command.args(args).current_dir(root());
    for name in ["SSM_AUDIT_RULES", "SSM_AUDIT_STORE", "SSM_AUDIT_ROUTES", "SSM_AUDIT_TIMEZONE"] {
        command.env_remove(name);
    }
    let output = command.output().expect("the binary runs");
    (
        output.status.code().expect("an exit code"),
        String::from_utf8(output.stdout).expect("output is UTF-8"),
        String::from_utf8(output.stderr).expect("messages are UTF-8"),
    )
}

fn done(args: &[&str]) -> Value {
    let (code, out, err) = run(args);
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).unwrap_or(Value::Null)
}

/// A store with the example's month, or with another directory.
fn store_of(source: &Path) -> TempDir {
    let store = TempDir::new().unwrap();
    done(&["ingest", text(source), "--store", text(store.path())]);
    done(&["sweep", "--store", text(store.path()), "--now", NOW]);
    store
}

fn month() -> TempDir {
    store_of(&root().join("examples/month"))
}

fn report(store: &Path, out: &Path, more: &[&str]) -> Value {
    let mut args = vec!["report", "--store", text(store), "--out", text(out), "--now", NOW];
    if !more.contains(&"--period") {
        args.extend(["--period", "2026-10"]);
    }
    args.extend(more);
    done(&args)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn table(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let (one, other, out) = (month(), TempDir::new().unwrap(), TempDir::new().unwrap());
    // Another store, filled in two goes, from behind.
    for part in ["sessions", "cloudwatch", "cloudtrail"] {
        let source = root().join("examples/month").join(part);
        done(&["ingest", text(&source), "--store", text(other.path()), "--jobs", "1"]);
    }
    done(&["sweep", "--store", text(other.path()), "--now", NOW]);
    let [a, b, c] = ["a", "b", "c"].map(|name| out.path().join(name));
    let first = report(one.path(), &a, &[]);
    report(one.path(), &b, &[]);
    assert_eq!(files(&a), files(&b));
    assert_eq!(files(&a).len(), 13, "{:?}", files(&a).keys());
    // Names of artifacts tell where they were read; everything else is the same.
    report(other.path(), &c, &[]);
    let figures = |folder: &Path| fs::read_to_string(folder.join("report.json")).unwrap();
    assert_eq!(figures(&a), figures(&c));
    assert_eq!(fs::read(a.join("access.csv")).unwrap(), fs::read(c.join("access.csv")).unwrap());
    // What is there already stays.
    assert_eq!(first["published"], "new");
    assert_eq!(report(one.path(), &a, &[])["published"], "same");
    let (code, _, err) = run(&[
        "report",
        "--store",
        text(one.path()),
        "--period",
        "2026-10",
        "--out",
        text(&a),
        "--now",
        NOW,
        "--account",
        "444455556666",
    ]);
    assert_eq!(code, 2);
    assert!(err.contains("--replace"), "{err}");
    assert_eq!(files(&a), files(&b));
    let replaced = report(one.path(), &a, &["--account", "444455556666", "--replace"]);
    assert_eq!(replaced["published"], "replaced");
    // A directory that is no report is not touched.
    let own = out.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("thesis.txt"), "mine").unwrap();
    let (code, _, err) = run(&[
        "report",
        "--store",
        text(one.path()),
        "--period",
        "2026-10",
        "--out",
        text(&own),
        "--replace",
    ]);
    assert_eq!((code, fs::read(own.join("thesis.txt")).unwrap()), (2, b"mine".to_vec()), "{err}");
}

#[test]
fn each_figure_is_what_the_facts_say() {
    let python = python::python();
    let (store, out) = (month(), TempDir::new().unwrap());
    for (nth, more) in [
        &[][..],
        &["--timezone", "America/New_York"],
        &["--period", "2026-10-05..2026-10-20"],
        &["--period", "2025-01"],
    ]
    .into_iter()
    .enumerate()
    {
        let folder = out.path().join(nth.to_string());
        report(store.path(), &folder, more);
        let script = root().join("tests/python/figures.py");
        let checked = Command::new(&python)
            .args([text(&script), text(store.path()), text(&folder)])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        let trouble = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{more:?}: {said}{trouble}");
        assert!(said.contains(" agree, 0 differ"), "{said}");
    }
}

#[test]
fn rows_that_another_engine_computed_give_the_same_report() {
    let python = python::python();
    let (store, out) = (month(), TempDir::new().unwrap());
    let [own, theirs, tables] = ["own", "theirs", "tables"].map(|name| out.path().join(name));
    // Who was on a node before is told only by who reads what was before.
    report(store.path(), &own, &["--lookback", "0"]);
    let script = root().join("tests/python/tables.py");
    let made = Command::new(&python)
        .args([text(&script), text(store.path()), "2026-11-03 00:00:00", "2026-10-01 00:00:00"])
        .args(["2026-11-01 00:00:00", text(&tables)])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    report(store.path(), &theirs, &["--lookback", "0", "--tables", text(&tables)]);
    let (own, theirs) = (files(&own), files(&theirs));
    for name in [
        "access.csv",
        "access.parquet",
        "findings.csv",
        "findings.parquet",
        "coverage.csv",
        "events.csv",
        "alerts.csv",
        "controls.csv",
        "report.json",
    ] {
        assert_eq!(own[name], theirs[name], "{name}");
    }
    let manifest: Value = serde_json::from_slice(&theirs["manifest.json"]).unwrap();
    assert_eq!(manifest["engine"], "tables");
    // A table that is not what it should be is named.
    fs::copy(tables.join("events.parquet"), tables.join("access.parquet")).unwrap();
    let (code, _, err) = run(&[
        "report",
        "--store",
        text(store.path()),
        "--period",
        "2026-10",
        "--out",
        text(&out.path().join("x")),
        "--tables",
        text(&tables),
    ]);
    assert_eq!(code, 3);
    assert!(err.contains("access.parquet") && err.contains("no column"), "{err}");
}

#[test]
fn nobody_is_named_where_that_was_asked_for() {
    let (store, out) = (month(), TempDir::new().unwrap());
    let [open, closed] = ["open", "closed"].map(|name| out.path().join(name));
    report(store.path(), &open, &[]);
    report(store.path(), &closed, &["--redact-principals"]);
    let names: BTreeSet<String> = table(&open, "access.csv")
        .iter()
        .filter_map(|row| row["principal_arn"].rsplit_once('/').map(|(_, name)| name.to_owned()))
        .filter(|name| name.len() > 2)
        .flat_map(|name| {
            let local = name.split('@').next().unwrap().to_owned();
            [name, local]
        })
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for (name, bytes) in files(&closed) {
        // Parquet is compressed where there are many rows; these have few, and CSV has the same.
        let text = String::from_utf8_lossy(&bytes);
        for person in &names {
            assert!(!text.contains(person.as_str()), "{person} in {name}");
        }
    }
    // One name for each, everywhere.
    let (a, b) = (table(&open, "access.csv"), table(&closed, "access.csv"));
    let principals = |rows: &[BTreeMap<String, String>]| {
        rows.iter().map(|row| row["principal_arn"].clone()).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((a.len(), principals(&a)), (b.len(), principals(&b)));
    assert!(b.iter().all(|row| !row["session_id"].contains('@')));
}

#[test]
fn an_empty_period_says_so() {
    let (store, out) = (month(), TempDir::new().unwrap());
    let folder = out.path().join("empty");
    let told = report(store.path(), &folder, &["--period", "2025-01"]);
    assert_eq!(told["figures"]["sessions"]["all"]["sessions"], 0);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("There were no sessions in this period"));
    assert!(table(&folder, "access.csv").is_empty());
    assert_eq!(run(&["verify", text(&folder)]).0, 0);
    let (code, _, err) = run(&["report", "--store", text(store.path()), "--period", "october"]);
    assert_eq!(code, 2);
    assert!(err.contains("2026-10"), "{err}");
}

#[test]
fn filters_part_the_whole() {
    let (store, out) = (month(), TempDir::new().unwrap());
    let count = |name: &str, more: &[&str]| {
        let folder = out.path().join(name);
        let told = report(store.path(), &folder, more);
        let rows = table(&folder, "access.csv");
        assert_eq!(told["figures"]["sessions"]["all"]["sessions"], rows.len());
        (rows.len(), told["figures"]["commands"]["total"].as_u64().unwrap(), rows)
    };
    let (all, commands, rows) = count("all", &[]);
    let accounts: BTreeSet<&str> = rows.iter().map(|row| row["account"].as_str()).collect();
    let mut parts = (0, 0);
    for account in accounts.iter().filter(|account| !account.is_empty()) {
        let (sessions, commands, rows) = count(account, &["--account", account]);
        assert!(rows.iter().all(|row| row["account"] == **account));
        parts = (parts.0 + sessions, parts.1 + commands);
    }
    // A recording without a record has no account.
    let without = rows.iter().filter(|row| row["account"].is_empty());
    let without: Vec<u64> = without.map(|row| row["commands"].parse().unwrap()).collect();
    assert_eq!((parts.0 + without.len(), parts.1 + without.iter().sum::<u64>()), (all, commands));
    let (priya, _, rows) = count("priya", &["--principal", "PRIYA", "--region", "eu-west-1"]);
    assert!(priya > 0 && rows.iter().all(|row| row["principal_arn"].contains("priya")));
    // Tags of nodes, in both forms of the AWS CLI.
    let node = rows[0]["target"].clone();
    let described = json!({"Tags": [{"ResourceId": node, "Key": "Environment", "Value": "production"},
        {"ResourceId": node, "Key": "Name", "Value": "web <1>"}]});
    let instances = json!({"Reservations": [{"Instances": [{"InstanceId": node, "Tags": [
        {"Key": "Environment", "Value": "production"}, {"Key": "Name", "Value": "web <1>"}]}]}]});
    for (name, nodes) in [("tags", described), ("instances", instances)] {
        let file = out.path().join(format!("{name}.json"));
        fs::write(&file, nodes.to_string()).unwrap();
        let more = ["--nodes", text(&file), "--node-tag", "Environment=production"];
        let (_, _, rows) = count(name, &more);
        assert!(!rows.is_empty() && rows.iter().all(|row| row["target"] == node));
        let page = fs::read_to_string(out.path().join(name).join("report.html")).unwrap();
        assert!(page.contains("web &lt;1&gt;") && page.contains("was narrowed to node tag"));
    }
}

/// What somebody calls themselves, what they type, and where it is kept: all of it hostile.
const HOSTILE: [&str; 6] = [
    "<script>window.__pwned=1</script>",
    "<img src=x onerror=window.__pwned=1>",
    "\"><svg onload=window.__pwned=1>",
    "=cmd|' /C calc'!A1",
    "-2+3+cmd|' /C calc'!A1",
    "\u{202e}gpj.exe\u{1b}]0;pwned\u{7}",
];

#[test]
fn what_strangers_wrote_stays_text() {
    let place = TempDir::new().unwrap();
    let mut records = Vec::new();
    for (nth, evil) in HOSTILE.iter().enumerate() {
        let id = format!("evil{nth}-0123456789abcdef{nth}");
        records.push(json!({
            "eventVersion": "1.11", "eventTime": format!("2026-10-0{}T09:00:00Z", nth + 1),
            "eventSource": "ssm.amazonaws.com", "eventName": "StartSession", "awsRegion": "eu-west-1",
            "eventID": format!("00000000-0000-0000-0000-00000000000{nth}"), "recipientAccountId": "111122223333",
            "sourceIPAddress": evil, "userAgent": evil,
            "userIdentity": {"type": "AssumedRole", "principalId": format!("AROAEXAMPLE:{evil}"),
                "arn": format!("arn:aws:sts::111122223333:assumed-role/Ops/{evil}"), "accountId": "111122223333",
                "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "Ops", "arn": "arn:aws:iam::111122223333:role/Ops"},
                    "attributes": {"mfaAuthenticated": "false"}}},
            "requestParameters": {"target": format!("i-0{evil}"), "documentName": evil, "reason": evil},
            "responseElements": {"sessionId": id},
        }));
        let shown: String = evil.chars().filter(|c| !c.is_control()).collect();
        let mut log = String::from(
            "Script started on 2026-10-01 09:26:55+00:00 [<not executed on terminal>]\r\n",
        );
        write!(log, "\u{1b}[?2004hsh-5.2$ sudo echo {shown}\r\r\n\u{1b}[?2004l{shown}\r\r\n\u{1b}[?2004hsh-5.2$ exit\r\r\n").unwrap();
        log.push_str("\u{1b}[?2004l\r\nScript done on 2026-10-01 09:36:55+00:00 [COMMAND_EXIT_CODE=\"0\"]\r\n");
        fs::write(place.path().join(format!("{id}.log")), log).unwrap();
    }
    fs::write(place.path().join("trail.json"), json!({"Records": records}).to_string()).unwrap();
    let (store, out) = (store_of(place.path()), TempDir::new().unwrap());
    let folder = out.path().join("evil");
    let told = report(store.path(), &folder, &[]);
    assert_eq!(told["figures"]["sessions"]["all"]["sessions"], HOSTILE.len());
    assert!(told["figures"]["commands"]["total"].as_u64().unwrap() >= HOSTILE.len() as u64);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("__pwned"), "it is told");
    for alive in ["<img", "<script>window", "<svg onload", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(alive), "{alive:?}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("</script").count());
    for (name, bytes) in files(&folder) {
        if !name.ends_with(".csv") {
            continue;
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&*bytes);
        for cell in reader
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell}");
            assert!(!cell.contains(['\u{1b}', '\u{202e}']), "{name}: {cell:?}");
        }
    }
    // Kept for the browser, which is asked in `.ci/run`.
    let kept = root().join("target/hostile-report");
    let _ = fs::remove_dir_all(&kept);
    fs::create_dir_all(&kept).unwrap();
    fs::copy(folder.join("report.html"), kept.join("report.html")).unwrap();
}

//! `ssm-audit ingest`, `sweep` and the views, through the built binary: facts are written once, whatever happens.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "python/mod.rs"]
mod python;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use report::store::{FindingRow, Row, Store};
use serde_json::Value;
use tempfile::TempDir;

const NOW: &str = "2026-11-05T00:00:00Z";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn month() -> PathBuf {
    root().join("examples/month")
}

fn ssm_audit(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ssm-audit"));
    command.args(args).current_dir(root());
    command.env_remove("SSM_AUDIT_RULES").env_remove("SSM_AUDIT_STORE");
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    let output = ssm_audit(args).output().expect("the binary runs");
    (
        output.status.code().expect("an exit code"),
        String::from_utf8(output.stdout).expect("output is UTF-8"),
        String::from_utf8(output.stderr).expect("messages are UTF-8"),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ingest(source: &Path, store: &Path) -> Value {
    let (code, out, err) = run(&["ingest", text(source), "--store", text(store)]);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).expect("a JSON summary")
}

fn sweep(store: &Path) -> Value {
    let (code, out, err) = run(&["sweep", "--store", text(store), "--now", NOW]);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).expect("a JSON summary")
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Every object of a store, with its bytes.
fn objects(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let own = files(store).into_iter().filter(|path| path.file_name().unwrap() != ".writing");
    own.map(|path| {
        let name = path.strip_prefix(store).unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    })
    .collect()
}

fn assert_same(store: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    let found = objects(store);
    let names = |objects: &BTreeMap<String, Vec<u8>>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected));
    for (name, bytes) in &found {
        assert_eq!(bytes, &expected[name], "{name} has other bytes");
    }
}

fn finding_ids(store: &Path) -> BTreeSet<String> {
    let store = Store::open(text(store)).unwrap();
    let rows = store.rows::<FindingRow>(None, None).unwrap();
    // What is missing of a session a scan tells in its summary.
    let gaps = rows.iter().filter(|row| row.event_name.as_deref() == Some("coverage")).count();
    assert!(gaps == 0 || gaps == 3, "{gaps}");
    let events = rows.into_iter().filter(|row| row.event_name.as_deref() != Some("coverage"));
    events.map(|row| row.finding_id).collect()
}

#[test]
fn what_a_scan_finds_the_store_has_after_a_sweep() {
    let store = TempDir::new().unwrap();
    let summary = ingest(&month(), store.path());
    assert_eq!((&summary["artifacts"], &summary["read"]), (&79.into(), &79.into()));
    assert_eq!(sweep(store.path())["new"], 9 + 3);
    // It is known now.
    assert_eq!(sweep(store.path())["new"], 0);
    let (_, out, _) = run(&["scan", text(&month()), "--format", "json", "--quiet"]);
    let scanned: BTreeSet<String> =
        lines(&out).iter().map(|f| f["finding_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(finding_ids(store.path()), scanned);
    // Nor is anything read again.
    let again = ingest(&month(), store.path());
    assert_eq!((&again["known"], &again["read"]), (&79.into(), &0.into()));
}

#[test]
fn order_copies_and_neighbours_change_nothing() {
    let expected = TempDir::new().unwrap();
    ingest(&month(), expected.path());
    let expected = objects(expected.path());
    let all = files(&month());
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        // Parts of the input that overlap, each a directory of its own.
        let store = TempDir::new().unwrap();
        let parts: Vec<TempDir> = (0..6).map(|_| TempDir::new().unwrap()).collect();
        for file in &all {
            let below = file.strip_prefix(month()).unwrap();
            let mut at = vec![random.usize(..parts.len())];
            if random.u8(..10) < 3 {
                at.push(random.usize(..parts.len()));
            }
            for part in at {
                let copy = parts[part].path().join(below);
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                fs::copy(file, copy).unwrap();
            }
        }
        let mut order: Vec<&TempDir> = parts.iter().chain(&parts[..2]).collect();
        random.shuffle(&mut order);
        // Four at a time.
        for some in order.chunks(4) {
            let running: Vec<Child> = some
                .iter()
                .map(|part| {
                    let args = ["ingest", text(part.path()), "--store", text(store.path())];
                    ssm_audit(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
                })
                .collect();
            for mut child in running {
                assert!(child.wait().unwrap().success());
            }
        }
        assert_same(store.path(), &expected);
        // Two sweeps at once write what one writes.
        let sweeps: Vec<Child> = (0..2)
            .map(|_| {
                let args = ["sweep", "--store", text(store.path()), "--now", NOW, "--quiet"];
                ssm_audit(&args).spawn().unwrap()
            })
            .collect();
        for mut child in sweeps {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(finding_ids(store.path()).len(), 30);
    }
}

#[test]
fn a_killed_process_leaves_nothing_partial_and_loses_nothing() {
    let expected = TempDir::new().unwrap();
    ingest(&month(), expected.path());
    let expected = objects(expected.path());
    let mut random = fastrand::Rng::with_seed(9);
    let mut store = TempDir::new().unwrap();
    let mut cut_short = 0;
    for kill in 0..20 {
        let source = month();
        let args = ["ingest", text(&source), "--store", text(store.path())];
        let mut child =
            ssm_audit(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(random.u64(..400)));
        let _ = child.kill();
        cut_short += usize::from(!child.wait().unwrap().success());
        // What there is, is whole; what was only begun has a name that nobody reads.
        for (name, bytes) in objects(store.path()) {
            if !name.contains('#') {
                assert_eq!(bytes, expected[&name], "{name} is partial after kill {kill}");
            }
        }
        if kill % 5 == 4 {
            ingest(&month(), store.path());
            assert_same(store.path(), &expected);
            store = TempDir::new().unwrap();
        }
    }
    assert!(cut_short > 0, "every process was quicker than its end");
}

#[test]
fn alerts_survive_kills() {
    let place = TempDir::new().unwrap();
    let (store, heard) = (place.path().join("store"), place.path().join("heard.ndjson"));
    let routes = place.path().join("routes.yml");
    let file = text(&heard);
    fs::write(
        &routes,
        format!("sinks:\n  file: {{type: file, path: '{file}'}}\nroutes:\n  - {{sinks: [file]}}\n"),
    )
    .unwrap();
    ingest(&month(), &store);
    let mut random = fastrand::Rng::with_seed(4);
    let start: jiff::Timestamp = NOW.parse().unwrap();
    let mut killed = 0_usize;
    let mut minutes = 0;
    let sweep = |minutes: i64| {
        // Later than any claim lasts.
        let now = start.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap().to_string();
        let args = ["sweep", "--store", text(&store), "--now", &now, "--routes", text(&routes)];
        ssm_audit(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    for _ in 0..12 {
        minutes += 10;
        let mut child = sweep(minutes);
        sleep(Duration::from_millis(random.u64(100..900)));
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
    }
    for _ in 0..2 {
        minutes += 10;
        assert!(sweep(minutes).wait().unwrap().success());
    }
    let heard = lines(&fs::read_to_string(&heard).unwrap());
    let mut told = BTreeMap::new();
    for alert in &heard {
        *told.entry((alert["alert_id"].to_string(), alert["number"].to_string())).or_insert(0) += 1;
    }
    let groups: BTreeSet<&String> = told.keys().map(|(id, _)| id).collect();
    assert_eq!(groups.len(), 31, "all were told");
    // A process that dies between sending and saying so is heard twice, once.
    let twice: usize = told.values().map(|times| times - 1).sum();
    assert!(twice <= killed, "{twice} twice, {killed} killed");
    assert!(killed > 0, "every process was quicker than its end");
}

/// A process that ends with the test, however that ends.
struct Running(Child);

impl Running {
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn a_web_hook_is_signed_and_stays_on_its_host() {
    let place = TempDir::new().unwrap();
    let (store, routes) = (place.path().join("store"), place.path().join("routes.yml"));
    let mut running = Command::new(python::python())
        .args([text(&root().join("tests/python/hook.py")), "s3cret"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut hook = Running(running);
    let port = said.next().unwrap().unwrap();
    ingest(&month(), &store);
    let sweep = |path: &str, store: &Path| {
        let url = format!("http://127.0.0.1:{port}/{path}");
        fs::write(
            &routes,
            format!(
                "sinks:\n  hook: {{type: webhook, url: '{url}', secret_env: HOOK_SECRET}}\nroutes:\n  - {{sinks: [hook]}}\n"
            ),
        )
        .unwrap();
        let args = ["sweep", "--store", text(store), "--now", NOW, "--routes", text(&routes)];
        ssm_audit(&args).env("HOOK_SECRET", "s3cret").output().unwrap()
    };
    // A redirect to another host is an error, and nothing goes there.
    let refused = sweep("redirect", &store);
    assert_eq!(refused.status.code(), Some(3));
    let err = String::from_utf8_lossy(&refused.stderr);
    assert!(err.contains("another host"), "{err}");
    // The next sweep takes them up, where the hook is now.
    let taken = sweep("hook", &store);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    hook.end();
    let said: Vec<String> = said.map_while(Result::ok).collect();
    assert_eq!(said.len(), 31);
    assert!(said.iter().all(|line| line == "good"), "{said:?}");
    // Without the secret nothing begins.
    let args = ["sweep", "--store", text(&store), "--routes", text(&routes)];
    let (code, _, err) = run(&args);
    assert_eq!(code, 2);
    assert!(err.contains("HOOK_SECRET"), "{err}");
}

#[test]
fn rules_are_tried_on_a_store_as_on_files() {
    let store = TempDir::new().unwrap();
    ingest(&month(), store.path());
    let pack = root().join("rules.d");
    let tried = |on: &[&str]| {
        let (code, out, err) =
            run(&[&["backtest", "--rules", text(&pack), "--format", "json"], on].concat());
        assert_eq!(code, 0, "{err}");
        let mut found: BTreeMap<String, Value> = lines(&out)
            .into_iter()
            .map(|row| (row["rule_title"].as_str().unwrap().to_owned(), row))
            .collect();
        // What is missing can be told by a store alone.
        let gaps = ["Session without a transcript", "Transcript of a session that nobody opened"];
        let gaps = gaps.map(|gap| found.remove(gap).is_some());
        (found, gaps)
    };
    let (on_files, no_gaps) = tried(&[text(&month())]);
    let (on_store, gaps) = tried(&["--store", text(store.path())]);
    assert!(on_files.len() > 20);
    assert_eq!(on_store, on_files);
    assert_eq!((no_gaps, gaps), ([false; 2], [true; 2]));
    let (code, _, err) = run(&["backtest", "--rules", text(&pack)]);
    assert!(code == 2 && err.contains("--store"), "{err}");
}

#[test]
fn a_late_record_completes_the_session() {
    let store = TempDir::new().unwrap();
    let part = |what: &str| {
        let part = TempDir::new().unwrap();
        for file in files(&month().join(what)) {
            let copy = part.path().join(file.strip_prefix(month()).unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(file, copy).unwrap();
        }
        part
    };
    let sessions = |store: &Path| {
        let (code, out, err) =
            run(&["sessions", "--store", text(store), "--now", NOW, "--format", "json"]);
        assert_eq!(code, 0, "{err}");
        lines(&out)
    };
    // First the transcripts, and a sweep over them; then who opened the sessions.
    let transcripts = part("sessions");
    ingest(transcripts.path(), store.path());
    sweep(store.path());
    let before = sessions(store.path());
    assert!(before.iter().all(|s| s["coverage"] == "unaudited"), "{before:#?}");
    ingest(part("cloudtrail").path(), store.path());
    sweep(store.path());
    let streams = month().join("cloudwatch");
    if streams.exists() {
        ingest(part("cloudwatch").path(), store.path());
        sweep(store.path());
    }
    let after = sessions(store.path());
    assert!(after.iter().filter(|s| s["coverage"] == "recorded").count() > 5, "{after:#?}");
    for session in after.iter().filter(|s| s["coverage"] == "recorded") {
        assert!(session["principal_arn"].is_string() && session["start"].is_string());
    }
}

#[test]
fn what_cannot_be_read_is_in_quarantine_and_named() {
    let (source, store) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let good = br#"{"Records":[{"eventName":"StartSession","eventSource":"ssm.amazonaws.com","eventTime":"2026-10-05T09:00:00Z","eventID":"e","responseElements":{"sessionId":"a-0d225423a59c47fc5"}}]}"#;
    fs::write(source.path().join("good.json"), good).unwrap();
    fs::write(source.path().join("cut.json.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1]).unwrap();
    let (code, out, err) = run(&["ingest", text(source.path()), "--store", text(store.path())]);
    assert_eq!(code, 3, "{err}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&summary["read"], &summary["quarantined"]), (&2.into(), &1.into()));
    assert_eq!(summary["rows"]["activity"], 1);
    assert!(err.contains("cut.json.gz"), "{err}");
    let quarantined = files(&store.path().join("quarantine"));
    let entry: Value = serde_json::from_slice(&fs::read(&quarantined[0]).unwrap()).unwrap();
    assert_eq!(entry["artifact"], "cut.json.gz");
    assert!(entry["problems"][0]["reason"].as_str().unwrap().contains("gzip"), "{entry}");
}

#[test]
fn the_views_can_be_read_by_programs() {
    let store = TempDir::new().unwrap();
    ingest(&month(), store.path());
    sweep(store.path());
    for view in ["sessions", "coverage", "access"] {
        let args = |format| [view, "--store", text(store.path()), "--now", NOW, "--format", format];
        let (_, json, _) = run(&args("json"));
        let (_, csv, _) = run(&args("csv"));
        let (_, shown, _) = run(&args("text"));
        let rows = lines(&json);
        assert!(!rows.is_empty() && shown.contains("18 sessions"), "{shown}");
        assert_eq!(csv.lines().count(), rows.len() + 1);
        let header: Vec<String> = csv
            .lines()
            .next()
            .unwrap()
            .split(',')
            .map(|c| c.trim_matches('"').to_owned())
            .collect();
        let keys: BTreeSet<&String> = rows[0].as_object().unwrap().keys().collect();
        assert_eq!(header.iter().collect::<BTreeSet<_>>(), keys);
    }
    let (code, _, err) = run(&["sessions", "--store", "/nowhere/at/all"]);
    assert_eq!(code, 2);
    assert!(err.contains("ssm-audit ingest"), "{err}");
    let below = ["coverage", "--store", text(store.path()), "--now", NOW, "--fail-under", "99"];
    assert_eq!(run(&below).0, 1);
    // What Hive needs, DuckDB and others read: the partition is in the path.
    let facts = files(&store.path().join("facts"));
    assert!(facts.iter().all(|file| text(file).contains("/date=")));
    assert_eq!(FindingRow::schema().metadata()["ssm_audit.table"], "findings");
}

/// Times as they compare, numbers as one kind.
fn plain(row: &Value) -> Vec<(String, String)> {
    let value = |value: &Value| match value {
        Value::String(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => time.as_microsecond().to_string(),
            Err(_) => text.clone(),
        },
        Value::Number(number) => format!("{:.6}", number.as_f64().unwrap()),
        other => other.to_string(),
    };
    row.as_object().unwrap().iter().map(|(name, of)| (name.clone(), value(of))).collect()
}

#[test]
fn the_sql_gives_the_rows_that_the_folds_give() {
    let python = python::python();
    let store = TempDir::new().unwrap();
    ingest(&month(), store.path());
    sweep(store.path());
    // In the middle of the month some are pending.
    for now in [NOW, "2026-10-19T15:00:00Z"] {
        for view in ["sessions", "coverage", "access"] {
            let (code, ours, err) =
                run(&[view, "--store", text(store.path()), "--now", now, "--format", "json"]);
            assert_eq!(code, 0, "{err}");
            let script = root().join("tests/python/views.py");
            let theirs = Command::new(&python)
                .args([text(&script), text(store.path()), now, view])
                .output()
                .unwrap();
            let trouble = String::from_utf8_lossy(&theirs.stderr).into_owned();
            assert!(theirs.status.success(), "{trouble}");
            let sorted = |out: &str| {
                let mut rows: Vec<_> = lines(out).iter().map(plain).collect();
                for row in &mut rows {
                    row.sort();
                }
                rows.sort();
                rows
            };
            let (ours, theirs) =
                (sorted(&ours), sorted(&String::from_utf8(theirs.stdout).unwrap()));
            assert!(!ours.is_empty());
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!(ours, theirs, "{view} at {now}");
            }
            assert_eq!(ours.len(), theirs.len(), "{view} at {now}");
        }
    }
}

//! What was altered is named, in a report and in a trail.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::{NOW, done, files, month, report, root, run, table, text};

#[test]
fn what_was_altered_is_named() {
    let store = month();
    let place = |period: &str| store.path().join("reports").join(period);
    for period in ["2026-09", "2026-10"] {
        done(&["report", "--store", text(store.path()), "--period", period, "--now", NOW]);
    }
    let verify = || {
        let october = place("2026-10");
        let args = ["verify", text(&october), "--store", text(store.path()), "--format", "json"];
        let (code, out, err) = run(&args);
        assert!(code == 0 || code == 1, "{err}");
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["intact"], code == 0);
        json
    };
    let state = |json: &Value, part: &str, name: &str| {
        let report = &json["report"];
        let all = if part == "facts" { &report["facts"]["others"] } else { &report[part] };
        let found = all.as_array().unwrap().iter().find(|c| c["name"] == name);
        found.map_or(Value::Null, |checked| checked["state"].clone())
    };
    let whole = verify();
    assert_eq!(
        (&whole["intact"], &whole["report"]["previous"]["state"]),
        (&true.into(), &"intact".into())
    );
    let change = |path: PathBuf, change: &dyn Fn(&Path)| {
        let old = fs::read(&path).unwrap();
        change(&path);
        let found = verify();
        fs::write(&path, old).unwrap();
        assert_eq!(found["intact"], false, "{}", path.display());
        found
    };
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    for name in ["access.csv", "access.parquet", "report.html", "facts.csv"] {
        let found = change(place("2026-10").join(name), &flip);
        assert_eq!(state(&found, "files", name), "altered");
    }
    let found = change(place("2026-10").join("commands.parquet"), &remove);
    assert_eq!(state(&found, "files", "commands.parquet"), "missing");
    // The month before, made again with something else: the chain is broken there.
    let found = change(place("2026-09").join("manifest.json"), &flip);
    assert_eq!(found["report"]["previous"]["state"], "altered");
    // A row taken out, and the manifest mended: only the facts can tell.
    let fact = table(&place("2026-10"), "facts.csv")[0]["path"].clone();
    let found = change(store.path().join(&fact), &flip);
    assert_eq!(state(&found, "facts", &fact), "altered");
    let found = change(store.path().join(&fact), &remove);
    assert_eq!(state(&found, "facts", &fact), "missing");
    fs::write(place("2026-10").join("extra.csv"), "").unwrap();
    assert_eq!(state(&verify(), "files", "extra.csv"), "unknown");
    fs::remove_file(place("2026-10").join("extra.csv")).unwrap();
    // What came since does not make the report another.
    let late = store.path().join(&fact).with_file_name("late.parquet");
    fs::copy(store.path().join(&fact), &late).unwrap();
    let found = verify();
    assert_eq!(found["intact"], true);
    assert_eq!(found["report"]["facts"]["new"].as_array().unwrap().len(), 1);
    // A manifest that names less, or files elsewhere, is none.
    let path = place("2026-10").join("manifest.json");
    let old = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"name\": \"coverage.csv\"", "\"name\": \"../../ledger\""),
        ("\"name\": \"coverage.csv\"", "\"name\": \"other.csv\""),
        ("\"manifest\": 1", "\"manifest\": 99"),
    ] {
        assert!(old.contains(from));
        fs::write(&path, old.replace(from, to)).unwrap();
        let (code, _, err) = run(&["verify", text(&place("2026-10"))]);
        assert_eq!((code, err.contains("manifest.json")), (3, true), "{err}");
    }
    fs::write(&path, old).unwrap();
    // No report at all.
    let (code, _, err) = run(&["verify", text(store.path())]);
    assert_eq!(code, 3);
    assert!(err.contains("manifest"), "{err}");
    assert_eq!(run(&["verify", "/nowhere/at/all"]).0, 2);
}

#[test]
fn putting_facts_together_changes_no_row_and_proves_nothing() {
    let (store, out) = (month(), TempDir::new().unwrap());
    let [before, after] = ["before", "after"].map(|name| out.path().join(name));
    report(store.path(), &before, &[]);
    let compact = |now: &str| {
        let root = text(store.path());
        done(&["compact", "--store", root, "--period", "2026-10", "--min-files", "2", "--now", now])
    };
    assert!(compact("2026-11-04T00:00:00Z")["replaced"].as_u64().unwrap() > 10);
    assert!(compact("2026-11-04T02:00:00Z")["removed"].as_u64().unwrap() > 10);
    report(store.path(), &after, &[]);
    for (name, bytes) in files(&before) {
        if !["facts.csv", "manifest.json", "report.html"].contains(&name.as_str()) {
            assert_eq!(bytes, files(&after)[&name], "{name}");
        }
    }
    let verify = |report: &Path| {
        let args = ["verify", text(report), "--store", text(store.path()), "--format", "json"];
        let (code, out, _) = run(&args);
        (code, serde_json::from_str::<Value>(&out).unwrap())
    };
    let (code, json) = verify(&before);
    assert!(code == 0 && json["report"]["facts"]["compacted"].as_u64().unwrap() > 10, "{json}");
    // Another file under that name is not what the note speaks of.
    let mut folders = vec![store.path().join("facts")];
    let mut put = None;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap().to_str().unwrap().starts_with("c-") {
                put = Some(path);
            }
        }
    }
    fs::write(put.unwrap(), "PAR1").unwrap();
    assert_eq!(verify(&before).0, 1);
}

#[test]
fn a_place_is_taken_only_from_a_report() {
    let (store, out) = (month(), TempDir::new().unwrap());
    let place = out.path().join("theirs");
    fs::create_dir_all(place.join("src")).unwrap();
    fs::write(place.join("manifest.json"), "{\"manifest_version\": 3}").unwrap();
    fs::write(place.join("src/a.js"), "mine").unwrap();
    let write = |place: &Path, more: &[&str]| {
        let mut args = vec!["report", "--store", text(store.path()), "--period", "2026-10"];
        args.extend(["--now", NOW, "--out", text(place)]);
        args.extend(more);
        run(&args)
    };
    let (code, _, err) = write(&place, &["--replace"]);
    assert_eq!(code, 2, "{err}");
    assert_eq!(fs::read_to_string(place.join("src/a.js")).unwrap(), "mine");
    // What somebody has put beside a report is not removed with it.
    let own = out.path().join("own");
    assert_eq!(write(&own, &[]).0, 0);
    fs::write(own.join("SIGNOFF.pdf"), "signed").unwrap();
    let (code, _, err) = write(&own, &["--replace", "--long", "1h"]);
    assert_eq!(code, 2);
    assert!(err.contains("SIGNOFF.pdf"), "{err}");
    fs::remove_file(own.join("SIGNOFF.pdf")).unwrap();
    // A link leads where it leads.
    let link = out.path().join("link");
    std::os::unix::fs::symlink(&own, &link).unwrap();
    let slash = PathBuf::from(format!("{}/", link.display()));
    for (place, long) in [(&slash, "1h"), (&link, "2h")] {
        let (code, _, err) = write(place, &["--replace", "--long", long]);
        assert_eq!(code, 0, "{err}");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(run(&["verify", text(&own)]).0, 0);
    }
    assert_eq!(write(&store.path().join("ledger/x"), &[]).0, 0);
    let file = out.path().join("file");
    fs::write(&file, "mine").unwrap();
    assert_eq!(write(&file, &["--replace"]).0, 2);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 4);
}

/// A trail's files as they lie in a bucket, from a fixture.
fn trail(name: &str) -> TempDir {
    let place = TempDir::new().unwrap();
    let fixture = root().join("ingest/fixtures/digests").join(format!("{name}.json"));
    let fixture: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    for (key, object) in fixture["objects"].as_object().unwrap() {
        let path = place.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = object["bytes"].as_str().unwrap();
        fs::write(&path, base64::engine::general_purpose::STANDARD.decode(bytes).unwrap()).unwrap();
        if object["metadata"].as_object().is_some_and(|metadata| !metadata.is_empty()) {
            let beside = format!("{}.metadata.json", path.display());
            fs::write(beside, object["metadata"].to_string()).unwrap();
        }
    }
    fs::write(place.path().join("keys.json"), fixture["keys"].to_string()).unwrap();
    place
}

#[test]
fn a_trail_proves_itself_and_the_report_cites_it() {
    let (store, out) = (month(), TempDir::new().unwrap());
    let verify = |place: &Path, more: &[&str]| {
        let keys = place.join("keys.json");
        let mut args =
            vec!["verify", "--cloudtrail", text(place), "--keys", text(&keys), "--format", "json"];
        args.extend(more);
        let (code, out, err) = run(&args);
        let json: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code}: {err}"));
        (code, json)
    };
    for (name, expected, kind) in [
        ("good", 0, None),
        ("spki-key", 0, None),
        ("organization", 0, None),
        ("sha1", 1, Some("invalid-digest")),
        ("gap", 1, Some("gap")),
        ("wrong-previous-hash", 1, Some("broken-link")),
    ] {
        let (code, json) = verify(trail(name).path(), &[]);
        assert_eq!(code, expected, "{name}: {json}");
        let problems = json["trail"]["chains"][0]["problems"].as_array().unwrap();
        let found = kind.is_none_or(|kind| problems.iter().any(|problem| problem["kind"] == kind));
        assert!(found, "{name}: {problems:?}");
    }
    // A log file that somebody changed, and one that is gone: what was found is in the store, and in the report.
    let place = trail("good");
    let logs = place.path().join("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/27");
    let mut logs: Vec<PathBuf> = fs::read_dir(logs).unwrap().map(|e| e.unwrap().path()).collect();
    logs.sort();
    fs::remove_file(&logs[0]).unwrap();
    let (code, json) = verify(place.path(), &["--store", text(store.path())]);
    assert_eq!(code, 1);
    assert!(json["kept"].as_str().unwrap().starts_with("integrity/2026-10-27--2026-10-27."));
    let folder = out.path().join("october");
    let told = report(store.path(), &folder, &[]);
    assert_eq!(told["figures"]["integrity"]["problems"], 1);
    assert_eq!(told["figures"]["gaps"]["trail"], 1);
    assert!(table(&folder, "coverage.csv").iter().any(|row| row["gap"] == "trail"));
    assert!(files(&folder).contains_key("integrity.json"));
    assert_eq!(run(&["verify", text(&folder)]).0, 0);
    // A directory without digests is no trail that proves anything.
    let (code, _, err) = run(&[
        "verify",
        "--cloudtrail",
        text(out.path()),
        "--keys",
        text(&place.path().join("keys.json")),
    ]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("validation"), "{err}");
}

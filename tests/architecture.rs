//! Who may import whom (DESIGN, "Folders"): read from cargo itself, so that it cannot be forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The rooms, and the rooms that each may see.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("aws", &[]),
    ("ingest", &["model", "aws"]),
    ("yaml", &[]),
    ("rules", &["model", "yaml"]),
    ("report", &["model", "aws"]),
    ("pipeline", &["model", "ingest", "yaml", "rules", "report"]),
    ("lambda", &["model", "aws", "ingest", "rules", "report", "pipeline"]),
    ("cli", &["model", "aws", "ingest", "rules", "report", "pipeline"]),
    ("benches", &["model", "ingest", "rules", "pipeline"]),
];

/// Crates that may be used in these rooms only, each with the law that says so.
const FENCED: &[(&str, &[&str])] = &[
    // Decompression is capped in one place.
    ("flate2", &["ingest", "benches"]),
    ("libdeflater", &["ingest", "benches"]),
    // The evaluator is pure; so are the nouns.
    ("tokio", &["lambda", "cli", "aws"]),
    ("object_store", &["aws", "report"]),
    ("walkdir", &["ingest"]),
    ("indicatif", &["cli"]),
    ("clap", &["cli", "benches"]),
];

fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let room = |package: &Value| {
        let path = package["manifest_path"].as_str().unwrap_or_default();
        path.rsplit(['/', '\\']).nth(1).unwrap_or_default().to_owned()
    };
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeMap<&str, String> =
        packages.iter().map(|p| (p["name"].as_str().unwrap_or_default(), room(p))).collect();
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                // What only tests use does not end up in the product.
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .filter_map(|dependency| dependency["name"].as_str())
                .map(|name| names.get(name).cloned().unwrap_or_else(|| name.to_owned()))
                .collect();
            (room(package), uses)
        })
        .collect()
}

#[test]
fn imports_go_one_way() {
    let rooms = rooms();
    assert!(rooms.len() >= 6, "{rooms:?}");
    for (room, uses) in &rooms {
        let (_, allowed) = MAY_IMPORT.iter().find(|(name, _)| name == room).unwrap_or_else(|| {
            panic!("`{room}` is a new room: say in this test whom it may import")
        });
        for other in uses.iter().filter(|other| rooms.contains_key(*other)) {
            assert!(
                allowed.contains(&other.as_str()),
                "`{room}` must not import `{other}`: see ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn fenced_crates_stay_in_their_rooms() {
    for (room, uses) in rooms() {
        for (name, allowed) in FENCED {
            assert!(
                !uses.contains(*name) || allowed.contains(&room.as_str()),
                "`{room}` must not use `{name}`"
            );
        }
        let aws = uses.iter().find(|name| name.starts_with("aws-"));
        assert!(
            aws.is_none() || !matches!(room.as_str(), "model" | "rules" | "pipeline"),
            "`{room}` must not know AWS"
        );
    }
}

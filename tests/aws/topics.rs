//! What a topic's subscribers hear.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::NOW;
use crate::account::{Account, month, root};

/// Routes by which a topic hears everything.
pub(crate) fn all_to(topic: &str, file: &Path) {
    let routes = format!(
        "sinks:\n  topic: {{type: sns, topic_arn: '{topic}', format: json}}\nroutes:\n  - {{sinks: [topic]}}\n"
    );
    fs::write(file, routes).unwrap();
}

/// The alert in a message from a topic.
pub(crate) fn alert(message: &Value) -> Value {
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

//! Session documents: the account's preferences, and those of one's own, by which logging can be got round.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::types::DocumentKeyValuesFilter;
use serde_json::Value;

use super::buckets::Logs;
use super::check::{Checks, State};

/// The document that holds a region's preferences.
pub(crate) const PREFERENCES: &str = "SSM-SessionManagerRunShell";

pub(crate) fn check(client: &Client, logs: &mut Vec<Logs>) -> Checks {
    let mut checks = Checks::new("preferences");
    let get = client.get_document().name(PREFERENCES);
    match aws::runtime().block_on(get.send()) {
        Ok(got) => match parse(got.content().unwrap_or_default()) {
            Ok(inputs) => preferences(&inputs, &mut checks, logs),
            Err(reason) => {
                checks.fail(PREFERENCES, reason, mend("s3BucketName", "my-session-logs"));
            }
        },
        Err(SdkError::ServiceError(error)) if error.err().is_invalid_document() => checks.fail(
            PREFERENCES,
            "there is none: nobody has set preferences in this region, and no session is logged",
            mend("s3BucketName", "my-session-logs"),
        ),
        Err(error) => checks.unknown(PREFERENCES, error),
    }
    checks
}

/// Documents of the account's own: each can be named in `StartSession`, and its logging counts, not that of the preferences.
pub(crate) fn documents(client: &Client, logs: &mut Vec<Logs>) -> Checks {
    let mut checks = Checks::new("documents");
    let filter =
        |key: &str, value: &str| DocumentKeyValuesFilter::builder().key(key).values(value).build();
    let mut pages = client
        .list_documents()
        .filters(filter("DocumentType", "Session"))
        .filters(filter("Owner", "Self"))
        .into_paginator()
        .items()
        .send();
    let mut count = 0_u32;
    loop {
        match aws::runtime().block_on(pages.next()) {
            None => break,
            Some(Err(error)) => {
                checks.unknown("session documents", error);
                break;
            }
            Some(Ok(document)) => {
                let name = document.name().unwrap_or_default().to_owned();
                if name == PREFERENCES {
                    continue;
                }
                count += 1;
                match aws::runtime().block_on(client.get_document().name(&name).send()) {
                    Ok(got) => custom(&name, got.content().unwrap_or_default(), &mut checks, logs),
                    Err(error) => checks.unknown(name, error),
                }
            }
        }
    }
    if count == 0 && checks.all.is_empty() {
        checks.ok("session documents", "none of the account's own");
    }
    checks
}

fn mend(field: &str, value: &str) -> String {
    format!(
        "aws ssm get-document --name {PREFERENCES} --query Content --output text > preferences.json; set \
         `inputs.{field}` to `{value}`; aws ssm update-document --name {PREFERENCES} --content file://preferences.json \
         --document-version '$LATEST'  (create-document --document-type Session where there is none)"
    )
}

fn parse(content: &str) -> Result<Value, String> {
    let document: Value =
        serde_json::from_str(content).map_err(|error| format!("it is no JSON: {error}"))?;
    Ok(document)
}

/// A field of `inputs`; booleans may be written as texts.
fn text<'v>(inputs: &'v Value, name: &str) -> Option<&'v str> {
    inputs.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn flag(inputs: &Value, name: &str) -> Option<bool> {
    match inputs.get(name)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn preferences(document: &Value, checks: &mut Checks, logs: &mut Vec<Logs>) {
    let none = Value::Null;
    let inputs = document.get("inputs").unwrap_or(&none);
    let bucket = text(inputs, "s3BucketName");
    let group = text(inputs, "cloudWatchLogGroupName");
    let prefix = text(inputs, "s3KeyPrefix");
    logs.extend(bucket.map(|bucket| Logs::transcripts(bucket, prefix)));
    match (bucket, group) {
        (None, None) => checks.fail(
            "logging",
            "sessions go neither to a bucket nor to a log group: nothing of what people do is recorded",
            mend("s3BucketName", "my-session-logs"),
        ),
        (None, Some(group)) => checks.warn(
            "logging",
            format!("sessions go to the log group {group} only, without the escape sequences that commands are best told by"),
            mend("s3BucketName", "my-session-logs"),
        ),
        (Some(bucket), _) => checks.ok("logging", format!("sessions go to s3://{bucket}/{}", prefix.unwrap_or_default())),
    }
    if bucket.is_some() {
        match flag(inputs, "s3EncryptionEnabled") {
            Some(true) => checks.ok(
                "s3EncryptionEnabled",
                "the agent sends nothing to a bucket that is not encrypted",
            ),
            _ => checks.warn(
                "s3EncryptionEnabled",
                "off: the agent does not ask whether the bucket is encrypted",
                mend("s3EncryptionEnabled", "true"),
            ),
        }
    }
    if let Some(group) = group {
        match flag(inputs, "cloudWatchStreamingEnabled") {
            Some(true) => checks.ok(
                "cloudWatchStreamingEnabled",
                format!(
                    "sessions are streamed to {group}: what was done is there if the node dies"
                ),
            ),
            _ => checks.warn(
                "cloudWatchStreamingEnabled",
                "off: log events come at the session's end, and never if the node dies before",
                mend("cloudWatchStreamingEnabled", "true"),
            ),
        }
        if flag(inputs, "cloudWatchEncryptionEnabled") != Some(true) {
            checks.warn(
                "cloudWatchEncryptionEnabled",
                "off: the agent does not ask whether the log group is encrypted",
                mend("cloudWatchEncryptionEnabled", "true"),
            );
        }
    } else {
        checks.warn(
            "cloudWatchStreamingEnabled",
            "no log group: a session leaves nothing if its node dies before its end",
            mend("cloudWatchLogGroupName", "/aws/ssm/sessions"),
        );
    }
    match text(inputs, "kmsKeyId") {
        Some(_) => {
            checks.ok("kmsKeyId", "the data channel is encrypted with a key of the account's own");
        }
        None => checks.warn(
            "kmsKeyId",
            "none: the data channel has TLS only",
            mend("kmsKeyId", "alias/session-manager"),
        ),
    }
    let minutes =
        text(inputs, "idleSessionTimeout").and_then(|text| text.parse::<u32>().ok()).unwrap_or(20);
    if minutes > 30 {
        checks.warn(
            "idleSessionTimeout",
            format!("{minutes} minutes: an open terminal is anybody's for so long"),
            mend("idleSessionTimeout", "20"),
        );
    } else {
        checks.ok("idleSessionTimeout", format!("{minutes} minutes"));
    }
    if text(inputs, "maxSessionDuration").is_none() {
        checks.warn(
            "maxSessionDuration",
            "none: a session may last as long as it likes",
            mend("maxSessionDuration", "60"),
        );
    }
    match flag(inputs, "runAsEnabled") {
        Some(true) => checks.ok(
            "runAsEnabled",
            format!(
                "shells are started as the user of a tag, or `{}`",
                text(inputs, "runAsDefaultUser").unwrap_or("ssm-user")
            ),
        ),
        _ => checks.warn(
            "runAsEnabled",
            "off: everybody is `ssm-user`, who may become root",
            mend("runAsEnabled", "true"),
        ),
    }
}

/// A document of one's own.
fn custom(name: &str, content: &str, checks: &mut Checks, logs: &mut Vec<Logs>) {
    let document = match parse(content) {
        Ok(document) => document,
        Err(reason) => {
            checks.note(State::Warn, name, reason, None);
            return;
        }
    };
    let kind = document.get("sessionType").and_then(Value::as_str).unwrap_or("Standard_Stream");
    let mend = format!(
        "aws ssm describe-document --name {name}; give it `inputs.s3BucketName`, or deny ssm:StartSession on it"
    );
    if kind == "Port" {
        checks.warn(name, "opens ports: Session Manager records nothing of such sessions", mend);
        return;
    }
    let none = Value::Null;
    let inputs = document.get("inputs").unwrap_or(&none);
    let bucket = text(inputs, "s3BucketName");
    let prefix = text(inputs, "s3KeyPrefix");
    logs.extend(bucket.map(|bucket| Logs::transcripts(bucket, prefix)));
    if bucket.is_none() && text(inputs, "cloudWatchLogGroupName").is_none() {
        checks.fail(
            name,
            "a session with this document is not recorded, whatever the preferences say",
            mend,
        );
    } else {
        checks.ok(name, format!("a {kind} document that logs"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(content: &str) -> Vec<(String, State)> {
        let mut checks = Checks::new("preferences");
        preferences(&parse(content).unwrap(), &mut checks, &mut Vec::new());
        checks.all.into_iter().map(|check| (check.subject, check.state)).collect()
    }

    #[test]
    fn what_is_set_is_seen() {
        let good = r#"{"inputs": {"s3BucketName": "b", "s3KeyPrefix": "p", "s3EncryptionEnabled": true,
            "cloudWatchLogGroupName": "g", "cloudWatchEncryptionEnabled": "true", "cloudWatchStreamingEnabled": true,
            "kmsKeyId": "k", "idleSessionTimeout": "20", "maxSessionDuration": "60", "runAsEnabled": true}}"#;
        assert!(states(good).iter().all(|(_, state)| *state == State::Ok), "{:?}", states(good));
        let bare = states(r#"{"inputs": {"s3BucketName": "", "idleSessionTimeout": "45"}}"#);
        assert!(bare.contains(&("logging".to_owned(), State::Fail)), "{bare:?}");
        assert!(bare.iter().filter(|(_, state)| *state == State::Warn).count() >= 4, "{bare:?}");
    }

    #[test]
    fn a_document_of_ones_own_may_get_round_logging() {
        let state = |content: &str| {
            let mut checks = Checks::new("documents");
            custom("mine", content, &mut checks, &mut Vec::new());
            checks.all[0].state
        };
        assert_eq!(state(r#"{"sessionType": "Standard_Stream", "inputs": {}}"#), State::Fail);
        assert_eq!(
            state(r#"{"sessionType": "Standard_Stream", "inputs": {"s3BucketName": "b"}}"#),
            State::Ok
        );
        assert_eq!(state(r#"{"sessionType": "Port"}"#), State::Warn);
        assert_eq!(state("no JSON"), State::Warn);
    }
}

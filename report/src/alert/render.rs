//! Alerts as text for people, JSON for machines, and what Amazon Q Developer shows in a chat.
//!
//! Nothing that a stranger typed can break out of where it stands: control characters are written as escapes, and what goes
//! into Markdown goes into code spans that it cannot end.

use std::fmt::Write as _;

use jiff::Timestamp;
use model::Visible;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Alert, Told};

/// How an alert is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// For people: mail.
    #[default]
    Text,
    /// For machines.
    Json,
    /// A custom notification of Amazon Q Developer in chat applications.
    Chat,
}

/// What SNS takes as a subject.
pub const MAX_SUBJECT: usize = 100;
/// Characters of a value that are shown.
const MAX_VALUE: usize = 500;

/// A line that says it all: printable ASCII, at most [`MAX_SUBJECT`] characters.
pub fn subject(alert: &Alert) -> String {
    let who = alert.principal.as_deref().map(short_name);
    let target = alert.target.as_deref();
    let mut subject = format!("[{}] {}", alert.level.to_uppercase(), alert.rule_title);
    if alert.number > 1 {
        let _ = write!(subject, " (+{})", alert.new);
    }
    for part in [who, target].into_iter().flatten() {
        let _ = write!(subject, " - {part}");
    }
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let subject: String = subject.chars().map(plain).collect();
    if subject.len() <= MAX_SUBJECT {
        return subject;
    }
    format!("{}...", &subject[..MAX_SUBJECT - 3])
}

/// The last part of an ARN: the name that people know.
fn short_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The alert in a form.
pub fn body(alert: &Alert, form: Form) -> String {
    match form {
        Form::Text => text(alert),
        Form::Json => serde_json::to_string(alert).expect("an alert is JSON"),
        Form::Chat => chat(alert).to_string(),
    }
}

/// The same in at most so many bytes: findings are left out, the last first, and the alert says so.
pub fn body_within(alert: &Alert, form: Form, most: usize) -> String {
    let mut alert = alert.clone();
    loop {
        let body = body(&alert, form);
        if body.len() <= most || alert.findings.is_empty() {
            return body;
        }
        alert.findings.pop();
        alert.cut = true;
    }
}

fn shown(value: &str) -> String {
    short(&Visible(value).to_string(), MAX_VALUE + 1)
}

/// At most so many characters; what is cut ends with `…`.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// For people.
pub fn text(alert: &Alert) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = try_text(&mut out, alert);
    out
}

fn try_text(out: &mut String, alert: &Alert) -> std::fmt::Result {
    writeln!(out, "{}: {}", alert.level.to_uppercase(), shown(&alert.rule_title))?;
    writeln!(out, "{}", how_many(alert))?;
    writeln!(out)?;
    for (name, value) in facts(alert) {
        writeln!(out, "{name:8} {}", shown(&value))?;
    }
    for told in &alert.findings {
        writeln!(out)?;
        writeln!(out, "- {}", line(told))?;
        for (field, value) in &told.evidence {
            writeln!(
                out,
                "    {} = {}",
                shown(field),
                shown(value.as_deref().unwrap_or("(absent)"))
            )?;
        }
        // A session is in no object.
        if !matches!(told.event_name.as_deref(), Some("session" | "coverage")) {
            writeln!(out, "    in {} at byte {}", shown(&told.artifact), told.offset)?;
        }
    }
    let more = alert.new.saturating_sub(alert.findings.len() as u64);
    if more > 0 {
        writeln!(out, "\n… and {more} more")?;
    }
    if alert.cut {
        writeln!(out, "(some were left out here: the message would have been too long)")?;
    }
    if let Some(why) = &alert.why {
        writeln!(out, "\nWhy it matters\n  {}", shown(why))?;
    }
    if !alert.next.is_empty() || !alert.links.is_empty() {
        writeln!(out, "\nWhat to look at next")?;
        for step in &alert.next {
            writeln!(out, "  - {}", shown(step))?;
        }
        for (what, link) in &alert.links {
            writeln!(out, "  - {what}: {link}")?;
        }
    }
    writeln!(out, "\nRule {}  alert {}.{}", shown(&alert.rule_id), alert.alert_id, alert.number)
}

fn how_many(alert: &Alert) -> String {
    let findings = |count: u64| if count == 1 { "finding" } else { "findings" };
    match alert.number {
        1 => format!("{} {}", alert.count, findings(alert.count)),
        _ => format!("update: {} new, {} {} in all", alert.new, alert.count, findings(alert.count)),
    }
}

/// Who, what, where, when.
pub(crate) fn facts(alert: &Alert) -> Vec<(&'static str, String)> {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let when = match (time(alert.first), time(alert.last)) {
        (Some(first), Some(last)) if first != last => Some(format!("{first} to {last}")),
        (first, _) => first,
    };
    let claimed = alert.principal_claimed_name.as_deref();
    let who = alert.principal.clone().map(|principal| match claimed {
        Some(name) if !principal.ends_with(name) => format!("{principal} (calls itself {name})"),
        _ => principal,
    });
    [
        ("who", who),
        ("when", when),
        ("node", alert.target.clone()),
        ("account", alert.account.clone()),
        ("region", alert.region.clone()),
        ("session", alert.session_id.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// A finding in a line.
fn line(told: &Told) -> String {
    let mut out = told.time.map(|time| time.to_string()).unwrap_or_default();
    let what = told.command.as_deref().or(told.event_name.as_deref()).unwrap_or("finding");
    let _ = write!(out, "  {}", shown(what));
    for (word, value) in
        [("on", &told.target), ("from", &told.source_ip), ("refused:", &told.error_code)]
    {
        if let Some(value) = value {
            let _ = write!(out, " {word} {}", shown(value));
        }
    }
    out.trim_start().to_owned()
}

/// Longest title and description of a chat notification, in characters.
const MAX_TITLE: usize = 250;
const MAX_DESCRIPTION: usize = 4_000;

/// A custom notification of Amazon Q Developer in chat applications ("Custom notifications", event schema 1.0). Updates go into
/// the thread of the first.
pub fn chat(alert: &Alert) -> Value {
    let mut description = format!("{}\n", how_many(alert));
    for (name, value) in facts(alert) {
        let _ = writeln!(description, "*{name}* {}", code(&value));
    }
    for told in &alert.findings {
        let _ = writeln!(description, "• {}", code(&line(told)));
    }
    if let Some(why) = &alert.why {
        let _ = writeln!(description, "{}", plain(why));
    }
    let links = alert.links.iter().map(|(what, link)| format!("<{link}|{what}>"));
    let next: Vec<String> =
        alert.next.iter().map(|step| plain(step)).chain(links).take(10).collect();
    let title = format!("{} {}", alert.level.to_uppercase(), plain(&alert.rule_title));
    json!({
        "version": "1.0",
        "source": "custom",
        "id": format!("{}.{}", alert.alert_id, alert.number),
        "content": {
            "textType": "client-markdown",
            "title": cut(&title, MAX_TITLE),
            "description": cut(&description, MAX_DESCRIPTION),
            "nextSteps": next,
            "keywords": [alert.level, "ssm-audit"],
        },
        "metadata": {
            "threadId": alert.alert_id,
            "summary": cut(&subject(alert), MAX_TITLE),
            "eventType": "ssm-audit finding",
            "relatedResources": alert.target.iter().chain(&alert.session_id).collect::<Vec<_>>(),
            "additionalContext": {"rule": alert.rule_id, "account": alert.account.clone().unwrap_or_default()},
        },
    })
}

/// Foreign text in a code span that it cannot end.
fn code(value: &str) -> String {
    format!("`{}`", shown(value).replace('`', "'"))
}

/// Text without what Markdown, or a chat's own marks (`<!channel>`, `<@user>`), would act on.
fn plain(value: &str) -> String {
    shown(value)
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '<' => '‹',
            '>' => '›',
            '*' | '_' | '~' | '[' | ']' | '|' => ' ',
            c => c,
        })
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{kept}…")
}

/// Pages of the console.
pub(super) fn links(alert: &Alert) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let Some(region) = alert.region.as_deref().filter(|region| is_region(region)) else {
        return links;
    };
    let domain = match region {
        r if r.starts_with("cn-") => "console.amazonaws.cn",
        r if r.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    let base = format!("https://{region}.{domain}");
    if let Some(session) = &alert.session_id {
        let name = escape(session);
        links.push((
            "the session's history".to_owned(),
            format!("{base}/systems-manager/session-manager/session-history?region={region}&search={name}"),
        ));
    }
    if let Some(event) = alert.findings.iter().find_map(|told| told.event_id.as_deref()) {
        let event = escape(event);
        links.push((
            "the event".to_owned(),
            format!("{base}/cloudtrailv2/home?region={region}#/events/{event}"),
        ));
    }
    let object = alert.findings.iter().find_map(|told| told.artifact.strip_prefix("s3://"));
    if let Some((bucket, key)) = object.and_then(|object| object.split_once('/')) {
        let (bucket, key) = (escape(bucket), escape(key));
        links.push((
            "the recording".to_owned(),
            format!("{base}/s3/object/{bucket}?region={region}&prefix={key}"),
        ));
    }
    links
}

fn is_region(region: &str) -> bool {
    region.len() < 30
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn escape(text: &str) -> String {
    // RFC 3986: what is not reserved stays as it is.
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, &KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Alert {
        let evil = "x\r\nSubject: y\u{1b}[2J`*_<!channel>|</script>\u{202e}\"}";
        let told = Told {
            finding_id: "f".to_owned(),
            time: None,
            event_name: None,
            command: Some(evil.to_owned()),
            target: Some(evil.to_owned()),
            source_ip: None,
            error_code: None,
            evidence: vec![(evil.to_owned(), Some(evil.to_owned()))],
            event_id: Some(evil.to_owned()),
            artifact: format!("s3://bucket/{evil}"),
            offset: 7,
        };
        let mut alert = Alert {
            alert_id: "0".repeat(32),
            number: 1,
            rule_id: "r".to_owned(),
            rule_title: format!("Ünïcode {}", "long ".repeat(40)),
            level: "high".to_owned(),
            tags: Vec::new(),
            count: 1,
            new: 1,
            first: None,
            last: None,
            session_id: Some(evil.to_owned()),
            principal: Some(evil.to_owned()),
            principal_claimed_name: Some(evil.to_owned()),
            account: None,
            region: Some("eu-west-1".to_owned()),
            target: Some(evil.to_owned()),
            why: Some(evil.to_owned()),
            next: vec![evil.to_owned()],
            links: Vec::new(),
            findings: vec![told],
            cut: false,
        };
        alert.links = links(&alert);
        alert
    }

    #[test]
    fn a_subject_is_short_and_plain() {
        let subject = subject(&hostile());
        assert_eq!(subject.len(), MAX_SUBJECT);
        assert!(subject.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{subject}");
    }

    #[test]
    fn nothing_that_a_stranger_typed_acts() {
        let alert = hostile();
        let text = text(&alert);
        assert!(!text.contains('\u{1b}') && !text.contains('\r') && !text.contains('\u{202e}'));
        // Each line is ours: no foreign text begins one.
        assert!(!text.lines().any(|line| line.starts_with("Subject")), "{text}");
        let chat = chat(&alert);
        let description = chat["content"]["description"].as_str().unwrap();
        for line in description.lines() {
            assert!(line.matches('`').count() % 2 == 0, "{line}");
            let outside: String = line.split('`').step_by(2).collect();
            assert!(!outside.contains('<'), "{line}");
        }
        for step in chat["content"]["nextSteps"].as_array().unwrap() {
            let step = step.as_str().unwrap();
            assert!(!step.contains("<!") && !step.contains("</"), "{step}");
        }
        for (_, link) in &alert.links {
            assert!(link.is_ascii() && !link.contains(['"', '<', '|', ' ', '`']), "{link}");
        }
        let mut long = alert.clone();
        long.findings = vec![long.findings[0].clone(); 10];
        long.findings[9].artifact = "x".repeat(10_000);
        let short = body_within(&long, Form::Json, 9_000);
        let cut: Alert = serde_json::from_str(&short).unwrap();
        assert!(cut.cut && cut.findings.len() == 9 && short.len() <= 9_000);
        let json: Alert = serde_json::from_str(&body(&alert, Form::Json)).unwrap();
        assert_eq!(json, alert);
    }
}

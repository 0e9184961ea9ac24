//! The environment → what the function is to do. Everything that is wrong is told at once.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use model::Level;
use report::alert::Form;

use crate::log::Severity;

/// Where rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RulesFrom {
    /// The pack that ships.
    Shipped,
    /// A directory in the zip.
    Directory(PathBuf),
    /// `s3://bucket/prefix`: read again when it changes.
    Bucket(String),
}

/// Who is to hear of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoutesFrom {
    /// Nobody, from this function.
    Nobody,
    /// A topic, of everything of this level or a graver one.
    Topic { arn: String, level: Level, format: Form },
    /// A file in the zip.
    File(PathBuf),
    /// `s3://bucket/key`: read again when it changes.
    Object(String),
}

/// What the environment says.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) store: String,
    pub(crate) rules: RulesFrom,
    pub(crate) routes: RoutesFrom,
    pub(crate) operator_topic: Option<String>,
    pub(crate) grace: SignedDuration,
    pub(crate) sweep_since: SignedDuration,
    pub(crate) max_inflated: u64,
    pub(crate) cache: u64,
    pub(crate) zone: TimeZone,
    pub(crate) log: Severity,
    pub(crate) namespace: String,
    pub(crate) function: String,
}

/// Every variable that is read, with what it means: the documentation is held to this list by a test.
#[cfg(test)]
const VARIABLES: [(&str, &str); 13] = [
    ("SSM_AUDIT_STORE", "the store: s3://bucket/prefix"),
    (
        "SSM_AUDIT_RULES",
        "rules: a directory in the zip, or s3://bucket/prefix; default: the pack that ships",
    ),
    ("SSM_AUDIT_ROUTES", "routes: a file in the zip, or s3://bucket/key"),
    (
        "SSM_AUDIT_TOPIC_ARN",
        "instead of routes: a topic that hears of everything of a level or a graver one",
    ),
    ("SSM_AUDIT_TOPIC_LEVEL", "that level; default: medium"),
    ("SSM_AUDIT_TOPIC_FORMAT", "how it is told: text, json or chat; default: text"),
    ("SSM_AUDIT_OPERATOR_TOPIC_ARN", "a topic that hears of trouble with the pipeline itself"),
    (
        "SSM_AUDIT_GRACE",
        "how long a transcript may take to come after a session's end; default: 1h",
    ),
    ("SSM_AUDIT_SWEEP_SINCE", "how far back a sweep looks; default: 3d"),
    ("SSM_AUDIT_MAX_INFLATED", "bytes that an object may inflate to; default: 4294967296"),
    (
        "SSM_AUDIT_CACHE",
        "bytes of facts that are kept in /tmp for the next sweep; default: 268435456",
    ),
    ("SSM_AUDIT_LOG", "error, warn, info or debug; default: info"),
    ("SSM_AUDIT_METRICS_NAMESPACE", "namespace of the metrics; default: ssm-audit"),
];

/// Those that stand in [`VARIABLES`], and the report's time zone.
const TIME_ZONE: &str = "SSM_AUDIT_TIMEZONE";

impl Config {
    /// Reads it. `get` tells what is in the environment under a name.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let get =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        let store = get("SSM_AUDIT_STORE").unwrap_or_default();
        if aws::s3_uri(&store).is_none() {
            wrong.push(format!("SSM_AUDIT_STORE is `{store}`; it has to be s3://bucket/prefix"));
        }
        let rules = match get("SSM_AUDIT_RULES") {
            None => RulesFrom::Shipped,
            Some(uri) if aws::s3_uri(&uri).is_some() => RulesFrom::Bucket(uri),
            Some(path) => {
                let path = PathBuf::from(path);
                if !path.is_dir() {
                    wrong.push(format!(
                        "SSM_AUDIT_RULES is `{}`, which is no directory in the zip; for a bucket write s3://bucket/prefix",
                        path.display()
                    ));
                }
                RulesFrom::Directory(path)
            }
        };
        let topic = get("SSM_AUDIT_TOPIC_ARN");
        let routes = match (get("SSM_AUDIT_ROUTES"), topic) {
            (Some(_), Some(_)) => {
                wrong.push("SSM_AUDIT_ROUTES and SSM_AUDIT_TOPIC_ARN are both set; the routes can name the topic".to_owned());
                RoutesFrom::Nobody
            }
            (Some(uri), None) if aws::s3_uri(&uri).is_some_and(|(_, key)| !key.is_empty()) => {
                RoutesFrom::Object(uri)
            }
            (Some(path), None) => {
                let path = PathBuf::from(path);
                if !path.is_file() {
                    wrong.push(format!(
                        "SSM_AUDIT_ROUTES is `{}`, which is no file in the zip; for an object write s3://bucket/key",
                        path.display()
                    ));
                }
                RoutesFrom::File(path)
            }
            (None, Some(arn)) => {
                topic_arn("SSM_AUDIT_TOPIC_ARN", &arn, &mut wrong);
                let level = get("SSM_AUDIT_TOPIC_LEVEL").unwrap_or_else(|| "medium".to_owned());
                let level = level.parse().unwrap_or_else(|_| {
                    wrong.push(format!(
                        "SSM_AUDIT_TOPIC_LEVEL is `{level}`; levels are informational, low, medium, high, critical"
                    ));
                    Level::Medium
                });
                let format = match get("SSM_AUDIT_TOPIC_FORMAT").as_deref() {
                    None | Some("text") => Form::Text,
                    Some("json") => Form::Json,
                    Some("chat") => Form::Chat,
                    Some(other) => {
                        wrong.push(format!(
                            "SSM_AUDIT_TOPIC_FORMAT is `{other}`; it is text, json or chat"
                        ));
                        Form::Text
                    }
                };
                RoutesFrom::Topic { arn, level, format }
            }
            (None, None) => RoutesFrom::Nobody,
        };
        let operator_topic = get("SSM_AUDIT_OPERATOR_TOPIC_ARN");
        if let Some(arn) = &operator_topic {
            topic_arn("SSM_AUDIT_OPERATOR_TOPIC_ARN", arn, &mut wrong);
        }
        let mut age = |name: &str, usual: &str| {
            let text = get(name).unwrap_or_else(|| usual.to_owned());
            let age = parse_age(&text);
            age.filter(SignedDuration::is_positive).unwrap_or_else(|| {
                wrong.push(format!("{name} is `{text}`; it has to be an age such as {usual}"));
                SignedDuration::ZERO
            })
        };
        let (grace, sweep_since) =
            (age("SSM_AUDIT_GRACE", "1h"), age("SSM_AUDIT_SWEEP_SINCE", "3d"));
        let mut bytes = |name: &str, usual: u64| {
            let Some(text) = get(name) else { return usual };
            text.parse().unwrap_or_else(|_| {
                wrong.push(format!("{name} is `{text}`; it has to be a number of bytes"));
                0
            })
        };
        let (max_inflated, cache) =
            (bytes("SSM_AUDIT_MAX_INFLATED", 4 << 30), bytes("SSM_AUDIT_CACHE", 256 << 20));
        let log = match get("SSM_AUDIT_LOG").as_deref() {
            Some("error") => Severity::Error,
            Some("warn") => Severity::Warn,
            None | Some("info") => Severity::Info,
            Some("debug") => Severity::Debug,
            Some(other) => {
                wrong.push(format!("SSM_AUDIT_LOG is `{other}`; it is error, warn, info or debug"));
                Severity::Info
            }
        };
        let zone = get(TIME_ZONE).unwrap_or_else(|| "UTC".to_owned());
        let known = if zone == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(&zone) };
        let zone = known.unwrap_or_else(|_| {
            let what = "which is no IANA time zone such as Europe/Berlin";
            wrong.push(format!("{TIME_ZONE} is `{zone}`, {what}"));
            TimeZone::UTC
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            store,
            rules,
            routes,
            operator_topic,
            grace,
            sweep_since,
            max_inflated,
            cache,
            zone,
            log,
            namespace: get("SSM_AUDIT_METRICS_NAMESPACE").unwrap_or_else(|| "ssm-audit".to_owned()),
            function: get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
        })
    }
}

/// An age such as `3d`. A day has 24 hours: what is meant is a span, not a calendar.
pub(crate) fn parse_age(text: &str) -> Option<SignedDuration> {
    let span = text.parse::<jiff::Span>().ok()?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()
}

fn topic_arn(name: &str, arn: &str, wrong: &mut Vec<String>) {
    if !(arn.starts_with("arn:")
        && arn.split(':').nth(2) == Some("sns")
        && arn.split(':').count() == 6)
    {
        wrong.push(format!("{name} is `{arn}`, which is no ARN of an SNS topic"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let all: BTreeMap<&str, &str> = pairs.iter().copied().collect();
        Config::read(|name| all.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn little_has_to_be_said() {
        let config = read(&[("SSM_AUDIT_STORE", "s3://b/p")]).unwrap();
        assert_eq!((config.rules, config.routes), (RulesFrom::Shipped, RoutesFrom::Nobody));
        assert_eq!(config.sweep_since, SignedDuration::from_hours(72));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let wrong = read(&[
            ("SSM_AUDIT_STORE", "./here"),
            ("SSM_AUDIT_RULES", "/nowhere"),
            ("SSM_AUDIT_TOPIC_ARN", "topic"),
            ("SSM_AUDIT_TOPIC_LEVEL", "loud"),
            ("SSM_AUDIT_TOPIC_FORMAT", "xml"),
            ("SSM_AUDIT_OPERATOR_TOPIC_ARN", "arn:aws:sqs:a:b:c"),
            ("SSM_AUDIT_GRACE", "soon"),
            ("SSM_AUDIT_SWEEP_SINCE", "-3d"),
            ("SSM_AUDIT_MAX_INFLATED", "4 GB"),
            ("SSM_AUDIT_CACHE", "much"),
            ("SSM_AUDIT_LOG", "loud"),
            ("SSM_AUDIT_TIMEZONE", "Mars/Olympus"),
        ])
        .unwrap_err();
        assert_eq!(wrong.len(), 12, "{wrong:#?}");
        let both = [
            ("SSM_AUDIT_STORE", "s3://b"),
            ("SSM_AUDIT_ROUTES", "s3://b/r.yml"),
            ("SSM_AUDIT_TOPIC_ARN", "x"),
        ];
        assert!(read(&both).unwrap_err()[0].contains("both"));
    }

    #[test]
    fn each_variable_is_documented() {
        let docs = include_str!("../../docs/lambda.md");
        for (name, _) in VARIABLES.iter().chain([&(TIME_ZONE, "")]) {
            assert!(docs.contains(&format!("`{name}`")), "{name} does not stand in docs/lambda.md");
        }
    }
}

//! Who wants to hear of what: a YAML file.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::Level;
use serde::Deserialize;

use super::Alert;

/// Routes, sinks and mutes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// How long the rest of a group is gathered before it is sent as one update.
    #[serde(default = "update_after")]
    pub update_after: SignedDuration,
    /// How long what comes after that is only counted.
    #[serde(default = "window")]
    pub window: SignedDuration,
    /// By name.
    pub sinks: BTreeMap<String, SinkConfig>,
    /// Each that matches counts.
    pub routes: Vec<Route>,
    /// What nobody wants to hear of for a while.
    #[serde(default)]
    pub mutes: Vec<Mute>,
}

fn update_after() -> SignedDuration {
    SignedDuration::from_mins(15)
}

const fn json() -> super::Form {
    super::Form::Json
}

const fn yes() -> bool {
    true
}

fn window() -> SignedDuration {
    SignedDuration::from_hours(24)
}

/// Where alerts go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SinkConfig {
    /// Standard output.
    Stdout {
        /// How.
        #[serde(default)]
        format: super::Form,
    },
    /// An SNS topic.
    Sns {
        /// Which.
        topic_arn: String,
        /// How.
        #[serde(default)]
        format: super::Form,
    },
    /// A web hook, signed.
    Webhook {
        /// Where: https.
        url: String,
        /// The environment variable that holds the secret it is signed with.
        secret_env: String,
        /// How.
        #[serde(default = "json")]
        format: super::Form,
    },
    /// AWS Security Hub.
    SecurityHub {
        /// The product that findings belong to: `arn:aws:securityhub:REGION:ACCOUNT:product/ACCOUNT/default`.
        product_arn: String,
    },
    /// The session is ended. Off unless all of it is said.
    TerminateSession {
        /// The rules that may, by id or title.
        rules: Vec<String>,
        /// The level from which on they may.
        level: Level,
        /// Only say what would be done.
        #[serde(default = "yes")]
        dry_run: bool,
        /// The role for that in the session's account; `{account}` stands for it. Default: one's own credentials.
        #[serde(default)]
        role_arn: Option<String>,
    },
    /// A file, appended to: NDJSON.
    File {
        /// Which.
        path: String,
    },
}

/// Which alerts go where. What is not given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which.
    #[serde(default, rename = "match")]
    pub wanted: Wanted,
    /// Names of sinks.
    pub sinks: Vec<String>,
}

/// What an alert has to be like. Lists: any of them. `*` stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// This level or a graver one.
    pub level: Option<Level>,
    /// The rule's id or title.
    #[serde(default)]
    pub rule: Vec<String>,
    /// One of the rule's tags.
    #[serde(default)]
    pub tag: Vec<String>,
    /// The account.
    #[serde(default)]
    pub account: Vec<String>,
    /// The region.
    #[serde(default)]
    pub region: Vec<String>,
    /// The principal's ARN.
    #[serde(default)]
    pub principal: Vec<String>,
    /// The node.
    #[serde(default)]
    pub target: Vec<String>,
}

/// What is not sent until a day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// Which.
    #[serde(rename = "match")]
    pub wanted: Wanted,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day, in UTC. From then on it is an error, and nothing is muted.
    pub until: Date,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// It is no YAML, or has other fields.
    #[error("{0}")]
    Syntax(String),
    /// It makes no sense.
    #[error("{0}")]
    Meaning(String),
}

impl Routes {
    /// Reads them.
    pub fn parse(text: &str) -> Result<Self, RoutesError> {
        let routes: Self =
            serde_saphyr::from_str(text).map_err(|error| RoutesError::Syntax(error.to_string()))?;
        let wrong = |reason: String| Err(RoutesError::Meaning(reason));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if let Some(name) = routes.sinks.keys().find(|name| !name.chars().all(is_plain)) {
            return wrong(format!("a sink is called `{name}`; use letters, digits, `-` and `_`"));
        }
        for (name, sink) in &routes.sinks {
            if matches!(sink, SinkConfig::TerminateSession { rules, .. } if rules.is_empty()) {
                return wrong(format!("sink `{name}` names no rule that may end a session"));
            }
        }
        for (at, route) in routes.routes.iter().enumerate() {
            if route.sinks.is_empty() {
                return wrong(format!("route {} has no sinks", at + 1));
            }
            if let Some(name) = route.sinks.iter().find(|name| !routes.sinks.contains_key(*name)) {
                let known: Vec<&str> = routes.sinks.keys().map(String::as_str).collect();
                let known = known.join(", ");
                return wrong(format!("route {}: no sink is called `{name}` ({known})", at + 1));
            }
        }
        for (at, mute) in routes.mutes.iter().enumerate() {
            if mute.wanted == Wanted::default() {
                return wrong(format!("mute {} would mute everything", at + 1));
            }
            if mute.owner.trim().is_empty() || mute.reason.trim().is_empty() {
                return wrong(format!("mute {} needs an owner and a reason", at + 1));
            }
        }
        Ok(routes)
    }

    /// The names of the sinks that an alert goes to, in order, each once.
    pub fn sinks_of(&self, alert: &Alert) -> Vec<String> {
        let wanted = self.routes.iter().filter(|route| route.wanted.holds(alert));
        let mut names: Vec<String> = wanted.flat_map(|route| route.sinks.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The mute that an alert falls under at `now`.
    pub fn mute_of(&self, alert: &Alert, now: Timestamp) -> Option<&Mute> {
        self.mutes.iter().find(|mute| !mute.is_expired(now) && mute.wanted.holds(alert))
    }

    /// Mutes whose day is over.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Mute> {
        self.mutes.iter().filter(move |mute| mute.is_expired(now))
    }
}

impl Mute {
    fn is_expired(&self, now: Timestamp) -> bool {
        now.to_zoned(jiff::tz::TimeZone::UTC).date() > self.until
    }
}

impl Wanted {
    /// Is the alert like this?
    pub fn holds(&self, alert: &Alert) -> bool {
        let any = |patterns: &[String], values: &[Option<&str>]| {
            patterns.is_empty()
                || values.iter().flatten().any(|value| patterns.iter().any(|p| fits(p, value)))
        };
        let tags: Vec<Option<&str>> = alert.tags.iter().map(|tag| Some(tag.as_str())).collect();
        self.level.is_none_or(|level| alert.level.parse::<Level>().is_ok_and(|own| own >= level))
            && any(&self.rule, &[Some(&alert.rule_id), Some(&alert.rule_title)])
            && any(&self.tag, &tags)
            && any(&self.account, &[alert.account.as_deref()])
            && any(&self.region, &[alert.region.as_deref()])
            && any(&self.principal, &[alert.principal.as_deref()])
            && any(&self.target, &[alert.target.as_deref()])
    }
}

/// Does the whole of `text` fit, `*` standing for any text?
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "
update_after: 10m
sinks:
  all: {type: file, path: alerts.ndjson}
  people: {type: stdout, format: text}
routes:
  - {sinks: [all]}
  - {match: {level: high, account: ['1111*']}, sinks: [people, all]}
mutes:
  - {match: {rule: [noisy]}, owner: me@example.com, reason: being mended, until: 2026-10-31}
";

    fn alert(level: &str, account: &str, rule: &str) -> Alert {
        let group = super::super::groups([crate::store::FindingRow {
            rule_id: rule.to_owned(),
            level: level.to_owned(),
            account: Some(account.to_owned()),
            finding_id: "1".to_owned(),
            ..crate::store::FindingRow::default()
        }]);
        group[0].alert(&std::collections::BTreeSet::new(), 1).unwrap()
    }

    #[test]
    fn every_route_that_matches_counts() {
        let routes = Routes::parse(ROUTES).unwrap();
        assert_eq!(routes.update_after, SignedDuration::from_mins(10));
        let sinks = |level, account| routes.sinks_of(&alert(level, account, "r")).join(" ");
        assert_eq!(sinks("high", "111122223333"), "all people");
        assert_eq!(sinks("critical", "111122223333"), "all people");
        assert_eq!(sinks("medium", "111122223333"), "all");
        assert_eq!(sinks("high", "444455556666"), "all");
    }

    #[test]
    fn a_mute_ends_with_its_day() {
        let routes = Routes::parse(ROUTES).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let noisy = alert("low", "1", "noisy");
        assert!(routes.mute_of(&noisy, at("2026-10-31T23:00:00Z")).is_some());
        assert!(routes.mute_of(&noisy, at("2026-11-01T00:00:00Z")).is_none());
        assert!(routes.mute_of(&alert("low", "1", "other"), at("2026-10-01T00:00:00Z")).is_none());
        assert_eq!(routes.expired(at("2026-11-01T00:00:00Z")).count(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("sinks: {}\nroutes:\n  - {sinks: [x]}\n", "no sink is called `x`"),
            ("sinks: {}\nroutes:\n  - {sinks: []}\n", "route 1 has no sinks"),
            ("sinks: {}\nroutes: []\nroute: []\n", "route"),
            ("sinks: {a: {type: pigeon}}\nroutes: []\n", "pigeon"),
            (
                "sinks: {a: {type: terminate-session, rules: [], level: high}}\nroutes: []\n",
                "no rule",
            ),
            ("sinks: {a: {type: terminate-session, rules: [x]}}\nroutes: []\n", "level"),
            (
                "sinks: {}\nroutes: []\nmutes:\n  - {match: {}, owner: a, reason: b, until: 2026-01-01}\n",
                "mute everything",
            ),
        ] {
            let error = Routes::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axc", false),
            ("*", "", true),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}

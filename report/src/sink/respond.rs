//! The one thing that is done and not only told: a session is ended. Nothing is, unless a route says so, for rules that are
//! named, at a level that is named, with `dry_run: false`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::{Builder, Region};
use jiff::{SignedDuration, Timestamp};
use model::Level;
use serde_json::json;

use super::{Receipt, Sink, SinkError};
use crate::alert::Alert;

/// No session lasts longer.
const OVER: SignedDuration = SignedDuration::from_hours(24);

/// What may be done.
pub(super) struct Respond {
    rules: Vec<String>,
    level: Level,
    dry_run: bool,
    role_arn: Option<String>,
    /// By account and region.
    clients: Mutex<BTreeMap<(String, String), Client>>,
}

impl Respond {
    pub(super) fn new(
        rules: &[String],
        level: Level,
        dry_run: bool,
        role_arn: Option<&str>,
    ) -> Self {
        Self {
            rules: rules.to_vec(),
            level,
            dry_run,
            role_arn: role_arn.map(str::to_owned),
            clients: Mutex::default(),
        }
    }

    /// Why nothing is to be done, if so.
    fn refusal(&self, alert: &Alert, now: Timestamp) -> Option<String> {
        let is_listed = |rule: &String| *rule == alert.rule_id || *rule == alert.rule_title;
        if !self.rules.iter().any(is_listed) {
            return Some("the rule is not among those that may end a session".to_owned());
        }
        if alert.level.parse::<Level>().map_or(true, |level| level < self.level) {
            return Some(format!("the level is below {}", self.level.as_str()));
        }
        if alert.session_id.is_none() {
            return Some("it is not about one session".to_owned());
        }
        if alert.region.is_none() {
            return Some("nobody tells the session's region".to_owned());
        }
        let last = alert.last.or(alert.first);
        if last.is_none_or(|last| now.duration_since(last) > OVER) {
            return Some("it is more than a day ago: the session is over".to_owned());
        }
        None
    }

    /// For the session's account, if a role is given for that, and its region.
    fn client(&self, account: &str, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.to_owned(), region.to_owned());
        let make = || {
            let mut config = Builder::from(aws::config()).region(Region::new(region.to_owned()));
            if let Some(role) = &self.role_arn {
                let role = role.replace("{account}", account);
                config = config.credentials_provider(aws::assume(&role, "ssm-audit-respond"));
            }
            Client::from_conf(config.build())
        };
        clients.entry(key).or_insert_with(make).clone()
    }
}

impl Sink for Respond {
    fn send(&self, alert: &Alert, now: Timestamp) -> Result<Receipt, SinkError> {
        let act = |outcome: &str, reason: Option<String>| {
            Receipt(Some(json!({
                "action": "ssm:TerminateSession",
                "session_id": alert.session_id,
                "rule_id": alert.rule_id,
                "level": alert.level,
                "outcome": outcome,
                "reason": reason,
            })))
        };
        if let Some(reason) = self.refusal(alert, now) {
            return Ok(act("refused", Some(reason)));
        }
        if self.dry_run {
            return Ok(act("dry-run", None));
        }
        let (session, region) = (alert.session_id.as_deref(), alert.region.as_deref());
        let (Some(session), Some(region)) = (session, region) else {
            return Ok(act("refused", None));
        };
        let client = self.client(alert.account.as_deref().unwrap_or_default(), region);
        match aws::runtime().block_on(client.terminate_session().session_id(session).send()) {
            Ok(_) => Ok(act("terminated", None)),
            Err(error) => {
                let code = error.as_service_error().and_then(|error| error.meta().code());
                if code == Some("DoesNotExistException") {
                    return Ok(act(
                        "refused",
                        Some("there is no such session any more".to_owned()),
                    ));
                }
                Err(SinkError(aws::told(&error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::FindingRow;

    fn alert(rule: &str, level: &str, session: Option<&str>) -> Alert {
        let groups = crate::alert::groups([FindingRow {
            rule_id: rule.to_owned(),
            level: level.to_owned(),
            session_id: session.map(str::to_owned),
            region: Some("eu-west-1".to_owned()),
            time: "2026-10-01T08:00:00Z".parse().ok(),
            finding_id: "1".to_owned(),
            ..FindingRow::default()
        }]);
        groups[0].alert(&BTreeSet::new(), 1).unwrap()
    }

    #[test]
    fn nothing_is_done_unless_all_is_said() {
        let respond = Respond::new(&["r".to_owned()], Level::High, true, None);
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        let outcome = |alert: &Alert, at: &str| {
            let Receipt(Some(done)) = respond.send(alert, now(at)).unwrap() else {
                panic!("no receipt")
            };
            format!("{}: {}", done["outcome"].as_str().unwrap(), done["reason"])
        };
        let soon = "2026-10-01T09:00:00Z";
        assert_eq!(outcome(&alert("r", "high", Some("s")), soon), "dry-run: null");
        for (alert, at, reason) in [
            (alert("other", "high", Some("s")), soon, "not among those"),
            (alert("r", "medium", Some("s")), soon, "below high"),
            (alert("r", "high", None), soon, "not about one session"),
            (alert("r", "high", Some("s")), "2026-10-03T09:00:00Z", "more than a day"),
        ] {
            let outcome = outcome(&alert, at);
            assert!(outcome.starts_with("refused") && outcome.contains(reason), "{outcome}");
        }
    }
}

//! Alerts, behind `ingest` and `sweep`: `--routes FILE`.

use std::path::Path;

use jiff::Timestamp;
use model::Visible;
use pipeline::alerts::{Of, Sinks, Summary, deliver};
use report::alert::Routes;
use report::store::Store;
use rules::RuleSet;

use crate::exit::{Failure, tell};

/// Routes and their sinks.
pub(crate) struct Alerting {
    routes: Routes,
    sinks: Sinks,
}

impl Alerting {
    /// Reads the file, if there is one, and opens all sinks: a mistake shows before anything is done.
    pub(crate) fn open(path: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else { return Ok(None) };
        let wrong = |error: String| Failure::usage(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let routes = Routes::parse(&text).map_err(|error| wrong(error.to_string()))?;
        #[expect(clippy::disallowed_methods, reason = "the shells read the environment")]
        let secret = |name: &str| std::env::var(name).ok();
        let sinks = Sinks::open(&routes, &secret).map_err(|error| wrong(error.to_string()))?;
        Ok(Some(Self { routes, sinks }))
    }

    /// Sends what is due, and says on standard error what could not be sent.
    pub(crate) fn deliver(
        &self,
        store: &Store,
        set: &RuleSet,
        of: Of<'_>,
        now: Timestamp,
    ) -> Result<Summary, Failure> {
        let summary = deliver(store, set, &self.routes, &self.sinks, of, now)?;
        for mute in &summary.expired_mutes {
            tell(&format!("a mute is over, and mutes nothing: {}", Visible(mute)));
        }
        for failed in &summary.failed {
            let reason = Visible(&failed.reason).to_string();
            tell(&format!(
                "not sent to {}: {reason}; the next sweep tries again (alert {})",
                failed.sink, failed.alert_id
            ));
        }
        Ok(summary)
    }
}

//! Where alerts go.

mod respond;
mod security_hub;
mod sns;
mod webhook;

use std::fs::OpenOptions;
use std::io::{self, Write as _};

use jiff::Timestamp;

use crate::alert::{Alert, Form, SinkConfig, body};

/// Takes alerts. What it has taken is durable, or somebody else's.
pub trait Sink: Send + Sync {
    /// Sends one. An error means that it may not have arrived.
    fn send(&self, alert: &Alert, now: Timestamp) -> Result<Receipt, SinkError>;
}

/// What a sink says of what it took, to be kept beside the alert: what was done, where it is more than to tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt(pub Option<serde_json::Value>);

/// An alert could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

impl From<io::Error> for SinkError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Opens a sink. `secret` tells what is in the environment under a name.
pub fn open(
    config: &SinkConfig,
    secret: &dyn Fn(&str) -> Option<String>,
) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match config {
        SinkConfig::Stdout { format } => Box::new(Stdout(*format)),
        SinkConfig::File { path } => Box::new(File(path.clone())),
        SinkConfig::Webhook { url, secret_env, format } => {
            let found = secret(secret_env).filter(|secret| !secret.is_empty());
            let missing =
                || SinkError(format!("there is no secret in the environment's {secret_env}"));
            Box::new(webhook::Webhook::open(url, &found.ok_or_else(missing)?, *format)?)
        }
        SinkConfig::SecurityHub { product_arn } => {
            Box::new(security_hub::SecurityHub::open(product_arn)?)
        }
        SinkConfig::TerminateSession { rules, level, dry_run, role_arn } => {
            Box::new(respond::Respond::new(rules, *level, *dry_run, role_arn.as_deref()))
        }
        SinkConfig::Sns { topic_arn, format } => Box::new(sns::Sns::open(topic_arn, *format)?),
    })
}

struct Stdout(Form);

impl Sink for Stdout {
    fn send(&self, alert: &Alert, _: Timestamp) -> Result<Receipt, SinkError> {
        let mut out = io::stdout().lock();
        match self.0 {
            Form::Text => writeln!(out, "{}", body(alert, Form::Text))?,
            form => {
                let value: serde_json::Value = serde_json::from_str(&body(alert, form))
                    .map_err(|error| SinkError(error.to_string()))?;
                crate::write::json_line(&mut out, &value)?;
            }
        }
        out.flush()?;
        Ok(Receipt::default())
    }
}

/// NDJSON, appended to.
struct File(String);

impl Sink for File {
    fn send(&self, alert: &Alert, _: Timestamp) -> Result<Receipt, SinkError> {
        let mut line = Vec::new();
        crate::write::json_line(&mut line, alert)?;
        let failed = |error: io::Error| SinkError(format!("{}: {error}", self.0));
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.0).map_err(failed)?;
        // One write: lines of several processes do not mix.
        file.write_all(&line).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        Ok(Receipt::default())
    }
}

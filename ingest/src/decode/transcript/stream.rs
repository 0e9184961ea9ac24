//! The streamed form: one JSON object per log event, with lines from which the agent has removed what it
//! could (FORMATS A4).

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::time::parse_time;

/// A streamed log event, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamedEvent<'a> {
    #[serde(borrow, default)]
    event_time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) aws_region: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) target: Option<Target<'a>>,
    #[serde(borrow, default)]
    pub(crate) user_identity: Option<UserIdentity<'a>>,
    #[serde(borrow, default)]
    pub(crate) run_as_user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) session_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) session_data: Vec<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UserIdentity<'a> {
    #[serde(borrow, default)]
    pub(crate) arn: Option<Cow<'a, str>>,
}

impl StreamedEvent<'_> {
    /// The agent's clock when it sent the event, to the second.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        parse_time(self.event_time.as_deref()?)
    }
}

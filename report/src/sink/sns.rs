//! Amazon SNS.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sns::Client;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::config::{Builder, Region};
use aws_sdk_sns::types::MessageAttributeValue;

use jiff::Timestamp;

use super::{Receipt, Sink, SinkError};
use crate::alert::{Alert, Form, body_within, subject};

/// What SNS takes as a message, its attributes included, is 256 KiB; they and the envelope need some.
const MAX_MESSAGE: usize = 240 << 10;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Sns {
    client: Client,
    topic: String,
    form: Form,
}

impl Sns {
    pub(super) fn open(topic: &str, form: Form) -> Result<Self, SinkError> {
        let parts: Vec<&str> = topic.split(':').collect();
        let [_, _, "sns", region, _, _] = parts.as_slice() else {
            return Err(SinkError(format!("`{topic}` is not the ARN of an SNS topic")));
        };
        // Many alerts may wait behind one: what is not taken soon is tried again by the next sweep.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(TIMEOUT).build();
        let config = Builder::from(aws::config())
            .region(Region::new((*region).to_owned()))
            .timeout_config(timeouts);
        Ok(Self { client: Client::from_conf(config.build()), topic: topic.to_owned(), form })
    }
}

impl Sink for Sns {
    fn send(&self, alert: &Alert, _: Timestamp) -> Result<Receipt, SinkError> {
        let mut publish = self
            .client
            .publish()
            .topic_arn(&self.topic)
            .subject(subject(alert))
            .set_message_attributes(Some(attributes(alert)?))
            .message(body_within(alert, self.form, MAX_MESSAGE));
        if self.topic.ends_with(".fifo") {
            // Updates come behind what they update; a second try is no second message.
            publish = publish
                .message_group_id(&alert.alert_id)
                .message_deduplication_id(format!("{}.{}", alert.alert_id, alert.number));
        }
        match aws::runtime().block_on(publish.send()) {
            Ok(_) => Ok(Receipt::default()),
            Err(error) => Err(SinkError(aws::told(&error))),
        }
    }
}

/// What subscriptions filter by.
fn attributes(alert: &Alert) -> Result<HashMap<String, MessageAttributeValue>, SinkError> {
    let tags = serde_json::to_string(&alert.tags).map_err(|error| SinkError(error.to_string()))?;
    let values = [
        ("level", "String", Some(alert.level.as_str())),
        ("rule", "String", Some(alert.rule_id.as_str())),
        ("account", "String", alert.account.as_deref()),
        ("region", "String", alert.region.as_deref()),
        ("principal", "String", alert.principal.as_deref()),
        ("tags", "String.Array", Some(tags.as_str())),
    ];
    values
        .into_iter()
        .filter_map(|(name, kind, value)| {
            // An empty value is refused.
            Some((name, kind, value.filter(|value| !value.is_empty())?))
        })
        .map(|(name, kind, value)| {
            let value = MessageAttributeValue::builder().data_type(kind).string_value(value);
            let value = value.build().map_err(|error| SinkError(error.to_string()))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

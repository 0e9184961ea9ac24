//! CloudTrail's event history, for accounts without a trail: `lookup://`, `lookup://REGION`, `lookup://REGION?ReadOnly=false`.
//!
//! The service keeps 90 days, takes one attribute at a time, gives 50 events a call and answers two calls a second. An
//! hour of what was asked for is an artifact, once it is over.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek as _, Write as _};
use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::config::{Builder, Region};
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use jiff::{SignedDuration, Timestamp};
use tempfile::SpooledTempFile;

use super::log_group::hours;
use super::service_error;

/// Events appear so long after they happened, at the latest.
const LATE: SignedDuration = SignedDuration::from_mins(30);
/// How far back the service looks.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24 - 1);
/// Between two calls: two a second are answered, for the account and region as a whole.
const PACE: Duration = Duration::from_millis(550);
/// Events of an hour are kept in memory up to so many bytes, then in a file.
const IN_MEMORY: usize = 64 << 10;
/// Hours that are asked for in one go.
const AT_ONCE: usize = 24;
/// What is asked for where nothing else is said: all that changed something, and all about Systems Manager.
const USUAL: [(&str, &str); 2] = [("EventSource", "ssm.amazonaws.com"), ("ReadOnly", "false")];
/// What the service can look up by.
const KEYS: [&str; 8] = [
    "EventId",
    "EventName",
    "ReadOnly",
    "Username",
    "ResourceType",
    "ResourceName",
    "EventSource",
    "AccessKeyId",
];

/// The event history of an account in a region, by one attribute.
#[derive(Clone, Debug)]
pub struct Lookup {
    client: Client,
    account: String,
    region: String,
    by: (String, String),
}

/// What happened in an hour.
#[derive(Debug)]
pub struct Hour {
    /// Where it is from, and which hour.
    pub uri: String,
    /// When it began.
    pub start: Timestamp,
    events: SpooledTempFile,
}

impl Lookup {
    /// Opens what a URI asks for. The account is asked for: in another one the same hour is something else.
    pub fn open(uri: &str) -> io::Result<Vec<Self>> {
        let wrong = |what: String| io::Error::other(format!("`{uri}`: {what}"));
        let rest = uri.strip_prefix("lookup://").unwrap_or_default();
        let (region, query) = rest.split_once('?').unwrap_or((rest, ""));
        let region = if region.is_empty() {
            aws::region().to_string()
        } else {
            region.trim_end_matches('/').to_owned()
        };
        let by = if query.is_empty() {
            USUAL.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        } else {
            let (key, value) = query.split_once('=').ok_or_else(|| {
                wrong("after `?` comes one attribute, such as `ReadOnly=false`".to_owned())
            })?;
            if !KEYS.contains(&key) {
                let known = KEYS.join(", ");
                return Err(wrong(format!(
                    "CloudTrail cannot look up by `{key}`, only by one of {known}"
                )));
            }
            vec![(key.to_owned(), value.to_owned())]
        };
        let config = Builder::from(aws::config())
            .region(Region::new(region.clone()))
            .retry_config(RetryConfig::adaptive().with_max_attempts(10));
        let client = Client::from_conf(config.build());
        let identity = aws_sdk_sts::Client::new(aws::config()).get_caller_identity();
        let identity = aws::runtime().block_on(identity.send()).map_err(service_error)?;
        let account = identity.account().unwrap_or_default().to_owned();
        let one = |by| Self {
            client: client.clone(),
            account: account.clone(),
            region: region.clone(),
            by,
        };
        Ok(by.into_iter().map(one).collect())
    }

    /// The hours from `since` on that the service still knows and that are over at `now`.
    pub fn hours(&self, since: Option<Timestamp>, now: Timestamp) -> Vec<Timestamp> {
        let kept = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let over = now.saturating_sub(LATE).unwrap_or(Timestamp::MIN);
        hours(since.map_or(kept, |since| since.max(kept)), over).collect()
    }

    /// What an hour is called.
    pub fn uri(&self, hour: Timestamp) -> String {
        let Self { account, region, by: (key, value), .. } = self;
        format!("lookup://{account}/{region}?{key}={value}&hour={}", hour.strftime("%Y-%m-%dT%H"))
    }

    /// What is known of an hour's version: it is over.
    pub fn version(hour: Timestamp) -> String {
        (hour + SignedDuration::from_hours(1)).to_string()
    }

    /// Asks for these hours, in groups of such as follow one another. An hour comes when all of it is there.
    pub fn read(self, wanted: Vec<Timestamp>) -> impl Iterator<Item = io::Result<Hour>> + Send {
        groups(wanted).into_iter().flat_map(move |group| match self.ask(&group) {
            Ok(found) => found.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    fn ask(&self, group: &[Timestamp]) -> io::Result<Vec<Hour>> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return Ok(Vec::new());
        };
        let mut found: BTreeMap<Timestamp, SpooledTempFile> =
            group.iter().map(|hour| (*hour, SpooledTempFile::new(IN_MEMORY))).collect();
        let mut token = None;
        loop {
            let (key, value) = &self.by;
            let by = LookupAttribute::builder()
                .attribute_key(LookupAttributeKey::from(key.as_str()))
                .attribute_value(value)
                .build()
                .map_err(io::Error::other)?;
            let ask = self
                .client
                .lookup_events()
                .lookup_attributes(by)
                .start_time(DateTime::from_secs(first.as_second()))
                .end_time(DateTime::from_secs(last.as_second() + 3600))
                .max_results(50)
                .set_next_token(token);
            let page = aws::runtime().block_on(ask.send()).map_err(service_error)?;
            for event in page.events() {
                note(event, &mut found)?;
            }
            aws::pause(PACE);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        found
            .into_iter()
            .map(|(hour, mut events)| {
                events.rewind()?;
                Ok(Hour { uri: self.uri(hour), start: hour, events })
            })
            .collect()
    }
}

/// Puts an event to those of its hour. `EndTime` is inclusive, so that one of the next hour may be among them.
fn note(event: &Event, found: &mut BTreeMap<Timestamp, SpooledTempFile>) -> io::Result<()> {
    let (Some(time), Some(record)) = (event.event_time(), event.cloud_trail_event()) else {
        let id = event.event_id().unwrap_or("without an id");
        return Err(io::Error::other(format!("an event has no time or no record: {id}")));
    };
    let hour = Timestamp::from_second(time.secs() - time.secs().rem_euclid(3600))
        .map_err(io::Error::other)?;
    let Some(events) = found.get_mut(&hour) else { return Ok(()) };
    // A line break in JSON can only stand between its tokens.
    events.write_all(record.replace(['\n', '\r'], " ").as_bytes())?;
    events.write_all(b"\n")
}

/// Hours that follow one another, so many at once.
fn groups(hours: Vec<Timestamp>) -> Vec<Vec<Timestamp>> {
    let mut groups: Vec<Vec<Timestamp>> = Vec::new();
    for hour in hours {
        match groups.last_mut() {
            Some(group)
                if group.len() < AT_ONCE
                    && group
                        .last()
                        .is_some_and(|last| *last + SignedDuration::from_hours(1) == hour) =>
            {
                group.push(hour);
            }
            _ => groups.push(vec![hour]),
        }
    }
    groups
}

impl Hour {
    /// Its records, one a line.
    pub fn reader(self) -> impl Read + Send {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_asked_for_together() {
        let hour = |n: i64| Timestamp::from_second(n * 3600).unwrap();
        let found = groups([1, 2, 3, 7, 8, 20].map(hour).to_vec());
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 1]);
        let many = groups((0..50).map(hour).collect());
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [24, 24, 2]);
    }
}

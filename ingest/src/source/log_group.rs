//! Log groups of CloudWatch Logs: `cwl://GROUP`.
//!
//! The stream of a session is an artifact: as far as its last event is known, its content is known too. It is read when it
//! has been quiet for a while, because what is written to it later makes another version, which is read from the start.
//! A trail's streams never end: of these an hour is an artifact, once it is over.

use std::collections::VecDeque;
use std::io::{self, Read};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Builder;
use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::types::{LogStream, OrderBy};
use jiff::{SignedDuration, Timestamp, Unit};
use serde::Serialize;

use super::service_error;

/// A session's stream is read when nothing has come for so long.
const QUIET: SignedDuration = SignedDuration::from_mins(10);
/// An hour of a trail is over when so much time has passed since: what is delivered late has come by then.
const LATE: SignedDuration = SignedDuration::from_hours(1);
/// When a listing says that nothing has come to a stream since, that may be so old a news.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// A log group.
#[derive(Clone, Debug)]
pub struct LogGroup {
    client: Client,
    name: String,
}

/// A stream, or an hour of one.
#[derive(Clone, Debug)]
pub struct Stream {
    group: LogGroup,
    name: String,
    /// Its ARN; with the hour, if it is one.
    pub arn: String,
    /// What tells one content from another.
    pub version: String,
    from: Option<i64>,
    to: i64,
}

impl LogGroup {
    /// Opens it. Nothing is asked of the service yet.
    pub fn open(uri: &str) -> io::Result<Self> {
        let name = uri.strip_prefix("cwl://").filter(|name| !name.is_empty());
        let wrong = || io::Error::other(format!("`{uri}` is no cwl://GROUP"));
        let config = Builder::from(aws::config())
            // The service answers some dozens of calls in a second, and says so when it is asked for more.
            .retry_config(RetryConfig::adaptive().with_max_attempts(10));
        Ok(Self {
            client: Client::from_conf(config.build()),
            name: name.ok_or_else(wrong)?.to_owned(),
        })
    }

    /// What can be read at `now`, of streams that something has come to since `since`; the newest first.
    pub fn list(&self, since: Option<Timestamp>, now: Timestamp) -> Streams {
        let stale = since.map(|since| since.saturating_sub(STALE).unwrap_or(Timestamp::MIN));
        Streams { group: self.clone(), stale, now, next: Next::First, page: VecDeque::new() }
    }
}

/// The page that comes next.
#[derive(Debug)]
enum Next {
    First,
    Token(String),
    None,
}

/// A listing as it comes.
#[derive(Debug)]
pub struct Streams {
    group: LogGroup,
    stale: Option<Timestamp>,
    now: Timestamp,
    next: Next,
    page: VecDeque<Stream>,
}

fn instant(millis: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis?).ok()
}

/// `111122223333_CloudTrail_eu-west-1`: what CloudTrail calls its streams.
fn is_of_a_trail(name: &str) -> bool {
    let account = name.split_once("_CloudTrail_").map(|(account, _)| account);
    account
        .is_some_and(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
}

impl Streams {
    fn page(&mut self, token: Option<String>) -> io::Result<()> {
        let list = self
            .group
            .client
            .describe_log_streams()
            .log_group_name(&self.group.name)
            .order_by(OrderBy::LastEventTime)
            .descending(true)
            .set_next_token(token);
        let page = aws::runtime().block_on(list.send()).map_err(service_error)?;
        let mut is_all_old = self.stale.is_some() && !page.log_streams().is_empty();
        for stream in page.log_streams() {
            let last = instant(stream.last_event_timestamp());
            let Some(last) = last else {
                // Nothing has come to it yet, as far as is known: that says nothing of the next ones.
                is_all_old = false;
                continue;
            };
            let is_old = self.stale.is_some_and(|stale| last < stale);
            is_all_old &= is_old;
            if !is_old {
                self.add(stream, last);
            }
        }
        self.next = page.next_token.filter(|_| !is_all_old).map_or(Next::None, Next::Token);
        Ok(())
    }

    fn add(&mut self, stream: &LogStream, last: Timestamp) {
        let Some(name) = stream.log_stream_name() else { return };
        let whole = Stream {
            group: self.group.clone(),
            name: name.to_owned(),
            arn: stream
                .arn()
                .map_or_else(|| format!("cwl://{}/{name}", self.group.name), str::to_owned),
            version: last.as_millisecond().to_string(),
            from: None,
            to: last.as_millisecond() + 1,
        };
        if !is_of_a_trail(name) {
            if self.now.duration_since(last) >= QUIET {
                self.page.push_back(whole);
            }
            return;
        }
        let first = instant(stream.first_event_timestamp()).unwrap_or(last);
        let over = self.now.saturating_sub(LATE).unwrap_or(Timestamp::MIN);
        // Hours that were not over when a run said how far it came are among them; what is known is not read again.
        for hour in hours(self.stale.map_or(first, |stale| stale.max(first)), over) {
            if hour > last {
                break;
            }
            let end = hour + SignedDuration::from_hours(1);
            self.page.push_back(Stream {
                arn: format!("{}?hour={}", whole.arn, hour.strftime("%Y-%m-%dT%H")),
                version: end.as_millisecond().to_string(),
                from: Some(hour.as_millisecond()),
                to: end.as_millisecond(),
                ..whole.clone()
            });
        }
    }
}

/// The hours, from that of `from` on, that are over at `now`.
pub(super) fn hours(from: Timestamp, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let floor = |time: Timestamp| {
        let round = jiff::TimestampRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Floor);
        time.round(round).unwrap_or(time)
    };
    let (first, end) = (floor(from), floor(now));
    let hour = SignedDuration::from_hours(1);
    std::iter::successors(Some(first), move |at| at.checked_add(hour).ok())
        .take_while(move |at| *at < end)
}

impl Iterator for Streams {
    type Item = io::Result<Stream>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(stream) = self.page.pop_front() {
                return Some(Ok(stream));
            }
            let token = match std::mem::replace(&mut self.next, Next::None) {
                Next::First => None,
                Next::Token(token) => Some(token),
                Next::None => return None,
            };
            if let Err(error) = self.page(token) {
                return Some(Err(error));
            }
        }
    }
}

/// How an event is written down.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: Option<i64>,
    log_group: &'a str,
    log_stream: &'a str,
    message: &'a str,
}

impl Stream {
    /// Its events, one a line, as they come.
    pub fn reader(self) -> impl Read + Send {
        Events { stream: self, token: None, is_over: false, lines: io::Cursor::new(Vec::new()) }
    }
}

struct Events {
    stream: Stream,
    token: Option<String>,
    is_over: bool,
    lines: io::Cursor<Vec<u8>>,
}

impl Events {
    /// The next page. The service repeats the token when there is no more.
    fn page(&mut self) -> io::Result<()> {
        let Stream { group, name, from, to, .. } = &self.stream;
        let get = group
            .client
            .get_log_events()
            .log_group_name(&group.name)
            .log_stream_name(name)
            .set_start_time(*from)
            .end_time(*to)
            .start_from_head(true)
            .set_next_token(self.token.clone());
        let page = aws::runtime().block_on(get.send()).map_err(service_error)?;
        let mut lines = std::mem::take(&mut self.lines).into_inner();
        lines.clear();
        for event in page.events() {
            let line = Line {
                timestamp: event.timestamp(),
                log_group: &group.name,
                log_stream: name,
                message: event.message().unwrap_or_default(),
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        self.lines = io::Cursor::new(lines);
        self.is_over = page.next_forward_token.is_none() || page.next_forward_token == self.token;
        self.token = page.next_forward_token;
        Ok(())
    }
}

impl Read for Events {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.lines.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.is_over {
                return Ok(read);
            }
            self.page()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_are_over() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let found: Vec<String> = hours(at("2026-10-01T08:59:00Z"), at("2026-10-01T11:00:00Z"))
            .map(|hour| hour.to_string())
            .collect();
        assert_eq!(found, ["2026-10-01T08:00:00Z", "2026-10-01T09:00:00Z", "2026-10-01T10:00:00Z"]);
        assert_eq!(hours(at("2026-10-01T08:59:00Z"), at("2026-10-01T08:59:59Z")).count(), 0);
    }

    #[test]
    fn a_trail_has_its_own_names() {
        assert!(is_of_a_trail("111122223333_CloudTrail_eu-west-1"));
        assert!(is_of_a_trail("111122223333_CloudTrail_eu-west-1_3"));
        assert!(!is_of_a_trail("alice_CloudTrail_x-0abc"));
        assert!(!is_of_a_trail("alice@example.com-0a1b2c3d4e5f67890"));
    }
}

//! `ssm-audit backfill s3://bucket/prefix --queue URL`: what is in a bucket already, to the function.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::source::{Bucket, Object, Versions};
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::exit::{Failure, Outcome, tell};
use crate::ingest::SummaryFormat;
use crate::input;
use crate::scan::output;
use crate::scan::summary::number;

const EXAMPLES: &str = "\
Examples:
  ssm-audit backfill s3://trail/AWSLogs --queue https://sqs.eu-west-1.amazonaws.com/111122223333/ssm-audit
      all of a trail: the function ingests it as if it had just come, as many at a time as Lambda allows
  ssm-audit backfill s3://session-logs --queue URL --since 2025-01-01 --dry-run
      how many objects that would be, and how much

Nothing is read but listings. What the store has is known by the function, so that sending it again is cheap and changes nothing.
Objects are sent in the order of their keys; where it was interrupted it says after which key to go on.

Exit codes: 0 done · 2 wrong arguments · 3 the bucket could not be listed, or the queue did not take everything";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct BackfillArgs {
    /// Where the objects are: `s3://bucket/prefix`.
    #[arg(required = true, value_name = "URI")]
    sources: Vec<String>,
    /// The queue that the function reads.
    #[arg(long, value_name = "URL", required_unless_present = "dry_run")]
    queue: Option<String>,
    /// Leave out what was stored before: a time, a date, or an age such as `90d`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Leave out what was stored from then on.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Go on behind this key.
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
    /// Objects in a message: what the function does, or gives back, as one.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=50))]
    per_message: u16,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
    /// How to print the summary. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
    /// No progress and no summary.
    #[arg(long, short)]
    quiet: bool,
}

/// A batch may have so many messages, and so many bytes in all.
const BATCH: usize = 10;
const BATCH_BYTES: usize = 240_000;
/// How often what the queue did not take is sent again.
const TRIES: u32 = 6;

/// What S3 leaves as it is in the keys of its notifications.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// A key as S3 writes it in a notification: as in a form, a blank as a plus.
fn form(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace(' ', "+")
}

fn record(bucket: &str, object: &Object) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": object.stored.map(|time| time.to_string()),
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": form(object.key()), "size": object.size(), "eTag": object.etag},
        },
    })
}

/// Messages on their way.
struct Sending<'a> {
    client: Client,
    queue: &'a str,
    waiting: Vec<String>,
    bytes: usize,
    messages: u64,
    /// The last key of what waits, and of what was taken.
    keys: [Option<String>; 2],
}

impl Sending<'_> {
    /// Adds a message. `last` is the last key in it.
    fn add(&mut self, records: &[Value], last: Option<String>) -> Result<(), Failure> {
        let body = json!({"Records": records}).to_string();
        if self.waiting.len() == BATCH || self.bytes + body.len() > BATCH_BYTES {
            self.flush()?;
        }
        self.bytes += body.len();
        self.waiting.push(body);
        self.keys[0] = last;
        Ok(())
    }

    /// Sends what waits. What the queue refuses for a while is sent again.
    fn flush(&mut self) -> Result<(), Failure> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        for attempt in 0..TRIES {
            if waiting.is_empty() {
                break;
            }
            if attempt > 0 {
                aws::pause(Duration::from_millis(250 << attempt));
            }
            let entry = |(at, body): (usize, &String)| {
                let entry = SendMessageBatchRequestEntry::builder();
                entry.id(at.to_string()).message_body(body).build().expect("it has all it needs")
            };
            let entries = waiting.iter().enumerate().map(entry).collect();
            let send = self.client.send_message_batch().queue_url(self.queue);
            let sent = send.set_entries(Some(entries)).send();
            let sent = aws::runtime()
                .block_on(sent)
                .map_err(|error| failed(format!("{}: {}", self.queue, aws::told(&error))))?;
            self.messages += sent.successful().len() as u64;
            if let Some(refused) = sent.failed().iter().find(|failed| failed.sender_fault()) {
                let reason = refused.message().unwrap_or(refused.code());
                return Err(failed(format!("{}: {reason}", self.queue)));
            }
            let again: Vec<String> = sent
                .failed()
                .iter()
                .filter_map(|failed| waiting.get(failed.id().parse::<usize>().ok()?).cloned())
                .collect();
            waiting = again;
        }
        if waiting.is_empty() {
            self.keys[1] = self.keys[0].clone().or_else(|| self.keys[1].take());
            return Ok(());
        }
        let count = number(waiting.len() as u64, "message", "messages");
        Err(failed(format!("{}: the queue did not take {count}", self.queue)))
    }
}

fn failed(message: String) -> Failure {
    Failure { message, outcome: Outcome::Incomplete }
}

pub(crate) fn run(args: &BackfillArgs) -> Result<Outcome, Failure> {
    let (since, until) = input::span(args.since.as_deref(), args.until.as_deref(), &TimeZone::UTC)?;
    if args.after.is_some() && args.sources.len() > 1 {
        return Err(Failure::usage("--after is a key of one bucket: give one source with it"));
    }
    let buckets: Vec<Bucket> = args
        .sources
        .iter()
        .map(|uri| Bucket::open(uri).map_err(|error| Failure::usage(error.to_string())))
        .collect::<Result<_, _>>()?;
    let queue = args.queue.as_deref().unwrap_or_default();
    let mut sending = Sending {
        client: Client::new(aws::config()),
        queue,
        waiting: Vec::new(),
        bytes: 0,
        messages: 0,
        keys: [None, args.after.clone()],
    };
    let bar = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} objects, {per_sec}") {
        bar.set_style(style);
    }
    let (mut objects, mut bytes) = (0_u64, 0_u64);
    let done = (|| -> Result<(), Failure> {
        for bucket in &buckets {
            let (mut records, mut last) = (Vec::new(), None);
            for object in bucket.list_after(Versions::Latest, args.after.as_deref()) {
                let object = object?;
                let is_wanted = object.stored.is_none_or(|stored| {
                    since.is_none_or(|since| stored >= since)
                        && until.is_none_or(|until| stored < until)
                });
                if !is_wanted {
                    continue;
                }
                objects += 1;
                bytes += object.size().unwrap_or_default();
                bar.inc(1);
                if args.dry_run {
                    continue;
                }
                records.push(record(bucket.name(), &object));
                last = Some(object.key().to_owned());
                if records.len() == usize::from(args.per_message) {
                    sending.add(&records, last.take())?;
                    records.clear();
                }
            }
            if !records.is_empty() {
                sending.add(&records, last)?;
            }
            sending.flush()?;
        }
        Ok(())
    })();
    bar.finish_and_clear();
    if let Err(failure) = done {
        let [_, taken] = &sending.keys;
        if let Some(last) = taken.as_ref().filter(|_| buckets.len() == 1 && !args.dry_run) {
            tell(&format!("note: go on with --after '{}'", model::Visible(last)));
        }
        return Err(failure);
    }
    if args.quiet {
        return Ok(Outcome::Done);
    }
    let text = match args.format.unwrap_or_else(SummaryFormat::usual) {
        SummaryFormat::Json => {
            let messages = sending.messages;
            format!("{}\n", json!({"objects": objects, "bytes": bytes, "messages": messages}))
        }
        SummaryFormat::Text if args.dry_run => {
            format!("{}, {bytes} bytes\n", number(objects, "object", "objects"))
        }
        SummaryFormat::Text => format!(
            "{}, {bytes} bytes, in {}\n",
            number(objects, "object", "objects"),
            number(sending.messages, "message", "messages")
        ),
    };
    output::print(&text)?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_s3_writes_them() {
        assert_eq!(form("AWSLogs/1/a b+c=d@e.gz"), "AWSLogs/1/a+b%2Bc%3Dd%40e.gz");
        assert_eq!(form("ä/%41*-_."), "%C3%A4/%2541*-_.");
    }
}

//! What invoked the function, told by its shape.
//!
//! Only the few fields that are needed are asked for: events grow fields, and tests and queues hold events of years ago.
//!
//! ```text
//! S3 · S3 in SQS · S3 in SNS · S3 in SNS in SQS (raw or not) · EventBridge "Object Created"   ──▶ objects
//! EventBridge "AWS API Call via CloudTrail"                                                     ──▶ a record
//! a subscription of CloudWatch Logs · in Kinesis · in Firehose                                  ──▶ log events
//! {"task": "sweep"}                                                                             ──▶ a task
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ingest::Limits;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something has come.
    Work(Work),
    /// It is time for something.
    Task(Task),
}

/// What a schedule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Task {
    /// `sweep`
    Sweep {
        /// An age such as `3d`, instead of the environment's.
        since: Option<String>,
    },
    /// `compact`
    Compact {
        /// An age such as `4d`: days from before are left alone. Default: what a sweep reads, and a day.
        since: Option<String>,
        /// Days with fewer files are left alone; default: 8.
        min_files: Option<usize>,
    },
    /// `report`
    Report {
        /// Of when: `2026-10` …; without one the last month.
        period: Option<String>,
        /// Where to; default: `reports/<period>` in the store.
        out: Option<String>,
        /// If another report is in its place, shall it be replaced?
        #[serde(default)]
        replace: bool,
    },
}

/// What has come.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) items: Vec<Item>,
    pub(crate) answer: Answer,
}

/// How the caller wants to hear what has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// By an error, if anything has.
    Error,
    /// By the names of the items: `batchItemFailures`.
    Batch,
    /// Record by record, with the data.
    Firehose,
}

/// One of several that may each fail.
#[derive(Debug)]
pub(crate) struct Item {
    /// How the caller knows it.
    pub(crate) id: String,
    pub(crate) what: Vec<What>,
    /// What Firehose wants back.
    pub(crate) data: Option<String>,
}

/// What an item is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An object that was stored.
    Object { bucket: String, key: String, version_id: Option<String>, etag: Option<String> },
    /// Bytes that came along: log events, or a record.
    Delivered { name: String, bytes: Vec<u8> },
    /// Nothing to do, and why.
    Nothing(&'static str),
    /// It makes no sense, and never will.
    Malformed { text: String, reason: String },
}

/// An event of a shape that is not known.
#[derive(Debug, thiserror::Error)]
#[error(
    "not an event that this function knows: {0}. It takes S3 notifications (also through SQS, SNS or EventBridge), API calls \
     from EventBridge, subscriptions of CloudWatch Logs (also through Kinesis or Firehose), {{\"task\": \"sweep\"}} and \
     {{\"task\": \"report\"}}"
)]
pub(crate) struct UnknownShape(String);

/// Tells what invoked the function.
pub(crate) fn recognise(event: &Value) -> Result<Event, UnknownShape> {
    if event.get("task").is_some() {
        return serde_json::from_value(event.clone())
            .map(Event::Task)
            .map_err(|error| UnknownShape(format!("a task that is not known ({error})")));
    }
    if let Some(records) = event.get("records").and_then(Value::as_array)
        && event.get("deliveryStreamArn").is_some()
    {
        let items = records.iter().map(firehose).collect();
        return Ok(Event::Work(Work { items, answer: Answer::Firehose }));
    }
    let records = event.get("Records").and_then(Value::as_array);
    match records.and_then(|records| records.first()).map(source) {
        Some(Some("aws:sqs")) => Ok(batch(records, sqs)),
        Some(Some("aws:kinesis")) => Ok(batch(records, kinesis)),
        Some(Some("aws:sns")) => {
            let items = records.into_iter().flatten().map(|record| Item {
                id: text(record, &["Sns", "MessageId"]).unwrap_or_default().to_owned(),
                what: message(text(record, &["Sns", "Message"]).unwrap_or_default()),
                data: None,
            });
            Ok(Event::Work(Work { items: items.collect(), answer: Answer::Error }))
        }
        _ => match parts(event) {
            Some(what) => {
                let item = Item { id: String::new(), what, data: None };
                Ok(Event::Work(Work { items: vec![item], answer: Answer::Error }))
            }
            None => Err(UnknownShape(shape(event))),
        },
    }
}

fn batch(records: Option<&Vec<Value>>, item: fn(&Value) -> Item) -> Event {
    let items = records.into_iter().flatten().map(item).collect();
    Event::Work(Work { items, answer: Answer::Batch })
}

fn source(record: &Value) -> Option<&str> {
    let source = record.get("eventSource").or_else(|| record.get("EventSource"));
    source.and_then(Value::as_str)
}

fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    path.iter().try_fold(value, |value, name| value.get(name))?.as_str()
}

fn sqs(record: &Value) -> Item {
    Item {
        id: text(record, &["messageId"]).unwrap_or_default().to_owned(),
        what: message(text(record, &["body"]).unwrap_or_default()),
        data: None,
    }
}

fn kinesis(record: &Value) -> Item {
    let data = text(record, &["kinesis", "data"]).unwrap_or_default();
    // Of a stream what comes behind a failure is given back as well: its place is what it is known by.
    let id = text(record, &["kinesis", "sequenceNumber"]).unwrap_or_default().to_owned();
    Item { id, what: encoded(data), data: None }
}

fn firehose(record: &Value) -> Item {
    let data = text(record, &["data"]).unwrap_or_default();
    let id = text(record, &["recordId"]).unwrap_or_default().to_owned();
    Item { id, what: encoded(data), data: Some(data.to_owned()) }
}

/// Most of a message that is kept with the reason why it makes no sense.
const KEPT: usize = 4 << 10;

fn malformed(text: &str, reason: impl Into<String>) -> Vec<What> {
    let end = text.floor_char_boundary(KEPT);
    vec![What::Malformed { text: text[..end].to_owned(), reason: reason.into() }]
}

/// A message of a queue or a topic.
fn message(body: &str) -> Vec<What> {
    let value: Value = match serde_json::from_str(body) {
        Ok(value) => value,
        Err(error) => return malformed(body, format!("a message that is no JSON: {error}")),
    };
    // SNS without raw delivery.
    if text(&value, &["Type"]) == Some("Notification")
        && let Some(inner) = text(&value, &["Message"])
    {
        return message(inner);
    }
    parts(&value).unwrap_or_else(|| {
        malformed(body, format!("a message about nothing that is known: {}", shape(&value)))
    })
}

/// Bytes in base64, of a subscription.
fn encoded(data: &str) -> Vec<What> {
    // What is in it may be a session's text, with secrets that cannot be seen in this form: it is not kept.
    let known_by = || {
        let hash = Sha256::digest(data);
        let hash = hash.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("{} characters of base64, SHA-256 {hash}", data.len())
    };
    let bytes = match STANDARD.decode(data) {
        Ok(bytes) => bytes,
        Err(error) => return malformed(&known_by(), format!("data that is no base64: {error}")),
    };
    log_events(bytes).unwrap_or_else(|reason| malformed(&known_by(), reason))
}

/// What an event is about, as it comes directly, in a queue or in a topic.
fn parts(event: &Value) -> Option<Vec<What>> {
    if text(event, &["Event"]) == Some("s3:TestEvent") {
        return Some(vec![What::Nothing("the test event of a new notification")]);
    }
    if let Some(data) = text(event, &["awslogs", "data"]) {
        return Some(encoded(data));
    }
    if let Some(detail_type) = text(event, &["detail-type"]) {
        return event_bridge(event, detail_type);
    }
    // What a trail's own topic says.
    if let Some(bucket) = text(event, &["s3Bucket"])
        && let Some(keys) = event.get("s3ObjectKey").and_then(Value::as_array)
    {
        let keys = keys.iter().filter_map(Value::as_str);
        return Some(keys.map(|key| object(bucket, key.to_owned(), None, None)).collect());
    }
    let records = event.get("Records").and_then(Value::as_array)?;
    let is_s3 = |record: &Value| record.get("s3").is_some();
    if records.is_empty() || !records.iter().all(is_s3) {
        return None;
    }
    Some(records.iter().map(notified).collect())
}

fn object(bucket: &str, key: String, version_id: Option<&str>, etag: Option<&str>) -> What {
    What::Object {
        bucket: bucket.to_owned(),
        key,
        version_id: version_id.map(str::to_owned),
        etag: etag.map(str::to_owned),
    }
}

/// A record of an S3 notification.
fn notified(record: &Value) -> What {
    let name = text(record, &["eventName"]).unwrap_or_default();
    if !name.starts_with("ObjectCreated:") && !name.starts_with("s3:ObjectCreated:") {
        return What::Nothing("not about an object that was created");
    }
    let (bucket, key) =
        (text(record, &["s3", "bucket", "name"]), text(record, &["s3", "object", "key"]));
    let (Some(bucket), Some(key)) = (bucket, key) else {
        let reason = "a notification without a bucket or a key".to_owned();
        return What::Malformed { text: record.to_string(), reason };
    };
    // The key is encoded like a form: `+` is a blank.
    let blanks = key.replace('+', " ");
    let Ok(key) = percent_decode_str(&blanks).decode_utf8() else {
        let reason = "a notification with a key that is no UTF-8".to_owned();
        return What::Malformed { text: key.to_owned(), reason };
    };
    object(
        bucket,
        key.into_owned(),
        text(record, &["s3", "object", "versionId"]),
        text(record, &["s3", "object", "eTag"]),
    )
}

fn event_bridge(event: &Value, detail_type: &str) -> Option<Vec<What>> {
    let from = text(event, &["source"]).unwrap_or_default();
    match (from, detail_type) {
        ("aws.s3", "Object Created") => {
            let bucket = text(event, &["detail", "bucket", "name"])?;
            // Here the key is as it is.
            let key = text(event, &["detail", "object", "key"])?.to_owned();
            let version = text(event, &["detail", "object", "version-id"]);
            Some(vec![object(bucket, key, version, text(event, &["detail", "object", "etag"]))])
        }
        ("aws.s3", _) => Some(vec![What::Nothing("not about an object that was created")]),
        // Whoever may put events on a bus can call them what they like, but for the source.
        (from, _) if detail_type.ends_with("via CloudTrail") && !from.starts_with("aws.") => {
            Some(malformed(
                &event.to_string(),
                format!("it claims to come from CloudTrail, and its source is `{from}`"),
            ))
        }
        (_, "AWS API Call via CloudTrail" | "AWS Console Sign In via CloudTrail") => {
            let detail = event.get("detail")?;
            let [account, region, id] =
                ["account", "region", "id"].map(|name| text(event, &[name]).unwrap_or("?"));
            let name = format!("eventbridge://{account}/{region}/{id}");
            let bytes = format!("{detail}\n").into_bytes();
            Some(vec![What::Delivered { name, bytes }])
        }
        _ => None,
    }
}

/// What a subscription delivers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    message_type: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    log_group: String,
    #[serde(default)]
    log_stream: String,
    #[serde(default)]
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
struct LogEvent {
    #[serde(default)]
    id: String,
}

/// Most bytes that a delivery may inflate to: it is made of at most 6 MB of base64 by a service that does not make bombs.
const MAX_DELIVERY: u64 = 256 << 20;

fn log_events(bytes: Vec<u8>) -> Result<Vec<What>, String> {
    let limits = Limits { max_inflated: MAX_DELIVERY, ..Limits::default() };
    let opened =
        ingest::open("delivery", bytes.as_slice(), &limits).map_err(|problem| problem.reason)?;
    let read: Result<Subscription, _> = serde_json::from_reader(opened.into_reader());
    let read =
        read.map_err(|error| format!("data that is no subscription of CloudWatch Logs: {error}"))?;
    match read.message_type.as_str() {
        "CONTROL_MESSAGE" => Ok(vec![What::Nothing("a control message")]),
        "DATA_MESSAGE" => {
            let Subscription { owner, log_group, log_stream, log_events, .. } = read;
            let first = log_events.first().map(|event| event.id.as_str()).unwrap_or_default();
            let name = format!("cwl://{owner}/{log_group}/{log_stream}?event={first}");
            Ok(vec![What::Delivered { name, bytes }])
        }
        other => Err(format!("a subscription's message of type `{other}`")),
    }
}

/// What can be said of a shape that is not known.
fn shape(event: &Value) -> String {
    if let Some(detail_type) = text(event, &["detail-type"]) {
        let from = text(event, &["source"]).unwrap_or("nobody");
        return format!("an EventBridge event `{detail_type}` from `{from}`");
    }
    match event {
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().take(8).map(String::as_str).collect();
            let first = event.get("Records").and_then(|records| records.get(0)).and_then(source);
            let of =
                first.map(|source| format!(", with records of `{source}`")).unwrap_or_default();
            format!(
                "an object with {}{of}",
                if names.is_empty() {
                    "nothing in it".to_owned()
                } else {
                    format!("`{}`", names.join("`, `"))
                }
            )
        }
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(_) => "a text".to_owned(),
        Value::Number(_) | Value::Bool(_) | Value::Null => event.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn work(event: &Value) -> Work {
        match recognise(event).unwrap() {
            Event::Work(work) => work,
            Event::Task(task) => panic!("{task:?}"),
        }
    }

    fn stored(key: &str) -> Value {
        json!({"Records": [{"eventVersion": "2.5", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "b"}, "object": {"key": key, "eTag": "e", "versionId": "v"}}}]})
    }

    fn is_object(what: &What, wanted: &str) -> bool {
        matches!(what, What::Object { bucket, key, .. } if bucket == "b" && key == wanted)
    }

    #[test]
    fn an_object_is_told_whichever_way_it_came() {
        let s3 = stored("a+b%2Bc%40d%C3%A9.log");
        let wanted = "a b+c@dé.log";
        let sns = json!({"Type": "Notification", "MessageId": "m", "Message": s3.to_string()});
        let sqs = |body: String| json!({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": body}]});
        for event in [
            s3.clone(),
            sqs(s3.to_string()),
            sqs(sns.to_string()),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": s3.to_string()}}]}),
        ] {
            let work = work(&event);
            assert!(work.items.len() == 1 && is_object(&work.items[0].what[0], wanted), "{event}");
        }
        let bridge = json!({"detail-type": "Object Created", "source": "aws.s3",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a+b%2B"}}});
        assert!(is_object(&work(&bridge).items[0].what[0], "a+b%2B"));
        assert!(is_object(&work(&sqs(bridge.to_string())).items[0].what[0], "a+b%2B"));
        let trail = json!({"s3Bucket": "b", "s3ObjectKey": ["k"]});
        assert!(is_object(&work(&sqs(trail.to_string())).items[0].what[0], "k"));
    }

    #[test]
    fn what_is_nothing_is_nothing_and_what_is_wrong_is_wrong() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});
        assert!(matches!(work(&test).items[0].what[0], What::Nothing(_)));
        let mut deleted = stored("k");
        deleted["Records"][0]["eventName"] = "ObjectRemoved:Delete".into();
        assert!(matches!(work(&deleted).items[0].what[0], What::Nothing(_)));
        let forged =
            json!({"detail-type": "AWS API Call via CloudTrail", "source": "my.app", "detail": {}});
        assert!(matches!(work(&forged).items[0].what[0], What::Malformed { .. }));
        let sqs =
            json!({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": "hello"}]});
        let Work { items, answer } = work(&sqs);
        assert!(answer == Answer::Batch && matches!(items[0].what[0], What::Malformed { .. }));
    }

    #[test]
    fn a_task_is_a_task() {
        let sweep = recognise(&json!({"task": "sweep"})).unwrap();
        assert!(matches!(sweep, Event::Task(Task::Sweep { since: None })));
        let compact = recognise(&json!({"task": "compact", "since": "2d"})).unwrap();
        let two_days = Some("2d".to_owned());
        assert!(
            matches!(compact, Event::Task(Task::Compact { since, min_files: None }) if since == two_days)
        );
        let report = recognise(&json!({"task": "report", "period": "2026-10"})).unwrap();
        let october = Some("2026-10".to_owned());
        let expected = Task::Report { period: october, out: None, replace: false };
        assert!(matches!(report, Event::Task(task) if task == expected));
        for (event, named) in [
            (json!({"task": "dance"}), "dance"),
            (json!({"hello": 1, "world": 2}), "`hello`, `world`"),
            (json!({"Records": [{"eventSource": "aws:dynamodb"}]}), "aws:dynamodb"),
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
                "Scheduled Event",
            ),
            (json!([]), "a list of 0"),
            (json!({"Records": []}), "Records"),
        ] {
            let said = recognise(&event).unwrap_err().to_string();
            assert!(said.contains(named), "{said}");
        }
    }

    #[test]
    fn a_subscription_is_told_by_what_is_in_it() {
        let gzip = |value: Value| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, value.to_string().as_bytes()).unwrap();
            STANDARD.encode(gzip.finish().unwrap())
        };
        let data = gzip(
            json!({"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s",
            "logEvents": [{"id": "7", "timestamp": 1, "message": "m"}]}),
        );
        let control = gzip(json!({"messageType": "CONTROL_MESSAGE", "logEvents": []}));
        let named = |what: &What| match what {
            What::Delivered { name, .. } => name.clone(),
            other => panic!("{other:?}"),
        };
        let direct = work(&json!({"awslogs": {"data": data}}));
        assert_eq!(named(&direct.items[0].what[0]), "cwl://1/g/s?event=7");
        let kinesis = json!({"Records": [
            {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "9", "data": data}},
            {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "10", "data": control}},
        ]});
        let kinesis = work(&kinesis);
        assert_eq!((kinesis.answer, kinesis.items[0].id.as_str()), (Answer::Batch, "9"));
        assert!(matches!(kinesis.items[1].what[0], What::Nothing(_)));
        let firehose = json!({"deliveryStreamArn": "a", "records": [{"recordId": "r", "data": data}, {"recordId": "q", "data": "aGk="}]});
        let firehose = work(&firehose);
        assert_eq!(
            (firehose.answer, named(&firehose.items[0].what[0])),
            (Answer::Firehose, "cwl://1/g/s?event=7".to_owned())
        );
        assert!(matches!(firehose.items[1].what[0], What::Malformed { .. }));
    }
}

//! Buckets of logs: does anybody hear of a new object, and is what was overwritten kept?

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, Event};

use super::check::Checks;

pub(crate) fn check(client: &Client, buckets: &[String], function: Option<&str>) -> Checks {
    let mut checks = Checks::new("bucket");
    for bucket in buckets {
        versions(client, bucket, &mut checks);
        notifications(client, bucket, function, &mut checks);
    }
    if buckets.is_empty() {
        checks.fail(
            "log buckets",
            "neither the preferences nor a trail name one",
            "give one with --bucket",
        );
    }
    checks
}

fn versions(client: &Client, bucket: &str, checks: &mut Checks) {
    match aws::runtime().block_on(client.get_bucket_versioning().bucket(bucket).send()) {
        Ok(found) if found.status() == Some(&BucketVersioningStatus::Enabled) => {
            checks.ok(bucket, "versions are kept: what is overwritten or deleted can be read");
        }
        Ok(_) => checks.warn(
            bucket,
            "versions are not kept: who may write can overwrite a recording",
            format!("aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"),
        ),
        Err(error) => checks.unknown(bucket, error),
    }
}

fn notifications(client: &Client, bucket: &str, function: Option<&str>, checks: &mut Checks) {
    let get = client.get_bucket_notification_configuration().bucket(bucket);
    let found = match aws::runtime().block_on(get.send()) {
        Ok(found) => found,
        Err(error) => {
            checks.unknown(bucket, error);
            return;
        }
    };
    // A large object comes in parts, which is another event.
    let created = |events: &[Event]| {
        let has = |name: &str| events.iter().any(|event| event.as_str() == name);
        has("s3:ObjectCreated:*")
            || (has("s3:ObjectCreated:Put") && has("s3:ObjectCreated:CompleteMultipartUpload"))
    };
    let queues = found
        .queue_configurations()
        .iter()
        .filter(|to| created(to.events()))
        .map(aws_sdk_s3::types::QueueConfiguration::queue_arn);
    let topics = found
        .topic_configurations()
        .iter()
        .filter(|to| created(to.events()))
        .map(aws_sdk_s3::types::TopicConfiguration::topic_arn);
    let functions = found
        .lambda_function_configurations()
        .iter()
        .filter(|to| created(to.events()))
        .map(aws_sdk_s3::types::LambdaFunctionConfiguration::lambda_function_arn);
    let heard: Vec<&str> = queues.chain(topics).chain(functions).collect();
    if !heard.is_empty() {
        checks.ok(bucket, format!("new objects are told to {}", heard.join(", ")));
    } else if found.event_bridge_configuration().is_some() {
        checks.ok(bucket, "new objects are told to EventBridge");
    } else {
        // Without a function somebody reads the bucket by hand, or by cron.
        let what = "nobody is told of every new object, however it was stored";
        let mend = format!(
            "docs/deploying.md, \"Wire the buckets\", has the command that adds to what {bucket} has"
        );
        if function.is_some() {
            checks.fail(bucket, what, mend);
        } else {
            checks.warn(bucket, what, mend);
        }
    }
}

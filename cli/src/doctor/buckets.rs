//! Buckets of logs: does anybody hear of a new object, and is what was overwritten kept?

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Event, FilterRuleName, NotificationConfigurationFilter, S3KeyFilter,
};

use super::check::Checks;

/// Where logs are stored: keys of a bucket with a beginning and an end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Logs {
    bucket: String,
    /// How their keys begin; `None` if that is not known.
    keys: Option<(String, &'static str)>,
}

impl Logs {
    /// A bucket that somebody named.
    pub(crate) const fn bucket(bucket: String) -> Self {
        Self { bucket, keys: None }
    }

    /// What Session Manager stores.
    pub(crate) fn transcripts(bucket: &str, prefix: Option<&str>) -> Self {
        let prefix = prefix.map(|prefix| format!("{}/", prefix.trim_end_matches('/')));
        Self { bucket: bucket.to_owned(), keys: Some((prefix.unwrap_or_default(), ".log")) }
    }

    /// What a trail stores.
    pub(crate) fn trail(bucket: &str, prefix: Option<&str>) -> Self {
        let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let keys = Some((format!("{prefix}AWSLogs/"), ".json.gz"));
        Self { bucket: bucket.to_owned(), keys }
    }
}

/// `are_all`: the preferences and trails were seen, so that these are all there are.
pub(crate) fn check(
    client: &Client,
    logs: &[Logs],
    are_all: bool,
    function: Option<&str>,
) -> Checks {
    let mut checks = Checks::new("bucket");
    let mut buckets: BTreeMap<&str, Vec<&Logs>> = BTreeMap::new();
    for logs in logs {
        buckets.entry(&logs.bucket).or_default().push(logs);
    }
    for (bucket, logs) in &buckets {
        versions(client, bucket, &mut checks);
        notifications(client, bucket, logs, function, &mut checks);
    }
    if buckets.is_empty() && are_all {
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

/// Somebody who is told of new objects, and of which.
struct Heard<'a> {
    who: &'a str,
    prefix: &'a str,
    suffix: &'a str,
}

impl<'a> Heard<'a> {
    fn new(
        who: &'a str,
        events: &[Event],
        filter: Option<&'a NotificationConfigurationFilter>,
    ) -> Option<Self> {
        // A large object comes in parts, which is another event.
        let has = |name: &str| events.iter().any(|event| event.as_str() == name);
        let created = has("s3:ObjectCreated:*")
            || (has("s3:ObjectCreated:Put") && has("s3:ObjectCreated:CompleteMultipartUpload"));
        let key = filter.and_then(NotificationConfigurationFilter::key);
        let rules = key.map(S3KeyFilter::filter_rules);
        let rule = |wanted: &FilterRuleName| {
            // S3 gives their names with a capital or without.
            let is = |name: &FilterRuleName| name.as_str().eq_ignore_ascii_case(wanted.as_str());
            let mut rules = rules.unwrap_or_default().iter();
            let found = rules.find(|rule| rule.name().is_some_and(is));
            found.and_then(|rule| rule.value()).unwrap_or_default()
        };
        let (prefix, suffix) = (rule(&FilterRuleName::Prefix), rule(&FilterRuleName::Suffix));
        created.then_some(Self { who, prefix, suffix })
    }

    /// Is it told of all of these?
    fn hears(&self, (prefix, suffix): (&str, &str)) -> bool {
        prefix.starts_with(self.prefix) && suffix.ends_with(self.suffix)
    }

    fn shown(&self) -> String {
        match (self.prefix, self.suffix) {
            ("", "") => self.who.to_owned(),
            (prefix, suffix) => format!("{} (of {prefix}*{suffix})", self.who),
        }
    }
}

fn notifications(
    client: &Client,
    bucket: &str,
    logs: &[&Logs],
    function: Option<&str>,
    checks: &mut Checks,
) {
    let get = client.get_bucket_notification_configuration().bucket(bucket);
    let found = match aws::runtime().block_on(get.send()) {
        Ok(found) => found,
        Err(error) => {
            checks.unknown(bucket, error);
            return;
        }
    };
    let queues = found.queue_configurations().iter();
    let queues = queues.filter_map(|to| Heard::new(to.queue_arn(), to.events(), to.filter()));
    let topics = found.topic_configurations().iter();
    let topics = topics.filter_map(|to| Heard::new(to.topic_arn(), to.events(), to.filter()));
    let functions = found.lambda_function_configurations().iter();
    let functions =
        functions.filter_map(|to| Heard::new(to.lambda_function_arn(), to.events(), to.filter()));
    let heard: Vec<Heard<'_>> = queues.chain(topics).chain(functions).collect();
    let mend = format!(
        "docs/deploying.md, \"Wire the buckets\", has the command that adds to what {bucket} has"
    );
    let is_on_bus = found.event_bridge_configuration().is_some();
    // Without a function somebody reads the bucket by hand, or by cron.
    let mut missing = |what: &str| {
        if function.is_some() {
            checks.fail(bucket, what, mend.clone());
        } else {
            checks.warn(bucket, what, mend.clone());
        }
    };
    let unheard: Vec<String> = logs
        .iter()
        .filter_map(|logs| logs.keys.as_ref().map(|(prefix, suffix)| (prefix.as_str(), *suffix)))
        .filter(|keys| !heard.iter().any(|heard| heard.hears(*keys)))
        .map(|(prefix, suffix)| format!("{prefix}*{suffix}"))
        .collect();
    let shown = heard.iter().map(Heard::shown).collect::<Vec<_>>().join(", ");
    if heard.is_empty() && !is_on_bus {
        missing("nobody is told of every new object, however it was stored");
    } else if !unheard.is_empty() && !is_on_bus {
        missing(&format!("nobody is told of all new {}: told is {shown}", unheard.join(" and ")));
    } else if heard.is_empty() {
        checks.ok(bucket, "new objects are told to EventBridge");
    } else {
        checks.ok(bucket, format!("new objects are told to {shown}"));
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::FilterRule;

    use super::*;

    fn filter(prefix: &str, suffix: &str) -> NotificationConfigurationFilter {
        let rule = |name: FilterRuleName, value: &str| {
            FilterRule::builder().name(name).value(value).build()
        };
        let key = S3KeyFilter::builder()
            .filter_rules(rule(FilterRuleName::from("Prefix"), prefix))
            .filter_rules(rule(FilterRuleName::Suffix, suffix))
            .build();
        NotificationConfigurationFilter::builder().key(key).build()
    }

    #[test]
    fn who_is_told_of_a_part_is_not_told_of_all() {
        let transcripts = Logs::transcripts("b", Some("sessions")).keys.unwrap();
        let trail = Logs::trail("b", None).keys.unwrap();
        let created = [Event::from("s3:ObjectCreated:*")];
        for (prefix, suffix, all_transcripts, all_of_trail) in [
            ("", "", true, true),
            ("sessions/", ".log", true, false),
            ("sess", "", true, false),
            ("sessions/prod/", "", false, false),
            ("AWSLogs/", ".gz", false, true),
            ("AWSLogs/111122223333/", "", false, false),
            ("", ".txt", false, false),
        ] {
            let filter = filter(prefix, suffix);
            let heard = Heard::new("q", &created, Some(&filter)).unwrap();
            let hears = |keys: &(String, &'static str)| heard.hears((&keys.0, keys.1));
            assert_eq!(
                (hears(&transcripts), hears(&trail)),
                (all_transcripts, all_of_trail),
                "{prefix}*{suffix}"
            );
        }
        assert!(Heard::new("q", &[Event::from("s3:ObjectCreated:Put")], None).is_none());
    }
}

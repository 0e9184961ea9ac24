//! Trails: is there one that has every call of every region, and can it be trusted?

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{ReadWriteType, Trail};

use super::buckets::Logs;
use super::check::Checks;

/// Where trails write to is added to `logs`.
pub(crate) fn check(client: &Client, logs: &mut Vec<Logs>) -> Checks {
    let mut checks = Checks::new("trail");
    let trails = match aws::runtime().block_on(client.describe_trails().send()) {
        Ok(found) => found.trail_list.unwrap_or_default(),
        Err(error) => {
            checks.unknown("trails", error);
            return checks;
        }
    };
    let mut covers = false;
    for trail in &trails {
        let prefix = trail.s3_key_prefix();
        logs.extend(trail.s3_bucket_name().map(|bucket| Logs::trail(bucket, prefix)));
        covers |= one(client, trail, &mut checks);
    }
    if !covers {
        let create = "aws cloudtrail create-trail --name audit --s3-bucket-name my-trail --is-multi-region-trail \
                      --enable-log-file-validation && aws cloudtrail start-logging --name audit";
        checks.fail("trails", "no trail is logging the management events of every region: nobody can tell who opened a session", create);
    }
    checks
}

/// Does it cover every region, and is it logging?
fn one(client: &Client, trail: &Trail, checks: &mut Checks) -> bool {
    let name = trail.name().unwrap_or_default().to_owned();
    let arn = trail.trail_arn().unwrap_or(&name).to_owned();
    let everywhere = trail.is_multi_region_trail() == Some(true);
    if !everywhere {
        checks.warn(
            &name,
            "of one region only: sessions in others are not in it",
            format!("aws cloudtrail update-trail --name {arn} --is-multi-region-trail"),
        );
    }
    if trail.log_file_validation_enabled() == Some(true) {
        checks.ok(&name, "its files can be proved: log file validation is on");
    } else {
        checks.warn(
            &name,
            "log file validation is off: a file that was changed or deleted cannot be told",
            format!("aws cloudtrail update-trail --name {arn} --enable-log-file-validation"),
        );
    }
    let is_logging = match aws::runtime().block_on(client.get_trail_status().name(&arn).send()) {
        Ok(status) => {
            if let Some(error) = status.latest_delivery_error().filter(|error| !error.is_empty()) {
                checks.fail(
                    &name,
                    format!("its last delivery failed: {error}"),
                    format!("aws cloudtrail get-trail-status --name {arn}"),
                );
            }
            status.is_logging() == Some(true)
        }
        Err(error) => {
            checks.unknown(&name, error);
            return false;
        }
    };
    if !is_logging {
        checks.fail(&name, "it is stopped", format!("aws cloudtrail start-logging --name {arn}"));
        return false;
    }
    let has_calls =
        match aws::runtime().block_on(client.get_event_selectors().trail_name(&arn).send()) {
            Ok(selectors) => {
                let simple = selectors.event_selectors();
                let advanced = selectors.advanced_event_selectors();
                let writes = |selector: &aws_sdk_cloudtrail::types::EventSelector| {
                    selector.include_management_events() != Some(false)
                        && selector.read_write_type() != Some(&ReadWriteType::ReadOnly)
                };
                let management = |selector: &aws_sdk_cloudtrail::types::AdvancedEventSelector| {
                    // One that asks for more than management events may leave out StartSession.
                    selector.field_selectors().iter().all(|field| match field.field() {
                        "eventCategory" => field.equals().iter().any(|value| value == "Management"),
                        "readOnly" => field.equals().iter().all(|value| value == "false"),
                        "eventSource" => {
                            let ssm = |value: &String| value == "ssm.amazonaws.com";
                            !field.not_equals().iter().any(ssm)
                                && (field.equals().is_empty() || field.equals().iter().any(ssm))
                        }
                        _ => false,
                    })
                };
                // A trail without any takes all management events.
                (simple.is_empty() && advanced.is_empty())
                    || simple.iter().any(writes)
                    || advanced.iter().any(management)
            }
            Err(error) => {
                checks.unknown(&name, error);
                return false;
            }
        };
    if !has_calls {
        checks.fail(
            &name,
            "it leaves out management events that write: StartSession is one",
            format!("aws cloudtrail put-event-selectors --trail-name {arn} --event-selectors '[{{\"ReadWriteType\": \"All\", \"IncludeManagementEvents\": true}}]'"),
        );
    }
    if everywhere && has_calls {
        checks.ok(&name, "it is logging the management events of every region");
    }
    everywhere && has_calls
}

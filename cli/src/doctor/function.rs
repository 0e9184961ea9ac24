//! The function: is it there, what hears it, and does it give back only what failed?

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionResponseType;

use super::check::Checks;

pub(crate) fn check(client: &Client, name: &str) -> Checks {
    let mut checks = Checks::new("function");
    let found = match aws::runtime()
        .block_on(client.get_function_configuration().function_name(name).send())
    {
        Ok(found) => found,
        Err(error) => {
            checks.unknown(name, error);
            return checks;
        }
    };
    let none = std::collections::HashMap::new();
    let variables =
        found.environment().and_then(|environment| environment.variables()).unwrap_or(&none);
    match variables.get("SSM_AUDIT_STORE").filter(|store| store.starts_with("s3://")) {
        Some(store) => checks.ok(name, format!("it keeps its facts in {store}")),
        None => checks.fail(
            name,
            "it has no SSM_AUDIT_STORE, and does not begin",
            "docs/lambda.md lists the environment",
        ),
    }
    if !variables.contains_key("SSM_AUDIT_TOPIC_ARN") && !variables.contains_key("SSM_AUDIT_ROUTES")
    {
        checks.warn(
            name,
            "nobody hears of what it finds",
            "set SSM_AUDIT_TOPIC_ARN or SSM_AUDIT_ROUTES (docs/lambda.md)",
        );
    }
    let timeout = found.timeout().unwrap_or(3);
    if timeout < 60 {
        checks.warn(
            name,
            format!("its time is {timeout} s: a large recording is given back again and again"),
            format!(
                "aws lambda update-function-configuration --function-name {name} --timeout 180"
            ),
        );
    }
    match aws::runtime().block_on(client.list_event_source_mappings().function_name(name).send()) {
        Ok(mappings) => {
            let mappings = mappings.event_source_mappings.unwrap_or_default();
            for mapping in &mappings {
                let source = mapping.event_source_arn().unwrap_or_default();
                let uuid = mapping.uuid().unwrap_or_default();
                if mapping.state() != Some("Enabled") {
                    let state = mapping.state().unwrap_or("unknown");
                    checks.fail(
                        name,
                        format!("what comes to {source} does not reach it: the mapping is {state}"),
                        format!("aws lambda update-event-source-mapping --uuid {uuid} --enabled"),
                    );
                }
                if mapping
                    .function_response_types()
                    .contains(&FunctionResponseType::ReportBatchItemFailures)
                {
                    checks.ok(name, format!("of {source} it gives back only what failed"));
                } else {
                    checks.fail(
                        name,
                        format!("of {source} what it gives back is not listened to, and is lost"),
                        format!("aws lambda update-event-source-mapping --uuid {uuid} --function-response-types ReportBatchItemFailures"),
                    );
                }
            }
            if mappings.is_empty() {
                checks.warn(
                    name,
                    "no queue or stream leads to it",
                    "deploy/sam/template.yaml has a queue; direct notifications work too",
                );
            }
        }
        Err(error) => checks.unknown(name, error),
    }
    checks
}

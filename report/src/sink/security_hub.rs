//! AWS Security Hub: an alert is a finding in its format (ASFF), and an update updates that finding.

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::config::{Builder, Region};
use aws_sdk_securityhub::types::{
    AwsSecurityFinding, FindingProviderFields, FindingProviderSeverity, Recommendation,
    RecordState, Remediation, Resource, Severity, SeverityLabel,
};
use jiff::Timestamp;

use super::{Receipt, Sink, SinkError};
use crate::alert::{Alert, facts, short, text};

/// Characters that Security Hub takes: of a title, a description, a recommendation, a field of one's own.
const TITLE: usize = 256;
const DESCRIPTION: usize = 1024;
const RECOMMENDATION: usize = 512;
const FIELD: usize = 2048;
/// What kind of finding it is, in the format's own words.
const KIND: &str = "Unusual Behaviors/User";

pub(super) struct SecurityHub {
    client: Client,
    product: String,
    account: String,
    partition: String,
}

impl SecurityHub {
    pub(super) fn open(product: &str) -> Result<Self, SinkError> {
        let parts: Vec<&str> = product.splitn(6, ':').collect();
        let ["arn", partition, "securityhub", region, account, rest] = parts.as_slice() else {
            return Err(SinkError(format!(
                "`{product}` is not the ARN of a Security Hub product, such as \
                 arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"
            )));
        };
        // The default product of an account takes that account's findings and no others.
        let account = rest.split('/').nth(1).filter(|own| own.len() == 12).unwrap_or(account);
        let config = Builder::from(aws::config()).region(Region::new((*region).to_owned()));
        Ok(Self {
            client: Client::from_conf(config.build()),
            product: product.to_owned(),
            account: account.to_owned(),
            partition: (*partition).to_owned(),
        })
    }

    fn finding(&self, alert: &Alert, now: Timestamp) -> AwsSecurityFinding {
        let label = SeverityLabel::from(alert.level.to_uppercase().as_str());
        let first = alert.first.unwrap_or(now).to_string();
        let mut finding = AwsSecurityFinding::builder()
            .schema_version("2018-10-08")
            .id(format!("{}/{}", self.product, alert.alert_id))
            .product_arn(&self.product)
            .generator_id(format!("ssm-audit/{}", alert.rule_id))
            .aws_account_id(&self.account)
            .created_at(&first)
            .updated_at(now.to_string())
            .first_observed_at(&first)
            .last_observed_at(alert.last.unwrap_or(now).to_string())
            .types(KIND)
            .severity(Severity::builder().label(label.clone()).build())
            .finding_provider_fields(
                FindingProviderFields::builder()
                    .severity(FindingProviderSeverity::builder().label(label).build())
                    .types(KIND)
                    .build(),
            )
            .title(short(&alert.rule_title, TITLE))
            .description(short(&text(alert), DESCRIPTION))
            .record_state(RecordState::Active)
            .resources(self.resource(alert));
        if let Some(next) = alert.next.first() {
            let text = Recommendation::builder().text(short(next, RECOMMENDATION)).build();
            finding = finding.remediation(Remediation::builder().recommendation(text).build());
        }
        for (name, value) in facts(alert) {
            finding = finding.product_fields(format!("ssm-audit/{name}"), short(&value, FIELD));
        }
        finding.build()
    }

    /// What it is about: the node, else whoever did it.
    fn resource(&self, alert: &Alert) -> Resource {
        let known = alert.account.as_deref().zip(alert.region.as_deref());
        let node = alert.target.as_deref().zip(known);
        let (kind, id) = match node {
            Some((node, (account, region))) if node.starts_with("i-") => {
                let partition = &self.partition;
                (
                    "AwsEc2Instance",
                    format!("arn:{partition}:ec2:{region}:{account}:instance/{node}"),
                )
            }
            Some((node, _)) => ("Other", node.to_owned()),
            None => {
                let who = alert.principal.as_deref().or(alert.session_id.as_deref());
                ("Other", who.unwrap_or("unknown").to_owned())
            }
        };
        let mut resource = Resource::builder().r#type(kind).id(short(&id, 512));
        if let Some(region) = alert.region.as_deref().filter(|region| region.len() <= 16) {
            resource = resource.region(region);
        }
        resource.build()
    }
}

impl Sink for SecurityHub {
    fn send(&self, alert: &Alert, now: Timestamp) -> Result<Receipt, SinkError> {
        let import = self.client.batch_import_findings().findings(self.finding(alert, now));
        let answer =
            aws::runtime().block_on(import.send()).map_err(|error| SinkError(aws::told(&error)))?;
        // The call succeeds where the finding does not: what was refused is tried again.
        match answer.failed_findings().first() {
            None => Ok(Receipt::default()),
            Some(failed) => Err(SinkError(format!(
                "{}: {}",
                failed.error_code().unwrap_or("refused"),
                failed.error_message().unwrap_or("without a reason")
            ))),
        }
    }
}

//! The fields that events of each kind can have.

use model::{EventKind, SESSION_FIELDS};

use crate::calendar::Calendars;
use crate::sigma::spelling;

/// CloudTrail's record (User Guide, "CloudTrail record contents" and "userIdentity element"). A name that ends
/// with `.*` has whatever the service puts there.
const CLOUDTRAIL: &[&str] = &[
    "addendum.*",
    "additionalEventData.*",
    "apiVersion",
    "awsRegion",
    "edgeDeviceDetails.*",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventContext.*",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "insightDetails.*",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "requestParameters.*",
    "resources.ARN",
    "resources.accountId",
    "resources.arn",
    "resources.type",
    "responseElements.*",
    "serviceEventDetails.*",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "tlsDetails.cipherSuite",
    "tlsDetails.clientProvidedHostHeader",
    "tlsDetails.keyExchange",
    "tlsDetails.tlsVersion",
    "userAgent",
    "userIdentity.accessKeyId",
    "userIdentity.accountId",
    "userIdentity.arn",
    "userIdentity.credentialId",
    "userIdentity.identityProvider",
    "userIdentity.inScopeOf.*",
    "userIdentity.invokedBy",
    "userIdentity.invokedByDelegate.*",
    "userIdentity.onBehalfOf.identityStoreArn",
    "userIdentity.onBehalfOf.userId",
    "userIdentity.principalId",
    "userIdentity.sessionContext.assumedRoot",
    "userIdentity.sessionContext.attributes.creationDate",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.ec2IssuedInVpc",
    "userIdentity.sessionContext.ec2RoleDelivery",
    "userIdentity.sessionContext.sessionIssuer.accountId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.principalId",
    "userIdentity.sessionContext.sessionIssuer.type",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.sessionContext.signInSessionArn",
    "userIdentity.sessionContext.sourceIdentity",
    "userIdentity.sessionContext.webIdFederationData.attributes.*",
    "userIdentity.sessionContext.webIdFederationData.federatedProvider",
    "userIdentity.type",
    "userIdentity.userName",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

const PROCESS: &[&str] =
    &["CommandLine", "CurrentDirectory", "Image", "LogonId", "ParentImage", "User"];

const COMMAND: &[&str] =
    &["confidence", "cwd", "form", "host", "level", "ordinal", "status", "text", "user"];

const TRANSCRIPT: &[&str] = &["commands", "complete", "form", "observation"];

/// The columns of the sessions view.
const SESSION: &[&str] = &[
    "account",
    "commands",
    "coverage",
    "coverage_reason",
    "document",
    "duration_s",
    "end_source",
    "findings",
    "highest_level",
    "kind",
    "mfa",
    "principal_arn",
    "principal_name",
    "principal_type",
    "reason",
    "region",
    "run_as",
    "source_ip",
    "target",
    "user_agent",
];

/// The fields that an event of `kind` has of its own.
pub const fn own(kind: EventKind) -> &'static [&'static str] {
    match kind {
        EventKind::CloudTrail => CLOUDTRAIL,
        EventKind::LinuxProcess | EventKind::MacosProcess | EventKind::WindowsProcess => PROCESS,
        EventKind::Command => COMMAND,
        EventKind::Transcript => TRANSCRIPT,
        EventKind::Session | EventKind::Coverage => SESSION,
    }
}

/// Can a field of this kind of event have one value only?
pub(super) fn is_single(kind: EventKind, field: &str) -> bool {
    match kind {
        EventKind::CloudTrail => own(kind).contains(&field) && !field.starts_with("resources."),
        // A line that had to be mended goes along as it was shown.
        EventKind::Command => field != "text" && own(kind).contains(&field),
        EventKind::Transcript => field != "observation" && own(kind).contains(&field),
        _ => own(kind).contains(&field),
    }
}

/// Is there a field of this name?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// There is.
    Yes,
    /// There is none; this one may have been meant.
    No(Option<String>),
}

/// Do events of these kinds have the field?
pub(super) fn known(field: &str, kinds: &[EventKind], calendars: &Calendars) -> Known {
    let session = SESSION_FIELDS.iter().map(|name| format!("session.{name}"));
    let calendar = calendars.keys().map(|name| format!("calendar.{name}"));
    let own = kinds.iter().flat_map(|kind| own(*kind)).map(|name| (*name).to_owned());
    let known: Vec<String> = own.chain(session).chain(calendar).collect();
    let is_known = known.iter().any(|name| match name.strip_suffix(".*") {
        Some(open) => {
            field.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        // An object is a value too: its own text.
        None => {
            name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
    });
    if is_known {
        return Known::Yes;
    }
    let names = || known.iter().map(|name| name.trim_end_matches(".*"));
    let near = names()
        .find(|name| name.eq_ignore_ascii_case(field))
        .or_else(|| {
            // The last part of a longer name, as people remember it.
            names().find(|name| name.rsplit('.').next().is_some_and(|last| last == field))
        })
        .or_else(|| spelling::nearest(field, names()))
        .or_else(|| {
            // Right below a name that is nearly right.
            names().find(|name| {
                field.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case(name))
            })
        });
    Known::No(near.map(str::to_owned))
}

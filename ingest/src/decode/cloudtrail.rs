//! A CloudTrail record, read in earnest: only for the few that a rule matched or that tell of a session.
//!
//! Every field is optional and may be of another type than documented (FORMATS B1): `requestParameters`
//! is an object, null, or the text `HIDDEN_DUE_TO_SECURITY_REASONS`; `userIdentity` may be empty. A field
//! of the wrong type reads as absent here, never as an error of the whole record.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use model::{Principal, PrincipalType, Session, SessionId, SessionKind};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::time::parse_time;

/// A JSON object, one level opened; values stay as they were written.
#[derive(Debug, Default)]
struct Object<'a>(Vec<(Key<'a>, &'a RawValue)>);

/// A key: borrowed where it is written without escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::with_capacity(24);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl<'a> Object<'a> {
    fn parse(raw: &'a str) -> Self {
        serde_json::from_str(raw).unwrap_or_default()
    }

    /// The value under `key`: of several the last.
    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, _)| name.0 == key).map(|(_, value)| *value)
    }

    /// The object under `key`; empty where there is none.
    fn object(&self, key: &str) -> Self {
        self.get(key).map(|raw| Self::parse(raw.get())).unwrap_or_default()
    }

    /// Text, or a number or boolean as written; `None` for null, objects and arrays.
    fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        let raw = self.get(key)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str::<Cow<'a, str>>(raw).ok(),
            b'{' | b'[' | b'n' => None,
            _ => Some(Cow::Borrowed(raw)),
        }
    }

    fn string(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| !text.is_empty()).map(Cow::into_owned)
    }

    /// `true`/`false`, or the same as text, which is how CloudTrail writes `mfaAuthenticated`.
    fn flag(&self, key: &str) -> Option<bool> {
        self.text(key)?.to_ascii_lowercase().parse().ok()
    }
}

/// What the rest of the product wants to know of a record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// `eventID`.
    pub event_id: Option<String>,
    /// `eventName`.
    pub event_name: Option<String>,
    /// `eventSource`.
    pub event_source: Option<String>,
    /// `eventTime`.
    pub time: Option<Timestamp>,
    /// `awsRegion`.
    pub region: Option<String>,
    /// `recipientAccountId`, else the caller's account.
    pub account: Option<String>,
    /// `sourceIPAddress`: an address, or a service's name.
    pub source_ip: Option<String>,
    /// `userAgent`.
    pub user_agent: Option<String>,
    /// `errorCode`.
    pub error_code: Option<String>,
    /// `errorMessage`.
    pub error_message: Option<String>,
    /// `userIdentity`.
    pub principal: Principal,
    /// The node or container that the call was about, where the call has one.
    pub target: Option<String>,
    /// The session that the call opened, resumed or ended.
    pub session_id: Option<SessionId>,
    /// `requestParameters.documentName`.
    pub document: Option<String>,
    /// `requestParameters.reason`.
    pub reason: Option<String>,
}

/// The bytes are not a JSON object.
#[derive(Debug, thiserror::Error)]
#[error("not a record: {0}")]
pub struct BadRecord(serde_json::Error);

impl Record {
    /// Reads a record.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadRecord> {
        let top: Object<'_> = serde_json::from_slice(bytes).map_err(BadRecord)?;
        let request = top.object("requestParameters");
        let response = top.object("responseElements");
        let principal = principal(&top.object("userIdentity"));
        let error_message = top.string("errorMessage");
        let session_id = response
            .string("sessionId")
            .or_else(|| response.object("session").string("sessionId"))
            .or_else(|| request.string("sessionId"))
            .map(SessionId::new);
        let target = target(&request, &response, error_message.as_deref());
        Ok(Self {
            event_id: top.string("eventID"),
            event_name: top.string("eventName"),
            event_source: top.string("eventSource"),
            time: top.text("eventTime").and_then(|text| parse_time(&text)),
            region: top.string("awsRegion"),
            account: top.string("recipientAccountId").or_else(|| principal.account.clone()),
            source_ip: top.string("sourceIPAddress"),
            user_agent: top.string("userAgent"),
            error_code: top.string("errorCode"),
            error_message,
            principal,
            target,
            session_id,
            document: request.string("documentName"),
            reason: request.string("reason"),
        })
    }

    /// Did the call fail?
    pub const fn failed(&self) -> bool {
        self.error_code.is_some()
    }

    /// The session that this record opened: a `StartSession` or `ExecuteCommand` that succeeded and
    /// names the session. The event source is checked, since Athena and `CloudShell` have calls of the
    /// same names (FORMATS B3).
    pub fn opened_session(&self) -> Option<Session> {
        let kind = match (self.event_source.as_deref()?, self.event_name.as_deref()?) {
            ("ssm.amazonaws.com", "StartSession") => {
                SessionKind::of_document(self.document.as_deref(), self.target.as_deref())
            }
            ("ecs.amazonaws.com", "ExecuteCommand") => Some(SessionKind::EcsExec),
            _ => return None,
        };
        if self.failed() {
            return None;
        }
        Some(Session {
            id: self.session_id.clone()?,
            principal: Some(self.principal.clone()),
            target: self.target.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            document: self.document.clone(),
            kind,
            reason: self.reason.clone(),
            start: self.time,
            event_id: self.event_id.clone(),
        })
    }
}

fn principal(identity: &Object<'_>) -> Principal {
    let context = identity.object("sessionContext");
    let attributes = context.object("attributes");
    let issuer = context.object("sessionIssuer");
    let kind = match identity.text("type") {
        Some(word) => PrincipalType::from(&*word),
        // Service events carry `invokedBy` and no type (FORMATS B2).
        None if identity.text("invokedBy").is_some() => PrincipalType::AwsService,
        None => PrincipalType::Unknown,
    };
    let mut principal = Principal {
        kind,
        arn: identity.string("arn"),
        account: identity.string("accountId"),
        principal_id: identity.string("principalId"),
        user_name: identity.string("userName"),
        issuer_arn: issuer.string("arn"),
        issuer_name: issuer.string("userName"),
        claimed_name: None,
        source_identity: context.string("sourceIdentity"),
        access_key_id: identity.string("accessKeyId"),
        mfa: attributes.flag("mfaAuthenticated"),
        invoked_by: identity.string("invokedBy"),
        on_behalf_of: identity.object("onBehalfOf").string("userId"),
    };
    principal.claim_name_from_arn();
    principal
}

/// The node, from wherever this call keeps it. A refused call has no parameters at all: its target stands
/// only in the message (FORMATS B3).
fn target(
    request: &Object<'_>,
    response: &Object<'_>,
    error_message: Option<&str>,
) -> Option<String> {
    request
        .string("target")
        .or_else(|| request.string("instanceId"))
        .or_else(|| request.string("InstanceId"))
        .or_else(|| response.string("taskArn"))
        .or_else(|| error_message.and_then(target_of_refusal))
}

/// `…is not authorized to perform: ssm:StartSession on resource: arn:aws:ec2:R:A:instance/i-… because…`
fn target_of_refusal(message: &str) -> Option<String> {
    let (_, resource) = message.split_once("on resource: ")?;
    let arn = resource.split_whitespace().next()?;
    let (kind, id) = arn.rsplit(':').next()?.split_once('/')?;
    matches!(kind, "instance" | "managed-instance" | "task").then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_session_is_read_whole() {
        let record = Record::parse(
            br#"{"eventSource":"ssm.amazonaws.com","eventName":"StartSession","eventID":"e-1",
            "eventTime":"2026-10-05T09:00:00Z","awsRegion":"eu-central-1","recipientAccountId":"111122223333",
            "userIdentity":{"type":"AssumedRole","accountId":"111122223333",
              "arn":"arn:aws:sts::111122223333:assumed-role/Ops/maya@example.com",
              "sessionContext":{"attributes":{"mfaAuthenticated":"true"},
                "sessionIssuer":{"userName":"Ops","arn":"arn:aws:iam::111122223333:role/Ops"}}},
            "requestParameters":{"target":"i-0123456789abcdef0"},
            "responseElements":{"sessionId":"maya-0d225423a59c47fc5","tokenValue":"hidden"}}"#,
        )
        .unwrap();
        let session = record.opened_session().unwrap();
        assert_eq!(session.id.as_str(), "maya-0d225423a59c47fc5");
        assert_eq!(session.kind, Some(SessionKind::Shell));
        let principal = session.principal.unwrap();
        assert_eq!(principal.mfa, Some(true));
        assert_eq!(principal.claimed_name.as_deref(), Some("maya@example.com"));
        assert_eq!(principal.user_name, None);
    }

    #[test]
    fn any_field_may_be_missing_or_of_another_type() {
        for text in [
            "{}",
            r#"{"userIdentity":{}}"#,
            r#"{"userIdentity":null,"requestParameters":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            r#"{"userIdentity":[],"eventTime":17,"responseElements":false,"eventName":{"a":1}}"#,
            r#"{"userIdentity":{"sessionContext":"x","type":null,"invokedBy":"kms.amazonaws.com"}}"#,
        ] {
            let record = Record::parse(text.as_bytes()).unwrap();
            assert!(record.opened_session().is_none(), "{text}");
        }
    }

    #[test]
    fn a_refused_call_names_its_node_in_the_message() {
        let record = Record::parse(
            br#"{"eventSource":"ssm.amazonaws.com","eventName":"StartSession","errorCode":"AccessDenied",
            "errorMessage":"User: arn:aws:iam::111122223333:user/x is not authorized to perform: ssm:StartSession on resource: arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0 because no identity-based policy allows it",
            "requestParameters":null,"responseElements":null}"#,
        )
        .unwrap();
        assert_eq!(record.target.as_deref(), Some("i-0123456789abcdef0"));
        assert!(record.opened_session().is_none());
    }

    #[test]
    fn athena_sessions_are_not_ours() {
        let record = Record::parse(
            br#"{"eventSource":"athena.amazonaws.com","eventName":"StartSession",
            "responseElements":{"sessionId":"maya-0d225423a59c47fc5"}}"#,
        )
        .unwrap();
        assert!(record.opened_session().is_none());
    }
}

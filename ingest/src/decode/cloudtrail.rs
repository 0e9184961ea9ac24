//! A CloudTrail record, read in earnest: only for the few that a rule matched or that tell of a session.
//!
//! Every field is optional and may be of another type than documented (FORMATS B1): `requestParameters`
//! is an object, null, or the text `HIDDEN_DUE_TO_SECURITY_REASONS`; `userIdentity` may be empty. A field
//! of the wrong type reads as absent here, never as an error of the whole record.

use jiff::Timestamp;
use model::{Principal, PrincipalType, Session, SessionId, SessionKind};

use super::RawRecord;
use super::texts::{Text, Texts};

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
pub struct BadRecord(pub(super) serde_json::Error);

impl Record {
    /// Reads a record.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadRecord> {
        Texts::parse(bytes).map(|texts| Self::of(&texts))
    }

    /// Reads what a decoder tells of: only those of its values that are asked for, where it is known where they stand.
    pub fn read(raw: &RawRecord<'_>) -> Result<Self, BadRecord> {
        Texts::read(raw).map(|texts| Self::of(&texts))
    }

    /// What its texts say.
    pub fn of(texts: &Texts<'_>) -> Self {
        let principal = principal(texts);
        let error_message = texts.string(Text::ErrorMessage);
        let session_id = texts
            .string(Text::SessionOpened)
            .or_else(|| texts.string(Text::SessionOfTask))
            .or_else(|| texts.string(Text::SessionAsked))
            .map(SessionId::new);
        let target = target(texts, error_message.as_deref());
        Self {
            event_id: texts.string(Text::EventId),
            event_name: texts.string(Text::EventName),
            event_source: texts.string(Text::EventSource),
            time: texts.time(),
            region: texts.string(Text::Region),
            account: texts.account().map(str::to_owned),
            source_ip: texts.string(Text::SourceIp),
            user_agent: texts.string(Text::UserAgent),
            error_code: texts.string(Text::ErrorCode),
            error_message,
            principal,
            target,
            session_id,
            document: texts.string(Text::Document),
            reason: texts.string(Text::Reason),
        }
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

fn principal(texts: &Texts<'_>) -> Principal {
    let kind = match texts.get(Text::Type) {
        Some(word) => PrincipalType::from(word),
        // Service events carry `invokedBy` and no type (FORMATS B2).
        None if texts.get(Text::InvokedBy).is_some() => PrincipalType::AwsService,
        None => PrincipalType::Unknown,
    };
    let mut principal = Principal {
        kind,
        arn: texts.string(Text::Arn),
        account: texts.string(Text::AccountId),
        principal_id: texts.string(Text::PrincipalId),
        user_name: texts.string(Text::UserName),
        issuer_arn: texts.string(Text::IssuerArn),
        issuer_name: texts.string(Text::IssuerName),
        claimed_name: None,
        source_identity: texts.string(Text::SourceIdentity),
        access_key_id: texts.string(Text::AccessKeyId),
        mfa: texts.flag(Text::MfaAuthenticated),
        invoked_by: texts.string(Text::InvokedBy),
        on_behalf_of: texts.string(Text::OnBehalfOf),
    };
    principal.claim_name_from_arn();
    principal
}

/// The node, from wherever this call keeps it. A refused call has no parameters at all: its target stands
/// only in the message (FORMATS B3).
fn target(texts: &Texts<'_>, error_message: Option<&str>) -> Option<String> {
    texts
        .string(Text::Target)
        .or_else(|| texts.string(Text::InstanceId))
        .or_else(|| texts.string(Text::InstanceIdUpper))
        .or_else(|| texts.string(Text::TaskArn))
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
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::Members;
    use super::super::head::Head;
    use super::super::json::{Scan, scan_object};
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
    fn of_what_is_there_twice_the_last_is_the_one() {
        let record = Record::parse(
            br#"{"eventName":"A","eventName":"B","awsRegion":"x","awsRegion":null,"recipientAccountId":111122223333,"errorCode":1e999,"userAgent":{"a":[]},
            "userIdentity":{"arn":"a","type":"IAMUser","sessionContext":{"sourceIdentity":"s"}},
            "userIdentity":{"type":"Root","\u0061rn":"\u0062","more":[{"arn":"c"}]}} "#,
        )
        .unwrap();
        assert_eq!(record.event_name.as_deref(), Some("B"));
        assert_eq!((record.region, record.account.as_deref()), (None, Some("111122223333")));
        assert_eq!((record.error_code.as_deref(), record.user_agent), (Some("1e999"), None));
        assert_eq!(record.principal.arn.as_deref(), Some("b"));
        assert_eq!(record.principal.source_identity, None);
        let twice = br#"{"userIdentity":{"arn":"a"},"userIdentity":"none"}"#;
        assert_eq!(Record::parse(twice).unwrap().principal.arn, None);
        for broken in ["", "[]", "1", "{", r#"{"a":1}}"#, r#"{"a" 1}"#] {
            assert!(Record::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        for length in [0, 1, 254, 255, 256, 70_000] {
            let (long, name) = ("x".repeat(length), "Start\u{e9}");
            let bytes = format!(
                r#"{{"eventName":"{name}","errorMessage":"{long}","requestParameters":{{"reason":"{long}"}}}}"#
            );
            let packed = Texts::parse(bytes.as_bytes()).unwrap().pack();
            let record = Record::of(&packed.texts());
            assert_eq!(record.event_name.as_deref(), Some(name));
            // Of a long one the beginning.
            let expected = Some(&long[..length.min(4096)]).filter(|text| !text.is_empty());
            assert_eq!(
                (record.error_message.as_deref(), record.reason.as_deref()),
                (expected, expected)
            );
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

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c\\\\\"{}:,]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            let keys = "type|arn|userName|sessionContext|sessionIssuer|attributes|mfaAuthenticated|target|sessionId|session|a.b";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(keys, inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Law 3: what is read where it stands is what is read in all.
        #[test]
        fn a_record_is_the_same_however_it_is_read(
            members in prop::collection::vec((
                "eventName|eventTime|errorCode|userIdentity|requestParameters|responseElements|awsRegion|x|a\\.b", value()
            ), 0..8),
        ) {
            let members = members.iter().map(|(key, value)| format!("\"{key}\": {value}"));
            let text = format!("{{{}}}", members.collect::<Vec<_>>().join(" ,"));
            let mut head = Head::default();
            let end = scan_object::<false>(text.as_bytes(), &mut head);
            prop_assert_eq!(end, Scan::End(text.len()));
            let raw = RawRecord {
                bytes: text.as_bytes(),
                offset: 0,
                event_source: None,
                event_name: None,
                event_id: None,
                account: None,
                members: Some(Members(&head, text.as_bytes())),
            };
            let (one, other) = (Texts::read(&raw).unwrap(), Record::parse(raw.bytes).unwrap());
            prop_assert_eq!(format!("{:?}", Record::of(&one)), format!("{other:?}"), "{}", text);
            let packed = one.pack();
            let again = Record { user_agent: other.user_agent.clone(), ..Record::of(&packed.texts()) };
            prop_assert_eq!(format!("{again:?}"), format!("{other:?}"), "{}", text);
        }
    }
}

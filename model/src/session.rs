//! A session: its id, what kind of access it gave, and what CloudTrail said when it began.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Principal;

/// A Session Manager session id, opaque.
///
/// Seen forms are `<login>-0` + 16 hex digits (until about 2023) and `<login>-` + 26 of `[a-z0-9]`, but
/// the API promises no pattern (1 to 96 characters), so none is demanded (FORMATS A8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Arc<str>);

/// The login name in front of a session id. *Claimed*: for an assumed role it is the role session name,
/// which the caller of `AssumeRole` chose. Never an identity; the CloudTrail ARN is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedLogin<'a>(pub &'a str);

impl SessionId {
    /// The longest id that the API allows.
    pub const MAX_LEN: usize = 96;

    /// Takes an id as it comes.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the generated suffix, read from the right, because login names contain dashes.
    /// `None` where the suffix has neither known form.
    pub fn claimed_login(&self) -> Option<ClaimedLogin<'_>> {
        let (login, suffix) = self.0.rsplit_once('-')?;
        let hex = suffix.len() == 17
            && suffix.starts_with('0')
            && suffix.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let base36 = suffix.len() == 26
            && suffix.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        (!login.is_empty() && (hex || base36)).then_some(ClaimedLogin(login))
    }

    /// Does `text` have the form of a session id with a known suffix?
    pub fn looks_like(text: &str) -> bool {
        text.len() <= Self::MAX_LEN && Self::new(text).claimed_login().is_some()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session gave access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionKind {
    /// An interactive shell: the default document, or one like it.
    Shell,
    /// A port on the node. The service records nothing of what passes.
    PortForward,
    /// A port on a host behind the node. Nothing is recorded.
    PortForwardRemote,
    /// SSH or SCP through the tunnel. Nothing is recorded.
    Ssh,
    /// A command or shell in an ECS container.
    EcsExec,
    /// One command, interactive.
    InteractiveCommand,
    /// One command, its output only.
    NoninteractiveCommand,
}

impl SessionKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Shell,
        Self::PortForward,
        Self::PortForwardRemote,
        Self::Ssh,
        Self::EcsExec,
        Self::InteractiveCommand,
        Self::NoninteractiveCommand,
    ];

    /// The kind that AWS's own documents open. A custom document may do anything: `None`, which a reader
    /// must not take for "shell".
    pub fn of_document(document: Option<&str>, target: Option<&str>) -> Option<Self> {
        if target.is_some_and(|t| t.starts_with("ecs:")) {
            return Some(Self::EcsExec);
        }
        match document {
            // The console and the CLI leave the document out for the account's preferences document.
            None | Some("SSM-SessionManagerRunShell") => Some(Self::Shell),
            Some("AWS-StartPortForwardingSession" | "AWS-StartPortForwardingSessionToSocket") => {
                Some(Self::PortForward)
            }
            Some("AWS-StartPortForwardingSessionToRemoteHost") => Some(Self::PortForwardRemote),
            Some("AWS-StartSSHSession") => Some(Self::Ssh),
            Some("AWS-StartInteractiveCommand") => Some(Self::InteractiveCommand),
            Some("AWS-StartNonInteractiveCommand") => Some(Self::NoninteractiveCommand),
            Some(_) => None,
        }
    }

    /// Can the service record what happens in such a session? (FORMATS A10)
    pub const fn is_recordable(self) -> bool {
        !matches!(self, Self::PortForward | Self::PortForwardRemote | Self::Ssh)
    }

    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::PortForward => "port-forward",
            Self::PortForwardRemote => "port-forward-remote",
            Self::Ssh => "ssh",
            Self::EcsExec => "ecs-exec",
            Self::InteractiveCommand => "interactive-command",
            Self::NoninteractiveCommand => "noninteractive-command",
        }
    }
}

impl fmt::Display for SessionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of a session, from CloudTrail's record of its start (`StartSession`, or `ExecuteCommand`
/// for ECS) or, for the streamed form, from the log events' own header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id that CloudTrail, the object key and the log stream share.
    pub id: SessionId,
    /// Who opened it, as AWS authenticated them.
    pub principal: Option<Principal>,
    /// The node: `i-…`, `mi-…`, `ecs:…`, or an ECS task ARN.
    pub target: Option<String>,
    /// The account that the session ran in.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The session document, where the call named one.
    pub document: Option<String>,
    /// What it gave access to; `None` for a custom document.
    pub kind: Option<SessionKind>,
    /// The reason that the caller gave.
    pub reason: Option<String>,
    /// When it was opened.
    pub start: Option<Timestamp>,
    /// CloudTrail's `eventID` of the start.
    pub event_id: Option<String>,
}

impl Session {
    /// A session of which only the id is known.
    pub fn unknown(id: SessionId) -> Self {
        Self {
            id,
            principal: None,
            target: None,
            account: None,
            region: None,
            document: None,
            kind: None,
            reason: None,
            start: None,
            event_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_read_from_the_right() {
        let cases = [
            ("robert-0d225423a59c47fc5", Some("robert")),
            ("alice@example.com-08f49b7ab51000c16", Some("alice@example.com")),
            ("i-0b1946ac92492d234-095b9ea1028d52b23", Some("i-0b1946ac92492d234")),
            ("a-b-c-wzleysigzmbd6fmkefjqvt5w4u", Some("a-b-c")),
            ("ecs-execute-command-0dfcb1f8c2e47585a", Some("ecs-execute-command")),
            ("root-0001234567abcde", None),
            ("-0d225423a59c47fc5", None),
            ("plain", None),
            ("", None),
        ];
        for (id, login) in cases {
            assert_eq!(SessionId::new(id).claimed_login().map(|l| l.0), login, "{id}");
        }
    }

    #[test]
    fn a_custom_document_has_no_known_kind() {
        assert_eq!(SessionKind::of_document(None, Some("i-1")), Some(SessionKind::Shell));
        assert_eq!(SessionKind::of_document(Some("SSM-sudo"), Some("i-1")), None);
        assert_eq!(SessionKind::of_document(None, Some("ecs:c_t_r")), Some(SessionKind::EcsExec));
        let ssh = SessionKind::of_document(Some("AWS-StartSSHSession"), None);
        assert!(ssh.is_some_and(|kind| !kind.is_recordable()));
    }
}

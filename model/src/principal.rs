//! Who: CloudTrail's `userIdentity` in all its variants, as one type.

use serde::{Deserialize, Serialize};

/// `userIdentity.type`. CloudTrail adds values over time and a service event may carry none at all
/// (FORMATS B2), so an unknown one is kept, not refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum PrincipalType {
    /// The account's root user.
    Root,
    /// An IAM user.
    IamUser,
    /// Temporary credentials of a role.
    AssumedRole,
    /// A role itself.
    Role,
    /// `GetFederationToken` credentials.
    FederatedUser,
    /// A directory service user.
    Directory,
    /// Another AWS account.
    AwsAccount,
    /// An AWS service acting on its own.
    AwsService,
    /// An IAM Identity Center user, not through a permission set.
    IdentityCenterUser,
    /// A SAML identity, while assuming a role.
    SamlUser,
    /// A web identity, while assuming a role.
    WebIdentityUser,
    /// CloudTrail could not tell, or the record has no type.
    #[default]
    Unknown,
    /// A type that this version does not know, as written.
    Other(String),
}

impl PrincipalType {
    /// CloudTrail's own word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "Root",
            Self::IamUser => "IAMUser",
            Self::AssumedRole => "AssumedRole",
            Self::Role => "Role",
            Self::FederatedUser => "FederatedUser",
            Self::Directory => "Directory",
            Self::AwsAccount => "AWSAccount",
            Self::AwsService => "AWSService",
            Self::IdentityCenterUser => "IdentityCenterUser",
            Self::SamlUser => "SAMLUser",
            Self::WebIdentityUser => "WebIdentityUser",
            Self::Unknown => "Unknown",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for PrincipalType {
    fn from(word: &str) -> Self {
        match word {
            "Root" => Self::Root,
            "IAMUser" => Self::IamUser,
            "AssumedRole" => Self::AssumedRole,
            "Role" => Self::Role,
            "FederatedUser" => Self::FederatedUser,
            "Directory" => Self::Directory,
            "AWSAccount" => Self::AwsAccount,
            "AWSService" => Self::AwsService,
            "IdentityCenterUser" => Self::IdentityCenterUser,
            "SAMLUser" => Self::SamlUser,
            "WebIdentityUser" => Self::WebIdentityUser,
            "Unknown" | "" => Self::Unknown,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl From<String> for PrincipalType {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

impl From<PrincipalType> for String {
    fn from(kind: PrincipalType) -> Self {
        kind.as_str().to_owned()
    }
}

/// Who made a call.
///
/// The fields above `claimed_name` were authenticated by AWS. `claimed_name` was *chosen by the caller*:
/// whoever may call `AssumeRole` picks any role session name, an e-mail address of a colleague included.
/// It may only be trusted where the identity provider sets it, which [`Principal::name_is_vouched`] tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// What kind of identity.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// `userIdentity.arn`.
    pub arn: Option<String>,
    /// `userIdentity.accountId`: the account that the identity belongs to.
    pub account: Option<String>,
    /// `userIdentity.principalId`, whose part before the colon AWS assigned.
    pub principal_id: Option<String>,
    /// The IAM user's or federated user's name: authenticated.
    pub user_name: Option<String>,
    /// The role behind temporary credentials (`sessionContext.sessionIssuer.arn`): authenticated.
    pub issuer_arn: Option<String>,
    /// The role's name.
    pub issuer_name: Option<String>,
    /// The role session name: claimed by the caller of `AssumeRole`.
    pub claimed_name: Option<String>,
    /// `sourceIdentity`, which the role's trust policy can force and which survives role chaining.
    pub source_identity: Option<String>,
    /// `accessKeyId`; `AKIA…` is a long-term key, `ASIA…` a temporary one.
    pub access_key_id: Option<String>,
    /// `mfaAuthenticated`. For a role behind SAML, OIDC or Identity Center it says nothing about the
    /// identity provider's own second factor (FORMATS B2).
    pub mfa: Option<bool>,
    /// The service that made the call on the identity's behalf.
    pub invoked_by: Option<String>,
    /// The Identity Center user (`onBehalfOf.userId`).
    pub on_behalf_of: Option<String>,
}

impl Principal {
    /// The best single name: the ARN, else what identifies the caller best among the rest.
    pub fn label(&self) -> Option<&str> {
        [
            &self.arn,
            &self.user_name,
            &self.on_behalf_of,
            &self.principal_id,
            &self.invoked_by,
            &self.account,
        ]
        .into_iter()
        .find_map(|field| field.as_deref().filter(|text| !text.is_empty()))
    }

    /// Is this a role that IAM Identity Center made for a permission set? The reserved name alone proves
    /// nothing: the issuer's ARN has to show the path in which nobody else can make a role.
    pub fn is_identity_center_role(&self) -> bool {
        let reserved_name =
            self.issuer_name.as_deref().is_some_and(|name| name.starts_with("AWSReservedSSO_"));
        let reserved_path = self
            .issuer_arn
            .as_deref()
            .is_some_and(|arn| arn.contains(":role/aws-reserved/sso.amazonaws.com/"));
        reserved_name && reserved_path
    }

    /// Was `claimed_name` set by a party that authenticated the person? True for Identity Center, which
    /// writes the user's name there; false where any caller of `AssumeRole` could have chosen it.
    pub fn name_is_vouched(&self) -> bool {
        self.claimed_name.is_some() && self.is_identity_center_role()
    }

    /// Does an instance, a function or a service act here, rather than a person? Role session names of
    /// instance profiles are the instance id.
    pub fn is_machine(&self) -> bool {
        self.kind == PrincipalType::AwsService
            || self.claimed_name.as_deref().is_some_and(|name| {
                name.strip_prefix("i-").or_else(|| name.strip_prefix("mi-")).is_some_and(|id| {
                    matches!(id.len(), 8 | 17) && id.bytes().all(|b| b.is_ascii_hexdigit())
                })
            })
    }
}

/// Role session name of an STS ARN: what follows the last slash of `assumed-role/<role>/<session>`.
pub(crate) fn session_name_of(arn: &str) -> Option<&str> {
    let (_, rest) = arn.split_once(":assumed-role/")?;
    rest.split_once('/').map(|(_, name)| name)
}

impl Principal {
    /// A principal known by its ARN alone, as the agent's streamed log events state it.
    pub fn from_arn(arn: &str) -> Self {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let resource = parts.get(5).copied().unwrap_or_default();
        let kind = if resource.starts_with("assumed-role/") {
            PrincipalType::AssumedRole
        } else if resource.starts_with("user/") {
            PrincipalType::IamUser
        } else if resource.starts_with("federated-user/") {
            PrincipalType::FederatedUser
        } else if resource == "root" {
            PrincipalType::Root
        } else {
            PrincipalType::Unknown
        };
        let user_name = matches!(kind, PrincipalType::IamUser | PrincipalType::FederatedUser)
            .then(|| resource.rsplit('/').next().unwrap_or_default().to_owned());
        let issuer_name = resource
            .strip_prefix("assumed-role/")
            .and_then(|rest| rest.split('/').next())
            .map(str::to_owned);
        Self {
            kind,
            arn: Some(arn.to_owned()),
            account: parts.get(4).filter(|a| !a.is_empty()).map(|&a| a.to_owned()),
            claimed_name: session_name_of(arn).map(str::to_owned),
            user_name,
            issuer_name,
            ..Self::default()
        }
    }

    /// Fills `claimed_name` from the ARN of an assumed role.
    pub fn claim_name_from_arn(&mut self) {
        if self.claimed_name.is_none() {
            self.claimed_name = self.arn.as_deref().and_then(session_name_of).map(str::to_owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_session_name_is_a_claim() {
        let p = Principal::from_arn("arn:aws:sts::111122223333:assumed-role/Ops/ceo@example.com");
        assert_eq!(p.claimed_name.as_deref(), Some("ceo@example.com"));
        assert_eq!(p.user_name, None, "a claim must not become a name");
        assert_eq!(p.account.as_deref(), Some("111122223333"));
        assert!(!p.name_is_vouched());
    }

    #[test]
    fn identity_center_vouches_for_the_name() {
        let mut p = Principal::from_arn(
            "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/maya",
        );
        assert!(!p.name_is_vouched(), "the name alone is no proof");
        let path = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1";
        p.issuer_arn = Some(format!("{path}/AWSReservedSSO_Admin_0123456789abcdef"));
        assert!(p.name_is_vouched());
    }

    #[test]
    fn an_ordinary_role_named_like_one_of_identity_center_is_not_one() {
        let p = Principal {
            issuer_name: Some("AWSReservedSSO_Fake".into()),
            issuer_arn: Some("arn:aws:iam::111122223333:role/team/AWSReservedSSO_Fake".into()),
            claimed_name: Some("maya".into()),
            ..Principal::default()
        };
        assert!(!p.name_is_vouched());
    }

    #[test]
    fn an_instance_profile_is_a_machine() {
        let machine = "arn:aws:sts::111122223333:assumed-role/Web/i-0123456789abcdef0";
        assert!(Principal::from_arn(machine).is_machine());
        let person = "arn:aws:sts::111122223333:assumed-role/Web/i-am-maya";
        assert!(!Principal::from_arn(person).is_machine());
    }

    #[test]
    fn unknown_types_survive() {
        assert_eq!(PrincipalType::from("Martian").as_str(), "Martian");
        assert_eq!(PrincipalType::from(""), PrincipalType::Unknown);
    }
}

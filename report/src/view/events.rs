//! What auditors ask for besides sessions: refused attempts, and changes to what records them.

use std::cmp::Ordering;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;
use foldhash::{HashSet, HashSetExt as _};
use jiff::Timestamp;

use super::period::Period;
use super::symbols::{Flags, Texts};
use crate::redact::Redactor;
use crate::store::{
    Activity, Column, MaybeFlag, MaybeText, Number, Row, Store, StoreError, Text, Time, table,
};

table! {
    /// A refused attempt, or a change to Session Manager's preferences and documents or to the audit trail.
    EventRow = "events", version 1, at time, then by event_id, artifact, offset;
    /// `denied`, `preferences` or `trail`.
    category: Text,
    /// `eventTime`.
    time: Time,
    /// `eventID`.
    event_id: MaybeText,
    /// `eventSource`.
    event_source: MaybeText,
    /// `eventName`.
    event_name: MaybeText,
    /// `recipientAccountId`.
    account: MaybeText,
    /// `awsRegion`.
    region: MaybeText,
    /// Who, as AWS authenticated them.
    principal: MaybeText,
    /// `userIdentity.type`.
    principal_type: MaybeText,
    /// The role session name: chosen by whoever assumed the role.
    principal_claimed_name: MaybeText,
    /// `mfaAuthenticated`.
    mfa: MaybeFlag,
    /// `sourceIPAddress`.
    source_ip: MaybeText,
    /// `userAgent`.
    user_agent: MaybeText,
    /// `errorCode`: it was refused, or failed.
    error_code: MaybeText,
    /// The session, where there is one.
    session_id: MaybeText,
    /// The node or container.
    target: MaybeText,
    /// The document.
    document: MaybeText,
    /// The reason that the caller gave.
    reason: MaybeText,
    /// The object it was read in.
    artifact: Text,
    /// Where in it, after decompression.
    offset: Number,
}

impl EventRow {
    /// Takes names out.
    pub fn redact(&mut self, redactor: &Redactor) {
        let texts = [
            &mut self.session_id,
            &mut self.principal,
            &mut self.principal_claimed_name,
            &mut self.reason,
        ];
        texts.into_iter().flatten().for_each(|text| redactor.mend(text));
        redactor.mend(&mut self.artifact);
    }
}

/// Calls that give access to a node: refused, they are attempts. `deploy/sql/report.sql` has the same names.
const DENIED: &[(&str, &[&str])] = &[
    (
        "ssm.amazonaws.com",
        &[
            "GetAccessToken",
            "ResumeSession",
            "SendCommand",
            "StartAccessRequest",
            "StartAssociationsOnce",
            "StartAutomationExecution",
            "StartSession",
            "TerminateSession",
        ],
    ),
    ("ecs.amazonaws.com", &["ExecuteCommand"]),
    (
        "ec2-instance-connect.amazonaws.com",
        &["OpenTunnel", "SendSSHPublicKey", "SendSerialConsoleSSHPublicKey"],
    ),
    ("ssm-guiconnect.amazonaws.com", &["StartConnection"]),
];

/// Calls that change how sessions are opened and recorded.
const PREFERENCES: &[(&str, &[&str])] = &[
    (
        "ssm.amazonaws.com",
        &[
            "CreateDocument",
            "DeleteDocument",
            "ModifyDocumentPermission",
            "ResetServiceSetting",
            "UpdateDocument",
            "UpdateDocumentDefaultVersion",
            "UpdateDocumentMetadata",
            "UpdateServiceSetting",
        ],
    ),
    ("ecs.amazonaws.com", &["CreateCluster", "UpdateCluster"]),
];

/// Calls that change what records, or what keeps the recordings.
const TRAIL: &[(&str, &[&str])] = &[
    (
        "cloudtrail.amazonaws.com",
        &[
            "DeleteEventDataStore",
            "DeleteTrail",
            "PutEventSelectors",
            "PutInsightSelectors",
            "StopEventDataStoreIngestion",
            "StopLogging",
            "UpdateEventDataStore",
            "UpdateTrail",
        ],
    ),
    (
        "s3.amazonaws.com",
        &[
            "DeleteBucket",
            "DeleteBucketEncryption",
            "DeleteBucketLifecycle",
            "DeleteBucketPolicy",
            "DeleteBucketPublicAccessBlock",
            "DeleteBucketReplication",
            "DeleteObject",
            "DeleteObjectVersion",
            "DeleteObjects",
            "PutBucketAcl",
            "PutBucketEncryption",
            "PutBucketLifecycle",
            "PutBucketLifecycleConfiguration",
            "PutBucketLogging",
            "PutBucketNotification",
            "PutBucketNotificationConfiguration",
            "PutBucketObjectLockConfiguration",
            "PutBucketOwnershipControls",
            "PutBucketPolicy",
            "PutBucketPublicAccessBlock",
            "PutBucketReplication",
            "PutBucketVersioning",
            "PutObjectLockConfiguration",
        ],
    ),
    (
        "logs.amazonaws.com",
        &[
            "DeleteLogGroup",
            "DeleteLogStream",
            "DeleteSubscriptionFilter",
            "DisassociateKmsKey",
            "PutRetentionPolicy",
        ],
    ),
    ("kms.amazonaws.com", &["DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion"]),
];

/// What an event is told as.
fn category(source: &str, name: &str, is_refused: bool, opens: bool) -> Option<&'static str> {
    let is_in = |calls: &[(&str, &[&str])]| {
        calls.iter().any(|(of, names)| *of == source && names.contains(&name))
    };
    match is_refused {
        true if opens || is_in(DENIED) => Some("denied"),
        _ if is_in(PREFERENCES) => Some("preferences"),
        _ if is_in(TRAIL) => Some("trail"),
        _ => None,
    }
}

/// The events of a period that `holds` wants, each once, in order of time.
pub fn read(
    store: &Store,
    period: &Period,
    as_of: Timestamp,
    holds: impl Fn(&EventRow) -> bool,
) -> Result<Vec<EventRow>, StoreError> {
    let files = store.files::<Activity>(
        crate::store::day(Some(period.since())),
        crate::store::day(Some(period.until())),
    )?;
    let mut rows: Vec<EventRow> = Vec::new();
    store.read::<Activity>(&files, &COLUMNS, |batch| {
        let texts = |name| Texts::of(batch, name);
        let (names, errors) = (texts("event_name"), texts("error_code"));
        let (sources, opens) = (texts("event_source"), Flags::of(batch, "opens_session"));
        let categories: Vec<Option<&str>> = (0..batch.num_rows())
            .map(|at| {
                category(
                    sources.get(at).unwrap_or_default(),
                    names.get(at).unwrap_or_default(),
                    errors.get(at).is_some(),
                    opens.get(at) == Some(true),
                )
            })
            .collect();
        // Of most batches nothing is wanted.
        if categories.iter().all(Option::is_none) {
            return;
        }
        for (row, category) in Activity::read(batch).into_iter().zip(categories) {
            let Some(category) = category else { continue };
            let row = of(category, row);
            if row.time.is_some_and(|time| period.holds(time) && time < as_of) && holds(&row) {
                rows.push(row);
            }
        }
    })?;
    // Of copies the first by its place counts; without an id, only what stands in the same place is one.
    let place = |row: &EventRow| (row.artifact.clone(), row.offset);
    rows.sort_by(|a, b| (&a.artifact, a.offset, a.time).cmp(&(&b.artifact, b.offset, b.time)));
    let (mut told, mut places) = (HashSet::new(), HashSet::new());
    rows.retain(|row| match &row.event_id {
        Some(id) => told.insert(id.clone()),
        None => places.insert(place(row)),
    });
    rows.sort_by(EventRow::order);
    Ok(rows)
}

const COLUMNS: [&str; 20] = [
    "time",
    "event_id",
    "event_source",
    "event_name",
    "account",
    "region",
    "principal",
    "principal_type",
    "principal_claimed_name",
    "mfa",
    "source_ip",
    "user_agent",
    "error_code",
    "session_id",
    "opens_session",
    "target",
    "document",
    "reason",
    "artifact",
    "offset",
];

fn of(category: &str, row: Activity) -> EventRow {
    EventRow {
        category: category.to_owned(),
        time: row.time,
        event_id: row.event_id,
        event_source: row.event_source,
        event_name: row.event_name,
        account: row.account,
        region: row.region,
        principal: row.principal,
        principal_type: row.principal_type,
        principal_claimed_name: row.principal_claimed_name,
        mfa: row.mfa,
        source_ip: row.source_ip,
        user_agent: row.user_agent,
        error_code: row.error_code,
        session_id: row.session_id,
        target: row.target,
        document: row.document,
        reason: row.reason,
        artifact: row.artifact,
        offset: row.offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_by_its_service() {
        let ssm = |name, is_refused| category("ssm.amazonaws.com", name, is_refused, false);
        assert_eq!(ssm("StartSession", true), Some("denied"));
        assert_eq!(ssm("StartSession", false), None);
        assert_eq!(ssm("UpdateDocument", true), Some("preferences"));
        assert_eq!(category("athena.amazonaws.com", "StartSession", true, false), None);
        assert_eq!(category("x.amazonaws.com", "Open", true, true), Some("denied"));
        assert_eq!(category("cloudtrail.amazonaws.com", "StopLogging", true, false), Some("trail"));
        assert_eq!(category("ec2.amazonaws.com", "DescribeInstances", true, false), None);
    }
}

//! What auditors ask for besides sessions: refused attempts, and changes to what records them.

use std::cmp::Ordering;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;
use foldhash::{HashSet, HashSetExt as _};
use jiff::Timestamp;

use super::period::Period;
use super::symbols::Texts;
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

/// Calls that give access to a node: refused, they are attempts. `deploy/sql/report.sql` has the same.
const OPENING: [&str; 13] = [
    "ExecuteCommand",
    "GetAccessToken",
    "OpenTunnel",
    "ResumeSession",
    "SendCommand",
    "SendSSHPublicKey",
    "SendSerialConsoleSSHPublicKey",
    "StartAccessRequest",
    "StartAssociationsOnce",
    "StartAutomationExecution",
    "StartConnection",
    "StartSession",
    "TerminateSession",
];

/// Calls that change how sessions are opened and recorded.
const PREFERENCES: [&str; 9] = [
    "CreateDocument",
    "DeleteDocument",
    "ModifyDocumentPermission",
    "ResetServiceSetting",
    "UpdateCluster",
    "UpdateDocument",
    "UpdateDocumentDefaultVersion",
    "UpdateDocumentMetadata",
    "UpdateServiceSetting",
];

/// Calls that change what records, or what keeps the recordings.
const TRAIL: [&str; 37] = [
    "DeleteBucket",
    "DeleteBucketEncryption",
    "DeleteBucketLifecycle",
    "DeleteBucketPolicy",
    "DeleteBucketPublicAccessBlock",
    "DeleteBucketReplication",
    "DeleteEventDataStore",
    "DeleteLogGroup",
    "DeleteLogStream",
    "DeleteObject",
    "DeleteObjectVersion",
    "DeleteObjects",
    "DeleteSubscriptionFilter",
    "DeleteTrail",
    "DisableKey",
    "DisassociateKmsKey",
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
    "PutEventSelectors",
    "PutKeyPolicy",
    "PutRetentionPolicy",
    "ScheduleKeyDeletion",
    "StopEventDataStoreIngestion",
    "StopLogging",
    "UpdateEventDataStore",
    "UpdateTrail",
];

/// What an event is told as.
fn category(name: &str, is_refused: bool) -> Option<&'static str> {
    let is_in = |names: &[&str]| names.binary_search(&name).is_ok();
    if is_in(&OPENING) {
        return is_refused.then_some("denied");
    }
    if is_in(&PREFERENCES) {
        return Some("preferences");
    }
    is_in(&TRAIL).then_some("trail")
}

/// The events of a period that `holds` wants, each once, in order of time.
pub fn read(
    store: &Store,
    period: &Period,
    holds: impl Fn(&EventRow) -> bool,
) -> Result<Vec<EventRow>, StoreError> {
    let files = store.files::<Activity>(
        crate::store::day(Some(period.since())),
        crate::store::day(Some(period.until())),
    )?;
    let mut rows: Vec<EventRow> = Vec::new();
    store.read::<Activity>(&files, &COLUMNS, |batch| {
        let (names, errors) = (Texts::of(batch, "event_name"), Texts::of(batch, "error_code"));
        let found = (0..batch.num_rows())
            .any(|at| category(names.get(at).unwrap_or_default(), errors.get(at).is_some()).is_some());
        if !found {
            return;
        }
        for row in Activity::read(batch) {
            let name = row.event_name.as_deref().unwrap_or_default();
            let Some(category) = category(name, row.error_code.is_some()) else { continue };
            let row = of(category, row);
            if row.time.is_some_and(|time| period.holds(time)) && holds(&row) {
                rows.push(row);
            }
        }
    })?;
    rows.sort_by(EventRow::order);
    let mut told = HashSet::new();
    rows.retain(|row| row.event_id.as_ref().is_none_or(|id| told.insert(id.clone())));
    Ok(rows)
}

const COLUMNS: [&str; 19] = [
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
    fn each_name_is_found() {
        for names in [&OPENING[..], &PREFERENCES, &TRAIL] {
            assert!(names.is_sorted());
        }
        assert_eq!(category("StartSession", true), Some("denied"));
        assert_eq!(category("StartSession", false), None);
        assert_eq!(category("UpdateDocument", false), Some("preferences"));
        assert_eq!(category("StopLogging", true), Some("trail"));
        assert_eq!(category("DescribeInstances", true), None);
    }
}

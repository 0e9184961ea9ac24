//! The five tables.

use std::cmp::Ordering;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Field;
use jiff::Timestamp;

use super::table::{
    Column, MaybeFlag, MaybeNumber, MaybeText, Number, Row, Text, Texts, Time, table,
};

table! {
    /// A control-plane event about sessions or their audit trail, or one that a rule matched.
    Activity = "activity", version 1, at time, then by event_id, offset;
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
    /// `userIdentity.type`.
    principal_type: MaybeText,
    /// The ARN, else what identifies the caller best.
    principal: MaybeText,
    /// `userIdentity.arn`.
    principal_arn: MaybeText,
    /// The user's name as somebody vouches for it: IAM, or Identity Center.
    principal_name: MaybeText,
    /// The role session name: chosen by whoever assumed the role.
    principal_claimed_name: MaybeText,
    /// The role behind temporary credentials.
    issuer_arn: MaybeText,
    /// `sourceIdentity`.
    source_identity: MaybeText,
    /// `accessKeyId`.
    access_key_id: MaybeText,
    /// `mfaAuthenticated`.
    mfa: MaybeFlag,
    /// `sourceIPAddress`.
    source_ip: MaybeText,
    /// `userAgent`.
    user_agent: MaybeText,
    /// `errorCode`.
    error_code: MaybeText,
    /// The session that the call opened, resumed or ended.
    session_id: MaybeText,
    /// Did the call open that session?
    opens_session: MaybeFlag,
    /// What it gave access to; null for a custom document.
    session_kind: MaybeText,
    /// The node or container.
    target: MaybeText,
    /// `requestParameters.documentName`.
    document: MaybeText,
    /// The reason that the caller gave.
    reason: MaybeText,
    /// The object it was read in.
    artifact: Text,
    /// Where in it, after decompression.
    offset: Number,
    /// The record as CloudTrail wrote it, JSON, secrets masked.
    record: MaybeText,
}

table! {
    /// A transcript.
    Transcript = "transcripts", version 1, at time, then by session_id, artifact, offset;
    /// When it began, as far as it tells itself; else when it ended, or was stored.
    time: Time,
    /// The session.
    session_id: MaybeText,
    /// `s3`, `cloudwatch-stream`, `cloudwatch-upload`, `raw` or `powershell`.
    form: Text,
    /// The node, where the form tells.
    target: MaybeText,
    /// The region, where the form tells.
    region: MaybeText,
    /// The caller's ARN, where the form tells: from the service, not from the session.
    principal_arn: MaybeText,
    /// The operating system user that the shell was started as.
    run_as: MaybeText,
    /// Time of the first log event.
    first_event: Time,
    /// Time of the last log event.
    last_event: Time,
    /// When the session was over, by the transcript's own header.
    ended: Time,
    /// Is the footer there? Null where the form has none.
    complete: MaybeFlag,
    /// Commands in it.
    commands: Number,
    /// What was seen in it that hides something, and how often: `echo_off=1, long_title=3`.
    observations: MaybeText,
    /// When the object was stored, where the source tells.
    stored: Time,
    /// SHA-256 of the object as it was stored; null for log events.
    sha256: MaybeText,
    /// The object it was read in.
    artifact: Text,
    /// Where in it, after decompression.
    offset: Number,
    /// Is it some of a stream's events, as they came, and the others are in other rows?
    part: MaybeFlag,
}

table! {
    /// A line that a person ran, its secrets masked.
    CommandRow = "commands", version 1, at time, then by session_id, artifact, ordinal;
    /// The earliest time at which it can have been submitted, where the form tells.
    time: Time,
    /// The latest such time.
    time_end: Time,
    /// The session.
    session_id: MaybeText,
    /// Position in the transcript, from 1.
    ordinal: Number,
    /// The line.
    text: Text,
    /// What the recording shows, where the line was put together from it by guessing.
    original: MaybeText,
    /// `posix` or `powershell`.
    shell: Text,
    /// `executed`, `aborted`, `repl`, `hidden` or `unfinished`.
    status: Text,
    /// `certain`, `likely` or `guess`.
    confidence: Text,
    /// Why that confidence.
    confidence_reason: Text,
    /// The user that the prompt shows: a claim.
    user: MaybeText,
    /// The host that the prompt shows: a claim.
    host: MaybeText,
    /// The working directory that the prompt shows.
    cwd: MaybeText,
    /// How deep in nested shells, 1 being the agent's own.
    level: MaybeNumber,
    /// The object it was read in.
    artifact: Text,
    /// Where it begins, after decompression.
    offset: Number,
    /// One past where it ends.
    offset_end: Number,
}

table! {
    /// A rule that matched an event, told on its own or not. Correlations read these.
    MatchRow = "matches", version 1, at time, then by rule_id, event, artifact;
    /// The event's time.
    time: Time,
    /// What kind of event: `cloudtrail`, `command`, `transcript`, `session` or `coverage`.
    kind: Text,
    /// The rule's id.
    rule_id: Text,
    /// Its title.
    rule_title: Text,
    /// Its level.
    level: Text,
    /// The event's identity, 32 hexadecimal digits: a copy has the same.
    event: Text,
    /// The id of the finding that this is, or would be if it were told alone.
    finding_id: Text,
    /// The values of the fields that correlations ask for: JSON, field → values.
    captures: MaybeText,
    /// The session.
    session_id: MaybeText,
    /// Who, as AWS authenticated them: the ARN where there is one.
    principal: MaybeText,
    /// `userIdentity.type`.
    principal_type: MaybeText,
    /// The role session name: chosen by whoever assumed the role.
    principal_claimed_name: MaybeText,
    /// The account.
    account: MaybeText,
    /// The region.
    region: MaybeText,
    /// The node or container.
    target: MaybeText,
    /// `eventID`.
    event_id: MaybeText,
    /// `eventName`, or `command`.
    event_name: MaybeText,
    /// The line that a person ran.
    command: MaybeText,
    /// `sourceIPAddress`.
    source_ip: MaybeText,
    /// `errorCode`.
    error_code: MaybeText,
    /// The object it was read in.
    artifact: Text,
    /// Where in it, after decompression.
    offset: Number,
}

table! {
    /// What the user is told.
    FindingRow = "findings", version 1, at time, then by finding_id, artifact;
    /// When it happened; for a command the earliest time at which it can have run.
    time: Time,
    /// The latest such time.
    time_end: Time,
    /// Stable id.
    finding_id: Text,
    /// The rule's id.
    rule_id: Text,
    /// Its title.
    rule_title: Text,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    level: Text,
    /// The rule's tags.
    tags: Texts,
    /// The session.
    session_id: MaybeText,
    /// Who, as AWS authenticated them: the ARN where there is one.
    principal: MaybeText,
    /// `userIdentity.type`.
    principal_type: MaybeText,
    /// The role session name: chosen by whoever assumed the role.
    principal_claimed_name: MaybeText,
    /// The account.
    account: MaybeText,
    /// The region.
    region: MaybeText,
    /// The node or container.
    target: MaybeText,
    /// `eventID`.
    event_id: MaybeText,
    /// `eventName`, or `command`.
    event_name: MaybeText,
    /// The line that a person ran, masked.
    command: MaybeText,
    /// `sourceIPAddress`.
    source_ip: MaybeText,
    /// `errorCode`.
    error_code: MaybeText,
    /// What made the rule match: a JSON array.
    evidence: Text,
    /// What a correlation is made of: a JSON array.
    correlated: MaybeText,
    /// How many matches a correlation is made of; 0 for a finding on one event.
    correlated_count: Number,
    /// The object it was read in.
    artifact: Text,
    /// Where in it, after decompression.
    offset: Number,
}

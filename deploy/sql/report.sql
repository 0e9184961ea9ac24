-- A period's report over the views of `views.sql`, in the same SQL for DuckDB, Spark and Trino (Athena). It gives the rows of the files
-- that `ssm-audit report` writes. No view has an order: that is for whoever reads it.

-- From when until before when: the UTC month before `clock`. Replace it for another period:
--   CREATE OR REPLACE VIEW period AS SELECT TIMESTAMP '2026-10-01 00:00:00' AS since, TIMESTAMP '2026-11-01 00:00:00' AS until
CREATE OR REPLACE VIEW period AS
SELECT date_trunc('month', now) - INTERVAL '1' MONTH AS since, date_trunc('month', now) AS until FROM clock;

-- Who was where. In the order of "start", session_id.
CREATE OR REPLACE VIEW report_access AS
SELECT
  s.session_id, s.principal_arn, s.principal_type, s.principal_name, s.account, s.region, s.target, s.kind, s.document, s.reason, s.mfa,
  s.source_ip, s.user_agent, s.run_as, s."start", s."end", s.end_source, s.duration_s, s.commands, s.findings, s.highest_level, s.coverage,
  s.coverage_reason
FROM session_rows AS s
CROSS JOIN period AS p
WHERE s.seen IS NULL OR s.seen >= p.since AND s.seen < p.until;

-- What they ran, each command once. In the order of session_id, artifact, "offset", ordinal.
CREATE OR REPLACE VIEW report_commands AS
WITH
whole AS (
  -- Forms of a transcript show the same commands: one of them is enough, the one that shows most.
  SELECT session_id, artifact, commands FROM (
    SELECT session_id, artifact, commands, row_number() OVER (PARTITION BY session_id ORDER BY commands DESC, artifact, "offset") AS place
    FROM transcripts
    WHERE session_id IS NOT NULL AND NOT coalesce(part, false)
  ) AS ranked
  WHERE place = 1
),
parts AS (
  SELECT session_id, artifact, sum(commands) OVER (PARTITION BY session_id) AS commands
  FROM transcripts
  WHERE session_id IS NOT NULL AND part
),
chosen AS (
  SELECT w.session_id, w.artifact
  FROM whole AS w
  LEFT JOIN (SELECT session_id, max(commands) AS commands FROM parts GROUP BY session_id) AS p ON p.session_id = w.session_id
  WHERE w.commands >= coalesce(p.commands, 0)
  UNION
  SELECT p.session_id, p.artifact
  FROM parts AS p
  LEFT JOIN whole AS w ON w.session_id = p.session_id
  WHERE p.commands > coalesce(w.commands, -1)
),
place AS (
  SELECT a.session_id, a.principal_arn, a.account, a.region, a.target, c.artifact
  FROM report_access AS a
  JOIN chosen AS c ON c.session_id = a.session_id
),
told AS (
  SELECT
    c.session_id, a.principal_arn, a.account, a.region, a.target, c.time, c.time_end, c.ordinal, c.text, c.original, c.shell, c.status,
    c.confidence, c."user", c.host, c.cwd, c.level, c.artifact, c."offset", c.offset_end,
    -- Words, with blanks between: chr(9), chr(10) and chr(13) are white space, chr(59) ends a command, chr(92) takes a character as it is.
    ' ' || translate(c.text, '&|(){}<>`$"''/=' || chr(9) || chr(10) || chr(13) || chr(59) || chr(92), '                   ') || ' ' AS words,
    -- What was read twice is one.
    row_number() OVER (
      PARTITION BY c.session_id, c.artifact, c."offset", c.ordinal, c.text
      ORDER BY c.time NULLS LAST, c.time_end NULLS LAST, c.offset_end, c.status, c.confidence
    ) AS copy
  FROM commands AS c
  CROSS JOIN period AS p
  LEFT JOIN place AS a ON a.session_id = c.session_id AND a.artifact = c.artifact
  WHERE a.session_id IS NOT NULL OR c.session_id IS NULL AND c.time >= p.since AND c.time < p.until
)
SELECT
  session_id, principal_arn, account, region, target, time, time_end, ordinal, text, original, shell, status, confidence, "user", host,
  cwd, level,
  coalesce("user" IN ('root', 'Administrator'), false)
    OR words LIKE '% sudo %' OR words LIKE '% su %' OR words LIKE '% doas %' OR words LIKE '% pkexec %' OR words LIKE '% runuser %'
    OR words LIKE '% gsudo %' OR words LIKE '% runas %' AS privileged,
  artifact, "offset", offset_end
FROM told
WHERE copy = 1;

-- What was found, each finding once. In the order of time, finding_id.
CREATE OR REPLACE VIEW report_findings AS
SELECT
  time, time_end, finding_id, rule_id, rule_title, level, tags, session_id, principal, principal_type, principal_claimed_name, account,
  region, target, event_id, event_name, command, source_ip, error_code, evidence, correlated, correlated_count, artifact, "offset"
FROM (
  SELECT
    f.*, row_number() OVER (PARTITION BY f.finding_id ORDER BY f.artifact, f."offset", f.time NULLS LAST, f.evidence) AS copy
  FROM findings AS f
  CROSS JOIN period AS p
  LEFT JOIN report_access AS a ON a.session_id = f.session_id
  WHERE f.time >= p.since AND f.time < p.until OR f.time IS NULL AND a.session_id IS NOT NULL
) AS told
WHERE copy = 1;

-- What is not known that should be. In the order of "start", subject.
CREATE OR REPLACE VIEW report_coverage AS
SELECT
  coverage AS gap, session_id AS subject, "start", "end", principal_arn, account, region, target, kind, document,
  coverage_reason AS reason
FROM report_access
WHERE coverage NOT IN ('recorded', 'pending');

-- What was refused, and what was done to the preferences and to the audit trail, tried or done: "error_code" tells which. In the order
-- of time, event_id, artifact, "offset". The store keeps calls about sessions and documents, and what a rule matched; nothing else.
CREATE OR REPLACE VIEW report_events AS
WITH named AS (
  SELECT *,
    CASE
      WHEN error_code IS NOT NULL AND opens_session THEN 'denied'
      WHEN event_source = 'ssm.amazonaws.com' THEN CASE
        WHEN event_name IN (
          'CreateDocument', 'DeleteDocument', 'ModifyDocumentPermission', 'ResetServiceSetting', 'UpdateDocument',
          'UpdateDocumentDefaultVersion', 'UpdateDocumentMetadata', 'UpdateServiceSetting'
        ) THEN 'preferences'
        WHEN error_code IS NOT NULL AND event_name IN (
          'GetAccessToken', 'ResumeSession', 'SendCommand', 'StartAccessRequest', 'StartAssociationsOnce', 'StartAutomationExecution',
          'StartSession', 'TerminateSession'
        ) THEN 'denied'
      END
      WHEN event_source = 'ecs.amazonaws.com' THEN CASE
        -- Where sessions in containers are recorded to.
        WHEN event_name IN ('CreateCluster', 'UpdateCluster') THEN 'preferences'
        WHEN error_code IS NOT NULL AND event_name = 'ExecuteCommand' THEN 'denied'
      END
      WHEN event_source = 'ec2-instance-connect.amazonaws.com' THEN CASE
        WHEN error_code IS NOT NULL AND event_name IN ('OpenTunnel', 'SendSSHPublicKey', 'SendSerialConsoleSSHPublicKey') THEN 'denied'
      END
      WHEN event_source = 'ssm-guiconnect.amazonaws.com' THEN CASE
        WHEN error_code IS NOT NULL AND event_name = 'StartConnection' THEN 'denied'
      END
      WHEN event_source = 'cloudtrail.amazonaws.com' THEN CASE
        WHEN event_name IN (
          'DeleteEventDataStore', 'DeleteTrail', 'PutEventSelectors', 'PutInsightSelectors', 'StopEventDataStoreIngestion', 'StopLogging',
          'UpdateEventDataStore', 'UpdateTrail'
        ) THEN 'trail'
      END
      WHEN event_source = 's3.amazonaws.com' THEN CASE
        WHEN event_name IN (
          'DeleteBucket', 'DeleteBucketEncryption', 'DeleteBucketLifecycle', 'DeleteBucketPolicy', 'DeleteBucketPublicAccessBlock',
          'DeleteBucketReplication', 'DeleteObject', 'DeleteObjectVersion', 'DeleteObjects', 'PutBucketAcl', 'PutBucketEncryption',
          'PutBucketLifecycle', 'PutBucketLifecycleConfiguration', 'PutBucketLogging', 'PutBucketNotification',
          'PutBucketNotificationConfiguration', 'PutBucketObjectLockConfiguration', 'PutBucketOwnershipControls', 'PutBucketPolicy',
          'PutBucketPublicAccessBlock', 'PutBucketReplication', 'PutBucketVersioning', 'PutObjectLockConfiguration'
        ) THEN 'trail'
      END
      WHEN event_source = 'logs.amazonaws.com' THEN CASE
        WHEN event_name IN ('DeleteLogGroup', 'DeleteLogStream', 'DeleteSubscriptionFilter', 'DisassociateKmsKey', 'PutRetentionPolicy')
          THEN 'trail'
      END
      WHEN event_source = 'kms.amazonaws.com' THEN CASE
        WHEN event_name IN ('DisableKey', 'PutKeyPolicy', 'ScheduleKeyDeletion') THEN 'trail'
      END
    END AS category
  FROM activity
)
SELECT
  category, time, event_id, event_source, event_name, account, region, principal, principal_type, principal_claimed_name, mfa, source_ip,
  user_agent, error_code, session_id, target, document, reason, artifact, "offset"
FROM (
  SELECT
    n.*,
    -- A record without an id is no copy of another.
    row_number() OVER (
      PARTITION BY n.event_id, CASE WHEN n.event_id IS NULL THEN n.artifact END, CASE WHEN n.event_id IS NULL THEN n."offset" END
      ORDER BY n.artifact, n."offset", n.time
    ) AS copy
  FROM named AS n
  CROSS JOIN period AS p
  WHERE n.category IS NOT NULL AND n.time >= p.since AND n.time < p.until
) AS told
WHERE copy = 1;

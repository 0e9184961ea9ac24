-- The tables of a store, in DuckDB 2.0 or later. Say where the store is, then run this, `views.sql` and, for a report,
-- `report.sql`:
--   SET VARIABLE root = 's3://audit-bucket/ssm-audit';
-- Without it the store is the working directory. A store on S3 also needs `CREATE SECRET (TYPE s3, PROVIDER credential_chain)`.
--
-- Each table has all its columns, also when there are no files yet, or only files that are older than a column.
-- Columns that end with `_us` are a time in microseconds since 1970: how to make a number of a time, engines do not agree on.

-- Times are UTC. Without it a time that comes without a zone would be taken as local.
SET TimeZone = 'UTC';

CREATE OR REPLACE VIEW activity AS
SELECT
  "time", event_id, event_source, event_name, account, region, principal_type, principal, principal_arn, principal_name,
  principal_claimed_name, issuer_arn, source_identity, access_key_id, mfa, source_ip, user_agent, error_code, session_id,
  opens_session, session_kind, target, document, reason, artifact, "offset", record, "date", epoch_us("time") AS time_us
FROM (
  SELECT
    NULL::TIMESTAMPTZ AS "time", NULL::VARCHAR AS event_id, NULL::VARCHAR AS event_source, NULL::VARCHAR AS event_name,
    NULL::VARCHAR AS account, NULL::VARCHAR AS region, NULL::VARCHAR AS principal_type, NULL::VARCHAR AS principal,
    NULL::VARCHAR AS principal_arn, NULL::VARCHAR AS principal_name, NULL::VARCHAR AS principal_claimed_name,
    NULL::VARCHAR AS issuer_arn, NULL::VARCHAR AS source_identity, NULL::VARCHAR AS access_key_id, NULL::BOOLEAN AS mfa,
    NULL::VARCHAR AS source_ip, NULL::VARCHAR AS user_agent, NULL::VARCHAR AS error_code, NULL::VARCHAR AS session_id,
    NULL::BOOLEAN AS opens_session, NULL::VARCHAR AS session_kind, NULL::VARCHAR AS target, NULL::VARCHAR AS document,
    NULL::VARCHAR AS reason, NULL::VARCHAR AS artifact, NULL::BIGINT AS "offset", NULL::VARCHAR AS record,
    NULL::VARCHAR AS "date"
  WHERE false
  UNION ALL BY NAME
  SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/activity/*/*.parquet',
    hive_partitioning = true, hive_types = {'date': VARCHAR}, union_by_name = true, allow_empty = true)
);

CREATE OR REPLACE VIEW transcripts AS
SELECT
  "time", session_id, form, target, region, principal_arn, run_as, first_event, last_event, ended, complete, commands,
  observations, stored, sha256, artifact, "offset", part, "date", epoch_us(first_event) AS first_event_us,
  epoch_us(last_event) AS last_event_us, epoch_us(ended) AS ended_us
FROM (
  SELECT
    NULL::TIMESTAMPTZ AS "time", NULL::VARCHAR AS session_id, NULL::VARCHAR AS form, NULL::VARCHAR AS target,
    NULL::VARCHAR AS region, NULL::VARCHAR AS principal_arn, NULL::VARCHAR AS run_as, NULL::TIMESTAMPTZ AS first_event,
    NULL::TIMESTAMPTZ AS last_event, NULL::TIMESTAMPTZ AS ended, NULL::BOOLEAN AS complete, NULL::BIGINT AS commands,
    NULL::VARCHAR AS observations, NULL::TIMESTAMPTZ AS stored, NULL::VARCHAR AS sha256, NULL::VARCHAR AS artifact,
    NULL::BIGINT AS "offset", NULL::BOOLEAN AS part, NULL::VARCHAR AS "date"
  WHERE false
  UNION ALL BY NAME
  SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/transcripts/*/*.parquet',
    hive_partitioning = true, hive_types = {'date': VARCHAR}, union_by_name = true, allow_empty = true)
);

CREATE OR REPLACE VIEW commands AS
SELECT
  "time", time_end, session_id, ordinal, "text", original, shell, status, confidence, confidence_reason, "user", host, cwd,
  "level", artifact, "offset", offset_end, "date"
FROM (
  SELECT
    NULL::TIMESTAMPTZ AS "time", NULL::TIMESTAMPTZ AS time_end, NULL::VARCHAR AS session_id, NULL::BIGINT AS ordinal,
    NULL::VARCHAR AS "text", NULL::VARCHAR AS original, NULL::VARCHAR AS shell, NULL::VARCHAR AS status,
    NULL::VARCHAR AS confidence, NULL::VARCHAR AS confidence_reason, NULL::VARCHAR AS "user", NULL::VARCHAR AS host,
    NULL::VARCHAR AS cwd, NULL::BIGINT AS "level", NULL::VARCHAR AS artifact, NULL::BIGINT AS "offset",
    NULL::BIGINT AS offset_end, NULL::VARCHAR AS "date"
  WHERE false
  UNION ALL BY NAME
  SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/commands/*/*.parquet',
    hive_partitioning = true, hive_types = {'date': VARCHAR}, union_by_name = true, allow_empty = true)
);

CREATE OR REPLACE VIEW matches AS
SELECT
  "time", kind, rule_id, rule_title, "level", event, finding_id, captures, session_id, principal, principal_type,
  principal_claimed_name, account, region, target, event_id, event_name, command, source_ip, error_code, artifact, "offset",
  "date"
FROM (
  SELECT
    NULL::TIMESTAMPTZ AS "time", NULL::VARCHAR AS kind, NULL::VARCHAR AS rule_id, NULL::VARCHAR AS rule_title,
    NULL::VARCHAR AS "level", NULL::VARCHAR AS event, NULL::VARCHAR AS finding_id, NULL::VARCHAR AS captures,
    NULL::VARCHAR AS session_id, NULL::VARCHAR AS principal, NULL::VARCHAR AS principal_type,
    NULL::VARCHAR AS principal_claimed_name, NULL::VARCHAR AS account, NULL::VARCHAR AS region, NULL::VARCHAR AS target,
    NULL::VARCHAR AS event_id, NULL::VARCHAR AS event_name, NULL::VARCHAR AS command, NULL::VARCHAR AS source_ip,
    NULL::VARCHAR AS error_code, NULL::VARCHAR AS artifact, NULL::BIGINT AS "offset", NULL::VARCHAR AS "date"
  WHERE false
  UNION ALL BY NAME
  SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/matches/*/*.parquet',
    hive_partitioning = true, hive_types = {'date': VARCHAR}, union_by_name = true, allow_empty = true)
);

CREATE OR REPLACE VIEW findings AS
SELECT
  "time", time_end, finding_id, rule_id, rule_title, "level", tags, session_id, principal, principal_type,
  principal_claimed_name, account, region, target, event_id, event_name, command, source_ip, error_code, evidence, correlated,
  correlated_count, artifact, "offset", "date"
FROM (
  SELECT
    NULL::TIMESTAMPTZ AS "time", NULL::TIMESTAMPTZ AS time_end, NULL::VARCHAR AS finding_id, NULL::VARCHAR AS rule_id,
    NULL::VARCHAR AS rule_title, NULL::VARCHAR AS "level", NULL::VARCHAR[] AS tags, NULL::VARCHAR AS session_id,
    NULL::VARCHAR AS principal, NULL::VARCHAR AS principal_type, NULL::VARCHAR AS principal_claimed_name,
    NULL::VARCHAR AS account, NULL::VARCHAR AS region, NULL::VARCHAR AS target, NULL::VARCHAR AS event_id,
    NULL::VARCHAR AS event_name, NULL::VARCHAR AS command, NULL::VARCHAR AS source_ip, NULL::VARCHAR AS error_code,
    NULL::VARCHAR AS evidence, NULL::VARCHAR AS correlated, NULL::BIGINT AS correlated_count, NULL::VARCHAR AS artifact,
    NULL::BIGINT AS "offset", NULL::VARCHAR AS "date"
  WHERE false
  UNION ALL BY NAME
  SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/findings/*/*.parquet',
    hive_partitioning = true, hive_types = {'date': VARCHAR}, union_by_name = true, allow_empty = true)
);

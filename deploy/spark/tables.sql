-- The tables of a store, in Spark SQL (4.0 or later). `{root}` stands for where the store is, without a slash at the end:
-- report.py puts it in. The session has to have `spark.sql.ansi.enabled` and `spark.sql.ansi.doubleQuotedIdentifiers`.
--
-- Columns that end with `_us` are a time in microseconds since 1970: how to make a number of a time, engines do not agree on.

-- Times are UTC.
SET spark.sql.session.timeZone = UTC;
-- The days are listed when a table is read: none has to be registered, and a table without files is empty.
SET spark.sql.hive.manageFilesourcePartitions = false;

CREATE TABLE IF NOT EXISTS activity_facts (
  "time" TIMESTAMP, event_id STRING, event_source STRING, event_name STRING, account STRING, region STRING,
  principal_type STRING, principal STRING, principal_arn STRING, principal_name STRING, principal_claimed_name STRING,
  issuer_arn STRING, source_identity STRING, access_key_id STRING, mfa BOOLEAN, source_ip STRING, user_agent STRING,
  error_code STRING, session_id STRING, opens_session BOOLEAN, session_kind STRING, target STRING, document STRING,
  reason STRING, artifact STRING, "offset" BIGINT, record STRING, "date" STRING
) USING parquet PARTITIONED BY ("date") LOCATION '{root}/facts/activity';
CREATE OR REPLACE VIEW activity AS
SELECT *, unix_micros("time") AS time_us
FROM activity_facts;

CREATE TABLE IF NOT EXISTS transcripts_facts (
  "time" TIMESTAMP, session_id STRING, form STRING, target STRING, region STRING, principal_arn STRING, run_as STRING,
  first_event TIMESTAMP, last_event TIMESTAMP, ended TIMESTAMP, complete BOOLEAN, commands BIGINT, observations STRING,
  stored TIMESTAMP, sha256 STRING, artifact STRING, "offset" BIGINT, part BOOLEAN, "date" STRING
) USING parquet PARTITIONED BY ("date") LOCATION '{root}/facts/transcripts';
CREATE OR REPLACE VIEW transcripts AS
SELECT *, unix_micros(first_event) AS first_event_us, unix_micros(last_event) AS last_event_us, unix_micros(ended) AS ended_us
FROM transcripts_facts;

CREATE TABLE IF NOT EXISTS commands (
  "time" TIMESTAMP, time_end TIMESTAMP, session_id STRING, ordinal BIGINT, "text" STRING, original STRING, shell STRING,
  status STRING, confidence STRING, confidence_reason STRING, "user" STRING, host STRING, cwd STRING, "level" BIGINT,
  artifact STRING, "offset" BIGINT, offset_end BIGINT, "date" STRING
) USING parquet PARTITIONED BY ("date") LOCATION '{root}/facts/commands';

CREATE TABLE IF NOT EXISTS matches (
  "time" TIMESTAMP, kind STRING, rule_id STRING, rule_title STRING, "level" STRING, event STRING, finding_id STRING,
  captures STRING, session_id STRING, principal STRING, principal_type STRING, principal_claimed_name STRING, account STRING,
  region STRING, target STRING, event_id STRING, event_name STRING, command STRING, source_ip STRING, error_code STRING,
  artifact STRING, "offset" BIGINT, "date" STRING
) USING parquet PARTITIONED BY ("date") LOCATION '{root}/facts/matches';

CREATE TABLE IF NOT EXISTS findings (
  "time" TIMESTAMP, time_end TIMESTAMP, finding_id STRING, rule_id STRING, rule_title STRING, "level" STRING,
  tags ARRAY<STRING>, session_id STRING, principal STRING, principal_type STRING, principal_claimed_name STRING, account STRING,
  region STRING, target STRING, event_id STRING, event_name STRING, command STRING, source_ip STRING, error_code STRING,
  evidence STRING, correlated STRING, correlated_count BIGINT, artifact STRING, "offset" BIGINT, "date" STRING
) USING parquet PARTITIONED BY ("date") LOCATION '{root}/facts/findings';

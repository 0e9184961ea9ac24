-- The tables of a store, in Athena (engine version 3). Put in, for
--   {root}      where the store is, without a slash at the end: s3://audit-bucket/ssm-audit
--   {database}  a database of the Glue Data Catalog, which is made if it is not there
-- then run the statements one by one with that database chosen, then those of `views.sql` and, for a report, `report.sql`.
--
-- A table may be empty. Nothing has to be registered when a day begins: the partitions are computed. But Athena lists every day of the
-- range that a query does not leave out by "date": let the range begin with the store. What has no time at all
-- (`date=__HIVE_DEFAULT_PARTITION__`, only from files of a directory) is not seen here.
--
-- Athena reads times to the millisecond. Columns that end with `_us` are a time in microseconds since 1970: how to make a number of a
-- time, engines do not agree on.
CREATE DATABASE IF NOT EXISTS `{database}`;

CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`activity_facts` (
  `time` timestamp, `event_id` string, `event_source` string, `event_name` string, `account` string, `region` string,
  `principal_type` string, `principal` string, `principal_arn` string, `principal_name` string, `principal_claimed_name` string,
  `issuer_arn` string, `source_identity` string, `access_key_id` string, `mfa` boolean, `source_ip` string, `user_agent` string,
  `error_code` string, `session_id` string, `opens_session` boolean, `session_kind` string, `target` string, `document` string,
  `reason` string, `artifact` string, `offset` bigint, `record` string
)
PARTITIONED BY (`date` string)
STORED AS PARQUET
LOCATION '{root}/facts/activity/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW+1DAYS',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'storage.location.template' = '{root}/facts/activity/date=${date}/'
);

CREATE OR REPLACE VIEW activity AS
SELECT *,
  CAST(round(to_unixtime("time") * 1e6) AS bigint) AS time_us
FROM activity_facts;

CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`transcripts_facts` (
  `time` timestamp, `session_id` string, `form` string, `target` string, `region` string, `principal_arn` string,
  `run_as` string, `first_event` timestamp, `last_event` timestamp, `ended` timestamp, `complete` boolean, `commands` bigint,
  `observations` string, `stored` timestamp, `sha256` string, `artifact` string, `offset` bigint, `part` boolean
)
PARTITIONED BY (`date` string)
STORED AS PARQUET
LOCATION '{root}/facts/transcripts/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW+1DAYS',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'storage.location.template' = '{root}/facts/transcripts/date=${date}/'
);

CREATE OR REPLACE VIEW transcripts AS
SELECT *,
  CAST(round(to_unixtime(first_event) * 1e6) AS bigint) AS first_event_us,
  CAST(round(to_unixtime(last_event) * 1e6) AS bigint) AS last_event_us,
  CAST(round(to_unixtime(ended) * 1e6) AS bigint) AS ended_us
FROM transcripts_facts;

CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`commands` (
  `time` timestamp, `time_end` timestamp, `session_id` string, `ordinal` bigint, `text` string, `original` string,
  `shell` string, `status` string, `confidence` string, `confidence_reason` string, `user` string, `host` string, `cwd` string,
  `level` bigint, `artifact` string, `offset` bigint, `offset_end` bigint
)
PARTITIONED BY (`date` string)
STORED AS PARQUET
LOCATION '{root}/facts/commands/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW+1DAYS',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'storage.location.template' = '{root}/facts/commands/date=${date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`matches` (
  `time` timestamp, `kind` string, `rule_id` string, `rule_title` string, `level` string, `event` string, `finding_id` string,
  `captures` string, `session_id` string, `principal` string, `principal_type` string, `principal_claimed_name` string,
  `account` string, `region` string, `target` string, `event_id` string, `event_name` string, `command` string,
  `source_ip` string, `error_code` string, `artifact` string, `offset` bigint
)
PARTITIONED BY (`date` string)
STORED AS PARQUET
LOCATION '{root}/facts/matches/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW+1DAYS',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'storage.location.template' = '{root}/facts/matches/date=${date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`findings` (
  `time` timestamp, `time_end` timestamp, `finding_id` string, `rule_id` string, `rule_title` string, `level` string,
  `tags` array<string>, `session_id` string, `principal` string, `principal_type` string, `principal_claimed_name` string,
  `account` string, `region` string, `target` string, `event_id` string, `event_name` string, `command` string,
  `source_ip` string, `error_code` string, `evidence` string, `correlated` string, `correlated_count` bigint, `artifact` string,
  `offset` bigint
)
PARTITIONED BY (`date` string)
STORED AS PARQUET
LOCATION '{root}/facts/findings/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.date.type' = 'date',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.range' = '2020-01-01,NOW+1DAYS',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'storage.location.template' = '{root}/facts/findings/date=${date}/'
);

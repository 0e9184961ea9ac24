#!/usr/bin/env python3
"""A made-up month of facts, for the views: month.py ROOT [--sessions N] [--commands N]

Needs duckdb (tests/requirements.txt). One file a day and table, seeded: the same rows every time. One session in twenty has no
transcript, one in ten is a port forward, which never has one: neither has commands.
"""
import argparse
import pathlib

import duckdb

parser = argparse.ArgumentParser()
parser.add_argument("root", type=pathlib.Path)
parser.add_argument("--sessions", type=int, default=1_000_000)
parser.add_argument("--commands", type=int, default=10)
args = parser.parse_args()
db = duckdb.connect()
db.execute(f"""
CREATE TABLE every AS SELECT
  i, 'user' || (i % 997) || '-0' || substr(md5(i::VARCHAR), 1, 16) AS session_id,
  TIMESTAMPTZ '2026-10-01 00:00:00+00' + to_seconds((i * 31 * 86400.0 / {args.sessions})::BIGINT) AS time,
  'arn:aws:sts::111122223333:assumed-role/Ops/user' || (i % 997) AS arn, 'i-0' || substr(md5((i % 499)::VARCHAR), 1, 16) AS target,
  i % 10 = 9 AS is_port, i % 20 = 7 AS is_lost
FROM range({args.sessions}) r(i)
""")
NONE = "NULL::VARCHAR"
TABLES = {
    "activity": f"""SELECT time, md5('e' || i) AS event_id, 'ssm.amazonaws.com' AS event_source, 'StartSession' AS event_name,
      '111122223333' AS account, 'eu-west-1' AS region, 'AssumedRole' AS principal_type, arn AS principal, arn AS principal_arn,
      {NONE} AS principal_name, 'user' || (i % 997) AS principal_claimed_name, 'arn:aws:iam::111122223333:role/Ops' AS issuer_arn,
      {NONE} AS source_identity, {NONE} AS access_key_id, i % 3 = 0 AS mfa, '203.0.113.' || (i % 200) AS source_ip, 'aws-cli/2' AS user_agent,
      {NONE} AS error_code, session_id, true AS opens_session, CASE WHEN is_port THEN 'port-forward' ELSE 'shell' END AS session_kind,
      target, CASE WHEN is_port THEN 'AWS-StartPortForwardingSession' END AS document, {NONE} AS reason, 'trail' AS artifact, i AS "offset",
      {NONE} AS record FROM s""",
    "transcripts": f"""SELECT time + INTERVAL 20 MINUTE AS time, session_id, 's3' AS form, target, {NONE} AS region, {NONE} AS principal_arn,
      {NONE} AS run_as, NULL::TIMESTAMPTZ AS first_event, NULL::TIMESTAMPTZ AS last_event, time + INTERVAL 20 MINUTE AS ended, true AS complete,
      {args.commands}::BIGINT AS commands, CASE WHEN i % 1000 = 3 THEN 'echo_off=1' END AS observations, time + INTERVAL 21 MINUTE AS stored,
      md5('t' || i) AS sha256, 's3://logs/' || session_id || '.log' AS artifact, 0::BIGINT AS "offset", false AS part
      FROM s WHERE NOT is_port AND NOT is_lost""",
    "commands": f"""SELECT time + INTERVAL 1 MINUTE AS time, NULL::TIMESTAMPTZ AS time_end, session_id, k AS ordinal,
      'cat /var/log/app-' || (i * 7 + k) % 5003 || '.log' AS text, {NONE} AS original, 'posix' AS shell, 'executed' AS status,
      'certain' AS confidence, 'marked' AS confidence_reason, 'ssm-user' AS "user", {NONE} AS host, '/' AS cwd, 1::BIGINT AS level,
      's3://logs/' || session_id || '.log' AS artifact, k * 100 AS "offset", k * 100 + 40 AS offset_end
      FROM s, range(1, {args.commands} + 1) c(k) WHERE NOT is_port AND NOT is_lost""",
    # The views do not look at them, but the tables of an engine have to be there.
    "matches": "SELECT time, 'command' AS kind, 'rule-1' AS rule_id, md5('m' || i) AS event, session_id FROM s WHERE i % 1000 = 3",
    "findings": f"""SELECT time + INTERVAL 2 MINUTE AS time, time + INTERVAL 2 MINUTE AS time_end, md5('f' || i) AS finding_id, 'rule-' || (i % 40) AS rule_id,
      'A rule' AS rule_title, ['low', 'medium', 'high'][(i % 3 + 1)::INT] AS level, ['attack.t1548']::VARCHAR[] AS tags, session_id, arn AS principal,
      'AssumedRole' AS principal_type, {NONE} AS principal_claimed_name, '111122223333' AS account, 'eu-west-1' AS region, target,
      {NONE} AS event_id, 'command' AS event_name, 'sudo su -' AS command, {NONE} AS source_ip, {NONE} AS error_code, '[]' AS evidence,
      {NONE} AS correlated, 0::BIGINT AS correlated_count, 's3://logs/x' AS artifact, 0::BIGINT AS "offset" FROM s WHERE i % 20 = 3""",
}
for day in range(1, 32):
    # What of a session lies in this day, began in it or a little before.
    db.execute(f"""CREATE OR REPLACE TEMP TABLE s AS SELECT * FROM every
      WHERE time >= TIMESTAMPTZ '2026-10-{day:02} 00:00:00+00' - INTERVAL 1 HOUR AND time < TIMESTAMPTZ '2026-10-{day:02} 00:00:00+00' + INTERVAL 1 DAY""")
    for table, rows in TABLES.items():
        folder = args.root / "facts" / table / f"date=2026-10-{day:02}"
        folder.mkdir(parents=True, exist_ok=True)
        db.execute(f"""COPY (SELECT * FROM ({rows}) WHERE (time AT TIME ZONE 'UTC')::DATE = DATE '2026-10-{day:02}' ORDER BY time, session_id)
          TO '{folder}/made-up.parquet' (FORMAT parquet, COMPRESSION zstd)""")

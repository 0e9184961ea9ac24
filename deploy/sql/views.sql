-- The views `sessions`, `coverage` and `access` over a store's tables, in SQL that DuckDB, Spark and Trino (Athena) read alike.
-- They give the rows that `ssm-audit sessions`, `coverage` and `access` give: tests hold them to that.
--
-- The tables come first, and they are each engine's own: `duckdb.sql`, `athena.sql`, `../spark/tables.sql`. There the session's time zone
-- is UTC, and texts compare by their bytes.

-- When to look. Replace it to look at another time:
--   CREATE OR REPLACE VIEW clock AS SELECT TIMESTAMP '2026-11-15 00:00:00' AS now
CREATE OR REPLACE VIEW clock AS
SELECT CAST(current_timestamp AS TIMESTAMP) AS now;

-- How long a transcript may take: it is missing if the session ended by then, or, where nobody tells the end, started by then.
CREATE OR REPLACE VIEW grace AS
SELECT now, now - INTERVAL '1' HOUR AS ended_by, '1h' AS ended_text, now - INTERVAL '25' HOUR AS started_by, '25h' AS started_text
FROM clock;

-- The sessions, and when they were seen: that is the day of one of which nothing else tells.
CREATE OR REPLACE VIEW session_rows AS
WITH
opening AS (
  -- A copy of a record changes nothing; of two that claim the same id the first counts.
  SELECT * FROM (
    SELECT
      session_id, principal, principal_type, coalesce(principal_name, principal_claimed_name) AS principal_name,
      account, region, target, session_kind, document, reason, mfa, source_ip, user_agent, time, time_us,
      min(CASE WHEN target LIKE 'ecs:%' THEN target END) OVER (PARTITION BY session_id) AS container,
      row_number() OVER (PARTITION BY session_id ORDER BY time NULLS LAST, event_id NULLS LAST, artifact, "offset") AS place
    FROM activity
    WHERE session_id IS NOT NULL AND error_code IS NULL AND opens_session
  ) AS opened
  WHERE place = 1
),
ending AS (
  SELECT session_id, min(time) AS terminated, min(time_us) AS terminated_us
  FROM activity
  WHERE session_id IS NOT NULL AND error_code IS NULL AND NOT coalesce(opens_session, false)
    AND event_name = 'TerminateSession' AND event_source = 'ssm.amazonaws.com'
  GROUP BY session_id
),
recording AS (
  SELECT
    session_id,
    count(*) AS transcripts,
    count(CASE WHEN complete = false THEN 1 END) AS cut,
    count(CASE WHEN is_part THEN 1 END) AS parts,
    count(CASE WHEN NOT is_part AND hidden IS NOT NULL THEN 1 END) AS hiding,
    min(CASE WHEN NOT is_part THEN hidden END) AS hidden,
    min(CASE WHEN is_part THEN hidden END) AS hidden_in_parts,
    min(target) AS target, min(region) AS region, min(principal_arn) AS principal_arn, min(run_as) AS run_as, min(time) AS seen,
    min(first_event) AS first_event, max(last_event) AS last_event, max(ended) AS ended,
    min(first_event_us) AS first_event_us, max(last_event_us) AS last_event_us, max(ended_us) AS ended_us,
    -- Forms show the same commands; the parts of a stream show each their own.
    CAST(greatest(
      coalesce(max(CASE WHEN NOT is_part THEN commands END), 0), coalesce(sum(CASE WHEN is_part THEN commands END), 0)
    ) AS BIGINT) AS commands
  FROM (
    SELECT *, coalesce(part, false) AS is_part,
      nullif(concat_ws(', ',
        CASE WHEN ', ' || observations LIKE '%, swallowed!_text=%' ESCAPE '!' THEN 'swallowed_text' END,
        CASE WHEN ', ' || observations LIKE '%, echo!_off=%' ESCAPE '!' THEN 'echo_off' END,
        CASE WHEN ', ' || observations LIKE '%, lost!_command!_characters=%' ESCAPE '!' THEN 'lost_command_characters' END
      ), '') AS hidden
    -- Once each, also while files are being put together.
    FROM (SELECT DISTINCT * FROM transcripts) AS once
    WHERE session_id IS NOT NULL
  ) AS seen
  GROUP BY session_id
),
finding AS (
  SELECT
    session_id,
    count(DISTINCT finding_id) AS findings,
    max(CASE level WHEN 'informational' THEN 1 WHEN 'low' THEN 2 WHEN 'medium' THEN 3 WHEN 'high' THEN 4 WHEN 'critical' THEN 5 END)
      AS highest
  FROM findings
  WHERE session_id IS NOT NULL
  GROUP BY session_id
),
joined AS (
  SELECT
    coalesce(o.session_id, r.session_id) AS session_id,
    coalesce(o.principal, r.principal_arn) AS principal_arn, o.principal_type, o.principal_name, o.account,
    coalesce(o.region, r.region) AS region,
    coalesce(o.container, o.target, r.target) AS target,
    o.session_kind AS kind, o.document, o.reason, o.mfa, o.source_ip, o.user_agent, r.run_as, r.seen,
    coalesce(o.time, r.first_event) AS "start",
    coalesce(e.terminated, r.ended, r.last_event) AS "end",
    coalesce(e.terminated_us, r.ended_us, r.last_event_us) - coalesce(o.time_us, r.first_event_us) AS duration_us,
    CASE WHEN e.terminated IS NOT NULL THEN 'terminated' WHEN r.ended IS NOT NULL THEN 'transcript'
      WHEN r.last_event IS NOT NULL THEN 'last-event' END AS end_source,
    coalesce(r.commands, 0) AS commands,
    o.session_id IS NOT NULL AS is_opened, coalesce(r.transcripts, 0) AS transcripts, coalesce(r.cut, 0) AS cut,
    CASE
      WHEN r.parts = r.transcripts THEN r.hidden_in_parts
      WHEN r.hiding < r.transcripts - r.parts THEN NULL
      WHEN r.parts = 0 THEN r.hidden
      WHEN r.hidden_in_parts IS NOT NULL THEN least(r.hidden, r.hidden_in_parts)
    END AS hidden
  FROM opening AS o
  FULL OUTER JOIN recording AS r ON r.session_id = o.session_id
  LEFT JOIN ending AS e ON e.session_id = coalesce(o.session_id, r.session_id)
),
judged AS (
  SELECT j.*, g.ended_text, g.started_text,
    CASE
      WHEN transcripts > 0 AND NOT is_opened THEN 'unaudited'
      WHEN transcripts > 0 AND cut = transcripts THEN 'recorded-partial'
      WHEN transcripts > 0 AND hidden IS NOT NULL THEN 'recorded-partial'
      WHEN transcripts > 0 THEN 'recorded'
      WHEN kind IN ('port-forward', 'port-forward-remote', 'ssh') THEN 'unrecordable'
      WHEN "end" > g.ended_by THEN 'pending'
      WHEN "end" IS NULL AND "start" > g.started_by THEN 'pending'
      ELSE 'missing'
    END AS coverage
  FROM joined AS j
  CROSS JOIN grace AS g
)
SELECT
  j.session_id, principal_arn, principal_type, principal_name, account, region, target, kind, document, reason, mfa, source_ip,
  user_agent, run_as, "start", "end", end_source,
  CAST(CASE WHEN duration_us < 0 THEN 0 ELSE duration_us END AS DOUBLE) / 1e6 AS duration_s,
  commands, coalesce(f.findings, 0) AS findings,
  CASE f.highest WHEN 1 THEN 'informational' WHEN 2 THEN 'low' WHEN 3 THEN 'medium' WHEN 4 THEN 'high' WHEN 5 THEN 'critical' END
    AS highest_level,
  coverage,
  CASE coverage
    WHEN 'unaudited' THEN 'no CloudTrail record opened it'
    WHEN 'recorded-partial' THEN
      CASE WHEN cut = transcripts THEN 'the transcript has no end: it may be cut' ELSE 'seen in the transcript: ' || hidden END
    WHEN 'unrecordable' THEN kind || ': Session Manager records nothing of it'
    WHEN 'pending' THEN 'the transcript may still come'
    WHEN 'missing' THEN
      CASE WHEN "end" IS NOT NULL THEN 'no transcript ' || ended_text || ' after its end'
        ELSE 'no transcript ' || started_text || ' after its start, its end unknown' END
      || CASE WHEN kind IS NULL AND document IS NOT NULL THEN '; the document ' || document || ' may have switched logging off' ELSE '' END
    ELSE ''
  END AS coverage_reason,
  coalesce("start", "end", seen) AS seen
FROM judged AS j
LEFT JOIN finding AS f ON f.session_id = j.session_id;

CREATE OR REPLACE VIEW sessions AS
SELECT
  session_id, principal_arn, principal_type, principal_name, account, region, target, kind, document, reason, mfa, source_ip, user_agent,
  run_as, "start", "end", end_source, duration_s, commands, findings, highest_level, coverage, coverage_reason
FROM session_rows;

-- What is not known that should be.
CREATE OR REPLACE VIEW coverage AS
SELECT * FROM sessions WHERE coverage NOT IN ('recorded', 'pending');

-- Who had sessions on which node.
CREATE OR REPLACE VIEW access AS
SELECT
  principal_arn, min(principal_name) AS principal_name, account, region, target,
  count(*) AS sessions,
  count(CASE WHEN coverage NOT IN ('recorded', 'pending') THEN 1 END) AS gaps,
  min("start") AS first, max("start") AS last,
  coalesce(sum(duration_s), 0e0) AS duration_s,
  CAST(sum(commands) AS BIGINT) AS commands, CAST(sum(findings) AS BIGINT) AS findings
FROM sessions
GROUP BY principal_arn, account, region, target;

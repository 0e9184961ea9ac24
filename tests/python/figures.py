"""A second opinion on a report: each of its figures once more, from the facts of the store and in SQL of its own.

figures.py STORE REPORT_DIR [--calendar-zone Etc/UTC] [--hours 07:00-19:00 …] [--weekdays mon …] [--holidays 2026-12-25 …]
           [--grace HOURS] [--long HOURS] [--lookback DAYS] [--break-glass 'BreakGlass*' …]

The defaults are those of `ssm-audit report` and of the rules that ship: a report does not say which were taken. From the report
come only the period, the time at which was looked, and what it was narrowed to. All else is computed from
STORE/facts/<table>/date=*/*.parquet, STORE/alerts, STORE/quarantine and STORE/integrity, over the whole store, whatever days the
program read; then the report's files are held against that and against each other.

Prints a line for each figure that differs, and at the end how many agree. Exit codes: 0 all agree, 1 some differ, 2 no report
that can be computed so.
"""

import argparse
import collections
import csv
import datetime
import hashlib
import json
import pathlib
import re
import sys

import duckdb

KEYS = """period as_of is_settled measures filters redacted sessions commands findings events alerts gaps integrity controls""".split()
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
GAPS = ("recorded-partial", "unrecordable", "missing", "unaudited")
STATES = ("recorded", "recorded-partial", "unrecordable", "missing", "pending", "unaudited")
# In the order in which they are told.
NOTES = ("break-glass", "after-hours", "no-mfa", "privileged", "unrecordable", "long", "first-access")
LEVELS = ("informational", "low", "medium", "high", "critical")
BETWEEN = "[ \\t\\n\\r;&|(){}<>`$\"'/=\\\\]"
RIGHTS = ("sudo", "su", "doas", "pkexec", "runuser", "gsudo", "runas")

# Columns that are looked at. A file that is older than one of them reads as null.
TABLES = {
    "activity": """time TIMESTAMPTZ, event_id VARCHAR, event_source VARCHAR, event_name VARCHAR, account VARCHAR, region VARCHAR,
        principal VARCHAR, principal_type VARCHAR, principal_name VARCHAR, principal_claimed_name VARCHAR, mfa BOOLEAN,
        source_ip VARCHAR, user_agent VARCHAR, error_code VARCHAR, session_id VARCHAR, opens_session BOOLEAN, session_kind VARCHAR,
        target VARCHAR, document VARCHAR, reason VARCHAR, artifact VARCHAR, "offset" BIGINT""",
    "transcripts": """time TIMESTAMPTZ, session_id VARCHAR, target VARCHAR, region VARCHAR, principal_arn VARCHAR, run_as VARCHAR,
        first_event TIMESTAMPTZ, last_event TIMESTAMPTZ, ended TIMESTAMPTZ, complete BOOLEAN, commands BIGINT, observations VARCHAR,
        artifact VARCHAR, "offset" BIGINT, part BOOLEAN""",
    "commands": """time TIMESTAMPTZ, time_end TIMESTAMPTZ, session_id VARCHAR, ordinal BIGINT, "text" VARCHAR, original VARCHAR,
        shell VARCHAR, status VARCHAR, confidence VARCHAR, "user" VARCHAR, host VARCHAR, cwd VARCHAR, "level" BIGINT,
        artifact VARCHAR, "offset" BIGINT, offset_end BIGINT""",
    "findings": """time TIMESTAMPTZ, time_end TIMESTAMPTZ, finding_id VARCHAR, rule_id VARCHAR, rule_title VARCHAR, "level" VARCHAR,
        tags VARCHAR[], session_id VARCHAR, principal VARCHAR, principal_type VARCHAR, principal_claimed_name VARCHAR,
        account VARCHAR, region VARCHAR, target VARCHAR, event_id VARCHAR, event_name VARCHAR, command VARCHAR, source_ip VARCHAR,
        error_code VARCHAR, evidence VARCHAR, correlated VARCHAR, correlated_count BIGINT, artifact VARCHAR, "offset" BIGINT""",
}

# Calls, by who answers them. Those that give access are attempts if they were refused; the others count tried or done.
REFUSED = {
    "ssm": "GetAccessToken ResumeSession SendCommand StartAccessRequest StartAssociationsOnce StartAutomationExecution StartSession"
           " TerminateSession",
    "ecs": "ExecuteCommand",
    "ec2-instance-connect": "OpenTunnel SendSSHPublicKey SendSerialConsoleSSHPublicKey",
    "ssm-guiconnect": "StartConnection",
}
PREFERENCES = {
    "ssm": "CreateDocument DeleteDocument ModifyDocumentPermission ResetServiceSetting UpdateDocument UpdateDocumentDefaultVersion"
           " UpdateDocumentMetadata UpdateServiceSetting",
    # Where ECS Exec is recorded to is a setting of the cluster.
    "ecs": "CreateCluster UpdateCluster",
}
TRAIL = {
    "cloudtrail": "DeleteEventDataStore DeleteTrail PutEventSelectors PutInsightSelectors StopEventDataStoreIngestion StopLogging"
                  " UpdateEventDataStore UpdateTrail",
    "s3": "DeleteBucket DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketPolicy DeleteBucketPublicAccessBlock"
          " DeleteBucketReplication DeleteObject DeleteObjectVersion DeleteObjects PutBucketAcl PutBucketEncryption"
          " PutBucketLifecycle PutBucketLifecycleConfiguration PutBucketLogging PutBucketNotification"
          " PutBucketNotificationConfiguration PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy"
          " PutBucketPublicAccessBlock PutBucketReplication PutBucketVersioning PutObjectLockConfiguration",
    "logs": "DeleteLogGroup DeleteLogStream DeleteSubscriptionFilter DisassociateKmsKey PutRetentionPolicy",
    "kms": "DisableKey PutKeyPolicy ScheduleKeyDeletion",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=pathlib.Path)
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("--calendar-zone", default="Etc/UTC")
    parser.add_argument("--hours", nargs="*", default=["07:00-19:00"])
    parser.add_argument("--weekdays", nargs="*", default=DAYS[:5], choices=DAYS)
    parser.add_argument("--holidays", nargs="*", default=["2026-12-25", "2027-01-01"])
    parser.add_argument("--grace", type=float, default=1, help="hours")
    parser.add_argument("--long", type=float, default=8, help="hours")
    parser.add_argument("--lookback", type=int, default=90, help="days")
    parser.add_argument("--break-glass", nargs="*", default=["BreakGlass*", "Emergency*"])
    return parser.parse_args()


class Tally:
    """What agrees and what does not."""

    def __init__(self):
        self.agree = self.differ = 0

    def figure(self, name, theirs, ours):
        if same(theirs, ours):
            self.agree += 1
        else:
            self.differ += 1
            print(f"{name}: theirs {shown(theirs)}, ours {shown(ours)}")

    def tree(self, name, theirs, ours):
        """Each leaf is a figure; what is on one side only differs."""
        if isinstance(ours, dict) and isinstance(theirs, dict):
            for key in sorted(ours.keys() | theirs.keys()):
                self.tree(f"{name}.{key}" if name else key, theirs.get(key, "-"), ours.get(key, "-"))
        elif isinstance(ours, list) and isinstance(theirs, list):
            self.figure(f"{name} (how many)", len(theirs), len(ours))
            for at, (one, other) in enumerate(zip(theirs, ours)):
                self.tree(f"{name}[{at}]", one, other)
        else:
            self.figure(name, theirs, ours)

    def rows(self, name, theirs, ours):
        """Rows in no order, as many times as they are there."""
        theirs, ours = collections.Counter(theirs), collections.Counter(ours)
        for word, some in (("only theirs", theirs - ours), ("only ours", ours - theirs)):
            for row in sorted(some, key=repr)[:5]:
                print(f"{name}: {word}: {shown(row)}")
            self.figure(f"{name} rows that are {word}", sum(some.values()), 0)


def shown(value):
    text = value.isoformat() if isinstance(value, datetime.datetime) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "…"


def same(theirs, ours):
    if isinstance(ours, datetime.datetime):
        return isinstance(theirs, str) and theirs != "-" and moment(theirs) == ours
    if isinstance(ours, float) or isinstance(theirs, float):
        numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (theirs, ours))
        # Of sums that are large, as many digits as a number has.
        return numbers and abs(theirs - ours) <= max(1e-6, 1e-13 * abs(ours))
    return type(theirs) is type(ours) and theirs == ours


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def of_micros(micros):
    return None if micros is None else EPOCH + datetime.timedelta(microseconds=micros)


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def listed(texts):
    return "(" + ", ".join(map(quoted, texts)) + ")"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path):
    """A CSV: its header, and its rows."""
    csv.field_size_limit(1 << 30)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def named(path):
    header, rows = cells(path)
    return [dict(zip(header, row)) for row in rows]


# --- From the facts ---


def fact_files(store, table, as_of):
    """The files of a table that were there at that time: of a day that had not begun nothing was."""
    last = (as_of - datetime.timedelta(microseconds=1)).date().isoformat()
    found = sorted((store / "facts" / table).glob("date=*/*.parquet"))
    return [path for path in found if not path.parent.name[5:6].isdigit() or path.parent.name[5:] <= last]


def tables(db, store, as_of):
    db.execute("SET TimeZone = 'UTC'")
    for table, columns in TABLES.items():
        db.execute(f"CREATE TABLE no_{table} ({columns})")
        names = ", ".join(f'"{row[0]}"' for row in db.execute(f"DESCRIBE no_{table}").fetchall())
        found, facts = fact_files(store, table, as_of), ""
        if found:
            paths = "[" + ", ".join(map(quoted, found)) + "]"
            facts = f"UNION ALL BY NAME SELECT * FROM read_parquet({paths}, union_by_name = true, hive_partitioning = false)"
        db.execute(f"CREATE VIEW {table} AS SELECT {names} FROM (SELECT * FROM no_{table} {facts})")


def span(hours):
    """`1h 30m`, as the reasons tell it."""
    seconds = round(hours * 3600)
    parts = [(seconds // 3600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def sessions(db, args, report):
    """Who was where: `people`, a row for each session of the store."""
    db.execute("""CREATE TABLE opened AS
        SELECT DISTINCT ON (session_id) * EXCLUDE (opens_session, error_code) FROM activity
        WHERE session_id IS NOT NULL AND opens_session AND error_code IS NULL
        ORDER BY session_id, time NULLS LAST, event_id NULLS LAST, artifact, "offset" """)
    db.execute("""CREATE TABLE containers AS
        SELECT session_id, min(target) AS container FROM activity
        WHERE session_id IS NOT NULL AND opens_session AND error_code IS NULL AND starts_with(target, 'ecs:')
        GROUP BY session_id""")
    db.execute("""CREATE TABLE terminated AS
        SELECT session_id, min(time) AS terminated FROM activity
        WHERE session_id IS NOT NULL AND error_code IS NULL AND opens_session IS DISTINCT FROM true
          AND event_source = 'ssm.amazonaws.com' AND event_name = 'TerminateSession'
        GROUP BY session_id""")
    # What hides: the kinds that are there, in this order.
    kinds = [f"CASE WHEN regexp_matches(observations, '(^|, ){kind}=') THEN '{kind}' END"
             for kind in ("swallowed_text", "echo_off", "lost_command_characters")]
    db.execute(f"""CREATE TABLE tapes AS
        SELECT * EXCLUDE (part, commands), coalesce(part, false) AS part, coalesce(commands, 0) AS commands,
          nullif(concat_ws(', ', {', '.join(kinds)}), '') AS hides
        FROM transcripts WHERE session_id IS NOT NULL""")
    # The parts of a stream are one form together. A form hides if its text does, and a session if all its forms do.
    db.execute("""CREATE TABLE forms AS
        SELECT session_id, artifact, "offset", commands, hides, false AS of_parts FROM tapes WHERE NOT part
        UNION ALL
        SELECT session_id, NULL, NULL, sum(commands)::BIGINT, min(hides), true FROM tapes WHERE part GROUP BY session_id""")
    db.execute("""CREATE TABLE recorded AS
        WITH heads AS (
          SELECT session_id, bool_and(complete IS NOT DISTINCT FROM false) AS is_cut, min(target) AS target, min(region) AS region,
            min(principal_arn) AS principal_arn, min(run_as) AS run_as, min(first_event) AS first_event,
            max(last_event) AS last_event, max(ended) AS ended, min(time) AS stored
          FROM tapes GROUP BY session_id
        ), shows AS (
          SELECT session_id, max(commands) AS commands, CASE WHEN count(hides) = count(*) THEN min(hides) END AS hides
          FROM forms GROUP BY session_id
        )
        SELECT * FROM heads JOIN shows USING (session_id)""")
    grades = " ".join(f"WHEN '{level}' THEN {at}" for at, level in enumerate(LEVELS))
    db.execute(f"""CREATE TABLE charges AS
        SELECT session_id, count(DISTINCT finding_id) AS findings, max(CASE level {grades} END) AS grade
        FROM findings WHERE session_id IS NOT NULL GROUP BY session_id""")
    as_of = f"TIMESTAMPTZ {quoted(report['as_of'])}"
    hours = lambda count: f"to_microseconds({round(count * 3_600_000_000)})"
    db.execute(f"""CREATE TABLE people AS
        WITH met AS (
          SELECT coalesce(o.session_id, r.session_id) AS session_id, coalesce(o.principal, r.principal_arn) AS principal_arn,
            o.principal_type, coalesce(o.principal_name, o.principal_claimed_name) AS principal_name, o.account,
            coalesce(o.region, r.region) AS region, coalesce(c.container, o.target, r.target) AS target, o.session_kind AS kind,
            o.document, o.reason, o.mfa, o.source_ip, o.user_agent, r.run_as, coalesce(o.time, r.first_event) AS "start",
            coalesce(t.terminated, r.ended, r.last_event) AS "end",
            CASE WHEN t.terminated IS NOT NULL THEN 'terminated' WHEN r.ended IS NOT NULL THEN 'transcript'
              WHEN r.last_event IS NOT NULL THEN 'last-event' END AS end_source,
            coalesce(r.commands, 0) AS commands, o.session_id IS NOT NULL AS is_opened, r.session_id IS NOT NULL AS is_taped,
            r.is_cut, r.hides, coalesce(o.time, r.first_event, t.terminated, r.ended, r.last_event, r.stored) AS placed
          FROM opened o FULL JOIN recorded r ON r.session_id = o.session_id
          LEFT JOIN containers c ON c.session_id = o.session_id
          LEFT JOIN terminated t ON t.session_id = coalesce(o.session_id, r.session_id)
        ), due AS (
          SELECT *, CASE WHEN "end" IS NULL THEN "start" + {hours(24 + args.grace)} ELSE "end" + {hours(args.grace)} END AS due
          FROM met
        ), judged AS (
          SELECT *, CASE
            WHEN is_taped AND NOT is_opened THEN 'unaudited'
            WHEN is_taped AND (is_cut OR hides IS NOT NULL) THEN 'recorded-partial'
            WHEN is_taped THEN 'recorded'
            WHEN kind IN ('ssh', 'port-forward', 'port-forward-remote') THEN 'unrecordable'
            WHEN {as_of} < due THEN 'pending'
            ELSE 'missing' END AS coverage
          FROM due
        )
        SELECT j.*, CASE WHEN "end" < "start" THEN 0 ELSE epoch_us("end") - epoch_us("start") END AS duration_us,
          coalesce(f.findings, 0) AS findings, {listed(LEVELS).replace('(', '[').replace(')', ']')}[f.grade + 1] AS highest_level,
          CASE coverage
            WHEN 'unaudited' THEN 'no CloudTrail record opened it'
            WHEN 'recorded-partial' THEN
              CASE WHEN is_cut THEN 'the transcript has no end: it may be cut' ELSE 'seen in the transcript: ' || hides END
            WHEN 'recorded' THEN ''
            WHEN 'unrecordable' THEN kind || ': Session Manager records nothing of it'
            WHEN 'pending' THEN 'the transcript may still come'
            ELSE 'no transcript ' || CASE WHEN "end" IS NULL THEN '{span(24 + args.grace)} after its start, its end unknown'
                ELSE '{span(args.grace)} after its end' END
              || CASE WHEN kind IS NULL AND document IS NOT NULL
                   THEN '; the document ' || document || ' may have switched logging off' ELSE '' END
          END AS coverage_reason,
          coverage IN {listed(GAPS)} AS is_gap
        FROM judged j LEFT JOIN charges f ON f.session_id = j.session_id""")


def period(db, report):
    """The period by its label and its zone: the bounds that the report should have."""
    label, zone = report["period"]["label"], report["period"]["time_zone"]
    date = datetime.date
    if ".." in label:
        first, last = map(date.fromisoformat, label.split(".."))
        end = last + datetime.timedelta(days=1)
    elif len(label) == 10:
        first = date.fromisoformat(label)
        end = first + datetime.timedelta(days=1)
    else:
        year, rest = int(label[:4]), label[5:]
        month, months = (1, 12) if not rest else (int(rest[1]) * 3 - 2, 3) if rest[0] == "Q" else (int(rest), 1)
        first = date(year, month, 1)
        end = date(year + (month + months - 1) // 12, (month + months - 1) % 12 + 1, 1)
    begin = lambda day: f"epoch_us(timezone({quoted(zone)}, TIMESTAMP '{day} 00:00:00'))"
    since, until = db.execute(f"SELECT {begin(first)}, {begin(end)}").fetchone()
    days = [first + datetime.timedelta(days=at) for at in range((end - first).days)]
    return of_micros(since), of_micros(until), days


def fits(patterns, name):
    """Does a name fit one of these? `*` stands for any characters; case does not matter."""
    expressions = [".*".join(map(re.escape, pattern.lower().split("*"))) for pattern in patterns]
    return f"regexp_full_match(lower({name}), {quoted('|'.join(expressions) or '(?:$.)')}, 's')"


def narrowed(filters, principals="principal_arn, principal_name"):
    """What a report was narrowed to, as a condition on account, region, principals and target."""
    words = {"account": "account IN", "region": "region IN"}
    conditions = [f"coalesce({words[key]} {listed(filters[key])}, false)" for key in words if key in filters]
    for key, columns in (("principal", principals), ("node", "target")):
        if key in filters:
            parts = [f"contains(lower({column.strip()}), lower({quoted(part)}))"
                     for part in filters[key] for column in columns.split(",")]
            conditions.append("(" + " OR ".join(f"coalesce({part}, false)" for part in parts) + ")")
    return " AND ".join(conditions) or "true"


def wanted(db, args, report, since, until):
    """The sessions of the report with their notes, its commands, findings and events."""
    filters = report["filters"]
    bounds = f"TIMESTAMPTZ '{since.isoformat()}' AND time < TIMESTAMPTZ '{until.isoformat()}'"
    in_period = f"time >= {bounds}"
    # What tells no time of its own counts when its transcript was stored; where nobody knows that either, in every period.
    db.execute(f"""CREATE TABLE chosen AS SELECT * FROM people
        WHERE {narrowed(filters)} AND (placed IS NULL OR placed >= {bounds.replace('time', 'placed')})""")
    # Of several forms the one that shows most counts, then the first by its name; the parts of a stream are one together, and
    # count only if they show more.
    db.execute("""CREATE TABLE tellers AS
        WITH best AS (
          SELECT DISTINCT ON (session_id) session_id, artifact, of_parts FROM forms
          ORDER BY session_id, commands DESC, of_parts, artifact, "offset"
        )
        SELECT session_id, artifact FROM best WHERE NOT of_parts
        UNION
        SELECT session_id, t.artifact FROM best b JOIN tapes t USING (session_id) WHERE b.of_parts AND t.part""")
    unowned = "c.session_id IS NULL AND " + in_period.replace("time", "c.time") if not filters else "false"
    words = "[" + ", ".join(map(quoted, RIGHTS)) + "]"
    # What stands in the same place of two versions of an object is one command if it is the same, and two if it is not.
    db.execute(f"""CREATE TABLE told AS
        SELECT DISTINCT ON (c.session_id, c.artifact, c.ordinal, c."offset", c.text)
          c.session_id, p.principal_arn, p.account, p.region, p.target, c.time, c.time_end, c.ordinal, c.text, c.original, c.shell,
          c.status, c.confidence, c."user", c.host, c.cwd, c.level,
          coalesce(c."user" IN ('root', 'Administrator'), false) OR list_has_any(regexp_split_to_array(coalesce(c.text, ''), {quoted(BETWEEN)}), {words})
            AS privileged,
          c.artifact, c."offset", c.offset_end
        FROM commands c
        LEFT JOIN tellers t ON t.session_id = c.session_id AND t.artifact = c.artifact
        LEFT JOIN chosen p ON p.session_id = t.session_id
        WHERE p.session_id IS NOT NULL OR {unowned}
        ORDER BY c.session_id, c.artifact, c.ordinal, c."offset", c.text, c.time NULLS FIRST""")
    # Who was where before.
    db.execute(f"""CREATE TABLE earlier AS
        SELECT DISTINCT principal, target FROM activity
        WHERE opens_session AND error_code IS NULL AND principal IS NOT NULL AND target IS NOT NULL
          AND time < TIMESTAMPTZ '{since.isoformat()}'
          AND time >= TIMESTAMPTZ '{since.date().isoformat()} 00:00:00+00' - INTERVAL {args.lookback} DAYS
          AND {args.lookback} > 0""")
    local = f"timezone({quoted(args.calendar_zone)}, \"start\")"
    inside = []
    for hours in args.hours:
        begin, end = ((int(part[:2]) * 60 + int(part[3:])) for part in hours.split("-"))
        inside.append(f"epoch_us({local}) - epoch_us(date_trunc('day', {local})) >= {begin * 60_000_000}"
                      f" AND epoch_us({local}) - epoch_us(date_trunc('day', {local})) < {end * 60_000_000}")
    days = [DAYS.index(day) + 1 for day in args.weekdays]
    office = f"""isodow({local}) IN ({', '.join(map(str, days)) or 'NULL'}) AND ({' OR '.join(f'({i})' for i in inside) or 'false'})
        AND NOT coalesce(strftime({local}, '%Y-%m-%d') IN {listed(args.holidays or ['-'])}, false)"""
    role = "regexp_extract(principal_arn, '^.*?:assumed-role/([^/]*)', 1)"
    known = "regexp_matches(principal_arn, ':assumed-role/')"
    permission_set = f"nullif(regexp_extract({role}, '^AWSReservedSSO_(.*)_[^_]*$', 1), '')"
    db.execute(f"""CREATE TABLE noted AS
        WITH privileged AS (SELECT DISTINCT session_id FROM told WHERE privileged AND session_id IS NOT NULL),
        firsts AS (
          SELECT DISTINCT ON (principal_arn, target) session_id, principal_arn, target FROM chosen
          WHERE principal_arn IS NOT NULL AND target IS NOT NULL
          ORDER BY principal_arn, target, "start" NULLS FIRST, session_id
        ), new AS (
          SELECT session_id FROM firsts f WHERE EXISTS (FROM earlier)
            AND NOT EXISTS (FROM earlier e WHERE e.principal = f.principal_arn AND e.target = f.target)
        )
        SELECT c.*,
          coalesce({known} AND ({fits(args.break_glass, role)} OR {fits(args.break_glass, permission_set)}), false)
            AS "break-glass",
          coalesce(NOT ({office}), false) AS "after-hours", coalesce(mfa = false, false) AS "no-mfa",
          session_id IN (FROM privileged) AS privileged, coverage = 'unrecordable' AS unrecordable,
          coalesce(duration_us >= {round(args.long * 3_600_000_000)}, false) AS long, session_id IN (FROM new) AS "first-access"
        FROM chosen c""")
    mine = narrowed(filters, "principal, principal_claimed_name")
    db.execute(f"""CREATE TABLE found AS
        SELECT DISTINCT ON (f.finding_id) f.* FROM findings f
        LEFT JOIN people p ON p.session_id = f.session_id
        LEFT JOIN chosen c ON c.session_id = f.session_id
        WHERE ({in_period.replace('time', 'f.time')} OR f.time IS NULL AND c.session_id IS NOT NULL)
          AND CASE WHEN p.session_id IS NULL THEN f.finding_id IN (SELECT finding_id FROM findings WHERE {mine})
            ELSE p.session_id IN (SELECT session_id FROM people WHERE {narrowed(filters)}) END
        ORDER BY f.finding_id, f.artifact, f."offset" """)
    calls = [f"(event_source = '{source}.amazonaws.com' AND event_name = '{name}')"
             for source, names in REFUSED.items() for name in names.split()]
    category = [f"WHEN error_code IS NOT NULL AND (opens_session OR {' OR '.join(calls)}) THEN 'denied'"]
    for word, of in (("preferences", PREFERENCES), ("trail", TRAIL)):
        for source, names in of.items():
            category.append(f"WHEN event_source = '{source}.amazonaws.com' AND event_name IN {listed(names.split())} THEN '{word}'")
    db.execute(f"""CREATE TABLE calls AS
        SELECT DISTINCT ON (coalesce(event_id, artifact || '|' || "offset")) *, CASE {' '.join(category)} END AS category
        FROM activity a
        WHERE {in_period} AND CASE {' '.join(category)} END IS NOT NULL
          AND CASE WHEN session_id IN (SELECT session_id FROM people) THEN session_id IN (SELECT session_id FROM people WHERE
            {narrowed(filters)}) ELSE {narrowed(filters, 'principal, principal_claimed_name')} END
        ORDER BY coalesce(event_id, artifact || '|' || "offset"), time, artifact, "offset" """)


def sums(db, name, other, most=None):
    notes = ", ".join(f'count(*) FILTER ("{note}")' for note in NOTES)
    grouped = "" if most is None else f"GROUP BY {name} ORDER BY count(*) DESC, {name} NULLS FIRST LIMIT {most}"
    rows = db.execute(f"""SELECT {name}, count(DISTINCT {other}), count(*), coalesce(sum(commands), 0)::BIGINT,
          coalesce(sum(findings), 0)::BIGINT, count(*) FILTER (is_gap), coalesce(sum(duration_us), 0)::BIGINT,
          max(epoch_us(coalesce("start", "end"))), {notes}
        FROM noted {grouped}""").fetchall()
    made = []
    for who, others, count, commands, found, gaps, duration, last, *notes in rows:
        made.append({
            "name": who, "others": others, "sessions": count, "commands": commands, "findings": found, "gaps": gaps,
            "duration_s": duration / 1e6, "last": of_micros(last),
            "notes": {note: count for note, count in zip(NOTES, notes) if count},
        })
    return made


def counted(db, expression, table):
    return dict(db.execute(f"SELECT {expression} AS what, count(*) FROM {table} GROUP BY what").fetchall())


def told_alerts(store, found):
    """Notifications that tell of findings of the report, and what became of each finding."""
    alerts, states = [], {}
    for folder in sorted((store / "alerts").glob("date=*")):
        noted = collections.defaultdict(dict)
        for path in sorted(folder.glob("*.json")):
            alert, number, what = path.name[: -len(".json")].split(".", 2)
            noted[alert, int(number)][what] = path
        for (alert, number), objects in sorted(noted.items()):
            if "pending" not in objects:
                continue
            pending = read(objects["pending"])
            has = [sink for sink in pending["sinks"] if f"sent.{sink}" in objects]
            state = "waiting" if not has else "partly" if len(has) < len(pending["sinks"]) else "delivered"
            states.update(dict.fromkeys(pending["finding_ids"], state))
            if not found.isdisjoint(pending["finding_ids"]):
                failed = sum(what.startswith("failed-") for what in objects)
                alerts.append((alert, str(number), state, str(len(pending["finding_ids"])), ",".join(has), str(failed)))
    return alerts, states


def latest_integrity(store, since, until):
    notes = [read(path) for path in sorted((store / "integrity").glob("*.json"))]
    notes = [note for note in notes if moment(note["from"]) < until and moment(note["to"]) > since]
    return max(notes, key=lambda note: moment(note["verified"]), default=None)


def figures(db, store, report, since, until, days):
    """The whole of report.json, but for the controls."""
    zone, filters = report["period"]["time_zone"], report["filters"]
    local = f"timezone({quoted(zone)}, \"start\")"
    whole = sums(db, "NULL", "NULL")[0]
    del whole["name"], whole["others"]
    by_day = counted(db, f"strftime({local}, '%Y-%m-%d')", "noted")
    by_hour = {(day, hour): count for day, hour, count in db.execute(
        f'SELECT isodow({local}), hour({local}), count(*) FROM noted WHERE "start" IS NOT NULL GROUP BY ALL').fetchall()}
    states = counted(db, "coverage", "noted")
    due = sum(states.get(state, 0) for state in ("recorded", "recorded-partial", "missing", "unaudited"))
    distinct = db.execute("""SELECT count(DISTINCT principal_arn), count(DISTINCT target), count(DISTINCT account)
        FROM noted""").fetchone()
    found = {row[0] for row in db.execute("SELECT finding_id FROM found").fetchall()}
    alerts, alert_states = told_alerts(store, found)
    db.execute("CREATE TABLE alerted (finding_id VARCHAR, state VARCHAR)")
    if found & alert_states.keys():
        db.executemany("INSERT INTO alerted VALUES (?, ?)", [(i, alert_states[i]) for i in sorted(found & alert_states.keys())])
    db.execute("""CREATE TABLE judged_found AS
        SELECT f.*, coalesce(a.state, 'none') AS alert_state FROM found f LEFT JOIN alerted a USING (finding_id)""")
    grades = " ".join(f"WHEN '{level}' THEN {at}" for at, level in enumerate(LEVELS))
    rules = []
    for rule, title, level, count, met, states_of in db.execute(f"""
            SELECT rule_id, arg_min(rule_title, (time IS NULL, time, finding_id)),
              arg_min(level, (time IS NULL, time, finding_id)) AS l, count(*) AS n, count(DISTINCT session_id), list(alert_state)
            FROM judged_found GROUP BY rule_id ORDER BY CASE l {grades} END DESC, n DESC, 2, rule_id""").fetchall():
        rules.append({"rule_id": rule, "title": title, "level": level, "findings": count, "sessions": met,
                      "alert_states": dict(collections.Counter(states_of))})
    events = counted(db, "category", "calls")
    gaps = {state: count for state, count in states.items() if state in GAPS}
    unreadable, integrity = [], None
    # These are about whole trails and objects, not about what a filter leaves.
    if not filters:
        integrity = latest_integrity(store, since, until)
        for path in sorted((store / "quarantine").rglob("*.json")):
            note = read(path)
            if note.get("stored") is None or since <= moment(note["stored"]) < until:
                unreadable.append(note["artifact"])
        if unreadable:
            gaps["unreadable"] = len(unreadable)
        if integrity and integrity["problems"]:
            gaps["trail"] = len(integrity["problems"])
    total, privileged = db.execute("SELECT count(*), count(*) FILTER (privileged) FROM told").fetchone()
    ours = {
        "sessions": {
            "all": whole, "principals": distinct[0], "nodes": distinct[1], "accounts": distinct[2],
            "kinds": counted(db, "coalesce(kind, CASE WHEN document IS NOT NULL THEN 'custom' ELSE 'unknown' END)", "noted"),
            "coverage": {state: states.get(state, 0) for state in STATES},
            "coverage_percent": 100.0 * states.get("recorded", 0) / due if due else None,
            "mfa_unknown": db.execute("SELECT count(*) FROM noted WHERE mfa IS NULL").fetchone()[0],
            "days": [{"day": str(day), "sessions": by_day.get(str(day), 0)} for day in days],
            "weekday_hour": [[by_hour.get((day, hour), 0) for hour in range(24)] for day in range(1, 8)],
            "by_principal": sums(db, "principal_arn", "target", 100), "by_node": sums(db, "target", "principal_arn", 100),
            "by_account": sums(db, "account", "principal_arn", 100),
        },
        "commands": {"total": total, "privileged": privileged},
        "findings": {"total": len(found), "levels": counted(db, "level", "found"), "rules": rules,
                     "alert_states": counted(db, "alert_state", "judged_found")},
        "events": {word: events.get(word, 0) for word in ("denied", "preferences", "trail")},
        "alerts": {"notifications": len(alerts), "states": dict(collections.Counter(alert[2] for alert in alerts))},
        "gaps": gaps,
        "integrity": integrity and {
            "verified": moment(integrity["verified"]), "from": moment(integrity["from"]), "to": moment(integrity["to"]),
            "digests_valid": integrity["digests_valid"], "log_files_valid": integrity["log_files_valid"],
            "problems": len(integrity["problems"])},
    }
    return ours, alerts, unreadable


# --- The report's files ---


def deceives(char):
    at = ord(char)
    return (at in (0xAD, 0x61C, 0x180E, 0xFEFF) or 0x200B <= at <= 0x200F or 0x2028 <= at <= 0x202E or 0x2060 <= at <= 0x206F
            or 0xFFF9 <= at <= 0xFFFB or 0xE0000 <= at <= 0xE007F)


def cell(text):
    """A text as it stands in a CSV: nothing that acts, nothing that a spreadsheet runs."""
    made = []
    for char in text:
        at = ord(char)
        if at < 0x20 or 0x7F <= at <= 0x9F or deceives(char):
            usual = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
            made.append(usual.get(char) or (f"\\x{at:02x}" if at < 0x100 else f"\\u{{{at:x}}}"))
        else:
            made.append(char)
    first = text.lstrip()[:1]
    runs = first and first in "=+-@\uff1d\uff0b\uff0d\uff20" or text[:1] in ("\t", "\r", "\n")
    return ("'" if runs else "") + "".join(made)


def is_cell(text, value, kind):
    """Does a cell say what the Parquet file says?"""
    if value is None:
        return text == ""
    if kind.startswith("TIMESTAMP"):
        return text != "" and moment(text) == of_micros(value)
    if kind == "DOUBLE":
        return text != "" and same(float(text), float(value))
    if kind == "BOOLEAN":
        return text == ("true" if value else "false")
    if kind.endswith("[]"):
        return text == cell(" ".join(value))
    return text == cell(str(value))


def twins(tally, db, folder, name):
    """A CSV and a Parquet file of the same rows, cell by cell."""
    header, rows = cells(folder / f"{name}.csv")
    path = quoted(folder / f"{name}.parquet")
    kinds = {row[0]: row[1] for row in db.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()}
    tally.figure(f"{name}.csv columns, by {name}.parquet", header, list(kinds))
    columns = ", ".join(f'epoch_us("{c}")' if k.startswith("TIMESTAMP") else f'"{c}"' for c, k in kinds.items())
    others = db.execute(f"SELECT {columns} FROM read_parquet({path})").fetchall()
    tally.figure(f"{name}.csv rows, by {name}.parquet", len(rows), len(others))
    wrong = []
    for at, (row, other) in enumerate(zip(rows, others)):
        for column, text, value, kind in zip(kinds, row, other, kinds.values()):
            if not is_cell(text, value, kind):
                wrong.append(f"row {at + 1}, {column}: {text!r} and {value!r}")
    for line in wrong[:5]:
        print(f"{name}: {line}")
    tally.figure(f"{name}.csv cells that are not those of {name}.parquet", len(wrong), 0)


def held_against(tally, db, name, path, columns, ours, keys):
    """The rows of a Parquet file of the report against ours."""
    theirs = f"SELECT {columns} FROM read_parquet({quoted(path)})"
    ours = f"SELECT {columns} FROM {ours}"
    for word, one, other in (("only theirs", theirs, ours), ("only ours", ours, theirs)):
        rows = f"({one} EXCEPT ALL {other})"
        count = db.execute(f"SELECT count(*) FROM {rows}").fetchone()[0]
        for row in db.execute(f"SELECT {keys} FROM {rows} ORDER BY ALL LIMIT 5").fetchall() if count else ():
            print(f"{name}: {word}: {shown(row)}")
        tally.figure(f"{name} rows that are {word}", count, 0)


def files(tally, db, folder, manifest):
    """The manifest against the folder."""
    names = sorted(file["name"] for file in manifest["files"])
    tally.figure("manifest.json names", names, sorted(path.name for path in folder.iterdir() if path.name != "manifest.json"))
    for file in manifest["files"]:
        path = folder / file["name"]
        if not path.is_file():
            continue
        content = path.read_bytes()
        tally.figure(f"manifest.json {path.name} bytes", file["bytes"], len(content))
        tally.figure(f"manifest.json {path.name} sha256", file["sha256"], hashlib.sha256(content).hexdigest())
        if path.suffix == ".csv":
            tally.figure(f"manifest.json {path.name} rows", file["rows"], len(cells(path)[1]))
        elif path.suffix == ".parquet":
            rows = db.execute(f"SELECT count(*) FROM read_parquet({quoted(path)})").fetchone()[0]
            tally.figure(f"manifest.json {path.name} rows", file["rows"], rows)


def facts(tally, db, store, folder, manifest, since, until, as_of):
    """facts.csv against the store: what it names is there as it was, and nothing of the period is left out."""
    listed_facts = {fact["path"]: fact for fact in named(folder / "facts.csv")}
    tally.figure("manifest.json facts.files", manifest["facts"]["files"], len(listed_facts))
    for column in ("rows", "bytes"):
        tally.figure(f"manifest.json facts.{column}", manifest["facts"][column], sum(int(f[column]) for f in listed_facts.values()))
    found = list(map(str, (store / "facts").glob("*/date=*/*.parquet")))
    rows = {}
    if found:
        rows = dict(db.execute("SELECT file_name, num_rows FROM parquet_file_metadata(?)", [found]).fetchall())
    changed = []
    for path, fact in listed_facts.items():
        full = store / path
        content = full.read_bytes() if full.is_file() else b""
        is_same = len(content) == int(fact["bytes"]) and hashlib.sha256(content).hexdigest() == fact["sha256"]
        if not (is_same and rows.get(str(full)) == int(fact["rows"])):
            changed.append(path)
    tally.figure("facts.csv files that are not as they were", sorted(changed)[:5], [])
    unlisted = []
    end = (until - datetime.timedelta(microseconds=1)).date().isoformat()
    for path in (path for table in TABLES for path in fact_files(store, table, as_of)):
        # Of days that lie wholly or partly in the period.
        if since.date().isoformat() <= path.parent.name[5:] <= end and path.relative_to(store).as_posix() not in listed_facts:
            unlisted.append(path.relative_to(store).as_posix())
    tally.figure("facts.csv files of the period that it does not name", unlisted[:5], [])


def controls(tally, db, folder, report, ours, manifest):
    """Each row of controls.csv, counted again by what it says of itself."""
    tags = counted(db, "tag", "(SELECT unnest(list_distinct(tags)) AS tag FROM found)")
    integrity = ours["integrity"] or {"digests_valid": 0, "log_files_valid": 0}
    of = {
        ("access.csv", ""): ours["sessions"]["all"]["sessions"], ("commands.parquet", ""): ours["commands"]["total"],
        ("commands.parquet", "privileged is true"): ours["commands"]["privileged"], ("findings.csv", ""): ours["findings"]["total"],
        ("alerts.csv", ""): ours["alerts"]["notifications"], ("coverage.csv", ""): sum(ours["gaps"].values()),
        ("manifest.json", "files"): len(manifest["files"]),
        ("integrity.json", ""): integrity["digests_valid"] + integrity["log_files_valid"],
    }
    of.update({("events.csv", f"category is {word}"): count for word, count in ours["events"].items()})
    notes = ours["sessions"]["all"]["notes"]
    of.update({("access.csv", f"notes contain {note}"): notes.get(note, 0) for note in NOTES})
    all_rows = collections.Counter()
    lines = named(folder / "controls.csv")
    for line in lines:
        key = line["file"], line["rows_where"]
        rows = tags.get(key[1].removeprefix("one of the tags is "), 0) if key[1].startswith("one of the tags is ") else of.get(key)
        tally.figure(f"controls.csv {line['framework']} {line['control']}, {line['evidence']} ({key[1]})", line["rows"], str(rows))
        all_rows[line["framework"], line["control"]] += rows or 0
    said = {(line["framework"], line["control"], line["control_has_evidence"]) for line in lines}
    has = {(*control, "yes" if rows else "none in this period") for control, rows in all_rows.items()}
    tally.rows("controls.csv control_has_evidence", said, has)
    some = sum(rows > 0 for rows in all_rows.values())
    tally.tree("controls", report["controls"], {"with_evidence": some, "without": len(all_rows) - some})


def main():
    args = arguments()
    report, manifest = read(args.report / "report.json"), read(args.report / "manifest.json")
    if report["redacted"] or "node tag" in report["filters"]:
        print("a report with other names, or of nodes by their tags, cannot be computed from the facts alone", file=sys.stderr)
        return 2
    tally, db = Tally(), duckdb.connect()
    as_of = moment(report["as_of"])
    tables(db, args.store, as_of)
    sessions(db, args, report)
    since, until, days = period(db, report)
    tally.figure("report.json keys", sorted(report), sorted(KEYS))
    measures = report["measures"]
    tally.tree(
        "measures",
        {name: measures[name] for name in ("grace_s", "long_s", "lookback_days", "break_glass_roles")},
        {"grace_s": args.grace * 3600, "long_s": args.long * 3600, "lookback_days": args.lookback, "break_glass_roles": list(args.break_glass)},
    )
    tally.figure("is_settled", report.get("is_settled"), as_of >= until + datetime.timedelta(hours=48))
    tally.tree("period", {k: report["period"][k] for k in ("since", "until")}, {"since": since, "until": until})
    for key in ("period", "as_of", "measures", "filters", "redacted"):
        tally.figure(f"manifest.json {key}", manifest[key], report[key])
    wanted(db, args, report, since, until)
    ours, alerts, unreadable = figures(db, args.store, report, since, until, days)
    for key in ours:
        tally.tree(key, report[key], ours[key])

    # The report's tables against the facts, and against each other.
    folder = args.report
    notes = ", ".join(f"CASE WHEN \"{note}\" THEN '{note}' END" for note in NOTES)
    db.execute(f"CREATE VIEW access AS SELECT *, duration_us / 1e6 AS duration_s, concat_ws(' ', {notes}) AS notes FROM noted")
    texts = """session_id, principal_arn, principal_type, principal_name, account, region, target, kind, document, reason, mfa,
        source_ip, user_agent, run_as, "start", "end", end_source, commands, findings, highest_level, coverage, coverage_reason,
        notes"""
    held_against(tally, db, "access.parquet", folder / "access.parquet",
                 f"{texts}, round(duration_s * 1e6)::BIGINT AS duration_us", "access", "session_id, notes, coverage")
    order = lambda path, key: [row[0] for row in db.execute(f"SELECT {key} FROM read_parquet({quoted(path)})").fetchall()]
    by_start = db.execute('SELECT session_id FROM noted ORDER BY "start" NULLS FIRST, session_id').fetchall()
    tally.figure("access.parquet is in order", order(folder / "access.parquet", "session_id") == [row[0] for row in by_start], True)
    columns = ", ".join(f'"{row[0]}"' for row in db.execute("DESCRIBE told").fetchall())
    held_against(tally, db, "commands.parquet", folder / "commands.parquet", columns, "told",
                 'session_id, artifact, ordinal, "text"')
    columns = ", ".join(f'"{row[0]}"' for row in db.execute("DESCRIBE judged_found").fetchall())
    held_against(tally, db, "findings.parquet", folder / "findings.parquet", columns, "judged_found",
                 "finding_id, time::VARCHAR, alert_state")
    by_time = db.execute("SELECT finding_id FROM found ORDER BY time NULLS LAST, finding_id").fetchall()
    is_ordered = order(folder / "findings.parquet", "finding_id") == [row[0] for row in by_time]
    tally.figure("findings.parquet is in order", is_ordered, True)
    twins(tally, db, folder, "access")
    twins(tally, db, folder, "findings")
    # Without an id it is known by its place.
    key = lambda row: (row[0], row[1] or f"{row[2]}|{row[3]}")
    theirs = [(r["category"], r["event_id"], r["artifact"], r["offset"]) for r in named(folder / "events.csv")]
    mine = db.execute('SELECT category, event_id, artifact, "offset" FROM calls').fetchall()
    tally.rows("events.csv", map(key, theirs), [key((r[0], r[1] and cell(r[1]), cell(r[2]), r[3])) for r in mine])
    gaps = [(gap, cell(subject)) for gap, subject in db.execute("SELECT coverage, session_id FROM noted WHERE is_gap").fetchall()]
    gaps += [("unreadable", cell(artifact)) for artifact in unreadable]
    theirs = [(row["gap"], row["subject"]) for row in named(folder / "coverage.csv")]
    tally.rows("coverage.csv", [row for row in theirs if row[0] != "trail"], gaps)
    tally.figure("coverage.csv rows of the trail", sum(row[0] == "trail" for row in theirs), ours["gaps"].get("trail", 0))
    columns = ("alert_id", "number", "state", "findings", "delivered_to", "failed_tries")
    tally.rows("alerts.csv", [tuple(row[c] for c in columns) for row in named(folder / "alerts.csv")], alerts)
    access, commands = (quoted(folder / f"{name}.parquet") for name in ("access", "commands"))
    uneven = db.execute(f"""SELECT session_id, a.commands, coalesce(c.rows, 0) FROM read_parquet({access}) a
        LEFT JOIN (SELECT session_id, count(*) AS rows FROM read_parquet({commands}) GROUP BY session_id) c USING (session_id)
        WHERE a.commands != coalesce(c.rows, 0) ORDER BY ALL""").fetchall()
    for session, told, rows in uneven[:5]:
        print(f"session {session}: its transcripts count {told} commands, commands.parquet has {rows}")
    tally.figure("sessions whose commands are not as many as they count", len(uneven), 0)
    total, unowned = db.execute(f"SELECT count(*), count(*) FILTER (session_id IS NULL) FROM read_parquet({commands})").fetchone()
    tally.figure("commands of all sessions, by commands.parquet", report["sessions"]["all"]["commands"], total - unowned)
    controls(tally, db, folder, report, ours, manifest)
    files(tally, db, folder, manifest)
    facts(tally, db, args.store, folder, manifest, since, until, as_of)
    print(f"{tally.agree} figures agree, {tally.differ} differ")
    return 1 if tally.differ else 0


if __name__ == "__main__":
    sys.exit(main())

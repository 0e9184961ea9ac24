#!/usr/bin/env python3
"""Holds the SQL to the same rows on every engine: engines.py BINARY [--sessions N]

Makes stores: of the month in examples/, of a made-up month of N sessions, of odd rows, and an empty one. Over each, the views of
deploy/sql by DuckDB and by a Spark cluster of two workers on loopback, and by the binary itself, have to be the same row for row;
so have the report's, and the files of deploy/spark/report.py. Every statement has to parse as Trino's, and the tables of each engine
to have the columns of report/src/store/rows.rs. Makes its own environment of Python; Java 17 has to be there. Exit status 1 if
something is not as it has to be. Times are told and decide nothing.
"""
import argparse
import collections
import csv
import datetime
import importlib.util
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / "target/engines-venv"
SQL = ROOT / "deploy/sql"
PERIOD, NOW = "2026-10", "2026-11-15T00:00:00Z"
# In the middle of the month some are pending.
MIDDLE = "2026-10-19T15:00:00Z"
VIEWS = ("sessions", "coverage", "access")
TABLES = ("activity", "transcripts", "commands", "matches", "findings")
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok' if ok else 'FAILED':6} {name}{f': {detail}' if detail else ''}", flush=True)


def environment():
    """Goes on in the environment that tests/requirements-engines.txt asks for."""
    wanted, done = ROOT / "tests/requirements-engines.txt", PLACE / "done"
    if not done.exists() or done.read_text() != wanted.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        subprocess.run([PLACE / "bin/python", "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
        done.write_text(wanted.read_text())
    if pathlib.Path(sys.prefix) != PLACE:
        os.execv(PLACE / "bin/python", [PLACE / "bin/python", "-B", *sys.argv])


def job():
    spec = importlib.util.spec_from_file_location("report", ROOT / "deploy/spark/report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- rows

def plain(value):
    if isinstance(value, float):
        return round(value, 6)
    return tuple(value) if isinstance(value, (list, tuple)) else value


class Rows:
    """Rows of a view in no order, times as microseconds."""

    def __init__(self, names, times, rows, seconds=0.0):
        self.names, self.times, self.seconds = names, times, seconds
        self.rows = collections.Counter(tuple(map(plain, row)) for row in rows)

    def __len__(self):
        return self.rows.total()


def same(name, one, other, which):
    if one.names != other.names:
        return check(name, False, f"columns {one.names} and {other.names}")
    left, right = list((one.rows - other.rows).elements()), list((other.rows - one.rows).elements())
    detail = f"{len(one)} rows"
    if left or right:
        detail = f"{len(left)} and {len(right)} rows differ ({which})"
        pair = [dict(zip(one.names, rows[0])) for rows in (sorted(left, key=repr), sorted(right, key=repr)) if rows]
        if len(pair) == 2:
            pair = [{key: row[key] for key in row if pair[0][key] != pair[1][key]} for row in pair]
        detail += f": {pair}"
    check(name, not left and not right, detail)


class Duck:
    def __init__(self, root, report):
        import duckdb
        self.db, self.report = duckdb.connect(), report
        self.db.execute(f"SET VARIABLE root = '{root}'")
        for name in ("duckdb.sql", "views.sql", "report.sql"):
            self.db.execute((SQL / name).read_text())
        self.db.execute(report.period(PERIOD))
        self.at(NOW)

    def at(self, now):
        self.db.execute(self.report.clock(now))

    def of(self, relation):
        columns = [(name, kind) for name, kind, *_ in self.db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
        times = {name for name, kind in columns if kind.startswith("TIMESTAMP")}
        picked = ", ".join(f'epoch_us("{name}")' if name in times else f'"{name}"' for name, _ in columns)
        began = time.monotonic()
        rows = self.db.execute(f"SELECT {picked} FROM {relation}").fetchall()
        return Rows([name for name, _ in columns], times, rows, time.monotonic() - began)


class Spark:
    """A database for each store, over one cluster."""

    def __init__(self, session, report):
        self.session, self.report = session, report

    def over(self, name, root):
        self.session.sql(f"CREATE DATABASE {name}")
        self.session.sql(f"USE {name}")
        self.report.define(self.session, root, PERIOD, NOW)

    def at(self, now):
        self.session.sql(self.report.clock(now))

    def of(self, view):
        from pyspark.sql import functions as f, types as t
        table = self.session.table(view)
        times = {field.name for field in table.schema.fields if isinstance(field.dataType, t.TimestampType)}
        picked = table.select([(f.unix_micros if name in times else f.col)(f"`{name}`").alias(name) for name in table.columns])
        began = time.monotonic()
        rows = picked.collect()
        return Rows(table.columns, times, rows, time.monotonic() - began)


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def micros(text):
    if text is None:
        return None
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


def ours(binary, root, view, now, times):
    began = time.monotonic()
    command = [binary, view, "--store", root, "--now", now, "--format", "json"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.monotonic() - began
    # Coverage also tells a sum.
    first = '{"principal_arn"' if view == "access" else '{"session_id"'
    rows = [json.loads(line) for line in out.splitlines() if line.startswith(first)]
    names = list(rows[0]) if rows else []
    read = [[micros(row[name]) if name in times else row[name] for name in names] for row in rows]
    return Rows(names, times, read, seconds)


# -- stores

ODD = [
    "plain", "=1+1", "  +x", "\uff1dx", "a\nb", "tab\there", "\tx", "\u202etxt\u200b", "it's; \"quoted\"", r"\back%_slash'",
    "\U000e0041x", "naïve 🦀", "", "-- no comment", "esc\x1b[2J\x9b\x7f", "sudo", "a sudo b", "sudoers", "x su", "runas /user:x", "asudo su\t", "echo pkexec", "',",
]


def odd(root, duck, sessions=400):
    """Rows as they hardly ever come: nulls, ties, copies, parts, times apart by a microsecond, days without a date."""
    chance = random.Random(1)
    maybe = lambda *some: chance.choice([None, *some])

    # Within the days that a report for the month reads.
    def when():
        if chance.random() < 0.15:
            return None
        second, micro = chance.choice([0, chance.randint(0, 86399)]), chance.choice([0, 0, 1, 500, 999999])
        at = datetime.datetime(2026, 10, 1) + datetime.timedelta(chance.randint(-1, 33), second, micro)
        return f"{at.isoformat()}Z"

    ids = [f"user{chance.randint(0, 9)}-{n:04x}" for n in range(sessions)]
    unique = lambda: f"{chance.getrandbits(128):032x}"
    rows = {table: [] for table in TABLES}

    def add(table, row):
        rows[table].append(row)
        if chance.random() < 0.15:
            rows[table].append({**row, "artifact": row["artifact"] + "-copy"})
        elif chance.random() < 0.1 and table != "transcripts":
            # Read twice: another version of the object, with the same bytes there.
            rows[table].append(dict(row))

    names = [
        ("ssm.amazonaws.com", "StartSession"), ("ssm.amazonaws.com", "TerminateSession"), ("ssm.amazonaws.com", "ResumeSession"),
        ("ssm.amazonaws.com", "UpdateDocument"), ("ssm.amazonaws.com", "GetParameter"), ("athena.amazonaws.com", "TerminateSession"),
        ("ecs.amazonaws.com", "ExecuteCommand"), ("ecs.amazonaws.com", "UpdateCluster"), ("cloudtrail.amazonaws.com", "StopLogging"),
        ("s3.amazonaws.com", "PutBucketPolicy"), ("logs.amazonaws.com", "DeleteLogGroup"), ("kms.amazonaws.com", "DisableKey"),
        ("ec2-instance-connect.amazonaws.com", "OpenTunnel"), ("ssm-guiconnect.amazonaws.com", "StartConnection"), (None, None)]
    for n in range(sessions * 3):
        source, name = chance.choice(names)
        opens = chance.choice([True, True, False]) if name in ("StartSession", "ExecuteCommand") else maybe(False)
        add("activity", {
            # An id that is unknown is no copy's; of openings the first bytes decide.
            "time": when(), "event_id": unique() if opens or chance.random() < 0.9 else None, "event_source": source, "event_name": name,
            "account": maybe("111122223333", "444455556666"), "region": maybe("eu-west-1"),
            "principal_type": maybe("AssumedRole", "IAMUser"), "principal": maybe("arn:a", "arn:b", "arn:ü"),
            "principal_name": maybe("ann", "bob"), "principal_claimed_name": maybe(*ODD), "mfa": maybe(True, False),
            "source_ip": maybe("203.0.113.1"), "user_agent": maybe(*ODD), "error_code": maybe("AccessDenied") if n % 3 == 0 else None,
            "session_id": maybe(*ids), "opens_session": opens, "session_kind": maybe("shell", "ssh", "port-forward"),
            "target": maybe("i-1", "i-2", "ecs:c_t_r", "ecs:b_t_r"), "document": maybe(*ODD), "reason": maybe(*ODD),
            "artifact": f"trail-{chance.randint(0, 99)}", "offset": n, "record": "{}"})
    seen = [
        "echo_off=1", "long_title=2", "echo_off=1, swallowed_text=2", "swallowed_text=1", "no_echo_off=1", "echoXoff=1",
        "lost_command_characters=3, x=1"]
    for n in range(sessions * 2):
        session, commands = chance.choice([*ids[: sessions // 2], None]), chance.randint(0, 4)
        row = {
            "time": when(), "session_id": session, "form": "s3", "target": maybe("i-1", "i-3"),
            "region": maybe("eu-west-1", "us-east-1"), "principal_arn": maybe("arn:a", "arn:z"), "run_as": maybe("ssm-user", "root"),
            "first_event": when(), "last_event": when(), "ended": when(),
            "complete": maybe(True, False), "commands": commands, "observations": maybe(*seen), "stored": when(), "sha256": None,
            "artifact": f"log-{n}", "offset": n, "part": maybe(True, False, False)}
        add("transcripts", row)
        for ordinal in range(1, commands + 1):
            add("commands", {
                "time": when(), "time_end": when(), "session_id": session, "ordinal": ordinal, "text": chance.choice(ODD), "original": maybe(*ODD),
                "shell": "posix", "status": "executed", "confidence": "certain", "confidence_reason": "marked",
                "user": maybe("root", "Administrator", "ec2-user"), "host": maybe("h"), "cwd": maybe("/"), "level": maybe(1, 2),
                "artifact": row["artifact"], "offset": ordinal * 10, "offset_end": ordinal * 10 + 5})
    for n in range(sessions):
        add("findings", {
            "time": when(), "time_end": when(), "finding_id": unique(), "rule_id": "r", "rule_title": chance.choice(ODD),
            "level": chance.choice(["informational", "low", "medium", "high", "critical"]), "tags": chance.sample(ODD, chance.randint(0, 3)),
            "session_id": maybe(*ids), "principal": maybe("arn:a"), "principal_type": None, "principal_claimed_name": maybe(*ODD),
            "account": None, "region": None, "target": None, "event_id": None, "event_name": "command", "command": maybe(*ODD),
            "source_ip": None, "error_code": None, "evidence": "[]", "correlated": None, "correlated_count": 0, "artifact": f"a-{n % 7}", "offset": n})
    del rows["matches"]
    for table, some in rows.items():
        kinds = duck.db.execute(f"DESCRIBE {table}").fetchall()
        kinds = {name: kind for name, kind, *_ in kinds if name != "date" and not name.endswith("_us")}
        days = collections.defaultdict(list)
        for row in some:
            days[row["time"] and row["time"][:10]].append(row)
        for at, day in enumerate(sorted(days, key=str)):
            folder = root / "facts" / table / f"date={day or '__HIVE_DEFAULT_PARTITION__'}"
            folder.mkdir(parents=True)
            lines = root / "lines.json"
            lines.write_text("".join(json.dumps(row) + "\n" for row in days[day]))
            columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
            # Some files are older than a column.
            older = {"transcripts": "EXCLUDE (part, observations)", "activity": "EXCLUDE (reason)", "findings": "EXCLUDE (correlated)"}
            older = older.get(table, "") if at % 5 == 2 else ""
            duck.db.execute(f"""COPY (SELECT * {older} FROM read_json('{lines}', format = 'newline_delimited', columns = {{{columns}}})
              ORDER BY time) TO '{folder}/odd.parquet' (FORMAT parquet, COMPRESSION zstd)""")
            lines.unlink()


# -- a cluster

def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Cluster:
    """A master and two workers on loopback, for as long as the block lasts."""

    def __init__(self, place):
        import pyspark
        self.place, self.home, self.running = place, pathlib.Path(pyspark.__file__).parent, []
        self.environment = {
            **os.environ, "SPARK_HOME": str(self.home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        self.settings = {
            "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.executor.memory": "1g", "spark.sql.shuffle.partitions": "4", "spark.sql.warehouse.dir": f"{place}/warehouse", "spark.ui.showConsoleProgress": "false"}

    def start(self, *arguments):
        log = (self.place / f"spark-{len(self.running)}.log").open("w")
        self.running.append(subprocess.Popen(
            [self.home / "bin/spark-class", *map(str, arguments)], env=self.environment, stdout=log, stderr=log, cwd=self.place))

    def __enter__(self):
        try:
            at = port()
            self.master = f"spark://127.0.0.1:{at}"
            self.start("org.apache.spark.deploy.master.Master", "-h", "127.0.0.1", "-p", at, "--webui-port", 0)
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", at), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            for n in (1, 2):
                self.start("org.apache.spark.deploy.worker.Worker", "-h", "127.0.0.1", "-c", 1, "-m", "1g", "--webui-port", 0,
                           "-d", self.place / f"worker-{n}", self.master)
            return self
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def submit(self, script, *arguments):
        settings = [part for pair in self.settings.items() for part in ("--conf", "=".join(pair))]
        done = subprocess.run(
            [self.home / "bin/spark-submit", "--master", self.master, *settings, script, *map(str, arguments)],
            env=self.environment, capture_output=True, text=True, cwd=self.place)
        return done.returncode, done.stderr[-2000:]


# -- files of a report

def shown(value, is_time=False):
    """A value as a cell of the CSV files."""
    if value is None:
        return ""
    if is_time:
        at = EPOCH + datetime.timedelta(microseconds=value)
        return f"{at:%Y-%m-%dT%H:%M:%S}" + f".{at:%f}".rstrip("0").rstrip(".") + "Z"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        value = " ".join(value)
    if not isinstance(value, str):
        return str(value)
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
    hidden = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
                        "\U000e0000-\U000e007f]")
    escape = lambda c: named.get(c, f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{{{ord(c):x}}}")
    text = hidden.sub(lambda found: escape(found[0]), value)
    return f"'{text}" if value.lstrip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")) or value.startswith(("\t", "\r", "\n")) else text


def same_cells(name, rows, path):
    """Is a CSV file these rows?"""
    with path.open(newline="", encoding="utf-8") as file:
        header, *cells = csv.reader(file)
    wanted = [tuple(shown(value, column in rows.times) for column, value in zip(rows.names, row)) for row in rows.rows.elements()]
    same(name, Rows(rows.names, set(), wanted), Rows(header, set(), map(tuple, cells)), "views, CSV")


# -- checks

def statements_parse(report):
    import sqlglot
    files = {
        # Athena's own language for tables is Hive's.
        "views.sql": "trino", "report.sql": "trino", "athena.sql": "athena", "duckdb.sql": "duckdb", "../spark/tables.sql": "spark"}
    for name, dialect in files.items():
        text, trouble = (SQL / name).read_text(), []
        if dialect == "spark":
            # Its settings make "name" a name; the parser knows only `name`.
            text = text.replace('"', "`")
        parts = report.statements(text)
        for statement in parts:
            try:
                parsed = sqlglot.parse_one(statement, dialect=dialect)
                # What a parser does not know it may take as a command of the engine's own.
                if isinstance(parsed, sqlglot.exp.Command):
                    trouble.append(f"not understood: {statement[:80]}")
            except sqlglot.errors.ParseError as error:
                trouble.append(f"{statement[:80]}: {error}")
        check(f"{name.removeprefix('../')} parses as {dialect}", parts and not trouble, "; ".join(trouble) or f"{len(parts)} statements")


def columns_are_those_of_the_store(report, duck, spark):
    """The tables of all engines, against the code that writes them."""
    kinds = {
        "Time": ("TIMESTAMP WITH TIME ZONE", "timestamp"), "MaybeFlag": ("BOOLEAN", "boolean"), "Number": ("BIGINT", "bigint"),
        "MaybeNumber": ("BIGINT", "bigint"), "Text": ("VARCHAR", "string"), "MaybeText": ("VARCHAR", "string"), "Texts": ("VARCHAR[]", "array<string>")}
    source = (ROOT / "report/src/store/rows.rs").read_text()
    athena = {}
    for statement in report.statements((SQL / "athena.sql").read_text()):
        found = re.match(r"CREATE EXTERNAL TABLE IF NOT EXISTS `\{database\}`\.`(\w+?)(?:_facts)?` \((.*?)\)\s*PARTITIONED", statement, re.S)
        if found:
            athena[found[1]] = re.findall(r"`(\w+)` ([\w<>]+)", found[2])
    for table, body in re.findall(r'table! \{.*?= "(\w+)", version.*?;\n(.*?)\n\}', source, re.S):
        wanted = re.findall(r"^    (\w+): (\w+),$", body, re.M)
        own = lambda columns: [column for column in columns if column[0] != "date" and not column[0].endswith("_us")]
        ducks = own([(name, kind) for name, kind, *_ in duck.db.execute(f"DESCRIBE {table}").fetchall()])
        sparks = own([(field.name, field.dataType.simpleString()) for field in spark.session.table(table).schema.fields])
        check(f"columns of {table}", (
            ducks == [(name, kinds[kind][0]) for name, kind in wanted]
            and sparks == athena[table] == [(name, kinds[kind][1]) for name, kind in wanted]), f"{len(wanted)}")


def each_command_once(name, duck):
    """As many commands as the sessions say."""
    wrong = duck.db.execute("""
      SELECT count(*) FROM report_access AS a
      LEFT JOIN (SELECT session_id, count(*) AS commands FROM report_commands GROUP BY session_id) AS c ON c.session_id = a.session_id
      WHERE a.commands <> coalesce(c.commands, 0)""").fetchone()[0]
    check(f"{name}: as many commands as sessions say", wrong == 0, f"{wrong} sessions differ" if wrong else "")


# Columns of the binary's files that the SQL does not tell: what its pages note of a session, and what became of an alert.
OWN = {"access": "notes", "findings": "alert_state"}


def report_files(name, binary, root, duck, place):
    """HOOK: the files of `ssm-audit report`, where the binary has it, against the views."""
    if subprocess.run([binary, "report", "--help"], capture_output=True).returncode:
        print(f"       {name}: the binary has no `report`, its files are not compared", flush=True)
        return
    out = place / f"report-{name}"
    began = time.monotonic()
    command = [binary, "report", "--store", root, "--period", PERIOD, "--out", out, "--now", NOW]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - began
    check(f"{name}: report", done.returncode == 0, f"{seconds:.2f} s {done.stderr[-300:]}")
    for kind in ("access", "commands", "findings"):
        known = f"EXCLUDE ({OWN[kind]})" if kind in OWN else ""
        written = duck.of(f"(SELECT * {known} FROM read_parquet('{out}/{kind}.parquet'))")
        same(f"{name}: {kind}.parquet = report_{kind}", written, duck.of(f"report_{kind}"), "binary, DuckDB")
    for kind in ("coverage", "events"):
        same_cells(f"{name}: {kind}.csv = report_{kind}", duck.of(f"report_{kind}"), out / f"{kind}.csv")


def views(name, binary, root, duck, spark, times):
    for now in (NOW, MIDDLE):
        duck.at(now)
        spark.at(now)
        for view in VIEWS:
            left, right = duck.of(view), spark.of(view)
            mine = ours(binary, root, view, now, left.times)
            # Without rows nothing tells the columns.
            mine.names = mine.names or left.names
            same(f"{name}: {view} at {now}, DuckDB = Spark", left, right, "DuckDB, Spark")
            same(f"{name}: {view} at {now}, DuckDB = binary", left, mine, "DuckDB, binary")
            for engine, rows in (("DuckDB", left), ("Spark", right), ("binary", mine)):
                times[name, view][engine] = rows.seconds
    duck.at(NOW)
    spark.at(NOW)
    for kind in spark.report.REPORT:
        view = f"report_{kind}"
        left, right = duck.of(view), spark.of(view)
        same(f"{name}: {view}, DuckDB = Spark", left, right, "DuckDB, Spark")
        times[name, view].update({"DuckDB": left.seconds, "Spark": right.seconds})


def spark_files(name, cluster, root, duck, report, place, times):
    out, began = place / f"spark-{name}", time.monotonic()
    code, trouble = cluster.submit(ROOT / "deploy/spark/report.py", "--root", root, "--out", out, "--period", PERIOD, "--now", NOW)
    times[name, "report.py"]["Spark"] = time.monotonic() - began
    check(f"{name}: report.py", code == 0, trouble if code else "")
    if code:
        return
    for kind, order in report.REPORT.items():
        rows = duck.of(f"report_{kind}")
        parquet = f"{out}/{kind}/parquet/*.parquet"
        same(f"{name}: report.py {kind} as Parquet", rows, duck.of(f"read_parquet('{parquet}')"), "DuckDB, report.py")
        [file] = (out / kind / "csv").glob("part-*.csv")
        same_cells(f"{name}: report.py {kind} as CSV", rows, file)
        keys = ", ".join(f'"{column}"' for column in order)
        written = f"SELECT {keys} FROM read_parquet('{parquet}', file_row_number = true) ORDER BY file_row_number"
        written = duck.db.execute(written).fetchall()
        # A null comes first, and texts go by their bytes.
        key = lambda row: [(value is not None, value.encode() if isinstance(value, str) else value) for value in row]
        ordered = all(key(a) <= key(b) for a, b in zip(written, written[1:]))
        check(f"{name}: report.py {kind} is in order", ordered)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--sessions", type=int, default=20_000)
    args = parser.parse_args()
    environment()
    # Whoever ends this ends the cluster.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary, report = args.binary.resolve(), job()
    times = collections.defaultdict(dict)
    statements_parse(report)
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place).resolve()
        stores = {name: place / name for name in ("empty", "odd", "month", "made_up")}
        for table in TABLES:
            # To the binary, a folder without a fact is no store.
            (stores["empty"] / "facts" / table).mkdir(parents=True)
        subprocess.run([binary, "ingest", ROOT / "examples/month", "--store", stores["month"], "--quiet"], check=True)
        subprocess.run([binary, "sweep", "--store", stores["month"], "--now", NOW, "--quiet"], check=True)
        subprocess.run([sys.executable, "-B", ROOT / "benches/month.py", stores["made_up"], "--sessions", str(args.sessions)], check=True)
        odd(stores["odd"], Duck(stores["empty"], report))
        ducks = {name: Duck(root, report) for name, root in stores.items()}
        with Cluster(place) as cluster:
            os.environ.update(cluster.environment)
            session = report.session(**{"spark.master": cluster.master}, **cluster.settings)
            try:
                session.sparkContext.setLogLevel("ERROR")
                spark = Spark(session, report)
                for name, root in stores.items():
                    spark.over(name, root)
                    if name == "empty":
                        columns_are_those_of_the_store(report, ducks[name], spark)
                    views(name, binary, root, ducks[name], spark, times)
                executors = len(session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1
                check("Spark ran on two workers", executors == 2, f"{executors}")
            finally:
                session.stop()
            for name in ("odd", "made_up"):
                spark_files(name, cluster, stores[name], ducks[name], report, place, times)
        for name in ("month", "made_up"):
            each_command_once(name, ducks[name])
        for name in ("odd", "month", "made_up"):
            report_files(name, binary, stores[name], ducks[name], place)
    print(f"\nseconds, of the made-up month's {args.sessions} sessions:")
    for (name, view), engines in times.items():
        if name == "made_up":
            print(f"  {view:16} " + ", ".join(f"{engine} {seconds:.2f}" for engine, seconds in engines.items()))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

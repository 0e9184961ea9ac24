"""The views of a store by DuckDB, a JSON object a line: views.py ROOT NOW VIEW [PERIOD]

PERIOD, a month such as 2026-10, is what the views of `report.sql` are for.
"""

import datetime
import json
import pathlib
import sys

import duckdb

root, now, view = sys.argv[1:4]
sql = pathlib.Path(__file__).parents[2] / "deploy" / "sql"
quoted = root.replace("'", "''")
db = duckdb.connect()
db.execute(f"SET VARIABLE root = '{quoted}'")
for name in ("duckdb.sql", "views.sql", "report.sql"):
    db.execute((sql / name).read_text())
utc = datetime.datetime.fromisoformat(now.replace("Z", "+00:00")).replace(tzinfo=None)
db.execute(f"CREATE OR REPLACE VIEW clock AS SELECT TIMESTAMP '{utc}' AS now")
if len(sys.argv) > 4:
    since = datetime.datetime.fromisoformat(f"{sys.argv[4]}-01")
    until = (since + datetime.timedelta(days=31)).replace(day=1)
    db.execute(f"CREATE OR REPLACE VIEW period AS SELECT TIMESTAMP '{since}' AS since, TIMESTAMP '{until}' AS until")
rows = db.execute(f"SELECT * FROM {view}")
names = [column[0] for column in rows.description]


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


for row in rows.fetchall():
    print(json.dumps(dict(zip(names, map(plain, row)))))

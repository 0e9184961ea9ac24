"""The views of a store by DuckDB, a JSON object a line: views.py ROOT NOW VIEW"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb

root, now, view = sys.argv[1:]
sql = pathlib.Path(__file__).parents[2] / "deploy" / "sql"
db = duckdb.connect()
db.execute(f"SET VARIABLE root = '{root}'")
db.execute("SET TimeZone = 'UTC'")
db.execute((sql / "duckdb.sql").read_text())
db.execute((sql / "views.sql").read_text())
db.execute(f"""CREATE OR REPLACE VIEW clock AS SELECT TIMESTAMPTZ '{now}' AS now, INTERVAL '1' HOUR AS upload, '1h' AS upload_text,
    INTERVAL '25' HOUR AS session_and_upload, '25h' AS session_and_upload_text""")
rows = db.execute(f"SELECT * FROM {view}")
names = [column[0] for column in rows.description]


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return float(value) if isinstance(value, decimal.Decimal) else value


for row in rows.fetchall():
    print(json.dumps(dict(zip(names, map(plain, row)))))

"""The tables of a report by DuckDB, as Parquet: tables.py ROOT NOW SINCE UNTIL OUT"""

import pathlib
import sys

import duckdb

root, now, since, until, out = sys.argv[1:]
sql = pathlib.Path(__file__).parents[2] / "deploy" / "sql"
db = duckdb.connect()
db.execute(f"SET VARIABLE root = '{root}'")
for name in ("duckdb", "views", "report"):
    db.execute((sql / f"{name}.sql").read_text())
db.execute(f"CREATE OR REPLACE VIEW clock AS SELECT TIMESTAMP '{now}' AS now")
db.execute(f"CREATE OR REPLACE VIEW period AS SELECT TIMESTAMP '{since}' AS since, TIMESTAMP '{until}' AS until")
pathlib.Path(out).mkdir(parents=True)
for name in ("access", "commands", "findings", "events"):
    db.execute(f"COPY (SELECT * FROM report_{name}) TO '{out}/{name}.parquet' (FORMAT parquet)")

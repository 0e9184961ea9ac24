#!/usr/bin/env python3
"""A month's report over a store, by Spark: report.py --root ROOT --out OUT --period YYYY-MM [--now TIME]

Reads `tables.sql` beside it and `../sql/`, and writes below OUT the folders access, commands, findings, coverage and events, each as
Parquet and as CSV. The same rows as `ssm-audit report`.
"""
import argparse
import datetime
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
FILES = (HERE / "tables.sql", HERE.parent / "sql/views.sql", HERE.parent / "sql/report.sql")
# What is written, and what by. Nulls come first.
REPORT = {
    "access": ("start", "session_id"),
    "commands": ("session_id", "artifact", "offset", "ordinal"),
    "findings": ("time", "finding_id"),
    "coverage": ("start", "subject"),
    "events": ("time", "event_id", "artifact", "offset"),
}
SETTINGS = {
    # The SQL is written to the standard: "name", 'text'.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
    # Not the catalog of the cluster: the tables are for this job alone.
    "spark.sql.catalogImplementation": "in-memory",
    # Otherwise times are INT96, which nobody else writes any more.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
}
# Characters that act on a terminal or cannot be seen, as the other outputs show them.
UNSEEN = (r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
          r"\x{e0000}-\x{e007f}]")


def statements(sql):
    """The statements of a file. A semicolon may stand in a text or in a comment."""
    parts = [""]
    for token in re.findall(r"'[^']*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|;|[^'\"`;-]+|-", sql):
        if token == ";":
            parts.append("")
        elif not token.startswith("--"):
            parts[-1] += token
    return [part.strip() for part in parts if part.strip()]


def utc(text):
    """A time of the command line, as SQL wants it."""
    time = datetime.datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
    if time.tzinfo:
        time = time.astimezone(datetime.timezone.utc)
    return f"TIMESTAMP '{time:%Y-%m-%d %H:%M:%S.%f}'"


def clock(now):
    return f"CREATE OR REPLACE VIEW clock AS SELECT {utc(now)} AS now"


def period(month):
    since = datetime.datetime.strptime(month, "%Y-%m")
    until = (since + datetime.timedelta(days=31)).replace(day=1)
    return f"CREATE OR REPLACE VIEW period AS SELECT {utc(str(since))} AS since, {utc(str(until))} AS until"


def session(**settings):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("ssm-audit report")
    for name, value in {**SETTINGS, **settings}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def define(spark, root, month=None, now=None):
    """Defines the tables and views over a store."""
    root = str(root).rstrip("/")
    if "://" not in root:
        root = str(pathlib.Path(root).resolve())
    if re.search(r"['\\]", root):
        raise SystemExit(f"a root with a quote or a backslash: {root}")
    for path in FILES:
        for statement in statements(path.read_text(encoding="utf-8")):
            spark.sql(statement.replace("{root}", root))
    if now:
        spark.sql(clock(now))
    if month:
        spark.sql(period(month))


def cell(field):
    """A column as a cell that a spreadsheet shows and does not run: as `ssm-audit` writes it."""
    from pyspark.sql import functions as f, types as t

    column = f.col(f"`{field.name}`")
    if isinstance(field.dataType, t.TimestampType):
        time = f.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")
        column = f.concat(f.regexp_replace(time, r"\.?0+$", ""), f.lit("Z"))
        return column.alias(field.name)
    if isinstance(field.dataType, t.ArrayType):
        column = f.array_join(column, " ")
    elif not isinstance(field.dataType, t.StringType):
        return column.cast("string").alias(field.name)

    def seen(c):
        code = f.lower(f.hex(f.ascii(c)))
        escaped = (
            f.when(c == "\n", f.lit("\\n")).when(c == "\r", f.lit("\\r")).when(c == "\t", f.lit("\\t"))
            .when(f.ascii(c) < 256, f.concat(f.lit("\\x"), f.lpad(code, 2, "0")))
            .otherwise(f.concat(f.lit("\\u{"), code, f.lit("}")))
        )
        return f.when(c.rlike(UNSEEN), escaped).otherwise(c)

    one = f.regexp_extract_all(column, f.lit(r"([\s\S])"))
    shown = f.when(column.rlike(UNSEEN), f.array_join(f.transform(one, seen), "")).otherwise(column)
    formula = column.rlike(r"^(\p{IsWhite_Space}*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
    return f.when(formula, f.concat(f.lit("'"), shown)).otherwise(shown).alias(field.name)


def write(spark, out):
    from pyspark.sql import functions as f

    for name, order in REPORT.items():
        by = [f.col(f"`{column}`").asc_nulls_first() for column in order]
        rows = spark.table(f"report_{name}").repartition(1).sortWithinPartitions(*by)
        rows.write.mode("overwrite").parquet(f"{out}/{name}/parquet")
        # From what has been written: the view is not computed twice.
        written = spark.read.parquet(f"{out}/{name}/parquet").repartition(1).sortWithinPartitions(*by)
        cells = written.select([cell(field) for field in written.schema.fields])
        cells.write.mode("overwrite").csv(
            f"{out}/{name}/csv", header=True, quoteAll=True, escape='"', emptyValue="", nullValue="",
            ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="the store: a directory, or a URI that Spark reads, such as s3a://bucket/prefix")
    parser.add_argument("--out", required=True, help="where the report goes; what is there of an earlier one is replaced")
    parser.add_argument("--period", required=True, metavar="YYYY-MM", help="the month, UTC")
    parser.add_argument("--now", metavar="TIME", help="the time that it is; without it the clock's")
    args = parser.parse_args()
    spark = session()
    try:
        define(spark, args.root, args.period, args.now)
        write(spark, args.out.rstrip("/"))
    finally:
        spark.stop()


if __name__ == "__main__":
    main()

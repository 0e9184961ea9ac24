"""Athena, as far as a report calls it: athena.py FILE

What is asked has to fit the API model that AWS's own SDK carries. Views are made in DuckDB over the store, which is fetched from S3 when a
query needs it; the tables themselves are DuckDB's own (`deploy/sql/duckdb.sql`). UNLOAD writes Parquet to S3, with times to the
millisecond, as Athena has them. Prints its port; each statement goes into FILE as a JSON object a line.
"""

import http.server
import json
import pathlib
import re
import sys
import tempfile
import threading
import time
import uuid

import boto3
import botocore.session
import botocore.validate
import duckdb

calls = open(sys.argv[1], "a")
model = botocore.session.get_session().get_service_model("athena")
sql = pathlib.Path(__file__).parents[2] / "deploy" / "sql"
place = tempfile.TemporaryDirectory()
db, lock, done = duckdb.connect(), threading.Lock(), {}
OWN = re.compile(r"CREATE (DATABASE|EXTERNAL TABLE|OR REPLACE VIEW (activity|transcripts) )")


def fetch(uri):
    bucket, prefix = re.match(r"s3://([^/]+)/(.*?)/facts/", uri).groups()
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/facts/")
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        path = pathlib.Path(place.name) / entry["Key"].removeprefix(prefix + "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        boto3.client("s3").download_file(bucket, entry["Key"], str(path))
    db.execute(f"SET VARIABLE root = '{place.name}'")
    db.execute((sql / "duckdb.sql").read_text())


def unload(query, to):
    bucket, prefix = re.match(r"s3://([^/]+)/(.*)", to).groups()
    if boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents"):
        raise ValueError(f"HIVE_PATH_ALREADY_EXISTS: {to}")
    with tempfile.TemporaryDirectory() as out:
        names = [(name, str(kind)) for name, kind, *_ in db.execute(f"DESCRIBE {query}").fetchall()]
        coarse = [f"CAST(\"{n}\" AS TIMESTAMP_MS) AS \"{n}\"" if k.startswith("TIMESTAMP") else f'"{n}"' for n, k in names]
        db.execute(f"COPY (SELECT {', '.join(coarse)} FROM ({query})) TO '{out}/x' (FORMAT parquet, COMPRESSION snappy)")
        boto3.client("s3").upload_file(f"{out}/x", bucket, f"{prefix}{uuid.uuid4()}")


def run(statement):
    with lock:
        if statement.startswith("CREATE EXTERNAL TABLE") and "activity_facts" in statement:
            fetch(re.search(r"LOCATION '([^']+)'", statement)[1])
        if OWN.match(statement):
            return
        found = re.fullmatch(r"UNLOAD \((.*)\) TO '([^']+)' WITH \(format = 'PARQUET', compression = 'SNAPPY'\)", statement, re.DOTALL)
        if found:
            return unload(*found.groups())
        if not statement.startswith("CREATE OR REPLACE VIEW "):
            raise ValueError("SYNTAX_ERROR: not what a report asks")
        db.execute(statement)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        operation = self.headers.get("X-Amz-Target", "").removeprefix("AmazonAthena.")
        report = botocore.validate.ParamValidator().validate(asked, model.operation_model(operation).input_shape)
        if report.has_errors():
            return self.answer(400, {"__type": "InvalidRequestException", "Message": report.generate_report()})
        if operation == "StartQueryExecution":
            id = str(uuid.uuid4())
            calls.write(json.dumps({"statement": asked["QueryString"]}) + "\n")
            calls.flush()
            try:
                run(asked["QueryString"])
                done[id] = ("SUCCEEDED", "")
            except Exception as error:  # whatever it is, the caller is told
                done[id] = ("FAILED", str(error))
            return self.answer(200, {"QueryExecutionId": id})
        state, reason = done[asked["QueryExecutionId"]]
        status = {"State": state, "SubmissionDateTime": time.time()} | ({"StateChangeReason": reason} if reason else {})
        return self.answer(200, {"QueryExecution": {"QueryExecutionId": asked["QueryExecutionId"], "Status": status}})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

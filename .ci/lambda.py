#!/usr/bin/env python3
"""The function as it is shipped, over the wire: lambda.py BOOTSTRAP SHARED [--runs N] [--large]

Starts the AWS stand-in of the tests and the Runtime API, and shows: what becomes of every sample of an event; a session's two
objects put into a bucket until the alert is in a queue, with the time of each step; how long the function takes cold and warm beside
the requests that it makes; and with --large a transcript of 500 MB and a bomb of 10 GB. Exit status 1 if something is not as it
has to be. Times are told and decide nothing.
"""
import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok' if ok else 'FAILED':6} {name}{f': {detail}' if detail else ''}", flush=True)


class Account:
    def __init__(self, python, place):
        import socket
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ, "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        self.server = subprocess.Popen(
            [python.with_name("ministack")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "STATE_DIR": f"{place}/state", "S3_DATA_DIR": f"{place}/s3"})
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2).read()
                break
            except OSError:
                time.sleep(0.05)
        os.environ.update(self.environment)
        import boto3
        self.s3, self.sns, self.sqs = boto3.client("s3"), boto3.client("sns"), boto3.client("sqs")

    def topic(self, name):
        topic = self.sns.create_topic(Name=name)["TopicArn"]
        queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, queue

    def receive(self, queue):
        got = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in got]


class Function:
    def __init__(self, binary, log, seconds=60, **environment):
        pairs = [part for pair in environment.items() for part in ("--env", "=".join(pair))]
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "tests/python/runtime.py", binary, log, "--seconds", str(seconds), *pairs],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())

    def invoke(self, event):
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        peak = json.loads(self.process.stdout.readline())["peak_kib"]
        self.process.wait()
        return peak


def notification(bucket, key, etag="0"):
    return {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": bucket}, "object": {"key": urllib.parse.quote_plus(key, safe="/"), "size": 1, "eTag": etag}}}]}


def queued(events):
    return {"Records": [{"messageId": str(at), "eventSource": "aws:sqs", "body": json.dumps(event)} for at, event in enumerate(events)]}


def samples(shared, function):
    for path in sorted((shared / "corpus/envelopes").glob("*.json")):
        event = json.loads(path.read_text())
        answer = function.invoke(event)
        said = json.dumps(answer["body"])
        if answer["kind"] == "error":
            known = "not an event that this function knows" in said or "NoSuchBucket" in said or "not exist" in said
            check(f"sample {path.stem}", known, f"error: {said[18:150]}")
        else:
            check(f"sample {path.stem}", True, said[:110])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--large", action="store_true")
    args = parser.parse_args()
    binary = args.bootstrap.resolve()
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        account = Account(pathlib.Path(sys.executable), place)
        try:
            run(args, binary, account, place)
        finally:
            account.server.kill()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def run(args, binary, account, place):
    s3 = account.s3
    for bucket in ("logs", "audit"):
        s3.create_bucket(Bucket=bucket)
    topic, queue = account.topic("alerts")
    settings = dict(SSM_AUDIT_STORE="s3://audit/store", SSM_AUDIT_TOPIC_ARN=topic, SSM_AUDIT_TOPIC_LEVEL="informational")
    log = place / "log"

    function = Function(binary, log, **{**settings, "SSM_AUDIT_STORE": "s3://audit/samples"})
    samples(args.shared, function)
    function.end()

    # A session's transcript and the record of who opened it: from the put to the alert in the queue.
    function = Function(binary, log, **settings)
    account.receive(queue)
    folder = next(f for f in sorted((args.shared / "transcripts/A").iterdir())
                  if f.is_dir() and (f / "s3.log").exists() and b"sudo" in (f / "s3.log").read_bytes())
    session = json.loads((folder / "truth.json").read_text())["session_id"]
    steps, began = [], time.perf_counter()

    def step(name):
        steps.append(f"{name} {(time.perf_counter() - began) * 1000:.1f} ms")

    trail = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/10/01/111122223333_CloudTrail_us-east-1_20261001T0000Z_x.json.gz"
    s3.put_object(Bucket="logs", Key=trail, Body=gzip.compress((folder / "cloudtrail.json").read_bytes()))
    step("record put")
    first = function.invoke(queued([notification("logs", trail)]))
    step("record ingested")
    s3.put_object(Bucket="logs", Key=f"sessions/{session}.log", Body=(folder / "s3.log").read_bytes())
    step("transcript put")
    second = function.invoke(queued([notification("logs", f"sessions/{session}.log")]))
    step("transcript ingested")
    heard = account.receive(queue)
    step("alerts received")
    check("end to end", heard and first["kind"] == second["kind"] == "response", f"{len(heard)} alerts; {', '.join(steps)}")
    check("the alert says who and what", any("sudo" in message["Message"] and "arn:aws" in message["Message"] for message in heard))
    function.end()

    # Cold and warm: one small object.
    small = (folder / "s3.log").read_bytes()[:2000]
    cold, ready, warm, ran, peaks = [], [], [], [], []
    for at in range(args.runs):
        s3.put_object(Bucket="logs", Key=f"cold/{at}-0a1b2c3d4e5f67890.log", Body=small + str(at).encode())
        function = Function(binary, log, **settings)
        ready.append(function.ready["ms_to_ready"])
        cold.append(function.ready["ms_to_ready"] + function.invoke(queued([notification("logs", f"cold/{at}-0a1b2c3d4e5f67890.log")]))["ms"])
        peaks.append(function.end())
    function = Function(binary, log, **settings)
    for at in range(args.runs + 5):
        s3.put_object(Bucket="logs", Key=f"warm/{at}-0a1b2c3d4e5f67890.log", Body=small + str(at).encode())
        answer = function.invoke(queued([notification("logs", f"warm/{at}-0a1b2c3d4e5f67890.log")]))
        if at >= 5:
            warm.append(answer["ms"])
            ran.append(answer["cpu_ms"])
    known = [function.invoke(queued([notification("logs", "warm/0-0a1b2c3d4e5f67890.log")]))["ms"] for _ in range(args.runs)]
    empty = [function.invoke(queued([{"Service": "Amazon S3", "Event": "s3:TestEvent"}]))["ms"] for _ in range(args.runs)]
    function.end()
    requests = measure_requests(account, args.runs)
    median = statistics.median
    print(f"cold: ready {median(ready):.1f} ms, first small object done {median(cold):.1f} ms; peak {max(peaks) / 1024:.0f} MiB")
    print(f"warm: small object {median(warm):.2f} ms, of which {median(ran):.2f} ms of processor, the rest waiting; one that is known {median(known):.2f} ms; nothing to do {median(empty):.2f} ms")
    print(f"requests to the stand-in, one after another: {requests}")

    if args.large:
        large(binary, account, place, settings, log)


def measure_requests(account, runs):
    """What the same requests take from a bare client that keeps its connection."""
    import http.client
    host = urllib.parse.urlparse(account.endpoint)
    client = http.client.HTTPConnection(host.hostname, host.port)
    took = {}
    for name, method, path, body in [
        ("GET", "GET", "/logs/warm/0-0a1b2c3d4e5f67890.log", None), ("HEAD", "HEAD", "/audit/store/nothing", None),
        ("PUT", "PUT", "/audit/bare", b"x" * 3000),
    ]:
        times = []
        for _ in range(runs):
            began = time.perf_counter()
            client.request(method, path, body)
            client.getresponse().read()
            times.append((time.perf_counter() - began) * 1000)
        took[name] = statistics.median(times)
    return ", ".join(f"{name} {ms:.2f} ms" for name, ms in took.items())


def large(binary, account, place, settings, log):
    path = place / "large.log"
    with open(path, "wb") as out:
        out.write(b"Script started on 2026-10-01 08:00:00+00:00 [<not executed on terminal>]\n")
        line = b"compiling some/long/path/to/a/file.c with a number of options -O2 -g -Wall\r\r\n"
        size = 0
        for at in range(400):
            out.write(b"$ make part-%d\r\r\n" % at + line * 16000)
            size += len(line) * 16000
        out.write(b"$ exit\r\r\n\nScript done on 2026-10-01 08:00:00+00:00 [COMMAND_EXIT_CODE=\"0\"]\n")
    account.s3.upload_file(str(path), "logs", "sessions/large-0a1b2c3d4e5f67890.log")
    bomb = place / "bomb.gz"
    block = gzip.compress(b"\0" * (64 << 20))
    head = gzip.compress(b"Script started on 2026-10-01 08:00:00+00:00\n$ id\r\r\n")
    with open(bomb, "wb") as out:
        out.write(head + block * 160)
    account.s3.upload_file(str(bomb), "logs", "sessions/bomb-0a1b2c3d4e5f67890.log.gz")
    for name, key in [("a transcript of 500 MB", "sessions/large-0a1b2c3d4e5f67890.log"), ("a bomb of 10 GB", "sessions/bomb-0a1b2c3d4e5f67890.log.gz")]:
        function = Function(binary, log, seconds=900, **settings)
        answer = function.invoke(queued([notification("logs", key)]))
        peak = function.end() / 1024
        check(f"{name} in {answer['ms'] / 1000:.1f} s within 128 MiB", answer["body"] == {"batchItemFailures": []} and peak < 128, f"peak {peak:.0f} MiB")


main()

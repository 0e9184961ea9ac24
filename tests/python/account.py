"""An account to test against, by what AWS's own SDK says: account.py COMMAND ARGS… (the endpoint is in the environment)"""

import io
import base64
import json
import pathlib
import sys
import tempfile
import time
import zipfile

import boto3
import duckdb


def bucket(name):
    boto3.client("s3").create_bucket(Bucket=name)


def upload(directory, name):
    root, s3 = pathlib.Path(directory), boto3.client("s3")
    for path in sorted(root.rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), name, path.relative_to(root).as_posix())


def restore(fixture, name):
    """Puts the objects of a fixture of digests into a bucket, with their metadata."""
    s3 = boto3.client("s3")
    for key, entry in json.loads(pathlib.Path(fixture).read_text())["objects"].items():
        s3.put_object(Bucket=name, Key=key, Body=base64.b64decode(entry["bytes"]), Metadata=entry["metadata"])


def versioned(name):
    boto3.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def put(name, key, text):
    boto3.client("s3").put_object(Bucket=name, Key=key, Body=text.encode())


def delete(name, key):
    boto3.client("s3").delete_object(Bucket=name, Key=key)


def stream(group, name, file, age):
    """A stream with the messages in a file, one a line, the first so many seconds old and then one a second."""
    logs, now = boto3.client("logs"), int(time.time() * 1000)
    try:
        logs.create_log_group(logGroupName=group)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    lines = pathlib.Path(file).read_text().splitlines()
    first = now - int(age) * 1000
    events = [{"timestamp": first + at * 1000, "message": line} for at, line in enumerate(lines)]
    for at in range(0, len(events), 1000):
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events[at : at + 1000])


def objects(name, prefix):
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def texts(name, prefix):
    """The objects below a prefix, as JSON."""
    get = lambda key: boto3.client("s3").get_object(Bucket=name, Key=key)["Body"].read()
    print(json.dumps([json.loads(get(key)) for key in objects(name, prefix)]))


def facts(name, prefix):
    """How many rows each table has."""
    rows, connection = {}, duckdb.connect()
    with tempfile.TemporaryDirectory() as place:
        for key in objects(name, prefix + "facts/"):
            path = pathlib.Path(place) / key.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            boto3.client("s3").download_file(name, key, str(path))
        for table in ("activity", "commands", "transcripts", "findings"):
            files = [str(path) for path in pathlib.Path(place, "facts", table).rglob("*.parquet")]
            # Two sweeps may write the same finding in two files; its id is what counts.
            what = "DISTINCT finding_id" if table == "findings" else "*"
            rows[table] = connection.execute(f"SELECT count({what}) FROM read_parquet(?)", [files]).fetchone()[0] if files else 0
    print(json.dumps(rows))


def trail(name, bucket, whole):
    """A trail that is logging; as a whole one it is of every region, and validated."""
    trails, whole = boto3.client("cloudtrail"), whole == "whole"
    trails.create_trail(Name=name, S3BucketName=bucket, IsMultiRegionTrail=whole, EnableLogFileValidation=whole)
    trails.start_logging(Name=name)


def told(bucket, queue):
    """A bucket whose new objects are told to a queue."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    boto3.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    print(arn)


def function(name, queue_arn, whole):
    """A function that hears a queue; as a whole one with all that it needs."""
    functions, whole = boto3.client("lambda"), whole == "whole"
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("bootstrap", "#!/bin/sh\n")
    variables = {"SSM_AUDIT_STORE": "s3://audit/store", "SSM_AUDIT_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:t"} if whole else {}
    functions.create_function(FunctionName=name, Runtime="provided.al2023", Role="arn:aws:iam::000000000000:role/x", Handler="bootstrap",
                              Code={"ZipFile": code.getvalue()}, Timeout=180 if whole else 3, Environment={"Variables": variables})
    more = {"FunctionResponseTypes": ["ReportBatchItemFailures"]} if whole else {}
    functions.create_event_source_mapping(FunctionName=name, EventSourceArn=queue_arn, **more)


def later(seconds):
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + int(seconds))))


def users(count):
    """Calls that change something, so that there is a history."""
    for at in range(int(count)):
        boto3.client("iam").create_user(UserName=f"user-{at}")


def topic(name, queue, policy=None):
    """A topic and a queue that is subscribed to it, with a filter policy; tells both."""
    fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
    arn = boto3.client("sns").create_topic(Name=name, Attributes=fifo)["TopicArn"]
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=queue, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attributes = {"FilterPolicy": policy} if policy else {}
    boto3.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
    print(json.dumps({"topic": arn, "queue": url}))


def receive(url):
    """What has arrived, a JSON object a line, until there is no more."""
    sqs = boto3.client("sqs")
    while True:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", [])
        if not got:
            return
        for message in got:
            print(json.dumps(json.loads(message["Body"])))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


globals()[sys.argv[1]](*sys.argv[2:])

"""An account to test against, by what AWS's own SDK says: account.py COMMAND ARGS… (the endpoint is in the environment)"""

import json
import pathlib
import sys
import time

import boto3


def bucket(name):
    boto3.client("s3").create_bucket(Bucket=name)


def upload(directory, name):
    root, s3 = pathlib.Path(directory), boto3.client("s3")
    for path in sorted(root.rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), name, path.relative_to(root).as_posix())


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

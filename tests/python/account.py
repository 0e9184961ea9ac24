"""An account to test against, by what AWS's own SDK says: account.py COMMAND ARGS… (the endpoint is in the environment)"""

import json
import pathlib
import sys

import boto3


def bucket(name):
    boto3.client("s3").create_bucket(Bucket=name)


def upload(directory, name):
    root, s3 = pathlib.Path(directory), boto3.client("s3")
    for path in sorted(root.rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), name, path.relative_to(root).as_posix())


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

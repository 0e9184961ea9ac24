#!/usr/bin/env python3
"""The deployment, deployed and used: deployment.py BOOTSTRAP SHARED [--template FILE] [--break]

Starts the AWS stand-in, with TLS and with IAM enforced, deploys deploy/sam/template.yaml twice and uses both:

    ssm-audit   what the template makes if you say little: bucket notifications, a store, topics and a key of its own
    other       what may be there already: EventBridge, a store, a key, topics, rules and routes in a bucket, a log group; and compact

A session's trail file and transcript are put into the log bucket, and the alert has to arrive in a queue that is subscribed to the
topic. Then what runs by the clock, what fails, what has to be refused, and what stays when the stack goes. What the stand-in cannot do
stands in lines `left out`. Exit status 1 if something is not as it has to be. Times are told and decide nothing.

With --break copies of the template are broken, each in one thing, every permission among them, and each has to be noticed. That takes
twenty minutes.
"""
import argparse
import csv
import datetime
import fnmatch
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / "target/deployment-venv"
# Seconds: for all of it, with --break; for one thing to happen; for the scheduler, which looks every ten, and for five tries.
LIMIT, LONG, PATIENCE, CLOCK = 170, 3600, 20, 15
STREAMS = "/aws/ssm/sessions"
LEFT_OUT = [
    "IAM is enforced for what functions ask for. What services do in somebody's name is not: Lambda assuming roles, reading the queue and "
    "keeping failures, logs, traces, KMS, the scheduler, EventBridge and Logs. There the policies are read, and not their conditions",
    "DenyReplacing: the stand-in does not know s3:if-none-match. ListLogBuckets: without it too what is gone is a 404. Object Lock, the "
    "key of the bucket and the topics, reserved concurrency: its CloudFormation passes over them",
    "CloudTrail does not tell EventBridge, and nobody may put events of `aws.`: the rule is asked whether it takes one, its target gets it",
    "schedules are not waited for: a copy of the sweep's fires at once, the targets of the others are invoked",
    "five tries take an hour and a half: meanwhile VisibilityTimeout is a second. Lambda's own retries come after a second",
    "compact removes what it replaced an hour later: not waited for",
    "alarms are set off by hand: no metric is evaluated. Nobody confirms a mail, ends a session or imports into Security Hub",
    "memory, time, disk and architecture: a function is a process of this machine",
]
# What --break does beside the permissions: what is told, what is there (the first time it is), what it becomes.
BREAKS = [
    ("ingest: the store's variable has another name", "SSM_AUDIT_STORE:", "SSM_AUDIT_STORES:"),
    ("ingest: another bucket for the store", "'s3://${Bucket}/${StorePrefix}'", "'s3://${Bucket}-two/${StorePrefix}'"),
    ("ingest: alerts go to the alarm topic", "    - !Ref AWS::NoValue\n            - !If [CreateAlertTopic, !Ref AlertTopic,",
     "    - !Ref AWS::NoValue\n            - !If [CreateAlertTopic, !Ref AlarmTopic,"),
    ("ingest: rules of another place", "'s3://${ConfigBucket}/${RulesPrefix}'", "'s3://${ConfigBucket}/x${RulesPrefix}'"),
    ("sweep: it does not look back", "SSM_AUDIT_SWEEP_SINCE:", "SSM_AUDIT_SINCE:"),
    ("report: no time zone", "SSM_AUDIT_TIMEZONE:", "SSM_AUDIT_ZONE:"),
    ("another runtime", "Runtime: provided.al2023", "Runtime: python3.13"),
    ("only the gravest alerts", "Default: medium", "Default: critical"),
    ("another task by the clock", """'{"task":"sweep"}'""", """'{"task":"sweeps"}'"""),
    ("a schedule for another function", "Arn: !GetAtt Report.Arn", "Arn: !GetAtt Ingest.Arn"),
    ("batches fail as a whole", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
    ("dead letters late", "maxReceiveCount: 5", "maxReceiveCount: 50"),
    ("dead letters in another queue", "deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn", "deadLetterTargetArn: !GetAtt FailedInvocations.Arn"),
    ("messages come twice", "VisibilityTimeout: 1080", "VisibilityTimeout: 180"),
    ("failures among dead letters", "Destination: !GetAtt FailedInvocations.Arn", "Destination: !GetAtt DeadLetterQueue.Arn"),
    ("the trail's notification has another prefix", '"Value":"${TrailPrefix}"', '"Value":"trail/"'),
    ("the rule for transcripts has another prefix", "[{prefix: !Ref SessionPrefix}]", "[{prefix: other/}]"),
    ("the rule for API calls takes anybody's", "source: [{prefix: aws.}]", "source: [{exists: true}]"),
    ("the rule for API calls tells another function", "Arn: !GetAtt Ingest.Arn", "Arn: !GetAtt Sweep.Arn"),
    ("log events go to another function", "DestinationArn: !GetAtt Ingest.Arn", "DestinationArn: !GetAtt Sweep.Arn"),
    ("an alarm that nobody hears", "      AlarmActions: [!If [CreateAlarmTopic, !Ref AlarmTopic, !Ref AlarmTopicArn]]\n", ""),
    ("the store has no versions", "VersioningConfiguration: {Status: Enabled}", "VersioningConfiguration: {Status: Suspended}"),
    ("the key goes with the stack", "DeletionPolicy: Retain", "DeletionPolicy: Delete"),
    ("the store goes with the stack", "mean to delete that.\n    DeletionPolicy: Retain", "mean to delete that.\n    DeletionPolicy: Delete"),
    ("logs are kept for ever", "      RetentionInDays: !Ref LogRetentionDays\n", ""),
]
# Of the permissions, those whose breaking does not show, and why.
NOT_NOTICED = {
    "DenyReplacing": "the stand-in does not know s3:if-none-match",
}


def environment():
    pinned = (ROOT / "tests/requirements.txt").read_text()
    wanted = "\n".join([*re.findall(r"^(?:boto3|ministack)==.*", pinned, re.M), "aws-sam-translator==1.115.0"])
    done = PLACE / "done"
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        subprocess.run([PLACE / "bin/python", "-m", "pip", "install", "--quiet", *wanted.split()], check=True)
        done.write_text(wanted)
    if pathlib.Path(sys.prefix) != PLACE:
        os.execv(PLACE / "bin/python", [PLACE / "bin/python", "-B", *sys.argv])


def wait(poll, seconds=None):
    """What `poll` says, as soon as it says something or when the time is over."""
    until = time.monotonic() + (seconds or PATIENCE)
    while not (found := poll()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def refusal(call, **arguments):
    from botocore.exceptions import ClientError
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "not refused"


def lets(policy, service, action, source=None):
    """Does a resource's policy let a service do it for that source?"""
    for statement in listed((json.loads(policy) if isinstance(policy, str) else policy)["Statement"]):
        if statement["Effect"] == "Allow" and statement["Principal"] == {"Service": service} and action in listed(statement["Action"]):
            sources = re.findall(r'"(arn:[^"]*)"', json.dumps(statement.get("Condition", {})))
            return bool(sources) == bool(source) and (not source or any(fnmatch.fnmatchcase(source, each) for each in sources))
    return False


def listed(value):
    return value if isinstance(value, list) else [value]


def arn(service, resource):
    return f"arn:aws:{service}:us-east-1:000000000000:{resource}"


class Account:
    """The stand-in, with the program's zip in a bucket."""

    def __init__(self, place, bootstrap):
        cert, key = place / "cert.pem", place / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
             "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.endpoint = f"https://127.0.0.1:{port}"
        client = {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_CA_BUNDLE": str(cert), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        # Functions get the server's environment, and trust its certificate by SSL_CERT_FILE. With TLS the server takes port 443 of
        # this address too, if it is free.
        server = {
            "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "AUTH": "true", "USE_SSL": "1", "MINISTACK_SSL_CERT": str(cert),
            "MINISTACK_SSL_KEY": str(key), "SSL_CERT_FILE": str(cert), "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.5",
            "STATE_DIR": f"{place}/state", "S3_DATA_DIR": f"{place}/s3", "TMPDIR": f"{place}/tmp",
        }
        (place / "tmp").mkdir()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SSM_AUDIT_"))}
        self.log, self.policies = place / "log", {}
        with open(self.log, "wb") as log:
            self.server = subprocess.Popen([PLACE / "bin/ministack"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env={**clean, **client, **server}, start_new_session=True)
        try:
            def answers():
                with socket.socket() as probe:
                    return self.server.poll() is not None or probe.connect_ex(("127.0.0.1", port)) == 0

            if not wait(answers, 30) or self.server.poll() is not None:
                raise RuntimeError(f"the stand-in does not start: {self.log.read_text()[-2000:]}")
            os.environ.update(client)
            import boto3
            from botocore.config import Config
            self.session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
            self.config = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1})
            with zipfile.ZipFile(place / "package.zip", "w") as package:
                entry = zipfile.ZipInfo("bootstrap")
                entry.external_attr = 0o100755 << 16
                package.writestr(entry, bootstrap.read_bytes())
            s3 = self.client("s3")
            s3.create_bucket(Bucket="code")
            s3.upload_file(str(place / "package.zip"), "code", "ssm-audit.zip")
        except BaseException:
            self.end()
            raise

    def client(self, service, **arguments):
        return self.session.client(service, config=self.config, **arguments)

    def end(self):
        """The server, and the functions that it started: they are a group of their own."""
        self.server.terminate()
        try:
            self.server.wait(3)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.server.wait(10)


class Sample:
    """A session of the corpus, and what is true of it."""

    def __init__(self, folder):
        self.folder, self.truth = folder, json.loads((folder / "truth.json").read_text())
        self.id, self.who, self.day = self.truth["session_id"], self.truth["principal_arn"], self.truth["start"][:10]
        self.key = (f"AWSLogs/111122223333/CloudTrail/us-east-1/{self.day.replace('-', '/')}/111122223333_CloudTrail_us-east-1_"
                    f"{self.day.replace('-', '')}T0710Z_{folder.name}.json.gz")

    def read(self, name):
        return (self.folder / name).read_bytes()

    def makes_root(self):
        return any(re.fullmatch("sudo (-i|su|su -)", command["text"]) for command in self.truth["commands"])


class Trial:
    """A stack, and what was found of it."""

    def __init__(self, account, name, template, samples, quiet=False):
        self.account, self.name, self.template, self.quiet = account, name, template, quiet
        (self.sample, self.second, *self.rest), self.bucket, self.more = samples, f"{name}-logs", f"{name}-more"
        self.passed, self.failed, self.heard, self.with_compact = 0, [], [], "\n  Compact:\n" in template
        self.title = "Interactive root shell"
        (self.s3, self.sqs, self.sns, self.functions, self.logs, self.events, self.scheduler, self.stacks, self.alarms, self.iam,
         self.kms) = map(account.client, ("s3", "sqs", "sns", "lambda", "logs", "events", "scheduler", "cloudformation", "cloudwatch",
                                          "iam", "kms"))

    def check(self, name, ok, detail=""):
        self.passed += bool(ok)
        self.failed += [] if ok else [name]
        if not self.quiet:
            print(f"{'ok' if ok else 'FAILED':6} {self.name}: {name}{f': {detail}' if detail != '' else ''}", flush=True)

    def wait(self, poll, seconds=None):
        """Not for long, if something is wrong already."""
        return wait(poll, seconds or (5 if self.failed else PATIENCE))

    def run(self, *steps):
        for step in steps:
            name, began = step.__name__.replace("_", " "), time.monotonic()
            try:
                step()
            except Exception as error:
                self.check(name, False, f"{type(error).__name__}: {error}"[:600])
            if not self.quiet:
                print(f"time   {self.name}: {name} {time.monotonic() - began:.1f} s", flush=True)
            if self.failed and (self.quiet or step == steps[0]):
                break

    def all(self):
        if self.name == "ssm-audit":
            self.run(self.deploy, self.resources, self.permissions, self.wire_the_buckets, self.ingest, self.tasks, self.by_the_clock,
                     self.as_it_happens, self.other_buckets, self.alarms_are_heard, self.what_is_refused, self.what_fails, self.remove)
        else:
            self.run(self.deploy_beside_what_is_there, self.resources, self.permissions, self.wire_the_buckets, self.ingest, self.tasks,
                     self.other_buckets, self.streamed, self.compact, self.no_trouble)
        return self

    # ── What is made ──

    def deploy(self):
        self.create(AlertEmail="security@example.com", AlarmEmail="platform@example.com")
        out = self.outputs
        self.variables = {"SSM_AUDIT_TOPIC_ARN": out["AlertTopicArn"], "SSM_AUDIT_TOPIC_LEVEL": "medium"}
        self.told, self.trouble = self.listen(out["AlertTopicArn"]), self.listen(out["AlarmTopicArn"])

    def deploy_beside_what_is_there(self):
        config = f"{self.name}-config"
        self.s3.create_bucket(Bucket=f"{self.name}-store")
        self.s3.create_bucket(Bucket=config)
        for path in (path for path in (ROOT / "rules.d").rglob("*") if path.is_file()):
            # One title is changed, so that it can be seen whose rules they are.
            body = path.read_bytes().replace(b"title: Interactive root shell\n", b"title: Interactive root shell by our rules\n")
            self.s3.put_object(Bucket=config, Key=f"rules.d/{path.relative_to(ROOT / 'rules.d')}", Body=body)
        alerts, pager, alarms = (self.sns.create_topic(Name=f"{self.name}-{name}")["TopicArn"] for name in ("people", "pager", "trouble"))
        routes = {"sinks": {"pager": {"type": "sns", "topic_arn": pager, "format": "json"}},
                  "routes": [{"match": {"level": "medium"}, "sinks": ["pager"]}]}
        self.s3.put_object(Bucket=config, Key="routes.yml", Body=json.dumps(routes))
        self.logs.create_log_group(logGroupName=STREAMS)
        self.keys_of_others = {name: self.kms.create_key()["KeyMetadata"]["Arn"] for name in
                               ("KmsKeyArn", "StoreKmsKeyArn", "SourceKmsKeyArns", "TopicKmsKeyArns")}
        self.create(Wiring="EventBridge", StoreBucket=f"{self.name}-store", AlertTopicArn=alerts, AlarmTopicArn=alarms, RouteTopicArns=pager,
                    ConfigBucket=config, RulesPrefix="rules.d/", RoutesKey="routes.yml", SessionLogGroup=STREAMS, TimeZone="Europe/Berlin",
                    AllowTerminateSession="true", RespondRoleArn="arn:aws:iam::*:role/respond", AllowSecurityHub="true",
                    **self.keys_of_others, **({"Compact": "true"} if self.with_compact else {}))
        self.variables = {"SSM_AUDIT_ROUTES": f"s3://{config}/routes.yml", "SSM_AUDIT_TOPIC_ARN": None}
        self.title = "Interactive root shell by our rules"
        self.told, self.trouble = self.listen(pager), self.listen(alarms)

    def create(self, **parameters):
        for bucket in (self.bucket, self.more):
            self.s3.create_bucket(Bucket=bucket)
        # The session was some time ago.
        since = (datetime.date.today() - datetime.date.fromisoformat(self.sample.day)).days + 2
        parameters = {
            "CodeBucket": "code", "CodeKey": "ssm-audit.zip", "SessionBucket": self.bucket, "SessionPrefix": "sessions/",
            "TrailBucket": self.bucket, "OtherLogBucketArns": f"arn:aws:s3:::{self.more}", "SweepSince": f"{since}d",
            "Architecture": "x86_64" if os.uname().machine == "x86_64" else "arm64", **parameters}
        self.s3.put_object(Bucket="code", Key=f"{self.name}.yaml", Body=self.template.encode())
        self.stack = self.stacks.create_stack(
            StackName=self.name, TemplateURL=f"{self.account.endpoint}/code/{self.name}.yaml",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()])["StackId"]
        stack = self.settled("CREATE_COMPLETE")
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.store, self.prefix = self.outputs["StoreUri"].removeprefix("s3://").split("/", 1)
        resources = self.stacks.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        self.check("the stack is made", True, f"{len(resources)} resources")
        names = [resource["PhysicalResourceId"] for resource in resources if resource["ResourceType"] == "AWS::Lambda::Function"]
        made = {name.removeprefix(f"{self.name}-"): self.functions.get_function_configuration(FunctionName=name) for name in names}
        wanted = ["ingest", "sweep", "report"] + ["compact"] * (self.name == "other" and self.with_compact)
        self.check("functions", set(made) == set(wanted), ", ".join(sorted(made)))
        self.made = {name: made[name] for name in wanted}
        failed = self.outputs["FailedInvocationsUrl"].split("/")[-1]
        names = {"ingest": self.outputs["IngestQueueArn"], "dead letters": self.outputs["DeadLetterQueueArn"], "failed": failed}
        self.queues = {}
        for name, known in names.items():
            url = self.sqs.get_queue_url(QueueName=known.split(":")[-1])["QueueUrl"]
            self.queues[name] = url, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def settled(self, wanted):
        def ended():
            stack = self.stacks.describe_stacks(StackName=self.stack)["Stacks"][0]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

        stack = wait(ended, 60) or {"StackStatus": "not ended in a minute"}
        if stack["StackStatus"] != wanted:
            events = self.stacks.describe_stack_events(StackName=self.stack)["StackEvents"]
            why = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in events if "FAILED" in event["ResourceStatus"]]
            raise RuntimeError(f"{stack['StackStatus']} {stack.get('StackStatusReason', '')} {'; '.join(why)}")
        return stack

    def listen(self, topic):
        """A queue that hears a topic."""
        url = self.sqs.create_queue(QueueName=f"{topic.split(':')[-1]}-heard")["QueueUrl"]
        queue = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]}
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        return url

    def receive(self, url):
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def waiting(self, name):
        """How many messages a queue holds, with those that somebody is working on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, self.sqs.get_queue_attributes(QueueUrl=self.queues[name][0], AttributeNames=names)["Attributes"].values()))

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.store, Prefix=f"{self.prefix}/{prefix}")
        return [entry["Key"].removeprefix(f"{self.prefix}/") for page in pages for entry in page.get("Contents", [])]

    def read(self, key):
        return self.s3.get_object(Bucket=self.store, Key=f"{self.prefix}/{key}")["Body"].read()

    def schedule(self, name):
        return self.scheduler.get_schedule(Name=f"{self.name}-{name}", GroupName=self.name)["Target"]

    def resources(self):
        out, check, failed = self.outputs, self.check, self.queues["failed"][1]["QueueArn"]
        check("every output says something", all(out.values()), len(out))
        rules = {} if self.name == "ssm-audit" else {"SSM_AUDIT_RULES": f"s3://{self.name}-config/rules.d/"}
        for name, function in self.made.items():
            # Compact has no rules but those that ship, and nobody to tell.
            tells = {"SSM_AUDIT_OPERATOR_TOPIC_ARN": out["AlarmTopicArn"], **rules} if name != "compact" else {}
            told = {"SSM_AUDIT_STORE": out["StoreUri"], **tells, **(self.variables if name in ("ingest", "sweep") else {})}
            wrong = [key for key, value in told.items() if function["Environment"]["Variables"].get(key) != value]
            check(f"{name}: it is told of the store, of its rules and of who is to hear", not wrong, wrong or ", ".join(told))
            kept = self.functions.get_function_event_invoke_config(FunctionName=function["FunctionName"], Qualifier="$LATEST")
            check(f"{name}: the program; what fails is kept", function["Runtime"] == "provided.al2023"
                  and (kept["DestinationConfig"]["OnFailure"]["Destination"], kept["MaximumRetryAttempts"]) == (failed, 2))
            group = function["LoggingConfig"]["LogGroup"]
            groups = self.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
            check(f"{name}: its log is kept for a time", [entry.get("retentionInDays") for entry in groups] == [90], group)
        queue, ingest = self.queues["ingest"][1], self.made["ingest"]
        redrive = json.loads(queue["RedrivePolicy"])
        check("the queue: dead letters after five tries", redrive["deadLetterTargetArn"] == out["DeadLetterQueueArn"]
              and int(redrive["maxReceiveCount"]) == 5)
        check("the queue: nothing comes again while it is worked on", int(queue["VisibilityTimeout"]) >= 6 * ingest["Timeout"])
        mappings = self.functions.list_event_source_mappings(FunctionName=ingest["FunctionName"])["EventSourceMappings"]
        check("the queue: it feeds ingest, and takes back single messages", [
            (mapping["EventSourceArn"], mapping["State"], mapping.get("FunctionResponseTypes")) for mapping in mappings
        ] == [(queue["QueueArn"], "Enabled", ["ReportBatchItemFailures"])])
        for name in list(self.made)[1:]:
            target = self.schedule(name)
            check(f"the clock: {name}", (target["Arn"], json.loads(target["Input"])["task"], target["DeadLetterConfig"]["Arn"])
                  == (self.made[name]["FunctionArn"], name, failed), target["Input"])
        alarms = self.alarms.describe_alarms(AlarmNamePrefix=f"{self.name}-")["MetricAlarms"]
        silent = [alarm["AlarmName"] for alarm in alarms if not alarm["AlarmActions"] == alarm["OKActions"] == [out["AlarmTopicArn"]]]
        check("alarms: they tell the alarm topic, also when it is over", alarms and not silent, silent or len(alarms))
        if self.name == "ssm-audit":
            public = self.s3.get_public_access_block(Bucket=self.store)["PublicAccessBlockConfiguration"]
            versions = self.s3.get_bucket_versioning(Bucket=self.store).get("Status")
            check("the store: versions, nothing public", versions == "Enabled" and all(public.values()))
            mails = [each["Endpoint"] for name in ("AlertTopicArn", "AlarmTopicArn") for each in
                     self.sns.list_subscriptions_by_topic(TopicArn=out[name])["Subscriptions"] if each["Protocol"] == "email"]
            check("the mails", mails == ["security@example.com", "platform@example.com"], ", ".join(mails))

    # ── Who may do what ──

    def may(self, role, action, resource):
        """By a role's policies without their conditions."""
        if role not in self.account.policies:
            name, documents = role.split("/")[-1], []
            for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
                documents.append(self.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
            for policy in self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                version = self.iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
                documents.append(self.iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"])
            for statement in (statement for document in documents for statement in listed(document["Statement"])):
                statement.pop("Condition", None)
            self.account.policies[role] = [json.dumps(document) for document in documents]
        said = self.iam.simulate_custom_policy(PolicyInputList=self.account.policies[role], ActionNames=[action], ResourceArns=[resource])
        return said["EvaluationResults"][0]["EvalDecision"] == "allowed"

    def grants(self, name):
        """What a function's role has to allow, and what it must not."""
        out, queues = self.outputs, {name: queue["QueueArn"] for name, (_, queue) in self.queues.items()}
        store, log = f"arn:aws:s3:::{self.store}", f"arn:aws:s3:::{self.bucket}/sessions/one.log"
        fact, ledger, note = (f"{store}/{self.prefix}/{path}" for path in ("facts/one", "ledger/one", "compacted/one"))
        session, group = arn("ssm", "session/one"), self.made[name]["LoggingConfig"]["LogGroup"]
        does = {("sqs:SendMessage", queues["failed"]), ("xray:PutTraceSegments", "*"), ("kms:GenerateDataKey", out["KmsKeyArn"]),
                ("logs:PutLogEvents", arn("logs", f"log-group:{group}:log-stream:one"))}
        trouble = ("sns:Publish", out["AlarmTopicArn"])
        never = {("s3:DeleteObject", fact), ("s3:DeleteObject", ledger), ("s3:DeleteObjectVersion", fact), ("s3:PutObject", log),
                 ("s3:PutBucketPolicy", store), ("ssm:TerminateSession", session)}
        if name == "ingest":
            does |= {("sqs:ReceiveMessage", queues["ingest"]), ("s3:GetObjectVersion", log)}
            does |= {("s3:ListBucket", f"arn:aws:s3:::{bucket}") for bucket in (self.bucket, self.more)}
        else:
            never |= {("s3:GetObject", log)}
        if name in ("report", "compact"):
            never |= {("s3:PutObject", ledger), ("sns:Publish", out["AlertTopicArn"])}
        if name == "compact":
            does |= {("s3:DeleteObject", fact), ("s3:PutObject", note)}
            never |= {trouble}
        else:
            does |= {trouble}
        if self.name == "other":
            keys = {"TopicKmsKeyArns": name != "compact", "SourceKmsKeyArns": name == "ingest"}
            for setting, key in self.keys_of_others.items():
                (does if keys.get(setting, True) else never).add(("kms:Decrypt", key))
            if name in ("ingest", "sweep"):
                does |= {("ssm:TerminateSession", session), ("sts:AssumeRole", "arn:aws:iam::111122223333:role/respond"),
                         ("securityhub:BatchImportFindings", arn("securityhub", "product/000000000000/default"))}
        return does, never - does

    def trust(self, role):
        return self.iam.get_role(RoleName=role.split("/")[-1])["Role"]["AssumeRolePolicyDocument"]

    def permissions(self):
        out, check, failed = self.outputs, self.check, self.queues["failed"][1]
        roles = {name: function["Role"] for name, function in self.made.items()}
        check("each function has a role of its own", len(set(roles.values())) == len(roles))
        for name, role in roles.items():
            does, never = self.grants(name)
            wrong = [("may not", *each) for each in does if not self.may(role, *each)] + [("may", *each) for each in never if self.may(role, *each)]
            check(f"{name}: its role may do {len(does)} things, and not {len(never)} others", not wrong, wrong or "")
            check(f"{name}: Lambda may assume it", lets(self.trust(role), "lambda.amazonaws.com", "sts:AssumeRole"))
        for name in list(self.made)[1:]:
            role, function = self.schedule(name)["RoleArn"], self.made[name]["FunctionArn"]
            group = arn("scheduler", f"schedule-group/{self.name}")
            check(f"{name}: the scheduler may invoke it, and keep what fails",
                  lets(self.trust(role), "scheduler.amazonaws.com", "sts:AssumeRole", group)
                  and self.may(role, "lambda:InvokeFunction", function) and self.may(role, "sqs:SendMessage", failed["QueueArn"]))
        rules = [rule["Arn"] for rule in self.events.list_rules(NamePrefix=f"{self.name}-")["Rules"]]
        check("rules: they may keep what fails", rules and all(
            lets(failed["Policy"], "events.amazonaws.com", "sqs:SendMessage", rule) for rule in rules), len(rules))
        policy = self.functions.get_policy(FunctionName=self.made["ingest"]["FunctionName"])["Policy"]
        calls = arn("events", f"rule/{self.name}-api-calls")
        check("the rule for API calls may invoke ingest", calls in rules and lets(policy, "events.amazonaws.com", "lambda:InvokeFunction", calls))
        if self.name == "other":
            fills = [rule for rule in rules if rule.endswith("-objects")]
            check("rules: they may fill the queue", len(fills) == 3 and all(
                lets(self.queues["ingest"][1]["Policy"], "events.amazonaws.com", "sqs:SendMessage", rule) for rule in fills), len(fills))
            tells = [each["destinationArn"] for each in self.logs.describe_subscription_filters(logGroupName=STREAMS)["subscriptionFilters"]]
            check("the log group tells ingest, and may", tells == [self.made["ingest"]["FunctionArn"]]
                  and lets(policy, "logs.amazonaws.com", "lambda:InvokeFunction", arn("logs", f"log-group:{STREAMS}:*")))
            return
        key = json.loads(self.kms.get_key_policy(KeyId=out["KmsKeyArn"], PolicyName="default")["Policy"])
        topic = self.sns.get_topic_attributes(TopicArn=out["AlarmTopicArn"])["Attributes"]["Policy"]
        alarm = arn("cloudwatch", f"alarm:{self.name}-silence")
        check("alarms may use the key and tell the topic", lets(key, "cloudwatch.amazonaws.com", "kms:GenerateDataKey*", alarm)
              and lets(topic, "cloudwatch.amazonaws.com", "sns:Publish", alarm))
        root = {"AWS": "arn:aws:iam::000000000000:root"}
        check("the key: the account decides", any((each["Principal"], each["Action"]) == (root, "kms:*") for each in key["Statement"]))

    # ── What it does ──

    def wire_the_buckets(self):
        """As docs/deploying.md says: what is there is kept."""
        def wire(bucket, change):
            before = self.s3.get_bucket_notification_configuration(Bucket=bucket)
            before.pop("ResponseMetadata")
            new = {"EventBridgeConfiguration": {}} if self.name == "other" else {
                "QueueConfigurations": [*before.get("QueueConfigurations", []), change]}
            self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={**before, **new})

        for output in ("SessionNotification", "TrailNotification"):
            wire(self.bucket, json.loads(self.outputs.get(output, "null")))
        wire(self.more, {"Id": "ssm-audit", "QueueArn": self.outputs["IngestQueueArn"], "Events": ["s3:ObjectCreated:*"]})
        self.check("the buckets take the notifications", True)

    def put(self, bucket, key, body):
        """An object that ingest has to take."""
        before, self.began = len(self.keys("ledger/")), time.monotonic()
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return self.wait(lambda: len(self.keys("ledger/")) > before)

    def alert(self, sample):
        def heard():
            self.heard += self.receive(self.told)
            return [message for message in self.heard if sample.id in message["Message"] and self.title in message["Message"]]

        found = self.wait(heard)
        self.check("the alert arrives, and says who and what", found and sample.who in found[0]["Message"],
                   f"{found[0]['Subject']}, after {time.monotonic() - self.began:.1f} s" if found else f"{len(self.heard)} others")

    def ingest(self):
        taken = self.put(self.bucket, self.sample.key, gzip.compress(self.sample.read("cloudtrail.json")))
        self.check("the trail's file: facts", taken and self.keys(f"facts/activity/date={self.sample.day}/"))
        self.put(self.bucket, f"sessions/{self.sample.id}.log", self.sample.read("s3.log"))
        self.alert(self.sample)
        facts = {key.split("/")[1] for key in self.keys("facts/") if f"/date={self.sample.day}/" in key}
        self.check("the transcript: facts", {"commands", "transcripts", "findings"} <= facts, ", ".join(sorted(facts)))
        self.check("each object is in the ledger, nothing in quarantine", len(self.keys("ledger/")) == 2 and not self.keys("quarantine/"))
        self.check("nothing is left in the queues", self.wait(lambda: not any(map(self.waiting, self.queues))))

    def invoke(self, function, event):
        said = self.functions.invoke(FunctionName=function, Payload=json.dumps(event))
        answer = json.loads(said["Payload"].read())
        if said.get("FunctionError"):
            raise RuntimeError(f"{json.dumps(event)}: {answer}")
        return answer

    def invoke_scheduled(self, name):
        target = self.schedule(name)
        return self.invoke(target["Arn"], json.loads(target["Input"]))

    def tasks(self):
        commands = self.sample.truth["commands"]
        sweep, again = map(self.invoke_scheduled, ("sweep", "sweep"))
        # An end of input can be told from a typed `exit` in some shells and not in others.
        typed = range(sum(command["status"] == "executed" for command in commands), len(commands) + 1)
        self.check("sweep: the session, its commands, no gap", sweep["commands"] in typed and (sweep["sessions"], sweep["gaps"]) == (1, 0),
                   f"{sweep['commands']} commands, {sweep['new']} new findings, {sweep['alerts']['sent']} alerts")
        self.check("sweep: its findings are in the bucket", bool(sweep["new"]) == any("/sweep-" in key for key in self.keys("facts/findings/")))
        self.check("sweep: the next one finds nothing new", (again["new"], again["alerts"]["sent"], again["alerts"]["failed"]) == (0, 0, []))
        alerts = self.keys("alerts/")
        pending, sent = ({key.split(f".{kind}.")[0] for key in alerts if f".{kind}." in key} for kind in ("pending", "sent"))
        self.wait(lambda: self.heard.extend(self.receive(self.told)) or len(self.heard) >= len(sent))
        self.check("each alert was sent and arrived once", pending == sent and len(self.heard) == len(sent), len(sent))

        month = self.sample.day[:7]
        report = self.invoke(self.outputs["ReportFunctionName"], {"task": "report", "period": month})
        self.check("report: the session, all of it recorded", report["report"] == f"{self.outputs['StoreUri']}/reports/{month}"
                   and (report["sessions"], report["coverage_percent"]) == (1, 100.0), json.dumps(report["findings"]))
        manifest = json.loads(self.read(f"reports/{month}/manifest.json"))
        wrong = [file["name"] for file in manifest["files"]
                 if hashlib.sha256(self.read(f"reports/{month}/{file['name']}")).hexdigest() != file["sha256"]]
        self.check("report: every file has the manifest's hash", manifest["files"] and not wrong, wrong or len(manifest["files"]))
        zone = "Europe/Berlin" if self.name == "other" else "UTC"
        self.check("report: the time zone", manifest["period"]["time_zone"] == zone, manifest["period"]["time_zone"])
        rows = list(csv.DictReader(io.StringIO(self.read(f"reports/{month}/access.csv").decode())))
        self.check("report: access.csv says who was where", [(row["session_id"], row["principal_arn"], row["target"]) for row in rows]
                   == [(self.sample.id, self.sample.who, self.sample.truth["target"])])

    def swept(self):
        events = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{self.name}-sweep")["events"]
        return sum('"message":"swept"' in event["message"] for event in events)

    def by_the_clock(self):
        before = self.swept()
        self.scheduler.create_schedule(
            Name=f"{self.name}-now", GroupName=self.name, Target=self.schedule("sweep"), FlexibleTimeWindow={"Mode": "OFF"},
            ScheduleExpression=f"at({datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%S})")
        self.check("a schedule sweeps, and the log says so", self.wait(lambda: self.swept() > before, CLOCK))

    def as_it_happens(self):
        record = json.loads(self.second.read("cloudtrail.json"))["Records"][0]
        event = {"version": "0", "id": "1", "account": "000000000000", "region": "us-east-1", "time": record["eventTime"], "resources": [],
                 "source": "aws.ssm", "detail-type": "AWS API Call via CloudTrail", "detail": record}
        rule = self.events.describe_rule(Name=f"{self.name}-api-calls")
        takes = [self.events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(each))["Result"]
                 for each in (event, {**event, "source": "mine"}, {**event, "detail": {**record, "eventName": "DescribeSessions"}})]
        self.check("the rule takes StartSession, nothing of others, not everything", takes == [True, False, False], takes)
        targets = [target["Arn"] for target in self.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
        self.check("the rule's target is ingest", rule["State"] == "ENABLED" and targets == [self.made["ingest"]["FunctionArn"]])
        before = len(self.keys("facts/activity/"))
        self.functions.invoke(FunctionName=targets[0], InvocationType="Event", Payload=json.dumps(event))
        self.check("an API call: facts", self.wait(lambda: len(self.keys("facts/activity/")) > before))

    def other_buckets(self):
        taken = self.put(self.more, self.second.key, gzip.compress(self.second.read("cloudtrail.json")))
        self.check("an object in one of the other log buckets is taken", taken)

    def streamed(self):
        self.logs.create_log_stream(logGroupName=STREAMS, logStreamName=self.second.id)
        lines, now = self.second.read("cloudwatch.jsonl").decode().splitlines(), int(time.time() * 1000)
        self.logs.put_log_events(logGroupName=STREAMS, logStreamName=self.second.id, logEvents=[
            {"timestamp": now + at, "message": json.loads(line)["message"]} for at, line in enumerate(lines)])
        self.began = time.monotonic()
        self.alert(self.second)

    def compact(self):
        if not self.with_compact:
            print("left out: compact, which this template does not have")
            return
        for sample in self.rest:
            if not self.put(self.more, sample.key, gzip.compress(sample.read("cloudtrail.json"))):
                break
        before, answer, after = map(self.invoke_scheduled, ("sweep", "compact", "sweep"))
        self.check("compact: few files of many", 0 < answer["written"] < answer["replaced"] and self.keys("compacted/"), json.dumps(answer))
        self.check("compact: a sweep sees the same", (before["sessions"], before["commands"], 0, 0)
                   == (after["sessions"], after["commands"], after["new"], after["alerts"]["sent"]), f"{after['sessions']} sessions")

    def what_is_refused(self):
        """To somebody who may do everything, by IAM."""
        self.iam.create_user(UserName="administrator")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        self.iam.put_user_policy(UserName="administrator", PolicyName="all", PolicyDocument=json.dumps(everything))
        key = self.iam.create_access_key(UserName="administrator")["AccessKey"]

        def calls(plain):
            clients = [self.account.client(service, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
                       for service in ("s3", "sns", "sqs")]
            if plain:
                for client in clients:
                    # The stand-in takes a proxy's word for it.
                    client.meta.events.register("before-send", lambda request, **_: request.headers.update({"X-Forwarded-Proto": "http"}))
            s3, sns, sqs = clients
            yield "the store", refusal(s3.list_objects_v2, Bucket=self.store)
            for name in ("AlertTopicArn", "AlarmTopicArn"):
                yield f"the {name.removesuffix('Arn')}", refusal(sns.publish, TopicArn=self.outputs[name], Message="one")
            for name, (url, _) in self.queues.items():
                yield f"the queue: {name}", refusal(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])

        for (name, plain), (_, said) in zip(calls(True), calls(False)):
            self.check(f"plain HTTP: {name}", ("Denied" in plain or "Authorization" in plain) and said == "not refused", f"{plain}; with TLS {said}")
        heard = [message["Message"] for url in (self.told, self.trouble) for message in self.receive(url)]
        self.check("what was refused was not sent", heard.count("one") == 2)

    def no_trouble(self):
        told = self.receive(self.trouble)
        self.check("nobody was told of trouble", not told, told[0]["Message"][:300] if told else "")

    def alarms_are_heard(self):
        self.no_trouble()
        self.alarms.set_alarm_state(AlarmName=f"{self.name}-dead-letters", StateValue="ALARM", StateReason="by hand")
        heard = self.wait(lambda: self.receive(self.trouble))
        self.check("an alarm arrives", heard and "dead-letters" in heard[0]["Message"], heard[0].get("Subject") if heard else "")

    def what_fails(self):
        self.functions.invoke(FunctionName=self.made["ingest"]["FunctionName"], InvocationType="Event", Payload='{"something": "else"}')
        kept = self.wait(lambda: self.receive(self.queues["failed"][0]))
        self.check("what was invoked directly is kept", kept and kept[0].get("requestPayload") == {"something": "else"})

        def tell(bucket, key):
            event = {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
                "bucket": {"name": bucket}, "object": {"key": key, "size": 5, "eTag": "0"}}}]}
            self.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))

        # Ingest may not read the first of these, now or later. The others are gone, which is the end of it.
        url = self.queues["ingest"][0]
        self.s3.create_bucket(Bucket=f"{self.name}-foreign")
        self.s3.put_object(Bucket=f"{self.name}-foreign", Key="sessions/one.log", Body=b"$ id\n")
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
        for bucket in (f"{self.name}-foreign", self.bucket, self.more):
            tell(bucket, "sessions/one.log")
        self.check("what cannot be read now is a dead letter", self.wait(lambda: self.waiting("dead letters"), CLOCK))
        self.check("what is gone is none, and is in quarantine", self.wait(lambda: len(self.keys("quarantine/")) == 2)
                   and (self.waiting("dead letters"), self.waiting("ingest")) == (1, 0))
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": self.queues["ingest"][1]["VisibilityTimeout"]})

    def remove(self):
        for bucket in (self.bucket, self.more):
            self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        self.scheduler.delete_schedule(Name=f"{self.name}-now", GroupName=self.name)
        facts = self.keys("facts/")
        self.stacks.delete_stack(StackName=self.name)
        self.settled("DELETE_COMPLETE")
        left = [each["FunctionName"] for each in self.functions.list_functions()["Functions"] if each["FunctionName"].startswith(f"{self.name}-")]
        self.check("the functions are gone", not left, ", ".join(left))
        key = self.kms.describe_key(KeyId=self.outputs["KmsKeyArn"])["KeyMetadata"]
        self.check("the store and its key stay", facts and self.keys("facts/") == facts and key["KeyState"] == "Enabled",
                   f"{len(facts)} files of facts")


def use(args, template, samples, quiet=False):
    """Both stacks, or the first that fails; what is wrong, by its name."""
    began, trials = time.monotonic(), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        account = Account(pathlib.Path(place), args.bootstrap)
        try:
            if not quiet:
                print(f"time   the stand-in is up, the zip in a bucket {time.monotonic() - began:.1f} s", flush=True)
            for name, order in (("ssm-audit", samples), ("other", [*samples[1::-1], *samples[2:]])):
                trials.append(Trial(account, name, template, order, quiet).all())
                if quiet and trials[-1].failed:
                    break
            if not quiet and any(trial.failed for trial in trials):
                errors = [line for line in account.log.read_text().splitlines() if '"level":"ERROR"' in line or " ERROR " in line]
                print("\n".join(["what the log of the stand-in says:", *(line[:300] for line in errors[-10:])]))
        finally:
            account.end()
    return sum(trial.passed for trial in trials), [f"{trial.name}: {name}" for trial in trials for name in trial.failed]


def broken(template):
    """Copies of the template: each of its statements without an action, and what BREAKS says."""
    for name, what, instead in BREAKS:
        yield name, template.replace(what, instead, 1) if what in template else None
    resource, statement = "", r"^ +- Sid: (?P<sid>[A-Z]\w+)\n(?: +(?!- )\S.*\n)*? +Action:(?P<action>.*)$"
    for match in re.finditer(rf"^  (?P<resource>\w+):$|{statement}", template, re.M):
        resource = match["resource"] or resource
        if match["sid"]:
            yield f"{match['sid']} of {resource}", f"{template[:match.start('action')]} none:None{template[match.end('action'):]}"


def break_all(args, template, samples):
    global PATIENCE
    PATIENCE, noticed, missed, known = 6, 0, 0, 0
    _, failed = use(args, template, samples, quiet=True)
    if failed:
        print(f"FAILED the template as it is: {failed[0]}")
        return True
    for name, copy in broken(template):
        began = time.monotonic()
        _, failed = use(args, copy, samples, quiet=True) if copy else (0, [])
        reason = NOT_NOTICED.get(name.split()[0])
        kind = "ok" if failed else "known" if reason else "FAILED"
        noticed, known, missed = noticed + (kind == "ok"), known + (kind == "known"), missed + (kind == "FAILED")
        said = f"noticed by `{failed[0]}`" if failed else reason or ("not noticed" if copy else "it is not there to be broken")
        print(f"{kind:6} broken: {name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{noticed} noticed, {known} known not to be noticed, {missed} failed")
    return missed > 0


def main():
    sys.path.insert(0, str(ROOT / "deploy/sam"))
    from stand_in import TEMPLATE, stand_in
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--template", type=pathlib.Path, default=TEMPLATE)
    parser.add_argument("--break", dest="breaks", action="store_true")
    args = parser.parse_args()
    signal.alarm(LONG if args.breaks else LIMIT)
    folders = (folder for folder in sorted((args.shared / "transcripts/A").iterdir()) if (folder / "s3.log").exists())
    samples = sorted(map(Sample, folders), key=lambda sample: not sample.makes_root())[:12]
    template, left_out = stand_in(args.template.read_text())
    if args.breaks:
        return break_all(args, template, samples)
    for line in [*left_out, *LEFT_OUT]:
        print(f"left out: {line}")
    passed, failed = use(args, template, samples)
    print(f"{passed} passed, {len(failed)} failed, {len(left_out) + len(LEFT_OUT)} left out")
    return bool(failed)


def stop(number, _):
    # A second one does not stop the cleaning up.
    for each in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit("it takes too long" if number == signal.SIGALRM else "stopped")


if __name__ == "__main__":
    environment()
    for each in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    sys.exit(main())

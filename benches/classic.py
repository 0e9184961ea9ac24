#!/usr/bin/env python3
"""The access list of a month as it is usually made, beside ours: classic.py BINARY [--sessions N]

Makes CloudTrail files with N sessions among four times as many other records, and takes the list out of them with jq, as guides to
CloudTrail teach it: who, where, when, from where. Ours reads the same files into a store once, and has more in a row; both parts are told.
"""
import argparse
import gzip
import json
import pathlib
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("binary")
parser.add_argument("--sessions", type=int, default=200_000)
args = parser.parse_args()

FILTER = """.Records[] | select(.eventSource == "ssm.amazonaws.com" and .eventName == "StartSession" and .errorCode == null)
  | [.eventTime, .userIdentity.arn, .recipientAccountId, .awsRegion, .requestParameters.target, .responseElements.sessionId,
     .sourceIPAddress, .userAgent] | @csv"""


def record(at, is_session):
    who = f"user{at % 997}"
    name, source = ("StartSession", "ssm.amazonaws.com") if is_session else ("DescribeInstances", "ec2.amazonaws.com")
    day, second = 1 + at * 31 // (5 * args.sessions), at % 86400
    return {
        "eventVersion": "1.11", "eventSource": source, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
        "eventTime": f"2026-10-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
        "eventID": f"{at:08x}-0000-4000-8000-000000000000", "readOnly": not is_session, "eventType": "AwsApiCall", "managementEvent": True,
        "sourceIPAddress": f"203.0.113.{at % 200}", "userAgent": "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux",
        "userIdentity": {
            "type": "AssumedRole", "arn": f"arn:aws:sts::111122223333:assumed-role/Ops/{who}", "accountId": "111122223333",
            "principalId": f"AROAEXAMPLE:{who}", "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/Ops", "userName": "Ops", "accountId": "111122223333"},
                "attributes": {"creationDate": "2026-10-01T00:00:00Z", "mfaAuthenticated": "true"},
            },
        },
        "requestParameters": {"target": f"i-0{at % 499:016x}"} if is_session else {"maxResults": 100},
        "responseElements": {"sessionId": f"{who}-0{at:016x}", "tokenValue": "Value hidden due to security reasons."} if is_session else None,
    }


def timed(name, command):
    began = time.monotonic()
    rows = int(subprocess.run(["bash", "-o", "pipefail", "-c", f"{command} | wc -l"], check=True, capture_output=True, text=True).stdout)
    seconds = time.monotonic() - began
    print(f"{name}: {seconds:.2f} s, {rows} lines", flush=True)
    return seconds


with tempfile.TemporaryDirectory() as place:
    logs = pathlib.Path(place) / "logs"
    logs.mkdir()
    for first in range(0, 5 * args.sessions, 2500):
        records = [record(at, at % 5 == 0) for at in range(first, min(first + 2500, 5 * args.sessions))]
        with gzip.open(logs / f"{first:09}.json.gz", "wt", compresslevel=6) as file:
            json.dump({"Records": records}, file)
    classic = timed("gunzip and jq", f"zcat {logs}/*.json.gz | jq -r '{FILTER}'")
    spread = timed("the same, two at a time", f"ls {logs}/*.json.gz | xargs -P2 -n20 sh -c 'zcat \"$@\" | jq -r '\"'\"'{FILTER}'\"'\"' ' x")
    ingest = timed("ssm-audit ingest", f"{args.binary} ingest {logs} --store {place}/store --quiet")
    ours = timed("ssm-audit sessions --format csv", f"{args.binary} sessions --store {place}/store --now 2026-11-15 --format csv")
    print(f"{classic / (ingest + ours):.1f} times; two at a time {spread / (ingest + ours):.1f} times; once ingested {classic / ours:.0f} times")

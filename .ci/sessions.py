#!/usr/bin/env python3
"""Holds the sessions view to the truth: sessions.py BINARY SET [--form s3|cloudwatch]

Lays the set out as an account's buckets have it, ingests, sweeps, and compares each session's principal, node, start, kind
and coverage. Prints the confusion table of coverage. Exit status 1 if a session is wrong.
"""
import argparse
import collections
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
DOCUMENTS = {
    None: "shell", "SSM-SessionManagerRunShell": "shell",
    "AWS-StartInteractiveCommand": "interactive-command", "AWS-StartNonInteractiveCommand": "noninteractive-command",
    "AWS-StartSSHSession": "ssh", "AWS-StartPortForwardingSession": "port-forward",
    "AWS-StartPortForwardingSessionToRemoteHost": "port-forward-remote",
}
# What is not in the recording: input typed without echo; and the stream takes bytes of letters for control codes.
PARTIAL = {"s3": {"stty-noecho"}, "cloudwatch": {"stty-noecho", "utf8"}}


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def truth(folder, form):
    said = json.loads((folder / "truth.json").read_text())
    records = json.loads((folder / "cloudtrail.json").read_text())["Records"]
    opened = [r for r in records if (r.get("responseElements") or {}).get("sessionId") == said["session_id"]
              or ((r.get("responseElements") or {}).get("session") or {}).get("sessionId") == said["session_id"]]
    document = (opened[0].get("requestParameters") or {}).get("documentName") if opened else None
    kind = "ecs-exec" if any(r["eventName"] == "ExecuteCommand" for r in records) else DOCUMENTS.get(document)
    # What died is never uploaded; what was streamed until then is there.
    missing = said["ended"] == "died" and form == "s3"
    coverage = "missing" if missing else "recorded-partial" if said["scenario"] in PARTIAL[form] else "recorded"
    return {
        "principal_arn": said["principal_arn"], "start": said["start"], "kind": kind, "coverage": coverage,
        "target": said["target"], "scenario": said["dir"],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("set", type=pathlib.Path)
    parser.add_argument("--form", default="s3", choices=["s3", "cloudwatch"])
    args = parser.parse_args()
    binary = args.binary.resolve()
    with tempfile.TemporaryDirectory() as place:
        staged, store = pathlib.Path(place) / "in", str(pathlib.Path(place) / "store")
        subprocess.run([sys.executable, HERE / "stage.py", args.set, staged, "--form", args.form], check=True)
        subprocess.run([binary, "ingest", staged, "--store", store, "--quiet"], check=True)
        subprocess.run([binary, "sweep", "--store", store, "--now", "2027-01-01", "--quiet"], check=True)
        view = subprocess.run([binary, "sessions", "--store", store, "--now", "2027-01-01", "--format", "json"],
                              check=True, capture_output=True, text=True).stdout
    found = {row["session_id"]: row for row in map(json.loads, view.splitlines())}
    wrong, table = [], collections.Counter()
    folders = [f for f in sorted(args.set.iterdir()) if (f / "truth.json").exists()]
    for folder in folders:
        expected = truth(folder, args.form)
        row = found.pop(json.loads((folder / "truth.json").read_text())["session_id"], None)
        if row is None:
            wrong.append(f"{folder.name}: no row")
            continue
        table[expected["coverage"], row["coverage"]] += 1
        for field in ("principal_arn", "kind", "target"):
            if row[field] != expected[field]:
                wrong.append(f"{folder.name}: {field} {row[field]!r}, and should be {expected[field]!r}")
        if abs((when(row["start"]) - when(expected["start"])).total_seconds()) > 5:
            wrong.append(f"{folder.name}: start {row['start']}, and should be {expected['start']}")
        if row["coverage"] != expected["coverage"]:
            wrong.append(f"{folder.name}: coverage {row['coverage']} ({row['coverage_reason']}), and should be {expected['coverage']}")
    wrong += [f"{session}: nobody opened it" for session in found]
    states = ["recorded", "recorded-partial", "unrecordable", "missing", "pending", "unaudited"]
    print(f"{'true, then found':18}" + "".join(f"{state:>18}" for state in states))
    for state in states:
        print(f"{state:18}" + "".join(f"{table[state, other]:>18}" for other in states))
    print("\n".join(wrong))
    print(f"{len(folders)} sessions, {len(wrong)} differences")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

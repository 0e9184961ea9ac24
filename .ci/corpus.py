#!/usr/bin/env python3
"""Checks on real data: corpus.py BINARY SHARED

Every check prints a line; the last line counts them. Exit status 1 if one fails.
"""

import collections
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BINARY, SHARED = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
CORPUS = SHARED / "corpus"
passed, failed = 0, 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok  ' if ok else 'FAIL'} {name}{': ' + str(detail) if detail else ''}")


def scan(*args, stdin=None):
    run = subprocess.run(
        [BINARY, "scan", "--format", "json", *map(str, args)],
        input=stdin, capture_output=True, text=True, timeout=600,
    )
    return run.returncode, [json.loads(line) for line in run.stdout.splitlines()], run.stderr


def unread(stderr):
    """Files that are named as not read."""
    return [line.split(": ", 1)[1] for line in stderr.splitlines() if line.startswith("not read")]


# Stratus Red Team: what the pack must find, by technique, rule and count.
code, found, stderr = scan(CORPUS / "stratus-red-team")
counts = collections.Counter((f["artifact"].rsplit("/", 1)[1].removesuffix(".json"), f["event_name"]) for f in found)
for technique, event, count in [
    ("aws.execution.ssm-start-session", "StartSession", 3),
    ("aws.execution.ssm-send-command", "SendCommand", 1),
    ("aws.credential-access.ec2-steal-instance-credentials", "SendCommand", 1),
    ("aws.defense-evasion.cloudtrail-stop", "StopLogging", 1),
    ("aws.defense-evasion.cloudtrail-delete", "DeleteTrail", 1),
    ("aws.defense-evasion.cloudtrail-event-selectors", "PutEventSelectors", 1),
    ("aws.lateral-movement.ec2-serial-console-send-ssh-public-key", "SendSerialConsoleSSHPublicKey", 3),
    ("aws.lateral-movement.ec2-instance-connect", "SendSSHPublicKey", 3),
]:
    check(f"stratus {technique}", counts[(technique, event)] >= count, f"{counts[(technique, event)]} × {event}")

# Every file is read, or named with its reason; nothing panics.
for folder in ["stratus-red-team", "traildiscover", "umccr-cloudtrail", "envelopes", "repro-ssm-agent"]:
    code, found, stderr = scan(CORPUS / folder)
    documents = [p for p in unread(stderr) if "neither a log" in p]
    real = [p for p in unread(stderr) if p not in documents and "truth.json" not in p]
    if folder != "envelopes":
        check(f"{folder}: every log is read", not real, real[:3] or f"{len(found)} findings")
    check(f"{folder}: no bug is met", "bug in ssm-audit" not in stderr and "panicked" not in stderr, f"exit {code}")

# SigmaHQ's rules compile.
for folder in ["cloud/aws", "linux/process_creation", "linux/builtin", "linux/auditd"]:
    rules = CORPUS / "sigma" / folder
    total = len(list(rules.rglob("*.yml")))
    code, _, stderr = scan("--rules", rules, "-", stdin='{"eventName":"x","eventSource":"y"}')
    check(f"sigma {folder}: {total} rules compile", code == 0 and f"{total} rules" in stderr, stderr.strip()[-200:] if code else "")

# The compiled set finds what the full scan finds, on real records: the pack and SigmaHQ's rules together.
with tempfile.TemporaryDirectory() as both:
    both = Path(both)
    shutil.copytree(Path(__file__).parent.parent / "rules.d", both / "pack")
    shutil.copytree(CORPUS / "sigma" / "cloud" / "aws", both / "pack" / "sigma")
    for folder in ["stratus-red-team", "traildiscover", "umccr-cloudtrail"]:
        run = subprocess.run(
            [BINARY.parent / "differential", both / "pack", CORPUS / folder], capture_output=True, text=True, timeout=600
        )
        last = (run.stdout.splitlines() or [run.stderr])[-1]
        check(f"full scan: {folder}", run.returncode == 0 and last.endswith(" 0 different"), last)

# Ordinary admin work: nothing critical, and high only where somebody stops the audit daemon.
code, found, stderr = scan(SHARED / "transcripts" / "A", "--level", "high")
noise = [f for f in found if not (f["command"] or "").startswith("systemctl stop auditd")]
check("transcripts A: no false alarm at high or above", not noise, [(f["rule_title"], f["command"]) for f in noise[:3]])

# Sessions with ground truth: what is reached must not be lost. Each floor is just under today's figure.
with tempfile.TemporaryDirectory() as scratch:
    scores = Path(scratch) / "scores.json"
    scorer = Path(__file__).parent / "score.py"
    truth = SHARED / "transcripts"
    subprocess.run(
        [sys.executable, scorer, BINARY, truth / "A", truth / "score.py", "--quiet", "--json", scores],
        check=True, capture_output=True,
    )
    scores = json.loads(scores.read_text())
for form, f1, precision in [("raw", 0.985, 0.99), ("s3", 0.985, 0.99), ("s3-noscreen", 0.98, 0.99), ("cloudwatch", 0.96, 0.97)]:
    got = scores["by_source"][form]
    ok = got["f1"] >= f1 and got["precision"] >= precision and got["secret_leaks"] == 0
    check(f"commands {form}: F1 ≥ {f1}, precision ≥ {precision}, no secret", ok, f"{got['f1']}, {got['precision']}, {got['secret_leaks']}")
certain = scores["calibration"]["certain"]
check("commands: what is certain is right in 99.5 %", certain >= 0.995, f"{certain:.4f}")

for form in ["raw", "s3", "s3-noscreen", "cloudwatch"]:
    got = scores["by_source"][form]
    check(f"commands {form}: nothing made of output that looks like commands", got["lookalike_false"] == 0, f"{got['lookalike_false']}")
for folder in ["raw", "s3"]:
    got = scores["by_source"][folder]
    check(f"commands {folder}: found in all", got["recall"] >= 0.985, f"{got['recall']}")

# The shells' own history. What differs: letters that the stream lost (1 recording), and a shell in the shell, which
# writes a history of its own (4).
run = subprocess.run(
    [sys.executable, Path(__file__).parent / "history.py", BINARY, CORPUS / "repro-ssm-agent"], check=True, capture_output=True, text=True
)
last = run.stdout.splitlines()[-1]
check("agent's recordings against bash's history", int(last.split()[0]) >= 79, last)

# Sessions, as the store's view has them, against the truth: who, where, when, what kind, and whether it was recorded.
for form in ["s3", "cloudwatch"]:
    script = Path(__file__).parent / "sessions.py"
    run = subprocess.run([sys.executable, script, BINARY, SHARED / "transcripts" / "A", "--form", form], capture_output=True, text=True)
    check(f"sessions {form}: the view agrees with the truth", run.returncode == 0, run.stdout.splitlines()[-1])


def ids(folder):
    """Ids of what a scan finds, and of what a store has after a sweep."""
    with tempfile.TemporaryDirectory() as store:
        subprocess.run([BINARY, "ingest", folder, "--store", store, "--quiet"], capture_output=True)
        swept = subprocess.run([BINARY, "sweep", "--store", store, "--now", "2027-01-01"], check=True, capture_output=True, text=True)
        again = subprocess.run([BINARY, "sweep", "--store", store, "--now", "2027-01-01"], check=True, capture_output=True, text=True)
        ingested = [json.loads(p.read_text()) for p in Path(store).glob("ledger/*/*.json")]
    return json.loads(swept.stdout), json.loads(again.stdout), ingested


for folder in ["stratus-red-team", "repro-ssm-agent", "umccr-cloudtrail"]:
    swept, again, ledger = ids(CORPUS / folder)
    files = sum(1 for p in (CORPUS / folder).rglob("*") if p.is_file())
    check(f"{folder}: every file is in the ledger, and a second sweep finds nothing new", len(ledger) == files and again["new"] == 0,
          f"{files} files, {swept['new']} then {again['new']}")

print(f"\n{passed} passed, {failed} failed")
sys.exit(failed > 0)

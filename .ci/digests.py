#!/usr/bin/env python3
"""What `ssm-audit verify --cloudtrail` says beside `aws cloudtrail validate-logs`: digests.py BINARY

Over chains that are good, and damaged in every way that we know of. Where the AWS CLI is lax, or refuses a key that is documented, the
table says so; everywhere else both have to count the same digests and log files as valid.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / "target/digests-venv"
# Where not as many are valid by the AWS CLI as by us, and why; then the chains that are sound.
DIFFERENT = {
    "sha1": "the CLI takes the hash from the signature, and accepts SHA-1",
    "spki-key": "the CLI cannot load a key in the other documented encoding",
    "wrong-previous-hash": "the CLI does not look at previousDigestHashValue",
    "unlinked": "the CLI passes over a digest that nothing names",
}
SOUND = {"good", "organization", "backfill", "spki-key"}


def environment():
    wanted, done = ROOT / "tests/requirements-digests.txt", PLACE / "done"
    if not done.exists() or done.read_text() != wanted.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
        subprocess.run([PLACE / "bin/python", "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
        done.write_text(wanted.read_text())
    if pathlib.Path(sys.prefix) != PLACE:
        os.execv(PLACE / "bin/python", [PLACE / "bin/python", "-B", *sys.argv])


def main():
    binary, script = os.path.abspath(sys.argv[1]), ROOT / "tests/python/digests.py"
    passed = failed = 0
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-B", script, place], check=True, capture_output=True)
        said = subprocess.run([sys.executable, "-B", script, "--cli", place], check=True, capture_output=True, text=True).stdout
        theirs = collections.defaultdict(collections.Counter)
        for line in map(json.loads, said.splitlines()):
            kind = "digests" if "Digest" in line["what"] else "log_files" if "Log" in line["what"] else "gaps"
            theirs[line["scenario"]][kind, line["verdict"] == "valid"] += 1
        for scenario in sorted(path.name for path in pathlib.Path(place).iterdir()):
            folder = pathlib.Path(place) / scenario
            command = [binary, "verify", "--cloudtrail", folder / "bucket", "--keys", folder / "keys.json", "--format", "json"]
            done = subprocess.run(command, capture_output=True, text=True)
            chains = json.loads(done.stdout)["trail"]["chains"]
            ours = {kind: sum(chain[kind]["valid"] for chain in chains) for kind in ("digests", "log_files")}
            cli = {kind: theirs[scenario][kind, True] for kind in ours}
            as_expected = (ours == cli) == (scenario not in DIFFERENT) and (done.returncode == 0) == (scenario in SOUND)
            passed, failed = passed + as_expected, failed + (not as_expected)
            kinds = sorted({problem["kind"] for chain in chains for problem in chain["problems"]})
            why = DIFFERENT.get(scenario, "")
            print(f"{'ok' if as_expected else 'FAILED':6} {scenario}: valid by the CLI {cli}, by us {ours}, exit {done.returncode} {kinds} {why}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    environment()
    sys.exit(main())

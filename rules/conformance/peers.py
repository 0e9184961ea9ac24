#!/usr/bin/env python3
"""Runs the corpus through other implementations and lists where they differ.

    peers.py rsigma [path to the program]   evaluates every case by `rsigma engine eval`
    peers.py pysigma                        asks pySigma which rules it refuses

A difference is no verdict: README.md says of each kind who is right by the specification.
Correlations are compared by the set of correlations and groups that fire at all, since a fire
for each event and a fire for each burst are both good readings.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

sys.dont_write_bytecode = True
import check  # noqa: E402

ONE = "00000000-0000-4000-8000-000000000001"


def text_of(entry):
    """An entry as the text of a rule file."""
    if "rules" in entry:
        return entry["rules"]
    rule = {"title": "case", "id": ONE, "logsource": {"product": "test"},
            "detection": entry["detection"]}
    return yaml.safe_dump(rule, allow_unicode=True, sort_keys=False)


class Rsigma:
    def __init__(self, program="rsigma"):
        self.program = program
        self.kept = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.kept.name)

    def run(self, entry, events, *more):
        rules = self.folder / "rules.yml"
        rules.write_text(text_of(entry), encoding="utf-8")
        command = [self.program, "engine", "eval", "-r", rules, "--input-format", "json",
                   "--output-format", "ndjson", *more]
        if "lists" in entry:
            pipeline = self.folder / "pipeline.yml"
            pipeline.write_text(yaml.safe_dump({
                "name": "lists", "priority": 1, "vars": entry["lists"],
                "transformations": [{"type": "value_placeholders"}]}), encoding="utf-8")
            command += ["-p", pipeline]
        text = "".join(json.dumps(e) + "\n" for e in events)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
        found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        refused = done.returncode != 0 or "error" in done.stderr.lower()
        return found, refused, done.stderr.strip().replace("\n", " | ")

    def differences(self, entry):
        if "invalid" in entry:
            _, refused, said = self.run(entry, [{"f": "x"}])
            if not refused:
                yield "takes a rule to be refused"
            return
        if "fires" in entry:
            found, refused, said = self.run(entry, entry["events"], "--timestamp-field", "time")
            if refused:
                yield f"refuses: {said}"
                return
            got = {(f["rule_id"], tuple(sorted((k, str(v)) for k, v in f["group_key"])))
                   for f in found if "correlation_type" in f}
            want = {(f["rule"], tuple(sorted((k, str(v)) for k, v in f.get("group", {}).items())))
                    for f in entry["fires"]}
            if got != want:
                yield f"fires {sorted(got)}, the corpus has {sorted(want)}"
            return
        for case in entry["events"]:
            found, refused, said = self.run(entry, [case["event"]])
            if refused:
                yield f"refuses: {said}"
                return
            ids = [f["rule_id"] for f in found]
            want = case["match"] if isinstance(case["match"], list) else [ONE] * case["match"]
            if sorted(set(ids)) != sorted(want):
                shown = json.dumps(case["event"], ensure_ascii=False)
                yield f"{shown}: {'match' if ids else 'no match'} {ids if 'rules' in entry else ''}"


class PySigma:
    def differences(self, entry):
        from sigma.collection import SigmaCollection
        from sigma.exceptions import SigmaError
        from sigma.rule import SigmaRule
        try:
            rules = SigmaCollection.from_yaml(text_of(entry))
            rules.resolve_rule_references()
            for rule in rules.rules:
                if isinstance(rule, SigmaRule):
                    for condition in rule.detection.parsed_condition:
                        condition.parsed
            refusal = None
        except SigmaError as e:
            refusal = f"{type(e).__name__}: {e}"
        except Exception as e:  # a crash is a refusal, but not a good one
            refusal = f"crash, {type(e).__name__}: {e}"
        if "invalid" in entry and refusal is None:
            yield "takes a rule to be refused"
        elif "invalid" in entry and refusal.startswith("crash"):
            yield refusal
        elif "invalid" not in entry and refusal is not None:
            yield f"refuses: {refusal}"


def main(arguments):
    peer = {"rsigma": Rsigma, "pysigma": PySigma}[arguments[0]](*arguments[1:2])
    total = 0
    for path in check.files():
        for entry in check.load(path):
            for difference in peer.differences(entry):
                total += 1
                print(f"{path.name}: {entry['name']}: {difference}")
    print(f"{total} differences")


if __name__ == "__main__":
    main(sys.argv[1:])

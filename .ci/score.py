#!/usr/bin/env python3
"""Reconstructs every transcript of a set with ground truth, scores it, and tells how often each class of
confidence is right: score.py BINARY SET_DIR SCORER [scorer's flags…]

With `--json FILE` the file also has `calibration`: the share of right commands by class.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

FORMS = {"raw": "raw.log", "s3": "s3.log", "s3-noscreen": "s3-noscreen.log", "cloudwatch": "cloudwatch.jsonl"}

binary, folder, scorer = (Path(arg).resolve() for arg in sys.argv[1:4])
flags = sys.argv[4:]
spec = importlib.util.spec_from_file_location("scorer", scorer)
score = importlib.util.module_from_spec(spec)
spec.loader.exec_module(score)

right, said = Counter(), Counter()
with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as out:
    for session in sorted(folder.iterdir()):
        truth = session / "truth.json"
        if not truth.exists():
            continue
        truth = json.loads(truth.read_text())
        for source in truth["sources"]:
            path = next((p for end in ("", ".gz") if (p := session / (FORMS[source] + end)).exists()), None)
            if path is None:
                continue
            run = subprocess.run([binary, "commands", "--reveal", "--format", "json", path], capture_output=True, text=True)
            if run.stderr:
                print(f"{path}: {run.stderr.strip()[:300]}", file=sys.stderr)
            commands = [json.loads(line) for line in run.stdout.splitlines()]
            out.write(json.dumps({"session_id": truth["session_id"], "source": source, "commands": commands}) + "\n")
            executed = [command for command in commands if command["status"] == "executed"]
            matched, _ = score.align([score.norm(c["text"]) for c in executed], score.split(truth, source))
            for index, command in enumerate(executed):
                for form in (source, "all"):
                    said[form, command["confidence"]] += 1
                    right[form, command["confidence"]] += index in matched
    out.flush()
    code = subprocess.run([sys.executable, scorer, folder, out.name, *flags]).returncode

if "--show" not in flags:
    print(f"\n{'form':<14}{'class':<10}{'right':>7}{'of':>7}{'share':>9}")
    for form, confidence in sorted(said):
        key = (form, confidence)
        print(f"{form:<14}{confidence:<10}{right[key]:>7}{said[key]:>7}{right[key] / said[key]:>9.2%}")
if "--json" in flags:
    path = Path(flags[flags.index("--json") + 1])
    scores = json.loads(path.read_text())
    scores["calibration"] = {c: right["all", c] / n for (form, c), n in said.items() if form == "all"}
    path.write_text(json.dumps(scores))
sys.exit(code)

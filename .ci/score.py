#!/usr/bin/env python3
"""Reconstructs every transcript of a set with ground truth and scores it: score.py BINARY SET_DIR SCORER [scorer's flags…]"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FORMS = {"raw": "raw.log", "s3": "s3.log", "s3-noscreen": "s3-noscreen.log", "cloudwatch": "cloudwatch.jsonl"}

binary, folder, scorer = (Path(arg).resolve() for arg in sys.argv[1:4])
with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as out:
    for session in sorted(folder.iterdir()):
        truth = session / "truth.json"
        if not truth.exists():
            continue
        truth = json.loads(truth.read_text())
        for source in truth["sources"]:
            name = FORMS[source]
            path = next((p for p in (session / name, session / f"{name}.gz") if p.exists()), None)
            if path is None:
                continue
            run = subprocess.run([binary, "commands", "--format", "json", path], capture_output=True, text=True)
            if run.stderr:
                print(f"{path}: {run.stderr.strip()[:300]}", file=sys.stderr)
            commands = [json.loads(line) for line in run.stdout.splitlines()]
            out.write(json.dumps({"session_id": truth["session_id"], "source": source, "commands": commands}) + "\n")
sys.exit(subprocess.run([sys.executable, scorer, folder, out.name, *sys.argv[4:]]).returncode)

#!/usr/bin/env python3
"""Compares the commands of recorded sessions with the history that bash itself wrote: history.py BINARY FOLDER

A folder has one folder for each session, with `truth.json` (`bash_history`: a list, or null where the shell writes
none) and its recordings in any form. Prints one line for each form of each session, and the differences.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

binary, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])


def norm(text: str) -> str:
    """Blanks collapsed; bash joins the lines of a loop with `;`."""
    return re.sub(r"[\s;]+", " ", text.replace("\\\n", "")).strip()


def flat(commands: list[str]) -> list[str]:
    # Some commands of several lines are one entry, others one for each line.
    return norm(" ".join(commands)).split(" ")


right = total = 0
for session in sorted(path for path in folder.iterdir() if (path / "truth.json").exists()):
    truth = json.loads((session / "truth.json").read_text())
    history = truth.get("bash_history")
    row = []
    for recording in sorted(path for path in session.rglob("*") if path.is_file() and path.name != "truth.json"):
        run = subprocess.run([binary, "commands", "--reveal", "--format", "json", recording], capture_output=True, text=True)
        found = [json.loads(line) for line in run.stdout.splitlines()]
        form = found[0]["form"] if found else "no commands"
        # A shell within the shell writes a history of its own.
        outer = [command for command in found if command["status"] == "executed" and command["level"] in (None, 1)]
        ran = flat([command["text"] for command in outer])
        if history is None:
            row.append(f"{form}: {len(ran)} commands, no history to compare with")
            continue
        same = ran == flat(history)
        right, total = right + same, total + 1
        row.append(f"{form}: {'same' if same else 'DIFFERS'}")
        if not same:
            row += [f"\n      found   {ran}", f"\n      history {flat(history)}\n     "]
    print(f"{session.name:<26}{'  '.join(row)}")
print(f"{right} of {total} recordings agree with the shell's own history")

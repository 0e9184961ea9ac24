#!/usr/bin/env python3
"""Make `month/`, the example data of ssm-audit: October 2026 at a company that does not exist.

    python3 examples/generate.py               rewrite examples/month and examples/month.expected.json
    python3 examples/generate.py --out DIR     write DIR/month and DIR/month.expected.json instead

Only the standard library is used, and the programs `bash` (5.1 or newer) and `dash`, because the
transcripts are recordings of real shells on a real terminal. Everything invented comes from a fixed
seed, and nothing reads the clock: two runs on one machine write the same bytes.

    maker/cast.py        who and what exists: accounts, people, nodes
    maker/story.py       what happened, day by day                     <- read this first
    maker/keystrokes.py  what the people typed, and what the programs answered
    maker/terminal.py    a typist at a pseudo-terminal
    maker/stubs.py       stand-ins for programs that this machine lacks or must not run
    maker/transcript.py  terminal bytes -> the forms in which the SSM agent stores them
    maker/cloudtrail.py  one CloudTrail record
    maker/background.py  the ordinary traffic that the story hides in
    maker/delivery.py    records -> files in CloudTrail's key layout, and a digest
    maker/check.py       proves the result before anyone relies on it
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from maker import check, delivery, story  # noqa: E402  (after the switch above, on purpose)


def main() -> int:
    here = Path(__file__).resolve().parent
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=here, help="folder that receives month/ (default: examples/)")
    out = arguments.parse_args().out

    month = out / "month"
    if month.exists():
        shutil.rmtree(month)

    told = story.tell()
    for path, content in sorted({**told.recordings(), **delivery.files(told.events)}.items()):
        target = month / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    expected = story.expected(told, delivery.summary(told.events))
    text = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    (out / "month.expected.json").write_text(text, encoding="utf-8")

    faults = check.month(month, told, expected, readme=here / "README.md")
    for fault in faults:
        print(f"generate.py: {fault}", file=sys.stderr)
    if faults:
        return 1
    files = [path for path in month.rglob("*") if path.is_file()]
    print(f"{month}: {len(files)} files, {sum(path.stat().st_size for path in files):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

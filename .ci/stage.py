#!/usr/bin/env python3
"""Lays a set of recorded sessions out as the buckets of an account have them.

stage.py SET OUT [--form s3|cloudwatch]

OUT/sessions/<session id>.log or OUT/streams/<n>.jsonl, and OUT/cloudtrail/<n>.json.
"""
import argparse
import gzip
import json
import pathlib


def read(folder, name):
    for path in (folder / name, folder / (name + ".gz")):
        if path.exists():
            data = path.read_bytes()
            return gzip.decompress(data) if path.suffix == ".gz" else data
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--form", default="s3", choices=["s3", "cloudwatch"])
    args = parser.parse_args()
    for name in ("sessions", "cloudtrail"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    for folder in sorted(path for path in args.set.iterdir() if (path / "truth.json").exists()):
        truth = json.loads((folder / "truth.json").read_text())
        (args.out / "cloudtrail" / f"{folder.name}.json").write_bytes(read(folder, "cloudtrail.json"))
        if args.form == "s3":
            name, data = f"{truth['session_id']}.log", read(folder, "s3.log")
        else:
            name = f"{folder.name}.jsonl"
            data = read(folder, "cloudwatch.jsonl") or read(folder, "cloudwatch-upload.jsonl")
        if data is not None:
            (args.out / "sessions" / name).write_bytes(data)


if __name__ == "__main__":
    main()

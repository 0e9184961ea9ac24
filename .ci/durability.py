#!/usr/bin/env python3
"""Holds the store to its promise: durability.py BINARY SET [--orders N] [--kills N]

The same input in N random orders, 30 % of it twice, by four processes at a time with an alert file: the same store byte for
byte, and one alert for each group. Then `ingest` killed until N have died in the middle of it: nothing partial, and what the
next run leaves is the same store. Exit status 1 if not.
"""
import argparse
import collections
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
NOW = "2027-01-01"


def objects(store):
    found = {}
    for path in sorted(pathlib.Path(store).rglob("*")):
        name = path.relative_to(store).as_posix()
        if path.is_file() and not name.startswith(("alerts/", ".writing")):
            found[name] = path.read_bytes()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("set", type=pathlib.Path)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--kills", type=int, default=200)
    args = parser.parse_args()
    binary, failures = args.binary.resolve(), 0
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        staged = place / "in"
        subprocess.run([sys.executable, HERE / "stage.py", args.set, staged, "--form", "s3"], check=True)
        files = [path for path in sorted(staged.rglob("*")) if path.is_file()]

        def routes(store):
            path = place / "routes.yml"
            path.write_text(f"sinks:\n  all: {{type: file, path: {store}.alerts}}\nroutes:\n  - {{sinks: [all]}}\n")
            return ["--routes", path]

        def ingest(source, store):
            return [binary, "ingest", source, "--store", store, "--quiet"]

        def sweep(store):
            return [binary, "sweep", "--store", store, "--now", NOW, "--quiet"]

        once = place / "once"
        subprocess.run(ingest(staged, once), check=True)
        facts = objects(once)
        subprocess.run(sweep(once) + routes(once), check=True)
        whole, told = objects(once), pathlib.Path(f"{once}.alerts").read_text().splitlines()
        groups = {json.loads(line)["alert_id"] for line in told}
        print(f"once: {len(files)} artifacts, {len(whole)} objects, {len(groups)} groups of findings told")

        began = time.monotonic()
        for seed in range(args.orders):
            chance, store = random.Random(seed), place / f"order-{seed}"
            parts = [place / f"parts-{seed}" / str(at) for at in range(8)]
            for file in files:
                for part in chance.sample(parts, 2 if chance.random() < 0.3 else 1):
                    copy = part / file.relative_to(staged)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)
            chance.shuffle(parts)
            for four in (parts[:4], parts[4:]):
                running = [subprocess.Popen(ingest(part, store)) for part in four if part.exists()]
                if any(process.wait() for process in running):
                    failures += 1
            running = [subprocess.Popen(sweep(store) + routes(store)) for _ in range(2)]
            if any(process.wait() for process in running):
                failures += 1
            # What one of two sweeps found while the other had begun to tell is told by the next.
            subprocess.run(sweep(store) + routes(store), check=True)
            now = objects(store)
            different = [name for name in set(now) | set(whole) if now.get(name) != whole.get(name)]
            # Two sweeps that see each other's findings may part them among more files; the rows are what counts.
            different = [name for name in different if "/sweep-" not in name]
            heard = [json.loads(line)["alert_id"] for line in pathlib.Path(f"{store}.alerts").read_text().splitlines()]
            twice = [alert for alert, count in collections.Counter(heard).items() if count > 1]
            if different or twice or set(heard) != groups:
                failures += 1
                print(f"order {seed}: {len(different)} objects differ, {len(twice)} told twice, {len(set(heard) ^ groups)} other groups")
            shutil.rmtree(store)
            shutil.rmtree(place / f"parts-{seed}")
        print(f"orders: {args.orders} in {time.monotonic() - began:.0f} s, {failures} failed")

        chance, died, rounds, partial = random.Random(1), 0, 0, 0
        while died < args.kills:
            store, rounds = place / f"kill-{rounds}", rounds + 1
            for _ in range(20):
                process = subprocess.Popen(ingest(staged, store))
                time.sleep(chance.random() * 0.12)
                process.send_signal(signal.SIGKILL)
                died += process.wait() == -signal.SIGKILL
                # Every file that has its name is whole: one that is not differs from what it should be.
                partial += sum(facts.get(name) != data for name, data in objects(store).items() if "#" not in name)
            subprocess.run(ingest(staged, store), check=True)
            now = objects(store)
            if now != facts:
                failures += 1
                print(f"round {rounds}: {len(set(now) ^ set(facts))} objects more or less")
            shutil.rmtree(store)
        failures += partial
        print(f"kills: {died} died in the middle, {rounds} rounds, {partial} partial files, {failures} failures in all")
    sys.exit(1 if failures else 0)


main()

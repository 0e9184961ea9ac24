#!/usr/bin/env python3
"""Checks the files of the corpus, counts their cases, and holds them against a reference.

    check.py              format and counts
    check.py --oracle     also evaluates every case by oracle.py
    check.py file.yml …   only these files

Needs Python 3.11 and PyYAML.
"""

import pathlib
import sys

import yaml

sys.dont_write_bytecode = True
import oracle  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
KEYS = {"name", "clause", "why", "detection", "rules", "lists", "events", "invalid", "fires"}
DOCUMENTS = ("rules: ", "modifiers: ", "correlation: ", "filters: ")
FIRE_KEYS = {"rule", "group", "from", "to", "count"}


def load(path):
    return yaml.load(path.read_text(encoding="utf-8"), oracle.Loader)


def files(names=()):
    return [pathlib.Path(n) for n in names] or sorted(HERE.glob("*.yml"))


def faults(entries):
    """What is wrong with the format of a file."""
    names = set()
    for entry in entries:
        name = entry.get("name")
        if not isinstance(name, str) or name in names:
            yield f"{name}: no name, or the name of another entry"
        names.add(name)
        if set(entry) - KEYS:
            yield f"{name}: unknown keys {sorted(set(entry) - KEYS)}"
        if not str(entry.get("clause", "")).startswith(DOCUMENTS):
            yield f"{name}: clause names no document"
        if "why" in entry and not str(entry["why"]).endswith("."):
            yield f"{name}: why is no sentence"
        if ("detection" in entry) == ("rules" in entry):
            yield f"{name}: either detection or rules"
        if ("events" in entry) == ("invalid" in entry):
            yield f"{name}: either events or invalid"
        if "invalid" in entry:
            if entry["invalid"] is not True:
                yield f"{name}: invalid is true"
        elif not isinstance(entry["events"], list) or not entry["events"]:
            yield f"{name}: no events"
        elif "fires" in entry:
            if not all(isinstance(e, dict) and "time" in e for e in entry["events"]):
                yield f"{name}: an event without a time"
            if any(set(f) - FIRE_KEYS or "rule" not in f for f in entry["fires"]):
                yield f"{name}: a fire with other keys"
        else:
            kind = bool if "detection" in entry else list
            for case in entry["events"]:
                if set(case) != {"event", "match"} or not isinstance(case["event"], dict):
                    yield f"{name}: a case is event and match"
                elif type(case["match"]) is not kind:
                    yield f"{name}: match is a {kind.__name__}"


def count(entries):
    """(event cases, rules to refuse, correlations over events)"""
    correlations = sum("fires" in e for e in entries)
    invalid = sum("invalid" in e for e in entries)
    cases = sum(len(e["events"]) for e in entries if "events" in e and "fires" not in e)
    return cases, invalid, correlations


def same_fire(found, wanted):
    for key, value in wanted.items():
        if key in ("from", "to"):
            value = oracle.instant(value)
        if found[key] != value:
            return False
    return True


def disagreements(entry):
    """Where the reference gives another answer than the entry."""
    name, lists = entry["name"], entry.get("lists")
    try:
        if "detection" in entry:
            matches = oracle.detection_test(entry["detection"], lists)
        else:
            rules = oracle.Set(entry["rules"], lists)
            matches = rules.matches
    except oracle.Invalid as e:
        if "invalid" not in entry:
            yield f"{name}: refused ({e})"
        return
    if "invalid" in entry:
        yield f"{name}: not refused"
    elif "fires" in entry:
        found, wanted = rules.fires(entry["events"]), entry["fires"]
        if len(found) != len(wanted) or not all(map(same_fire, found, wanted)):
            shown = [{k: str(f[k]) for k in FIRE_KEYS} for f in found]
            yield f"{name}: fires {shown}"
    else:
        for case in entry["events"]:
            found = matches(case["event"])
            if found != case["match"]:
                yield f"{name}: {case['event']} gives {found}"


def main(arguments):
    with_oracle = "--oracle" in arguments
    totals, bad = [0, 0, 0], 0
    print(f"{'file':20} {'entries':>8} {'events':>8} {'invalid':>8} {'correl.':>8}")
    for path in files([a for a in arguments if not a.startswith("--")]):
        entries = load(path)
        problems = list(faults(entries))
        if with_oracle and not problems:
            problems = [d for entry in entries for d in disagreements(entry)]
        numbers = count(entries)
        totals = [a + b for a, b in zip(totals, numbers)]
        print(f"{path.name:20} {len(entries):8} " + " ".join(f"{n:8}" for n in numbers))
        for problem in problems:
            print(f"    {problem}")
        bad += len(problems)
    print(f"{'':20} {'':8} " + " ".join(f"{n:8}" for n in totals) + f"   = {sum(totals)} cases")
    if bad:
        print(f"{bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Do the JSON Schemas in docs/schema accept the pack, and refuse what is wrong?  schema.py ROOT

Needs jsonschema and PyYAML.
"""

import json
import sys
from pathlib import Path

import jsonschema
import yaml

root = Path(sys.argv[1])


class Loader(yaml.SafeLoader):
    """YAML 1.2 as far as rules need it: dates are text, and only true and false are booleans."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(true|false)$"), list("tf"))

schemas = {
    name: jsonschema.Draft202012Validator(json.loads((root / f"docs/schema/{name}.schema.json").read_text()))
    for name in ("rule", "cases")
}
passed, failed = 0, 0
for path in sorted((root / "rules.d").rglob("*.yml")):
    if path.parent.name == "lists" or path.name == "calendars.yml":
        continue
    schema = schemas["cases" if path.name.endswith(".test.yml") else "rule"]
    for document in yaml.load_all(path.read_text(), Loader):
        errors = list(schema.iter_errors(document))
        passed, failed = passed + (not errors), failed + bool(errors)
        for error in errors[:2]:
            print(f"{path}: {list(error.absolute_path)}: {error.message[:200]}")
for wrong in [
    {"title": "x", "logsource": {"product": "aws"}, "detection": {"a": {"b|contians": "c"}, "condition": "a"}},
    {"title": "x", "correlation": {"type": "event_cuont", "timespan": "5m"}},
    {"title": "x", "logsource": {}, "detection": {"condition": "a"}, "level": "severe"},
    {"title": "x"},
]:
    refused = not schemas["rule"].is_valid(wrong)
    passed, failed = passed + refused, failed + (not refused)
print(f"schemas: {passed} passed, {failed} failed")
sys.exit(failed > 0)

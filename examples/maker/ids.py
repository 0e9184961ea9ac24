"""Identifiers that look like AWS's and depend on nothing but their label.

Each label has a random stream of its own, so that adding an event to the story changes no other
identifier: the diff of a regenerated month shows only what was meant to change.
"""

import random
import string

SEED = "ssm-audit example month 2026-10"
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"


def stream(label: str) -> random.Random:
    """A random stream for this label (seeding with a string is stable across Python 3 versions)."""
    return random.Random(f"{SEED}/{label}")


def pick(label: str, alphabet: str, length: int) -> str:
    source = stream(label)
    return "".join(source.choice(alphabet) for _ in range(length))


def uuid(label: str) -> str:
    digits = list(pick(label, HEX, 32))
    digits[12] = "4"
    digits[16] = "89ab"[int(digits[16], 16) % 4]
    text = "".join(digits)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def unique_id(prefix: str, label: str) -> str:
    """AROA…, AIDA…: the ids that IAM gives to roles and users."""
    return prefix + pick(f"{prefix}/{label}", UPPER, 17)


def access_key(prefix: str, label: str) -> str:
    """ASIA… or AKIA…, ending in EXAMPLE as in AWS's own documentation: secret scanners know it."""
    return prefix + pick(f"{prefix}/{label}", UPPER, 9) + "EXAMPLE"


def instance_id(label: str) -> str:
    return "i-0" + pick(f"instance/{label}", HEX, 16)


def session_id(name: str, label: str, *, hexadecimal: bool) -> str:
    """Both patterns are met in real accounts: `-0` and 16 hex digits (older), 26 of a-z0-9 (newer)."""
    if hexadecimal:
        return f"{name}-0" + pick(f"session/{label}", HEX, 16)
    return f"{name}-" + pick(f"session/{label}", LOWER, 26)

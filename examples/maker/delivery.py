"""Records -> files, as CloudTrail delivers an organisation trail to S3.

A file holds what one account did in one region in some five minutes, is named after the minute of
its delivery, and is not sorted. Deliveries repeat: some records come twice, in different files,
byte for byte the same.
"""

import gzip
import hashlib
import io
import json
from datetime import datetime, timedelta, timezone

from . import background, cast, ids
from .cloudtrail import Event

DELAY = timedelta(minutes=5)
RECORDS_A_FILE = (44, 62)

# From StopLogging to StartLogging on 27 October the trail recorded nothing, in no account.
OUTAGE = (datetime(2026, 10, 27, 10, 15, 23, tzinfo=timezone.utc), datetime(2026, 10, 27, 10, 19, 46, tzinfo=timezone.utc))

# The scenes whose files were delivered twice in part: (label, how many ordinary records with it).
REPEATED = (("after-hours/start", 3), ("port-forward/start", 2), ("break-glass/start", 4), ("iam-user/start", 2))

Slot = tuple[str, str, datetime]  # account, region, time of delivery


def files(story: list[Event]) -> dict[str, bytes]:
    slots = _slots(story)
    contents = {_key(slot): _body(records) for slot, records in slots.items()}
    compressed = {key: _gzip(body) for key, body in contents.items()}
    key, digest = _digest(contents)
    return {**{f"cloudtrail/{key}": data for key, data in compressed.items()}, f"cloudtrail/{key}": _gzip(digest)}


def summary(story: list[Event]) -> dict:
    """What a reader must count."""
    slots = _slots(story)
    seen = [record["eventID"] for records in slots.values() for record in records]
    return {"log_files": len(slots), "digest_files": 1, "records": len(seen), "distinct_records": len(set(seen))}


def _slots(story: list[Event]) -> dict[Slot, list[dict]]:
    told: dict[Slot, list[Event]] = {}
    for event in story:
        told.setdefault(_slot_of(event), []).append(event)
    for slot in _quiet_slots():
        told.setdefault(slot, [])
    filled = {}
    for slot, events in told.items():
        events = events + _traffic(slot)
        filled[slot] = [event.record for event in _shuffled(slot, events)]
    for label, companions in REPEATED:
        first = next(event for event in story if event.label == label)
        account, region, delivered = slot = _slot_of(first)
        others = [record for record in filled[slot] if record["eventID"] != first.id][:companions]
        later = (account, region, delivered + timedelta(minutes=5))
        again = [first.record, *others]
        filled[later] = filled.get(later) or [event.record for event in _shuffled(later, _traffic(later))]
        for number, record in enumerate(again):
            filled[later].insert(7 * number + 3, record)
    return dict(sorted(filled.items()))


def _slot_of(event: Event) -> Slot:
    delivered = event.when + DELAY
    delivered += timedelta(minutes=-delivered.minute % 5, seconds=-delivered.second)
    return event.account, event.region, delivered


def _quiet_slots() -> list[Slot]:
    """One delivery a day in which nothing happened."""
    places = ((cast.PRODUCTION, cast.IRELAND), (cast.STAGING, cast.IRELAND), (cast.MANAGEMENT, cast.IRELAND), (cast.PRODUCTION, cast.VIRGINIA))
    slots = []
    for day in range(1, 32):
        source = ids.stream(f"quiet/{day}")
        account, region = places[day % len(places)]
        slots.append((account, region, datetime(2026, 10, day, source.randint(6, 20), 5 * source.randrange(12), tzinfo=timezone.utc)))
    return slots


def _traffic(slot: Slot) -> list[Event]:
    account, region, delivered = slot
    source = ids.stream(f"traffic/{account}/{region}/{delivered}")
    events = []
    for number in range(source.randint(*RECORDS_A_FILE)):
        when = delivered - timedelta(seconds=source.randint(240, 590))
        if not OUTAGE[0] <= when <= OUTAGE[1]:
            label = f"{account}/{region}/{delivered:%d-%H%M}/{number}"
            events.append(background.ordinary(label, account, region, when))
    return events


def _shuffled(slot: Slot, events: list[Event]) -> list[Event]:
    events = sorted(events, key=lambda event: (event.when, event.id))
    ids.stream(f"order/{slot}").shuffle(events)
    return events


def _key(slot: Slot) -> str:
    account, region, delivered = slot
    name = f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{_suffix(slot)}.json.gz"
    return f"AWSLogs/{cast.ORGANISATION}/{account}/CloudTrail/{region}/{delivered:%Y/%m/%d}/{name}"


def _suffix(slot: Slot) -> str:
    return ids.pick(f"file/{slot}", ids.LOWER + ids.UPPER[:26], 16)


def _body(records: list[dict]) -> bytes:
    return json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=False).encode()


def _gzip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=9) as file:
        file.write(data)
    return buffer.getvalue()


def _digest(contents: dict[str, bytes]) -> tuple[str, bytes]:
    """The digest of the first hour after logging was started again: it begins a new chain, so all its
    `previous…` fields are null. Its signature would be S3 metadata, which a folder cannot hold."""
    start = OUTAGE[1] + timedelta(seconds=1)
    end = start + timedelta(hours=1)
    place = f"{cast.MANAGEMENT}/CloudTrail/{cast.IRELAND}/2026/10/27/"
    logs = []
    for key, body in contents.items():
        delivered = key.rsplit("_", 2)[1]
        if place in key and f"{start:%Y%m%dT%H%MZ}" <= delivered <= f"{end:%Y%m%dT%H%MZ}":
            times = sorted(record["eventTime"] for record in json.loads(body)["Records"])
            logs.append({
                "s3Bucket": cast.TRAIL_BUCKET, "s3Object": key, "hashValue": hashlib.sha256(body).hexdigest(),
                "hashAlgorithm": "SHA-256", "newestEventTime": times[-1], "oldestEventTime": times[0],
            })  # fmt: skip
    name = f"{cast.MANAGEMENT}_CloudTrail-Digest_{cast.IRELAND}_{cast.TRAIL}_{cast.IRELAND}_{end:%Y%m%dT%H%M%SZ}.json.gz"
    key = f"AWSLogs/{cast.ORGANISATION}/{cast.MANAGEMENT}/CloudTrail-Digest/{cast.IRELAND}/{end:%Y/%m/%d}/{name}"
    digest = {
        "awsAccountId": cast.MANAGEMENT,
        "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        "digestS3Bucket": cast.TRAIL_BUCKET,
        "digestS3Object": key,
        "digestPublicKeyFingerprint": ids.pick("digest/fingerprint", ids.HEX, 32),
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": max((log["newestEventTime"] for log in logs), default=None),
        "oldestEventTime": min((log["oldestEventTime"] for log in logs), default=None),
        "previousDigestS3Bucket": None,
        "previousDigestS3Object": None,
        "previousDigestHashValue": None,
        "previousDigestHashAlgorithm": None,
        "previousDigestSignature": None,
        "logFiles": logs,
    }
    return key, json.dumps(digest, separators=(",", ":")).encode()

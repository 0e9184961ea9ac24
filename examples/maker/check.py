"""Proves the generated month: what a reader is told about it must be true of the bytes."""

import gzip
import json
import re
import tempfile
from collections import Counter
from pathlib import Path

from . import cast, delivery, stubs, transcript
from .story import STREAM_GROUP, Told

KEY = re.compile(
    r"AWSLogs/o-[a-z0-9]{10,32}/(?P<account>\d{12})/CloudTrail/(?P<region>[a-z0-9-]+)/(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d)/"
    r"(?P=account)_CloudTrail_(?P=region)_(?P=y)(?P=m)(?P=d)T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz"
)
SIZE_LIMIT, FILE_LIMIT = 1_500_000, 150


def month(folder: Path, told: Told, expected: dict, *, readme: Path) -> list[str]:
    """All faults, as sentences."""
    faults = _transcripts(folder, told) + _trail(folder, told, expected) + _documented(expected, readme)
    paths = [path for path in folder.rglob("*") if path.is_file()]
    if len(paths) > FILE_LIMIT or sum(path.stat().st_size for path in paths) > SIZE_LIMIT:
        faults.append(f"too much for an example: {len(paths)} files")
    return faults


def _transcripts(folder: Path, told: Told) -> list[str]:
    faults = []
    for session in told.sessions:
        if not session.transcript:
            continue
        data = (folder / session.transcript).read_bytes()
        if session.form == "cloudwatch-stream":
            faults += _stream(data, session)
            continue
        data = gzip.decompress(data) if session.form == "s3-gzip" else data
        if transcript.terminal_bytes(data) != session.recording.raw:
            faults.append(f"{session.transcript}: the inverse of the S3 form is not what the terminal showed")
        for word in (stubs.UNSCRIPTED, "not found", tempfile.gettempdir() + "/ssm-audit-example-"):
            if word.encode() in data:
                faults.append(f"{session.transcript}: contains `{word}`")
    return faults


def _stream(data: bytes, session) -> list[str]:
    events = [json.loads(line) for line in data.decode().splitlines()]
    messages = [json.loads(event["message"]) for event in events]
    lines = [line for message in messages for line in message["sessionData"]]
    faults = []
    if [event["timestamp"] for event in events] != sorted(event["timestamp"] for event in events):
        faults.append(f"{session.transcript}: events out of order")
    if any((event["logGroup"], event["logStream"]) != (STREAM_GROUP, session.id) for event in events):
        faults.append(f"{session.transcript}: a foreign event")
    if lines != transcript.session_data(session.recording.raw.decode()):
        faults.append(f"{session.transcript}: lines lost between events")
    return faults


def _trail(folder: Path, told: Told, expected: dict) -> list[str]:
    faults, seen, story = [], {}, {event.id for event in told.events}
    copies, ordinary, reads = Counter(), 0, 0
    for path in sorted((folder / "cloudtrail").rglob("*/CloudTrail/**/*.json.gz")):
        key = path.relative_to(folder / "cloudtrail").as_posix()
        match = KEY.fullmatch(key)
        if not match:
            faults.append(f"{key}: not a CloudTrail key")
            continue
        body = gzip.decompress(path.read_bytes()).decode()
        records = json.loads(body)["Records"]
        if "\n" in body:
            faults.append(f"{key}: more than one line")
        if [record["eventTime"] for record in records] == sorted(record["eventTime"] for record in records):
            faults.append(f"{key}: in order of time, which CloudTrail never promises")
        for record in records:
            copies[record["eventID"]] += 1
            if seen.setdefault(record["eventID"], record) != record:
                faults.append(f"{record['eventID']}: two different records")
            if (record["recipientAccountId"], record["awsRegion"]) != (match["account"], match["region"]):
                faults.append(f"{record['eventID']}: filed in the wrong place")
            time = record["eventTime"]
            if delivery.OUTAGE[0].strftime("%FT%TZ") <= time <= delivery.OUTAGE[1].strftime("%FT%TZ"):
                faults.append(f"{record['eventID']}: recorded while the trail was off")
            ordinary += record["eventID"] not in story
            reads += record["readOnly"]
    if not story <= seen.keys():
        faults.append("an event of the story was not delivered")
    counts = expected["cloudtrail"]
    if (sum(copies.values()), len(copies)) != (counts["records"], counts["distinct_records"]) or max(copies.values()) != 2:
        faults.append(f"counts differ: {counts}")
    if ordinary < 0.9 * sum(copies.values()):
        faults.append("less than 90 % ordinary records")
    return faults + _digest(folder)


def _digest(folder: Path) -> list[str]:
    (path,) = (folder / "cloudtrail").rglob("CloudTrail-Digest/**/*.json.gz")
    digest = json.loads(gzip.decompress(path.read_bytes()))
    faults = [] if digest["logFiles"] else ["the digest lists no file"]
    if digest["digestS3Object"] != path.relative_to(folder / "cloudtrail").as_posix():
        faults.append("the digest is not where it says")
    for log in digest["logFiles"]:
        body = gzip.decompress((folder / "cloudtrail" / log["s3Object"]).read_bytes())
        if delivery.hashlib.sha256(body).hexdigest() != log["hashValue"] or log["s3Bucket"] != cast.TRAIL_BUCKET:
            faults.append(f"{log['s3Object']}: not the file of the digest")
    return faults


def _documented(expected: dict, readme: Path) -> list[str]:
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    return [f"README.md does not name session {session['id']}" for session in expected["sessions"] if session["id"] not in text]

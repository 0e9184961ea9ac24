"""CloudTrail digest chains, good and bad, each in a directory laid out like the bucket.

digests.py DIRECTORY [SCENARIO…]      writes DIRECTORY/SCENARIO/{keys.json, bucket/…}; all scenarios if none is named
digests.py --pack DIRECTORY INTO      the same as one file INTO/SCENARIO.json each, for unit tests
digests.py --oracle DIRECTORY         what the AWS CLI's own validator says of each digest there, a JSON object a line
digests.py --cli DIRECTORY            what its whole command says of digests and log files: all that `aws cloudtrail
                                      validate-logs` would print but for its heading, a JSON object a line

An object's user metadata is in KEY.metadata.json beside it. Needs cryptography, and awscli for --oracle and --cli.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import pathlib
import sys
from datetime import datetime, timedelta, timezone

BUCKET, ACCOUNT, REGION, TRAIL = "larkspur-trail", "111122223333", "eu-west-1", "larkspur_main"
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{TRAIL}"
PREFIX, ORGANIZATION = "trails", "o-exampleorg1"
FIRST = datetime(2026, 10, 27, 9, 19, 47, tzinfo=timezone.utc)


def text_time(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def packed(content):
    # Without a time in the header: the same content gives the same bytes.
    return gzip.compress(content, mtime=0)


def digest_key(base, end, suffix):
    return (
        f"{base}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}/"
        f"{ACCOUNT}_CloudTrail-Digest_{REGION}_{TRAIL}_{REGION}_{end:%Y%m%dT%H%M%SZ}{suffix}.json.gz"
    )


class Signer:
    """A key of CloudTrail's, as far as a test knows."""

    def __init__(self, encoding="PKCS1"):
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = PublicFormat.PKCS1 if encoding == "PKCS1" else PublicFormat.SubjectPublicKeyInfo
        self.der = self.private.public_key().public_bytes(Encoding.DER, form)
        self.fingerprint = hashlib.md5(self.der).hexdigest()

    def sign(self, text, hash_name="SHA256"):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return self.private.sign(text.encode(), padding.PKCS1v15(), getattr(hashes, hash_name)()).hex()

    def listed(self):
        return {
            "Value": base64.b64encode(self.der).decode(),
            "ValidityStartTime": "2026-01-01T00:00:00+00:00",
            "ValidityEndTime": "2027-01-01T00:00:00+00:00",
            "Fingerprint": self.fingerprint,
        }


class Bucket:
    """The chain as it grows: each digest knows the one before."""

    def __init__(self, root, signer):
        self.root, self.signer, self.previous = pathlib.Path(root), signer, None
        self.base, self.digests, self.logs = f"AWSLogs/{ACCOUNT}", [], []

    def put(self, key, content, metadata=None):
        path = self.root / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if metadata is not None:
            path.with_name(path.name + ".metadata.json").write_text(json.dumps(metadata))

    def path(self, key):
        return self.root / "bucket" / key

    def delete(self, key):
        for path in (self.path(key), self.path(key + ".metadata.json")):
            path.unlink(missing_ok=True)

    def log(self, time, number):
        record = {"eventVersion": "1.11", "eventSource": "ssm.amazonaws.com", "eventName": "StartSession", "eventID": f"e-{number}"}
        content = json.dumps({"Records": [record | {"eventTime": text_time(time), "awsRegion": REGION, "recipientAccountId": ACCOUNT}]})
        key = f"{self.base}/CloudTrail/{REGION}/{time:%Y/%m/%d}/{ACCOUNT}_CloudTrail_{REGION}_{time:%Y%m%dT%H%MZ}_{number:016d}.json.gz"
        self.put(key, packed(content.encode()))
        self.logs.append(key)
        return {
            "s3Bucket": BUCKET,
            "s3Object": key,
            "hashValue": hashlib.sha256(content.encode()).hexdigest(),
            "hashAlgorithm": "SHA-256",
            "newestEventTime": text_time(time),
            "oldestEventTime": text_time(time),
        }

    def digest(self, start, end, logs, suffix="", hash_name="SHA256", by=None, changes=None, metadata=None):
        key, previous = digest_key(self.base, end, suffix), self.previous or {}
        times = sorted(log["newestEventTime"] for log in logs) or [None]
        fields = {
            "awsAccountId": ACCOUNT,
            "digestStartTime": text_time(start),
            "digestEndTime": text_time(end),
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": self.signer.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": times[-1],
            "oldestEventTime": times[0],
            "previousDigestS3Bucket": previous.get("bucket"),
            "previousDigestS3Object": previous.get("key"),
            "previousDigestHashValue": previous.get("sum"),
            "previousDigestHashAlgorithm": "SHA-256" if previous else None,
            "previousDigestSignature": previous.get("signature"),
            "logFiles": logs,
        } | (changes or {})
        content = json.dumps(fields).encode()
        total = hashlib.sha256(content).hexdigest()
        text = "\n".join([fields["digestEndTime"], f"{BUCKET}/{key}", total, fields["previousDigestSignature"] or "null"])
        signature = (by or self.signer).sign(text, hash_name)
        self.put(key, packed(content), {"signature": signature, "signature-algorithm": "SHA256withRSA"} | (metadata or {}))
        self.previous = {"bucket": BUCKET, "key": key, "sum": total, "signature": signature}
        self.digests.append(key)

    def keys(self, *signers):
        listing = {"PublicKeyList": [signer.listed() for signer in signers]}
        (self.root / "keys.json").write_text(json.dumps(listing, indent=1) + "\n")


def hours(bucket, count=4, first=0, **of_the_second):
    """Digests of so many hours, one log file in each but the first of all; the second one of them may be special."""
    for hour in range(first, first + count):
        start = FIRST + timedelta(hours=hour)
        logs = [bucket.log(start + timedelta(minutes=20), hour)] if hour else []
        bucket.digest(start, start + timedelta(hours=1), logs, **(of_the_second if hour == first + 1 else {}))


def flip(path, change):
    """Changes the content below the compression and leaves everything else as it was."""
    content = gzip.decompress(path.read_bytes())
    assert change[0] in content
    path.write_bytes(packed(content.replace(*change, 1)))


def good(bucket):
    hours(bucket)


def flipped_bit(bucket):
    hours(bucket)
    flip(bucket.path(bucket.logs[1]), (b"StartSession", b"StartSessioo"))


def flipped_digest(bucket):
    hours(bucket)
    flip(bucket.path(bucket.digests[2]), (b"_0000000000000002", b"_0000000000000003"))


def deleted_log(bucket):
    hours(bucket)
    bucket.delete(bucket.logs[1])


def deleted_digest(bucket):
    hours(bucket)
    bucket.delete(bucket.digests[2])


def wrong_key(bucket):
    """Somebody's own key, under the fingerprint of CloudTrail's."""
    hours(bucket, by=Signer())


def unknown_key(bucket):
    """Somebody's own key, under its own fingerprint."""
    forger = Signer()
    hours(bucket, by=forger, changes={"digestPublicKeyFingerprint": forger.fingerprint})


def gap(bucket):
    """Logging was stopped for a day: the chain begins anew."""
    hours(bucket, 2)
    bucket.previous = None
    hours(bucket, 2, first=26)


def hole(bucket):
    """A chain without a break in which an hour is not covered."""
    hours(bucket, 2)
    hours(bucket, 2, first=3)


def sha1(bucket):
    hours(bucket, hash_name="SHA1")


def appended_member(bucket):
    hours(bucket)
    path = bucket.path(bucket.logs[1])
    path.write_bytes(path.read_bytes() + packed(b'{"Records":[]}'))


def wrong_previous_hash(bucket):
    """Signed all the same, which only CloudTrail could."""
    hours(bucket, changes={"previousDigestHashValue": "0" * 64})


def spki_key(bucket):
    hours(bucket)


def moved(bucket):
    """The third digest in the place of the last."""
    hours(bucket)
    for suffix in ("", ".metadata.json"):
        path = bucket.path(bucket.digests[2] + suffix)
        bucket.path(bucket.digests[3] + suffix).write_bytes(path.read_bytes())


def unlisted(bucket):
    hours(bucket)
    bucket.log(FIRST + timedelta(hours=1, minutes=40), 100)


def backfill(bucket):
    """A file that no digest listed in time: one of the chain of backfill digests does."""
    hours(bucket)
    start, bucket.previous = FIRST + timedelta(hours=1), None
    log = bucket.log(start + timedelta(minutes=40), 100)
    made = text_time(start + timedelta(hours=9))
    bucket.digest(start, start + timedelta(hours=1), [log], suffix="_backfill", metadata={"backfill-generation-timestamp": made})


def unlinked(bucket):
    """A digest that the next one passes over."""
    hours(bucket, 2)
    before = bucket.previous
    hours(bucket, 1, first=2)
    bucket.previous = before
    hours(bucket, 1, first=3)


def organization(bucket):
    """An organisation's trail below a prefix."""
    bucket.base = f"{PREFIX}/AWSLogs/{ORGANIZATION}/{ACCOUNT}"
    hours(bucket)


SCENARIOS = {
    function.__name__.replace("_", "-"): function
    for function in (
        good, flipped_bit, flipped_digest, deleted_log, deleted_digest, wrong_key, unknown_key, gap, hole, sha1,
        appended_member, wrong_previous_hash, spki_key, moved, unlisted, unlinked, backfill, organization,
    )
}  # fmt: skip


def write(root, names):
    signer = Signer()
    for name in names or SCENARIOS:
        bucket = Bucket(pathlib.Path(root) / name, Signer("SPKI") if name == "spki-key" else signer)
        bucket.root.mkdir(parents=True, exist_ok=True)
        SCENARIOS[name](bucket)
        bucket.keys(bucket.signer)


def pack(root, into):
    for scenario in sorted(pathlib.Path(root).iterdir()):
        objects = {}
        for path in sorted((scenario / "bucket").rglob("*.json.gz")):
            beside = path.with_name(path.name + ".metadata.json")
            objects[path.relative_to(scenario / "bucket").as_posix()] = {
                "bytes": base64.b64encode(path.read_bytes()).decode(),
                "metadata": json.loads(beside.read_text()) if beside.exists() else {},
            }
        keys = json.loads((scenario / "keys.json").read_text())
        packed = json.dumps({"keys": keys, "objects": objects}, indent=1)
        pathlib.Path(into, scenario.name + ".json").write_text(packed + "\n")


def verdict(validator, keys, path, key):
    """Of one digest, in the order in which the CLI asks."""
    try:
        content = gzip.decompress(path.read_bytes())
        fields = json.loads(content)
    except (OSError, EOFError, ValueError) as error:
        return f"INVALID: invalid format ({type(error).__name__})"
    if (fields["digestS3Bucket"], fields["digestS3Object"]) != (BUCKET, key):
        return "INVALID: has been moved from its original location"
    if fields["digestPublicKeyFingerprint"] not in keys:
        return "INVALID: public key not found"
    metadata = json.loads(path.with_name(path.name + ".metadata.json").read_text())
    fields["_signature"], fields["_signature_algorithm"] = metadata["signature"], metadata["signature-algorithm"]
    try:
        validator.validate(BUCKET, key, keys[fields["digestPublicKeyFingerprint"]], fields, content)
    except Exception as error:  # whatever it raises is its verdict
        return "INVALID: " + str(error).split("INVALID: ")[-1]
    return "valid"


def oracle(root):
    from awscli.customizations.cloudtrail.validation import Sha256RSADigestValidator

    for scenario in sorted(pathlib.Path(root).iterdir()):
        listing = json.loads((scenario / "keys.json").read_text())["PublicKeyList"]
        keys = {entry["Fingerprint"]: entry["Value"] for entry in listing}
        bucket = scenario / "bucket"
        for path in sorted(bucket.rglob("*CloudTrail-Digest*.json.gz")):
            key = path.relative_to(bucket).as_posix()
            said = verdict(Sha256RSADigestValidator(), keys, path, key)
            print(json.dumps({"scenario": scenario.name, "digest": key, "verdict": said}))


class Client:
    """As much of S3, CloudTrail and Organizations as the command asks."""

    def __init__(self, scenario):
        self.scenario = scenario

    def get_client(self, bucket):
        return self

    def get_paginator(self, operation):
        return self

    def paginate(self, Bucket, Marker, Prefix):
        root = self.scenario / "bucket"
        keys = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.json.gz"))
        self.found = [key for key in keys if key.startswith(Prefix) and key > Marker]
        return self

    def search(self, expression):
        return iter(self.found)

    def get_object(self, Bucket, Key):
        from botocore.exceptions import ClientError

        path = self.scenario / "bucket" / Key
        if not path.exists():
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "not there"}}, "GetObject")
        beside = path.with_name(path.name + ".metadata.json")
        metadata = json.loads(beside.read_text()) if beside.exists() else {}
        return {"Body": io.BytesIO(path.read_bytes()), "Metadata": metadata}

    def describe_trails(self, **_):
        of_organization = (self.scenario / "bucket" / PREFIX).exists()
        trail = {"TrailARN": ARN, "S3BucketName": BUCKET, "IsOrganizationTrail": of_organization}
        return {"trailList": [trail | ({"S3KeyPrefix": PREFIX} if of_organization else {})]}

    def describe_organization(self):
        return {"Organization": {"Id": ORGANIZATION}}

    def list_public_keys(self, StartTime, EndTime):
        # The CLI's clients leave blobs as base64.
        return json.loads((self.scenario / "keys.json").read_text())


def cli(root):
    from awscli.customizations.cloudtrail.validation import CloudTrailValidateLogs

    for scenario in sorted(pathlib.Path(root).iterdir()):
        command = CloudTrailValidateLogs(None)
        command.trail_arn, command.account_id = ARN, ACCOUNT
        command.is_verbose, command._source_region = True, REGION
        command.start_time, command.end_time = FIRST, FIRST + timedelta(days=2)
        command.s3_client_provider = command.cloudtrail_client = command.organization_client = Client(scenario)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            command._call()
        for line in said.getvalue().splitlines():
            if "\t" in line:
                kind, place, verdict = line.split("\t")
                print(json.dumps({"scenario": scenario.name, "what": kind, "object": place, "verdict": verdict}))
            elif line.startswith(("No log files", "(backfill) No log")):
                print(json.dumps({"scenario": scenario.name, "what": "Gap", "object": None, "verdict": line}))


if __name__ == "__main__":
    if sys.argv[1] == "--pack":
        pack(sys.argv[2], sys.argv[3])
    elif sys.argv[1] == "--oracle":
        oracle(sys.argv[2])
    elif sys.argv[1] == "--cli":
        cli(sys.argv[2])
    else:
        write(sys.argv[1], sys.argv[2:])

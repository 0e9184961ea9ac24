"""One CloudTrail record, in the field order that CloudTrail itself uses."""

from dataclasses import dataclass
from datetime import datetime

from . import ids
from .cast import Caller

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
TOKEN_HIDDEN = "Value hidden due to security reasons."


@dataclass(frozen=True)
class Event:
    """A record, and where CloudTrail files it."""

    account: str
    region: str
    when: datetime
    record: dict
    label: str = ""  # empty for ordinary traffic

    @property
    def id(self) -> str:
        return self.record["eventID"]


def event(
    label: str,
    caller: Caller | dict,
    when: datetime,
    call: str,
    *,
    region: str,
    account: str = "",
    request: dict | None = None,
    response: dict | None = None,
    error: tuple[str, str] | None = None,
    address: str = "",
    agent: str = "",
    version: str = "",
    read_only: bool = False,
    resources: list[dict] | None = None,
    shared: bool = False,
    story: bool = True,
    additional: dict | None = None,
) -> Event:
    """`call` is "service:EventName". `caller` is a person, or a ready-made userIdentity."""
    service, name = call.split(":")
    person = caller if isinstance(caller, Caller) else None
    account = account or person.account
    identity = person.identity(when) if person else caller
    by_service = "invokedBy" in identity
    record = {
        "eventVersion": version or (person.version if person else "1.11"),
        "userIdentity": identity,
        "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": address or (person.address if person else identity["invokedBy"]),
        "userAgent": agent or (person.user_agent(f"{service}.{_kebab(name)}") if person else identity["invokedBy"]),
    }
    if error:
        record["errorCode"], record["errorMessage"] = error
    record["requestParameters"] = request
    record["responseElements"] = response
    if additional:
        record["additionalEventData"] = additional
    record["requestID"] = ids.uuid(f"request/{label}")
    record["eventID"] = ids.uuid(f"event/{label}")
    record["readOnly"] = read_only
    if resources:
        record["resources"] = resources
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = True
    record["recipientAccountId"] = account
    if shared:
        record["sharedEventID"] = ids.uuid(f"shared/{label}")
    record["eventCategory"] = "Management"
    if not by_service:
        record["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com",
        }
    if person and person.console:
        record["sessionCredentialFromConsole"] = "true"  # a string: CloudTrail writes it so
    return Event(account, region, when, record, label if story else "")


def start_session(label, caller, when, *, region, target, session, document=None, parameters=None, reason=None) -> Event:
    request: dict = {"target": target}
    if document:
        request["documentName"] = document
    if reason:
        request["reason"] = reason
    if parameters:
        request["parameters"] = parameters
    return event(label, caller, when, "ssm:StartSession", region=region, request=request, response=channel(session, region))


def channel(session: str, region: str) -> dict:
    """The answer of StartSession and ResumeSession."""
    url = f"wss://ssmmessages.{region}.amazonaws.com/v1/data-channel/{session}?role=publish_subscribe&cell-number=AAEAA"
    return {"sessionId": session, "tokenValue": TOKEN_HIDDEN, "streamUrl": url}


def _kebab(name: str) -> str:
    return "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")

"""Terminal bytes -> the forms in which the SSM agent stores a session.

S3: after the session the agent runs `script <id>.log -c "cat ipcTempFile.log"`. So the object has
script's header and footer, both with the time of the session's END, and went through a second
terminal that turned each line feed into carriage return + line feed once more.

CloudWatch Logs, streaming: JSON events with whole lines, stripped of escape sequences, as they come.
"""

import json
import re
from datetime import datetime

# How `script` of each operating system's util-linux writes its first and last line.
SCRIPT_FORMS = {"al2": "2.30", "al2023": "2.37", "debian12": "2.38", "rhel10": "2.38"}

CSI = re.compile(r"\x1b\[\??[0-9;]*[A-Za-z@]")


def s3_object(raw: bytes, *, form: str, target: str, session: str, plugin: str, end: datetime, status: int) -> bytes:
    when = f"{end:%Y-%m-%d %H:%M:%S}"
    if form == "2.30":
        header, footer = f"{when}+0000", f"{when}+0000"
    else:
        header, footer = f"{when}+00:00", f'{when}+00:00 [COMMAND_EXIT_CODE="{status}"]'
        recording = f"/var/lib/amazon/ssm/{target}/session/orchestration/{session}/{plugin}/ipcTempFile.log"
        header += f' [COMMAND="cat {recording}" <not executed on terminal>]' if form == "2.38" else " [<not executed on terminal>]"
    body = raw.replace(b"\n", b"\r\n")
    return f"Script started on {header}\n".encode() + body + f"\nScript done on {footer}\n".encode()


def terminal_bytes(content: bytes) -> bytes:
    """The exact inverse of `s3_object`."""
    _, _, rest = content.partition(b"\n")
    body, _, _ = rest.rpartition(b"\nScript done on ")
    return body.replace(b"\r\n", b"\n")


def stream_events(raw: bytes, pieces: list[tuple[int, datetime]], *, group: str, session: str, region: str,
                  target: str, owner: str) -> bytes:  # fmt: skip
    """`pieces`: (offset in `raw`, when the output had come so far). One log event for each piece that
    completes a line; what has no line end yet waits for the next, or for the end of the session."""
    lines, sent = [], 0
    for number, (offset, when) in enumerate(pieces):
        at_end = number == len(pieces) - 1
        until = offset if at_end else raw.rfind(b"\n", 0, offset) + 1
        if until <= sent:
            continue
        message = {
            "eventVersion": "1.0",
            "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
            "awsRegion": region,
            "target": {"id": target},
            "userIdentity": {"arn": owner},
            "runAsUser": "ssm-user",
            "sessionId": session,
            "sessionData": session_data(raw[sent:until].decode()),
        }
        sent = until
        event = {
            "timestamp": int(when.timestamp() * 1000) + 417,
            "logGroup": group,
            "logStream": session,
            "message": go_json(message),
        }
        lines.append(json.dumps(event, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def session_data(text: str) -> list[str]:
    """The agent's `sessionData`. It is lossy: cursor movements and erasures are gone afterwards."""
    plain = CSI.sub("", text)
    if "\x1b" in plain or not plain.isascii():
        # The agent's stripper gives up on some lines and damages others: not imitated here.
        raise ValueError("the streamed session must be plain ASCII with CSI sequences only")
    items = plain.replace("\t", " ").replace("\r", "").split("\n")
    return items[:-1] if items[-1] == "" else items


def go_json(value: dict) -> str:
    """As Go's json.Marshal writes it: no spaces, and <, >, & escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")

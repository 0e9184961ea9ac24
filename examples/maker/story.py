"""What happened at Larkspur Freight in October 2026, day by day.

`Told` gathers three things as the story goes: sessions, the CloudTrail events of the plot, and the
incidents that a reader should find. Everything else in the trail is `background.py`.
"""

import gzip
import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from . import cast, cloudtrail, ids, keystrokes, terminal, transcript
from .cast import Caller, Node
from .cloudtrail import HIDDEN, Event, event

PREFERENCES = "SSM-SessionManagerRunShell"
PORT_FORWARDING = "AWS-StartPortForwardingSessionToRemoteHost"
SSH = "AWS-StartSSHSession"
STREAM_GROUP = "/larkspur/sessions"


def at(day: int, clock: str) -> datetime:
    hour, minute, second = (int(part) for part in clock.split(":"))
    return datetime(2026, 10, day, hour, minute, second, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Session:
    label: str
    id: str
    caller: Caller
    target: str
    region: str
    start: datetime
    end: datetime
    kind: str  # "shell", "ecs-exec", "port-forwarding", "ssh"
    coverage: str  # the word a report should use
    document: str | None = None  # as sent; None: the default preferences document
    reason: str | None = None
    script: terminal.Script | None = None
    recording: terminal.Recording | None = None
    script_form: str = ""
    form: str | None = None  # "s3", "s3-gzip", "cloudwatch-stream"; None: there is no transcript
    audited: bool = True  # CloudTrail has its start
    ended: str = "exit"  # or "terminated", "unknown"

    @property
    def transcript(self) -> str | None:
        return {
            "s3": f"sessions/{self.id}.log",
            "s3-gzip": f"sessions/{self.id}.log.gz",
            "cloudwatch-stream": f"cloudwatch/{STREAM_GROUP.strip('/').replace('/', '-')}-{self.region}.jsonl",
        }.get(self.form)

    def content(self) -> bytes:
        if self.form == "cloudwatch-stream":
            pieces = list(zip(self.recording.ends, self._line_times()))
            return transcript.stream_events(
                self.recording.raw, pieces, group=STREAM_GROUP, session=self.id, region=self.region, target=self.target,
                owner=self.caller.arn,
            )  # fmt: skip
        data = transcript.s3_object(
            self.recording.raw, form=self.script_form, target=self.target, session=self.id, end=self.end, status=0,
            plugin="InteractiveCommands" if self.kind == "ecs-exec" else "Standard_Stream",
        )  # fmt: skip
        if self.form == "s3-gzip":
            buffer = io.BytesIO()
            with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
                file.write(data)
            return buffer.getvalue()
        return data

    def _line_times(self) -> list[datetime]:
        """When each line was entered: spread over the session, at an uneven pace."""
        source = ids.stream(f"pace/{self.label}")
        steps = [source.uniform(0.5, 2.0) for _ in self.recording.ends]
        total, passed, times = sum(steps), 0.0, []
        for step in steps:
            passed += step
            times.append((self.start + (self.end - self.start) * (passed / total)).replace(microsecond=0))
        return times

    def truth(self) -> dict:
        truth = {
            "id": self.id, "label": self.label, "principal": self.caller.arn, "target": self.target,
            "account": self.caller.account, "region": self.region, "start": _iso(self.start), "end": _iso(self.end),
            "document": self.document, "kind": self.kind, "reason": self.reason, "audited": self.audited,
            "coverage": self.coverage, "ended": self.ended, "transcript": self.transcript, "transcript_form": self.form,
        }  # fmt: skip
        if self.kind in ("shell", "ecs-exec"):
            truth["commands"] = self._commands() if self.script else None
        return truth

    def _commands(self) -> list[dict]:
        user, commands = "root" if self.kind == "ecs-exec" else "ssm-user", []
        for line in self.script.lines:
            if line.command is not None:
                commands.append({"text": line.command, "user": user})
            user = line.user or user
        return commands


@dataclass
class Told:
    sessions: list[Session] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    incidents: list[dict] = field(default_factory=list)

    def add(self, happened: Event) -> Event:
        self.events.append(happened)
        return happened

    def find(self, label: str, when: datetime, *, event: Event | None = None, session: Session | None = None) -> None:
        self.incidents.append({
            "label": label, "time": _iso(when), "event_id": event.id if event else None, "session_id": session.id if session else None,
        })  # fmt: skip

    def session(self, label: str, caller: Caller, node: Node, start: datetime, minutes: float, *, script=None, kind="shell",
                coverage="recorded", form="s3", hexadecimal=False, parameters=None, audited=True, **more) -> tuple[Session, Event | None]:  # fmt: skip
        session = Session(
            label, ids.session_id(caller.name, label, hexadecimal=hexadecimal), caller, node.id, node.region, start,
            start + timedelta(minutes=minutes), kind, coverage, script=script, recording=terminal.record(script) if script else None,
            script_form=transcript.SCRIPT_FORMS[node.os], form=form if script else None, audited=audited, **more,
        )  # fmt: skip
        self.sessions.append(session)
        if not audited:
            return session, None
        if caller.console:  # the console asks before it connects
            questions = ((40, "DescribeInstanceInformation", {"maxResults": 50}), (3, "GetConnectionStatus", {"target": node.id}))
            for seconds, call, request in questions:
                self.add(event(f"{label}/{call}", caller, start - timedelta(seconds=seconds), f"ssm:{call}", region=node.region,
                               request=request, read_only=True))  # fmt: skip
        started = cloudtrail.start_session(
            f"{label}/start", caller, start, region=node.region, target=node.id, session=session.id, document=session.document,
            parameters=parameters, reason=session.reason,
        )  # fmt: skip
        return session, self.add(started)

    def terminate(self, session: Session, caller: Caller, when: datetime) -> Event:
        body = {"sessionId": session.id}
        label = f"{session.label}/terminate"
        return self.add(event(label, caller, when, "ssm:TerminateSession", region=session.region, request=body, response=body))

    def recordings(self) -> dict[str, bytes]:
        return {session.transcript: session.content() for session in self.sessions if session.transcript}


def tell() -> Told:
    told = Told()
    for chapter in (first_week, second_week, third_week, fourth_week, last_week):
        chapter(told)
    return told


def first_week(told: Told) -> None:
    told.session("web-checkup", cast.PRIYA, cast.WEB_1, at(1, "09:20:31"), 6.4, script=keystrokes.web_checkup(), hexadecimal=True)
    told.session("staging-containers", cast.TOMAS_STAGING, cast.STAGING_APP, at(2, "10:04:12"), 4.1, script=keystrokes.staging_containers(),
                 document=PREFERENCES)  # fmt: skip


def second_week(told: Told) -> None:
    tunnel, started = told.session(
        "port-forward", cast.TOMAS, cast.BASTION, at(5, "09:41:12"), 81, kind="port-forwarding", coverage="unrecordable",
        document=PORT_FORWARDING, ended="terminated",
        parameters={"host": ["orders-db.internal"], "portNumber": ["5432"], "localPortNumber": ["15432"]},
    )  # fmt: skip
    told.terminate(tunnel, cast.TOMAS, tunnel.end)
    told.find("port-forwarding-to-database", tunnel.start, event=started, session=tunnel)

    told.session("database-questions", cast.MEI, cast.BASTION, at(6, "13:12:05"), 14.2, script=keystrokes.database_questions())

    public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEexampleEXAMPLEexampleEXAMPLEexampleEX"
    key = {"instanceId": cast.WEB_2.id, "instanceOSUser": "ec2-user", "sSHPublicKey": public_key}
    told.add(event("ssh/key", cast.PRIYA, at(7, "14:29:55"), "ec2-instance-connect:SendSSHPublicKey", region=cast.IRELAND, request=key,
                   response={"requestId": ids.uuid("ssh/key/answer"), "success": True}))  # fmt: skip
    ssh, started = told.session(
        "ssh", cast.PRIYA, cast.WEB_2, at(7, "14:30:02"), 22, kind="ssh", coverage="unrecordable", document=SSH,
        parameters={"portNumber": ["22"]}, hexadecimal=True, ended="unknown",
    )  # fmt: skip
    told.find("ssh-session", ssh.start, event=started, session=ssh)

    _ecs_exec(told)

    denied = told.add(event(
        "denied/start", cast.RAFAEL, at(9, "15:10:44"), "ssm:StartSession", region=cast.IRELAND,
        error=("AccessDenied", f"User: {cast.RAFAEL.arn} is not authorized to perform: ssm:StartSession on resource: {cast.PAYMENTS.arn}"
               " because no identity-based policy allows the ssm:StartSession action"),
    ))  # fmt: skip
    told.find("denied-start-session", denied.when, event=denied)


def _ecs_exec(told: Told) -> None:
    start, script = at(8, "11:02:20"), keystrokes.container_look()
    session = Session(
        "ecs-exec", ids.session_id("ecs-execute-command", "ecs-exec", hexadecimal=False), cast.TOMAS, cast.ECS_TARGET, cast.IRELAND,
        start, start + timedelta(minutes=3.4), "ecs-exec", "recorded", script=script, recording=terminal.record(script),
        script_form="2.38", form="s3",
    )  # fmt: skip
    told.sessions.append(session)
    place = f"arn:aws:ecs:{cast.IRELAND}:{cast.PRODUCTION}"
    channel = cloudtrail.channel(session.id, cast.IRELAND)
    told.add(event(
        "ecs-exec/start", cast.TOMAS, start, "ecs:ExecuteCommand", region=cast.IRELAND,
        request={"cluster": cast.ECS_CLUSTER, "container": "checkout", "command": "/bin/sh", "interactive": True, "task": cast.ECS_TASK},
        response={
            "clusterArn": f"{place}:cluster/{cast.ECS_CLUSTER}",
            "containerArn": f"{place}:container/{cast.ECS_CLUSTER}/{cast.ECS_TASK}/{ids.uuid('ecs/container')}",
            "containerName": "checkout",
            "interactive": True,
            "session": channel,
            "taskArn": f"{place}:task/{cast.ECS_CLUSTER}/{cast.ECS_TASK}",
        },
    ))  # fmt: skip


def third_week(told: Told) -> None:
    # The wireless network dropped out: the plugin resumed by itself, from the same address.
    memory, _ = told.session("memory-question", cast.DANA, cast.APP_1, at(12, "10:20:48"), 31.3, script=keystrokes.memory_question(),
                             reason="OPS-881 memory on app-1", hexadecimal=True)  # fmt: skip
    told.add(event("memory-question/resume", cast.DANA, at(12, "10:31:16"), "ssm:ResumeSession", region=cast.IRELAND,
                   request={"sessionId": memory.id}, response=cloudtrail.channel(memory.id, cast.IRELAND)))  # fmt: skip

    night, started = told.session("after-hours", cast.RAFAEL, cast.WEB_2, at(13, "22:47:09"), 11.6, script=keystrokes.night_visit())
    told.find("after-hours-session", night.start, event=started, session=night)
    told.find("root-shell", night.start, session=night)
    told.find("shadow-file-read", night.start, session=night)

    sent = _send_command(told)
    told.find("send-command-to-25-nodes", sent.when, event=sent)

    told.session("edge-checkup", cast.PRIYA, cast.EDGE, at(15, "09:50:37"), 5.2, script=keystrokes.edge_checkup(), form="cloudwatch-stream")

    job, started = told.session("iam-user", cast.MIGRATION_USER, cast.STAGING_DB, at(16, "16:02:18"), 9.5, script=keystrokes.old_migration_job(),
                                hexadecimal=True)  # fmt: skip
    told.find("iam-user-with-long-term-key-without-mfa", job.start, event=started, session=job)

    _break_glass(told)


def _send_command(told: Told) -> Event:
    when, command = at(14, "10:31:27"), ids.uuid("send-command/id")
    nodes = list(cast.FLEET)
    sent = told.add(event(
        "send-command", cast.DANA, when, "ssm:SendCommand", region=cast.IRELAND,
        request={
            "documentName": "AWS-RunShellScript", "instanceIds": nodes, "interactive": False, "parameters": HIDDEN,
            "comment": "OPS-884 rotate log agent", "timeoutSeconds": 600,
        },
        response={"command": {
            "commandId": command, "documentName": "AWS-RunShellScript", "documentVersion": "$DEFAULT", "comment": "OPS-884 rotate log agent",
            "expiresAfter": "Oct 14, 2026, 12:41:27 PM", "parameters": HIDDEN, "instanceIds": nodes, "targets": [],
            "requestedDateTime": "Oct 14, 2026, 10:31:27 AM", "status": "Pending", "statusDetails": "Pending", "outputS3Region": cast.IRELAND,
            "outputS3BucketName": "", "outputS3KeyPrefix": "", "maxConcurrency": "50", "maxErrors": "0", "targetCount": len(nodes),
            "completedCount": 0, "errorCount": 0, "deliveryTimedOutCount": 0, "serviceRole": "",
            "notificationConfig": {"notificationArn": "", "notificationEvents": [], "notificationType": ""},
            "cloudWatchOutputConfig": {"cloudWatchLogGroupName": "", "cloudWatchOutputEnabled": False}, "interactive": False,
            "timeoutSeconds": 600, "alarmConfiguration": {"ignorePollAlarmFailure": False, "alarms": []}, "triggeredAlarms": [],
            "clientName": "", "clientSourceId": "", "hasCancelCommandSignature": False, "hasSendCommandSignature": False,
        }},
    ))  # fmt: skip
    for number in range(3):
        told.add(event(f"send-command/look-{number}", cast.DANA, when + timedelta(seconds=20 + 15 * number), "ssm:ListCommandInvocations",
                       region=cast.IRELAND, request={"commandId": command, "details": False}, read_only=True))  # fmt: skip
    return sent


def _break_glass(told: Told) -> None:
    role = f"arn:aws:iam::{cast.PRODUCTION}:role/BreakGlassAdmin"
    name = cast.BREAK_GLASS.name
    assumed = told.add(event(
        "break-glass/assume", cast.DANA_AT_HOME, cast.BREAK_GLASS.assumed, "sts:AssumeRole", region=cast.IRELAND, read_only=True,
        request={"roleArn": role, "roleSessionName": name, "durationSeconds": 3600, "serialNumber": f"arn:aws:iam::{cast.PRODUCTION}:mfa/dana.okafor"},
        response={
            "credentials": {
                "accessKeyId": cast.BREAK_GLASS.identity(cast.BREAK_GLASS.assumed)["accessKeyId"],
                "sessionToken": "EXAMPLEsessionTokenEXAMPLE", "expiration": "Oct 18, 2026, 3:11:40 AM",
            },
            "assumedRoleUser": {"assumedRoleId": f"{ids.unique_id('AROA', role)}:{name}", "arn": cast.BREAK_GLASS.arn},
        },
        resources=[{"accountId": cast.PRODUCTION, "type": "AWS::IAM::Role", "ARN": role}],
    ))  # fmt: skip
    session, started = told.session(
        "break-glass", cast.BREAK_GLASS, cast.APP_2, at(18, "02:14:06"), 18.7, script=keystrokes.incident_repair(),
        reason="INC-2041 checkout is down, on-call cannot reach app-2",
    )  # fmt: skip
    told.find("break-glass-role-assumed", assumed.when, event=assumed)
    told.find("break-glass-session", session.start, event=started, session=session)


def fourth_week(told: Told) -> None:
    # The node was reclaimed while the session was open: its agent never uploaded anything.
    lost, started = told.session("missing", cast.TOMAS, cast.SPOT_WORKER, at(19, "11:40:52"), 17.3, coverage="missing", ended="unknown")
    told.add(event(
        "missing/reclaimed", {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, at(19, "11:58:10"), "ec2:TerminateInstances",
        account=cast.PRODUCTION, region=cast.IRELAND, request={"instancesSet": {"items": [{"instanceId": cast.SPOT_WORKER.id}]}},
        response={"requestId": ids.uuid("missing/reclaimed/answer"), "instancesSet": {"items": [{
            "instanceId": cast.SPOT_WORKER.id, "currentState": {"code": 32, "name": "shutting-down"}, "previousState": {"code": 16, "name": "running"},
        }]}},
    ))  # fmt: skip
    told.find("missing-transcript", lost.start, event=started, session=lost)

    told.session("slow-requests", cast.MEI, cast.APP_2, at(20, "14:05:30"), 7.9, script=keystrokes.slow_requests(), form="s3-gzip")

    _preferences(told)
    _hidden_tracks(told)


def _preferences(told: Told) -> None:
    """Logging is switched off (CloudTrail hides the content), a session is held, the next day it is repaired."""
    changed = _update_preferences(told, "preferences", cast.RAFAEL_STAGING, at(21, "16:20:14"), version="7")
    told.find("session-preferences-changed", changed.when, event=changed)
    unlogged, started = told.session("unlogged", cast.RAFAEL_STAGING, cast.STAGING_APP, at(21, "16:27:33"), 24, coverage="missing", ended="unknown")
    told.find("missing-transcript-after-preferences-change", unlogged.start, event=started, session=unlogged)
    restored = _update_preferences(told, "preferences-restored", cast.INGRID, at(22, "09:12:51"), version="8")
    told.find("session-preferences-changed", restored.when, event=restored)


def _update_preferences(told: Told, label: str, caller: Caller, when: datetime, *, version: str) -> Event:
    place = {"accountId": caller.account, "ARN": f"arn:aws:ssm:{cast.IRELAND}:{caller.account}:document/{PREFERENCES}"}
    updated = told.add(event(
        label, caller, when, "ssm:UpdateDocument", region=cast.IRELAND,
        request={"content": HIDDEN, "name": PREFERENCES, "documentVersion": "$LATEST", "documentFormat": "JSON"},
        response={"documentDescription": {
            "hash": ids.pick(f"{label}/hash", ids.HEX, 64), "hashType": "Sha256", "name": PREFERENCES, "owner": caller.account,
            "createdDate": f"Oct {when.day}, 2026, {when:%I:%M:%S %p}".replace(", 0", ", "), "status": "Updating", "documentVersion": version,
            "description": "Session preferences", "platformTypes": ["Windows", "Linux", "MacOS"], "documentType": "Session", "schemaVersion": "1.0",
            "latestVersion": version, "defaultVersion": str(int(version) - 1), "documentFormat": "JSON", "tags": [],
        }},
        resources=[place],
    ))  # fmt: skip
    told.add(event(
        f"{label}/default", caller, when + timedelta(seconds=6), "ssm:UpdateDocumentDefaultVersion", region=cast.IRELAND,
        request={"name": PREFERENCES, "documentVersion": version}, response={"description": {"name": PREFERENCES, "defaultVersion": version}},
        resources=[place],
    ))  # fmt: skip
    return updated


def _hidden_tracks(told: Told) -> None:
    tracks, _ = told.session("hidden-tracks", cast.RAFAEL_STAGING, cast.STAGING_WEB, at(23, "15:40:17"), 17.9, script=keystrokes.hidden_tracks(),
                             ended="terminated")  # fmt: skip
    told.find("history-evasion", tracks.start, session=tracks)
    told.find("download-piped-to-shell", tracks.start, session=tracks)
    told.add(event("hidden-tracks/look", cast.INGRID, at(23, "15:57:20"), "ssm:DescribeSessions", region=cast.IRELAND,
                   request={"state": "Active", "maxResults": 50}, read_only=True))  # fmt: skip
    told.terminate(tracks, cast.INGRID, tracks.end)

    denied = told.add(event(
        "stop-logging/denied", cast.RAFAEL_STAGING, at(23, "16:03:58"), "cloudtrail:StopLogging", region=cast.IRELAND,
        error=("AccessDenied", f"User: {cast.RAFAEL_STAGING.arn} is not authorized to perform: cloudtrail:StopLogging on resource:"
               f" {cast.TRAIL_ARN} with an explicit deny in a service control policy"),
    ))  # fmt: skip
    told.find("stop-logging-denied", denied.when, event=denied)
    for number, account in enumerate((cast.PRODUCTION, cast.STAGING)):
        contract = {
            "instanceArn": "arn:aws:sso:::instance/ssoins-6804example", "targetId": account, "targetType": "AWS_ACCOUNT",
            "permissionSetArn": "arn:aws:sso:::permissionSet/ssoins-6804example/ps-contractorexampl", "principalType": "USER",
            "principalId": ids.uuid(f"identity-store/{cast.RAFAEL.name}"),
        }  # fmt: skip
        status = {"status": "IN_PROGRESS", "requestId": ids.uuid(f"contract-ended/{number}/answer")}
        told.add(event(
            f"contract-ended/{number}", cast.INGRID_MANAGEMENT, at(23, f"16:08:{20 + 9 * number}"), "sso:DeleteAccountAssignment",
            region=cast.IRELAND, request=contract, response={"accountAssignmentDeletionStatus": status},
        ))  # fmt: skip


def last_week(told: Told) -> None:
    # Dana moved the trail to a new bucket policy and switched it off for four minutes. Tomas opened a
    # session in just those minutes: an innocent one, but no record proves who it was.
    stopped = told.add(event("stop-logging", cast.DANA_MANAGEMENT, at(27, "10:15:22"), "cloudtrail:StopLogging", region=cast.IRELAND,
                             request={"name": cast.TRAIL_ARN}))  # fmt: skip
    told.find("stop-logging", stopped.when, event=stopped)
    unlucky, _ = told.session("unaudited", cast.TOMAS, cast.WEB_1, at(27, "10:17:03"), 16.4, script=keystrokes.unlucky_minute(),
                              coverage="unaudited", audited=False)  # fmt: skip
    started = told.add(event("start-logging", cast.DANA_MANAGEMENT, at(27, "10:19:47"), "cloudtrail:StartLogging", region=cast.IRELAND,
                             request={"name": cast.TRAIL_ARN}))  # fmt: skip
    told.find("start-logging", started.when, event=started)
    told.find("unaudited-transcript", unlucky.end, session=unlucky)

    told.session("release", cast.PRIYA, cast.WEB_2, at(29, "13:33:21"), 12.8, script=keystrokes.watching_a_release(), hexadecimal=True)
    told.session("month-end", cast.MEI, cast.BASTION, at(30, "09:30:44"), 8.3, script=keystrokes.month_end_figures())


def expected(told: Told, counts: dict) -> dict:
    """The truth that tests and readers compare a report with."""
    return {
        "period": {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
        "accounts": {cast.MANAGEMENT: "management", cast.PRODUCTION: "production", cast.STAGING: "staging"},
        "nodes": {node.id: node.name for node in cast.NODES},
        "cloudtrail": counts,
        "sessions": [session.truth() for session in sorted(told.sessions, key=lambda session: session.start)],
        "incidents": sorted(told.incidents, key=lambda incident: (incident["time"], incident["label"])),
    }


def _iso(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"

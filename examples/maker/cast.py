"""Who and what exists: the organisation, its accounts, its people, its nodes. All fictional."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from . import ids

ORGANISATION = "o-exampleorg1"
MANAGEMENT = "111122223333"
PRODUCTION = "444455556666"
STAGING = "777788889999"

IRELAND = "eu-west-1"
VIRGINIA = "us-east-1"

TRAIL = "larkspur-org"
TRAIL_ARN = f"arn:aws:cloudtrail:{IRELAND}:{MANAGEMENT}:trail/{TRAIL}"
TRAIL_BUCKET = "larkspur-org-trail"
SESSION_BUCKET = "larkspur-session-logs"
IDENTITY_STORE = f"arn:aws:identitystore::{MANAGEMENT}:identitystore/d-93670example"

CLI = (
    "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/{os} md/arch#arm64 lang/python#3.13.7 md/pyimpl#CPython"
    " m/N,b,E,Z cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#{command}"
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


@dataclass(frozen=True)
class Caller:
    """Whoever signed a request, as CloudTrail describes them."""

    name: str  # role session name or IAM user name: the prefix of the session id
    account: str
    address: str
    role: str = ""  # empty for an IAM user
    role_path: str = "/"
    mfa: str = "false"
    os: str = "linux#6.12"
    console: bool = False  # works in the browser rather than with the CLI
    version: str = "1.11"
    assumed: datetime | None = None  # when the role was assumed, if the story tells

    @property
    def arn(self) -> str:
        if not self.role:
            return f"arn:aws:iam::{self.account}:user/{self.name}"
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role}/{self.name}"

    @property
    def from_identity_center(self) -> bool:
        return self.role.startswith("AWSReservedSSO_")

    def user_agent(self, command: str) -> str:
        return BROWSER if self.console else CLI.format(os=self.os, command=command)

    def identity(self, when: datetime) -> dict:
        if not self.role:
            # A long-term key: no sessionContext, and so no mfaAuthenticated at all.
            return {
                "type": "IAMUser",
                "principalId": ids.unique_id("AIDA", self.arn),
                "arn": self.arn,
                "accountId": self.account,
                "accessKeyId": ids.access_key("AKIA", self.arn),
                "userName": self.name,
            }
        signed_in = self._signed_in(when)
        issuer = f"arn:aws:iam::{self.account}:role{self.role_path}{self.role}"
        identity = {
            "type": "AssumedRole",
            "principalId": f"{ids.unique_id('AROA', issuer)}:{self.name}",
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": ids.access_key("ASIA", f"{self.arn}/{signed_in}"),
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": ids.unique_id("AROA", issuer),
                    "arn": issuer,
                    "accountId": self.account,
                    "userName": self.role,
                },
                "attributes": {"creationDate": f"{signed_in:%Y-%m-%dT%H:%M:%SZ}", "mfaAuthenticated": self.mfa},
            },
        }
        if self.from_identity_center and self.version == "1.11":
            user = ids.uuid(f"identity-store/{self.name}")
            identity["onBehalfOf"] = {"userId": user, "identityStoreArn": IDENTITY_STORE}
            identity["credentialId"] = ids.pick(f"credential/{self.arn}/{signed_in}", ids.HEX, 32)
        return identity

    def _signed_in(self, when: datetime) -> datetime:
        """Credentials are fetched once in the morning; out of hours, shortly before they are used."""
        if self.assumed:
            return self.assumed
        minutes = ids.stream(f"sign-in/{self.arn}/{when:%Y-%m-%d}")
        morning = when.replace(hour=7, minute=minutes.randint(5, 50), second=minutes.randint(0, 59))
        if morning < when < morning + timedelta(hours=11):
            return morning
        return when.replace(minute=0, second=0) - timedelta(minutes=minutes.randint(3, 25))


def employee(name: str, permission_set: str, account: str, address: str, **more) -> Caller:
    """A person who came in through IAM Identity Center with a permission set."""
    digest = ids.pick(f"permission-set/{account}/{permission_set}", ids.HEX, 16)
    return Caller(
        name=f"{name}@example.com",
        account=account,
        address=address,
        role=f"AWSReservedSSO_{permission_set}_{digest}",
        role_path=f"/aws-reserved/sso.amazonaws.com/{IRELAND}/",
        **more,
    )


# The office's address is 203.0.113.10; each person's home has one of its own.
OFFICE = "203.0.113.10"
PRIYA = employee("priya.nair", "SiteReliability", PRODUCTION, OFFICE, os="macos#25.0.0")
TOMAS = employee("tomas.lindqvist", "Developer", PRODUCTION, OFFICE)
TOMAS_STAGING = employee("tomas.lindqvist", "Developer", STAGING, OFFICE)
MEI = employee("mei.tanaka", "DatabaseAdmin", PRODUCTION, "203.0.113.64", console=True)
DANA = employee("dana.okafor", "PlatformAdmin", PRODUCTION, OFFICE, os="macos#25.0.0")
DANA_MANAGEMENT = employee("dana.okafor", "AdministratorAccess", MANAGEMENT, OFFICE, os="macos#25.0.0")
DANA_AT_HOME = employee("dana.okafor", "PlatformAdmin", PRODUCTION, "203.0.113.88", os="macos#25.0.0")
RAFAEL = employee("rafael.souza", "ContractorOps", PRODUCTION, "198.51.100.140")
RAFAEL_STAGING = employee("rafael.souza", "ContractorOps", STAGING, "198.51.100.140")
INGRID = employee("ingrid.weber", "SecurityResponder", STAGING, OFFICE, console=True)
INGRID_MANAGEMENT = employee("ingrid.weber", "SecurityResponder", MANAGEMENT, OFFICE, console=True)

BREAK_GLASS = Caller(
    "dana.okafor@example.com", PRODUCTION, "203.0.113.88", role="BreakGlassAdmin", mfa="true", os="macos#25.0.0",
    assumed=datetime(2026, 10, 18, 2, 11, 40, tzinfo=timezone.utc),
)  # fmt: skip
MIGRATION_USER = Caller("svc-migrate", STAGING, "198.51.100.77", version="1.09", os="linux#5.10")


@dataclass(frozen=True)
class Node:
    """A managed node. Its operating system decides the shell, the prompt and the form of `script`."""

    name: str
    account: str
    region: str
    os: str  # "al2023", "al2", "debian12", "rhel10"
    host: str

    @property
    def id(self) -> str:
        return ids.instance_id(self.name)

    @property
    def arn(self) -> str:
        return f"arn:aws:ec2:{self.region}:{self.account}:instance/{self.id}"


WEB_1 = Node("web-1", PRODUCTION, IRELAND, "al2023", "ip-10-20-1-17")
WEB_2 = Node("web-2", PRODUCTION, IRELAND, "al2023", "ip-10-20-1-42")
APP_1 = Node("app-1", PRODUCTION, IRELAND, "al2", "ip-10-20-2-40")
APP_2 = Node("app-2", PRODUCTION, IRELAND, "debian12", "ip-10-20-2-77")
BASTION = Node("bastion", PRODUCTION, IRELAND, "rhel10", "ip-10-20-9-5")
PAYMENTS = Node("payments-1", PRODUCTION, IRELAND, "al2023", "ip-10-20-7-11")
SPOT_WORKER = Node("spot-worker", PRODUCTION, IRELAND, "al2023", "ip-10-20-5-203")
EDGE = Node("edge-1", PRODUCTION, VIRGINIA, "al2023", "ip-10-40-1-8")
STAGING_APP = Node("staging-app-1", STAGING, IRELAND, "debian12", "ip-10-60-2-15")
STAGING_DB = Node("staging-db-1", STAGING, IRELAND, "al2", "ip-10-60-3-9")
STAGING_WEB = Node("staging-web-1", STAGING, IRELAND, "al2023", "ip-10-60-1-33")

NODES = (WEB_1, WEB_2, APP_1, APP_2, BASTION, PAYMENTS, SPOT_WORKER, EDGE, STAGING_APP, STAGING_DB, STAGING_WEB)


def nameless(account: str, region: str, number: int) -> str:
    """One of the many nodes that the story never visits (0..20 in each account and region)."""
    return ids.instance_id(f"fleet/{account}/{region}/{number}")


# The fleet that gets a command on 14 October: 25 nodes, of which four have names.
FLEET = tuple(node.id for node in (WEB_1, WEB_2, APP_1, APP_2)) + tuple(nameless(PRODUCTION, IRELAND, n) for n in range(21))

ECS_CLUSTER = "larkspur-prod"
ECS_TASK = ids.pick("ecs/task", ids.HEX, 32)
ECS_RUNTIME = f"{ECS_TASK}-{ids.pick('ecs/runtime', '123456789', 10)}"
ECS_TARGET = f"ecs:{ECS_CLUSTER}_{ECS_TASK}_{ECS_RUNTIME}"

"""The ordinary traffic of an account: nine records in ten of any real trail, and no finding in it.

Each kind below is a small function from a random stream to one call. The weights are roughly what a
busy account shows: agents and monitoring poll, services assume their roles, people look around.
"""

from datetime import datetime, timedelta
from random import Random

from . import cast, ids
from .cast import Caller
from .cloudtrail import Event, event

GO_AGENT = "aws-sdk-go-v2/1.39.2 ua/2.1 os/linux lang/go#1.24.7 md/GOOS#linux md/GOARCH#amd64 amazon-ssm-agent/3.3.3050.0"
BOTO = (
    "Boto3/1.40.43 md/Botocore#1.40.43 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.13.5 md/pyimpl#CPython"
    " m/b,Z,D cfg/retry-mode#legacy Botocore/1.40.43"
)
PARAMETERS = ("/shop/log-level", "/shop/feature/new-basket", "/shop/replicas", "/edge/ttl", "/batch/window")

# People whose consoles are open during the day, by account.
ONLOOKERS = {
    cast.PRODUCTION: (cast.PRIYA, cast.MEI, cast.TOMAS),
    cast.STAGING: (cast.TOMAS_STAGING, cast.INGRID),
    cast.MANAGEMENT: (cast.DANA_MANAGEMENT, cast.INGRID_MANAGEMENT),
}


def ordinary(label: str, account: str, region: str, when: datetime) -> Event:
    """One ordinary record, chosen by its label."""
    source = ids.stream(f"background/{label}")
    kinds = [kind for kind, _ in KINDS]
    kind = source.choices(kinds, [weight for _, weight in KINDS])[0]
    if kind is person and not (7 <= when.hour < 17 and when.weekday() < 5):
        kind = monitoring
    return kind(source, f"background/{label}", account, region, when)


def service(source: Random, label: str, account: str, region: str, when: datetime) -> Event:
    """A service assumes the role that it was given."""
    principal, role = source.choice((
        ("ec2.amazonaws.com", "shop-node"), ("lambda.amazonaws.com", "order-events"), ("ecs-tasks.amazonaws.com", "checkout-task"),
        ("ssm.amazonaws.com", "AWSServiceRoleForAmazonSSM"), ("config.amazonaws.com", "AWSServiceRoleForConfig"),
    ))  # fmt: skip
    path = f"aws-service-role/{principal}/" if role.startswith("AWSServiceRole") else ""
    arn = f"arn:aws:iam::{account}:role/{path}{role}"
    name = {"ec2.amazonaws.com": cast.nameless(account, region, source.randrange(21))}.get(principal, f"{role}-{source.randrange(9)}")
    until = when + timedelta(hours=1)
    issued = {
        "accessKeyId": ids.access_key("ASIA", f"{label}/issued"),
        "sessionToken": "".join(source.choices(ids.UPPER, k=16)) + "EXAMPLE",
        "expiration": f"{until:%b} {until.day}, {until.year}, {until:%I:%M:%S %p}".replace(", 0", ", "),
    }
    user = {"assumedRoleId": f"{ids.unique_id('AROA', arn)}:{name}", "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}"}
    return event(
        label, {"type": "AWSService", "invokedBy": principal}, when, "sts:AssumeRole", account=account, region=region,
        request={"roleArn": arn, "roleSessionName": name}, response={"credentials": issued, "assumedRoleUser": user},
        read_only=True, resources=[{"accountId": account, "type": "AWS::IAM::Role", "ARN": arn}], shared=True, story=False,
    )  # fmt: skip


def node(source: Random, label: str, account: str, region: str, when: datetime) -> Event:
    """A node acts for itself: the SSM agent reports in, the application reads its settings."""
    instance = cast.nameless(account, region, source.randrange(21))
    identity = _role(account, "shop-node", instance, when, delivery="2.0")
    address = f"198.51.100.{source.randrange(200, 230)}"
    if source.random() < 0.45:
        host = f"{source.randrange(1, 9)}.{source.randrange(2, 250)}"
        request = {
            "instanceId": instance, "agentVersion": "3.3.3050.0", "agentStatus": "Active", "platformType": "Linux",
            "platformName": "Amazon Linux", "platformVersion": "2023", "iPAddress": f"10.20.{host}",
            "computerName": f"ip-10-20-{host.replace('.', '-')}.{region}.compute.internal", "agentName": "amazon-ssm-agent",
        }  # fmt: skip
        return event(label, identity, when, "ssm:UpdateInstanceInformation", account=account, region=region, request=request,
                     address=address, agent=GO_AGENT, version="1.10", story=False)  # fmt: skip
    if source.random() < 0.4:
        return event(label, identity, when, "ssm:ListInstanceAssociations", account=account, region=region, read_only=True,
                     request={"instanceId": instance, "maxResults": 20}, address=address, agent=GO_AGENT, version="1.10", story=False)  # fmt: skip
    name = source.choice(PARAMETERS)
    missing = source.random() < 0.04
    return event(
        label, identity, when, "ssm:GetParameter", account=account, region=region, read_only=True, address=address, agent=BOTO,
        request={"name": name + ("-old" if missing else "")}, error=("ParameterNotFound", "") if missing else None, story=False,
        resources=[{"accountId": account, "ARN": f"arn:aws:ssm:{region}:{account}:parameter{name}"}],
    )  # fmt: skip


def monitoring(source: Random, label: str, account: str, region: str, when: datetime) -> Event:
    """The dashboard's collector reads everything, all day."""
    call, request = source.choice((
        ("ec2:DescribeInstances", {"maxResults": 1000, "instancesSet": {}, "filterSet": {}}),
        ("ec2:DescribeInstances", {"maxResults": 1000, "instancesSet": {}, "filterSet": {}}),
        ("ec2:DescribeVolumes", {"maxResults": 500, "volumeSet": {}, "filterSet": {}}),
        ("ec2:DescribeInstanceStatus", {"instancesSet": {}, "filterSet": {}, "includeAllInstances": True}),
        ("rds:DescribeDBInstances", {"maxRecords": 100}),
        ("monitoring:DescribeAlarms", {"maxRecords": 100, "stateValue": "ALARM"}),
        ("logs:DescribeLogGroups", {"limit": 50}),
        ("ecs:ListClusters", {"maxResults": 100}),
        ("elasticloadbalancing:DescribeTargetHealth",
         {"targetGroupArn": f"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/shop/73e2d6bc24d8a067"}),
        ("s3:ListBuckets", {"Host": f"s3.{region}.amazonaws.com"}),
        ("ssm:DescribeInstanceInformation", {"maxResults": 50}),
        ("athena:StartQueryExecution",
         {"queryString": "SELECT count(*) FROM orders", "workGroup": "primary", "clientRequestToken": ids.uuid(f"{label}/token")}),
    ))  # fmt: skip
    throttled = source.random() < 0.01
    writes = call.startswith("athena:Start")
    return event(
        label, _role(account, "metrics-collector", "collector", when), when, call, account=account, region=region, request=request,
        response={"queryExecutionId": ids.uuid(f"{label}/query")} if writes and not throttled else None, read_only=not writes,
        address="203.0.113.200", agent=BOTO, error=("ThrottlingException", "Rate exceeded") if throttled else None, story=False,
    )  # fmt: skip


def decrypt(source: Random, label: str, account: str, region: str, when: datetime) -> Event:
    """A function's environment is decrypted when it starts."""
    function = source.choice(("order-events", "invoice-mail", "basket-expiry"))
    key = f"arn:aws:kms:{region}:{account}:key/{ids.uuid(f'key/{account}/{region}')}"
    identity = _role(account, function, function, when) | {"invokedBy": "lambda.amazonaws.com"}
    request = {
        "encryptionContext": {"aws:lambda:FunctionArn": f"arn:aws:lambda:{region}:{account}:function:{function}"},
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }
    return event(label, identity, when, "kms:Decrypt", account=account, region=region, request=request, read_only=True,
                 resources=[{"accountId": account, "type": "AWS::KMS::Key", "ARN": key}], version="1.11", story=False)  # fmt: skip


def inventory(source: Random, label: str, account: str, region: str, when: datetime) -> Event:
    """AWS Config takes stock."""
    identity = _role(account, "AWSServiceRoleForConfig", "AWSConfig-Describe", when, path="aws-service-role/config.amazonaws.com/")
    call, request = source.choice((
        ("ec2:DescribeSecurityGroups", {"securityGroupSet": {}, "securityGroupIdSet": {}, "filterSet": {}}),
        ("lambda:ListFunctions20150331", {"maxItems": 50}),
        ("s3:GetBucketEncryption", {"encryption": "", "bucketName": f"larkspur-assets-{account[:4]}"}),
        ("cloudtrail:GetTrailStatus", {"name": cast.TRAIL_ARN}), ("kms:ListAliases", {"limit": 100}),
        ("ssm:DescribeDocument", {"name": "SSM-SessionManagerRunShell"}), ("ssm:ListDocuments", {"maxResults": 50}),
    ))  # fmt: skip
    return event(label, identity | {"invokedBy": "config.amazonaws.com"}, when, call, account=account, region=region,
                 request=request, read_only=True, story=False)  # fmt: skip


def person(source: Random, label: str, account: str, region: str, when: datetime) -> Event:
    """Somebody looks around. Athena's StartSession shares its name, and nothing else, with SSM's."""
    caller: Caller = source.choice(ONLOOKERS[account])
    call, request, response = source.choice((
        ("ssm:DescribeSessions", {"state": "History", "maxResults": 50}, None),
        ("ssm:DescribeSessions", {"state": "Active", "maxResults": 50}, None),
        ("ssm:DescribeInstanceInformation", {"maxResults": 50}, None),
        ("ssm:GetConnectionStatus", {"target": cast.nameless(account, region, source.randrange(21))}, None),
        ("ec2:DescribeInstances", {"maxResults": 100, "instancesSet": {}, "filterSet": {}}, None),
        ("s3:ListBuckets", {"Host": f"s3.{region}.amazonaws.com"}, None),
        ("cloudtrail:LookupEvents", {"maxResults": 50}, None),
        ("ssm:GetDocument", {"name": "SSM-SessionManagerRunShell"}, None),
        ("athena:StartSession", {"workGroup": "notebooks", "engineConfiguration": {"maxConcurrentDpus": 4}},
         {"sessionId": ids.uuid(f"{label}/athena"), "state": "CREATING"}),
    ))  # fmt: skip
    return event(label, caller, when, call, region=region, request=request, response=response, read_only=response is None, story=False)


KINDS = ((service, 22), (node, 27), (monitoring, 26), (decrypt, 9), (inventory, 8), (person, 8))


def _role(account: str, role: str, name: str, when: datetime, *, path: str = "", delivery: str = "") -> dict:
    arn = f"arn:aws:iam::{account}:role/{path}{role}"
    signed_in = when.replace(hour=when.hour - when.hour % 6, minute=2, second=11)
    context = {
        "sessionIssuer": {
            "type": "Role", "principalId": ids.unique_id("AROA", arn), "arn": arn, "accountId": account, "userName": role,
        },
        "attributes": {"creationDate": f"{signed_in:%Y-%m-%dT%H:%M:%SZ}", "mfaAuthenticated": "false"},
    }  # fmt: skip
    if delivery:
        context["ec2RoleDelivery"] = delivery
    return {
        "type": "AssumedRole",
        "principalId": f"{ids.unique_id('AROA', arn)}:{name}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "accessKeyId": ids.access_key("ASIA", f"{arn}/{name}/{signed_in}"),
        "sessionContext": context,
    }

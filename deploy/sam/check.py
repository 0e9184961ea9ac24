#!/usr/bin/env python3
"""Checks deploy/: what must not be wrong in the SAM template, and that Terraform says the same.

    python3 -m venv target/deploy && target/deploy/bin/pip install -r deploy/sam/requirements.txt
    target/deploy/bin/python deploy/sam/check.py

Prints a line for each check; the last line counts them. Exit status 1 if one fails. No AWS is asked, and no network.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import hcl2
import yaml

SAM = Path(__file__).resolve().parent
DEPLOY = SAM.parent
DOCS = DEPLOY.parent / "docs"

# What the binary knows. A variable that is not here is a spelling mistake, and the default would hold in silence.
VARIABLES = {
    "SSM_AUDIT_STORE", "SSM_AUDIT_RULES", "SSM_AUDIT_ROUTES",
    "SSM_AUDIT_TOPIC_ARN", "SSM_AUDIT_TOPIC_LEVEL", "SSM_AUDIT_TOPIC_FORMAT", "SSM_AUDIT_OPERATOR_TOPIC_ARN",
    "SSM_AUDIT_GRACE", "SSM_AUDIT_SWEEP_SINCE", "SSM_AUDIT_MAX_INFLATED", "SSM_AUDIT_CACHE",
    "SSM_AUDIT_LOG", "SSM_AUDIT_METRICS_NAMESPACE", "SSM_AUDIT_TIMEZONE",
}
METRICS = {
    "Artifacts", "Objects", "Events", "Findings", "Alerts", "AlertsFailed", "Quarantined", "Failed", "LagSeconds",
    "RuleMilliseconds",
}
# Statements that may say `Resource: '*'`, and why.
ANY_RESOURCE = {
    "SendTraces": "X-Ray knows no resources for its two Put actions",
    "AccountDecidesByIam": "in a key policy it means this key",
    "AlarmsPublish": "in a key policy it means this key",
    "ListTrails": "CloudTrail's DescribeTrails knows no resources",
    "LookUpEvents": "CloudTrail's LookupEvents knows no resources",
    "ReadPublicKeys": "CloudTrail's ListPublicKeys knows no resources",
    "DescribeAlarms": "DescribeAlarms with a list of names asks for all",
    "FindNodes": "DescribeInstanceInformation knows no resources",
}
# Statements of Allow whose actions have a wildcard, and why.
ANY_ACTION = {
    "AccountDecidesByIam": "the account's administrators keep the key",
    "AlarmsPublish": "GenerateDataKey and its form without plaintext",
}
# The one statement that may delete: by policy and Sid, with all that it may delete, and what. Another is a mistake.
DELETES = {
    ("CompactRole compact", "RemoveReplaced"): (
        ["s3:DeleteObject"], ["arn:${AWS::Partition}:s3:::${Bucket}/${StorePrefix}/facts/*"]),
}
# The same in Terraform.
TERRAFORM_DELETES = {
    ("compact", "RemoveReplaced"): (["s3:DeleteObject"], ["${local.store_arn}/${var.store_prefix}/facts/*"]),
}
# What the two ways of deployment do not share: CloudFormation takes the program from a bucket and its name from the
# stack, and tags from the stack as well.
ONLY_SAM = {"CodeBucket", "CodeKey"}
ONLY_TERRAFORM = {"name", "package_path", "tags"}
ALARMS = {
    "dead-letters", "failed-invocations", "ingest-errors", "sweep-errors", "report-errors", "compact-errors",
    "throttles", "queue-age", "silence", "sweep-silence", "quarantine", "alerts-failed",
}
# Alarms for which no news is bad news.
BREACHING = {"silence", "sweep-silence"}
# EventBridge refuses longer patterns.
PATTERN = 2048

passed, failed = 0, 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok  ' if ok else 'FAIL'} {name}{f': {detail}' if detail != '' and not ok else ''}")


def same(name, sam, terraform):
    """Both say the same; if not, what each says alone."""
    if isinstance(sam, dict) and isinstance(terraform, dict):
        keys = sorted({*sam, *terraform}, key=str)
        differ = {k: (sam.get(k), terraform.get(k)) for k in keys if sam.get(k) != terraform.get(k)}
        check(name, not differ, "; ".join(f"{k}: SAM {a!r}, Terraform {b!r}" for k, (a, b) in differ.items()))
    elif isinstance(sam, set):
        check(name, sam == terraform, f"only SAM {sorted(sam - terraform)}, only Terraform {sorted(terraform - sam)}")
    else:
        check(name, sam == terraform, f"SAM {sam!r}, Terraform {terraform!r}")


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Cloud(yaml.SafeLoader):
    """CloudFormation's short tags, read as their long forms."""


def tag(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Cloud.add_multi_constructor("!", tag)


def listed(value):
    return value if isinstance(value, list) else [value]


def chosen(value):
    """What an `Fn::If` stands for if its condition holds."""
    while isinstance(value, dict) and "Fn::If" in value:
        value = value["Fn::If"][1]
    return value


def named(resource):
    """What a resource is called, as far as the template says."""
    if isinstance(resource, dict) and "Fn::Sub" in resource:
        return listed(resource["Fn::Sub"])[0]
    return resource


def statements(document):
    return [chosen(statement) for statement in listed(document["Statement"])]


def may_delete(action):
    """Whatever an action of S3 is called that removes something, or may stand for one that does. IAM sees no case."""
    service, _, name = action.lower().partition(":")
    return service == "*" or service == "s3" and (name.startswith("delete") or "*" in name or "?" in name)


def suffix(name):
    """`${AWS::StackName}-silence` or `${var.name}-silence`: what comes behind."""
    text = name["Fn::Sub"] if isinstance(name, dict) else name
    return re.sub(r"^\$\{[^}]*\}-", "", text)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def number(value):
    """Numbers as numbers; a parameter or variable by its snake-case name."""
    if isinstance(value, dict) and "Ref" in value:
        return f"<{snake(value['Ref'])}>"
    found = re.fullmatch(r"\$\{var\.(\w+)\}", value) if isinstance(value, str) else None
    return f"<{found[1]}>" if found else value


def plain(value):
    """What python-hcl2 reads, without quotes, comments and marks."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if not (isinstance(k, str) and k.startswith("__"))}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return json.loads(value)
    return value


def terraform():
    """resource and data by type and name, variables and outputs by name."""
    found = {"resource": {}, "data": {}, "variable": {}, "output": {}}
    for path in sorted((DEPLOY / "terraform").glob("*.tf")):
        with path.open() as file:
            read = plain(hcl2.load(file))
        for kind in ("resource", "data"):
            for block in read.get(kind, []):
                for type_, named in block.items():
                    found[kind].setdefault(type_, {}).update(named)
        for kind in ("variable", "output"):
            for block in read.get(kind, []):
                found[kind].update(block)
    return found


def block(value, name):
    """The one nested block of that name."""
    return listed(value.get(name, [{}]))[0]


# ── The template alone ───────────────────────────────────────────────────────────────────────────────────────────────

template = yaml.load((SAM / "template.yaml").read_text(), Cloud)
member = yaml.load((SAM / "member.yaml").read_text(), Cloud)
resources, tf = template["Resources"], terraform()


def of(*types):
    return {name: r["Properties"] for name, r in resources.items() if r["Type"] in types}


def lint():
    def run(path):
        tool = Path(sys.executable).with_name("cfn-lint")
        ran = subprocess.run([tool, path], capture_output=True, text=True, check=False)
        check(f"cfn-lint {path.name}", ran.returncode == 0, ran.stdout + ran.stderr)

    for name in ("template.yaml", "member.yaml"):
        run(SAM / name)
    # It knows the actions of all services, but looks only into templates: the policies for people in one of their own.
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted((DEPLOY / "iam").glob("*.json")):
            text = path.read_text().replace("ACCOUNT", "111122223333").replace("REGION", "eu-west-1")
            policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": json.loads(text)}}
            file = Path(scratch) / path.name
            file.write_text(json.dumps({"Resources": {"Policy": policy}}))
            run(file)


functions = {
    suffix(p["FunctionName"]): {**template["Globals"]["Function"], **p}
    for p in of("AWS::Serverless::Function").values()
}


def check_functions():
    check("there are four functions", set(functions) == {"ingest", "sweep", "report", "compact"}, set(functions))
    logs = {suffix(log["LogGroupName"]["Fn::Sub"].removeprefix("/aws/lambda/")): log
            for log in of("AWS::Logs::LogGroup").values()}
    for name, function in functions.items():
        variables = set(function["Environment"]["Variables"])
        check(f"{name}: the binary knows its variables", variables <= VARIABLES, variables - VARIABLES)
        check(f"{name}: it has a store", "SSM_AUDIT_STORE" in variables)
        check(f"{name}: provided.al2023, traced", function["Runtime"] == "provided.al2023"
              and function["Tracing"] == "Active")
        check(f"{name}: its log is kept for a time", "RetentionInDays" in logs[name])
        check(f"{name}: a role of its own", "Role" in function)
        invoke = function["EventInvokeConfig"]
        check(f"{name}: asynchronous failures are tried twice more and kept", invoke["MaximumRetryAttempts"] == 2
              and "OnFailure" in invoke["DestinationConfig"])
    used = set().union(*(f["Environment"]["Variables"] for f in functions.values()))
    check("every variable is set somewhere", used == VARIABLES, VARIABLES - used)
    check("sweep: one at a time", functions["sweep"].get("ReservedConcurrentExecutions") == 1)
    check("sweep: no longer than the pause between two", functions["sweep"]["Timeout"] <= 300)
    near = int(functions["sweep"]["Environment"]["Variables"].get("SSM_AUDIT_CACHE", 0))
    disk = functions["sweep"]["EphemeralStorage"]["Size"] << 20
    check("sweep: what it keeps takes half of its disk at most", near * 2 <= disk, (near, disk))
    check("compact: one at a time", functions["compact"].get("ReservedConcurrentExecutions") == 1)
    check("compact: no longer than the pause between two", functions["compact"]["Timeout"] <= 3600)


def check_queues():
    queues = of("AWS::SQS::Queue")
    for name, queue in queues.items():
        check(f"{name}: encrypted, kept for 14 days", queue.get("SqsManagedSseEnabled") is True
              and queue["MessageRetentionPeriod"] == 1209600)
    events = [e["Properties"] for e in functions["ingest"]["Events"].values() if e["Type"] == "SQS"]
    check("ingest takes from one queue", len(events) == 1)
    for event in events:
        queue = queues[event["Queue"]["Fn::GetAtt"][0]]
        check("partial batch failures are on", event.get("FunctionResponseTypes") == ["ReportBatchItemFailures"])
        check("visibility timeout is at least six times the function's",
              queue["VisibilityTimeout"] >= 6 * functions["ingest"]["Timeout"], queue["VisibilityTimeout"])
        redrive = queue.get("RedrivePolicy", {})
        dead = redrive.get("deadLetterTargetArn", {}).get("Fn::GetAtt", [None])[0]
        check("the queue has dead letters", dead in queues, dead)
        check("not before five tries", redrive.get("maxReceiveCount", 0) >= 5)
        direct = {f["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
                  for f in functions.values()}
        apart = dead not in direct and len(direct) == 1
        check("what was invoked directly does not mix with dead letters", apart, direct)
    covered = {q["Ref"] for p in of("AWS::SQS::QueuePolicy").values() for q in p["Queues"]}
    check("each queue has a policy", covered == set(queues), set(queues) - covered)


def documents(parts):
    """Every policy in a template, by resource and name."""
    for name, resource in parts.items():
        properties = resource.get("Properties", {})
        for key in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument"):
            if key in properties:
                yield f"{name} {key}", properties[key]
        for policy in properties.get("Policies", []):
            yield f"{name} {policy['PolicyName']}", policy["PolicyDocument"]
        if resource["Type"] == "AWS::Events::EventBusPolicy":
            yield name, {"Statement": [properties["Statement"]]}


def check_statements(where, parts, allowed=None):
    """What holds for each statement, wherever it is. What may delete is what `allowed` says, and all of that."""
    sids, any_resource, any_action, deletes, unconditional = [], [], [], {}, []
    for name, document in parts:
        for statement in statements(document):
            sid, allow = statement.get("Sid"), statement["Effect"] == "Allow"
            if not sid:
                sids.append(name)
            if allow and "*" in listed(statement.get("Resource", [])) and sid not in ANY_RESOURCE:
                any_resource.append(f"{name} {sid}")
            actions = [a for a in listed(statement["Action"]) if isinstance(a, str)]
            if allow and any("*" in a for a in actions) and sid not in ANY_ACTION:
                any_action.append(f"{name} {sid}")
            if allow and any(may_delete(a) for a in actions):
                deletes[name, sid] = (actions, [named(r) for r in listed(statement["Resource"])])
            if allow and statement.get("Principal") in ("*", {"AWS": "*"}) and "Condition" not in statement:
                unconditional.append(f"{name} {sid}")
    check(f"{where}: every statement has a Sid", not sids, sids)
    check(f"{where}: `*` as a resource only where it has a reason", not any_resource, any_resource)
    check(f"{where}: no wildcard in actions", not any_action, any_action)
    check(f"{where}: {'only what has to' if allowed else 'nothing'} may delete", deletes == (allowed or {}), deletes)
    check(f"{where}: nobody is let in without a condition", not unconditional, unconditional)


def check_reasons(path, sid, skipped):
    """A comment stands before each statement that allows something."""
    lines, without = path.read_text().splitlines(), []
    for at, line in enumerate(lines):
        found = re.search(sid, line)
        if not found or found[1] == "DenyWithoutTls":
            continue
        above = at - 1
        while re.match(skipped, lines[above]):
            above -= 1
        if not lines[above].lstrip().startswith("#"):
            without.append(f"{path.name}:{at + 1} {found[1]}")
    check(f"{path.name}: each statement says what it is for", not without, without)


def check_permissions():
    for name, document in documents(resources):
        key = name.endswith("KeyPolicy")
        stars = [s.get("Sid") for s in statements(document) if s["Effect"] == "Allow" and s.get("Resource") == "*"]
        if not key:
            check(f"{name}: `*` is not a key policy's", set(stars) <= {"SendTraces"}, stars)
    check_statements("template.yaml", documents(resources), DELETES)
    check_statements("member.yaml", documents(member["Resources"]))
    for name in ("template.yaml", "member.yaml"):
        check_reasons(SAM / name, r"^\s*(?:- )?Sid: (\S+)", r"^\s*(- !If|- [A-Z]\w+|Statement:)$")
    check_reasons(DEPLOY / "terraform/iam.tf", r'^\s*sid\s*= "(\w+)"',
                  r'^\s*(statement \{|dynamic "statement" \{|for_each = .*|content \{|)$')
    tls = {"AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"}
    clear = [name for name, r in resources.items() if r["Type"] in tls and not any(
        s["Effect"] == "Deny" and s["Sid"] == "DenyWithoutTls" for s in statements(r["Properties"]["PolicyDocument"]))]
    check("buckets, queues and topics refuse plain HTTP", not clear, clear)
    options = ("AllowTerminateSession", "AllowSecurityHub", "RespondRoleArn", "Compact")
    off = {p: template["Parameters"][p]["Default"] for p in options}
    check("responses and deletion are off unless somebody says so", set(off.values()) == {"false", ""}, off)
    # And off means: not there, and nobody else has it.
    says_so = {c for c, v in template["Conditions"].items() if v == {"Fn::Equals": [{"Ref": "Compact"}, "true"]}}
    for name in {policy.split()[0] for policy, _ in DELETES}:
        check(f"{name}: it is there only if somebody says so", resources[name].get("Condition") in says_so)
        roles = {n for n, f in functions.items() if f["Role"] == {"Fn::GetAtt": [name, "Arn"]}}
        check(f"{name}: it is one function's", roles == {"compact"}, roles)
        attached = resources[name]["Properties"]["ManagedPolicyArns"]
        check(f"{name}: beside its own it has what reads the store", attached == [{"Ref": "StorePolicy"}], attached)


def check_store():
    for name, bucket in of("AWS::S3::Bucket").items():
        kept = resources[name].get("DeletionPolicy") == resources[name].get("UpdateReplacePolicy") == "Retain"
        check(f"{name}: kept when the stack goes", kept)
        check(f"{name}: versioned", bucket["VersioningConfiguration"]["Status"] == "Enabled")
        check(f"{name}: encrypted", "BucketEncryption" in bucket)
        check(f"{name}: not public", all(bucket["PublicAccessBlockConfiguration"].values()))
    check("the key of what is kept is kept", all(
        resources[name].get("DeletionPolicy") == "Retain" for name in of("AWS::KMS::Key")))
    topics = of("AWS::SNS::Topic")
    check("topics are encrypted", len(topics) == 2 and all("KmsMasterKeyId" in t for t in topics.values()))


def patterns(parts):
    return {name: r["Properties"]["EventPattern"] for name, r in parts.items() if r["Type"] == "AWS::Events::Rule"}


def check_events():
    for name, pattern in [*patterns(resources).items(), *patterns(member["Resources"]).items()]:
        length = len(json.dumps(pattern, separators=(",", ":")))
        check(f"{name}: its pattern is short enough", length <= PATTERN, length)
        sources = [s["prefix"] if isinstance(s, dict) else s for s in pattern.get("source", [])]
        check(f"{name}: only AWS can have written it", sources and all(s.startswith("aws.") for s in sources), sources)
    check("member.yaml forwards what template.yaml takes", patterns(resources)["ApiCalls"]
          == patterns(member["Resources"])["ApiCalls"])


# ── The two beside one another ───────────────────────────────────────────────────────────────────────────────────────


def compare_parameters():
    def default(value):
        return {"true": True, "false": False}.get(value, value)

    sam = {}
    for name, p in template["Parameters"].items():
        if name not in ONLY_SAM:
            value = default(p.get("Default"))
            sam[snake(name)] = [] if p["Type"] == "CommaDelimitedList" and value == "" else value
    ours = {name: v.get("default") for name, v in tf["variable"].items() if name not in ONLY_TERRAFORM}
    same("parameters and variables, with their defaults", sam, ours)
    undescribed = [n for n, v in {**template["Parameters"], **tf["variable"]}.items()
                   if not (v.get("Description") or v.get("description"))]
    check("each is described", not undescribed, undescribed)
    grouped = {p for g in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
               for p in g["Parameters"]}
    same("each parameter is in a group", grouped, set(template["Parameters"]))
    same("outputs", {snake(name) for name in template["Outputs"]}, set(tf["output"]))


def compare_functions():
    ours = {suffix(f["function_name"]): f for f in tf["resource"]["aws_lambda_function"].values()}
    for name, function in functions.items():
        text = json.dumps(block(ours[name], "environment"))
        same(f"{name}: environment", set(function["Environment"]["Variables"]),
             set(re.findall(r"(SSM_AUDIT_\w+) =", text)))
        same(f"{name}: disk", function.get("EphemeralStorage", {}).get("Size"),
             block(ours[name], "ephemeral_storage").get("size"))
        for key, theirs in [("Timeout", "timeout"), ("MemorySize", "memory_size"), ("Description", "description"),
                            ("ReservedConcurrentExecutions", "reserved_concurrent_executions"),
                            ("Runtime", "runtime"), ("Handler", "handler")]:
            same(f"{name}: {key}", number(function.get(key)), number(ours[name].get(theirs)))
        invoke = tf["resource"]["aws_lambda_function_event_invoke_config"][name]
        config = function["EventInvokeConfig"]
        same(f"{name}: retries", (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]),
             (invoke["maximum_retry_attempts"], invoke["maximum_event_age_in_seconds"]))
    (event,) = functions["ingest"]["Events"].values()
    mapping = tf["resource"]["aws_lambda_event_source_mapping"]["ingest"]
    event = event["Properties"]
    same("ingest: queue", (event["BatchSize"], event.get("FunctionResponseTypes"),
                           number(event["ScalingConfig"]["MaximumConcurrency"])),
         (mapping["batch_size"], mapping.get("function_response_types"),
          number(block(mapping, "scaling_config")["maximum_concurrency"])))


def compare_queues():
    sam = {suffix(q["QueueName"]): (q.get("VisibilityTimeout"), q["MessageRetentionPeriod"],
                                    q.get("RedrivePolicy", {}).get("maxReceiveCount"))
           for q in of("AWS::SQS::Queue").values()}
    ours = {}
    for queue in tf["resource"]["aws_sqs_queue"].values():
        count = re.search(r"maxReceiveCount = (\d+)", queue.get("redrive_policy", ""))
        ours[suffix(queue["name"])] = (queue.get("visibility_timeout_seconds"), queue["message_retention_seconds"],
                                       int(count[1]) if count else None)
    same("queues", sam, ours)


def compare_schedules():
    def retry(policy, attempts, age):
        return (policy[attempts], policy[age])

    sam = {}
    for schedule in of("AWS::Scheduler::Schedule").values():
        target, name = schedule["Target"], suffix(schedule["Name"])
        check(f"schedule {name}: its task is JSON", "task" in json.loads(target["Input"]))
        sam[name] = (schedule["ScheduleExpression"], number(schedule.get("ScheduleExpressionTimezone")),
                     target["Input"],
                     retry(target["RetryPolicy"], "MaximumRetryAttempts", "MaximumEventAgeInSeconds"))
    ours = {}
    for schedule in tf["resource"]["aws_scheduler_schedule"].values():
        target = block(schedule, "target")
        ours[suffix(schedule["name"])] = (
            schedule["schedule_expression"], number(schedule.get("schedule_expression_timezone")), target["input"],
            retry(block(target, "retry_policy"), "maximum_retry_attempts", "maximum_event_age_in_seconds"))
    same("schedules", sam, ours)
    same("sweep is due every five minutes", sam["sweep"][0], "rate(5 minutes)")
    same("compact is due every hour", sam["compact"][0], "rate(1 hour)")
    same("report is due on the 3rd at 06:00", sam["report"][:2], ("cron(0 6 3 * ? *)", "<time_zone>"))


def metric(name, namespace, dimensions, period, stat):
    return {"metric": name, "namespace": number(namespace), "dimensions": sorted(dimensions), "period": period,
            "stat": stat}


def compare_alarms():
    sam, ours = {}, {}
    for alarm in of("AWS::CloudWatch::Alarm").values():
        queries = {}
        for query in map(chosen, alarm.get("Metrics", [])):
            if stat := query.get("MetricStat"):
                m = stat["Metric"]
                queries[query["Id"]] = metric(m["MetricName"], m["Namespace"], [d["Name"] for d in m["Dimensions"]],
                                              stat["Period"], stat["Stat"])
            else:
                queries[query["Id"]] = chosen(query["Expression"])
        if "MetricName" in alarm:
            queries["metric"] = metric(alarm["MetricName"], alarm["Namespace"],
                                       [d["Name"] for d in alarm["Dimensions"]], alarm["Period"], alarm["Statistic"])
        sam[suffix(alarm["AlarmName"])] = {
            "description": alarm["AlarmDescription"], "queries": queries, "missing": alarm["TreatMissingData"],
            "comparison": alarm["ComparisonOperator"], "threshold": number(alarm["Threshold"]),
            "of": number(alarm["EvaluationPeriods"]), "points": number(alarm.get("DatapointsToAlarm")),
            "tells": len(alarm["AlarmActions"]), "all clear": len(alarm["OKActions"]),
        }
    for alarm in tf["resource"]["aws_cloudwatch_metric_alarm"].values():
        queries = {}
        own = alarm.get("metric_query", [])
        for query in own + [block(block(d, "metric_query"), "content") for d in alarm.get("dynamic", [])]:
            if "metric" in query:
                m = block(query, "metric")
                queries[query["id"]] = metric(m["metric_name"], m["namespace"], m["dimensions"], m["period"], m["stat"])
            else:
                # As it is if the condition holds, as above.
                queries[query["id"]] = re.sub(r'^\$\{var\.\w+ \? "([^"]*)" : .*$', r"\1", query["expression"])
        if "metric_name" in alarm:
            queries["metric"] = metric(alarm["metric_name"], alarm["namespace"], alarm["dimensions"],
                                       alarm["period"], alarm["statistic"])
        ours[suffix(alarm["alarm_name"])] = {
            "description": alarm["alarm_description"], "queries": queries, "missing": alarm["treat_missing_data"],
            "comparison": alarm["comparison_operator"], "threshold": number(alarm["threshold"]),
            "of": number(alarm["evaluation_periods"]), "points": number(alarm.get("datapoints_to_alarm")),
            "tells": len(alarm["alarm_actions"]), "all clear": len(alarm["ok_actions"]),
        }
    same("alarms: which there are", set(sam), ALARMS)
    for name in sorted({*sam, *ours}):
        same(f"alarm {name}", sam.get(name), ours.get(name))
        if name in sam:
            check(f"alarm {name}: somebody hears of it", sam[name]["tells"] == 1)
            wanted = "breaching" if name in BREACHING else "notBreaching"
            check(f"alarm {name}: no data is {wanted}", sam[name]["missing"] == wanted)
    own = {q["metric"] for a in sam.values() for q in a["queries"].values()
           if isinstance(q, dict) and q["namespace"] == "<metrics_namespace>"}
    check("alarms ask for metrics that the binary writes", own <= METRICS, own - METRICS)
    told = (DOCS / "deploying.md").read_text()
    missing = [name for name in sorted(ALARMS) if f"### {name}\n" not in told]
    check("docs/deploying.md says what to do about each", not missing, missing)


# Where the same policy is in each.
POLICIES = {
    "StorePolicy PolicyDocument": "store", "TellPolicy PolicyDocument": "tell", "IngestRole ingest": "ingest",
    "SweepRole sweep": "sweep", "ReportRole report": "report", "CompactRole compact": "compact",
    "SchedulerRole scheduler": "scheduler",
    "IngestRole AssumeRolePolicyDocument": "lambda_assumes", "SweepRole AssumeRolePolicyDocument": "lambda_assumes",
    "ReportRole AssumeRolePolicyDocument": "lambda_assumes", "CompactRole AssumeRolePolicyDocument": "lambda_assumes",
    "SchedulerRole AssumeRolePolicyDocument": "scheduler_assumes", "Key KeyPolicy": "key",
    "StorePolicyDocument PolicyDocument": "store_bucket", "IngestQueuePolicy PolicyDocument": "ingest_queue",
    "DeadLetterQueuePolicy PolicyDocument": "dead_letters",
    "FailedInvocationsPolicy PolicyDocument": "failed_invocations", "AlertTopicPolicy PolicyDocument": "alert_topic",
    "AlarmTopicPolicy PolicyDocument": "alarm_topic",
}


def compare_policies():
    ours, deletes = {}, {}
    for name, document in tf["data"]["aws_iam_policy_document"].items():
        own = list(document.get("statement", []))
        own += [block(block(d, "statement"), "content") for d in document.get("dynamic", [])]
        ours[name] = {
            s["sid"]: (s.get("effect", "Allow"), sorted(s["actions"]),
                       sorted((c["test"], c["variable"]) for c in s.get("condition", [])))
            for s in own
        }
        stars = [s["sid"] for s in own if s.get("resources") == ["*"] and s["sid"] not in ANY_RESOURCE]
        check(f"Terraform {name}: `*` as a resource only where it has a reason", not stars, stars)
        deletes |= {(name, s["sid"]): (s["actions"], s["resources"]) for s in own
                    if s.get("effect", "Allow") == "Allow" and any(map(may_delete, s["actions"]))}
    check("Terraform: only what has to may delete", deletes == TERRAFORM_DELETES, deletes)
    for name, _ in TERRAFORM_DELETES:
        who = {n for t in ("aws_iam_role_policy", "aws_iam_policy") for n, v in tf["resource"][t].items()
               if f"aws_iam_policy_document.{name}[" in v["policy"]}
        check(f"Terraform {name}: its policy is that role's alone", who == {name}, who)
        who = {n for n, f in tf["resource"]["aws_lambda_function"].items() if f"aws_iam_role.{name}[" in f["role"]}
        check(f"Terraform {name}: its role is one function's", who == {name}, who)
        for type_ in ("aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment"):
            own = {n: v.get("count") for n, v in tf["resource"][type_].items() if n.split("_")[0] == name}
            check(f"Terraform {type_} {name}: it is there only if somebody says so",
                  own and set(own.values()) == {"${var.compact ? 1 : 0}"}, own)
    known = set()
    for name, document in documents(resources):
        if name == "OrganizationMaySend":
            continue
        known.add(POLICIES[name])
        sam = {
            s["Sid"]: (s["Effect"], sorted(listed(s["Action"])),
                       sorted((test, key) for test, keys in s.get("Condition", {}).items() for key in keys))
            for s in statements(document)
        }
        same(f"policy {name}", sam, ours[POLICIES[name]])
    same("policies: which there are", known, set(ours))


def compare_events():
    def names(pattern):
        return set(re.findall(r'"([A-Z][A-Za-z]+|[a-z0-9-]+\.amazonaws\.com)"', pattern))

    sam = patterns(resources)
    rules = {suffix(r["name"]): r["event_pattern"] for r in tf["resource"]["aws_cloudwatch_event_rule"].values()}
    same("event rules: which there are",
         {suffix(resources[name]["Properties"]["Name"]) for name in sam}, set(rules))
    detail, ours = sam["ApiCalls"]["detail"], names(rules["api-calls"])
    same("API calls that are heard of at once", {*detail["eventSource"], *detail["eventName"]}, ours)


# ── For people ───────────────────────────────────────────────────────────────────────────────────────────────────────


def check_people():
    table = (DEPLOY / "iam/README.md").read_text()
    for path in sorted((DEPLOY / "iam").glob("*.json")):
        document = json.loads(path.read_text())
        check_statements(path.name, [(path.name, document)])
        sids = [s["Sid"] for s in document["Statement"]]
        check(f"{path.name}: Sids are different", len(set(sids)) == len(sids))
        missing = [sid for sid in sids if f"`{sid}`" not in table]
        check(f"{path.name}: README.md has a reason for each", not missing, missing)


lint()
check_functions()
check_queues()
check_permissions()
check_store()
check_events()
compare_parameters()
compare_functions()
compare_queues()
compare_schedules()
compare_alarms()
compare_policies()
compare_events()
check_people()
print(f"deploy: {passed} passed, {failed} failed")
sys.exit(failed > 0)

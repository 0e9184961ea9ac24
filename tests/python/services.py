"""Systems Manager, Security Hub and CloudTrail, as far as the tests call them: services.py REFUSED FILE [PREFERENCES]

What is asked has to fit the API model that AWS's own SDK carries, and the limits of a finding that the user guide states. Prints
its port; each call goes into FILE as a JSON object a line. Security Hub refuses the first REFUSED findings, as it does: with an answer of
200 that says so. CloudTrail has 120 events of the last hour, gives 50 at a time and throttles whoever asks more than twice a second.
"""

import http.server
import json
import pathlib
import sys
import time

import botocore.session
import botocore.validate

refused, calls = int(sys.argv[1]), open(sys.argv[2], "a")
session = botocore.session.get_session()
models = {name: session.get_service_model(name) for name in ("ssm", "securityhub", "cloudtrail")}
known = {"alice-0a1b2c3d4e5f67890"}


# The preferences are as the third argument says; the other documents are the account's own.
documents = {
    "Quiet-Shell": {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {}},
    "Logged-Shell": {"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {"s3BucketName": "logs"}},
}
if len(sys.argv) > 3:
    documents["SSM-SessionManagerRunShell"] = json.loads(sys.argv[3])
fixtures = pathlib.Path(__file__).parents[2] / "ingest" / "fixtures" / "digests"
public_keys = json.loads((fixtures / "good.json").read_text())["keys"]
recent, first = [], int(time.time()) - 120


def events():
    for at in range(120):
        record = {
            "eventVersion": "1.08",
            "eventSource": "ssm.amazonaws.com",
            "eventName": "StartSession",
            "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first + at)),
            "awsRegion": "us-east-1",
            "eventID": f"{at:08}-1111-1111-1111-111111111111",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
            "requestParameters": {"target": "i-0123456789abcdef0"},
            "responseElements": {"sessionId": f"alice-0{at:016x}"},
        }
        event = {"EventId": record["eventID"], "EventTime": first + at, "EventName": "StartSession"}
        yield {**event, "ReadOnly": "false", "CloudTrailEvent": json.dumps(record)}


def problems(service, operation, asked):
    shape = models[service].operation_model(operation).input_shape
    report = botocore.validate.ParamValidator().validate(asked, shape)
    return report.generate_report() if report.has_errors() else ""


def too_long(finding):
    limits = [("Title", 256), ("Description", 1024), ("GeneratorId", 512), ("Id", 512)]
    found = [name for name, most in limits if not 0 < len(finding[name]) <= most]
    fields = finding.get("ProductFields", {})
    if len(fields) > 50 or any(len(k) > 128 or len(v) > 2048 for k, v in fields.items()):
        found.append("ProductFields")
    account = finding["ProductArn"].split(":")[4]
    if finding["AwsAccountId"] != account:
        found.append("AwsAccountId")
    if finding["Severity"]["Label"] not in ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"):
        found.append("Severity")
    if len(finding["Types"][0].split("/")) not in (2, 3):
        found.append("Types")
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global refused
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        target = self.headers.get("X-Amz-Target", "")
        if target == "AmazonSSM.TerminateSession":
            wrong = problems("ssm", "TerminateSession", asked)
            if wrong:
                return self.answer(400, {"__type": "ValidationException", "message": wrong})
            if asked["SessionId"] not in known:
                return self.answer(400, {"__type": "DoesNotExistException", "Message": "Session does not exist"})
            known.remove(asked["SessionId"])
            self.note("TerminateSession", asked)
            return self.answer(200, {"SessionId": asked["SessionId"]})
        if target.endswith("LookupEvents"):
            times = {name: asked[name] for name in ("StartTime", "EndTime") if name in asked}
            wrong = problems("cloudtrail", "LookupEvents", asked)
            if wrong:
                return self.answer(400, {"__type": "InvalidParameterValueException", "message": wrong})
            now = time.monotonic()
            recent[:] = [at for at in recent if now - at < 1] + [now]
            if len(recent) > 2:
                self.note("Throttled", {})
                return self.answer(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
            held = lambda event: times["StartTime"] <= event["EventTime"] <= times["EndTime"]
            found = [event for event in reversed(list(events())) if held(event)]
            at = int(asked.get("NextToken", 0))
            more = {"NextToken": str(at + 50)} if at + 50 < len(found) else {}
            self.note("LookupEvents", {"from": at})
            return self.answer(200, {"Events": found[at : at + 50], **more})
        if target.endswith("ListPublicKeys"):
            wrong = problems("cloudtrail", "ListPublicKeys", {name: asked[name] for name in asked if not name.endswith("Time")})
            if wrong:
                return self.answer(400, {"__type": "InvalidTimeRangeException", "message": wrong})
            self.note("ListPublicKeys", {})
            # Times are seconds on the wire.
            seconds = lambda text: time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
            keys = [
                {name: seconds(value) if name.endswith("Time") and isinstance(value, str) else value for name, value in key.items()}
                for key in public_keys["PublicKeyList"]
            ]
            return self.answer(200, {"PublicKeyList": keys})
        if target == "AmazonSSM.GetDocument":
            content = documents.get(asked["Name"])
            if content is None:
                return self.answer(400, {"__type": "InvalidDocument", "Message": "there is none"})
            return self.answer(200, {"Name": asked["Name"], "Content": json.dumps(content), "DocumentFormat": "JSON"})
        if target == "AmazonSSM.ListDocuments":
            wrong = problems("ssm", "ListDocuments", asked)
            if wrong:
                return self.answer(400, {"__type": "ValidationException", "message": wrong})
            found = [{"Name": name, "DocumentType": "Session", "Owner": "000000000000"} for name in sorted(documents)]
            return self.answer(200, {"DocumentIdentifiers": found})
        if self.path == "/findings/import":
            wrong = problems("securityhub", "BatchImportFindings", asked)
            if wrong:
                return self.answer(400, {"message": wrong}, "InvalidInputException")
            failed = []
            for finding in asked["Findings"]:
                code = "InvalidInput" if too_long(finding) else "InternalException" if refused > 0 else None
                refused -= 1
                if code:
                    message = ", ".join(too_long(finding)) or "try again"
                    failed.append({"Id": finding["Id"], "ErrorCode": code, "ErrorMessage": message})
                else:
                    self.note("BatchImportFindings", finding)
            done = len(asked["Findings"]) - len(failed)
            return self.answer(200, {"FailedCount": len(failed), "SuccessCount": done, "FailedFindings": failed})
        self.answer(404, {"message": f"{self.path} {target}"}, "UnknownOperationException")

    def note(self, operation, asked):
        print(json.dumps({"operation": operation, "asked": asked}), file=calls, flush=True)

    def answer(self, status, body, kind=None):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if kind:
            self.send_header("x-amzn-ErrorType", kind)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()

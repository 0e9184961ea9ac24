//! CloudTrail traffic as a busy organisation has it: nearly all of it reads by machines, a handful of
//! people, and the calls that the rules are about in between. Seeded: the same seed, the same bytes.

use fastrand::Rng;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

/// `(service, call, read-only, weight)`
type Call = (&'static str, &'static str, bool, u32);

/// Calls and how often they are seen, in 10,000. Reads: 96 %.
const CALLS: &[Call] = &[
    ("ec2", "DescribeInstances", true, 1400),
    ("ec2", "DescribeVolumes", true, 500),
    ("ec2", "DescribeNetworkInterfaces", true, 450),
    ("ec2", "DescribeSecurityGroups", true, 300),
    ("sts", "AssumeRole", true, 1300),
    ("sts", "GetCallerIdentity", true, 500),
    ("kms", "Decrypt", true, 1200),
    ("kms", "GenerateDataKey", true, 500),
    ("kms", "DescribeKey", true, 150),
    ("ssm", "DescribeInstanceInformation", true, 300),
    ("ssm", "GetParameters", true, 350),
    ("ssm", "GetParameter", true, 250),
    ("ssm", "DescribeSessions", true, 40),
    ("ssm", "ListAssociations", true, 200),
    ("s3", "GetBucketAcl", true, 350),
    ("s3", "ListBuckets", true, 200),
    ("logs", "DescribeLogGroups", true, 250),
    ("logs", "DescribeLogStreams", true, 250),
    ("monitoring", "DescribeAlarms", true, 250),
    ("iam", "GetRole", true, 200),
    ("iam", "ListRoles", true, 100),
    ("elasticloadbalancing", "DescribeTargetHealth", true, 400),
    ("autoscaling", "DescribeAutoScalingGroups", true, 300),
    ("ecs", "DescribeServices", true, 250),
    ("cloudtrail", "LookupEvents", true, 60),
    ("logs", "CreateLogStream", false, 130),
    ("ssm", "UpdateInstanceInformation", false, 100),
    ("ec2", "CreateTags", false, 50),
    ("ec2", "RunInstances", false, 20),
    ("ec2", "TerminateInstances", false, 20),
    ("s3", "PutBucketPolicy", false, 4),
    ("iam", "PutRolePolicy", false, 6),
    ("iam", "CreateAccessKey", false, 2),
    ("ssm", "StartSession", false, 30),
    ("ssm", "TerminateSession", false, 20),
    ("ssm", "SendCommand", false, 14),
    ("cloudtrail", "StopLogging", false, 1),
    ("ec2-instance-connect", "SendSSHPublicKey", false, 2),
    ("ecs", "ExecuteCommand", false, 1),
];

/// Makes records.
pub struct Traffic {
    rng: Rng,
    time: Timestamp,
    total: u32,
}

const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2"];
const ROLES: [&str; 6] = [
    "eks-node",
    "ci-deployer",
    "monitoring-collector",
    "backup-runner",
    "ecs-task",
    "web-instance",
];
const PEOPLE: [&str; 8] = ["maya", "tomas", "priya", "dana", "rafael", "ingrid", "wei", "sofia"];

impl Traffic {
    /// Traffic from 1 October 2026 on.
    pub fn new(seed: u64) -> Self {
        let total = CALLS.iter().map(|(.., weight)| weight).sum();
        let time = Timestamp::from_second(1_790_812_800).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { rng: Rng::with_seed(seed), time, total }
    }

    /// The day that the traffic has come to, as `YYYY/MM/DD`, and the time as in file names.
    pub fn clock(&self) -> (String, String) {
        (self.time.strftime("%Y/%m/%d").to_string(), self.time.strftime("%Y%m%dT%H%MZ").to_string())
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from_digit(self.rng.u32(0..16), 16).unwrap_or('0')).collect()
    }

    fn upper(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(self.rng.u8(b'A'..=b'Z'))).collect()
    }

    fn uuid(&mut self) -> String {
        let h = self.hex(32);
        format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..])
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(0..from.len())]
    }

    fn call(&mut self) -> Call {
        let mut at = self.rng.u32(0..self.total);
        for call in CALLS {
            if at < call.3 {
                return *call;
            }
            at -= call.3;
        }
        CALLS[0]
    }

    /// The next record.
    pub fn record(&mut self, account: &str) -> Value {
        self.time =
            self.time.checked_add(self.rng.i64(20..900).milliseconds()).unwrap_or(self.time);
        let (service, name, read_only, _) = self.call();
        let region = self.pick(&REGIONS);
        let person = !read_only && self.rng.u8(0..10) < 6;
        let denied = self.rng.u16(0..1000) < 8;
        let session = format!("{}-{}", self.pick(&PEOPLE), format_args!("0{}", self.hex(16)));
        let node = format!("i-0{}", self.hex(16));
        let (request, response) = self.parameters(service, name, region, account, &node, &session);
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": self.identity(account, person, &node),
            "eventTime": self.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": if person { format!("203.0.113.{}", self.rng.u8(1..250)) } else { format!("10.{}.{}.{}", self.rng.u8(..), self.rng.u8(..), self.rng.u8(..)) },
            "userAgent": if person { "aws-cli/2.27.41 md/awscrt#0.26.1 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.4 md/pyimpl#CPython m/E,b,Z cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#ssm.start-session" } else { "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#arm64 api/ec2#1.210.1" },
            "requestParameters": request,
            "responseElements": response,
            "requestID": self.uuid(),
            "eventID": self.uuid(),
            "readOnly": read_only,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
            "tlsDetails": {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": format!("{service}.{region}.amazonaws.com"),
            },
        });
        if denied {
            record["errorCode"] = json!("AccessDenied");
            record["errorMessage"] = json!(format!(
                "User: arn:aws:iam::{account}:user/x is not authorized to perform: {service}:{name} on resource: arn:aws:ec2:{region}:{account}:instance/{node} because no identity-based policy allows the {service}:{name} action"
            ));
            record["requestParameters"] = Value::Null;
            record["responseElements"] = Value::Null;
        }
        record
    }

    fn identity(&mut self, account: &str, person: bool, node: &str) -> Value {
        let (role, name) = if person {
            (
                "AWSReservedSSO_PlatformAdmin_6116a9277439781f",
                format!("{}@example.com", self.pick(&PEOPLE)),
            )
        } else {
            (self.pick(&ROLES), node.to_owned())
        };
        let principal = format!("AROA{}", self.upper(17));
        json!({
            "type": "AssumedRole",
            "principalId": format!("{principal}:{name}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
            "accountId": account,
            "accessKeyId": format!("ASIA{}", self.upper(16)),
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": principal,
                    "arn": format!("arn:aws:iam::{account}:role/{role}"),
                    "accountId": account,
                    "userName": role,
                },
                "attributes": {
                    "creationDate": self.time.strftime("%Y-%m-%dT%H:00:00Z").to_string(),
                    "mfaAuthenticated": "false",
                },
                "ec2RoleDelivery": "2.0",
            },
        })
    }

    fn parameters(
        &mut self,
        service: &str,
        name: &str,
        region: &str,
        account: &str,
        node: &str,
        session: &str,
    ) -> (Value, Value) {
        match (service, name) {
            ("ssm", "StartSession") => (
                json!({"target": node}),
                json!({
                    "sessionId": session,
                    "tokenValue": "Value hidden due to security reasons.",
                    "streamUrl": format!("wss://ssmmessages.{region}.amazonaws.com/v1/data-channel/{session}?role=publish_subscribe"),
                }),
            ),
            ("ssm", "TerminateSession") => {
                (json!({"sessionId": session}), json!({"sessionId": session}))
            }
            ("ssm", "SendCommand") => (
                json!({"documentName": "AWS-RunPatchBaseline", "instanceIds": [node], "interactive": false, "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
                json!({"command": {"commandId": self.uuid(), "documentName": "AWS-RunPatchBaseline", "instanceIds": [node], "status": "Pending", "targetCount": 1, "maxConcurrency": "50", "requestedDateTime": "Oct 1, 2026, 8:00:00 AM"}}),
            ),
            ("ssm", "GetParameter" | "GetParameters") => (
                json!({"names": [format!("/app/{}/config", self.hex(4))], "withDecryption": false}),
                Value::Null,
            ),
            ("ec2", "DescribeInstances") => {
                let items: Vec<Value> = (0..self.rng.usize(1..6))
                    .map(|_| json!({"instanceId": format!("i-0{}", self.hex(16))}))
                    .collect();
                (
                    json!({"instancesSet": {"items": items}, "filterSet": {"items": [{"name": "instance-state-name", "valueSet": {"items": [{"value": "running"}]}}]}}),
                    Value::Null,
                )
            }
            ("kms", _) => (
                json!({
                    "encryptionContext": {"PARAMETER_ARN": format!("arn:aws:ssm:{region}:{account}:parameter/app/{}", self.hex(6))},
                    "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                    "keyId": format!("arn:aws:kms:{region}:{account}:key/{}", self.uuid()),
                }),
                Value::Null,
            ),
            ("sts", "AssumeRole") => {
                let role = self.pick(&ROLES);
                (
                    json!({"roleArn": format!("arn:aws:iam::{account}:role/{role}"), "roleSessionName": node, "durationSeconds": 3600}),
                    json!({
                        "credentials": {"accessKeyId": format!("ASIA{}", self.upper(16)), "sessionToken": format!("IQoJb3JpZ2luX2Vj{}", self.hex(240)), "expiration": "Oct 1, 2026, 9:00:00 AM"},
                        "assumedRoleUser": {"assumedRoleId": format!("AROA{}:{node}", self.upper(17)), "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{node}")},
                    }),
                )
            }
            _ => (
                json!({"maxResults": 100, "name": format!("resource-{}", self.hex(8))}),
                Value::Null,
            ),
        }
    }
}

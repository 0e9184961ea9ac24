//! Lines of a streamed session, as many log events.
#![no_main]

use ingest::{Limits, Problem, ProblemKind, RawRecord, Sink, TranscriptHead, Want};
use libfuzzer_sys::fuzz_target;
use model::Command;

struct Check {
    last: u32,
    transcripts: u32,
}

impl Sink for Check {
    fn record(&mut self, _: &RawRecord<'_>) {
        panic!("what a session prints is no record");
    }
    fn command(&mut self, _: &TranscriptHead, command: Command) {
        assert!(command.ordinal >= self.last);
        self.last = command.ordinal;
        assert!(command.time.is_some() && command.time <= command.time_end);
    }
    fn transcript(&mut self, _: &TranscriptHead) {
        self.transcripts += 1;
    }
    fn problem(&mut self, problem: Problem) {
        assert_ne!(problem.kind, ProblemKind::Failed, "{}", problem.reason);
    }
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut artifact = String::new();
    for (at, lines) in lines.chunks(3).enumerate() {
        let event = serde_json::json!({
            "eventVersion": "1.0",
            "eventTime": format!("2026-11-20T06:{:02}:{:02}Z", at / 60 % 60, at % 60),
            "awsRegion": "us-east-1",
            "target": {"id": "i-02573cafcfEXAMPLE"},
            "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/Ops/alice"},
            "runAsUser": "ssm-user",
            "sessionId": "alice-0d225423a59c47fc5",
            "sessionData": lines,
        });
        artifact.push_str(&event.to_string());
        artifact.push('\n');
    }
    let limits = Limits::default();
    let opened = ingest::open("stream.jsonl", artifact.as_bytes(), &limits).expect("it is JSON");
    let mut check = Check { last: 0, transcripts: 0 };
    ingest::decode(opened, Want::All, &limits, &mut check);
    assert_eq!(check.transcripts, 1);
});

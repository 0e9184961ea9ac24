//! A transcript in each form that is a file: S3 object, upload, raw, PowerShell.
#![no_main]

use ingest::{Limits, Problem, RawRecord, Sink, TranscriptHead, Want};
use libfuzzer_sys::fuzz_target;
use model::{Command, Observation};

#[derive(Default)]
struct Check {
    last: u32,
    length: u64,
}

impl Sink for Check {
    fn record(&mut self, _: &RawRecord<'_>) {
        panic!("a transcript's name holds, whatever it prints");
    }
    fn command(&mut self, _: &TranscriptHead, command: Command) {
        assert!(command.ordinal >= self.last, "commands come in order");
        self.last = command.ordinal;
        assert!(command.bytes.start <= command.bytes.end && command.bytes.end <= self.length, "{:?}", command.bytes);
        assert!(command.text.len() <= 65 << 10);
    }
    fn observation(&mut self, _: &TranscriptHead, observation: &Observation) {
        assert!(observation.count > 0);
    }
    fn transcript(&mut self, _: &TranscriptHead) {}
    fn problem(&mut self, _: Problem) {}
}

fuzz_target!(|data: &[u8]| {
    // A key that the agent chose: the content decides between the forms.
    let name = "alice-0d225423a59c47fc5.log";
    let limits = Limits { max_inflated: 8 << 20, ..Limits::default() };
    if let Ok(opened) = ingest::open(name, data, &limits) {
        if data.starts_with(b"{") {
            return;
        }
        let mut check = Check { last: 0, length: if data.starts_with(&[0x1f, 0x8b]) { u64::MAX } else { data.len() as u64 } };
        ingest::decode(opened, Want::All, &limits, &mut check);
    }
});

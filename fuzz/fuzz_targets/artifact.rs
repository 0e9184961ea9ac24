//! Anything at all, whose form is told by its content: CloudTrail files, envelopes, exports, log events.
#![no_main]

use ingest::{Limits, Problem, RawRecord, Sink, TranscriptHead, Want};
use libfuzzer_sys::fuzz_target;
use model::Command;

struct Count(u64);

impl Sink for Count {
    fn record(&mut self, record: &RawRecord<'_>) {
        self.0 += 1;
        let _ = ingest::decode::Record::parse(record.bytes);
        if let Ok(texts) = ingest::decode::Texts::read(record) {
            let _ = ingest::decode::Record::of(&texts.pack().texts());
        }
    }
    fn command(&mut self, _: &TranscriptHead, _: Command) {}
    fn transcript(&mut self, _: &TranscriptHead) {}
    fn problem(&mut self, problem: Problem) {
        assert!(!problem.reason.is_empty());
    }
}

fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_inflated: 8 << 20, max_item: 1 << 20, ..Limits::default() };
    if let Ok(opened) = ingest::open("anything", data, &limits) {
        ingest::decode(opened, Want::All, &limits, &mut Count(0));
    }
});

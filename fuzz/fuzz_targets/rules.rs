//! Any text as a file of rules, with its cases: read, linked, linted, compiled, asked. Nothing may panic, hang or grow.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use model::EventKind;
use rules::check::{Circumstances, check};
use rules::evaluate::{BadJson, Wanted, explain, fill_from_json, full_scan};
use rules::{Correlator, Evaluator, Event, Pack, PackFile, Pivot, RuleSet, Slots};

struct Json(&'static [u8]);

impl Event for Json {
    fn fill(&self, wanted: &Wanted<'_>, slots: &mut Slots) -> Result<(), BadJson> {
        fill_from_json(self.0, wanted, slots)
    }
}

const EVENT: &[u8] = br#"{"eventName":"StartSession","eventSource":"ssm.amazonaws.com","a":{"b":["x",7,null,"10.0.0.1"]},"b":"2026-11-20T08:00:00Z","c":null,"text":"sudo su -"}"#;

fuzz_target!(|text: &str| {
    let lists = PackFile { path: "lists/ok.yml".into(), text: "[one, 't*o']".into() };
    let pack = Pack::read([lists, PackFile { path: "r.yml".into(), text: text.into() }]);
    for problem in &pack.problems {
        // Whoever renders it slices the text there.
        let _ = problem.to_string();
        assert!(problem.source.text.get(problem.span.clone()).is_some() || problem.span.start >= problem.source.text.len());
    }
    let today = jiff::civil::date(2026, 11, 20);
    let _ = check(&pack, &Circumstances { read: &EventKind::ALL, tested: &HashSet::new(), today });
    let set = RuleSet::compile(pack);
    let mut evaluator = Evaluator::new(&set);
    let mut correlator = Correlator::new(&set);
    let value: serde_json::Value = serde_json::from_slice(EVENT).expect("JSON");
    for kind in EventKind::ALL {
        let mut found = Vec::new();
        let _ = evaluator.evaluate(kind, Pivot::default(), &Json(EVENT), |m| {
            found.push(m.index);
            correlator.add(m.index, jiff::Timestamp::from_second(found.len() as i64).ok(), 1, m.captures.clone(), ());
        });
        assert_eq!(found, full_scan(&set, kind, &value));
        // What is ruled out by the record's bytes alone.
        let mut screened = Vec::new();
        let pivot = Pivot { record: Some(EVENT), ..Pivot::default() };
        let _ = evaluator.evaluate(kind, pivot, &Json(EVENT), |m| screened.push(m.index));
        assert_eq!(found, screened);
        for at in 0..set.rules().len().min(3) {
            if let Ok(Some(told)) = explain(&set, at, kind, &Json(EVENT)) {
                assert_eq!(told.fires, found.contains(&at));
                assert_eq!(told.distance == 0, told.fires);
            }
        }
    }
    let _ = correlator.finish(|_| ());
});

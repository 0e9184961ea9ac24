//! What happens where there are too many.

use super::*;
use crate::pack::{Pack, PackFile};

fn set(correlation: &str) -> RuleSet {
    let text = format!(
        "title: A\nname: a\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{s: {{k: a}}, condition: s}}\n---\n\
         title: C\ncorrelation: {{rules: [a], timespan: 1h, {correlation}}}\n"
    );
    let pack = Pack::read([PackFile { path: "r.yml".into(), text }]);
    assert!(pack.problems.is_empty(), "{:?}", pack.problems);
    RuleSet::compile(pack)
}

/// Adds a match whose fields all have this value.
fn add(correlator: &mut Correlator<'_, usize>, set: &RuleSet, second: i64, value: &str) {
    let captures = Captures::new(set.captures(0).iter().map(|_| [value]), &mut Vec::new());
    let (time, id) = (Timestamp::from_second(second).ok(), u128::try_from(second).unwrap());
    correlator.add(0, time, id, captures, usize::try_from(second).unwrap());
}

#[test]
fn of_a_value_that_goes_up_and_down_the_newest_bursts_fire() {
    let set = set("type: value_avg, condition: {field: v, gt: 5}");
    let mut correlator = Correlator::new(&set);
    let mut sum = 0;
    for second in 1..1_000 {
        // The average is above five at every second event, and not at the others.
        let target = 5 * second + i64::from(second % 2 == 0);
        add(&mut correlator, &set, second, &(target - sum).to_string());
        sum = target;
    }
    let outcome = correlator.finish(|_| 0);
    assert_eq!(outcome.fires.len(), MAX_BURSTS);
    assert!(outcome.notices[0].contains("435 older ones are not"), "{:?}", outcome.notices);
    // Each has its own hits, from the first of its window on.
    let last = outcome.fires.last().unwrap();
    assert_eq!((last.hits.first(), last.hits.last()), (Some(&1), Some(&998)));
    let ids: std::collections::BTreeSet<u128> = outcome.fires.iter().map(|fire| fire.id).collect();
    assert_eq!(ids.len(), MAX_BURSTS);
}

#[test]
fn which_groups_are_given_up_does_not_depend_on_the_order() {
    let set = set("type: event_count, group-by: [u], condition: {gte: 1}");
    let most = i64::try_from(MAX_HITS).unwrap() + 10_000;
    let seen = |backwards: bool| {
        let mut correlator = Correlator::new(&set);
        for at in 1..=most {
            let second = if backwards { most + 1 - at } else { at };
            add(&mut correlator, &set, second, &format!("user-{second}"));
        }
        let outcome = correlator.finish(|_| 0);
        assert!(outcome.notices[0].contains("some groups were not correlated"));
        outcome.fires.iter().map(|fire| fire.id).collect::<Vec<_>>()
    };
    let forwards = seen(false);
    assert_eq!(forwards.len(), MAX_HITS);
    assert_eq!(seen(true), forwards);
}

//! What is worth telling of a correlation.

use model::EventKind;

use super::fields::{self, Known};
use super::{ALIAS_INCOMPLETE, Checker, NEVER_MATCHES, SILENCED, UNKNOWN_FIELD, UNUSED_SELECTION};
use crate::sigma::{Correlation, CorrelationCondition, CorrelationKind};
use crate::{LinkedCorrelation, Member};

impl Checker<'_> {
    pub(super) fn correlation(&mut self, linked: &LinkedCorrelation) {
        let correlation = &linked.correlation;
        self.meta(&correlation.meta);
        self.told(&correlation.meta);
        self.names(linked);
        if !may_fire(correlation) {
            self.lint(
                NEVER_MATCHES,
                &correlation.meta.source,
                correlation.condition_span.clone(),
                "no count of matches fits",
                "a count is a whole number from 1 on; of a temporal correlation it is how many of its rules matched",
            );
        }
        if correlation.generate.is_some() {
            return;
        }
        for (member, reference) in linked.members.iter().zip(&correlation.rules) {
            let meta = self.meta_of(*member);
            if meta.source.name != correlation.meta.source.name {
                let message = format!("`{}` is not told on its own any more", meta.info.title);
                let help = "write `generate: true` if it shall be, `generate: false` if not";
                let span = reference.span.clone();
                self.lint(SILENCED, &correlation.meta.source, span, message, help);
            }
        }
    }

    /// The fields that a correlation asks of its members' events.
    fn names(&mut self, linked: &LinkedCorrelation) {
        let correlation = &linked.correlation;
        let source = &correlation.meta.source;
        let place = |name: &str| {
            let start = correlation.rules_span.start.min(correlation.condition_span.start);
            let rest = source.text.get(start..correlation.meta.span.end).unwrap_or_default();
            let at = rest.find(name).map_or(start, |at| start + at);
            at..at + name.len()
        };
        if let CorrelationCondition::Rules(condition) = &correlation.condition {
            let mut used = Vec::new();
            condition.searches(&mut used);
            for (at, reference) in correlation.rules.iter().enumerate() {
                if !used.contains(&at) {
                    let message = format!("the condition does not name `{}`", reference.text);
                    let help = "name it in the condition, or remove it from `rules`";
                    self.lint(UNUSED_SELECTION, source, reference.span.clone(), message, help);
                }
            }
        }
        for (alias, members) in correlation.aliases.iter().zip(&linked.alias_members) {
            if !correlation
                .group_by
                .iter()
                .chain(&correlation.fields)
                .any(|name| *name == alias.name)
            {
                let message = format!("nothing asks for the alias `{}`", alias.name);
                let help = "name it in `group-by` or in `field`, or remove it";
                self.lint(UNUSED_SELECTION, source, place(&alias.name), message, help);
                continue;
            }
            for (index, reference) in correlation.rules.iter().enumerate() {
                if !members.contains(&linked.members[index]) {
                    let message =
                        format!("alias `{}` has no field for `{}`", alias.name, reference.text);
                    let help = format!("in its events a field `{}` is looked for", alias.name);
                    self.lint(ALIAS_INCOMPLETE, source, place(&alias.name), message, help);
                }
            }
        }
        for name in correlation.group_by.iter().chain(&correlation.fields) {
            for (index, member) in linked.members.iter().enumerate() {
                let field = linked.field(index, name);
                let Known::No(near) = self.known_to(*member, field) else { continue };
                let meta = self.meta_of(*member);
                let message = format!("no event of `{}` has a field `{field}`", meta.info.title);
                let help = near.map_or_else(
                    || "such an event belongs to no group, so this never fires".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                self.lint(UNKNOWN_FIELD, source, place(field), message, help);
                break;
            }
        }
    }

    /// Do a member's events have this field?
    fn known_to(&self, member: Member, field: &str) -> Known {
        match member {
            Member::Rule(at) => {
                let rule = &self.pack.rules[at];
                let applies = |kind: &EventKind| rule.logsource.applies_to(*kind);
                let kinds: Vec<EventKind> = EventKind::ALL.into_iter().filter(applies).collect();
                if kinds.is_empty() {
                    return Known::Yes;
                }
                fields::known(field, &kinds, &self.pack.calendars)
            }
            Member::Correlation(at) => {
                let linked = &self.pack.correlations[at];
                if linked.correlation.group_by.iter().any(|own| own == field) {
                    return Known::Yes;
                }
                let mut known = Known::No(None);
                for (index, member) in linked.members.iter().enumerate() {
                    known = self.known_to(*member, linked.field(index, field));
                    if known == Known::Yes {
                        break;
                    }
                }
                known
            }
        }
    }
}

/// Is there a count with which the condition holds? Sums and averages may come to anything.
fn may_fire(correlation: &Correlation) -> bool {
    let CorrelationCondition::Bounds(bounds) = &correlation.condition else { return true };
    let kind = &correlation.kind;
    let most = match kind {
        CorrelationKind::EventCount | CorrelationKind::ValueCount => f64::from(u32::MAX),
        #[expect(clippy::cast_precision_loss, reason = "a handful of rules")]
        _ if kind.is_temporal() => correlation.rules.len() as f64,
        _ => return true,
    };
    // What decides lies at a bound or beside it.
    let near = bounds.iter().flat_map(|bound| [-1.0, 0.0, 1.0].map(|by| bound.number.floor() + by));
    let mut counts = near.chain([1.0, most]).filter(|count| (1.0..=most).contains(count));
    counts.any(|count| bounds.iter().all(|bound| bound.holds(count)))
}

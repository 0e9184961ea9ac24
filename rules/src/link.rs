//! Documents that speak of one another: filters are laid on their rules, correlations find their members.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::correlate::MAX_GROUP;
use crate::diagnostic::{Diagnostic, Source};
use crate::sigma::condition::Condition;
use crate::sigma::spelling;
use crate::sigma::{
    Correlation, CorrelationCondition, CorrelationKind, Documents, Filter, Meta, Reference, Rule,
    Selection,
};

/// What a correlation is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// The rule with this index.
    Rule(usize),
    /// The correlation with this index.
    Correlation(usize),
}

/// A correlation and its members.
#[derive(Clone, Debug)]
pub struct LinkedCorrelation {
    /// As it was written.
    pub correlation: Correlation,
    /// By the index of [`Correlation::rules`].
    pub members: Vec<Member>,
    /// The members that an alias speaks of: by alias, by field.
    pub(crate) alias_members: Vec<Vec<Member>>,
}

/// Documents, linked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Linked {
    pub(crate) rules: Vec<Rule>,
    pub(crate) correlations: Vec<LinkedCorrelation>,
    pub(crate) filters: Vec<Filter>,
}

pub(crate) fn link(read: Documents, problems: &mut Vec<Diagnostic>) -> Linked {
    let Documents { rules, correlations, filters } = read;
    let mut names = Names::default();
    let mut kept_rules = Vec::new();
    for rule in rules {
        if names.take(&rule.meta, Member::Rule(kept_rules.len()), problems) {
            kept_rules.push(rule);
        }
    }
    let mut kept = Vec::new();
    for correlation in correlations {
        if names.take(&correlation.meta, Member::Correlation(kept.len()), problems) {
            kept.push(correlation);
        }
    }
    let mut own_ids = HashMap::new();
    for filter in &filters {
        let id = filter.meta.info.id.as_str();
        if let Some(first) = own_ids.insert(id, &filter.meta) {
            problems.push(taken(&filter.meta, id, &first.source.name));
        }
    }
    for filter in &filters {
        apply(filter, &mut kept_rules, &names, problems);
    }
    let correlations = members(kept, &names, problems);
    Linked { rules: kept_rules, correlations, filters }
}

/// What can be referred to, by id and by name.
#[derive(Default)]
struct Names {
    members: HashMap<String, (Member, Arc<Source>)>,
}

fn taken(meta: &Meta, name: &str, first: &str) -> Diagnostic {
    let message = format!("the id or name `{name}` is taken");
    Diagnostic::error(&meta.source, meta.title_span.clone(), message)
        .with_help(format!("the first is in {first}"))
}

impl Names {
    /// Notes a document's names; `false` if one of them is taken.
    fn take(&mut self, meta: &Meta, member: Member, problems: &mut Vec<Diagnostic>) -> bool {
        for name in meta.names() {
            if let Some((_, first)) = self.members.get(name) {
                problems.push(taken(meta, name, &first.name));
                return false;
            }
        }
        for name in meta.names() {
            self.members.insert(name.to_owned(), (member, Arc::clone(&meta.source)));
        }
        true
    }

    fn find(
        &self,
        reference: &Reference,
        source: &Arc<Source>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Member> {
        let found = self.members.get(&reference.text).map(|(member, _)| *member);
        if found.is_none() {
            let message = format!("there is no rule `{}`", reference.text);
            let mut problem = Diagnostic::error(source, reference.span.clone(), message);
            let known = self.members.keys().map(String::as_str);
            problem.help = Some(spelling::nearest(&reference.text, known).map_or_else(
                || "a rule is referred to by its `id` or `name`; is its file here, and without errors?".into(),
                |near| format!("did you mean `{near}`?"),
            ));
            problems.push(problem);
        }
        found
    }
}

/// Lays a filter on its rules.
fn apply(filter: &Filter, rules: &mut [Rule], names: &Names, problems: &mut Vec<Diagnostic>) {
    let meta = &filter.meta;
    let chosen: Vec<usize> = match &filter.rules {
        None => (0..rules.len()).filter(|&at| covers(filter, &rules[at])).collect(),
        Some(references) => {
            let mut chosen = Vec::new();
            for reference in references {
                match names.find(reference, &meta.source, problems) {
                    Some(Member::Rule(at)) if covers(filter, &rules[at]) => chosen.push(at),
                    Some(Member::Rule(at)) => problems.push(
                        Diagnostic::error(
                            &meta.source,
                            reference.span.clone(),
                            format!("this rule is not for {}", filter.logsource),
                        )
                        .with_help(format!(
                            "it is for {}, so the filter does nothing there",
                            rules[at].logsource
                        ))
                        .warning(),
                    ),
                    Some(Member::Correlation(_)) => problems.push(
                        Diagnostic::error(
                            &meta.source,
                            reference.span.clone(),
                            "a filter is for rules, this is a correlation",
                        )
                        .with_help("name the rules that it is made of"),
                    ),
                    None => {}
                }
            }
            chosen
        }
    };
    for at in chosen {
        let rule = &mut rules[at];
        let first = rule.selections.len();
        rule.selections.extend(filter.selections.iter().map(|selection| Selection {
            name: format!("{}/{}", meta.info.title, selection.name),
            ..selection.clone()
        }));
        let own = std::mem::replace(&mut rule.condition, Condition::Or(Vec::new()));
        rule.condition = Condition::And(vec![own, filter.condition.shifted(first)]);
    }
}

/// Is the filter for rules of this log source? Each part that it names has to be the rule's own.
fn covers(filter: &Filter, rule: &Rule) -> bool {
    let fits = |wanted: &Option<String>, own: &Option<String>| match (wanted, own) {
        (Some(wanted), Some(own)) => wanted.eq_ignore_ascii_case(own),
        (wanted, _) => wanted.is_none(),
    };
    let (wanted, own) = (&filter.logsource, &rule.logsource);
    fits(&wanted.category, &own.category)
        && fits(&wanted.product, &own.product)
        && fits(&wanted.service, &own.service)
}

/// Finds the members of correlations, and puts each behind its members.
fn members(
    correlations: Vec<Correlation>,
    names: &Names,
    problems: &mut Vec<Diagnostic>,
) -> Vec<LinkedCorrelation> {
    let mut found: Vec<Option<Vec<Member>>> = Vec::new();
    let mut aliases: Vec<Vec<Vec<Member>>> = Vec::new();
    for correlation in &correlations {
        let source = &correlation.meta.source;
        let mut resolve = |reference: &Reference| names.find(reference, source, problems);
        let own: Vec<Option<Member>> = correlation.rules.iter().map(&mut resolve).collect();
        let mut complete = own.iter().all(Option::is_some);
        let own: Vec<Member> = own.into_iter().flatten().collect();
        let mut indices = Vec::new();
        for alias in &correlation.aliases {
            let mut of_alias = Vec::new();
            for (reference, _) in &alias.fields {
                let member = names.find(reference, source, problems);
                match member.filter(|member| own.contains(member)) {
                    Some(member) => of_alias.push(member),
                    None if member.is_none() => complete = false,
                    None => {
                        complete = false;
                        let message = format!("`{}` is none of `rules`", reference.text);
                        problems.push(Diagnostic::error(source, reference.span.clone(), message));
                    }
                }
            }
            indices.push(of_alias);
        }
        complete &= check(correlation, &own, problems);
        found.push(complete.then_some(own));
        aliases.push(indices);
    }
    let order = order(&correlations, &found, problems);
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut slots: Vec<Option<Correlation>> = correlations.into_iter().map(Some).collect();
    let mut linked = Vec::new();
    for old in order {
        let (Some(correlation), Some(members)) = (slots[old].take(), found[old].take()) else {
            continue;
        };
        let moved = members.into_iter().map(|member| match member {
            Member::Correlation(at) => place.get(&at).copied().map(Member::Correlation),
            rule @ Member::Rule(_) => Some(rule),
        });
        if let Some(members) = moved.collect::<Option<Vec<Member>>>() {
            // They were renumbered above; what an alias speaks of is one of them.
            let renumber = |member: Member| match member {
                Member::Correlation(at) => {
                    place.get(&at).copied().map_or(member, Member::Correlation)
                }
                Member::Rule(_) => member,
            };
            let alias_members = std::mem::take(&mut aliases[old])
                .into_iter()
                .map(|members| members.into_iter().map(renumber).collect())
                .collect();
            place.insert(old, linked.len());
            linked.push(LinkedCorrelation { correlation, members, alias_members });
        } else {
            let message = "this is made of a correlation that is wrong";
            let span = correlation.rules_span.clone();
            problems.push(Diagnostic::error(&correlation.meta.source, span, message));
        }
    }
    linked
}

/// What can be wrong when the members are known.
fn check(correlation: &Correlation, own: &[Member], problems: &mut Vec<Diagnostic>) -> bool {
    let source = &correlation.meta.source;
    let mut wrong = |span: &Range<usize>, message: String, help: &str| {
        let span = span.clone();
        problems.push(Diagnostic::error(source, span, message).with_help(help));
        false
    };
    if correlation.kind.is_temporal() && own.len() < 2 {
        return wrong(
            &correlation.rules_span,
            format!("`{}` needs two rules at least", correlation.kind.as_str()),
            "to count the matches of one, use `event_count`",
        );
    }
    let twice = own.iter().enumerate().any(|(at, member)| own[..at].contains(member));
    if twice && correlation.kind != CorrelationKind::TemporalOrdered {
        return wrong(&correlation.rules_span, "a rule is named twice".into(), "name each once");
    }
    match &correlation.condition {
        CorrelationCondition::Bounds(bounds) => {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let most = MAX_GROUP as f64;
            let counts = matches!(
                correlation.kind,
                CorrelationKind::EventCount | CorrelationKind::ValueCount
            );
            if counts && bounds.iter().any(|bound| bound.number > most) {
                return wrong(
                    &correlation.condition_span,
                    format!("more than {MAX_GROUP} matches of a group are not kept"),
                    "ask for fewer, in a shorter timespan",
                );
            }
        }
        CorrelationCondition::Rules(condition) => {
            let conjunction = match condition {
                Condition::And(items) => {
                    items.iter().all(|item| matches!(item, Condition::Search(_)))
                }
                _ => false,
            };
            if correlation.kind == CorrelationKind::TemporalOrdered && !conjunction {
                return wrong(
                    &correlation.condition_span,
                    "in order, only all of the rules can be asked for".into(),
                    "use `temporal` for other conditions",
                );
            }
        }
    }
    true
}

/// The correlations, each behind those that it is made of; those in a circle are refused.
fn order(
    correlations: &[Correlation],
    members: &[Option<Vec<Member>>],
    problems: &mut Vec<Diagnostic>,
) -> Vec<usize> {
    let inner = |at: usize| {
        let own = members[at].as_deref().unwrap_or_default().iter();
        own.filter_map(|member| match member {
            Member::Correlation(inner) => Some(*inner),
            Member::Rule(_) => None,
        })
    };
    let mut order = Vec::new();
    let mut placed = vec![false; correlations.len()];
    loop {
        let ready: Vec<usize> = (0..correlations.len())
            .filter(|&at| !placed[at] && inner(at).all(|inner| placed[inner]))
            .collect();
        if ready.is_empty() {
            break;
        }
        for at in ready {
            placed[at] = true;
            order.push(at);
        }
    }
    for (at, correlation) in correlations.iter().enumerate().filter(|(at, _)| !placed[*at]) {
        // Only what is itself part of a circle is named; the others would be told the same.
        let mut reach: Vec<usize> = inner(at).collect();
        let mut seen = vec![false; correlations.len()];
        while let Some(next) = reach.pop() {
            if !std::mem::replace(&mut seen[next], true) {
                reach.extend(inner(next));
            }
        }
        let message = if seen[at] {
            "this correlation is made of itself"
        } else {
            "this is made of a correlation that is wrong"
        };
        let span = correlation.rules_span.clone();
        problems.push(Diagnostic::error(&correlation.meta.source, span, message));
    }
    order
}

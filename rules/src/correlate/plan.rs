//! Which fields every rule's matches have to carry along, for the correlations above it.

use std::collections::HashMap;

use crate::link::{LinkedCorrelation, Member};

/// A correlation's part of the plan.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// By member: where its captures hold the values of `group-by`.
    pub(crate) group: Vec<Vec<usize>>,
    /// By member: where they hold the values of the correlation's own fields.
    pub(crate) fields: Vec<Vec<usize>>,
    /// What is asked for of its fires.
    pub(crate) captures: Vec<String>,
    /// By capture, by member: where the member's captures hold it.
    pub(crate) inner: Vec<Vec<usize>>,
    /// By capture: its place in `group-by`, if it has one.
    pub(crate) in_group: Vec<Option<usize>>,
    /// The correlations that are made of it, and as which member.
    pub(crate) listeners: Vec<(usize, usize)>,
}

impl Node {
    /// Is a member's match asked for more of its captures than what it is grouped by?
    pub(crate) fn reads_captures(&self, member: usize) -> bool {
        !self.fields[member].is_empty() || !self.captures.is_empty()
    }
}

/// Who listens to whom, and for which fields.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    rules: HashMap<usize, RulePart>,
}

#[derive(Debug, Default)]
struct RulePart {
    captures: Vec<String>,
    listeners: Vec<(usize, usize)>,
}

impl Plan {
    pub(crate) fn new(correlations: &[LinkedCorrelation]) -> Self {
        let mut plan = Self {
            nodes: correlations.iter().map(|_| Node::default()).collect(),
            ..Self::default()
        };
        // What is made of others comes behind them, so that its wishes are known first.
        for (at, linked) in correlations.iter().enumerate().rev() {
            let correlation = &linked.correlation;
            let captures = std::mem::take(&mut plan.nodes[at].captures);
            let mut node = Node {
                in_group: captures
                    .iter()
                    .map(|name| correlation.group_by.iter().position(|field| field == name))
                    .collect(),
                inner: captures.iter().map(|_| Vec::new()).collect(),
                listeners: std::mem::take(&mut plan.nodes[at].listeners),
                ..Node::default()
            };
            for (index, &member) in linked.members.iter().enumerate() {
                let mut place = |name: &String| plan.capture(member, linked.field(index, name));
                node.group.push(correlation.group_by.iter().map(&mut place).collect());
                node.fields.push(correlation.fields.iter().map(&mut place).collect());
                for (capture, name) in captures.iter().enumerate() {
                    let inner = place(name);
                    node.inner[capture].push(inner);
                }
                plan.listeners_mut(member).push((at, index));
            }
            plan.nodes[at] = Node { captures, ..node };
        }
        plan
    }

    /// The place of a field among a member's captures.
    fn capture(&mut self, member: Member, field: &str) -> usize {
        let captures = match member {
            Member::Rule(at) => &mut self.rules.entry(at).or_default().captures,
            Member::Correlation(at) => &mut self.nodes[at].captures,
        };
        captures.iter().position(|known| known == field).unwrap_or_else(|| {
            captures.push(field.to_owned());
            captures.len() - 1
        })
    }

    fn listeners_mut(&mut self, member: Member) -> &mut Vec<(usize, usize)> {
        match member {
            Member::Rule(at) => &mut self.rules.entry(at).or_default().listeners,
            Member::Correlation(at) => &mut self.nodes[at].listeners,
        }
    }

    /// The fields that the matches of a rule have to carry along.
    pub(crate) fn captures(&self, rule: usize) -> &[String] {
        self.rules.get(&rule).map_or(&[], |part| &part.captures)
    }

    /// The correlations that are made of a rule, and as which member.
    pub(crate) fn listeners(&self, rule: usize) -> &[(usize, usize)] {
        self.rules.get(&rule).map_or(&[], |part| &part.listeners)
    }

    /// Is any correlation made of the rule?
    pub(crate) fn is_listened_to(&self, rule: usize) -> bool {
        !self.listeners(rule).is_empty()
    }
}

impl LinkedCorrelation {
    /// What a member's events call the field that the correlation calls `name`.
    pub(crate) fn field<'a>(&'a self, member: usize, name: &'a str) -> &'a str {
        let alias = self.correlation.aliases.iter().zip(&self.alias_members);
        alias
            .filter(|(alias, _)| alias.name == name)
            .flat_map(|(alias, members)| alias.fields.iter().zip(members))
            .find(|(_, spoken)| **spoken == self.members[member])
            .map_or(name, |((_, field), _)| field)
    }
}

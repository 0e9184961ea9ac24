//! All predicates of one field, evaluated together.
//!
//! A value is folded once and then: looked up whole in a hash; run once through an automaton that holds
//! the literals of every pattern (a hit is checked against its pattern, so the automaton may let too much
//! through and never too little); run once through one engine that holds every regular expression.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind as LiteralMatchKind};
use regex_automata::meta;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};

use super::{Predicate, PredicateId};
use crate::sigma::{Part, Pattern, Test, fold};

/// Size limit of all expressions of a field together; beyond it each is run on its own.
const ALL_REGEXES: usize = 64 << 20;
/// Lazy DFA cache of all expressions of a field. The default thrashes with a few hundred of them.
const REGEX_CACHE: usize = 16 << 20;

/// The predicates of one field.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    folded: Texts,
    cased: Texts,
    regexes: Vec<Regexes>,
    /// Tested one by one.
    others: Vec<(PredicateId, Test)>,
    /// True if the field has any value that is not null.
    any: Vec<PredicateId>,
    present: Vec<PredicateId>,
    absent: Vec<PredicateId>,
    null: Vec<PredicateId>,
    /// Compared with another slot's values, by the evaluator.
    pub(crate) same: Vec<(PredicateId, String, bool)>,
}

#[derive(Debug, Default)]
struct Texts {
    whole: HashMap<Box<str>, Vec<PredicateId>>,
    literals: Option<AhoCorasick>,
    /// By literal: the predicates it may decide, with the pattern to check unless the hit is enough.
    owners: Vec<Vec<(PredicateId, Option<Pattern>)>>,
    /// No automaton could be built (there are limits far away): every owner is checked.
    scan: bool,
}

#[derive(Debug)]
struct Regexes {
    engine: meta::Regex,
    owners: Vec<PredicateId>,
}

impl Matcher {
    pub(crate) fn build<'a>(predicates: impl Iterator<Item = (usize, &'a Predicate)>) -> Self {
        let mut this = Self::default();
        let mut literals: [Vec<(String, PredicateId, Option<Pattern>)>; 2] = Default::default();
        let mut regexes = Vec::new();
        for (at, Predicate { test, .. }) in predicates {
            let id = PredicateId::try_from(at).unwrap_or(PredicateId::MAX);
            match test {
                Test::Exists(true) => this.present.push(id),
                Test::Exists(false) => this.absent.push(id),
                Test::Null => this.null.push(id),
                Test::SameAs { field, cased } => this.same.push((id, field.clone(), *cased)),
                Test::Regex(source) => regexes.push((id, source.as_str())),
                Test::Cidr(_) | Test::Number(..) => this.others.push((id, test.clone())),
                Test::Pattern { pattern, cased } => {
                    let texts = if *cased { &mut this.cased } else { &mut this.folded };
                    if let Some(text) = pattern.as_literal() {
                        texts.whole.entry(text.into()).or_default().push(id);
                    } else if pattern.parts() == [Part::Many] {
                        // For keywords too, any value will do.
                        this.any.push(id);
                    } else if pattern.longest_literal().is_empty() {
                        this.others.push((id, test.clone()));
                    } else {
                        let enough =
                            matches!(pattern.parts(), [Part::Many, Part::Literal(_), Part::Many]);
                        literals[usize::from(*cased)].push((
                            pattern.longest_literal().to_owned(),
                            id,
                            (!enough).then(|| pattern.clone()),
                        ));
                    }
                }
            }
        }
        let [folded, cased] = literals;
        this.folded.build(folded);
        this.cased.build(cased);
        this.regexes = Regexes::build(&regexes);
        this
    }

    /// Calls `hit` for every predicate that holds, more than once for some. `texts` are the values that
    /// are not null; `is_present`: the field is there, be it null.
    pub(crate) fn run<'v>(
        &self,
        texts: impl Iterator<Item = &'v str>,
        is_present: bool,
        hit: &mut impl FnMut(PredicateId),
    ) {
        let mut any = false;
        for text in texts {
            any = true;
            self.value(text, hit);
        }
        let state: &[&[PredicateId]] = match (is_present, any) {
            (_, true) => &[&self.present, &self.any],
            (true, false) => &[&self.present, &self.null],
            (false, false) => &[&self.absent, &self.null],
        };
        state.iter().copied().flatten().copied().for_each(hit);
    }

    fn value(&self, text: &str, hit: &mut impl FnMut(PredicateId)) {
        if !self.folded.is_empty() {
            // Most values are short and lower case already; folding them is a copy.
            self.folded.value(&fold(text), hit);
        }
        if !self.cased.is_empty() {
            self.cased.value(text, hit);
        }
        for regexes in &self.regexes {
            let mut found = PatternSet::new(regexes.engine.pattern_len());
            regexes.engine.which_overlapping_matches(&Input::new(text), &mut found);
            found.iter().for_each(|pattern| hit(regexes.owners[pattern.as_usize()]));
        }
        for (id, test) in &self.others {
            if test.matches(text) {
                hit(*id);
            }
        }
    }
}

impl Texts {
    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.owners.is_empty()
    }

    fn build(&mut self, patterns: Vec<(String, PredicateId, Option<Pattern>)>) {
        if patterns.is_empty() {
            return;
        }
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut needles: Vec<String> = Vec::new();
        for (literal, id, pattern) in patterns {
            let at = *index.entry(literal.clone()).or_insert_with(|| {
                needles.push(literal);
                self.owners.push(Vec::new());
                needles.len() - 1
            });
            self.owners[at].push((id, pattern));
        }
        self.literals =
            AhoCorasick::builder().match_kind(LiteralMatchKind::Standard).build(&needles).ok();
        if self.literals.is_none() {
            self.scan = true;
            for (owners, needle) in self.owners.iter_mut().zip(&needles) {
                for (_, pattern) in owners {
                    pattern.get_or_insert_with(|| Pattern::literal(needle).open_start().open_end());
                }
            }
        }
    }

    fn value(&self, text: &str, hit: &mut impl FnMut(PredicateId)) {
        if let Some(ids) = self.whole.get(text) {
            ids.iter().copied().for_each(&mut *hit);
        }
        if self.scan {
            for (id, pattern) in self.owners.iter().flatten() {
                if pattern.as_ref().is_some_and(|pattern| pattern.matches(text)) {
                    hit(*id);
                }
            }
        }
        let Some(literals) = &self.literals else { return };
        let mut last = None;
        for found in literals.find_overlapping_iter(text) {
            let at = found.pattern().as_usize();
            // `aaaa` holds `aa` three times: the same check need not be made in a row.
            if last.replace(at) == Some(at) {
                continue;
            }
            for (id, pattern) in &self.owners[at] {
                if pattern.as_ref().is_none_or(|pattern| pattern.matches(text)) {
                    hit(*id);
                }
            }
        }
    }
}

impl Regexes {
    /// All expressions in one engine, or in as many as their sizes ask for.
    fn build(sources: &[(PredicateId, &str)]) -> Vec<Self> {
        match sources {
            [] => Vec::new(),
            _ => match Self::engine(sources) {
                Some(one) => vec![one],
                // Each was compiled alone when its rule was read, so halving comes to an end.
                None if sources.len() == 1 => Vec::new(),
                None => {
                    let (a, b) = sources.split_at(sources.len() / 2);
                    let mut both = Self::build(a);
                    both.extend(Self::build(b));
                    both
                }
            },
        }
    }

    fn engine(sources: &[(PredicateId, &str)]) -> Option<Self> {
        let patterns: Vec<&str> = sources.iter().map(|(_, source)| *source).collect();
        let engine = meta::Regex::builder()
            .configure(
                meta::Config::new()
                    // Every expression that matches is wanted, not the leftmost first.
                    .match_kind(MatchKind::All)
                    .hybrid_cache_capacity(REGEX_CACHE)
                    .nfa_size_limit(Some(ALL_REGEXES)),
            )
            .syntax(syntax::Config::new().utf8(true))
            .build_many(&patterns)
            .ok()?;
        Some(Self { engine, owners: sources.iter().map(|(id, _)| *id).collect() })
    }
}

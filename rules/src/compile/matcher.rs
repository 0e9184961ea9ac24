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
use crate::sigma::{Part, Pattern, Shape, Test, fold};

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
    pub(crate) same: Vec<(PredicateId, Same)>,
}

/// Another field, and how its values stand in those of this one.
#[derive(Clone, Debug)]
pub(crate) struct Same {
    pub(crate) field: String,
    cased: bool,
    shape: Shape,
}

impl Same {
    /// Does `other` stand so in `text`?
    pub(crate) fn holds(&self, text: &str, other: &str) -> bool {
        if self.cased {
            self.shape.holds(text, other)
        } else {
            self.shape.holds(&fold(text), &fold(other))
        }
    }
}

#[derive(Debug, Default)]
struct Texts {
    whole: HashMap<Box<str>, Vec<PredicateId>>,
    literals: Option<AhoCorasick>,
    /// By literal: the predicates it may decide, and how.
    owners: Vec<Vec<(PredicateId, Check)>>,
    /// No automaton could be built (there are limits far away): every owner is checked.
    scan: bool,
}

/// What makes a hit of a literal a match of its pattern.
#[derive(Clone, Debug)]
enum Check {
    /// Nothing more.
    Found,
    /// It stands at the value's start.
    Start,
    /// It stands at the value's end.
    End,
    /// The whole pattern fits.
    Pattern(Pattern),
}

/// Memory for one value, used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// By literal: the value for which its patterns were last checked.
    checked: Vec<u64>,
    value: u64,
}

#[derive(Debug)]
struct Regexes {
    engine: meta::Regex,
    owners: Vec<PredicateId>,
}

impl Matcher {
    pub(crate) fn build<'a>(predicates: impl Iterator<Item = (usize, &'a Predicate)>) -> Self {
        let mut this = Self::default();
        let mut literals: [Vec<(String, PredicateId, Check)>; 2] = Default::default();
        let mut regexes = Vec::new();
        for (at, Predicate { test, .. }) in predicates {
            let id = PredicateId::try_from(at).unwrap_or(PredicateId::MAX);
            match test {
                Test::Exists(true) => this.present.push(id),
                Test::Exists(false) => this.absent.push(id),
                Test::Null => this.null.push(id),
                Test::SameAs { field, cased, shape } => {
                    let same = Same { field: field.clone(), cased: *cased, shape: *shape };
                    this.same.push((id, same));
                }
                Test::Regex(expression) => regexes.push((id, expression.source())),
                Test::Cidr(_) | Test::Number(..) | Test::Time { .. } => {
                    this.others.push((id, test.clone()))
                }
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
                        let check = match pattern.parts() {
                            [Part::Many, Part::Literal(_), Part::Many] => Check::Found,
                            [Part::Literal(_), Part::Many] => Check::Start,
                            [Part::Many, Part::Literal(_)] => Check::End,
                            _ => Check::Pattern(pattern.clone()),
                        };
                        let literal = pattern.longest_literal().to_owned();
                        literals[usize::from(*cased)].push((literal, id, check));
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
        scratch: &mut Scratch,
        hit: &mut impl FnMut(PredicateId),
    ) {
        let mut any = false;
        for text in texts {
            any = true;
            self.value(text, scratch, hit);
        }
        let state: &[&[PredicateId]] = match (is_present, any) {
            (_, true) => &[&self.present, &self.any],
            (true, false) => &[&self.present, &self.null],
            (false, false) => &[&self.absent, &self.null],
        };
        state.iter().copied().flatten().copied().for_each(hit);
    }

    fn value(&self, text: &str, scratch: &mut Scratch, hit: &mut impl FnMut(PredicateId)) {
        if !self.folded.is_empty() {
            // Most values are short and lower case already; folding them is a copy.
            self.folded.value(&fold(text), scratch, hit);
        }
        if !self.cased.is_empty() {
            self.cased.value(text, scratch, hit);
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

    fn build(&mut self, patterns: Vec<(String, PredicateId, Check)>) {
        if patterns.is_empty() {
            return;
        }
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut needles: Vec<String> = Vec::new();
        for (literal, id, check) in patterns {
            let at = *index.entry(literal.clone()).or_insert_with(|| {
                needles.push(literal);
                self.owners.push(Vec::new());
                needles.len() - 1
            });
            self.owners[at].push((id, check));
        }
        self.literals =
            AhoCorasick::builder().match_kind(LiteralMatchKind::Standard).build(&needles).ok();
        if self.literals.is_none() {
            self.scan = true;
            for (owners, needle) in self.owners.iter_mut().zip(&needles) {
                let literal = Pattern::literal(needle);
                for (_, check) in owners {
                    *check = Check::Pattern(match &*check {
                        Check::Found => literal.clone().open_start().open_end(),
                        Check::Start => literal.clone().open_end(),
                        Check::End => literal.clone().open_start(),
                        Check::Pattern(pattern) => pattern.clone(),
                    });
                }
            }
        }
    }

    fn value(&self, text: &str, scratch: &mut Scratch, hit: &mut impl FnMut(PredicateId)) {
        if let Some(ids) = self.whole.get(text) {
            ids.iter().copied().for_each(&mut *hit);
        }
        if self.scan {
            for (id, check) in self.owners.iter().flatten() {
                if matches!(check, Check::Pattern(pattern) if pattern.matches(text)) {
                    hit(*id);
                }
            }
        }
        let Some(literals) = &self.literals else { return };
        scratch.value += 1;
        if scratch.checked.len() < self.owners.len() {
            scratch.checked.resize(self.owners.len(), 0);
        }
        for found in literals.find_overlapping_iter(text) {
            let at = found.pattern().as_usize();
            // A literal may be found thousands of times; whether its patterns fit is asked once.
            let first = std::mem::replace(&mut scratch.checked[at], scratch.value) != scratch.value;
            for (id, check) in &self.owners[at] {
                let holds = match check {
                    Check::Found => first,
                    Check::Start => found.start() == 0,
                    Check::End => found.end() == text.len(),
                    Check::Pattern(pattern) => first && pattern.matches(text),
                };
                if holds {
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

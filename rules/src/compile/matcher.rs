//! All predicates of one field, evaluated together.
//!
//! A value is looked up whole in a hash; gone over once for the literals of every pattern (a hit is checked against its
//! pattern, so they may let too much through and never too little), among them text that regular expressions need: an
//! expression is run where its text was found. The few expressions that need no text are run as one engine. What came lately
//! is not looked at again.

use std::sync::OnceLock;

use foldhash::{HashMap, HashMapExt as _};

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::{Input, MatchKind, PatternSet};
use regex_syntax::hir::Hir;

use super::needles::Needles;
use super::remembered::Remembered;
use super::{Predicate, PredicateId, SlotId};
use crate::folded::Folded;
use crate::sigma::{Expression, Part, Pattern, Runner, Test};

/// Size limit of the expressions of a field that are run together. Beyond it an engine is slower than they are one by
/// one: its states do not fit its cache.
const ALL_REGEXES: usize = 4 << 20;
/// Lazy DFA cache of all expressions of a field. The default thrashes with a few hundred of them.
const REGEX_CACHE: usize = 16 << 20;

/// The predicates of one field.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    folded: Texts,
    cased: Texts,
    regexes: Regexes,
    /// Tested one by one.
    others: Vec<(PredicateId, Test)>,
    /// Does it take more than looking values up?
    is_dear: bool,
    /// True of a field that has a value, that is null, and that is not there.
    of_value: Vec<PredicateId>,
    of_null: Vec<PredicateId>,
    of_absence: Vec<PredicateId>,
}

#[derive(Debug, Default)]
struct Texts {
    whole: HashMap<Box<str>, Vec<PredicateId>>,
    /// Bit per length in bytes: is a text of it there? The last bit is for all longer ones.
    lengths: u64,
    literals: Needles,
    /// By literal: the predicates it may decide, and how.
    owners: Vec<Vec<(PredicateId, Check)>>,
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
    /// The expression is found, in the value as it is.
    Regex(Expression),
}

/// Memory for one value after the other.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// By slot.
    remembered: Vec<Remembered>,
    look: Look,
}

/// What looking at a value takes, used again for the next.
#[derive(Debug, Default)]
struct Look {
    /// By literal: the value for which its patterns were last checked.
    checked: Vec<u64>,
    value: u64,
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

/// Expressions that need no text, run together where that is faster.
#[derive(Debug)]
struct Regexes {
    expressions: Vec<(PredicateId, Expression)>,
    for_ascii: Runner,
    /// Built when it is first asked about any other text; `None` inside: they are too many for one engine.
    for_any: OnceLock<Option<meta::Regex>>,
}

impl Default for Regexes {
    fn default() -> Self {
        let for_ascii = Runner::new(ALL_REGEXES, REGEX_CACHE);
        Self { expressions: Vec::new(), for_ascii, for_any: OnceLock::new() }
    }
}

impl Matcher {
    pub(crate) fn build<'a>(predicates: impl Iterator<Item = (usize, &'a Predicate)>) -> Self {
        let mut this = Self::default();
        let mut literals: [Vec<(String, PredicateId, Check)>; 2] = Default::default();
        let mut regexes = Regexes::default();
        for (at, Predicate { test, .. }) in predicates {
            let id = PredicateId::try_from(at).unwrap_or(PredicateId::MAX);
            match test {
                Test::Exists(true) => {
                    this.of_value.push(id);
                    this.of_null.push(id);
                }
                Test::Exists(false) => this.of_absence.push(id),
                Test::Null => {
                    this.of_null.push(id);
                    this.of_absence.push(id);
                }
                // Asked of two fields, so no field's matcher can tell.
                Test::SameAs { .. } => {}
                Test::Regex(expression) => match expression.required() {
                    Some(texts) => literals[0].extend(
                        texts
                            .iter()
                            .map(|text| (text.clone(), id, Check::Regex(expression.clone()))),
                    ),
                    None => regexes.expressions.push((id, expression.clone())),
                },
                Test::Cidr(_) | Test::Number(..) | Test::Time { .. } => {
                    this.others.push((id, test.clone()));
                }
                Test::Pattern { pattern, cased } => {
                    let texts = if *cased { &mut this.cased } else { &mut this.folded };
                    if let Some(text) = pattern.as_literal() {
                        texts.whole.entry(text.into()).or_default().push(id);
                        texts.lengths |= length_bit(text.len());
                    } else if pattern.parts() == [Part::Many] {
                        // For keywords too, any value will do.
                        this.of_value.push(id);
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
        this.is_dear = !this.folded.owners.is_empty()
            || !this.cased.owners.is_empty()
            || !regexes.expressions.is_empty()
            || !this.others.is_empty();
        this.regexes = regexes;
        this
    }

    /// May one of the predicates hold where the field is not there?
    pub(crate) const fn tells_of_absence(&self) -> bool {
        !self.of_absence.is_empty()
    }

    /// Calls `hit` for every predicate that holds, more than once for some. `values` are those that
    /// are not null; `is_present`: the field is there, be it null. `event`: its number.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "of most fields little is done but to be called")]
    pub(crate) fn run<'v>(
        &self,
        slot: SlotId,
        (mut values, is_present): (impl Iterator<Item = &'v str>, bool),
        scratch: &mut Scratch,
        (event, folded): (u32, &mut Folded),
        hit: &mut impl FnMut(PredicateId),
    ) {
        let Some(value) = values.next() else {
            let state = if is_present { &self.of_null } else { &self.of_absence };
            state.iter().copied().for_each(hit);
            return;
        };
        self.value(slot, value, scratch, (event, folded), hit);
        for value in values {
            self.further(slot, value, scratch, folded, hit);
        }
        self.of_value.iter().copied().for_each(hit);
    }

    /// A value that is not the first.
    #[inline(never)]
    fn further(
        &self,
        slot: SlotId,
        value: &str,
        scratch: &mut Scratch,
        folded: &mut Folded,
        hit: &mut impl FnMut(PredicateId),
    ) {
        self.value(slot, value, scratch, (0, folded), hit);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn value(
        &self,
        slot: SlotId,
        value: &str,
        scratch: &mut Scratch,
        folded: (u32, &mut Folded),
        hit: &mut impl FnMut(PredicateId),
    ) {
        let Scratch { remembered, look } = scratch;
        if !self.is_dear {
            self.look(value, folded, look, hit);
            return;
        }
        if remembered.len() <= slot.index() {
            remembered.resize_with(slot.index() + 1, Remembered::default);
        }
        remembered[slot.index()].of(value, |hit| self.look(value, folded, look, hit), hit);
    }

    #[inline(never)]
    fn look(
        &self,
        value: &str,
        (event, folded): (u32, &mut Folded),
        look: &mut Look,
        hit: &mut dyn FnMut(PredicateId),
    ) {
        let Look { checked, value: number } = look;
        if !self.folded.is_empty() && !self.folded.rules_out(value) {
            let (folded, _) = folded.of(value, event);
            self.folded.value(folded, value, (&mut *checked, &mut *number), hit);
        }
        if !self.cased.is_empty() {
            self.cased.value(value, value, (checked, number), hit);
        }
        self.regexes.value(value, hit);
        for (id, test) in &self.others {
            if test.matches(value) {
                hit(*id);
            }
        }
    }
}

impl Texts {
    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.owners.is_empty()
    }

    /// Can none of them be the value, in whichever case it is written? Of ASCII the length stays the same.
    fn rules_out(&self, value: &str) -> bool {
        self.owners.is_empty() && self.lengths & length_bit(value.len()) == 0 && value.is_ascii()
    }

    fn build(&mut self, patterns: Vec<(String, PredicateId, Check)>) {
        if patterns.is_empty() {
            return;
        }
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut needles: Vec<Box<str>> = Vec::new();
        for (literal, id, check) in patterns {
            let at = *index.entry(literal).or_insert_with_key(|literal| {
                needles.push(literal.as_str().into());
                self.owners.push(Vec::new());
                needles.len() - 1
            });
            self.owners[at].push((id, check));
        }
        self.literals = Needles::new(needles);
    }

    /// `text`: the value as it is compared.
    fn value(
        &self,
        text: &str,
        original: &str,
        (checked, value): (&mut Vec<u64>, &mut u64),
        hit: &mut dyn FnMut(PredicateId),
    ) {
        if self.lengths & length_bit(text.len()) != 0
            && let Some(ids) = self.whole.get(text)
        {
            ids.iter().copied().for_each(&mut *hit);
        }
        if self.owners.is_empty() {
            return;
        }
        *value += 1;
        if checked.len() < self.owners.len() {
            checked.resize(self.owners.len(), 0);
        }
        self.literals.each(text, |at, start, end| {
            // A literal may be found thousands of times; whether its patterns fit is asked once.
            let first = std::mem::replace(&mut checked[at], *value) != *value;
            for (id, check) in &self.owners[at] {
                let holds = match check {
                    Check::Found => first,
                    Check::Start => start == 0,
                    Check::End => end == text.len(),
                    Check::Pattern(pattern) => first && pattern.matches(text),
                    Check::Regex(expression) => first && expression.is_match(original),
                };
                if holds {
                    hit(*id);
                }
            }
        });
    }
}

impl Regexes {
    fn value(&self, text: &str, hit: &mut dyn FnMut(PredicateId)) {
        if self.expressions.is_empty() {
            return;
        }
        if self.together(text, hit).is_some() {
            return;
        }
        for (id, expression) in &self.expressions {
            if expression.is_match(text) {
                hit(*id);
            }
        }
    }

    /// Tells which of them are found, as one engine says; `None` where there is none.
    fn together(&self, text: &str, hit: &mut dyn FnMut(PredicateId)) -> Option<()> {
        if self.expressions.len() == 1 {
            return None;
        }
        if text.is_ascii() {
            let programs = || self.expressions.iter().map(|(_, own)| own.program()).collect();
            return self.for_ascii.each(text, programs, |at| hit(self.expressions[at].0));
        }
        let engine = self.for_any.get_or_init(|| self.build_for_any()).as_ref()?;
        let mut found = PatternSet::new(engine.pattern_len());
        engine.which_overlapping_matches(&Input::new(text), &mut found);
        found.iter().for_each(|pattern| hit(self.expressions[pattern.as_usize()].0));
        Some(())
    }

    fn build_for_any(&self) -> Option<meta::Regex> {
        let parsed = self.expressions.iter().map(|(_, expression)| expression.hir());
        let parsed: Vec<Hir> = parsed.collect::<Option<_>>()?;
        meta::Regex::builder()
            .configure(
                meta::Config::new()
                    // Every expression that matches is wanted, not the leftmost first.
                    .match_kind(MatchKind::All)
                    .hybrid_cache_capacity(REGEX_CACHE)
                    // Where an expression asks for the border of a word, the engine of last resort runs; it keeps room for what
                    // each group has captured in each of its states: 200 MB, for nothing.
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(ALL_REGEXES)),
            )
            .build_many_from_hir(&parsed)
            .ok()
    }
}

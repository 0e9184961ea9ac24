//! Programs as one automaton, which reads a text once, from its start to its end.
//!
//! Its states are made as they are met, and it does not know where a match starts: to build it takes a tenth of the time that an engine
//! takes which does. Whether something is found is all that is asked here. It is built when so many texts have come that it is
//! worth it.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{BuildError, Builder, NFA, Transition};
use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::StateID;
use regex_automata::{Input, MatchKind, PatternSet};

use super::program::{FIRST, Program, Step, on};

/// An automaton that is being put together.
struct Assembly {
    builder: Builder,
    /// The number of the state that is added next.
    next: usize,
}

impl Assembly {
    fn added(&mut self, state: Result<StateID, BuildError>) -> Option<StateID> {
        let state = state.ok()?;
        self.next = state.as_usize() + 1;
        Some(state)
    }

    fn either(&mut self, all: Vec<StateID>) -> Option<StateID> {
        let state = self.builder.add_union(all);
        self.added(state)
    }

    /// Adds a program; where does it start?
    fn program(&mut self, program: &Program) -> Option<StateID> {
        // Each step becomes a state.
        let mut states = vec![self.next; program.code().len()];
        let mut at = FIRST;
        while let Some((_, behind)) = program.step(at) {
            states[at as usize] = self.next;
            self.next += 1;
            at = behind;
        }
        let state = |at: u32| StateID::new(*states.get(at as usize)?).ok();
        self.builder.start_pattern().ok()?;
        let mut at = FIRST;
        while let Some((step, behind)) = program.step(at) {
            match step {
                Step::Bytes(ranges) => {
                    let range = |&[start, end, ref way @ ..]: &[u8; 6]| {
                        Some(Transition { start, end, next: state(on(at, *way))? })
                    };
                    let ranges = ranges.iter().map(range).collect::<Option<_>>()?;
                    self.builder.add_sparse(ranges)
                }
                Step::Look(look, way) => self.builder.add_look(state(on(at, way))?, look),
                Step::Either(all) => {
                    let all = all.iter().map(|way| state(on(at, *way))).collect::<Option<_>>()?;
                    self.builder.add_union(all)
                }
                Step::Fail => self.builder.add_fail(),
                Step::Found => self.builder.add_match(),
            }
            .ok()?;
            at = behind;
        }
        let start = state(FIRST)?;
        self.builder.finish_pattern(start).ok()?;
        Some(start)
    }
}

/// Those that start at a text's start begin there; those that may be found anywhere begin at every byte.
fn together(programs: &[Program], limit: usize) -> Option<NFA> {
    let mut all = Assembly { builder: Builder::new(), next: 0 };
    all.builder.set_size_limit(Some(limit)).ok()?;
    let (mut here, mut anywhere) = (Vec::new(), Vec::new());
    for program in programs {
        let start = all.program(program)?;
        if program.is_anchored() { &mut here } else { &mut anywhere }.push(start);
    }
    let anchored = all.either([here.as_slice(), &anywhere].concat())?;
    let mut unanchored = anchored;
    if !anywhere.is_empty() {
        // Each of them, or a byte and then the same.
        let again = StateID::must(all.next + 1);
        let byte = all.builder.add_range(Transition { start: 0, end: 255, next: again });
        anywhere.push(all.added(byte)?);
        here.push(all.either(anywhere)?);
        unanchored = all.either(here)?;
    }
    all.builder.build(anchored, unanchored).ok()
}

/// What a search needs.
#[derive(Debug)]
struct Memory {
    cache: Cache,
    found: PatternSet,
}

type MakeMemory = Box<dyn Fn() -> Memory + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// Expressions, made ready for text that is ASCII.
#[derive(Debug)]
struct Automaton {
    dfa: DFA,
    memory: Pool<Memory, MakeMemory>,
}

impl Automaton {
    /// `None`: it would be larger than `limit`, in bytes.
    ///
    /// `cache`: how much of it is kept as it is made, in bytes.
    fn new(programs: &[Program], limit: usize, cache: usize) -> Option<Self> {
        // Of one it is asked whether it matches; of many, which ones do.
        let kind = if programs.len() == 1 { MatchKind::LeftmostFirst } else { MatchKind::All };
        let config = Config::new()
            .match_kind(kind)
            .cache_capacity(cache)
            .skip_cache_capacity_check(true)
            // In text that is ASCII all borders of words are the same.
            .unicode_word_boundary(true);
        let nfa = together(programs, limit)?;
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        let own = dfa.clone();
        let make: MakeMemory = Box::new(move || Memory {
            cache: own.create_cache(),
            found: PatternSet::new(own.pattern_len()),
        });
        Some(Self { dfa, memory: Pool::new(make) })
    }

    /// Is one of them found? `None`: it cannot say.
    fn is_match(&self, text: &str) -> Option<bool> {
        let input = Input::new(text).earliest(true);
        let found = self.dfa.try_search_fwd(&mut self.memory.get().cache, &input).ok()?;
        Some(found.is_some())
    }

    /// Tells which of them are found. `None`: it cannot say, and has told nothing.
    fn each(&self, text: &str, mut tell: impl FnMut(usize)) -> Option<()> {
        let mut memory = self.memory.get();
        let Memory { cache, found } = &mut *memory;
        found.clear();
        self.dfa.try_which_overlapping_matches(cache, &Input::new(text), found).ok()?;
        if !found.is_empty() {
            found.iter().for_each(|pattern| tell(pattern.as_usize()));
        }
        Some(())
    }
}

/// Bytes of text for each program after which an automaton is worth the time that it takes to make it.
const WORTH_IT: usize = 1 << 10;
/// The same for very many.
const MOST: usize = 4 << 10;

/// Expressions about ASCII text, and what runs them.
#[derive(Debug)]
pub(crate) struct Runner {
    /// How large an automaton may be, and how much of it is kept as it is made, in bytes.
    limit: usize,
    cache: usize,
    /// `None` inside: one of them has none.
    programs: OnceLock<Option<Vec<Program>>>,
    bytes: AtomicUsize,
    /// `None` inside: it would be too large.
    automaton: OnceLock<Option<Automaton>>,
}

impl Runner {
    pub(crate) const fn new(limit: usize, cache: usize) -> Self {
        Self {
            limit,
            cache,
            programs: OnceLock::new(),
            bytes: AtomicUsize::new(0),
            automaton: OnceLock::new(),
        }
    }

    /// Is an automaton not worth it yet?
    fn is_early(&self, text: &str, programs: &[Program]) -> bool {
        let enough = programs.len().saturating_mul(WORTH_IT).min(MOST);
        self.automaton.get().is_none()
            && self.bytes.fetch_add(text.len(), Ordering::Relaxed) + text.len() < enough
    }

    fn automaton(&self, programs: &[Program]) -> Option<&Automaton> {
        let make = || Automaton::new(programs, self.limit, self.cache);
        self.automaton.get_or_init(make).as_ref()
    }

    /// Is the one expression found? `None`: it cannot be said.
    pub(crate) fn is_match(
        &self,
        text: &str,
        program: impl FnOnce() -> Option<Program>,
    ) -> Option<bool> {
        let programs = self.programs.get_or_init(|| Some(vec![program()?])).as_deref()?;
        if self.is_early(text, programs) {
            return Some(programs.iter().any(|program| program.is_match(text)));
        }
        self.automaton(programs)?.is_match(text)
    }

    /// Tells which of many are found; `None`: it cannot be said, and nothing was told.
    pub(crate) fn each(
        &self,
        text: &str,
        programs: impl FnOnce() -> Option<Vec<Program>>,
        mut found: impl FnMut(usize),
    ) -> Option<()> {
        let programs = self.programs.get_or_init(programs).as_deref()?;
        if self.is_early(text, programs) {
            let matches = |(_, program): &(usize, &Program)| program.is_match(text);
            programs.iter().enumerate().filter(matches).for_each(|(at, _)| found(at));
        } else {
            self.automaton(programs)?.each(text, found)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::util::syntax;

    use super::*;

    fn program(expression: &str) -> Option<Program> {
        let plain = syntax::Config::new().unicode(false).utf8(false);
        Program::new(&syntax::parse_with(expression, &plain).ok()?, 1 << 20)
    }

    #[test]
    fn what_is_larger_than_it_may_be_is_not_built() {
        assert!(program("(a{100}){1000}").is_none());
        let small = [program("a{100}").unwrap()];
        assert!(Automaton::new(&small, 1000, 1 << 20).is_none());
        assert!(Automaton::new(&small, 1 << 20, 1 << 20).is_some());
    }

    proptest! {
        /// Law 3: many at once say what each says alone, fast or slow.
        #[test]
        fn many_say_what_each_says(
            expressions in prop::collection::vec(
                r"(\^|\\A|\\b)?([ab]{1,3}|\.|\[\^a\]|\(a|b|(ab|ba)\)[+*?]?|a\{1,3\}|\\B|\(\?m:\^\)){1,4}(\$|\\z|\\b)?", 1..6,
            ),
            text in "[ab \\n]{0,12}",
        ) {
            let own = |expression: &String| Some((expression.clone(), program(expression)?));
            let (sources, programs): (Vec<String>, Vec<Program>) =
                expressions.iter().filter_map(own).unzip();
            if programs.is_empty() { return Ok(()) }
            let all = Automaton::new(&programs, 1 << 20, 1 << 20).unwrap();
            let mut found = Vec::new();
            all.each(&text, |at| found.push(at)).unwrap();
            for (at, (source, program)) in sources.iter().zip(programs).enumerate() {
                let reference = regex_automata::meta::Regex::builder()
                    .syntax(syntax::Config::new().unicode(false).utf8(false))
                    .configure(regex_automata::meta::Config::new().utf8_empty(false))
                    .build(source)
                    .unwrap();
                let is_found = reference.is_match(&text);
                prop_assert_eq!(program.is_match(&text), is_found, "{}: {:?}", source, text);
                let alone = Automaton::new(&[program], 1 << 20, 1 << 20).unwrap();
                prop_assert_eq!(alone.is_match(&text), Some(is_found), "{}: {:?}", source, text);
                if sources.len() > 1 {
                    prop_assert_eq!(found.contains(&at), is_found, "{}: {:?}", source, text);
                }
            }
        }
    }
}

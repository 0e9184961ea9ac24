//! What an expression does, step by step.
//!
//! A program says whether it is found in a text as it is, byte by byte: nothing has to be made for that. Of the expressions that ship the
//! programs are made when the product is built; to make one takes longer than to read a hundred lines with it.

use std::borrow::Cow;
use std::cell::RefCell;

use regex_automata::nfa::thompson::{self, State, Transition, WhichCaptures};
use regex_automata::util::look::{Look, LookMatcher};
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::Hir;

/// What an expression does: steps as bytes, one behind the other, the first step first. A step is told by how far on it is, or back.
///
/// In front of them stand a byte that says whether it can be found at a text's start alone, and a bit for each byte that it can
/// begin with; all of them, if it can be found in nothing.
///
/// ```text
/// 0                                 fails
/// 1                                 is found
/// 2 look:4 next:4                   goes on where this holds of the place: the border of a word, the end of a line
/// 3 count:4 (next:4)…               goes on at each of these
/// 4 count:4 (first last next:4)…    goes on where the next byte is in a range
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    code: Cow<'static, [u8]>,
}

/// Bytes that say what it can begin with.
const BEGIN: usize = 32;
/// Where the first step is.
pub(super) const FIRST: u32 = 1 + 32;

/// A step, with where it goes on: each place as it is written.
pub(super) enum Step<'a> {
    Fail,
    Found,
    Look(Look, Way),
    Either(&'a [Way]),
    Bytes(&'a [[u8; 6]]),
}

/// How far on the next step is, or back.
pub(super) type Way = [u8; 4];

/// The step at the end of a way.
pub(super) const fn on(at: u32, way: Way) -> u32 {
    at.wrapping_add(u32::from_le_bytes(way))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_le_bytes(*word))
}

impl Program {
    /// `None`: it would be larger than `limit`, in bytes.
    pub(crate) fn new(expression: &Hir, limit: usize) -> Option<Self> {
        let config = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(limit));
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(expression).ok()?;
        let mut code = vec![0; FIRST as usize];
        code[0] = u8::from(nfa.is_always_start_anchored());
        // What begins a search anywhere is not needed; and what comes next mostly stands next.
        let (mut order, mut left) = (Vec::new(), vec![nfa.start_anchored()]);
        let mut places: Vec<Option<u32>> = vec![None; nfa.states().len()];
        let mut next = FIRST as usize;
        while let Some(state) = left.pop() {
            if places[state].is_some() {
                continue;
            }
            places[state] = Some(u32::try_from(next).ok()?);
            order.push(state);
            let mut meet = |all: &[StateID]| left.extend(all.iter().rev());
            next += match nfa.state(state) {
                State::ByteRange { trans } => {
                    meet(&[trans.next]);
                    5 + 6
                }
                State::Sparse(all) => {
                    all.transitions.iter().for_each(|transition| meet(&[transition.next]));
                    5 + 6 * all.transitions.len()
                }
                State::Look { next, .. } => {
                    meet(&[*next]);
                    9
                }
                State::Union { alternates } => {
                    meet(alternates);
                    5 + 4 * alternates.len()
                }
                State::BinaryUnion { alt1, alt2 } => {
                    meet(&[*alt1, *alt2]);
                    5 + 4 * 2
                }
                State::Fail | State::Match { .. } => 1,
                // Neither is made of what is configured above.
                State::Dense(_) | State::Capture { .. } => return None,
            };
        }
        let count = |all: usize| u32::try_from(all).unwrap_or(u32::MAX).to_le_bytes();
        for state in order {
            let here = places[state]?;
            let way = |to: &StateID| Some(places[*to]?.wrapping_sub(here).to_le_bytes());
            let bytes = |code: &mut Vec<u8>, all: &[Transition]| {
                code.push(4);
                code.extend(count(all.len()));
                for Transition { start, end, next } in all {
                    code.extend([*start, *end]);
                    code.extend(way(next)?);
                }
                Some(())
            };
            let either = |code: &mut Vec<u8>, all: &[StateID]| {
                code.push(3);
                code.extend(count(all.len()));
                for next in all {
                    code.extend(way(next)?);
                }
                Some(())
            };
            match nfa.state(state) {
                State::ByteRange { trans } => bytes(&mut code, &[*trans])?,
                State::Sparse(all) => bytes(&mut code, &all.transitions)?,
                State::Look { look, next } => {
                    code.push(2);
                    code.extend(look.as_repr().to_le_bytes());
                    code.extend(way(next)?);
                }
                State::Union { alternates } => either(&mut code, alternates)?,
                State::BinaryUnion { alt1, alt2 } => either(&mut code, &[*alt1, *alt2])?,
                State::Match { .. } => code.push(1),
                State::Fail | State::Dense(_) | State::Capture { .. } => code.push(0),
            }
        }
        Self::note_begin(&mut code);
        Some(Self { code: code.into() })
    }

    /// One that [`Program::code`] was kept of; `None`: of none.
    pub(crate) fn of(code: &'static [u8]) -> Option<Self> {
        (!code.is_empty()).then_some(Self { code: code.into() })
    }

    /// What it is kept as.
    pub(crate) fn code(&self) -> &[u8] {
        &self.code
    }

    pub(super) fn is_anchored(&self) -> bool {
        self.code.first() == Some(&1)
    }

    /// The step at a place, and where the one behind it is.
    pub(super) fn step(&self, at: u32) -> Option<(Step<'_>, u32)> {
        let at = at as usize;
        let list = |width: usize| {
            let count = word(&self.code, at + 1) as usize;
            self.code.get(at + 5..).and_then(|rest| rest.get(..count.checked_mul(width)?))
        };
        let (step, length) = match self.code.get(at)? {
            0 => (Step::Fail, 1),
            1 => (Step::Found, 1),
            2 => (
                Step::Look(
                    Look::from_repr(word(&self.code, at + 1))?,
                    word(&self.code, at + 5).to_le_bytes(),
                ),
                9,
            ),
            3 => {
                let all = list(4)?;
                (Step::Either(all.as_chunks().0), 5 + all.len())
            }
            _ => {
                let all = list(6)?;
                (Step::Bytes(all.as_chunks().0), 5 + all.len())
            }
        };
        Some((step, u32::try_from(at + length).ok()?))
    }

    /// Can it begin with this byte, or without any?
    fn begins_with(&self, byte: u8) -> bool {
        self.code.get(1 + usize::from(byte / 8)).is_none_or(|bits| bits & 1 << (byte % 8) != 0)
    }

    /// Notes the bytes that it can begin with.
    fn note_begin(code: &mut [u8]) {
        let this = Self { code: code.to_vec().into() };
        let mut begin = [0_u8; BEGIN];
        let (mut left, mut met) = (vec![FIRST], vec![false; this.code.len()]);
        while let Some(at) = left.pop() {
            if std::mem::replace(&mut met[at as usize], true) {
                continue;
            }
            match this.step(at) {
                Some((Step::Bytes(ranges), _)) => {
                    for byte in ranges.iter().flat_map(|[first, last, ..]| *first..=*last) {
                        begin[usize::from(byte / 8)] |= 1 << (byte % 8);
                    }
                }
                Some((Step::Look(_, way), _)) => left.push(on(at, way)),
                Some((Step::Either(all), _)) => left.extend(all.iter().map(|way| on(at, *way))),
                Some((Step::Found, _)) => begin = [u8::MAX; BEGIN],
                Some((Step::Fail, _)) | None => {}
            }
        }
        code[1..=BEGIN].copy_from_slice(&begin);
    }

    /// Is it found? Reads the text once, and takes a few steps at each byte.
    pub(super) fn is_match(&self, text: &str) -> bool {
        MEMORY.with_borrow_mut(|memory| {
            let Memory { met, now, left, waiting, next } = memory;
            if met.len() < self.code.len() {
                met.resize(self.code.len(), 0);
            }
            let bytes = text.as_bytes();
            let mut walk =
                Walk { program: self, text: bytes, looks: LookMatcher::new(), met, now, left };
            waiting.clear();
            let mut at = 0;
            walk.turn();
            loop {
                let byte = bytes.get(at).copied();
                let may_begin = byte.is_none_or(|byte| self.begins_with(byte));
                if may_begin && (at == 0 || !self.is_anchored()) && walk.reach(FIRST, at, waiting) {
                    return true;
                }
                let Some(byte) = byte else { return false };
                at += 1;
                walk.turn();
                for step in waiting.drain(..) {
                    let Some((Step::Bytes(ranges), _)) = self.step(step) else { continue };
                    let fits = |range: &&[u8; 6]| (range[0]..=range[1]).contains(&byte);
                    if let Some([_, _, way @ ..]) = ranges.iter().find(fits)
                        && walk.reach(on(step, *way), at, next)
                    {
                        next.clear();
                        return true;
                    }
                }
                std::mem::swap(waiting, next);
                if waiting.is_empty() {
                    if self.is_anchored() {
                        return false;
                    }
                    // On to where it can begin.
                    let rest = bytes[at..].iter();
                    at += rest.take_while(|byte| !self.begins_with(**byte)).count();
                    walk.turn();
                }
            }
        })
    }
}

/// What walks need, used again for the next.
#[derive(Default)]
struct Memory {
    /// By step: when it was met last.
    met: Vec<u32>,
    now: u32,
    left: Vec<u32>,
    /// Steps that wait for a byte here, and at the next place.
    waiting: Vec<u32>,
    next: Vec<u32>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// A program that goes through a text.
struct Walk<'a> {
    program: &'a Program,
    text: &'a [u8],
    looks: LookMatcher,
    met: &'a mut Vec<u32>,
    now: &'a mut u32,
    left: &'a mut Vec<u32>,
}

impl Walk<'_> {
    /// On to another place.
    fn turn(&mut self) {
        *self.now = self.now.wrapping_add(1);
        if *self.now == 0 {
            self.met.fill(0);
            *self.now = 1;
        }
    }

    /// Goes on to a step, and from there as far as no byte is needed. Is the end reached?
    fn reach(&mut self, step: u32, at: usize, waiting: &mut Vec<u32>) -> bool {
        self.left.clear();
        self.left.push(step);
        while let Some(place) = self.left.pop() {
            match self.met.get_mut(place as usize) {
                Some(met) if *met != *self.now => *met = *self.now,
                _ => continue,
            }
            match self.program.step(place) {
                Some((Step::Found, _)) => return true,
                Some((Step::Look(look, way), _)) => {
                    if self.looks.matches(look, self.text, at) {
                        self.left.push(on(place, way));
                    }
                }
                Some((Step::Either(all), _)) => {
                    self.left.extend(all.iter().map(|way| on(place, *way)));
                }
                Some((Step::Bytes(_), _)) => waiting.push(place),
                Some((Step::Fail, _)) | None => {}
            }
        }
        false
    }
}

//! A regular expression of a rule, and what runs it.
//!
//! When it is read it is only parsed, and its size estimated: building what runs it takes a hundred times as long, and
//! most rules are for what never happens. That is built when it is first asked.
//!
//! Nearly all text that it is asked about is ASCII. For that there is an engine of its own, in which `\w` is 63
//! characters, and not the hundred thousand of Unicode: a tenth of the size, and of the time to build it.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, BuildError, NFA};
use regex_automata::util::syntax;
use regex_syntax::ast;
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::automaton::Runner;
use super::literals;
use super::program::Program;
use crate::known;

/// Upper bound on what a compiled expression may take, in bytes: a repetition such as `(a{1000}){1000}`
/// is refused, not tried.
pub(crate) const REGEX_SIZE: usize = 8 << 20;
/// States that are kept of one expression, in bytes, for each thread.
const CACHE: usize = 2 << 20;

/// A regular expression. Two are equal if they are written alike.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    engines: Arc<Engines>,
    required: Option<Arc<[String]>>,
}

/// Each built when it is first needed.
#[derive(Debug)]
struct Engines {
    /// For text that is ASCII.
    ascii: Runner,
    any: OnceLock<Engine>,
}

#[derive(Debug)]
enum Engine {
    Fast(meta::Regex),
    /// What the automaton alone can do: slow, in bounded time as well.
    Plain(PikeVM),
}

/// Why an expression is refused.
#[derive(Debug)]
pub(super) enum BadExpression {
    Syntax(Box<regex_syntax::Error>),
    /// It needs more than [`REGEX_SIZE`].
    TooLarge,
    Other(Box<BuildError>),
}

impl Expression {
    pub(super) fn new(source: &str) -> Result<Self, BadExpression> {
        if let Some(needed) = known::needed(source) {
            return Ok(Self::with(source, Some(needed).filter(|needed| !needed.is_empty())));
        }
        let bad = |error: regex_syntax::Error| BadExpression::Syntax(Box::new(error));
        let ast = ast::parse::Parser::new().parse(source).map_err(|error| bad(error.into()))?;
        let hir = Translator::new().translate(source, &ast).map_err(|error| bad(error.into()))?;
        if states(&hir).saturating_mul(STATE_SIZE) > REGEX_SIZE {
            // The estimate is a generous one: now it has to be known.
            automaton(source, REGEX_SIZE).map_err(|error| match error.size_limit() {
                Some(_) => BadExpression::TooLarge,
                None => BadExpression::Other(error),
            })?;
        }
        Ok(Self::with(source, literals::required(&ast)))
    }

    fn with(source: &str, required: Option<Vec<String>>) -> Self {
        let required = required.map(Arc::from);
        let ascii = Runner::new(4 * REGEX_SIZE, CACHE);
        let engines = Arc::new(Engines { ascii, any: OnceLock::new() });
        Self { source: source.into(), engines, required }
    }

    /// Texts of which one has to stand, folded, in any folded text that it is found in; `None`: none that are
    /// worth looking for.
    pub fn required(&self) -> Option<&[String]> {
        self.required.as_deref()
    }

    /// The same, where it does not matter what is wrong with it.
    #[cfg(test)]
    pub(crate) fn parse(source: &str) -> Option<Self> {
        Self::new(source).ok()
    }

    /// Is it found in the text?
    pub fn is_match(&self, text: &str) -> bool {
        if text.is_ascii()
            && let Some(is_found) = self.engines.ascii.is_match(text, || self.program())
        {
            return is_found;
        }
        match self.engines.any.get_or_init(|| self.build()) {
            Engine::Fast(regex) => regex.is_match(text),
            Engine::Plain(vm) => vm.is_match(&mut vm.create_cache(), text),
        }
    }

    /// It parsed.
    pub(crate) fn hir(&self) -> Option<Hir> {
        syntax::parse_with(&self.source, &syntax::Config::new().utf8(true)).ok()
    }

    /// What it does with text that is ASCII.
    pub(crate) fn program(&self) -> Option<Program> {
        if let Some(program) = known::program(&self.source) {
            return Some(program);
        }
        let plain = syntax::Config::new().unicode(false).utf8(false);
        let plain = is_plain(&self.source).then(|| syntax::parse_with(&self.source, &plain).ok());
        Program::new(&plain.flatten().or_else(|| self.hir())?, 4 * REGEX_SIZE)
    }

    fn build(&self) -> Engine {
        let fast = meta::Regex::builder()
            // The other direction's automaton may be larger.
            .configure(meta::Config::new().nfa_size_limit(Some(4 * REGEX_SIZE)))
            .syntax(syntax::Config::new().utf8(true))
            .build(&self.source);
        match fast {
            Ok(regex) => Engine::Fast(regex),
            Err(error) => match automaton(&self.source, 4 * REGEX_SIZE).map(PikeVM::new_from_nfa) {
                Ok(Ok(vm)) => Engine::Plain(vm),
                // What was small enough when it was read is so now, with room to spare.
                _ => unreachable!("{error}"),
            },
        }
    }

    /// As it is written, flags in front.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

/// Does it say nothing about characters beyond ASCII? Then it may be read as one about bytes where there are no others. `(?i)ſ` is not
/// plain: it is found in `s`. Some that are plain are taken not to be.
fn is_plain(source: &str) -> bool {
    let names_others = |escape: &[u8]| matches!(escape[1], b'x' | b'u' | b'U' | b'p' | b'P' | b'N');
    let mut escapes = source.as_bytes().windows(2).filter(|pair| pair[0] == b'\\');
    let mut flags = source.split("(?").skip(1).map(|rest| {
        rest.split(|c: char| !c.is_ascii_alphabetic() && c != '-').next().unwrap_or_default()
    });
    source.is_ascii() && !escapes.any(names_others) && !flags.any(|flags| flags.contains('u'))
}

/// The automaton of an expression.
fn automaton(source: &str, limit: usize) -> Result<NFA, Box<BuildError>> {
    thompson::Compiler::new()
        .syntax(syntax::Config::new().utf8(true))
        .configure(thompson::Config::new().utf8(true).nfa_size_limit(Some(limit)))
        .build(source)
        .map_err(Box::new)
}

/// What a state takes, generously, in bytes.
const STATE_SIZE: usize = 40;

/// States that an expression comes to, at most.
fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() + 1,
        // Each range of characters is a few ranges of bytes.
        HirKind::Class(Class::Unicode(class)) => 1 + 8 * class.ranges().len(),
        HirKind::Class(Class::Bytes(class)) => 1 + class.ranges().len(),
        HirKind::Capture(capture) => 2 + states(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min + 1).max(1);
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            states(&repetition.sub).saturating_add(2).saturating_mul(times)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(1, |sum, part| sum.saturating_add(states(part)))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_says_something_beyond_ascii_is_not_plain() {
        for plain in [r"^\s*sudo\b", r"(?i)a[^b]*", r"(?<user>a)", r"(?s-m:.)", "a(?:u)"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["ſ", r"\x{17f}", r"\u017f", r"\pL", r"[\P{Greek}]", "(?-u)a", "(?iu:s)"] {
            assert!(!is_plain(other), "{other}");
        }
    }

    proptest! {
        /// Law 3: the engine for ASCII finds what the other one finds.
        #[test]
        fn both_engines_say_the_same(
            expression in r"(\(\?[ismx]{1,3}\))?([aAkKsS]{1,3}|K|ſ|\\[wWsSdDbB]|\((a|S|\\w|ab)\|(b|k|\[\^s\])\)[+*?]?|\.|\[\^?[a-cks]-?\]|a\{1,3\}|\^|\$){1,6}",
            text in "[aAbBkKsS _\\-\\n1]{0,12}",
        ) {
            let Some(expression) = Expression::parse(&expression) else { return Ok(()) };
            let Engine::Fast(any) = expression.build() else { return Ok(()) };
            prop_assert_eq!(expression.is_match(&text), any.is_match(&text), "{:?}", expression);
        }
    }
}

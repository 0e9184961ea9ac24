//! What is tested of one value.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use jiff::fmt::temporal::Pieces;
use regex_automata::meta;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, BuildError, NFA};
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::literals;
use super::pattern::{Part, Pattern, fold};

/// A number of a rule: whole numbers exactly, others as floating point (its bits, to be hashable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// A whole number.
    Whole(i128),
    /// Any other.
    Real(u64),
}

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        // `inf` and `nan` are words, not numbers.
        let real = text.parse::<f64>().ok().filter(|real| real.is_finite())?;
        text.ends_with(|c: char| c.is_ascii_digit() || c == '.').then(|| Self::Real(real.to_bits()))
    }

    #[expect(clippy::cast_precision_loss, reason = "only compared with what is not whole")]
    const fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(bits) => f64::from_bits(bits),
        }
    }

    /// Does the number in `text` compare so to this one?
    fn compared(self, comparison: Comparison, text: &str) -> bool {
        match (Self::parse(text), self) {
            (Some(Self::Whole(left)), Self::Whole(right)) => comparison.holds(&left, &right),
            (Some(left), right) => comparison.holds(&left.real(), &right.real()),
            (None, _) => false,
        }
    }
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
}

impl Comparison {
    /// Does `left` compare so to `right`?
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Where a value stands in what it is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// It is the whole.
    #[default]
    Whole,
    /// `contains`
    Contains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
}

impl Shape {
    /// The modifier.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Contains => Some("contains"),
            Self::StartsWith => Some("startswith"),
            Self::EndsWith => Some("endswith"),
        }
    }

    /// Does `needle` stand so in `text`?
    pub fn holds(self, text: &str, needle: &str) -> bool {
        match self {
            Self::Whole => text == needle,
            Self::Contains => text.contains(needle),
            Self::StartsWith => text.starts_with(needle),
            Self::EndsWith => text.ends_with(needle),
        }
    }
}

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimePart {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// Of the month.
    Day,
    /// Of the year, as ISO 8601 counts them.
    Week,
    /// 1 to 12.
    Month,
    /// The year.
    Year,
}

impl TimePart {
    const ALL: [Self; 6] =
        [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// The modifier.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.as_str() == word)
    }

    pub(super) const fn range(self) -> std::ops::RangeInclusive<i64> {
        match self {
            Self::Minute => 0..=59,
            Self::Hour => 0..=23,
            Self::Day => 1..=31,
            Self::Week => 1..=53,
            Self::Month => 1..=12,
            Self::Year => -9999..=9999,
        }
    }

    /// This part of the date in `text`, as it is written: nothing is converted (Modifiers, "Time").
    fn read(self, text: &str) -> Option<i64> {
        let pieces = Pieces::parse(text.trim()).ok()?;
        let (date, time) = (pieces.date(), pieces.time());
        Some(match self {
            Self::Minute => time?.minute().into(),
            Self::Hour => time?.hour().into(),
            Self::Day => date.day().into(),
            Self::Week => date.iso_week_date().week().into(),
            Self::Month => date.month().into(),
            Self::Year => date.year().into(),
        })
    }
}

/// A regular expression. Two are equal if they are written alike.
///
/// When it is read it is only parsed, and its size estimated: building what runs it takes a hundred times as long, and
/// most rules are for what never happens. That is built when it is first asked.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    engine: Arc<OnceLock<Engine>>,
    /// Texts of which one has to stand, folded, in whatever it is found in. Known when it is first asked.
    required: Arc<OnceLock<Option<Vec<String>>>>,
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
        let hir =
            regex_syntax::parse(source).map_err(|error| BadExpression::Syntax(Box::new(error)))?;
        if states(&hir).saturating_mul(STATE_SIZE) > REGEX_SIZE {
            // The estimate is a generous one: now it has to be known.
            automaton(source, REGEX_SIZE).map_err(|error| match error.size_limit() {
                Some(_) => BadExpression::TooLarge,
                None => BadExpression::Other(error),
            })?;
        }
        let required = OnceLock::from(literals::required(&hir));
        Ok(Self { source: source.into(), engine: Arc::default(), required: Arc::new(required) })
    }

    /// One that has been parsed before, of a rule that ships: to parse the five hundred of the pack takes as long as all else that a
    /// function does to begin.
    pub(super) fn known(source: &str) -> Self {
        Self { source: source.into(), engine: Arc::default(), required: Arc::default() }
    }

    /// Texts of which one has to stand, folded, in any folded text that it is found in; `None`: none that are
    /// worth looking for.
    pub fn required(&self) -> Option<&[String]> {
        let needed = || literals::required(&regex_syntax::parse(&self.source).ok()?);
        self.required.get_or_init(needed).as_deref()
    }

    /// The same, where it does not matter what is wrong with it.
    #[cfg(test)]
    pub(crate) fn parse(source: &str) -> Option<Self> {
        Self::new(source).ok()
    }

    /// Is it found in the text?
    pub fn is_match(&self, text: &str) -> bool {
        match self.engine.get_or_init(|| self.build()) {
            Engine::Fast(regex) => regex.is_match(text),
            Engine::Plain(vm) => vm.is_match(&mut vm.create_cache(), text),
        }
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

/// One test of one value. Two tests that are equal are the same test, and done once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// The value fits the pattern; without regard to case unless `cased` (the pattern is folded then).
    Pattern {
        /// What to fit.
        pattern: Pattern,
        /// With regard to case?
        cased: bool,
    },
    /// The regular expression is found in the value.
    Regex(Expression),
    /// The value is an address in the network.
    Cidr(IpNet),
    /// The value is a number that compares so to this one.
    Number(Comparison, Number),
    /// The field is there, or is not.
    Exists(bool),
    /// The field is absent or null.
    Null,
    /// A part of the date that the value is compares so to the number; `None`: equals it.
    Time {
        /// Which part.
        part: TimePart,
        /// How.
        comparison: Option<Comparison>,
        /// To what.
        number: i64,
    },
    /// The value of another field stands in this one's; `cased` as above.
    SameAs {
        /// The other field.
        field: String,
        /// With regard to case?
        cased: bool,
        /// Where it stands.
        shape: Shape,
    },
}

/// Upper bound on what a compiled expression may take, in bytes: a repetition such as `(a{1000}){1000}`
/// is refused, not tried.
pub(crate) const REGEX_SIZE: usize = 8 << 20;

impl Test {
    /// Does `value`, the text of a scalar, pass? The plain definition, one test at a time: the oracle that
    /// every faster way is held against. Absence and other fields are not a value's business.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Pattern { pattern, cased: true } => pattern.matches(value),
            Self::Pattern { pattern, cased: false } => match pattern.as_literal() {
                // Folding ASCII does not change its length, and needs no copy.
                Some(text) if value.is_ascii() => value.eq_ignore_ascii_case(text),
                _ => pattern.matches(&fold(value)),
            },
            Self::Regex(expression) => expression.is_match(value),
            Self::Cidr(net) => value.parse::<IpAddr>().is_ok_and(|ip| net.contains(&ip)),
            Self::Number(comparison, number) => number.compared(*comparison, value.trim()),
            Self::Time { part, comparison, number } => part.read(value).is_some_and(|found| {
                comparison.map_or(found == *number, |comparison| comparison.holds(&found, number))
            }),
            Self::Exists(wanted) => *wanted,
            Self::Null | Self::SameAs { .. } => false,
        }
    }
}

/// What is asked, in words: ``is `x` ``, ``contains `x` ``, `is below 7`.
impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = |cased: bool| if cased { " (case-sensitive)" } else { "" };
        match self {
            Self::Pattern { pattern, cased } => {
                let (word, text) = match pattern.parts() {
                    [] => ("is", String::new()),
                    [Part::Literal(text)] => ("is", text.clone()),
                    [Part::Many] => return f.write_str("has a value"),
                    [Part::Many, Part::Literal(text), Part::Many] => ("contains", text.clone()),
                    [Part::Literal(text), Part::Many] => ("starts with", text.clone()),
                    [Part::Many, Part::Literal(text)] => ("ends with", text.clone()),
                    _ => ("is like", pattern.to_string()),
                };
                write!(f, "{word} `{text}`{}", case(*cased))
            }
            Self::Regex(expression) => write!(f, "matches /{}/", expression.source()),
            Self::Cidr(net) => write!(f, "is in {net}"),
            Self::Number(comparison, number) => write!(f, "is {comparison} {number}"),
            Self::Exists(true) => f.write_str("is there"),
            Self::Exists(false) => f.write_str("is not there"),
            Self::Null => f.write_str("has no value"),
            Self::Time { part, comparison: Some(comparison), number } => {
                write!(f, "has {} {comparison} {number}", part.as_str())
            }
            Self::Time { part, comparison: None, number } => {
                write!(f, "has {} {number}", part.as_str())
            }
            Self::SameAs { field, cased, shape } => {
                let word = match shape {
                    Shape::Whole => "is",
                    Shape::Contains => "contains",
                    Shape::StartsWith => "starts with",
                    Shape::EndsWith => "ends with",
                };
                write!(f, "{word} the value of {field}{}", case(*cased))
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "below",
            Self::LessOrEqual => "at most",
            Self::Greater => "above",
            Self::GreaterOrEqual => "at least",
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(f),
            Self::Real(bits) => f64::from_bits(*bits).fmt(f),
        }
    }
}

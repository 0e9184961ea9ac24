//! What is tested of one value.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::fmt::temporal::Pieces;

use super::expression::Expression;
use super::pattern::{Part, Pattern, fold};
use crate::folded::Bytes;
use crate::pairs::{Needle, is_same};

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

    /// The same, faster: `folded` is `value` without regard to case, `known` what is known of that. What is needed to find this
    /// test's texts stays in `needles`.
    #[inline]
    pub(crate) fn holds(
        &self,
        value: &str,
        (folded, known): (&str, &mut Bytes),
        needles: &mut OwnNeedles,
    ) -> bool {
        match self {
            Self::Pattern { pattern, cased } => {
                let text = if *cased { value } else { folded };
                let mut is_in = || {
                    let make = || vec![Needle::new(pattern.longest_literal())];
                    needles.get_or_insert_with(make).iter().all(|needle| {
                        (*cased || known.may_hold(text, needle.bytes())) && needle.is_in(text)
                    })
                };
                let bytes = text.as_bytes();
                let is = |own: &str, part: Option<&[u8]>| {
                    part.is_some_and(|part| is_same(part, own.as_bytes()))
                };
                match pattern.parts() {
                    [Part::Literal(own)] => is(own, Some(bytes)),
                    [Part::Literal(own), Part::Many] => is(own, bytes.get(..own.len())),
                    [Part::Many, Part::Literal(own)] => {
                        let start = bytes.len().checked_sub(own.len());
                        is(own, start.and_then(|start| bytes.get(start..)))
                    }
                    [Part::Many, Part::Literal(_), Part::Many] => is_in(),
                    _ => is_in() && pattern.matches(text),
                }
            }
            Self::Regex(expression) => is_found(expression, value, (folded, known), needles),
            _ => self.matches(value),
        }
    }
}

/// What finds the texts that a test needs, made when that is first asked.
pub(crate) type OwnNeedles = Option<Vec<Needle>>;

/// Is the expression found? It is not where none of its texts is.
#[inline(never)]
fn is_found(
    expression: &Expression,
    value: &str,
    (folded, known): (&str, &mut Bytes),
    needles: &mut OwnNeedles,
) -> bool {
    let may_be = expression.required().is_none_or(|texts| {
        let make = || texts.iter().map(|text| Needle::new(text)).collect();
        let needles = needles.get_or_insert_with(make);
        needles.iter().any(|needle| known.may_hold(folded, needle.bytes()) && needle.is_in(folded))
    });
    may_be && expression.is_match(value)
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

//! Which sessions, and in which days their facts lie.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// Which sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// Begun then or later.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
}

/// A transcript may be stored so many days after its session began, and still be known to be of it: what tells of the session's begin
/// has to be read as well.
const BEFORE: i32 = 7;
/// A session's transcript comes at its end, and a session may last long.
const AFTER: i32 = 3;
/// The same, where it is known when is looked: what came later is not read.
const LATE: i32 = 31;

impl Range {
    /// From the first of these days to the last.
    pub fn of_days(first: Option<Date>, last: Option<Date>) -> Self {
        let begin =
            |day: Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
        let behind = |day: Date| day.tomorrow().ok().and_then(begin);
        Self { since: first.and_then(begin), until: last.and_then(behind) }
    }

    /// The days in which facts of these sessions can lie that were there at `as_of`: of a day that had not begun nothing was.
    pub fn days_as_of(&self, as_of: Timestamp) -> (Option<Date>, Option<Date>) {
        let (since, _) = self.days();
        let until = crate::store::day(self.until);
        let until = until.map(|day| day.checked_add(LATE.days()).unwrap_or(day));
        let last = as_of.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(as_of);
        (since, until.min(crate::store::day(Some(last))).or(until))
    }

    /// The days in which facts of these sessions can lie.
    pub fn days(&self) -> (Option<Date>, Option<Date>) {
        let since = crate::store::day(self.since);
        let until = crate::store::day(self.until);
        let shift = |day: Date, days: i32| day.checked_add(days.days()).unwrap_or(day);
        (since.map(|day| shift(day, -BEFORE)), until.map(|day| shift(day, AFTER)))
    }

    pub(super) fn holds(&self, time: Option<Timestamp>) -> bool {
        let Some(time) = time else { return true };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

//! The time that a report is about.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};

/// From the beginning of a day to the beginning of another, in a time zone.
#[derive(Clone, Debug)]
pub struct Period {
    /// What it is called: `2026-10`, `2026-Q4`, `2026`, `2026-10-05`, or `2026-10-01..2026-10-15`.
    pub label: String,
    /// Its first day.
    pub first: Date,
    /// The day behind its last.
    pub end: Date,
    /// Whose days.
    pub zone: TimeZone,
    /// How long it is, where it has a predecessor of the same kind.
    step: Option<Span>,
}

impl Period {
    /// Reads `2026-10`, `2026-Q4`, `2026`, a day, two days with `..` (both included), or `last-month`, as seen from `now`.
    pub fn parse(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no period; write 2026-10, 2026-Q4, 2026, 2026-10-05, 2026-10-01..2026-10-15 or last-month"
            )
        };
        if text == "last-month" {
            let month = now.to_zoned(zone.clone()).date().first_of_month();
            let first = month.checked_sub(1.month()).map_err(|_| wrong())?;
            return Self::of(first, 1.month(), zone).ok_or_else(wrong);
        }
        if let Some((first, last)) = text.split_once("..") {
            let (first, last) = (date(first).ok_or_else(wrong)?, date(last).ok_or_else(wrong)?);
            if last < first {
                return Err(format!("`{text}`: the last day is before the first"));
            }
            let end = last.tomorrow().map_err(|_| wrong())?;
            return Ok(Self {
                label: format!("{first}..{last}"),
                first,
                end,
                zone: zone.clone(),
                step: None,
            });
        }
        let (year, rest) =
            text.split_once('-').map_or((text, None), |(year, rest)| (year, Some(rest)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let year_of = |year: &str| {
            let year = Some(year).filter(|year| year.len() == 4 && digits(year))?;
            year.parse::<i16>().ok().filter(|year| *year > 0)
        };
        let period = match rest {
            None => {
                year_of(year).and_then(|year| Date::new(year, 1, 1).ok()).map(|d| (d, 1.year()))
            }
            Some(rest) if rest.starts_with(['Q', 'q']) => {
                let quarter = rest[1..]
                    .parse::<i8>()
                    .ok()
                    .filter(|quarter| digits(&rest[1..]) && (1..=4).contains(quarter));
                let first = year_of(year).zip(quarter);
                let first = first.and_then(|(year, q)| Date::new(year, q * 3 - 2, 1).ok());
                first.map(|first| (first, 3.months()))
            }
            Some(rest) if rest.len() == 2 && digits(rest) => {
                let month = year_of(year).zip(rest.parse::<i8>().ok());
                let first = month.and_then(|(year, month)| Date::new(year, month, 1).ok());
                first.map(|first| (first, 1.month()))
            }
            Some(_) => date(text).map(|first| (first, 1.day())),
        };
        period.and_then(|(first, step)| Self::of(first, step, zone)).ok_or_else(wrong)
    }

    fn of(first: Date, step: Span, zone: &TimeZone) -> Option<Self> {
        let end = first.checked_add(step).ok()?;
        let label = match (step.get_years(), step.get_months(), step.get_days()) {
            (1, ..) => format!("{:04}", first.year()),
            (_, 3, _) => format!("{:04}-Q{}", first.year(), (first.month() + 2) / 3),
            (_, 1, _) => format!("{:04}-{:02}", first.year(), first.month()),
            _ => first.to_string(),
        };
        Some(Self { label, first, end, zone: zone.clone(), step: Some(step) })
    }

    /// The one before: the month before a month. `None` for two days of somebody's choice.
    pub fn previous(&self) -> Option<Self> {
        let step = self.step?;
        Self::of(self.first.checked_sub(step).ok()?, step, &self.zone)
    }

    /// When it begins.
    pub fn since(&self) -> Timestamp {
        begin(self.first, &self.zone)
    }

    /// When it is over.
    pub fn until(&self) -> Timestamp {
        begin(self.end, &self.zone)
    }

    /// Does a time lie in it?
    pub fn holds(&self, time: Timestamp) -> bool {
        self.since() <= time && time < self.until()
    }

    /// The UTC days that facts of it lie in.
    pub fn days_of_facts(&self) -> impl Iterator<Item = Date> + use<> {
        let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
        let (first, last) = (day(self.since()), day(self.until()));
        std::iter::successors(Some(first), |day| day.tomorrow().ok())
            .take_while(move |day| *day <= last)
    }

    /// Its days.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let end = self.end;
        std::iter::successors(Some(self.first), |day| day.tomorrow().ok())
            .take_while(move |day| *day < end)
    }
}

fn begin(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

fn date(text: &str) -> Option<Date> {
    (text.len() == "2026-10-01".len()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_as_people_write_them() {
        let now = "2026-01-15T00:30:00Z".parse().unwrap();
        let read = |text: &str| Period::parse(text, &TimeZone::UTC, now);
        let days = |text: &str| {
            let period = read(text).unwrap();
            (period.label.clone(), period.first.to_string(), period.end.to_string())
        };
        let cases = [
            ("2026-10", "2026-10", "2026-10-01", "2026-11-01"),
            ("2026-Q4", "2026-Q4", "2026-10-01", "2027-01-01"),
            ("2026-q1", "2026-Q1", "2026-01-01", "2026-04-01"),
            ("2026", "2026", "2026-01-01", "2027-01-01"),
            ("2026-10-05", "2026-10-05", "2026-10-05", "2026-10-06"),
            ("2026-10-01..2026-10-15", "2026-10-01..2026-10-15", "2026-10-01", "2026-10-16"),
            ("last-month", "2025-12", "2025-12-01", "2026-01-01"),
        ];
        for (text, label, first, end) in cases {
            assert_eq!(days(text), (label.to_owned(), first.to_owned(), end.to_owned()), "{text}");
        }
        for text in [
            "",
            "october",
            "2026-13",
            "2026-Q5",
            "26-10",
            "2026-10-32",
            "2026-10-02..2026-10-01",
            "2026-+1",
            "2026-Q+4",
            "0000",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("2026-01").unwrap().previous().unwrap().label, "2025-12");
        assert_eq!(read("2026-Q1").unwrap().previous().unwrap().label, "2025-Q4");
        assert!(read("2026-10-01..2026-10-15").unwrap().previous().is_none());
        assert_eq!(read("2026-02").unwrap().days().count(), 28);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let berlin = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        let period = Period::parse("2026-10", &berlin, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(period.since().to_string(), "2026-09-30T22:00:00Z");
        assert_eq!(period.until().to_string(), "2026-10-31T23:00:00Z");
        assert!(period.holds(period.since()) && !period.holds(period.until()));
    }
}

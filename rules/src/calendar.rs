//! Calendars: what `calendar.<name>: inside | outside` is answered from. Sigma has neither weekdays nor
//! time zones; as a field they are plain Sigma.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::diagnostic::{Diagnostic, Source};
use crate::sigma::yaml::{self, Node, Value};

/// Calendars by name.
pub type Calendars = BTreeMap<String, Calendar>;

/// When is inside: on these weekdays, in these hours, in this zone, on no holiday.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    weekdays: Vec<Weekday>,
    /// Half-open, within a day; `None` is the day's end.
    hours: Vec<(Time, Option<Time>)>,
    holidays: BTreeSet<Date>,
}

impl Calendar {
    /// Is `time` inside?
    pub fn is_inside(&self, time: Timestamp) -> bool {
        let local = time.to_zoned(self.zone.clone()).datetime();
        self.weekdays.contains(&local.date().weekday())
            && !self.holidays.contains(&local.date())
            && self
                .hours
                .iter()
                .any(|(from, to)| *from <= local.time() && to.is_none_or(|to| local.time() < to))
    }

    /// The word that rules compare with.
    pub fn word(&self, time: Timestamp) -> &'static str {
        if self.is_inside(time) { "inside" } else { "outside" }
    }
}

/// Reads a file of calendars.
pub(crate) fn parse(source: &Arc<Source>, problems: &mut Vec<Diagnostic>) -> Calendars {
    let documents = match yaml::documents(source) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.push(*problem);
            return Calendars::new();
        }
    };
    let mut calendars = Calendars::new();
    for document in &documents {
        let Value::Map(entries) = &document.value else {
            problems.push(Diagnostic::error(
                source,
                document.span.clone(),
                "calendars are a map from a name to its hours",
            ));
            continue;
        };
        for (key, node) in entries {
            match (key.scalar_text(source), calendar(node, source)) {
                (Some(name), Ok(calendar)) => {
                    calendars.insert(name, calendar);
                }
                (_, Err(problem)) => problems.push(*problem),
                (None, _) => problems.push(Diagnostic::error(
                    source,
                    key.span.clone(),
                    "a calendar's name has to be text",
                )),
            }
        }
    }
    calendars
}

fn calendar(node: &Node, source: &Arc<Source>) -> Result<Calendar, Box<Diagnostic>> {
    const KEYS: [&str; 4] = ["time_zone", "weekdays", "hours", "holidays"];
    let error = |node: &Node, message: String| {
        Box::new(Diagnostic::error(source, node.span.clone(), message))
    };
    let Value::Map(entries) = &node.value else {
        return Err(error(node, format!("a calendar is a map, this is {}", node.kind())));
    };
    for (key, _) in entries {
        let name = key.scalar_text(source).unwrap_or_default();
        if !KEYS.contains(&name.as_str()) {
            return Err(error(key, format!("`{name}` is none of {}", KEYS.join(", "))));
        }
    }
    let zone = match node.get("time_zone") {
        None => TimeZone::UTC,
        Some(node) => {
            let name = node.scalar_text(source).unwrap_or_default();
            // The bundled database, so that every machine gives the same answer.
            jiff::tz::TimeZoneDatabase::bundled().get(&name).map_err(|_| {
                error(node, format!("`{name}` is no time zone of the IANA database"))
            })?
        }
    };
    for key in ["weekdays", "hours"] {
        if let Some(empty) = node.get(key).filter(|node| node.items().is_empty()) {
            return Err(error(empty, format!("`{key}` is empty: no time would be inside")));
        }
    }
    let mut weekdays = Vec::new();
    let days = node.get("weekdays");
    for item in days.map(Node::items).unwrap_or_default() {
        let name = item.scalar_text(source).unwrap_or_default();
        let day = weekday(&name).ok_or_else(|| {
            error(item, format!("`{name}` is no weekday: mon, tue, wed, thu, fri, sat, sun"))
        })?;
        weekdays.push(day);
    }
    if days.is_none() {
        weekdays.extend(Weekday::Monday.cycle_forward().take(7));
    }
    let mut hours = Vec::new();
    let spans = node.get("hours");
    for item in spans.map(Node::items).unwrap_or_default() {
        let text = item.scalar_text(source).unwrap_or_default();
        let span = span(&text).ok_or_else(|| {
            error(
                item,
                format!("`{text}` is not a span of hours within a day, such as \"08:30-18:00\""),
            )
        })?;
        hours.push(span);
    }
    if spans.is_none() {
        hours.push((Time::midnight(), None));
    }
    let mut holidays = BTreeSet::new();
    for item in node.get("holidays").map(Node::items).unwrap_or_default() {
        let text = item.scalar_text(source).unwrap_or_default();
        let day = only(&text, '-').and_then(|text| text.parse::<Date>().ok());
        let day =
            day.ok_or_else(|| error(item, format!("`{text}` is not a date, such as 2026-12-25")))?;
        holidays.insert(day);
    }
    Ok(Calendar { zone, weekdays, hours, holidays })
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name.to_ascii_lowercase().as_str() {
        "mon" | "monday" => Weekday::Monday,
        "tue" | "tuesday" => Weekday::Tuesday,
        "wed" | "wednesday" => Weekday::Wednesday,
        "thu" | "thursday" => Weekday::Thursday,
        "fri" | "friday" => Weekday::Friday,
        "sat" | "saturday" => Weekday::Saturday,
        "sun" | "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// `08:30-18:00`; `24:00` is the day's end. A span does not pass midnight: write two.
fn span(text: &str) -> Option<(Time, Option<Time>)> {
    let (from, to) = text.split_once('-')?;
    let from = only(from.trim(), ':')?.parse::<Time>().ok()?;
    match to.trim() {
        "24:00" => Some((from, None)),
        to => {
            let to = only(to, ':')?.parse::<Time>().ok()?;
            (from < to).then_some((from, Some(to)))
        }
    }
}

/// A text of digits and these between them. More would be read by a parser of times, and mean nothing here.
fn only(text: &str, between: char) -> Option<&str> {
    text.chars().all(|c| c.is_ascii_digit() || c == between).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Calendars, Vec<String>) {
        let source = Arc::new(Source { name: "calendars.yml".into(), text: text.into() });
        let mut problems = Vec::new();
        let calendars = parse(&source, &mut problems);
        (calendars, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn inside_is_weekday_and_hour_in_the_zone_and_no_holiday() {
        let (calendars, problems) = read(
            "office:\n  time_zone: Europe/Berlin\n  weekdays: [mon, tue, wed, thu, fri]\n  hours: [\"08:00-18:00\"]\n  holidays: [2026-12-25]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let office = &calendars["office"];
        for (time, word) in [
            ("2026-10-05T06:00:00Z", "inside"), // Monday, 08:00 in summer time
            ("2026-10-05T05:59:59Z", "outside"),
            ("2026-10-05T16:00:00Z", "outside"),
            ("2026-11-02T06:30:00Z", "outside"), // 07:30 in winter time
            ("2026-10-04T10:00:00Z", "outside"), // Sunday
            ("2026-12-25T10:00:00Z", "outside"), // Friday, holiday
        ] {
            assert_eq!(office.word(time.parse().unwrap()), word, "{time}");
        }
    }

    #[test]
    fn the_day_may_be_whole() {
        let (calendars, problems) = read("always:\n  hours: [\"00:00-24:00\"]\n");
        assert_eq!(problems, Vec::<String>::new());
        assert!(calendars["always"].is_inside("2026-10-04T23:59:59Z".parse().unwrap()));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("a:\n  time_zone: Mars/Base\n", "no time zone"),
            ("a:\n  weekdays: [moonday]\n", "no weekday"),
            ("a:\n  hours: [\"22:00-06:00\"]\n", "within a day"),
            ("a:\n  holidays: [soon]\n", "not a date"),
            ("a:\n  ours: []\n", "none of"),
            ("a:\n  hours: []\n", "`hours` is empty"),
            ("a:\n  hours: [\"07:00-19:00-20:00\"]\n", "within a day"),
            ("a:\n  holidays: [\"2026-12-25T10:00\"]\n", "not a date"),
        ] {
            let (_, problems) = read(text);
            assert!(problems.iter().any(|p| p.contains(message)), "{text}: {problems:?}");
        }
    }
}

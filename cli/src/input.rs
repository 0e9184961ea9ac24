//! What several subcommands are given: rules, times, time zones.

use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use pipeline::pack;
use rules::{RuleSet, Severity};

use crate::diagnostics;
use crate::exit::Failure;

/// Reads and compiles the rules. `skip_invalid`: goes on without those that are wrong; `None` where nobody may ask for that.
pub(crate) fn rules(path: Option<&Path>, skip_invalid: Option<bool>) -> Result<RuleSet, Failure> {
    let pack = pack::load(path).map_err(|error| Failure::usage(error.to_string()))?;
    if !pack.problems.is_empty() {
        diagnostics::show(&pack.problems);
    }
    let errors = pack.problems.iter().filter(|p| p.severity == Severity::Error).count();
    if errors > 0 && skip_invalid != Some(true) {
        let (noun, what) = if errors == 1 { ("error", "it") } else { ("errors", "them") };
        let or = if skip_invalid.is_some() {
            ", or go on without with --skip-invalid-rules"
        } else {
            ""
        };
        return Err(Failure::usage(format!("{errors} {noun} in the rules; mend {what}{or}")));
    }
    let set = RuleSet::compile(pack);
    let is_told = (0..set.rules().len()).any(|at| set.is_told(at))
        || (0..set.correlations().len()).any(|at| set.is_correlation_told(at));
    if !is_told {
        let place = path.map_or_else(String::new, |path| format!(" in {}", path.display()));
        return Err(Failure::usage(format!(
            "there are no rules{place}, or none that is in use and told"
        )));
    }
    Ok(set)
}

/// The time zone of this name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Failure> {
    if name.eq_ignore_ascii_case("local") {
        #[expect(clippy::disallowed_methods, reason = "asked for, and this is a shell")]
        return Ok(TimeZone::system());
    }
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        Failure::usage(format!("`{name}` is no time zone; give an IANA name such as Europe/Berlin"))
    })
}

/// A time, a date (its beginning in `zone`), or an age.
pub(crate) fn time(text: &str, zone: &TimeZone) -> Result<Timestamp, Failure> {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() <= "2026-10-01".len()
        && let Ok(zoned) = date.to_zoned(zone.clone())
    {
        return Ok(zoned.timestamp());
    }
    if let Some(time) = ingest::decode::parse_time(text) {
        return Ok(time);
    }
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    let now = jiff::Zoned::now().with_time_zone(zone.clone());
    text.parse::<Span>()
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .map(|zoned| zoned.timestamp())
        .ok_or_else(|| {
            Failure::usage(format!(
                "`{text}` is no time; write 2026-10-01, 2026-10-01T08:00:00Z, or an age such as 7d"
            ))
        })
}

/// The time given, else that of the clock.
pub(crate) fn now(text: Option<&str>, zone: &TimeZone) -> Result<Timestamp, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    text.map_or_else(|| Ok(Timestamp::now()), |text| time(text, zone))
}

/// The times of --since and --until.
pub(crate) fn span(
    since: Option<&str>,
    until: Option<&str>,
    zone: &TimeZone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let since = since.map(|text| time(text, zone)).transpose()?;
    let until = until.map(|text| time(text, zone)).transpose()?;
    match (since, until) {
        (Some(since), Some(until)) if since >= until => Err(Failure::usage(format!(
            "--since {since} is not before --until {until}: nothing lies between"
        ))),
        times => Ok(times),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let berlin = zone("Europe/Berlin").unwrap();
        let read = |text| time(text, &berlin).map(|time| time.to_string());
        assert_eq!(read("2026-10-01").unwrap(), "2026-09-30T22:00:00Z");
        assert_eq!(read("2026-10-01T08:00:00Z").unwrap(), "2026-10-01T08:00:00Z");
        assert!(read("7d").is_ok() && read("12h").is_ok() && read("2 weeks").is_ok());
        assert!(read("soon").is_err());
        assert!(zone("Mars/Base").is_err());
    }
}

//! Times as AWS and its tools write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// Reads a time. CloudTrail's own form is RFC 3339 in UTC; older records have the basic form
/// (`20131102T010628Z`) and exports drop the zone, which is then UTC (FORMATS B1, B2).
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    }
    // `script` of util-linux 2.30 and 2.31 writes the offset without a colon.
    strtime::parse("%Y-%m-%d %H:%M:%S%z", text).and_then(|parts| parts.to_timestamp()).ok()
}

/// A log event's timestamp: milliseconds since the epoch.
pub(crate) fn from_millis(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_seen_is_read() {
        for text in [
            "2026-10-05T09:00:00Z",
            "20261005T090000Z",
            "2026-10-05 09:00:00.000000000",
            "2026-10-05 09:00:00+0000",
            "2026-10-05 11:00:00+02:00",
            " 2026-10-05T09:00:00.000Z ",
        ] {
            let time = parse_time(text);
            assert_eq!(time.map(Timestamp::as_second), Some(1_791_190_800), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "Jul 10, 2023 1:57:16 PM"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}

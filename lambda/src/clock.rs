//! The clock, which the shells read.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time that it is.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    Timestamp::now()
}

/// A clock that only goes forward.
pub(crate) fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    Instant::now()
}

/// How long until a deadline in milliseconds since 1970; none is far away.
pub(crate) fn until(deadline_millis: u64) -> Duration {
    let now = u64::try_from(now().as_millisecond()).unwrap_or_default();
    match deadline_millis {
        0 => Duration::from_hours(24),
        deadline => Duration::from_millis(deadline.saturating_sub(now)),
    }
}

//! Is a session recorded? Each is exactly one of six.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// Whether what happened in a session can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// A transcript, and nothing says that it is not whole.
    Recorded,
    /// A transcript that was cut, or in which something was hidden or lost.
    RecordedPartial,
    /// The service does not record such sessions: port forwarding, SSH.
    Unrecordable,
    /// There should be a transcript, and it should be here by now.
    Missing,
    /// There should be one, and it may still come.
    Pending,
    /// A transcript of a session that no record opened.
    Unaudited,
}

impl Coverage {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Recorded,
        Self::RecordedPartial,
        Self::Unrecordable,
        Self::Missing,
        Self::Pending,
        Self::Unaudited,
    ];

    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::RecordedPartial => "recorded-partial",
            Self::Unrecordable => "unrecordable",
            Self::Missing => "missing",
            Self::Pending => "pending",
            Self::Unaudited => "unaudited",
        }
    }

    /// Is something not known that should be?
    pub const fn is_gap(self) -> bool {
        !matches!(self, Self::Recorded | Self::Pending)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How long a transcript may take.
#[derive(Clone, Copy, Debug)]
pub struct Grace {
    /// From the session's end until its transcript is here: the agent uploads it then, and the node may be busy.
    pub upload: SignedDuration,
    /// How long a session may last whose end nobody has told.
    pub session: SignedDuration,
}

impl Default for Grace {
    /// An hour, and a day: longer no session lasts (FORMATS A9).
    fn default() -> Self {
        Self { upload: SignedDuration::from_hours(1), session: SignedDuration::from_hours(24) }
    }
}

/// What is known of a session that decides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) is_opened: bool,
    pub(super) kind: Option<&'a str>,
    pub(super) document: Option<&'a str>,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) has_transcript: bool,
    /// No transcript of it is whole.
    pub(super) is_cut: bool,
    /// What was seen in all of them that hides something.
    pub(super) hidden: Option<&'a str>,
}

/// What it comes to at `now`, and why.
pub(super) fn of(known: Known<'_>, now: Timestamp, grace: Grace) -> (Coverage, String) {
    let recordable = !matches!(known.kind, Some("port-forward" | "port-forward-remote" | "ssh"));
    if known.has_transcript {
        if !known.is_opened {
            return (Coverage::Unaudited, "no CloudTrail record opened it".to_owned());
        }
        if known.is_cut {
            return (Coverage::RecordedPartial, "the transcript has no end: it may be cut".into());
        }
        return match known.hidden {
            Some(hidden) => {
                (Coverage::RecordedPartial, format!("seen in the transcript: {hidden}"))
            }
            None => (Coverage::Recorded, String::new()),
        };
    }
    if !recordable {
        let kind = known.kind.unwrap_or_default();
        return (Coverage::Unrecordable, format!("{kind}: Session Manager records nothing of it"));
    }
    let deadline = match (known.end, known.start) {
        (Some(end), _) => end.checked_add(grace.upload),
        (None, Some(start)) => {
            start.checked_add(grace.session).and_then(|end| end.checked_add(grace.upload))
        }
        (None, None) => Ok(now),
    };
    let deadline = deadline.unwrap_or(Timestamp::MAX);
    if now < deadline {
        return (Coverage::Pending, "the transcript may still come".to_owned());
    }
    let after = match known.end {
        Some(_) => format!("{} after its end", hours(grace.upload)),
        None => format!("{} after its start, its end unknown", hours(grace.session + grace.upload)),
    };
    let document = known.document.filter(|_| known.kind.is_none());
    let document = document.map_or_else(String::new, |document| {
        format!("; the document {document} may have switched logging off")
    });
    (Coverage::Missing, format!("no transcript {after}{document}"))
}

fn hours(duration: SignedDuration) -> String {
    format!("{duration:#}")
}

/// How many sessions there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; 6]);

impl Tally {
    /// Counts one.
    pub fn note(&mut self, coverage: Coverage) {
        self.0[coverage as usize] += 1;
    }

    /// Those of a state.
    pub const fn of(&self, coverage: Coverage) -> u64 {
        self.0[coverage as usize]
    }

    /// All.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Wholly recorded, of those that could be and whose time is over: 0 to 100. `None` where there are none.
    pub fn percent(&self) -> Option<f64> {
        let whole = self.of(Coverage::Recorded);
        let all = whole
            + self.of(Coverage::RecordedPartial)
            + self.of(Coverage::Missing)
            + self.of(Coverage::Unaudited);
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        (all > 0).then(|| whole as f64 * 100.0 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_is_one_of_six() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let now = at("2026-10-02T00:00:00Z").unwrap();
        let opened =
            Known { is_opened: true, start: at("2026-10-01T09:00:00Z"), ..Known::default() };
        let shell = Known { kind: Some("shell"), ..opened };
        let cases = [
            (Known { has_transcript: true, ..shell }, Coverage::Recorded),
            (Known { has_transcript: true, is_cut: true, ..shell }, Coverage::RecordedPartial),
            (
                Known { has_transcript: true, hidden: Some("echo_off"), ..shell },
                Coverage::RecordedPartial,
            ),
            (Known { has_transcript: true, ..Known::default() }, Coverage::Unaudited),
            (Known { kind: Some("ssh"), ..opened }, Coverage::Unrecordable),
            // Its end is unknown, and it may last a day.
            (shell, Coverage::Pending),
            (Known { end: at("2026-10-01T10:00:00Z"), ..shell }, Coverage::Missing),
            (Known { end: at("2026-10-01T23:30:00Z"), ..shell }, Coverage::Pending),
            (Known { start: at("2026-09-30T09:00:00Z"), ..shell }, Coverage::Missing),
            (Known { end: at("2026-10-01T10:00:00Z"), ..opened }, Coverage::Missing),
        ];
        for (known, expected) in cases {
            let (coverage, reason) = of(known, now, Grace::default());
            assert_eq!(coverage, expected, "{known:?}: {reason}");
            assert_eq!(reason.is_empty(), coverage == Coverage::Recorded);
        }
    }
}

//! What a reader should look at first.

use super::counted;
use crate::view::{Note, Whole};

/// A sentence.
pub(super) struct Look {
    /// Its colour.
    pub(super) class: &'static str,
    /// The table that tells more, and the word to search there.
    pub(super) link: Option<(&'static str, &'static str)>,
    /// What it says.
    pub(super) text: String,
}

/// What is counted.
enum Of {
    Level,
    Gap,
    Note(Note),
    Denied,
    Preferences,
    Trail,
}

use Of::{Denied, Gap, Level, Preferences, Trail};

/// How grave, the table, the word to search there, what is counted, one of it, several.
type Line = (&'static str, &'static str, &'static str, Of, &'static str, &'static str);

const LINES: [Line; 19] = [
    (
        "bad",
        "findings",
        "critical",
        Level,
        "finding of level critical",
        "findings of level critical",
    ),
    ("bad", "findings", "high", Level, "finding of level high", "findings of level high"),
    (
        "bad",
        "gaps",
        "missing",
        Gap,
        "session that should have a recording has none",
        "sessions that should have a recording have none",
    ),
    (
        "bad",
        "gaps",
        "unaudited",
        Gap,
        "recording belongs to a session that CloudTrail did not tell of",
        "recordings belong to sessions that CloudTrail did not tell of",
    ),
    (
        "bad",
        "gaps",
        "unreadable",
        Gap,
        "log object could not be read",
        "log objects could not be read",
    ),
    (
        "bad",
        "gaps",
        "trail",
        Gap,
        "problem in CloudTrail's own proof of its files",
        "problems in CloudTrail's own proof of its files",
    ),
    (
        "bad",
        "events",
        "trail",
        Trail,
        "change to the audit trail, or an attempt at one",
        "changes to the audit trail, or attempts at them",
    ),
    (
        "bad",
        "events",
        "preferences",
        Preferences,
        "change to Session Manager's preferences or documents, or an attempt at one",
        "changes to Session Manager's preferences or documents, or attempts at them",
    ),
    (
        "warn",
        "sessions",
        "break-glass",
        Of::Note(Note::BreakGlass),
        "session through a break-glass role",
        "sessions through break-glass roles",
    ),
    (
        "warn",
        "sessions",
        "no-mfa",
        Of::Note(Note::NoMfa),
        "session for which AWS saw no second factor",
        "sessions for which AWS saw no second factor",
    ),
    (
        "warn",
        "sessions",
        "after-hours",
        Of::Note(Note::AfterHours),
        "session outside business hours",
        "sessions outside business hours",
    ),
    (
        "warn",
        "gaps",
        "unrecordable",
        Gap,
        "session of a kind that Session Manager does not record (port forwarding, SSH)",
        "sessions of a kind that Session Manager does not record (port forwarding, SSH)",
    ),
    ("warn", "gaps", "recorded-partial", Gap, "recording is not whole", "recordings are not whole"),
    ("warn", "findings", "medium", Level, "finding of level medium", "findings of level medium"),
    ("", "findings", "low", Level, "finding of level low", "findings of level low"),
    ("warn", "sessions", "long", Of::Note(Note::Long), "long session", "long sessions"),
    ("warn", "events", "denied", Denied, "refused or failed attempt", "refused or failed attempts"),
    (
        "",
        "sessions",
        "privileged",
        Of::Note(Note::Privileged),
        "session with commands as root or by sudo",
        "sessions with commands as root or by sudo",
    ),
    (
        "",
        "sessions",
        "first-access",
        Of::Note(Note::FirstAccess),
        "session was the first of its identity on that node",
        "sessions were the first of their identity on that node",
    ),
];

/// What there is of it in these figures, the gravest first.
pub(super) fn looks(whole: &Whole) -> Vec<Look> {
    let mut looks = Vec::new();
    for (class, table, word, of, one, many) in &LINES {
        let count = match of {
            Level => whole.findings.levels.get(*word).copied().unwrap_or_default(),
            Gap => whole.gaps.get(*word).copied().unwrap_or_default(),
            Of::Note(note) => {
                whole.sessions.all.notes.get(note.as_str()).copied().unwrap_or_default()
            }
            Denied => whole.events.denied,
            Preferences => whole.events.preferences,
            Trail => whole.events.trail,
        };
        if count > 0 {
            let text = format!("{}.", counted(count, one, many));
            looks.push(Look { class, link: Some((table, word)), text });
        }
    }
    let states = whole.alerts.states.iter();
    let waiting = states.filter(|(state, _)| *state != "delivered").map(|(_, count)| count).sum();
    if waiting > 0 {
        let waiting = counted(waiting, "alert is", "alerts are");
        looks.push(Look {
            class: "bad",
            link: None,
            text: format!("{waiting} not delivered everywhere."),
        });
    }
    let is_quiet = whole.findings.total == 0 && whole.gaps.is_empty();
    if looks.is_empty() && is_quiet {
        looks.push(Look { class: "good", link: None, text: "Nothing stands out.".to_owned() });
    }
    if whole.integrity.is_none() && whole.filters.is_empty() {
        looks.push(Look {
            class: "",
            link: None,
            text: "CloudTrail's own digests were not verified for this period.".to_owned(),
        });
    }
    looks
}

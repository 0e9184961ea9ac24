//! The kinds of event that a rule can be written for, and the Sigma log source of each.

use std::fmt;

/// A Sigma log source: what a rule's `logsource` names, or what an event offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogSource {
    /// `category`, such as `process_creation`.
    pub category: Option<String>,
    /// `product`, such as `aws` or `linux`.
    pub product: Option<String>,
    /// `service`, such as `cloudtrail`.
    pub service: Option<String>,
}

impl LogSource {
    /// Does a rule with this log source apply to events of `kind`? Every part that the rule names must
    /// be the kind's own; a part that it leaves out is open (Sigma specification, "Log source").
    pub fn applies_to(&self, kind: EventKind) -> bool {
        let (category, product, service) = kind.parts();
        let fits = |wanted: &Option<String>, own: Option<&str>| {
            wanted.as_ref().is_none_or(|w| own.is_some_and(|o| o.eq_ignore_ascii_case(w)))
        };
        fits(&self.category, category)
            && fits(&self.product, product)
            && fits(&self.service, service)
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [("product", &self.product), ("service", &self.service), ("category", &self.category)];
        let mut first = true;
        for (name, part) in parts {
            if let Some(part) = part {
                write!(f, "{}{name}: {part}", if first { "" } else { ", " })?;
                first = false;
            }
        }
        if first { f.write_str("any log source") } else { Ok(()) }
    }
}

/// Names of the fields `session.<name>` that every event has of the session it belongs to.
pub const SESSION_FIELDS: [&str; 9] = [
    "id",
    "principal",
    "principal_type",
    "document",
    "target",
    "kind",
    "account",
    "region",
    "reason",
];

/// What happened, as far as choosing the rules goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A CloudTrail record (`product: aws, service: cloudtrail`).
    CloudTrail,
    /// A program that a command line started on a Linux node
    /// (`product: linux, category: process_creation`).
    LinuxProcess,
    /// The same on a macOS node.
    MacosProcess,
    /// The same on a Windows node.
    WindowsProcess,
    /// A line that a person ran (`product: aws, service: session_manager, category: command`).
    Command,
    /// A transcript as a whole (`category: transcript`).
    Transcript,
    /// A session (`category: session`).
    Session,
    /// A gap in what was recorded (`category: coverage`).
    Coverage,
}

impl EventKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 8] = [
        Self::CloudTrail,
        Self::LinuxProcess,
        Self::MacosProcess,
        Self::WindowsProcess,
        Self::Command,
        Self::Transcript,
        Self::Session,
        Self::Coverage,
    ];

    /// `(category, product, service)` of this kind's log source.
    pub const fn parts(self) -> (Option<&'static str>, Option<&'static str>, Option<&'static str>) {
        const AWS: Option<&str> = Some("aws");
        const PROCESS: Option<&str> = Some("process_creation");
        const SESSION_MANAGER: Option<&str> = Some("session_manager");
        match self {
            Self::CloudTrail => (None, AWS, Some("cloudtrail")),
            Self::LinuxProcess => (PROCESS, Some("linux"), None),
            Self::MacosProcess => (PROCESS, Some("macos"), None),
            Self::WindowsProcess => (PROCESS, Some("windows"), None),
            Self::Command => (Some("command"), AWS, SESSION_MANAGER),
            Self::Transcript => (Some("transcript"), AWS, SESSION_MANAGER),
            Self::Session => (Some("session"), AWS, SESSION_MANAGER),
            Self::Coverage => (Some("coverage"), AWS, SESSION_MANAGER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(product: &str, service: &str, category: &str) -> LogSource {
        let part = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        LogSource { category: part(category), product: part(product), service: part(service) }
    }

    #[test]
    fn a_part_left_open_fits_and_a_part_named_must_be_there() {
        let cases = [
            (source("aws", "cloudtrail", ""), EventKind::CloudTrail, true),
            (source("AWS", "CloudTrail", ""), EventKind::CloudTrail, true),
            (source("aws", "", ""), EventKind::CloudTrail, true),
            (source("aws", "", ""), EventKind::Command, true),
            (source("linux", "", "process_creation"), EventKind::LinuxProcess, true),
            (source("", "", "process_creation"), EventKind::WindowsProcess, true),
            (source("linux", "auditd", ""), EventKind::LinuxProcess, false),
            (source("windows", "", "process_creation"), EventKind::LinuxProcess, false),
            (source("aws", "session_manager", "command"), EventKind::Command, true),
            (source("aws", "session_manager", "command"), EventKind::Transcript, false),
        ];
        for (source, kind, expected) in cases {
            assert_eq!(source.applies_to(kind), expected, "{source} on {kind:?}");
        }
    }
}

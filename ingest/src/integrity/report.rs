//! What the verification found.

use jiff::Timestamp;
use serde::Serialize;

/// Every chain that was found, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One for each account, region and trail; backfill digests are chains of their own.
    pub chains: Vec<Chain>,
}

impl Report {
    /// Is nothing wrong, notes aside? A report without chains proves nothing, and is not sound.
    pub fn is_sound(&self) -> bool {
        let problems = || self.chains.iter().flat_map(|chain| &chain.problems);
        !self.chains.is_empty() && problems().all(|problem| problem.kind.is_note())
    }
}

/// The digests of one trail in one account and region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Whose events.
    pub account: String,
    /// The organisation, where the trail is an organisation's.
    pub organization: Option<String>,
    /// Which region's events.
    pub region: String,
    /// The trail's name.
    pub trail: String,
    /// The region in which the trail was created.
    pub home_region: String,
    /// Digests that CloudTrail wrote later for files that it had not listed in time.
    pub backfill: bool,
    /// From when the digests that are not invalid reach; `None` where there is no such digest.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
    /// What became of the digests.
    pub digests: Digests,
    /// What became of the log files that they list.
    pub log_files: LogFiles,
    /// By time.
    pub problems: Vec<Problem>,
}

/// How many digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// Signed by CloudTrail, and as the next one remembers them.
    pub valid: u64,
    /// Changed, forged, moved or unreadable as a digest.
    pub invalid: u64,
    /// Of which it cannot be said.
    pub unproved: u64,
    /// Named by the next one and not there.
    pub missing: u64,
}

/// How many log files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogFiles {
    /// As a valid digest lists them.
    pub valid: u64,
    /// Not as listed.
    pub invalid: u64,
    /// As a digest lists them that is not proved itself, or listed by an invalid one, whose list is worth nothing.
    pub unproved: u64,
    /// Listed and not there.
    pub missing: u64,
}

/// Something that an auditor should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// From when it concerns events, as far as known.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
    /// Which object; for a time without digests the digest behind it.
    pub object: String,
    /// What it is.
    pub kind: Kind,
    /// The same in plain words.
    pub reason: String,
}

/// What a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A digest that is not one, or whose signature is not CloudTrail's.
    InvalidDigest,
    /// A digest signed with a key that is not among those given.
    UnknownKey,
    /// A digest that lies elsewhere than CloudTrail put it.
    MovedDigest,
    /// A digest that is not what the next one remembers.
    BrokenLink,
    /// A digest that the next one names and that is not there.
    DeletedDigest,
    /// A digest that no later one names, where the chain goes past it.
    UnlinkedDigest,
    /// A digest that nothing at hand proves (note).
    UnprovedDigest,
    /// A time that no digest covers, since logging or validation was stopped.
    Gap,
    /// A part of the time asked for that digests do not reach (note).
    Uncovered,
    /// The chain goes on in a place that was not asked for (note).
    Elsewhere,
    /// A log file that is not what its digest lists.
    InvalidLogFile,
    /// A log file that its digest lists and that is not there.
    DeletedLogFile,
    /// A log file that no digest lists, though digests cover its time: it may have been put there.
    UnlistedLogFile,
    /// A log file that no digest lists yet (note: the next one may).
    WaitingLogFile,
    /// An object that could not be read, so that nothing can be said of it.
    Unreadable,
}

impl Kind {
    /// Worth knowing, and no sign of tampering by itself.
    pub const fn is_note(self) -> bool {
        matches!(
            self,
            Self::UnprovedDigest | Self::Uncovered | Self::Elsewhere | Self::WaitingLogFile
        )
    }
}

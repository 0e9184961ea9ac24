//! The report of a period: facts → views → files, and a manifest of their hashes.
//!
//! ```text
//! sessions ──▶ findings ──▶ commands ──▶ access ──▶ coverage, events, alerts ──▶ controls ──▶ report.html, report.json
//!                                                                          facts.csv ──▶ manifest.json
//! ```
//!
//! What grows with the period is streamed; held at once are the sessions, as `Sessions` keeps them, and what the page shows.

mod controls;
mod files;
mod judge;
mod publish;
mod tables;
pub mod verify;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

pub use self::judge::{BreakGlass, Filter};
pub use self::publish::{Place, Published, publish};
use self::writer::Writer;
use jiff::{SignedDuration, Timestamp};
use report::store::{Store, StoreError};
use report::view::{Grace, Measures, Period, TableError, Tables, Whole};
use report::write::{Manifest, Previous, RulesOf, hex};

/// What a report is to be about.
pub struct Options<'a> {
    /// Of when.
    pub period: Period,
    /// The time at which to look: what is missing then.
    pub as_of: Timestamp,
    /// How long a transcript may take.
    pub grace: Grace,
    /// What it is narrowed to.
    pub filter: Filter,
    /// Shall other names stand for the principals?
    pub redact: bool,
    /// From when on a session is long.
    pub long: SignedDuration,
    /// Days that are looked back for a first access; 0 for none.
    pub lookback_days: i32,
    /// The name of the calendar that business hours are taken from.
    pub calendar: &'a str,
    /// Names of nodes, by their ids.
    pub names: BTreeMap<String, String>,
    /// What the rules say of hours and roles, and which they are.
    pub standards: &'a Standards,
    /// The rows, where another engine has computed them; else they are computed here.
    pub tables: Option<(Tables, &'a str)>,
    /// The report before.
    pub previous: Option<Previous>,
    /// The version of the program.
    pub version: &'a str,
    /// The time that it is: nobody can look at what has not come yet.
    pub clock: Timestamp,
}

/// So long after a period everything has come that will: a session may last a day, and its transcript is uploaded then. A report
/// that is as of that time is the same whenever it is made.
pub const SETTLED: SignedDuration = SignedDuration::from_hours(48);

impl Options<'_> {
    /// Had everything come that would?
    fn is_settled(&self) -> bool {
        let settled = self.period.until().checked_add(SETTLED);
        settled.is_ok_and(|settled| self.as_of.min(self.clock) >= settled)
    }

    fn measures(&self) -> Measures {
        let calendar = self.standards.calendars.contains_key(self.calendar);
        Measures {
            grace_s: self.grace.upload.as_secs(),
            long_s: self.long.as_secs(),
            // Whoever has another engine compute has more than can be looked back over here.
            lookback_days: if self.tables.is_some() { 0 } else { self.lookback_days },
            calendar: calendar.then(|| self.calendar.to_owned()),
            break_glass_roles: self.standards.break_glass.patterns().to_vec(),
        }
    }

    /// What is usual, of a period.
    pub fn usual(period: Period) -> Self {
        static NONE: std::sync::LazyLock<Standards> = std::sync::LazyLock::new(Standards::default);
        Self {
            as_of: period.until(),
            grace: Grace::default(),
            filter: Filter::default(),
            redact: false,
            long: SignedDuration::from_hours(8),
            lookback_days: 90,
            calendar: "business_hours",
            names: BTreeMap::new(),
            standards: &NONE,
            tables: None,
            previous: None,
            version: "",
            clock: Timestamp::MAX,
            period,
        }
    }
}

/// What a report takes from a pack of rules.
#[derive(Clone, Debug, Default)]
pub struct Standards {
    /// The calendars.
    pub calendars: rules::Calendars,
    /// The roles that are kept for emergencies.
    pub break_glass: BreakGlass,
    /// Which rules they are.
    pub rules: RulesOf,
}

impl Standards {
    /// Those of a pack, and of the files that it was read from.
    pub fn of(pack: &rules::Pack, files: &[rules::PackFile]) -> Self {
        Self {
            calendars: pack.calendars.clone(),
            break_glass: BreakGlass::of(pack),
            rules: RulesOf {
                sha256: hash_of_rules(files),
                rules: pack.rules.len() + pack.correlations.len(),
            },
        }
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table that another engine has computed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file of the report.
    #[error("writing the report: {0}")]
    Io(#[from] io::Error),
    /// A Parquet file of the report.
    #[error("writing {0}: {1}")]
    Parquet(&'static str, String),
    /// There is another report in its place.
    #[error("{0}")]
    There(String),
}

/// Writes the files of a report into a folder that is there. The store has to be [`Store::witnessed`].
pub fn write(
    store: &Store,
    options: &Options<'_>,
    folder: &Path,
) -> Result<(Manifest, Whole), ReportError> {
    Writer::open(store, options, folder)?.write()
}

/// The hash of a pack: over its files, in order of their contents' hashes.
fn hash_of_rules(files: &[rules::PackFile]) -> String {
    use sha2::{Digest as _, Sha256};
    let is_rule = |file: &&rules::PackFile| {
        !file.path.ends_with(".test.yml") && !file.path.ends_with(".test.yaml")
    };
    let hashes: BTreeSet<[u8; 32]> =
        files.iter().filter(is_rule).map(|file| Sha256::digest(&file.text).into()).collect();
    let mut whole = Sha256::new();
    for hash in &hashes {
        whole.update(hash);
    }
    hex(&whole.finalize())
}

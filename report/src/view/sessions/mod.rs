//! One row for each session: activity and transcripts, joined by the session's id alone.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use foldhash::{HashMap, HashSet, HashSetExt as _};
use jiff::Timestamp;
use model::Level;

use super::coverage::{Coverage, Grace, Tally};
use super::symbols::{Symbol, Symbols};
use crate::store::{Store, StoreError};

mod gather;
mod range;
mod row;

pub use range::Range;
pub use row::SessionRow;

/// What has been gathered of a session. Times are microseconds.
#[derive(Clone, Debug, Default)]
struct Draft {
    id: Box<str>,
    is_opened: bool,
    /// The beginning of the event's id that opened it: with the time it decides if there are several.
    opened_by: u64,
    principal: Symbol,
    principal_type: Symbol,
    principal_name: Symbol,
    principal_claimed_name: Symbol,
    account: Symbol,
    region: Symbol,
    target: Symbol,
    /// The name that Session Manager has for a container: of a session opened through ECS there are two records.
    container: Symbol,
    kind: Symbol,
    document: Symbol,
    reason: Symbol,
    source_ip: Symbol,
    user_agent: Symbol,
    run_as: Symbol,
    mfa: Option<bool>,
    start: Option<i64>,
    terminated: Option<i64>,
    transcripts: u32,
    /// Of these, without an end that should be there.
    cut: u32,
    stream_principal: Symbol,
    stream_target: Symbol,
    stream_region: Symbol,
    first_event: Option<i64>,
    last_event: Option<i64>,
    ended: Option<i64>,
    /// When a transcript of it was first seen: the day that it is told in if nothing else tells of a time.
    seen: Option<i64>,
    /// Is there an artifact that was read in two versions?
    is_told_again: bool,
    /// Was it opened on a day that was not read?
    is_elsewhere: bool,
    commands: u64,
    /// Of the transcripts, those that are not parts of a stream.
    whole: u32,
    /// Commands in the parts of its stream.
    in_parts: u64,
    hidden: Symbol,
    hidden_in_parts: Symbol,
    /// The whole transcript that shows most, where that was asked for.
    best: Option<Box<Best>>,
    findings: u64,
    highest: Option<Level>,
    /// Its coverage and the reason, where somebody else has told.
    told: Option<(Coverage, Symbol)>,
}

/// A transcript, by what decides which of several is taken: most commands, then the least name and place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Best {
    fewer: std::cmp::Reverse<u64>,
    artifact: Box<str>,
    offset: i64,
}

impl Draft {
    fn seen(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.seen?).ok()
    }
}

/// All sessions of a store.
#[derive(Debug)]
pub struct Sessions {
    symbols: Symbols,
    drafts: Drafts,
    /// Artifacts that are parts of streams, by a hash; kept where it was asked which commands are whose.
    parts: HashSet<u128>,
    wants_artifacts: bool,
}

/// A session, by its number in [`Sessions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(u32);

impl SessionNumber {
    /// As an index, below [`Sessions::count`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Sessions by a hash of their id. It is as wide as two, with seeds that nobody outside knows: two ids that have the same are
/// not to be met, and none has to be fetched from memory to be compared.
#[derive(Debug, Default)]
struct Drafts {
    seeds: [RandomState; 2],
    by: HashMap<u128, usize>,
    all: Vec<Draft>,
}

impl Drafts {
    fn key(&self, id: &str) -> u128 {
        let [high, low] = [0, 1].map(|at| u128::from(self.seeds[at].hash_one(id)));
        high << 64 | low
    }

    fn of(&mut self, id: &str) -> &mut Draft {
        let key = self.key(id);
        let at = *self.by.entry(key).or_insert_with(|| {
            self.all.push(Draft { id: id.into(), ..Draft::default() });
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    fn known(&mut self, id: &str) -> Option<&mut Draft> {
        let key = self.key(id);
        self.all.get_mut(*self.by.get(&key)?)
    }
}

impl Sessions {
    /// Reads them.
    pub fn read(store: &Store, range: Range) -> Result<Self, StoreError> {
        Self::read_as(store, range.days(), false)
    }

    /// None yet.
    pub(super) fn empty() -> Self {
        Self {
            symbols: Symbols::new(),
            drafts: Drafts::default(),
            parts: HashSet::new(),
            wants_artifacts: false,
        }
    }

    /// Reads what was there at `as_of`, and remembers in which transcript each shows most: [`Sessions::shows`] can be asked then.
    pub fn read_with_transcripts(
        store: &Store,
        range: Range,
        as_of: Timestamp,
    ) -> Result<Self, StoreError> {
        Self::read_as(store, range.days_as_of(as_of), true)
    }

    /// Calls `each` for the sessions as they are at `now`, in no order.
    pub fn each<'s>(
        &'s self,
        range: Range,
        now: Timestamp,
        grace: Grace,
        mut each: impl FnMut(SessionRow<'s>),
    ) {
        for draft in &self.drafts.all {
            // Only ended, or only found: its start lies before the days that were read.
            if draft.is_elsewhere || (!draft.is_opened && draft.transcripts == 0) {
                continue;
            }
            let row = self.row(&draft.id, draft, now, grace);
            if range.holds(row.start.or(row.end).or(draft.seen())) {
                each(row);
            }
        }
    }

    /// How many there are, those of other days among them.
    pub fn count(&self) -> usize {
        self.drafts.all.len()
    }

    /// The sessions of a range that `holds` wants, in order of their start.
    pub fn ordered(
        &self,
        range: Range,
        now: Timestamp,
        grace: Grace,
        mut holds: impl FnMut(&SessionRow<'_>) -> bool,
    ) -> Vec<SessionNumber> {
        let mut numbers: Vec<(Option<Timestamp>, u32)> = Vec::new();
        for (at, draft) in self.drafts.all.iter().enumerate() {
            if draft.is_elsewhere || (!draft.is_opened && draft.transcripts == 0) {
                continue;
            }
            let row = self.row(&draft.id, draft, now, grace);
            if range.holds(row.start.or(row.end).or(draft.seen())) && holds(&row) {
                numbers.push((row.start, u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
        let id = |at: u32| &*self.drafts.all[at as usize].id;
        numbers.sort_unstable_by(|a, b| (a.0, id(a.1)).cmp(&(b.0, id(b.1))));
        numbers.into_iter().map(|(_, at)| SessionNumber(at)).collect()
    }

    /// A session as it is at `now`.
    pub fn at(&self, number: SessionNumber, now: Timestamp, grace: Grace) -> SessionRow<'_> {
        let draft = &self.drafts.all[number.index()];
        self.row(&draft.id, draft, now, grace)
    }

    /// The session of this id.
    pub fn find(&self, id: &str) -> Option<SessionNumber> {
        let at = *self.drafts.by.get(&self.drafts.key(id))?;
        u32::try_from(at).ok().map(SessionNumber)
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.drafts.all.iter().map(|draft| &*draft.id)
    }

    /// Takes names out of all texts. Sessions are found by their ids as before.
    pub fn redact(&mut self, redactor: &crate::redact::Redactor) {
        self.symbols.redact(redactor);
        for draft in &mut self.drafts.all {
            if let Some(changed) = redactor.changed(&draft.id) {
                draft.id = changed.into();
            }
        }
    }

    /// Principal, account, region and target of a session.
    pub fn who(&self, number: SessionNumber) -> [Option<&str>; 4] {
        self.who_of(&self.drafts.all[number.index()])
    }

    fn who_of(&self, draft: &Draft) -> [Option<&str>; 4] {
        let text = |symbol| self.symbols.text(symbol);
        [
            text(draft.principal.or(draft.stream_principal)),
            text(draft.account),
            text(draft.region.or(draft.stream_region)),
            text(draft.container.or(draft.target).or(draft.stream_target)),
        ]
    }

    /// Was an artifact of it read in two versions, so that the same command may be there twice?
    pub fn is_told_again(&self, number: SessionNumber) -> bool {
        let draft = &self.drafts.all[number.index()];
        draft.is_told_again || draft.whole < draft.transcripts
    }

    /// Are the commands of this artifact those that are told of the session? Of several transcripts of one session each shows
    /// the same commands: the one that shows most is taken, or the parts of a stream together if they show more.
    pub fn shows(&self, number: SessionNumber, artifact: &str) -> bool {
        let draft = &self.drafts.all[number.index()];
        match &draft.best {
            Some(best) if best.fewer.0 >= draft.in_parts => *best.artifact == *artifact,
            _ => self.parts.contains(&self.drafts.key(artifact)),
        }
    }

    /// The sessions as they are at `now`, in order of their start.
    pub fn rows(&self, range: Range, now: Timestamp, grace: Grace) -> Vec<SessionRow<'_>> {
        let mut rows = Vec::new();
        self.each(range, now, grace, |row| rows.push(row));
        rows.sort_by(|a, b| (a.start, a.session_id).cmp(&(b.start, b.session_id)));
        rows
    }

    /// How many there are of each state.
    pub fn tally(rows: &[SessionRow<'_>]) -> Tally {
        let mut tally = Tally::default();
        for row in rows {
            tally.note(row.coverage);
        }
        tally
    }
}

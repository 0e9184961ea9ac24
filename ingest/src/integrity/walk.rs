//! One chain, from the newest digest to the oldest.
//!
//! In this direction whatever a digest remembers of the one before is known when that one is read: its
//! place, its hash, and its signature, which a copied directory has nowhere else.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::chain::{Keys, Request, Trail};
use super::digest::{Previous, Sum};
use super::judge::open;
use super::keys::PublicKeys;
use super::layout::{ChainId, DigestKey};
use super::report::{Chain, Digests, Kind, LogFiles, Problem};
use super::unlisted::Cover;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Valid,
    Unproved,
    Invalid,
}

/// What is kept of the digest that was read last, for the one before it.
pub(super) struct Newer {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// As its key has it.
    pub(super) end: Timestamp,
    /// `None` where the digest could not be read.
    pub(super) start: Option<Timestamp>,
    pub(super) previous: Option<Previous>,
    /// The key of the previous one in this source.
    pub(super) previous_key: Option<String>,
}

impl Newer {
    pub(super) fn unread(name: String, end: Timestamp, verdict: Verdict) -> Self {
        Self { name, verdict, end, start: None, previous: None, previous_key: None }
    }

    /// Can what it says be relied on? If it is invalid, it says what whoever changed it wants.
    pub(super) fn is_heard(&self) -> bool {
        self.verdict != Verdict::Invalid && self.start.is_some()
    }

    /// What it remembers of the digest at `key`, be it worth something or not.
    pub(super) fn memory(&self, key: &str) -> Option<&Previous> {
        self.previous.as_ref().filter(|_| self.previous_key.as_deref() == Some(key))
    }
}

/// From when and until when.
pub(super) type Span = (Option<Timestamp>, Option<Timestamp>);

pub(super) struct Walk<'a> {
    pub(super) trail: &'a dyn Trail,
    pub(super) keys: &'a PublicKeys,
    pub(super) request: &'a Request<'a>,
    pub(super) cover: &'a mut Cover,
    pub(super) chain: Chain,
    /// The folder of the digests.
    place: String,
    /// Of digests that have been read.
    pub(super) read: BTreeMap<String, Sum>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        trail: &'a dyn Trail,
        keys: &'a PublicKeys,
        request: &'a Request<'a>,
        cover: &'a mut Cover,
        id: &ChainId,
    ) -> Self {
        let folder = &id.folder;
        let place = format!("{}/CloudTrail-Digest/{}/", folder.root, folder.region);
        let place = request.name(request.bucket.unwrap_or_default(), &place);
        let chain = Chain {
            account: folder.account.clone(),
            organization: folder.organization.clone(),
            region: folder.region.clone(),
            trail: id.trail.clone(),
            home_region: id.home.clone(),
            backfill: id.backfill,
            from: None,
            to: None,
            digests: Digests::default(),
            log_files: LogFiles::default(),
            problems: Vec::new(),
        };
        Self { trail, keys, request, cover, chain, place, read: BTreeMap::new() }
    }

    pub(super) fn problem(
        &mut self,
        kind: Kind,
        object: &str,
        (from, to): Span,
        reason: impl Into<String>,
    ) {
        let (object, reason) = (object.to_owned(), reason.into());
        self.chain.problems.push(Problem { from, to, object, kind, reason });
    }

    pub(super) fn all(mut self, mut listed: Keys) -> Chain {
        let hour = SignedDuration::from_hours(1);
        let from = self.request.from.unwrap_or(Timestamp::MIN);
        let until =
            self.request.to.map_or(Timestamp::MAX, |to| to.saturating_add(hour).unwrap_or(to));
        let mut pending = listed.split_off(&(from, String::new()));
        let witness = pending.iter().find(|(end, _)| *end > until).cloned();
        pending.retain(|(end, _)| *end <= until);
        // What ended last before the range.
        let before = listed.pop_last();

        let mut newer = witness.and_then(|witness| self.witness(&witness));
        loop {
            let named = newer.as_ref().and_then(|newer| self.follow(newer, &mut pending, from));
            let linked = named.is_some();
            let Some(next) = named.or_else(|| pending.pop_last()) else { break };
            if let Some(newer) = newer.as_ref().filter(|_| !linked) {
                self.apart(newer, &next);
            }
            newer = Some(self.digest(&next, newer.as_ref()));
        }
        if let (Some(newer), Some(before)) = (&newer, &before) {
            self.apart(newer, before);
        }
        self.uncovered();
        self.chain
    }

    /// The digest that `newer` names, if it is to be read next. If it is not there, that is told here.
    fn follow(
        &mut self,
        newer: &Newer,
        pending: &mut Keys,
        from: Timestamp,
    ) -> Option<(Timestamp, String)> {
        let previous = newer.previous.as_ref().filter(|_| newer.is_heard())?;
        let key = newer.previous_key.as_ref()?;
        let here = self.request.bucket.is_none_or(|bucket| bucket == previous.bucket);
        let end = DigestKey::parse(key).map(|key| key.end);
        if let Some(found) = end.map(|end| (end, key.clone())).filter(|_| here)
            && pending.remove(&found)
        {
            return Some(found);
        }
        if end.is_some_and(|end| end < from) {
            return None;
        }
        let object = self.request.name(&previous.bucket, key);
        let span = (pending.last().map(|(end, _)| *end), newer.start);
        let sum = match self.read.get(key).filter(|_| here) {
            Some(sum) => Some(*sum),
            None => match self.trail.get(&previous.bucket, key) {
                Err(reason) => {
                    self.chain.digests.unproved += 1;
                    self.problem(Kind::Unreadable, &object, span, reason);
                    return None;
                }
                Ok(None) => {
                    self.chain.digests.missing += 1;
                    let reason = format!(
                        "{} names it as the digest before, and it is not there",
                        newer.name
                    );
                    self.problem(Kind::DeletedDigest, &object, span, reason);
                    return None;
                }
                Ok(Some(found)) => {
                    let reason = "the chain goes on here, which is not among what was asked for: verify this place too";
                    self.problem(Kind::Elsewhere, &object, span, reason);
                    open(&found.bytes).ok().map(|bytes| Sha256::digest(bytes).into())
                }
            },
        };
        if sum != Some(previous.sum) {
            let reason = format!("{} remembers a digest with another content", newer.name);
            self.problem(Kind::BrokenLink, &object, span, reason);
        }
        None
    }

    /// Nothing leads from `newer` to the digest before it.
    fn apart(&mut self, newer: &Newer, (older, key): &(Timestamp, String)) {
        let (older, name) = (*older, &newer.name);
        if newer.end <= older {
            let object = self.request.name(self.request.bucket.unwrap_or_default(), key);
            let reason = "no later digest names it, and the chain goes past it";
            self.problem(Kind::UnlinkedDigest, &object, (None, Some(older)), reason);
        } else if self.chain.backfill {
            // Written when there is something to add, not every hour.
        } else if !newer.is_heard() {
            // It cannot be asked what came before it, but digests are written every hour.
            if newer.end.duration_since(older) > SignedDuration::from_mins(90) {
                let reason = "digests are written every hour: between this one, which cannot be relied on, and the \
                              one before it others are missing";
                self.problem(Kind::Gap, name, (Some(older), Some(newer.end)), reason);
            }
        } else if newer.previous.is_none() {
            let reason = "this digest begins a new chain: logging or the validation of log files was stopped and \
                          started again, and no digest covers the time between";
            self.problem(Kind::Gap, name, (Some(older), newer.start), reason);
        }
    }

    /// Deleting the newest digests breaks no link; all that shows is that the chain ends early.
    fn uncovered(&mut self) {
        let begun = self.request.from.filter(|_| !self.chain.backfill);
        if let (Some(asked), Some(from)) = (begun, self.chain.from)
            && from.duration_since(asked) > SignedDuration::from_hours(2)
        {
            let reason = "no digest covers the beginning of the time asked for: log file validation was not on yet, or digests \
                          were deleted";
            let place = self.place.clone();
            self.problem(Kind::Uncovered, &place, (Some(asked), Some(from)), reason);
        }
        let Some(asked) = self.request.to.filter(|_| !self.chain.backfill) else { return };
        let reached = self.chain.to.or(self.request.from).unwrap_or(Timestamp::MIN);
        if asked.duration_since(reached) > SignedDuration::from_hours(2) {
            let reason = "no digest covers the end of the time asked for: logging was stopped, or digests were \
                          deleted from the end, which leaves no trace in the chain";
            let (place, from) = (self.place.clone(), self.chain.to.or(self.request.from));
            self.problem(Kind::Uncovered, &place, (from, Some(asked)), reason);
        }
    }
}

//! Matches of one CloudTrail record.

use std::cell::OnceCell;
use std::sync::Arc;

use ingest::decode::{PackedTexts, Record, Texts};
use jiff::Timestamp;
use model::{Evidence, Finding, Place, Principal, RuleInfo, Session};
use report::mask::Masker;

use super::{Kept, id, number};
use crate::events::RecordEvent;

/// What matches of one record have in common, made when it is asked for.
pub(crate) struct OfRecord<'e, 'a> {
    event: &'e RecordEvent<'a>,
    place: Place,
    number: OnceCell<u128>,
    parts: OnceCell<Parts>,
    packed: OnceCell<PackedTexts>,
}

/// Of a finding what the record says.
struct Parts {
    session: Option<Arc<Session>>,
    principal: Option<Arc<Principal>>,
}

impl Parts {
    fn new(record: &Record) -> Self {
        let session =
            record.opened_session().or_else(|| record.session_id.clone().map(Session::unknown));
        let is_known = record.principal.label().is_some();
        let principal = is_known.then(|| Arc::new(record.principal.clone()));
        Self { session: session.map(Arc::new), principal }
    }
}

/// What makes a record the same as another: a copy has the same id. `bytes`: the record, which has to do where it has none.
fn identity<'a>(
    event_id: Option<&'a str>,
    account: Option<&'a str>,
    bytes: &'a [u8],
) -> [&'a [u8]; 3] {
    let account = account.unwrap_or_default();
    [b"cloudtrail", event_id.map_or(bytes, str::as_bytes), account.as_bytes()]
}

impl<'e, 'a> OfRecord<'e, 'a> {
    pub(crate) fn new(event: &'e RecordEvent<'a>, artifact: &Arc<str>) -> Self {
        let place = Place::new(Arc::clone(artifact), event.raw.offset);
        Self {
            event,
            place,
            number: OnceCell::new(),
            parts: OnceCell::new(),
            packed: OnceCell::new(),
        }
    }

    fn identity(&self) -> [&[u8]; 3] {
        let texts = self.event.texts();
        identity(
            texts.and_then(Texts::event_id),
            texts.and_then(Texts::account),
            self.event.raw.bytes,
        )
    }

    /// The record's identity.
    pub(crate) fn event(&self) -> u128 {
        *self.number.get_or_init(|| number(&self.identity()))
    }

    /// When it happened.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.event.texts().and_then(Texts::time)
    }

    /// That a rule matched it.
    pub(crate) fn finding(
        &self,
        rule: &Arc<RuleInfo>,
        mut evidence: Vec<Evidence>,
        masker: Masker,
    ) -> Finding {
        masker.evidence(&mut evidence);
        let nothing = Record::default();
        let record = self.event.record().unwrap_or(&nothing);
        let parts = self.parts.get_or_init(|| Parts::new(record));
        finding(rule, &self.identity(), record, parts, evidence, self.place.clone())
    }

    /// The same, for when it is known whether something comes of it.
    pub(crate) fn kept(&self, rule: &Arc<RuleInfo>, masker: Masker) -> Kept {
        match self.event.texts() {
            Some(texts) if texts.event_id().is_some() => Kept::Record(KeptRecord {
                rule: Arc::clone(rule),
                place: self.place.clone(),
                texts: self.packed.get_or_init(|| texts.pack()).clone(),
            }),
            // Its bytes are its identity, so it is made out now.
            _ => Kept::new(&self.finding(rule, Vec::new(), masker)),
        }
    }
}

fn finding(
    rule: &Arc<RuleInfo>,
    identity: &[&[u8]; 3],
    record: &Record,
    parts: &Parts,
    evidence: Vec<Evidence>,
    place: Place,
) -> Finding {
    Finding {
        id: id(&[&[rule.id.as_bytes()], identity.as_slice()].concat()),
        rule: Arc::clone(rule),
        time: record.time,
        time_end: record.time,
        session: parts.session.clone(),
        principal: parts.principal.clone(),
        account: record.account.clone(),
        region: record.region.clone(),
        target: record.target.clone(),
        event_id: record.event_id.clone(),
        event_name: record.event_name.clone(),
        command: None,
        source_ip: record.source_ip.clone(),
        error_code: record.error_code.clone(),
        evidence,
        place,
        correlated: Vec::new(),
        correlated_count: 0,
    }
}

/// A match of which something may come.
#[derive(Clone, Debug)]
pub(crate) struct KeptRecord {
    rule: Arc<RuleInfo>,
    place: Place,
    texts: PackedTexts,
}

impl KeptRecord {
    /// The finding, without its evidence: of a correlation it is that the match was there.
    pub(super) fn finding(&self) -> Finding {
        let texts = self.texts.texts();
        let record = Record::of(&texts);
        let identity = identity(texts.event_id(), texts.account(), &[]);
        let parts = Parts::new(&record);
        finding(&self.rule, &identity, &record, &parts, Vec::new(), self.place.clone())
    }
}

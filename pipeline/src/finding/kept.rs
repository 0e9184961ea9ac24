//! What is kept of a match until all of them are known, and correlations can be told.
//!
//! There may be a hundred thousand of them for each correlation, and of most nothing ever comes. So they are packed:
//! a tenth of what a finding takes.

use std::sync::Arc;

use jiff::Timestamp;
use model::{Finding, FindingId, Place, Principal, RuleInfo, Session};
use serde::{Deserialize, Serialize};

use super::record::KeptRecord;

/// A match, or a correlation that is part of another.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// A match of a record.
    Record(KeptRecord),
    /// Another match.
    Match(Arc<Packed>),
    /// A correlation, with what it is made of.
    Correlation(Arc<Finding>),
}

/// A finding without its evidence and its end.
#[derive(Debug)]
pub(crate) struct Packed {
    rule: Arc<RuleInfo>,
    time: Option<Timestamp>,
    artifact: Arc<str>,
    rest: Box<[u8]>,
}

/// The rest, borrowed to be packed, owned when it comes out.
#[derive(Serialize, Deserialize)]
struct Rest<T, P, S> {
    id: T,
    offset: u64,
    session: Option<S>,
    /// Is the session's principal the finding's?
    is_own: bool,
    principal: Option<P>,
    account: Option<T>,
    region: Option<T>,
    target: Option<T>,
    event_id: Option<T>,
    event_name: Option<T>,
    command: Option<T>,
    source_ip: Option<T>,
    error_code: Option<T>,
}

impl Kept {
    /// Packs a match. The evidence is left out: of a correlation it is that the match was there.
    pub(crate) fn new(finding: &Finding) -> Self {
        // Who opens a session is written twice otherwise.
        let own = finding.session.as_deref().filter(|session| {
            session.principal.is_some()
                && session.principal.as_ref() == finding.principal.as_deref()
        });
        let bare = own.map(|session| Session { principal: None, ..session.clone() });
        let rest = Rest {
            id: finding.id.0.as_str(),
            offset: finding.place.offset,
            session: bare.as_ref().or(finding.session.as_deref()),
            is_own: bare.is_some(),
            principal: finding.principal.as_deref(),
            account: finding.account.as_deref(),
            region: finding.region.as_deref(),
            target: finding.target.as_deref(),
            event_id: finding.event_id.as_deref(),
            event_name: finding.event_name.as_deref(),
            command: finding.command.as_deref(),
            source_ip: finding.source_ip.as_deref(),
            error_code: finding.error_code.as_deref(),
        };
        match postcard::to_stdvec(&rest) {
            Ok(rest) => Self::Match(Arc::new(Packed {
                rule: Arc::clone(&finding.rule),
                time: finding.time,
                artifact: Arc::clone(&finding.place.artifact),
                rest: rest.into_boxed_slice(),
            })),
            // Not to be packed, so kept as it is.
            Err(_) => Self::Correlation(Arc::new(finding.clone())),
        }
    }

    /// The finding again.
    pub(crate) fn finding(&self) -> Arc<Finding> {
        match self {
            Self::Record(record) => Arc::new(record.finding()),
            Self::Match(packed) => Arc::new(packed.finding()),
            Self::Correlation(finding) => Arc::clone(finding),
        }
    }
}

impl Packed {
    fn finding(&self) -> Finding {
        let rest: Rest<String, Principal, Session> =
            postcard::from_bytes(&self.rest).expect("it was packed here");
        let own = rest.principal.as_ref().filter(|_| rest.is_own).cloned();
        let session =
            rest.session.map(|session| Session { principal: session.principal.or(own), ..session });
        Finding {
            id: FindingId(rest.id),
            rule: Arc::clone(&self.rule),
            time: self.time,
            time_end: self.time,
            session: session.map(Arc::new),
            principal: rest.principal.map(Arc::new),
            account: rest.account,
            region: rest.region,
            target: rest.target,
            event_id: rest.event_id,
            event_name: rest.event_name,
            command: rest.command,
            source_ip: rest.source_ip,
            error_code: rest.error_code,
            evidence: Vec::new(),
            place: Place::new(Arc::clone(&self.artifact), rest.offset),
            correlated: Vec::new(),
            correlated_count: 0,
        }
    }
}

//! Every chain that a source has: what is asked for, and what is asked of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::keys::PublicKeys;
use super::layout::{ChainId, DigestKey};
use super::report::Report;
use super::unlisted::Cover;
use super::walk::Walk;

/// Where the objects are.
pub trait Trail {
    /// The keys of all objects that begin with `prefix`, or why they cannot be had.
    fn list(&self, prefix: &str) -> Result<Vec<String>, String>;
    /// An object; `None` where there is none. A directory ignores the bucket.
    fn get(&self, bucket: &str, key: &str) -> Result<Option<Object>, String>;
}

/// An object as it is stored.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Compressed, as it lies there.
    pub bytes: Vec<u8>,
    /// User metadata, without `x-amz-meta-`; empty where the source has none.
    pub metadata: BTreeMap<String, String>,
}

/// What to verify.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The bucket that keys are listed in; `None` for a directory, which does not know it, nor under which
    /// prefix of the bucket its files were.
    pub bucket: Option<&'a str>,
    /// Where digests are looked for. One that ends in `…/CloudTrail-Digest/` spares listing the log files.
    pub prefix: &'a str,
    /// Digests that end before are left out.
    pub from: Option<Timestamp>,
    /// Digests that end more than an hour later are left out: a file is in the digest of the hour in which it
    /// was delivered.
    pub to: Option<Timestamp>,
    /// Most that a log file may inflate to, in bytes.
    pub max_inflated: u64,
}

impl Request<'_> {
    /// How an object is called in the report. In a directory by its key: that is the file one can look at.
    pub(super) fn name(&self, bucket: &str, key: &str) -> String {
        match self.bucket {
            Some(_) => format!("s3://{bucket}/{key}"),
            None => key.to_owned(),
        }
    }
}

/// The digests could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("`{prefix}` cannot be listed: {reason}")]
pub struct Unlistable {
    /// Where.
    pub prefix: String,
    /// Why.
    pub reason: String,
}

/// The digests of one chain by time, then by key.
pub(super) type Keys = BTreeSet<(Timestamp, String)>;

/// The regions that there are digests of: each signs with keys of its own.
pub fn regions(trail: &dyn Trail, prefix: &str) -> Result<BTreeSet<String>, Unlistable> {
    let keys =
        trail.list(prefix).map_err(|reason| Unlistable { prefix: prefix.to_owned(), reason })?;
    Ok(keys
        .iter()
        .filter_map(|key| DigestKey::parse(key))
        .map(|key| key.chain.folder.region)
        .collect())
}

/// Accounts and regions with log files and without digests, of those that these keys are about: the folder above both, and the region.
pub fn undigested<'k>(keys: impl IntoIterator<Item = &'k str>) -> BTreeSet<(String, String)> {
    let (mut logs, mut digests) = (BTreeSet::new(), BTreeSet::new());
    for key in keys {
        for (mark, places) in [("/CloudTrail/", &mut logs), ("/CloudTrail-Digest/", &mut digests)] {
            if let Some((root, rest)) = key.split_once(mark)
                && let Some((region, _)) = rest.split_once('/')
            {
                places.insert((root.to_owned(), region.to_owned()));
            }
        }
    }
    logs.difference(&digests).cloned().collect()
}

/// Verifies every chain below the prefix. Objects are read one at a time; what is kept is names and hashes,
/// of the log files those of one account and region.
pub fn verify(
    trail: &dyn Trail,
    keys: &PublicKeys,
    request: &Request<'_>,
) -> Result<Report, Unlistable> {
    let unlistable = |reason| Unlistable { prefix: request.prefix.to_owned(), reason };
    let mut chains: BTreeMap<ChainId, Keys> = BTreeMap::new();
    for key in trail.list(request.prefix).map_err(unlistable)? {
        if let Some(digest) = DigestKey::parse(&key) {
            chains.entry(digest.chain).or_default().insert((digest.end, key));
        }
    }
    let mut report = Report::default();
    let mut chains = chains.into_iter().peekable();
    while let Some(folder) = chains.peek().map(|(id, _)| id.folder.clone()) {
        let (mut cover, first) = (Cover::default(), report.chains.len());
        while let Some((id, digests)) = chains.next_if(|(id, _)| id.folder == folder) {
            report.chains.push(Walk::new(trail, keys, request, &mut cover, &id).all(digests));
        }
        let list = |prefix: &str| trail.list(prefix);
        let name = |key: &str| request.name(request.bucket.unwrap_or_default(), key);
        report.chains[first].problems.extend(cover.unlisted(&folder, list, name));
        report.chains[first..].iter_mut().for_each(|chain| chain.problems.sort());
    }
    Ok(report)
}

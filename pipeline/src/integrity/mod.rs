//! CloudTrail's own proof of its files: its digests, verified, and kept as a fact that reports cite.

use std::collections::BTreeSet;
use std::io;

use ingest::integrity::{
    Chain, Kind, PublicKeys, Report, Request, Trail, regions, undigested, verify,
};
use ingest::source::{Bucket, Copied, public_keys};
use jiff::Timestamp;
use report::store::{Store, StoreError};
use report::view::IntegrityFigures;
use serde::{Deserialize, Serialize};

/// What was verified, as it is kept: `integrity/<from>--<to>.<hash>.json`.
pub struct Kept {
    /// The object's bytes.
    pub json: Vec<u8>,
    /// The same, read.
    pub note: Note,
}

/// What was verified.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub verified: Timestamp,
    /// From when.
    pub from: Timestamp,
    /// To when.
    pub to: Timestamp,
    /// What was looked at.
    pub source: String,
    /// Digest files that are what they were.
    pub digests_valid: u64,
    /// Log files that are what they were.
    pub log_files_valid: u64,
    /// Everything that is not as it should be.
    pub problems: Vec<Problem>,
    /// What is worth knowing, and no sign of tampering by itself.
    #[serde(default)]
    pub notes: Vec<Problem>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it is, such as `log-file-altered`.
    pub kind: String,
    /// The object.
    pub subject: String,
    /// The account whose trail it is.
    pub account: String,
    /// The region.
    pub region: String,
    /// From when, where it is about a time.
    pub from: Option<Timestamp>,
    /// To when.
    pub to: Option<Timestamp>,
    /// In plain words.
    pub reason: String,
}

impl Kept {
    /// Its problems.
    pub fn problems(&self) -> impl Iterator<Item = Problem> + '_ {
        self.note.problems.iter().cloned()
    }

    /// Its figures.
    pub fn figures(&self) -> IntegrityFigures {
        IntegrityFigures {
            verified: self.note.verified,
            from: self.note.from,
            to: self.note.to,
            digests_valid: self.note.digests_valid,
            log_files_valid: self.note.log_files_valid,
            problems: self.note.problems.len() as u64,
        }
    }
}

/// What was verified of this time: each run that touches it. What one has found stays, until a later one has looked at all that time
/// of the same trail and not found it.
pub fn of_time(
    store: &Store,
    since: Timestamp,
    until: Timestamp,
) -> Result<Option<Kept>, StoreError> {
    let mut runs: Vec<Note> = Vec::new();
    for entry in store.list("integrity")? {
        if !entry.path.ends_with(".json") {
            continue;
        }
        let Some(json) = store.get(&entry.path)? else { continue };
        let note: Note = serde_json::from_slice(&json)
            .map_err(|source| StoreError::Json { path: entry.path.clone(), source })?;
        if note.from < until && note.to > since {
            runs.push(note);
        }
    }
    runs.sort_by(|a, b| (a.verified, &a.source, a.from).cmp(&(b.verified, &b.source, b.from)));
    // What proves most of the time tells the figures.
    let reach = |run: &Note| run.to.min(until).duration_since(run.from.max(since));
    let Some(best) = runs.iter().max_by_key(|run| (reach(run), run.verified)) else {
        return Ok(None);
    };
    let mut whole = best.clone();
    let mut problems: Vec<Problem> = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        for problem in &run.problems {
            let (from, to) = (problem.from.unwrap_or(run.from), problem.to.unwrap_or(run.to));
            let is_over = runs[at + 1..].iter().any(|later| {
                later.source == run.source
                    && later.from <= from
                    && later.to >= to
                    && !later.problems.contains(problem)
            });
            if !is_over && !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
    }
    whole.problems = problems;
    let mut json = serde_json::to_vec_pretty(&serde_json::json!({"whole": whole, "runs": runs}))
        .expect("plain values are JSON");
    json.push(b'\n');
    Ok(Some(Kept { json, note: whole }))
}

/// Keeps what was verified.
pub fn keep(store: &Store, note: &Note) -> Result<String, StoreError> {
    use sha2::{Digest as _, Sha256};
    let mut json = serde_json::to_vec_pretty(note).expect("plain values are JSON");
    json.push(b'\n');
    let hash = report::write::hex(&Sha256::digest(&json)[..8]);
    let day = |time: Timestamp| time.to_zoned(jiff::tz::TimeZone::UTC).date();
    let path = format!("integrity/{}--{}.{hash}.json", day(note.from), day(note.to));
    store.create(&path, json)?;
    store.sync()?;
    Ok(path)
}

/// Verifies the digests below a directory or `s3://bucket/prefix`, and the log files that they list. Without `keys` the service is
/// asked for them.
pub fn look(
    source: &str,
    keys: Option<PublicKeys>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    max_inflated: u64,
) -> io::Result<Looked> {
    let failed = |error: ingest::integrity::Unlistable| io::Error::other(error.to_string());
    let bucket = source.contains("://").then(|| Bucket::open(source)).transpose()?;
    let (trail, (prefixes, places)): (Box<dyn Trail>, _) = if let Some(bucket) = &bucket {
        (Box::new(bucket.clone()), bucket.digest_folders()?)
    } else {
        let copied = Copied::new(source.as_ref());
        let keys = copied.list("").map_err(io::Error::other)?;
        (Box::new(copied), (vec![String::new()], keys))
    };
    let undigested = undigested(places.iter().map(String::as_str));
    let keys = if let Some(keys) = keys {
        keys
    } else {
        let mut all = BTreeSet::new();
        for prefix in &prefixes {
            all.extend(regions(&*trail, prefix).map_err(failed)?);
        }
        public_keys(all, from, to)?
    };
    let mut whole = Report::default();
    for prefix in &prefixes {
        let name = bucket.as_ref().map(Bucket::name);
        let request = Request { bucket: name, prefix, from, to, max_inflated };
        whole.chains.extend(verify(&*trail, &keys, &request).map_err(failed)?.chains);
    }
    Ok(Looked { report: whole, undigested })
}

/// What a look at a trail found.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Chain by chain.
    pub report: Report,
    /// Accounts and regions with log files and without any digest: their folder, and the region.
    pub undigested: BTreeSet<(String, String)>,
}

/// What is kept of what was found.
pub fn note(
    looked: &Looked,
    source: &str,
    verified: Timestamp,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Note {
    let found = &looked.report;
    let sum = |of: fn(&Chain) -> u64| found.chains.iter().map(of).sum();
    let reach = |of: fn(&Chain) -> Option<Timestamp>| found.chains.iter().filter_map(of);
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    for chain in &found.chains {
        for problem in &chain.problems {
            let told = Problem {
                kind: serde_json::to_value(problem.kind)
                    .ok()
                    .and_then(|kind| kind.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                subject: problem.object.clone(),
                account: chain.account.clone(),
                region: chain.region.clone(),
                from: problem.from,
                to: problem.to,
                reason: problem.reason.clone(),
            };
            // Whoever deletes the newest digests leaves nothing else; and of an object in a bucket the signature is with it, of a copy
            // it may be that of all but the newest is in the next.
            let is_copy = !source.contains("://") && chain.digests.valid > 0;
            let is_note = match problem.kind {
                Kind::Uncovered => false,
                Kind::UnprovedDigest => is_copy && chain.digests.unproved == 1,
                kind => kind.is_note(),
            };
            if is_note {
                notes.push(told);
            } else {
                problems.push(told);
            }
        }
    }
    for (root, region) in &looked.undigested {
        problems.push(Problem {
            kind: "undigested".to_owned(),
            subject: format!("{root}/CloudTrail/{region}/"),
            account: root.rsplit('/').next().unwrap_or_default().to_owned(),
            region: region.clone(),
            from,
            to,
            reason:
                "there are log files and no digests: nothing proves that CloudTrail delivered them"
                    .to_owned(),
        });
    }
    // What was proved, not what was asked for.
    let (proved_from, proved_to) = (reach(|chain| chain.from).min(), reach(|chain| chain.to).max());
    if sum(|chain| chain.digests.valid) == 0 {
        problems.push(Problem {
            kind: "nothing-proved".to_owned(),
            subject: source.to_owned(),
            account: String::new(),
            region: String::new(),
            from,
            to,
            reason: "no valid digest was found: nothing of the trail is proved".to_owned(),
        });
    }
    Note {
        verified,
        from: proved_from.or(from).unwrap_or(verified),
        to: proved_to.or(to).unwrap_or(verified),
        source: source.to_owned(),
        digests_valid: sum(|chain| chain.digests.valid),
        log_files_valid: sum(|chain| chain.log_files.valid),
        problems,
        notes,
    }
}

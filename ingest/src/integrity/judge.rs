//! One digest and the log files that it lists: are they what CloudTrail delivered?

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::digest::{BadSignature, Digest, LogFile, Sum};
use super::layout::{in_copy, tail};
use super::member::inflate;
use super::report::Kind;
use super::walk::{Newer, Span, Verdict, Walk};

/// Most that a digest may inflate to: some thirty thousand log files, delivered in one hour.
const DIGEST_MAX: u64 = 16 << 20;

impl Walk<'_> {
    /// Reads a digest and what it lists.
    pub(super) fn digest(
        &mut self,
        (end, key): &(Timestamp, String),
        newer: Option<&Newer>,
    ) -> Newer {
        let bucket = self.request.bucket.unwrap_or_default();
        let (name, span) = (self.request.name(bucket, key), (None, Some(*end)));
        let object = match self.trail.get(bucket, key) {
            Ok(Some(object)) => object,
            Ok(None) => {
                self.chain.digests.missing += 1;
                self.problem(Kind::DeletedDigest, &name, span, "it was listed, and is not there");
                return Newer::unread(name, *end, Verdict::Invalid);
            }
            Err(reason) => {
                self.chain.digests.unproved += 1;
                self.problem(Kind::Unreadable, &name, span, reason);
                return Newer::unread(name, *end, Verdict::Unproved);
            }
        };
        let digest = open(&object.bytes)
            .and_then(|bytes| Digest::parse(&name, &bytes).map_err(|error| error.flaw.to_string()));
        let digest = match digest {
            Ok(digest) => digest,
            Err(reason) => {
                self.chain.digests.invalid += 1;
                self.problem(Kind::InvalidDigest, &name, span, reason);
                return Newer::unread(name, *end, Verdict::Invalid);
            }
        };
        let verdict = self.judge(&digest, &name, key, object.metadata.get("signature"), newer);
        drop(object);
        self.read.insert(key.clone(), digest.sum);
        self.hole(&digest, key, newer);
        self.log_files(&digest, key, verdict);
        self.newer(digest, name, key, *end, verdict)
    }

    /// The digest behind the time asked for, read for what it remembers: whether the last one in it was deleted,
    /// and in a copy that one's signature. It is not counted.
    pub(super) fn witness(&self, (end, key): &(Timestamp, String)) -> Option<Newer> {
        let bucket = self.request.bucket.unwrap_or_default();
        let name = self.request.name(bucket, key);
        let object = self.trail.get(bucket, key).ok()??;
        let digest = Digest::parse(&name, &open(&object.bytes).ok()?).ok()?;
        let checked =
            object.metadata.get("signature").map(|it| digest.check_signature(self.keys, it));
        let verdict = match checked {
            Some(Ok(())) => Verdict::Valid,
            Some(Err(_)) => Verdict::Invalid,
            None => Verdict::Unproved,
        };
        Some(self.newer(digest, name, key, *end, verdict))
    }

    fn newer(
        &self,
        digest: Digest,
        name: String,
        key: &str,
        end: Timestamp,
        verdict: Verdict,
    ) -> Newer {
        let previous_key = digest.previous.as_ref().and_then(|it| self.key(&it.object, key));
        let (start, previous) = (Some(digest.start), digest.previous);
        Newer { name, verdict, end, start, previous, previous_key }
    }

    /// Where an object that a digest names lies in this source.
    fn key(&self, claimed: &str, sibling: &str) -> Option<String> {
        match self.request.bucket {
            Some(_) => Some(claimed.to_owned()),
            None => in_copy(claimed, sibling),
        }
    }

    /// Is it CloudTrail's, in its place, and as the next one remembers it?
    fn judge(
        &mut self,
        digest: &Digest,
        name: &str,
        key: &str,
        signature: Option<&String>,
        newer: Option<&Newer>,
    ) -> Verdict {
        let mut problems: Vec<(Kind, String)> = Vec::new();
        let in_place = match self.request.bucket {
            Some(bucket) => bucket == digest.bucket && key == digest.object,
            None => tail(key) == tail(&digest.object),
        };
        if !in_place {
            let reason = format!("CloudTrail put it at s3://{}/{}", digest.bucket, digest.object);
            problems.push((Kind::MovedDigest, reason));
        }
        let memory = newer.and_then(|newer| Some((newer, newer.memory(key)?)));
        problems.extend(self.signature(digest, signature, memory));
        // A digest that is invalid remembers what whoever changed it wants.
        if let Some((newer, previous)) = memory.filter(|(newer, _)| newer.is_heard()) {
            let by = &newer.name;
            if previous.sum != digest.sum {
                let reason = format!("{by} remembers a digest with another content (SHA-256)");
                problems.push((Kind::BrokenLink, reason));
            }
            if signature.is_some_and(|it| !it.eq_ignore_ascii_case(&previous.signature)) {
                let reason = format!("{by} remembers a digest with another signature");
                problems.push((Kind::BrokenLink, reason));
            }
        }
        let (verdict, count) = if problems.iter().any(|(kind, _)| !kind.is_note()) {
            (Verdict::Invalid, &mut self.chain.digests.invalid)
        } else if problems.is_empty() {
            (Verdict::Valid, &mut self.chain.digests.valid)
        } else {
            (Verdict::Unproved, &mut self.chain.digests.unproved)
        };
        *count += 1;
        for (kind, reason) in problems {
            self.problem(kind, name, (Some(digest.start), Some(digest.end)), reason);
        }
        verdict
    }

    /// What is wrong with the signature: the object's own, else the one that the next digest remembers.
    fn signature(
        &self,
        digest: &Digest,
        signature: Option<&String>,
        memory: Option<(&Newer, &super::digest::Previous)>,
    ) -> Option<(Kind, String)> {
        let check = |signature: &str| digest.check_signature(self.keys, signature).err();
        let kind = |bad: &BadSignature| match bad {
            BadSignature::UnknownKey(_) => Kind::UnknownKey,
            _ => Kind::InvalidDigest,
        };
        if let Some(signature) = signature {
            return check(signature).map(|bad| (kind(&bad), bad.to_string()));
        }
        let Some((newer, previous)) = memory else {
            let reason = "its signature is in the object's metadata, which is not here, and in the next digest, which \
                          is not here or cannot be read";
            return Some((Kind::UnprovedDigest, reason.to_owned()));
        };
        let (bad, by) = (check(&previous.signature)?, &newer.name);
        // Whoever changed the next one may have changed what it remembers.
        Some(if newer.verdict == Verdict::Invalid {
            let reason = format!("its signature is known only from {by}, which is invalid itself");
            (Kind::UnprovedDigest, reason)
        } else {
            (kind(&bad), format!("{bad} (the signature is the one that {by} remembers)"))
        })
    }

    /// Does the next digest begin where this one ends?
    fn hole(&mut self, digest: &Digest, key: &str, newer: Option<&Newer>) {
        let next = newer.filter(|newer| newer.is_heard() && newer.memory(key).is_some());
        if let Some((newer, start)) = next.and_then(|newer| Some((newer, newer.start?)))
            && digest.end < start
            && !self.chain.backfill
        {
            let reason = "it begins later than the digest before it ends, and no digest covers the time between";
            self.problem(Kind::Gap, &newer.name, (Some(digest.end), Some(start)), reason);
        }
    }

    fn log_files(&mut self, digest: &Digest, key: &str, verdict: Verdict) {
        if verdict != Verdict::Invalid {
            let (from, to) = (&mut self.chain.from, &mut self.chain.to);
            *from = Some(from.map_or(digest.start, |from| from.min(digest.start)));
            *to = Some(to.map_or(digest.end, |to| to.max(digest.end)));
            if !self.chain.backfill {
                self.cover.spans.push((digest.start, digest.end));
            }
        }
        for log in &digest.log_files {
            let there = self.key(&log.object, key);
            let judged = match &there {
                // Not read: the hashes that an invalid digest lists are whatever someone wrote there.
                _ if verdict == Verdict::Invalid => Ok(()),
                Some(key) => self.log_file(log, key),
                None => Err((
                    Kind::InvalidLogFile,
                    "the digest gives it a name that no log file has".to_owned(),
                )),
            };
            let counts = &mut self.chain.log_files;
            *match &judged {
                Ok(()) if verdict == Verdict::Valid => &mut counts.valid,
                Ok(()) | Err((Kind::Unreadable, _)) => &mut counts.unproved,
                Err((Kind::DeletedLogFile, _)) => &mut counts.missing,
                Err(_) => &mut counts.invalid,
            } += 1;
            if let Err((kind, reason)) = judged {
                let name = self.request.name(&log.bucket, there.as_deref().unwrap_or(&log.object));
                let span: Span = (
                    log.oldest_event.or(Some(digest.start)),
                    log.newest_event.or(Some(digest.end)),
                );
                self.problem(kind, &name, span, reason);
            }
            self.cover.listed.extend(there);
        }
    }

    fn log_file(&self, log: &LogFile, key: &str) -> Result<(), (Kind, String)> {
        let object = self
            .trail
            .get(&log.bucket, key)
            .map_err(|reason| (Kind::Unreadable, reason))?
            .ok_or_else(|| {
                (Kind::DeletedLogFile, "a digest lists it, and it is not there".to_owned())
            })?;
        let mut sum = Sha256::new();
        inflate(&object.bytes, self.request.max_inflated, |piece| sum.update(piece))
            .map_err(|error| (Kind::InvalidLogFile, error.to_string()))?;
        if Sum::from(sum.finalize()) == log.sum {
            Ok(())
        } else {
            let reason = "its content is not what CloudTrail delivered: its SHA-256 is not the one in the digest";
            Err((Kind::InvalidLogFile, reason.to_owned()))
        }
    }
}

/// The content of a digest file, or what is wrong.
pub(super) fn open(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    inflate(bytes, DIGEST_MAX, |piece| out.extend_from_slice(piece))
        .map_err(|error| error.to_string())?;
    Ok(out)
}

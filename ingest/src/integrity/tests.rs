//! Chains made by `tests/python/digests.py`, and what becomes of them when somebody has been there.
//!
//! The good chain has four digests; all but the first list one log file. Whatever can be done without
//! CloudTrail's key is done to it here; what takes the key is in files of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::*;

pub(super) const BUCKET: &str = "larkspur-trail";

#[derive(Clone, Default)]
pub(super) struct Memory {
    pub(super) objects: BTreeMap<String, Object>,
    unreadable: BTreeSet<String>,
    keys: PublicKeys,
    backwards: bool,
}

impl Trail for Memory {
    fn list(&self, prefix: &str) -> Result<Vec<String>, String> {
        let mut keys: Vec<_> =
            self.objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        if self.backwards {
            keys.reverse();
        }
        Ok(keys)
    }

    fn get(&self, bucket: &str, key: &str) -> Result<Option<Object>, String> {
        if self.unreadable.contains(key) {
            return Err("access denied".to_owned());
        }
        let here = matches!(bucket, BUCKET | "a-copy" | "");
        Ok(self.objects.get(key).filter(|_| here).cloned())
    }
}

pub(super) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/digests/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

impl Memory {
    pub(super) fn new(name: &str) -> Self {
        let fixture = fixture(name);
        let objects = fixture["objects"].as_object().unwrap().iter().map(|(key, object)| {
            let bytes = STANDARD.decode(object["bytes"].as_str().unwrap()).unwrap();
            let metadata = serde_json::from_value(object["metadata"].clone()).unwrap();
            (key.clone(), Object { bytes, metadata })
        });
        let keys = PublicKeys::read(fixture["keys"].to_string().as_bytes()).unwrap();
        Self { objects: objects.collect(), keys, ..Self::default() }
    }

    /// As it is after `aws s3 cp --recursive` of what lies below a prefix, into some directory.
    pub(super) fn copied(mut self) -> Self {
        let objects = std::mem::take(&mut self.objects).into_iter();
        self.objects = objects
            .map(|(key, object)| {
                (
                    format!("some/copy/{}", key.trim_start_matches("trails/")),
                    Object { metadata: BTreeMap::new(), ..object },
                )
            })
            .collect();
        self
    }

    pub(super) fn key(&self, part: &str) -> String {
        let mut keys = self.objects.keys().filter(|key| key.contains(part));
        let (key, more) = (keys.next().unwrap(), keys.next());
        assert!(more.is_none(), "{part} is ambiguous");
        key.clone()
    }

    fn object(&mut self, part: &str) -> &mut Object {
        let key = self.key(part);
        self.objects.get_mut(&key).unwrap()
    }

    fn remove(&mut self, part: &str) {
        let key = self.key(part);
        self.objects.remove(&key);
    }

    /// Changes the content below the compression.
    fn change(&mut self, part: &str, from: &str, to: &str) {
        let object = self.object(part);
        let content = String::from_utf8(gunzip(&object.bytes)).unwrap();
        assert!(content.contains(from), "{content}");
        object.bytes = gzip(content.replacen(from, to, 1).as_bytes());
    }

    pub(super) fn verify(&self, bucket: Option<&str>) -> Report {
        self.verify_in(bucket, None, None)
    }

    fn verify_in(&self, bucket: Option<&str>, from: Option<&str>, to: Option<&str>) -> Report {
        let time = |time: Option<&str>| time.map(|time| time.parse().unwrap());
        let (from, to) = (time(from), time(to));
        verify(self, &self.keys, &Request { bucket, prefix: "", from, to, max_inflated: 1 << 20 })
            .unwrap()
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    judge::open(bytes).unwrap()
}

/// `valid/invalid/unproved/missing` digests, the same of log files, and each problem's kind with the time in
/// its object's name: what a test says of a chain.
fn told(chain: &Chain) -> String {
    let (digests, logs) = (&chain.digests, &chain.log_files);
    let mut text = format!(
        "{}/{}/{}/{} {}/{}/{}/{}",
        digests.valid,
        digests.invalid,
        digests.unproved,
        digests.missing,
        logs.valid,
        logs.invalid,
        logs.unproved,
        logs.missing
    );
    for problem in &chain.problems {
        let kind = serde_json::to_value(problem.kind).unwrap();
        let name = problem.object.rsplit('/').next().unwrap_or_default();
        let time = name.split('_').find(|part| part.starts_with("2026")).unwrap_or_default();
        let hour = time.get(9..11).unwrap_or_default();
        write!(text, " {}@{hour}", kind.as_str().unwrap()).unwrap();
    }
    text
}

fn told_of(report: &Report) -> String {
    report.chains.iter().map(told).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_good_chain_is_sound_in_its_bucket_and_as_a_copy() {
    let good = Memory::new("good");
    let report = good.verify(Some(BUCKET));
    assert_eq!(told_of(&report), "4/0/0/0 3/0/0/0");
    assert!(report.is_sound());
    let chain = &report.chains[0];
    assert_eq!((chain.account.as_str(), chain.region.as_str()), ("111122223333", "eu-west-1"));
    assert_eq!((chain.trail.as_str(), chain.home_region.as_str()), ("larkspur_main", "eu-west-1"));
    assert_eq!(chain.from.unwrap().to_string(), "2026-10-27T09:19:47Z");
    assert_eq!(chain.to.unwrap().to_string(), "2026-10-27T13:19:47Z");

    // Nothing in a copy has the newest digest's signature.
    let report = good.copied().verify(None);
    assert_eq!(told_of(&report), "3/0/1/0 2/0/1/0 unproved-digest@13");
    assert!(report.is_sound());
    assert!(!Memory::default().verify(None).is_sound());
}

#[test]
fn what_anyone_can_do_to_a_bucket_shows() {
    type Deed = fn(&mut Memory);
    let cases: &[(&str, Deed, &str)] = &[
        (
            "a log file is changed",
            |it| it.change("T1139Z", "StartSession", "StopSession"),
            "4/0/0/0 2/1/0/0 invalid-log-file@11",
        ),
        (
            "a log file is cut",
            |it| it.object("T1139Z").bytes.truncate(90),
            "4/0/0/0 2/1/0/0 invalid-log-file@11",
        ),
        (
            "a member is appended to a log file",
            |it| it.object("T1139Z").bytes.extend(gzip(b"{\"Records\":[]}")),
            "4/0/0/0 2/1/0/0 invalid-log-file@11",
        ),
        (
            "a log file becomes a bomb",
            |it| it.object("T1139Z").bytes = gzip(&vec![0; 2 << 20]),
            "4/0/0/0 2/1/0/0 invalid-log-file@11",
        ),
        ("a log file is deleted", |it| it.remove("T1139Z"), "4/0/0/0 2/0/0/1 deleted-log-file@11"),
        (
            "a log file is added",
            |it| {
                let (key, log) = (it.key("T1139Z"), it.object("T1139Z").clone());
                it.objects.insert(key.replace("T1139Z", "T1104Z"), log);
            },
            "4/0/0/0 3/0/0/0 unlisted-log-file@11",
        ),
        ("a digest is deleted", |it| it.remove("T121947Z"), "3/0/0/1 2/0/0/0 deleted-digest@12"),
        (
            "two digests are deleted",
            |it| {
                it.remove("T121947Z");
                it.remove("T111947Z");
            },
            "2/0/0/1 1/0/0/0 deleted-digest@12",
        ),
        (
            "a digest is changed",
            |it| it.change("T121947Z", "000002.json", "000003.json"),
            "3/1/0/0 2/0/1/0 invalid-digest@12 broken-link@12",
        ),
        (
            "a digest is changed, and the one before it deleted",
            |it| {
                it.change("T121947Z", "000002.json", "000003.json");
                it.remove("T111947Z");
            },
            "2/1/0/0 1/0/1/0 gap@12 invalid-digest@12 broken-link@12",
        ),
        (
            "a digest is not one",
            |it| it.object("T121947Z").bytes = gzip(b"{}"),
            "3/1/0/0 2/0/0/0 invalid-digest@12",
        ),
        (
            "a digest is not gzip",
            |it| it.object("T121947Z").bytes = b"{}".to_vec(),
            "3/1/0/0 2/0/0/0 invalid-digest@12",
        ),
        (
            "a digest lies elsewhere",
            |it| *it.object("T131947Z") = it.object("T121947Z").clone(),
            "3/1/0/0 2/0/1/0 moved-digest@13",
        ),
        (
            "a signature is changed",
            |it| {
                let signature = it.object("T121947Z").metadata.get_mut("signature").unwrap();
                signature.replace_range(..1, if signature.starts_with('0') { "1" } else { "0" });
            },
            "3/1/0/0 2/0/1/0 invalid-digest@12 broken-link@12",
        ),
        (
            "a signature is taken away, which the next digest has as well",
            |it| it.object("T121947Z").metadata.clear(),
            "4/0/0/0 3/0/0/0",
        ),
        (
            "the keys are others",
            |it| it.keys = Memory::new("spki-key").keys,
            "0/4/0/0 0/0/3/0 unknown-key@10 unknown-key@11 unknown-key@12 unknown-key@13",
        ),
        (
            "objects cannot be read",
            |it| it.unreadable = [it.key("T1139Z"), it.key("T131947Z")].into(),
            "3/0/1/0 1/0/1/0 unreadable@13 unreadable@11",
        ),
    ];
    for (what, deed, expected) in cases {
        let mut bucket = Memory::new("good");
        deed(&mut bucket);
        let report = bucket.verify(Some(BUCKET));
        assert_eq!(told_of(&report), *expected, "{what}: {report:#?}");
        assert!(report.chains[0].problems.is_sorted(), "{what}");
    }
    // All of it, in a bucket of somebody else's.
    let copy = told_of(&Memory::new("good").verify(Some("a-copy")));
    assert!(copy.starts_with("0/4/0/0 0/0/3/0 moved-digest@10"), "{copy}");
}

#[test]
fn in_a_copy_signatures_come_from_the_next_digest() {
    let mut copy = Memory::new("good").copied();
    copy.change("T121947Z", "000002.json", "000003.json");
    assert_eq!(
        told_of(&copy.verify(None)),
        "2/1/1/0 1/0/2/0 invalid-digest@12 broken-link@12 unproved-digest@13"
    );

    // The signature of the digest of 11 is in that of 12: which of them was changed is known for one only.
    let mut copy = Memory::new("good").copied();
    let digest = String::from_utf8(gunzip(&copy.object("T121947Z").bytes)).unwrap();
    let (_, signature) = digest.split_once("previousDigestSignature\": \"").unwrap();
    let other = if signature.starts_with('0') { "1" } else { "0" };
    copy.change("T121947Z", &signature[..16], &format!("{other}{}", &signature[1..16]));
    assert_eq!(
        told_of(&copy.verify(None)),
        "1/1/2/0 0/0/3/0 unproved-digest@11 invalid-digest@12 broken-link@12 unproved-digest@13"
    );
}

#[test]
fn what_only_cloudtrail_can_sign() {
    for (name, expected) in [
        ("gap", "4/0/0/0 3/0/0/0 gap@12"),
        ("hole", "4/0/0/0 3/0/0/0 gap@13"),
        ("sha1", "3/1/0/0 2/0/1/0 invalid-digest@11"),
        ("wrong-previous-hash", "3/1/0/0 3/0/0/0 broken-link@10"),
        ("spki-key", "4/0/0/0 3/0/0/0"),
        ("unlinked", "4/0/0/0 3/0/0/0 unlinked-digest@12 gap@13"),
        ("backfill", "4/0/0/0 3/0/0/0; 1/0/0/0 1/0/0/0"),
        ("organization", "4/0/0/0 3/0/0/0"),
    ] {
        assert_eq!(told_of(&Memory::new(name).verify(Some(BUCKET))), expected, "{name}");
    }
    let organization = Memory::new("organization").copied().verify(None);
    assert_eq!(organization.chains[0].organization.as_deref(), Some("o-exampleorg1"));
    assert_eq!(told_of(&organization), "3/0/1/0 2/0/1/0 unproved-digest@13");
    let sha1 = Memory::new("sha1").verify(Some(BUCKET));
    assert!(sha1.chains[0].problems[0].reason.contains("SHA-1"));
    let gap = Memory::new("gap").verify(Some(BUCKET));
    let (from, to) = (gap.chains[0].problems[0].from, gap.chains[0].problems[0].to);
    assert_eq!(from.unwrap().to_string(), "2026-10-27T11:19:47Z");
    assert_eq!(to.unwrap().to_string(), "2026-10-28T11:19:47Z");
}

#[test]
fn log_files_that_no_digest_is_about_are_seen() {
    let keys = [
        "p/AWSLogs/1/CloudTrail/eu-west-1/2026/10/27/x.json.gz",
        "p/AWSLogs/1/CloudTrail-Digest/eu-west-1/2026/10/27/x.json.gz",
        "p/AWSLogs/1/CloudTrail/us-east-1/",
        "p/AWSLogs/2/CloudTrail/eu-west-1/2026/10/27/x.json.gz",
        "other/x.json.gz",
    ];
    let found: Vec<_> = undigested(keys).into_iter().collect();
    let of = |root: &str, region: &str| (root.to_owned(), region.to_owned());
    assert_eq!(found, [of("p/AWSLogs/1", "us-east-1"), of("p/AWSLogs/2", "eu-west-1")]);
}

#[test]
fn a_part_of_the_time() {
    let good = Memory::new("good");
    let part = |from, to| told_of(&good.verify_in(Some(BUCKET), from, to));
    assert_eq!(part(Some("2026-10-27T11:00:00Z"), Some("2026-10-27T12:00:00Z")), "2/0/0/0 2/0/0/0");
    // Whether the last one in the time was deleted, the one behind it knows; and its signature as well.
    let to = Some("2026-10-27T11:30:00Z");
    assert_eq!(told_of(&good.clone().copied().verify_in(None, None, to)), "3/0/0/0 2/0/0/0");
    let mut deleted = good.clone();
    deleted.remove("T121947Z");
    assert_eq!(
        told_of(&deleted.verify_in(Some(BUCKET), None, to)),
        "2/0/0/1 1/0/0/0 deleted-digest@12"
    );
    assert_eq!(part(None, Some("2026-10-27T15:00:00Z")), "4/0/0/0 3/0/0/0");
    // Whoever deletes the newest digests leaves this, and nothing else.
    assert_eq!(part(None, Some("2026-10-27T16:00:00Z")), "4/0/0/0 3/0/0/0 uncovered@");
    assert_eq!(
        part(Some("2026-10-29T00:00:00Z"), Some("2026-10-30T00:00:00Z")),
        "0/0/0/0 0/0/0/0 uncovered@"
    );
    // The gap is told of also when what is before it was not asked for.
    let gap = Memory::new("gap").verify_in(Some(BUCKET), Some("2026-10-28T00:00:00Z"), None);
    assert_eq!(told_of(&gap), "2/0/0/0 2/0/0/0 gap@12 uncovered@");
}

#[test]
fn a_chain_that_goes_on_elsewhere_is_told_of() {
    let good = Memory::new("good");
    let key = good.key("T131947Z");
    let prefix = key.strip_suffix("1947Z.json.gz").unwrap();
    let request =
        Request { bucket: Some(BUCKET), prefix, from: None, to: None, max_inflated: 1 << 20 };
    let report = verify(&good, &good.keys, &request).unwrap();
    assert_eq!(told_of(&report), "1/0/0/0 1/0/0/0 elsewhere@12");
}

#[test]
fn the_order_of_listing_does_not_matter() {
    let mut bucket = Memory::new("backfill");
    bucket.change("T121947Z", "000002.json", "000003.json");
    bucket.remove("T1139Z");
    let report = bucket.verify(Some(BUCKET));
    bucket.backwards = true;
    assert_eq!(bucket.verify(Some(BUCKET)), report);
}

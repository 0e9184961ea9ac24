//! Where a trail keeps its files: what a key says.
//!
//! ```text
//! PREFIX/AWSLogs/[ORGANISATION/]ACCOUNT/CloudTrail-Digest/REGION/Y/M/D/
//!     ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOME_20150817T150131Z[_backfill].json.gz
//! PREFIX/AWSLogs/[ORGANISATION/]ACCOUNT/CloudTrail/REGION/Y/M/D/
//!     ACCOUNT_CloudTrail_REGION_20150817T1445Z_9nYN7gp2eWAJHIfT.json.gz
//! ```

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The key of a digest, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DigestKey {
    pub(super) chain: ChainId,
    /// `digestEndTime`, as the name has it.
    pub(super) end: Timestamp,
}

/// What all digests of one chain have in common. Chains of one folder sort next to one another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChainId {
    pub(super) folder: Folder,
    pub(super) trail: String,
    /// The region in which the trail was created.
    pub(super) home: String,
    /// Backfill digests are a chain of their own (CloudTrail's guide, "Validating with the AWS CLI").
    pub(super) backfill: bool,
}

/// An account's files of one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folder {
    /// Up to the account, without a slash at the end.
    pub(super) root: String,
    pub(super) organization: Option<String>,
    pub(super) account: String,
    pub(super) region: String,
}

impl Folder {
    /// Where the log files of a day lie.
    pub(super) fn logs(&self, day: jiff::civil::Date) -> String {
        let (year, month, day) = (day.year(), day.month(), day.day());
        format!("{}/CloudTrail/{}/{year:04}/{month:02}/{day:02}/", self.root, self.region)
    }
}

impl DigestKey {
    /// `None` for any other key.
    pub(super) fn parse(key: &str) -> Option<Self> {
        let (root, rest) = key.rsplit_once("/CloudTrail-Digest/")?;
        let mut outer = root.rsplit('/');
        let account = outer.next().filter(|text| digits(text))?;
        let organization = match outer.next()? {
            "AWSLogs" => None,
            organization if outer.next()? == "AWSLogs" => Some(organization.to_owned()),
            _ => return None,
        };
        let mut inner = rest.split('/');
        let region = inner.next()?;
        let day = [inner.next()?, inner.next()?, inner.next()?];
        let name = inner.next()?.strip_suffix(".json.gz")?;
        if inner.next().is_some() || !day.iter().all(|part| digits(part)) {
            return None;
        }
        let backfill = name.strip_suffix("_backfill");
        // The name of a trail may contain underscores; what stands around it does not.
        let (name, stamp) = backfill.unwrap_or(name).rsplit_once('_')?;
        let (name, home) = name.rsplit_once('_')?;
        let trail = name.strip_prefix(&format!("{account}_CloudTrail-Digest_{region}_"))?;
        Some(Self {
            chain: ChainId {
                folder: Folder {
                    root: root.to_owned(),
                    organization,
                    account: account.to_owned(),
                    region: region.to_owned(),
                },
                trail: trail.to_owned(),
                home: home.to_owned(),
                backfill: backfill.is_some(),
            },
            end: time(stamp, "%Y%m%dT%H%M%SZ")?,
        })
    }
}

/// The minute in the name of a log file.
pub(super) fn log_time(key: &str) -> Option<Timestamp> {
    let name = key.rsplit('/').next()?.strip_suffix(".json.gz")?;
    time(name.rsplit('_').nth(1)?, "%Y%m%dT%H%MZ")
}

fn time(stamp: &str, format: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime(format, stamp).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The key from `AWSLogs/` on: what is left of a place when the prefix of the trail is not known, since
/// whoever copies a trail copies from a prefix on, and into any directory.
pub(super) fn tail(key: &str) -> &str {
    let mark = "AWSLogs/";
    let at = key
        .rmatch_indices(mark)
        .map(|(at, _)| at)
        .find(|&at| at == 0 || key.as_bytes()[at - 1] == b'/');
    at.map_or(key, |at| &key[at..])
}

/// The key in a copy that has the object at `claimed`, given that of another file of the same trail.
///
/// `None` for what would lead out of a directory: no file of a trail is called so, and a digest that nothing
/// proves may name anything.
pub(super) fn in_copy(claimed: &str, sibling: &str) -> Option<String> {
    let tail_of_claimed = tail(claimed);
    let prefix = &sibling[..sibling.len() - tail(sibling).len()];
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    tail_of_claimed.split('/').all(plain).then(|| format!("{prefix}{tail_of_claimed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = concat!(
        "AWSLogs/111122223333/CloudTrail-Digest/us-east-2/2015/08/17/111122223333_CloudTrail-Digest_",
        "us-east-2_my_own.trail_eu-west-1_20150817T150131Z.json.gz"
    );

    #[test]
    fn keys_of_digests_in_every_layout() {
        let plain = DigestKey::parse(KEY).unwrap();
        assert_eq!(plain.end.to_string(), "2015-08-17T15:01:31Z");
        assert_eq!(plain.chain.trail, "my_own.trail");
        assert_eq!(plain.chain.home, "eu-west-1");
        assert_eq!(plain.chain.folder.organization, None);
        assert!(!plain.chain.backfill);

        let backfill =
            KEY.replace("Z.json", "Z_backfill.json").replace("AWSLogs/", "a/b/AWSLogs/o-x1/");
        let backfill = DigestKey::parse(&backfill).unwrap();
        assert!(backfill.chain.backfill);
        assert_eq!(backfill.end, plain.end);
        assert_eq!(backfill.chain.folder.organization.as_deref(), Some("o-x1"));
        assert_eq!(backfill.chain.folder.root, "a/b/AWSLogs/o-x1/111122223333");
        let day = jiff::civil::date(2015, 8, 7);
        assert_eq!(
            backfill.chain.folder.logs(day),
            "a/b/AWSLogs/o-x1/111122223333/CloudTrail/us-east-2/2015/08/07/"
        );
    }

    #[test]
    fn other_keys_are_not_digests() {
        for (from, to) in [
            ("CloudTrail-Digest/", "CloudTrail/"),
            (".json.gz", ".json"),
            ("AWSLogs", "Logs"),
            ("AWSLogs", "AWSLogs/x/y"),
            ("2015/08/17", "2015/08"),
            ("20150817T150131Z", "20151317T150131Z"),
            ("AWSLogs/111122223333", "AWSLogs/x"),
            ("AWSLogs/111122223333", "AWSLogs/444455556666"),
        ] {
            assert_eq!(DigestKey::parse(&KEY.replacen(from, to, 1)), None, "{from} -> {to}");
        }
        assert_eq!(DigestKey::parse(""), None);
    }

    #[test]
    fn the_minute_of_a_log_file() {
        let key = "x/111122223333_CloudTrail_us-east-2_20150817T1445Z_9nYN7gp2eWAJHIfT.json.gz";
        assert_eq!(log_time(key).unwrap().to_string(), "2015-08-17T14:45:00Z");
        assert_eq!(log_time("x/y.json.gz"), None);
    }

    #[test]
    fn places_in_a_copy() {
        let sibling = "copy/AWSLogs/1/CloudTrail-Digest/x";
        let there = |claimed| in_copy(claimed, sibling);
        assert_eq!(there("trails/AWSLogs/1/f").unwrap(), "copy/AWSLogs/1/f");
        assert_eq!(there("AWSLogs/1/f").unwrap(), "copy/AWSLogs/1/f");
        for outside in ["AWSLogs/../../f", "AWSLogs//f", "/etc/passwd", "AWSLogs/./f", "../f"] {
            assert_eq!(there(outside), None, "{outside}");
        }
    }
}

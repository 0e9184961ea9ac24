//! Where digests come from: a trail's files in a directory, and the keys that they are signed with.
//!
//! (In a bucket they are read by `Bucket`.)

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::{Builder, Region};
use aws_sdk_cloudtrail::primitives::DateTime;
use jiff::Timestamp;

use super::service_error;
use crate::integrity::{Object, PublicKeys, Trail};

/// A trail's files, copied into a directory. A copy has no metadata, in which CloudTrail keeps a digest's signature; beside a
/// file, `NAME.metadata.json` may have it (what `aws s3api head-object --query Metadata` prints).
#[derive(Clone, Debug)]
pub struct Copied(PathBuf);

const METADATA: &str = ".metadata.json";

impl Copied {
    /// In this directory.
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    fn files(&self, place: &Path, into: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(place)? {
            let entry = entry?;
            let path = entry.path();
            // A link to a directory may lead round in circles.
            if entry.file_type()?.is_dir() {
                self.files(&path, into)?;
            } else if let Some(key) = path.strip_prefix(&self.0).ok().and_then(Path::to_str)
                && !key.ends_with(METADATA)
            {
                into.push(key.replace('\\', "/"));
            }
        }
        Ok(())
    }
}

fn there<T>(result: io::Result<T>) -> Result<Option<T>, String> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

impl Trail for Copied {
    fn list(&self, prefix: &str) -> Result<Vec<String>, String> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut keys = Vec::new();
        there(self.files(&self.0.join(folder), &mut keys))?;
        keys.retain(|key| key.starts_with(prefix));
        Ok(keys)
    }

    fn get(&self, _bucket: &str, key: &str) -> Result<Option<Object>, String> {
        let Some(bytes) = there(fs::read(self.0.join(key)))? else { return Ok(None) };
        let metadata = match there(fs::read(self.0.join(format!("{key}{METADATA}"))))? {
            Some(json) => serde_json::from_slice(&json)
                .map_err(|error| format!("{key}{METADATA}: {error}"))?,
            None => BTreeMap::new(),
        };
        Ok(Some(Object { bytes, metadata }))
    }
}

/// The keys that digests of these regions were signed with in this time: `ListPublicKeys`.
pub fn public_keys(
    regions: impl IntoIterator<Item = String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> io::Result<PublicKeys> {
    let time = |time: Timestamp| DateTime::from_secs(time.as_second());
    let mut keys = PublicKeys::default();
    for region in regions {
        let config = Builder::from(aws::config()).region(Region::new(region.clone()));
        let client = Client::from_conf(config.build());
        let mut token = None;
        loop {
            let list = client
                .list_public_keys()
                .set_start_time(from.map(time))
                .set_end_time(to.map(time))
                .set_next_token(token);
            let page = aws::runtime().block_on(list.send()).map_err(service_error)?;
            for key in page.public_key_list() {
                let Some(der) = key.value() else { continue };
                let time = |time: &DateTime| Timestamp::from_second(time.secs()).ok();
                keys.add(
                    der.as_ref(),
                    key.fingerprint(),
                    key.validity_start_time().and_then(time),
                    key.validity_end_time().and_then(time),
                )
                .map_err(|error| io::Error::other(format!("a key of {region}: {error}")))?;
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
    }
    Ok(keys)
}

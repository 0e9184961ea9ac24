//! Objects of an S3 bucket.
//!
//! Keys are taken as they are: whoever names a role session has a say in the key of its transcript, and a key that some
//! library finds odd must not go unread.

use std::collections::VecDeque;
use std::io::{self, Read};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use jiff::Timestamp;

use super::service_error;

/// `s3://bucket/prefix`.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    prefix: String,
}

/// Which versions of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// What is there now.
    Latest,
    /// What has been overwritten or deleted as well, where the bucket keeps it.
    All,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    bucket: Bucket,
    key: String,
    /// Which version, where an older one may be meant.
    version_id: Option<String>,
    /// What tells one content of a key from another: the `ETag`, without its quotes. `None` until it has been asked for.
    pub etag: Option<String>,
    /// When it was stored, to the second. `None` until it has been asked for.
    pub stored: Option<Timestamp>,
    size: Option<u64>,
}

/// An object that is being read.
#[derive(Debug)]
pub struct Got {
    /// Its `ETag`, without quotes.
    pub etag: String,
    /// When it was stored.
    pub stored: Option<Timestamp>,
    body: ByteStream,
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    // To the second: some answers tell more than others.
    Timestamp::from_second(time.secs()).ok()
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

impl Bucket {
    /// Opens it. Nothing is asked of the service yet.
    pub fn open(uri: &str) -> io::Result<Self> {
        let wrong = || io::Error::other(format!("`{uri}` is no s3://bucket/prefix"));
        let (name, prefix) = aws::s3_uri(uri).ok_or_else(wrong)?;
        let config =
            Builder::from(aws::config()).force_path_style(aws::config().endpoint_url().is_some());
        let client = Client::from_conf(config.build());
        Ok(Self { client, name: name.to_owned(), prefix: prefix.to_owned() })
    }

    /// What is there, page by page.
    pub fn list(&self, versions: Versions) -> Listing {
        self.list_after(versions, None)
    }

    /// What is there behind a key, page by page.
    pub fn list_after(&self, versions: Versions, key: Option<&str>) -> Listing {
        let next = Some(Marker { after: key.map(str::to_owned), ..Marker::default() });
        Listing { bucket: self.clone(), versions, next, page: VecDeque::new() }
    }

    /// The object of a key, or one version of it.
    pub fn object(&self, key: &str, version_id: Option<&str>) -> Object {
        Object {
            bucket: self.clone(),
            key: key.to_owned(),
            version_id: version_id.map(str::to_owned),
            etag: None,
            stored: None,
            size: None,
        }
    }

    /// Where digests of a trail lie below the prefix: folders named `CloudTrail-Digest`. Listing these spares listing all that the
    /// trail has written. The prefix itself, if there are none. Behind them the folders of regions, with digests and with log files.
    pub fn digest_folders(&self) -> io::Result<(Vec<String>, Vec<String>)> {
        const DIGESTS: &str = "CloudTrail-Digest/";
        let begin =
            if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        if begin.contains(DIGESTS) {
            return Ok((vec![begin], Vec::new()));
        }
        let (mut found, mut regions, mut level) = (Vec::new(), Vec::new(), vec![begin.clone()]);
        // A prefix, AWSLogs, an organization, an account: so deep they lie, and no deeper.
        for _ in 0..6 {
            let mut below = Vec::new();
            for prefix in level {
                for folder in self.folders(&prefix)? {
                    let is_digests = folder.ends_with(DIGESTS);
                    if is_digests || folder.ends_with("/CloudTrail/") {
                        regions.extend(self.folders(&folder)?);
                    }
                    if is_digests {
                        found.push(folder);
                    } else if !folder.ends_with("/CloudTrail/") && !folder.ends_with("-Insight/") {
                        below.push(folder);
                    }
                }
            }
            level = below;
            if level.is_empty() || (!found.is_empty() && level.len() > 1_000) {
                break;
            }
        }
        Ok((if found.is_empty() { vec![begin] } else { found }, regions))
    }

    fn folders(&self, prefix: &str) -> io::Result<Vec<String>> {
        let mut folders = Vec::new();
        self.pages(prefix, Some("/"), |page| {
            let own = page.common_prefixes().iter();
            folders.extend(own.filter_map(|folder| folder.prefix().map(str::to_owned)));
        })?;
        Ok(folders)
    }

    /// Calls `each` with the pages of a whole listing.
    fn pages(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        mut each: impl FnMut(&ListObjectsV2Output),
    ) -> io::Result<()> {
        let mut token = None;
        loop {
            let list = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(prefix)
                .set_delimiter(delimiter.map(str::to_owned))
                .set_continuation_token(token);
            let page = aws::runtime().block_on(list.send()).map_err(service_error)?;
            each(&page);
            token = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does the prefix name this key, or a folder above it?
    fn holds(&self, key: &str) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        self.prefix.is_empty() || key.strip_prefix(&self.prefix).is_some_and(below)
    }
}

/// Where the next page begins.
#[derive(Debug, Default)]
struct Marker {
    /// Where the first page begins.
    after: Option<String>,
    key: Option<String>,
    version_id: Option<String>,
}

/// A listing as it comes.
#[derive(Debug)]
pub struct Listing {
    bucket: Bucket,
    versions: Versions,
    next: Option<Marker>,
    page: VecDeque<Object>,
}

impl Listing {
    fn page(&mut self, from: Marker) -> io::Result<()> {
        match self.versions {
            Versions::Latest => self.latest(from),
            Versions::All => self.all(from),
        }
    }

    fn latest(&mut self, from: Marker) -> io::Result<()> {
        let bucket = self.bucket.clone();
        let list = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.name)
            .prefix(&bucket.prefix)
            .set_start_after(from.after)
            .set_continuation_token(from.key);
        let page = aws::runtime().block_on(list.send()).map_err(service_error)?;
        for object in page.contents() {
            self.add(object.key(), None, object.e_tag(), object.last_modified(), object.size());
        }
        let token = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
        self.next = token.map(|key| Marker { key: Some(key), ..Marker::default() });
        Ok(())
    }

    fn all(&mut self, from: Marker) -> io::Result<()> {
        let bucket = self.bucket.clone();
        let list = bucket
            .client
            .list_object_versions()
            .bucket(&bucket.name)
            .prefix(&bucket.prefix)
            .set_key_marker(from.key.or(from.after))
            .set_version_id_marker(from.version_id);
        let page = aws::runtime().block_on(list.send()).map_err(service_error)?;
        for object in page.versions() {
            // `null` is a version too: what was there before versions were kept.
            self.add(
                object.key(),
                object.version_id(),
                object.e_tag(),
                object.last_modified(),
                object.size(),
            );
        }
        let key = page.next_key_marker.filter(|_| page.is_truncated == Some(true));
        self.next = key.map(|key| Marker {
            after: None,
            key: Some(key),
            version_id: page.next_version_id_marker,
        });
        Ok(())
    }

    fn add(
        &mut self,
        key: Option<&str>,
        version_id: Option<&str>,
        etag: Option<&str>,
        stored: Option<&DateTime>,
        size: Option<i64>,
    ) {
        let Some(key) = key.filter(|key| self.bucket.holds(key)) else { return };
        // What the console makes when somebody creates a folder.
        if key.ends_with('/') && size == Some(0) {
            return;
        }
        self.page.push_back(Object {
            etag: etag.map(unquoted),
            stored: stored.and_then(timestamp),
            size: size.and_then(|size| u64::try_from(size).ok()),
            ..self.bucket.object(key, version_id)
        });
    }
}

impl Iterator for Listing {
    type Item = io::Result<Object>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(object) = self.page.pop_front() {
                return Some(Ok(object));
            }
            let from = self.next.take()?;
            if let Err(error) = self.page(from) {
                return Some(Err(error));
            }
        }
    }
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// There is none, or that version of it is gone.
    #[error("there is no such object")]
    Gone,
    /// What was listed is there no more: it has been overwritten since.
    #[error("it has been overwritten since it was listed")]
    Changed,
    /// Anything else; it may pass.
    #[error("{0}")]
    Failed(io::Error),
}

impl From<GetError> for io::Error {
    fn from(error: GetError) -> Self {
        let kind = match error {
            GetError::Gone => io::ErrorKind::NotFound,
            GetError::Changed | GetError::Failed(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl Object {
    /// The key, as it is.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Bytes, where the listing tells.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// `s3://bucket/key`.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket.name, self.key)
    }

    /// Asks for it: for what was listed, if it was.
    pub fn get(&self) -> Result<Got, GetError> {
        let get = self
            .bucket
            .client
            .get_object()
            .bucket(&self.bucket.name)
            .key(&self.key)
            .set_version_id(self.version_id.clone())
            .set_if_match(self.etag.as_ref().map(|etag| format!("\"{etag}\"")));
        let got = aws::runtime().block_on(get.send()).map_err(|error| {
            let code = error.as_service_error().and_then(|error| error.meta().code());
            match code {
                Some("NoSuchKey" | "NoSuchVersion") => GetError::Gone,
                Some("PreconditionFailed") => GetError::Changed,
                _ => GetError::Failed(service_error(error)),
            }
        })?;
        Ok(Got {
            etag: got.e_tag().map(unquoted).unwrap_or_default(),
            stored: got.last_modified().and_then(timestamp),
            body: got.body,
        })
    }
}

impl Got {
    /// What is in it, as it comes: an object of any size takes the memory of a chunk.
    pub fn reader(self) -> impl Read + Send {
        Reader { chunks: self.body, chunk: bytes::Bytes::new() }
    }
}

impl crate::integrity::Trail for Bucket {
    fn list(&self, prefix: &str) -> Result<Vec<String>, String> {
        let mut keys = Vec::new();
        self.pages(prefix, None, |page| {
            keys.extend(page.contents().iter().filter_map(|o| o.key().map(str::to_owned)));
        })
        .map_err(|error| error.to_string())?;
        Ok(keys)
    }

    fn get(&self, bucket: &str, key: &str) -> Result<Option<crate::integrity::Object>, String> {
        let get = self.client.get_object().bucket(bucket).key(key);
        let got = match aws::runtime().block_on(get.send()) {
            Ok(got) => got,
            Err(error) => {
                let code = error.as_service_error().and_then(|error| error.meta().code());
                return match code {
                    Some("NoSuchKey") => Ok(None),
                    _ => Err(service_error(error).to_string()),
                };
            }
        };
        let metadata = got.metadata().map(|all| all.clone().into_iter().collect());
        let body = aws::runtime().block_on(got.body.collect());
        let bytes = body.map_err(|error| service_error(error).to_string())?.to_vec();
        Ok(Some(crate::integrity::Object { bytes, metadata: metadata.unwrap_or_default() }))
    }
}

struct Reader {
    chunks: ByteStream,
    chunk: bytes::Bytes,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match aws::runtime().block_on(self.chunks.try_next()).map_err(service_error)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        buffer[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

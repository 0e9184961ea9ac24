//! Objects of an S3 bucket.

use std::io::{self, Read};
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore};

/// `s3://bucket/prefix`.
#[derive(Clone, Debug)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    name: String,
    prefix: String,
}

/// An object that was listed.
#[derive(Clone, Debug)]
pub struct Object {
    bucket: Bucket,
    path: Path,
    /// What tells one content of a key from another: the `ETag`.
    pub version: String,
    /// Bytes, as stored.
    pub size: u64,
    /// When it was stored.
    pub stored: Option<Timestamp>,
}

impl Bucket {
    /// Opens it. Nothing is asked of the service yet.
    pub fn open(uri: &str) -> io::Result<Self> {
        let wrong = || io::Error::other(format!("`{uri}` is no s3://bucket/prefix"));
        let (name, prefix) = aws::s3_uri(uri).ok_or_else(wrong)?;
        let objects = aws::bucket(name, "").map_err(io::Error::other)?;
        Ok(Self { objects, name: name.to_owned(), prefix: prefix.to_owned() })
    }

    /// What is there, page by page.
    pub fn list(&self) -> Listing {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let mut found = Listing {
            bucket: self.clone(),
            pages: self.objects.list(prefix.as_ref()),
            first: None,
        };
        // A prefix that is the key of an object names that object.
        if let Some(prefix) = prefix {
            let head = aws::runtime()
                .block_on(object_store::ObjectStoreExt::head(&*self.objects, &prefix));
            found.first = head.ok();
        }
        found
    }
}

/// A listing as it comes.
pub struct Listing {
    bucket: Bucket,
    pages: BoxStream<'static, object_store::Result<ObjectMeta>>,
    first: Option<ObjectMeta>,
}

impl Iterator for Listing {
    type Item = io::Result<Object>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.first.take() {
            Some(first) => Ok(first),
            None => aws::runtime().block_on(self.pages.next())?,
        };
        Some(next.map_err(io::Error::other).map(|meta| Object {
            version: meta.e_tag.clone().unwrap_or_default().trim_matches('"').to_owned(),
            size: meta.size,
            stored: Timestamp::from_microsecond(meta.last_modified.timestamp_micros()).ok(),
            path: meta.location,
            bucket: self.bucket.clone(),
        }))
    }
}

impl Object {
    /// `s3://bucket/key`.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket.name, self.path)
    }

    /// Opens it: what was listed, or an error if it has changed since.
    pub fn open(&self) -> io::Result<impl Read + Send + use<>> {
        let options = GetOptions {
            if_match: (!self.version.is_empty()).then(|| format!("\"{}\"", self.version)),
            ..GetOptions::default()
        };
        let get = self.bucket.objects.get_opts(&self.path, options);
        let got = aws::runtime().block_on(get).map_err(io::Error::other)?;
        Ok(Reader { chunks: got.into_stream(), chunk: bytes::Bytes::new() })
    }
}

/// Reads as it comes: an object of any size takes the memory of a chunk.
struct Reader {
    chunks: BoxStream<'static, object_store::Result<bytes::Bytes>>,
    chunk: bytes::Bytes,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match aws::runtime().block_on(self.chunks.try_next()).map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        buffer[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

//! Where something was read: the object, and the byte in it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A position in an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The artifact: a path as the user gave it, `-` for standard input, or a URI.
    pub artifact: Arc<str>,
    /// Byte offset from the artifact's start, after decompression.
    pub offset: u64,
}

impl Place {
    /// The place `offset` bytes into `artifact`.
    pub fn new(artifact: impl Into<Arc<str>>, offset: u64) -> Self {
        Self { artifact: artifact.into(), offset }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {})", self.artifact, self.offset)
    }
}

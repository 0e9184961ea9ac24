//! Where artifacts come from.
//!
//! A source lists what there is and opens one at a time; what is in it is not its business.

mod bucket;
mod local;
mod log_group;
mod lookup;
mod trail;

pub use bucket::{Bucket, GetError, Got, Listing, Object, Versions};
pub use local::{Found, Local, Unreadable, find};
pub use log_group::{LogGroup, Stream, Streams};
pub use lookup::{Hour, Lookup};
pub use trail::{Copied, public_keys};

/// What an SDK says of an error.
fn service_error(error: impl std::error::Error + 'static) -> std::io::Error {
    std::io::Error::other(aws::told(&error))
}

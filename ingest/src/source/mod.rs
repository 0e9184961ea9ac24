//! Where artifacts come from.
//!
//! A source lists what there is and opens one at a time; what is in it is not its business.

mod bucket;
mod local;

pub use bucket::{Bucket, Listing, Object};
pub use local::{Found, Local, Unreadable, find};

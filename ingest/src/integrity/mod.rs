//! Proof that CloudTrail's files are what CloudTrail delivered: digests, their signatures, and the chain.
//!
//! Every hour CloudTrail writes a *digest*: the names and hashes of the log files it has delivered, signed
//! with a key of the region, and with the signature and hash of the digest before. So a changed file shows in
//! its hash, a deleted file in the digest that lists it, and a deleted digest in the one that follows.
//!
//! ```text
//! keys, layout, member ──▶ digest ──▶ judge ──▶ walk ──▶ chain ──▶ report
//! ```
//!
//! Nothing here reads a clock, a file or a network: objects come through [`Trail`], times are in the files.

mod chain;
#[cfg(test)]
mod damage;
mod digest;
mod judge;
mod keys;
mod layout;
mod member;
mod report;
#[cfg(test)]
mod tests;
mod unlisted;
mod walk;

pub use chain::{Object, Request, Trail, Unlistable, regions, undigested, verify};
pub use digest::{BadDigest, BadSignature, Digest, Flaw, LogFile, Previous, Sum};
pub use keys::{BadKey, BadKeys, PublicKey, PublicKeys};
pub use member::NotOneMember;
pub use report::{Chain, Digests, Kind, LogFiles, Problem, Report};

//! What the benchmarks share: the made-up CloudTrail traffic, and many rules made of a few.

pub mod mutate;
pub mod traffic;

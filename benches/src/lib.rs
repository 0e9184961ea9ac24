//! What the benchmarks share: the made-up CloudTrail traffic.

pub mod traffic;

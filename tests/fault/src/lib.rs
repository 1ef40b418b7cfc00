//! Fault injection on the real binaries: `watchpostd` and `watchpost-hub`, killed, cut off and lied to.
//!
//! What the tests share with those of boards: a process whose output is read from outside, a network that lies, and the judgement at the
//! end. The binaries must be built before: `cargo build -p watchpostd -p hub && cargo test -p fault-tests`.
#![allow(clippy::expect_used, clippy::panic, reason = "test support: a broken set-up must stop the test")]

pub mod judge;
pub mod process;
pub mod proxy;

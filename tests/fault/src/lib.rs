//! Fault injection on the real binaries: `watchpostd` and `watchpost-hub`, killed, cut off and lied to.
//!
//! Everything lives in `tests/`. The binaries must be built before:
//! `cargo build -p watchpostd -p hub && cargo test -p fault-tests`.

//! Fault injection on the real binaries.

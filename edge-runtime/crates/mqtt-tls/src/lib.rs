//! TLS below an MQTT client that has none of its own.
//!
//! ```text
//! MQTT client --local socket--> pipe --TLS--> broker
//! ```
//!
//! # Invariants
//! - Trusted is what the file of authorities says, and nothing else: a board has no store of the system.
//! - The name of the broker is checked, always.
//! - Only this process may talk into the pipe: its socket has no file, is used once, and whoever connects is asked for.
//! - No key stands in a log or in `Debug`.

mod files;
mod pipe;
mod words;

pub use files::{FileError, Files, Identity, Role, Tls};
pub use pipe::Pipe;

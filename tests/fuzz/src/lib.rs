//! Every parser of bytes from outside as one function of bytes, which must return without a panic, and what it accepts must hold what the
//! parser promises.
//!
//! `tests/replay.rs` plays every input of `corpus/TARGET/` in each run of the tests, whole, cut off and changed. An input that broke
//! something is added there and never leaves. `cargo xtask fuzz` looks for others: `libfuzzer/` gives the same functions to libFuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a target reports what it found"
)]

pub mod commands;
pub mod files;
mod media;
pub mod models;
mod page;
mod wire;

/// A parser.
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Parses.
    pub run: fn(&[u8]),
    /// Most changed inputs that are tried for each of the corpus: some parsers take their time.
    pub changes: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "alarm-frame", run: wire::alarm_frame, changes: 5_000 },
    Target { name: "topic", run: wire::topic, changes: 500 },
    Target { name: "hub-message", run: wire::hub_message, changes: 2_000 },
    Target { name: "broker-url", run: wire::broker_url, changes: 500 },
    Target { name: "command", run: commands::command, changes: 2_000 },
    Target { name: "command-with-key", run: commands::with_key, changes: 2_000 },
    Target { name: "command-counter", run: commands::counter, changes: 300 },
    Target { name: "config", run: files::config, changes: 2_000 },
    Target { name: "manifest", run: files::manifest, changes: 1_000 },
    Target { name: "outbox", run: files::outbox, changes: 150 },
    Target { name: "calibration", run: files::calibration, changes: 1_000 },
    Target { name: "tuning", run: files::tuning, changes: 1_000 },
    Target { name: "certificates", run: files::certificates, changes: 500 },
    Target { name: "sheet", run: files::sheet, changes: 2_000 },
    Target { name: "event-name", run: files::event_name, changes: 500 },
    Target { name: "jpeg", run: media::jpeg, changes: 2_000 },
    Target { name: "h264", run: media::h264, changes: 1_500 },
    Target { name: "y4m", run: media::y4m, changes: 2_000 },
    // A wrong token is answered half a second late.
    Target { name: "http", run: page::http, changes: 40 },
    Target { name: "onnx-head", run: models::head, changes: 400 },
    Target { name: "onnx-encoder", run: models::encoder, changes: 200 },
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

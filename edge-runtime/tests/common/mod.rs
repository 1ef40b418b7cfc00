//! What the integration tests share: a tiny model, tiny videos, a real broker and a stand-in for the hub.
#![allow(dead_code, reason = "each test binary uses its part of this")]

pub mod broker;
pub mod browser;
pub mod certificates;
pub mod http;
pub mod hub;
pub mod listener;
pub mod lite;
pub mod live555;
pub mod rtsp;
pub mod running;
pub mod tiny;
pub mod tiny_stream;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use alarm_proto::{Alarm, BoardId, CameraId, EventKind, Message, RecordId, Severity};

pub fn board() -> BoardId {
    BoardId::try_from("gate-1").unwrap()
}

/// A drill with the given identity.
pub fn drill(id: RecordId) -> Message {
    Message::Alarm(Alarm {
        id,
        camera: CameraId::try_from("north").unwrap(),
        kind: EventKind::Drill,
        event: 0,
        severity: Severity::Notice,
        wall_clock_ms: None,
        uptime_ms: 1,
        onset_media_ms: 0,
        media_ms: 0,
        score: 0.0,
        peak: 0.0,
        threshold: 0.0,
        model: [0; 8],
    })
}

pub fn watchpostd() -> Command {
    Command::new(env!("CARGO_BIN_EXE_watchpostd"))
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for something that must come; the limit is only there so that a defect does not hang the suite.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn write_config(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("board.toml");
    std::fs::write(&path, text).unwrap();
    path
}

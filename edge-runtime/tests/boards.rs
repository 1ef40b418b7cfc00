//! The board files parse, and the budgets in them are plausible.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One file of `boards/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoardFile {
    name: String,
    summary: String,
    triple: String,
    camera: CameraFormats,
    budget: Budget,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraFormats {
    formats: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    binary_bytes: u64,
    memory_bytes: u64,
    clip_ms: u64,
    outbox_bytes: u64,
}

fn board_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards");
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    files.filter(|f| f.extension().is_some_and(|e| e == "toml")).collect()
}

#[test]
fn every_board_file_is_complete() {
    let files = board_files();
    assert!(files.len() >= 2);
    for file in files {
        let board: BoardFile = toml::from_str(&std::fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert_eq!(
            Some(board.name.as_str()),
            file.file_stem().and_then(|s| s.to_str()),
            "{}",
            file.display()
        );
        assert!(!board.summary.is_empty());
        assert_eq!(board.triple.split('-').count(), 4, "{}", board.triple);
        let understood = ["MJPG", "JPEG", "YUYV", "GREY"];
        assert!(board.camera.formats.iter().all(|f| understood.contains(&f.as_str())), "{board:?}");
        let Budget { binary_bytes, memory_bytes, clip_ms, outbox_bytes } = board.budget;
        assert!(binary_bytes < memory_bytes && clip_ms > 0 && outbox_bytes >= 65_536, "{board:?}");
    }
}

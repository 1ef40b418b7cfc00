//! What lies on a disk that somebody else may have had.

use std::path::Path;

use alarm_proto::{BoardId, CameraId};
use model_bundle::Bundle;
use watchpostd::calibration::{CALIBRATION_FILE, Calibrated};
use watchpostd::config::Config;
use watchpostd::evidence::{EventName, Part, Sheet};
use watchpostd::outbox::{Outbox, RecordStore};

const OUTBOX_BYTES: u64 = 1 << 20;

pub fn config(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(e) = Config::parse(text, Path::new("board.toml"))
    {
        assert!(e.to_string().contains("board.toml"), "an error names its file: {e}");
    }
}

/// A manifest without the files that it lists: it is read, checked, and refused at the latest there.
pub fn manifest(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("manifest.json"), bytes).unwrap();
    assert!(Bundle::open(folder.path()).is_err());
}

/// Whatever the file holds, the board has an outbox that works.
pub fn outbox(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.db");
    std::fs::write(&path, bytes).unwrap();
    let board = BoardId::try_from("gate-1").unwrap();
    if let Ok((mut outbox, _)) = Outbox::open(&path, &board, OUTBOX_BYTES) {
        let status = outbox.status();
        let records = outbox.between(0, u64::MAX, 64).unwrap_or_default();
        assert!(records.len() as u64 <= status.depth.max(64));
    }
}

pub fn calibration(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(CALIBRATION_FILE);
    std::fs::write(&file, bytes).unwrap();
    let camera = CameraId::try_from("north").unwrap();
    let score = Calibrated::find(&file, &camera, "0011223344556677", &[]).score();
    let thresholds = score.raise_threshold.zip(score.clear_threshold);
    assert!(thresholds.is_none_or(|(raise, clear)| 0.0 <= clear && clear <= raise && raise <= 1.0));
}

pub fn sheet(bytes: &[u8]) {
    let _: Result<Sheet, _> = serde_json::from_slice(bytes);
}

/// What is accepted leads to one place.
pub fn event_name(bytes: &[u8]) {
    let camera = CameraId::try_from("north").unwrap();
    if let Ok(stem) = std::str::from_utf8(bytes)
        && let Some(name) = EventName::parse(&camera, stem)
    {
        let path = name.path(Path::new("evidence"), Part::Clip);
        assert_eq!(path, Path::new("evidence/north").join(format!("{stem}.mp4")));
        assert_eq!(path.components().count(), 3);
    }
}

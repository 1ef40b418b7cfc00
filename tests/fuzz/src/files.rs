//! What lies on a disk that somebody else may have had.

use std::path::Path;

use alarm_proto::{Alarm, BoardId, CameraId, EventKind, Message, RecordId, Severity};
use model_bundle::Bundle;
use mqtt_tls::{Files, Tls};
use vad_core::ClipSpec;
use vad_infer::Pulse;
use watchpostd::calibration::{CALIBRATION_FILE, Calibrated};
use watchpostd::config::Config;
use watchpostd::evidence::{EventName, Part, Sheet};
use watchpostd::outbox::{Outbox, OutboxError, RecordStore};
use watchpostd::tuned::{Choice, TUNE_FILE};

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

/// Whatever the file holds, the board has an outbox that takes alarms and gives them; but for one that says that it is another board's, or
/// a newer program's.
pub fn outbox(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.db");
    std::fs::write(&path, bytes).unwrap();
    let board = BoardId::try_from("gate-1").unwrap();
    let mut outbox = match Outbox::open(&path, &board, OUTBOX_BYTES) {
        Ok((outbox, _)) => outbox,
        Err(OutboxError::OtherBoard { .. } | OutboxError::NewerFormat { .. }) => return,
        Err(e) => panic!("an outbox, whatever was there: {e}"),
    };
    let raised = outbox.raise(&mut drill).expect("it takes an alarm");
    let records = outbox.between(raised.seq - 1, u64::MAX, 64).expect("it gives what it has");
    assert!(records.iter().any(|record| record.seq == raised.seq));
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

/// What is taken from it, an encoder can do.
pub fn tuning(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(TUNE_FILE);
    std::fs::write(&file, bytes).unwrap();
    let clip = ClipSpec { frames: 16, stride: 16 };
    if let Ok(Some(choice)) = Choice::read(&file)
        && let Ok(tuning) = choice.tuning.tuning(clip)
    {
        assert!(tuning.kernels.is_available());
        assert!(Pulse::new(tuning.pulse.frames(), clip).is_some());
    }
}

/// As authorities, and as a certificate with its key.
pub fn certificates(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.pem");
    std::fs::write(&file, bytes).unwrap();
    for identity in [None, Some((file.clone(), file.clone()))] {
        match Tls::load(&Files { ca: file.clone(), identity }) {
            Ok(tls) => assert!(tls.authorities() > 0),
            Err(e) => assert!(e.to_string().contains("file.pem"), "an error names its file: {e}"),
        }
    }
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

/// A test alarm.
#[must_use]
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

//! Sets on disk: videos first, labels last, nothing half-written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may panic")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use vad_scenes::{AnomalyKind, LABELS_FILE, SetError, SetProgress, SetSpec, write_set};
use vad_video::{FrameBuf, FrameSource};

fn small() -> SetSpec {
    SetSpec {
        seed: 5,
        videos: 4,
        abnormal: 2,
        kinds: vec![AnomalyKind::Vehicle, AnomalyKind::Fall],
        frames: 48,
        width_px: 96,
        height_px: 72,
        ..SetSpec::default()
    }
}

fn go_on(_: SetProgress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn frames_in(path: &Path) -> u64 {
    let mut source = FrameSource::open(path).unwrap();
    let mut frame = FrameBuf::new();
    let mut frames = 0;
    while source.next_frame(&mut frame).unwrap() {
        frames += 1;
    }
    frames
}

#[test]
fn a_set_is_videos_and_labels() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("new").join("set");
    let written = write_set(&dir, &small(), false, &go_on).unwrap();
    let files = ["labels.csv", "scene-000.mp4", "scene-001.mp4", "scene-002.mp4", "scene-003.mp4"];
    assert_eq!(names(&dir), files);
    assert_eq!(frames_in(&written[0].path), 48);
    let labels = fs::read_to_string(dir.join(LABELS_FILE)).unwrap();
    let mut lines = labels.lines();
    assert_eq!(lines.next(), Some("video,label,n_frames,first_abnormal,last_abnormal,class"));
    for (line, video) in lines.zip(&written) {
        let expected = match (&video.abnormal, video.kind) {
            (Some(range), Some(kind)) => {
                format!("{},abnormal,48,{},{},{kind}", video.name, range.start(), range.end())
            }
            _ => format!("{},normal,48,,,", video.name),
        };
        assert_eq!(line, expected);
    }
    assert_eq!(written.iter().filter(|video| video.kind.is_some()).count(), 2);
    assert_eq!(labels.lines().count(), 5);
}

#[test]
fn the_same_seed_writes_the_same_files() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_set(one.path(), &small(), false, &go_on).unwrap();
    write_set(other.path(), &small(), false, &go_on).unwrap();
    for name in names(one.path()) {
        assert!(
            fs::read(one.path().join(&name)).unwrap() == fs::read(other.path().join(&name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_stopped_set_has_no_labels_and_no_half_video() {
    let dir = tempfile::tempdir().unwrap();
    // An older set stands there: its labels must not outlive its videos.
    fs::write(dir.path().join(LABELS_FILE), "old").unwrap();
    let stop = |progress: SetProgress<'_>| {
        if progress.frames_done >= 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = write_set(dir.path(), &small(), true, &stop).unwrap_err();
    assert!(matches!(error, SetError::Stopped { done: 0, videos: 4, .. }), "{error}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn a_set_is_not_replaced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(LABELS_FILE), "mine").unwrap();
    let error = write_set(dir.path(), &small(), false, &go_on).unwrap_err();
    assert!(
        matches!(error, SetError::Exists { .. }) && error.to_string().contains("labels.csv exists"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(dir.path().join(LABELS_FILE)).unwrap(), "mine");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write_set(&file.join("set"), &small(), false, &go_on).unwrap_err();
    assert!(error.to_string().contains("cannot create the folder"), "{error}");
}

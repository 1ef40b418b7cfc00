//! Models that stream, on the board's whole path: one state per camera, pulses by configuration, and times that stay right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{lite, stderr, stdout, tiny, tiny_stream, watchpostd, write_config};
use vad_core::{MediaTimeMs, RgbFrame};
use vad_infer::{AttentionMap, InferError, Kernels};
use watchpostd::capture::Stamp;
use watchpostd::detector::{ClipReport, Detector};
use watchpostd::model::Model;
use watchpostd::tuned::TuningSource;
use watchpostd::view::Painter;

/// Scores of the same frames, taken in pulses of another length.
const STREAMED: f32 = 1e-5;

const FRAME_MS: u64 = 100;

fn model(folder: &Path, gain: f32) -> Model {
    let dir = folder.join("bundle");
    tiny_stream::bundle(&dir, gain, tiny_stream::WINDOW_CLIPS);
    Model::load(&dir, None, &TuningSource::default()).unwrap()
}

fn detector(model: &Model) -> Detector {
    model.detector(model.score_spec(&[]).unwrap()).unwrap()
}

fn push(detector: &mut Detector, frame: u64, grey: u8) -> Result<Option<ClipReport>, InferError> {
    let side = u32::from(tiny_stream::SIDE_PX);
    let pixels = vec![grey; (side * side * 3) as usize];
    let stamp = Stamp { start: MediaTimeMs(frame * FRAME_MS), end: MediaTimeMs((frame + 1) * FRAME_MS) };
    detector.push(Painter::default().paint(RgbFrame::new(side, side, &pixels).unwrap()), stamp)
}

fn grey(camera: u64, frame: u64) -> u8 {
    ((frame * 13 + camera * 101) % 200) as u8
}

#[test]
fn cameras_by_turns_score_as_each_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 1.0);
    let alone = [0, 1].map(|camera| {
        let mut own = detector(&model);
        (0..30).filter_map(|frame| push(&mut own, frame, grey(camera, frame)).unwrap()).collect::<Vec<_>>()
    });
    let mut cameras = [0, 1].map(|_| detector(&model));
    let mut by_turns = [Vec::new(), Vec::new()];
    for frame in 0..30 {
        for camera in [0, 1] {
            let report = push(&mut cameras[camera], frame, grey(camera as u64, frame)).unwrap();
            by_turns[camera].extend(report);
        }
    }
    assert_eq!(by_turns, alone);
    assert_ne!(alone[0], alone[1]);
    assert_eq!(alone[0].len(), 6);
}

/// Pushes a picture with a bright corner; the score of the clip that it ends, and where the encoder looked in it.
fn push_picture(detector: &mut Detector, frame: u64, grey: u8) -> Option<(f32, AttentionMap)> {
    let side = u32::from(lite::SIDE_PX);
    let pixel = |at: u32| if at % side < side / 3 && at / side < side / 2 { 255 - grey } else { grey };
    let pixels: Vec<u8> = (0..side * side).flat_map(|at| [pixel(at); 3]).collect();
    let stamp = Stamp { start: MediaTimeMs(frame * FRAME_MS), end: MediaTimeMs((frame + 1) * FRAME_MS) };
    let picture = RgbFrame::new(side, side, &pixels).unwrap();
    let report = detector.push(Painter::default().paint(picture), stamp).unwrap();
    let attention = detector.attention().unwrap();
    assert_eq!(attention.is_some(), report.is_some(), "frame {frame}");
    report.map(|report| report.raw).zip(attention)
}

#[test]
fn cameras_by_turns_look_where_each_looks_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    lite::looking_bundle(&dir);
    let model = Model::load(&dir, None, &TuningSource::Asked { kernels: Kernels::Best, pulse: 2 }).unwrap();
    let alone = [0, 1].map(|camera| {
        let mut own = detector(&model);
        (0..36).filter_map(|frame| push_picture(&mut own, frame, grey(camera, frame))).collect::<Vec<_>>()
    });
    let mut cameras = [0, 1].map(|_| detector(&model));
    let mut by_turns = [Vec::new(), Vec::new()];
    for frame in 0..36 {
        for camera in [0, 1] {
            let seen = push_picture(&mut cameras[camera], frame, grey(camera as u64, frame));
            by_turns[camera].extend(seen);
        }
    }
    assert_eq!(by_turns, alone);
    assert_ne!(alone[0][0].1, alone[1][0].1);
    let places = usize::from(lite::PLACES);
    let map = &alone[0][0].1;
    assert_eq!((map.rows, map.columns, map.values.len()), (places, places, places * places));
    assert!(map.values.iter().all(|value| (0.0..=1.0).contains(value)), "{map:?}");

    let [camera, other] = &mut cameras;
    assert!(camera.finish().unwrap().tail.is_some());
    assert!(camera.attention().unwrap().is_some(), "a tail can be explained too");
    other.abandon();
    assert!(other.attention().unwrap().is_none());
    let again = (0..36).filter_map(|frame| push_picture(other, frame, grey(1, frame)));
    assert_eq!(again.collect::<Vec<_>>(), alone[1]);
}

#[test]
fn an_abandoned_stream_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), 1.0);
    let fresh = |detector: &mut Detector| -> Vec<(f32, MediaTimeMs)> {
        let frames = (0..20).filter_map(|frame| push(detector, frame, grey(0, frame)).unwrap());
        frames.map(|report| (report.raw, report.start)).collect()
    };
    let mut camera = detector(&model);
    let first = fresh(&mut camera);
    camera.abandon();
    assert_eq!(fresh(&mut camera), first);
    camera.finish().unwrap();
    assert_eq!(fresh(&mut camera), first);
}

#[test]
fn times_stay_right_when_the_encoder_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    // Two white frames in a row are too much for it, one is not.
    let model = model(folder.path(), 3e38);
    let mut camera = detector(&model);
    let reports: Vec<_> = (0..10).filter_map(|frame| push(&mut camera, frame, 128).unwrap()).collect();
    assert_eq!(reports[0].start, MediaTimeMs(0));
    push(&mut camera, 10, 255).unwrap();
    let error = push(&mut camera, 11, 255).unwrap_err();
    assert!(matches!(error, InferError::NonFinite { what: "output", .. }), "{error}");
    let after = (12..20).find_map(|frame| push(&mut camera, frame, 128).unwrap()).unwrap();
    assert_eq!((after.start, after.end), (MediaTimeMs(1_200), MediaTimeMs(2_000)));
    assert_eq!(after.raw, reports[0].raw, "the head has forgotten too");
}

#[test]
fn the_configuration_chooses_the_pulse_and_the_scores_stay() {
    let folder = tempfile::tempdir().unwrap();
    tiny_stream::bundle(&folder.path().join("bundle"), 1.0, tiny_stream::WINDOW_CLIPS);
    let greys: Vec<u8> = (0..37).map(|frame| grey(0, frame)).collect();
    tiny::video(&folder.path().join("clip.mp4"), &greys);
    let scores = |pulse: usize| -> Vec<f32> {
        let board = "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n";
        write_config(folder.path(), &format!("{board}pulse = {pulse}\n"));
        let replay = watchpostd()
            .args(["replay", "--json", "--config", "board.toml", "--bundle", "bundle", "clip.mp4"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(replay.status.success(), "{}", stderr(&replay));
        let raw =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["raw"].as_f64().unwrap();
        stdout(&replay).lines().map(|line| raw(line) as f32).collect()
    };
    let one = scores(1);
    assert_eq!(one.len(), 9, "8 clips and a tail");
    for pulse in [2, 4] {
        for (found, expected) in scores(pulse).iter().zip(&one) {
            assert!((found - expected).abs() <= STREAMED, "pulse {pulse}: {found} {expected}");
        }
    }
}

#[test]
fn a_head_that_takes_another_window_than_its_manifest_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    tiny_stream::bundle(&dir, 1.0, tiny_stream::WINDOW_CLIPS + 1);
    let error = Model::load(&dir, None, &TuningSource::default()).map(drop).unwrap_err().to_string();
    for part in ["bundle", "head: the input has shape [1, 4, 256]", "asks for [1, 3, 256]"] {
        assert!(error.contains(part), "{error}");
    }
}

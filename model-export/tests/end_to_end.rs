//! Weights files to scores: export, bundle, open, score synthetic frames, compare with direct calls.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{i3d_tensors, mlp_tensors, safetensors, spec};
use model_bundle::Bundle;
use model_export::{
    BundleFacts, BundleSources, EXPORT_F32, EncoderPrecision, ExportError, ReferenceClip, check_parity,
};
use vad_core::{Fit, ModelSpec, Preprocessor, RgbFrame};
use vad_infer::{Encoder, Head, Scorer};

/// Size of the synthetic camera's pictures, unlike the encoder's input.
const CAMERA_PX: (u32, u32) = (72, 40);

fn camera_frame(index: usize) -> Vec<u8> {
    common::frame(index, CAMERA_PX.0 as usize, CAMERA_PX.1 as usize)
}

fn frame_of(pixels: &[u8]) -> RgbFrame<'_> {
    RgbFrame::new(CAMERA_PX.0, CAMERA_PX.1, pixels).unwrap()
}

/// The clip tensor of camera frames `first..`, the last real one repeated to `spec.clip.frames`.
fn clip_tensor(spec: &ModelSpec, first: usize, real: usize) -> Vec<f32> {
    let mut preprocessor = Preprocessor::new(spec.preprocess.clone()).unwrap();
    let frames: Vec<Vec<u8>> = (0..usize::from(spec.clip.frames))
        .map(|i| {
            let mut out = vec![0; spec.preprocess.resized_len()];
            let pixels = camera_frame(first + i.min(real - 1));
            preprocessor.resize_into(frame_of(&pixels), &mut out).unwrap();
            out
        })
        .collect();
    let mut clip = vec![0.0; spec.clip_len()];
    preprocessor.normalise_into(frames.iter().map(Vec::as_slice), &mut clip).unwrap();
    clip
}

fn write_bundle(dir: &Path, spec: &ModelSpec, encoder_weights: &Path) -> Bundle {
    let head_weights = dir.join("head.safetensors");
    fs::write(&head_weights, safetensors(&mlp_tensors(&spec.head.dims))).unwrap();
    let facts = BundleFacts { version: 3, rollback_index: 1, ..BundleFacts::default() };
    let out = dir.join("bundle");
    let precision = EncoderPrecision::F32;
    let sources = BundleSources {
        encoder: encoder_weights,
        precision: &precision,
        head: &head_weights,
        attention: None,
    };
    model_export::bundle(spec, sources, &out, &facts).unwrap();
    Bundle::open(&out).unwrap()
}

/// Streams `frames` camera frames and compares every score with a direct computation.
fn scores_equal_direct_computation(bundle: &Bundle, frames: usize) {
    let spec = bundle.model();
    let encoder = bundle.encoder();
    let encoder = Arc::new(Encoder::from_onnx(encoder, "encoder.onnx", spec).unwrap());
    let head = bundle.head();
    let head = Arc::new(Head::from_onnx(head, "head.onnx", spec).unwrap());
    let mut scorer = Scorer::new(encoder.clone(), head.clone(), spec).unwrap();
    let pushed = (0..frames).filter_map(|i| scorer.push(frame_of(&camera_frame(i))).unwrap());
    let mut scores: Vec<_> = pushed.collect();
    scores.extend(scorer.finish().unwrap());
    let spans: Vec<_> = spec.clip.spans(frames as u64).collect();
    assert_eq!(scores.iter().map(|s| s.span).collect::<Vec<_>>(), spans);
    for score in &scores {
        assert!((0.0..=1.0).contains(&score.raw), "{score:?}");
        let first = score.span.first_frame.0 as usize;
        let clip = clip_tensor(spec, first, score.span.frames.into());
        let direct = head.score(&encoder.encode(&clip).unwrap()).unwrap();
        assert_eq!(score.raw.to_bits(), direct.to_bits(), "{:?}", score.span);
    }
    assert!(scores.windows(2).any(|s| s[0].raw != s[1].raw), "scores must depend on the frames");
}

#[test]
fn a_bundle_of_random_weights_scores_frames_as_the_graphs_do() {
    let dir = tempfile::tempdir().unwrap();
    let weights = dir.path().join("encoder.safetensors");
    fs::write(&weights, safetensors(&i3d_tensors())).unwrap();
    let mut spec = spec(8, 32, 48);
    spec.clip.stride = 4;
    spec.preprocess.fit = Fit::CoverCentreCrop;
    let bundle = write_bundle(dir.path(), &spec, &weights);
    assert_eq!(bundle.model(), &spec);
    assert_eq!((bundle.manifest().version, bundle.manifest().rollback_index), (3, 1));
    scores_equal_direct_computation(&bundle, 21);
    parity_holds_and_breaks(&bundle);
}

/// Parity accepts the graph's own values and names the first one that is moved.
fn parity_holds_and_breaks(bundle: &Bundle) {
    let spec = bundle.model();
    let encoder = bundle.encoder();
    let encoder = Encoder::from_onnx(encoder, "encoder.onnx", spec).unwrap();
    let head = Head::from_onnx(bundle.head(), "head.onnx", spec).unwrap();
    let clip = clip_tensor(spec, 0, 8);
    let feature = encoder.encode(&clip).unwrap();
    let score = Some(head.score(&feature).unwrap());
    let reference = ReferenceClip { clip: Some(clip), feature, score, begins: true };
    let report = check_parity(bundle, std::slice::from_ref(&reference), &EXPORT_F32).unwrap();
    assert_eq!((report.features, report.scores, report.feature_max_error), (1, 1, 0.0));

    let mut moved = reference.clone();
    moved.feature[700] += 0.01 + 0.01 * moved.feature[700];
    let error = check_parity(bundle, &[reference.clone(), moved], &EXPORT_F32).unwrap_err();
    assert!(matches!(error, ExportError::Parity { clip: 1, quantity: "feature", index: 700, .. }), "{error}");
    let mut unknown = reference.clone();
    unknown.score = Some(f32::NAN);
    let error = check_parity(bundle, &[unknown], &EXPORT_F32).unwrap_err();
    assert!(matches!(error, ExportError::Parity { quantity: "score", .. }), "{error}");
    assert!(matches!(check_parity(bundle, &[], &EXPORT_F32), Err(ExportError::EmptyReference)));
    let short = ReferenceClip { clip: None, feature: vec![0.0; 3], score: None, begins: true };
    let error = check_parity(bundle, &[short], &EXPORT_F32).unwrap_err();
    assert!(matches!(error, ExportError::ReferenceLength { found: 3, .. }), "{error}");
}

#[test]
fn a_bundle_of_the_kinetics_weights_scores_frames_as_the_graphs_do() {
    let Some(weights) = golden::kinetics_i3d() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let spec = ModelSpec::i3d_mist("i3d-kinetics");
    let bundle = write_bundle(dir.path(), &spec, &weights);
    scores_equal_direct_computation(&bundle, 40);
}

#[test]
fn an_export_is_reproducible_to_the_byte() {
    let weights = safetensors(&i3d_tensors());
    let spec = spec(4, 16, 16);
    let twice = [0; 2].map(|_| model_export::encoder_onnx(&weights, &spec).unwrap());
    assert_eq!(twice[0], twice[1]);
}

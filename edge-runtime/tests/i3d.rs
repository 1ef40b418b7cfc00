//! The real encoder on the board's path: `replay` gives bit for bit the scores of the library, from the Kinetics weights.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{stderr, stdout, tiny, watchpostd};
use model_bundle::{Bundle, BundleDraft};
use safetensors::tensor::{Dtype, TensorView, serialize};
use vad_core::ModelSpec;
use vad_infer::{Encoder, Head, Scorer};
use vad_video::{FrameBuf, FrameSource};

/// A small picture keeps the test short; the network is the full one.
const SIDE_PX: u16 = 64;

/// Head weights from a small recurrence: only their being the same on both sides matters.
fn head_weights() -> Vec<u8> {
    let shapes = [("regressor.0", [512, 1024]), ("regressor.3", [32, 512]), ("regressor.5", [1, 32])];
    let mut state = 1_u32;
    let mut values = |count: usize| -> Vec<u8> {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 8_388_608.0 - 1.0) * 0.1
        };
        (0..count).map(next).flat_map(f32::to_le_bytes).collect()
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .flat_map(|(name, [outputs, inputs])| {
            [
                (format!("{name}.weight"), vec![*outputs, *inputs], values(outputs * inputs)),
                (format!("{name}.bias"), vec![*outputs], values(*outputs)),
            ]
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    serialize(views, None).unwrap()
}

fn bundle(dir: &Path, i3d: &[u8]) -> Bundle {
    let mut spec = ModelSpec::i3d_mist("i3d-small");
    spec.preprocess.width_px = SIDE_PX;
    spec.preprocess.height_px = SIDE_PX;
    let draft = BundleDraft {
        name: spec.name.clone(),
        version: 1,
        rollback_index: 0,
        boards: Vec::new(),
        encoder: model_export::encoder_onnx(i3d, &spec).unwrap(),
        head: model_export::head_onnx(&head_weights(), &spec).unwrap(),
        attention: None,
        model: spec,
        overwrite: false,
    };
    model_bundle::write(dir, draft).unwrap()
}

fn library_scores(bundle: &Bundle, video: &Path) -> Vec<f32> {
    let encoder = Encoder::from_onnx(bundle.encoder(), "encoder", bundle.model()).unwrap();
    let head = Head::from_onnx(bundle.head(), "head", bundle.model()).unwrap();
    let mut scorer = Scorer::new(Arc::new(encoder), Arc::new(head), bundle.model()).unwrap();
    let (mut source, mut buf) = (FrameSource::open(video).unwrap(), FrameBuf::new());
    let mut scores = Vec::new();
    while source.next_frame(&mut buf).unwrap() {
        scores.extend(scorer.push(buf.as_frame()).unwrap().map(|clip| clip.raw));
    }
    scores.extend(scorer.finish().unwrap().map(|clip| clip.raw));
    scores
}

#[test]
fn replay_scores_like_the_library_bit_for_bit() {
    let Some(i3d) = golden::kinetics_i3d() else { return };
    let i3d = std::fs::read(i3d).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("bundle"), &i3d);
    let video = folder.path().join("ramp.mp4");
    let frames: Vec<u8> = (0..40).map(|f| 20 + f * 5).collect();
    tiny::video(&video, &frames);
    let output = watchpostd()
        .args(["replay", "--json", "--bundle"])
        .arg(folder.path().join("bundle"))
        .arg(&video)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let replayed: Vec<f32> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["raw"].as_f64().unwrap() as f32)
        .collect();
    let expected = library_scores(&bundle, &video);
    assert_eq!(expected.len(), 3);
    assert!(expected[0] != expected[1], "a model that sees nothing proves nothing");
    assert_eq!(replayed, expected);
}

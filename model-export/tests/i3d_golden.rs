//! The exported I3D with the Kinetics weights against the reference implementation's feature.
#![allow(clippy::unwrap_used, reason = "test")]

mod common;

use golden::assert_close;
use vad_core::{ModelSpec, Preprocessor, RgbFrame};
use vad_infer::Encoder;

#[test]
fn the_kinetics_feature_is_the_references() {
    let Some(weights) = common::kinetics_bytes() else {
        return;
    };
    let spec = ModelSpec::i3d_mist("i3d-kinetics");
    let onnx = model_export::encoder_onnx(&weights, &spec).unwrap();
    let encoder = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap();
    for case in golden::cases("i3d/") {
        let frames = case.u8("input_first16");
        assert_eq!(frames.shape, [16, 224, 224, 3], "{}", case.name());
        let mut preprocessor = Preprocessor::new(spec.preprocess.clone()).unwrap();
        let resized: Vec<Vec<u8>> = (0..16)
            .map(|i| {
                let mut out = vec![0; spec.preprocess.resized_len()];
                let frame = RgbFrame::new(224, 224, frames.row(i)).unwrap();
                preprocessor.resize_into(frame, &mut out).unwrap();
                out
            })
            .collect();
        let mut clip = vec![0.0; encoder.clip_len()];
        preprocessor.normalise_into(resized.iter().map(Vec::as_slice), &mut clip).unwrap();
        let feature = encoder.encode(&clip).unwrap();
        let want = case.f32("feature_avgpool");
        assert_close(&case.what("feature_avgpool"), &feature, &want.data, case.tolerance());
        let map = case.f32("Mixed_5c");
        let mean = channel_means(&map.data, 1024);
        assert_close(&case.what("Mixed_5c, averaged"), &feature, &mean, case.tolerance());
    }
}

/// Means of a `[.., C]` array over all but the last axis.
fn channel_means(values: &[f32], channels: usize) -> Vec<f64> {
    let rows = values.chunks_exact(channels);
    let n = rows.len() as f64;
    let mut means = vec![0.0; channels];
    for row in rows {
        means.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v) / n);
    }
    means
}

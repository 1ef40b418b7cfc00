//! The exported I3D with the Kinetics weights against the reference implementation's feature.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test")]

mod common;

use golden::assert_close;
use vad_core::{EncoderSpec, EndPoint, I3dTap, ModelSpec, Preprocessor, RgbFrame};
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

        let tap = I3dTap { point: EndPoint::Mixed5c, grid: 4 };
        let spec = ModelSpec::mist("i3d-grid", EncoderSpec::i3d_at(tap));
        let onnx = model_export::encoder_onnx(&weights, &spec).unwrap();
        let encoder = Encoder::from_onnx(&onnx, "encoder.onnx", &spec).unwrap();
        let cells = encoder.encode(&clip).unwrap();
        let of_cells = cell_means(&map.data, &map.shape, 4);
        let want: Vec<f64> = (0..1024).flat_map(|c| of_cells.iter().map(move |cell| cell[c])).collect();
        assert_close(&case.what("Mixed_5c, averaged in 4 x 4 cells"), &cells, &want, case.tolerance());
    }
}

/// Means of a map `[.., T, H, W, C]` over time and each cell of a grid, whose edges lie on the places that they cut.
fn cell_means(values: &[f32], shape: &[usize], grid: usize) -> Vec<Vec<f64>> {
    let &[.., h, w, c] = shape else { panic!("{shape:?} is no map") };
    let edges = |cell: usize, side: usize| (cell * side / grid, ((cell + 1) * side).div_ceil(grid));
    let cell = |cell: usize| {
        let ((top, bottom), (left, right)) = (edges(cell / grid, h), edges(cell % grid, w));
        let inside =
            |place: usize| (top..bottom).contains(&(place / w % h)) && (left..right).contains(&(place % w));
        let places = values.chunks_exact(c).enumerate().filter(|(place, _)| inside(*place));
        channel_means(&places.flat_map(|(_, place)| place.to_vec()).collect::<Vec<_>>(), c)
    };
    (0..grid * grid).map(cell).collect()
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

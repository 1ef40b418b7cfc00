//! The exported head against a forward pass written out by hand.
#![allow(clippy::unwrap_used, reason = "test")]

mod common;

use common::{Tensors, mlp_tensors, safetensors};
use golden::{Tolerance, assert_close, hashed_values};
use proptest::prelude::*;
use vad_core::ModelSpec;
use vad_infer::Head;

/// Sums of up to 1024 products in another order, squeezed by a sigmoid.
const HAND_WRITTEN: Tolerance = Tolerance::new(0.0, 2e-6);

/// `sigmoid(W5 (W3 relu(W0 x + b0) + b3) + b5)`, or `sigmoid(W0 x + b0)` of a single layer, in f64.
fn forward(tensors: &Tensors, feature: &[f32]) -> f64 {
    let linear = |layer: usize, x: &[f64]| -> Vec<f64> {
        let (_, shape, weight) = &tensors[layer * 2];
        let bias = &tensors[layer * 2 + 1].2;
        let row = |o: usize| &weight[o * shape[1]..(o + 1) * shape[1]];
        let dot = |o: usize| row(o).iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum::<f64>();
        (0..shape[0]).map(|o| dot(o) + f64::from(bias[o])).collect()
    };
    let x: Vec<f64> = feature.iter().map(|&v| f64::from(v)).collect();
    let first = linear(0, &x);
    let x = match tensors.len() {
        2 => first,
        _ => linear(2, &linear(1, &first.into_iter().map(|v| v.max(0.0)).collect::<Vec<_>>())),
    };
    1.0 / (1.0 + (-x[0]).exp())
}

fn head(dims: &[u32]) -> (Tensors, Head) {
    let mut spec = ModelSpec::i3d_mist("mlp");
    spec.head.dims = dims.to_vec();
    let tensors = mlp_tensors(dims);
    let onnx = model_export::head_onnx(&safetensors(&tensors), &spec).unwrap();
    (tensors, Head::from_onnx(&onnx, "head.onnx", &spec).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_exported_head_equals_the_forward_pass(
        hidden in 1u32..70,
        last in 1u32..40,
        seed in any::<u64>(),
        scale in 0.01f64..8.0,
    ) {
        let (tensors, head) = head(&[1024, hidden, last, 1]);
        let feature = hashed_values("feature", seed, 1024, 0.0, scale);
        let got = head.score(&feature).unwrap();
        assert_close("score", &[got], &[forward(&tensors, &feature)], HAND_WRITTEN);
        prop_assert!((0.0..=1.0).contains(&got));
    }
}

#[test]
fn heads_of_full_size_and_of_a_single_layer_equal_the_forward_pass() {
    for dims in [&[1024, 512, 32, 1][..], &[1024, 1]] {
        let (tensors, head) = head(dims);
        for seed in 0..16 {
            let feature = hashed_values("feature", seed, 1024, 0.0, 2.0);
            let got = head.score(&feature).unwrap();
            assert_close("score", &[got], &[forward(&tensors, &feature)], HAND_WRITTEN);
        }
    }
}

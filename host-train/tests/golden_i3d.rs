//! I3D in burn against every stored reference of the Kinetics network.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

mod support;

use burn::tensor::{Device, Tensor, TensorData};
use golden::{Case, assert_close, cases, kinetics_i3d};
use support::numbers;
use watchpost::backbone::i3d::{I3d, global_average};
use watchpost::tensors;

/// Pixels `[T, H, W, 3]` of 0..=255 as a clip `[1, 3, T, H, W]` of -1..=1.
fn clip(case: &Case, device: &Device) -> Tensor<5> {
    let key = case.array_names().find(|name| name.starts_with("input")).expect("an input array").to_owned();
    let pixels = case.u8(&key);
    let values: Vec<f32> = pixels.data.iter().map(|pixel| f32::from(*pixel) / 127.5 - 1.0).collect();
    let [t, h, w] = [pixels.shape[0], pixels.shape[1], pixels.shape[2]];
    Tensor::<5>::from_data(TensorData::new(values, [1, t, h, w, 3]), device).permute([0, 4, 1, 2, 3])
}

fn best_five(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order.truncate(5);
    order
}

#[test]
fn every_stored_clip_gives_the_reference_maps_features_and_classes() {
    let Some(path) = kinetics_i3d() else { return };
    let device = Device::flex();
    let (arrays, _) = tensors::load(&path).unwrap();
    let network = I3d::from_arrays(&arrays, "weights", &device).unwrap();
    for case in cases("i3d/") {
        let mixed_5c = network.forward(clip(&case, &device)).mixed_5c;
        let check = |key: &str, got: Vec<f32>| {
            if case.has(key) {
                assert_close(&case.what(key), &got, &case.f32(key).data, case.tolerance());
            }
        };
        check("Mixed_5c", numbers(mixed_5c.clone().permute([0, 2, 3, 4, 1])));
        check("feature_avgpool", numbers(global_average(mixed_5c.clone())));
        let logits = numbers(network.logits(mixed_5c).expect("a classifier"));
        check("Logits", logits.clone());
        if case.has("Logits") {
            assert_eq!(best_five(&logits), best_five(&case.f32("Logits").data), "{}: top five", case.name());
        }
    }
}

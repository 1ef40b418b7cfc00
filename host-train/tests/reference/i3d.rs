//! I3D in burn against every stored reference of the Kinetics network.

use crate::stored::{clip, numbers};
use burn::tensor::Device;
use golden::{assert_close, cases, kinetics_i3d};
use watchpost::backbone::i3d::{I3d, global_average};
use watchpost::tensors;

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
            assert_close(&case.what(key), &got, &case.f32(key).data, case.tolerance());
        };
        check("Mixed_5c", numbers(mixed_5c.clone().permute([0, 2, 3, 4, 1])));
        check("feature_avgpool", numbers(global_average(mixed_5c.clone())));
        let logits = numbers(network.logits(mixed_5c).expect("a classifier"));
        check("Logits", logits.clone());
        assert_eq!(best_five(&logits), best_five(&case.f32("Logits").data), "{}: top five", case.name());
    }
}

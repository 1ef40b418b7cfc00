//! Features do not depend on the engine that extracts them: burn and the exported graph in tract agree on real pictures.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken set-up must stop the test")]

use golden::{Case, Tolerance, assert_close, cases, kinetics_i3d};
use vad_core::ModelSpec;
use watchpost::device::DeviceChoice;
use watchpost::encoder::{self, Engine};

/// The two sum 28 GMAC in different orders; a feature's entries reach about 1.
const BETWEEN_ENGINES: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-5, of_max_abs: 1e-4 };

/// Pixels `[T, H, W, 3]` of 0..=255 as a clip `[3, T, H, W]` of -1..=1.
fn clip(case: &Case) -> Vec<f32> {
    let key = case.array_names().find(|name| name.starts_with("input")).expect("an input array").to_owned();
    let pixels = case.u8(&key);
    let frames = pixels.data.len() / 3;
    let channel = |channel: usize| (0..frames).map(move |at| 3 * at + channel);
    (0..3).flat_map(channel).map(|at| f32::from(pixels.data[at]) / 127.5 - 1.0).collect()
}

#[test]
fn both_engines_extract_the_same_features() {
    let Some(weights) = kinetics_i3d() else { return };
    let spec = ModelSpec::i3d_mist("two-engines");
    let [tract, burn] = [Engine::Tract, Engine::Burn]
        .map(|engine| encoder::load(engine, &weights, &spec, DeviceChoice::Cpu).unwrap());
    assert_ne!(tract.hash(), burn.hash(), "their features must be cached apart");
    for case in cases("i3d/") {
        let clip = clip(&case);
        let [tract, burn] = [&tract, &burn].map(|encoder| encoder.encode(&clip).unwrap());
        let want: Vec<f64> = tract.iter().map(|value| f64::from(*value)).collect();
        assert_eq!(burn.len(), want.len());
        assert_close(&case.what("feature by burn, beside tract's"), &burn, &want, BETWEEN_ENGINES);
    }
}

//! Features do not depend on the engine that extracts them: burn and the exported graph in tract agree on real pictures.

use crate::stored::{clip, numbers};
use burn::tensor::Device;
use golden::{Tolerance, assert_close, cases, kinetics_i3d};
use vad_core::ModelSpec;
use watchpost::device::DeviceList;
use watchpost::encoder::{self, Engine};

/// The two sum 28 GMAC in different orders; a feature's entries reach about 1.
const BETWEEN_ENGINES: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-5, of_max_abs: 1e-4 };

#[test]
fn both_engines_extract_the_same_features() {
    let Some(weights) = kinetics_i3d() else { return };
    let spec = ModelSpec::i3d_mist("two-engines");
    let [tract, burn] = [Engine::Tract, Engine::Burn]
        .map(|engine| encoder::load(engine, &weights, &spec, &DeviceList::default()).unwrap());
    assert_ne!(tract.hash(), burn.hash(), "their features must be cached apart");
    for case in cases("i3d/") {
        let clip = numbers(clip(&case, &Device::flex()));
        let [tract, burn] = [&tract, &burn].map(|encoder| encoder.encode(&clip).unwrap());
        let want: Vec<f64> = tract.iter().map(|value| f64::from(*value)).collect();
        assert_eq!(burn.len(), want.len());
        assert_close(&case.what("feature by burn, beside tract's"), &burn, &want, BETWEEN_ENGINES);
    }
}

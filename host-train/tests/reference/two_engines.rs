//! Features do not depend on the engine that extracts them: burn and the exported graph in tract agree on real pictures.

use crate::stored::{clip, numbers};
use burn::tensor::Device;
use golden::{Tolerance, assert_close, cases, kinetics_i3d};
use std::path::Path;
use vad_core::{ClipSpec, EncoderSpec, EndPoint, I3dTap, LiteSize, ModelSpec};
use watchpost::backbone::i3d_lite::I3dLite;
use watchpost::device::DeviceList;
use watchpost::encoder::{self, Engine};
use watchpost::tensors;

/// The two sum 28 GMAC in different orders; a feature's entries reach about 1.
const BETWEEN_ENGINES: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-5, of_max_abs: 1e-4 };

#[test]
fn both_engines_extract_the_same_features() {
    let Some(weights) = kinetics_i3d() else { return };
    let grid = I3dTap { point: EndPoint::Mixed5c, grid: 4 };
    for spec in [EncoderSpec::i3d(), EncoderSpec::i3d_at(grid)] {
        both_engines_agree(&weights, &ModelSpec::mist("two-engines", spec));
    }
}

fn both_engines_agree(weights: &Path, spec: &ModelSpec) {
    let [tract, burn] = [Engine::Tract, Engine::Burn]
        .map(|engine| encoder::load(engine, weights, spec, &DeviceList::default()).unwrap());
    assert_ne!(tract.hash(), burn.hash(), "their features must be cached apart");
    for case in cases("i3d/") {
        let clip = numbers(clip(&case, &Device::flex()));
        let [tract, burn] = [&tract, &burn].map(|encoder| encoder.encode(&clip).unwrap());
        let want: Vec<f64> = tract.iter().map(|value| f64::from(*value)).collect();
        assert_eq!(burn.len(), want.len());
        assert_close(&case.what("feature by burn, beside tract's"), &burn, &want, BETWEEN_ENGINES);
    }
}

#[test]
fn i3d_lite_streams_what_the_trainer_computes_from_whole_clips() {
    let device = Device::flex();
    for case in cases("i3d/") {
        let clips = clip(&case, &device);
        let [_, _, frames, height, width] = clips.dims();
        for size in LiteSize::ALL {
            let mut spec = ModelSpec::mist("lite", EncoderSpec::lite(size));
            let sides = [frames, height, width].map(|side| u16::try_from(side).unwrap());
            spec.clip = ClipSpec { frames: sides[0], stride: sides[0] };
            (spec.preprocess.height_px, spec.preprocess.width_px) = (sides[1], sides[2]);
            let net = I3dLite::init(size, 1, &device).calibrate(clips.clone());
            let want: Vec<f64> = net.forward(clips.clone()).mean_dim(1).into_data().iter::<f64>().collect();
            let weights = tensors::encode(&net.to_arrays(), None).unwrap();
            let onnx = model_export::encoder_onnx(&weights, &spec).unwrap();
            let encoder = vad_infer::Encoder::from_onnx(&onnx, "lite.onnx", &spec).unwrap();
            let got = encoder.encode(&numbers(clips.clone())).unwrap();
            assert_close(
                &case.what(&format!("{size}, streamed, beside the trainer's")),
                &got,
                &want,
                BETWEEN_ENGINES,
            );
        }
    }
}

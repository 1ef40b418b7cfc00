//! The exported I3D-lite: against a naive forward pass of the whole video, as a stream in pulses of
//! every length, beside another camera and after a reset.
//!
//! The reference is [`common::naive`], which sees all frames at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test")]

mod common;

use std::sync::Arc;

use common::naive::{Net, Video};
use common::{Tensors, frame, lite_spec, lite_tensors, safetensors};
use golden::{Tolerance, assert_close};
use half::f16;
use model_export::{EncoderPrecision, InputGrid, Int8Layer, Int8Plan, int8_layers};
use vad_core::{ClipSpec, LiteSize, ModelSpec, RgbFrame};
use vad_infer::{Encoder, FeatureStream, Kernels, Pulse, Tuning};

/// f32 against f64, through up to 30 layers.
const NAIVE_FORWARD: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-4, of_max_abs: 1e-4 };
/// The same graph on a stream and on the whole video.
const STREAMED: Tolerance = Tolerance::new(1e-5, 1e-5);

/// Values that lie between two steps of a grid may be rounded to either, and what follows sees it.
const ROUNDED: Tolerance = Tolerance { relative: 0.0, absolute: 0.0, of_max_abs: 0.02 };

/// Arithmetic in f16 beside f32, as far as `watchpostd tune` lets it go.
const IN_F16: Tolerance = Tolerance { relative: 0.0, absolute: 0.0, of_max_abs: 16.0 / 2048.0 };

/// A file in f16 is shorter than this share of the one in f32: all but the biases and the graph itself is halved.
const SHORTER: f64 = 0.55;

/// Keeps the naive loops short; maps of 6, 3, 2 and 1 places.
const SIDE_PX: u16 = 24;
/// More than the longest memory.
const FRAMES: usize = 20;

fn picture(index: usize) -> Vec<u8> {
    frame(index, SIDE_PX.into(), SIDE_PX.into())
}

/// The whole video, scaled to -1 to 1.
fn video(frames: impl ExactSizeIterator<Item = usize>) -> Video {
    Video::of([SIDE_PX.into(); 2], frames.map(picture))
}

fn load(size: LiteSize, spec: &ModelSpec, pulse: usize) -> Arc<Encoder> {
    load_in(size, spec, pulse, &EncoderPrecision::F32)
}

fn load_in(size: LiteSize, spec: &ModelSpec, pulse: usize, precision: &EncoderPrecision) -> Arc<Encoder> {
    let onnx = model_export::encoder_onnx_in(&safetensors(&lite_tensors(size)), spec, precision).unwrap();
    let pulse = Pulse::new(pulse, spec.clip).unwrap();
    Arc::new(Encoder::with_pulse(&onnx, "encoder.onnx", spec, pulse).unwrap())
}

/// Pushes frames; the features of the clips that they end.
fn push(stream: &mut FeatureStream, frames: impl Iterator<Item = usize>) -> Vec<Vec<f32>> {
    let frames = frames.map(|index| {
        let picture = picture(index);
        stream.push(RgbFrame::new(SIDE_PX.into(), SIDE_PX.into(), &picture).unwrap()).unwrap()
    });
    frames.collect::<Vec<_>>().into_iter().flatten().map(|(_, feature)| feature).collect()
}

#[test]
fn every_frame_of_a_stream_has_the_feature_that_the_whole_video_gives_it() {
    for size in LiteSize::ALL {
        let spec = lite_spec(size, ClipSpec { frames: 1, stride: 1 }, SIDE_PX);
        let mut stream = FeatureStream::new(load(size, &spec, 1), &spec).unwrap();
        let got = push(&mut stream, 0..FRAMES);
        let want = Net::of(size).features(size, &video(0..FRAMES));
        assert_eq!(got.len(), FRAMES);
        for (index, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_close(&format!("{size}, frame {index}"), got, want, NAIVE_FORWARD);
        }
        assert!(want.windows(2).all(|pair| pair[0] != pair[1]), "frames that differ have other features");
    }
}

#[test]
fn pulses_of_every_length_give_the_same_clips() {
    let clip = ClipSpec { frames: 12, stride: 12 };
    for size in LiteSize::ALL {
        let spec = lite_spec(size, clip, SIDE_PX);
        let streamed = |pulse: usize| {
            let mut stream = FeatureStream::new(load(size, &spec, pulse), &spec).unwrap();
            let mut features = push(&mut stream, 0..29);
            features.extend(stream.finish().unwrap().map(|(_, feature)| feature));
            features
        };
        let one = streamed(1);
        assert_eq!(one.len(), 3, "two clips and a tail");
        for pulse in 2..=4 {
            for (clip, (got, want)) in streamed(pulse).iter().zip(&one).enumerate() {
                assert_close(&format!("{size}, pulses of {pulse}, clip {clip}"), got, want, STREAMED);
            }
        }
    }
}

#[test]
fn cameras_know_nothing_of_each_other_and_a_reset_forgets() {
    let size = LiteSize::Small;
    let spec = lite_spec(size, ClipSpec { frames: 4, stride: 2 }, SIDE_PX);
    let encoder = load(size, &spec, 2);
    let fresh = || FeatureStream::new(encoder.clone(), &spec).unwrap();
    let alone = |first: usize| push(&mut fresh(), first..first + 10);
    let (mut one, mut other) = (fresh(), fresh());
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    for index in 0..10 {
        of_one.extend(push(&mut one, index..index + 1));
        of_other.extend(push(&mut other, 100 + index..101 + index));
    }
    assert_eq!(of_one, alone(0));
    assert_eq!(of_other, alone(100));
    // In the middle of a pulse.
    push(&mut one, 50..53);
    one.reset();
    assert_eq!(push(&mut one, 100..110), of_other);
    one.finish().unwrap();
    assert_eq!(push(&mut one, 0..10), of_one);
}

#[test]
fn frames_that_a_camera_drops_are_as_if_they_had_never_been() {
    let size = LiteSize::Small;
    let spec = lite_spec(size, ClipSpec { frames: 1, stride: 1 }, SIDE_PX);
    let kept = [0, 1, 4, 5, 6, 11];
    let got = push(&mut FeatureStream::new(load(size, &spec, 1), &spec).unwrap(), kept.into_iter());
    let want = Net::of(size).features(size, &video(kept.into_iter()));
    for (got, want) in got.iter().zip(&want) {
        assert_close("kept frame", got, want, NAIVE_FORWARD);
    }
}

#[test]
fn a_clip_by_itself_is_a_stream_of_one_clip() {
    let size = LiteSize::Small;
    let spec = lite_spec(size, ClipSpec { frames: 8, stride: 8 }, SIDE_PX);
    let encoder = load(size, &spec, 4);
    let clip: Vec<f32> = video(0..8).values.iter().map(|&v| v as f32).collect();
    let streamed = push(&mut FeatureStream::new(encoder.clone(), &spec).unwrap(), 0..8);
    assert_eq!(encoder.encode(&clip).unwrap(), streamed[0]);
    assert!(encoder.encode(&clip[1..]).is_err());
}

#[test]
fn pulses_that_do_not_divide_the_clips_are_refused() {
    let clip = ClipSpec { frames: 16, stride: 8 };
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(|frames| Pulse::new(frames, clip).is_some()),
        [false, true, true, false, true, false]
    );
    let spec = lite_spec(LiteSize::Small, clip, SIDE_PX);
    let encoder = load(LiteSize::Small, &spec, 4);
    let other = ModelSpec { clip: ClipSpec { frames: 16, stride: 2 }, ..spec };
    let error = FeatureStream::new(encoder, &other).err().unwrap().to_string();
    assert!(error.contains("4 frames at a time") && error.contains("every 2"), "{error}");
}

/// Every layer that can be, on grids as wide as the activations of the made-up weights.
fn all_in_int8(size: LiteSize) -> Int8Plan {
    let tensors = Net::of(size).tensors;
    let mut plan = Int8Plan::default();
    for layer in int8_layers(size.plan()) {
        let bias = tensors[&format!("{layer}.bias")].1.iter().map(|bias| bias + 0.01).collect();
        let weight = tensors[&format!("{layer}.weight")].1.iter().map(|weight| weight * 1.1).collect();
        let least = if layer.ends_with("project") { 0.0 } else { -4.0 };
        let inputs = tensors[&format!("{layer}.weight")].0[1];
        let divisors = (0..inputs).map(|input| 0.8 + 0.1 * (input % 5) as f32).collect();
        plan.insert(layer, Int8Layer { input: InputGrid::covering(least, 4.0), divisors, weight, bias });
    }
    plan
}

#[test]
fn a_graph_in_int8_computes_on_its_grids() {
    let clip = ClipSpec { frames: 4, stride: 4 };
    for size in [LiteSize::Small, LiteSize::Middle] {
        let spec = lite_spec(size, clip, SIDE_PX);
        let video = video(0..4);
        let pixels: Vec<f32> = video.values.iter().map(|&v| v as f32).collect();
        let whole = all_in_int8(size);
        let mut some = Int8Plan::default();
        for layer in whole.layers().filter(|layer| layer.starts_with("stage2") || *layer == "last") {
            some.insert(layer.to_owned(), whole.get(layer).unwrap().clone());
        }
        let plain = load(size, &spec, 1).encode(&pixels).unwrap();
        for (name, int8) in [("all", whole), ("some", some)] {
            let got = load_in(size, &spec, 1, &EncoderPrecision::Int8(int8.clone())).encode(&pixels).unwrap();
            let frames = Net { int8, ..Net::of(size) }.features(size, &video);
            let mean = |at: usize| frames.iter().map(|frame| frame[at]).sum::<f32>() / frames.len() as f32;
            let want: Vec<f32> = (0..got.len()).map(mean).collect();
            assert_close(&format!("{size}, {name} in int8"), &got, &want, ROUNDED);
            assert_ne!(got, plain, "{size}, {name}");
        }
    }
}

#[test]
fn layers_that_cannot_be_in_int8_are_refused_by_name() {
    let size = LiteSize::Small;
    let spec = lite_spec(size, ClipSpec { frames: 4, stride: 4 }, SIDE_PX);
    let weights = safetensors(&lite_tensors(size));
    for layer in ["stage1.0.space", "stage9.0.expand", "stem"] {
        let mut plan = Int8Plan::default();
        plan.insert(layer.to_owned(), layer_of(vec![], vec![]));
        let precision = EncoderPrecision::Int8(plan);
        let error = model_export::encoder_onnx_in(&weights, &spec, &precision).unwrap_err().to_string();
        assert!(error.contains(layer) && error.contains("1x1x1"), "{error}");
    }
    let wide = |len| vec![0.0; len];
    for (layer, how, said) in [
        ("last", Int8Layer { weight: wide(3 * 256), ..layer_of(vec![], wide(3)) }, ["last.bias", "[3]"]),
        ("stage2.0.project", layer_of(vec![1.0; 5], wide(64)), ["stage2.0.project.divisors", "[5]"]),
        ("stage2.0.expand", layer_of(vec![0.0; 32], wide(192)), ["stage2.0.expand.divisors", "0"]),
        (
            "stage2.0.expand",
            Int8Layer { weight: wide(7), ..layer_of(vec![], wide(192)) },
            ["stage2.0.expand.weight", "[7]"],
        ),
        (
            "stage2.0.expand",
            Int8Layer { weight: vec![f32::NAN; 32 * 192], ..layer_of(vec![], wide(192)) },
            ["stage2.0.expand.weight", "NaN"],
        ),
    ] {
        let mut plan = Int8Plan::default();
        plan.insert(layer.to_owned(), how);
        let precision = EncoderPrecision::Int8(plan);
        let error = model_export::encoder_onnx_in(&weights, &spec, &precision).unwrap_err().to_string();
        assert!(said.iter().all(|said| error.contains(said)), "{error}");
    }
}

/// Of `stage2.0.expand`'s 32 inputs.
fn layer_of(divisors: Vec<f32>, bias: Vec<f32>) -> Int8Layer {
    let weight = vec![0.0; 32 * bias.len()];
    Int8Layer { input: InputGrid::covering(0.0, 1.0), divisors, weight, bias }
}

/// The weights of a network, each the nearest that f16 has.
fn rounded(size: LiteSize) -> Tensors {
    let round = |values: Vec<f32>| values.into_iter().map(|value| f16::from_f32(value).to_f32()).collect();
    let tensors = lite_tensors(size).into_iter();
    tensors
        .map(|(name, shape, values)| {
            let values = if name.ends_with(".weight") { round(values) } else { values };
            (name, shape, values)
        })
        .collect()
}

#[test]
fn a_graph_in_f16_is_half_as_long_and_computes_with_rounded_weights() {
    let clip = ClipSpec { frames: 4, stride: 4 };
    for size in LiteSize::ALL {
        let spec = lite_spec(size, clip, SIDE_PX);
        let onnx = |tensors: &Tensors, precision| {
            model_export::encoder_onnx_in(&safetensors(tensors), &spec, &precision).unwrap()
        };
        let [whole, half] = [EncoderPrecision::F32, EncoderPrecision::F16]
            .map(|precision| onnx(&lite_tensors(size), precision));
        assert!(
            (half.len() as f64) < SHORTER * whole.len() as f64,
            "{size}: {} of {}",
            half.len(),
            whole.len()
        );
        let pixels: Vec<f32> = video(0..4).values.iter().map(|&v| v as f32).collect();
        let features = |onnx: &[u8]| {
            let encoder = Encoder::from_onnx(onnx, "encoder.onnx", &spec).unwrap();
            assert!(!encoder.tuning().kernels.are_of_tract());
            encoder.encode(&pixels).unwrap()
        };
        let (whole, half) = (features(&whole), features(&half));
        assert_eq!(half, features(&onnx(&rounded(size), EncoderPrecision::F32)), "{size}");
        assert_ne!(half, whole, "{size}");
    }
}

#[test]
fn features_in_f16_arithmetic_are_those_of_f32_but_for_rounding() {
    for size in LiteSize::ALL {
        let spec = lite_spec(size, ClipSpec { frames: 4, stride: 4 }, SIDE_PX);
        let weights = safetensors(&lite_tensors(size));
        let onnx = model_export::encoder_onnx_in(&weights, &spec, &EncoderPrecision::F16).unwrap();
        let features = |kernels, pulse| {
            let tuning =
                Tuning { kernels, pulse: Pulse::new(pulse, spec.clip).unwrap(), ..Tuning::default() };
            let encoder = Encoder::tuned(&onnx, "encoder.onnx", &spec, tuning).unwrap();
            push(&mut FeatureStream::new(Arc::new(encoder), &spec).unwrap(), 0..16).concat()
        };
        let expected = features(Kernels::Best, 1);
        for pulse in [1, 4] {
            let found = features(Kernels::TractF16, pulse);
            assert_close(&format!("{size}, pulses of {pulse}"), &found, &expected, IN_F16);
            assert_ne!(found, expected, "{size}");
        }
    }
}

#[test]
fn what_f16_cannot_hold_is_refused() {
    let size = LiteSize::Small;
    let spec = lite_spec(size, ClipSpec { frames: 4, stride: 4 }, SIDE_PX);
    for layer in ["stem", "stage2.0.space", "stage1.0.time", "stage3.1.project", "last"] {
        let mut tensors = lite_tensors(size);
        let weight = format!("{layer}.weight");
        tensors.iter_mut().find(|(name, ..)| *name == weight).unwrap().2[3] = -65520.0;
        let weights = safetensors(&tensors);
        let error = model_export::encoder_onnx_in(&weights, &spec, &EncoderPrecision::F16).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("`{layer}`")) && error.contains("-65520 at flat index 3"), "{error}");
        assert!(model_export::encoder_onnx(&weights, &spec).is_ok());
    }
    let spec = common::spec(8, 32, 32);
    let error = model_export::encoder_onnx_in(&[], &spec, &EncoderPrecision::F16).unwrap_err().to_string();
    assert!(error.contains("Mixed_5c in f16") && error.contains("only I3D-lite"), "{error}");
}

//! The exported I3D-lite: against a naive forward pass of the whole video, as a stream in pulses of
//! every length, beside another camera and after a reset.
//!
//! The reference loops over every tap and sees all frames at once, so it shares no code with exporter and
//! runtime.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::{frame, lite_spec, lite_tensors, safetensors};
use golden::{Tolerance, assert_close};
use model_export::{InputGrid, Int8Layer, Int8Plan, Int8Weights, int8_layers};
use vad_core::{ClipSpec, LiteBlock, LiteSize, ModelSpec, RgbFrame};
use vad_infer::{Encoder, FeatureStream, Pulse};

/// f32 against f64, through up to 30 layers.
const NAIVE_FORWARD: Tolerance = Tolerance { relative: 1e-4, absolute: 1e-4, of_max_abs: 1e-4 };
/// The same graph on a stream and on the whole video.
const STREAMED: Tolerance = Tolerance::new(1e-5, 1e-5);

/// Values that lie between two steps of a grid may be rounded to either, and what follows sees it.
const ROUNDED: Tolerance = Tolerance { relative: 0.0, absolute: 0.0, of_max_abs: 0.02 };

/// Keeps the naive loops short; maps of 6, 3, 2 and 1 places.
const SIDE_PX: u16 = 24;
/// More than the longest memory.
const FRAMES: usize = 20;

/// `[c, t, h, w]`.
struct Video {
    channels: usize,
    size: [usize; 3],
    values: Vec<f64>,
}

struct Net {
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    int8: Int8Plan,
}

/// First tap of a `SAME` kernel behind output position 0.
fn before(n: usize, k: usize, s: usize) -> isize {
    let out = n.div_ceil(s);
    -((((out - 1) * s + k).saturating_sub(n) / 2) as isize)
}

impl Net {
    fn of(size: LiteSize) -> Self {
        let tensors = lite_tensors(size).into_iter().map(|(name, shape, values)| (name, (shape, values)));
        Self { tensors: tensors.collect(), int8: Int8Plan::default() }
    }

    /// Convolution with stride `s` in space, causal in time; its bias if it has one.
    fn conv(&self, unit: &str, x: &Video, s: usize) -> Video {
        let (shape, weight) = &self.tensors[&format!("{unit}.weight")];
        let Some(how) = self.int8.get(unit) else { return self.product(unit, shape, weight, x, s) };
        let plane = x.size.iter().product();
        let by = |channel: usize| how.divisors.get(channel).copied().unwrap_or(1.0);
        let channels = x.values.chunks_exact(plane).enumerate();
        let near = |(channel, plane): (usize, &[f64])| {
            let by = by(channel);
            plane.iter().map(|&v| f64::from(how.input.nearest(v as f32 / by))).collect::<Vec<_>>()
        };
        let x = Video { values: channels.flat_map(near).collect(), ..*x };
        let weight: Vec<f32> =
            weight.iter().enumerate().map(|(at, weight)| weight * by(at % x.channels)).collect();
        self.product(unit, shape, &Int8Weights::nearest(&weight, shape[0]).floats(), &x, s)
    }

    fn product(&self, unit: &str, shape: &[usize], weight: &[f32], x: &Video, s: usize) -> Video {
        let [out, inputs, kt, kh, kw] = *shape else { unreachable!() };
        let [t, h, w] = x.size;
        let size = [t, h.div_ceil(s), w.div_ceil(s)];
        let (top, left) = (before(h, kh, s), before(w, kw, s));
        let at = |c: usize, t: isize, y: isize, z: isize| -> f64 {
            let inside = t >= 0 && (0..h as isize).contains(&y) && (0..w as isize).contains(&z);
            if inside {
                x.values[((c * x.size[0] + t as usize) * h + y as usize) * w + z as usize]
            } else {
                0.0
            }
        };
        let mut values = Vec::new();
        for o in 0..out {
            for p in 0..size.iter().product() {
                let [f, y, z] = [p / (size[1] * size[2]), p / size[2] % size[1], p % size[2]];
                let mut sum = 0.0;
                for i in 0..inputs {
                    // A depthwise kernel has one input, the channel of its output.
                    let c = if inputs == x.channels { i } else { o };
                    for tap in 0..kt * kh * kw {
                        let [a, b, d] = [tap / (kh * kw), tap / kw % kh, tap % kw];
                        let v = at(
                            c,
                            f as isize + a as isize - (kt as isize - 1),
                            (y * s + b) as isize + top,
                            (z * s + d) as isize + left,
                        );
                        sum += f64::from(weight[(o * inputs + i) * kt * kh * kw + tap]) * v;
                    }
                }
                values.push(sum + self.bias(unit, o));
            }
        }
        Video { channels: out, size, values }
    }

    fn bias(&self, unit: &str, o: usize) -> f64 {
        let trained =
            || self.tensors.get(&format!("{unit}.bias")).map_or(0.0, |(_, bias)| f64::from(bias[o]));
        self.int8.get(unit).map_or_else(trained, |how| f64::from(how.bias[o]))
    }

    fn block(&self, block: &LiteBlock, x: Video) -> Video {
        let unit = |layer: &str| block.layer(layer);
        let y = self.conv(&unit("space"), &x, block.stride);
        let y = relu(self.conv(&unit("expand"), &self.conv(&unit("time"), &y, 1), 1));
        let mut y = self.conv(&unit("project"), &y, 1);
        if block.stride == 1 && block.inputs == block.outputs {
            y.values.iter_mut().zip(&x.values).for_each(|(y, x)| *y += x);
        }
        y
    }

    /// `[frames, D]`.
    fn features(&self, size: LiteSize, video: &Video) -> Vec<Vec<f32>> {
        let mut x = relu(self.conv("stem", video, 4));
        for block in size.plan().blocks() {
            x = self.block(&block, x);
        }
        let x = relu(self.conv("last", &x, 1));
        let plane = x.size[1] * x.size[2];
        let mean = |c: usize, t: usize| {
            let begin = (c * x.size[0] + t) * plane;
            x.values[begin..begin + plane].iter().sum::<f64>() / plane as f64
        };
        (0..x.size[0]).map(|t| (0..x.channels).map(|c| mean(c, t) as f32).collect()).collect()
    }
}

fn relu(mut x: Video) -> Video {
    x.values.iter_mut().for_each(|v| *v = v.max(0.0));
    x
}

fn picture(index: usize) -> Vec<u8> {
    frame(index, SIDE_PX.into(), SIDE_PX.into())
}

/// The whole video, scaled to -1 to 1.
fn video(frames: impl ExactSizeIterator<Item = usize>) -> Video {
    let side = usize::from(SIDE_PX);
    let size = [frames.len(), side, side];
    let pictures: Vec<Vec<u8>> = frames.map(picture).collect();
    let colour = |c: usize| pictures.iter().flat_map(move |p| p.iter().skip(c).step_by(3));
    let values = (0..3).flat_map(colour).map(|&v| (f64::from(v) - 127.5) / 127.5).collect();
    Video { channels: 3, size, values }
}

fn load(size: LiteSize, spec: &ModelSpec, pulse: usize) -> Arc<Encoder> {
    load_int8(size, spec, pulse, &Int8Plan::default())
}

fn load_int8(size: LiteSize, spec: &ModelSpec, pulse: usize, int8: &Int8Plan) -> Arc<Encoder> {
    let onnx = model_export::encoder_int8_onnx(&safetensors(&lite_tensors(size)), spec, int8).unwrap();
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
        let least = if layer.ends_with("project") { 0.0 } else { -4.0 };
        let inputs = tensors[&format!("{layer}.weight")].0[1];
        let divisors = (0..inputs).map(|input| 0.8 + 0.1 * (input % 5) as f32).collect();
        plan.insert(layer, Int8Layer { input: InputGrid::covering(least, 4.0), divisors, bias });
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
            let got = load_int8(size, &spec, 1, &int8).encode(&pixels).unwrap();
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
        let error = model_export::encoder_int8_onnx(&weights, &spec, &plan).unwrap_err().to_string();
        assert!(error.contains(layer) && error.contains("1x1x1"), "{error}");
    }
    let wide = |len| vec![0.0; len];
    for (layer, how, said) in [
        ("last", layer_of(vec![], wide(3)), ["last.bias", "[3]"]),
        ("stage2.0.project", layer_of(vec![1.0; 5], wide(64)), ["stage2.0.project.divisors", "[5]"]),
        ("stage2.0.expand", layer_of(vec![0.0; 32], wide(192)), ["stage2.0.expand.divisors", "0"]),
    ] {
        let mut plan = Int8Plan::default();
        plan.insert(layer.to_owned(), how);
        let error = model_export::encoder_int8_onnx(&weights, &spec, &plan).unwrap_err().to_string();
        assert!(said.iter().all(|said| error.contains(said)), "{error}");
    }
}

fn layer_of(divisors: Vec<f32>, bias: Vec<f32>) -> Int8Layer {
    Int8Layer { input: InputGrid::covering(0.0, 1.0), divisors, bias }
}

//! The exported attention: against loops over the whole video, on streams in pulses of every length, beside another camera,
//! after a reset, with frames that were dropped, and in int8. What does not fit is refused by name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use common::naive::{Net, Video, relu};
use common::{
    Tensors, attention_tensors, frame, lite_int8, lite_spec, lite_tensors, mlp_tensors, safetensors, spec,
};
use golden::{Tolerance, assert_close};
use model_export::{
    BundleFacts, BundleSources, EncoderPrecision, ExportError, Int8Plan, ReferenceAttention, attention_onnx,
    check_attention,
};
use prost::Message;
use tract_onnx::pb;
use vad_core::{AttentionSpec, ClipSpec, Grid, Line, LiteSize, ModelSpec, RgbFrame};
use vad_infer::{Attention, AttentionMap, Encoder, FeatureStream, InferError, Kernels, Pulse, Tuning};

/// Streamed, of one clip, and in loops over the whole video: the order of sums differs.
const STREAMED: Tolerance = Tolerance::new(0.0, 1e-5);

/// Values that lie between two steps of a grid may be rounded to either, and what follows sees it.
const ROUNDED: Tolerance = Tolerance::new(0.0, 0.02);

/// Height and width of pictures, with maps of 3 x 5 places behind the third stage.
const PICTURE_PX: [u16; 2] = [48, 80];

/// Rows and columns of the attention.
const PLACES: [u16; 2] = [2, 3];

const STAGE: u8 = 3;

const CLIP: ClipSpec = ClipSpec { frames: 16, stride: 8 };

fn looking_spec(size: LiteSize, clip: ClipSpec) -> ModelSpec {
    let [height_px, width_px] = PICTURE_PX;
    let mut spec = lite_spec(size, clip, height_px);
    spec.preprocess.width_px = width_px;
    let line = Line { first_px: 7.5, step_px: 32.0 };
    let [rows, columns] = PLACES;
    let grid = Grid { rows: line, columns: line };
    spec.attention = Some(AttentionSpec { stage: STAGE, rows, columns, grid });
    spec
}

fn channels(size: LiteSize) -> usize {
    size.plan().stages[usize::from(STAGE) - 1].channels
}

struct Model {
    spec: ModelSpec,
    encoder: Arc<Encoder>,
    attention: Arc<Attention>,
    net: Net,
    size: LiteSize,
    weights: HashMap<String, Vec<f32>>,
}

impl Model {
    fn new(size: LiteSize, clip: ClipSpec, pulse: usize, precision: EncoderPrecision) -> Self {
        let spec = looking_spec(size, clip);
        let onnx =
            model_export::encoder_onnx_in(&safetensors(&lite_tensors(size)), &spec, &precision).unwrap();
        let pulse = Pulse::new(pulse, clip).unwrap();
        let encoder = Arc::new(Encoder::with_pulse(&onnx, "encoder.onnx", &spec, pulse).unwrap());
        let tensors = attention_tensors(channels(size));
        let onnx = attention_onnx(&safetensors(&tensors), &spec).unwrap();
        let attention = Attention::from_onnx(&onnx, "attention.onnx", &spec, &encoder).unwrap();
        let weights = tensors.into_iter().map(|(name, _, values)| (name, values)).collect();
        let int8 = if let EncoderPrecision::Int8(plan) = precision { plan } else { Int8Plan::default() };
        let net = Net { int8, ..Net::of(size) };
        Self { spec, encoder, attention: Arc::new(attention), net, size, weights }
    }

    fn stream(&self) -> FeatureStream {
        let stream = FeatureStream::new(self.encoder.clone(), &self.spec).unwrap();
        stream.with_attention(self.attention.clone()).unwrap()
    }

    /// The attention of every clip of a whole video, the tail included.
    fn expected(&self, frames: &[usize]) -> Vec<Vec<f32>> {
        let sides = PICTURE_PX.map(usize::from);
        let video = Video::of(sides, frames.iter().copied().map(picture));
        let map = self.net.behind(self.size, &video, STAGE.into());
        let spans = self.spec.clip.spans(frames.len() as u64);
        let of_span = |span: vad_core::ClipSpan| {
            let shown = span.frame_range();
            let frame = |at: u64| (shown.start + at).min(shown.end - 1) as usize;
            self.look(&map, &(0..16).map(frame).collect::<Vec<_>>())
        };
        spans.map(of_span).collect()
    }

    /// The attention on these 16 frames of a map.
    fn look(&self, map: &Video, frames: &[usize]) -> Vec<f32> {
        let [_, h, w] = map.size;
        let plane = h * w;
        let at = |channel: usize, frame: usize, place: usize| {
            map.values[(channel * map.size[0] + frame) * plane + place]
        };
        let mean = |channel: usize, step: usize, place: usize| {
            frames[4 * step..4 * step + 4].iter().map(|&frame| at(channel, frame, place)).sum::<f64>() / 4.0
        };
        let mut values = Vec::new();
        for channel in 0..map.channels {
            for step in 0..4 {
                values.extend((0..plane).map(|place| mean(channel, step, place)));
            }
        }
        let steps = Video { channels: map.channels, size: [4, h, w], values };
        let x = relu(self.conv("Conv_Atten.0", &steps, [3; 3], 2, 1));
        let x = relu(self.conv("Att_1.0", &x, [1; 3], 1, 0));
        let x = self.conv("Att_3.0", &x, [2, 1, 1], 1, 0);
        assert_eq!(x.size, [1, PLACES[0].into(), PLACES[1].into()]);
        x.values.iter().map(|&value| (1.0 / (1.0 + (-value).exp())) as f32).collect()
    }

    /// A convolution with stride and zeros over the picture, and neither over time.
    fn conv(&self, unit: &str, x: &Video, kernel: [usize; 3], stride: usize, zeros: usize) -> Video {
        let weight = &self.weights[&format!("Conv_Atten.{unit}.weight")];
        let bias = &self.weights[&format!("Conv_Atten.{unit}.bias")];
        let [t, h, w] = x.size;
        let [kt, kh, kw] = kernel;
        let places = |size: usize, kernel: usize| (size + 2 * zeros - kernel) / stride + 1;
        let size = [t + 1 - kt, places(h, kh), places(w, kw)];
        let mut values = Vec::new();
        for (output, bias) in bias.iter().enumerate() {
            for p in 0..size.iter().product() {
                let [f, y, z] = [p / (size[1] * size[2]), p / size[2] % size[1], p % size[2]];
                let mut sum = f64::from(*bias);
                for tap in 0..x.channels * kt * kh * kw {
                    let [c, a, b, d] = [tap / (kt * kh * kw), tap / (kh * kw) % kt, tap / kw % kh, tap % kw];
                    let (row, column) = (y * stride + b, z * stride + d);
                    if (zeros..h + zeros).contains(&row) && (zeros..w + zeros).contains(&column) {
                        let value = x.values[((c * t + f + a) * h + row - zeros) * w + column - zeros];
                        sum += f64::from(weight[output * x.channels * kt * kh * kw + tap]) * value;
                    }
                }
                values.push(sum);
            }
        }
        Video { channels: bias.len(), size, values }
    }
}

fn picture(index: usize) -> Vec<u8> {
    let [height, width] = PICTURE_PX.map(usize::from);
    frame(index, width, height)
}

/// Pushes one frame; the attention of the clip that it ends.
fn push(stream: &mut FeatureStream, index: usize) -> Option<AttentionMap> {
    let [height, width] = PICTURE_PX.map(u32::from);
    let ended = stream.push(RgbFrame::new(width, height, &picture(index)).unwrap()).unwrap();
    let map = stream.attention().unwrap();
    assert_eq!(map.is_some(), ended.is_some(), "frame {index}: only a clip has an attention");
    map
}

fn finish(stream: &mut FeatureStream) -> Option<AttentionMap> {
    let tail = stream.finish().unwrap();
    let map = stream.attention().unwrap();
    assert_eq!(map.is_some(), tail.is_some());
    map
}

fn assert_maps(name: &str, got: &[AttentionMap], want: &[Vec<f32>], tolerance: Tolerance) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (clip, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!([got.rows, got.columns], PLACES.map(usize::from), "{name}");
        let want: Vec<f64> = want.iter().copied().map(f64::from).collect();
        assert_close(&format!("{name}, clip {clip}"), &got.values, &want, tolerance);
    }
    let all = || want.iter().flatten().copied();
    let extent = all().fold(0.0, f32::max) - all().fold(1.0, f32::min);
    assert!(extent > 0.05, "{name}: a flat map compares nothing ({extent})");
}

#[test]
fn every_clip_of_a_stream_has_the_attention_that_the_whole_video_gives_it() {
    for (size, pulse, int8) in
        [(LiteSize::Small, 1, false), (LiteSize::Middle, 4, false), (LiteSize::Small, 2, true)]
    {
        let precision = if int8 { EncoderPrecision::Int8(lite_int8(size)) } else { EncoderPrecision::F32 };
        let model = Model::new(size, CLIP, pulse, precision);
        let mut stream = model.stream();
        let frames: Vec<usize> = (0..21).collect();
        let mut maps: Vec<AttentionMap> = frames.iter().filter_map(|&at| push(&mut stream, at)).collect();
        maps.extend(finish(&mut stream));
        assert_eq!(maps.len(), 2, "a clip and a tail");
        let tolerance = if int8 { ROUNDED } else { STREAMED };
        let name = format!("{size}, pulses of {pulse}, int8 {int8}");
        assert_maps(&name, &maps, &model.expected(&frames), tolerance);
    }
}

#[test]
fn cameras_by_turns_with_dropped_frames_and_resets_see_what_each_sees_alone() {
    let model = Model::new(LiteSize::Small, CLIP, 2, EncoderPrecision::F32);
    let one: Vec<usize> = (0..40).filter(|at| at % 7 != 3).take(24).collect();
    let other: Vec<usize> = (200..240).filter(|at| at % 5 != 0).take(24).collect();
    let mut cameras = [(model.stream(), &one, Vec::new()), (model.stream(), &other, Vec::new())];
    for turn in 0..24 {
        for (stream, frames, maps) in &mut cameras {
            maps.extend(push(stream, frames[turn]));
        }
    }
    let [(mut first, _, of_one), (_, _, of_other)] = cameras;
    assert_maps("one", &of_one, &model.expected(&one), STREAMED);
    assert_maps("other", &of_other, &model.expected(&other), STREAMED);
    // In the middle of a pulse and of a clip.
    push(&mut first, 77);
    first.reset();
    assert_eq!(first.attention().unwrap(), None);
    let again: Vec<AttentionMap> = other.iter().filter_map(|&at| push(&mut first, at)).collect();
    assert_eq!(again, of_other);
    finish(&mut first);
    let again: Vec<AttentionMap> = one.iter().filter_map(|&at| push(&mut first, at)).collect();
    assert_eq!(again, of_one);
}

#[test]
fn features_are_the_same_with_an_attention_and_without() {
    let model = Model::new(LiteSize::Small, CLIP, 1, EncoderPrecision::F32);
    let mut plain = FeatureStream::new(model.encoder.clone(), &model.spec).unwrap();
    let mut looking = model.stream();
    let [height, width] = PICTURE_PX.map(u32::from);
    for index in 0..18 {
        let pixels = picture(index);
        let frame = RgbFrame::new(width, height, &pixels).unwrap();
        assert_eq!(looking.push(frame).unwrap(), plain.push(frame).unwrap());
        assert_eq!(plain.attention().unwrap(), None);
    }
}

fn file(folder: &std::path::Path, name: &str, tensors: &Tensors) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, safetensors(tensors)).unwrap();
    path
}

#[test]
fn a_bundle_carries_it_and_parity_finds_the_first_value_that_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(LiteSize::Small, ClipSpec { frames: 16, stride: 16 }, 1, EncoderPrecision::F32);
    let encoder = file(folder.path(), "encoder.safetensors", &lite_tensors(LiteSize::Small));
    let head = file(folder.path(), "head.safetensors", &mlp_tensors(&model.spec.head.dims));
    let attention = file(folder.path(), "tuned.safetensors", &attention_tensors(channels(LiteSize::Small)));
    let precision = EncoderPrecision::F32;
    let sources =
        BundleSources { encoder: &encoder, precision: &precision, head: &head, attention: Some(&attention) };
    let facts = BundleFacts::default();
    let out = folder.path().join("bundle");
    let bundle = model_export::bundle(&model.spec, sources, &out, &facts).unwrap();
    assert!(out.join("attention.onnx").is_file());
    assert_eq!(bundle.model().attention, model.spec.attention);

    let frames: Vec<usize> = (0..16).collect();
    let video = Video::of(PICTURE_PX.map(usize::from), frames.iter().copied().map(picture));
    let map = model.net.behind(LiteSize::Small, &video, STAGE.into());
    let tapped = map.values.iter().map(|&value| value as f32).collect();
    let reference = ReferenceAttention { tapped, attention: model.look(&map, &frames) };
    assert!(check_attention(&bundle, std::slice::from_ref(&reference)).unwrap() < 1e-5);
    let mut moved = reference.clone();
    moved.attention[4] += 1e-3;
    let error = check_attention(&bundle, &[reference, moved]).unwrap_err();
    assert!(matches!(error, ExportError::Parity { clip: 1, quantity: "attention", index: 4, .. }), "{error}");
    assert!(matches!(check_attention(&bundle, &[]), Err(ExportError::EmptyReference)));

    let without = BundleSources { attention: None, ..sources };
    let error = model_export::bundle(&model.spec, without, &folder.path().join("other"), &facts).unwrap_err();
    assert!(error.to_string().contains("then the attention that `model` describes"), "{error}");
}

fn refusal(spec: &ModelSpec, change: impl FnOnce(&mut Tensors)) -> ExportError {
    let mut tensors = attention_tensors(channels(LiteSize::Small));
    change(&mut tensors);
    attention_onnx(&safetensors(&tensors), spec).unwrap_err()
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let spec = looking_spec(LiteSize::Small, CLIP);
    for (at, name) in ["Conv_Atten.0", "Att_1.0", "Att_3.0"].into_iter().zip([0, 2, 6]).map(|(n, at)| (at, n))
    {
        let weight = format!("Conv_Atten.{name}.weight");
        let nan = refusal(&spec, |t| t[at].2[1] = f32::NAN);
        assert!(
            matches!(&nan, ExportError::NonFiniteWeight { tensor, index: 1, .. } if *tensor == weight),
            "{nan}"
        );
        let flat = refusal(&spec, |t| t[at].1.insert(0, 1));
        assert!(matches!(&flat, ExportError::TensorShape { tensor, .. } if *tensor == weight), "{flat}");
        let missing = refusal(&spec, |t| drop(t.remove(at + 1)));
        let bias = format!("Conv_Atten.{name}.bias");
        assert!(matches!(&missing, ExportError::MissingTensor { tensor } if *tensor == bias), "{missing}");
    }
    let none = ModelSpec { attention: None, ..spec.clone() };
    assert!(refusal(&none, |_| ()).to_string().contains("describes none"));
    let odd = ModelSpec { clip: ClipSpec { frames: 18, stride: 18 }, ..spec };
    assert!(refusal(&odd, |_| ()).to_string().contains("18 frames"));
}

/// The refusal at load of a graph that was changed.
fn unloadable(model: &Model, change: impl FnOnce(&mut pb::GraphProto)) -> String {
    let tensors = attention_tensors(channels(model.size));
    let onnx = attention_onnx(&safetensors(&tensors), &model.spec).unwrap();
    let mut onnx = pb::ModelProto::decode(&onnx[..]).unwrap();
    change(onnx.graph.as_mut().unwrap());
    let bytes = onnx.encode_to_vec();
    let error = Attention::from_onnx(&bytes, "attention.onnx", &model.spec, &model.encoder).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("attention.onnx"), "{error}");
    error
}

#[test]
fn graphs_that_are_no_attention_of_this_encoder_are_refused_at_load() {
    let model = Model::new(LiteSize::Small, CLIP, 1, EncoderPrecision::F32);
    let error = unloadable(&model, |graph| graph.node[0].op_type = "LSTM".to_owned());
    assert!(error.contains("uses the operator `LSTM`"), "{error}");
    let error = unloadable(&model, |graph| {
        let weight = graph.initializer.iter_mut().find(|t| t.name == "Att_1.0.weight").unwrap();
        weight.raw_data[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(error.contains("`Att_1.0.weight` holds NaN at flat index 2"), "{error}");
    let other = |change: fn(&mut AttentionSpec)| {
        let mut spec = model.spec.clone();
        spec.attention.iter_mut().for_each(change);
        let onnx = safetensors(&attention_tensors(channels(model.size)));
        let onnx = attention_onnx(&onnx, &model.spec).unwrap();
        Attention::from_onnx(&onnx, "attention.onnx", &spec, &model.encoder).unwrap_err().to_string()
    };
    let error = other(|attention| attention.rows = 3);
    assert!(error.contains("the output has shape") && error.contains("[1, 1, 1, 3, 3]"), "{error}");
    let error = other(|attention| attention.stage = 2);
    assert!(error.contains("the input has shape [1, 128, 16, 3, 5]"), "{error}");
}

#[test]
fn encoders_that_cannot_hand_out_the_map_are_refused() {
    let model = Model::new(LiteSize::Small, CLIP, 1, EncoderPrecision::F32);
    let onnx = attention_onnx(&safetensors(&attention_tensors(channels(model.size))), &model.spec).unwrap();
    let weights = safetensors(&lite_tensors(LiteSize::Small));
    let encoder = model_export::encoder_onnx(&weights, &model.spec).unwrap();
    let on_tract = Tuning { kernels: Kernels::Tract, ..Tuning::default() };
    let on_tract = Encoder::tuned(&encoder, "encoder.onnx", &model.spec, on_tract).unwrap();
    let error = Attention::from_onnx(&onnx, "attention.onnx", &model.spec, &on_tract).unwrap_err();
    assert!(matches!(error, InferError::Tap { .. }), "{error}");
    assert!(error.to_string().contains("encoder.onnx runs on tract"), "{error}");

    let i3d = spec(4, 16, 16);
    let of_clips = model_export::encoder_onnx(&safetensors(&common::i3d_tensors()), &i3d).unwrap();
    let of_clips = Arc::new(Encoder::from_onnx(&of_clips, "encoder.onnx", &i3d).unwrap());
    let error = Attention::from_onnx(&onnx, "attention.onnx", &model.spec, &of_clips).unwrap_err();
    assert!(error.to_string().contains("takes whole clips"), "{error}");
    let stream = FeatureStream::new(of_clips, &i3d).unwrap();
    let error = stream.with_attention(model.attention.clone()).err().unwrap();
    assert!(error.to_string().contains("takes whole clips"), "{error}");

    let middle = lite_spec(LiteSize::Middle, CLIP, 16);
    let weights_of_middle = safetensors(&lite_tensors(LiteSize::Middle));
    let encoder = model_export::encoder_onnx(&weights_of_middle, &middle).unwrap();
    let encoder = Arc::new(Encoder::from_onnx(&encoder, "encoder.onnx", &middle).unwrap());
    let stream = FeatureStream::new(encoder, &middle).unwrap();
    let error = stream.with_attention(model.attention.clone()).err().unwrap();
    assert!(error.to_string().contains("encoder.onnx has no such map"), "{error}");

    let other = ModelSpec { clip: ClipSpec { frames: 8, stride: 8 }, ..model.spec.clone() };
    let encoder = model_export::encoder_onnx(&weights, &other).unwrap();
    let encoder = Arc::new(Encoder::from_onnx(&encoder, "encoder.onnx", &other).unwrap());
    let stream = FeatureStream::new(encoder, &other).unwrap();
    let error = stream.with_attention(model.attention.clone()).err().unwrap();
    assert!(error.to_string().contains("clips of 16 frames, the stream makes 8"), "{error}");
}

//! A bundle whose model is arithmetic: the score is a sigmoid of the clip's mean brightness. It is loaded, verified and
//! run exactly like a trained one, but needs no weights and no time.

use std::path::Path;

use model_bundle::{Bundle, BundleDraft};
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use vad_core::{ModelSpec, RgbFrame};
use vad_video::VideoWriter;

const FEATURES: usize = 1024;
/// The score of a clip of mean brightness b (0 to 1) is sigmoid(SLOPE * (2 b - 1)).
pub const SLOPE: f32 = 8.0;
pub const SIDE_PX: u32 = 32;
pub const FRAME_RATE_HZ: f64 = 10.0;

pub fn spec() -> ModelSpec {
    let mut spec = ModelSpec::i3d_mist("tiny");
    spec.preprocess.width_px = 16;
    spec.preprocess.height_px = 16;
    spec.head.dims = vec![1024, 1];
    spec.score.cool_down_ms = 0;
    spec
}

pub fn bundle(dir: &Path) -> Bundle {
    bundle_for(dir, Vec::new())
}

pub fn bundle_for(dir: &Path, boards: Vec<String>) -> Bundle {
    let draft = BundleDraft {
        name: "tiny".to_owned(),
        version: 1,
        rollback_index: 0,
        boards,
        model: spec(),
        encoder: encoder(),
        head: head(),
        overwrite: false,
    };
    model_bundle::write(dir, draft).unwrap()
}

pub fn expected_score(brightness: f32) -> f32 {
    1.0 / (1.0 + (-SLOPE * (2.0 * brightness - 1.0)).exp())
}

/// A video of grey frames, one per value; values are luma of 0 to 255.
pub fn video(path: &Path, frames: &[u8]) {
    let mut writer = VideoWriter::create(path, SIDE_PX, SIDE_PX, FRAME_RATE_HZ).unwrap();
    for &value in frames {
        let data = vec![value; (SIDE_PX * SIDE_PX * 3) as usize];
        writer.push(RgbFrame::new(SIDE_PX, SIDE_PX, &data).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

/// Dark, bright for `bright_clips` clips from `first_bright_clip` on, dark again.
pub fn event_video(path: &Path, clips: usize, first_bright_clip: usize, bright_clips: usize) {
    let bright = first_bright_clip..first_bright_clip + bright_clips;
    let frames: Vec<u8> =
        (0..clips * 16).map(|f| if bright.contains(&(f / 16)) { 220 } else { 30 }).collect();
    video(path, &frames);
}

fn encoder() -> Vec<u8> {
    let spec = spec();
    let shape = [1, 3, usize::from(spec.clip.frames), 16, 16];
    let mut mean = node("ReduceMean", &["clip"], "mean");
    mean.attribute = vec![
        pb::AttributeProto { name: "axes".into(), r#type: 7, ints: vec![2, 3, 4], ..Default::default() },
        pb::AttributeProto { name: "keepdims".into(), r#type: 2, i: 0, ..Default::default() },
    ];
    let mut spread = vec![0.0; 3 * FEATURES];
    for channel in 0..3 {
        spread[channel * FEATURES] = 1.0 / 3.0;
    }
    let nodes = vec![mean, node("Gemm", &["mean", "spread", "zero"], "feature")];
    let constants =
        vec![tensor("spread", &[3, FEATURES], &spread), tensor("zero", &[FEATURES], &vec![0.0; FEATURES])];
    model(("clip", &shape), ("feature", &[1, FEATURES]), nodes, constants)
}

fn head() -> Vec<u8> {
    let mut weight = vec![0.0; FEATURES];
    weight[0] = SLOPE;
    let nodes =
        vec![node("Gemm", &["feature", "weight", "bias"], "logit"), node("Sigmoid", &["logit"], "score")];
    let constants = vec![tensor("weight", &[FEATURES, 1], &weight), tensor("bias", &[1], &[0.0])];
    model(("feature", &[1, FEATURES]), ("score", &[1, 1]), nodes, constants)
}

fn node(op_type: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
    pb::NodeProto {
        op_type: op_type.into(),
        name: output.into(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> pb::TensorProto {
    pb::TensorProto {
        name: name.into(),
        dims: shape.iter().map(|&d| d as i64).collect(),
        data_type: pb::tensor_proto::DataType::Float as i32,
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..Default::default()
    }
}

fn value_info(name: &str, shape: &[usize]) -> pb::ValueInfoProto {
    let dim =
        |&d: &usize| Dimension { value: Some(dimension::Value::DimValue(d as i64)), ..Default::default() };
    let shape = pb::TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor =
        pb::type_proto::Tensor { elem_type: pb::tensor_proto::DataType::Float as i32, shape: Some(shape) };
    let value = pb::type_proto::Value::TensorType(tensor);
    pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto { value: Some(value), ..Default::default() }),
        ..Default::default()
    }
}

fn model(
    input: (&str, &[usize]),
    output: (&str, &[usize]),
    node: Vec<pb::NodeProto>,
    initializer: Vec<pb::TensorProto>,
) -> Vec<u8> {
    let graph = pb::GraphProto {
        name: "tiny".into(),
        node,
        initializer,
        input: vec![value_info(input.0, input.1)],
        output: vec![value_info(output.0, output.1)],
        ..Default::default()
    };
    let opset = pb::OperatorSetIdProto { domain: String::new(), version: 13 };
    pb::ModelProto { ir_version: 7, graph: Some(graph), opset_import: vec![opset], ..Default::default() }
        .encode_to_vec()
}

//! Small encoder and head graphs, and ways to spoil them.
#![allow(dead_code, clippy::unwrap_used, reason = "test support")]

use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::prelude::f16;
use vad_core::{ClipSpec, ModelSpec};

/// Clips of 3 frames of 4x2 px, every second frame a clip.
pub fn spec() -> ModelSpec {
    let mut spec = ModelSpec::i3d_mist("small");
    spec.clip = ClipSpec { frames: 3, stride: 2 };
    spec.preprocess.width_px = 4;
    spec.preprocess.height_px = 2;
    spec
}

pub fn float(name: &str, dims: &[i64], values: &[f32]) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..Default::default()
    }
}

pub fn raw(name: &str, dims: &[i64], data_type: DataType, raw_data: Vec<u8>) -> pb::TensorProto {
    let (name, dims, data_type) = (name.to_owned(), dims.to_vec(), data_type as i32);
    pb::TensorProto { name, dims, data_type, raw_data, ..Default::default() }
}

pub fn node(op: &str, name: &str, inputs: &[&str]) -> pb::NodeProto {
    pb::NodeProto {
        op_type: op.to_owned(),
        name: name.to_owned(),
        input: inputs.iter().map(|&i| i.to_owned()).collect(),
        output: vec![name.to_owned()],
        ..Default::default()
    }
}

pub fn ints(name: &str, ints: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.to_owned(),
        r#type: pb::attribute_proto::AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..Default::default()
    }
}

pub fn int(name: &str, i: i64) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.to_owned(),
        r#type: pb::attribute_proto::AttributeType::Int as i32,
        i,
        ..Default::default()
    }
}

pub fn value(name: &str, dims: &[i64]) -> pb::ValueInfoProto {
    let dim = |&d: &i64| Dimension { value: Some(dimension::Value::DimValue(d)), ..Default::default() };
    let tensor = pb::type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(pb::TensorShapeProto { dim: dims.iter().map(dim).collect() }),
    };
    pb::ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn model(graph: pb::GraphProto) -> pb::ModelProto {
    pb::ModelProto {
        ir_version: 7,
        opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 13 }],
        graph: Some(graph),
        ..Default::default()
    }
}

/// Weight of feature `d` for the mean of channel `c`.
pub fn weight(d: usize, c: usize) -> f32 {
    ((d * 3 + c) % 17) as f32 / 16.0 - 0.5
}

/// Channel means times a matrix: `[1, 3, 3, 2, 4] -> [1, 1024]`.
pub fn encoder() -> pb::ModelProto {
    let weights: Vec<f32> = (0..1024 * 3).map(|i| weight(i / 3, i % 3)).collect();
    let mut gemm = node("Gemm", "feature", &["flat", "w"]);
    gemm.attribute.push(int("transB", 1));
    model(pb::GraphProto {
        node: vec![node("GlobalAveragePool", "mean", &["clip"]), node("Flatten", "flat", &["mean"]), gemm],
        initializer: vec![float("w", &[1024, 3], &weights)],
        input: vec![value("clip", &[1, 3, 3, 2, 4])],
        output: vec![value("feature", &[1, 1024])],
        ..Default::default()
    })
}

/// The same with its weights in f16, which has them exactly.
pub fn half_encoder() -> pb::ModelProto {
    let mut model = encoder();
    let graph = graph(&mut model);
    let halves = (0..1024 * 3).flat_map(|i| f16::from_f32(weight(i / 3, i % 3)).to_le_bytes());
    graph.initializer = vec![raw("w", &[1024, 3], DataType::Float16, halves.collect())];
    let mut cast = node("Cast", "w.f32", &["w"]);
    cast.attribute.push(int("to", DataType::Float as i64));
    graph.node[2].input[1] = "w.f32".to_owned();
    graph.node.insert(0, cast);
    model
}

/// Clips of 4 frames of 4x4 px, every second frame a clip, for an encoder that streams.
pub fn streaming_spec() -> ModelSpec {
    let mut spec = ModelSpec::mist("streaming", vad_core::EncoderSpec::lite(vad_core::LiteSize::Small));
    spec.clip = ClipSpec { frames: 4, stride: 2 };
    spec.preprocess.width_px = 4;
    spec.preprocess.height_px = 4;
    spec
}

/// Each frame's feature is `weight` times the sum of the colours' means over `kernel` frames, 256 times; `pads` are the zeros
/// before and behind the clip.
pub fn streaming_encoder(weight: f32, kernel: i64, pads: [i64; 2]) -> pb::ModelProto {
    let mut mean = node("ReduceMean", "mean", &["clip"]);
    mean.attribute = vec![ints("axes", &[3, 4]), int("keepdims", 0)];
    let mut conv = node("Conv", "feature", &["mean", "w"]);
    conv.attribute = vec![ints("kernel_shape", &[kernel]), ints("pads", &pads)];
    model(pb::GraphProto {
        node: vec![mean, conv],
        initializer: vec![float("w", &[256, 3, kernel], &vec![weight; 256 * 3 * kernel as usize])],
        input: vec![value("clip", &[1, 3, 4, 4, 4])],
        output: vec![value("feature", &[1, 256, 4])],
        ..Default::default()
    })
}

/// As [`streaming_encoder`] with weights of 1 that are in f16.
pub fn half_streaming_encoder(kernel: i64, pads: [i64; 2]) -> pb::ModelProto {
    let mut model = streaming_encoder(1.0, kernel, pads);
    let graph = graph(&mut model);
    let halves = std::iter::repeat_n(f16::ONE.to_le_bytes(), 256 * 3 * kernel as usize).flatten();
    graph.initializer = vec![raw("w", &[256, 3, kernel], DataType::Float16, halves.collect())];
    let mut cast = node("Cast", "w.f32", &["w"]);
    cast.attribute.push(int("to", DataType::Float as i64));
    graph.node[1].input[1] = "w.f32".to_owned();
    graph.node.insert(0, cast);
    model
}

/// Sigmoid of the sum over the feature, divided by 64.
pub fn head() -> pb::ModelProto {
    model(pb::GraphProto {
        node: vec![node("MatMul", "logit", &["feature", "w"]), node("Sigmoid", "score", &["logit"])],
        initializer: vec![float("w", &[1024, 1], &[1.0 / 64.0; 1024])],
        input: vec![value("feature", &[1, 1024])],
        output: vec![value("score", &[1, 1])],
        ..Default::default()
    })
}

/// The graph of a model, to be changed.
pub fn graph(model: &mut pb::ModelProto) -> &mut pb::GraphProto {
    model.graph.as_mut().unwrap()
}

pub fn bytes(model: &pb::ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

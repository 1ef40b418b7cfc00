//! A small writer of ONNX graphs: nodes in order, initialisers beside them.
//!
//! Only what the exported graphs need. Each node has one output, named like the node, so a
//! load error on the board names the layer. Public for tests, which write graphs whose arithmetic
//! fits in a line.

use half::f16;
use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};

/// ONNX file format version written (ONNX 1.9).
const IR_VERSION: i64 = 7;
/// Operator set written; tract is tested with 9 to 18.
const OPSET_VERSION: i64 = 13;

/// A graph under construction.
pub struct GraphBuilder {
    graph: pb::GraphProto,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        let graph = pb::GraphProto { name: name.to_owned(), ..Default::default() };
        Self { graph }
    }

    /// Declares the single f32 input.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> String {
        self.graph.input.push(value_info(name, shape));
        name.to_owned()
    }

    /// Declares an f32 output produced by the node of that name.
    pub fn output(&mut self, name: &str, shape: &[usize]) {
        self.graph.output.push(value_info(name, shape));
    }

    /// Adds a constant f32 tensor, row-major.
    pub fn floats(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, shape, pb::tensor_proto::DataType::Float, raw_data)
    }

    /// Adds a constant f16 tensor, row-major.
    pub fn halves(&mut self, name: String, shape: &[usize], values: &[f16]) -> String {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, shape, pb::tensor_proto::DataType::Float16, raw_data)
    }

    /// Adds a constant vector of integers (shapes of `Reshape`).
    pub fn integers(&mut self, name: String, values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, &[values.len()], pb::tensor_proto::DataType::Int64, raw_data)
    }

    /// Adds a constant tensor of signed bytes, row-major.
    pub fn int8(&mut self, name: String, shape: &[usize], values: &[i8]) -> String {
        let raw_data = values.iter().map(|v| v.cast_unsigned()).collect();
        self.constant(name, shape, pb::tensor_proto::DataType::Int8, raw_data)
    }

    /// Adds a constant tensor of bytes, row-major.
    pub fn uint8(&mut self, name: String, shape: &[usize], values: &[u8]) -> String {
        self.constant(name, shape, pb::tensor_proto::DataType::Uint8, values.to_vec())
    }

    /// Adds a constant tensor of 32-bit integers, row-major.
    pub fn int32(&mut self, name: String, shape: &[usize], values: &[i32]) -> String {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, shape, pb::tensor_proto::DataType::Int32, raw_data)
    }

    fn constant(
        &mut self,
        name: String,
        shape: &[usize],
        data_type: pb::tensor_proto::DataType,
        raw_data: Vec<u8>,
    ) -> String {
        self.graph.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: shape.iter().map(|&d| d as i64).collect(),
            data_type: data_type as i32,
            raw_data,
            ..Default::default()
        });
        name
    }

    /// Appends a node and returns the name of its output, which is the node's own name.
    pub fn node(
        &mut self,
        op_type: &str,
        name: String,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> String {
        self.graph.node.push(pb::NodeProto {
            op_type: op_type.to_owned(),
            name: name.clone(),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![name.clone()],
            attribute: attributes.into_iter().map(|attribute| attribute.0).collect(),
            ..Default::default()
        });
        name
    }

    /// Serialises the model. The same calls give the same bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        let model = pb::ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: OPSET_VERSION }],
            ..Default::default()
        };
        model.encode_to_vec()
    }
}

/// A named setting of a node.
pub struct Attribute(pb::AttributeProto);

/// An attribute holding a list of integers.
pub fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute(pb::AttributeProto {
        name: name.to_owned(),
        r#type: pb::attribute_proto::AttributeType::Ints as i32,
        ints: values.into_iter().map(|v| v as i64).collect(),
        ..Default::default()
    })
}

/// An attribute holding one integer.
pub fn int(name: &str, value: i64) -> Attribute {
    Attribute(pb::AttributeProto {
        name: name.to_owned(),
        r#type: pb::attribute_proto::AttributeType::Int as i32,
        i: value,
        ..Default::default()
    })
}

/// An attribute that names the type f32.
pub fn f32_type(name: &str) -> Attribute {
    int(name, pb::tensor_proto::DataType::Float as i64)
}

fn value_info(name: &str, shape: &[usize]) -> pb::ValueInfoProto {
    let dim =
        |&d: &usize| Dimension { value: Some(dimension::Value::DimValue(d as i64)), ..Default::default() };
    let tensor = pb::type_proto::Tensor {
        elem_type: pb::tensor_proto::DataType::Float as i32,
        shape: Some(pb::TensorShapeProto { dim: shape.iter().map(dim).collect() }),
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

//! Weights in f16: constants that a `Cast` widens to f32, and that nothing else reads.
//!
//! So f16 is a way of storing, and every runtime that reads the file computes with the same rounded weights.

use std::collections::HashSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

/// What widens them.
pub(super) const OPERATOR: &str = "Cast";

/// Whether a node widens weights.
pub(crate) fn is_widening(node: &NodeProto) -> bool {
    node.op_type == OPERATOR
}

/// Whether every convolution of a checked model, of which there is one at least, takes weights in f16.
pub(crate) fn has_f16_weights(model: &ModelProto) -> bool {
    let nodes = || model.graph.iter().flat_map(|graph| &graph.node);
    let widened: HashSet<&String> =
        nodes().filter(|node| is_widening(node)).flat_map(|n| &n.output).collect();
    let mut weights = nodes().filter(|node| node.op_type == "Conv").map(|node| node.input.get(1)).peekable();
    weights.peek().is_some() && weights.all(|weight| weight.is_some_and(|weight| widened.contains(weight)))
}

/// Checks that each constant in f16 is widened, and that nothing else is.
pub(super) fn check(graph: &GraphProto) -> Result<(), String> {
    let in_f16 = graph.initializer.iter().filter(|tensor| tensor.data_type == DataType::Float16 as i32);
    let in_f16: HashSet<&str> = in_f16.map(|tensor| tensor.name.as_str()).collect();
    let mut unread = in_f16.clone();
    for node in &graph.node {
        let name = &node.name;
        let constant = node.input.iter().find(|input| in_f16.contains(input.as_str()));
        match (is_widening(node), constant) {
            (false, None) => {}
            (false, Some(constant)) => {
                return Err(format!(
                    "node `{name}` reads `{constant}`, which is in f16, without a Cast to f32"
                ));
            }
            (true, None) => return Err(format!("node `{name}` casts what is no constant in f16")),
            (true, Some(_)) if !makes_floats(node) => {
                return Err(format!("node `{name}` casts to another type than f32"));
            }
            (true, Some(constant)) => {
                unread.remove(constant.as_str());
            }
        }
    }
    match unread.into_iter().min() {
        Some(constant) => Err(format!("tensor `{constant}` is in f16, and no Cast widens it to f32")),
        None => Ok(()),
    }
}

fn makes_floats(cast: &NodeProto) -> bool {
    let [to] = cast.attribute.as_slice() else { return false };
    to.name == "to" && to.i == DataType::Float as i64 && cast.input.len() == 1
}

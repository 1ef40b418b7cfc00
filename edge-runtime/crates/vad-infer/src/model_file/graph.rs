//! Checks of the graph: operators, attributes and names.

use std::collections::HashSet;

use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto};

use super::{is_default_domain, tensor, widened};
use crate::InferError;

/// Operators a bundle may use. All compute f32 from f32 in bounded memory, but for the pair that stands around layers in
/// int8 and the one that widens weights in f16.
const OPERATORS: [&str; 25] = [
    "Add",
    "AveragePool",
    widened::OPERATOR,
    "Clip",
    "Concat",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "HardSwish",
    "Identity",
    "MatMul",
    "MaxPool",
    "Mul",
    "QuantizeLinear",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Sqrt",
    "Sub",
];

/// Most nodes in a graph.
const MAX_NODES: usize = 4096;
/// Most taps of a kernel: the runtime makes a table of them.
const MAX_KERNEL_TAPS: i64 = 4096;
/// Largest magnitude of an integer attribute (kernel, stride, pad, axis, group).
const MAX_ATTRIBUTE: u64 = 4096;

/// Checks a model whose envelope and header are sound.
pub(super) fn check(model: &ModelProto, name: &str) -> Result<(), InferError> {
    let malformed = |reason: String| InferError::Malformed { graph: name.to_owned(), reason };
    let graph = model.graph.as_ref().ok_or_else(|| malformed("it holds no graph".to_owned()))?;
    if graph.input.len() != 1 || graph.output.len() != 1 {
        let (inputs, outputs) = (graph.input.len(), graph.output.len());
        return Err(malformed(format!("{inputs} inputs and {outputs} outputs, expected 1 and 1")));
    }
    if !graph.sparse_initializer.is_empty() || graph.node.len() > MAX_NODES {
        return Err(malformed(format!("{} nodes or sparse tensors", graph.node.len())));
    }
    for node in &graph.node {
        check_operator(node, name)?;
        check_attributes(node).map_err(malformed)?;
    }
    for constant in &graph.initializer {
        tensor::check(constant, name)?;
    }
    check_names(graph).map_err(malformed)?;
    widened::check(graph).map_err(malformed)
}

fn check_operator(node: &NodeProto, graph: &str) -> Result<(), InferError> {
    let ours = is_default_domain(&node.domain);
    if ours && OPERATORS.contains(&node.op_type.as_str()) {
        return Ok(());
    }
    let prefix = if ours { String::new() } else { format!("{}::", node.domain) };
    Err(InferError::UnsupportedOperator {
        graph: graph.to_owned(),
        node: node.name.clone(),
        operator: format!("{prefix}{}", node.op_type),
    })
}

fn check_attributes(node: &NodeProto) -> Result<(), String> {
    for attribute in &node.attribute {
        let place = || format!("attribute `{}` of node `{}`", attribute.name, node.name);
        if holds_tensor_or_graph(attribute) {
            return Err(format!("{} holds a tensor or a graph", place()));
        }
        let mut integers = attribute.ints.iter().chain(std::iter::once(&attribute.i));
        if let Some(value) = integers.find(|v| v.unsigned_abs() > MAX_ATTRIBUTE) {
            return Err(format!("{} is {value}, at most {MAX_ATTRIBUTE}", place()));
        }
        let product = |n: i64, &k: &i64| n.saturating_mul(k);
        let taps = attribute.ints.iter().fold(1, product);
        if attribute.name == "kernel_shape" && !(1..=MAX_KERNEL_TAPS).contains(&taps) {
            return Err(format!("{} has {taps} taps, at most {MAX_KERNEL_TAPS}", place()));
        }
    }
    Ok(())
}

fn holds_tensor_or_graph(attribute: &AttributeProto) -> bool {
    attribute.t.is_some()
        || attribute.g.is_some()
        || attribute.sparse_tensor.is_some()
        || !attribute.tensors.is_empty()
        || !attribute.graphs.is_empty()
        || !attribute.sparse_tensors.is_empty()
        || !attribute.type_protos.is_empty()
        || !attribute.ref_attr_name.is_empty()
}

/// Every name is defined once and before it is used; the output is one of them.
fn check_names(graph: &GraphProto) -> Result<(), String> {
    let mut known = HashSet::new();
    let mut define = |name: &str| {
        let fresh = !name.is_empty() && known.insert(name.to_owned());
        if fresh { Ok(()) } else { Err(format!("the name `{name}` is empty or defined twice")) }
    };
    graph.initializer.iter().try_for_each(|t| define(&t.name))?;
    graph.input.iter().try_for_each(|i| define(&i.name))?;
    let mut node_names = HashSet::new();
    for node in &graph.node {
        if !node_names.insert(node.name.as_str()) || node.name.is_empty() {
            return Err(format!("the node name `{}` is empty or used twice", node.name));
        }
        let [output] = node.output.as_slice() else {
            return Err(format!("node `{}` has {} outputs", node.name, node.output.len()));
        };
        if let Some(missing) = node.input.iter().find(|i| !known.contains(*i)) {
            return Err(format!("node `{}` reads `{missing}`, which nothing made", node.name));
        }
        if node.input.is_empty() || output.is_empty() || !known.insert(output.clone()) {
            return Err(format!("node `{}` has no input or remakes `{output}`", node.name));
        }
    }
    let produced = graph.node.iter().flat_map(|n| &n.output);
    match graph.output.iter().find(|o| !produced.clone().any(|p| *p == o.name)) {
        Some(lost) => Err(format!("no node makes the output `{}`", lost.name)),
        None => Ok(()),
    }
}

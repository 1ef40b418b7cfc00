//! A layer in int8 as a file has it: `QuantizeLinear` and `DequantizeLinear` around its input, its weights and its bias.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{NodeProto, TensorProto};

use super::{Reader, array, geometry};
use crate::lite::int8::{Grid, Int8, Int8Weights};
use crate::model_file::floats;

/// How far the scale of a bias may be from the product of the other two, of that product: they are f32.
const BIAS_SCALE: f32 = 1e-6;

/// What is wrong with a graph in int8, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) node: String,
    pub(crate) reason: String,
}

/// A node of the pair: values, their scale and their zero point.
struct Linear<'a> {
    node: &'a NodeProto,
    values: &'a str,
    scale: &'a str,
    zero_point: &'a str,
    output: &'a str,
}

impl Linear<'_> {
    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault { node: self.node.name.clone(), reason: reason.into() }
    }
}

impl<'a> Reader<'a> {
    /// Whether the next node begins a layer in int8.
    pub(super) fn is_int8(&mut self) -> bool {
        self.nodes.peek().is_some_and(|node| node.op_type == "QuantizeLinear")
    }

    /// A `1x1x1` convolution in int8, and its outputs.
    pub(super) fn int8(&mut self) -> Result<(Int8, usize), Fault> {
        let q = self.linear("QuantizeLinear", false)?;
        if q.values != self.x {
            return Err(q.fault(format!("it rounds `{}`, not the layer's input `{}`", q.values, self.x)));
        }
        let input = self.grid(&q)?;
        let dq = self.linear("DequantizeLinear", false)?;
        if [dq.values, dq.scale, dq.zero_point] != [q.output, q.scale, q.zero_point] {
            return Err(dq.fault("it does not undo the node before it"));
        }
        let weight = self.linear("DequantizeLinear", true)?;
        let values = self.tensor(&weight, weight.values, DataType::Int8)?;
        let [outputs, inputs, 1, 1, 1] = array(&values.dims).unwrap_or_default() else {
            return Err(weight.fault(format!("weights of the shape {:?} in int8", values.dims)));
        };
        if inputs != self.channels {
            return Err(
                weight.fault(format!("{inputs} weights for each output and {} channels", self.channels))
            );
        }
        let values: Vec<i8> = values.raw_data.iter().map(|byte| byte.cast_signed()).collect();
        let scale = self.scales(&weight, &[outputs])?;
        self.check_symmetric(&weight, outputs, DataType::Int8)?;
        let bias = self.linear("DequantizeLinear", true)?;
        let (steps, bias_scale) = (self.biases(&bias, outputs)?, self.scales(&bias, &[outputs])?);
        self.check_symmetric(&bias, outputs, DataType::Int32)?;
        for (output, (own, weight)) in bias_scale.iter().zip(&scale).enumerate() {
            let product = input.scale * weight;
            if (own - product).abs() > BIAS_SCALE * product {
                return Err(bias.fault(format!(
                    "its scale {output} is {own}, those of input and weights multiply to {product}"
                )));
            }
        }
        let conv = self.next()?;
        let fault = |reason: &str| Fault { node: conv.name.clone(), reason: reason.to_owned() };
        if conv.op_type != "Conv" || conv.input != [dq.output, weight.output, bias.output] {
            return Err(fault("it is not the convolution of the three nodes before it"));
        }
        if !geometry(conv, [1; 3]).is_some_and(|geometry| geometry.is_pointwise()) {
            return Err(fault("only plain 1x1x1 convolutions compute in int8"));
        }
        (self.x, self.channels) = (conv.output.first().map_or("", String::as_str), outputs);
        let layer = Int8Weights { input, weight: &values, scale: &scale, bias: &steps };
        let layer = Int8::new(self.isa, &layer).map_err(|error| fault(&error.to_string()))?;
        Ok((layer, outputs))
    }

    fn next(&mut self) -> Result<&'a NodeProto, Fault> {
        let ended = || Fault { node: self.at.to_owned(), reason: "the graph ends behind it".to_owned() };
        let node = self.nodes.next().ok_or_else(ended)?;
        self.at = &node.name;
        Ok(node)
    }

    /// The next node, one of the pair; with an axis where each output has a scale of its own.
    fn linear(&mut self, op_type: &str, by_output: bool) -> Result<Linear<'a>, Fault> {
        let node = self.next()?;
        let fault = |reason: String| Fault { node: node.name.clone(), reason };
        let ([values, scale, zero_point], [output]) = (node.input.as_slice(), node.output.as_slice()) else {
            return Err(fault(format!("{} inputs, expected 3", node.input.len())));
        };
        if node.op_type != op_type {
            return Err(fault(format!("it is a {}, expected a {op_type}", node.op_type)));
        }
        let axis = |attribute: &tract_onnx::pb::AttributeProto| attribute.name == "axis" && attribute.i == 0;
        if node.attribute.len() != usize::from(by_output) || !node.attribute.iter().all(axis) {
            return Err(fault(format!(
                "its attributes are not those of {}",
                if by_output { "axis 0" } else { "one scale" }
            )));
        }
        Ok(Linear { node, values, scale, zero_point, output })
    }

    fn tensor(&self, of: &Linear<'_>, name: &str, kind: DataType) -> Result<&'a TensorProto, Fault> {
        let tensor = self.graph.initializer.iter().find(|tensor| tensor.name == name);
        let tensor = tensor.ok_or_else(|| of.fault(format!("`{name}` is no constant")))?;
        if tensor.data_type == kind as i32 {
            Ok(tensor)
        } else {
            Err(of.fault(format!("`{name}` is not of the type {}", kind.as_str_name())))
        }
    }

    fn grid(&self, of: &Linear<'_>) -> Result<Grid, Fault> {
        let zero = self.tensor(of, of.zero_point, DataType::Uint8)?;
        match (self.scales(of, &[])?.as_slice(), zero.raw_data.as_slice()) {
            (&[scale], &[zero_point]) if zero.dims.is_empty() => Ok(Grid { scale, zero_point }),
            _ => Err(of.fault("an input has one scale and one zero point")),
        }
    }

    /// Scales of the shape `dims`, all of which are positive.
    fn scales(&self, of: &Linear<'_>, dims: &[usize]) -> Result<Vec<f32>, Fault> {
        let tensor = self.tensor(of, of.scale, DataType::Float)?;
        let found: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        if found.as_deref() != Some(dims) {
            let reason = format!("`{}` has the shape {:?}, expected {dims:?}", tensor.name, tensor.dims);
            return Err(of.fault(reason));
        }
        let scales: Vec<f32> = floats(tensor).into_iter().flatten().collect();
        match scales.iter().find(|scale| !(scale.is_normal() && **scale > 0.0)) {
            Some(wrong) => Err(of.fault(format!("`{}` holds the scale {wrong}", tensor.name))),
            None => Ok(scales),
        }
    }

    fn biases(&self, of: &Linear<'_>, outputs: usize) -> Result<Vec<i32>, Fault> {
        let tensor = self.tensor(of, of.values, DataType::Int32)?;
        let (words, _) = tensor.raw_data.as_chunks::<4>();
        if array(&tensor.dims) == Some([outputs]) {
            Ok(words.iter().map(|&word| i32::from_le_bytes(word)).collect())
        } else {
            Err(of.fault(format!("a bias of the shape {:?} for {outputs} outputs", tensor.dims)))
        }
    }

    /// Zero points of weights and bias are zeros.
    fn check_symmetric(&self, of: &Linear<'_>, outputs: usize, kind: DataType) -> Result<(), Fault> {
        let tensor = self.tensor(of, of.zero_point, kind)?;
        if array(&tensor.dims) == Some([outputs]) && tensor.raw_data.iter().all(|&byte| byte == 0) {
            Ok(())
        } else {
            Err(of.fault(format!("`{}` is not {outputs} zeros", tensor.name)))
        }
    }
}

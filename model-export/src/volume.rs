//! Layers over tensors of `[1, C, T, H, W]`, which both encoders are made of.

use crate::fold::FoldedConv;
use crate::onnx::{GraphBuilder, int, ints};
use crate::same::{SameAxis, onnx_pads};

/// A tensor of the graph: its name, channels and `[t, h, w]`. The batch is always 1.
#[derive(Clone)]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) channels: usize,
    pub(crate) size: [usize; 3],
}

/// What a convolution looks like. Kernel and stride are `[t, h, w]`.
#[derive(Clone, Copy)]
pub(crate) struct ConvLayer {
    pub(crate) out: usize,
    pub(crate) kernel: [usize; 3],
    pub(crate) stride: [usize; 3],
    /// Padding and output size of each axis.
    pub(crate) axes: [SameAxis; 3],
    pub(crate) groups: usize,
}

impl ConvLayer {
    /// Shape of its weight on an input of so many channels.
    pub(crate) fn weight_shape(&self, channels: usize) -> [usize; 5] {
        let [t, h, w] = self.kernel;
        [self.out, channels / self.groups, t, h, w]
    }
}

/// A convolution with a bias: `<unit>.conv`, its constants `<unit>.weight` and `<unit>.bias`.
pub(crate) fn conv(
    graph: &mut GraphBuilder,
    unit: &str,
    x: &Volume,
    layer: ConvLayer,
    folded: &FoldedConv,
) -> Volume {
    let weight = graph.floats(format!("{unit}.weight"), &layer.weight_shape(x.channels), &folded.weight);
    let bias = graph.floats(format!("{unit}.bias"), &[layer.out], &folded.bias);
    conv_of(graph, unit, [&x.name, &weight, &bias], layer)
}

/// A convolution of named tensors: input, weight and bias.
pub(crate) fn conv_of(graph: &mut GraphBuilder, unit: &str, inputs: [&str; 3], layer: ConvLayer) -> Volume {
    let ConvLayer { out, kernel, stride, axes, groups } = layer;
    let mut attributes =
        vec![ints("kernel_shape", kernel), ints("strides", stride), ints("pads", onnx_pads(&axes))];
    if groups > 1 {
        // A width of a layer.
        attributes.push(int("group", groups as i64));
    }
    let name = graph.node("Conv", format!("{unit}.conv"), &inputs, attributes);
    Volume { name, channels: out, size: axes.map(|axis| axis.out) }
}

/// `max(x, 0)`: `<unit>.relu`.
pub(crate) fn relu(graph: &mut GraphBuilder, unit: &str, x: Volume) -> Volume {
    let name = graph.node("Relu", format!("{unit}.relu"), &[&x.name], vec![]);
    Volume { name, ..x }
}

/// Mean over axes of `[1, C, T, H, W]`, which the result has no longer. Returns the node's name.
pub(crate) fn mean(graph: &mut GraphBuilder, name: &str, x: &Volume, axes: &[usize]) -> String {
    let attributes = vec![ints("axes", axes.iter().copied()), int("keepdims", 0)];
    graph.node("ReduceMean", name.to_owned(), &[&x.name], attributes)
}

/// The same values in another shape. Returns the node's name.
pub(crate) fn reshape(graph: &mut GraphBuilder, name: String, input: &str, shape: &[usize]) -> String {
    let shape: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    let shape = graph.integers(format!("{name}.shape"), &shape);
    graph.node("Reshape", name, &[input, &shape], vec![])
}

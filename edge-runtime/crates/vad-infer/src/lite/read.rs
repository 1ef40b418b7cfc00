//! Recognises the graph that the exporter writes for I3D-lite.
//!
//! Every node, every attribute and every shape has to be what the kernels compute. Anything else, also what would mean the
//! same in other words, is left to tract; but for graphs with layers in int8, which tract would run slower than f32.

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

use super::depthwise::{Axis, Depthwise, Kernel};
use super::isa::Isa;
use super::layer::Layer;
use super::pointwise::Pointwise;
use super::{Block, LiteNet};
use crate::model_file::{floats, is_widening};
use crate::prepare::MAX_TENSOR_ELEMENTS;

mod int8;

pub(crate) use int8::Fault;

const COLOURS: usize = 3;

impl LiteNet {
    /// The network of a checked model that takes clips of `clip`, `[1, 3, T, H, W]`; nothing where it is another one.
    ///
    /// # Errors
    /// Another one that has layers in int8.
    pub(crate) fn read(isa: Isa, model: &ModelProto, clip: [usize; 5]) -> Result<Option<Self>, Fault> {
        let (Some(graph), [1, COLOURS, frames, height, width]) = (&model.graph, clip) else {
            return Ok(None);
        };
        let Some(input) = graph.input.first() else { return Ok(None) };
        let mut reader = Reader {
            graph,
            isa,
            nodes: graph.node.iter().peekable(),
            x: &input.name,
            at: "",
            fault: None,
            channels: COLOURS,
            size: [height, width],
        };
        let net = reader.net([height, width]).filter(|net| net.fits(frames));
        let Reader { at, fault, .. } = reader;
        if net.is_some() || !graph.node.iter().any(is_linear) {
            return Ok(net);
        }
        let reason = "an I3D-lite with layers in int8 has another node there".to_owned();
        Err(fault.unwrap_or(Fault { node: at.to_owned(), reason }))
    }

    /// Whether all its maps of `frames` frames are of an allowed size.
    fn fits(&self, frames: usize) -> bool {
        let block = |block: &Block| {
            let wide = block.places() * block.expand.outputs().max(block.project.outputs()) * frames;
            let framed = block.depthwise.framed_len(block.depthwise.rows());
            wide.max(framed).max(block.depthwise.memory_len())
        };
        let stem = self.stem_places() * self.stem.outputs().max(self.stem.inputs()) * frames;
        let last = self.last_places() * self.last.outputs() * frames;
        let most = self.blocks.iter().map(block).fold(stem.max(last), usize::max);
        most <= MAX_TENSOR_ELEMENTS
    }
}

/// Whether a node belongs to a layer in int8.
pub(crate) fn is_linear(node: &NodeProto) -> bool {
    ["QuantizeLinear", "DequantizeLinear"].contains(&node.op_type.as_str())
}

enum Part {
    Block(Box<Block>),
    Last(Last),
}

struct Last {
    layer: Layer,
    features: usize,
}

/// A convolution as the file has it.
struct Conv {
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Of the weight: outputs, inputs of a group, and `[t, h, w]` of the kernel.
    outputs: usize,
    inputs: usize,
    shape: [usize; 3],
    geometry: Geometry,
}

/// Attributes of a convolution.
struct Geometry {
    strides: [usize; 3],
    /// Before each axis, then behind each.
    pads: [usize; 6],
    groups: usize,
}

struct Reader<'a> {
    graph: &'a GraphProto,
    isa: Isa,
    nodes: std::iter::Peekable<std::slice::Iter<'a, NodeProto>>,
    /// The tensor that the next node has to read.
    x: &'a str,
    /// The last node that was looked at.
    at: &'a str,
    fault: Option<Fault>,
    channels: usize,
    /// Height and width.
    size: [usize; 2],
}

impl<'a> Reader<'a> {
    /// The next node, which has to be of that type and to read `inputs` first.
    fn node(&mut self, op_type: &str, inputs: &[&str]) -> Option<&'a NodeProto> {
        let node = self.nodes.next()?;
        self.at = &node.name;
        let reads = node.input.len() >= inputs.len() && node.input.iter().zip(inputs).all(|(a, b)| a == b);
        (node.op_type == op_type && reads).then_some(node)
    }

    fn constant(&self, name: &str) -> Option<(&'a [i64], Vec<f32>)> {
        let tensor = self.graph.initializer.iter().find(|tensor| tensor.name == name)?;
        Some((&tensor.dims, floats(tensor)?.collect()))
    }

    /// The whole graph.
    fn net(&mut self, picture: [usize; 2]) -> Option<LiteNet> {
        let (stem, patch) = self.stem()?;
        let mut blocks = Vec::new();
        let last = loop {
            match self.block()? {
                Part::Block(block) => blocks.push(*block),
                Part::Last(last) => break last,
            }
        };
        let feature_dim = self.mean(&last)?;
        Some(LiteNet { picture, patch, stem, blocks, last: last.layer, feature_dim })
    }

    /// The next node, a convolution of `x` with a bias. Where its weights are in f16, the node before it widens them.
    fn conv(&mut self) -> Option<Conv> {
        let widening = self.nodes.next_if(|node| is_widening(node));
        let node = self.node("Conv", &[self.x])?;
        let [_, weight, bias] = node.input.as_slice() else { return None };
        let stored = match widening {
            None => weight,
            Some(cast) if cast.output.first() == Some(weight) => cast.input.first()?,
            Some(_) => return None,
        };
        let ((dims, weight), (bias_dims, bias)) = (self.constant(stored)?, self.constant(bias)?);
        let dims: [usize; 5] = array(dims)?;
        let [outputs, inputs, shape @ ..] = dims;
        let conv = Conv { weight, bias, outputs, inputs, shape, geometry: geometry(node, shape)? };
        let fits = conv.inputs * conv.geometry.groups == self.channels && array(bias_dims) == Some([outputs]);
        (self.x, self.channels) = (node.output.first()?, outputs);
        fits.then_some(conv)
    }

    /// Whether the next node is the ReLU of `x`; it is taken then.
    fn relu(&mut self) -> bool {
        let Some(node) = self.nodes.peek() else { return false };
        let found = node.op_type == "Relu" && node.input == [self.x] && node.attribute.is_empty();
        if let Some(output) = node.output.first().filter(|_| found) {
            self.x = output;
            self.nodes.next();
        }
        found
    }

    /// Patches without a gap, and ReLU.
    fn stem(&mut self) -> Option<(Pointwise, usize)> {
        let conv = self.conv()?;
        let [1, side, across] = conv.shape else { return None };
        let Geometry { strides, pads, groups } = conv.geometry;
        let square = side == across && strides == [1, side, side] && pads == [0; 6];
        let whole = self.size.iter().all(|size| size.is_multiple_of(side));
        self.size = self.size.map(|size| size / side);
        let fits = square && whole && groups == 1 && self.relu();
        fits.then(|| (Pointwise::new(self.isa, &conv.weight, &conv.bias), side))
    }

    /// A block, or the layer behind the last one.
    fn block(&mut self) -> Option<Part> {
        let (before, before_size, channels) = (self.x, self.size, self.channels);
        if self.is_int8() {
            let (layer, features) = self.pointwise()?;
            return self.relu().then_some(Part::Last(Last { layer, features }));
        }
        let conv = self.conv()?;
        if conv.geometry.groups == 1 {
            let layer = self.float(&conv)?;
            return self.relu().then_some(Part::Last(Last { layer, features: conv.outputs }));
        }
        let axes = self.axes(&conv)?;
        let time = self.conv().filter(Conv::is_causal)?;
        let depthwise = Depthwise::new(self.isa, axes, conv.kernel(), time.kernel());
        let (expand, _) = self.pointwise().filter(|_| self.relu())?;
        let (project, channels_out) = self.pointwise()?;
        let requantise = match (&expand, &project) {
            (Layer::Int8(expand), Layer::Int8(project)) => Some(expand.requantise(project)),
            _ => None,
        };
        let residual = self.sum(before)?;
        if residual && (self.size, self.channels) != (before_size, channels) {
            return None;
        }
        Some(Part::Block(Box::new(Block {
            depthwise,
            expand,
            project,
            channels: channels_out,
            requantise,
            residual,
        })))
    }

    /// Whether the next node adds `before` to `x`; it is taken then. Nothing where it adds something else.
    fn sum(&mut self, before: &str) -> Option<bool> {
        let Some(node) = self.nodes.next_if(|node| node.op_type == "Add") else { return Some(false) };
        let [first, second] = node.input.as_slice() else { return None };
        let both = (first == before && second == self.x) || (first == self.x && second == before);
        self.x = node.output.first()?;
        both.then_some(true)
    }

    /// A `1x1x1` convolution, and its outputs.
    fn pointwise(&mut self) -> Option<(Layer, usize)> {
        if self.is_int8() {
            let layer = self.int8().map_err(|fault| self.fault = Some(fault)).ok();
            return layer.map(|(layer, outputs)| (Layer::Int8(layer), outputs));
        }
        let conv = self.conv()?;
        Some((self.float(&conv)?, conv.outputs))
    }

    fn float(&self, conv: &Conv) -> Option<Layer> {
        let plain = conv.shape == [1; 3] && conv.geometry.is_pointwise();
        plain.then(|| Layer::Float(Pointwise::new(self.isa, &conv.weight, &conv.bias)))
    }

    /// The axes of a convolution of each channel over the picture.
    fn axes(&mut self, conv: &Conv) -> Option<[Axis; 2]> {
        let [1, kernels @ ..] = conv.shape else { return None };
        let [1, strides @ ..] = conv.geometry.strides else { return None };
        let [0, top, left, 0, bottom, right] = conv.geometry.pads else { return None };
        let rows = axis(self.size[0], kernels[0], strides[0], [top, bottom])?;
        let columns = axis(self.size[1], kernels[1], strides[1], [left, right])?;
        self.size = [rows.output, columns.output];
        conv.is_depthwise().then_some([rows, columns])
    }

    /// The mean over each picture, which ends the graph; the length of a feature.
    fn mean(&mut self, last: &Last) -> Option<usize> {
        let node = self.node("ReduceMean", &[self.x])?;
        let setting = |name| node.attribute.iter().find(|attribute| attribute.name == name);
        let over_picture = setting("axes").is_some_and(|axes| axes.ints == [3, 4]);
        let dropped = setting("keepdims").is_some_and(|keep| keep.i == 0);
        let ends = self.nodes.next().is_none() && node.input.len() == 1 && node.attribute.len() == 2;
        let is_output = node.output.first() == self.graph.output.first().map(|output| &output.name);
        (over_picture && dropped && ends && is_output).then_some(last.features)
    }
}

impl Conv {
    fn is_depthwise(&self) -> bool {
        self.inputs == 1 && self.geometry.groups == self.outputs
    }

    /// Whether it is one of each channel over the present frame and those before it.
    fn is_causal(&self) -> bool {
        let [frames, ..] = self.shape;
        let plain = self.shape == [frames, 1, 1] && self.geometry.strides == [1; 3];
        plain && self.geometry.pads == [frames - 1, 0, 0, 0, 0, 0] && self.is_depthwise()
    }

    fn kernel(&self) -> Kernel<'_> {
        Kernel { weight: &self.weight, bias: &self.bias }
    }
}

impl Geometry {
    /// Whether it is that of a plain `1x1x1` convolution, whose kernel is of that shape.
    fn is_pointwise(&self) -> bool {
        self.strides == [1; 3] && self.pads == [0; 6] && self.groups == 1
    }
}

/// Attributes of a convolution whose kernel is `shape`; nothing where there are others.
fn geometry(node: &NodeProto, shape: [usize; 3]) -> Option<Geometry> {
    let mut geometry = Geometry { strides: [1; 3], pads: [0; 6], groups: 1 };
    for attribute in &node.attribute {
        match attribute.name.as_str() {
            "kernel_shape" if array(&attribute.ints) == Some(shape) => {}
            "strides" => geometry.strides = array(&attribute.ints)?,
            "pads" => geometry.pads = array(&attribute.ints)?,
            "group" => geometry.groups = usize::try_from(attribute.i).ok()?,
            _ => return None,
        }
    }
    Some(geometry)
}

/// The axis of a kernel with zeros on both sides; nothing where it does not fit on its input.
fn axis(input: usize, kernel: usize, stride: usize, [before, behind]: [usize; 2]) -> Option<Axis> {
    let room = (input + before + behind).checked_sub(kernel)?;
    let output = room.checked_div(stride)? + 1;
    // A kernel that lies beside its picture has no first place on it.
    (before < kernel && behind < kernel).then_some(Axis { input, output, kernel, stride, before })
}

fn array<const N: usize>(values: &[i64]) -> Option<[usize; N]> {
    let values: Option<Vec<usize>> = values.iter().map(|&value| usize::try_from(value).ok()).collect();
    values?.try_into().ok()
}

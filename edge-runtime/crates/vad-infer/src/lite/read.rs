//! Recognises the graph that the exporter writes for I3D-lite.
//!
//! Every node, every attribute and every shape has to be what the kernels compute. Anything else, also what would mean the
//! same in other words, is left to tract.

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::depthwise::{Axis, Depthwise, Kernel};
use super::isa::Isa;
use super::pointwise::Pointwise;
use super::{Block, LiteNet};
use crate::prepare::MAX_TENSOR_ELEMENTS;

const COLOURS: usize = 3;

impl LiteNet {
    /// The network of a checked model that takes clips of `clip`, `[1, 3, T, H, W]`; nothing where it is another one.
    pub(crate) fn read(model: &ModelProto, clip: [usize; 5]) -> Option<Self> {
        Self::read_for(Isa::best(), model, clip)
    }

    pub(super) fn read_for(isa: Isa, model: &ModelProto, clip: [usize; 5]) -> Option<Self> {
        let graph = model.graph.as_ref()?;
        let [1, COLOURS, frames, height, width] = clip else { return None };
        let x = graph.input.first()?.name.as_str();
        let mut reader = Reader {
            graph,
            isa,
            nodes: graph.node.iter().peekable(),
            x,
            channels: COLOURS,
            size: [height, width],
        };
        let (stem, patch) = reader.stem()?;
        let mut blocks = Vec::new();
        let last = loop {
            match reader.block()? {
                Part::Block(block) => blocks.push(*block),
                Part::Last(last) => break last,
            }
        };
        let feature_dim = reader.mean(&last)?;
        let net = Self { picture: [height, width], patch, stem, blocks, last: last.layer, feature_dim };
        let block = |block: &Block| {
            let wide = block.places() * block.expand.outputs().max(block.project.outputs()) * frames;
            let framed = block.depthwise.framed_len(block.depthwise.rows());
            wide.max(framed).max(block.depthwise.memory_len())
        };
        let stem = net.stem_places() * net.stem.outputs().max(net.stem.inputs()) * frames;
        let last = net.last_places() * net.last.outputs() * frames;
        let most = net.blocks.iter().map(block).fold(stem.max(last), usize::max);
        (most <= MAX_TENSOR_ELEMENTS).then_some(net)
    }
}

enum Part {
    Block(Box<Block>),
    Last(Last),
}

struct Last {
    layer: Pointwise,
    features: usize,
}

/// A convolution as the file has it.
struct Conv<'a> {
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Of the weight: outputs, inputs of a group, and `[t, h, w]` of the kernel.
    outputs: usize,
    inputs: usize,
    shape: [usize; 3],
    strides: [usize; 3],
    /// Before each axis, then behind each.
    pads: [usize; 6],
    groups: usize,
    output: &'a str,
}

struct Reader<'a> {
    graph: &'a GraphProto,
    isa: Isa,
    nodes: std::iter::Peekable<std::slice::Iter<'a, NodeProto>>,
    /// The tensor that the next node has to read.
    x: &'a str,
    channels: usize,
    /// Height and width.
    size: [usize; 2],
}

impl<'a> Reader<'a> {
    /// The next node, which has to be of that type and to read `inputs` first.
    fn node(&mut self, op_type: &str, inputs: &[&str]) -> Option<&'a NodeProto> {
        let node = self.nodes.next()?;
        let reads = node.input.len() >= inputs.len() && node.input.iter().zip(inputs).all(|(a, b)| a == b);
        (node.op_type == op_type && reads).then_some(node)
    }

    fn constant(&self, name: &str) -> Option<(&'a [i64], Vec<f32>)> {
        let tensor = self.graph.initializer.iter().find(|tensor| tensor.name == name)?;
        Some((&tensor.dims, floats(tensor)?))
    }

    /// The next node, a convolution of `x` with a bias.
    fn conv(&mut self) -> Option<Conv<'a>> {
        let node = self.node("Conv", &[self.x])?;
        let [_, weight, bias] = node.input.as_slice() else { return None };
        let ((dims, weight), (bias_dims, bias)) = (self.constant(weight)?, self.constant(bias)?);
        let dims: [usize; 5] = array(dims)?;
        let [outputs, inputs, shape @ ..] = dims;
        let mut conv = Conv {
            weight,
            bias,
            outputs,
            inputs,
            shape,
            strides: [1; 3],
            pads: [0; 6],
            groups: 1,
            output: node.output.first()?,
        };
        for attribute in &node.attribute {
            match attribute.name.as_str() {
                "kernel_shape" if array(&attribute.ints) == Some(shape) => {}
                "strides" => conv.strides = array(&attribute.ints)?,
                "pads" => conv.pads = array(&attribute.ints)?,
                "group" => conv.groups = usize::try_from(attribute.i).ok()?,
                _ => return None,
            }
        }
        let fits = conv.inputs * conv.groups == self.channels && array(bias_dims) == Some([outputs]);
        (self.x, self.channels) = (conv.output, outputs);
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
        let square = side == across && conv.strides == [1, side, side] && conv.pads == [0; 6];
        let whole = self.size.iter().all(|size| size.is_multiple_of(side));
        self.size = self.size.map(|size| size / side);
        let fits = square && whole && conv.groups == 1 && self.relu();
        fits.then(|| (Pointwise::new(self.isa, &conv.weight, &conv.bias), side))
    }

    /// A block, or the layer behind the last one.
    fn block(&mut self) -> Option<Part> {
        let (before, before_size, channels) = (self.x, self.size, self.channels);
        let conv = self.conv()?;
        if conv.groups == 1 {
            let layer = self.pointwise(&conv)?;
            return self.relu().then_some(Part::Last(Last { layer, features: conv.outputs }));
        }
        let axes = self.axes(&conv)?;
        let time = self.conv().filter(Conv::is_causal)?;
        let depthwise = Depthwise::new(self.isa, axes, conv.kernel(), time.kernel());
        let expand = self.conv()?;
        let expand = self.pointwise(&expand).filter(|_| self.relu())?;
        let project = self.conv()?;
        let project = self.pointwise(&project)?;
        let residual = self.sum(before)?;
        if residual && (self.size, self.channels) != (before_size, channels) {
            return None;
        }
        Some(Part::Block(Box::new(Block { depthwise, expand, project, residual })))
    }

    /// Whether the next node adds `before` to `x`; it is taken then. Nothing where it adds something else.
    fn sum(&mut self, before: &str) -> Option<bool> {
        let Some(node) = self.nodes.next_if(|node| node.op_type == "Add") else { return Some(false) };
        let [first, second] = node.input.as_slice() else { return None };
        let both = (first == before && second == self.x) || (first == self.x && second == before);
        self.x = node.output.first()?;
        both.then_some(true)
    }

    fn pointwise(&self, conv: &Conv<'_>) -> Option<Pointwise> {
        let plain = conv.shape == [1; 3] && conv.strides == [1; 3] && conv.pads == [0; 6] && conv.groups == 1;
        plain.then(|| Pointwise::new(self.isa, &conv.weight, &conv.bias))
    }

    /// The axes of a convolution of each channel over the picture.
    fn axes(&mut self, conv: &Conv<'_>) -> Option<[Axis; 2]> {
        let [1, kernels @ ..] = conv.shape else { return None };
        let [1, strides @ ..] = conv.strides else { return None };
        let [0, top, left, 0, bottom, right] = conv.pads else { return None };
        let rows = axis(self.size[0], kernels[0], strides[0], [top, bottom])?;
        let columns = axis(self.size[1], kernels[1], strides[1], [left, right])?;
        self.size = [rows.output, columns.output];
        conv.is_depthwise().then_some([rows, columns])
    }

    /// The mean over each picture, which ends the graph; the length of a feature.
    fn mean(mut self, last: &Last) -> Option<usize> {
        let node = self.node("ReduceMean", &[self.x])?;
        let setting = |name| node.attribute.iter().find(|attribute| attribute.name == name);
        let over_picture = setting("axes").is_some_and(|axes| axes.ints == [3, 4]);
        let dropped = setting("keepdims").is_some_and(|keep| keep.i == 0);
        let ends = self.nodes.next().is_none() && node.input.len() == 1 && node.attribute.len() == 2;
        let is_output = node.output.first() == self.graph.output.first().map(|output| &output.name);
        (over_picture && dropped && ends && is_output).then_some(last.features)
    }
}

impl Conv<'_> {
    fn is_depthwise(&self) -> bool {
        self.inputs == 1 && self.groups == self.outputs
    }

    /// Whether it is one of each channel over the present frame and those before it.
    fn is_causal(&self) -> bool {
        let [frames, ..] = self.shape;
        let plain = self.shape == [frames, 1, 1] && self.strides == [1; 3];
        plain && self.pads == [frames - 1, 0, 0, 0, 0, 0] && self.is_depthwise()
    }

    fn kernel(&self) -> Kernel<'_> {
        Kernel { weight: &self.weight, bias: &self.bias }
    }
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

/// Values of a constant whose size was checked.
fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type != tract_onnx::pb::tensor_proto::DataType::Float as i32 {
        return None;
    }
    let (words, _) = tensor.raw_data.as_chunks::<4>();
    let raw = words.iter().map(|&word| f32::from_le_bytes(word));
    Some(raw.chain(tensor.float_data.iter().copied()).collect())
}

//! I3D-lite: the streaming encoder of [`vad_core::lite`], as one graph for clips and streams.

use vad_core::lite::STEM_PX;
use vad_core::{LiteBlock, LitePlan, ModelSpec};

use crate::ExportError;
use crate::f16_weights::f16_conv;
use crate::fold::FoldedConv;
use crate::int8::{Int8Layer, int8_conv};
use crate::onnx::GraphBuilder;
use crate::precision::EncoderPrecision;
use crate::same::{SameAxis, same_axis};
use crate::volume::{ConvLayer, Volume, conv, mean, relu};
use crate::weights::Weights;

/// Stages of every size.
const STAGES: usize = 4;

/// The layer behind the blocks.
const LAST: &str = "last";

/// Builds the encoder graph: `[1, 3, T, H, W]` pixels to `[1, D, T]`, a feature per frame.
///
/// No layer looks ahead, has a stride in time or names `T`, so a runtime may make the axis a stream.
/// `weights_safetensors` holds `<layer>.weight` as `[out, in / groups, t, h, w]` and `<layer>.bias` of `stem`, of
/// `stage3.1.time`, `stage3.1.expand` and so on, and of `last`; `stage3.1.space` has no bias. A layer in
/// int8 has weights and bias of its own instead, made from these. Layers in int8 and in f16 stand in the graph as
/// [`int8_conv`] and [`f16_conv`] write them.
///
/// # Errors
/// A missing, misshapen or non-finite tensor; a layer to be in int8 that is no `1x1x1` convolution of this network; a weight
/// that f16 does not reach.
pub(crate) fn lite_onnx(
    weights_safetensors: &[u8],
    spec: &ModelSpec,
    plan: &LitePlan,
    precision: &EncoderPrecision,
) -> Result<Vec<u8>, ExportError> {
    spec.validate()?;
    if let EncoderPrecision::Int8(int8) = precision
        && let Some(layer) = int8.layers().find(|layer| !int8_layers(plan).any(|own| own == *layer))
    {
        return Err(ExportError::Unsupported {
            what: format!("{layer} in int8"),
            remedy: "only the 1x1x1 convolutions behind the stem compute in int8".to_owned(),
        });
    }
    let weights = Weights::parse(weights_safetensors)?;
    let size = [
        usize::from(spec.clip.frames),
        usize::from(spec.preprocess.height_px),
        usize::from(spec.preprocess.width_px),
    ];
    let mut graph = GraphBuilder::new("i3d-lite");
    let name = graph.input("clip", &[1, 3, size[0], size[1], size[2]]);
    let mut net = Net { graph, weights, precision };
    let mut x = net.stem(&Volume { name, channels: 3, size }, plan)?;
    for block in plan.blocks() {
        x = net.block(&block, x)?;
    }
    let x = net.pointwise(LAST, &x, plan.feature_dim, None)?;
    let x = relu(&mut net.graph, LAST, x);
    let feature = mean(&mut net.graph, "feature", &x, &[3, 4]);
    net.graph.output(&feature, &[1, x.channels, size[0]]);
    Ok(net.graph.into_bytes())
}

/// Names of the layers that can compute in int8, in the order in which they compute: the `1x1x1` convolutions behind the
/// stem.
pub fn int8_layers(plan: &LitePlan) -> impl Iterator<Item = String> + '_ {
    let both = |block: LiteBlock| [block.layer("expand"), block.layer("project")];
    plan.blocks().flat_map(both).chain([LAST.to_owned()])
}

/// The graph being built and where its weights come from.
struct Net<'a> {
    graph: GraphBuilder,
    weights: Weights<'a>,
    precision: &'a EncoderPrecision,
}

impl<'a> Net<'a> {
    /// How a layer computes in int8; nothing where it does not.
    fn int8(&self, layer: &str) -> Option<&'a Int8Layer> {
        match self.precision {
            EncoderPrecision::Int8(plan) => plan.get(layer),
            EncoderPrecision::F32 | EncoderPrecision::F16 => None,
        }
    }

    fn stem(&mut self, x: &Volume, plan: &LitePlan) -> Result<Volume, ExportError> {
        let (side, out) = (usize::from(STEM_PX), plan.stages[0].channels);
        let [t, h, w] = x.size;
        let axes = [causal(t, 1), same_axis(h, side, side), same_axis(w, side, side)];
        let layer = ConvLayer { out, kernel: [1, side, side], stride: [1, side, side], axes, groups: 1 };
        let sums = self.conv("stem", x, layer, None)?;
        Ok(relu(&mut self.graph, "stem", sums))
    }

    fn block(&mut self, block: &LiteBlock, x: Volume) -> Result<Volume, ExportError> {
        let y = self.space(block, &x)?;
        let y = self.time(block, &y)?;
        let (expand, project) = (block.layer("expand"), block.layer("project"));
        let y = self.pointwise(&expand, &y, block.width, Some(&project))?;
        let y = relu(&mut self.graph, &expand, y);
        let y = self.pointwise(&project, &y, block.outputs, adds_to_last(block).then_some(LAST))?;
        if !block.is_residual() {
            return Ok(y);
        }
        let name = self.graph.node("Add", block.layer("sum"), &[&x.name, &y.name], vec![]);
        Ok(Volume { name, ..y })
    }

    /// Depthwise over the picture, without a bias: the layer behind it has one.
    fn space(&mut self, block: &LiteBlock, x: &Volume) -> Result<Volume, ExportError> {
        let (kernel, stride) = (block.space_kernel, block.stride);
        let [t, h, w] = x.size;
        let axes = [causal(t, 1), same_axis(h, kernel, stride), same_axis(w, kernel, stride)];
        let unit = block.layer("space");
        let shape = [x.channels, 1, 1, kernel, kernel];
        let weight = self.weights.floats(&format!("{unit}.weight"), &shape)?;
        let mut folded = FoldedConv { weight, bias: vec![0.0; x.channels] };
        if let Some(last) = self.int8(LAST).filter(|_| reads_last_sum(block)) {
            last.check(LAST, x.channels, last.bias.len())?;
            last.undo(&mut folded);
        }
        let layer = ConvLayer {
            out: x.channels,
            kernel: [1, kernel, kernel],
            stride: [1, stride, stride],
            axes,
            groups: x.channels,
        };
        self.float_conv(&unit, x, layer, &folded)
    }

    /// Depthwise over the present frame and those before it.
    fn time(&mut self, block: &LiteBlock, x: &Volume) -> Result<Volume, ExportError> {
        let unit = block.layer("time");
        let kernel = block.time_kernel;
        let [t, h, w] = x.size;
        let axes = [causal(t, kernel), same_axis(h, 1, 1), same_axis(w, 1, 1)];
        let layer =
            ConvLayer { out: x.channels, kernel: [kernel, 1, 1], stride: [1; 3], axes, groups: x.channels };
        self.conv(&unit, x, layer, Some(&block.layer("expand")))
    }

    fn pointwise(
        &mut self,
        unit: &str,
        x: &Volume,
        out: usize,
        follows: Option<&str>,
    ) -> Result<Volume, ExportError> {
        let axes = x.size.map(|n| same_axis(n, 1, 1));
        let layer = ConvLayer { out, kernel: [1; 3], stride: [1; 3], axes, groups: 1 };
        self.conv(unit, x, layer, follows)
    }

    /// A convolution with its stored weight and bias. `follows` is the layer whose inputs it makes, where that may have them
    /// divided.
    fn conv(
        &mut self,
        unit: &str,
        x: &Volume,
        layer: ConvLayer,
        follows: Option<&str>,
    ) -> Result<Volume, ExportError> {
        let weight = self.weights.floats(&format!("{unit}.weight"), &layer.weight_shape(x.channels))?;
        let bias = self.weights.floats(&format!("{unit}.bias"), &[layer.out])?;
        let how = self.int8(unit);
        let mut folded = match how {
            None => FoldedConv { weight, bias },
            Some(how) => {
                how.check(unit, x.channels, layer.out)?;
                FoldedConv { weight: how.divided(), bias: how.bias.clone() }
            }
        };
        if let Some((next, how)) = follows.and_then(|next| Some((next, self.int8(next)?))) {
            how.check(next, layer.out, how.bias.len())?;
            how.divide(&mut folded);
        }
        match how {
            Some(how) => Ok(int8_conv(&mut self.graph, unit, x, layer, &folded, how.input)),
            None => self.float_conv(unit, x, layer, &folded),
        }
    }

    /// A convolution that is not in int8.
    fn float_conv(
        &mut self,
        unit: &str,
        x: &Volume,
        layer: ConvLayer,
        folded: &FoldedConv,
    ) -> Result<Volume, ExportError> {
        match self.precision {
            EncoderPrecision::F16 => f16_conv(&mut self.graph, unit, x, layer, folded),
            EncoderPrecision::F32 | EncoderPrecision::Int8(_) => {
                Ok(conv(&mut self.graph, unit, x, layer, folded))
            }
        }
    }
}

/// Whether the sum that the last layer reads has the output of a block in it: all of the last stage add to it.
fn adds_to_last(block: &LiteBlock) -> bool {
    block.place[0] + 1 == STAGES
}

/// Whether a block reads a part of that sum.
fn reads_last_sum(block: &LiteBlock) -> bool {
    adds_to_last(block) && block.place[1] > 0
}

/// Padding in time: all of it before the first frame.
fn causal(frames: usize, kernel: usize) -> SameAxis {
    SameAxis { before: kernel - 1, after: 0, out: frames }
}

//! MIST's self-guided attention: where in its pictures the encoder looks, from the map behind one of its stages.

use vad_core::{AttentionSpec, LitePlan, ModelSpec};

use crate::ExportError;
use crate::fold::FoldedConv;
use crate::onnx::{GraphBuilder, int, ints};
use crate::same::SameAxis;
use crate::volume::{ConvLayer, Volume, conv, relu, reshape};
use crate::weights::Weights;

/// What stands before the names of its layers in published files.
const PREFIX: &str = "Conv_Atten.";

/// Time steps that it looks at, each the mean of as many frames.
const STEPS: usize = 4;

/// Steps that the kernel of its first layer covers, which leaves [`MIDDLE_STEPS`].
const KERNEL_STEPS: usize = 3;

/// Steps behind the first layer, which the last one makes one map of.
const MIDDLE_STEPS: usize = STEPS + 1 - KERNEL_STEPS;

/// Builds the attention graph: the map behind the spec's stage, `[1, C, T, h, w]`, to `[1, 1, 1, rows, columns]` in 0..=1.
///
/// `weights_safetensors` holds `Conv_Atten.Conv_Atten.0`, `Conv_Atten.Att_1.0` and `Conv_Atten.Att_3.0`, each with `.weight` and
/// `.bias`, as a fine-tuned encoder has them; the layers that only teach, and anything else in it, are left out.
///
/// # Errors
/// A spec that contradicts itself or describes no attention; a missing, misshapen or non-finite tensor; clips that are
/// not of a whole number of time steps.
pub fn attention_onnx(weights_safetensors: &[u8], spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    spec.validate()?;
    let (Some(attention), Some(size)) = (&spec.attention, spec.encoder.kind.lite()) else {
        return Err(ExportError::Unsupported {
            what: "the attention of a model that describes none".to_owned(),
            remedy: "fine-tune a distilled encoder with `attention = true`".to_owned(),
        });
    };
    let frames = usize::from(spec.clip.frames);
    if !frames.is_multiple_of(STEPS) {
        return Err(ExportError::Unsupported {
            what: format!("attention over clips of {frames} frames"),
            remedy: format!("clips of a multiple of {STEPS} frames, as fine-tuning has them"),
        });
    }
    let weights = Weights::parse(weights_safetensors)?;
    Attention { graph: GraphBuilder::new("attention"), weights }.build(spec, attention, size.plan())
}

struct Attention<'a> {
    graph: GraphBuilder,
    weights: Weights<'a>,
}

impl Attention<'_> {
    fn build(
        mut self,
        spec: &ModelSpec,
        attention: &AttentionSpec,
        plan: &LitePlan,
    ) -> Result<Vec<u8>, ExportError> {
        let stages = usize::from(attention.stage);
        // A spec that was validated names one of the stages.
        let channels = plan.stages[stages - 1].channels;
        let places = |side_px| plan.places(stages, side_px);
        let (height, width) = (places(spec.preprocess.height_px), places(spec.preprocess.width_px));
        let size = [spec.clip.frames.into(), height, width];
        let name = self.graph.input("tapped", &[1, channels, size[0], size[1], size[2]]);
        let x = self.steps(&Volume { name, channels, size });
        let x = self.around(&x)?;
        let detectors = self.detect(&x)?;
        let map = self.collapse(&detectors)?;
        let attention = self.graph.node("Sigmoid", "attention".to_owned(), &[&map.name], vec![]);
        let [_, rows, columns] = map.size;
        self.graph.output(&attention, &[1, 1, 1, rows, columns]);
        Ok(self.graph.into_bytes())
    }

    /// Means over the frames of each time step.
    fn steps(&mut self, x: &Volume) -> Volume {
        let ([frames, h, w], c) = (x.size, x.channels);
        let parted =
            reshape(&mut self.graph, "steps.parted".to_owned(), &x.name, &[c, STEPS, frames / STEPS, h * w]);
        let attributes = vec![ints("axes", [2]), int("keepdims", 0)];
        let means = self.graph.node("ReduceMean", "steps.mean".to_owned(), &[&parted], attributes);
        let name = reshape(&mut self.graph, "steps".to_owned(), &means, &[1, c, STEPS, h, w]);
        Volume { name, channels: c, size: [STEPS, h, w] }
    }

    /// One place and one step around, at every second place.
    fn around(&mut self, x: &Volume) -> Result<Volume, ExportError> {
        let unit = "Conv_Atten.0";
        let out = self.outputs(unit)?;
        let halved = |places: usize| SameAxis { before: 1, after: 1, out: places.div_ceil(2) };
        let [_, h, w] = x.size;
        let axes = [SameAxis { before: 0, after: 0, out: MIDDLE_STEPS }, halved(h), halved(w)];
        let layer = ConvLayer { out, kernel: [KERNEL_STEPS, 3, 3], stride: [1, 2, 2], axes, groups: 1 };
        let x = self.conv(unit, x, layer)?;
        Ok(relu(&mut self.graph, unit, x))
    }

    /// The detectors, of normal and of abnormal.
    fn detect(&mut self, x: &Volume) -> Result<Volume, ExportError> {
        let unit = "Att_1.0";
        let (out, axes) = (self.outputs(unit)?, x.size.map(unpadded));
        let x = self.conv(unit, x, ConvLayer { out, kernel: [1; 3], stride: [1; 3], axes, groups: 1 })?;
        Ok(relu(&mut self.graph, unit, x))
    }

    /// One map of all detectors and steps.
    fn collapse(&mut self, x: &Volume) -> Result<Volume, ExportError> {
        let [_, h, w] = x.size;
        let axes = [1, h, w].map(unpadded);
        let kernel = [MIDDLE_STEPS, 1, 1];
        self.conv("Att_3.0", x, ConvLayer { out: 1, kernel, stride: [1; 3], axes, groups: 1 })
    }

    /// Outputs of a layer, which the file alone knows.
    fn outputs(&self, unit: &str) -> Result<usize, ExportError> {
        let tensor = format!("{PREFIX}{unit}.bias");
        let shape = self.weights.shape(&tensor);
        let shape = shape.ok_or_else(|| ExportError::MissingTensor { tensor: tensor.clone() })?;
        match shape.as_slice() {
            &[outputs] if outputs > 0 => Ok(outputs),
            _ => Err(ExportError::TensorShape { tensor, expected: vec![1], found: shape }),
        }
    }

    fn conv(&mut self, unit: &str, x: &Volume, layer: ConvLayer) -> Result<Volume, ExportError> {
        let tensor = |what: &str| format!("{PREFIX}{unit}.{what}");
        let weight = self.weights.floats(&tensor("weight"), &layer.weight_shape(x.channels))?;
        let bias = self.weights.floats(&tensor("bias"), &[layer.out])?;
        Ok(conv(&mut self.graph, unit, x, layer, &FoldedConv { weight, bias }))
    }
}

fn unpadded(out: usize) -> SameAxis {
    SameAxis { before: 0, after: 0, out }
}

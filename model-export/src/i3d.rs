//! I3D (Inception-v1) up to a tap, with its average behind it.
//!
//! Architecture: Carreira and Zisserman, "Quo Vadis, Action Recognition?" (2017), as published in
//! `kinetics-i3d`: TensorFlow `SAME` padding, batch normalisation without gamma, ReLU after each
//! convolution, max pools that ignore the padding.

use vad_core::tap::grid_shares;
use vad_core::{I3dTap, ModelSpec};

use crate::ExportError;
use crate::fold::folded_conv;
use crate::onnx::{GraphBuilder, int};
use crate::pool::max_pool;
use crate::same::same;
use crate::volume::{ConvLayer, Volume, conv, mean, relu};
use crate::weights::Weights;

/// One step of the trunk. Kernels and strides are `[t, h, w]`.
enum Stage {
    Conv {
        name: &'static str,
        out: usize,
        kernel: [usize; 3],
        stride: [usize; 3],
    },
    Pool {
        name: &'static str,
        kernel: [usize; 3],
        stride: [usize; 3],
    },
    /// Channels: branch 0; branch 1 reduce, 3x3x3; branch 2 reduce, 3x3x3; branch 3 projection.
    Mixed {
        name: &'static str,
        channels: [usize; 6],
    },
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Self::Conv { name, .. } | Self::Pool { name, .. } | Self::Mixed { name, .. } => name,
        }
    }
}

const fn cube(name: &'static str, out: usize, side: usize, stride: usize) -> Stage {
    Stage::Conv { name, out, kernel: [side; 3], stride: [stride; 3] }
}

const fn pool(name: &'static str, kernel: [usize; 3], stride: [usize; 3]) -> Stage {
    Stage::Pool { name, kernel, stride }
}

const fn mixed(name: &'static str, channels: [usize; 6]) -> Stage {
    Stage::Mixed { name, channels }
}

/// The trunk in order; the names are those of the checkpoint's tensors.
const STAGES: [Stage; 16] = [
    cube("Conv3d_1a_7x7", 64, 7, 2),
    pool("MaxPool3d_2a_3x3", [1, 3, 3], [1, 2, 2]),
    cube("Conv3d_2b_1x1", 64, 1, 1),
    cube("Conv3d_2c_3x3", 192, 3, 1),
    pool("MaxPool3d_3a_3x3", [1, 3, 3], [1, 2, 2]),
    mixed("Mixed_3b", [64, 96, 128, 16, 32, 32]),
    mixed("Mixed_3c", [128, 128, 192, 32, 96, 64]),
    pool("MaxPool3d_4a_3x3", [3, 3, 3], [2, 2, 2]),
    mixed("Mixed_4b", [192, 96, 208, 16, 48, 64]),
    mixed("Mixed_4c", [160, 112, 224, 24, 64, 64]),
    mixed("Mixed_4d", [128, 128, 256, 24, 64, 64]),
    mixed("Mixed_4e", [112, 144, 288, 32, 64, 64]),
    mixed("Mixed_4f", [256, 160, 320, 32, 128, 128]),
    pool("MaxPool3d_5a_2x2", [2, 2, 2], [2, 2, 2]),
    mixed("Mixed_5b", [256, 160, 320, 32, 128, 128]),
    mixed("Mixed_5c", [384, 192, 384, 48, 128, 128]),
];

/// Builds the encoder graph: `[1, 3, T, H, W]` pixels to the `[1, D]` feature of one clip.
///
/// `weights_safetensors` holds the checkpoint's tensors under its own names, for example
/// `Mixed_5c.Branch_2.Conv3d_0b_3x3.conv.weight`. `T`, `H`, `W`, the tap and `D` come from `spec`.
///
/// # Errors
/// A missing, misshapen or non-finite tensor; a tap that does not exist; a `feature_dim` that is
/// not the tap's channel count.
pub(crate) fn i3d_onnx(weights_safetensors: &[u8], spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    spec.validate()?;
    let tap = I3dTap::from_name(&spec.encoder.tap).ok_or_else(|| unknown_tap(&spec.encoder.tap))?;
    let last = STAGES.iter().position(|stage| stage.name() == tap.point.name());
    let last = last.ok_or_else(|| unknown_tap(&spec.encoder.tap))?;
    let weights = Weights::parse(weights_safetensors)?;
    let mut trunk = Trunk { graph: GraphBuilder::new("i3d"), weights };
    let size = [
        usize::from(spec.clip.frames),
        usize::from(spec.preprocess.height_px),
        usize::from(spec.preprocess.width_px),
    ];
    let name = trunk.graph.input("clip", &[1, 3, size[0], size[1], size[2]]);
    let mut x = Volume { name, channels: 3, size };
    for stage in &STAGES[..=last] {
        x = trunk.stage(stage, x)?;
    }
    Ok(trunk.finish(&x, tap))
}

fn unknown_tap(tap: &str) -> ExportError {
    let taps = STAGES.iter().map(Stage::name).collect::<Vec<_>>().join(", ");
    ExportError::Unsupported { what: format!("the tap `{tap}`"), remedy: format!("I3D has {taps}") }
}

/// The graph being built and where its weights come from.
struct Trunk<'a> {
    graph: GraphBuilder,
    weights: Weights<'a>,
}

impl Trunk<'_> {
    fn stage(&mut self, stage: &Stage, x: Volume) -> Result<Volume, ExportError> {
        match *stage {
            Stage::Conv { name, out, kernel, stride } => self.conv(name, &x, out, kernel, stride),
            Stage::Pool { name, kernel, stride } => Ok(max_pool(&mut self.graph, name, &x, kernel, stride)),
            Stage::Mixed { name, channels } => self.mixed(name, &x, channels),
        }
    }

    /// Convolution, folded normalisation, ReLU.
    fn conv(
        &mut self,
        unit: &str,
        x: &Volume,
        out: usize,
        kernel: [usize; 3],
        stride: [usize; 3],
    ) -> Result<Volume, ExportError> {
        let sums = self.linear(unit, x, out, kernel, stride)?;
        Ok(relu(&mut self.graph, unit, sums))
    }

    /// Convolution and folded normalisation.
    fn linear(
        &mut self,
        unit: &str,
        x: &Volume,
        out: usize,
        kernel: [usize; 3],
        stride: [usize; 3],
    ) -> Result<Volume, ExportError> {
        let folded = folded_conv(&self.weights, unit, [out, x.channels, kernel[0], kernel[1], kernel[2]])?;
        let layer = ConvLayer { out, kernel, stride, axes: same(x.size, kernel, stride), groups: 1 };
        Ok(conv(&mut self.graph, unit, x, layer, &folded))
    }

    /// The Inception block: four branches, concatenated by channel.
    ///
    /// The branches' ReLU stands once behind the concatenation, which is the same function. There it
    /// also keeps tract from splitting each convolution that follows into one per branch, every one
    /// of which would pass over the whole output again.
    fn mixed(&mut self, name: &str, x: &Volume, c: [usize; 6]) -> Result<Volume, ExportError> {
        let unit = |branch: usize, layer: &str| format!("{name}.Branch_{branch}.{layer}");
        let one = [1; 3];
        let b0 = self.linear(&unit(0, "Conv3d_0a_1x1"), x, c[0], one, one)?;
        let b1 = self.conv(&unit(1, "Conv3d_0a_1x1"), x, c[1], one, one)?;
        let b1 = self.linear(&unit(1, "Conv3d_0b_3x3"), &b1, c[2], [3; 3], one)?;
        let b2 = self.conv(&unit(2, "Conv3d_0a_1x1"), x, c[3], one, one)?;
        let b2 = self.linear(&unit(2, "Conv3d_0b_3x3"), &b2, c[4], [3; 3], one)?;
        let b3 = max_pool(&mut self.graph, &unit(3, "MaxPool3d_0a_3x3"), x, [3; 3], one);
        let b3 = self.linear(&unit(3, "Conv3d_0b_1x1"), &b3, c[5], one, one)?;
        let branches = [&b0.name, &b1.name, &b2.name, &b3.name].map(String::as_str);
        let axis = vec![int("axis", 1)];
        let concat = self.graph.node("Concat", name.to_owned(), &branches, axis);
        let channels = c[0] + c[2] + c[4] + c[5];
        Ok(relu(&mut self.graph, name, Volume { name: concat, channels, size: x.size }))
    }

    /// The tap's average, then the file's bytes.
    fn finish(mut self, x: &Volume, tap: I3dTap) -> Vec<u8> {
        let feature = match tap.grid {
            1 => mean(&mut self.graph, "feature", x, &[2, 3, 4]),
            _ => self.grid_mean(x, tap),
        };
        self.graph.output(&feature, &[1, tap.feature_dim()]);
        self.graph.into_bytes()
    }

    /// Mean over time, and over the places in each cell of the grid: `[1, C * cells]`.
    fn grid_mean(&mut self, x: &Volume, tap: I3dTap) -> String {
        let [_, height, width] = x.size;
        let (cells, places) = (tap.grid * tap.grid, height * width);
        let graph = &mut self.graph;
        let still = mean(graph, "still", x, &[2]);
        let columns = graph.integers("columns.shape".to_owned(), &[x.channels as i64, places as i64]);
        let columns = graph.node("Reshape", "columns".to_owned(), &[&still, &columns], vec![]);
        let of_cells = grid_shares(height, width, tap.grid);
        // One row per place.
        let of_places: Vec<f32> =
            (0..places).flat_map(|place| of_cells.iter().skip(place).step_by(places).copied()).collect();
        let shares = graph.floats("cells.shares".to_owned(), &[places, cells], &of_places);
        let cells = graph.node("MatMul", "cells".to_owned(), &[&columns, &shares], vec![]);
        let flat = graph.integers("feature.shape".to_owned(), &[1, tap.feature_dim() as i64]);
        graph.node("Reshape", "feature".to_owned(), &[&cells, &flat], vec![])
    }
}

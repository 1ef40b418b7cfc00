//! Layers in int8: grids of values, and how a graph says so (`QuantizeLinear`, `DequantizeLinear`).
//!
//! Inputs are unsigned with a zero point, weights signed and symmetric, with a scale for each output channel, sums 32-bit
//! integers: the scheme of Jacob et al., CVPR 2018, with the per-channel weights of Krishnamoorthi, 2018. A graph in this
//! form means the same to every runtime; one that knows integers computes what stands between the pairs with them.

use std::collections::BTreeMap;

use crate::ExportError;
use crate::fold::FoldedConv;
use crate::onnx::{GraphBuilder, int};
use crate::volume::{ConvLayer, Volume, conv_of};

/// 256 even steps that a layer's inputs are rounded to: `x = scale * (q - zero_point)` with `q` in 0..=255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputGrid {
    scale: f32,
    zero_point: u8,
}

impl InputGrid {
    /// Number of the last step; the first is 0.
    pub const LAST: f32 = 255.0;

    /// Steps from `least` to `greatest`, widened so that 0 is one of them. Two values that are not finite, or both 0, give
    /// a grid of steps of 1.
    pub fn covering(least: f32, greatest: f32) -> Self {
        let (least, greatest) = (least.min(0.0), greatest.max(0.0));
        let scale = (greatest - least) / Self::LAST;
        if !scale.is_normal() {
            return Self { scale: 1.0, zero_point: 0 };
        }
        let zero_point = (-least / scale).round_ties_even().clamp(0.0, Self::LAST);
        Self { scale, zero_point: zero_point as u8 }
    }

    /// Distance of two steps.
    pub fn scale(self) -> f32 {
        self.scale
    }

    /// The step that is 0.
    pub fn zero_point(self) -> u8 {
        self.zero_point
    }

    /// The least and the greatest value on it.
    pub fn ends(self) -> (f32, f32) {
        let zero = f32::from(self.zero_point);
        ((0.0 - zero) * self.scale, (Self::LAST - zero) * self.scale)
    }

    /// The value on it that is nearest, of two the even step.
    pub fn nearest(self, value: f32) -> f32 {
        let zero = f32::from(self.zero_point);
        ((value / self.scale).round_ties_even() + zero).clamp(0.0, Self::LAST) * self.scale
            - zero * self.scale
    }
}

/// Weights on grids of 255 steps around 0, one grid for each output channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Weights {
    values: Vec<i8>,
    scales: Vec<f32>,
}

impl Int8Weights {
    /// Greatest value; the least is its negative.
    pub const MOST: f32 = 127.0;

    /// The nearest to `weight`, `[outputs, ..]`, whose greatest value in each channel lies on the grid's end.
    pub fn nearest(weight: &[f32], outputs: usize) -> Self {
        let taps = (weight.len() / outputs.max(1)).max(1);
        let mut own = Self { values: Vec::with_capacity(weight.len()), scales: Vec::with_capacity(outputs) };
        for row in weight.chunks_exact(taps) {
            let greatest = row.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
            let scale = greatest / Self::MOST;
            let scale = if scale.is_normal() { scale } else { 1.0 };
            own.scales.push(scale);
            // In -127 to 127.
            own.values.extend(row.iter().map(|weight| (weight / scale).round_ties_even() as i8));
        }
        own
    }

    /// What they stand for, in the order of the weights that they are nearest to.
    pub fn floats(&self) -> Vec<f32> {
        let taps = (self.values.len() / self.scales.len().max(1)).max(1);
        let rows = self.values.chunks_exact(taps).zip(&self.scales);
        rows.flat_map(|(row, scale)| row.iter().map(move |&value| f32::from(value) * scale)).collect()
    }
}

/// What a layer in int8 computes with.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Layer {
    /// Grid of its inputs, each divided by that of `divisors`.
    pub input: InputGrid,
    /// A divisor for each input, above 0, so that wide channels leave steps for narrow ones; the layer before and the
    /// weights of this one take them over, and no board divides (Nagel et al., ICCV 2019; Xiao et al., "SmoothQuant", ICML
    /// 2023). Empty where there are none.
    pub divisors: Vec<f32>,
    /// Its weights before they are rounded, `[outputs, inputs]`, in place of the trained ones: those, or what learnt to be
    /// rounded.
    pub weight: Vec<f32>,
    /// Its bias, `[outputs]`, in place of the trained one: corrected for what rounding changes on average, or learnt.
    pub bias: Vec<f32>,
}

/// The layers of a network that compute in int8, by name, such as `stage3.1.expand`; all others stay f32.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Int8Plan(BTreeMap<String, Int8Layer>);

impl Int8Plan {
    /// Adds a layer, or replaces it.
    pub fn insert(&mut self, layer: String, how: Int8Layer) {
        self.0.insert(layer, how);
    }

    /// How a layer computes; nothing where it stays f32.
    pub fn get(&self, layer: &str) -> Option<&Int8Layer> {
        self.0.get(layer)
    }

    /// Names of the layers, in alphabetical order.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Those of its layers that `chosen` is true of; the others are f32 again.
    pub fn only(&self, chosen: impl Fn(&str) -> bool) -> Self {
        let layers = self.0.iter().filter(|(layer, _)| chosen(layer));
        Self(layers.map(|(layer, how)| (layer.clone(), how.clone())).collect())
    }

    /// Whether every layer is f32.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Int8Layer {
    /// Its weights `[outputs, inputs]` for inputs that are divided.
    pub fn divided(&self) -> Vec<f32> {
        let mut weight = self.weight.clone();
        if !self.divisors.is_empty() {
            weight.iter_mut().zip(self.divisors.iter().cycle()).for_each(|(weight, by)| *weight *= by);
        }
        weight
    }

    /// Makes `before`, of the layer whose outputs are this one's inputs, give them divided.
    pub(crate) fn divide(&self, before: &mut FoldedConv) {
        if self.divisors.is_empty() {
            return;
        }
        let taps = (before.weight.len() / self.divisors.len()).max(1);
        let rows = before.weight.chunks_exact_mut(taps).zip(&mut before.bias).zip(&self.divisors);
        for ((weight, bias), by) in rows {
            weight.iter_mut().for_each(|weight| *weight /= by);
            *bias /= by;
        }
    }

    /// Makes a layer of each channel by itself take divided inputs as if they were not.
    pub(crate) fn undo(&self, depthwise: &mut FoldedConv) {
        let taps = (depthwise.weight.len() / self.divisors.len().max(1)).max(1);
        for (weight, by) in depthwise.weight.chunks_exact_mut(taps).zip(&self.divisors) {
            weight.iter_mut().for_each(|weight| *weight *= by);
        }
    }

    /// Whether its parts are those of a layer of so many inputs and outputs.
    pub(crate) fn check(&self, unit: &str, inputs: usize, outputs: usize) -> Result<(), ExportError> {
        let wrong = |tensor: &str, found: usize, expected: usize| {
            let (found, expected) = (vec![found], vec![expected]);
            Err(ExportError::TensorShape { tensor: format!("{unit}.{tensor}"), expected, found })
        };
        if self.bias.len() != outputs {
            return wrong("bias", self.bias.len(), outputs);
        }
        if !self.divisors.is_empty() && self.divisors.len() != inputs {
            return wrong("divisors", self.divisors.len(), inputs);
        }
        if self.weight.len() != inputs * outputs {
            return wrong("weight", self.weight.len(), inputs * outputs);
        }
        let sound = |tensor: &str, values: &[f32], sound: fn(f32) -> bool| {
            let Some(index) = values.iter().position(|value| !sound(*value)) else { return Ok(()) };
            let (tensor, value) = (format!("{unit}.{tensor}"), values[index]);
            Err(ExportError::NonFiniteWeight { tensor, index, value })
        };
        sound("divisors", &self.divisors, |by| by.is_normal() && by > 0.0)?;
        sound("weight", &self.weight, f32::is_finite)?;
        sound("bias", &self.bias, f32::is_finite)
    }
}

/// A convolution whose input and weights are on grids: the nodes `<unit>.q`, `<unit>.dq`, `<unit>.weight.dq` and
/// `<unit>.bias.dq` before `<unit>.conv`.
pub(crate) fn int8_conv(
    graph: &mut GraphBuilder,
    unit: &str,
    x: &Volume,
    layer: ConvLayer,
    folded: &FoldedConv,
    input: InputGrid,
) -> Volume {
    let scale = graph.floats(format!("{unit}.input_scale"), &[], &[input.scale]);
    let zero = graph.uint8(format!("{unit}.input_zero_point"), &[], &[input.zero_point]);
    let q = graph.node("QuantizeLinear", format!("{unit}.q"), &[&x.name, &scale, &zero], vec![]);
    let dq = graph.node("DequantizeLinear", format!("{unit}.dq"), &[&q, &scale, &zero], vec![]);

    let weights = Int8Weights::nearest(&folded.weight, layer.out);
    let shape = layer.weight_shape(x.channels);
    let values = graph.int8(format!("{unit}.weight"), &shape, &weights.values);
    let scale = graph.floats(format!("{unit}.weight_scale"), &[layer.out], &weights.scales);
    let zero = graph.int8(format!("{unit}.weight_zero_point"), &[layer.out], &vec![0; layer.out]);
    let per_output = || vec![int("axis", 0)];
    let inputs = [values.as_str(), &scale, &zero];
    let weight = graph.node("DequantizeLinear", format!("{unit}.weight.dq"), &inputs, per_output());

    // On the grid of the sums, so that integers can take it.
    let scales: Vec<f32> = weights.scales.iter().map(|scale| scale * input.scale).collect();
    let steps = |(bias, scale): (&f32, &f32)| (bias / scale).round_ties_even() as i32;
    let biases: Vec<i32> = folded.bias.iter().zip(&scales).map(steps).collect();
    let values = graph.int32(format!("{unit}.bias"), &[layer.out], &biases);
    let scale = graph.floats(format!("{unit}.bias_scale"), &[layer.out], &scales);
    let zero = graph.int32(format!("{unit}.bias_zero_point"), &[layer.out], &vec![0; layer.out]);
    let inputs = [values.as_str(), &scale, &zero];
    let bias = graph.node("DequantizeLinear", format!("{unit}.bias.dq"), &inputs, per_output());
    conv_of(graph, unit, [&dq, &weight, &bias], layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a step.
    const ROUNDING: f32 = 0.5001;

    #[test]
    fn a_grid_covers_its_ends_and_has_zero_exactly() {
        for (least, greatest) in [(-1.0, 3.0), (0.0, 6.0), (2.0, 5.0), (-4.0, -1.0), (-0.01, 100.0)] {
            let grid = InputGrid::covering(least, greatest);
            assert_eq!(grid.nearest(0.0), 0.0);
            let (low, high) = grid.ends();
            assert!(low <= least.max(low) && high >= greatest.min(0.0), "{grid:?}");
            for step in 0..100 {
                let value = least + (greatest - least) * step as f32 / 99.0;
                assert!(
                    (grid.nearest(value) - value).abs() <= ROUNDING * grid.scale(),
                    "{value} on {grid:?}"
                );
            }
            assert_eq!(grid.nearest(1e9), high);
            assert_eq!(grid.nearest(-1e9), low);
        }
    }

    #[test]
    fn a_grid_of_nothing_is_sound() {
        for (least, greatest) in [(0.0, 0.0), (f32::NAN, f32::NAN), (0.0, f32::INFINITY)] {
            assert_eq!(InputGrid::covering(least, greatest).scale(), 1.0);
        }
    }

    #[test]
    fn weights_are_off_by_at_most_half_a_step_of_their_channel() {
        let weight = [0.5, -1.0, 0.25, 100.0, 3.0, -7.0, 0.0, 0.0, 0.0];
        let near = Int8Weights::nearest(&weight, 3);
        assert_eq!(&near.values[..2], &[64, -127]);
        assert_eq!(near.scales[2], 1.0);
        for (at, (float, weight)) in near.floats().iter().zip(weight).enumerate() {
            assert!((float - weight).abs() <= ROUNDING * near.scales[at / 3], "{float} {weight}");
        }
    }
}

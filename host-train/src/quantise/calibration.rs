//! The network over some clips, in f32 and in int8.

use burn::tensor::{Device, Tensor, TensorData};
use model_export::{InputGrid, Int8Layer, Int8Plan, Int8Weights, int8_layers};
use vad_core::LiteSize;

use super::range::{Histogram, RangeMethod};
use crate::backbone::i3d_lite::{I3dLite, Pointwise};
use crate::tensors::{Array, Arrays, TensorsError};

/// What every layer saw in f32.
pub struct Calibration {
    pub(super) net: I3dLite,
    layers: Vec<String>,
    /// `[N, 3, T, H, W]`.
    pub(super) clips: Tensor<5>,
    seen: Vec<Seen>,
    /// Features of the clips, `[N, D]`.
    features: Tensor<2>,
}

/// Of one layer.
struct Seen {
    /// Of its inputs, divided.
    inputs: Histogram,
    divisors: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Mean of each output before any ReLU, `[1, outputs]`.
    outputs: Tensor<2>,
}

/// Layers in int8, and what they cost.
#[derive(Clone)]
pub struct Planned {
    /// The layers.
    pub plan: Int8Plan,
    /// How far the clips' features are off: the square root of the mean squared error over the variance of the features
    /// in f32, both over all clips and channels.
    pub error: f64,
}

/// What a layer in int8 brings by itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LayerError {
    /// Its name.
    pub layer: String,
    /// Least and greatest value of its input grid.
    pub range: (f32, f32),
    /// As [`Planned::error`], with only this layer in int8.
    pub error: f64,
}

impl Calibration {
    /// Looks at clips, `[N, 3, T, H, W]` as [`I3dLite::forward`] takes them. Everything between two layers is in memory
    /// for all of them at once.
    ///
    /// # Errors
    /// Weights that do not fit the size; `origin` says where they came from.
    pub fn new(
        size: LiteSize,
        weights: &Arrays,
        origin: &str,
        clips: Tensor<5>,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let net = I3dLite::from_arrays(size, weights, origin, "", device)?;
        let mut seen = Vec::new();
        let maps = net.maps_by(clips.clone(), &mut |layer, x| {
            let y = layer.forward(x.clone());
            let (weight, bias) = (layer.weight(), layer.bias());
            let divisors = even(&greatest(x.clone()), &weight);
            let divided: Vec<f32> = divide(x, &divisors).into_data().iter::<f32>().collect();
            seen.push(Seen {
                inputs: Histogram::of(&divided),
                divisors,
                weight,
                bias,
                outputs: mean_of_channels(y.clone()),
            });
            y
        });
        Ok(Self { layers: int8_layers(size.plan()).collect(), features: of_clips(maps), net, clips, seen })
    }

    /// Names of the layers that can be in int8.
    pub fn layers(&self) -> &[String] {
        &self.layers
    }

    /// Grids and biases for the layers that `chosen` is true of.
    pub fn plan(&self, method: RangeMethod, chosen: impl Fn(&str) -> bool) -> Planned {
        let mut plan = Int8Plan::default();
        for (layer, seen) in self.layers.iter().zip(&self.seen).filter(|(layer, _)| chosen(layer)) {
            let how = Int8Layer {
                input: seen.inputs.grid(method),
                divisors: seen.divisors.clone(),
                weight: seen.weight.clone(),
                bias: seen.bias.clone(),
            };
            plan.insert(layer.clone(), how);
        }
        self.corrected(&plan)
    }

    /// The plan with biases that make up, layer by layer, for what its rounding and that of the layers before change in the
    /// mean output.
    fn corrected(&self, plan: &Int8Plan) -> Planned {
        let mut corrected = Int8Plan::default();
        let maps = self.net.maps_by(self.clips.clone(), &mut |layer, x| {
            let name = &self.layers[layer.number];
            let Some(how) = plan.get(name) else { return layer.forward(x) };
            let y = rounded(&layer, x, how);
            let correction = self.seen[layer.number].outputs.clone() - mean_of_channels(y.clone());
            let mut how = how.clone();
            let corrections = Array::from_tensor(correction.clone()).values;
            how.bias.iter_mut().zip(corrections).for_each(|(bias, by)| *bias += by);
            corrected.insert(name.clone(), how);
            y + correction
        });
        Planned { error: self.error(maps), plan: corrected }
    }

    /// What a plan for layers of this network costs as it is.
    pub fn planned(&self, plan: Int8Plan) -> Planned {
        let maps = self.net.maps_by(self.clips.clone(), &mut |layer, x| match plan
            .get(&self.layers[layer.number])
        {
            Some(how) => rounded(&layer, x, how),
            None => layer.forward(x),
        });
        Planned { error: self.error(maps), plan }
    }

    pub(super) fn error(&self, maps: Tensor<4>) -> f64 {
        let sum = |tensor: Tensor<2>| f64::from(tensor.square().sum().into_scalar::<f32>());
        let off = sum(of_clips(maps) - self.features.clone());
        let spread = sum(self.features.clone() - self.features.clone().mean_dim(0));
        (off / spread.max(f64::MIN_POSITIVE)).sqrt()
    }

    /// What every layer that can be in int8 brings by itself, in order.
    pub fn sensitivity(&self, method: RangeMethod, step: &mut dyn FnMut()) -> Vec<LayerError> {
        let alone = |(layer, seen): (&String, &Seen)| {
            step();
            let error = self.plan(method, |name| name == layer).error;
            LayerError { layer: layer.clone(), range: seen.inputs.grid(method).ends(), error }
        };
        self.layers.iter().zip(&self.seen).map(alone).collect()
    }
}

/// A layer on its grids.
fn rounded(layer: &Pointwise<'_>, x: Tensor<2>, how: &Int8Layer) -> Tensor<2> {
    let (scale, zero) = (how.input.scale(), f32::from(how.input.zero_point()));
    let x = divide(x, &how.divisors);
    let x = (((x / scale).round() + zero).clamp(0.0, InputGrid::LAST) - zero) * scale;
    let weight = Int8Weights::nearest(&how.divided(), how.bias.len()).floats();
    layer.with(x, weight, how.bias.clone())
}

/// Each channel of `[places, C]` by its divisor, where there are any.
pub(super) fn divide(x: Tensor<2>, divisors: &[f32]) -> Tensor<2> {
    if divisors.is_empty() {
        return x;
    }
    let by = row(divisors, &x.device());
    x / by
}

/// `[1, C]`.
pub(super) fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}

/// Largest magnitude of each channel of `[places, C]`.
fn greatest(x: Tensor<2>) -> Vec<f32> {
    Array::from_tensor(x.abs().max_dim(0)).values
}

/// Divisors that share the unevenness of channels between inputs and weights `[outputs, inputs]` (SmoothQuant with half of
/// it each). A channel that says nothing keeps its width.
fn even(greatest: &[f32], weight: &[f32]) -> Vec<f32> {
    let mut weights = vec![0.0f32; greatest.len()];
    for row in weight.chunks_exact(greatest.len()) {
        weights.iter_mut().zip(row).for_each(|(most, weight)| *most = most.max(weight.abs()));
    }
    let by = |(input, weight): (&f32, &f32)| {
        let by = (input / weight).sqrt();
        if by.is_normal() { by } else { 1.0 }
    };
    greatest.iter().zip(&weights).map(by).collect()
}

/// Means over places, `[1, C]`.
fn mean_of_channels(x: Tensor<2>) -> Tensor<2> {
    x.mean_dim(0)
}

/// `[N, T, places, D]` to `[N, D]`.
fn of_clips(maps: Tensor<4>) -> Tensor<2> {
    let [n, _, _, d] = maps.dims();
    maps.mean_dim(2).mean_dim(1).reshape([n, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;

    const SIZE: LiteSize = LiteSize::Small;

    fn calibration() -> Calibration {
        let device = Device::flex();
        let clips = narrow::values([2, 3, 8, 32, 32]);
        let weights = I3dLite::init(SIZE, 1, &device).calibrate(clips.clone()).to_arrays();
        Calibration::new(SIZE, &weights, "test", clips, &device).unwrap()
    }

    #[test]
    fn no_layer_in_int8_changes_nothing() {
        let own = calibration();
        let Planned { plan, error } = own.plan(RangeMethod::Mse, |_| false);
        assert_eq!((plan, error), (Int8Plan::default(), 0.0));
    }

    #[test]
    fn every_layer_costs_something_and_all_together_more_than_the_worst() {
        let own = calibration();
        let Planned { plan, error: all } = own.plan(RangeMethod::Mse, |_| true);
        assert_eq!(plan.layers().len(), own.layers().len());
        let mut steps = 0;
        let alone = own.sensitivity(RangeMethod::Mse, &mut || steps += 1);
        assert_eq!((alone.len(), steps), (own.layers().len(), own.layers().len()));
        let worst = alone.iter().map(|layer| layer.error).fold(0.0, f64::max);
        assert!(alone.iter().all(|layer| layer.error > 0.0), "{alone:?}");
        assert!(all > worst && all < 0.5, "{all} {worst}");
    }

    #[test]
    fn even_channels_leave_less_error_than_uneven_ones() {
        let mut own = calibration();
        let even = own.plan(RangeMethod::Mse, |layer| layer.ends_with("expand")).error;
        let clips = own.clips.clone();
        let mut plain = Vec::new();
        own.net.maps_by(clips, &mut |layer, x| {
            plain.push(Histogram::of(&x.clone().into_data().iter::<f32>().collect::<Vec<_>>()));
            layer.forward(x)
        });
        for (seen, inputs) in own.seen.iter_mut().zip(plain) {
            (seen.inputs, seen.divisors) = (inputs, Vec::new());
        }
        let uneven = own.plan(RangeMethod::Mse, |layer| layer.ends_with("expand")).error;
        assert!(even < uneven, "{even} {uneven}");
    }

    #[test]
    fn a_corrected_bias_brings_features_nearer() {
        let own = calibration();
        // Coarse grids, so that rounding moves the means.
        let input = InputGrid::covering(-60.0, 60.0);
        let wide = |layer: &Pointwise<'_>| Int8Layer {
            input,
            divisors: Vec::new(),
            weight: layer.weight(),
            bias: layer.bias(),
        };
        let mut run = |corrected: bool| {
            let maps = own.net.maps_by(own.clips.clone(), &mut |layer, x| {
                let y = rounded(&layer, x, &wide(&layer));
                let off = own.seen[layer.number].outputs.clone() - mean_of_channels(y.clone());
                if corrected { y + off } else { y }
            });
            own.error(maps)
        };
        let [plain, corrected] = [false, true].map(&mut run);
        assert!(corrected < plain, "{corrected} {plain}");
    }
}

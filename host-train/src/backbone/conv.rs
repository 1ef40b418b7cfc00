//! Convolution over time and space with a bias, its parameters kept as published files keep them.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::module::conv3d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::model::initial::uniform;
use crate::params::value;
use crate::tensors::{Array, Arrays, TensorsError, require, require_shape};

/// What a layer looks like but for its number of outputs. Axes are time, height, width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) inputs: usize,
    pub(crate) kernel: [usize; 3],
    pub(crate) stride: [usize; 3],
    /// Zeros before and after each axis.
    pub(crate) padding: [usize; 3],
}

impl Shape {
    /// A layer that mixes the channels of each place.
    pub(crate) fn pointwise(inputs: usize) -> Self {
        Self { inputs, kernel: [1; 3], stride: [1; 3], padding: [0; 3] }
    }

    /// A layer that looks one place around and keeps the size.
    pub(crate) fn around(inputs: usize) -> Self {
        Self { kernel: [3; 3], padding: [1; 3], ..Self::pointwise(inputs) }
    }
}

/// A convolution with bias.
#[derive(Module, Debug)]
pub(crate) struct Conv {
    /// `[outputs, inputs, kt, kh, kw]`.
    weight: Param<Tensor<5>>,
    bias: Param<Tensor<1>>,
    stride: [usize; 3],
    padding: [usize; 3],
}

impl Conv {
    /// Loads `NAME.weight` (`[outputs, inputs, kt, kh, kw]`) and `NAME.bias`; the number of outputs follows the weight.
    ///
    /// # Errors
    /// When an array is missing or of another shape; `origin` says where the arrays came from.
    pub(crate) fn from_arrays(
        arrays: &Arrays,
        origin: &str,
        name: &str,
        shape: Shape,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let weight = stored_weight(arrays, origin, &format!("{name}.weight"), shape.inputs, shape.kernel)?;
        let bias = require_shape(arrays, origin, &format!("{name}.bias"), &[weight.shape[0]])?;
        Ok(Self::from_parts(weight.clone(), bias.clone(), shape, device))
    }

    /// Fresh weights and biases as PyTorch draws them: uniform within `1 / sqrt(fan_in)` of zero.
    pub(crate) fn init(shape: Shape, outputs: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let [t, h, w] = shape.kernel;
        let fan_in = shape.inputs * t * h * w;
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        let weight = uniform(bound, outputs * fan_in, rng);
        let weight = Array { shape: vec![outputs, shape.inputs, t, h, w], values: weight };
        let bias = Array { shape: vec![outputs], values: uniform(bound, outputs, rng) };
        Self::from_parts(weight, bias, shape, device)
    }

    fn from_parts(weight: Array, bias: Array, shape: Shape, device: &Device) -> Self {
        Self {
            weight: Param::from_data(TensorData::new(weight.values, weight.shape), device),
            bias: Param::from_data(TensorData::new(bias.values, bias.shape), device),
            stride: shape.stride,
            padding: shape.padding,
        }
    }

    /// Convolves; windows that do not fit are dropped.
    ///
    /// # Shapes
    /// `[N, inputs, T, H, W]` to `[N, outputs, T', H', W']`.
    pub(crate) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let options = ConvOptions::new(self.stride, self.padding, [1; 3], 1);
        conv3d(x, self.weight.val(), Some(self.bias.val()), options)
    }

    /// Channels before and after.
    pub(crate) fn widths(&self) -> [usize; 2] {
        let [outputs, inputs, ..] = self.weight.dims();
        [inputs, outputs]
    }

    /// Extent of the kernel over time, height and width.
    pub(crate) fn kernel(&self) -> [usize; 3] {
        let [_, _, t, h, w] = self.weight.dims();
        [t, h, w]
    }

    /// Adds the parameters, or their gradients (zero where there is none), as `NAME.weight` and `NAME.bias`.
    pub(crate) fn store(&self, name: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        arrays.insert(format!("{name}.weight"), Array::from_tensor(value(&self.weight, grads)));
        arrays.insert(format!("{name}.bias"), Array::from_tensor(value(&self.bias, grads)));
    }
}

/// The weight of a convolution, whatever its number of outputs.
///
/// # Errors
/// When it is missing, has no outputs, or has other inputs or another kernel.
pub(crate) fn stored_weight<'a>(
    arrays: &'a Arrays,
    origin: &str,
    name: &str,
    inputs: usize,
    [t, h, w]: [usize; 3],
) -> Result<&'a Array, TensorsError> {
    let outputs = require(arrays, origin, name)?.shape.first().copied().unwrap_or(0);
    require_shape(arrays, origin, name, &[outputs.max(1), inputs, t, h, w])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn first_values_stay_within_their_bound_and_survive_a_round_trip() {
        let device = Device::flex();
        let shape = Shape::around(4);
        let conv = Conv::init(shape, 3, &mut stream(1, Purpose::Weights, 0), &device);
        let mut arrays = Arrays::new();
        conv.store("c", None, &mut arrays);
        assert_eq!(arrays["c.weight"].shape, [3, 4, 3, 3, 3]);
        let bound = 1.0 / (4.0_f32 * 27.0).sqrt();
        let largest = |values: &[f32]| values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let most = largest(&arrays["c.weight"].values);
        assert!(most <= bound && most > 0.9 * bound, "{most} {bound}");
        assert!(largest(&arrays["c.bias"].values) <= bound);
        let mut again = Arrays::new();
        Conv::from_arrays(&arrays, "test", "c", shape, &device).unwrap().store("c", None, &mut again);
        assert_eq!(again, arrays);
    }

    #[test]
    fn another_number_of_inputs_is_refused_by_name() {
        let device = Device::flex();
        let conv = Conv::init(Shape::pointwise(4), 3, &mut stream(1, Purpose::Weights, 0), &device);
        let mut arrays = Arrays::new();
        conv.store("c", None, &mut arrays);
        let error = Conv::from_arrays(&arrays, "test", "c", Shape::pointwise(5), &device).unwrap_err();
        assert!(error.to_string().contains("c.weight"), "{error}");
    }
}

//! The pseudo-label generator of MIST (CVPR 2021, section 3.2): a small perceptron that scores one clip.
//!
//! `D - 512 - ReLU - dropout - 32 - dropout - 1 - sigmoid`, without ReLU after the 32. Parameters carry the names
//! of the published code (`regressor.0`, `.3`, `.5`; the numbers between are ReLU and dropout layers).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;

use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Array, Arrays, TensorsError, require, require_shape};

/// Names of the three linear layers, in order.
pub const LAYERS: [&str; 3] = ["regressor.0", "regressor.3", "regressor.5"];

/// Widths of the two hidden layers in the paper.
pub const PUBLISHED_HIDDEN: [usize; 2] = [512, 32];

/// Scores clips by their features: high means abnormal.
#[derive(Module, Debug)]
pub struct MistGenerator {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl MistGenerator {
    /// Fresh weights: Kaiming normal (standard deviation `sqrt(2 / fan_in)`), zero biases, drawn from `seed`.
    pub fn init(feature_dim: usize, hidden: [usize; 2], seed: u64, device: &Device) -> Self {
        let [first, second] = hidden;
        let layer = |index: u64, inputs: usize, outputs: usize| {
            let weight =
                Array { shape: vec![outputs, inputs], values: kaiming_normal(index, inputs, outputs, seed) };
            linear(&weight, &Array { shape: vec![outputs], values: vec![0.0; outputs] }, device)
        };
        Self { fc1: layer(0, feature_dim, first), fc2: layer(1, first, second), fc3: layer(2, second, 1) }
    }

    /// Loads `regressor.{0,3,5}.{weight,bias}`; weights are `[outputs, inputs]`. Widths follow the arrays.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let outputs = |layer: &str| {
            let bias = require(arrays, origin, &format!("{layer}.bias"))?;
            Ok::<usize, TensorsError>(bias.values.len())
        };
        let input_dim = require(arrays, origin, "regressor.0.weight")?.shape.last().copied().unwrap_or(0);
        let widths = [input_dim, outputs(LAYERS[0])?, outputs(LAYERS[1])?, 1];
        let layer = |index: usize| {
            let name = LAYERS[index];
            let (fan_in, fan_out) = (widths[index], widths[index + 1]);
            let weight = require_shape(arrays, origin, &format!("{name}.weight"), &[fan_out, fan_in])?;
            let bias = require_shape(arrays, origin, &format!("{name}.bias"), &[fan_out])?;
            Ok::<Linear, TensorsError>(linear(weight, bias, device))
        };
        Ok(Self { fc1: layer(0)?, fc2: layer(1)?, fc3: layer(2)? })
    }

    /// The parameters under their published names; weights are `[outputs, inputs]`.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = Arrays::new();
        for (name, layer) in LAYERS.iter().zip([&self.fc1, &self.fc2, &self.fc3]) {
            let weight = layer.weight.val().transpose();
            arrays.insert(format!("{name}.weight"), Array::from_tensor(weight));
            if let Some(bias) = &layer.bias {
                arrays.insert(format!("{name}.bias"), Array::from_tensor(bias.val()));
            }
        }
        arrays
    }

    /// A head of the same shape that holds the gradients in place of the parameters (zero where there is none).
    pub fn gradients(&self, grads: &GradientsParams) -> Self {
        let layer = |layer: &Linear| {
            let weight =
                grads.get(layer.weight.id).unwrap_or_else(|| layer.weight.val().inner().zeros_like());
            let bias = layer.bias.as_ref().map(|bias| {
                Param::from_tensor(grads.get(bias.id).unwrap_or_else(|| bias.val().inner().zeros_like()))
            });
            Linear { weight: Param::from_tensor(weight), bias }
        };
        Self { fc1: layer(&self.fc1), fc2: layer(&self.fc2), fc3: layer(&self.fc3) }
    }

    /// The reverse of [`MistGenerator::gradients`]: gradients given as arrays, attached to this head's parameters.
    ///
    /// # Errors
    /// When an array is missing or of another shape than its parameter.
    pub fn with_gradients(&self, arrays: &Arrays, origin: &str) -> Result<GradientsParams, TensorsError> {
        let plain = self.fc1.weight.val().device().inner();
        let given = Self::from_arrays(arrays, origin, &plain)?;
        let mut grads = GradientsParams::new();
        for (own, given) in [(&self.fc1, given.fc1), (&self.fc2, given.fc2), (&self.fc3, given.fc3)] {
            grads.register(own.weight.id, given.weight.val());
            if let (Some(own), Some(given)) = (&own.bias, given.bias) {
                grads.register(own.id, given.val());
            }
        }
        Ok(grads)
    }

    /// Width of the features that it scores.
    pub fn feature_dim(&self) -> usize {
        self.fc1.weight.dims()[0]
    }

    /// Widths from input to output, for example `[1024, 512, 32, 1]`.
    pub fn dims(&self) -> Vec<usize> {
        let [input, first] = self.fc1.weight.dims();
        let [second, output] = self.fc3.weight.dims();
        vec![input, first, second, output]
    }

    /// Scores without dropout.
    ///
    /// # Shapes
    /// `[clips, D]` to `[clips]`, each within 0..=1.
    pub fn forward(&self, features: Tensor<2>) -> Tensor<1> {
        let hidden = self.fc2.forward(relu(self.fc1.forward(features)));
        sigmoid(self.fc3.forward(hidden)).squeeze_dim(1)
    }

    /// Scores with dropout for a batch in which clips occur several times.
    ///
    /// Dropout comes after the first layer, so that layer runs once per distinct clip; every occurrence still has
    /// a mask of its own. That equals the plain computation and costs a fraction when videos are short.
    ///
    /// # Shapes
    /// `distinct` is `[clips, D]`; `occurrences` holds `R` row numbers of it; the masks are `[R, 512]` and
    /// `[R, 32]`; the result is `[R]`.
    pub fn forward_train(
        &self,
        distinct: Tensor<2>,
        occurrences: Tensor<1, Int>,
        masks: [Option<Mask>; 2],
    ) -> Tensor<1> {
        let [first, second] = masks;
        let hidden = relu(self.fc1.forward(distinct)).select(0, occurrences);
        let hidden = self.fc2.forward(apply(hidden, first));
        sigmoid(self.fc3.forward(apply(hidden, second))).squeeze_dim(1)
    }
}

fn apply(hidden: Tensor<2>, mask: Option<Mask>) -> Tensor<2> {
    match mask {
        Some(mask) => hidden * mask.into_tensor(),
        None => hidden,
    }
}

/// burn keeps `[inputs, outputs]`; files keep `[outputs, inputs]`.
fn linear(weight: &Array, bias: &Array, device: &Device) -> Linear {
    let [outputs, inputs] = [weight.shape[0], weight.shape[1]];
    let mut transposed = vec![0.0_f32; inputs * outputs];
    for (row, values) in weight.values.chunks_exact(inputs.max(1)).enumerate() {
        for (column, value) in values.iter().enumerate() {
            transposed[column * outputs + row] = *value;
        }
    }
    let weight = burn::tensor::TensorData::new(transposed, [inputs, outputs]);
    let bias = burn::tensor::TensorData::new(bias.values.clone(), [outputs]);
    Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
}

/// Normal deviates by Box and Muller, scaled to `sqrt(2 / fan_in)`; row-major `[outputs, inputs]`.
fn kaiming_normal(index: u64, fan_in: usize, fan_out: usize, seed: u64) -> Vec<f32> {
    let mut rng = stream(seed, Purpose::Weights, index);
    let deviation = (2.0 / fan_in.max(1) as f64).sqrt();
    let mut values = Vec::with_capacity(fan_in * fan_out + 1);
    while values.len() < fan_in * fan_out {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let (sine, cosine) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
    }
    values.truncate(fan_in * fan_out);
    values
}

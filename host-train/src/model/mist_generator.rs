//! The pseudo-label generator of MIST (CVPR 2021, section 3.2): a small perceptron that scores one clip.
//!
//! `D - 512 - ReLU - dropout - 32 - dropout - 1 - sigmoid`, without ReLU after the 32. Parameters carry the names
//! of the published code (`regressor.0`, `.3`, `.5`; the numbers between are ReLU and dropout layers). Its scores enter eq 1
//! and 7 ([`crate::loss::mil_ranking`]); 541,249 parameters at D = 1024, 2,114,113 at D = 4096.

use burn::module::Module;
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Int, Tensor};

use super::dense;
use super::initial::normal;
use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Array, Arrays, TensorsError};

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
            dense::from_parts(&weight, &Array { shape: vec![outputs], values: vec![0.0; outputs] }, device)
        };
        Self { fc1: layer(0, feature_dim, first), fc2: layer(1, first, second), fc3: layer(2, second, 1) }
    }

    /// Loads `regressor.{0,3,5}.{weight,bias}`; weights are `[outputs, inputs]`. Widths follow the arrays.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let [fc1, fc2, fc3] = dense::load_chain(arrays, origin, LAYERS, 1, device)?;
        Ok(Self { fc1, fc2, fc3 })
    }

    /// The parameters under their published names; weights are `[outputs, inputs]`.
    pub fn to_arrays(&self) -> Arrays {
        dense::store_chain(LAYERS, self.layers())
    }

    /// A head of the same shape that holds the gradients in place of the parameters (zero where there is none).
    pub fn gradients(&self, grads: &GradientsParams) -> Self {
        let [fc1, fc2, fc3] = self.layers().map(|layer| dense::gradients(layer, grads));
        Self { fc1, fc2, fc3 }
    }

    /// The reverse of [`MistGenerator::gradients`]: gradients given as arrays, attached to this head's parameters.
    ///
    /// # Errors
    /// When an array is missing or of another shape than its parameter.
    pub fn with_gradients(&self, arrays: &Arrays, origin: &str) -> Result<GradientsParams, TensorsError> {
        let given = dense::load_chain(arrays, origin, LAYERS, 1, &dense::plain_device(&self.fc1))?;
        Ok(dense::as_gradients(self.layers(), given))
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
        let hidden = self.fc2.forward(dense::drop_units(hidden, first));
        sigmoid(self.fc3.forward(dense::drop_units(hidden, second))).squeeze_dim(1)
    }

    fn layers(&self) -> [&Linear; 3] {
        [&self.fc1, &self.fc2, &self.fc3]
    }
}

/// Normal with deviation `sqrt(2 / fan_in)`; row-major `[outputs, inputs]`.
fn kaiming_normal(index: u64, fan_in: usize, fan_out: usize, seed: u64) -> Vec<f32> {
    let mut rng = stream(seed, Purpose::Weights, index);
    normal((2.0 / fan_in.max(1) as f64).sqrt(), fan_in * fan_out, &mut rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_parameters_of_the_published_network() {
        for (feature_dim, parameters) in [(1024, 541_249), (4096, 2_114_113)] {
            let model = MistGenerator::init(feature_dim, PUBLISHED_HIDDEN, 1, &Device::flex());
            assert_eq!(model.num_params(), parameters);
        }
    }
}

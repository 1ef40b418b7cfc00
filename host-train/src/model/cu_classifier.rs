//! The clip classifier of CU (CVPR 2023, section 3.3): a small perceptron on a clip and its memory.
//!
//! `2D - 512 - ReLU - dropout - 32 - dropout - 2 - softmax`, without ReLU after the 32; class 1 is abnormal. The input is
//! the clip beside the mean of the clips before it ([`crate::memory`]). Parameters carry the names of the published code
//! (`Regressor.0`, `.3`, `.5`; the numbers between are ReLU and dropout layers). It learns by eq 11
//! ([`crate::loss::soft_cross_entropy`]); 2,114,146 parameters at D = 2048.

use burn::module::Module;
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::dense;
use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError};

/// Names of the three linear layers, in order.
pub const LAYERS: [&str; 3] = ["Regressor.0", "Regressor.3", "Regressor.5"];

/// Widths of the two hidden layers in the paper.
pub const PUBLISHED_HIDDEN: [usize; 2] = [512, 32];

/// Normal and abnormal.
const CLASSES: usize = 2;

/// Beyond the numbers of the generator's layers, so that the two never draw the same weights.
const FIRST_LAYER: u64 = 1 << 32;

/// Tells abnormal clips from normal ones.
#[derive(Module, Debug)]
pub struct CuClassifier {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

/// Output of the first layer after its ReLU, `[rows, 512]`: what all dropout passes over the same clips have in common.
#[derive(Clone, Debug)]
pub struct Hidden(Tensor<2>);

impl CuClassifier {
    /// Fresh weights and biases, uniform within `1 / sqrt(fan_in)`: the published code keeps PyTorch's default.
    /// `feature_dim` is the width of one clip (D).
    pub fn init(feature_dim: usize, hidden: [usize; 2], seed: u64, device: &Device) -> Self {
        let [first, second] = hidden;
        let layer = |index: u64, inputs: usize, outputs: usize| {
            let mut rng = stream(seed, Purpose::Weights, FIRST_LAYER + index);
            dense::init(inputs, outputs, &mut rng, device)
        };
        Self {
            fc1: layer(0, 2 * feature_dim, first),
            fc2: layer(1, first, second),
            fc3: layer(2, second, CLASSES),
        }
    }

    /// Loads `Regressor.{0,3,5}.{weight,bias}`; weights are `[outputs, inputs]`. Widths follow the arrays.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let [fc1, fc2, fc3] = dense::load_chain(arrays, origin, LAYERS, CLASSES, device)?;
        Ok(Self { fc1, fc2, fc3 })
    }

    /// The parameters under their published names; weights are `[outputs, inputs]`.
    pub fn to_arrays(&self) -> Arrays {
        dense::store_chain(LAYERS, self.layers())
    }

    /// A classifier of the same shape that holds the gradients in place of the parameters (zero where there is none).
    pub fn gradients(&self, grads: &GradientsParams) -> Self {
        let [fc1, fc2, fc3] = self.layers().map(|layer| dense::gradients(layer, grads));
        Self { fc1, fc2, fc3 }
    }

    /// The reverse of [`CuClassifier::gradients`]: gradients given as arrays, attached to this classifier's parameters.
    ///
    /// # Errors
    /// When an array is missing or of another shape than its parameter.
    pub fn with_gradients(&self, arrays: &Arrays, origin: &str) -> Result<GradientsParams, TensorsError> {
        let given = dense::load_chain(arrays, origin, LAYERS, CLASSES, &dense::plain_device(&self.fc1))?;
        Ok(dense::as_gradients(self.layers(), given))
    }

    /// Width of one clip (D); the input is twice as wide.
    pub fn feature_dim(&self) -> usize {
        self.fc1.weight.dims()[0] / 2
    }

    /// Width of one clip and of the two hidden layers.
    pub fn widths(&self) -> [usize; 3] {
        let [first, second] = self.fc2.weight.dims();
        [self.feature_dim(), first, second]
    }

    /// Draws the masks of one pass over `rows` inputs.
    pub fn draw_masks(
        &self,
        rate: f64,
        rows: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> [Option<Mask>; 2] {
        [&self.fc1, &self.fc2].map(|layer| Mask::draw(rate, rows, layer.weight.dims()[1], rng, device))
    }

    /// The part of a pass that dropout does not touch.
    ///
    /// # Shapes
    /// `inputs` is `[rows, 2D]`.
    pub fn hidden(&self, inputs: Tensor<2>) -> Hidden {
        Hidden(relu(self.fc1.forward(inputs)))
    }

    /// The rest of a pass, with dropout where there are masks.
    ///
    /// # Shapes
    /// The masks are `[rows, 512]` and `[rows, 32]`; the result is `[rows, 2]`.
    pub fn logits(&self, hidden: &Hidden, masks: [Option<Mask>; 2]) -> Tensor<2> {
        let [first, second] = masks;
        let narrow = self.fc2.forward(dense::drop_units(hidden.0.clone(), first));
        self.fc3.forward(dense::drop_units(narrow, second))
    }

    /// Logits without dropout.
    ///
    /// # Shapes
    /// `[rows, 2D]` to `[rows, 2]`.
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        self.logits(&self.hidden(inputs), [None, None])
    }

    /// Logits with dropout.
    ///
    /// # Shapes
    /// As [`CuClassifier::forward`]; masks as for [`CuClassifier::logits`].
    pub fn forward_train(&self, inputs: Tensor<2>, masks: [Option<Mask>; 2]) -> Tensor<2> {
        self.logits(&self.hidden(inputs), masks)
    }

    fn layers(&self) -> [&Linear; 3] {
        [&self.fc1, &self.fc2, &self.fc3]
    }
}

/// Scores of clips: the probability of class 1, averaged over crops.
///
/// # Shapes
/// `[clips * crops, 2]` to `[clips]`, each within 0..=1.
pub fn clip_scores(logits: Tensor<2>, crops: usize) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let crops = crops.max(1);
    let abnormal: Tensor<2> = softmax(logits, 1).narrow(1, 1, 1).reshape([rows / crops, crops]);
    abnormal.mean_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features of I3D-ResNet50.
    const FEATURE_DIM: usize = 2048;

    #[test]
    fn it_has_the_parameters_of_the_published_network() {
        let model = CuClassifier::init(FEATURE_DIM, PUBLISHED_HIDDEN, 1, &Device::flex());
        assert_eq!(model.num_params(), 4096 * 512 + 512 + 512 * 32 + 32 + 32 * 2 + 2);
    }

    #[test]
    fn it_survives_a_round_trip() {
        let device = Device::flex();
        let arrays = CuClassifier::init(3, [5, 4], 1, &device).to_arrays();
        assert_eq!(CuClassifier::from_arrays(&arrays, "test", &device).unwrap().to_arrays(), arrays);
    }
}

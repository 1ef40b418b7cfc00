//! The perceptron of Sultani, Chen and Shah (CVPR 2018, section 4.2): scores one segment or clip.
//!
//! `D - 512 - ReLU - dropout - 32 - dropout - 1 - sigmoid`, without ReLU after the 32. MIST took its generator from here, so
//! parameters have the names that exporters know from there (`regressor.0`, `.3`, `.5`; the numbers between are ReLU and
//! dropout layers). 2,114,113 of them at D = 4096. Its scores enter eq 6 and 7 ([`crate::loss::sultani`]).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::dense;
use super::initial::xavier_normal;
use super::mist_generator::LAYERS;
use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Array, Arrays, TensorsError};

/// Widths of the two hidden layers in the paper.
pub const PUBLISHED_HIDDEN: [usize; 2] = [512, 32];

/// Scores features one by one: high means abnormal.
#[derive(Module, Debug)]
pub struct Sultani {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Sultani {
    /// Fresh weights: Xavier normal (standard deviation `sqrt(2 / (fan_in + fan_out))`), zero biases, drawn from `seed`.
    pub fn init(feature_dim: usize, hidden: [usize; 2], seed: u64, device: &Device) -> Self {
        let [first, second] = hidden;
        let layer = |index: u64, inputs: usize, outputs: usize| {
            let mut rng = stream(seed, Purpose::Weights, index);
            let values = xavier_normal(inputs, outputs, &mut rng);
            let weight = Array { shape: vec![outputs, inputs], values };
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

    /// The parameters under their names; weights are `[outputs, inputs]`.
    pub fn to_arrays(&self) -> Arrays {
        dense::store_chain(LAYERS, self.layers())
    }

    /// Widths from input to output, for example `[4096, 512, 32, 1]`.
    pub fn dims(&self) -> Vec<usize> {
        let [input, first] = self.fc1.weight.dims();
        let [second, output] = self.fc3.weight.dims();
        vec![input, first, second, output]
    }

    /// The sum of all squared weights, biases not counted: one element.
    pub fn squared_weights(&self) -> Tensor<1> {
        let [first, second, third] = self.layers().map(|layer| layer.weight.val().square().sum());
        first + second + third
    }

    /// Draws the masks of one pass over `rows` features.
    pub fn draw_masks(
        &self,
        rate: f64,
        rows: usize,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> [Option<Mask>; 2] {
        [&self.fc1, &self.fc2].map(|layer| Mask::draw(rate, rows, layer.weight.dims()[1], rng, device))
    }

    /// Scores without dropout, averaged over crops.
    ///
    /// # Shapes
    /// `[videos, crops, clips, D]` to `[videos, clips]`, each within 0..=1.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        self.forward_train(features, [None, None])
    }

    /// Scores with dropout, averaged over crops.
    ///
    /// # Shapes
    /// As [`Sultani::forward`]; the masks are `[videos * crops * clips, 512]` and `[.., 32]`.
    pub fn forward_train(&self, features: Tensor<4>, masks: [Option<Mask>; 2]) -> Tensor<2> {
        let [videos, crops, clips, dim] = features.dims();
        let [first, second] = masks;
        let rows: Tensor<2> = features.reshape([videos * crops * clips, dim]);
        let hidden = dense::drop_units(relu(self.fc1.forward(rows)), first);
        let hidden = dense::drop_units(self.fc2.forward(hidden), second);
        let by_crop: Tensor<3> = sigmoid(self.fc3.forward(hidden)).reshape([videos, crops, clips]);
        by_crop.mean_dim(1).squeeze_dim(1)
    }

    fn layers(&self) -> [&Linear; 3] {
        [&self.fc1, &self.fc2, &self.fc3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    /// C3D, layer fc6.
    const FEATURE_DIM: usize = 4096;

    #[test]
    fn it_has_the_parameters_of_the_published_network_and_their_deviation() {
        let model = Sultani::init(FEATURE_DIM, PUBLISHED_HIDDEN, 1, &Device::flex());
        assert_eq!(model.num_params(), 2_114_113);
        let weight = &model.to_arrays()["regressor.0.weight"];
        let squares: f64 = weight.values.iter().map(|value| f64::from(*value).powi(2)).sum();
        let deviation = (squares / weight.values.len() as f64).sqrt();
        let wanted = (2.0 / (4096.0 + 512.0_f64)).sqrt();
        // Ten standard deviations of the estimate from two million draws.
        assert!((deviation / wanted - 1.0).abs() < 5e-3, "{deviation} {wanted}");
    }

    #[test]
    fn scores_are_means_over_crops_and_the_second_layer_stays_linear() {
        let device = Device::flex();
        let array =
            |shape: &[usize], values: &[f32]| Array { shape: shape.to_vec(), values: values.to_vec() };
        let arrays = Arrays::from([
            ("regressor.0.weight".to_owned(), array(&[1, 1], &[1.0])),
            ("regressor.0.bias".to_owned(), array(&[1], &[0.0])),
            ("regressor.3.weight".to_owned(), array(&[1, 1], &[-2.0])),
            ("regressor.3.bias".to_owned(), array(&[1], &[0.0])),
            ("regressor.5.weight".to_owned(), array(&[1, 1], &[3.0])),
            ("regressor.5.bias".to_owned(), array(&[1], &[0.0])),
        ]);
        let model = Sultani::from_arrays(&arrays, "test", &device).unwrap();
        assert_eq!(model.to_arrays(), arrays);
        assert_eq!(model.squared_weights().into_scalar::<f32>(), 14.0);
        // Two crops of one clip: the first is cut off by the ReLU, the second gives sigmoid(-6).
        let features = Tensor::from_data(TensorData::new(vec![-1.0_f32, 1.0], [1, 2, 1, 1]), &device);
        let score = model.forward(features).into_scalar::<f32>();
        let wanted = (0.5 + 1.0 / (1.0 + 6.0_f32.exp())) / 2.0;
        assert!((score - wanted).abs() < 1e-6, "{score} {wanted}");
    }
}

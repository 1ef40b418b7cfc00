//! ARMS (TMM 2024, fig 5): scores clips that have looked at each other.
//!
//! ```text
//! x        [videos, crops, clips, D]                  features; crops of a video go through apart
//! z        [videos * crops * clips, width]            ReLU(conv(x)), a convolution over three clips
//! Q, K, V  [videos * crops, 8, clips, width / 8]      one linear layer of z, in eight heads
//! A        [videos * crops, 8, clips, clips]          softmax(Q K^T / sqrt(width / 8)), rows sum to 1
//! a        [videos * crops * clips, width]            one linear layer of the heads' A V, side by side
//! y        [videos * crops * clips, width]            norm(z + a)
//! scores   [videos, clips]                            sigmoid(fc2(ReLU(fc1(y)))), 32 units between, mean over crops
//! ```
//!
//! The paper draws the units and prints 10.53 M parameters, but neither width nor places of ReLU and normalisation; width
//! 1024 with one normalisation has 10,525,761 at D = 2048. ReLU after the convolution, the normalisation after the sum
//! (as in the first transformers) and ReLU between the last layers are this project's choice. There is no dropout.
//! The scores enter eq 3 and 4 ([`crate::loss::ar_mil`]).

pub mod attention;
pub mod layer_norm;

use std::convert::Infallible;

use burn::module::Module;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::conv::{Conv, Shape};
use super::initial::{uniform, xavier_uniform};
use crate::rng::{Purpose, stream};
use crate::tensors::{Array, Arrays, TensorsError, require, require_shape};
use attention::{HEADS, SelfAttention};
use layer_norm::LayerNorm;

/// Width of the convolution's output and of the attention; it follows from the printed number of parameters.
pub const PUBLISHED_WIDTH: usize = 1024;

/// Width of the hidden layer of the head.
pub const HIDDEN: usize = 32;

/// The network. Its units are public so that they can be tried in another order.
#[derive(Module, Debug)]
pub struct Arms {
    /// Over three clips, `D -> width`.
    pub conv: Conv,
    /// Over all clips of a video.
    pub attention: SelfAttention,
    /// Of each clip.
    pub norm: LayerNorm,
    /// `width -> 32`.
    pub fc1: Conv,
    /// `32 -> 1`.
    pub fc2: Conv,
}

/// What fresh weights are drawn by; every iteration of a training starts from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Seed of the training.
    pub seed: u64,
    /// Its iteration, from 0.
    pub iteration: u64,
}

impl Arms {
    /// Fresh weights as PyTorch draws them by default (the paper names no other way). `width` is a multiple of [`HEADS`].
    pub fn init(dim: usize, width: usize, start: Start, device: &Device) -> Self {
        let mut fresh = Fresh { start, drawn: 0, bound: 0.0 };
        let mut source = |name: &str, shape: &[usize]| {
            Ok::<_, Infallible>(Array { shape: shape.to_vec(), values: fresh.values(name, shape) })
        };
        let Ok(model) = Self::build(dim, width, &mut source, device);
        model
    }

    /// Loads `conv`, `mha`, `ln`, `fc1` and `fc2`; widths follow `conv.weight`, `[width, D, 3]`.
    ///
    /// # Errors
    /// When an array is missing or of another shape; `origin` says where the arrays came from.
    pub fn from_arrays(arrays: &Arrays, origin: &str, device: &Device) -> Result<Self, TensorsError> {
        let shape = &require(arrays, origin, "conv.weight")?.shape;
        let extent = |index: usize| shape.get(index).copied().unwrap_or(0).max(1);
        let (width, dim) = (extent(0).next_multiple_of(HEADS), extent(1));
        let mut source = |name: &str, shape: &[usize]| require_shape(arrays, origin, name, shape).cloned();
        Self::build(dim, width, &mut source, device)
    }

    fn build<E>(
        dim: usize,
        width: usize,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        Ok(Self {
            conv: Conv::build("conv", Shape::dilated(dim, width, 1), source, device)?,
            attention: SelfAttention::build(width, source, device)?,
            norm: LayerNorm::build("ln", width, source, device)?,
            fc1: Conv::build("fc1", Shape::linear(width, HIDDEN), source, device)?,
            fc2: Conv::build("fc2", Shape::linear(HIDDEN, 1), source, device)?,
        })
    }

    /// The parameters by name, in PyTorch's layout.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = Arrays::new();
        for (name, layer) in [("conv", &self.conv), ("fc1", &self.fc1), ("fc2", &self.fc2)] {
            layer.store(name, None, &mut arrays);
        }
        self.attention.store(&mut arrays);
        self.norm.store("ln", &mut arrays);
        arrays
    }

    /// Width of the features that it scores.
    pub fn feature_dim(&self) -> usize {
        self.conv.centre().dims()[0]
    }

    /// Width of the attention.
    pub fn width(&self) -> usize {
        self.conv.centre().dims()[1]
    }

    /// The score of every clip, the mean over crops. Videos may have any number of clips, at least one.
    ///
    /// # Shapes
    /// `[videos, crops, clips, D]` to `[videos, clips]`, each within 0..=1.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        let [videos, crops, clips, dim] = features.dims();
        let rows: Tensor<2> = features.reshape([videos * crops * clips, dim]);
        let near = relu(self.conv.forward(rows, clips));
        let far = self.attention.forward(near.clone(), clips);
        let seen = self.norm.forward(near + far);
        let hidden = relu(self.fc1.forward(seen, clips));
        let scores: Tensor<3> = sigmoid(self.fc2.forward(hidden, clips)).reshape([videos, crops, clips]);
        scores.mean_dim(1).squeeze_dim(1)
    }
}

/// First values, array after array.
struct Fresh {
    start: Start,
    drawn: u64,
    /// Of the last weight, for the bias that follows it.
    bound: f64,
}

impl Fresh {
    fn values(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        match name {
            "mha.in_proj_weight" => xavier_uniform(shape, &mut self.stream()),
            "ln.weight" => vec![1.0; count],
            "ln.bias" | "mha.in_proj_bias" | "mha.out_proj.bias" => vec![0.0; count],
            _ => {
                if shape.len() > 1 {
                    let fan_in: usize = shape.iter().skip(1).product();
                    self.bound = 1.0 / (fan_in.max(1) as f64).sqrt();
                }
                uniform(self.bound, count, &mut self.stream())
            }
        }
    }

    fn stream(&mut self) -> ChaCha8Rng {
        self.drawn += 1;
        stream(self.start.seed, Purpose::Weights, (self.start.iteration << 32) | self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    /// Features of I3D-ResNet50.
    const FEATURE_DIM: usize = 2048;

    const START: Start = Start { seed: 3, iteration: 0 };

    fn scores(model: &Arms, features: &[f32], shape: [usize; 4]) -> Vec<f32> {
        let features = Tensor::from_data(TensorData::new(features.to_vec(), shape), &Device::flex());
        model.forward(features).into_data().iter::<f32>().collect()
    }

    #[test]
    fn the_published_size_has_the_parameters_of_the_paper() {
        let model = Arms::init(FEATURE_DIM, PUBLISHED_WIDTH, START, &Device::flex());
        assert_eq!(model.num_params(), 10_525_761);
    }

    #[test]
    fn first_weights_are_those_of_pytorch_and_differ_between_iterations() {
        let arrays = Arms::init(12, 16, START, &Device::flex()).to_arrays();
        let largest =
            |name: &str| arrays[name].values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        for (name, bound) in [
            ("conv.weight", (1.0_f32 / 36.0).sqrt()),
            ("conv.bias", (1.0_f32 / 36.0).sqrt()),
            ("mha.in_proj_weight", (6.0_f32 / 64.0).sqrt()),
            ("mha.out_proj.weight", 0.25),
            ("fc2.bias", (1.0_f32 / 32.0).sqrt()),
        ] {
            assert!(largest(name) <= bound && largest(name) > 0.0, "{name}: {} {bound}", largest(name));
        }
        assert!(largest("conv.weight") > 0.95 / 6.0);
        assert_eq!(arrays["conv.weight"].shape, [16, 12, 3]);
        assert_eq!((largest("mha.in_proj_bias"), largest("ln.weight")), (0.0, 1.0));
        let later = Arms::init(12, 16, Start { iteration: 1, ..START }, &Device::flex()).to_arrays();
        assert_ne!(later["conv.weight"], arrays["conv.weight"]);
    }

    #[test]
    fn arrays_survive_a_round_trip_and_odd_widths_are_refused() {
        let device = Device::flex();
        let arrays = Arms::init(5, 16, START, &device).to_arrays();
        assert_eq!(Arms::from_arrays(&arrays, "test", &device).unwrap().to_arrays(), arrays);
        let odd = Array { shape: vec![12, 5, 3], values: vec![0.0; 12 * 5 * 3] };
        let broken = Arrays::from([("conv.weight".to_owned(), odd)]);
        let error = Arms::from_arrays(&broken, "test", &device).unwrap_err().to_string();
        assert!(error.contains("conv.weight") && error.contains("[16, 5, 3]"), "{error}");
    }

    #[test]
    fn one_clip_is_enough_and_crops_are_averaged() {
        let model = Arms::init(6, 8, START, &Device::flex());
        let [one, other] = [0.1_f32, 2.0].map(|scale| [1.0, -1.0, 0.5, 2.0, 0.0, -3.0].map(|x| x * scale));
        let alone = [one, other].map(|crop| scores(&model, &crop, [1, 1, 1, 6])[0]);
        let both = scores(&model, &[one, other].concat(), [1, 2, 1, 6]);
        assert_eq!(both.len(), 1);
        assert!((both[0] - (alone[0] + alone[1]) / 2.0).abs() < 1e-6, "{both:?} {alone:?}");
        assert!(alone.iter().all(|score| (0.0..=1.0).contains(score)));
    }
}

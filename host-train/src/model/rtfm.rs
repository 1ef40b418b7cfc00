//! RTFM (ICCV 2021): scores clips by features that have seen their surroundings.
//!
//! [`mtn`] turns `D` features of every clip into `D` others (eq 4 and 5), of which the magnitudes choose clips (eq 2,
//! [`selection`]) and are pulled apart (eq 6, [`crate::loss::rtfm`]); a head `D - 512 - ReLU - 128 - ReLU - 1 -
//! sigmoid` scores them. Dropout sits on the features (before their magnitudes are taken), after the first
//! and after the second layer; the last layer has none. Crops of a video go through apart; scores and
//! magnitudes are their means. Parameters carry the published names. 24,718,849 of them at D = 2048.

pub mod mtn;
mod non_local;
pub mod norm;
pub mod selection;

use std::convert::Infallible;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::conv::{Conv, Shape, Time};
use super::initial::xavier_uniform;
use crate::dropout::Mask;
use crate::rng::{Purpose, stream};
use crate::tensors::{Array, Arrays, TensorsError, require, require_shape};
use mtn::{Mtn, Stages};
use norm::{Norm, Statistics};

/// Feature widths must be a multiple of this: the non-local block works on an eighth.
pub const WIDTH_MULTIPLE: usize = 8;

/// Widths of the head's hidden layers.
pub const HIDDEN: [usize; 2] = [512, 128];

/// Starts at zero, scale included, so that the non-local block is the identity at first.
const IDENTITY_NORM: &str = "Aggregate.non_local.W.1.weight";

/// What rewrites the features before the head sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Temporal {
    /// The multi-scale temporal network, as published.
    #[default]
    Mtn,
    /// The same without look-ahead, for boards: a clip's score depends on the clips before it only, so that it is the same
    /// in a stream and in the whole video. Not published; see [`mtn`].
    CausalMtn,
    /// Nothing: the head sees the encoder's features. An ablation of the paper.
    None,
}

/// The network.
#[derive(Module, Debug)]
pub struct Rtfm {
    mtn: Option<Mtn>,
    fc1: Conv,
    fc2: Conv,
    fc3: Conv,
}

/// Dropout masks of one pass; `None` drops nothing. Rows are clips: videos, their crops, their clips.
#[derive(Debug, Default)]
pub struct Masks {
    /// On the features, `[rows, D]`.
    pub features: Option<Mask>,
    /// After the first layer, `[rows, 512]`.
    pub fc1: Option<Mask>,
    /// After the second layer, `[rows, 128]`.
    pub fc2: Option<Mask>,
}

impl Masks {
    /// Draws all three.
    pub fn draw(rate: f64, rows: usize, dim: usize, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let mut mask = |units| Mask::draw(rate, rows, units, rng, device);
        Self { features: mask(dim), fc1: mask(HIDDEN[0]), fc2: mask(HIDDEN[1]) }
    }
}

/// The result of one pass.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The features that the head saw, `[videos, crops, clips, D]`.
    pub features: Tensor<4>,
    /// Mean over crops of the scores, `[videos, clips]`.
    pub scores: Tensor<2>,
    /// Mean over crops of the features' Euclidean norms, `[videos, clips]`; carries no gradient.
    pub magnitudes: Tensor<2>,
}

impl Rtfm {
    /// Fresh weights: Xavier uniform, zero biases, drawn from `seed`. `dim` is a multiple of
    /// [`WIDTH_MULTIPLE`].
    pub fn init(dim: usize, temporal: Temporal, seed: u64, device: &Device) -> Self {
        let mut layer = 0;
        let mut source = |name: &str, shape: &[usize]| {
            let values = fresh(name, shape, &mut layer, seed);
            Ok::<_, Infallible>(Array { shape: shape.to_vec(), values })
        };
        let Ok(model) = Self::build(dim, temporal, &mut source, device);
        model
    }

    /// Loads the published names; the width follows `fc1.weight`. Counters of batches, which PyTorch stores,
    /// are ignored.
    ///
    /// # Errors
    /// When an array is missing or of another shape; `origin` says where the arrays came from.
    pub fn from_arrays(
        arrays: &Arrays,
        temporal: Temporal,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let dim = require(arrays, origin, "fc1.weight")?.shape.last().copied().unwrap_or(0);
        let whole = dim.max(1).next_multiple_of(WIDTH_MULTIPLE);
        require_shape(arrays, origin, "fc1.weight", &[HIDDEN[0], whole])?;
        let mut source = |name: &str, shape: &[usize]| require_shape(arrays, origin, name, shape).cloned();
        Self::build(dim, temporal, &mut source, device)
    }

    fn build<E>(
        dim: usize,
        temporal: Temporal,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let [first, second] = HIDDEN;
        let mtn = match temporal {
            Temporal::Mtn => Some(Mtn::build(dim, Time::Whole, source, device)?),
            Temporal::CausalMtn => Some(Mtn::build(dim, Time::Causal, source, device)?),
            Temporal::None => None,
        };
        Ok(Self {
            mtn,
            fc1: Conv::build("fc1", Shape::linear(dim, first), source, device)?,
            fc2: Conv::build("fc2", Shape::linear(first, second), source, device)?,
            fc3: Conv::build("fc3", Shape::linear(second, 1), source, device)?,
        })
    }

    /// The parameters and running statistics under their published names.
    pub fn to_arrays(&self) -> Arrays {
        self.arrays(None)
    }

    /// The gradients under the names of their parameters (zero where there is none).
    pub fn gradients(&self, grads: &GradientsParams) -> Arrays {
        self.arrays(Some(grads))
    }

    fn arrays(&self, grads: Option<&GradientsParams>) -> Arrays {
        let mut arrays = Arrays::new();
        for (name, conv) in self.convs() {
            conv.store(&name, grads, &mut arrays);
        }
        for (name, norm) in self.norms() {
            norm.store(&name, grads, &mut arrays);
        }
        arrays
    }

    /// The reverse of [`Rtfm::gradients`]: gradients given as arrays, attached to this network's parameters.
    ///
    /// # Errors
    /// When an array is missing or of another shape than its parameter.
    pub fn with_gradients(&self, arrays: &Arrays, origin: &str) -> Result<GradientsParams, TensorsError> {
        let plain = self.fc1_weight().device().inner();
        let mut source = |name: &str, shape: &[usize]| {
            if name.contains(".running_") {
                return Ok(Array { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] });
            }
            require_shape(arrays, origin, name, shape).cloned()
        };
        let temporal = match self.mtn.as_ref().map(Mtn::time) {
            Some(Time::Whole) => Temporal::Mtn,
            Some(Time::Causal) => Temporal::CausalMtn,
            None => Temporal::None,
        };
        let given = Self::build(self.feature_dim(), temporal, &mut source, &plain)?;
        let mut grads = GradientsParams::new();
        for ((_, own), (_, given)) in self.convs().into_iter().zip(given.convs()) {
            own.register(given, &mut grads);
        }
        for ((_, own), (_, given)) in self.norms().into_iter().zip(given.norms()) {
            own.register(given, &mut grads);
        }
        Ok(grads)
    }

    fn convs(&self) -> Vec<(String, &Conv)> {
        let mut convs = self.mtn.as_ref().map(Mtn::convs).unwrap_or_default();
        for (name, conv) in [("fc1", &self.fc1), ("fc2", &self.fc2), ("fc3", &self.fc3)] {
            convs.push((name.to_owned(), conv));
        }
        convs
    }

    fn norms(&self) -> Vec<(String, &Norm)> {
        self.mtn.as_ref().map(Mtn::norms).unwrap_or_default()
    }

    fn fc1_weight(&self) -> Tensor<2> {
        self.fc1.centre()
    }

    /// Width of the features that it scores.
    pub fn feature_dim(&self) -> usize {
        self.fc1_weight().dims()[0]
    }

    /// Every stage of the temporal network in evaluation, if there is one.
    ///
    /// # Shapes
    /// `features` is `[videos, crops, clips, D]`.
    pub fn stages(&self, features: Tensor<4>) -> Option<Stages> {
        let clips = features.dims()[2];
        Some(self.mtn.as_ref()?.stages(as_rows(features), clips, Statistics::Running))
    }

    /// Scores without dropout, normalised by running statistics. Videos may have any number of clips, at
    /// least one.
    ///
    /// # Shapes
    /// `features` is `[videos, crops, clips, D]`.
    pub fn forward(&self, features: Tensor<4>) -> Scored {
        self.forward_train(features, Masks::default(), Statistics::Running)
    }

    /// Scores with given dropout masks; training takes the batch's statistics.
    ///
    /// # Shapes
    /// `features` is `[videos, crops, clips, D]`.
    pub fn forward_train(&self, features: Tensor<4>, masks: Masks, statistics: Statistics) -> Scored {
        let [videos, crops, clips, dim] = features.dims();
        let rows = match &self.mtn {
            Some(mtn) => {
                let output = mtn.stages(as_rows(features), clips, statistics).output;
                output.reshape([videos * crops * clips, dim])
            }
            None => as_rows(features),
        };
        let rows = masked(rows, masks.features);
        let hidden = masked(relu(self.fc1.forward(rows.clone(), clips)), masks.fc1);
        let hidden = masked(relu(self.fc2.forward(hidden, clips)), masks.fc2);
        let scores = sigmoid(self.fc3.forward(hidden, clips));
        let norms = rows.clone().detach().square().sum_dim(1).sqrt();
        let over_crops = |column: Tensor<2>| -> Tensor<2> {
            let table: Tensor<3> = column.reshape([videos, crops, clips]);
            table.mean_dim(1).squeeze_dim(1)
        };
        Scored {
            scores: over_crops(scores),
            magnitudes: over_crops(norms),
            features: rows.reshape([videos, crops, clips, dim]),
        }
    }
}

/// All clips of all crops of all videos as rows.
fn as_rows(features: Tensor<4>) -> Tensor<2> {
    let [videos, crops, clips, dim] = features.dims();
    features.reshape([videos * crops * clips, dim])
}

fn masked(rows: Tensor<2>, mask: Option<Mask>) -> Tensor<2> {
    match mask {
        Some(mask) => rows * mask.into_tensor(),
        None => rows,
    }
}

/// First values of an array by its published name; `layer` counts the drawn ones.
fn fresh(name: &str, shape: &[usize], layer: &mut u64, seed: u64) -> Vec<f32> {
    let count = shape.iter().product();
    if shape.len() > 1 {
        *layer += 1;
        return xavier_uniform(shape, &mut stream(seed, Purpose::Weights, *layer - 1));
    }
    let one = name.ends_with(".running_var") || (name.ends_with(".weight") && name != IDENTITY_NORM);
    vec![if one { 1.0 } else { 0.0 }; count]
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn features(shape: [usize; 4]) -> Tensor<4> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| ((index * 37 % 23) as f32) * 0.1).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn the_non_local_block_starts_as_the_identity() {
        let stages =
            Rtfm::init(16, Temporal::Mtn, 3, &Device::flex()).stages(features([2, 1, 6, 16])).unwrap();
        let values = |tensor: Tensor<3>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(values(stages.non_local), values(stages.reduced));
    }

    #[test]
    fn first_weights_are_bounded_and_biases_zero() {
        let arrays = Rtfm::init(32, Temporal::Mtn, 3, &Device::flex()).to_arrays();
        let bound = (6.0_f32 / (3 * (8 + 32)) as f32).sqrt();
        let weight = &arrays["Aggregate.conv_2.0.weight"];
        assert_eq!(weight.shape, [8, 32, 3]);
        let largest = weight.values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(largest <= bound && largest > 0.95 * bound, "{largest} {bound}");
        assert!(arrays["fc1.bias"].values.iter().all(|value| *value == 0.0));
        assert!(arrays["Aggregate.conv_1.2.weight"].values.iter().all(|value| *value == 1.0));
    }

    #[test]
    fn arrays_survive_a_round_trip_and_odd_widths_are_refused() {
        let (device, arrays) =
            (Device::flex(), Rtfm::init(16, Temporal::Mtn, 3, &Device::flex()).to_arrays());
        let again = Rtfm::from_arrays(&arrays, Temporal::Mtn, "test", &device).unwrap();
        assert_eq!(again.to_arrays(), arrays);
        let odd = Array { shape: vec![512, 12], values: vec![0.0; 512 * 12] };
        let broken = Arrays::from([("fc1.weight".to_owned(), odd)]);
        let error = Rtfm::from_arrays(&broken, Temporal::Mtn, "test", &device).unwrap_err();
        assert!(error.to_string().contains("fc1.weight"), "{error}");
    }

    #[test]
    fn one_clip_is_enough() {
        for temporal in [Temporal::Mtn, Temporal::None] {
            let scored = Rtfm::init(16, temporal, 3, &Device::flex()).forward(features([1, 2, 1, 16]));
            let score = scored.scores.into_data().iter::<f32>().next().unwrap();
            assert!((0.0..=1.0).contains(&score));
        }
    }

    #[test]
    fn without_the_temporal_network_the_head_sees_the_features() {
        let (device, shape) = (Device::flex(), [2, 1, 3, 16]);
        let network = Rtfm::init(16, Temporal::None, 3, &device);
        let values = |tensor: Tensor<4>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(values(network.forward(features(shape)).features), values(features(shape)));
        let arrays = network.to_arrays();
        assert!(arrays.keys().all(|name| name.starts_with("fc")), "{:?}", arrays.keys());
        assert!(Rtfm::from_arrays(&arrays, Temporal::None, "test", &device).is_ok());
        assert!(Rtfm::from_arrays(&arrays, Temporal::Mtn, "test", &device).is_err());
    }
}

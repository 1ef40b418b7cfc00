//! The baseline of Sultani, Chen and Shah (CVPR 2018): the highest segment of an abnormal video above that of a normal one.
//!
//! One step takes as many normal as abnormal videos, each averaged into 32 segments. `mode` chooses the form of the loss
//! ([`crate::loss::sultani`]) and when features are brought to length 1: every clip before the segments are made, as the
//! text says, or the segments, as the released code does. The released test scores 32 segments of a video and spreads
//! them over its frames; here every clip is scored, as for all recipes. Scores of crops are averaged.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use vad_core::{HeadKind, HeadSpec};

use crate::bag::{BagSet, TrainingSet};
use crate::loss::sultani::{self, SultaniLoss};
use crate::model::mist_generator::LAYERS;
use crate::model::sultani::Sultani;
use crate::optim::adagrad::{Adagrad, AdagradConfig};
use crate::optim::clip::global_norm;
use crate::recipe::scaling::Scaling;
use crate::recipe::sequences::{Segments, score_video};
use crate::recipe::settings::{ConfigError, FeatureScaling, Mode};
use crate::recipe::sultani_config::{Preparation, SultaniConfig};
use crate::recipe::system::{Detector, Losses, System};
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError, group, grouped};

/// Added to the root of Adagrad's sums in the released code.
const ADAGRAD_EPSILON: f32 = 1e-8;

/// A feature shorter than this (a black picture) is left as it is.
const LEAST_LENGTH: f64 = 1e-12;

/// Where a snapshot keeps the network and the optimiser.
const MODEL: &str = "model.";
const OPTIMISER: &str = "optimiser.";

/// A training in progress.
#[derive(Debug)]
pub struct SultaniSystem {
    config: SultaniConfig,
    /// Without autodiff.
    device: Device,
    inputs: Inputs,
    /// Prepared.
    segments: Segments,
    model: Sultani,
    optimiser: Adagrad,
}

/// Scores every clip by itself.
#[derive(Debug)]
pub struct SultaniDetector {
    inputs: Inputs,
    model: Sultani,
    device: Device,
}

/// How features are prepared.
#[derive(Clone, Debug)]
enum Inputs {
    Scaled(Scaling),
    UnitLength,
}

impl System for SultaniSystem {
    const NAME: &'static str = "sultani";

    const ABOUT: &'static str =
        "Sultani et al. (CVPR 2018), the baseline: multiple-instance ranking of 32 segments per video";

    type Config = SultaniConfig;

    type Detector = SultaniDetector;

    fn new(config: &SultaniConfig, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError> {
        let (inputs, dim) = (Inputs::fit(config.feature_scaling, &data.train), data.train.dim);
        let segments = match config.mode {
            Mode::Paper => Segments::of(&inputs.prepared(&data.train), config.segments),
            Mode::Released => {
                Segments::of(&data.train, config.segments).map(|video| inputs.apply(video, dim))
            }
        };
        Ok(Self {
            config: config.clone(),
            device: device.clone(),
            inputs,
            segments,
            model: Sultani::init(dim, config.hidden, config.seed, &device.clone().autodiff()),
            optimiser: Adagrad::new(adagrad(config)),
        })
    }

    fn steps(&self) -> u64 {
        self.config.steps
    }

    fn step(&mut self, step: u64, _data: &TrainingSet) -> Losses {
        let SultaniLoss { total, rank, smooth, sparse, weights } = self.loss(step);
        let grads = GradientsParams::from_grads(total.backward(), &self.model);
        let grad_norm = global_norm(&self.model, &grads);
        self.model = self.optimiser.step(self.model.clone(), grads);
        let parts = [("rank", rank), ("smooth", smooth), ("sparse", sparse), ("weights", weights)];
        Losses {
            total: total.into_scalar::<f32>(),
            parts: parts.map(|(name, part)| (name, part.into_scalar::<f32>())).into(),
            grad_norm,
        }
    }

    fn detector(&self) -> SultaniDetector {
        SultaniDetector {
            inputs: self.inputs.clone(),
            model: self.model.valid(),
            device: self.device.clone(),
        }
    }

    fn weights(&self) -> Arrays {
        let mut weights = self.model.to_arrays();
        if let Inputs::Scaled(scaling) = &self.inputs {
            scaling.fold(&mut weights, LAYERS[0]);
        }
        weights
    }

    fn load(
        config: &SultaniConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<SultaniDetector, TensorsError> {
        let inputs = match config.feature_scaling {
            Preparation::UnitLength => Inputs::UnitLength,
            Preparation::None | Preparation::Standardise => Inputs::Scaled(Scaling::NONE),
        };
        let model = Sultani::from_arrays(weights, origin, device)?;
        Ok(SultaniDetector { inputs, model, device: device.clone() })
    }

    fn snapshot(&self) -> Arrays {
        grouped([(MODEL, self.model.to_arrays()), (OPTIMISER, self.optimiser.to_arrays())])
    }

    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let autodiff = self.device.clone().autodiff();
        let model = Sultani::from_arrays(&group(snapshot, MODEL), origin, &autodiff)?;
        let sums = group(snapshot, OPTIMISER);
        self.optimiser = Adagrad::from_arrays(adagrad(&self.config), &sums, origin, &self.device)?;
        self.model = model;
        Ok(())
    }
}

impl Detector for SultaniDetector {
    fn feature_dim(&self) -> usize {
        self.model.dims()[0]
    }

    fn head(&self) -> HeadSpec {
        let kind = match self.inputs {
            Inputs::Scaled(_) => HeadKind::Mlp,
            Inputs::UnitLength => HeadKind::UnitLengthMlp,
        };
        HeadSpec::per_clip(kind, self.model.dims().into_iter().map(|width| width as u32).collect())
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        let bags = self.inputs.prepared(bags);
        let score = |features: Tensor<4>| self.model.forward(features);
        bags.bags.iter().map(|bag| score_video(&bags, bag, &self.device, score)).collect()
    }
}

impl SultaniSystem {
    fn loss(&self, step: u64) -> SultaniLoss {
        let SultaniConfig { seed, pairs, dropout, .. } = self.config;
        let device = self.device.clone().autodiff();
        let features = self.segments.tensor(&self.segments.batch(seed, pairs, step), &device);
        let [videos, crops, segments, _] = features.dims();
        let mut rng = stream(seed, Purpose::Dropout, step);
        let masks = self.model.draw_masks(dropout, videos * crops * segments, &mut rng, &device);
        let scores = self.model.forward_train(features, masks);
        let [normal, abnormal] = [0, pairs].map(|first| scores.clone().narrow(0, first, pairs));
        let (squared, weights) = (self.model.squared_weights(), self.config.weights());
        match self.config.mode {
            Mode::Paper => sultani::paper(normal, abnormal, squared, weights),
            Mode::Released => sultani::released(normal, abnormal, squared, weights),
        }
    }
}

impl Inputs {
    fn fit(rule: Preparation, train: &BagSet) -> Self {
        match rule {
            Preparation::None => Self::Scaled(Scaling::NONE),
            Preparation::Standardise => Self::Scaled(Scaling::fit(FeatureScaling::Standardise, train)),
            Preparation::UnitLength => Self::UnitLength,
        }
    }

    /// Prepares rows of `dim` values.
    fn apply(&self, mut values: Vec<f32>, dim: usize) -> Vec<f32> {
        match self {
            Self::Scaled(scaling) => scaling.apply(values),
            Self::UnitLength => {
                values.chunks_exact_mut(dim.max(1)).for_each(to_unit_length);
                values
            }
        }
    }

    fn prepared(&self, bags: &BagSet) -> BagSet {
        BagSet { values: self.apply(bags.values.clone(), bags.dim), ..bags.clone() }
    }
}

fn to_unit_length(feature: &mut [f32]) {
    let length = feature.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > LEAST_LENGTH {
        feature.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
}

fn adagrad(config: &SultaniConfig) -> AdagradConfig {
    AdagradConfig {
        learning_rate: config.learning_rate,
        epsilon: ADAGRAD_EPSILON,
        ..AdagradConfig::default()
    }
}

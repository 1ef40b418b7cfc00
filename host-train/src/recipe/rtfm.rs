//! RTFM (ICCV 2021): trains a temporal network to give abnormal clips large features and high scores.
//!
//! One step takes as many normal as abnormal videos, each averaged into 32 segments. Scoring runs on whole
//! videos. `mode` chooses the form of the loss ([`crate::loss::rtfm`]); the network is the same. The released
//! trainer selects its weights on the test set, which nothing here does.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use vad_core::HeadSpec;

use crate::bag::{BagSet, TrainingSet};
use crate::dropout::Mask;
use crate::loss::rtfm::{self, Chosen, RtfmLoss};
use crate::model::rtfm::norm::Statistics;
use crate::model::rtfm::selection::Selection;
use crate::model::rtfm::{Masks, Rtfm, Scored, WIDTH_MULTIPLE};
use crate::optim::adam::{Adam, AdamConfig};
use crate::optim::clip::global_norm;
use crate::recipe::rtfm_config::RtfmConfig;
use crate::recipe::sequences::{Segments, score_video};
use crate::recipe::settings::{ConfigError, Mode};
use crate::recipe::system::{Detector, Losses, System};
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError, group, grouped};

/// Where a snapshot keeps the network.
const MODEL: &str = "model.";

/// Where a snapshot keeps the optimiser.
const OPTIMISER: &str = "optimiser.";

/// A training in progress.
#[derive(Debug)]
pub struct RtfmSystem {
    config: RtfmConfig,
    /// Without autodiff.
    device: Device,
    segments: Segments,
    model: Rtfm,
    optimiser: Adam,
}

/// Scores the clips of a whole video together.
#[derive(Debug)]
pub struct RtfmDetector {
    model: Rtfm,
    head: HeadSpec,
    device: Device,
}

impl System for RtfmSystem {
    const NAME: &'static str = "rtfm";

    const ABOUT: &'static str =
        "RTFM (ICCV 2021): feature magnitude, over a temporal network that looks at whole videos";

    type Config = RtfmConfig;

    type Detector = RtfmDetector;

    fn training_segments(config: &RtfmConfig) -> Option<usize> {
        Some(config.segments)
    }

    fn new(config: &RtfmConfig, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError> {
        let dim = data.train.dim;
        if dim == 0 || !dim.is_multiple_of(WIDTH_MULTIPLE) {
            return Err(ConfigError::new("feature width", dim, "a multiple of 8"));
        }
        Ok(Self {
            config: config.clone(),
            segments: Segments::of(&data.train, config.segments),
            model: Rtfm::init(dim, config.temporal, config.seed, &device.clone().autodiff()),
            optimiser: Adam::new(adam(config)),
            device: device.clone(),
        })
    }

    fn steps(&self) -> u64 {
        self.config.steps
    }

    fn step(&mut self, step: u64, _data: &TrainingSet) -> Losses {
        let loss = self.loss(step);
        let grads = GradientsParams::from_grads(loss.total.backward(), &self.model);
        let grad_norm = global_norm(&self.model, &grads);
        self.model = self.optimiser.step(self.model.clone(), grads);
        let RtfmLoss { total, classification, magnitude, sparse, smooth } = loss;
        let parts = [
            ("classification", classification),
            ("magnitude", magnitude),
            ("sparse", sparse),
            ("smooth", smooth),
        ];
        Losses {
            total: total.into_scalar::<f32>(),
            parts: parts.map(|(name, part)| (name, part.into_scalar::<f32>())).into(),
            grad_norm,
        }
    }

    fn detector(&self) -> RtfmDetector {
        self.config.detector(self.model.valid(), &self.device)
    }

    fn weights(&self) -> Arrays {
        self.model.to_arrays()
    }

    fn load(
        config: &RtfmConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<RtfmDetector, TensorsError> {
        let model = Rtfm::from_arrays(weights, config.temporal, origin, device)?;
        Ok(config.detector(model, device))
    }

    fn snapshot(&self) -> Arrays {
        grouped([(MODEL, self.model.to_arrays()), (OPTIMISER, self.optimiser.to_arrays())])
    }

    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let device = self.device.clone().autodiff();
        let model = Rtfm::from_arrays(&group(snapshot, MODEL), self.config.temporal, origin, &device)?;
        let moments = group(snapshot, OPTIMISER);
        self.optimiser = Adam::from_arrays(adam(&self.config), &moments, origin, &self.device)?;
        self.model = model;
        Ok(())
    }
}

impl Detector for RtfmDetector {
    fn feature_dim(&self) -> usize {
        self.model.feature_dim()
    }

    fn head(&self) -> HeadSpec {
        self.head.clone()
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        let score = |features: Tensor<4>| self.model.forward(features).scores;
        bags.bags.iter().map(|bag| score_video(bags, bag, &self.device, score)).collect()
    }
}

impl RtfmConfig {
    fn detector(&self, model: Rtfm, device: &Device) -> RtfmDetector {
        let head = self.head(model.feature_dim());
        RtfmDetector { model, head, device: device.clone() }
    }
}

impl RtfmSystem {
    fn loss(&self, step: u64) -> RtfmLoss {
        let RtfmConfig { seed, pairs, segments, dropout, topk, .. } = self.config;
        let device = self.device.clone().autodiff();
        let features = self.segments.tensor(&self.segments.batch(seed, pairs, step), &device);
        let [videos, crops, _, dim] = features.dims();
        let mut rng = stream(seed, Purpose::Dropout, step);
        let masks = Masks::draw(dropout, videos * crops * segments, dim, &mut rng, &device);
        let selectable = Mask::draw(dropout, videos, segments, &mut rng, &self.device);
        let scored = self.model.forward_train(features, masks, Statistics::Batch);
        let selection = Selection::strongest(scored.magnitudes.clone(), selectable, topk);
        let [normal, abnormal] = halves(&scored, &selection, pairs);
        let all = scored.scores.narrow(0, pairs, pairs);
        match self.config.mode {
            Mode::Paper => rtfm::paper(normal, abnormal, all, self.config.weights()),
            Mode::Released => rtfm::released(normal, abnormal, all, self.config.weights()),
        }
    }
}

/// The chosen clips of the normal and of the abnormal half of a batch whose first `pairs` videos are normal.
pub fn halves(scored: &Scored, selection: &Selection, pairs: usize) -> [Chosen; 2] {
    let scores = selection.scores(scored.scores.clone());
    let features = selection.features(scored.features.clone());
    let [crops, _, k, dim] = features.dims();
    [0, pairs].map(|first| Chosen {
        scores: scores.clone().narrow(0, first, pairs),
        features: features.clone().narrow(1, first, pairs).reshape([crops * pairs, k, dim]),
    })
}

fn adam(config: &RtfmConfig) -> AdamConfig {
    AdamConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdamConfig::default()
    }
}

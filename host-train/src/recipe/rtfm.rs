//! RTFM (ICCV 2021): trains a temporal network to give abnormal clips large features and high scores.
//!
//! One step takes as many normal as abnormal videos, each averaged into 32 segments. Scoring runs on whole
//! videos. `mode` chooses the form of the loss ([`crate::loss::rtfm`]); the network is the same. The released
//! trainer selects its weights on the test set, which nothing here does.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use vad_core::{HeadKind, HeadSpec};
use vad_data::Label;

use crate::bag::{Bag, BagSet, TrainingSet};
use crate::batch::videos;
use crate::dropout::Mask;
use crate::loss::rtfm::{self, Chosen, RtfmLoss};
use crate::model::rtfm::norm::Statistics;
use crate::model::rtfm::selection::Selection;
use crate::model::rtfm::{Masks, Rtfm, Scored, WIDTH_MULTIPLE};
use crate::optim::adam::{Adam, AdamConfig};
use crate::optim::clip::global_norm;
use crate::recipe::rtfm_config::RtfmConfig;
use crate::recipe::settings::{ConfigError, Mode};
use crate::recipe::system::{Detector, Losses, System};
use crate::rng::{Purpose, stream};
use crate::segments::segment_means;
use crate::tensors::{Arrays, TensorsError, group, grouped};

/// Clips, crops counted apart, that go through the network at once when scoring; bounds memory on long
/// videos.
const CLIPS_AT_ONCE: usize = 4096;

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
    normal: Vec<usize>,
    abnormal: Vec<usize>,
    model: Rtfm,
    optimiser: Adam,
}

/// Scores the clips of a whole video together.
#[derive(Debug)]
pub struct RtfmDetector {
    model: Rtfm,
    device: Device,
}

impl System for RtfmSystem {
    const NAME: &'static str = "rtfm";

    const ABOUT: &'static str =
        "RTFM (ICCV 2021): feature magnitude, over a temporal network that looks at whole videos";

    type Config = RtfmConfig;

    type Detector = RtfmDetector;

    fn new(config: &RtfmConfig, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError> {
        let dim = data.train.dim;
        if dim == 0 || !dim.is_multiple_of(WIDTH_MULTIPLE) {
            return Err(ConfigError::new("feature width", dim, "a multiple of 8"));
        }
        Ok(Self {
            config: config.clone(),
            segments: Segments::of(&data.train, config.segments),
            normal: data.train.with_label(Label::Normal),
            abnormal: data.train.with_label(Label::Abnormal),
            model: Rtfm::init(dim, config.seed, &device.clone().autodiff()),
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
        RtfmDetector { model: self.model.valid(), device: self.device.clone() }
    }

    fn weights(&self) -> Arrays {
        self.model.to_arrays()
    }

    fn load(
        _: &RtfmConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<RtfmDetector, TensorsError> {
        Ok(RtfmDetector { model: Rtfm::from_arrays(weights, origin, device)?, device: device.clone() })
    }

    fn snapshot(&self) -> Arrays {
        grouped([(MODEL, self.model.to_arrays()), (OPTIMISER, self.optimiser.to_arrays())])
    }

    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let device = self.device.clone().autodiff();
        let model = Rtfm::from_arrays(&group(snapshot, MODEL), origin, &device)?;
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
        HeadSpec { kind: HeadKind::Temporal, dims: vec![self.feature_dim() as u32, 1] }
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        bags.bags.iter().map(|bag| score_bag(&self.model, bags, bag, &self.device)).collect()
    }
}

impl RtfmSystem {
    fn loss(&self, step: u64) -> RtfmLoss {
        let RtfmConfig { seed, pairs, segments, dropout, topk, .. } = self.config;
        let device = self.device.clone().autodiff();
        let features = self.segments.tensor(&self.batch(step), &device);
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

    /// Positions of the step's videos: normal first, then abnormal.
    fn batch(&self, step: u64) -> Vec<usize> {
        let RtfmConfig { seed, pairs, .. } = self.config;
        let mut batch = videos(&self.normal, Purpose::NormalOrder, seed, pairs, step);
        batch.extend(videos(&self.abnormal, Purpose::AbnormalOrder, seed, pairs, step));
        batch
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

/// The training videos, averaged into segments and kept off the device: a step needs a few of them.
#[derive(Debug)]
struct Segments {
    /// `[crops, segments, dim]` of each video.
    videos: Vec<Vec<f32>>,
    crops: usize,
    segments: usize,
    dim: usize,
}

impl Segments {
    fn of(bags: &BagSet, segments: usize) -> Self {
        let BagSet { crops, dim, .. } = *bags;
        let one = |bag: &Bag| {
            let means = segment_means(bags.clips_of(bag), crops * dim, segments);
            crops_first(&means, crops, dim)
        };
        Self { videos: bags.bags.iter().map(one).collect(), crops, segments, dim }
    }

    /// `[videos, crops, segments, dim]`.
    fn tensor(&self, videos: &[usize], device: &Device) -> Tensor<4> {
        let values: Vec<f32> = videos.iter().flat_map(|video| self.videos[*video].iter().copied()).collect();
        let shape = [videos.len(), self.crops, self.segments, self.dim];
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// `[clips, crops, dim]` as `[crops, clips, dim]`.
fn crops_first(values: &[f32], crops: usize, dim: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for crop in 0..crops {
        for clip in values.chunks_exact((crops * dim).max(1)) {
            turned.extend_from_slice(&clip[crop * dim..(crop + 1) * dim]);
        }
    }
    turned
}

/// Mean score over crops of every clip of a video.
fn score_bag(model: &Rtfm, bags: &BagSet, bag: &Bag, device: &Device) -> Vec<f32> {
    let (crops, dim) = (bags.crops, bags.dim);
    let turned = crops_first(bags.clips_of(bag), crops, dim);
    let at_once = (CLIPS_AT_ONCE / bag.clips.max(1)).clamp(1, crops);
    let mut sums = vec![0.0_f64; bag.clips];
    for part in turned.chunks((at_once * bag.clips * dim).max(1)) {
        let count = part.len() / (bag.clips * dim).max(1);
        let data = TensorData::new(part.to_vec(), [1, count, bag.clips, dim]);
        let scores = model.forward(Tensor::from_data(data, device)).scores;
        for (sum, score) in sums.iter_mut().zip(scores.into_data().iter::<f32>()) {
            *sum += f64::from(score) * count as f64;
        }
    }
    sums.into_iter().map(|sum| (sum / crops as f64) as f32).collect()
}

fn adam(config: &RtfmConfig) -> AdamConfig {
    AdamConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdamConfig::default()
    }
}

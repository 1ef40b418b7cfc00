//! MIST stage I (CVPR 2021): trains the pseudo-label generator from video-level labels.
//!
//! One step draws sub-bags from as many abnormal as normal videos, scores their clips and pushes the best abnormal bags
//! above the normal ones. `mode = "paper"` computes the text, `mode = "released"` what the public code computes; see
//! [`crate::loss::mil_ranking`] for where they differ. The released trainer selects on the test set, which nothing here
//! does.
//!
//! A clip of several crops has the mean of their scores, in training as in evaluation; every crop has a dropout mask of its
//! own. The released code trains on features of one crop.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use vad_core::{HeadKind, HeadSpec};

use crate::bag::{BagSet, TrainingSet};
use crate::batch::{Batch, BatchPlan, BatchSpec};
use crate::dropout::Mask;
use crate::loss::mil_ranking::{self, RankingLoss, RankingWeights};
use crate::model::mist_generator::{LAYERS, MistGenerator};
use crate::optim::adagrad::{Adagrad, AdagradConfig};
use crate::optim::clip::clip_global_norm;
use crate::recipe::mist_config::MistConfig;
use crate::recipe::scaling::Scaling;
use crate::recipe::settings::{ConfigError, Mode};
use crate::recipe::system::{Detector, Losses, System};
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError, group, grouped};

/// Clips, crops counted apart, that are scored at once; bounds memory on long videos.
const CLIPS_AT_ONCE: usize = 4096;

/// Where a snapshot keeps the network and the optimiser.
const MODEL: &str = "model.";
const OPTIMISER: &str = "optimiser.";

/// A training in progress.
#[derive(Debug)]
pub struct MistStage1 {
    config: MistConfig,
    scaling: Scaling,
    /// With autodiff.
    device: Device,
    /// `[clips * crops, D]`, scaled.
    features: Tensor<2>,
    crops: usize,
    model: MistGenerator,
    optimiser: Adagrad,
}

/// Scores every clip by itself.
#[derive(Debug)]
pub struct MistDetector {
    scaling: Scaling,
    model: MistGenerator,
    device: Device,
}

impl System for MistStage1 {
    const NAME: &'static str = "mist";

    const ABOUT: &'static str =
        "MIST, first stage (CVPR 2021): multiple-instance ranking with sparse continuous sampling";

    type Config = MistConfig;

    type Detector = MistDetector;

    fn new(config: &MistConfig, data: &TrainingSet, device: &Device) -> Result<Self, ConfigError> {
        let autodiff = device.clone().autodiff();
        let scaling = Scaling::fit(config.feature_scaling, &data.train);
        let values = scaling.apply(data.train.values.clone());
        let table = TensorData::new(values, [data.train.rows() * data.train.crops, data.train.dim]);
        Ok(Self {
            config: config.clone(),
            scaling,
            features: Tensor::from_data(table, &autodiff),
            crops: data.train.crops,
            model: MistGenerator::init(data.train.dim, config.hidden, config.seed, &autodiff),
            optimiser: Adagrad::new(adagrad(config)),
            device: autodiff,
        })
    }

    fn steps(&self) -> u64 {
        self.config.steps
    }

    fn step(&mut self, step: u64, data: &TrainingSet) -> Losses {
        let MistConfig { seed, pairs, shift, clip_norm, .. } = self.config;
        let spec = BatchSpec { seed, pairs, sub_bags: self.config.sub_bags(), shift };
        let loss = self.loss(step, &BatchPlan::new(&data.train, spec).batch(step));
        let mut grads = GradientsParams::from_grads(loss.total.backward(), &self.model);
        let grad_norm = clip_global_norm(&self.model, &mut grads, clip_norm);
        self.model = self.optimiser.step(self.model.clone(), grads);
        let [total, rank, sparse] =
            [loss.total, loss.rank, loss.sparse].map(|part| part.into_scalar::<f32>());
        Losses { total, parts: vec![("rank", rank), ("sparse", sparse)], grad_norm }
    }

    fn detector(&self) -> MistDetector {
        let device = self.device.clone().inner();
        MistDetector { scaling: self.scaling.clone(), model: self.model.valid(), device }
    }

    fn weights(&self) -> Arrays {
        let mut weights = self.model.to_arrays();
        self.scaling.fold(&mut weights, LAYERS[0]);
        weights
    }

    fn load(
        _: &MistConfig,
        weights: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<MistDetector, TensorsError> {
        Ok(MistDetector::new(MistGenerator::from_arrays(weights, origin, device)?, device.clone()))
    }

    fn snapshot(&self) -> Arrays {
        grouped([(MODEL, self.model.to_arrays()), (OPTIMISER, self.optimiser.to_arrays())])
    }

    fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let model = MistGenerator::from_arrays(&group(snapshot, MODEL), origin, &self.device)?;
        let sums = group(snapshot, OPTIMISER);
        let plain = self.device.clone().inner();
        self.optimiser = Adagrad::from_arrays(adagrad(&self.config), &sums, origin, &plain)?;
        self.model = model;
        Ok(())
    }
}

impl MistStage1 {
    fn loss(&self, step: u64, batch: &Batch) -> RankingLoss {
        let (pairs, clips) = (self.config.pairs, self.config.sub_bags().len());
        let rows = batch.occurrences.len() * self.crops;
        let mut rng = stream(self.config.seed, Purpose::Dropout, step);
        let masks = self
            .config
            .hidden
            .map(|units| Mask::draw(self.config.dropout, rows, units, &mut rng, &self.device));
        let distinct = self.features.clone().select(0, self.rows_of(&batch.distinct_rows));
        let scores = self.model.forward_train(distinct, self.rows_of(&batch.occurrences), masks);
        let by_crop: Tensor<3> = scores.reshape([2 * pairs, clips, self.crops]);
        let scores: Tensor<2> = by_crop.mean_dim(2).squeeze_dim(2);
        let normal = scores.clone().narrow(0, 0, pairs);
        let abnormal = scores.narrow(0, pairs, pairs);
        let MistConfig { margin, sparsity, smoothness, .. } = self.config;
        let weights = RankingWeights { margin, sparsity, smoothness };
        match self.config.mode {
            Mode::Paper => mil_ranking::paper(normal, abnormal, self.config.clips_per_segment, weights),
            Mode::Released => mil_ranking::released(normal, abnormal, self.config.topk, weights),
        }
    }

    /// The rows of all crops of these clips.
    fn rows_of(&self, clips: &[usize]) -> Tensor<1, Int> {
        let crops = |clip: &usize| (clip * self.crops..(clip + 1) * self.crops).map(|row| row as i64);
        let rows: Vec<i64> = clips.iter().flat_map(crops).collect();
        let count = rows.len();
        Tensor::from_data(TensorData::new(rows, [count]), &self.device)
    }
}

impl MistDetector {
    /// Takes a network for raw features whose weights live on `device` (a plain one, without autodiff).
    pub fn new(model: MistGenerator, device: Device) -> Self {
        Self { scaling: Scaling::NONE, model, device }
    }

    /// Scores a table `[rows, D]`.
    fn score_rows(&self, values: &[f32]) -> Vec<f32> {
        let dim = self.model.feature_dim();
        let part = |part: &[f32]| {
            let rows = part.len() / dim;
            let data = TensorData::new(self.scaling.apply(part.to_vec()), [rows, dim]);
            self.model
                .forward(Tensor::from_data(data, &self.device))
                .into_data()
                .iter::<f32>()
                .collect::<Vec<_>>()
        };
        values.chunks(CLIPS_AT_ONCE * dim.max(1)).flat_map(part).collect()
    }
}

impl Detector for MistDetector {
    fn feature_dim(&self) -> usize {
        self.model.feature_dim()
    }

    fn head(&self) -> HeadSpec {
        let dims = self.model.dims().into_iter().map(|width| width as u32).collect();
        HeadSpec::per_clip(HeadKind::Mlp, dims)
    }

    fn score(&self, bags: &BagSet) -> Vec<Vec<f32>> {
        let rows = self.score_rows(&bags.values);
        let clip = |crops: &[f32]| crops.iter().sum::<f32>() / crops.len() as f32;
        let clips: Vec<f32> = rows.chunks_exact(bags.crops).map(clip).collect();
        bags.bags.iter().map(|bag| clips[bag.first_row..bag.first_row + bag.clips].to_vec()).collect()
    }
}

fn adagrad(config: &MistConfig) -> AdagradConfig {
    AdagradConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdagradConfig::default()
    }
}

//! MIST stage I (CVPR 2021): trains the pseudo-label generator from video-level labels.
//!
//! One step draws sub-bags from as many abnormal as normal videos, scores their clips and pushes the best abnormal bags
//! above the normal ones. `mode = "paper"` computes the text, `mode = "released"` what the public code computes; see
//! [`crate::loss::mil_ranking`] for where they differ. Selection looks at validation videos and their video-level
//! labels only; the released trainer selects on the test set.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use thiserror::Error;
use vad_data::Label;

use crate::bag::{BagSet, TrainingSet};
use crate::batch::{Batch, BatchPlan, BatchSpec};
use crate::dropout::Mask;
use crate::loss::mil_ranking::{self, RankingLoss, RankingWeights};
use crate::model::mist_generator::MistGenerator;
use crate::optim::adagrad::{Adagrad, AdagradConfig};
use crate::optim::clip::clip_global_norm;
use crate::recipe::curves::{Curves, Selection, TrainPoint, ValPoint, bag_score, compare_bags};
use crate::recipe::mist_config::{ConfigError, MistConfig, Mode, SelectionRule};
use crate::recipe::scaling::Scaling;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError};

/// Name of the recipe in run folders and checkpoints.
pub const RECIPE: &str = "mist-stage1";

/// Why a training stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A setting is outside its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Saved weights do not fit.
    #[error(transparent)]
    Weights(#[from] TensorsError),
    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} at step {step}: lower learning_rate (now {learning_rate}) or clip_norm (now {clip_norm})"
    )]
    Diverged {
        /// Steps done, from 1.
        step: u64,
        /// The loss.
        loss: f32,
        /// The step size in use.
        learning_rate: f32,
        /// The clipping in use.
        clip_norm: f32,
    },
}

/// What one call of [`Trainer::step`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The step's losses; `train.step` counts from 1.
    pub train: TrainPoint,
    /// The look at the validation split, if this step had one.
    pub validation: Option<ValPoint>,
    /// Steps that the training has in all.
    pub steps: u64,
}

/// The result of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOutcome {
    /// The chosen head; takes raw features.
    pub selected: Arrays,
    /// The head after the last step; takes raw features.
    pub last: Arrays,
    /// How `selected` was chosen.
    pub selection: Selection,
    /// Everything recorded.
    pub curves: Curves,
}

/// Everything that a training needs to go on, besides its data.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState {
    /// Settings; they include the seed, which with `step` is the whole state of the random draws.
    pub config: MistConfig,
    /// Hash of the data ([`TrainingSet::sha256`]).
    pub data_sha256: [u8; 32],
    /// Steps done.
    pub step: u64,
    /// Weights, for scaled features.
    pub weights: Arrays,
    /// Sums of squared gradients by parameter path.
    pub accumulators: Arrays,
    /// The best point on the validation split so far, with its weights (for scaled features).
    pub best: Option<(ValPoint, Arrays)>,
    /// Everything recorded.
    pub curves: Curves,
}

/// A training in progress.
pub struct Trainer<'a> {
    config: MistConfig,
    data_sha256: [u8; 32],
    plan: BatchPlan<'a>,
    val: &'a BagSet,
    scaling: Option<Scaling>,
    /// With autodiff.
    device: Device,
    train_features: Tensor<2>,
    val_features: Option<Tensor<2>>,
    model: MistGenerator,
    optimiser: Adagrad,
    step: u64,
    best: Option<(ValPoint, Arrays)>,
    curves: Curves,
}

impl<'a> Trainer<'a> {
    /// A fresh training on a plain device.
    ///
    /// # Errors
    /// When a setting is outside its range.
    pub fn new(config: &MistConfig, data: &'a TrainingSet, device: &Device) -> Result<Self, TrainError> {
        let model =
            MistGenerator::init(data.train.dim, config.hidden, config.seed, &device.clone().autodiff());
        let optimiser = Adagrad::new(adagrad(config));
        Self::build(config, data, device, model, optimiser)
    }

    /// Goes on from a saved state. The result is bit for bit that of a training never interrupted, on the same device,
    /// data and settings; [`crate::checkpoint`] checks the latter two.
    ///
    /// # Errors
    /// When a setting is outside its range or an array does not fit; `origin` says where the state came from.
    pub fn resume(
        state: TrainState,
        data: &'a TrainingSet,
        device: &Device,
        origin: &str,
    ) -> Result<Self, TrainError> {
        let model = MistGenerator::from_arrays(&state.weights, origin, &device.clone().autodiff())?;
        let optimiser = Adagrad::from_arrays(adagrad(&state.config), &state.accumulators, origin, device)?;
        let mut trainer = Self::build(&state.config, data, device, model, optimiser)?;
        trainer.step = state.step;
        trainer.best = state.best;
        trainer.curves = state.curves;
        Ok(trainer)
    }

    fn build(
        config: &MistConfig,
        data: &'a TrainingSet,
        device: &Device,
        model: MistGenerator,
        optimiser: Adagrad,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let scaling = Scaling::fit(config.feature_scaling, &data.train);
        let train_device = device.clone().autodiff();
        let sub_bags = config.sub_bags();
        let spec = BatchSpec { seed: config.seed, pairs: config.pairs, sub_bags, shift: config.shift };
        Ok(Self {
            data_sha256: data.sha256(),
            plan: BatchPlan::new(&data.train, spec),
            val: &data.val,
            train_features: table(&data.train, scaling.as_ref(), &train_device),
            val_features: can_select(&data.val).then(|| table(&data.val, scaling.as_ref(), device)),
            scaling,
            config: config.clone(),
            device: train_device,
            model,
            optimiser,
            step: 0,
            best: None,
            curves: Curves::default(),
        })
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Whether all steps of the settings are done.
    pub fn is_finished(&self) -> bool {
        self.step >= self.config.steps
    }

    /// The settings.
    pub fn config(&self) -> &MistConfig {
        &self.config
    }

    /// Does one training step and, when it is due, a look at the validation split.
    ///
    /// # Errors
    /// When the loss is no longer a number.
    pub fn step(&mut self) -> Result<StepReport, TrainError> {
        let loss = self.loss(&self.plan.batch(self.step));
        let mut grads = GradientsParams::from_grads(loss.total.backward(), &self.model);
        let grad_norm = clip_global_norm(&self.model, &mut grads, self.config.clip_norm);
        let [total, rank, sparse] =
            [loss.total, loss.rank, loss.sparse].map(|part| part.into_scalar::<f32>());
        if !total.is_finite() || !grad_norm.is_finite() {
            let MistConfig { learning_rate, clip_norm, .. } = self.config;
            return Err(TrainError::Diverged { step: self.step + 1, loss: total, learning_rate, clip_norm });
        }
        self.model = self.optimiser.step(self.model.clone(), grads);
        self.step += 1;
        let train = TrainPoint { step: self.step, loss: total, rank, sparse, grad_norm };
        self.curves.train.push(train);
        let due = self.step.is_multiple_of(self.config.eval_every) || self.is_finished();
        let validation = if due { self.validate() } else { None };
        Ok(StepReport { train, validation, steps: self.config.steps })
    }

    fn loss(&self, batch: &Batch) -> RankingLoss {
        let (pairs, clips) = (self.config.pairs, self.config.sub_bags().len());
        let rows = batch.occurrences.len();
        let mut rng = stream(self.config.seed, Purpose::Dropout, self.step);
        let masks = self
            .config
            .hidden
            .map(|units| Mask::draw(self.config.dropout, rows, units, &mut rng, &self.device));
        let distinct = self.train_features.clone().select(0, self.indices(&batch.distinct_rows));
        let scores = self.model.forward_train(distinct, self.indices(&batch.occurrences), masks);
        let scores: Tensor<2> = scores.reshape([2 * pairs, clips]);
        let normal = scores.clone().narrow(0, 0, pairs);
        let abnormal = scores.narrow(0, pairs, pairs);
        let MistConfig { margin, sparsity, smoothness, .. } = self.config;
        let weights = RankingWeights { margin, sparsity, smoothness };
        match self.config.mode {
            Mode::Paper => mil_ranking::paper(normal, abnormal, self.config.clips_per_segment, weights),
            Mode::Released => mil_ranking::released(normal, abnormal, self.config.topk, weights),
        }
    }

    fn indices(&self, values: &[usize]) -> Tensor<1, Int> {
        let values: Vec<i64> = values.iter().map(|value| *value as i64).collect();
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &self.device)
    }

    /// Compares the validation videos by their video-level labels and keeps the weights if they are the best so far.
    fn validate(&mut self) -> Option<ValPoint> {
        let features = self.val_features.clone()?;
        let scores: Vec<f32> = self.model.valid().forward(features).into_data().iter::<f32>().collect();
        let (mut normal, mut abnormal) = (Vec::new(), Vec::new());
        for bag in &self.val.bags {
            let clips = scores.get(bag.first_row..bag.first_row + bag.clips).unwrap_or_default();
            match bag.label {
                Label::Normal => normal.push(bag_score(clips, self.config.topk)),
                Label::Abnormal => abnormal.push(bag_score(clips, self.config.topk)),
            }
        }
        let point = compare_bags(self.step, &normal, &abnormal, self.config.margin)?;
        self.curves.validation.push(point);
        if self.best.as_ref().is_none_or(|(best, _)| point.beats(best)) {
            self.best = Some((point, self.model.to_arrays()));
        }
        Some(point)
    }

    /// Everything needed to go on later.
    pub fn state(&self) -> TrainState {
        TrainState {
            config: self.config.clone(),
            data_sha256: self.data_sha256,
            step: self.step,
            weights: self.model.to_arrays(),
            accumulators: self.optimiser.to_arrays(),
            best: self.best.clone(),
            curves: self.curves.clone(),
        }
    }

    /// The heads so far: the selected one and the last one.
    pub fn outcome(&self) -> TrainOutcome {
        let last = self.exported(self.model.to_arrays());
        let by_last =
            |reason: &str| (last.clone(), Selection::Last { step: self.step, reason: reason.to_owned() });
        let (selected, selection) = match (self.config.selection, &self.best) {
            (SelectionRule::Last, _) => by_last("the settings say so"),
            (SelectionRule::Validation, None) => {
                by_last("the validation split does not hold both abnormal and normal videos")
            }
            (SelectionRule::Validation, Some((point, weights))) => {
                (self.exported(weights.clone()), Selection::Validation(*point))
            }
        };
        TrainOutcome { selected, last, selection, curves: self.curves.clone() }
    }

    fn exported(&self, mut weights: Arrays) -> Arrays {
        if let Some(scaling) = &self.scaling {
            scaling.fold(&mut weights);
        }
        weights
    }
}

fn adagrad(config: &MistConfig) -> AdagradConfig {
    AdagradConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdagradConfig::default()
    }
}

/// Video-level selection compares abnormal with normal videos, so it needs both.
fn can_select(val: &BagSet) -> bool {
    !val.with_label(Label::Abnormal).is_empty() && !val.with_label(Label::Normal).is_empty()
}

fn table(bags: &BagSet, scaling: Option<&Scaling>, device: &Device) -> Tensor<2> {
    let values = match scaling {
        Some(scaling) => scaling.apply(&bags.values),
        None => bags.values.clone(),
    };
    Tensor::from_data(TensorData::new(values, [bags.rows(), bags.dim]), device)
}

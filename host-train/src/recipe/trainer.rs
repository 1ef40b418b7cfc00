//! The loop around every training system: steps, looks at the validation split, selection, state.

use burn::tensor::Device;
use thiserror::Error;
use vad_data::Label;

use crate::bag::{BagSet, TrainingSet};
use crate::recipe::curves::{Curves, Selection, TrainPoint, ValPoint, bag_score, compare_bags};
use crate::recipe::settings::{ConfigError, SelectionRule, Settings};
use crate::recipe::system::{Detector, System};
use crate::tensors::{Arrays, TensorsError};

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
        "the loss became {loss} at step {step}, the norm of its gradients {grad_norm}: lower the step size, or the norm at which gradients are clipped"
    )]
    Diverged {
        /// Steps done, from 1.
        step: u64,
        /// The loss.
        loss: f32,
        /// Common norm of all gradients.
        grad_norm: f32,
    },
}

/// What one call of [`Trainer::step`] did.
#[derive(Clone, Debug, PartialEq)]
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
    /// The chosen detector; takes raw features.
    pub selected: Arrays,
    /// The detector after the last step; takes raw features.
    pub last: Arrays,
    /// How `selected` was chosen.
    pub selection: Selection,
    /// Everything recorded.
    pub curves: Curves,
}

/// Everything that a training needs to go on, besides its data.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState<C> {
    /// Settings; they include the seed, which with `step` is the whole state of the random draws.
    pub config: C,
    /// Hash of the data ([`TrainingSet::sha256`]).
    pub data_sha256: [u8; 32],
    /// Steps done.
    pub step: u64,
    /// What the system keeps from step to step.
    pub snapshot: Arrays,
    /// The best point on the validation split so far, with the detector's weights.
    pub best: Option<(ValPoint, Arrays)>,
    /// Everything recorded.
    pub curves: Curves,
}

/// A training in progress.
pub struct Trainer<'a, S: System> {
    system: S,
    config: S::Config,
    data: &'a TrainingSet,
    data_sha256: [u8; 32],
    step: u64,
    best: Option<(ValPoint, Arrays)>,
    curves: Curves,
}

impl<'a, S: System> Trainer<'a, S> {
    /// A fresh training on a plain device.
    ///
    /// # Errors
    /// When a setting is outside its range or does not suit the data.
    pub fn new(config: &S::Config, data: &'a TrainingSet, device: &Device) -> Result<Self, TrainError> {
        config.validate()?;
        Ok(Self {
            system: S::new(config, data, device)?,
            config: config.clone(),
            data,
            data_sha256: data.sha256(),
            step: 0,
            best: None,
            curves: Curves::default(),
        })
    }

    /// Goes on from a saved state. The result is bit for bit that of a training never interrupted, on the same device,
    /// data and settings; [`crate::checkpoint`] checks the latter two.
    ///
    /// # Errors
    /// When a setting is outside its range or an array does not fit; `origin` says where the state came from.
    pub fn resume(
        state: TrainState<S::Config>,
        data: &'a TrainingSet,
        device: &Device,
        origin: &str,
    ) -> Result<Self, TrainError> {
        let mut trainer = Self::new(&state.config, data, device)?;
        trainer.system.restore(&state.snapshot, origin)?;
        trainer.step = state.step;
        trainer.best = state.best;
        trainer.curves = state.curves;
        Ok(trainer)
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Steps that the training has in all.
    pub fn steps(&self) -> u64 {
        self.system.steps()
    }

    /// Whether all steps are done.
    pub fn is_finished(&self) -> bool {
        self.step >= self.steps()
    }

    /// Does one step, and a look at the validation split when one is due.
    ///
    /// # Errors
    /// When the loss is no longer a number; the training cannot go on then.
    pub fn step(&mut self) -> Result<StepReport, TrainError> {
        let losses = self.system.step(self.step, self.data);
        self.step += 1;
        if !losses.total.is_finite() || !losses.grad_norm.is_finite() {
            let (loss, grad_norm) = (losses.total, losses.grad_norm);
            return Err(TrainError::Diverged { step: self.step, loss, grad_norm });
        }
        let train = self.curves.record(self.step, &losses);
        let due = self.step.is_multiple_of(self.config.watch().eval_every) || self.is_finished();
        let validation = if due { self.validate() } else { None };
        Ok(StepReport { train, validation, steps: self.steps() })
    }

    /// Compares the validation videos by their video-level labels and keeps the weights if they are the best so far.
    fn validate(&mut self) -> Option<ValPoint> {
        if !can_select(&self.data.val) {
            return None;
        }
        let (mut normal, mut abnormal) = (Vec::new(), Vec::new());
        for (bag, clips) in self.data.val.bags.iter().zip(self.detector().score(&self.data.val)) {
            let score = bag_score(&clips, self.config.watch().topk);
            match bag.label {
                Label::Normal => normal.push(score),
                Label::Abnormal => abnormal.push(score),
            }
        }
        let point = compare_bags(self.step, &normal, &abnormal)?;
        self.curves.validation.push(point);
        if self.best.as_ref().is_none_or(|(best, _)| point.beats(best)) {
            self.best = Some((point, self.system.weights()));
        }
        Some(point)
    }

    /// The detector as it stands.
    pub fn detector(&self) -> S::Detector {
        self.system.detector()
    }

    /// Everything needed to go on later.
    pub fn state(&self) -> TrainState<S::Config> {
        TrainState {
            config: self.config.clone(),
            data_sha256: self.data_sha256,
            step: self.step,
            snapshot: self.system.snapshot(),
            best: self.best.clone(),
            curves: self.curves.clone(),
        }
    }

    /// The detectors so far: the selected one and the last one.
    pub fn outcome(&self) -> TrainOutcome {
        let last = self.system.weights();
        let by_last =
            |reason: &str| (last.clone(), Selection::Last { step: self.step, reason: reason.to_owned() });
        let (selected, selection) = match (self.config.watch().selection, &self.best) {
            (SelectionRule::Last, _) => by_last("the settings say so"),
            (SelectionRule::Validation, None) => {
                by_last("the validation split does not hold both abnormal and normal videos")
            }
            (SelectionRule::Validation, Some((point, weights))) => {
                (weights.clone(), Selection::Validation(*point))
            }
        };
        TrainOutcome { selected, last, selection, curves: self.curves.clone() }
    }
}

/// Video-level selection compares abnormal with normal videos, so it needs both.
fn can_select(val: &BagSet) -> bool {
    !val.with_label(Label::Abnormal).is_empty() && !val.with_label(Label::Normal).is_empty()
}

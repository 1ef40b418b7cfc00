//! The loop around the steps: passes over the footage, checkpoints, what was reached.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::beginning::Beginning;
use super::config::{DistillConfig, NAME};
use super::error::DistillError;
use super::lessons::{Footage, Window};
use super::student::{Place, Pupil};
use crate::checkpoint;
use crate::recipe::curves::Curves;
use crate::recipe::settings::Settings;
use crate::recipe::trainer::{StepReport, TrainError, TrainState};
use crate::run::Flow;
use crate::tensors::Arrays;

/// Time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// A finished distillation.
#[derive(Debug)]
pub struct Distilled {
    /// The network's weights.
    pub weights: Arrays,
    /// Losses of every step.
    pub curves: Curves,
    /// How much was learnt.
    pub fidelity: Fidelity,
}

/// Share of the variance of the teacher's clip features that the student's projected ones explain, the mean over channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// On the footage that was learnt from.
    pub learnt: f32,
    /// On other footage, where there is some.
    pub held_back: Option<f32>,
}

/// Lets the student learn to the end, or until `progress` says stop; nothing comes back then. A checkpoint at
/// `checkpoint` is continued, bit for bit; it must belong to the same footage and settings.
///
/// # Errors
/// When footage cannot be read, the checkpoint belongs to something else or cannot be written, or the loss is no longer a
/// number.
pub fn train(
    config: &DistillConfig,
    footage: &Footage,
    held_back: &Footage,
    beginning: &Beginning,
    checkpoint: &Path,
    place: &Place,
    progress: &mut dyn FnMut(&StepReport) -> Flow,
) -> Result<Option<Distilled>, DistillError> {
    config.validate()?;
    let mut training = Training::new(config, footage, beginning, place)?;
    if checkpoint.exists() {
        training.resume(checkpoint)?;
    }
    let mut saved = Instant::now();
    while training.step < training.steps() {
        let report = training.one_step()?;
        let stop = progress(&report) == Flow::Stop;
        if stop || saved.elapsed() > CHECKPOINT_EVERY || training.step == training.steps() {
            checkpoint::save_of(NAME, checkpoint, &training.state())?;
            saved = Instant::now();
        }
        if stop && training.step < training.steps() {
            return Ok(None);
        }
    }
    let pupil = &training.pupil;
    let learnt = pupil.explained(footage)?.unwrap_or(0.0);
    let fidelity = Fidelity { learnt, held_back: pupil.explained(held_back)? };
    Ok(Some(Distilled { weights: training.pupil.weights(), curves: training.curves, fidelity }))
}

struct Training<'a> {
    config: &'a DistillConfig,
    footage: &'a Footage,
    pupil: Pupil,
    /// The pass of `windows`.
    pass: Option<u64>,
    windows: Vec<Window>,
    step: u64,
    curves: Curves,
}

impl<'a> Training<'a> {
    fn new(
        config: &'a DistillConfig,
        footage: &'a Footage,
        beginning: &Beginning,
        place: &Place,
    ) -> Result<Self, DistillError> {
        let pupil = Pupil::new(config, footage, beginning, place)?;
        Ok(Self {
            config,
            footage,
            pupil,
            pass: None,
            windows: Vec::new(),
            step: 0,
            curves: Curves::default(),
        })
    }

    fn steps_per_pass(&self) -> u64 {
        self.footage.windows_per_pass().div_ceil(self.config.windows) as u64
    }

    fn steps(&self) -> u64 {
        self.config.passes * self.steps_per_pass()
    }

    fn one_step(&mut self) -> Result<StepReport, DistillError> {
        let (pass, within) =
            (self.step / self.steps_per_pass(), (self.step % self.steps_per_pass()) as usize);
        if self.pass != Some(pass) {
            self.windows = self.footage.pass(self.config.seed, pass);
            self.pass = Some(pass);
        }
        let first = within * self.config.windows;
        let windows = &self.windows[first..(first + self.config.windows).min(self.windows.len())];
        let learning_rate = self.config.learning_rate_at(self.step, self.steps());
        let losses = self.pupil.step(self.footage, windows, learning_rate)?;
        self.step += 1;
        if !losses.total.is_finite() || !losses.grad_norm.is_finite() {
            let (loss, grad_norm) = (losses.total, losses.grad_norm);
            return Err(TrainError::Diverged { step: self.step, loss, grad_norm }.into());
        }
        let train = self.curves.record(self.step, &losses);
        Ok(StepReport { train, validation: None, steps: self.steps() })
    }

    fn state(&self) -> TrainState<DistillConfig> {
        TrainState {
            config: self.config.clone(),
            data_sha256: self.footage.sha256(),
            step: self.step,
            snapshot: self.pupil.snapshot(),
            best: None,
            curves: self.curves.clone(),
        }
    }

    fn resume(&mut self, path: &Path) -> Result<(), DistillError> {
        let state = checkpoint::load_of::<DistillConfig>(NAME, path)?;
        checkpoint::check_continues(path, &state, self.config, self.footage.sha256())?;
        self.pupil.restore(&state.snapshot, &path.display().to_string())?;
        (self.step, self.curves) = (state.step, state.curves);
        Ok(())
    }
}

//! The loop around the steps: reading ahead, looks at the validation videos, selection, checkpoints.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use sha2::{Digest, Sha256};
use vad_data::{Label, VideoEntry};

use super::clips::ClipInput;
use super::error::TuneError;
use super::labels::{LabelledVideo, write_csv};
use super::loader::Loader;
use super::plan::Plan;
use super::schedule::Schedule;
use super::start::Pretrained;
use super::tuned::TunedRun;
use super::tuner::Tuner;
use crate::checkpoint;
use crate::model::sga::encoder::SgaEncoder;
use crate::recipe::curves::{Curves, Selection, ValPoint, bag_score, compare_bags};
use crate::recipe::mist_stage2_config::{NAME, Stage2Config};
use crate::recipe::settings::{SelectionRule, Settings};
use crate::recipe::trainer::{StepReport, TrainError, TrainOutcome, TrainState};
use crate::run::{Flow, RunOutcome};
use crate::tensors::Arrays;

/// Time between two checkpoints, beside those after a look at the validation videos.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// Clips of a validation video that are scored at once.
const CLIPS_AT_ONCE: usize = 8;

/// What a fine-tuning works on.
pub struct Job<'a> {
    /// Its settings, checked.
    pub config: &'a Stage2Config,
    /// Training videos with their pseudo labels.
    pub train: Vec<LabelledVideo>,
    /// Videos to select by, of which only the label of the whole video counts.
    pub val: &'a [VideoEntry],
    /// What the encoder begins with.
    pub pretrained: &'a Pretrained,
    /// A plain device. Everything that exists once is on it.
    pub device: &'a Device,
    /// Further plain devices, each for a copy of the encoder that takes its share of a step's clips. Where they compute as
    /// the first does, they do not change results.
    pub more_devices: &'a [Device],
    /// Threads that read videos ahead.
    pub readers: usize,
}

/// A fine-tuning in progress.
pub struct Training<'a> {
    config: &'a Stage2Config,
    plan: Arc<Plan>,
    schedule: Schedule,
    val: &'a [VideoEntry],
    device: &'a Device,
    readers: usize,
    tuner: Tuner,
    step: u64,
    best: Option<(ValPoint, Arrays)>,
    curves: Curves,
}

impl<'a> Training<'a> {
    /// A fresh one.
    ///
    /// # Errors
    /// When a setting is out of its range, the weights do not fit or the videos are all of one kind.
    pub fn new(job: Job<'a>) -> Result<Self, TuneError> {
        job.config.validate()?;
        let plan = Arc::new(Plan::new(job.config, job.train)?);
        let schedule = plan.schedule();
        Ok(Self {
            tuner: Tuner::new(job.config, schedule, job.pretrained, job.device, job.more_devices)?,
            config: job.config,
            plan,
            schedule,
            val: job.val,
            device: job.device,
            readers: job.readers,
            step: 0,
            best: None,
            curves: Curves::default(),
        })
    }

    /// Goes on from a saved state. The result is bit for bit that of a training never interrupted, on devices of the same
    /// kind; there may be more of them than before, or fewer.
    ///
    /// # Errors
    /// When an array does not fit; `origin` says where the state came from.
    pub fn resume(&mut self, state: TrainState<Stage2Config>, origin: &str) -> Result<(), TuneError> {
        self.tuner.restore(state.step, &state.snapshot, origin)?;
        self.step = state.step;
        self.best = state.best;
        self.curves = state.curves;
        Ok(())
    }

    /// Whether all steps are done.
    pub fn is_finished(&self) -> bool {
        self.step >= self.schedule.steps()
    }

    /// Works until `progress` says stop or all steps are done.
    ///
    /// # Errors
    /// When a video cannot be read, or a loss is no longer a number.
    pub fn work(
        &mut self,
        progress: &mut dyn FnMut(&Self, &StepReport) -> Result<Flow, TuneError>,
    ) -> Result<Flow, TuneError> {
        if self.is_finished() {
            return Ok(Flow::Continue);
        }
        let batches = self.schedule.batches_from(self.step);
        let mut loader = Loader::start(&self.plan, self.tuner.input(), batches, self.readers)?;
        while !self.is_finished() {
            let report = self.one_step(&mut loader)?;
            if progress(self, &report)? == Flow::Stop && !self.is_finished() {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    fn one_step(&mut self, loader: &mut Loader) -> Result<StepReport, TuneError> {
        let losses = self.tuner.step(self.step, &mut || loader.next_batch())?;
        let epoch_ends = self.schedule.ends_epoch(self.step);
        let epoch = u64::from(self.schedule.epoch_of(self.step)) + 1;
        self.step += 1;
        if !losses.total.is_finite() || !losses.grad_norm.is_finite() {
            let (loss, grad_norm) = (losses.total, losses.grad_norm);
            return Err(TrainError::Diverged { step: self.step, loss, grad_norm }.into());
        }
        let train = self.curves.record(self.step, &losses);
        let due = epoch_ends && epoch.is_multiple_of(self.config.watch().eval_every);
        let validation = if due || self.is_finished() { self.validate()? } else { None };
        Ok(StepReport { train, validation, steps: self.schedule.steps() })
    }

    /// Compares the validation videos by their video-level labels and keeps the weights if they are the best so far.
    fn validate(&mut self) -> Result<Option<ValPoint>, TuneError> {
        let is = |label: Label| self.val.iter().any(|entry| entry.label == label);
        if !is(Label::Normal) || !is(Label::Abnormal) {
            return Ok(None);
        }
        let encoder = self.tuner.encoder();
        let (mut normal, mut abnormal) = (Vec::new(), Vec::new());
        for entry in self.val {
            let scores = score_video(&encoder, self.tuner.input(), entry, self.device)?;
            let score = bag_score(&scores, self.config.topk);
            match entry.label {
                Label::Normal => normal.push(score),
                Label::Abnormal => abnormal.push(score),
            }
        }
        let Some(point) = compare_bags(self.step, &normal, &abnormal) else {
            return Ok(None);
        };
        self.curves.validation.push(point);
        if self.best.as_ref().is_none_or(|(best, _)| point.beats(best)) {
            self.best = Some((point, self.tuner.weights()));
        }
        Ok(Some(point))
    }

    /// Everything needed to go on later.
    pub fn state(&self) -> TrainState<Stage2Config> {
        TrainState {
            config: self.config.clone(),
            data_sha256: data_sha256(self.plan.videos(), self.val),
            step: self.step,
            snapshot: self.tuner.snapshot(),
            best: self.best.clone(),
            curves: self.curves.clone(),
        }
    }

    /// The encoders so far: the selected one and the last one.
    pub fn outcome(&self) -> TrainOutcome {
        let last = self.tuner.weights();
        let by_last = |reason: &str| Selection::Last { step: self.step, reason: reason.to_owned() };
        let (selected, selection) = match (self.config.selection, &self.best) {
            (SelectionRule::Last, _) => (last.clone(), by_last("the settings say so")),
            (SelectionRule::Validation, None) => {
                (last.clone(), by_last("the validation split does not hold both abnormal and normal videos"))
            }
            (SelectionRule::Validation, Some((point, weights))) => {
                (weights.clone(), Selection::Validation(*point))
            }
        };
        TrainOutcome { selected, last, selection, curves: self.curves.clone() }
    }
}

/// Fine-tunes in a run folder to the end, or until `progress` says stop. A checkpoint found there is continued; it must belong
/// to the same data and settings (the number of epochs may have grown).
///
/// # Errors
/// As [`Training::work`]; and when the checkpoint is damaged or belongs to another training, or a file cannot be written.
pub fn train(
    run: &TunedRun,
    job: Job<'_>,
    progress: &mut dyn FnMut(&StepReport) -> Flow,
) -> Result<RunOutcome, TuneError> {
    let config = job.config;
    let mut training = Training::new(job)?;
    let path = run.run().checkpoint_path();
    let data_sha256 = data_sha256(training.plan.videos(), training.val);
    if path.exists() {
        let mut state = checkpoint::load_of::<Stage2Config>(NAME, &path)?;
        checkpoint::check_continues(&path, &state, config, data_sha256)?;
        state.config = config.clone();
        training.resume(state, &path.display().to_string())?;
        checkpoint::check_length(&path, training.step, training.schedule.steps())?;
    }
    run.write_config(config)?;
    write_csv(&run.labels_path(), training.plan.videos())?;
    let (started, steps_before) = (Instant::now(), training.step);
    let mut saved = Instant::now();
    let flow = training.work(&mut |training, report| {
        let flow = progress(report);
        let due = report.validation.is_some() || saved.elapsed() > CHECKPOINT_EVERY;
        if due || flow == Flow::Stop || training.is_finished() {
            checkpoint::save_of(NAME, &path, &training.state())?;
            saved = Instant::now();
        }
        Ok(flow)
    })?;
    if flow == Flow::Stop {
        return Ok(RunOutcome::Stopped { step: training.step });
    }
    let step_ms = match training.step - steps_before {
        0 => run.run().metrics().map_or(0.0, |metrics| metrics.step_ms),
        steps => (started.elapsed().as_micros() / u128::from(steps)) as f64 / 1000.0,
    };
    let outcome = training.outcome();
    run.write_results(config, &outcome, data_sha256, step_ms)?;
    Ok(RunOutcome::Finished(Box::new(outcome)))
}

/// Scores every clip of a video from its pixels.
///
/// # Errors
/// When the video cannot be read.
pub fn score_video(
    encoder: &SgaEncoder,
    input: &ClipInput,
    entry: &VideoEntry,
    device: &Device,
) -> Result<Vec<f32>, TuneError> {
    let (mut scores, mut waiting): (Vec<f32>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
    let mut flush = |waiting: &mut Vec<Vec<u8>>| -> Result<(), TuneError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let clips: Vec<&[u8]> = waiting.iter().map(Vec::as_slice).collect();
        let scored = encoder.forward(input.tensor(&clips, device)?)?;
        scores.extend(scored.judged().into_data().iter::<f32>());
        waiting.clear();
        Ok(())
    };
    input.each(entry, &mut |_, clip| {
        waiting.push(clip);
        if waiting.len() >= CLIPS_AT_ONCE { flush(&mut waiting) } else { Ok(()) }
    })?;
    flush(&mut waiting)?;
    Ok(scores)
}

/// What a checkpoint belongs to: ids, lengths and pseudo labels of the training videos, ids and labels of the others.
fn data_sha256(train: &[LabelledVideo], val: &[VideoEntry]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"watchpost pseudo labels 1\0");
    let text = |hash: &mut Sha256, text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    hash.update((train.len() as u64).to_le_bytes());
    for video in train {
        text(&mut hash, &video.entry.id);
        hash.update(video.frames.to_le_bytes());
        video.labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
    }
    for entry in val {
        text(&mut hash, &entry.id);
        hash.update([u8::from(entry.label == Label::Abnormal)]);
    }
    hash.finalize().into()
}

//! A run folder: settings, checkpoint, curves and the trained head of one training.
//!
//! ```text
//! config.toml             the recipe and its settings, as used
//! checkpoint.safetensors  to go on from
//! metrics.json            curves, selection, seed, data hash
//! head.safetensors        the selected detector, for raw features
//! head_last.safetensors   the detector after the last step
//! model.json              the ModelSpec that the exporter and the board read
//! extraction.json         what its features were made from
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Table;
use vad_core::ModelSpec;

use crate::atomic_file::{self, WriteError};
use crate::bag::TrainingSet;
use crate::checkpoint::{self, CheckpointError, hex};
use crate::handoff::{self, HandoffError};
use crate::recipe::curves::{Curves, Selection};
use crate::recipe::settings::{Settings, to_table};
use crate::recipe::system::{Detector, System};
use crate::recipe::trainer::{StepReport, TrainError, TrainOutcome, Trainer};

/// A checkpoint comes after so many steps, or so much time if that is sooner: steps take from milliseconds to many seconds.
const CHECKPOINT_STEPS: u64 = 100;
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// Why a run cannot go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// The folder holds a run already.
    #[error("{} holds a run already: resume it, overwrite it or choose another name", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is no run.
    #[error("{} is not a run folder: {} is missing", path.display(), missing)]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file that should be there.
        missing: &'static str,
    },
    /// A file or folder cannot be read or made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the run cannot be understood.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The checkpoint cannot be used or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The detector or its spec cannot be written.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
}

/// Whether a training goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Save a checkpoint and return.
    Stop,
}

/// What a training came to.
#[derive(Clone, Debug, PartialEq)]
pub enum RunOutcome {
    /// All steps are done and every file is written.
    Finished(Box<TrainOutcome>),
    /// Stopped by the caller; the checkpoint goes on from here.
    Stopped {
        /// Steps done.
        step: u64,
    },
}

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// Name of the recipe.
    pub recipe: String,
    /// Its seed.
    pub seed: u64,
    /// SHA-256 of the training and validation features with ids and labels.
    pub data_sha256: String,
    /// How the detector was chosen.
    pub selection: Selection,
    /// Training videos left out for lack of features.
    pub skipped_videos: Vec<String>,
    /// Mean time of a step in milliseconds, looks at the validation split included, since the training last began or
    /// went on.
    pub step_ms: f64,
    /// Losses by step and looks at the validation split.
    pub curves: Curves,
}

impl RunMetrics {
    /// Steps done.
    pub fn steps(&self) -> usize {
        self.curves.train.len()
    }

    /// Time of the whole training in seconds: of all steps at their mean, whether or not it was ever interrupted.
    pub fn training_s(&self) -> f64 {
        self.steps() as f64 * self.step_ms / 1000.0
    }
}

/// One run folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    dir: PathBuf,
}

impl Run {
    /// Makes a new run folder. With `overwrite` the files of a run already there are removed first.
    ///
    /// # Errors
    /// When there is a run already and `overwrite` is false, or the folder cannot be made.
    pub fn create(dir: &Path, overwrite: bool) -> Result<Self, RunError> {
        let run = Self { dir: dir.to_owned() };
        if run.config_path().exists() || run.checkpoint_path().exists() {
            if !overwrite {
                return Err(RunError::Exists { path: dir.to_owned() });
            }
            for path in run.files() {
                remove_if_there(&path)?;
            }
        }
        fs::create_dir_all(dir).map_err(|source| RunError::Io { path: dir.to_owned(), source })?;
        Ok(run)
    }

    /// Opens a run folder.
    ///
    /// # Errors
    /// When it holds no `config.toml`.
    pub fn open(dir: &Path) -> Result<Self, RunError> {
        let run = Self { dir: dir.to_owned() };
        if run.config_path().is_file() {
            return Ok(run);
        }
        Err(RunError::NotARun { path: dir.to_owned(), missing: "config.toml" })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `config.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// `checkpoint.safetensors`.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.dir.join("checkpoint.safetensors")
    }

    /// `metrics.json`.
    pub fn metrics_path(&self) -> PathBuf {
        self.dir.join("metrics.json")
    }

    /// `head.safetensors`.
    pub fn head_path(&self) -> PathBuf {
        self.dir.join("head.safetensors")
    }

    /// `head_last.safetensors`.
    pub fn last_head_path(&self) -> PathBuf {
        self.dir.join("head_last.safetensors")
    }

    /// `model.json`.
    pub fn model_path(&self) -> PathBuf {
        self.dir.join("model.json")
    }

    fn files(&self) -> [PathBuf; 6] {
        [
            self.checkpoint_path(),
            self.metrics_path(),
            self.head_path(),
            self.last_head_path(),
            self.model_path(),
            self.config_path(),
        ]
    }

    /// The recipe and the settings that the run was made with.
    ///
    /// # Errors
    /// When they cannot be read, naming the line.
    pub fn settings(&self) -> Result<Table, RunError> {
        read_settings(&self.config_path())
    }

    /// The curves and the selection of a finished training.
    ///
    /// # Errors
    /// When `metrics.json` cannot be read.
    pub fn metrics(&self) -> Result<RunMetrics, RunError> {
        let path = self.metrics_path();
        let text = fs::read_to_string(&path).map_err(|source| RunError::Io { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|error| RunError::Malformed { path, reason: error.to_string() })
    }

    /// The spec of the trained model.
    ///
    /// # Errors
    /// When `model.json` cannot be read or is not sound.
    pub fn model(&self) -> Result<ModelSpec, RunError> {
        Ok(handoff::read_spec(&self.model_path())?)
    }

    /// Trains to the end, or until `progress` says stop. A checkpoint found in the folder is continued; it must
    /// belong to the same data and settings (the number of steps may have grown).
    ///
    /// `model` gives everything about the model but its head.
    ///
    /// # Errors
    /// When the checkpoint is damaged or belongs to another training, the loss diverges, or a file cannot be written.
    pub fn train<S: System>(
        &self,
        config: &S::Config,
        data: &TrainingSet,
        device: &Device,
        model: &ModelSpec,
        progress: &mut dyn FnMut(&StepReport) -> Flow,
    ) -> Result<RunOutcome, RunError> {
        let mut trainer = self.start::<S>(config, data, device)?;
        self.write_config::<S>(config)?;
        let (started, steps_before) = (Instant::now(), trainer.steps_done());
        let mut saved = started;
        while !trainer.is_finished() {
            let report = trainer.step()?;
            let stop = progress(&report) == Flow::Stop && !trainer.is_finished();
            let due = trainer.steps_done().is_multiple_of(CHECKPOINT_STEPS)
                || saved.elapsed() > CHECKPOINT_INTERVAL;
            if stop || due || trainer.is_finished() {
                checkpoint::save::<S>(&self.checkpoint_path(), &trainer.state())?;
                saved = Instant::now();
            }
            if stop {
                return Ok(RunOutcome::Stopped { step: trainer.steps_done() });
            }
        }
        let step_ms = match trainer.steps_done() - steps_before {
            0 => self.metrics().map_or(0.0, |metrics| metrics.step_ms),
            steps => (started.elapsed().as_micros() / u128::from(steps)) as f64 / 1000.0,
        };
        let outcome = trainer.outcome();
        let model = ModelSpec { head: trainer.detector().head(), ..model.clone() };
        self.write_results::<S>(config, data, &model, &outcome, step_ms)?;
        Ok(RunOutcome::Finished(Box::new(outcome)))
    }

    fn start<'a, S: System>(
        &self,
        config: &S::Config,
        data: &'a TrainingSet,
        device: &Device,
    ) -> Result<Trainer<'a, S>, RunError> {
        let path = self.checkpoint_path();
        if !path.exists() {
            return Ok(Trainer::new(config, data, device)?);
        }
        let mut state = checkpoint::load::<S>(&path)?;
        checkpoint::check_continues(&path, &state, config, data.sha256())?;
        state.config = config.clone();
        let trainer = Trainer::resume(state, data, device, &path.display().to_string())?;
        checkpoint::check_length(&path, trainer.steps_done(), trainer.steps())?;
        Ok(trainer)
    }

    fn write_config<S: System>(&self, config: &S::Config) -> Result<(), RunError> {
        let path = self.config_path();
        let text = to_table(config)
            .and_then(|table| toml::to_string_pretty(&table))
            .map_err(|error| RunError::Malformed { path: path.clone(), reason: error.to_string() })?;
        let text = format!("recipe = \"{}\"\n{text}", S::NAME);
        Ok(atomic_file::write(&path, text.as_bytes())?)
    }

    /// The spec comes last: where it is, the head is.
    fn write_results<S: System>(
        &self,
        config: &S::Config,
        data: &TrainingSet,
        model: &ModelSpec,
        outcome: &TrainOutcome,
        step_ms: f64,
    ) -> Result<(), RunError> {
        handoff::check_width(model)?;
        handoff::write_head(&self.head_path(), &outcome.selected)?;
        handoff::write_head(&self.last_head_path(), &outcome.last)?;
        let metrics = RunMetrics {
            recipe: S::NAME.to_owned(),
            seed: config.seed(),
            data_sha256: hex(&data.sha256()),
            selection: outcome.selection.clone(),
            skipped_videos: [&data.train.skipped[..], &data.val.skipped[..]].concat(),
            step_ms,
            curves: outcome.curves.clone(),
        };
        let path = self.metrics_path();
        let text = serde_json::to_string(&metrics)
            .map_err(|error| RunError::Malformed { path: path.clone(), reason: error.to_string() })?;
        atomic_file::write(&path, text.as_bytes())?;
        Ok(handoff::write_spec(&self.model_path(), model)?)
    }
}

/// Reads a file of settings, not yet checked against a recipe ([`crate::recipe::registry`]).
///
/// # Errors
/// When the file cannot be read, or is not TOML, naming the line.
pub fn read_settings(path: &Path) -> Result<Table, RunError> {
    let text = fs::read_to_string(path).map_err(|source| RunError::Io { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| RunError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), RunError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RunError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

//! How the encoder is run on this board: as asked, or as `watchpostd tune` found it to be the fastest here.
//!
//! A choice that does not fit is no reason to stop: the default computes the same, slower at worst. [`Tuned`] says which
//! one is in use and why.

mod processor;
mod record;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};

use model_bundle::Bundle;
use vad_infer::{InferError, Kernels, Pulse, Tuning};

use crate::eyes::Eyes;
use crate::kept::Unread;
use crate::model::ModelError;

pub use self::processor::Processor;
pub use self::record::TuningRecord;
pub use self::store::{Choice, MadeFor, Measured};

/// Name of the file that `watchpostd tune` writes, beside the outbox.
pub const TUNE_FILE: &str = "tune.toml";

/// Who says how the encoder is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TuningSource {
    /// The caller.
    Asked {
        /// Kernels of an encoder that streams.
        kernels: Kernels,
        /// Frames that such an encoder takes at a time.
        pulse: usize,
    },
    /// What `watchpostd tune` stored, else the default.
    Stored {
        /// Where it stores it.
        file: PathBuf,
        /// Frames at a time as configured, which no measurement overrides.
        pulse: Option<usize>,
    },
}

/// The default, whatever may be stored.
impl Default for TuningSource {
    fn default() -> Self {
        Self::Asked { kernels: Kernels::Best, pulse: Pulse::ONE.frames() }
    }
}

/// What an encoder runs on, and why.
#[derive(Debug)]
pub struct Tuned {
    /// What it runs on indeed.
    pub tuning: Tuning,
    /// Why.
    pub origin: Origin,
}

/// Where a tuning comes from.
#[derive(Debug)]
pub enum Origin {
    /// The caller asked for it.
    Asked,
    /// The default: nothing is stored.
    Untuned,
    /// The file.
    Stored(PathBuf),
    /// The default, in spite of the file.
    Unused(PathBuf, Unused),
}

/// Why a stored choice is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unused {
    /// The file cannot be read.
    #[error("cannot be read ({0})")]
    Read(std::io::Error),
    /// It is not what `watchpostd tune` writes.
    #[error("is damaged ({0})")]
    Damaged(String),
    /// The bundle has another encoder.
    #[error("was tuned for another encoder")]
    Encoder,
    /// The board has another processor.
    #[error("was tuned on another processor ({0})")]
    Processor(Processor),
    /// The program is another.
    #[error("was tuned by watchpostd {0}")]
    Version(String),
    /// The configuration fixes the pulse.
    #[error("was tuned with a pulse of {stored}, but model.pulse is {configured}")]
    Pulse {
        /// Frames at a time.
        stored: usize,
        /// Frames at a time.
        configured: usize,
    },
    /// The processor lacks instructions, in spite of its name.
    #[error("names kernels `{0}`, which this processor does not have")]
    Kernels(Kernels),
    /// The encoder does not load with it.
    #[error("does not fit the encoder ({0})")]
    Load(InferError),
}

impl From<Unread> for Unused {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Read(e) => Self::Read(e),
            Unread::Damaged(reason) => Self::Damaged(reason),
        }
    }
}

impl TuningSource {
    /// Loads encoder and attention of `bundle`, read from `dir`.
    pub(crate) fn load(&self, bundle: &Bundle, dir: &Path) -> Result<(Eyes, Tuned), ModelError> {
        let load = |tuning| Eyes::load(bundle, tuning);
        let graph = |source| ModelError::Graph { dir: dir.to_owned(), source };
        let fits = |pulse| {
            let (dir, clip) = (dir.to_owned(), bundle.model().clip);
            Pulse::new(pulse, clip).ok_or(ModelError::Pulse { dir, pulse, clip })
        };
        let (eyes, origin) = match self {
            Self::Asked { kernels, pulse } => {
                let tuning = Tuning { kernels: *kernels, pulse: fits(*pulse)?, ..Tuning::default() };
                (load(tuning).map_err(graph)?, Origin::Asked)
            }
            Self::Stored { file, pulse } => {
                let configured = pulse.map(fits).transpose()?;
                let default = Tuning { pulse: configured.unwrap_or_default(), ..Tuning::default() };
                let found = Choice::find(file, bundle, configured);
                match found.and_then(|found| found.map(load).transpose().map_err(Unused::Load)) {
                    Ok(Some(eyes)) => (eyes, Origin::Stored(file.clone())),
                    Ok(None) => (load(default).map_err(graph)?, Origin::Untuned),
                    Err(reason) => (load(default).map_err(graph)?, Origin::Unused(file.clone(), reason)),
                }
            }
        };
        let tuning = eyes.encoder.tuning();
        Ok((eyes, Tuned { tuning, origin }))
    }
}

impl Tuned {
    /// Whether there is a stored choice that could not be used.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self.origin, Origin::Unused(..))
    }

    /// Tells the log.
    pub fn log(&self) {
        if self.is_stale() {
            tracing::warn!("encoder on {self}");
        } else {
            tracing::info!("encoder on {self}");
        }
    }
}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tuning = self.tuning;
        match &self.origin {
            Origin::Asked => write!(f, "{tuning}"),
            Origin::Untuned => {
                write!(f, "{tuning}, the default; `watchpostd tune` looks for what is faster here")
            }
            Origin::Stored(file) => write!(f, "{tuning}, tuned on this board ({})", file.display()),
            Origin::Unused(file, reason) => {
                write!(f, "{tuning}, the default: {} {reason}; run `watchpostd tune`", file.display())
            }
        }
    }
}

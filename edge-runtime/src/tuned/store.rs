//! The file that `watchpostd tune` writes.

use std::path::Path;

use model_bundle::{ArtefactRole, Bundle};
use serde::{Deserialize, Serialize};
use vad_infer::{Pulse, Tuning};

use super::{Processor, TuningRecord, Unused};
use crate::kept;

/// Largest file that is read, bytes.
const MAX_BYTES: u64 = 16 * 1024;

const HEAD: &str = "# Written by `watchpostd tune`. Without this file the encoder runs on the default.\n\n";

/// A tuning that was chosen, and what for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Where else it says nothing.
    pub made_for: MadeFor,
    /// What was chosen.
    pub tuning: TuningRecord,
    /// Why, for people.
    pub measured: Measured,
}

/// What a measurement holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFor {
    /// Hash of the encoder's graph.
    pub encoder_sha256: String,
    /// The board's processor.
    pub processor: Processor,
    /// Version of this program.
    pub watchpostd: String,
}

/// Milliseconds of the encoder per frame, medians.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// With the choice.
    pub ms_per_frame: f64,
    /// With the default.
    pub default_ms_per_frame: f64,
}

impl MadeFor {
    /// This program with the encoder of `bundle` on this processor.
    #[must_use]
    pub fn here(bundle: &Bundle) -> Self {
        let encoder = bundle.manifest().artefact(ArtefactRole::Encoder);
        Self {
            encoder_sha256: encoder.map(|artefact| artefact.sha256.clone()).unwrap_or_default(),
            processor: Processor::here(),
            watchpostd: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Choice {
    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        kept::write(file, HEAD, self)
    }

    /// What is stored in `file`; nothing where there is none.
    ///
    /// # Errors
    /// [`Unused::Read`], [`Unused::Damaged`].
    pub fn read(file: &Path) -> Result<Option<Self>, Unused> {
        Ok(kept::read(file, MAX_BYTES)?)
    }

    /// The tuning that is stored in `file` for `bundle` on this board, with the configured pulse where there is one; nothing
    /// without a file.
    pub(super) fn find(file: &Path, bundle: &Bundle, pulse: Option<Pulse>) -> Result<Option<Tuning>, Unused> {
        let Some(choice) = Self::read(file)? else { return Ok(None) };
        choice.check(&MadeFor::here(bundle))?;
        let spec = bundle.model();
        let tuning = choice.tuning.tuning(spec.clip)?;
        // An encoder of whole clips has no pulse that could be another.
        let configured = pulse.filter(|pulse| spec.encoder.kind.lite().is_some() && *pulse != tuning.pulse);
        match configured {
            None => Ok(Some(tuning)),
            Some(configured) => {
                Err(Unused::Pulse { stored: tuning.pulse.frames(), configured: configured.frames() })
            }
        }
    }

    fn check(&self, here: &MadeFor) -> Result<(), Unused> {
        let MadeFor { encoder_sha256, processor, watchpostd } = &self.made_for;
        if *watchpostd != here.watchpostd {
            return Err(Unused::Version(watchpostd.clone()));
        }
        if *processor != here.processor {
            return Err(Unused::Processor(processor.clone()));
        }
        if *encoder_sha256 != here.encoder_sha256 {
            return Err(Unused::Encoder);
        }
        Ok(())
    }
}

//! A tuning as it stands in files and in what programs read.

use serde::{Deserialize, Serialize};
use vad_core::ClipSpec;
use vad_infer::{Kernels, LazyIm2col, Pulse, Tuning};

use super::Unused;

/// See the module's documentation. It may say what no encoder can do; [`Self::tuning`] finds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuningRecord {
    /// Name of the kernels.
    pub kernels: String,
    /// Frames at a time.
    pub pulse: usize,
    /// On tract, the taps from which on patches are gathered on the fly.
    pub lazy_im2col_min_taps: Option<u16>,
}

impl From<Tuning> for TuningRecord {
    fn from(tuning: Tuning) -> Self {
        let Tuning { kernels, pulse, lazy_im2col } = tuning;
        Self {
            kernels: kernels.name().to_owned(),
            pulse: pulse.frames(),
            lazy_im2col_min_taps: kernels.are_of_tract().then_some(lazy_im2col.min_taps),
        }
    }
}

impl TuningRecord {
    /// What it says, for clips of `clip` on this processor.
    ///
    /// # Errors
    /// [`Unused`] where no encoder runs like that here.
    pub fn tuning(&self, clip: ClipSpec) -> Result<Tuning, Unused> {
        let kernels: Kernels =
            self.kernels.parse().map_err(|e: vad_infer::UnknownKernels| Unused::Damaged(e.to_string()))?;
        if !kernels.is_available() {
            return Err(Unused::Kernels(kernels));
        }
        let pulse = Pulse::new(self.pulse, clip).ok_or_else(|| {
            Unused::Damaged(format!("a pulse of {} does not fit the bundle's clips", self.pulse))
        })?;
        let lazy_im2col = self.lazy_im2col_min_taps.map(|min_taps| LazyIm2col { min_taps });
        Ok(Tuning { kernels, pulse, lazy_im2col: lazy_im2col.unwrap_or_default() })
    }
}

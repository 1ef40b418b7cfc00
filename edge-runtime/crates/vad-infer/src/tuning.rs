//! How an encoder is run. None of it changes what is computed, but for the order of sums and what f16 rounds.

use std::fmt;

use tract_onnx::prelude::TractResult;
use tract_onnx::prelude::tract_data::knobs::KnobScope;

use crate::{Kernels, Pulse};

/// How an encoder is run. The default suits most boards; which is the fastest must be measured on each.
///
/// What an encoder has no use for is not looked at, so any of these runs any encoder: one of whole clips always runs on
/// tract, a clip at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tuning {
    /// Kernels of an encoder that streams.
    pub kernels: Kernels,
    /// Frames that an encoder which streams takes at a time.
    pub pulse: Pulse,
    /// For what runs on tract.
    pub lazy_im2col: LazyIm2col,
}

/// From which kernels on tract gathers the patches of a convolution on the fly instead of writing them out first.
///
/// The environment variable [`LazyIm2col::VARIABLE`] wins over it, for measurements on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LazyIm2col {
    /// Taps that such a kernel has at least.
    pub min_taps: u16,
}

impl LazyIm2col {
    /// Name of the environment variable, and of tract's *knob*.
    pub const VARIABLE: &str = "TRACT_LAZY_IM2COL_MIN_KERNEL";

    /// What is worth a measurement: all kernels but those of one tap, tract's own choice, and kernels of more than 3 x 3 x 3
    /// taps alone. (Patches of more than 4 MiB are gathered on the fly whatever is chosen.)
    pub const CANDIDATES: [Self; 3] = [Self { min_taps: 2 }, Self::OF_TRACT, Self { min_taps: 28 }];

    /// What tract takes by itself, also where the variable is no number.
    const OF_TRACT: Self = Self { min_taps: 6 };

    /// This, or what the environment says.
    pub(crate) fn in_force(self) -> Self {
        match std::env::var_os(Self::VARIABLE) {
            None => self,
            Some(text) => Self::given(text.to_str().unwrap_or_default()),
        }
    }

    fn given(text: &str) -> Self {
        match text.trim().parse::<usize>() {
            Ok(taps) => Self { min_taps: u16::try_from(taps).unwrap_or(u16::MAX) },
            Err(_) => Self::OF_TRACT,
        }
    }

    /// The setting for the preparation of one graph. It touches neither the environment nor another graph.
    ///
    /// `TRACT_CPU_ISA` is no such knob: it is read once per process.
    pub(crate) fn scope(self) -> TractResult<KnobScope> {
        KnobScope::new([(Self::VARIABLE, self.in_force().min_taps.to_string().as_str())])
    }
}

/// Pays from two taps on: what writes patches out has a fast path for 1-D and 2-D kernels only. I3D's kernels have 27 taps or
/// one and are gathered with tract's own choice too; the setting is for (2+1)-D nets.
impl Default for LazyIm2col {
    fn default() -> Self {
        Self { min_taps: 2 }
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kernels)?;
        if self.pulse != Pulse::ONE {
            write!(f, ", {} frames at a time", self.pulse.frames())?;
        }
        if self.kernels.are_of_tract() {
            write!(f, ", lazy im2col from {} taps", self.lazy_im2col.min_taps)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read_as_tract_reads_it() {
        for (text, min_taps) in [("3", 3), (" 27 ", 27), ("99999999", u16::MAX), ("", 6), ("many", 6)] {
            assert_eq!(LazyIm2col::given(text), LazyIm2col { min_taps }, "{text:?}");
        }
    }

    #[test]
    fn every_candidate_is_a_value_that_the_runtime_takes() {
        for candidate in LazyIm2col::CANDIDATES {
            candidate.scope().unwrap();
        }
        assert!(LazyIm2col::CANDIDATES.contains(&LazyIm2col::default()));
    }
}

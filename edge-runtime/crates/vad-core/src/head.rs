//! Description of a head: its architecture, and what of a stream it looks at when it scores a clip.
//!
//! # Contexts
//!
//! With `f_t` the feature of clip `t` of a stream, counted from 0, and `D` its length, the head's graph takes
//!
//! - *clip*: `f_t`, `[1, D]`.
//! - *memory* of `w` clips: `f_t` beside the mean of `f_(t-w) .. f_(t-1)`, `[1, 2 D]`. Near the beginning the mean is of the
//!   fewer features that there are; `f_0` is its own memory.
//! - *window* of `n` clips: `f_(t-n+1) .. f_t`, `[1, n, D]`. Near the beginning `f_0` stands for the features before it.
//!
//! Each gives one score, `[1, 1]`, of clip `t`: nothing looks ahead, so no score waits for a later clip.

use alloc::{vec, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::spec::{SpecError, check_equal, check_range};

/// Widest layer of a head.
pub const MAX_HEAD_DIM: u32 = 65_536;
/// Most entries of [`HeadSpec::dims`].
pub const MAX_HEAD_DIMS: usize = 16;
/// Most clips of a [`HeadContext`].
pub const MAX_CONTEXT_CLIPS: u16 = 1_024;
/// Fewest clips in the window of a causal RTFM: the farthest tap of its widest convolution lies 8 clips back, and the
/// convolution behind it looks 2 clips back.
pub const MIN_CAUSAL_CLIPS: u16 = 11;

/// Architecture of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Linear layers; ReLU after the first, sigmoid after the last, nothing between the others.
    Mlp,
    /// The same over features that are brought to Euclidean length 1 first.
    UnitLengthMlp,
    /// CU's pseudo-label generator: several perceptrons as above, and the sigmoid of their mean.
    CuGenerator,
    /// CU's classifier: a perceptron as above over a feature and its memory.
    CuClassifier,
    /// RTFM's temporal network over a window, or, without a context, its perceptron alone.
    Rtfm,
    /// RTFM's temporal network without look-ahead: over a window it computes what it computes over the whole video.
    RtfmCausal,
    /// ARMS: a convolution and self-attention over a window.
    Arms,
    /// A head that only the host runs: exporters and boards refuse it. `dims` has but the widths of feature and score.
    Temporal,
}

/// What of a stream a head looks at when it scores a clip; see the [module](self).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadContext {
    /// The clip alone.
    #[default]
    Clip,
    /// The clip and the mean of those before it.
    Memory {
        /// Clips in the mean, 1 to [`MAX_CONTEXT_CLIPS`].
        clips: u16,
    },
    /// The last clips.
    Window {
        /// Their number, the scored one included, 1 to [`MAX_CONTEXT_CLIPS`].
        clips: u16,
    },
}

/// The network that turns features into a raw score of 0 to 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSpec {
    /// Its architecture.
    pub kind: HeadKind,
    /// Width of a feature and of each layer that follows, 2 to [`MAX_HEAD_DIMS`] entries of 1 to
    /// [`MAX_HEAD_DIM`]; the first is the encoder's `feature_dim`, the last is 1.
    pub dims: Vec<u32>,
    /// What it looks at; not written where it is the clip alone.
    #[serde(default, skip_serializing_if = "HeadContext::is_clip")]
    pub context: HeadContext,
}

impl HeadContext {
    /// Whether the head looks at each clip alone.
    #[must_use]
    pub fn is_clip(&self) -> bool {
        *self == Self::Clip
    }

    /// Name in a spec.
    fn name(self) -> &'static str {
        match self {
            Self::Clip => "clip",
            Self::Memory { .. } => "memory",
            Self::Window { .. } => "window",
        }
    }
}

impl HeadSpec {
    /// The classifier of MIST's first stage on features of `feature_dim` values: that, 512, 32, 1.
    #[must_use]
    pub fn mist(feature_dim: u32) -> Self {
        Self::per_clip(HeadKind::Mlp, vec![feature_dim, 512, 32, 1])
    }

    /// A head that looks at each clip alone.
    #[must_use]
    pub fn per_clip(kind: HeadKind, dims: Vec<u32>) -> Self {
        Self { kind, dims, context: HeadContext::Clip }
    }

    /// A head over features of `feature_dim` values that only the host runs.
    #[must_use]
    pub fn on_host(feature_dim: u32) -> Self {
        Self::per_clip(HeadKind::Temporal, vec![feature_dim, 1])
    }

    /// Checks the number of layers, their widths, that the head ends in one score, and that the context suits the kind.
    ///
    /// # Errors
    ///
    /// The first field that is wrong, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        let most = MAX_HEAD_DIMS as f64;
        check_range("number of head.dims", self.dims.len() as f64, 2.0..=most)?;
        for &dim in &self.dims {
            check_range("head.dims", dim.into(), 1.0..=f64::from(MAX_HEAD_DIM))?;
        }
        let last = self.dims.last().copied().unwrap_or(0);
        check_equal("last of head.dims", last, "the single score", 1)?;
        self.validate_context()
    }

    fn validate_context(&self) -> Result<(), SpecError> {
        use HeadKind::{Arms, CuClassifier, CuGenerator, Mlp, Rtfm, RtfmCausal, Temporal, UnitLengthMlp};
        let allowed = match (self.kind, self.context) {
            (Mlp | UnitLengthMlp | CuGenerator | Temporal, HeadContext::Clip)
            | (CuClassifier, HeadContext::Memory { .. })
            | (Rtfm, HeadContext::Clip | HeadContext::Window { .. })
            | (RtfmCausal | Arms, HeadContext::Window { .. }) => {
                return self.validate_context_clips();
            }
            (Mlp | UnitLengthMlp | CuGenerator | Temporal, _) => "clip for this head.kind",
            (CuClassifier, _) => "memory for this head.kind",
            (Rtfm, _) => "window or clip for this head.kind",
            (RtfmCausal | Arms, _) => "window for this head.kind",
        };
        Err(SpecError::Name { field: "head.context", value: self.context.name().into(), allowed })
    }

    fn validate_context_clips(&self) -> Result<(), SpecError> {
        let most = f64::from(MAX_CONTEXT_CLIPS);
        let least = if self.kind == HeadKind::RtfmCausal { MIN_CAUSAL_CLIPS } else { 1 };
        match self.context {
            HeadContext::Clip => Ok(()),
            HeadContext::Memory { clips } => {
                check_range("head.context.memory.clips", clips.into(), 1.0..=most)
            }
            HeadContext::Window { clips } => {
                check_range("head.context.window.clips", clips.into(), f64::from(least)..=most)
            }
        }
    }
}

//! Settings of RTFM, with the published values and a set for small data.

use serde::{Deserialize, Serialize};
use vad_core::{HeadContext, HeadKind, HeadSpec};

use crate::loss::rtfm::RtfmWeights;
use crate::model::rtfm::mtn::{CAUSAL_REACH, DILATIONS};
use crate::model::rtfm::{HIDDEN, Temporal};
use crate::recipe::settings::{
    ConfigError, LargerHalf, MOST_STEPS, Mode, Published, SelectionRule, Settings, Watch, check_counts,
    check_dropout, check_reals,
};
use crate::segments::PUBLISHED_SEGMENTS;

/// Steps of the released trainer.
const RELEASED_STEPS: u64 = 15_000;

/// Passes over the videos in the paper.
const PAPER_EPOCHS: u64 = 50;

/// Settings of one training. Fields that a file leaves out take the values of [`RtfmConfig::small`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RtfmConfig {
    /// Which form of the loss is computed; see [`crate::loss::rtfm`].
    pub mode: Mode,
    /// Seed of every random draw.
    pub seed: u64,
    /// Number of training steps.
    pub steps: u64,
    /// Abnormal videos per step, and as many normal ones.
    pub pairs: usize,
    /// Segments that a training video is averaged into.
    pub segments: usize,
    /// What rewrites the features before the head sees them.
    pub temporal: Temporal,
    /// Segments of largest magnitude that stand for a video (k).
    pub topk: usize,
    /// Margin of the magnitudes (m).
    pub margin: f32,
    /// Weight of the magnitude term.
    pub magnitude: f32,
    /// Weight of the sparsity term.
    pub sparsity: f32,
    /// Weight of the smoothness term.
    pub smoothness: f32,
    /// Step size of Adam.
    pub learning_rate: f32,
    /// L2 weight decay, coupled into the gradient.
    pub weight_decay: f32,
    /// Share of features, hidden units and selectable segments dropped in training, in 0..1.
    pub dropout: f64,
    /// Steps between two looks at the validation split.
    pub eval_every: u64,
    /// Which step's weights become the model; the released trainer selects on the test set, which nothing here does.
    pub selection: SelectionRule,
}

impl Default for RtfmConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl RtfmConfig {
    /// The published settings for a data set.
    ///
    /// Mode `paper` counts 50 passes over the more frequent label.
    ///
    /// # Errors
    /// When the paper has none for it.
    pub fn published(mode: Mode, data: Published) -> Result<Self, ConfigError> {
        let config = Self::as_published(mode);
        let (half, learning_rate) = match data {
            // With C3D features the paper changes nothing.
            Published::UcfCrime | Published::UcfCrimeC3d => (LargerHalf::UCF_CRIME, config.learning_rate),
            Published::ShanghaiTech => (LargerHalf::SHANGHAI_TECH, config.learning_rate),
            Published::XdViolence => (LargerHalf::XD_VIOLENCE, 1e-4),
            Published::Tad => {
                let must =
                    "ucf-crime, ucf-crime-c3d, shanghaitech or xd-violence, for which RTFM was published";
                return Err(ConfigError::new("dataset", data.name(), must));
            }
        };
        let steps = match mode {
            Mode::Paper => half.steps(PAPER_EPOCHS, config.pairs),
            Mode::Released => RELEASED_STEPS,
        };
        Ok(Self { steps, learning_rate, ..config })
    }

    /// What is the same for every published data set.
    fn as_published(mode: Mode) -> Self {
        let RtfmWeights { margin, magnitude, sparsity, smoothness } = RtfmWeights::default();
        Self {
            mode,
            seed: 0,
            steps: RELEASED_STEPS,
            pairs: 32,
            segments: PUBLISHED_SEGMENTS,
            temporal: Temporal::Mtn,
            topk: 3,
            margin,
            magnitude,
            sparsity,
            smoothness,
            learning_rate: 1e-3,
            weight_decay: match mode {
                Mode::Paper => 5e-4,
                Mode::Released => 5e-3,
            },
            dropout: 0.7,
            eval_every: 20,
            selection: SelectionRule::Validation,
        }
    }

    /// For tens of short videos: fewer of them per step, fewer steps, fewer segments.
    pub fn small() -> Self {
        Self {
            steps: 200,
            pairs: 8,
            segments: 16,
            learning_rate: 1e-4,
            eval_every: 10,
            ..Self::as_published(Mode::Released)
        }
    }

    /// What exporter and board need to know of the head on features of `dim` values. A board looks at as many clips as
    /// the training had segments; the causal network has a reach of its own.
    pub fn head(&self, dim: usize) -> HeadSpec {
        // Segments are at most 1024.
        let window = |clips: usize| HeadContext::Window { clips: clips as u16 };
        let (kind, context) = match self.temporal {
            Temporal::Mtn => (HeadKind::Rtfm, window(self.segments)),
            Temporal::CausalMtn => (HeadKind::RtfmCausal, window(CAUSAL_REACH)),
            Temporal::None => (HeadKind::Rtfm, HeadContext::Clip),
        };
        let [first, second] = HIDDEN;
        let dims = [dim, first, second, 1].map(|width| width as u32).to_vec();
        HeadSpec { kind, dims, context }
    }

    /// Weights of the loss.
    pub fn weights(&self) -> RtfmWeights {
        let Self { margin, magnitude, sparsity, smoothness, .. } = *self;
        RtfmWeights { margin, magnitude, sparsity, smoothness }
    }
}

impl Settings for RtfmConfig {
    fn starting_point(mode: Option<Mode>, data: Option<Published>) -> Result<Self, ConfigError> {
        let mode = mode.unwrap_or_default();
        match data {
            Some(data) => Self::published(mode, data),
            None => Ok(Self { mode, ..Self::small() }),
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn watch(&self) -> Watch {
        Watch { eval_every: self.eval_every, topk: self.topk, selection: self.selection }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_counts(&[
            ("steps", self.steps, MOST_STEPS),
            ("pairs", self.pairs as u64, 4096),
            ("topk", self.topk as u64, 4096),
            ("eval_every", self.eval_every, MOST_STEPS),
        ])?;
        // Shorter sequences would leave the outer taps of the widest branch without a gradient.
        if !(DILATIONS[2] + 1..=1024).contains(&self.segments) {
            return Err(ConfigError::new("segments", self.segments, "5 to 1024"));
        }
        check_reals(&[
            ("margin", self.margin, true),
            ("magnitude", self.magnitude, false),
            ("sparsity", self.sparsity, false),
            ("smoothness", self.smoothness, false),
            ("learning_rate", self.learning_rate, true),
            ("weight_decay", self.weight_decay, false),
        ])?;
        check_dropout("dropout", self.dropout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_are_the_published_ones() {
        let released = RtfmConfig::published(Mode::Released, Published::UcfCrime).unwrap();
        assert_eq!((released.pairs, released.segments, released.topk), (32, 32, 3));
        assert_eq!((released.steps, released.learning_rate, released.weight_decay), (15_000, 1e-3, 5e-3));
        assert_eq!((released.margin, released.magnitude, released.dropout), (100.0, 1e-4, 0.7));
        assert_eq!((released.sparsity, released.smoothness), (8e-3, 8e-4));
        let paper = RtfmConfig::published(Mode::Paper, Published::UcfCrime).unwrap();
        assert_eq!((paper.steps, paper.weight_decay), (50 * 26, 5e-4));
        let xd = RtfmConfig::published(Mode::Paper, Published::XdViolence).unwrap();
        assert_eq!((xd.steps, xd.learning_rate), (50 * 65, 1e-4));
        let shanghai = RtfmConfig::published(Mode::Paper, Published::ShanghaiTech).unwrap();
        assert_eq!((shanghai.steps, shanghai.learning_rate), (50 * 6, 1e-3));
        let c3d = RtfmConfig::published(Mode::Paper, Published::UcfCrimeC3d).unwrap();
        assert_eq!(c3d, paper);
        for config in [released, paper, xd, RtfmConfig::small()] {
            assert_eq!(config.validate(), Ok(()));
        }
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let broken = [
            RtfmConfig { dropout: 1.0, ..RtfmConfig::small() },
            RtfmConfig { learning_rate: f32::NAN, ..RtfmConfig::small() },
            RtfmConfig { topk: 0, ..RtfmConfig::small() },
            RtfmConfig { steps: 0, ..RtfmConfig::small() },
            RtfmConfig { segments: 4, ..RtfmConfig::small() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        assert_eq!(fields, ["dropout", "learning_rate", "topk", "steps", "segments"]);
    }
}

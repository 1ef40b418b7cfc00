//! Settings of MIST stage I, with the published values and a set for small data.

use serde::{Deserialize, Serialize};

use crate::model::mist_generator::PUBLISHED_HIDDEN;
use crate::recipe::settings::{
    ConfigError, FeatureScaling, MOST_STEPS, Mode, Published, SelectionRule, Settings, Watch, check_counts,
    check_dropout, check_reals,
};
use crate::sampling::{Shift, SubBags};

/// Settings of one training. Fields that a file leaves out take the values of [`MistConfig::small`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MistConfig {
    /// Which reading of the paper is computed.
    pub mode: Mode,
    /// Seed of every random draw.
    pub seed: u64,
    /// Number of training steps.
    pub steps: u64,
    /// Abnormal videos per step, and as many normal ones. With fewer videos they recur, differently sampled.
    pub pairs: usize,
    /// Sub-bags drawn from each video (L).
    pub segments: usize,
    /// Consecutive clips of a sub-bag (T).
    pub clips_per_segment: usize,
    /// How sub-bags are shifted at random.
    pub shift: Shift,
    /// Clips whose mean is a bag's score (mode `released`, and validation in both modes).
    pub topk: usize,
    /// Margin of the hinge.
    pub margin: f32,
    /// Weight of the mean abnormal score (lambda).
    pub sparsity: f32,
    /// Weight of the squared step between successive abnormal scores (mode `released`; 0 as published).
    pub smoothness: f32,
    /// Step size of Adagrad.
    pub learning_rate: f32,
    /// L2 weight decay, coupled into the gradient.
    pub weight_decay: f32,
    /// Greatest common norm of all gradients.
    pub clip_norm: f32,
    /// Share of hidden units dropped in training, in 0..1.
    pub dropout: f64,
    /// Widths of the two hidden layers.
    pub hidden: [usize; 2],
    /// What is done to features before the first layer.
    pub feature_scaling: FeatureScaling,
    /// Steps between two looks at the validation split.
    pub eval_every: u64,
    /// Which step's weights become the model.
    pub selection: SelectionRule,
}

impl Default for MistConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl MistConfig {
    /// The published settings for a data set. The text at hand states no number of steps; 1000 of 40 + 40 videos pass over
    /// UCF-Crime 50 times.
    ///
    /// # Errors
    /// When the paper has none for it.
    pub fn published(mode: Mode, data: Published) -> Result<Self, ConfigError> {
        let clips_per_segment = match data {
            Published::UcfCrimeC3d => 3,
            Published::UcfCrime => 4,
            Published::ShanghaiTech => 7,
            Published::XdViolence | Published::Tad => {
                let must = "ucf-crime, ucf-crime-c3d or shanghaitech, for which MIST was published";
                return Err(ConfigError::new("dataset", data.name(), must));
            }
        };
        Ok(Self { clips_per_segment, ..Self::as_published(mode) })
    }

    /// What is the same for every published data set, with T as for ShanghaiTech.
    fn as_published(mode: Mode) -> Self {
        Self {
            mode,
            seed: 0,
            steps: 1000,
            pairs: 40,
            segments: 32,
            clips_per_segment: 7,
            shift: Shift::Uniform,
            topk: 7,
            margin: 1.0,
            sparsity: 0.01,
            smoothness: 0.0,
            learning_rate: 0.01,
            weight_decay: 0.001,
            clip_norm: 10.0,
            dropout: 0.6,
            hidden: PUBLISHED_HIDDEN,
            feature_scaling: FeatureScaling::None,
            eval_every: 20,
            selection: SelectionRule::Validation,
        }
    }

    /// For tens of short videos: fewer and shorter sub-bags, standardised features, and a step size that fits them.
    pub fn small() -> Self {
        Self {
            steps: 300,
            pairs: 8,
            segments: 16,
            clips_per_segment: 2,
            topk: 3,
            learning_rate: 0.001,
            weight_decay: 0.01,
            feature_scaling: FeatureScaling::Standardise,
            eval_every: 10,
            ..Self::as_published(Mode::Released)
        }
    }

    /// The sub-bags drawn from each video.
    pub fn sub_bags(&self) -> SubBags {
        SubBags { segments: self.segments, clips_per_segment: self.clips_per_segment }
    }
}

impl Settings for MistConfig {
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
            ("pairs", self.pairs as u64, 4096),
            ("segments", self.segments as u64, 1024),
            ("clips_per_segment", self.clips_per_segment as u64, 1024),
            ("topk", self.topk as u64, 1 << 20),
            ("hidden[0]", self.hidden[0] as u64, 65_536),
            ("hidden[1]", self.hidden[1] as u64, 65_536),
            ("steps", self.steps, MOST_STEPS),
            ("eval_every", self.eval_every, MOST_STEPS),
        ])?;
        check_reals(&[
            ("margin", self.margin, true),
            ("sparsity", self.sparsity, false),
            ("smoothness", self.smoothness, false),
            ("learning_rate", self.learning_rate, true),
            ("weight_decay", self.weight_decay, false),
            ("clip_norm", self.clip_norm, true),
        ])?;
        check_dropout("dropout", self.dropout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_are_the_published_ones() {
        let config = MistConfig::published(Mode::Paper, Published::UcfCrime).unwrap();
        assert_eq!((config.segments, config.pairs), (32, 40));
        let clips = |data| MistConfig::published(Mode::Released, data).unwrap().clips_per_segment;
        assert_eq!(
            [Published::UcfCrimeC3d, Published::UcfCrime, Published::ShanghaiTech].map(clips),
            [3, 4, 7]
        );
        assert_eq!((config.learning_rate, config.weight_decay, config.clip_norm), (0.01, 0.001, 10.0));
        assert_eq!((config.dropout, config.sparsity, config.hidden), (0.6, 0.01, [512, 32]));
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(MistConfig::small().validate(), Ok(()));
        let refused = MistConfig::published(Mode::Paper, Published::Tad).unwrap_err();
        assert!(refused.to_string().contains("dataset is tad"), "{refused}");
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let broken = [
            MistConfig { dropout: 1.0, ..MistConfig::small() },
            MistConfig { learning_rate: f32::NAN, ..MistConfig::small() },
            MistConfig { topk: 0, ..MistConfig::small() },
            MistConfig { steps: 0, ..MistConfig::small() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        assert_eq!(fields, ["dropout", "learning_rate", "topk", "steps"]);
    }
}

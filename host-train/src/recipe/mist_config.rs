//! Settings of MIST stage I, with the published values and a set for small data.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::mist_generator::PUBLISHED_HIDDEN;
use crate::sampling::{Shift, SubBags};

/// Which reading of the paper is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The text: sub-bag scores are means of T clips, the hinge compares fixed pairs (eq 1, 6, 7).
    Paper,
    /// The public code: a bag's score is the mean of its top-k clips, the hinge runs over all pairs.
    #[default]
    Released,
}

/// What is done to features before the first layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureScaling {
    /// Nothing, as published.
    #[default]
    None,
    /// Each dimension to zero mean and unit deviation over the training clips. The scaling is folded into the first
    /// layer of the exported head, which therefore still takes raw features.
    Standardise,
}

/// Which step's weights become the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectionRule {
    /// The step with the highest video-level ROC AUC on the validation split, ties by the lower validation loss. Without
    /// both labels in that split, the last step.
    #[default]
    Validation,
    /// The last step.
    Last,
}

/// Data sets for which the paper gives settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublishedData {
    /// UCF-Crime with C3D features: T = 3.
    UcfCrimeC3d,
    /// UCF-Crime with I3D features: T = 4.
    UcfCrimeI3d,
    /// ShanghaiTech: T = 7.
    ShanghaiTech,
}

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

/// A setting outside its range.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("mist: {field} is {value}, must be {must}")]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub must: &'static str,
}

impl Default for MistConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl MistConfig {
    /// The published settings for a data set. The text at hand states no number of steps; 1000 of 40 + 40 videos pass over
    /// UCF-Crime 50 times.
    pub fn published(mode: Mode, data: PublishedData) -> Self {
        let clips_per_segment = match data {
            PublishedData::UcfCrimeC3d => 3,
            PublishedData::UcfCrimeI3d => 4,
            PublishedData::ShanghaiTech => 7,
        };
        Self {
            mode,
            seed: 0,
            steps: 1000,
            pairs: 40,
            segments: 32,
            clips_per_segment,
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
            ..Self::published(Mode::Released, PublishedData::ShanghaiTech)
        }
    }

    /// The sub-bags drawn from each video.
    pub fn sub_bags(&self) -> SubBags {
        SubBags { segments: self.segments, clips_per_segment: self.clips_per_segment }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field outside its range, with what it must be.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("pairs", self.pairs, 4096),
            ("segments", self.segments, 1024),
            ("clips_per_segment", self.clips_per_segment, 1024),
            ("topk", self.topk, 1 << 20),
            ("hidden[0]", self.hidden[0], 65_536),
            ("hidden[1]", self.hidden[1], 65_536),
        ];
        for (field, value, most) in counts {
            if !(1..=most).contains(&value) {
                return Err(ConfigError::new(field, value, "at least 1 and not absurdly large"));
            }
        }
        for (field, value) in [("steps", self.steps), ("eval_every", self.eval_every)] {
            if !(1..=16_000_000).contains(&value) {
                return Err(ConfigError::new(field, value, "1 to 16000000"));
            }
        }
        let reals = [
            ("margin", self.margin, true),
            ("sparsity", self.sparsity, false),
            ("smoothness", self.smoothness, false),
            ("learning_rate", self.learning_rate, true),
            ("weight_decay", self.weight_decay, false),
            ("clip_norm", self.clip_norm, true),
        ];
        for (field, value, positive) in reals {
            if !value.is_finite() || value < 0.0 || (positive && value == 0.0) {
                let must = if positive { "a finite number above 0" } else { "a finite number of at least 0" };
                return Err(ConfigError::new(field, value, must));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(ConfigError::new("dropout", self.dropout, "at least 0 and below 1"));
        }
        Ok(())
    }
}

impl ConfigError {
    fn new(field: &'static str, value: impl ToString, must: &'static str) -> Self {
        Self { field, value: value.to_string(), must }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_are_the_published_ones() {
        let config = MistConfig::published(Mode::Paper, PublishedData::UcfCrimeI3d);
        assert_eq!((config.segments, config.clips_per_segment, config.pairs), (32, 4, 40));
        assert_eq!((config.learning_rate, config.weight_decay, config.clip_norm), (0.01, 0.001, 10.0));
        assert_eq!((config.dropout, config.sparsity, config.hidden), (0.6, 0.01, [512, 32]));
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(MistConfig::small().validate(), Ok(()));
    }

    #[test]
    fn a_file_round_trips_and_misspelt_keys_are_refused() {
        let config = MistConfig { seed: 7, dropout: 0.25, ..MistConfig::small() };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<MistConfig>(&text).unwrap(), config);
        let error = toml::from_str::<MistConfig>("learning_rat = 0.1").unwrap_err();
        assert!(error.to_string().contains("learning_rat"), "{error}");
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

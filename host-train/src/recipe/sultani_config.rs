//! Settings of the baseline of Sultani, Chen and Shah, with the published values and a set for small data.

use serde::{Deserialize, Serialize};

use crate::loss::sultani::SultaniWeights;
use crate::model::sultani::PUBLISHED_HIDDEN;
use crate::recipe::settings::{
    ConfigError, MOST_STEPS, Mode, Published, SelectionRule, Settings, Watch, check_counts, check_dropout,
    check_reals,
};
use crate::segments::PUBLISHED_SEGMENTS;

/// Steps of the released trainer.
const RELEASED_STEPS: u64 = 20_000;

/// What is done to features before the first layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preparation {
    /// Nothing.
    None,
    /// Each dimension to zero mean and unit deviation over the training clips; folded into the first layer of the exported
    /// detector.
    Standardise,
    /// Each feature to length 1, as published.
    #[default]
    UnitLength,
}

/// Settings of one training. Fields that a file leaves out take the values of [`SultaniConfig::small`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SultaniConfig {
    /// Which form of the loss is computed ([`crate::loss::sultani`]), and whether features are prepared clip by clip
    /// (`paper`) or after they were averaged into segments (`released`).
    pub mode: Mode,
    /// Seed of every random draw.
    pub seed: u64,
    /// Number of training steps.
    pub steps: u64,
    /// Abnormal videos per step, and as many normal ones.
    pub pairs: usize,
    /// Segments that a training video is averaged into.
    pub segments: usize,
    /// Margin of the hinge.
    pub margin: f32,
    /// Weight of the squared steps between successive abnormal scores (lambda 1).
    pub smoothness: f32,
    /// Weight of the sum of abnormal scores (lambda 2).
    pub sparsity: f32,
    /// Weight of the network's weights (lambda 3): of their norm (`paper`) or of their squares (`released`).
    pub weight_penalty: f32,
    /// Step size of Adagrad.
    pub learning_rate: f32,
    /// Share of hidden units dropped in training, in 0..1.
    pub dropout: f64,
    /// Widths of the two hidden layers.
    pub hidden: [usize; 2],
    /// What is done to features before the first layer.
    pub feature_scaling: Preparation,
    /// Steps between two looks at the validation split.
    pub eval_every: u64,
    /// Which step's weights become the model.
    pub selection: SelectionRule,
}

impl Default for SultaniConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl SultaniConfig {
    /// The published settings for a data set. The text states no number of steps; mode `paper` takes the released one.
    ///
    /// # Errors
    /// When the paper has none for it.
    pub fn published(mode: Mode, data: Published) -> Result<Self, ConfigError> {
        match data {
            Published::UcfCrime | Published::UcfCrimeC3d => Ok(Self::as_published(mode)),
            Published::ShanghaiTech | Published::XdViolence | Published::Tad => {
                let must = "ucf-crime-c3d, for which it was published, or ucf-crime";
                Err(ConfigError::new("dataset", data.name(), must))
            }
        }
    }

    fn as_published(mode: Mode) -> Self {
        let (learning_rate, weight_penalty) = match mode {
            Mode::Paper => (0.001, 0.01),
            Mode::Released => (0.01, 0.001),
        };
        Self {
            mode,
            seed: 0,
            steps: RELEASED_STEPS,
            pairs: 30,
            segments: PUBLISHED_SEGMENTS,
            margin: 1.0,
            smoothness: 8e-5,
            sparsity: 8e-5,
            weight_penalty,
            learning_rate,
            dropout: 0.6,
            hidden: PUBLISHED_HIDDEN,
            feature_scaling: Preparation::UnitLength,
            eval_every: 100,
            selection: SelectionRule::Validation,
        }
    }

    /// For tens of short videos: fewer segments, videos and steps, standardised features, and a step size that fits them.
    pub fn small() -> Self {
        Self {
            steps: 300,
            pairs: 8,
            segments: 16,
            learning_rate: 0.001,
            feature_scaling: Preparation::Standardise,
            eval_every: 10,
            ..Self::as_published(Mode::Released)
        }
    }

    /// Weights of the loss.
    pub fn weights(&self) -> SultaniWeights {
        let Self { margin, smoothness, sparsity, weight_penalty, .. } = *self;
        SultaniWeights { margin, smoothness, sparsity, weight_penalty }
    }
}

impl Settings for SultaniConfig {
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
        Watch { eval_every: self.eval_every, topk: 1, selection: self.selection }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_counts(&[
            ("steps", self.steps, MOST_STEPS),
            ("pairs", self.pairs as u64, 4096),
            ("segments", self.segments as u64, 1024),
            ("hidden[0]", self.hidden[0] as u64, 65_536),
            ("hidden[1]", self.hidden[1] as u64, 65_536),
            ("eval_every", self.eval_every, MOST_STEPS),
        ])?;
        check_reals(&[
            ("margin", self.margin, true),
            ("smoothness", self.smoothness, false),
            ("sparsity", self.sparsity, false),
            ("weight_penalty", self.weight_penalty, false),
            ("learning_rate", self.learning_rate, true),
        ])?;
        check_dropout("dropout", self.dropout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_are_the_published_ones() {
        let of = |mode| SultaniConfig::published(mode, Published::UcfCrimeC3d).unwrap();
        let (paper, released) = (of(Mode::Paper), of(Mode::Released));
        for config in [&paper, &released] {
            assert_eq!((config.pairs, config.segments, config.hidden), (30, 32, [512, 32]));
            assert_eq!((config.smoothness, config.sparsity, config.dropout), (8e-5, 8e-5, 0.6));
            assert_eq!((config.margin, config.steps), (1.0, 20_000));
            assert_eq!(config.validate(), Ok(()));
        }
        assert_eq!((paper.learning_rate, paper.weight_penalty), (0.001, 0.01));
        assert_eq!((released.learning_rate, released.weight_penalty), (0.01, 0.001));
        assert_eq!(SultaniConfig::small().validate(), Ok(()));
        let refused = SultaniConfig::published(Mode::Paper, Published::Tad).unwrap_err();
        assert!(refused.to_string().contains("dataset is tad"), "{refused}");
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let broken = [
            SultaniConfig { dropout: 1.0, ..SultaniConfig::small() },
            SultaniConfig { learning_rate: f32::NAN, ..SultaniConfig::small() },
            SultaniConfig { weight_penalty: -1.0, ..SultaniConfig::small() },
            SultaniConfig { segments: 0, ..SultaniConfig::small() },
            SultaniConfig { steps: 0, ..SultaniConfig::small() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        assert_eq!(fields, ["dropout", "learning_rate", "weight_penalty", "segments", "steps"]);
    }
}

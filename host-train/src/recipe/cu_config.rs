//! Settings of CU, with the published values and a set for small data.

use serde::{Deserialize, Serialize};

use crate::model::cu_generator::PUBLISHED_HEADS;
use crate::model::{cu_classifier, cu_generator};
use crate::recipe::settings::{
    ConfigError, FeatureScaling, MOST_STEPS, Mode, Published, SelectionRule, Settings, Watch, check_counts,
    check_reals,
};

/// Settings of one training. Fields that a file leaves out take the values of [`CuConfig::small`].
///
/// There is no choice between paper and released code: the code that trains was never released, and the released
/// classifier and its test agree with the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CuConfig {
    /// Seed of every random draw.
    pub seed: u64,
    /// Steps of the pseudo-label generator.
    pub generator_steps: u64,
    /// How often pseudo labels are made and the classifier is trained on them. With 0 the generator is the detector.
    pub iterations: u64,
    /// Steps of the classifier in each iteration.
    pub classifier_steps: u64,
    /// Abnormal videos per step of the generator, and as many normal ones.
    pub pairs: usize,
    /// Segments of a video in training the generator.
    pub segments: usize,
    /// Heads of the generator (K).
    pub heads: usize,
    /// Widths of the generator's hidden layers.
    pub generator_hidden: [usize; 2],
    /// Share of the generator's hidden units dropped, in 0..1; above 0, for without dropout there is no uncertainty.
    pub generator_dropout: f64,
    /// Step size of the generator's Adadelta.
    pub generator_learning_rate: f32,
    /// Margin of the hinge.
    pub margin: f32,
    /// Weight of the diversity and norm terms (alpha).
    pub alpha: f32,
    /// Dropout passes that make the first pseudo labels (M), by the generator.
    pub first_passes: usize,
    /// Dropout passes that make the later ones, by the classifier.
    pub later_passes: usize,
    /// Share of an abnormal video's clips kept for training, those of lowest variance (R), above 0 and up to 1.
    pub reliable_share: f64,
    /// Clips that the classifier remembers (w).
    pub window: usize,
    /// Widths of the classifier's hidden layers.
    pub classifier_hidden: [usize; 2],
    /// Share of the classifier's hidden units dropped, in 0..1; above 0 like the generator's.
    pub classifier_dropout: f64,
    /// Step size of the classifier's Adam.
    pub classifier_learning_rate: f32,
    /// L2 weight decay of the classifier, coupled into the gradient.
    pub weight_decay: f32,
    /// Clips of abnormal videos per step of the classifier, and as many of normal ones.
    pub clips: usize,
    /// What is done to features before the first layer.
    pub feature_scaling: FeatureScaling,
    /// Steps, of all phases together, between two looks at the validation split.
    pub eval_every: u64,
    /// Which step's weights become the model.
    pub selection: SelectionRule,
}

impl Default for CuConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl CuConfig {
    /// The published settings for a data set. The text at hand states neither steps nor batch sizes; those here are of the
    /// order of the other systems' published ones.
    ///
    /// # Errors
    /// When the paper has none for it.
    pub fn published(data: Published) -> Result<Self, ConfigError> {
        let (alpha, reliable_share, iterations) = match data {
            Published::UcfCrime => (10.0, 0.5, 3),
            Published::XdViolence => (0.1, 0.7, 3),
            Published::Tad => (0.1, 0.3, 5),
            Published::UcfCrimeC3d | Published::ShanghaiTech => {
                let must = "ucf-crime, xd-violence or tad, for which CU was published";
                return Err(ConfigError::new("dataset", data.name(), must));
            }
        };
        Ok(Self { alpha, reliable_share, iterations, ..Self::as_published() })
    }

    /// What is the same for every published data set, and the rest as for UCF-Crime.
    fn as_published() -> Self {
        Self {
            seed: 0,
            generator_steps: 3000,
            iterations: 3,
            classifier_steps: 2000,
            pairs: 30,
            segments: 32,
            heads: PUBLISHED_HEADS,
            generator_hidden: cu_generator::PUBLISHED_HIDDEN,
            generator_dropout: 0.6,
            generator_learning_rate: 0.1,
            margin: 1.0,
            alpha: 10.0,
            first_passes: 50,
            later_passes: 5,
            reliable_share: 0.5,
            window: 5,
            classifier_hidden: cu_classifier::PUBLISHED_HIDDEN,
            classifier_dropout: 0.8,
            classifier_learning_rate: 1e-4,
            weight_decay: 5e-4,
            clips: 256,
            feature_scaling: FeatureScaling::None,
            eval_every: 100,
            selection: SelectionRule::Validation,
        }
    }

    /// For tens of short videos: fewer segments, videos and clips per step, standardised features, and step sizes that fit
    /// a few hundred steps. Scores near 0 vary least, so a small share R of a video that is mostly normal would keep next
    /// to no abnormal clip; nearly all are kept here.
    pub fn small() -> Self {
        Self {
            generator_steps: 300,
            iterations: 2,
            classifier_steps: 200,
            pairs: 8,
            segments: 16,
            generator_learning_rate: 1.0,
            alpha: 0.1,
            reliable_share: 0.9,
            classifier_dropout: 0.5,
            classifier_learning_rate: 3e-3,
            clips: 64,
            feature_scaling: FeatureScaling::Standardise,
            eval_every: 20,
            ..Self::as_published()
        }
    }

    /// Steps of the generator and of all iterations together.
    pub fn steps(&self) -> u64 {
        self.generator_steps + self.iterations * self.classifier_steps
    }

    fn validate_shares(&self) -> Result<(), ConfigError> {
        if !(self.reliable_share > 0.0 && self.reliable_share <= 1.0) {
            return Err(ConfigError::new("reliable_share", self.reliable_share, "above 0 and at most 1"));
        }
        let rates =
            [("generator_dropout", self.generator_dropout), ("classifier_dropout", self.classifier_dropout)];
        for (field, rate) in rates {
            if !(rate > 0.0 && rate < 1.0) {
                return Err(ConfigError::new(field, rate, "above 0 and below 1"));
            }
        }
        Ok(())
    }
}

impl Settings for CuConfig {
    fn starting_point(mode: Option<Mode>, data: Option<Published>) -> Result<Self, ConfigError> {
        if mode == Some(Mode::Released) {
            return Err(ConfigError::new(
                "mode",
                "released",
                "paper: the code that trains CU was never released",
            ));
        }
        data.map_or_else(|| Ok(Self::small()), Self::published)
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn watch(&self) -> Watch {
        Watch { eval_every: self.eval_every, topk: 1, selection: self.selection }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_counts(&[
            ("generator_steps", self.generator_steps, MOST_STEPS),
            ("classifier_steps", self.classifier_steps, MOST_STEPS),
            ("pairs", self.pairs as u64, 4096),
            ("segments", self.segments as u64, 1024),
            ("heads", self.heads as u64, 64),
            ("generator_hidden[0]", self.generator_hidden[0] as u64, 65_536),
            ("generator_hidden[1]", self.generator_hidden[1] as u64, 65_536),
            ("first_passes", self.first_passes as u64, 10_000),
            ("later_passes", self.later_passes as u64, 10_000),
            ("window", self.window as u64, 1 << 20),
            ("classifier_hidden[0]", self.classifier_hidden[0] as u64, 65_536),
            ("classifier_hidden[1]", self.classifier_hidden[1] as u64, 65_536),
            ("clips", self.clips as u64, 1 << 20),
            ("eval_every", self.eval_every, MOST_STEPS),
        ])?;
        if self.iterations > 1000 {
            return Err(ConfigError::new("iterations", self.iterations, "0 to 1000"));
        }
        check_reals(&[
            ("generator_learning_rate", self.generator_learning_rate, true),
            ("margin", self.margin, true),
            ("alpha", self.alpha, false),
            ("classifier_learning_rate", self.classifier_learning_rate, true),
            ("weight_decay", self.weight_decay, false),
        ])?;
        self.validate_shares()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_are_the_published_ones() {
        use Published::{Tad, UcfCrime, XdViolence};
        let chosen = |data| {
            let config = CuConfig::published(data).unwrap();
            assert_eq!(config.validate(), Ok(()));
            (config.alpha, config.reliable_share, config.iterations)
        };
        assert_eq!([UcfCrime, XdViolence, Tad].map(chosen), [(10.0, 0.5, 3), (0.1, 0.7, 3), (0.1, 0.3, 5)]);
        let config = CuConfig::published(UcfCrime).unwrap();
        assert_eq!((config.heads, config.generator_hidden, config.generator_dropout), (2, [512, 128], 0.6));
        assert_eq!((config.classifier_hidden, config.classifier_dropout), ([512, 32], 0.8));
        assert_eq!((config.first_passes, config.later_passes, config.window), (50, 5, 5));
        assert_eq!((config.generator_learning_rate, config.classifier_learning_rate), (0.1, 1e-4));
        assert_eq!(CuConfig::small().validate(), Ok(()));
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let broken = [
            CuConfig { classifier_dropout: 0.0, ..CuConfig::small() },
            CuConfig { reliable_share: f64::NAN, ..CuConfig::small() },
            CuConfig { alpha: f32::INFINITY, ..CuConfig::small() },
            CuConfig { heads: 0, ..CuConfig::small() },
            CuConfig { iterations: 1001, ..CuConfig::small() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        assert_eq!(fields, ["classifier_dropout", "reliable_share", "alpha", "heads", "iterations"]);
    }
}

//! Settings of ARMS, with the published values and a set for small data.

use serde::{Deserialize, Serialize};

use crate::abnormal_ratio::{AbnormalRatio, Phases, RatioSchedule, Threshold};
use crate::model::arms::PUBLISHED_WIDTH;
use crate::model::arms::attention::HEADS;
use crate::quarter_label::QuarterRule;
use crate::recipe::settings::{
    ConfigError, LargerHalf, MOST_STEPS, Mode, Published, SelectionRule, Settings, Watch, check_counts,
    check_reals,
};
use crate::score_correction::ScoreCorrection;
use crate::segments::PUBLISHED_SEGMENTS;

/// What a video-level label asks of the scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// ARMS: a least share of abnormal snippets ([`crate::loss::ar_mil`]).
    #[default]
    AbnormalRatio,
    /// The baseline that the paper compares with: the highest scores above those of a normal video
    /// ([`crate::loss::ms_mil`]), with the same pseudo labels and iterations.
    Ranking,
}

/// Settings of one training. Fields that a file leaves out take the values of [`ArmsConfig::small`].
///
/// There is no choice between paper and released code, for no code was released; where the text can be read in two ways
/// (`threshold`, `quarters`) both are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArmsConfig {
    /// Seed of every random draw.
    pub seed: u64,
    /// What a video-level label asks of the scores.
    pub objective: Objective,
    /// Which of its three phases the training goes through.
    pub phases: Phases,
    /// Trainings from fresh weights, one after another (K): bootstrapping, hard anomaly mining, then adaptive ones.
    pub iterations: u64,
    /// Steps of each.
    pub iteration_steps: u64,
    /// Abnormal videos per step, and as many normal ones.
    pub pairs: usize,
    /// Segments that a training video is averaged into (T); at least 4, of which a quarter is one.
    pub segments: usize,
    /// Width of the network, a multiple of 8.
    pub width: usize,
    /// Least share of abnormal snippets in the first iteration (lambda small), above 0.
    pub small_ratio: f64,
    /// The same in the second iteration (lambda large), not below `small_ratio`; also the threshold of eq 6 (mu).
    pub large_ratio: f64,
    /// Which score counts as abnormal from the third iteration on.
    pub threshold: Threshold,
    /// Which snippets of an abnormal video get a pseudo label.
    pub quarters: QuarterRule,
    /// Weight of the cross entropy against pseudo labels, from the second iteration on (beta).
    pub pseudo_label_weight: f32,
    /// Highest scores that stand for an abnormal video (objective `ranking`).
    pub topk: usize,
    /// Step size of Adam.
    pub learning_rate: f32,
    /// L2 weight decay, coupled into the gradient.
    pub weight_decay: f32,
    /// Whether scores of whole videos are multiplied by the probability of the video.
    pub score_correction: ScoreCorrection,
    /// Steps, of all iterations together, between two looks at the validation split.
    pub eval_every: u64,
    /// Which step's weights become the model.
    pub selection: SelectionRule,
}

impl Default for ArmsConfig {
    fn default() -> Self {
        Self::small()
    }
}

impl ArmsConfig {
    /// The published settings for a data set. The paper counts epochs; they are taken as passes over the more frequent
    /// label, in each iteration. It reports the last step.
    ///
    /// # Errors
    /// When the paper has none for it.
    pub fn published(data: Published) -> Result<Self, ConfigError> {
        let (small_ratio, large_ratio, learning_rate, epochs, half) = match data {
            Published::UcfCrime => (0.22, 0.40, 1e-4, 50, LargerHalf::UCF_CRIME),
            Published::ShanghaiTech => (0.10, 0.42, 1e-3, 300, LargerHalf::SHANGHAI_TECH),
            Published::XdViolence => (0.10, 0.40, 1e-4, 50, LargerHalf::XD_VIOLENCE),
            Published::UcfCrimeC3d | Published::Tad => {
                let must = "ucf-crime, shanghaitech or xd-violence, for which ARMS was published";
                return Err(ConfigError::new("dataset", data.name(), must));
            }
        };
        let config = Self::as_published();
        let iteration_steps = half.steps(epochs, config.pairs);
        Ok(Self { small_ratio, large_ratio, learning_rate, iteration_steps, ..config })
    }

    /// What is the same for every published data set, and the rest as for ShanghaiTech.
    fn as_published() -> Self {
        Self {
            seed: 0,
            objective: Objective::AbnormalRatio,
            phases: Phases::All,
            iterations: 6,
            iteration_steps: 1800,
            pairs: 30,
            segments: PUBLISHED_SEGMENTS,
            width: PUBLISHED_WIDTH,
            small_ratio: 0.10,
            large_ratio: 0.42,
            threshold: Threshold::Fixed,
            quarters: QuarterRule::Count,
            pseudo_label_weight: 0.5,
            topk: 3,
            learning_rate: 1e-3,
            weight_decay: 5e-4,
            score_correction: ScoreCorrection::None,
            eval_every: 100,
            selection: SelectionRule::Last,
        }
    }

    /// For tens of short videos: a narrow network, fewer segments, videos, steps and iterations.
    pub fn small() -> Self {
        Self {
            iterations: 4,
            iteration_steps: 100,
            pairs: 8,
            segments: 16,
            width: 128,
            eval_every: 20,
            selection: SelectionRule::Validation,
            ..Self::as_published()
        }
    }

    /// Steps of all iterations together.
    pub fn steps(&self) -> u64 {
        self.iterations * self.iteration_steps
    }

    /// The least shares of abnormal snippets in all iterations.
    ///
    /// # Errors
    /// When one is outside its range.
    pub fn schedule(&self) -> Result<RatioSchedule, ConfigError> {
        let ratio = |field, value: f64, least: f64, must| {
            let above_zero = AbnormalRatio::new(value).filter(|_| value > 0.0 && value >= least);
            above_zero.ok_or_else(|| ConfigError::new(field, value, must))
        };
        let small = ratio("small_ratio", self.small_ratio, 0.0, "above 0 and at most 1")?;
        let must = "at least small_ratio and at most 1";
        let large = ratio("large_ratio", self.large_ratio, small.get(), must)?;
        Ok(RatioSchedule { small, large, threshold: self.threshold, phases: self.phases })
    }
}

impl Settings for ArmsConfig {
    fn starting_point(mode: Option<Mode>, data: Option<Published>) -> Result<Self, ConfigError> {
        if mode == Some(Mode::Released) {
            return Err(ConfigError::new("mode", "released", "paper: no code of ARMS was ever released"));
        }
        data.map_or_else(|| Ok(Self::small()), Self::published)
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn watch(&self) -> Watch {
        Watch { eval_every: self.eval_every, topk: self.topk, selection: self.selection }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_counts(&[
            ("iterations", self.iterations, 1000),
            ("iteration_steps", self.iteration_steps, MOST_STEPS / 1000),
            ("pairs", self.pairs as u64, 4096),
            ("topk", self.topk as u64, 4096),
            ("eval_every", self.eval_every, MOST_STEPS),
        ])?;
        if !(4..=1024).contains(&self.segments) {
            return Err(ConfigError::new("segments", self.segments, "4 to 1024"));
        }
        if !(HEADS..=65_536).contains(&self.width) || !self.width.is_multiple_of(HEADS) {
            return Err(ConfigError::new("width", self.width, "a multiple of 8, up to 65536"));
        }
        check_reals(&[
            ("pseudo_label_weight", self.pseudo_label_weight, false),
            ("learning_rate", self.learning_rate, true),
            ("weight_decay", self.weight_decay, false),
        ])?;
        self.schedule().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::settings::resolve;

    #[test]
    fn published_values_are_the_published_ones() {
        let of = |data| {
            let config = ArmsConfig::published(data).unwrap();
            assert_eq!(config.validate(), Ok(()));
            assert_eq!((config.iterations, config.pairs, config.segments, config.width), (6, 30, 32, 1024));
            assert_eq!((config.pseudo_label_weight, config.weight_decay), (0.5, 5e-4));
            (config.small_ratio, config.large_ratio, config.iteration_steps, config.learning_rate)
        };
        assert_eq!(of(Published::UcfCrime), (0.22, 0.40, 50 * 27, 1e-4));
        assert_eq!(of(Published::ShanghaiTech), (0.10, 0.42, 300 * 6, 1e-3));
        assert_eq!(of(Published::XdViolence), (0.10, 0.40, 50 * 69, 1e-4));
        assert_eq!(ArmsConfig::small().validate(), Ok(()));
        let refused = ArmsConfig::published(Published::Tad).unwrap_err();
        assert!(refused.to_string().contains("dataset is tad"), "{refused}");
    }

    #[test]
    fn what_was_never_released_is_refused() {
        let error = ArmsConfig::starting_point(Some(Mode::Released), None).unwrap_err();
        assert_eq!(error.field, "mode");
        assert_eq!(ArmsConfig::starting_point(Some(Mode::Paper), None), Ok(ArmsConfig::small()));
    }

    #[test]
    fn every_reading_is_written_and_read_back_and_misspelt_keys_are_refused() {
        let config = ArmsConfig {
            seed: 7,
            phases: Phases::WithoutHardMining,
            threshold: Threshold::Recursive,
            quarters: QuarterRule::Percentile,
            score_correction: ScoreCorrection::Mean,
            objective: Objective::Ranking,
            ..ArmsConfig::small()
        };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(resolve::<ArmsConfig>("arms", &text.parse().unwrap()), Ok(config));
        let error = resolve::<ArmsConfig>("arms", &"smal_ratio = 0.1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("smal_ratio"), "{error}");
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let broken = [
            ArmsConfig { iterations: 0, ..ArmsConfig::small() },
            ArmsConfig { segments: 3, ..ArmsConfig::small() },
            ArmsConfig { width: 12, ..ArmsConfig::small() },
            ArmsConfig { width: 0, ..ArmsConfig::small() },
            ArmsConfig { small_ratio: 0.0, ..ArmsConfig::small() },
            ArmsConfig { small_ratio: f64::NAN, ..ArmsConfig::small() },
            ArmsConfig { large_ratio: 0.05, ..ArmsConfig::small() },
            ArmsConfig { large_ratio: 1.5, ..ArmsConfig::small() },
            ArmsConfig { learning_rate: 0.0, ..ArmsConfig::small() },
            ArmsConfig { pseudo_label_weight: f32::NAN, ..ArmsConfig::small() },
            ArmsConfig { topk: 0, ..ArmsConfig::small() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        assert_eq!(
            fields,
            [
                "iterations",
                "segments",
                "width",
                "width",
                "small_ratio",
                "small_ratio",
                "large_ratio",
                "large_ratio",
                "learning_rate",
                "pseudo_label_weight",
                "topk"
            ]
        );
    }
}

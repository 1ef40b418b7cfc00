//! Settings of a distillation.

use serde::{Deserialize, Serialize};
use vad_core::LiteSize;

use crate::recipe::settings::{
    ConfigError, MOST_STEPS, Mode, Published, SelectionRule, Settings, Watch, check_counts, check_reals,
};

/// Name of its settings and checkpoints.
pub const NAME: &str = "i3d-lite";

/// Most passes and most windows in a step.
const MOST: u64 = 100_000;

/// What the network is before it learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Drawn at random.
    #[default]
    Random,
    /// Weights of EfficientNet-Lite0 where they fit, see [`super::imagenet`]; the rest at random.
    Imagenet,
    /// Its kernels over the picture alone.
    ImagenetKernels,
    /// An I3D-lite of the same size that was distilled before, on other footage.
    Encoder,
}

impl Start {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Imagenet => "imagenet",
            Self::ImagenetKernels => "imagenet-kernels",
            Self::Encoder => "encoder",
        }
    }
}

/// All that decides about a distillation beside the footage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillConfig {
    /// Seed of every random draw.
    pub seed: u64,
    /// Which network learns.
    pub size: LiteSize,
    /// What it begins with.
    #[serde(default)]
    pub start: Start,
    /// Hash of the weights that it begins with, where `start` is `encoder`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_sha256: Option<String>,
    /// Passes over the footage.
    pub passes: u64,
    /// Windows of footage in a step.
    pub windows: usize,
    /// Clips of 16 frames in a window, one behind the other. The first begins a stream, the others go on with it.
    pub clips: usize,
    /// Largest step size of Adam. It rises from 0 over the first twentieth of the steps and falls to 0 as half a cosine.
    pub learning_rate: f32,
    /// Share of each parameter added to its gradient.
    pub weight_decay: f32,
    /// Common norm beyond which gradients are scaled down.
    pub clip_norm: f32,
    /// Weight of the relation loss beside the feature loss, see [`super::loss`].
    pub relation_weight: f32,
    /// Weight of the change loss beside the feature loss.
    #[serde(default)]
    pub change_weight: f32,
}

impl DistillConfig {
    /// For hours of footage and a processor.
    pub fn new(size: LiteSize) -> Self {
        Self {
            seed: 1,
            size,
            start: Start::Random,
            start_sha256: None,
            passes: 30,
            windows: 4,
            clips: 2,
            learning_rate: 1e-3,
            weight_decay: 1e-5,
            clip_norm: 1.0,
            relation_weight: 1.0,
            change_weight: 1.0,
        }
    }

    /// Step size of a step, counted from 0, of `steps`.
    pub fn learning_rate_at(&self, step: u64, steps: u64) -> f32 {
        let rising = (steps / 20).max(1);
        if step < rising {
            return self.learning_rate * (step + 1) as f32 / rising as f32;
        }
        let done = (step - rising) as f64 / (steps - rising).max(1) as f64;
        self.learning_rate * (0.5 * (1.0 + (std::f64::consts::PI * done).cos())) as f32
    }
}

impl Settings for DistillConfig {
    fn starting_point(_: Option<Mode>, data: Option<Published>) -> Result<Self, ConfigError> {
        match data {
            None => Ok(Self::new(LiteSize::Small)),
            Some(data) => {
                Err(ConfigError::new("dataset", data.name(), "absent: no paper has settings for I3D-lite"))
            }
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn watch(&self) -> Watch {
        Watch { eval_every: MOST_STEPS, topk: 1, selection: SelectionRule::Last }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check_counts(&[
            ("passes", self.passes, MOST),
            ("windows", self.windows as u64, MOST),
            ("clips", self.clips as u64, MOST),
        ])?;
        check_reals(&[
            ("learning_rate", self.learning_rate, true),
            ("weight_decay", self.weight_decay, false),
            ("clip_norm", self.clip_norm, true),
            ("relation_weight", self.relation_weight, false),
            ("change_weight", self.change_weight, false),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_size_rises_and_falls_to_nothing() {
        let config = DistillConfig::new(LiteSize::Small);
        let at = |step| config.learning_rate_at(step, 1000);
        assert_eq!(at(49), config.learning_rate);
        assert!((0..49).all(|step| at(step) < at(step + 1)));
        assert!((50..999).all(|step| at(step) > at(step + 1)));
        assert!(at(999) < 1e-4 * config.learning_rate);
        // Even the shortest training takes a step.
        assert!(config.learning_rate_at(0, 1) > 0.0);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let sound = DistillConfig::new(LiteSize::Small);
        sound.validate().unwrap();
        for (spoilt, field) in [
            (DistillConfig { passes: 0, ..sound.clone() }, "passes"),
            (DistillConfig { clips: 0, ..sound.clone() }, "clips"),
            (DistillConfig { learning_rate: f32::NAN, ..sound.clone() }, "learning_rate"),
        ] {
            assert_eq!(spoilt.validate().unwrap_err().field, field);
        }
    }
}

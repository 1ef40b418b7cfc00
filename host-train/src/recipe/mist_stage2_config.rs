//! Settings of MIST stage II (CVPR 2021): fine-tuning the encoder from pseudo labels.
//!
//! The released code differs from data set to data set, and in places from what its options say:
//!
//! | | videos | batches per step | frozen epochs | normalisation learns | class weights | clip norm |
//! |---|---|---|---|---|---|---|
//! | paper, UCF-Crime | 16 + 16 | | | | 1.2 / 0.8 | |
//! | released, UCF-Crime, I3D | 10 + 10 | 3 | 30 | only in epoch 30 | 1.2 / 0.8 | 20 |
//! | released, UCF-Crime, C3D | 32 + 32 | 5 | 60 | (has none) | 1 / 1 | 20 |
//! | released, ShanghaiTech, I3D | 10 + 10 | 3 | 30 | from epoch 30 on | 0.8 / 0.65 | 20 |
//! | released, ShanghaiTech, C3D | 10 + 10 | 1 | 0 | (has none) | 1 / 1 | 10 |
//!
//! Three things that the release does are not settings here. With ShanghaiTech and I3D it normalises by the batch's
//! statistics from epoch 31 on, because the switch back from evaluation to training no longer passes by the layers that were
//! frozen before; stored statistics are fixed here throughout. Its UCF-Crime run trains scale and shift of the normalisations
//! for one epoch, by the same accident; here they stay. With UCF-Crime and C3D biases are spared weight decay, with the
//! others they are not. And a reader of its code should know that the count of batches starts anew in every epoch, so that
//! the first batch of an epoch makes a step of its own.

use serde::{Deserialize, Serialize};

use crate::loss::weighted_bce::ClassWeights;
use crate::model::sga::attention::PUBLISHED_K;
use crate::model::sga::encoder::Trained;
use crate::optim::warmup;
use crate::recipe::settings::ConfigError;

/// Data sets and encoders that the released code trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage2Data {
    /// UCF-Crime with I3D.
    UcfCrimeI3d,
    /// UCF-Crime with C3D.
    UcfCrimeC3d,
    /// ShanghaiTech with I3D.
    ShanghaiTechI3d,
    /// ShanghaiTech with C3D.
    ShanghaiTechC3d,
}

/// Settings of one fine-tuning. Fields that a file leaves out take the released values for ShanghaiTech with I3D.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stage2Config {
    /// Passes over the videos.
    pub epochs: u32,
    /// Epochs over which the step size rises.
    pub warmup_epochs: u32,
    /// Epochs at the start in which attention and classifier learn alone.
    pub frozen_epochs: u32,
    /// Whether scale and shift of the backbone's normalisations learn with the rest of it. Stored statistics never do.
    pub train_norms: bool,
    /// Abnormal videos per batch, and as many normal ones.
    pub videos: usize,
    /// Clips drawn from each video.
    pub clips_per_video: usize,
    /// Batches whose gradients are summed (not averaged) before each step.
    pub batches_per_step: u32,
    /// Step size of Adam after the warm-up.
    pub learning_rate: f32,
    /// L2 weight decay, coupled into the gradient.
    pub weight_decay: f32,
    /// Greatest common norm of all gradients.
    pub clip_norm: f32,
    /// Share of features dropped before the classifier in training, in 0..1.
    pub dropout: f64,
    /// Detectors of each kind in the attention (K).
    pub k: usize,
    /// Weight of what should be abnormal (w_0).
    pub abnormal_weight: f32,
    /// Weight of what should be normal (w_1).
    pub normal_weight: f32,
    /// How far labels are kept from 0 and 1, in 0..=0.5.
    pub label_smoothing: f32,
}

impl Default for Stage2Config {
    fn default() -> Self {
        Self::published(Stage2Data::ShanghaiTechI3d)
    }
}

impl Stage2Config {
    /// The released settings. The paper's differ for UCF-Crime in the number of videos, 16 + 16.
    pub fn published(data: Stage2Data) -> Self {
        let weights = match data {
            Stage2Data::UcfCrimeI3d => ClassWeights::UCF_CRIME,
            Stage2Data::ShanghaiTechI3d => ClassWeights::SHANGHAI_TECH,
            Stage2Data::UcfCrimeC3d | Stage2Data::ShanghaiTechC3d => ClassWeights::EQUAL,
        };
        let (videos, batches_per_step, frozen_epochs, clip_norm) = match data {
            Stage2Data::UcfCrimeI3d | Stage2Data::ShanghaiTechI3d => (10, 3, 30, 20.0),
            Stage2Data::UcfCrimeC3d => (32, 5, 60, 20.0),
            Stage2Data::ShanghaiTechC3d => (10, 1, 0, 10.0),
        };
        Self {
            epochs: 300,
            warmup_epochs: 5,
            frozen_epochs,
            train_norms: data == Stage2Data::ShanghaiTechI3d,
            videos,
            clips_per_video: 3,
            batches_per_step,
            learning_rate: 1e-4,
            weight_decay: 5e-4,
            clip_norm,
            dropout: 0.8,
            k: PUBLISHED_K,
            abnormal_weight: weights.abnormal,
            normal_weight: weights.normal,
            label_smoothing: weights.label_smoothing,
        }
    }

    /// Step size during an epoch, counted from 0.
    pub fn learning_rate_in(&self, epoch: u32) -> f32 {
        (f64::from(self.learning_rate) * warmup::factor(epoch, self.warmup_epochs)) as f32
    }

    /// What learns during an epoch, counted from 0.
    pub fn trained_in(&self, epoch: u32) -> Trained {
        match (epoch < self.frozen_epochs, self.train_norms) {
            (true, _) => Trained::Head,
            (false, false) => Trained::AllButNorms,
            (false, true) => Trained::All,
        }
    }

    /// Weights of the loss.
    pub fn class_weights(&self) -> ClassWeights {
        let Self { abnormal_weight, normal_weight, label_smoothing, .. } = *self;
        ClassWeights { abnormal: abnormal_weight, normal: normal_weight, label_smoothing }
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// Names the first field that is outside.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("epochs", self.epochs as usize),
            ("videos", self.videos),
            ("clips_per_video", self.clips_per_video),
            ("batches_per_step", self.batches_per_step as usize),
            ("k", self.k),
        ];
        for (field, value) in counts {
            if value == 0 {
                return Err(ConfigError::new(field, value, "at least 1"));
            }
        }
        let positive = [
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
            ("abnormal_weight", self.abnormal_weight),
            ("normal_weight", self.normal_weight),
        ];
        for (field, value) in positive {
            if !value.is_finite() || value <= 0.0 {
                return Err(ConfigError::new(field, value, "a finite number above 0"));
            }
        }
        if !self.weight_decay.is_finite() || self.weight_decay < 0.0 {
            return Err(ConfigError::new("weight_decay", self.weight_decay, "a finite number of at least 0"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(ConfigError::new("dropout", self.dropout, "at least 0 and below 1"));
        }
        if !(0.0..=0.5).contains(&self.label_smoothing) {
            return Err(ConfigError::new("label_smoothing", self.label_smoothing, "within 0..=0.5"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_are_the_published_ones() {
        use Stage2Data::{ShanghaiTechC3d, ShanghaiTechI3d, UcfCrimeC3d, UcfCrimeI3d};
        for data in [UcfCrimeI3d, UcfCrimeC3d, ShanghaiTechI3d, ShanghaiTechC3d] {
            let config = Stage2Config::published(data);
            assert_eq!(config.validate(), Ok(()));
            assert_eq!((config.learning_rate, config.weight_decay, config.dropout), (1e-4, 5e-4, 0.8));
            assert_eq!((config.k, config.clips_per_video, config.warmup_epochs), (8, 3, 5));
        }
        assert_eq!(Stage2Config::published(UcfCrimeI3d).class_weights(), ClassWeights::UCF_CRIME);
        assert_eq!(Stage2Config::published(ShanghaiTechC3d).clip_norm, 10.0);
    }

    #[test]
    fn the_backbone_joins_after_the_frozen_epochs() {
        let config = Stage2Config::published(Stage2Data::UcfCrimeI3d);
        assert_eq!(config.trained_in(0), Trained::Head);
        assert_eq!(config.trained_in(29), Trained::Head);
        assert_eq!(config.trained_in(30), Trained::AllButNorms);
        assert_eq!(Stage2Config::default().trained_in(30), Trained::All);
        assert_eq!(Stage2Config::published(Stage2Data::ShanghaiTechC3d).trained_in(0), Trained::AllButNorms);
    }

    #[test]
    fn the_step_size_rises_over_the_warm_up() {
        let config = Stage2Config::default();
        assert_eq!(config.learning_rate_in(0), 1e-5);
        assert_eq!(config.learning_rate_in(5), 1e-4);
    }

    #[test]
    fn a_file_round_trips_and_misspelt_keys_are_refused() {
        let config = Stage2Config { dropout: 0.25, ..Stage2Config::published(Stage2Data::UcfCrimeC3d) };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Stage2Config>(&text).unwrap(), config);
        let error = toml::from_str::<Stage2Config>("frozen_epoch = 3").unwrap_err();
        assert!(error.to_string().contains("frozen_epoch"), "{error}");
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let broken = [
            Stage2Config { dropout: 1.0, ..Stage2Config::default() },
            Stage2Config { label_smoothing: 0.6, ..Stage2Config::default() },
            Stage2Config { learning_rate: f32::NAN, ..Stage2Config::default() },
            Stage2Config { k: 0, ..Stage2Config::default() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        assert_eq!(fields, ["dropout", "label_smoothing", "learning_rate", "k"]);
    }
}

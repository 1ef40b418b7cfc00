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
use toml::Table;
use vad_core::LiteSize;

use crate::loss::weighted_bce::ClassWeights;
use crate::model::sga::attention::PUBLISHED_K;
use crate::model::sga::encoder::{Kind, Trained};
use crate::optim::warmup;
use crate::pseudo_label::RELEASED_WIDTH;
use crate::recipe::settings::{
    ConfigError, Mode, Published, SelectionRule, Settings, SettingsError, Watch, check_counts, check_dropout,
    check_reals, overlay, read,
};

/// Name of the settings in files, run folders and checkpoints.
pub const NAME: &str = "mist-stage2";

/// Longest side of a picture that an encoder is given, in pixels.
const MOST_SIDE_PX: u64 = 1024;

/// Sides are multiples of this, so that every map has a place for each begun stride.
const SIDE_STEP_PX: u16 = 16;

/// Shortest side of a picture: a place of I3D's last map.
const LEAST_SIDE_PX: u16 = 32;

/// Encoders by their names on the command line and in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderChoice {
    /// The first layers of I3D at 112 pixels: minutes on a processor.
    #[default]
    Small,
    /// The whole I3D at 224 pixels, as published: for graphics cards.
    I3d,
    /// C3D at 112 pixels, as published; its weights must be given.
    C3d,
    /// A distilled I3D-lite, small, at 112 pixels: boards run it.
    LiteSmall,
    /// A distilled I3D-lite, middle, at 128 pixels.
    LiteMiddle,
    /// A distilled I3D-lite, large, at 160 pixels.
    LiteLarge,
}

/// Data sets and encoders that the released code trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Settings of one fine-tuning. Fields that a file leaves out take the values of [`Stage2Config::small`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stage2Config {
    /// How pseudo labels are smoothed: eq 2 of the paper, or twice as the public code does.
    pub mode: Mode,
    /// Seed of every random draw.
    pub seed: u64,
    /// What is fine-tuned.
    pub encoder: EncoderChoice,
    /// Width of the pictures that the encoder is given, a multiple of 16.
    pub width_px: u16,
    /// Their height, a multiple of 16.
    pub height_px: u16,
    /// Clips over which pseudo labels are smoothed, an odd number.
    pub smoothing: usize,
    /// Whether clips are taught what stage I makes of them; else the label of their whole video (an ablation).
    pub pseudo_labels: bool,
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
    /// Clips that go through the network at once. Bounds memory and changes results in the last bits only.
    pub clips_at_once: usize,
    /// Whether clips begin at any frame, their label a mean of the two that they overlap, instead of at multiples of 16.
    pub jitter: bool,
    /// Whether every second clip, at random, is mirrored.
    pub flip: bool,
    /// Least share of height and width that a training clip shows, in 0..=1; 1 shows all.
    pub crop_share: f32,
    /// Step size of Adam after the warm-up.
    pub learning_rate: f32,
    /// What multiplies the step size once the backbone learns; 1 as published.
    pub thawed_rate: f32,
    /// L2 weight decay, coupled into the gradient.
    pub weight_decay: f32,
    /// Greatest common norm of all gradients.
    pub clip_norm: f32,
    /// Share of features dropped before the classifier in training, in 0..1.
    pub dropout: f64,
    /// Detectors of each kind in the attention (K).
    pub k: usize,
    /// Whether the last map is strengthened by self-guided attention; else features are its plain mean, and there is no guided
    /// classifier either (an ablation).
    pub attention: bool,
    /// Whether the guided classifier H_g teaches the attention; else the loss of H_c alone does (an ablation).
    pub guided_head: bool,
    /// Weight of what should be abnormal (w_0).
    pub abnormal_weight: f32,
    /// Weight of what should be normal (w_1).
    pub normal_weight: f32,
    /// How far labels are kept from 0 and 1, in 0..=0.5.
    pub label_smoothing: f32,
    /// Epochs between two looks at the validation split.
    pub eval_every: u32,
    /// Clips whose mean is a video's score in those looks.
    pub topk: usize,
    /// Which step's weights become the model.
    pub selection: SelectionRule,
}

impl From<LiteSize> for EncoderChoice {
    fn from(size: LiteSize) -> Self {
        match size {
            LiteSize::Small => Self::LiteSmall,
            LiteSize::Middle => Self::LiteMiddle,
            LiteSize::Large => Self::LiteLarge,
        }
    }
}

impl EncoderChoice {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::I3d => "i3d",
            Self::C3d => "c3d",
            Self::LiteSmall => "lite-small",
            Self::LiteMiddle => "lite-middle",
            Self::LiteLarge => "lite-large",
        }
    }

    /// The network.
    pub fn kind(self) -> Kind {
        match self {
            Self::Small => Kind::ShortI3d,
            Self::I3d => Kind::I3d,
            Self::C3d => Kind::C3d,
            Self::LiteSmall => Kind::Lite(LiteSize::Small),
            Self::LiteMiddle => Kind::Lite(LiteSize::Middle),
            Self::LiteLarge => Kind::Lite(LiteSize::Large),
        }
    }

    /// The size of an I3D-lite, which is distilled and runs on boards; nothing for the others.
    pub fn lite(self) -> Option<LiteSize> {
        match self.kind() {
            Kind::Lite(size) => Some(size),
            Kind::ShortI3d | Kind::I3d | Kind::C3d => None,
        }
    }

    /// Width of its features, as published.
    pub fn published_feature_dim(self) -> usize {
        match self.kind() {
            Kind::ShortI3d | Kind::C3d => 512,
            Kind::I3d => 1024,
            Kind::Lite(size) => size.plan().feature_dim,
        }
    }

    /// Side of the pictures that it is given unless the settings say otherwise.
    fn side_px(self) -> u16 {
        match self.kind() {
            Kind::ShortI3d | Kind::C3d => 112,
            Kind::I3d => 224,
            Kind::Lite(size) => size.plan().side_px,
        }
    }

    /// Clips whose activations a processor with 8 GiB holds.
    fn clips_at_once(self) -> usize {
        match self {
            Self::Small | Self::LiteSmall => 18,
            Self::I3d => 2,
            Self::C3d | Self::LiteMiddle => 6,
            Self::LiteLarge => 3,
        }
    }
}

impl Default for Stage2Config {
    fn default() -> Self {
        Self::small(EncoderChoice::default())
    }
}

impl Stage2Config {
    /// The released settings. The paper's differ for UCF-Crime in the number of videos, 16 + 16.
    pub fn published(data: Stage2Data, mode: Mode) -> Self {
        let (encoder, weights) = match data {
            Stage2Data::UcfCrimeI3d => (EncoderChoice::I3d, ClassWeights::UCF_CRIME),
            Stage2Data::ShanghaiTechI3d => (EncoderChoice::I3d, ClassWeights::SHANGHAI_TECH),
            Stage2Data::UcfCrimeC3d | Stage2Data::ShanghaiTechC3d => {
                (EncoderChoice::C3d, ClassWeights::EQUAL)
            }
        };
        let (videos, batches_per_step, frozen_epochs, clip_norm) = match (data, mode) {
            (Stage2Data::UcfCrimeI3d, Mode::Paper) => (16, 3, 30, 20.0),
            (Stage2Data::UcfCrimeI3d | Stage2Data::ShanghaiTechI3d, _) => (10, 3, 30, 20.0),
            (Stage2Data::UcfCrimeC3d, Mode::Paper) => (16, 5, 60, 20.0),
            (Stage2Data::UcfCrimeC3d, Mode::Released) => (32, 5, 60, 20.0),
            (Stage2Data::ShanghaiTechC3d, _) => (10, 1, 0, 10.0),
        };
        Self {
            mode,
            seed: 0,
            encoder,
            width_px: encoder.side_px(),
            height_px: encoder.side_px(),
            smoothing: RELEASED_WIDTH,
            pseudo_labels: true,
            epochs: 300,
            warmup_epochs: 5,
            frozen_epochs,
            train_norms: data == Stage2Data::ShanghaiTechI3d,
            videos,
            clips_per_video: 3,
            batches_per_step,
            clips_at_once: encoder.clips_at_once(),
            jitter: true,
            flip: true,
            crop_share: 0.8,
            learning_rate: 1e-4,
            thawed_rate: 1.0,
            weight_decay: 5e-4,
            clip_norm,
            dropout: 0.8,
            k: PUBLISHED_K,
            attention: true,
            guided_head: true,
            abnormal_weight: weights.abnormal,
            normal_weight: weights.normal,
            label_smoothing: weights.label_smoothing,
            eval_every: 10,
            topk: 3,
            selection: SelectionRule::Validation,
        }
    }

    /// For tens of short videos on a processor: few videos per batch, and a step size with which a fresh head gets somewhere in
    /// tens of steps. The backbone joins early and in smaller steps than the head, but far larger ones than the published: tens of
    /// videos are few steps.
    pub fn small(encoder: EncoderChoice) -> Self {
        Self {
            encoder,
            width_px: encoder.side_px(),
            height_px: encoder.side_px(),
            epochs: 40,
            warmup_epochs: 2,
            frozen_epochs: 4,
            train_norms: false,
            videos: 3,
            batches_per_step: 1,
            clips_at_once: encoder.clips_at_once(),
            learning_rate: 3e-3,
            thawed_rate: 0.3,
            dropout: 0.5,
            eval_every: 5,
            ..Self::published(Stage2Data::ShanghaiTechI3d, Mode::Released)
        }
    }

    /// Completes and checks settings from a file or the command line.
    ///
    /// # Errors
    /// Names the first key that is unknown, of the wrong type or out of range.
    pub fn resolve(given: &Table) -> Result<Self, SettingsError> {
        let mode = read::<Mode>(given, "mode")?.unwrap_or_default();
        let encoder = read::<EncoderChoice>(given, "encoder")?;
        let base = match read::<Published>(given, "dataset")? {
            None => Self { mode, ..Self::small(encoder.unwrap_or_default()) },
            Some(data) => Self::published(published_data(data, encoder)?, mode),
        };
        let settings = overlay(NAME, &base, given)?;
        settings.validate()?;
        Ok(settings)
    }

    /// Step size during an epoch, counted from 0.
    pub fn learning_rate_in(&self, epoch: u32) -> f32 {
        let rate = if epoch < self.frozen_epochs { 1.0 } else { f64::from(self.thawed_rate) };
        (f64::from(self.learning_rate) * rate * warmup::factor(epoch, self.warmup_epochs)) as f32
    }

    /// What learns during an epoch, counted from 0.
    pub fn trained_in(&self, epoch: u32) -> Trained {
        match (epoch < self.frozen_epochs, self.train_norms) {
            (true, _) => Trained::Head,
            (false, false) => Trained::AllButNorms,
            (false, true) => Trained::All,
        }
    }

    /// Whether there is a guided classifier that teaches.
    pub fn guides(&self) -> bool {
        self.attention && self.guided_head
    }

    /// Weights of the loss.
    pub fn class_weights(&self) -> ClassWeights {
        let Self { abnormal_weight, normal_weight, label_smoothing, .. } = *self;
        ClassWeights { abnormal: abnormal_weight, normal: normal_weight, label_smoothing }
    }

    /// Checks the sides of the pictures.
    fn check_sides(&self) -> Result<(), ConfigError> {
        for (field, side_px) in [("width_px", self.width_px), ("height_px", self.height_px)] {
            check_counts(&[(field, side_px.into(), MOST_SIDE_PX)])?;
            if side_px < LEAST_SIDE_PX || side_px % SIDE_STEP_PX != 0 {
                return Err(ConfigError::new(field, side_px, "a multiple of 16 of at least 32"));
            }
        }
        Ok(())
    }
}

/// The release's run for a data set, with the encoder that is asked for.
fn published_data(data: Published, encoder: Option<EncoderChoice>) -> Result<Stage2Data, ConfigError> {
    match (data, encoder) {
        (
            _,
            Some(
                own @ (EncoderChoice::Small
                | EncoderChoice::LiteSmall
                | EncoderChoice::LiteMiddle
                | EncoderChoice::LiteLarge),
            ),
        ) => Err(ConfigError::new("encoder", own.name(), "i3d or c3d, with which MIST was published")),
        (Published::UcfCrime, None | Some(EncoderChoice::I3d)) => Ok(Stage2Data::UcfCrimeI3d),
        (Published::UcfCrimeC3d, None)
        | (Published::UcfCrime | Published::UcfCrimeC3d, Some(EncoderChoice::C3d)) => {
            Ok(Stage2Data::UcfCrimeC3d)
        }
        (Published::UcfCrimeC3d, Some(EncoderChoice::I3d)) => {
            Err(ConfigError::new("encoder", "i3d", "c3d for the data set ucf-crime-c3d"))
        }
        (Published::ShanghaiTech, None | Some(EncoderChoice::I3d)) => Ok(Stage2Data::ShanghaiTechI3d),
        (Published::ShanghaiTech, Some(EncoderChoice::C3d)) => Ok(Stage2Data::ShanghaiTechC3d),
        (Published::XdViolence | Published::Tad, _) => {
            let must = "ucf-crime, ucf-crime-c3d or shanghaitech, for which MIST was published";
            Err(ConfigError::new("dataset", data.name(), must))
        }
    }
}

impl Settings for Stage2Config {
    fn starting_point(mode: Option<Mode>, data: Option<Published>) -> Result<Self, ConfigError> {
        let mode = mode.unwrap_or_default();
        match data {
            None => Ok(Self { mode, ..Self::default() }),
            Some(data) => Ok(Self::published(published_data(data, None)?, mode)),
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn watch(&self) -> Watch {
        Watch { eval_every: self.eval_every.into(), topk: self.topk, selection: self.selection }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.check_sides()?;
        check_counts(&[
            ("smoothing", self.smoothing as u64, 1023),
            ("epochs", self.epochs.into(), 1_000_000),
            ("videos", self.videos as u64, 4096),
            ("clips_per_video", self.clips_per_video as u64, 1024),
            ("batches_per_step", self.batches_per_step.into(), 4096),
            ("clips_at_once", self.clips_at_once as u64, 4096),
            ("k", self.k as u64, 1024),
            ("eval_every", self.eval_every.into(), 1_000_000),
            ("topk", self.topk as u64, 1_000_000),
        ])?;
        check_reals(&[
            ("learning_rate", self.learning_rate, true),
            ("thawed_rate", self.thawed_rate, true),
            ("weight_decay", self.weight_decay, false),
            ("clip_norm", self.clip_norm, true),
            ("abnormal_weight", self.abnormal_weight, true),
            ("normal_weight", self.normal_weight, true),
        ])?;
        check_dropout("dropout", self.dropout)?;
        if self.smoothing.is_multiple_of(2) {
            return Err(ConfigError::new("smoothing", self.smoothing, "an odd number"));
        }
        if !(0.25..=1.0).contains(&self.crop_share) {
            return Err(ConfigError::new("crop_share", self.crop_share, "within 0.25..=1"));
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

    fn published(data: Stage2Data) -> Stage2Config {
        Stage2Config::published(data, Mode::Released)
    }

    fn resolve(text: &str) -> Result<Stage2Config, SettingsError> {
        Stage2Config::resolve(&text.parse().unwrap())
    }

    #[test]
    fn published_values_are_the_published_ones() {
        use Stage2Data::{ShanghaiTechC3d, ShanghaiTechI3d, UcfCrimeC3d, UcfCrimeI3d};
        for data in [UcfCrimeI3d, UcfCrimeC3d, ShanghaiTechI3d, ShanghaiTechC3d] {
            let config = published(data);
            assert_eq!(config.validate(), Ok(()));
            assert_eq!((config.learning_rate, config.weight_decay, config.dropout), (1e-4, 5e-4, 0.8));
            assert_eq!((config.k, config.clips_per_video, config.warmup_epochs), (8, 3, 5));
        }
        // The table at the head of this file.
        let row = |data| {
            let config = published(data);
            let weights = [config.abnormal_weight, config.normal_weight];
            (config.videos, config.batches_per_step, config.frozen_epochs, weights, config.clip_norm)
        };
        assert_eq!(row(UcfCrimeI3d), (10, 3, 30, [1.2, 0.8], 20.0));
        assert_eq!(row(UcfCrimeC3d), (32, 5, 60, [1.0, 1.0], 20.0));
        assert_eq!(row(ShanghaiTechI3d), (10, 3, 30, [0.8, 0.65], 20.0));
        assert_eq!(row(ShanghaiTechC3d), (10, 1, 0, [1.0, 1.0], 10.0));
        assert_eq!(published(UcfCrimeI3d).class_weights(), ClassWeights::UCF_CRIME);
        assert_eq!(Stage2Config::published(UcfCrimeI3d, Mode::Paper).videos, 16);
        let whole = |config: Stage2Config| config.guides() && config.attention && config.pseudo_labels;
        assert!(whole(published(UcfCrimeI3d)) && whole(Stage2Config::default()));
    }

    #[test]
    fn the_backbone_joins_after_the_frozen_epochs() {
        let config = published(Stage2Data::UcfCrimeI3d);
        assert_eq!(config.trained_in(0), Trained::Head);
        assert_eq!(config.trained_in(29), Trained::Head);
        assert_eq!(config.trained_in(30), Trained::AllButNorms);
        assert_eq!(published(Stage2Data::ShanghaiTechI3d).trained_in(30), Trained::All);
        assert_eq!(published(Stage2Data::ShanghaiTechC3d).trained_in(0), Trained::AllButNorms);
    }

    #[test]
    fn the_step_size_rises_over_the_warm_up() {
        let config = published(Stage2Data::ShanghaiTechI3d);
        assert_eq!(config.learning_rate_in(0), 1e-5);
        assert_eq!(config.learning_rate_in(5), 1e-4);
        let small = Stage2Config { frozen_epochs: 7, ..Stage2Config::default() };
        assert!((small.learning_rate_in(7) / small.learning_rate_in(6) - 0.3).abs() < 1e-6);
    }

    #[test]
    fn data_set_and_encoder_choose_where_settings_begin() {
        let c3d = resolve("dataset = 'shanghaitech'\nencoder = 'c3d'\nseed = 3").unwrap();
        assert_eq!(c3d, Stage2Config { seed: 3, ..published(Stage2Data::ShanghaiTechC3d) });
        assert_eq!(resolve("dataset = 'ucf-crime'").unwrap().encoder, EncoderChoice::I3d);
        assert_eq!(resolve("encoder = 'i3d'").unwrap().width_px, 224);
        assert_eq!(resolve("").unwrap(), Stage2Config::default());
        for (text, part) in [
            ("dataset = 'tad'", "ucf-crime"),
            ("dataset = 'shanghaitech'\nencoder = 'small'", "i3d or c3d"),
            ("dataset = 'ucf-crime-c3d'\nencoder = 'i3d'", "c3d"),
            ("frozen_epoch = 3", "frozen_epochs"),
        ] {
            let error = resolve(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config = Stage2Config { dropout: 0.25, ..published(Stage2Data::UcfCrimeC3d) };
        assert_eq!(resolve(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn out_of_range_values_name_their_field() {
        let small = Stage2Config::default;
        let broken = [
            Stage2Config { dropout: 1.0, ..small() },
            Stage2Config { label_smoothing: 0.6, ..small() },
            Stage2Config { learning_rate: f32::NAN, ..small() },
            Stage2Config { k: 0, ..small() },
            Stage2Config { width_px: 120, ..small() },
            Stage2Config { smoothing: 4, ..small() },
            Stage2Config { crop_share: 0.0, ..small() },
        ];
        let fields = broken.map(|config| config.validate().unwrap_err().field);
        let want =
            ["dropout", "label_smoothing", "learning_rate", "k", "width_px", "smoothing", "crop_share"];
        assert_eq!(fields, want);
    }
}

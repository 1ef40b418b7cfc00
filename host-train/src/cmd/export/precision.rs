//! Which numbers the encoder of a bundle computes with, and what held-back videos say of them.

mod int8;
mod report;
mod trial;

use self::int8::{Quantisation, Search};
use self::report::About;
use super::super::qat;
use super::super::work::Work;
use crate::infer::Scorer;
use crate::quantise::gate::Variant;
use crate::quantise::range::RangeMethod;
use anyhow::{Context, Result, bail, ensure};
use model_export::{BundleSources, EncoderPrecision};
use std::path::{Path, PathBuf};
use vad_core::ModelSpec;
use vad_data::FeatureSpec;
use vad_infer::Kernels;

/// Numbers that an encoder computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Precision {
    /// 32-bit floats, as it was trained.
    #[default]
    F32,
    /// Weights in 16-bit floats, a file half as long; refused where that, in f16 arithmetic, loses an event, or more than 0.5
    /// points of ROC AUC, on the validation split.
    F16,
    /// 8-bit integers in all layers that mix channels, which learn to be rounded where they lose too much; refused as f16 is.
    Int8,
    /// The same, but layers that still lose too much stay in f32, all of them if it must be.
    Auto,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct PrecisionOptions {
    /// Numbers that the encoder computes with
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// How the ranges of int8 are chosen from normal training footage
    #[arg(long, value_enum, value_name = "METHOD", default_value_t)]
    calibration: RangeMethod,
    /// Steps of quantisation-aware training, where int8 loses too much without; 0 for none
    #[arg(long, value_name = "N", default_value_t = qat::STEPS)]
    qat_steps: u32,
}

/// Files with the weights.
pub struct Sources {
    pub encoder: PathBuf,
    pub head: PathBuf,
    /// With the attention in it, where there is one to be exported.
    pub attention: Option<PathBuf>,
}

/// What is exported, and where its parts lie.
pub struct Exported<'a> {
    pub work: &'a Work,
    /// Folder of the run, for the report.
    pub run: &'a Path,
    pub features: FeatureSpec,
    pub scorer: &'a Scorer,
    pub spec: &'a ModelSpec,
    pub sources: &'a Sources,
}

impl Sources {
    /// They for a bundle.
    pub fn with<'a>(&'a self, precision: &'a EncoderPrecision) -> BundleSources<'a> {
        let attention = self.attention.as_deref();
        BundleSources { encoder: &self.encoder, precision, head: &self.head, attention }
    }
}

impl PrecisionOptions {
    /// The numbers of each layer.
    pub fn choose(self, exported: &Exported<'_>) -> Result<EncoderPrecision> {
        let (variant, must_pass) = match self.precision {
            Precision::F32 => return Ok(EncoderPrecision::F32),
            Precision::F16 => (Variant::F16, true),
            Precision::Int8 => (Variant::Int8, true),
            Precision::Auto => (Variant::Int8, false),
        };
        let size = exported.spec.encoder.kind.lite();
        let no_lite = || {
            format!(
                "{} looks through I3D, which has no form in {variant}\n  remedy: --precision f32, or train on an encoder of `watchpost distill`",
                exported.spec.name
            )
        };
        ensure!(size.is_some() || !must_pass, no_lite());
        let Some(size) = size else {
            println!("precision: f32, since {variant} is for I3D-lite");
            return Ok(EncoderPrecision::F32);
        };
        let dataset = exported.work.dataset()?;
        let has_videos = !dataset.splits.val.is_empty();
        ensure!(
            has_videos || !must_pass,
            "{variant} is tested on the validation split, and {} has none\n  remedy: index again with validation videos, or --precision f32",
            dataset.title()
        );
        if !has_videos {
            println!("precision: f32, since there are no validation videos to test {variant} on");
            return Ok(EncoderPrecision::F32);
        }
        match variant {
            Variant::F16 => exported.in_f16(),
            Variant::Int8 => {
                let how = Quantisation { method: self.calibration, qat_steps: self.qat_steps };
                Search::new(exported, size, how)?.run(must_pass)
            }
        }
    }
}

impl Exported<'_> {
    /// Boards may compute in f16 too where the weights are, so that is tested: it rounds more.
    fn in_f16(&self) -> Result<EncoderPrecision> {
        let judged = self.judge_whole()?;
        let trial = self.try_out(EncoderPrecision::F16, Kernels::TractF16, Variant::F16, &judged);
        let trial =
            trial.context("the validation videos cannot be encoded in f16\n  remedy: --precision f32")?;
        let error = judged.error(&trial);
        println!("f16, features off by {:.2} %: {}", 100.0 * error, trial.change);
        let report = self.report(&judged, &trial, &About::f16(error))?;
        if let Some(why) = trial.change.refusal() {
            bail!("f16 is refused: {why}; report: {}\n  remedy: --precision f32", report.display());
        }
        println!("precision: f16; report: {}", report.display());
        Ok(trial.precision)
    }
}

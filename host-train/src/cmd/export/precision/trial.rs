//! Scores of the validation videos as a board would give them.

use super::super::super::progress::ExtractBars;
use super::Exported;
use crate::encoder;
use crate::evaluate;
use crate::quantise::gate::{Change, Variant};
use anyhow::{Context, Result};
use model_export::EncoderPrecision;
use std::sync::Arc;
use vad_data::{ClipEncoder, CropPlan, ExtractSpec, FeatureSpec, Features, VideoEntry, extract};
use vad_eval::{Evaluation, VideoScores};
use vad_infer::{Head, Kernels};

/// Scores of the validation videos in f32.
pub(super) struct Judged {
    pub(super) entries: Vec<VideoEntry>,
    /// By the trainer's own program.
    pub(super) trainer: Evaluation,
    /// By the bundle's graphs.
    pub(super) whole: Evaluation,
    features: Vec<Features>,
}

/// Other numbers that were tried.
pub(super) struct Trial {
    pub(super) precision: EncoderPrecision,
    pub(super) evaluation: Evaluation,
    pub(super) change: Change,
    features: Vec<Features>,
}

impl Judged {
    /// How far the features of a trial are off: the square root of the mean squared error over the variance of the features in
    /// f32, both over all clips and channels.
    pub(super) fn error(&self, trial: &Trial) -> f64 {
        let rows = || self.features.iter().flat_map(Features::rows);
        let mut means: Vec<f64> = Vec::new();
        for row in rows() {
            means.resize(row.len(), 0.0);
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
        }
        let count = rows().count().max(1) as f64;
        means.iter_mut().for_each(|mean| *mean /= count);
        let (mut off, mut spread) = (0.0, 0.0);
        for (row, tried) in rows().zip(trial.features.iter().flat_map(Features::rows)) {
            for ((value, tried), mean) in row.iter().zip(tried).zip(&means) {
                off += f64::from(value - tried).powi(2);
                spread += (f64::from(*value) - mean).powi(2);
            }
        }
        (off / spread.max(f64::MIN_POSITIVE)).sqrt()
    }
}

impl Exported<'_> {
    pub(super) fn judge_whole(&self) -> Result<Judged> {
        let entries = self.work.dataset()?.splits.val.entries().to_vec();
        let encoder =
            encoder::load_in(&self.sources.encoder, self.spec, &EncoderPrecision::F32, Kernels::Best)?;
        let features = self.features(&entries, &*encoder)?;
        let pairs = || entries.iter().zip(&features);
        let trainer = pairs().map(|(entry, features)| evaluate::score(entry, features, self.scorer));
        let trainer = Evaluation::run(&trainer.collect::<Result<Vec<_>>>()?, &self.spec.score)?;
        let whole = self.evaluation(&entries, &features)?;
        Ok(Judged { trainer, whole, entries, features })
    }

    pub(super) fn try_out(
        &self,
        precision: EncoderPrecision,
        kernels: Kernels,
        variant: Variant,
        judged: &Judged,
    ) -> Result<Trial> {
        let encoder = encoder::load_in(&self.sources.encoder, self.spec, &precision, kernels)?;
        let features = self.features(&judged.entries, &*encoder)?;
        let evaluation = self.evaluation(&judged.entries, &features)?;
        let change = Change::between(&judged.whole, variant, &evaluation);
        Ok(Trial { precision, evaluation, change, features })
    }

    /// Of every video, as a board's camera shows it: one crop.
    fn features(&self, entries: &[VideoEntry], encoder: &dyn ClipEncoder) -> Result<Vec<Features>> {
        let features = FeatureSpec { crops: CropPlan::One, ..self.features.clone() };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let bars = ExtractBars::new(entries.len());
        let spec = ExtractSpec { features, threads, batch: 1 };
        let found = extract(entries, encoder, spec, &self.work.features()?, false, &bars);
        bars.finish();
        let mut found = found?.features;
        let of = |entry: &VideoEntry| {
            found.remove(&entry.id).with_context(|| format!("{} has no features", entry.id))
        };
        entries.iter().map(of).collect()
    }

    /// By the exported head, clip after clip.
    fn evaluation(&self, entries: &[VideoEntry], features: &[Features]) -> Result<Evaluation> {
        let path = &self.sources.head;
        let weights = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let onnx = model_export::head_onnx(&weights, self.spec)?;
        let head = Arc::new(Head::from_onnx(&onnx, "head.onnx", self.spec)?);
        let score = |(entry, features): (&VideoEntry, &Features)| {
            let mut stream = head.stream();
            let raw = features.rows().map(|feature| stream.push(feature)).collect::<Result<_, _>>();
            Ok(evaluate::with_scores(entry, features, raw.with_context(|| entry.id.clone())?))
        };
        let scores: Vec<VideoScores> = entries.iter().zip(features).map(score).collect::<Result<_>>()?;
        Ok(Evaluation::run(&scores, &self.spec.score)?)
    }
}

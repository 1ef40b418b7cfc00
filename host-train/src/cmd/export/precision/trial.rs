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
}

/// Other numbers that were tried.
pub(super) struct Trial {
    pub(super) precision: EncoderPrecision,
    pub(super) evaluation: Evaluation,
    pub(super) change: Change,
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
        Ok(Judged { trainer, whole, entries })
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
        Ok(Trial { precision, evaluation, change })
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

//! Which layers compute in int8: as many as the validation videos allow.

use super::super::super::progress;
use super::super::super::terminal::count;
use super::super::super::work::Dataset;
use super::Exported;
use super::report::About;
use super::trial::Judged;
use crate::distill::film::Reel;
use crate::quantise::calibration::{Calibration, LayerError, Planned};
use crate::quantise::footage;
use crate::quantise::gate::Variant;
use crate::quantise::range::RangeMethod;
use crate::tensors;
use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor};
use model_export::{EncoderPrecision, Int8Plan};
use vad_core::LiteSize;
use vad_data::{Label, VideoEntry};
use vad_eval::PlainTable;
use vad_infer::Kernels;

/// A network whose layers are to be in int8.
pub(super) struct Search<'a> {
    exported: &'a Exported<'a>,
    method: RangeMethod,
    calibration: Calibration,
    judged: Judged,
    /// What each layer costs by itself.
    layers: Vec<LayerError>,
}

impl<'a> Search<'a> {
    pub(super) fn new(exported: &'a Exported<'a>, size: LiteSize, method: RangeMethod) -> Result<Self> {
        let calibration = exported.calibration(size, &exported.work.dataset()?)?;
        let judged = exported.judge_whole()?;
        let layers = sensitivity(&calibration, method);
        Ok(Self { exported, method, calibration, judged, layers })
    }

    /// All layers, or as many as pass, which may be none.
    pub(super) fn run(&self, all: bool) -> Result<EncoderPrecision> {
        let worst_first = worst_first(&self.layers);
        let mut in_f32 = 0;
        loop {
            let spared = &worst_first[..in_f32.min(worst_first.len())];
            if spared.len() == self.layers.len() {
                println!("precision: f32, since no part of the network passes in int8");
                return Ok(EncoderPrecision::F32);
            }
            let Planned { plan, error } =
                self.calibration.plan(self.method, |layer| !spared.contains(&layer));
            let about = self.about(&plan, error);
            let precision = EncoderPrecision::Int8(plan.clone());
            let trial = self.exported.try_out(precision, Kernels::Best, Variant::Int8, &self.judged)?;
            println!(
                "int8 in {}, features off by {:.1} %: {}",
                about.layers_in(),
                100.0 * error,
                trial.change
            );
            let report = self.exported.report(&self.judged, &trial, &about)?;
            match trial.change.refusal() {
                None => {
                    println!("precision: int8 in {}; report: {}", about.layers_in(), report.display());
                    return Ok(trial.precision);
                }
                Some(why) if all => bail!(
                    "int8 is refused: {why}; {} hurts most, report: {}\n  remedy: --precision auto leaves such layers in f32, or another --calibration",
                    worst_first.first().copied().unwrap_or("no layer by itself"),
                    report.display()
                ),
                Some(why) => println!("refused: {why}"),
            }
            in_f32 = (2 * in_f32).max(1);
        }
    }

    fn about<'b>(&'b self, plan: &'b Int8Plan, error: f64) -> About<'b> {
        let off = format!("{:.2} % of their deviation, all layers together", 100.0 * error);
        let mut about = About {
            what: String::new(),
            feature_error: error,
            facts: vec![("Calibration", self.method.name().to_owned()), ("Features off by", off)],
            int8: plan.layers().collect(),
            layers: &self.layers,
            tables: vec![table(plan, &self.layers)],
        };
        about.what = format!("{} in int8", about.layers_in());
        about
    }
}

impl About<'_> {
    fn layers_in(&self) -> String {
        format!("{} of {} layers", self.int8.len(), self.layers.len())
    }
}

fn sensitivity(calibration: &Calibration, method: RangeMethod) -> Vec<LayerError> {
    let bar = progress::bar(calibration.layers().len() as u64, "layers");
    bar.set_prefix("int8 one by one");
    let layers = calibration.sensitivity(method, &mut || bar.inc(1));
    bar.finish_and_clear();
    layers
}

fn worst_first(layers: &[LayerError]) -> Vec<&str> {
    let mut order: Vec<&LayerError> = layers.iter().collect();
    order.sort_by(|a, b| b.error.total_cmp(&a.error));
    order.into_iter().map(|layer| layer.layer.as_str()).collect()
}

impl Exported<'_> {
    /// The network over some windows of the normal training videos.
    fn calibration(&self, size: LiteSize, dataset: &Dataset) -> Result<Calibration> {
        let device = Device::flex();
        let (clips, videos) = self.windows(dataset, &device)?;
        let [windows, _, frames, ..] = clips.dims();
        println!(
            "int8: ranges from {} frames of {}",
            windows * frames,
            count(videos, "normal training video")
        );
        let (weights, _) = tensors::load(&self.sources.encoder)?;
        let origin = self.sources.encoder.display().to_string();
        Ok(Calibration::new(size, &weights, &origin, clips, &device)?)
    }

    /// `[windows, 3, frames, H, W]`, and the number of videos that they are from.
    fn windows(&self, dataset: &Dataset, device: &Device) -> Result<(Tensor<5>, usize)> {
        let store = self.work.features()?;
        let normal: Vec<&VideoEntry> =
            dataset.splits.train.entries().iter().filter(|entry| entry.label == Label::Normal).collect();
        let mut reels = Vec::new();
        for entry in footage::chosen(normal.len()).map(|index| normal[index]) {
            let sha256 = store.file_hash(&entry.path)?;
            let frames = self.work.root().join("frames");
            reels.push(Reel::develop(&frames, entry, sha256, &self.spec.preprocess)?);
        }
        let reels = footage::long_enough(reels);
        let windows = footage::windows(&reels, &self.spec.preprocess, device)?;
        let windows = windows.with_context(|| {
            let frames = footage::FRAMES;
            format!(
                "no normal training video has {frames} frames, so there is nothing to choose the ranges of int8 on\n  remedy: --precision f32"
            )
        })?;
        Ok((windows, reels.len()))
    }
}

fn table(plan: &Int8Plan, layers: &[LayerError]) -> PlainTable {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let row = |layer: &LayerError| {
        let (least, most) = layer.range;
        let precision = if plan.get(&layer.layer).is_some() { "int8" } else { "f32" };
        let error = format!("{:.2} %", 100.0 * layer.error);
        texts(&[&layer.layer, precision, &format!("{least:.3} to {most:.3}"), &error])
    };
    PlainTable {
        title: "Layers".to_owned(),
        lead: "How far clip features are off, in percent of their deviation, with one layer alone in int8."
            .to_owned(),
        columns: texts(&["layer", "computes in", "range of its inputs", "features off by"]),
        rows: layers.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_layer_comes_first() {
        let layer = |name: &str, error| LayerError { layer: name.to_owned(), range: (0.0, 1.0), error };
        let layers = [layer("a", 0.1), layer("b", 0.3), layer("c", 0.2)];
        assert_eq!(worst_first(&layers), ["b", "c", "a"]);
    }
}

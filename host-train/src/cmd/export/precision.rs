//! Which numbers the encoder of a bundle computes with, and what held-back videos say of them.

use super::super::progress::{self, ExtractBars};
use super::super::provenance;
use super::super::terminal::count;
use super::super::work::{Dataset, Work};
use crate::atomic_file;
use crate::distill::film::Reel;
use crate::encoder;
use crate::evaluate;
use crate::infer::Scorer;
use crate::quantise::calibration::{Calibration, LayerError, Planned};
use crate::quantise::footage;
use crate::quantise::gate::Change;
use crate::quantise::range::RangeMethod;
use crate::tensors;
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Device, Tensor};
use model_export::{BundleSources, Int8Plan};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vad_core::{LiteSize, ModelSpec};
use vad_data::{ClipEncoder, CropPlan, ExtractSpec, FeatureSpec, Features, Label, VideoEntry, extract};
use vad_eval::{ComparedRun, ComparisonReport, Evaluation, PlainTable, Resampling, VideoScores};
use vad_infer::Head;

/// Numbers that an encoder computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Precision {
    /// 32-bit floats, as it was trained.
    #[default]
    F32,
    /// 8-bit integers in all layers that mix channels; refused where that loses an event, or more than 0.5 points of ROC AUC,
    /// on the validation split.
    Int8,
    /// 8-bit integers in as many layers as pass that test, none if it must be.
    Auto,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct PrecisionOptions {
    /// Numbers that the encoder computes with
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    precision: Precision,
    /// How the ranges of int8 are chosen from normal training footage
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = RangeMethod::Mse)]
    calibration: RangeMethod,
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
    pub fn with<'a>(&'a self, int8: &'a Int8Plan) -> BundleSources<'a> {
        BundleSources { encoder: &self.encoder, int8, head: &self.head, attention: self.attention.as_deref() }
    }
}

/// Scores of the validation videos.
struct Judged {
    entries: Vec<VideoEntry>,
    /// By the trainer's own program.
    trainer: Evaluation,
    /// By the bundle's graphs in f32.
    whole: Evaluation,
}

/// Layers in int8 that were tried.
struct Trial {
    plan: Int8Plan,
    /// As [`Planned::error`].
    error: f64,
    evaluation: Evaluation,
    change: Change,
}

/// The report in numbers.
#[derive(Serialize)]
struct Numbers<'a> {
    facts: &'a [(String, String)],
    int8: Vec<&'a str>,
    feature_error: f64,
    layers: &'a [LayerError],
    change: &'a Change,
    refused: Option<String>,
}

impl PrecisionOptions {
    /// The layers that compute in int8.
    pub fn choose(self, exported: &Exported<'_>) -> Result<Int8Plan> {
        if self.precision == Precision::F32 {
            return Ok(Int8Plan::default());
        }
        let Some(size) = exported.spec.encoder.kind.lite() else {
            let name = &exported.spec.name;
            ensure!(
                self.precision == Precision::Auto,
                "{name} looks through I3D, which has no form in int8\n  remedy: --precision f32, or train on an encoder of `watchpost distill`"
            );
            println!("precision: f32, since int8 is for I3D-lite");
            return Ok(Int8Plan::default());
        };
        self.search(exported, size)
    }

    fn search(self, exported: &Exported<'_>, size: LiteSize) -> Result<Int8Plan> {
        let dataset = exported.work.dataset()?;
        if dataset.splits.val.is_empty() && self.precision == Precision::Auto {
            println!("precision: f32, since there are no validation videos to test int8 on");
            return Ok(Int8Plan::default());
        }
        ensure!(
            !dataset.splits.val.is_empty(),
            "int8 is tested on the validation split, and {} has none\n  remedy: index again with validation videos, or --precision f32",
            dataset.title()
        );
        let calibration = exported.calibration(size, &dataset)?;
        let judged = exported.judge_whole(&dataset)?;
        let layers = self.sensitivity(&calibration);
        let worst_first = worst_first(&layers);

        let mut in_f32 = 0;
        loop {
            let spared = &worst_first[..in_f32.min(worst_first.len())];
            if spared.len() == layers.len() {
                println!("precision: f32, since no part of the network passes in int8");
                return Ok(Int8Plan::default());
            }
            let planned = calibration.plan(self.calibration, |layer| !spared.contains(&layer));
            let trial = exported.try_out(planned, &judged)?;
            let (of, all) = (trial.plan.layers().len(), layers.len());
            println!(
                "int8 in {of} of {all} layers, features off by {:.1} %: {}",
                100.0 * trial.error,
                trial.change
            );
            let report = exported.report(self, &judged, &trial, &layers)?;
            match trial.change.refusal() {
                None => {
                    println!("precision: int8 in {of} of {all} layers; report: {}", report.display());
                    return Ok(trial.plan);
                }
                Some(why) if self.precision == Precision::Int8 => bail!(
                    "int8 is refused: {why}; {} hurts most, report: {}\n  remedy: --precision auto leaves such layers in f32, or another --calibration",
                    worst_first.first().copied().unwrap_or("no layer by itself"),
                    report.display()
                ),
                Some(why) => println!("refused: {why}"),
            }
            in_f32 = (2 * in_f32).max(1);
        }
    }

    fn sensitivity(self, calibration: &Calibration) -> Vec<LayerError> {
        let bar = progress::bar(calibration.layers().len() as u64, "layers");
        bar.set_prefix("int8 one by one");
        let layers = calibration.sensitivity(self.calibration, &mut || bar.inc(1));
        bar.finish_and_clear();
        layers
    }
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

    fn judge_whole(&self, dataset: &Dataset) -> Result<Judged> {
        let entries = dataset.splits.val.entries().to_vec();
        let encoder = encoder::load_int8(&self.sources.encoder, self.spec, &Int8Plan::default())?;
        let features = self.features(&entries, &*encoder)?;
        let pairs = || entries.iter().zip(&features);
        let trainer = pairs().map(|(entry, features)| evaluate::score(entry, features, self.scorer));
        let trainer = Evaluation::run(&trainer.collect::<Result<Vec<_>>>()?, &self.spec.score)?;
        let whole = self.evaluation(&entries, &features)?;
        Ok(Judged { trainer, whole, entries })
    }

    fn try_out(&self, Planned { plan, error }: Planned, judged: &Judged) -> Result<Trial> {
        let encoder = encoder::load_int8(&self.sources.encoder, self.spec, &plan)?;
        let features = self.features(&judged.entries, &*encoder)?;
        let evaluation = self.evaluation(&judged.entries, &features)?;
        let change = Change::between(&judged.whole, &evaluation);
        Ok(Trial { error, change, evaluation, plan })
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

    /// Writes the page and its numbers; the path of the page.
    fn report(
        &self,
        options: PrecisionOptions,
        judged: &Judged,
        trial: &Trial,
        layers: &[LayerError],
    ) -> Result<PathBuf> {
        let resampling = Resampling::default();
        let (of, all) = (trial.plan.layers().len(), layers.len());
        let variant = |name: &str, about: String, of: &Evaluation| (name.to_owned(), about, of.clone());
        let runs = vec![
            variant("trainer", "the head as it was trained, features in f32".to_owned(), &judged.trainer),
            variant("board, f32", "the exported graphs".to_owned(), &judged.whole),
            variant("board, int8", format!("{of} of {all} layers in int8"), &trial.evaluation),
        ];
        let refused = trial.change.refusal();
        let facts = provenance::facts(&[
            (
                "Verdict",
                refused.as_ref().map_or_else(|| "passed".to_owned(), |why| format!("refused: {why}")),
            ),
            ("Between f32 and int8", trial.change.to_string()),
            ("Calibration", options.calibration.name().to_owned()),
            (
                "Features off by",
                format!("{:.2} % of their deviation, all layers together", 100.0 * trial.error),
            ),
        ]);
        let dataset = self.work.dataset()?;
        let numbers = Numbers {
            facts: &facts,
            int8: trial.plan.layers().collect(),
            feature_error: trial.error,
            layers,
            change: &trial.change,
            refused,
        };
        let path = self.run.join("report-precision.html");
        atomic_file::write(&path.with_extension("json"), &serde_json::to_vec_pretty(&numbers)?)?;
        let report = ComparisonReport {
            title: format!("Watchpost: {} in int8", self.spec.name),
            subtitle: format!("{} of {}", count(judged.entries.len(), "validation video"), dataset.title()),
            runs: ComparedRun::all(runs, resampling)?,
            resampling,
            tables: vec![table(trial, layers)],
            facts,
        };
        report.write(&path)?;
        Ok(path)
    }
}

fn table(trial: &Trial, layers: &[LayerError]) -> PlainTable {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let row = |layer: &LayerError| {
        let (least, most) = layer.range;
        let precision = if trial.plan.get(&layer.layer).is_some() { "int8" } else { "f32" };
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

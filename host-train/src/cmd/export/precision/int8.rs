//! Which layers compute in int8: as many as the validation videos allow.

use super::super::super::progress;
use super::super::super::qat;
use super::super::super::terminal::count;
use super::super::super::work::Dataset;
use super::Exported;
use super::report::About;
use super::trial::Judged;
use crate::distill::film::Reel;
use crate::quantise::calibration::{Calibration, LayerError, Planned};
use crate::quantise::footage::{self, Films};
use crate::quantise::gate::Variant;
use crate::quantise::range::RangeMethod;
use crate::tensors;
use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use model_export::{EncoderPrecision, Int8Plan};
use std::path::PathBuf;
use vad_core::LiteSize;
use vad_data::{Label, VideoEntry};
use vad_eval::PlainTable;
use vad_infer::Kernels;

/// Most videos that layers learn on: as many windows as are drawn come from no more.
const QAT_VIDEOS: usize = 64;

/// Seed of the windows that layers learn on.
const QAT_SEED: u64 = 1;

/// A network whose layers are to be in int8.
pub(super) struct Search<'a> {
    exported: &'a Exported<'a>,
    how: Quantisation,
    calibration: Calibration,
    judged: Judged,
    /// What each layer costs by itself.
    layers: Vec<LayerError>,
}

/// How layers come to their grids.
#[derive(Clone, Copy)]
pub(super) struct Quantisation {
    pub(super) method: RangeMethod,
    /// Steps in which layers learn to be rounded, where grids alone lose too much.
    pub(super) qat_steps: u32,
}

/// Layers in int8 on their way through the gate.
struct Candidate {
    planned: Planned,
    /// Feature error before they learnt, where they did.
    before: Option<f64>,
}

impl<'a> Search<'a> {
    pub(super) fn new(exported: &'a Exported<'a>, size: LiteSize, how: Quantisation) -> Result<Self> {
        let calibration = exported.calibration(size, &exported.work.dataset()?)?;
        let judged = exported.judge_whole()?;
        let layers = sensitivity(&calibration, how.method);
        Ok(Self { exported, how, calibration, judged, layers })
    }

    /// All layers, learnt if need be, or as many as pass, which may be none.
    pub(super) fn run(&self, all: bool) -> Result<EncoderPrecision> {
        let worst_first = worst_first(&self.layers);
        let mut candidate =
            Candidate { planned: self.calibration.plan(self.how.method, |_| true), before: None };
        let mut refused = match self.judge(&candidate)? {
            Verdict::Passed(precision) => return Ok(precision),
            Verdict::Refused(refused) => refused,
        };
        if self.how.qat_steps > 0 {
            candidate = self.learnt(&candidate.planned)?;
            refused = match self.judge(&candidate)? {
                Verdict::Passed(precision) => return Ok(precision),
                Verdict::Refused(refused) => refused,
            };
        }
        if all {
            let Refused { why, report } = refused;
            bail!(
                "int8 is refused: {why}; {} hurts most, report: {}\n  remedy: --precision auto leaves such layers in f32, or more --qat-steps",
                worst_first.first().copied().unwrap_or("no layer by itself"),
                report.display()
            );
        }
        let mut in_f32 = 1;
        while in_f32 < worst_first.len() {
            let spared = &worst_first[..in_f32];
            let some = Candidate { planned: self.without(spared, &candidate), ..candidate };
            if let Verdict::Passed(precision) = self.judge(&some)? {
                return Ok(precision);
            }
            in_f32 *= 2;
        }
        println!("precision: f32, since no part of the network passes in int8");
        Ok(EncoderPrecision::F32)
    }

    fn learnt(&self, planned: &Planned) -> Result<Candidate> {
        let films = self.exported.training_films()?;
        let learnt = qat::learn(&self.calibration, planned, &films, self.how.qat_steps, QAT_SEED)?;
        println!(
            "{} of quantisation-aware training on {}",
            count(self.how.qat_steps as usize, "step"),
            count(films.videos(), "training video")
        );
        Ok(Candidate { planned: learnt, before: Some(planned.error) })
    }

    /// With some layers in f32. What the others learnt stays.
    fn without(&self, spared: &[&str], candidate: &Candidate) -> Planned {
        let chosen = |layer: &str| !spared.contains(&layer);
        match candidate.before {
            Some(_) => self.calibration.planned(candidate.planned.plan.only(chosen)),
            None => self.calibration.plan(self.how.method, chosen),
        }
    }

    fn judge(&self, candidate: &Candidate) -> Result<Verdict> {
        let about = self.about(candidate);
        let precision = EncoderPrecision::Int8(candidate.planned.plan.clone());
        let trial = self.exported.try_out(precision, Kernels::Best, Variant::Int8, &self.judged)?;
        println!(
            "int8 in {}, features off by {:.1} %: {}",
            about.layers_in(),
            100.0 * about.feature_error,
            trial.change
        );
        let report = self.exported.report(&self.judged, &trial, &about)?;
        Ok(match trial.change.refusal() {
            None => {
                println!("precision: int8 in {}; report: {}", about.layers_in(), report.display());
                Verdict::Passed(trial.precision)
            }
            Some(why) => {
                println!("refused: {why}");
                Verdict::Refused(Refused { why, report })
            }
        })
    }

    fn about<'b>(&'b self, candidate: &'b Candidate) -> About<'b> {
        let Candidate { planned: Planned { plan, error }, before } = candidate;
        let mut facts = vec![
            ("Calibration", self.how.method.name().to_owned()),
            ("Features off by", format!("{:.2} % of their deviation, all layers together", 100.0 * error)),
        ];
        if let Some(before) = before {
            let steps = count(self.how.qat_steps as usize, "step");
            let text = format!("{steps}, before which they were off by {:.2} %", 100.0 * before);
            facts.push(("Quantisation-aware training", text));
        }
        let mut about = About {
            what: String::new(),
            feature_error: *error,
            facts,
            int8: plan.layers().collect(),
            layers: &self.layers,
            tables: vec![table(plan, &self.layers)],
        };
        let learnt = if before.is_some() { ", which learnt to be rounded" } else { "" };
        about.what = format!("{} in int8{learnt}", about.layers_in());
        about
    }
}

/// What the gate says.
enum Verdict {
    Passed(EncoderPrecision),
    Refused(Refused),
}

struct Refused {
    why: String,
    report: PathBuf,
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
        let normal: Vec<&VideoEntry> =
            dataset.splits.train.entries().iter().filter(|entry| entry.label == Label::Normal).collect();
        let films = self.films(&normal, footage::WINDOWS)?;
        let films = films.with_context(|| {
            let frames = footage::FRAMES;
            format!(
                "no normal training video has {frames} frames, so there is nothing to choose the ranges of int8 on\n  remedy: --precision f32"
            )
        })?;
        println!(
            "int8: ranges from {} frames of {}",
            footage::WINDOWS * footage::FRAMES,
            count(films.videos(), "normal training video")
        );
        let (weights, _) = tensors::load(&self.sources.encoder)?;
        let origin = self.sources.encoder.display().to_string();
        Ok(Calibration::new(size, &weights, &origin, films.spread(&device)?, &device)?)
    }

    /// Of either label: what happens in events shall survive rounding as well.
    fn training_films(&self) -> Result<Films> {
        let dataset = self.work.dataset()?;
        let entries: Vec<&VideoEntry> = dataset.splits.train.entries().iter().collect();
        self.films(&entries, QAT_VIDEOS)?.context("no training video is long enough to learn on")
    }

    /// At most so many of some videos.
    fn films(&self, entries: &[&VideoEntry], most: usize) -> Result<Option<Films>> {
        let store = self.work.features()?;
        let mut reels = Vec::new();
        for entry in footage::chosen(entries.len(), most).map(|index| entries[index]) {
            let sha256 = store.file_hash(&entry.path)?;
            let frames = self.work.root().join("frames");
            reels.push(Reel::develop(&frames, entry, sha256, &self.spec.preprocess)?);
        }
        Ok(Films::of(reels, &self.spec.preprocess))
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
        lead: "How far clip features are off, in percent of their deviation, with one layer alone in int8, as calibrated."
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

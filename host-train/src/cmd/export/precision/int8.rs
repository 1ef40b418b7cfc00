//! Which layers compute in int8: as many as the validation videos allow.

use super::super::super::interrupt;
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
use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use model_export::{EncoderPrecision, Int8Plan};
use serde::Serialize;
use std::path::PathBuf;
use vad_core::LiteSize;
use vad_data::{Label, VideoEntry};
use vad_eval::PlainTable;
use vad_infer::Kernels;

/// Most videos that layers learn on: each is decoded whole and kept on disk.
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
    learnt: Option<Learnt>,
}

/// What learning changed while all layers were in int8.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Learnt {
    steps: u32,
    error_before: f64,
    error_after: f64,
}

impl<'a> Search<'a> {
    pub(super) fn new(exported: &'a Exported<'a>, size: LiteSize, how: Quantisation) -> Result<Self> {
        let calibration = exported.calibration(size, &exported.work.dataset()?)?;
        let judged = exported.judge_whole()?;
        let layers = sensitivity(&calibration, how.method);
        Ok(Self { exported, how, calibration, judged, layers })
    }

    /// All layers, or as many as pass, which may be none.
    pub(super) fn run(&self, all: bool) -> Result<EncoderPrecision> {
        let worst_first = worst_first(&self.layers);
        let mut candidate =
            Candidate { planned: self.calibration.plan(self.how.method, |_| true), learnt: None };
        let mut refused = None;
        for attempt in attempts(worst_first.len(), self.how.qat_steps > 0, all) {
            let tried = match attempt {
                Attempt::AsCalibrated => self.judge(&candidate)?,
                Attempt::Learnt => match self.learn(&candidate.planned)? {
                    None => continue,
                    Some(learnt) => {
                        candidate = learnt;
                        self.judge(&candidate)?
                    }
                },
                Attempt::Without(count) => self.judge(&self.without(&worst_first[..count], &candidate))?,
            };
            match tried {
                Verdict::Passed(precision) => return Ok(precision),
                Verdict::Refused(last) => refused = Some(last),
            }
        }
        match refused {
            Some(Refused { why, report }) if all => bail!(
                "int8 is refused: {why}; {} hurts most, report: {}\n  remedy: --precision auto leaves such layers in f32, another --calibration, or more --qat-steps",
                worst_first.first().copied().unwrap_or("no layer by itself"),
                report.display()
            ),
            _ => {
                println!("precision: f32, since no part of the network passes in int8");
                Ok(EncoderPrecision::F32)
            }
        }
    }

    /// Nothing where learning brought features no nearer: the plan has been judged already.
    fn learn(&self, planned: &Planned) -> Result<Option<Candidate>> {
        let films = self.exported.training_films()?;
        let steps = self.how.qat_steps;
        let Some(learnt) = qat::learn(&self.calibration, planned, &films, steps, QAT_SEED)? else {
            bail!(
                "interrupted: no bundle was written\n  remedy: the same command learns again from its first step"
            );
        };
        println!(
            "{} of quantisation-aware training on {}: features off by {:.1} %, {:.1} % before",
            count(steps as usize, "step"),
            count(films.videos(), "training video"),
            100.0 * learnt.error,
            100.0 * planned.error
        );
        let change = Learnt { steps, error_before: planned.error, error_after: learnt.error };
        Ok((learnt.plan != planned.plan).then_some(Candidate { planned: learnt, learnt: Some(change) }))
    }

    /// With some layers in f32, the others as they learnt or as they are calibrated without them, whichever leaves features
    /// nearer: they learnt to make up for layers that are no longer rounded.
    fn without(&self, spared: &[&str], candidate: &Candidate) -> Candidate {
        let chosen = |layer: &str| !spared.contains(&layer);
        let calibrated = self.calibration.plan(self.how.method, chosen);
        let as_learnt = candidate.learnt.map(|learnt| {
            let planned = self.calibration.planned(candidate.planned.plan.only(chosen));
            Candidate { planned, learnt: Some(learnt) }
        });
        as_learnt
            .filter(|learnt| learnt.planned.error < calibrated.error)
            .unwrap_or(Candidate { planned: calibrated, learnt: None })
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
        let Candidate { planned: Planned { plan, error }, learnt } = candidate;
        let mut facts = vec![
            ("Calibration", self.how.method.name().to_owned()),
            ("Features off by", format!("{:.2} % of their deviation, these layers together", 100.0 * error)),
        ];
        if let Some(Learnt { steps, error_before, error_after }) = learnt {
            let text = format!(
                "{}, with all layers in int8: features off by {:.2} % before, {:.2} % after",
                count(*steps as usize, "step"),
                100.0 * error_before,
                100.0 * error_after
            );
            facts.push(("Quantisation-aware training", text));
        }
        let mut about = About {
            what: String::new(),
            feature_error: *error,
            learnt: *learnt,
            facts,
            int8: plan.layers().collect(),
            layers: &self.layers,
            tables: vec![table(plan, &self.layers)],
        };
        let by_learning = if learnt.is_some() { ", which learnt to be rounded" } else { "" };
        about.what = format!("{} in int8{by_learning}", about.layers_in());
        about
    }
}

/// What is put before the gate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attempt {
    /// All layers on the grids of the calibration.
    AsCalibrated,
    /// All layers, after they learnt.
    Learnt,
    /// The same without the worst so many, which stay in f32.
    Without(usize),
}

/// What is tried, one after the other, of a network of so many layers, until something passes.
fn attempts(layers: usize, learn: bool, all: bool) -> impl Iterator<Item = Attempt> {
    let spared =
        std::iter::successors(Some(1), |count| Some(2 * count)).take_while(move |&count| count < layers);
    let learnt = learn.then_some(Attempt::Learnt);
    std::iter::once(Attempt::AsCalibrated)
        .chain(learnt)
        .chain(spared.filter(move |_| !all).map(Attempt::Without))
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
                "none of the normal training videos that were looked at has {frames} frames, so there is nothing to choose the ranges of int8 on\n  remedy: --precision f32"
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
        self.films(&entries, QAT_VIDEOS)?.with_context(|| {
            let frames = footage::FRAMES;
            format!("none of the training videos that were looked at has {frames} frames to learn on\n  remedy: --qat-steps 0")
        })
    }

    /// At most so many of some videos.
    fn films(&self, entries: &[&VideoEntry], most: usize) -> Result<Option<Films>> {
        let (store, frames) = (self.work.features()?, self.work.root().join("frames"));
        let bar = progress::bar(entries.len().min(most) as u64, "videos");
        bar.set_prefix("frames");
        let develop = |entry: &VideoEntry| {
            ensure!(
                !interrupt::asked(),
                "interrupted: no bundle was written\n  remedy: the same command goes on"
            );
            let sha256 = store.file_hash(&entry.path)?;
            let reel = Reel::develop(&frames, entry, sha256, &self.spec.preprocess)?;
            bar.inc(1);
            Ok(reel)
        };
        let chosen = footage::chosen(entries.len(), most).map(|index| develop(entries[index]));
        let reels = chosen.collect::<Result<Vec<_>>>();
        bar.finish_and_clear();
        Ok(Films::of(reels?, &self.spec.preprocess))
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
    fn layers_learn_before_any_is_given_back() {
        use Attempt::{AsCalibrated, Learnt, Without};
        let of = |learn, all| attempts(11, learn, all).collect::<Vec<_>>();
        assert_eq!(of(true, false), [AsCalibrated, Learnt, Without(1), Without(2), Without(4), Without(8)]);
        assert_eq!(of(false, false), [AsCalibrated, Without(1), Without(2), Without(4), Without(8)]);
        assert_eq!(of(true, true), [AsCalibrated, Learnt]);
        assert_eq!(of(false, true), [AsCalibrated]);
        assert_eq!(attempts(1, false, false).collect::<Vec<_>>(), [AsCalibrated]);
    }

    #[test]
    fn the_worst_layer_comes_first() {
        let layer = |name: &str, error| LayerError { layer: name.to_owned(), range: (0.0, 1.0), error };
        let layers = [layer("a", 0.1), layer("b", 0.3), layer("c", 0.2)];
        assert_eq!(worst_first(&layers), ["b", "c", "a"]);
    }
}

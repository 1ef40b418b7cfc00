//! `watchpost export`: a trained run becomes a bundle that a board can run.

use self::precision::{Exported, Sources};
use self::window::Window;
use super::held_back::window_range;
use super::options::{DeviceOption, WeightsOption, WorkOption};
use super::work::Work;
use crate::device::DeviceList;
use crate::distilled::DistilledEncoder;
use crate::encoder::{self, Engine};
use crate::evaluate;
use crate::extraction::Extraction;
use crate::finetune::tuned::TunedRun;
use crate::infer::Scorer;
use crate::run::Run;
use anyhow::{Context, Result, ensure};
use model_bundle::Bundle;
use model_export::{BundleFacts, EXPORT_F32, ReferenceClip, check_parity};
use std::path::PathBuf;
use vad_core::{EncoderKind, ModelSpec};
use vad_data::{CropPlan, Features};

mod precision;
mod tuned;
mod window;

pub use precision::PrecisionOptions;

/// Clips whose features and scores the exported graphs must repeat.
const PARITY_CLIPS: usize = 64;

/// Export a trained run as a bundle for boards
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost export --work work/ --run mist-seed1 --out bundle/\n\n\
    The bundle holds the encoder and the head as ONNX, the preprocessing and the score settings. Before it counts as\n\
    exported, tract must repeat the trainer's scores from it.\n\n\
    Runs of every recipe can be exported, but not of arms with score_correction. rtfm and arms look at whole videos; a board\n\
    sees a window of the last clips, and the export says what that costs on the validation split and chooses the threshold\n\
    anew. rtfm with temporal = \"causal-mtn\" loses nothing.\n\n\
    A distilled encoder can compute in int8, about twice as fast on a processor that can: --precision auto puts as many layers\n\
    into int8 as lose no event and at most 0.5 points of ROC AUC on the validation split, and writes a report with the scores\n\
    of trainer, f32 and int8 over one another (runs/NAME/report-precision.html). --precision f16 halves the file instead: its\n\
    weights are rounded, and a board whose processor computes in f16 may do so. The same videos decide.\n\n\
    A board encodes one crop of each clip: the whole picture. A run trained on several crops can be exported, but its\n\
    figures and its threshold come from the mean over crops; `watchpost eval --crops 1` shows what the board will see. A run\n\
    trained on overlapping clips makes the board encode as many.")]
pub struct Args {
    #[command(flatten)]
    pub work: WorkOption,
    /// Which run [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Folder of the bundle
    #[arg(long, value_name = "DIR", default_value = "bundle")]
    pub out: PathBuf,
    /// Replace a bundle that is there already
    #[arg(long)]
    pub overwrite: bool,
    /// Clips in the window of rtfm and arms [default: the segments of the training]
    #[arg(long, value_name = "N", value_parser = window_range())]
    pub window: Option<u16>,
    /// Version of the bundle; boards refuse to go back
    #[arg(long, default_value_t = 1)]
    pub version: u64,
    #[command(flatten)]
    pub precision: PrecisionOptions,
    #[command(flatten)]
    pub weights: WeightsOption,
    #[command(flatten)]
    pub compute: DeviceOption,
}

pub fn run(args: &Args) -> Result<()> {
    let work = Work::open(&args.work.work)?;
    let run = Run::open(&work.run(args.run.as_deref())?)?;
    if let Some(run) = TunedRun::of(&run)? {
        return tuned::run(args, &work, &run);
    }
    let mut spec =
        run.model().context("this run has no trained model\n  remedy: finish `watchpost train`")?;
    ensure!(
        spec.encoder.kind != EncoderKind::Imported,
        "{} was trained on features that were imported, and a board needs the encoder that makes them\n  remedy: import the videos alone, then `watchpost extract` and train",
        spec.name
    );
    let scorer = evaluate::scorer(&run, args.compute.device)?;
    let scorer = scorer.on_board(args.window).with_context(|| spec.name.clone())?;
    // The run's own description may be older than what boards can do.
    spec.head = scorer.head();
    let made = work.extraction_of(&run)?;
    let weights = match &made.distilled {
        None => args.weights.find()?,
        Some(name) => {
            let weights = DistilledEncoder::open(&work.encoder_dir(name)?)?.0.weights_path();
            let found = encoder::load(Engine::Tract, &weights, &spec, &DeviceList::default())?;
            ensure!(
                made.is_by(&*found),
                "the encoder {name} was replaced after {} was trained on its features\n  remedy: watchpost extract --encoder {name}, then train again",
                spec.name
            );
            weights
        }
    };
    let window = Window::of(&spec.head);
    if let Some(window) = &window {
        spec.score = window.threshold(&work, &run, &made, &scorer, &spec.score)?;
    }
    let sources = Sources { encoder: weights, head: run.head_path(), attention: None };
    let exported = Exported {
        work: &work,
        run: run.dir(),
        features: made.features.clone(),
        scorer: &scorer,
        spec: &spec,
        sources: &sources,
    };
    let bundle = write(args, &exported)?;
    check_scores(&bundle, &reference(&work, &made, &scorer)?)?;
    if let Some(window) = &window {
        window.print_cost(&work, &run, &made, &scorer, args.compute.device)?;
    }
    if made.features.crops != CropPlan::One {
        println!(
            "note: trained on {made}; the board sees one crop, the whole picture, and its threshold was chosen on the mean \
             over crops; `watchpost eval --crops 1` shows the difference"
        );
    }
    print_bundle(args, &spec);
    Ok(())
}

/// Writes the bundle.
fn write(args: &Args, exported: &Exported<'_>) -> Result<Bundle> {
    let precision = args.precision.choose(exported)?;
    let facts = BundleFacts { version: args.version, overwrite: args.overwrite, ..BundleFacts::default() };
    Ok(model_export::bundle(exported.spec, exported.sources.with(&precision), &args.out, &facts)?)
}

/// Checks that a bundle repeats the trainer's scores.
fn check_scores(bundle: &Bundle, reference: &[ReferenceClip]) -> Result<()> {
    let report = check_parity(bundle, reference, &EXPORT_F32)?;
    println!(
        "parity over {} clips: largest score difference {:.1e} (allowed {:.0e})",
        report.scores, report.score_max_error, EXPORT_F32.score_absolute
    );
    Ok(())
}

fn print_bundle(args: &Args, spec: &ModelSpec) {
    println!("bundle {} version {}: {}", spec.name, args.version, args.out.display());
}

/// The trainer's own scores of the first clips of the data set, each crop taken for a video.
fn reference(work: &Work, made: &Extraction, scorer: &Scorer) -> Result<Vec<ReferenceClip>> {
    let dataset = work.dataset()?;
    let store = work.features_of(made)?;
    let mut clips = Vec::new();
    for entry in dataset.manifest.entries() {
        let features = made.cached(&*store, entry)?;
        for crop in 0..features.crops {
            let left = PARITY_CLIPS - clips.len();
            clips.extend(reference_of(&entry.id, features.crop(crop).first_clips(left), scorer)?);
        }
        if clips.len() >= PARITY_CLIPS {
            break;
        }
    }
    Ok(clips)
}

/// Scores as a board gives them do not depend on what follows, so the beginning of a video may stand for it.
fn reference_of(id: &str, video: Features, scorer: &Scorer) -> Result<Vec<ReferenceClip>> {
    if video.clips() == 0 {
        return Ok(Vec::new());
    }
    let scores = scorer.score_video(id, &video)?;
    let clip = |(index, (feature, score)): (usize, (&[f32], f32))| ReferenceClip {
        clip: None,
        feature: feature.to_vec(),
        score: Some(score),
        begins: index == 0,
    };
    Ok(video.rows().zip(scores).enumerate().map(clip).collect())
}

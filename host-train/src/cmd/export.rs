//! `watchpost export`: a trained run becomes a bundle that a board can run.

use super::options::{DeviceOption, WeightsOption, WorkOption};
use super::work::Work;
use crate::device::DeviceList;
use crate::distilled::DistilledEncoder;
use crate::encoder::{self, Engine};
use crate::evaluate;
use crate::extraction::Extraction;
use crate::finetune::tuned::TunedRun;
use crate::run::Run;
use anyhow::{Context, Result, ensure};
use model_export::{BundleFacts, EXPORT_F32, ReferenceClip, check_parity};
use std::path::PathBuf;
use vad_core::{EncoderKind, HeadKind};
use vad_data::CropPlan;

/// Clips whose features and scores the exported graphs must repeat.
const PARITY_CLIPS: usize = 64;

/// Export a trained run as a bundle for boards
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost export --work work/ --run mist-seed1 --out bundle/\n\n\
    The bundle holds the encoder and the head as ONNX, the preprocessing and the score settings. Before it counts as\n\
    exported, tract must repeat the trainer's scores from it.\n\n\
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
    /// Version of the bundle; boards refuse to go back
    #[arg(long, default_value_t = 1)]
    pub version: u64,
    #[command(flatten)]
    pub weights: WeightsOption,
    #[command(flatten)]
    pub compute: DeviceOption,
}

pub fn run(args: &Args) -> Result<()> {
    let work = Work::open(&args.work.work)?;
    let run = Run::open(&work.run(args.run.as_deref())?)?;
    ensure!(
        TunedRun::of(&run)?.is_none(),
        "{} is a fine-tuned encoder, which no board program runs yet\n  remedy: export the run of --recipe mist that it came from",
        run.dir().display()
    );
    let spec = run.model().context("this run has no trained model\n  remedy: finish `watchpost train`")?;
    ensure!(
        spec.encoder.kind != EncoderKind::Imported,
        "{} was trained on features that were imported, and a board needs the encoder that makes them\n  remedy: import the videos alone, then `watchpost extract` and train",
        spec.name
    );
    ensure!(
        spec.head.kind == HeadKind::Mlp,
        "the detector of {} can only be run on the host so far\n  remedy: export a run of --recipe mist, or of sultani with feature_scaling none or standardise",
        spec.name
    );
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
    let facts = BundleFacts { version: args.version, overwrite: args.overwrite, ..BundleFacts::default() };
    let bundle = model_export::bundle(&spec, &weights, &run.head_path(), &args.out, &facts)?;
    let reference = reference(args, &work, &run, &made)?;
    let report = check_parity(&bundle, &reference, &EXPORT_F32)?;
    println!(
        "parity over {} clips: largest score difference {:.1e} (allowed {:.0e})",
        report.scores, report.score_max_error, EXPORT_F32.score_absolute
    );
    if made.features.crops != CropPlan::One {
        println!(
            "note: trained on {made}; the board sees one crop, the whole picture, and its threshold was chosen on the mean \
             over crops; `watchpost eval --crops 1` shows the difference"
        );
    }
    println!("bundle {} version {}: {}", spec.name, args.version, args.out.display());
    Ok(())
}

/// The trainer's own scores of the first clips of the data set, each crop taken for a clip.
fn reference(args: &Args, work: &Work, run: &Run, made: &Extraction) -> Result<Vec<ReferenceClip>> {
    let dataset = work.dataset()?;
    let scorer = evaluate::scorer(run, args.compute.device)?;
    let store = work.features_of(made)?;
    let mut clips = Vec::new();
    for entry in dataset.manifest.entries() {
        let features = made.cached(&*store, entry)?.crops_as_clips();
        let scores = scorer.score_video(&entry.id, &features)?;
        for (feature, score) in features.values.chunks_exact(features.dim).zip(scores) {
            clips.push(ReferenceClip { clip: None, feature: feature.to_vec(), score: Some(score) });
        }
        if clips.len() >= PARITY_CLIPS {
            clips.truncate(PARITY_CLIPS);
            break;
        }
    }
    Ok(clips)
}

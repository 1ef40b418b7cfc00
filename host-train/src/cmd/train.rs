//! `watchpost train`: a detector from video-level labels.

use super::options::{EncoderOptions, WorkOption};
use super::terminal::count;
use super::work::{Dataset, Work};
use super::{interrupt, progress};
use crate::bag::TrainingSet;
use crate::evaluate;
use crate::handoff;
use crate::recipe::curves::Selection;
use crate::recipe::mist_config::{MistConfig, Mode, PublishedData};
use crate::run::{Flow, Run, RunOutcome, read_config};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;
use vad_core::ModelSpec;
use vad_data::Features;

/// File of a run that says how its alarm threshold was chosen.
pub const THRESHOLD_FILE: &str = "threshold.json";

/// Train a detector from video-level labels
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost train --work work/\n  watchpost train --work work/ --name slow --steps 2000\n\n\
    An interrupted training goes on where its checkpoint stands when the same command is given again. The model is\n\
    chosen on the validation split by video-level labels; the test split is never looked at. The alarm threshold comes\n\
    from the normal training and validation videos."
)]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
    /// Training system
    #[arg(long, value_enum, default_value_t = Recipe::Mist)]
    recipe: Recipe,
    /// Name of the run [default: RECIPE-seedSEED]
    #[arg(long)]
    name: Option<String>,
    /// TOML file with settings of the recipe; options below take precedence
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start from the published settings for this data set instead of those for small data
    #[arg(long, value_enum, conflicts_with = "config")]
    published: Option<Published>,
    /// What is computed: the paper's text, or what its released code does
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// Seed of every random draw
    #[arg(long)]
    seed: Option<u64>,
    /// Training steps
    #[arg(long)]
    steps: Option<u64>,
    /// False alarms per camera-day that the alarm threshold aims at
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    false_alarms_per_day: f64,
    /// Replace a run of this name
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    encoder: EncoderOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Recipe {
    /// MIST, first stage (CVPR 2021): multiple-instance ranking with sparse continuous sampling
    Mist,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ModeName {
    Paper,
    Released,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Published {
    UcfCrimeC3d,
    UcfCrimeI3d,
    Shanghaitech,
}

pub fn run(args: &Args) -> Result<()> {
    let Recipe::Mist = args.recipe;
    let work = Work::open(&args.work.work)?;
    let dataset = work.dataset()?;
    let config = config(args)?;
    let name = args.name.clone().unwrap_or_else(|| format!("mist-seed{}", config.seed));
    let dir = work.runs().join(&name);
    let run = match Run::open(&dir) {
        Ok(run) if !args.overwrite => run,
        _ => Run::create(&dir, args.overwrite)?,
    };
    let mut model = ModelSpec::i3d_mist(&name);
    let features = features(&work, &dataset, args, &model)?;
    let data = TrainingSet::new(&dataset.splits.train, &dataset.splits.val, &features)?;
    let bar = progress::bar(config.steps, "steps");
    let outcome = run.train(&config, &data, &args.encoder.device.open()?, &model, &mut |report| {
        bar.set_position(report.train.step);
        bar.set_message(format!("loss {:.4}", report.train.loss));
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    })?;
    bar.finish_and_clear();
    let RunOutcome::Finished(outcome) = outcome else {
        bail!("interrupted; the same command goes on from the checkpoint in {}", dir.display());
    };
    println!("{}", describe(&outcome.selection));
    model = run.model()?;
    calibrate(args, &dataset, &features, &run, &mut model)?;
    println!("run {name}: {}", dir.display());
    Ok(())
}

fn config(args: &Args) -> Result<MistConfig> {
    let mode = match args.mode {
        Some(ModeName::Paper) => Some(Mode::Paper),
        Some(ModeName::Released) => Some(Mode::Released),
        None => None,
    };
    let mut config = match (&args.config, args.published) {
        (Some(path), _) => read_config(path)?,
        (None, Some(data)) => MistConfig::published(mode.unwrap_or_default(), data.into()),
        (None, None) => MistConfig::small(),
    };
    config.mode = mode.unwrap_or(config.mode);
    config.seed = args.seed.unwrap_or(config.seed);
    config.steps = args.steps.unwrap_or(config.steps);
    config.validate()?;
    Ok(config)
}

impl From<Published> for PublishedData {
    fn from(name: Published) -> Self {
        match name {
            Published::UcfCrimeC3d => Self::UcfCrimeC3d,
            Published::UcfCrimeI3d => Self::UcfCrimeI3d,
            Published::Shanghaitech => Self::ShanghaiTech,
        }
    }
}

/// Cached features of the training and validation videos.
fn features(
    work: &Work,
    dataset: &Dataset,
    args: &Args,
    spec: &ModelSpec,
) -> Result<BTreeMap<String, Features>> {
    let encoder = args.encoder.load(spec)?;
    let cache = work.features()?;
    let entries = dataset.splits.train.entries().iter().chain(dataset.splits.val.entries());
    entries.map(|entry| Ok((entry.id.clone(), evaluate::cached(&cache, entry, &*encoder, spec)?))).collect()
}

/// Sets the alarm threshold from normal training and validation footage, and says what that footage can show.
fn calibrate(
    args: &Args,
    dataset: &Dataset,
    features: &BTreeMap<String, Features>,
    run: &Run,
    model: &mut ModelSpec,
) -> Result<()> {
    let scorer = evaluate::scorer(run, args.encoder.device)?;
    let entries = dataset.splits.train.entries().iter().chain(dataset.splits.val.entries());
    let scored = entries
        .filter_map(|entry| Some(evaluate::score(entry, features.get(&entry.id)?, &scorer)))
        .collect::<Result<Vec<_>>>()?;
    let choice = evaluate::calibrate(&scored, &model.score, args.false_alarms_per_day)?;
    model.score = choice.apply_to(&model.score);
    handoff::write_spec(&run.model_path(), model)?;
    crate::atomic_file::write(&run.dir().join(THRESHOLD_FILE), &serde_json::to_vec_pretty(&choice)?)?;
    println!("{}", choice.explain());
    Ok(())
}

fn describe(selection: &Selection) -> String {
    match selection {
        Selection::Validation(point) => {
            format!("chosen on the validation split: step {}, video-level AUC {:.3}", point.step, point.auc)
        }
        Selection::Last { step, reason } => {
            format!("the model of the last step, {}: {reason}", count(*step as usize, "step"))
        }
    }
}

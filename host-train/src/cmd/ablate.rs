//! `watchpost ablate`: what a part of a published system is worth on one's own data.

use super::finetune::{self, TuningOptions};
use super::options::WeightsOption;
use super::recipe_options::SettingsOptions;
use super::train::{Session, SessionOptions};
use super::trials::{self, Trials, Variant};
use super::work::Work;
use anyhow::{Context, Result, ensure};
use clap::builder::PossibleValue;
use std::path::PathBuf;
use toml::Table;

mod ablation;
pub mod given;
mod table;

use ablation::Ablation;
use given::Given;
use table::ABLATIONS;

/// Train a system with and without one of its parts, and compare
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  watchpost ablate self-training --work work/ --seeds 5\n  \
    watchpost ablate mist-sampling --work work/ --set steps=1000\n  \
    watchpost ablate mist-attention --work work/ --set steps=1000 --set stage2.epochs=20\n\n\
    Each variant is trained with every seed and evaluated on the test split; runs/ablation-NAME.md and .json hold means,\n\
    spreads and differences with their 95 % intervals. An interrupted ablation goes on when the same command is given\n\
    again. The model of the last step counts, so that no choice of a step blurs what the part does; --set\n\
    selection=validation changes that. Settings of MIST's second stage, which learns from the videos themselves, are\n\
    written stage2.KEY; its runs of the first stage are made where they are missing.")]
pub struct Args {
    /// Which ablation
    #[arg(value_name = "NAME", value_parser = names())]
    name: String,
    /// Seeds to train every variant with, from --seed upwards
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// First seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    settings: SettingsOptions,
    #[command(flatten)]
    weights: WeightsOption,
    /// Safetensors file with the C3D weights, for --set stage2.encoder=c3d
    #[arg(long, value_name = "FILE")]
    c3d_weights: Option<PathBuf>,
    #[command(flatten)]
    session: SessionOptions,
}

pub fn run(args: &Args) -> Result<()> {
    let ablation = table::by_name(&args.name)?;
    let trials = Trials {
        title: format!("Ablation: {}", ablation.name),
        introduction: ablation.about.to_owned(),
        file: format!("ablation-{}", ablation.name),
        run_prefix: format!("ablation-{}-", ablation.name),
        variants: variants(args, ablation)?,
        seeds: args.seed..args.seed.saturating_add(args.seeds),
    };
    trials::run(&mut Session::open(&args.session)?, &trials)
}

/// The question of an ablation and its variants that learn from features; an error where it has none.
pub fn on_features(name: &str, given: Table) -> Result<(&'static str, Vec<Variant>)> {
    let ablation = table::by_name(name)?;
    let variants = ablation.variants(&Given::features(given), None)?;
    ensure!(!variants.is_empty(), "{name} learns from videos\n  remedy: watchpost ablate {name}");
    Ok((ablation.about, variants))
}

/// Every variant, or those that learn from features where the videos themselves cannot be learnt from.
fn variants(args: &Args, ablation: &Ablation) -> Result<Vec<Variant>> {
    let (given, on_videos) = (args.settings.given()?, ablation.on_videos());
    if on_videos.is_empty() {
        return ablation.variants(&Given::features(given), None);
    }
    let given = Given::part(given).with_context(|| args.settings.origin())?;
    let work = Work::open(&args.session.work.work)?;
    let dataset = work.dataset()?;
    let tuning = TuningOptions::within(&args.session, &args.weights, args.c3d_weights.as_deref());
    let session = finetune::Session::new(&tuning, &work, &dataset)?;
    match session.check(&given.stage2) {
        Ok(()) => ablation.variants(&given, Some(&tuning)),
        Err(why) => {
            let others = ablation.variants(&given, None)?;
            if others.is_empty() {
                return Err(why);
            }
            println!("left out: {}: {why:#}", on_videos.join(", "));
            Ok(others)
        }
    }
}

/// Names on the command line.
pub fn names() -> clap::builder::PossibleValuesParser {
    let value = |ablation: &Ablation| PossibleValue::new(ablation.name).help(ablation.about);
    ABLATIONS.iter().map(value).collect::<Vec<_>>().into()
}

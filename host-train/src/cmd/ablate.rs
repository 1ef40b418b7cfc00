//! `watchpost ablate`: what a part of a published system is worth on one's own data.

use super::recipe_options::SettingsOptions;
use super::train::{Session, SessionOptions};
use super::trials::{self, Trials};
use anyhow::Result;
use clap::builder::PossibleValue;

mod table;

pub use table::by_name;
use table::{ABLATIONS, Ablation};

/// Train a system with and without one of its parts, and compare
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  watchpost ablate self-training --work work/ --seeds 5\n  \
    watchpost ablate mist-sampling --work work/ --set steps=1000\n\n\
    Each variant is trained with every seed and evaluated on the test split; runs/ablation-NAME.md and .json hold means,\n\
    spreads and differences with their 95 % intervals. An interrupted ablation goes on when the same command is given\n\
    again. The model of the last step counts, so that no choice of a step blurs what the part does; --set\n\
    selection=validation changes that.")]
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
    session: SessionOptions,
}

pub fn run(args: &Args) -> Result<()> {
    let ablation = by_name(&args.name)?;
    let trials = Trials {
        title: format!("Ablation: {}", ablation.name),
        introduction: ablation.about.to_owned(),
        file: format!("ablation-{}", ablation.name),
        run_prefix: format!("ablation-{}-", ablation.name),
        variants: ablation.variants(&args.settings.given()?)?,
        seeds: args.seed..args.seed.saturating_add(args.seeds),
    };
    trials::run(&mut Session::open(&args.session)?, &trials)
}

/// Names on the command line.
pub fn names() -> clap::builder::PossibleValuesParser {
    let value = |ablation: &Ablation| PossibleValue::new(ablation.name).help(ablation.about);
    ABLATIONS.iter().map(value).collect::<Vec<_>>().into()
}

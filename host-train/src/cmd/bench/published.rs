//! `watchpost bench published`: a row of a paper's table, from features or videos on disk to the figure.

use crate::cmd::ablate::given::Given;
use crate::cmd::extract;
use crate::cmd::finetune::{self, TuningOptions};
use crate::cmd::import;
use crate::cmd::options::{DeviceOption, WeightsOption};
use crate::cmd::recipe_options::{Chosen, RecipeOptions};
use crate::cmd::train::{Session, SessionOptions};
use crate::cmd::trials::training::{Stage1Variant, Training};
use crate::cmd::trials::{self, Trials, Variant};
use crate::cmd::work::Work;
use crate::extraction::Extraction;
use crate::recipe::mist_stage1::MistStage1;
use crate::recipe::mist_stage2_config::{NAME as STAGE2, Stage2Config};
use crate::recipe::registry::STARTING_POINT;
use crate::recipe::system::System;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use toml::Table;

const FIRST_SEED: u64 = 1;

/// A row of a paper's table: import a published data set, train with the published settings, and evaluate
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    watchpost bench published --dataset shanghaitech --root shanghaitech/ --features SH_Train_ten_crop_i3d/ --features SH_Test_ten_crop_i3d/ --recipe rtfm --work sht/\n  \
    watchpost bench published --dataset ucf-crime --root lists/ --features UCF_Train/ --features UCF_Test/ --recipe all --work ucf/\n  \
    watchpost bench published --dataset shanghaitech --root shanghaitech/ --recipe mist --stage2 --work sht/ --device cuda\n\n\
    Import, training and evaluation are those of `watchpost import`, `train`, `finetune` and `eval`; videos without features are\n\
    extracted first. Each figure is counted as the paper counts frames, and stands beside the printed one. No test video\n\
    selects anything, unlike in the released trainers of RTFM and MIST: the model is chosen on --val of the training videos,\n\
    and that of the last step is reported too. An interrupted command goes on where it was when it is given again.")]
pub struct Args {
    #[command(flatten)]
    import: import::Args,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Fine-tune the encoder on the videos as well: both stages of MIST. Settings of the second are written stage2.KEY
    #[arg(long)]
    stage2: bool,
    #[command(flatten)]
    weights: WeightsOption,
    /// Safetensors file with the C3D weights, for --set stage2.encoder=c3d
    #[arg(long, value_name = "FILE")]
    c3d_weights: Option<PathBuf>,
    /// Trainings of each recipe, with seeds from 1 upwards
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    #[command(flatten)]
    compute: DeviceOption,
}

/// What is trained.
struct Plan {
    recipes: Vec<Chosen>,
    second_stage: Option<SecondStage>,
}

/// MIST's second stage: its settings, those of the first that it goes on from, and how it is fine-tuned.
struct SecondStage {
    first: Table,
    given: Table,
    tuning: TuningOptions,
}

pub fn run(args: &Args) -> Result<()> {
    let options = SessionOptions {
        work: args.import.work.clone(),
        false_alarms_per_day: 1.0,
        overwrite: false,
        compute: args.compute,
    };
    // Settings and weights are checked before hours of reading.
    let plan = args.plan(&options)?;
    import::once(&args.import)?;
    extract_once(args)?;
    let mut variants: Vec<Variant> = plan.recipes.into_iter().map(noted).collect();
    if let Some(second) = plan.second_stage {
        variants.push(second.variant(&variants)?);
    }
    let mut session = Session::open(&options)?;
    let trials = Trials {
        title: format!("{}: published rows repeated", session.dataset.title()),
        introduction: "Settings are those published for the data set, but for what is noted below. No test video selects anything."
            .to_owned(),
        file: "published".to_owned(),
        run_prefix: "published-".to_owned(),
        variants,
        seeds: FIRST_SEED..FIRST_SEED.saturating_add(args.seeds),
    };
    trials::run(&mut session, &trials)
}

impl Args {
    /// From the settings published for the data set, unless others were asked for.
    fn plan(&self, options: &SessionOptions) -> Result<Plan> {
        let mut given = self.recipe.settings.given()?;
        given.entry("dataset").or_insert_with(|| self.import.dataset.name().into());
        if !self.stage2 {
            return Ok(Plan { recipes: self.recipe.choose(given)?, second_stage: None });
        }
        ensure!(
            !self.import.has_features(),
            "--stage2 learns from the videos themselves, and --features leaves them out\n  remedy: give the videos in --root and no --features"
        );
        let Given { features, stage2: given } =
            Given::part(given).with_context(|| self.recipe.settings.origin())?;
        let config = Stage2Config::resolve(&given).with_context(|| self.recipe.settings.origin())?;
        let tuning = TuningOptions::within(options, &self.weights, self.c3d_weights.as_deref());
        tuning.pretrained(config.encoder)?;
        let recipes = self.recipe.choose(features)?;
        let first = recipes.iter().find(|chosen| chosen.recipe.name() == MistStage1::NAME);
        let first =
            first.context("--stage2 goes on from mist\n  remedy: --recipe mist, or all")?.given.clone();
        Ok(Plan { recipes, second_stage: Some(SecondStage { first, given, tuning }) })
    }
}

/// Features of the videos, where they were imported themselves and nothing was extracted yet.
fn extract_once(args: &Args) -> Result<()> {
    let work = Work::open(&args.import.work.work)?;
    if !work.dataset()?.has_videos() || Extraction::read(work.root())?.is_some() {
        return Ok(());
    }
    let (work, weights) = (args.import.work.clone(), args.weights.clone());
    extract::run(&extract::Args::plain(work, weights, args.compute.device))
}

impl SecondStage {
    /// Beside the first among the variants; an error before anything is trained where something is missing.
    fn variant(self, variants: &[Variant]) -> Result<Variant> {
        let Self { first, given, tuning } = self;
        let work = Work::open(&tuning.work.work)?;
        finetune::Session::new(&tuning, &work, &work.dataset()?)?.check(&given)?;
        let stage1 = Stage1Variant { name: MistStage1::NAME.to_owned(), given: first };
        Ok(Variant {
            name: STAGE2.to_owned(),
            note: changes(&given),
            against: variants.iter().position(|variant| variant.name == stage1.name),
            training: Training::Stage2 { given, stage1, options: Box::new(tuning) },
        })
    }
}

/// A recipe with the settings that were changed.
fn noted(chosen: Chosen) -> Variant {
    Variant { note: changes(&chosen.given), ..chosen.into() }
}

fn changes(given: &Table) -> String {
    let is_change = |key: &str| key != "recipe" && !STARTING_POINT.contains(&key);
    let changes = given.iter().filter(|(key, _)| is_change(key));
    changes.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}

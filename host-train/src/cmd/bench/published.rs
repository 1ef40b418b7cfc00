//! `watchpost bench published`: a row of a paper's table, from features on disk to the figure.

use crate::cmd::import;
use crate::cmd::options::DeviceOption;
use crate::cmd::recipe_options::{Chosen, RecipeOptions};
use crate::cmd::train::{Session, SessionOptions};
use crate::cmd::trials::{self, Trials, Variant};
use crate::recipe::registry::STARTING_POINT;
use anyhow::Result;

const FIRST_SEED: u64 = 1;

/// A row of a paper's table: import a published data set, train with the published settings, and evaluate
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    watchpost bench published --dataset shanghaitech --root shanghaitech/ --features SH_Train_ten_crop_i3d/ --features SH_Test_ten_crop_i3d/ --recipe rtfm --work sht/\n  \
    watchpost bench published --dataset ucf-crime --root lists/ --features UCF_Train/ --features UCF_Test/ --recipe all --work ucf/\n\n\
    Import, training and evaluation are those of `watchpost import`, `train` and `eval`. Each figure is counted as the paper\n\
    counts frames, and stands beside the printed one. No test video selects anything, unlike in the released trainers of RTFM and\n\
    MIST: the model is chosen on --val of the training videos, and that of the last step is reported too. An interrupted\n\
    command goes on where it was when it is given again.")]
pub struct Args {
    #[command(flatten)]
    import: import::Args,
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Trainings of each recipe, with seeds from 1 upwards
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    #[command(flatten)]
    compute: DeviceOption,
}

pub fn run(args: &Args) -> Result<()> {
    // Settings are checked before hours of reading.
    let chosen = args.recipe.read_for(args.import.dataset.name())?;
    import::once(&args.import)?;
    let options = SessionOptions {
        work: args.import.work.clone(),
        false_alarms_per_day: 1.0,
        overwrite: false,
        compute: args.compute,
    };
    let mut session = Session::open(&options)?;
    let trials = Trials {
        title: format!("{}: published rows repeated", session.dataset.title()),
        introduction: "Settings are those published for the data set, but for what is noted below. No test video selects anything."
            .to_owned(),
        file: "published".to_owned(),
        run_prefix: "published-".to_owned(),
        variants: chosen.into_iter().map(noted).collect(),
        seeds: FIRST_SEED..FIRST_SEED.saturating_add(args.seeds),
    };
    trials::run(&mut session, &trials)
}

/// A recipe with the settings that were changed.
fn noted(chosen: Chosen) -> Variant {
    let is_change = |key: &str| key != "recipe" && !STARTING_POINT.contains(&key);
    let changes = chosen.given.iter().filter(|(key, _)| is_change(key));
    let note = changes.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ");
    Variant { note, ..chosen.into() }
}

//! `watchpost train`: a detector from video-level labels.

use super::options::{DeviceOption, WorkOption};
use super::recipe_options::{Chosen, RecipeOptions, with_seed};
use super::terminal::count;
use super::work::{Dataset, Work};
use super::{interrupt, progress};
use crate::bag::TrainingSet;
use crate::evaluate;
use crate::feature_source::FeatureSource;
use crate::handoff;
use crate::recipe::curves::Selection;
use crate::recipe::registry::Recipe;
use crate::run::{Flow, Run, RunOutcome};
use anyhow::{Result, bail, ensure};
use std::borrow::Cow;
use std::collections::BTreeMap;
use toml::{Table, Value};
use vad_data::{Features, Label, VideoEntry};

mod compare;

/// File of a run that says how its alarm threshold was chosen.
pub const THRESHOLD_FILE: &str = "threshold.json";

/// Train a detector from video-level labels
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost train --work work/\n  watchpost train --work work/ --recipe rtfm --set steps=2000 --name slow\n  \
    watchpost train --work work/ --recipe all --seeds 5\n\n\
    An interrupted training goes on where its checkpoint stands when the same command is given again. The model is\n\
    chosen on the validation split by video-level labels; the test split is never looked at while training. The alarm\n\
    threshold comes from the normal training and validation videos. Several recipes or seeds are compared on the test\n\
    split when all are trained. The features are those of the latest `watchpost extract`; a clip of several crops has the\n    \
    mean of their scores."
)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeOptions,
    /// Name of the run [default: RECIPE-seedSEED]
    #[arg(long, conflicts_with = "seeds")]
    name: Option<String>,
    /// Seed of every random draw [default: that of the settings]
    #[arg(long)]
    seed: Option<u64>,
    /// Train with this many seeds, from --seed (here 1 unless given) upwards, and compare
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Training steps; short for --set steps=N
    #[arg(long)]
    steps: Option<u64>,
    #[command(flatten)]
    session: SessionOptions,
}

/// What every training of a command has in common.
#[derive(Debug, clap::Args)]
pub struct SessionOptions {
    #[command(flatten)]
    pub work: WorkOption,
    /// False alarms per camera-day that the alarm threshold aims at
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub false_alarms_per_day: f64,
    /// Replace runs of the same name
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub compute: DeviceOption,
}

pub fn run(args: &Args) -> Result<()> {
    let steps = args.steps.map(i64::try_from).transpose()?;
    let chosen = args.recipe.read(steps.map(|steps| ("steps", steps.into())))?;
    let mut session = Session::open(&args.session)?;
    match (chosen.as_slice(), args.seeds) {
        ([Chosen { recipe, given }], None) => {
            let given = args.seed.map_or_else(|| Ok(given.clone()), |seed| with_seed(given, seed))?;
            session.train(*recipe, &given, args.name.as_deref()).map(drop)
        }
        (_, seeds) => {
            ensure!(args.name.is_none(), "--name is for one run, and this command makes several");
            let first = args.seed.unwrap_or(1);
            compare::run(&mut session, chosen, first..first.saturating_add(seeds.unwrap_or(1)))
        }
    }
}

/// What all trainings of one command share.
pub struct Session<'a> {
    pub options: &'a SessionOptions,
    pub work: Work,
    pub dataset: Dataset,
    pub source: FeatureSource,
    /// Features by id; nothing where they are too large to be kept.
    kept: BTreeMap<String, Features>,
    /// As many systems as can share it: none where it is too large to be put together before one is known.
    data: Option<TrainingSet>,
}

impl<'a> Session<'a> {
    pub fn open(options: &'a SessionOptions) -> Result<Self> {
        let work = Work::open(&options.work.work)?;
        let dataset = work.dataset()?;
        let source = dataset.features(&work)?;
        let mut session = Self { options, work, dataset, source, kept: BTreeMap::new(), data: None };
        if !session.source.is_large() {
            let learning: Vec<VideoEntry> = learning(&session.dataset).cloned().collect();
            session.keep(&learning)?;
            let splits = &session.dataset.splits;
            session.data = Some(TrainingSet::new(&splits.train, &splits.val, &session.kept)?);
        }
        Ok(session)
    }

    /// Keeps the features of these videos in memory, unless they are too large.
    pub fn keep(&mut self, entries: &[VideoEntry]) -> Result<()> {
        if self.source.is_large() {
            return Ok(());
        }
        for entry in entries {
            self.kept.insert(entry.id.clone(), self.source.load(entry)?);
        }
        Ok(())
    }

    /// Features of one video, from memory where they are kept.
    pub fn features(&self, entry: &VideoEntry) -> Result<Cow<'_, Features>> {
        match self.kept.get(&entry.id) {
            Some(kept) => Ok(Cow::Borrowed(kept)),
            None => Ok(Cow::Owned(self.source.load(entry)?)),
        }
    }

    /// What a recipe trains on.
    fn data(&self, recipe: &dyn Recipe, given: &Table) -> Result<Cow<'_, TrainingSet>> {
        if let Some(data) = &self.data {
            return Ok(Cow::Borrowed(data));
        }
        let segments = recipe.training_segments(given)?;
        let bar = progress::bar(learning(&self.dataset).count() as u64, "videos read");
        let load = |entry: &VideoEntry| -> Result<Features> {
            ensure!(!interrupt::asked(), "interrupted while reading features");
            bar.inc(1);
            self.source.load(entry)
        };
        let splits = &self.dataset.splits;
        let data = TrainingSet::gather(&splits.train, &splits.val, segments, load)?;
        bar.finish_and_clear();
        Ok(Cow::Owned(data))
    }

    /// Trains one recipe, or goes on with it, and chooses the alarm threshold. The run is named after recipe and seed
    /// where no name is given.
    pub fn train(&self, recipe: &dyn Recipe, given: &Table, name: Option<&str>) -> Result<Run> {
        let settings = recipe.settings(given)?;
        let seed = settings.get("seed").and_then(Value::as_integer).unwrap_or_default();
        let name = name.map_or_else(|| format!("{}-seed{seed}", recipe.name()), str::to_owned);
        let dir = self.work.runs().join(&name);
        let run = match Run::open(&dir) {
            Ok(run) if !self.options.overwrite => run,
            _ => Run::create(&dir, self.options.overwrite)?,
        };
        let bar = progress::bar(0, "steps");
        bar.set_prefix(name.clone());
        let device = self.options.compute.device.open()?;
        let data = self.data(recipe, given)?;
        let model = self.source.model(&name)?;
        let outcome = recipe.train(&run, given, &data, &device, &model, &mut |report| {
            bar.set_length(report.steps);
            bar.set_position(report.train.step);
            bar.set_message(format!("loss {:.4}", report.train.loss));
            if interrupt::asked() { Flow::Stop } else { Flow::Continue }
        })?;
        drop(data);
        bar.finish_and_clear();
        let RunOutcome::Finished(outcome) = outcome else {
            bail!("interrupted; the same command goes on from the checkpoint in {}", dir.display());
        };
        self.source.note_in(&dir)?;
        println!("{name}: {}", describe(&outcome.selection));
        self.calibrate(&run)?;
        println!("run {name}: {}", dir.display());
        Ok(run)
    }

    /// Sets the alarm threshold from normal training and validation footage, and says what that footage can show.
    fn calibrate(&self, run: &Run) -> Result<()> {
        let mut model = run.model()?;
        let scorer = evaluate::scorer(run, self.options.compute.device)?;
        let scored = learning(&self.dataset)
            .filter(|entry| entry.label == Label::Normal)
            .map(|entry| evaluate::score(entry, &*self.features(entry)?, &scorer))
            .collect::<Result<Vec<_>>>()?;
        let choice = evaluate::calibrate(&scored, &model.score, self.options.false_alarms_per_day)?;
        model.score = choice.apply_to(&model.score);
        handoff::write_spec(&run.model_path(), &model)?;
        crate::atomic_file::write(&run.dir().join(THRESHOLD_FILE), &serde_json::to_vec_pretty(&choice)?)?;
        println!("{}", choice.explain());
        Ok(())
    }
}

/// The videos that may be learnt from.
fn learning(dataset: &Dataset) -> impl Iterator<Item = &VideoEntry> {
    dataset.splits.train.entries().iter().chain(dataset.splits.val.entries())
}

/// How the model was chosen, in words.
pub fn describe(selection: &Selection) -> String {
    match selection {
        Selection::Validation(point) => {
            format!("chosen on the validation split: step {}, video-level AUC {:.3}", point.step, point.auc)
        }
        Selection::Last { step, reason } => {
            format!("the model of the last step, {}: {reason}", count(*step as usize, "step"))
        }
    }
}

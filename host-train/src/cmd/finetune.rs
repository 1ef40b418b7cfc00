//! `watchpost finetune`: MIST's second stage, an encoder fine-tuned from the pseudo labels of a run of stage I.

use super::options::{DevicesOption, Encoding, PaceOptions, WeightsOption, WorkOption};
use super::recipe_options::{SettingsOptions, with_seed};
use super::train::{SessionOptions, describe};
use super::tuned::{self, Head};
use super::work::{Dataset, Work};
use super::{interrupt, progress};
use crate::bag::TrainingSet;
use crate::distilled::DistilledEncoder;
use crate::evaluate;
use crate::extraction::Extraction;
use crate::finetune::error::TuneError;
use crate::finetune::labels::{CLIP, LabelledVideo};
use crate::finetune::start::Pretrained;
use crate::finetune::training::{self, Job};
use crate::finetune::tuned::{TunedEncoder, TunedRun, TunedSpec};
use crate::handoff;
use crate::infer::Scorer;
use crate::model::sga::encoder::Kind;
use crate::recipe::mist_config::MistConfig;
use crate::recipe::mist_stage1::MistStage1;
use crate::recipe::mist_stage2_config::{EncoderChoice, NAME, Stage2Config};
use crate::recipe::settings::resolve;
use crate::recipe::system::System;
use crate::recipe::trainer::{StepReport, Trainer};
use crate::run::{Flow, Run, RunOutcome};
use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use toml::{Table, Value};
use vad_core::ScoreSpec;
use vad_data::{Features, VideoEntry};

mod compare;

pub use compare::{Comparison, DETECTORS};

/// Threads that read videos ahead at most: each holds two batches of clips.
const MOST_READERS: usize = 4;

/// Fine-tune an encoder from the pseudo labels of stage I (MIST's second stage)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost train --work work/ --recipe mist --seed 1\n  watchpost finetune --work work/ --run mist-seed1\n  \
    watchpost eval --work work/ --run mist-seed1-tuned\n  watchpost explain --work work/ --run mist-seed1-tuned\n\n\
    Clips are read from the videos themselves. An interrupted fine-tuning goes on where its checkpoint stands when the\n\
    same command is given again. The encoder is chosen on the validation split by video-level labels. --encoder small\n\
    takes minutes on a processor; i3d and c3d, the published ones, want a graphics card or several (--device cuda:0,cuda:1).\n\
    lite-small, lite-middle and lite-large go on from a distilled encoder: that of the run of stage I, else the one of that\n\
    name. `watchpost export` makes a bundle of such a run.\n\n\
    A strong encoder labels better than stage I does. What it has learnt can teach a light one:\n  \
    watchpost finetune --work work/ --run on-i3d --encoder small --name strong\n  \
    watchpost finetune --work work/ --run on-lite --labels-by strong"
)]
pub struct Args {
    /// Run of --recipe mist that makes the pseudo labels [default: the only one]
    #[arg(long, value_name = "NAME", conflicts_with = "seeds")]
    run: Option<String>,
    /// Finished fine-tuning whose scores become the pseudo labels, instead of those of stage I: a strong encoder that
    /// teaches a light one
    #[arg(long, value_name = "NAME", conflicts_with = "seeds")]
    labels_by: Option<String>,
    /// Name of the new run [default: that of the run of stage I, with -tuned]
    #[arg(long, conflicts_with = "seeds")]
    name: Option<String>,
    /// What is fine-tuned [default: that of the settings, else the distilled encoder of stage I, else small]
    #[arg(long = "encoder", value_enum, value_name = "NAME")]
    network: Option<EncoderChoice>,
    #[command(flatten)]
    settings: SettingsOptions,
    /// Seed of every random draw [default: that of stage I]
    #[arg(long)]
    seed: Option<u64>,
    /// Fine-tune the runs mist-seed1 to mist-seedN, each with its own seed, and compare both stages on the test split
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Passes over the videos; short for --set epochs=N
    #[arg(long)]
    epochs: Option<u32>,
    #[command(flatten)]
    tuning: TuningOptions,
}

/// What every fine-tuning of a command has in common.
#[derive(Debug, Clone, clap::Args)]
pub struct TuningOptions {
    #[command(flatten)]
    pub work: WorkOption,
    /// Safetensors file with the C3D weights (conv1a.weight and so on), for --encoder c3d
    #[arg(long, value_name = "FILE")]
    pub c3d_weights: Option<PathBuf>,
    /// False alarms per camera-day that the alarm thresholds aim at
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub false_alarms_per_day: f64,
    /// Replace runs of the same name
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub weights: WeightsOption,
    #[command(flatten)]
    pub pace: PaceOptions,
    #[command(flatten)]
    pub compute: DevicesOption,
}

impl TuningOptions {
    /// For fine-tunings among the trainings of a session.
    pub fn within(session: &SessionOptions, weights: &WeightsOption, c3d_weights: Option<&Path>) -> Self {
        let SessionOptions { work, false_alarms_per_day, overwrite, compute } = session;
        Self {
            work: work.clone(),
            c3d_weights: c3d_weights.map(Path::to_path_buf),
            false_alarms_per_day: *false_alarms_per_day,
            overwrite: *overwrite,
            weights: weights.clone(),
            pace: PaceOptions::default(),
            compute: DevicesOption { devices: compute.device.into() },
        }
    }

    /// The file of pretrained weights that an encoder begins with; nothing for those that a work folder distils.
    pub fn pretrained(&self, network: EncoderChoice) -> Result<Option<PathBuf>> {
        match (network.kind(), &self.c3d_weights) {
            (Kind::ShortI3d | Kind::I3d, _) => Ok(Some(self.weights.find()?)),
            (Kind::C3d, Some(path)) => Ok(Some(path.clone())),
            (Kind::C3d, None) => bail!(
                "the encoder c3d starts from pretrained weights, which are not shipped\n  remedy: name them with --c3d-weights, or take the encoder small or i3d"
            ),
            (Kind::Lite(_), _) => Ok(None),
        }
    }
}

/// Fine-tunes one run; or several, and compares them.
pub fn run(args: &Args) -> Result<Option<Comparison>> {
    let given = given(args)?;
    let work = Work::open(&args.tuning.work.work)?;
    let dataset = work.dataset()?;
    let session = Session::new(&args.tuning, &work, &dataset)?;
    match args.seeds {
        Some(seeds) => compare::run(&session, &given, 1..seeds + 1).map(Some),
        None => {
            let stage1 = session.stage1(args.run.as_deref())?;
            let name = args.name.clone().unwrap_or_else(|| format!("{}-tuned", stage1.name));
            session.tune(&stage1, args.labels_by.as_deref(), &name, &given)?;
            Ok(None)
        }
    }
}

/// The settings that the command line asks for.
fn given(args: &Args) -> Result<Table> {
    let mut given = args.settings.given()?;
    if let Some(recipe) = given.get("recipe").and_then(Value::as_str) {
        ensure!(recipe == NAME, "{}: settings for {recipe}, not for {NAME}", args.settings.origin());
    }
    if let Some(network) = args.network {
        given.insert("encoder".to_owned(), Value::try_from(network)?);
    }
    if let Some(epochs) = args.epochs {
        given.insert("epochs".to_owned(), i64::from(epochs).into());
    }
    if let Some(seed) = args.seed {
        given = with_seed(&given, seed)?;
    }
    Stage2Config::resolve(&given).with_context(|| args.settings.origin())?;
    Ok(given)
}

/// A finished run of stage I.
pub struct Stage1 {
    pub name: String,
    pub run: Run,
}

/// A finished fine-tuning.
pub struct Tuned {
    pub run: TunedRun,
    /// Time in which stage I's head was trained anew, in seconds.
    retraining_s: f64,
}

/// What all fine-tunings of one command share.
pub struct Session<'a> {
    pub args: &'a TuningOptions,
    pub work: &'a Work,
    pub dataset: &'a Dataset,
    /// How the fine-tuned encoder is run. Its first device has all that exists once.
    pub encoding: Encoding,
}

impl<'a> Session<'a> {
    /// Refuses devices that do not fit the other options.
    pub fn new(args: &'a TuningOptions, work: &'a Work, dataset: &'a Dataset) -> Result<Self> {
        let encoding = args.pace.in_burn(args.compute.devices.clone())?;
        Ok(Self { args, work, dataset, encoding })
    }

    /// Whether there is all that fine-tuning needs, before anything else is trained for it.
    pub fn check(&self, given: &Table) -> Result<()> {
        ensure!(
            self.dataset.has_videos(),
            "fine-tuning reads the videos themselves, and of {} only features were imported\n  remedy: import the videos, then `watchpost extract`",
            self.dataset.title()
        );
        let made = self.work.extraction()?;
        let clip = made.features.clip;
        if clip != CLIP {
            return Err(TuneError::Clips { frames: clip.frames, stride: clip.stride }.into());
        }
        let config = Stage2Config::resolve(&with_encoder_of(&made, given)?)?;
        self.weights_of(config.encoder, &made).map(drop)
    }

    /// The file of weights that an encoder begins with, where stage I learnt on the features of `made`.
    fn weights_of(&self, network: EncoderChoice, made: &Extraction) -> Result<PathBuf> {
        if let Some(path) = self.args.pretrained(network)? {
            return Ok(path);
        }
        let own = made.distilled.as_deref().filter(|_| made.encoder.kind.lite() == network.lite());
        let name = own.unwrap_or(network.name());
        let (encoder, about) = DistilledEncoder::open(&self.work.encoder_dir(name)?)?;
        let found = about.encoder.kind.lite().map(EncoderChoice::from);
        ensure!(
            found == Some(network),
            "the distilled encoder {name} is {}, not {}\n  remedy: --encoder {0}, or watchpost distill",
            found.map_or("another network", EncoderChoice::name),
            network.name()
        );
        Ok(encoder.weights_path())
    }

    /// The run of stage I of this name, or the only one that there is.
    fn stage1(&self, name: Option<&str>) -> Result<Stage1> {
        let dir = match name {
            Some(name) => self.work.run(Some(name))?,
            None => self.only_stage1()?,
        };
        let run = Run::open(&dir)?;
        let recipe = recipe_of(&run)?;
        ensure!(
            recipe == MistStage1::NAME,
            "{} is a run of {recipe}; fine-tuning starts from a run of mist\n  remedy: watchpost train --recipe mist --work {}",
            dir.display(),
            self.args.work.work.display()
        );
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Stage1 { name, run })
    }

    fn only_stage1(&self) -> Result<PathBuf> {
        let is_stage1 = |dir: &PathBuf| {
            Run::open(dir).is_ok_and(|run| recipe_of(&run).is_ok_and(|recipe| recipe == MistStage1::NAME))
        };
        let mut runs: Vec<PathBuf> = self.work.run_folders().into_iter().filter(is_stage1).collect();
        let names = || -> Vec<_> { runs.iter().filter_map(|run| run.file_name()?.to_str()).collect() };
        match runs.len() {
            0 => bail!(
                "no run of stage I in {}\n  remedy: watchpost train --recipe mist --work {}",
                self.work.runs().display(),
                self.args.work.work.display()
            ),
            1 => Ok(runs.remove(0)),
            _ => bail!("several runs of stage I: choose one with --run ({})", names().join(", ")),
        }
    }

    /// Fine-tunes from one run of stage I, or goes on with it; then trains stage I's head anew and chooses thresholds. The
    /// scores of `labels_by`, a finished fine-tuning, are the pseudo labels; those of stage I if there is none.
    pub fn tune(&self, stage1: &Stage1, labels_by: Option<&str>, name: &str, given: &Table) -> Result<Tuned> {
        let made = self.work.extraction_of(&stage1.run)?;
        let config = config(stage1, &made, given)?;
        let devices = self.encoding.devices.open()?;
        let pretrained = Pretrained::read(&self.weights_of(config.encoder, &made)?)?;
        let train = match labels_by {
            None => self.labelled_by_stage1(stage1, &config)?,
            Some(other) => self.labelled_by_tuned(other, &config)?,
        };
        let dir = self.work.runs().join(name);
        let run = self.open_or_create(&dir)?;
        let job = Job {
            config: &config,
            train,
            val: self.dataset.splits.val.entries(),
            pretrained: &pretrained,
            device: &devices.first,
            more_devices: &devices.others,
            readers: std::thread::available_parallelism().map_or(1, usize::from).min(MOST_READERS),
        };
        let bar = progress::bar(0, "steps");
        bar.set_prefix(name.to_owned());
        let outcome = training::train(&run, job, &mut |report| {
            show(&bar, report);
            if interrupt::asked() { Flow::Stop } else { Flow::Continue }
        })?;
        bar.finish_and_clear();
        let RunOutcome::Finished(outcome) = outcome else {
            bail!("interrupted; the same command goes on from the checkpoint in {}", dir.display());
        };
        println!("{name}: {}", describe(&outcome.selection));
        let spec = TunedSpec::new(name, &stage1.name, &config, &outcome.selected)?;
        run.write_spec(&TunedSpec { labels_by: labels_by.map(str::to_owned), ..spec })?;
        let retraining_s = self.finish(&run, stage1)?;
        println!("run {name}: {}", dir.display());
        Ok(Tuned { run, retraining_s })
    }

    /// The training videos with the pseudo labels that stage I makes, or with those of whole videos.
    fn labelled_by_stage1(&self, stage1: &Stage1, config: &Stage2Config) -> Result<Vec<LabelledVideo>> {
        stage1
            .run
            .model()
            .with_context(|| format!("{} is not trained\n  remedy: finish `watchpost train`", stage1.name))?;
        let made = self.work.extraction_of(&stage1.run)?;
        let scorer = evaluate::scorer(&stage1.run, self.encoding.devices.first())?;
        let store = self.work.features_of(&made)?;
        let label = |entry: &VideoEntry| {
            let features = made.cached(&*store, entry)?;
            if !config.pseudo_labels {
                return Ok(LabelledVideo::by_video(entry, &features)?);
            }
            labelled_by(&scorer, entry, &features, config)
        };
        self.dataset.splits.train.entries().iter().map(label).collect()
    }

    /// The training videos with the pseudo labels that a fine-tuned encoder's own classifier makes.
    fn labelled_by_tuned(&self, name: &str, config: &Stage2Config) -> Result<Vec<LabelledVideo>> {
        ensure!(
            config.pseudo_labels,
            "pseudo_labels = false labels clips as their videos, and --labels-by {name} by its scores\n  remedy: one of both"
        );
        let dir = self.work.run(Some(name))?;
        let run = TunedRun::of(&Run::open(&dir)?)?.with_context(|| {
            format!(
                "{} is no fine-tuning\n  remedy: --labels-by wants a run of watchpost finetune",
                dir.display()
            )
        })?;
        let encoder = tuned::encoder(&run, &self.encoding.devices)?;
        let entries = self.dataset.splits.train.entries();
        let features = tuned::features(self.work, &encoder, entries, &self.encoding)?;
        let scorer = Head::Own.scorer(&run, encoder.first(), self.encoding.devices.first())?;
        let label = |entry: &VideoEntry| {
            let features =
                features.get(&entry.id).with_context(|| format!("{} was not encoded", entry.id))?;
            labelled_by(&scorer, entry, features, config)
        };
        entries.iter().map(label).collect()
    }

    fn open_or_create(&self, dir: &Path) -> Result<TunedRun> {
        if let Ok(run) = Run::open(dir)
            && !self.args.overwrite
        {
            let recipe = recipe_of(&run)?;
            return TunedRun::of(&run)?.with_context(|| {
                format!("{} is a run of {recipe}: choose another --name, or --overwrite it", dir.display())
            });
        }
        Ok(TunedRun::create(dir, self.args.overwrite)?)
    }

    /// Trains stage I's head anew on the encoder's features and sets the alarm thresholds of both heads. Returns the time of
    /// that training, in seconds.
    fn finish(&self, run: &TunedRun, stage1: &Stage1) -> Result<f64> {
        let encoder = tuned::encoder(run, &self.encoding.devices)?;
        let splits = &self.dataset.splits;
        let learning: Vec<VideoEntry> =
            splits.train.entries().iter().chain(splits.val.entries()).cloned().collect();
        let features = tuned::features(self.work, &encoder, &learning, &self.encoding)?;
        let started = Instant::now();
        self.retrain(run, stage1, &features)?;
        let retraining_s = started.elapsed().as_secs_f64();
        let mut spec = run.spec()?;
        for head in [Head::Own, Head::Stage1] {
            let score = self.threshold(run, encoder.first(), head, &learning, &features)?;
            match head {
                Head::Own => spec.score = score,
                Head::Stage1 => spec.stage1_score = score,
            }
        }
        run.write_spec(&spec)?;
        Ok(retraining_s)
    }

    fn retrain(&self, run: &TunedRun, stage1: &Stage1, features: &BTreeMap<String, Features>) -> Result<()> {
        let config: MistConfig = resolve(MistStage1::NAME, &stage1.run.settings()?)?;
        let splits = &self.dataset.splits;
        let data = TrainingSet::new(&splits.train, &splits.val, features)?;
        let device = self.encoding.devices.first().open()?;
        let mut trainer = Trainer::<MistStage1>::new(&config, &data, &device)?;
        while !trainer.is_finished() {
            trainer.step()?;
        }
        Ok(handoff::write_head(&run.stage1_head_path(), &trainer.outcome().selected)?)
    }

    /// The scoring of a head with the threshold that normal training and validation footage suggests.
    fn threshold(
        &self,
        run: &TunedRun,
        encoder: &TunedEncoder,
        head: Head,
        learning: &[VideoEntry],
        features: &BTreeMap<String, Features>,
    ) -> Result<ScoreSpec> {
        let scorer: Scorer = head.scorer(run, encoder, self.encoding.devices.first())?;
        let scored = tuned::score(learning, features, &scorer)?;
        let spec = head.score_spec(encoder.spec());
        let choice = evaluate::calibrate(&scored, spec, self.args.false_alarms_per_day)?;
        let path = run.run().dir().join(head.threshold_file());
        crate::atomic_file::write(&path, &serde_json::to_vec_pretty(&choice)?)?;
        if head == Head::Own {
            println!("{}", choice.explain());
        }
        Ok(choice.apply_to(spec))
    }
}

/// A video with the pseudo labels that the scores of its features make.
fn labelled_by(
    scorer: &Scorer,
    entry: &VideoEntry,
    features: &Features,
    config: &Stage2Config,
) -> Result<LabelledVideo> {
    let scores = scorer.score_video(&entry.id, features).with_context(|| entry.id.clone())?;
    Ok(LabelledVideo::new(entry, features, &scores, config.mode, config.smoothing)?)
}

/// The settings, with the encoder and the seed of stage I unless they have their own.
fn config(stage1: &Stage1, made: &Extraction, given: &Table) -> Result<Stage2Config> {
    let mut given = with_encoder_of(made, given)?;
    if !given.contains_key("seed") {
        let settings = stage1.run.settings()?;
        given.extend(settings.get("seed").map(|seed| ("seed".to_owned(), seed.clone())));
    }
    Ok(Stage2Config::resolve(&given)?)
}

/// Settings that name no encoder take the distilled one that made the features, where one did.
fn with_encoder_of(made: &Extraction, given: &Table) -> Result<Table> {
    let mut given = given.clone();
    if let Some(size) = made.encoder.kind.lite()
        && !given.contains_key("encoder")
    {
        given.insert("encoder".to_owned(), Value::try_from(EncoderChoice::from(size))?);
    }
    Ok(given)
}

fn recipe_of(run: &Run) -> Result<String> {
    let settings = run.settings()?;
    Ok(settings.get("recipe").and_then(Value::as_str).unwrap_or(MistStage1::NAME).to_owned())
}

fn show(bar: &ProgressBar, report: &StepReport) {
    bar.set_length(report.steps);
    bar.set_position(report.train.step);
    let parts: Vec<String> = report.train.parts.iter().map(|part| format!("{part:.3}")).collect();
    bar.set_message(format!("loss {:.3} ({})", report.train.loss, parts.join(" + ")));
    if let Some(point) = report.validation {
        let line = format!("step {}: validation AUC {:.3}, loss {:.3}", point.step, point.auc, point.loss);
        progress::say(bar, &line);
    }
}

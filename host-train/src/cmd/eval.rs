//! `watchpost eval`: what a trained run is worth.

use super::options::{DeviceOption, WorkOption};
use super::provenance;
use super::published_counts::PublishedCounts;
use super::tuned::{self, Head, Judged};
use super::work::{Dataset, Work};
use crate::evaluate;
use crate::finetune::tuned::TunedRun;
use crate::run::Run;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use vad_data::{CropPlan, VideoEntry};
use vad_eval::report::Report;
use vad_eval::{Evaluation, ThresholdChoice};

/// Evaluate a trained run on held-back videos and write its report
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost eval --work work/ --run mist-seed1\n\n\
    Frame-level figures are over all videos together, without normalisation per video. A figure that the data cannot\n\
    give (an AUC without abnormal frames) is called undefined. A clip's score is the mean of its crops' scores. A board sees\n\
    one crop: after `watchpost extract --crops 1`, --crops 1 shows what a run trained on several is worth there.")]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
    /// Which run [default: the only one]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Videos to evaluate on
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    split: SplitName,
    /// Crops of the features to evaluate on, 1, 5 or 10 [default: those of the training]
    #[arg(long, value_name = "N")]
    crops: Option<CropPlan>,
    /// What scores the clips of a fine-tuned run
    #[arg(long, value_enum, default_value_t = Head::Own)]
    head: Head,
    #[command(flatten)]
    compute: DeviceOption,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum SplitName {
    Val,
    Test,
}

/// A finished evaluation and where its parts lie.
pub struct Assessment {
    pub evaluation: Evaluation,
    /// Video files by id.
    pub paths: BTreeMap<String, PathBuf>,
    pub report: PathBuf,
}

pub fn run(args: &Args) -> Result<Assessment> {
    let work = Work::open(&args.work.work)?;
    let dataset = work.dataset()?;
    let run = Run::open(&work.run(args.run.as_deref())?)?;
    let tuned = TunedRun::of(&run)?;
    let entries = args.split.entries(&dataset);
    ensure!(
        !entries.is_empty(),
        "the {} split is empty; index again with more videos for it",
        args.split.name()
    );
    let Judged { name, score, videos, made } = match &tuned {
        Some(tuned) => tuned::judge(&work, tuned, &entries, args.head, &args.compute.into())?,
        None => judge(args, &work, &dataset, &run, &entries)?,
    };
    let evaluation = Evaluation::run(&videos, &score)?;
    let published = match &dataset.import {
        Some(import) if args.split == SplitName::Test => {
            PublishedCounts::of(import.dataset.conventions(), &videos)?
        }
        _ => PublishedCounts::default(),
    };

    let head = tuned.as_ref().map_or(Head::Own, |_| args.head);
    let suffix = head.suffix();
    let report = run.dir().join(format!("report-{}{suffix}.html", args.split.name()));
    let mut facts = provenance::facts(&[
        ("Run", name.clone()),
        ("Split", args.split.name().to_owned()),
        ("Features", made),
        ("Recipe settings", toml::to_string(&run.settings()?)?),
        ("Data hash (training features)", run.metrics()?.data_sha256),
        ("Label file hash", dataset.file.labels_sha256.clone()),
    ]);
    facts.extend(published.facts());
    let set = match &dataset.import {
        Some(import) => import.dataset.title().into(),
        None => dataset.file.videos.file_name().unwrap_or_default().to_string_lossy(),
    };
    let subtitle = format!("{} held-back videos of {set}", entries.len());
    let mut page = Report::new(format!("Watchpost: {name}"), subtitle, facts, evaluation.clone());
    page.threshold = read_threshold(&run, head)?;
    page.write(&report)?;
    let scores_path = run.dir().join(format!("scores-{}{suffix}.json", args.split.name()));
    crate::atomic_file::write(&scores_path, &serde_json::to_vec_pretty(&evaluation)?)?;

    print_figures(&evaluation);
    print!("{published}");
    println!("report: {}", report.display());
    let paths = entries.iter().map(|entry| (entry.id.clone(), entry.path.clone())).collect();
    Ok(Assessment { evaluation, paths, report })
}

/// Scores by the run's detector, on features that were extracted or imported before.
fn judge(args: &Args, work: &Work, dataset: &Dataset, run: &Run, entries: &[VideoEntry]) -> Result<Judged> {
    let spec = run.model()?;
    let source = dataset.features_of(work, run, args.crops)?;
    let scorer = evaluate::scorer(run, args.compute.device)?;
    let videos = entries
        .iter()
        .map(|entry| evaluate::score(entry, &source.load(entry)?, &scorer))
        .collect::<Result<Vec<_>>>()?;
    Ok(Judged { name: spec.name, score: spec.score, videos, made: source.to_string() })
}

impl SplitName {
    /// The videos of this split; those of the test with the frames that are annotated apart from the labels.
    pub fn entries(self, dataset: &Dataset) -> Vec<VideoEntry> {
        match self {
            Self::Val => dataset.splits.val.entries().to_vec(),
            Self::Test => {
                dataset.splits.test.entries().iter().map(|entry| dataset.annotated(entry)).collect()
            }
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// How the alarm threshold was chosen, if it was.
fn read_threshold(run: &Run, head: Head) -> Result<Option<ThresholdChoice>> {
    let path = run.dir().join(head.threshold_file());
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?))
}

fn print_figures(evaluation: &Evaluation) {
    let show =
        |figure: Option<f64>| figure.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
    let frame = &evaluation.frame;
    println!("frame ROC AUC        {}", show(frame.roc_auc));
    println!("PR AUC (trapezoid)   {}", show(frame.pr_auc_trapezoid));
    println!("average precision    {}", show(frame.average_precision));
    println!("video ROC AUC        {}", show(evaluation.video_roc_auc));
    println!("{}", evaluation.alarm.summary());
}

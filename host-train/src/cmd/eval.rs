//! `watchpost eval`: what a trained run is worth.

use super::held_back::{HeldBack, HeldBackOptions, Judged, ResamplingOptions, SplitName};
use super::provenance;
use super::published_counts::PublishedCounts;
use super::terminal::{areas, figure as show, interval};
use super::tuned::Head;
use super::work::Work;
use crate::run::Run;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use vad_eval::report::Report;
use vad_eval::{Evaluation, ThresholdChoice};

mod map;

/// Evaluate a trained run on held-back videos and write its report
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost eval --work work/ --run mist-seed1\n  watchpost eval --work work/ --run mist-seed1 --tsne\n\n\
    Frame-level figures are over all videos together, without normalisation per video. A figure that the data cannot\n\
    give (an AUC without abnormal frames) is called undefined. A clip's score is the mean of its crops' scores. A board sees\n\
    one crop: after `watchpost extract --crops 1`, --crops 1 shows what a run trained on several is worth there. It sees no\n\
    later clip either: --on-board shows what rtfm and arms, which look at whole videos, are worth there. To compare runs:\n\
    watchpost compare."
)]
pub struct Args {
    /// Which run [default: the only one]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    #[command(flatten)]
    videos: HeldBackOptions,
    /// Draw a map of the clips' features (t-SNE)
    #[arg(long)]
    tsne: bool,
    #[command(flatten)]
    resampling: ResamplingOptions,
}

/// A finished evaluation and where its parts lie.
pub struct Assessment {
    pub evaluation: Evaluation,
    /// Video files by id.
    pub paths: BTreeMap<String, PathBuf>,
    pub report: PathBuf,
}

pub fn run(args: &Args) -> Result<Assessment> {
    let work = Work::open(&args.videos.work.work)?;
    let dataset = work.dataset()?;
    let run = Run::open(&work.run(args.run.as_deref())?)?;
    let split = args.videos.split;
    let videos = HeldBack::open(&work, &dataset, &args.videos)?;
    let Judged { name, scores, made, head, mut evaluation, last } = videos.judge(&run)?;
    evaluation.resample(args.resampling.resampling())?;
    let published = match split {
        SplitName::Test => PublishedCounts::of(dataset.conventions(), &scores)?,
        SplitName::Val => PublishedCounts::default(),
    };

    let suffix = format!("{}{}", head.suffix(), args.videos.view_suffix());
    let report = run.dir().join(format!("report-{}{suffix}.html", split.name()));
    let mut facts = provenance::facts(&[
        ("Run", name.clone()),
        ("Split", split.name().to_owned()),
        ("Features", made),
        ("Recipe settings", toml::to_string(&run.settings()?)?),
        ("Data hash (training features)", run.metrics()?.data_sha256),
        ("Label file hash", dataset.file.labels_sha256.clone()),
    ]);
    facts.extend(args.videos.view_fact());
    facts.extend(last.iter().map(|last| ("The model of the last step".to_owned(), areas(last))));
    facts.extend(published.facts());
    let subtitle = format!("{} held-back videos of {}", videos.entries.len(), dataset.title());
    let mut page = Report::new(format!("Watchpost: {name}"), subtitle, facts, evaluation.clone());
    page.threshold = read_threshold(&run, head)?;
    if args.tsne {
        page.map = Some(map::draw(&videos, &run, &scores, args.resampling.resampling().seed)?);
    }
    page.write(&report)?;
    let scores_path = run.dir().join(format!("scores-{}{suffix}.json", split.name()));
    crate::atomic_file::write(&scores_path, &serde_json::to_vec_pretty(&evaluation)?)?;

    print_figures(&evaluation);
    if let Some(last) = &last {
        println!("last step instead    {}", areas(last));
    }
    print!("{published}");
    println!("report: {}", report.display());
    let paths = videos.entries.into_iter().map(|entry| (entry.id, entry.path)).collect();
    Ok(Assessment { evaluation, paths, report })
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
    let share = |figure: Option<f64>| {
        figure.map_or_else(|| "undefined".to_owned(), |value| format!("{:.2} %", 100.0 * value))
    };
    let frame = &evaluation.frame;
    let areas = evaluation.intervals.map(|of| of.areas).unwrap_or_default();
    println!("frame ROC AUC        {}{}", show(frame.roc_auc), interval(areas.roc_auc));
    println!("PR AUC (trapezoid)   {}{}", show(frame.pr_auc_trapezoid), interval(areas.pr_auc_trapezoid));
    println!("average precision    {}{}", show(frame.average_precision), interval(areas.average_precision));
    println!("AUC, abnormal videos {}", show(evaluation.frame_abnormal_videos.roc_auc));
    println!("video ROC AUC        {}", show(evaluation.video_roc_auc));
    println!("score gap            {}", show(frame.score_gap));
    println!("FAR, normal frames   {}", share(frame.far_05));
    println!("FAR, normal videos   {}", share(evaluation.far_05_normal_videos));
    for class in &evaluation.classes {
        println!(
            "class {:<14} {} against normal videos, {} within ({} videos)",
            class.class,
            show(class.against_normal.roc_auc),
            show(class.within.roc_auc),
            class.videos
        );
    }
    println!("{}", evaluation.alarm.summary());
}

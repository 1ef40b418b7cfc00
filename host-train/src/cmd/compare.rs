//! `watchpost compare`: trained runs side by side, on the same held-back videos.

use super::held_back::{HeldBack, HeldBackOptions, Judged, ResamplingOptions};
use super::provenance;
use super::terminal::{areas, interval};
use super::work::Work;
use crate::atomic_file;
use crate::run::Run;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::path::PathBuf;
use vad_eval::{AreaIntervals, ComparedRun, ComparisonReport, FrameMetrics, Interval, Resampling};

/// Compare trained runs on the same held-back videos and write one report
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost compare mist-seed1 rtfm-seed1 cu-seed1 --work work/\n\n\
    Every run is compared with the first one. A difference comes with its 95 % interval over draws of the videos, the\n\
    same draws for both runs: where 0 lies inside, these videos cannot tell the two apart.")]
pub struct Args {
    /// Names of the runs, the one to compare with first
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<String>,
    #[command(flatten)]
    videos: HeldBackOptions,
    /// The report; its numbers are written beside it as .json [default: runs/compare.html in the work folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    resampling: ResamplingOptions,
}

/// One run in numbers.
#[derive(Debug, Serialize)]
struct Row {
    run: String,
    recipe: String,
    frame: FrameMetrics,
    video_roc_auc: Option<f64>,
    areas: AreaIntervals,
    /// To the first run.
    difference: Option<AreaIntervals>,
}

/// Everything in numbers.
#[derive(Debug, Serialize)]
struct Numbers<'a> {
    facts: &'a [(String, String)],
    resampling: Resampling,
    runs: Vec<Row>,
}

pub fn run(args: &Args) -> Result<()> {
    ensure!(args.runs.len() > 1, "name at least two runs to compare");
    let work = Work::open(&args.videos.work.work)?;
    let dataset = work.dataset()?;
    let runs =
        args.runs.iter().map(|name| Ok(Run::open(&work.run(Some(name))?)?)).collect::<Result<Vec<_>>>()?;
    let videos = HeldBack::open(&work, &dataset, &args.videos)?;
    let judged = runs.iter().map(|run| videos.judge(run)).collect::<Result<Vec<_>>>()?;
    let resampling = args.resampling.resampling();
    ensure!(resampling.resamples > 0, "--resamples 0 leaves nothing to compare by; leave it out");
    let mut facts = provenance::facts(&[
        ("Split", args.videos.split.name().to_owned()),
        ("Videos", videos.entries.len().to_string()),
        ("Label file hash", dataset.file.labels_sha256.clone()),
    ]);
    facts.extend(args.videos.view_fact());
    facts.extend(args.runs.iter().zip(&judged).filter_map(last_step));
    let report = ComparisonReport {
        title: format!("Watchpost: {} runs compared", runs.len()),
        subtitle: format!("{} held-back videos of {}", videos.entries.len(), dataset.title()),
        facts,
        resampling,
        runs: compared(&args.runs, &runs, judged, resampling)?,
        tables: Vec::new(),
    };
    let path = args.out.clone().unwrap_or_else(|| work.runs().join("compare.html"));
    report.write(&path)?;
    let numbers = Numbers { facts: &report.facts, resampling, runs: report.runs.iter().map(row).collect() };
    atomic_file::write(&path.with_extension("json"), &serde_json::to_vec_pretty(&numbers)?)?;
    print(&report.runs);
    if let Some(caution) = Resampling::caution(videos.entries.len()) {
        println!("caution: {caution}");
    }
    println!("report: {}", path.display());
    Ok(())
}

/// What a run would be worth by the model of its last step, where another one was selected.
fn last_step((name, judged): (&String, &Judged)) -> Option<(String, String)> {
    Some((format!("{name}, the model of the last step"), areas(judged.last.as_ref()?)))
}

fn compared(
    names: &[String],
    runs: &[Run],
    judged: Vec<Judged>,
    resampling: Resampling,
) -> Result<Vec<ComparedRun>> {
    let named = names.iter().zip(runs).zip(judged);
    let named = named.map(|((name, run), judged)| Ok((name.clone(), recipe_of(run)?, judged.evaluation)));
    Ok(ComparedRun::all(named.collect::<Result<_>>()?, resampling)?)
}

fn recipe_of(run: &Run) -> Result<String> {
    let metrics = run.metrics()?;
    Ok(format!("{}, seed {}", metrics.recipe, metrics.seed))
}

fn row(run: &ComparedRun) -> Row {
    Row {
        run: run.name.clone(),
        recipe: run.about.clone(),
        frame: run.evaluation.frame.clone(),
        video_roc_auc: run.evaluation.video_roc_auc,
        areas: run.areas,
        difference: run.difference,
    }
}

fn print(runs: &[ComparedRun]) {
    let figure = |value: Option<f64>, of: Option<Interval>| {
        value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}{}", interval(of)))
    };
    let difference = |of: Option<Interval>| {
        of.map_or_else(
            || "undefined".to_owned(),
            |of| format!("{:+.4} [{:+.4}, {:+.4}]", of.estimate, of.low, of.high),
        )
    };
    let width = runs.iter().map(|run| run.name.len()).max().unwrap_or(0).max(3);
    println!(
        "{:<width$}  {:<25}  {:<25}  {:<27}  difference in AP",
        "run", "frame AUC", "average precision", "difference in AUC"
    );
    for run in runs {
        let frame = &run.evaluation.frame;
        let against = run.difference.map_or_else(
            || [String::new(), String::new()],
            |areas| [areas.roc_auc, areas.average_precision].map(difference),
        );
        println!(
            "{:<width$}  {:<25}  {:<25}  {:<27}  {}",
            run.name,
            figure(frame.roc_auc, run.areas.roc_auc),
            figure(frame.average_precision, run.areas.average_precision),
            against[0],
            against[1]
        );
    }
}

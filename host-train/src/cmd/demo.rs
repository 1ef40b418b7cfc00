//! `watchpost demo`: the main job from beginning to end, each step as a user would type it.

use super::step::{arg, option, step};
use super::{eval, export, extract, index, scenes, train};
use crate::weights;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

mod field;
mod verdict;

/// Enough to learn two kinds of anomaly from, few enough to extract in minutes.
const DEMO_VIDEOS: &str = "24";
const DEMO_KINDS: &str = "vehicle,cyclist";

/// Run the whole flow: videos, features, training, report, bundle, board, alarm
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost demo\n  watchpost demo --videos footage/ --labels footage/labels.csv\n\n\
    Without --videos it makes up street scenes. Everything is kept in the work folder; a second demo reuses the features."
)]
pub struct Args {
    /// Folder of videos; needs --labels
    #[arg(long, value_name = "DIR", requires = "labels")]
    videos: Option<PathBuf>,
    /// CSV with the columns video,label; needs --videos
    #[arg(long, value_name = "FILE", requires = "videos")]
    labels: Option<PathBuf>,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "watchpost-demo")]
    work: PathBuf,
    /// Seed of the scenes, the split and the training
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Safetensors file with the I3D weights [default: found, or fetched by `watchpost weights i3d`]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let weights = weights_or_fetch(args.weights.as_deref())?;
    std::fs::create_dir_all(&args.work)
        .with_context(|| format!("cannot create the work folder {}", args.work.display()))?;
    let (videos, labels) = footage(args)?;
    let seed = args.seed.to_string();
    let bundle = args.work.join("bundle");
    let run_name = format!("mist-seed{seed}");

    step::<index::Args, _>(
        "index",
        &[
            arg("--videos"),
            videos.into(),
            arg("--labels"),
            labels.into(),
            work(args),
            arg("--seed"),
            arg(&seed),
        ],
        |parsed| index::run(&parsed),
    )?;
    step::<extract::Args, _>("extract", &[work(args), arg("--weights"), weights.clone().into()], |parsed| {
        extract::run(&parsed)
    })?;
    step::<train::Args, _>(
        "train",
        &[work(args), arg("--name"), arg(&run_name), arg("--seed"), arg(&seed), arg("--overwrite")],
        |parsed| train::run(&parsed),
    )?;
    let evaluation = step::<eval::Args, _>("eval", &[work(args), arg("--run"), arg(&run_name)], |parsed| {
        eval::run(&parsed)
    })?;
    step::<export::Args, _>(
        "export",
        &[
            work(args),
            arg("--run"),
            arg(&run_name),
            arg("--out"),
            bundle.clone().into(),
            arg("--overwrite"),
            arg("--weights"),
            weights.into(),
        ],
        |parsed| export::run(&parsed),
    )?;
    let pair = verdict::choose(&evaluation)?;
    let alarms = field::play(&args.work, &bundle, &pair)?;
    verdict::judge(&pair, &alarms)?;
    println!("\nreport: {}", evaluation.report.display());
    println!("alarms: watchpost alarms --store {}", args.work.join("hub.sqlite").display());
    Ok(())
}

fn work(args: &Args) -> OsString {
    option("--work", &args.work)
}

/// Videos and labels: the given ones, or street scenes made for the seed.
fn footage(args: &Args) -> Result<(PathBuf, PathBuf)> {
    if let (Some(videos), Some(labels)) = (&args.videos, &args.labels) {
        return Ok((videos.clone(), labels.clone()));
    }
    let folder = args.work.join("scenes");
    let labels = folder.join("labels.csv");
    if !labels.is_file() {
        let words = [
            arg("--out"),
            folder.clone().into(),
            arg("--seed"),
            arg(&args.seed.to_string()),
            arg("--videos"),
            arg(DEMO_VIDEOS),
            arg("--kinds"),
            arg(DEMO_KINDS),
        ];
        step::<scenes::Args, _>("scenes", &words, |parsed| scenes::run(&parsed))?;
    }
    Ok((folder, labels))
}

fn weights_or_fetch(given: Option<&Path>) -> Result<PathBuf> {
    match weights::I3D.find(given) {
        Err(weights::WeightsError::NotFound { .. }) if given.is_none() => {
            step::<super::weights::Args, _>("weights", &[arg("i3d")], |parsed| super::weights::run(&parsed))?;
            Ok(weights::I3D.find(None)?)
        }
        found => Ok(found?),
    }
}

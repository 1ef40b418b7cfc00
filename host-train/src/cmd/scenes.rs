//! `watchpost scenes`: make up labelled footage.

use super::progress;
use anyhow::Result;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use vad_scenes::{AnomalyKind, SetSpec, Written, write_set};

/// Make up street scenes with labelled anomalies
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost scenes --out scenes/ --seed 7 --videos 30\n\n\
    People walk; in half of the videos somebody cycles, drives, runs, falls or leaves a bag behind. Light, noise and\n\
    camera shake vary harmlessly. The same seed gives the same pictures on every machine.")]
pub struct Args {
    /// Folder for the videos and labels.csv
    #[arg(long, value_name = "DIR", default_value = "scenes")]
    out: PathBuf,
    /// Decides everything about the videos
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of videos
    #[arg(long, default_value_t = SetSpec::default().videos)]
    videos: u32,
    /// How many of them are abnormal [default: half]
    #[arg(long)]
    abnormal: Option<u32>,
    /// Frames per video
    #[arg(long, default_value_t = SetSpec::default().frames)]
    frames: u64,
    /// Cameras that the videos are spread over
    #[arg(long, default_value_t = SetSpec::default().places)]
    places: u32,
    /// Kinds of anomaly, dealt out in turn: cyclist, vehicle, runner, fall, left-object [default: all]
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    kinds: Vec<AnomalyKind>,
    /// Replace a set that is there already
    #[arg(long)]
    replace: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let spec = SetSpec {
        seed: args.seed,
        videos: args.videos,
        abnormal: args.abnormal.unwrap_or(args.videos / 2),
        frames: args.frames,
        places: args.places,
        kinds: if args.kinds.is_empty() { AnomalyKind::ALL.to_vec() } else { args.kinds.clone() },
        ..SetSpec::default()
    };
    let written = write(&args.out, &spec, args.replace)?;
    let abnormal = written.iter().filter(|video| video.abnormal.is_some()).count();
    println!("{} videos, {abnormal} of them abnormal, and labels.csv: {}", written.len(), args.out.display());
    Ok(())
}

/// Makes the videos of a set, with a bar.
pub fn write(out: &Path, spec: &SetSpec, replace: bool) -> Result<Vec<Written>> {
    let bar = progress::bar(u64::from(spec.videos) * spec.frames, "frames");
    let written = write_set(out, spec, replace, &|_| {
        bar.inc(1);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    Ok(written)
}

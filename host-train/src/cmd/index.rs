//! `watchpost index`: check the labels against the videos, and decide which videos train, select and test.

use super::options::WorkOption;
use super::terminal::count;
use super::work::Work;
use anyhow::Result;
use std::path::PathBuf;
use vad_data::{Label, Manifest, Quota, SplitPlan, Splits, VideoEntry};

/// Check labels against videos and draw the training, validation and test split
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  watchpost index --videos footage/ --labels footage/labels.csv --work work/\n\n\
    The label file is a CSV with the columns video,label (normal or abnormal). first_abnormal,last_abnormal (frames from\n\
    0, both inclusive) or abnormal_frames (\"10-20;40-55\") are used by the evaluation only, never by the training."
)]
pub struct Args {
    /// Folder of videos: files that ffmpeg reads, or folders of images
    #[arg(long, value_name = "DIR")]
    videos: PathBuf,
    /// CSV with the columns video,label
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    #[command(flatten)]
    work: WorkOption,
    /// Share of each label's videos to train on
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    train: f64,
    /// Share of each label's videos to select the model on; the rest is for the test
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    val: f64,
    /// Seed of the draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &Args) -> Result<()> {
    let manifest = Manifest::load(&args.labels, &args.videos)?;
    for video in manifest.unlabelled() {
        eprintln!("note: {video} has no line in {}; it is left out", args.labels.display());
    }
    let plan = SplitPlan { train: Quota::Share(args.train), val: Quota::Share(args.val), test: Quota::Rest };
    let splits = Splits::draw(&manifest, &plan, args.seed)?;
    let work = Work::create(&args.work.work)?;
    work.save_dataset(&manifest, &splits, &args.videos, &args.labels, args.seed, false)?;
    println!("{} in {}", count(manifest.entries().len(), "video"), args.videos.display());
    for (name, entries) in
        [("train", splits.train.entries()), ("val", splits.val.entries()), ("test", splits.test.entries())]
    {
        println!(
            "  {name:<6} {:>4} normal {:>4} abnormal",
            of_label(entries, Label::Normal),
            of_label(entries, Label::Abnormal)
        );
    }
    println!("data set: {}", work.dataset_path().display());
    Ok(())
}

fn of_label(entries: &[VideoEntry], label: Label) -> usize {
    entries.iter().filter(|entry| entry.label == label).count()
}

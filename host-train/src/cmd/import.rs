//! `watchpost import`: a published data set, as its users have it on disk, becomes a work folder.

use super::options::WorkOption;
use super::progress;
use super::work::Work;
use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;
use vad_data::{Manifest, Quota, SplitPlan, Splits};
use vad_datasets::{Axes, Dataset, Import, Request, SplitRule};

/// Check a published data set and make it ready to train on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    watchpost import --dataset ucf-crime --root lists/ --features UCF_Train_ten_crop_i3d/ --features UCF_Test_ten_crop_i3d/ --work ucf/\n  \
    watchpost import --dataset shanghaitech --root shanghaitech/ --work sht/\n\n\
    Lists and annotations are found by their usual names anywhere in --root. Features (.npy, one file per video or per\n\
    crop, or .h5) belong to videos by name, never by position; they are read once from end to end and stay where they are.\n\
    Without --features the videos in --root are indexed, and `watchpost extract` goes on. The official split is used;\n\
    validation videos are drawn from the training videos.")]
pub struct Args {
    /// Which data set
    #[arg(long, value_name = "NAME", value_parser = datasets())]
    pub dataset: Dataset,
    /// Folder of its lists and annotations, and of its videos
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Folder or HDF5 file of features; repeat for more
    #[arg(long, value_name = "DIR")]
    features: Vec<PathBuf>,
    /// Order of the axes of feature arrays with three [default: found out]
    #[arg(long, value_name = "ORDER", value_parser = axes())]
    axes: Option<Axes>,
    /// List of NAME,FRAMES for videos whose length the data set does not say
    #[arg(long, value_name = "FILE")]
    frames: Option<PathBuf>,
    /// The authors' ground truth (gt-ucf.npy, gt-sh.npy, gt.npy), to compare with
    #[arg(long, value_name = "FILE")]
    gt: Option<PathBuf>,
    /// Frames per second of the videos [default: those of the data set]
    #[arg(long, value_name = "HZ")]
    frame_rate: Option<f64>,
    /// Share of each label's training videos to select the model on; 0 trains on all of them and takes the last step
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    val: f64,
    /// Seed of that draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out videos that are missing or damaged, with a warning
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    pub work: WorkOption,
}

pub fn run(args: &Args) -> Result<()> {
    let import = into_work(args)?;
    println!("next: {}", next(args, &import));
    Ok(())
}

/// As [`run`], unless the work folder has it already.
pub fn once(args: &Args) -> Result<()> {
    let path = args.work.work.display();
    let Ok(work) = Work::open(&args.work.work) else { return into_work(args).map(drop) };
    let found = work.dataset()?;
    let root = args.root.canonicalize().with_context(|| format!("cannot find {}", args.root.display()))?;
    let is_same = found.import.as_ref().is_some_and(|import| import.dataset == args.dataset);
    ensure!(
        is_same && found.file.videos == root && found.file.seed == args.seed,
        "{path} holds {}, imported otherwise\n  remedy: choose another folder with --work",
        found.title()
    );
    println!("{}: imported before, into {path}", found.title());
    Ok(())
}

fn into_work(args: &Args) -> Result<Import> {
    ensure!(
        args.frame_rate.is_none_or(|rate| rate.is_finite() && rate > 0.0),
        "--frame-rate must be above 0"
    );
    let bar = progress::bar(0, "videos read");
    let done = vad_datasets::import(&args.request(), &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let done = done?;
    println!("{}", done.summary);
    if let Some(comparison) = &done.comparison {
        println!("{comparison}\n");
    }
    for warning in done.summary.warnings() {
        eprintln!("warning: {warning}");
    }
    let work = Work::create(&args.work.work)?;
    let splits = save(args, &work, &done.import)?;
    println!(
        "train {}, val {}, test {} videos: {}",
        splits.train.len(),
        splits.val.len(),
        splits.test.len(),
        work.dataset_path().display()
    );
    Ok(done.import)
}

impl Args {
    /// Whether features stand for the videos.
    pub fn has_features(&self) -> bool {
        !self.features.is_empty()
    }

    fn request(&self) -> Request {
        Request {
            dataset: self.dataset,
            root: self.root.clone(),
            features: self.features.clone(),
            axes: self.axes,
            frames: self.frames.clone(),
            ground_truth: self.gt.clone(),
            frame_rate_hz: self.frame_rate,
            keep_going: self.keep_going,
        }
    }
}

/// `dataset.json` comes last: until then the work folder is what it was.
fn save(args: &Args, work: &Work, import: &Import) -> Result<Splits> {
    let labels = work.save_import(import)?;
    let paths = import.paths();
    let manifest = Manifest::load_known(&labels, |name| paths.get(name).cloned())?;
    let splits = match &import.split {
        SplitRule::Official { train, test } => Splits::official(&manifest, train, test, args.val, args.seed)?,
        SplitRule::Drawn { abnormal, normal } => {
            let train = Quota::Videos { normal: *normal, abnormal: *abnormal };
            let plan = SplitPlan { train, val: Quota::NONE, test: Quota::Rest };
            Splits::draw(&manifest, &plan, args.seed)?
        }
    };
    work.save_dataset(&manifest, &splits, &args.root, &labels, args.seed, true)?;
    Ok(splits)
}

fn next(args: &Args, import: &Import) -> String {
    let work = args.work.work.display();
    if import.features.is_none() {
        format!("watchpost extract --work {work}")
    } else {
        match published_recipe(import.dataset) {
            Some(recipe) => {
                format!(
                    "watchpost train --work {work} --recipe {recipe} --published {}",
                    import.dataset.name()
                )
            }
            None => format!("watchpost train --work {work} --recipe rtfm"),
        }
    }
}

/// A recipe that was published with settings for the data set.
fn published_recipe(dataset: Dataset) -> Option<&'static str> {
    match dataset {
        Dataset::UcfCrime | Dataset::ShanghaiTech | Dataset::XdViolence => Some("rtfm"),
        Dataset::Tad => Some("cu"),
        Dataset::UcsdPed2 => None,
    }
}

fn datasets() -> impl TypedValueParser<Value = Dataset> {
    let names = Dataset::ALL.map(|dataset| PossibleValue::new(dataset.name()).help(dataset.title()));
    let by_name = |name: String| Dataset::ALL.into_iter().find(|dataset| dataset.name() == name);
    PossibleValuesParser::new(names).try_map(move |name| by_name(name).ok_or("no such data set"))
}

fn axes() -> impl TypedValueParser<Value = Axes> {
    let names = Axes::ALL.map(|axes| PossibleValue::new(axes.name()));
    let by_name = |name: String| Axes::ALL.into_iter().find(|axes| axes.name() == name);
    PossibleValuesParser::new(names).try_map(move |name| by_name(name).ok_or("no such order"))
}

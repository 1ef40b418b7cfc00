//! `watchpost extract`: features of every video, into the work folder's cache.

use super::options::{EncoderOptions, WorkOption};
use super::progress::ExtractBars;
use super::terminal::count;
use super::work::Work;
use crate::extraction::Extraction;
use anyhow::{Result, bail};
use vad_core::{ClipSpec, ModelSpec};
use vad_data::{CropPlan, FeatureSpec, Features, extract_each};

/// Extract the features of every video of the data set
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost extract --work work/\n  watchpost extract --work work/ --crops 10\n\n\
    Features are cached by encoder, preprocessing, clips, crops and file content. An interrupted extraction goes on where it\n\
    was; a video that cannot be read stops it, or is reported and left out with --keep-going. Training and evaluation use\n\
    the features of the latest extraction; those of earlier ones stay in the cache.\n\n\
    One crop is the whole picture. Five crops (corners and centre) and ten (with their mirror images) are cut from pictures\n\
    that are resized with their aspect ratio kept, the short side to 8/7 of the encoder's input: 256 px for 224. They cost\n\
    five and ten times as much to encode, and boards have one."
)]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
    /// Crops of each clip: 1, 5 or 10
    #[arg(long, value_name = "N", default_value_t = CropPlan::One)]
    crops: CropPlan,
    /// Frames from the beginning of a clip to that of the next; below 16 clips overlap
    #[arg(long, value_name = "FRAMES", default_value_t = ClipSpec::i3d().stride)]
    stride: u16,
    /// Report videos that cannot be read and go on with the others
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    encoder: EncoderOptions,
}

pub fn run(args: &Args) -> Result<()> {
    let work = Work::open(&args.work.work)?;
    let dataset = work.dataset()?;
    let model = ModelSpec::i3d_mist("extraction");
    let clip = ClipSpec { stride: args.stride, ..model.clip };
    clip.validate()?;
    let features = FeatureSpec { crops: args.crops, ..FeatureSpec::new(model.preprocess.clone(), clip) };
    let encoder = args.encoder.load(&model)?;
    let cache = work.features()?;
    let made = Extraction::new(&*encoder, features.clone());
    made.write(work.root())?;

    let entries = dataset.manifest.entries();
    let spec = args.encoder.extract_spec(features);
    let bars = ExtractBars::new(entries.len());
    let (mut videos, mut clips) = (0, 0);
    let mut tally = |_: &str, features: Features| {
        videos += 1;
        clips += features.clips();
    };
    let failures = extract_each(entries, &*encoder, spec, &cache, args.keep_going, &bars, &mut tally);
    let speed = bars.finish();
    let failures = failures?;
    println!(
        "{}, {} of {} features ({made})",
        count(videos, "video"),
        count(clips, "clip"),
        encoder.feature_dim()
    );
    println!("{speed}");
    for failure in &failures {
        eprintln!("left out: {failure}");
    }
    if videos == 0 && !failures.is_empty() {
        bail!("no video could be read");
    }
    Ok(())
}

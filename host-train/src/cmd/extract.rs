//! `watchpost extract`: features of every video, into the work folder's cache.

use super::options::{DevicesOption, EncoderOptions, PaceOptions, WeightsOption, WorkOption};
use super::progress::ExtractBars;
use super::terminal::count;
use super::work::Work;
use crate::archive::{self, Purpose};
use crate::device::{DeviceChoice, DeviceList};
use crate::distilled::DistilledEncoder;
use crate::encoder::Engine;
use crate::extraction::Extraction;
use anyhow::{Result, bail, ensure};
use std::path::PathBuf;
use vad_core::{ClipSpec, EncoderSpec, ModelSpec};
use vad_data::{CropPlan, FeatureSpec, Features, Shard, extract_each};

/// Extract the features of every video of the data set
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  watchpost extract --work work/\n  watchpost extract --work work/ --crops 10\n  \
    watchpost extract --work work/ --store s3://archive/features --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT\n  \
    watchpost extract --work work/ --store s3://archive/features --shard $JOB_COMPLETION_INDEX/8\n\n\
    Features are cached by encoder, preprocessing, clips, crops and file content. An interrupted extraction goes on where it\n\
    was; a video that cannot be read stops it, or is reported and left out with --keep-going. Training and evaluation use\n\
    the features of the latest extraction; those of earlier ones stay in the cache.\n\n\
    One crop is the whole picture. Five crops (corners and centre) and ten (with their mirror images) are cut from pictures\n\
    that are resized with their aspect ratio kept, the short side to 8/7 of the encoder's input: 256 px for 224. They cost\n\
    five and ten times as much to encode, and boards have one.\n\n\
    A store may be filled by many machines at once, each with its --shard, and any of them may be stopped and started again.\n\
    Shards are counted from 0: a Slurm array must be --array=0-7 for eight. Without --shard the command completes what is\n\
    missing. A bucket's endpoint and credentials come from AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and\n\
    AWS_SECRET_ACCESS_KEY; training and evaluation fetch from it through the work folder."
)]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
    /// Encoder of this work folder that `watchpost distill` made [default: I3D]
    #[arg(long = "encoder", value_name = "NAME", conflicts_with = "weights")]
    distilled: Option<String>,
    /// Crops of each clip: 1, 5 or 10
    #[arg(long, value_name = "N", default_value_t = CropPlan::One)]
    crops: CropPlan,
    /// Frames from the beginning of a clip to that of the next; below 16 clips overlap
    #[arg(long, value_name = "FRAMES", default_value_t = ClipSpec::i3d().stride)]
    stride: u16,
    /// Keep the features in a folder or a bucket that several machines share: DIR or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE")]
    store: Option<String>,
    /// Extract one machine's part of the videos: I of N parts, counted from 0, such as 0/8
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Report videos that cannot be read and go on with the others
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    encoder: EncoderOptions,
    #[command(flatten)]
    compute: DevicesOption,
}

impl Args {
    /// One crop of clips that do not overlap, kept in the work folder.
    pub fn plain(work: WorkOption, weights: WeightsOption, device: DeviceChoice) -> Self {
        let devices = DeviceList::from(device);
        // The processor's encoder takes no device.
        let devices = if devices.backend().is_card() { devices } else { DeviceList::default() };
        Self {
            work,
            distilled: None,
            crops: CropPlan::One,
            stride: ClipSpec::i3d().stride,
            store: None,
            shard: None,
            keep_going: false,
            encoder: EncoderOptions { engine: None, weights, pace: PaceOptions::default() },
            compute: DevicesOption { devices },
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    let encoding = args.encoder.on(args.compute.devices.clone())?;
    let devices = &encoding.devices;
    ensure!(
        encoding.engine == Engine::Burn || *devices == DeviceList::default(),
        "--device {devices} would do nothing: tract runs on the processor by itself\n  remedy: --engine burn, or no --device"
    );
    let work = Work::open(&args.work.work)?;
    let dataset = work.dataset()?;
    let (spec, weights) = encoder(args, &work)?;
    let model = ModelSpec::mist("extraction", spec);
    let clip = ClipSpec { stride: args.stride, ..model.clip };
    clip.validate()?;
    let model = ModelSpec { clip, ..model };
    let features = FeatureSpec { crops: args.crops, ..FeatureSpec::new(model.preprocess.clone(), clip) };
    let all = dataset.manifest.entries();
    let entries = args.shard.map_or_else(|| Ok(all.to_vec()), |shard| shard.select(all))?;
    if let Some(shard) = args.shard {
        println!("shard {shard}: {} of {}", entries.len(), count(all.len(), "video"));
    }
    let store_address = args.store.as_deref().map(archive::absolute).transpose()?;
    // Before the encoder, which takes longer to load than a store to refuse.
    let store = work.store(store_address.as_deref(), Purpose::Complete)?;
    let spec = encoding.extract_spec(features.clone());
    let encoder = encoding.load(&weights, &model)?;
    let made = Extraction::new(&*encoder, model.encoder.clone(), features)
        .by(args.distilled.clone())
        .kept_in(store_address);
    made.write(work.root())?;

    let bars = ExtractBars::new(entries.len());
    let (mut videos, mut clips) = (0, 0);
    let mut tally = |_: &str, features: Features| {
        videos += 1;
        clips += features.clips();
    };
    let failures = extract_each(&entries, &*encoder, spec, &*store, args.keep_going, &bars, &mut tally);
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

/// Which encoder, and its weights.
fn encoder(args: &Args, work: &Work) -> Result<(EncoderSpec, PathBuf)> {
    match &args.distilled {
        None => Ok((EncoderSpec::i3d(), args.encoder.weights.find()?)),
        Some(name) => {
            let (encoder, about) = DistilledEncoder::open(&work.encoder_dir(name)?)?;
            Ok((about.encoder, encoder.weights_path()))
        }
    }
}

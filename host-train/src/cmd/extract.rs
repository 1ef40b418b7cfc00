//! `watchpost extract`: features of every video, into the work folder's cache.

use super::options::{EncoderOptions, WorkOption};
use super::progress::ExtractBars;
use super::terminal::count;
use super::work::Work;
use anyhow::{Result, bail};
use vad_core::ModelSpec;
use vad_data::{ExtractSpec, extract};

/// Extract the features of every video of the data set
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost extract --work work/\n\n\
    Features are cached by encoder, preprocessing and file content. An interrupted extraction goes on where it was; a\n\
    video that cannot be read stops it, or is reported and left out with --keep-going.")]
pub struct Args {
    #[command(flatten)]
    work: WorkOption,
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
    let encoder = args.encoder.load(&model)?;
    let spec = ExtractSpec {
        preprocess: model.preprocess.clone(),
        clip: model.clip,
        threads: args.encoder.threads(),
    };
    let cache = work.features()?;
    let bars = ExtractBars::new(dataset.manifest.entries().len());
    let outcome = extract(dataset.manifest.entries(), &*encoder, spec, &cache, args.keep_going, &bars);
    bars.finish();
    let outcome = outcome?;
    let clips: usize = outcome.features.values().map(|features| features.spans.len()).sum();
    println!(
        "{}, {} of {} features",
        count(outcome.features.len(), "video"),
        count(clips, "clip"),
        encoder.feature_dim()
    );
    if outcome.failures.is_empty() {
        return Ok(());
    }
    for failure in &outcome.failures {
        eprintln!("left out: {failure}");
    }
    if outcome.features.is_empty() {
        bail!("no video could be read");
    }
    Ok(())
}

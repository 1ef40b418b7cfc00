//! Options that several subcommands share.

use crate::device::DeviceChoice;
use crate::encoder::{self, Engine};
use crate::weights;
use anyhow::Result;
use std::path::PathBuf;
use vad_core::ModelSpec;
use vad_data::ClipEncoder;

/// The work folder of one data set.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkOption {
    /// Work folder: data set, features and runs
    #[arg(long, value_name = "DIR", default_value = "watchpost-work")]
    pub work: PathBuf,
}

/// How clips are encoded.
#[derive(Debug, Clone, clap::Args)]
pub struct EncoderOptions {
    /// Program that runs the encoder: the exported graph in tract, or burn on --device
    #[arg(long, value_enum, default_value_t = Engine::Tract)]
    pub engine: Engine,
    /// Safetensors file with the I3D weights [default: where `watchpost weights i3d` puts them]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Clips that are encoded at the same time [default: one per core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Device for burn: cpu, or ndarray, wgpu, cuda where compiled in
    #[arg(long, default_value_t = DeviceChoice::Cpu)]
    pub device: DeviceChoice,
}

impl EncoderOptions {
    /// Finds, verifies and loads the encoder of `spec`.
    pub fn load(&self, spec: &ModelSpec) -> Result<Box<dyn ClipEncoder>> {
        let weights = weights::find_i3d(self.weights.as_deref())?;
        encoder::load(self.engine, &weights, spec, self.device)
    }

    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }
}

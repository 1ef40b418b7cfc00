//! Options that several subcommands share.

use crate::device::DeviceChoice;
use crate::encoder::{self, Engine};
use crate::weights;
use anyhow::Result;
use std::path::PathBuf;
use vad_core::ModelSpec;
use vad_data::{ClipEncoder, ExtractSpec, FeatureSpec};

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
    /// Clips that are encoded at the same time [default: one per core, two on a graphics card]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Clips in one call of the encoder, crops counted apart [default: 1, or 8 on a graphics card]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Device for burn: cpu, or ndarray, wgpu, cuda where compiled in
    #[arg(long, default_value_t = DeviceChoice::Cpu)]
    pub device: DeviceChoice,
}

/// Where a detector is trained or run.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DeviceOption {
    /// Device for burn: cpu, or ndarray, wgpu, cuda where compiled in
    #[arg(long, default_value_t = DeviceChoice::Cpu)]
    pub device: DeviceChoice,
}

/// An encoder that only exists in burn, with nothing else asked for.
impl From<DeviceOption> for EncoderOptions {
    fn from(compute: DeviceOption) -> Self {
        Self { engine: Engine::Burn, weights: None, threads: None, batch: None, device: compute.device }
    }
}

impl EncoderOptions {
    /// Finds, verifies and loads the encoder of `spec`.
    pub fn load(&self, spec: &ModelSpec) -> Result<Box<dyn ClipEncoder>> {
        let weights = weights::find_i3d(self.weights.as_deref())?;
        encoder::load(self.engine, &weights, spec, self.device)
    }

    /// How to extract `features` with this encoder.
    pub fn extract_spec(&self, features: FeatureSpec) -> ExtractSpec {
        let batch = match self.engine {
            Engine::Tract => 1,
            Engine::Burn => self.device.batch(),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // On a graphics card a second worker prepares its batch while the first one's is encoded.
        let workers = if batch > 1 { 2 } else { cores };
        ExtractSpec {
            features,
            threads: self.threads.unwrap_or(workers).max(1),
            batch: self.batch.unwrap_or(batch).max(1),
        }
    }
}

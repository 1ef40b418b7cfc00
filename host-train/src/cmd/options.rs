//! Options that several subcommands share.

use crate::device::{DeviceChoice, DeviceList};
use crate::encoder::{self, Engine};
use crate::weights::{self, WeightsError};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use vad_core::ModelSpec;
use vad_data::{ClipEncoder, ExtractSpec, FeatureSpec};

/// The work folder of one data set.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkOption {
    /// Work folder: data set, features and runs
    #[arg(long, value_name = "DIR", default_value = "watchpost-work")]
    pub work: PathBuf,
}

/// How the pretrained encoder is run.
#[derive(Debug, Clone, clap::Args)]
pub struct EncoderOptions {
    /// Program that runs the encoder: the exported graph in tract, or burn on --device [default: tract on the processor,
    /// burn on graphics cards]
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    #[command(flatten)]
    pub weights: WeightsOption,
    #[command(flatten)]
    pub pace: PaceOptions,
}

/// Where the pretrained encoder's weights are.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WeightsOption {
    /// Safetensors file with the I3D weights [default: where `watchpost weights i3d` puts them]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
}

/// How many clips are encoded at a time.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct PaceOptions {
    /// Clips that are encoded at the same time [default: one per core, two on each graphics card]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Clips in one call of the encoder, crops counted apart [default: 1, or 8 on a graphics card]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
}

/// Where a detector is trained or run.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DeviceOption {
    /// Device for burn: cpu, or ndarray, wgpu, cuda where compiled in; cuda:1 is the second card
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::default())]
    pub device: DeviceChoice,
}

/// Where an encoder is run or fine-tuned.
#[derive(Debug, Clone, clap::Args)]
pub struct DevicesOption {
    /// Devices for burn: cpu, or ndarray, wgpu, cuda where compiled in; several cards as cuda:0,cuda:1
    #[arg(long = "device", value_name = "DEVICE,..", default_value_t = DeviceList::default())]
    pub devices: DeviceList,
}

/// How clips are encoded, and where.
#[derive(Debug, Clone)]
pub struct Encoding {
    pub engine: Engine,
    pub pace: PaceOptions,
    pub devices: DeviceList,
}

/// An encoder that only exists in burn, with nothing else asked for.
impl From<DeviceOption> for Encoding {
    fn from(compute: DeviceOption) -> Self {
        Self { engine: Engine::Burn, pace: PaceOptions::default(), devices: compute.device.into() }
    }
}

impl WeightsOption {
    /// The file, verified.
    pub fn find(&self) -> Result<PathBuf, WeightsError> {
        weights::I3D.find(self.weights.as_deref())
    }
}

impl EncoderOptions {
    /// With the devices to run on: by the engine asked for, or the faster one there. Or why they do not fit.
    pub fn on(&self, devices: impl Into<DeviceList>) -> Result<Encoding> {
        let devices = devices.into();
        let faster = if devices.backend().is_card() { Engine::Burn } else { Engine::Tract };
        Encoding::new(self.engine.unwrap_or(faster), self.pace, devices)
    }
}

impl PaceOptions {
    /// Of an encoder that only exists in burn, with the devices to run on, or why the two do not fit.
    pub fn in_burn(self, devices: impl Into<DeviceList>) -> Result<Encoding> {
        Encoding::new(Engine::Burn, self, devices.into())
    }
}

impl Encoding {
    fn new(engine: Engine, pace: PaceOptions, devices: DeviceList) -> Result<Self> {
        if let Some(threads) = pace.threads {
            ensure!(
                threads.max(1) >= devices.count(),
                "--threads {threads} leaves some of the {} devices idle\n  remedy: give at least one thread per device, or name fewer devices",
                devices.count()
            );
        }
        Ok(Self { engine, pace, devices })
    }

    /// Loads the encoder of `spec` from its weights, a copy per device.
    pub fn load(&self, weights: &Path, spec: &ModelSpec) -> Result<Box<dyn ClipEncoder>> {
        encoder::load(self.engine, weights, spec, &self.devices)
    }

    /// How to extract `features` with this encoder.
    pub fn extract_spec(&self, features: FeatureSpec) -> ExtractSpec {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let backend = self.devices.backend();
        let (workers, batch) = match self.engine {
            Engine::Tract => (cores, 1),
            Engine::Burn => (backend.workers(self.devices.count(), cores), backend.batch()),
        };
        ExtractSpec {
            features,
            threads: self.pace.threads.unwrap_or(workers).max(1),
            batch: self.pace.batch.unwrap_or(batch).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(threads: Option<usize>) -> EncoderOptions {
        let pace = PaceOptions { threads, batch: None };
        EncoderOptions { engine: None, weights: WeightsOption::default(), pace }
    }

    #[test]
    fn every_card_gets_two_workers_and_larger_batches() {
        let encoding = options(None).on("cuda:0,cuda:1,cuda:2".parse::<DeviceList>().unwrap()).unwrap();
        let model = ModelSpec::i3d_mist("test");
        let spec = encoding.extract_spec(FeatureSpec::new(model.preprocess, model.clip));
        assert_eq!((spec.threads, spec.batch), (6, 8));
    }

    #[test]
    fn cards_run_burn_and_the_processor_tract_unless_asked_otherwise() {
        for (devices, faster) in [
            ("cpu", Engine::Tract),
            ("ndarray", Engine::Tract),
            ("wgpu", Engine::Burn),
            ("cuda:1", Engine::Burn),
        ] {
            let devices: DeviceList = devices.parse().unwrap();
            assert_eq!(options(None).on(devices.clone()).unwrap().engine, faster, "{devices}");
            for asked in [Engine::Tract, Engine::Burn] {
                let options = EncoderOptions { engine: Some(asked), ..options(None) };
                assert_eq!(options.on(devices.clone()).unwrap().engine, asked, "{devices}");
            }
        }
    }

    #[test]
    fn fewer_threads_than_devices_are_refused() {
        let devices: DeviceList = "cpu,cpu".parse().unwrap();
        let error = options(Some(1)).on(devices.clone()).unwrap_err().to_string();
        assert!(error.contains("--threads 1") && error.contains("idle"), "{error}");
        assert!(options(Some(2)).on(devices).is_ok());
    }
}

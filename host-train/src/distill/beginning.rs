//! What the network is before it learns.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use sha2::{Digest, Sha256};
use vad_data::hex;

use super::config::{DistillConfig, Start};
use super::error::DistillError;
use super::imagenet::{Donor, Parts};
use crate::backbone::i3d_lite::I3dLite;
use crate::tensors::{self, Arrays, TensorsError};

/// First values, with the weights that they come from.
#[derive(Clone, Debug)]
pub enum Beginning {
    /// Drawn at random.
    Random,
    /// EfficientNet-Lite0's where they fit.
    Imagenet(Donor, Parts),
    /// An I3D-lite that was distilled before, whole.
    Encoder(Encoder),
}

/// The weights of such a network.
#[derive(Clone, Debug)]
pub struct Encoder {
    arrays: Arrays,
    origin: String,
    sha256: [u8; 32],
}

impl Encoder {
    /// Reads the weights that `watchpost distill` wrote.
    ///
    /// # Errors
    /// When the file cannot be read or is not a sound safetensors file.
    pub fn read(path: &Path) -> Result<Self, TensorsError> {
        let (arrays, _) = tensors::load(path)?;
        Ok(Self::new(arrays, &path.display().to_string()))
    }

    /// Takes arrays; `origin` says where they came from.
    pub fn new(arrays: Arrays, origin: &str) -> Self {
        let mut hash = Sha256::new();
        for (name, array) in &arrays {
            hash.update(name);
            array.values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        Self { arrays, origin: origin.to_owned(), sha256: hash.finalize().into() }
    }
}

impl Beginning {
    /// Which start of the settings it is.
    pub fn start(&self) -> Start {
        match self {
            Self::Random => Start::Random,
            Self::Imagenet(_, Parts::All) => Start::Imagenet,
            Self::Imagenet(_, Parts::Kernels) => Start::ImagenetKernels,
            Self::Encoder(_) => Start::Encoder,
        }
    }

    /// What settings say of weights that only their hash tells from others.
    pub fn sha256(&self) -> Option<String> {
        match self {
            Self::Random | Self::Imagenet(..) => None,
            Self::Encoder(encoder) => Some(hex(&encoder.sha256)),
        }
    }

    /// The network on a plain device. One that has learnt nothing yet has its layers calibrated on `clips`.
    ///
    /// # Errors
    /// When the settings ask for other weights than these, or an array is missing or of another shape.
    pub fn net(
        &self,
        config: &DistillConfig,
        clips: Tensor<5>,
        device: &Device,
    ) -> Result<I3dLite, DistillError> {
        if (config.start, &config.start_sha256) != (self.start(), &self.sha256()) {
            return Err(DistillError::OtherBeginning { start: config.start.name() });
        }
        let fresh = || I3dLite::init(config.size, config.seed, device);
        Ok(match self {
            Self::Random => fresh().calibrate(clips),
            Self::Imagenet(donor, parts) => {
                let mut arrays = fresh().to_arrays();
                donor.graft(config.size, *parts, &mut arrays)?;
                I3dLite::from_arrays(config.size, &arrays, "first values", "", device)?.calibrate(clips)
            }
            Self::Encoder(Encoder { arrays, origin, .. }) => {
                I3dLite::from_arrays(config.size, arrays, origin, "", device)?
            }
        })
    }
}

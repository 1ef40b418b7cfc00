//! The weights that a fine-tuning begins with.

use std::path::Path;

use burn::tensor::Device;

use crate::backbone::padding::Padding;
use crate::backbone::source::{Names, Source};
use crate::model::sga::encoder::{Backbone, Kind, SgaEncoder};
use crate::recipe::mist_stage2_config::Stage2Config;
use crate::tensors::{self, Arrays, TensorsError};

/// The weights were trained with TensorFlow's padding; C3D's layers have their own.
pub const PADDING: Padding = Padding::Same;

/// Pretrained weights of a backbone: Kinetics' I3D, C3D, or an I3D-lite that was distilled.
#[derive(Clone, Debug)]
pub struct Pretrained {
    arrays: Arrays,
    origin: String,
}

impl Pretrained {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is not a sound safetensors file.
    pub fn read(path: &Path) -> Result<Self, TensorsError> {
        let (arrays, _) = tensors::load(path)?;
        Ok(Self::new(arrays, &path.display().to_string()))
    }

    /// Takes arrays; `origin` says where they came from.
    pub fn new(arrays: Arrays, origin: &str) -> Self {
        Self { arrays, origin: origin.to_owned() }
    }

    /// The encoder of the settings with a fresh head.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape.
    pub fn encoder(&self, config: &Stage2Config, device: &Device) -> Result<SgaEncoder, TensorsError> {
        let source =
            Source { arrays: &self.arrays, origin: &self.origin, prefix: "", names: Names::Kinetics };
        let backbone = match config.encoder.kind() {
            Kind::ShortI3d => Backbone::short_i3d(source, PADDING, device)?,
            Kind::I3d => Backbone::i3d(source, PADDING, device)?,
            Kind::C3d => Backbone::c3d(&self.arrays, &self.origin, device)?,
            Kind::Lite(size) => Backbone::lite(size, &self.arrays, &self.origin, device)?,
        };
        Ok(match config.attention {
            true => SgaEncoder::with_fresh_head(backbone, config.k, config.seed, device),
            false => SgaEncoder::without_attention(backbone, config.seed, device),
        })
    }
}

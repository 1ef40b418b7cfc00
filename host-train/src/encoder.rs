//! The encoder as extraction sees it, run by either engine.
//!
//! Both engines run the same weights and give the same features but for the last bits, for which these are cached
//! apart (`tests/reference/two_engines.rs` names the tolerance).

use crate::backbone::i3d::I3dEncoder;
use crate::device::DeviceList;
use anyhow::{Context, Result, ensure};
use model_export::{EncoderPrecision, ExportError};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use vad_core::{ClipSpan, ModelSpec, PreprocessSpec, RgbFrame};
use vad_data::{ClipEncoder, EncodeError, FrameStream, Replicas};
use vad_infer::{FeatureStream, Kernels, Tuning};

/// The program that runs the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// The exported ONNX graph in tract: the board's own code, and the faster one on a processor.
    Tract,
    /// The training framework, on any of its devices.
    Burn,
}

/// Loads the encoder of `spec` from verified I3D weights, a copy onto each device.
///
/// # Errors
/// When the weights do not fit the spec, a device is not compiled in, or tract is given several.
pub fn load(
    engine: Engine,
    weights: &Path,
    spec: &ModelSpec,
    devices: &DeviceList,
) -> Result<Box<dyn ClipEncoder>> {
    match engine {
        Engine::Tract => {
            ensure!(
                devices.count() == 1,
                "several devices ({devices}) are for burn, and tract runs on the processor\n  remedy: --engine burn"
            );
            load_in(weights, spec, &EncoderPrecision::F32, Kernels::Best)
        }
        Engine::Burn => {
            ensure!(
                spec.encoder.kind.lite().is_none(),
                "I3D-lite encodes streams, which burn does not\n  remedy: --engine tract, which is fast with it, or no --device"
            );
            let open = devices.open()?;
            let others = open.others.iter().map(|device| I3dEncoder::load(weights, spec, device));
            let others = others.collect::<Result<_, _>>()?;
            Ok(Box::new(Replicas::new(I3dEncoder::load(weights, spec, &open.first)?, others)?))
        }
    }
}

/// Loads an encoder as a board runs it, in numbers of `precision` on `kernels`.
///
/// # Errors
/// When the weights do not fit the spec or have no such form, or the kernels are not for them.
pub fn load_in(
    weights: &Path,
    spec: &ModelSpec,
    precision: &EncoderPrecision,
    kernels: Kernels,
) -> Result<Box<dyn ClipEncoder>> {
    let bytes = std::fs::read(weights).with_context(|| format!("cannot read {}", weights.display()))?;
    Ok(Box::new(TractEncoder::new(&bytes, spec, precision, kernels)?))
}

/// The exported graph in tract.
pub struct TractEncoder {
    encoder: Arc<vad_infer::Encoder>,
    spec: ModelSpec,
    hash: [u8; 32],
}

/// One view of one video in it, as a board sees a camera.
struct TractStream {
    stream: FeatureStream,
    width_px: u32,
    height_px: u32,
}

impl std::fmt::Debug for TractEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TractEncoder").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl TractEncoder {
    /// The encoder of `spec` from its weights, a safetensors file in memory, in numbers of `precision` on `kernels`.
    ///
    /// # Errors
    /// When the weights do not fit the spec or have no such form, or the kernels are not for them.
    pub fn new(
        weights: &[u8],
        spec: &ModelSpec,
        precision: &EncoderPrecision,
        kernels: Kernels,
    ) -> Result<Self, ExportError> {
        let onnx = model_export::encoder_onnx_in(weights, spec, precision)?;
        let tuning = Tuning { kernels, ..Tuning::default() };
        let encoder = vad_infer::Encoder::tuned(&onnx, "encoder.onnx", spec, tuning)?;
        let mut hash = Sha256::new_with_prefix(&onnx);
        if kernels == Kernels::TractF16 {
            // All others give the same features.
            hash.update(kernels.name());
        }
        Ok(Self { encoder: Arc::new(encoder), spec: spec.clone(), hash: hash.finalize().into() })
    }
}

impl ClipEncoder for TractEncoder {
    fn feature_dim(&self) -> usize {
        self.encoder.feature_dim()
    }

    fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// A batch is encoded clip by clip: on a processor larger tensors gain nothing.
    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        self.encoder.encode(clip).map_err(EncodeError::new)
    }

    fn stream(&self) -> Result<Option<Box<dyn FrameStream>>, EncodeError> {
        if self.spec.encoder.kind.lite().is_none() {
            return Ok(None);
        }
        let stream = FeatureStream::new(self.encoder.clone(), &self.spec).map_err(EncodeError::new)?;
        let PreprocessSpec { width_px, height_px, .. } = self.spec.preprocess;
        Ok(Some(Box::new(TractStream { stream, width_px: width_px.into(), height_px: height_px.into() })))
    }
}

impl FrameStream for TractStream {
    fn push(&mut self, picture: &[u8]) -> Result<Option<(ClipSpan, Vec<f32>)>, EncodeError> {
        let frame = RgbFrame::new(self.width_px, self.height_px, picture).map_err(EncodeError::new)?;
        self.stream.push(frame).map_err(EncodeError::new)
    }

    fn finish(&mut self) -> Result<Option<(ClipSpan, Vec<f32>)>, EncodeError> {
        self.stream.finish().map_err(EncodeError::new)
    }
}

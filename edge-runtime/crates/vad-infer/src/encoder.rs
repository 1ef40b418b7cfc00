//! The encoder graph: one clip to one feature.

use vad_core::ModelSpec;

use crate::InferError;
use crate::plan::Plan;

/// A prepared encoder. `Send + Sync`: runs on several threads share the weights.
#[derive(Debug)]
pub struct Encoder {
    plan: Plan,
    feature_dim: usize,
}

impl Encoder {
    /// Loads an ONNX encoder and checks it against `spec`.
    ///
    /// `name` stands in errors, usually the file's name.
    ///
    /// # Shapes
    /// Input `[1, 3, T, H, W]`, output `[1, D]`, with `T`, `H`, `W` and `D` of the spec.
    ///
    /// # Errors
    /// Truncated or padded files, unsupported operators, weights that are not finite, external
    /// data, other shapes; see [`InferError`].
    pub fn from_onnx(bytes: &[u8], name: &str, spec: &ModelSpec) -> Result<Self, InferError> {
        spec.validate()?;
        let feature_dim = spec.encoder.feature_dim as usize;
        let plan = Plan::load(bytes, name, &clip_shape(spec), &[1, feature_dim])?;
        Ok(Self { plan, feature_dim })
    }

    /// Computes the feature of one normalised clip on the calling thread.
    ///
    /// # Shapes
    /// `clip` is `[1, 3, T, H, W]` row-major, as [`vad_core::Preprocessor::normalise_into`] writes
    /// it; the result is `[D]`.
    ///
    /// # Errors
    /// A clip of another length, and values that are not finite on either side.
    pub fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, InferError> {
        self.plan.run(clip)
    }

    /// Length `D` of a feature.
    pub fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    /// Values in one clip, `3 * T * H * W`.
    pub fn clip_len(&self) -> usize {
        self.plan.input_len()
    }

    /// Input shape `[1, 3, T, H, W]`.
    pub fn clip_shape(&self) -> &[usize] {
        self.plan.input_shape()
    }

    /// Name given when it was loaded.
    pub fn name(&self) -> &str {
        self.plan.name()
    }
}

/// Shape of the clips that `spec` describes.
pub(crate) fn clip_shape(spec: &ModelSpec) -> [usize; 5] {
    let (height, width) = (spec.preprocess.height_px, spec.preprocess.width_px);
    [1, 3, spec.clip.frames.into(), height.into(), width.into()]
}

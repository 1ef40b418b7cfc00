//! The head graph: one feature to one score.

use vad_core::ModelSpec;

use crate::InferError;
use crate::plan::Plan;

/// A prepared head. `Send + Sync`, as [`crate::Encoder`].
#[derive(Debug)]
pub struct Head {
    plan: Plan,
}

impl Head {
    /// Loads an ONNX head and checks it against `spec`.
    ///
    /// # Shapes
    /// Input `[1, D]`, output `[1, 1]`.
    ///
    /// # Errors
    /// As [`crate::Encoder::from_onnx`].
    pub fn from_onnx(bytes: &[u8], name: &str, spec: &ModelSpec) -> Result<Self, InferError> {
        spec.validate()?;
        let feature_dim = spec.encoder.feature_dim as usize;
        Ok(Self { plan: Plan::load(bytes, name, &[1, feature_dim], &[1, 1])? })
    }

    /// Scores one feature: the raw clip score, 0 (normal) to 1 (abnormal) for a sigmoid head.
    ///
    /// # Errors
    /// A feature of another length, and values that are not finite on either side.
    pub fn score(&self, feature: &[f32]) -> Result<f32, InferError> {
        let output = self.plan.run(feature)?;
        output.first().copied().ok_or_else(|| InferError::Run {
            graph: self.plan.name().to_owned(),
            reason: "the output is empty".to_owned(),
        })
    }

    /// Length `D` of the features it reads.
    pub fn feature_dim(&self) -> usize {
        self.plan.input_len()
    }

    /// Name given when it was loaded.
    pub fn name(&self) -> &str {
        self.plan.name()
    }
}

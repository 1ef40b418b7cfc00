//! What can go wrong between trained weights and a bundle.

use std::path::PathBuf;

use model_bundle::BundleError;
use vad_core::SpecError;
use vad_infer::InferError;

/// Why an export was refused. Every variant names the tensor, layer or file at fault.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A weights file could not be read.
    #[error("cannot read the weights file {path}: {source}; check the path and its permissions")]
    ReadWeights {
        /// File asked for.
        path: PathBuf,
        /// Reason given by the system.
        source: std::io::Error,
    },
    /// The bytes are no safetensors file.
    #[error("the weights are not a safetensors file ({reason}); export them again")]
    NotSafetensors {
        /// What the parser found.
        reason: String,
    },
    /// A tensor the graph needs is not in the weights.
    #[error("tensor `{tensor}` is missing; these weights belong to another architecture")]
    MissingTensor {
        /// Name looked up.
        tensor: String,
    },
    /// A tensor has another shape than the graph needs.
    #[error("tensor `{tensor}` has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// Name of the tensor.
        tensor: String,
        /// Shape the architecture and the spec ask for.
        expected: Vec<usize>,
        /// Shape stored in the weights.
        found: Vec<usize>,
    },
    /// A tensor is not stored as 32-bit floats.
    #[error("tensor `{tensor}` is stored as {found}, expected F32; convert the weights first")]
    TensorType {
        /// Name of the tensor.
        tensor: String,
        /// Element type found.
        found: String,
    },
    /// A tensor holds NaN or infinity: training diverged.
    #[error("tensor `{tensor}` holds {value} at flat index {index}; training diverged")]
    NonFiniteWeight {
        /// Name of the tensor.
        tensor: String,
        /// Row-major position.
        index: usize,
        /// The offending value.
        value: f32,
    },
    /// A weight that f16 does not reach.
    #[error(
        "the weights of the layer `{layer}` hold {value} at flat index {index}, and f16 reaches from -65504 to 65504; export in f32"
    )]
    F16 {
        /// The layer.
        layer: String,
        /// Row-major position.
        index: usize,
        /// The offending value.
        value: f32,
    },
    /// The batch normalisation cannot be folded.
    #[error("`{tensor}` holds the variance {value} at channel {channel}; it must be positive")]
    BadVariance {
        /// Name of the variance tensor.
        tensor: String,
        /// Output channel.
        channel: usize,
        /// Variance plus epsilon found there.
        value: f32,
    },
    /// The spec asks for something the exporter cannot build.
    #[error("the model spec asks for {what}: {remedy}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// What is possible instead.
        remedy: String,
    },
    /// The spec contradicts itself.
    #[error("the model spec is not valid: {0}")]
    Spec(#[from] SpecError),
    /// The exported graph does not load or run.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The bundle could not be written or read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The exported graph disagrees with the reference.
    #[error(
        "parity `{tolerance}` broken at reference clip {clip}: {quantity}[{index}] is {found}, \
         expected {expected} +- {allowed}; do not ship this export"
    )]
    Parity {
        /// Name of the tolerance in force.
        tolerance: &'static str,
        /// Position of the clip in the reference.
        clip: usize,
        /// `feature`, `score` or `attention`.
        quantity: &'static str,
        /// Position inside the quantity.
        index: usize,
        /// Value computed by the exported graph.
        found: f32,
        /// Value of the reference.
        expected: f32,
        /// Largest difference allowed at this value.
        allowed: f32,
    },
    /// A reference vector does not fit the model.
    #[error("reference clip {clip} has {found} values as its {quantity}, expected {expected}")]
    ReferenceLength {
        /// Position of the clip in the reference.
        clip: usize,
        /// `feature`, `clip` or `attention`.
        quantity: &'static str,
        /// Values the model needs.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// There is nothing to compare with.
    #[error("the parity reference is empty; give at least one clip with a feature")]
    EmptyReference,
}

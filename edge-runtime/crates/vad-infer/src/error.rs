//! Why a graph was refused or a run failed.

use vad_core::{ClipSpec, FrameError, SpecError};

use crate::Kernels;

/// Error of loading or running a graph. `graph` is the name the caller gave, usually a file's.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The bytes are not one complete ONNX model.
    #[error("{graph}: not a complete ONNX model ({reason}); export or copy it again")]
    Malformed {
        /// Graph at fault.
        graph: String,
        /// What was found.
        reason: String,
    },
    /// An operator this runtime does not run.
    #[error("{graph}: node `{node}` uses the operator `{operator}`, which this runtime does not support")]
    UnsupportedOperator {
        /// Graph at fault.
        graph: String,
        /// Name of the node.
        node: String,
        /// ONNX operator type, with its domain when it is not the default one.
        operator: String,
    },
    /// A tensor keeps its data in another file.
    #[error("{graph}: tensor `{tensor}` keeps its data in another file; embed it in the model")]
    ExternalData {
        /// Graph at fault.
        graph: String,
        /// Name of the tensor.
        tensor: String,
    },
    /// A weight is NaN or infinite.
    #[error("{graph}: tensor `{tensor}` holds {value} at flat index {index}; training diverged")]
    NonFiniteWeight {
        /// Graph at fault.
        graph: String,
        /// Name of the tensor.
        tensor: String,
        /// Row-major position.
        index: usize,
        /// The offending value.
        value: f32,
    },
    /// Input or output has another shape than the model spec says.
    #[error("{graph}: the {what} has shape {found}, the model spec asks for {expected:?}")]
    Shape {
        /// Graph at fault.
        graph: String,
        /// `input` or `output`.
        what: &'static str,
        /// Shape derived from the spec.
        expected: Vec<usize>,
        /// Shape found in the graph.
        found: String,
    },
    /// The graph needs more memory than a board has.
    #[error("{graph}: node `{node}` makes a tensor of {elements} values, at most {limit} are allowed")]
    TooLarge {
        /// Graph at fault.
        graph: String,
        /// Name of the node.
        node: String,
        /// Values in the tensor.
        elements: usize,
        /// Largest number allowed.
        limit: usize,
    },
    /// Layers in int8 that this runtime has no kernels for.
    #[error(
        "{graph}: node `{node}` belongs to a layer in int8 that cannot be run: {reason}; export the bundle again, or without int8"
    )]
    Int8 {
        /// Graph at fault.
        graph: String,
        /// Name of the node.
        node: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Arithmetic in f16 for a graph that nobody tested with it.
    #[error(
        "{graph}: the kernels `{kernels}` are for weights in f16, and these are not; export the bundle with --precision f16, which tests it, or take other kernels"
    )]
    F16 {
        /// Graph that was to be loaded.
        graph: String,
        /// What was asked for.
        kernels: Kernels,
    },
    /// Kernels that this processor has no instructions for.
    #[error("{graph}: this processor has no kernels `{kernels}`")]
    Kernels {
        /// Graph that was to be loaded.
        graph: String,
        /// What was asked for.
        kernels: Kernels,
    },
    /// The runtime could not build a plan.
    #[error("{graph}: cannot be prepared ({reason})")]
    Prepare {
        /// Graph at fault.
        graph: String,
        /// Reason given by the runtime.
        reason: String,
    },
    /// A run failed.
    #[error("{graph}: the run failed ({reason})")]
    Run {
        /// Graph at fault.
        graph: String,
        /// Reason given by the runtime.
        reason: String,
    },
    /// The caller gave a tensor of another length.
    #[error("{graph}: got {found} input values, expected {expected}")]
    InputLength {
        /// Graph that was called.
        graph: String,
        /// Values the graph takes.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// NaN or infinity went in or came out.
    #[error("{graph}: {what} value {index} is {value}; the clip is not scored")]
    NonFinite {
        /// Graph that was run.
        graph: String,
        /// `input` or `output`.
        what: &'static str,
        /// Flat index.
        index: usize,
        /// The offending value.
        value: f32,
    },
    /// The encoder was loaded for another input than this stream's spec describes.
    #[error(
        "the encoder was loaded for clips of {encoder:?}, this stream makes {stream:?} ([1, 3, T, H, W])"
    )]
    EncoderMismatch {
        /// Input shape the encoder was checked against.
        encoder: Vec<usize>,
        /// Input shape of the stream's spec.
        stream: Vec<usize>,
    },
    /// A streaming encoder was loaded for a number of frames that does not fit the stream's clips.
    #[error(
        "the encoder takes {pulse} frames at a time, which does not divide clips of {} frames every {}; take 1",
        clip.frames, clip.stride
    )]
    Pulse {
        /// Frames at a time.
        pulse: usize,
        /// Clips of the stream.
        clip: ClipSpec,
    },
    /// The attention reads a map that the encoder cannot hand out.
    #[error(
        "{graph}: the map that it reads cannot be had ({reason}); export the bundle again, or without attention"
    )]
    Tap {
        /// The attention.
        graph: String,
        /// Why not.
        reason: String,
    },
    /// The head reads another feature length than the encoder makes.
    #[error("the encoder makes {encoder} features, the head reads {head}; they are from different models")]
    HeadMismatch {
        /// Length of the encoder's feature.
        encoder: usize,
        /// Length the head reads.
        head: usize,
    },
    /// A frame could not be used.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The model spec contradicts itself.
    #[error("the model spec is not valid: {0}")]
    Spec(#[from] SpecError),
}

//! Trained weights and a [`ModelSpec`](vad_core::ModelSpec) become ONNX graphs and a bundle.
//!
//! Nothing here trains or names a training framework: the input is safetensors files and a spec, so
//! an export builds in seconds and can be tested without a training run. The encoder is
//! [`encoder_onnx`], the head [`head_onnx`], what explains a score [`attention_onnx`]; [`bundle`] writes them with their
//! manifest after loading them the way the board does, and [`check_parity`] and [`check_attention`] compare them with
//! reference vectors.
#![deny(missing_docs)]

mod assemble;
mod attention;
mod encoder;
mod error;
mod f16_weights;
mod fold;
mod head;
mod i3d;
mod int8;
mod lite;
pub mod onnx;
mod parity;
mod pool;
mod precision;
mod same;
mod volume;
mod weights;

pub use assemble::{BundleFacts, BundleSources, bundle};
pub use attention::attention_onnx;
pub use encoder::{encoder_onnx, encoder_onnx_in};
pub use error::ExportError;
pub use head::head_onnx;
pub use int8::{InputGrid, Int8Layer, Int8Plan, Int8Weights};
pub use lite::int8_layers;
pub use parity::{
    ATTENTION_ABSOLUTE, EXPORT_F32, ParityReport, ReferenceAttention, ReferenceClip, Tolerance,
    check_attention, check_parity,
};
pub use precision::EncoderPrecision;

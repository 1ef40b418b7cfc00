//! Numbers that the layers of an encoder are stored in and compute with.

use crate::int8::Int8Plan;

/// What a graph says of its layers. A runtime reads it from the graph alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum EncoderPrecision {
    /// Everything in 32-bit floats.
    #[default]
    F32,
    /// Weights in 16-bit floats, which are widened before they are computed with; a runtime may compute in f16 too.
    F16,
    /// Some layers in 8-bit integers.
    Int8(Int8Plan),
}

impl EncoderPrecision {
    /// What is neither f32 nor stored as f32, in words; nothing where there is no such thing.
    pub(crate) fn special(&self) -> Option<&'static str> {
        match self {
            Self::F16 => Some("f16"),
            Self::Int8(plan) if !plan.is_empty() => Some("int8"),
            Self::F32 | Self::Int8(_) => None,
        }
    }
}

//! What an encoder hands to the attention, and whether it fits.

use burn::tensor::Tensor;
use thiserror::Error;

/// Maps of a batch of clips at two depths.
#[derive(Clone, Debug)]
pub struct Maps {
    /// From which attention is learnt: I3D's `mixed_4f`, C3D's `conv4b`. `[N, C4, T4, H4, W4]`.
    pub block_4: Tensor<5>,
    /// To which it is applied: I3D's `mixed_5c`, C3D's `conv5b`. `[N, C5, T5, H4/2, W4/2]`.
    pub block_5: Tensor<5>,
}

/// Clips, or maps of them, that the network cannot take.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}: {got}, must be {must}")]
pub struct ShapeError {
    /// The extent in question.
    pub what: &'static str,
    /// How large it is.
    pub got: usize,
    /// How large it must be.
    pub must: String,
}

impl ShapeError {
    pub(crate) fn unless(
        fits: bool,
        what: &'static str,
        got: usize,
        must: impl ToString,
    ) -> Result<(), Self> {
        if fits { Ok(()) } else { Err(Self { what, got, must: must.to_string() }) }
    }
}

//! What looks at the pictures: a bundle's encoder, and the attention that reads one of its maps.

use std::sync::Arc;

use model_bundle::Bundle;
use vad_infer::{Attention, Encoder, InferError, Tuning};

/// Every camera shares them.
pub(crate) struct Eyes {
    pub(crate) encoder: Arc<Encoder>,
    pub(crate) attention: Option<Arc<Attention>>,
}

impl Eyes {
    /// Loads those of a bundle.
    ///
    /// # Errors
    /// Those of [`Encoder::tuned`] and [`Attention::from_onnx`]: on tract an encoder has no map for an attention.
    pub(crate) fn load(bundle: &Bundle, tuning: Tuning) -> Result<Self, InferError> {
        let spec = bundle.model();
        let encoder = Encoder::tuned(bundle.encoder(), "encoder", spec, tuning)?;
        let attention =
            bundle.attention().map(|onnx| Attention::from_onnx(onnx, "attention", spec, &encoder));
        Ok(Self { attention: attention.transpose()?.map(Arc::new), encoder: Arc::new(encoder) })
    }
}

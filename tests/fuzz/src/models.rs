//! Graphs of a bundle whose signature somebody else's key may have made.

use vad_core::{EncoderSpec, LiteSize, ModelSpec};
use vad_infer::{Encoder, Head};

/// As the smallest I3D-lite.
pub fn encoder(bytes: &[u8]) {
    let mut spec = ModelSpec::mist("fuzz", EncoderSpec::lite(LiteSize::Small));
    (spec.preprocess.width_px, spec.preprocess.height_px) = (48, 48);
    if let Ok(encoder) = Encoder::from_onnx(bytes, "encoder", &spec) {
        let _ = encoder.encode(&vec![0.5; encoder.clip_len()]);
    }
}

/// As a head for it.
pub fn head(bytes: &[u8]) {
    let spec = head_spec();
    if let Ok(head) = Head::from_onnx(bytes, "head", &spec) {
        let _ = head.score(&vec![0.5; head.feature_dim()]);
    }
}

/// A head of few weights.
#[must_use]
pub fn head_spec() -> ModelSpec {
    let mut spec = ModelSpec::mist("fuzz", EncoderSpec::lite(LiteSize::Small));
    spec.head.dims = vec![spec.encoder.feature_dim, 1];
    spec
}

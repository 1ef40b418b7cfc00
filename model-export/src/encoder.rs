//! The encoder's graph, whatever its architecture.

use vad_core::{EncoderKind, ModelSpec};

use crate::ExportError;
use crate::i3d::i3d_onnx;
use crate::lite::lite_onnx;
use crate::precision::EncoderPrecision;

/// Builds the graph of the spec's encoder from its weights.
///
/// # Shapes
/// `[1, 3, T, H, W]` pixels to `[1, D]`, the feature of one clip; for I3D-lite to `[1, D, T]`, a feature
/// per frame, and the axis of time may be streamed. `T`, `H`, `W` and `D` come from `spec`.
///
/// `weights_safetensors` holds the tensors under the names of the Kinetics checkpoint or of the
/// trainer, for example `Mixed_5c.Branch_2.Conv3d_0b_3x3.conv.weight` or `stage3.1.expand.weight`.
///
/// # Errors
/// A spec that contradicts itself; a missing, misshapen or non-finite tensor; features that were
/// imported, which no network here makes.
pub fn encoder_onnx(weights_safetensors: &[u8], spec: &ModelSpec) -> Result<Vec<u8>, ExportError> {
    encoder_onnx_in(weights_safetensors, spec, &EncoderPrecision::F32)
}

/// As [`encoder_onnx`], in other numbers than f32.
///
/// # Errors
/// As [`encoder_onnx`]; a layer that cannot compute in int8, weights that f16 does not reach, an encoder that is no I3D-lite.
pub fn encoder_onnx_in(
    weights_safetensors: &[u8],
    spec: &ModelSpec,
    precision: &EncoderPrecision,
) -> Result<Vec<u8>, ExportError> {
    if let Some(size) = spec.encoder.kind.lite() {
        return lite_onnx(weights_safetensors, spec, size.plan(), precision);
    }
    if let Some(special) = precision.special() {
        return Err(ExportError::Unsupported {
            what: format!("{} in {special}", spec.encoder.tap),
            remedy: format!("only I3D-lite computes in {special}; distil one, or export in f32"),
        });
    }
    match spec.encoder.kind {
        EncoderKind::Imported => Err(ExportError::Unsupported {
            what: format!("the features of {} that were imported", spec.encoder.tap),
            remedy:
                "a board needs an encoder that makes them; train on features that `watchpost extract` made"
                    .to_owned(),
        }),
        _ => i3d_onnx(weights_safetensors, spec),
    }
}

//! Batch normalisation folded into the convolution before it.
//!
//! In inference `y = gamma * (conv(x) - mean) / sqrt(var + eps) + beta`, which is a convolution with
//! weight `w * scale` and bias `beta - mean * scale`, where `scale = gamma / sqrt(var + eps)`. The
//! published I3D has no gamma (`bn.weight`); where it is absent it is 1.

use crate::ExportError;
use crate::weights::Weights;

/// Epsilon of every batch normalisation in the Kinetics I3D checkpoints.
pub(crate) const BN_EPSILON: f32 = 1e-3;

/// A convolution ready for export.
pub(crate) struct FoldedConv {
    /// `[out, in, t, h, w]`, row-major.
    pub(crate) weight: Vec<f32>,
    /// `[out]`.
    pub(crate) bias: Vec<f32>,
}

/// Reads `<unit>.conv.weight` and `<unit>.bn.*` and folds them.
///
/// # Shapes
/// `shape` is `[out, in, t, h, w]`; the normalisation tensors are `[out]`.
pub(crate) fn folded_conv(
    weights: &Weights<'_>,
    unit: &str,
    shape: [usize; 5],
) -> Result<FoldedConv, ExportError> {
    let out = shape[0];
    let mut weight = weights.floats(&format!("{unit}.conv.weight"), &shape)?;
    let mean = weights.floats(&format!("{unit}.bn.running_mean"), &[out])?;
    let variance_name = format!("{unit}.bn.running_var");
    let variance = weights.floats(&variance_name, &[out])?;
    let mut bias = weights.floats(&format!("{unit}.bn.bias"), &[out])?;
    let gamma_name = format!("{unit}.bn.weight");
    let gamma = match weights.has(&gamma_name) {
        true => weights.floats(&gamma_name, &[out])?,
        false => vec![1.0; out],
    };
    let taps = weight.len() / out.max(1);
    for (channel, row) in weight.chunks_exact_mut(taps.max(1)).enumerate() {
        let spread = f64::from(variance[channel]) + f64::from(BN_EPSILON);
        if spread <= 0.0 {
            return Err(ExportError::BadVariance {
                tensor: variance_name,
                channel,
                value: variance[channel],
            });
        }
        let scale = f64::from(gamma[channel]) / spread.sqrt();
        row.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        bias[channel] = (f64::from(bias[channel]) - f64::from(mean[channel]) * scale) as f32;
    }
    Ok(FoldedConv { weight, bias })
}

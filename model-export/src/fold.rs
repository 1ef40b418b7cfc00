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

/// Batch normalisation with fixed statistics: each channel times `scale`, plus `shift`.
pub(crate) struct Affine {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl Affine {
    /// Reads `<unit>.running_mean`, `.running_var` and `.bias`, each of as many channels as `gamma` has.
    pub(crate) fn read(
        weights: &Weights<'_>,
        unit: &str,
        gamma: &[f32],
        epsilon: f32,
    ) -> Result<Self, ExportError> {
        let channels = gamma.len();
        let mean = weights.floats(&format!("{unit}.running_mean"), &[channels])?;
        let variance_name = format!("{unit}.running_var");
        let variance = weights.floats(&variance_name, &[channels])?;
        let beta = weights.floats(&format!("{unit}.bias"), &[channels])?;
        let mut scale = Vec::with_capacity(channels);
        for (channel, (&variance, &gamma)) in variance.iter().zip(gamma).enumerate() {
            let spread = f64::from(variance) + f64::from(epsilon);
            if spread <= 0.0 {
                return Err(ExportError::BadVariance { tensor: variance_name, channel, value: variance });
            }
            scale.push(f64::from(gamma) / spread.sqrt());
        }
        let shifted =
            |((&beta, &mean), &scale): ((&f32, &f32), &f64)| f64::from(beta) - f64::from(mean) * scale;
        let shift = beta.iter().zip(&mean).zip(&scale).map(shifted).collect();
        Ok(Self { scale, shift })
    }

    /// Takes it into the layer before it, whose weight is `[channels, ..]`.
    pub(crate) fn fold(&self, weight: &mut [f32], bias: &mut [f32]) {
        let taps = weight.len() / self.scale.len().max(1);
        for (row, scale) in weight.chunks_exact_mut(taps.max(1)).zip(&self.scale) {
            row.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        }
        for ((bias, scale), shift) in bias.iter_mut().zip(&self.scale).zip(&self.shift) {
            *bias = (f64::from(*bias) * scale + shift) as f32;
        }
    }
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
    let mut bias = vec![0.0; out];
    let gamma_name = format!("{unit}.bn.weight");
    let gamma = match weights.has(&gamma_name) {
        true => weights.floats(&gamma_name, &[out])?,
        false => vec![1.0; out],
    };
    Affine::read(weights, &format!("{unit}.bn"), &gamma, BN_EPSILON)?.fold(&mut weight, &mut bias);
    Ok(FoldedConv { weight, bias })
}

//! Standardised features for training, folded into the first layer for everyone else.

use crate::bag::BagSet;
use crate::recipe::mist_config::FeatureScaling;
use crate::tensors::{Array, Arrays};

/// Per-dimension shift and factor: `scaled = (raw - mean) * factor`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaling {
    mean: Vec<f32>,
    factor: Vec<f32>,
}

/// A dimension that varies less than this is left unscaled: it carries noise, not signal.
const LEAST_DEVIATION: f64 = 1e-6;

impl Scaling {
    /// `None` when features stay as they are.
    pub(crate) fn fit(rule: FeatureScaling, train: &BagSet) -> Option<Self> {
        match rule {
            FeatureScaling::None => None,
            FeatureScaling::Standardise => Some(Self::standardise(train)),
        }
    }

    fn standardise(train: &BagSet) -> Self {
        let (dim, rows) = (train.dim, train.rows().max(1) as f64);
        let mut sums = vec![(0.0_f64, 0.0_f64); dim];
        for row in train.values.chunks_exact(dim.max(1)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                sum.0 += f64::from(*value);
            }
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum.0 / rows).collect();
        for row in train.values.chunks_exact(dim.max(1)) {
            for ((sum, mean), value) in sums.iter_mut().zip(&means).zip(row) {
                sum.1 += (f64::from(*value) - mean).powi(2);
            }
        }
        let factor = |sum: &(f64, f64)| {
            let deviation = (sum.1 / rows).sqrt();
            if deviation > LEAST_DEVIATION { (1.0 / deviation) as f32 } else { 1.0 }
        };
        Self {
            mean: means.iter().map(|mean| *mean as f32).collect(),
            factor: sums.iter().map(factor).collect(),
        }
    }

    /// Scales a table `[rows, dim]`.
    pub(crate) fn apply(&self, values: &[f32]) -> Vec<f32> {
        let scale_row = |row: &[f32]| -> Vec<f32> {
            let scaled = row.iter().zip(&self.mean).zip(&self.factor);
            scaled.map(|((value, mean), factor)| (value - mean) * factor).collect()
        };
        values.chunks_exact(self.mean.len().max(1)).flat_map(scale_row).collect()
    }

    /// Rewrites the first layer so that it takes raw features: `W' = W factor`, `b' = b - W' mean`, summed in `f64`.
    pub(crate) fn fold(&self, arrays: &mut Arrays) {
        let Some(mut weight) = arrays.remove("regressor.0.weight") else {
            return;
        };
        let mut shifts = Vec::new();
        for row in weight.values.chunks_exact_mut(self.mean.len().max(1)) {
            let mut shift = 0.0_f64;
            for ((value, mean), factor) in row.iter_mut().zip(&self.mean).zip(&self.factor) {
                *value *= factor;
                shift += f64::from(*value) * f64::from(*mean);
            }
            shifts.push(shift);
        }
        arrays.insert("regressor.0.weight".to_owned(), weight);
        if let Some(Array { values, .. }) = arrays.get_mut("regressor.0.bias") {
            for (bias, shift) in values.iter_mut().zip(shifts) {
                *bias = (f64::from(*bias) - shift) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::HeadScorer;
    use crate::model::mist_generator::MistGenerator;
    use burn::tensor::Device;
    use vad_data::Label;

    /// Folding only reorders `f32` products and sums.
    const FOLD_TOLERANCE: f32 = 1e-5;

    #[test]
    fn a_folded_head_on_raw_features_equals_the_head_on_scaled_ones() {
        let raw: Vec<f32> = (0..60).map(|index| ((index * 37 % 23) as f32) * 0.1 + 2.0).collect();
        let mut bags = BagSet::default();
        bags.push("v", Label::Normal, 6, &raw).unwrap();
        let scaling = Scaling::fit(FeatureScaling::Standardise, &bags).unwrap();
        let device = Device::flex();
        let head = MistGenerator::init(6, [16, 4], 1, &device);
        let mut folded = head.to_arrays();
        scaling.fold(&mut folded);
        let on_scaled = HeadScorer::new(head, device.clone()).score(&scaling.apply(&raw)).unwrap();
        let on_raw = HeadScorer::new(MistGenerator::from_arrays(&folded, "test", &device).unwrap(), device)
            .score(&raw)
            .unwrap();
        for (a, b) in on_scaled.iter().zip(&on_raw) {
            assert!((a - b).abs() < FOLD_TOLERANCE, "{a} {b}");
        }
    }
}

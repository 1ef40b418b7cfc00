//! Standardised features for training, folded into the first layer for everyone else.

use crate::bag::BagSet;
use crate::recipe::settings::FeatureScaling;
use crate::tensors::{Array, Arrays};

/// What is done to every feature before the first layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaling(Option<Standard>);

/// Per-dimension shift and factor: `scaled = (raw - mean) * factor`.
#[derive(Clone, Debug, PartialEq)]
struct Standard {
    mean: Vec<f32>,
    factor: Vec<f32>,
}

/// A dimension that varies less than this is left unscaled: it carries noise, not signal.
const LEAST_DEVIATION: f64 = 1e-6;

impl Scaling {
    /// For a detector whose first layer takes raw features.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn fit(rule: FeatureScaling, train: &BagSet) -> Self {
        match rule {
            FeatureScaling::None => Self::NONE,
            FeatureScaling::Standardise => Self(Some(Standard::fit(train))),
        }
    }

    /// Scales a table `[rows, dim]`.
    pub(crate) fn apply(&self, mut values: Vec<f32>) -> Vec<f32> {
        if let Some(standard) = &self.0 {
            standard.apply(&mut values);
        }
        values
    }

    /// Rewrites the first layer so that it takes raw features. A layer whose input is several features side by side is
    /// folded feature by feature.
    pub(crate) fn fold(&self, arrays: &mut Arrays, layer: &str) {
        if let Some(standard) = &self.0 {
            standard.fold(arrays, layer);
        }
    }
}

impl Standard {
    fn fit(train: &BagSet) -> Self {
        let (dim, rows) = (train.dim, (train.rows() * train.crops).max(1) as f64);
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

    fn apply(&self, values: &mut [f32]) {
        for row in values.chunks_exact_mut(self.mean.len().max(1)) {
            for ((value, mean), factor) in row.iter_mut().zip(&self.mean).zip(&self.factor) {
                *value = (*value - mean) * factor;
            }
        }
    }

    /// `W' = W factor`, `b' = b - W' mean`, summed in `f64`.
    fn fold(&self, arrays: &mut Arrays, layer: &str) {
        let name = format!("{layer}.weight");
        let Some(mut weight) = arrays.remove(&name) else {
            return;
        };
        let inputs = weight.shape.last().copied().unwrap_or(0).max(1);
        let mut shifts = Vec::new();
        for row in weight.values.chunks_exact_mut(inputs) {
            let mut shift = 0.0_f64;
            let scales = self.mean.iter().zip(&self.factor).cycle();
            for (value, (mean, factor)) in row.iter_mut().zip(scales) {
                *value *= factor;
                shift += f64::from(*value) * f64::from(*mean);
            }
            shifts.push(shift);
        }
        arrays.insert(name, weight);
        if let Some(Array { values, .. }) = arrays.get_mut(&format!("{layer}.bias")) {
            for (bias, shift) in values.iter_mut().zip(shifts) {
                *bias = (f64::from(*bias) - shift) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mist_generator::{LAYERS, MistGenerator};
    use crate::recipe::mist_stage1::MistDetector;
    use crate::recipe::system::Detector;
    use burn::tensor::Device;
    use vad_data::Label;

    /// Folding only reorders `f32` products and sums.
    const FOLD_TOLERANCE: f32 = 1e-5;

    fn one_bag(values: &[f32]) -> BagSet {
        let mut bags = BagSet::default();
        bags.push("v", Label::Normal, 6, values).unwrap();
        bags
    }

    #[test]
    fn a_folded_head_on_raw_features_equals_the_head_on_scaled_ones() {
        let raw: Vec<f32> = (0..60).map(|index| ((index * 37 % 23) as f32) * 0.1 + 2.0).collect();
        let bags = one_bag(&raw);
        let scaling = Scaling::fit(FeatureScaling::Standardise, &bags);
        let device = Device::flex();
        let head = MistGenerator::init(6, [16, 4], 1, &device);
        let mut folded = head.to_arrays();
        scaling.fold(&mut folded, LAYERS[0]);
        let folded = MistGenerator::from_arrays(&folded, "test", &device).unwrap();
        let on_scaled = MistDetector::new(head, device.clone()).score(&one_bag(&scaling.apply(raw)));
        let on_raw = MistDetector::new(folded, device).score(&bags);
        for (a, b) in on_scaled[0].iter().zip(&on_raw[0]) {
            assert!((a - b).abs() < FOLD_TOLERANCE, "{a} {b}");
        }
    }
}

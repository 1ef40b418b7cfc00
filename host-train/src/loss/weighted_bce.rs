//! The loss of MIST stage II: cross entropy against soft labels, abnormal and normal clips weighted apart (eq 11).
//!
//! `L_w = -mean(w_0 y ln(p + e) + w_1 (1 - y) ln(1 - p + e))` with `e = 1e-8`. Both classifiers of the encoder get it, and their
//! sum is minimised.

use burn::tensor::Tensor;

/// Added within both logarithms. In `f32` it vanishes beside 1 and counts beside 0, which it is there for.
const EPSILON: f32 = 1e-8;

/// Weights of the two classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassWeights {
    /// Of what should be abnormal (w_0 of eq 11).
    pub abnormal: f32,
    /// Of what should be normal (w_1 of eq 11).
    pub normal: f32,
    /// Labels are kept this far from 0 and 1, in 0..=0.5.
    pub label_smoothing: f32,
}

impl ClassWeights {
    /// UCF-Crime with I3D.
    pub const UCF_CRIME: Self = Self { abnormal: 1.2, normal: 0.8, label_smoothing: 0.0 };

    /// ShanghaiTech with I3D.
    pub const SHANGHAI_TECH: Self = Self { abnormal: 0.8, normal: 0.65, label_smoothing: 0.0 };

    /// Both classes alike: what the released code takes for C3D.
    pub const EQUAL: Self = Self { abnormal: 1.0, normal: 1.0, label_smoothing: 0.0 };
}

/// A loss and its parts; each a one-element tensor.
#[derive(Clone, Debug)]
pub struct GuidedLoss {
    /// What is minimised: the sum of both.
    pub total: Tensor<1>,
    /// Of the classifier H_c.
    pub classifier: Tensor<1>,
    /// Of the guided classifier H_g; 0 where it does not teach.
    pub guided: Tensor<1>,
}

/// Eq 11.
///
/// # Shapes
/// `scores` and `labels` are `[clips]`, each within 0..=1; the result is one element.
pub fn weighted_bce(scores: Tensor<1>, labels: Tensor<1>, weights: ClassWeights) -> Tensor<1> {
    let ClassWeights { abnormal, normal, label_smoothing } = weights;
    let labels = labels.clamp(label_smoothing, 1.0 - label_smoothing);
    let of_abnormal = labels.clone() * -abnormal * (scores.clone() + EPSILON).log();
    // 1 - p first: beside 1 the constant would be lost.
    let of_normal = (-labels + 1.0) * normal * (-scores + 1.0 + EPSILON).log();
    (of_abnormal - of_normal).mean()
}

/// The loss of stage II: [`weighted_bce`] of both classifiers.
///
/// # Shapes
/// All are `[clips]`, each within 0..=1.
pub fn guided_loss(
    scores: Tensor<1>,
    guided_scores: Tensor<1>,
    labels: Tensor<1>,
    weights: ClassWeights,
) -> GuidedLoss {
    let classifier = weighted_bce(scores, labels.clone(), weights);
    let guided = weighted_bce(guided_scores, labels, weights);
    GuidedLoss { total: classifier.clone() + guided.clone(), classifier, guided }
}

/// The loss of stage II without the guided classifier, for the paper's ablation: [`weighted_bce`] of the classifier H_c.
///
/// # Shapes
/// As [`guided_loss`].
pub fn unguided_loss(scores: Tensor<1>, labels: Tensor<1>, weights: ClassWeights) -> GuidedLoss {
    let classifier = weighted_bce(scores, labels, weights);
    GuidedLoss { total: classifier.clone(), guided: classifier.zeros_like(), classifier }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// A handful of `f32` operations on numbers around 1.
    const TOLERANCE: f32 = 1e-6;

    fn loss(scores: [f32; 2], labels: [f32; 2], weights: ClassWeights) -> f32 {
        let device = Device::flex();
        let [scores, labels] = [scores, labels].map(|values| Tensor::<1>::from_floats(values, &device));
        weighted_bce(scores, labels, weights).into_scalar::<f32>()
    }

    #[test]
    fn each_class_has_its_own_weight() {
        let got = loss([0.3, 0.3], [1.0, 0.0], ClassWeights::UCF_CRIME);
        let want = -(1.2 * 0.3_f32.ln() + 0.8 * 0.7_f32.ln()) / 2.0;
        assert!((got - want).abs() < TOLERANCE, "{got} {want}");
    }

    #[test]
    fn smoothing_bounds_labels_and_leaves_those_between_alone() {
        let smooth = ClassWeights { label_smoothing: 0.1, ..ClassWeights::EQUAL };
        let bounded = loss([0.3, 0.8], [0.9, 0.1], ClassWeights::EQUAL);
        assert!((loss([0.3, 0.8], [1.0, 0.0], smooth) - bounded).abs() < TOLERANCE);
        let between = loss([0.3, 0.8], [0.4, 0.6], ClassWeights::EQUAL);
        assert!((loss([0.3, 0.8], [0.4, 0.6], smooth) - between).abs() < TOLERANCE);
    }

    #[test]
    fn scores_that_are_certain_and_wrong_keep_a_finite_loss_and_gradient() {
        let device = Device::flex().autodiff();
        let scores = Tensor::<1>::from_floats([0.0, 1.0], &device).require_grad();
        let labels = Tensor::<1>::from_floats([1.0, 0.0], &device);
        let total = weighted_bce(scores.clone(), labels, ClassWeights::EQUAL);
        let value = total.clone().into_scalar::<f32>();
        assert!((value + EPSILON.ln()).abs() < 1e-4, "{value}");
        let grads = total.backward();
        let grad: Vec<f32> = scores.grad(&grads).unwrap().into_data().iter::<f32>().collect();
        assert!(grad[0] < -1e6 && grad[0].is_finite() && grad[1] > 1e6 && grad[1].is_finite(), "{grad:?}");
    }

    #[test]
    fn the_total_is_the_sum_over_both_classifiers() {
        let device = Device::flex();
        let tensor = |values: [f32; 2]| Tensor::<1>::from_floats(values, &device);
        let (scores, guided, labels) = ([0.2, 0.6], [0.5, 0.9], [0.0, 1.0]);
        let got = guided_loss(tensor(scores), tensor(guided), tensor(labels), ClassWeights::SHANGHAI_TECH);
        let [one, other] = [scores, guided].map(|scores| loss(scores, labels, ClassWeights::SHANGHAI_TECH));
        assert!((got.total.into_scalar::<f32>() - one - other).abs() < TOLERANCE);
        assert!((got.classifier.into_scalar::<f32>() - one).abs() < TOLERANCE);
        assert!((got.guided.into_scalar::<f32>() - other).abs() < TOLERANCE);
    }
}

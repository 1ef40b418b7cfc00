//! The abnormal-ratio loss of ARMS (TMM 2024, eq 3 and 4).
//!
//! A normal video shall have no abnormal snippet and an abnormal one at least a given share of them, so that hard anomalies
//! count beside the easiest one. The share of abnormal snippets is the mean score.

use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};

use crate::abnormal_ratio::AbnormalRatio;

/// The loss of each pair of a normal and an abnormal video, in its two parts, each `[pairs]`.
#[derive(Clone, Debug)]
pub struct ArMil {
    /// The normal video's share of abnormal snippets, `r^-`.
    pub normal: Tensor<1>,
    /// What the abnormal video lacks of its least share, in parts of it: `alpha max(0, lambda - r^+)`.
    pub abnormal: Tensor<1>,
}

impl ArMil {
    /// Eq 4 for each pair, `[pairs]`.
    pub fn per_pair(self) -> Tensor<1> {
        self.normal + self.abnormal
    }
}

/// Eq 3: the share of abnormal snippets that the scores amount to.
///
/// # Shapes
/// `[videos, snippets]` to `[videos]`.
pub fn share(scores: Tensor<2>) -> Tensor<1> {
    scores.mean_dim(1).squeeze_dim(1)
}

/// Eq 4 with `alpha = 1 / lambda`: `r^- + alpha max(0, lambda - r^+)`. The abnormal part is 0 where lambda is.
///
/// # Shapes
/// `normal` and `abnormal` are `[pairs, snippets]`; `least` has lambda of each abnormal video.
pub fn ar_mil(normal: Tensor<2>, abnormal: Tensor<2>, least: &[AbnormalRatio]) -> ArMil {
    let like = abnormal.clone();
    let column = |value: fn(&AbnormalRatio) -> f64| -> Tensor<1> {
        let values: Vec<f64> = least.iter().map(value).collect();
        let data = TensorData::new(values, [least.len()]);
        Tensor::from_data(data, (&like.device(), like.dtype()))
    };
    let lacking = relu(column(|ratio| ratio.get()) - share(abnormal));
    ArMil { normal: share(normal), abnormal: lacking * column(|ratio| ratio.weight()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn ratio(value: f64) -> AbnormalRatio {
        AbnormalRatio::new(value).unwrap()
    }

    #[test]
    fn only_what_is_lacking_costs_and_a_ratio_of_zero_asks_for_nothing() {
        let device = Device::flex().autodiff();
        let abnormal: Tensor<2> =
            Tensor::from_floats([[0.25, 0.0], [1.0, 0.5], [0.0, 0.0], [0.5, 0.25]], &device).require_grad();
        let normal = Tensor::from_floats([[0.0, 0.5], [0.0, 0.0], [0.25, 0.25], [1.0, 1.0]], &device);
        let least = [ratio(0.5), ratio(0.5), ratio(0.0), ratio(0.0)];
        let loss = ar_mil(normal, abnormal.clone(), &least);
        let numbers = |part: &Tensor<1>| part.clone().into_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(numbers(&loss.normal), [0.25, 0.0, 0.25, 1.0]);
        assert_eq!(numbers(&loss.abnormal), [0.75, 0.0, 0.0, 0.0]);
        let grad = abnormal.grad(&loss.per_pair().sum().backward()).unwrap();
        let grad: Vec<f32> = grad.into_data().iter::<f32>().collect();
        assert_eq!(grad, [-1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}

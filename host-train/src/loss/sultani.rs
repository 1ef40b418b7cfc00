//! The ranking loss of Sultani, Chen and Shah (CVPR 2018, eq 6 and 7), as the paper writes and as the released code computes.
//!
//! The highest segment of an abnormal video must score above the highest of a normal one; scores of an abnormal video shall
//! change slowly and be mostly low.
//!
//! | term | `paper` | `released` |
//! |---|---|---|
//! | ranking | mean over fixed pairs of a normal and an abnormal video | sum over all pairs, divided by the number of normal videos |
//! | smoothness, sparsity | mean over abnormal videos of the sum over a video | sum over all abnormal videos |
//! | weights | their common Euclidean norm | the sum of their squares |

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Weights of the terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SultaniWeights {
    /// The hinge's margin.
    pub margin: f32,
    /// Weight of the squared steps between successive abnormal scores (lambda 1).
    pub smoothness: f32,
    /// Weight of the sum of abnormal scores (lambda 2).
    pub sparsity: f32,
    /// Weight of the network's weights (lambda 3).
    pub weight_penalty: f32,
}

/// A loss and its parts before weighting; each a one-element tensor.
#[derive(Clone, Debug)]
pub struct SultaniLoss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// The hinge.
    pub rank: Tensor<1>,
    /// Squared steps between successive abnormal scores.
    pub smooth: Tensor<1>,
    /// Abnormal scores, summed.
    pub sparse: Tensor<1>,
    /// Size of the network's weights.
    pub weights: Tensor<1>,
}

/// Eq 6 for each pair, then the mean, and eq 7.
///
/// # Shapes
/// `normal` and `abnormal` are `[pairs, segments]`; `squared_weights` is one element above 0.
pub fn paper(
    normal: Tensor<2>,
    abnormal: Tensor<2>,
    squared_weights: Tensor<1>,
    weights: SultaniWeights,
) -> SultaniLoss {
    let pairs = normal.dims()[0].max(1) as f32;
    let rank = relu(highest(normal) - highest(abnormal.clone()) + weights.margin).mean();
    let (smooth, sparse) = (squared_steps(abnormal.clone()) / pairs, abnormal.sum() / pairs);
    joined(rank, smooth, sparse, squared_weights.sqrt(), weights)
}

/// What the released code computes.
///
/// # Shapes
/// As [`paper`].
pub fn released(
    normal: Tensor<2>,
    abnormal: Tensor<2>,
    squared_weights: Tensor<1>,
    weights: SultaniWeights,
) -> SultaniLoss {
    let normals = normal.dims()[0].max(1) as f32;
    let low: Tensor<2> = highest(normal).unsqueeze_dim(1);
    let high: Tensor<2> = highest(abnormal.clone()).unsqueeze_dim(0);
    let rank = relu(low - high + weights.margin).sum() / normals;
    joined(rank, squared_steps(abnormal.clone()), abnormal.sum(), squared_weights, weights)
}

fn joined(
    rank: Tensor<1>,
    smooth: Tensor<1>,
    sparse: Tensor<1>,
    size: Tensor<1>,
    weights: SultaniWeights,
) -> SultaniLoss {
    let total = rank.clone()
        + smooth.clone() * weights.smoothness
        + sparse.clone() * weights.sparsity
        + size.clone() * weights.weight_penalty;
    SultaniLoss { total, rank, smooth, sparse, weights: size }
}

/// `[videos, segments]` to `[videos]`.
fn highest(scores: Tensor<2>) -> Tensor<1> {
    scores.max_dim(1).squeeze_dim(1)
}

/// `sum (s_i - s_i+1)^2` within each video, summed over videos; 0 where videos have one segment.
fn squared_steps(scores: Tensor<2>) -> Tensor<1> {
    let steps = scores.dims()[1].saturating_sub(1);
    if steps == 0 {
        return scores.sum() * 0.0;
    }
    (scores.clone().narrow(1, 0, steps) - scores.narrow(1, 1, steps)).square().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    const WEIGHTS: SultaniWeights =
        SultaniWeights { margin: 1.0, smoothness: 0.5, sparsity: 0.25, weight_penalty: 0.125 };

    type Form = fn(Tensor<2>, Tensor<2>, Tensor<1>, SultaniWeights) -> SultaniLoss;

    struct Computed {
        parts: [f32; 5],
        normal_grad: Vec<f32>,
        abnormal_grad: Vec<f32>,
        weight_grad: f32,
    }

    fn compute(form: Form, normal: &[f32], abnormal: &[f32], segments: usize) -> Computed {
        let device = Device::flex().autodiff();
        let table = |values: &[f32]| -> Tensor<2> {
            let data = TensorData::new(values.to_vec(), [values.len() / segments, segments]);
            Tensor::from_data(data, &device).require_grad()
        };
        let (normal, abnormal) = (table(normal), table(abnormal));
        let squared = Tensor::<1>::from_floats([16.0], &device).require_grad();
        let loss = form(normal.clone(), abnormal.clone(), squared.clone(), WEIGHTS);
        let grads = loss.total.backward();
        let values = |grad: Tensor<2>| grad.into_data().iter::<f32>().collect::<Vec<_>>();
        Computed {
            parts: [loss.total, loss.rank, loss.smooth, loss.sparse, loss.weights]
                .map(|part| part.into_scalar::<f32>()),
            normal_grad: values(normal.grad(&grads).unwrap()),
            abnormal_grad: values(abnormal.grad(&grads).unwrap()),
            weight_grad: squared.grad(&grads).unwrap().into_scalar::<f32>(),
        }
    }

    /// Highest scores: normal 0.5 and 0.25, abnormal 0.75 and 1. Squared steps: 1/16 + 1/4 and 1/4 + 0.
    const NORMAL: [f32; 6] = [0.5, 0.0, 0.25, 0.25, 0.0, 0.125];
    const ABNORMAL: [f32; 6] = [0.5, 0.75, 0.25, 0.5, 1.0, 1.0];

    #[test]
    fn the_paper_compares_pairs_and_averages_over_videos() {
        let got = compute(paper, &NORMAL, &ABNORMAL[..], 3);
        // Hinges 0.75 and 0.25; sums of scores 1.5 and 2.5; sqrt(16).
        let (rank, smooth, sparse) = (0.5, 0.5625 / 2.0, 2.0);
        let total = rank + 0.5 * smooth + 0.25 * sparse + 0.125 * 4.0;
        assert_eq!(got.parts, [total, rank, smooth, sparse, 4.0]);
        assert_eq!(got.normal_grad, [0.5, 0.0, 0.0, 0.5, 0.0, 0.0]);
        // d sqrt(16) = 1 / 8.
        assert_eq!(got.weight_grad, 0.125 / 8.0);
        // Sparsity gives 1/8 everywhere, the step from 0.5 to 0.75 adds -1/8 and 1/8, that from 0.75 to 0.25 adds 1/4 and
        // -1/4, and the highest score has -1/2 from the hinge.
        assert_eq!(got.abnormal_grad[..3], [0.0, 0.125 + 0.125 + 0.25 - 0.5, 0.125 - 0.25]);
    }

    #[test]
    fn the_released_code_compares_all_pairs_and_sums_over_videos() {
        let got = compute(released, &NORMAL, &ABNORMAL, 3);
        // Hinges 0.75 and 0.5 for the first normal video, 0.5 and 0.25 for the second; two normal videos.
        let (rank, smooth, sparse) = (1.0, 0.5625, 4.0);
        let total = rank + 0.5 * smooth + 0.25 * sparse + 0.125 * 16.0;
        assert_eq!(got.parts, [total, rank, smooth, sparse, 16.0]);
        assert_eq!(got.normal_grad, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(got.weight_grad, 0.125);
        assert_eq!(got.abnormal_grad[..3], [0.25 - 0.25, 0.25 + 0.25 + 0.5 - 1.0, 0.25 - 0.5]);
    }

    #[test]
    fn both_forms_agree_on_one_pair_but_for_the_weights() {
        for segments in [1, 3] {
            let (normal, abnormal) = (&NORMAL[..segments], &ABNORMAL[..segments]);
            let forms = [paper as Form, released].map(|form| compute(form, normal, abnormal, segments));
            assert_eq!(forms[0].parts[1..4], forms[1].parts[1..4], "{segments} segments");
            assert_eq!(forms[0].abnormal_grad, forms[1].abnormal_grad);
        }
    }

    #[test]
    fn a_pair_that_is_far_enough_apart_is_left_alone() {
        let got = compute(released, &[-0.5, -1.0], &[0.5, 0.5], 2);
        assert_eq!((got.parts[1], got.normal_grad), (0.0, vec![0.0, 0.0]));
    }
}

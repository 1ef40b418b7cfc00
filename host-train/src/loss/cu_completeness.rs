//! The losses of CU's first stage (CVPR 2023, section 3.1): heads that agree on which video is abnormal and differ on where.
//!
//! All take raw logits `[K, bags, S]`: K heads, the bags of normal videos first and then as many abnormal ones, S segments.
//! The training code was never released; only the text is computed.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, softmax};

/// Keeps the gradient of a length defined where all logits are zero, as on black pictures before the first step.
const LENGTH_FLOOR: f32 = 1e-20;

/// Weights of the terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompletenessWeights {
    /// The hinge's margin (eq 6).
    pub margin: f32,
    /// Weight of both the diversity and the norm term (alpha of eq 7).
    pub alpha: f32,
}

/// Which bags the diversity and the norm term look at; the paper leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Bags of abnormal videos: only they have parts of an anomaly to be found.
    Abnormal,
    /// Every bag.
    All,
}

/// The loss and its parts before weighting; each a one-element tensor.
#[derive(Clone, Debug)]
pub struct CompletenessLoss {
    /// What is minimised (eq 7).
    pub total: Tensor<1>,
    /// The hinge between abnormal and normal bags.
    pub rank: Tensor<1>,
    /// Mean likeness of the heads.
    pub diversity: Tensor<1>,
    /// Mean excess of the heads' lengths.
    pub norm: Tensor<1>,
}

/// Eq 7: `mean rank + alpha * mean diversity + alpha * mean norm`.
pub fn completeness(logits: Tensor<3>, scope: Scope, weights: CompletenessWeights) -> CompletenessLoss {
    let bags = logits.dims()[1];
    let rank = ranking(labels(logits.clone()), weights.margin).mean();
    let regularised = match scope {
        Scope::All => logits,
        Scope::Abnormal => logits.narrow(1, bags / 2, bags - bags / 2),
    };
    let (diversity, norm) = (diversity(regularised.clone()).mean(), norm_excess(regularised).mean());
    let total = rank.clone() + (diversity.clone() + norm.clone()) * weights.alpha;
    CompletenessLoss { total, rank, diversity, norm }
}

/// Eq 1: each head's share of a video's score by segment.
///
/// # Shapes
/// `[K, bags, S]` to the same.
pub fn distributions(logits: Tensor<3>) -> Tensor<3> {
    softmax(logits, 2)
}

/// Eq 2: the mean cosine between the distributions of any two heads; 0 for a single head.
///
/// The mean over pairs of unit vectors is read off the length of their sum.
///
/// # Shapes
/// `[K, bags, S]` to `[bags]`.
pub fn diversity(logits: Tensor<3>) -> Tensor<1> {
    let heads = logits.dims()[0];
    let ordered_pairs = (heads * heads.saturating_sub(1)).max(1) as f32;
    let shares = distributions(logits);
    let directions = shares.clone() / length(shares);
    let sum: Tensor<2> = directions.sum_dim(0).squeeze_dim(0);
    let squared: Tensor<1> = sum.square().sum_dim(1).squeeze_dim(1);
    (squared - heads as f32) / ordered_pairs
}

/// Eq 3 to the letter: the mean length of the heads' logits less the length of their mean; never negative.
///
/// # Shapes
/// `[K, bags, S]` to `[bags]`.
pub fn norm_excess(logits: Tensor<3>) -> Tensor<1> {
    let by_head: Tensor<2> = length(logits.clone()).squeeze_dim(2);
    let heads: Tensor<1> = by_head.mean_dim(0).squeeze_dim(0);
    let mean: Tensor<1> = length(mean_over_heads(logits)).squeeze_dim(1);
    heads - mean
}

/// The mean over heads.
///
/// # Shapes
/// `[K, bags, S]` to `[bags, S]`.
pub fn mean_over_heads(logits: Tensor<3>) -> Tensor<2> {
    logits.mean_dim(0).squeeze_dim(0)
}

/// Eq 4: the score of each segment.
///
/// # Shapes
/// `[K, bags, S]` to `[bags, S]`, each within 0..=1.
pub fn labels(logits: Tensor<3>) -> Tensor<2> {
    sigmoid(mean_over_heads(logits))
}

/// Eq 6 for each pair of a normal and an abnormal bag: `max(0, margin - max y_a + max y_n)`.
///
/// # Shapes
/// `[bags, S]`, normal first, to `[bags / 2]`.
pub fn ranking(labels: Tensor<2>, margin: f32) -> Tensor<1> {
    let pairs = labels.dims()[0] / 2;
    let best: Tensor<1> = labels.max_dim(1).squeeze_dim(1);
    let (normal, abnormal) = (best.clone().narrow(0, 0, pairs), best.narrow(0, pairs, pairs));
    relu(normal - abnormal + margin)
}

/// Euclidean length along the last dimension, which stays with extent 1.
fn length<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    (values.square().sum_dim(D - 1) + LENGTH_FLOOR).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn logits(values: Vec<f32>, shape: [usize; 3]) -> Tensor<3> {
        let device = Device::flex().autodiff();
        Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
    }

    #[test]
    fn zero_logits_have_finite_gradients() {
        let start = logits(vec![0.0; 2 * 2 * 3], [2, 2, 3]);
        let weights = CompletenessWeights { margin: 1.0, alpha: 10.0 };
        let grads = completeness(start.clone(), Scope::All, weights).total.backward();
        let grad = start.grad(&grads).unwrap();
        assert!(grad.into_data().iter::<f32>().all(f32::is_finite));
    }

    #[test]
    fn a_single_head_has_nothing_to_differ_from() {
        let single = diversity(logits(vec![1.0, 2.0, 3.0, 4.0], [1, 2, 2]));
        assert!(single.into_data().iter::<f32>().all(|value| value.abs() < 1e-6));
    }
}

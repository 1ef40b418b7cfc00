//! The multiple-instance ranking losses of MIST stage I, as the paper writes and as the released code computes.
//!
//! Both compare bags: an abnormal video must score higher somewhere than a normal video scores anywhere.
//! Scores are `[bags, L * T]`: L sub-bags of T consecutive clips, sub-bag after sub-bag.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Weights of the terms, common to both forms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankingWeights {
    /// The hinge's margin (epsilon of eq 7).
    pub margin: f32,
    /// Weight of the mean abnormal score (lambda of eq 7), which keeps most of an abnormal video low.
    pub sparsity: f32,
    /// Weight of the squared step between successive abnormal scores (released form only).
    pub smoothness: f32,
}

impl Default for RankingWeights {
    fn default() -> Self {
        Self { margin: 1.0, sparsity: 0.01, smoothness: 0.0 }
    }
}

/// A loss and its parts before weighting; each a one-element tensor.
#[derive(Clone, Debug)]
pub struct RankingLoss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// The hinge term.
    pub rank: Tensor<1>,
    /// Mean abnormal score.
    pub sparse: Tensor<1>,
    /// Mean squared step between successive abnormal scores; `None` when its weight is zero.
    pub smooth: Option<Tensor<1>>,
}

/// Sub-bag scores (eq 1): the mean of each sub-bag's clip scores.
///
/// # Shapes
/// `[bags, L * T]` to `[bags, L]`.
pub fn sub_bag_scores(scores: Tensor<2>, clips_per_segment: usize) -> Tensor<2> {
    let [bags, clips] = scores.dims();
    let segments = clips / clips_per_segment.max(1);
    scores.reshape([bags, segments, clips_per_segment]).mean_dim(2).squeeze_dim(2)
}

/// Eq 7 for each pair of an abnormal and a normal bag:
/// `max(0, margin - max_l S_a + max_l S_n) + sparsity / L * sum_l S_a`.
///
/// # Shapes
/// Both inputs are `[pairs, L * T]`; the result is `[pairs]`.
pub fn paper_paired(
    normal: Tensor<2>,
    abnormal: Tensor<2>,
    clips_per_segment: usize,
    weights: RankingWeights,
) -> Tensor<1> {
    let normal = sub_bag_scores(normal, clips_per_segment);
    let abnormal = sub_bag_scores(abnormal, clips_per_segment);
    let sparse: Tensor<1> = abnormal.clone().mean_dim(1).squeeze_dim(1);
    let best_normal: Tensor<1> = normal.max_dim(1).squeeze_dim(1);
    let best_abnormal: Tensor<1> = abnormal.max_dim(1).squeeze_dim(1);
    relu(best_normal - best_abnormal + weights.margin) + sparse * weights.sparsity
}

/// The paper's loss (eq 1, 6, 7): the mean of [`paper_paired`] over the batch's pairs.
pub fn paper(
    normal: Tensor<2>,
    abnormal: Tensor<2>,
    clips_per_segment: usize,
    weights: RankingWeights,
) -> RankingLoss {
    let sparse = abnormal.clone().mean();
    let hinge_only = RankingWeights { sparsity: 0.0, ..weights };
    let rank = paper_paired(normal, abnormal, clips_per_segment, hinge_only).mean();
    RankingLoss { total: rank.clone() + sparse.clone() * weights.sparsity, rank, sparse, smooth: None }
}

/// Eq 7 with the hinge over all pairs instead of fixed pairs; a one-element tensor.
pub fn paper_all_pairs(
    normal: Tensor<2>,
    abnormal: Tensor<2>,
    clips_per_segment: usize,
    weights: RankingWeights,
) -> Tensor<1> {
    let best = |scores| sub_bag_scores(scores, clips_per_segment).max_dim(1).squeeze_dim(1);
    all_pairs_hinge(best(normal), best(abnormal.clone()), weights.margin) + abnormal.mean() * weights.sparsity
}

/// The released loss: a bag's score is the mean of its `topk` highest single clips (not of sub-bags), and the hinge
/// runs over all pairs, divided by their number.
///
/// # Shapes
/// `normal` is `[Bn, L * T]`, `abnormal` is `[Ba, L * T]`; bags shorter than `topk` use all their clips.
pub fn released(normal: Tensor<2>, abnormal: Tensor<2>, topk: usize, weights: RankingWeights) -> RankingLoss {
    let bag_score = |scores: Tensor<2>| -> Tensor<1> {
        let k = topk.clamp(1, scores.dims()[1].max(1));
        scores.topk(k, 1).mean_dim(1).squeeze_dim(1)
    };
    let rank = all_pairs_hinge(bag_score(normal), bag_score(abnormal.clone()), weights.margin);
    let sparse = abnormal.clone().mean();
    let mut total = rank.clone() + sparse.clone() * weights.sparsity;
    let smooth = (weights.smoothness != 0.0 && abnormal.dims()[1] > 1).then(|| smoothness(abnormal));
    if let Some(smooth) = &smooth {
        total = total + smooth.clone() * weights.smoothness;
    }
    RankingLoss { total, rank, sparse, smooth }
}

/// Mean squared difference of successive scores, within each bag.
///
/// # Shapes
/// `[bags, clips]` with at least two clips, to one element.
pub fn smoothness(scores: Tensor<2>) -> Tensor<1> {
    let clips = scores.dims()[1];
    let earlier = scores.clone().narrow(1, 0, clips - 1);
    let later = scores.narrow(1, 1, clips - 1);
    (later - earlier).square().mean()
}

/// `mean_ij max(0, margin - abnormal_j + normal_i)`.
fn all_pairs_hinge(normal: Tensor<1>, abnormal: Tensor<1>, margin: f32) -> Tensor<1> {
    let normal: Tensor<2> = normal.unsqueeze_dim(1);
    let abnormal: Tensor<2> = abnormal.unsqueeze_dim(0);
    relu(normal - abnormal + margin).mean()
}

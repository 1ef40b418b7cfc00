//! The losses of RTFM (ICCV 2021), as the paper writes and as the released code computes.
//!
//! Both classify a video by its strongest clips, push the features of abnormal videos to large and those of
//! normal ones to small magnitudes, and keep abnormal scores sparse and smooth. They differ in every term:
//!
//! | term | [`paper`] | [`released`] |
//! |---|---|---|
//! | classification (eq 7) | cross entropy of each chosen clip, summed over a video | cross entropy of the chosen clips' mean score |
//! | magnitude | eq 6: `max(0, m - (mean_k norm f_a - mean_k norm f_n))` | `(abs(m - norm mean_k f_a) + norm mean_k f_n)^2` |
//! | sparsity | sum of a video's scores | Euclidean norm of all abnormal scores of the batch |
//! | smoothness | squared steps within each video | squared steps over all abnormal scores in a row, across videos |
//!
//! The paper sums over videos and leaves the batch open; here its terms are means over the videos of a batch.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use vad_data::Label;

use super::labelled_cross_entropy::cross_entropy;

/// Squared norms are kept above this, so that no gradient divides by zero.
const FLOOR: f32 = f32::MIN_POSITIVE;

/// Weights of the terms, common to both forms; the defaults are the published ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RtfmWeights {
    /// Margin of the magnitudes (m of eq 6).
    pub margin: f32,
    /// Weight of the magnitude term.
    pub magnitude: f32,
    /// Weight of the sparsity term.
    pub sparsity: f32,
    /// Weight of the smoothness term.
    pub smoothness: f32,
}

impl Default for RtfmWeights {
    fn default() -> Self {
        Self { margin: 100.0, magnitude: 1e-4, sparsity: 8e-3, smoothness: 8e-4 }
    }
}

/// The strongest clips of one half of a batch.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Their scores, `[videos, k]`.
    pub scores: Tensor<2>,
    /// Their features, `[crops * videos, k, D]`, in the same order in both halves.
    pub features: Tensor<3>,
}

/// A loss and its parts before weighting; each a one-element tensor.
#[derive(Clone, Debug)]
pub struct RtfmLoss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Cross entropy.
    pub classification: Tensor<1>,
    /// Magnitudes against the margin.
    pub magnitude: Tensor<1>,
    /// Size of the abnormal scores.
    pub sparse: Tensor<1>,
    /// Steps between successive abnormal scores.
    pub smooth: Tensor<1>,
}

/// The paper's loss.
///
/// # Shapes
/// `abnormal_scores` holds all segments of the abnormal videos, `[videos, segments]`.
pub fn paper(normal: Chosen, abnormal: Chosen, abnormal_scores: Tensor<2>, weights: RtfmWeights) -> RtfmLoss {
    let videos = abnormal_scores.dims()[0].max(1) as f64;
    let per_video = |scores: Tensor<2>| scores.dims()[1] as f64;
    let classification = (cross_entropy(normal.scores.clone(), Label::Normal).mean()
        * per_video(normal.scores)
        + cross_entropy(abnormal.scores.clone(), Label::Abnormal).mean() * per_video(abnormal.scores))
        / 2.0;
    weighted(
        Terms {
            classification,
            magnitude: paper_magnitude(normal.features, abnormal.features, weights.margin),
            sparse: abnormal_scores.clone().abs().sum() / videos,
            smooth: squared_steps(abnormal_scores) / videos,
        },
        weights,
    )
}

/// The released loss.
///
/// # Shapes
/// `abnormal_scores` holds all segments of the abnormal videos, `[videos, segments]`.
pub fn released(
    normal: Chosen,
    abnormal: Chosen,
    abnormal_scores: Tensor<2>,
    weights: RtfmWeights,
) -> RtfmLoss {
    let count = abnormal_scores.dims().iter().product();
    let in_a_row: Tensor<2> = abnormal_scores.reshape([1, count]);
    weighted(
        Terms {
            classification: released_classification(normal.scores, abnormal.scores),
            magnitude: released_magnitude(normal.features, abnormal.features, weights.margin),
            sparse: norm::<2, 1>(in_a_row.clone(), 1),
            smooth: squared_steps(in_a_row),
        },
        weights,
    )
}

/// Eq 6: the mean over rows of `max(0, margin - (mean_k norm f_a - mean_k norm f_n))`.
///
/// # Shapes
/// Both are `[rows, k, D]`; row i of one meets row i of the other.
pub fn paper_magnitude(normal: Tensor<3>, abnormal: Tensor<3>, margin: f32) -> Tensor<1> {
    let mean_norm =
        |features: Tensor<3>| -> Tensor<1> { norm::<3, 2>(features, 2).mean_dim(1).squeeze_dim(1) };
    relu(mean_norm(normal) - mean_norm(abnormal) + margin).mean()
}

/// The mean over rows of `(abs(margin - norm mean_k f_a) + norm mean_k f_n)^2`.
///
/// # Shapes
/// Both are `[rows, k, D]`; row i of one meets row i of the other.
pub fn released_magnitude(normal: Tensor<3>, abnormal: Tensor<3>, margin: f32) -> Tensor<1> {
    let norm_of_mean = |features: Tensor<3>| -> Tensor<1> {
        let mean: Tensor<2> = features.mean_dim(1).squeeze_dim(1);
        norm::<2, 1>(mean, 1)
    };
    ((norm_of_mean(abnormal) - margin).abs() + norm_of_mean(normal)).square().mean()
}

/// Cross entropy of each video's mean score, averaged over the videos of both halves.
fn released_classification(normal: Tensor<2>, abnormal: Tensor<2>) -> Tensor<1> {
    let normal = cross_entropy(normal.mean_dim(1), Label::Normal);
    let abnormal = cross_entropy(abnormal.mean_dim(1), Label::Abnormal);
    Tensor::cat(vec![normal, abnormal], 0).mean()
}

/// Sum of squared differences of successive scores within each row; zero for rows of one.
fn squared_steps(scores: Tensor<2>) -> Tensor<1> {
    let steps = scores.dims()[1].saturating_sub(1);
    if steps == 0 {
        return scores.sum() * 0.0;
    }
    let earlier = scores.clone().narrow(1, 0, steps);
    (scores.narrow(1, 1, steps) - earlier).square().sum()
}

/// Euclidean norms along a dimension, which is dropped. The gradient at zero is zero.
fn norm<const D: usize, const REST: usize>(values: Tensor<D>, dim: usize) -> Tensor<REST> {
    values.square().sum_dim(dim).clamp_min(FLOOR).sqrt().squeeze_dim(dim)
}

struct Terms {
    classification: Tensor<1>,
    magnitude: Tensor<1>,
    sparse: Tensor<1>,
    smooth: Tensor<1>,
}

fn weighted(terms: Terms, weights: RtfmWeights) -> RtfmLoss {
    let Terms { classification, magnitude, sparse, smooth } = terms;
    let total = classification.clone()
        + magnitude.clone() * weights.magnitude
        + sparse.clone() * weights.sparsity
        + smooth.clone() * weights.smoothness;
    RtfmLoss { total, classification, magnitude, sparse, smooth }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    /// A handful of `f32` operations on numbers around 1.
    const TOLERANCE: f32 = 1e-5;

    fn scores(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    fn chosen(values: &[f32], device: &Device) -> Chosen {
        let scores = scores(values, [1, values.len()], device);
        Chosen { scores, features: Tensor::zeros([1, values.len(), 2], device) }
    }

    fn check(got: Tensor<1>, want: f32) {
        let got = got.into_scalar::<f32>();
        assert!((got - want).abs() < TOLERANCE, "{got} {want}");
    }

    #[test]
    fn the_two_forms_read_the_same_scores_differently() {
        let device = Device::flex();
        let (normal, abnormal) = (chosen(&[0.1, 0.3], &device), chosen(&[0.6, 0.8], &device));
        let all = scores(&[0.0, 0.6, 0.8, 0.0], [2, 2], &device);
        let weights = RtfmWeights::default();
        let paper = paper(normal.clone(), abnormal.clone(), all.clone(), weights);
        let released = released(normal, abnormal, all, weights);
        let sum_of_logs = |values: [f32; 4]| -values.map(f32::ln).iter().sum::<f32>();
        check(paper.classification, sum_of_logs([0.9, 0.7, 0.6, 0.8]) / 2.0);
        check(released.classification, -(0.8_f32.ln() + 0.7_f32.ln()) / 2.0);
        check(paper.sparse, 0.7);
        check(released.sparse, 1.0);
        check(paper.smooth, (0.36 + 0.64) / 2.0);
        check(released.smooth, 0.36 + 0.04 + 0.64);
        check(paper.magnitude, 100.0);
        check(released.magnitude, 10_000.0);
    }

    #[test]
    fn saturated_scores_and_vanished_features_keep_finite_gradients() {
        let device = Device::flex().autodiff();
        for form in [paper, released] {
            let raw = scores(&[0.0, 1.0], [1, 2], &device).require_grad();
            let features = Tensor::<3>::zeros([1, 2, 3], &device).require_grad();
            let half = Chosen { scores: raw.clone(), features: features.clone() };
            let loss = form(half.clone(), half, raw.clone(), RtfmWeights::default());
            assert!(loss.total.clone().into_scalar::<f32>().is_finite());
            let grads = loss.total.backward();
            let finite = |data: TensorData| data.iter::<f32>().all(|value| value.is_finite());
            assert!(raw.grad(&grads).is_some_and(|grad| finite(grad.into_data())));
            assert!(features.grad(&grads).is_some_and(|grad| finite(grad.into_data())));
        }
    }
}

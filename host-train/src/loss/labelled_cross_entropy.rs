//! Cross entropy of scores against labels, some of which may be missing (ARMS, eq 5).

use burn::tensor::{Tensor, TensorData};
use vad_data::Label;

/// Probabilities are kept above this, so that no gradient divides by zero.
const FLOOR: f32 = f32::MIN_POSITIVE;

/// `-ln score` of what should be abnormal, `-ln (1 - score)` of what should be normal.
pub(super) fn cross_entropy<const D: usize>(scores: Tensor<D>, label: Label) -> Tensor<D> {
    let probability = match label {
        Label::Abnormal => scores,
        Label::Normal => -scores + 1.0,
    };
    -probability.clamp_min(FLOOR).log()
}

/// The mean cross entropy of all snippets that have a label; 0 when none has. One element.
///
/// # Shapes
/// `scores` is `[videos, snippets]`; `labels` has one entry per video with one label per snippet. Missing entries count as
/// missing labels.
pub fn labelled_cross_entropy(scores: Tensor<2>, labels: &[Vec<Option<Label>>]) -> Tensor<1> {
    let labelled = labels.iter().flatten().flatten().count();
    let of = |label: Label| cross_entropy(scores.clone(), label) * mask(&scores, labels, label);
    // Not divided: burn divides gradients in single precision, whatever the precision of the scores.
    (of(Label::Abnormal) + of(Label::Normal)).sum() * (1.0 / labelled.max(1) as f64)
}

/// 1 where the label is this one, in the shape and precision of the scores.
fn mask(scores: &Tensor<2>, labels: &[Vec<Option<Label>>], wanted: Label) -> Tensor<2> {
    let [videos, snippets] = scores.dims();
    let at = |video: usize, snippet: usize| labels.get(video)?.get(snippet).copied().flatten();
    let values: Vec<f32> = (0..videos * snippets)
        .map(|index| f32::from(u8::from(at(index / snippets, index % snippets) == Some(wanted))))
        .collect();
    let data = TensorData::new(values, [videos, snippets]);
    Tensor::from_data(data, (&scores.device(), scores.dtype()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Three logarithms in `f32`.
    const TOLERANCE: f32 = 1e-6;

    fn scores(values: [[f32; 2]; 2]) -> Tensor<2> {
        Tensor::from_floats(values, &Device::flex().autodiff()).require_grad()
    }

    #[test]
    fn snippets_without_a_label_have_neither_loss_nor_gradient() {
        let scores = scores([[0.25, 0.5], [0.75, 0.0]]);
        let labels = [vec![Some(Label::Abnormal), None], vec![Some(Label::Normal)]];
        let loss = labelled_cross_entropy(scores.clone(), &labels);
        let want = -(0.25_f32.ln() + 0.25_f32.ln()) / 2.0;
        assert!((loss.clone().into_scalar::<f32>() - want).abs() < TOLERANCE);
        let grad = scores.grad(&loss.backward()).unwrap();
        let grad: Vec<f32> = grad.into_data().iter::<f32>().collect();
        assert!((grad[0] + 2.0).abs() < TOLERANCE && (grad[2] - 2.0).abs() < TOLERANCE, "{grad:?}");
        assert_eq!([grad[1], grad[3]], [0.0, 0.0]);
    }

    #[test]
    fn no_label_and_certain_scores_stay_finite() {
        let certain = scores([[0.0, 1.0], [0.0, 1.0]]);
        assert_eq!(labelled_cross_entropy(certain.clone(), &[]).into_scalar::<f32>(), 0.0);
        let wrong = vec![Some(Label::Abnormal), Some(Label::Normal)];
        let loss = labelled_cross_entropy(certain.clone(), &[wrong.clone(), wrong]);
        assert!(loss.clone().into_scalar::<f32>().is_finite());
        let grad = certain.grad(&loss.backward()).unwrap();
        assert!(grad.into_data().iter::<f32>().all(f32::is_finite));
    }
}

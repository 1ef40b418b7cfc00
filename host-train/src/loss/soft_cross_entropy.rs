//! Cross entropy of two classes against labels between 0 and 1 (CU, eq 11); burn's own takes whole labels only.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

/// `-(y log p_1 + (1 - y) log p_0)` of each row.
///
/// Eq 11 is the sum; training takes the mean, so that the step size does not depend on the size of the batch.
///
/// # Shapes
/// `logits` is `[rows, 2]`, class 1 abnormal; `labels` is `[rows]`, each within 0..=1; the result is `[rows]`.
pub fn soft_cross_entropy(logits: Tensor<2>, labels: Tensor<1>) -> Tensor<1> {
    let logs = log_softmax(logits, 1);
    let class = |index: usize| -> Tensor<1> { logs.clone().narrow(1, index, 1).squeeze_dim(1) };
    let (normal, abnormal) = (class(0), class(1));
    // y log p_1 + (1 - y) log p_0, with one product.
    (labels * (abnormal - normal.clone()) + normal).neg()
}

//! The ranking loss that ARMS is compared with (MS-MIL, eq 1 and 2 of its paper).

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Distance by which an abnormal video shall lie above a normal one.
const MARGIN: f64 = 1.0;

/// `max(0, 1 - mean of the topk highest abnormal scores + highest normal score)` for each pair: eq 1 with `topk` 1, else
/// eq 2. Videos with fewer snippets use all of theirs.
///
/// # Shapes
/// Both are `[pairs, snippets]`; the result is `[pairs]`.
pub fn ms_mil(normal: Tensor<2>, abnormal: Tensor<2>, topk: usize) -> Tensor<1> {
    let k = topk.clamp(1, abnormal.dims()[1].max(1));
    let highest_normal: Tensor<1> = normal.max_dim(1).squeeze_dim(1);
    let highest_abnormal: Tensor<1> = abnormal.topk(k, 1).mean_dim(1).squeeze_dim(1);
    relu(highest_normal - highest_abnormal + MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn the_normal_side_has_a_maximum_and_the_abnormal_side_a_mean() {
        let device = Device::flex();
        let normal = Tensor::from_floats([[0.0, 0.5, 0.25]], &device);
        let abnormal: Tensor<2> = Tensor::from_floats([[0.25, 1.0, 0.25]], &device);
        let loss = |topk| ms_mil(normal.clone(), abnormal.clone(), topk).into_scalar::<f32>();
        assert_eq!([1, 2, 3, 99].map(loss), [0.5, 0.875, 1.0, 1.0]);
    }
}

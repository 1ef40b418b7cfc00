//! A module's parameters, or the gradients that stand in for them.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The parameter, or its gradient (zero where there is none).
pub(crate) fn value<const D: usize>(param: &Param<Tensor<D>>, grads: Option<&GradientsParams>) -> Tensor<D> {
    match grads {
        None => param.val(),
        Some(grads) => grads.get(param.id).unwrap_or_else(|| param.val().inner().zeros_like()),
    }
}

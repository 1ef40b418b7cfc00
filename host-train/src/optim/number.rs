//! What a formula of an optimiser is written in: it then holds for one value as well as for tensors of any shape.

use std::ops::{Add, Div, Mul, Sub};

use burn::tensor::Tensor;

/// A value, or a tensor of them, with element-wise operations among each other and with constants.
pub(crate) trait Number:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f32, Output = Self>
    + Mul<f32, Output = Self>
    + Div<f32, Output = Self>
{
    fn sqrt(self) -> Self;

    fn square(self) -> Self {
        self.clone() * self
    }
}

impl Number for f32 {
    #[inline]
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

impl<const D: usize> Number for Tensor<D> {
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

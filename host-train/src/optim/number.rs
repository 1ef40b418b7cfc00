//! What a formula of an optimiser is written in: it then holds for one value as well as for tensors of any shape.

use std::ops::{Add, Div, Mul, Sub};

use burn::tensor::{DType, Tensor};

/// A value, or a tensor of them, with element-wise operations among each other and with constants.
pub(crate) trait Number:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<<Self as Number>::Constant, Output = Self>
    + Mul<<Self as Number>::Constant, Output = Self>
    + Div<<Self as Number>::Constant, Output = Self>
{
    type Constant: Copy + Sub<Output = Self::Constant>;

    /// Settings as constants of no more than these values' precision, so that what is worked out from them (`1 - rho`) is
    /// the same for values as for tensors of them.
    fn constants<const N: usize>(&self, settings: [impl Into<f64>; N]) -> [Self::Constant; N];

    fn sqrt(self) -> Self;

    fn square(self) -> Self {
        self.clone() * self
    }
}

impl Number for f32 {
    type Constant = Self;

    #[inline]
    fn constants<const N: usize>(&self, settings: [impl Into<f64>; N]) -> [Self; N] {
        settings.map(|setting| setting.into() as Self)
    }

    #[inline]
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

impl<const D: usize> Number for Tensor<D> {
    type Constant = f64;

    fn constants<const N: usize>(&self, settings: [impl Into<f64>; N]) -> [f64; N] {
        match self.dtype() {
            DType::F64 => settings.map(Into::into),
            _ => settings.map(|setting| f64::from(setting.into() as f32)),
        }
    }

    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

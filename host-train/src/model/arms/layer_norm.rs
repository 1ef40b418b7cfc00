//! Layer normalisation under PyTorch's names.

use burn::module::{Module, Param};
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor, TensorData};

use crate::tensors::{Array, Arrays};

/// Added to variances; PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Brings every row to zero mean and unit (biased) variance, then scales and shifts its columns.
#[derive(Module, Debug)]
pub struct LayerNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
}

impl LayerNorm {
    /// Takes `NAME.weight` and `NAME.bias` from `source`.
    ///
    /// # Errors
    /// Those of `source`.
    pub(super) fn build<E>(
        name: &str,
        width: usize,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let mut vector = |part: &str| -> Result<_, E> {
            let array = source(&format!("{name}.{part}"), &[width])?;
            Ok(Param::from_data(TensorData::new(array.values, [width]), device))
        };
        Ok(Self { gamma: vector("weight")?, beta: vector("bias")? })
    }

    /// Adds `NAME.weight` and `NAME.bias`.
    pub(super) fn store(&self, name: &str, arrays: &mut Arrays) {
        arrays.insert(format!("{name}.weight"), Array::from_tensor(self.gamma.val()));
        arrays.insert(format!("{name}.bias"), Array::from_tensor(self.beta.val()));
    }

    /// Normalises each row.
    ///
    /// # Shapes
    /// `[rows, width]` to the same.
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        layer_norm(rows, self.gamma.val(), Some(self.beta.val()), EPSILON)
    }
}

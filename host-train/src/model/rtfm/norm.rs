//! Batch normalisation of rows whose running variance is the unbiased one, as in the published trainer.
//!
//! burn's own layer keeps the biased one and chooses between batch and running statistics by the device.

use burn::module::{Module, Param, RunningState};
use burn::optim::GradientsParams;
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor, TensorData};

use crate::params::value;
use crate::tensors::{Array, Arrays};

/// Added to variances; PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Share of a step's statistics in the running ones; PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Which statistics rows are normalised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those gathered in training.
    Running,
    /// Those of the rows at hand, which then enter the running ones.
    Batch,
}

/// Normalises each column of `[rows, width]`.
#[derive(Module, Debug)]
pub struct Norm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    mean: RunningState<Tensor<1>>,
    variance: RunningState<Tensor<1>>,
}

impl Norm {
    /// Takes `NAME.weight`, `.bias`, `.running_mean` and `.running_var` from `source`.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn build<E>(
        name: &str,
        width: usize,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let mut vector = |part: &str| {
            let array = source(&format!("{name}.{part}"), &[width])?;
            Ok(TensorData::new(array.values, [width]))
        };
        Ok(Self {
            gamma: Param::from_data(vector("weight")?, device),
            beta: Param::from_data(vector("bias")?, device),
            mean: RunningState::new(Tensor::from_data(vector("running_mean")?, device)),
            variance: RunningState::new(Tensor::from_data(vector("running_var")?, device)),
        })
    }

    /// Normalises, and in training learns the running statistics.
    ///
    /// # Shapes
    /// `[rows, width]` to the same.
    pub fn forward(&self, rows: Tensor<2>, statistics: Statistics) -> Tensor<2> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        if statistics == Statistics::Running {
            let (mean, variance) = (self.mean.value_sync(), self.variance.value_sync());
            return batch_norm(rows, gamma, beta, mean, variance, EPSILON);
        }
        let count = rows.dims()[0] as f64;
        let result = batch_norm_train(rows, gamma, beta, EPSILON);
        remember(&self.mean, result.mean);
        remember(&self.variance, result.variance * (count / (count - 1.0).max(1.0)));
        result.output
    }

    /// Adds the parameters and statistics, or the gradients alone, under the published names.
    pub fn store(&self, name: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let mut add = |part: &str, tensor: Tensor<1>| {
            arrays.insert(format!("{name}.{part}"), Array::from_tensor(tensor));
        };
        add("weight", value(&self.gamma, grads));
        add("bias", value(&self.beta, grads));
        if grads.is_none() {
            add("running_mean", self.mean.value_sync());
            add("running_var", self.variance.value_sync());
        }
    }

    /// Attaches the parameters of `given` to this layer's parameters as their gradients.
    pub fn register(&self, given: &Self, grads: &mut GradientsParams) {
        grads.register(self.gamma.id, given.gamma.val());
        grads.register(self.beta.id, given.beta.val());
    }
}

fn remember(state: &RunningState<Tensor<1>>, latest: Tensor<1>) {
    let mixed = state.value_sync() * (1.0 - MOMENTUM) + latest.detach() * MOMENTUM;
    state.update(mixed.detach());
    // Taken in at once, so that whichever thread reads next finds it.
    drop(state.value_sync());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn norm(width: usize) -> Norm {
        let mut source = |name: &str, shape: &[usize]| {
            let one = name.ends_with("weight") || name.ends_with("var");
            let values = vec![if one { 1.0 } else { 0.0 }; shape[0]];
            Ok::<_, Infallible>(Array { shape: shape.to_vec(), values })
        };
        let Ok(norm) = Norm::build("n", width, &mut source, &Device::flex().autodiff());
        norm
    }

    /// A handful of `f32` operations.
    const TOLERANCE: f32 = 1e-6;

    #[test]
    fn running_statistics_take_a_tenth_of_the_unbiased_ones() {
        let norm = norm(1);
        let data = TensorData::new(vec![1.0_f32, 3.0, 5.0], [3, 1]);
        let rows = Tensor::from_data(data, &Device::flex().autodiff());
        let batch = norm.forward(rows.clone(), Statistics::Batch);
        let first = batch.into_data().iter::<f32>().next().unwrap();
        assert!((first + 2.0 / (8.0_f32 / 3.0 + 1e-5).sqrt()).abs() < TOLERANCE, "{first}");
        let mut arrays = Arrays::new();
        norm.store("n", None, &mut arrays);
        // Mean 3, variance 8 / 2 without bias.
        assert!((arrays["n.running_mean"].values[0] - 0.3).abs() < TOLERANCE);
        assert!((arrays["n.running_var"].values[0] - (0.9 + 0.4)).abs() < TOLERANCE);
        let running = norm.forward(rows, Statistics::Running);
        let first = running.into_data().iter::<f32>().next().unwrap();
        assert!((first - 0.7 / (1.3_f32 + 1e-5).sqrt()).abs() < TOLERANCE, "{first}");
    }
}

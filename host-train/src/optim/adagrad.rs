//! Adagrad with L2-coupled weight decay, its accumulators kept by parameter path.
//!
//! burn's own optimiser computes the same, but keys its state by random identifiers and loads it on whichever device
//! is the default of the build; a checkpoint needs names and an explicit device.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::number::Number;
use super::rule::{self, Formula, Rule};
use super::state::Slots;
use crate::tensors::{Arrays, TensorsError};

/// Settings of [`Adagrad`]; the defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdagradConfig {
    /// Step size.
    pub learning_rate: f32,
    /// Share of each parameter added to its gradient.
    pub weight_decay: f32,
    /// Added to the root of the accumulator.
    pub epsilon: f32,
}

impl Default for AdagradConfig {
    fn default() -> Self {
        Self { learning_rate: 0.01, weight_decay: 0.0, epsilon: 1e-10 }
    }
}

/// `g' = g + wd * w; s += g'^2; w -= lr * g' / (sqrt(s) + eps)`.
#[derive(Clone, Debug)]
pub struct Adagrad {
    config: AdagradConfig,
    /// Sums of squared gradients.
    sums: Slots,
}

impl Adagrad {
    /// Without any history: the accumulators start at zero.
    pub fn new(config: AdagradConfig) -> Self {
        Self { config, sums: Slots::default() }
    }

    /// One step; parameters without a gradient stay as they are.
    pub fn step<M: Module>(&mut self, module: M, grads: GradientsParams) -> M {
        rule::apply(self, module, grads)
    }

    /// The accumulators by parameter path, each flattened.
    pub fn to_arrays(&self) -> Arrays {
        self.sums.to_arrays("")
    }

    /// Continues from saved accumulators.
    ///
    /// # Errors
    /// When an array is not one-dimensional; `origin` says where the arrays came from.
    pub fn from_arrays(
        config: AdagradConfig,
        arrays: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        Ok(Self { config, sums: Slots::from_arrays(arrays, "", origin, device)? })
    }
}

impl Rule<1> for Adagrad {
    type Formula = AdagradConfig;

    fn next(&mut self, _path: &str) -> AdagradConfig {
        self.config
    }

    fn slots(&mut self) -> [&mut Slots; 1] {
        [&mut self.sums]
    }
}

impl Formula<1> for AdagradConfig {
    #[inline]
    fn apply<T: Number>(&self, weight: T, grad: T, [sum]: [T; 1]) -> (T, [T; 1]) {
        let Self { learning_rate, weight_decay, epsilon } = *self;
        let [rate, decay, epsilon] = weight.constants([learning_rate, weight_decay, epsilon]);
        let grad = if weight_decay == 0.0 { grad } else { grad + weight.clone() * decay };
        let sum = sum + grad.clone().square();
        (weight - grad / (sum.clone().sqrt() + epsilon) * rate, [sum])
    }
}

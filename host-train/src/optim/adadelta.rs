//! Adadelta (Zeiler, 2012) with L2-coupled weight decay, its averages kept by parameter path.
//!
//! burn has none. As for [`super::adagrad`], a checkpoint needs names and an explicit device.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::number::Number;
use super::rule::{self, Formula, Rule};
use super::state::Slots;
use crate::tensors::{Arrays, TensorsError};

/// Settings of [`Adadelta`]; the defaults are PyTorch's. Parameters of single precision are updated by their rounded values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdadeltaConfig {
    /// Factor of each update.
    pub learning_rate: f64,
    /// Share of each parameter added to its gradient.
    pub weight_decay: f64,
    /// Decay of both averages per step.
    pub rho: f64,
    /// Added under both roots.
    pub epsilon: f64,
}

impl Default for AdadeltaConfig {
    fn default() -> Self {
        Self { learning_rate: 1.0, weight_decay: 0.0, rho: 0.9, epsilon: 1e-6 }
    }
}

/// `g' = g + wd * w; s = rho s + (1 - rho) g'^2; d = sqrt(u + eps) / sqrt(s + eps) * g';
/// u = rho u + (1 - rho) d^2; w -= lr * d`.
#[derive(Clone, Debug)]
pub struct Adadelta {
    config: AdadeltaConfig,
    /// Averages of squared gradients.
    gradients: Slots,
    /// Averages of squared updates.
    updates: Slots,
}

impl Adadelta {
    /// Without any history: both averages start at zero.
    pub fn new(config: AdadeltaConfig) -> Self {
        Self { config, gradients: Slots::default(), updates: Slots::default() }
    }

    /// One step; parameters without a gradient stay as they are.
    pub fn step<M: Module>(&mut self, module: M, grads: GradientsParams) -> M {
        rule::apply(self, module, grads)
    }

    /// The averages of squared gradients (`s.PATH`) and of squared updates (`u.PATH`), flattened.
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = self.gradients.to_arrays("s.");
        arrays.extend(self.updates.to_arrays("u."));
        arrays
    }

    /// Continues from saved averages.
    ///
    /// # Errors
    /// When an array is not one-dimensional; `origin` says where the arrays came from.
    pub fn from_arrays(
        config: AdadeltaConfig,
        arrays: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        Ok(Self {
            config,
            gradients: Slots::from_arrays(arrays, "s.", origin, device)?,
            updates: Slots::from_arrays(arrays, "u.", origin, device)?,
        })
    }
}

impl Rule<2> for Adadelta {
    type Formula = AdadeltaConfig;

    fn next(&mut self, _path: &str) -> AdadeltaConfig {
        self.config
    }

    fn slots(&mut self) -> [&mut Slots; 2] {
        [&mut self.gradients, &mut self.updates]
    }
}

impl Formula<2> for AdadeltaConfig {
    #[inline]
    fn apply<T: Number>(&self, weight: T, grad: T, [squares, updates]: [T; 2]) -> (T, [T; 2]) {
        let Self { learning_rate, weight_decay, rho, epsilon } = *self;
        let [rate, decay, rho, epsilon, one] =
            weight.constants([learning_rate, weight_decay, rho, epsilon, 1.0]);
        let grad = if weight_decay == 0.0 { grad } else { grad + weight.clone() * decay };
        let squares = squares * rho + grad.clone().square() * (one - rho);
        let delta = (updates.clone() + epsilon).sqrt() / (squares.clone() + epsilon).sqrt() * grad;
        let updates = updates * rho + delta.clone().square() * (one - rho);
        (weight - delta * rate, [squares, updates])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tensor;

    /// Three steps in `f32` against the same in `f64`.
    const TOLERANCE: f64 = 1e-6;

    /// Zeiler's algorithm 1 for one parameter, written out.
    fn by_hand(mut weight: f64, grads: [f64; 3]) -> f64 {
        let (mut squares, mut moves) = (0.0_f64, 0.0_f64);
        for grad in grads {
            squares = 0.9 * squares + 0.1 * grad * grad;
            let delta = (moves + 1e-6).sqrt() / (squares + 1e-6).sqrt() * grad;
            moves = 0.9 * moves + 0.1 * delta * delta;
            weight -= 0.1 * delta;
        }
        weight
    }

    /// The same in single precision, every constant rounded before it is used.
    fn by_hand_in_single_precision(mut weight: f32, grads: [f32; 3]) -> f32 {
        let (mut squares, mut moves) = (0.0_f32, 0.0_f32);
        for grad in grads {
            squares = squares * 0.9 + grad * grad * (1.0 - 0.9);
            let delta = (moves + 1e-6).sqrt() / (squares + 1e-6).sqrt() * grad;
            moves = moves * 0.9 + delta * delta * (1.0 - 0.9);
            weight -= delta * 0.1;
        }
        weight
    }

    #[test]
    fn three_steps_equal_the_algorithm_written_out_and_survive_a_save() {
        let device = Device::flex();
        let grads = [[0.5_f32, -2e-3], [-0.25, 1e-3], [1.5, 4.0]];
        let config = AdadeltaConfig { learning_rate: 0.1, ..AdadeltaConfig::default() };
        let mut optimiser = Adadelta::new(config);
        let mut weight: Tensor<1> = Tensor::from_floats([1.0, -0.3], &device);
        for grad in grads {
            let saved = optimiser.to_arrays();
            optimiser = Adadelta::from_arrays(config, &saved, "test", &device).unwrap();
            weight = rule::update(&mut optimiser, "w", weight, Tensor::from_floats(grad, &device));
        }
        let got: Vec<f32> = weight.into_data().iter::<f32>().collect();
        for (index, start) in [1.0, -0.3].into_iter().enumerate() {
            let want = by_hand(start, grads.map(|grad| f64::from(grad[index])));
            assert!((f64::from(got[index]) - want).abs() < TOLERANCE, "{} {want}", got[index]);
            let rounded = by_hand_in_single_precision(start as f32, grads.map(|grad| grad[index]));
            assert_eq!(got[index].to_bits(), rounded.to_bits(), "{} {rounded}", got[index]);
        }
    }
}

//! Adam with L2-coupled weight decay (Kingma and Ba, ICLR 2015), its moments kept by parameter path.
//!
//! Coupled means that the decay is added to the gradient and so passes through the moments, as in the published trainers;
//! it is not AdamW. As for [`super::adagrad`], a checkpoint needs names and an explicit device.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::number::Number;
use super::rule::{self, Formula, Rule};
use super::state::Slots;
use crate::tensors::{Array, Arrays, TensorsError};

/// Settings of [`Adam`]; the defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Step size.
    pub learning_rate: f32,
    /// Share of each parameter added to its gradient.
    pub weight_decay: f32,
    /// Decay of the first moment per step.
    pub beta1: f32,
    /// Decay of the second moment per step.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { learning_rate: 1e-3, weight_decay: 0.0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// `g' = g + wd * w; m = b1 m + (1 - b1) g'; v = b2 v + (1 - b2) g'^2;
/// w -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)`, where t counts the steps of that parameter.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    first: Slots,
    second: Slots,
    steps: BTreeMap<String, u32>,
}

impl Adam {
    /// Without any history.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, first: Slots::default(), second: Slots::default(), steps: BTreeMap::new() }
    }

    /// Changes the step size, for schedules.
    pub fn set_learning_rate(&mut self, learning_rate: f32) {
        self.config.learning_rate = learning_rate;
    }

    /// One step; parameters without a gradient stay as they are.
    pub fn step<M: Module>(&mut self, module: M, grads: GradientsParams) -> M {
        rule::apply(self, module, grads)
    }

    /// Moments (`m.PATH`, `v.PATH`, flattened) and step counts (`t.PATH`).
    pub fn to_arrays(&self) -> Arrays {
        let mut arrays = self.first.to_arrays("m.");
        arrays.extend(self.second.to_arrays("v."));
        for (path, steps) in &self.steps {
            arrays.insert(format!("t.{path}"), Array { shape: vec![1], values: vec![*steps as f32] });
        }
        arrays
    }

    /// Continues from saved moments.
    ///
    /// # Errors
    /// When an array is not one-dimensional; `origin` says where the arrays came from.
    pub fn from_arrays(
        config: AdamConfig,
        arrays: &Arrays,
        origin: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let steps = |(name, array): (&String, &Array)| {
            Some((name.strip_prefix("t.")?.to_owned(), array.values.first().copied()? as u32))
        };
        Ok(Self {
            config,
            first: Slots::from_arrays(arrays, "m.", origin, device)?,
            second: Slots::from_arrays(arrays, "v.", origin, device)?,
            steps: arrays.iter().filter_map(steps).collect(),
        })
    }
}

impl Rule<2> for Adam {
    type Formula = Step;

    fn next(&mut self, path: &str) -> Step {
        let steps = self.steps.entry(path.to_owned()).or_default();
        *steps += 1;
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(*steps as i32);
        let AdamConfig { learning_rate, beta1, beta2, .. } = self.config;
        Step {
            config: self.config,
            root_correction: correction(beta2).sqrt() as f32,
            rate: (f64::from(learning_rate) / correction(beta1)) as f32,
        }
    }

    fn slots(&mut self) -> [&mut Slots; 2] {
        [&mut self.first, &mut self.second]
    }
}

/// A parameter's step with its corrections for the averages' start at zero.
pub(crate) struct Step {
    config: AdamConfig,
    root_correction: f32,
    rate: f32,
}

impl Formula<2> for Step {
    #[inline]
    fn apply<T: Number>(&self, weight: T, grad: T, [first, second]: [T; 2]) -> (T, [T; 2]) {
        let AdamConfig { weight_decay, beta1, beta2, epsilon, .. } = self.config;
        let [beta1, beta2, one] = weight.constants([beta1, beta2, 1.0]);
        let [decay, epsilon] = weight.constants([weight_decay, epsilon]);
        let [root_correction, rate] = weight.constants([self.root_correction, self.rate]);
        let grad = if weight_decay == 0.0 { grad } else { grad + weight.clone() * decay };
        let first = first * beta1 + grad.clone() * (one - beta1);
        let second = second * beta2 + grad.square() * (one - beta2);
        let root = second.clone().sqrt() / root_correction + epsilon;
        (weight - first.clone() / root * rate, [first, second])
    }
}

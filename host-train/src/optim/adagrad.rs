//! Adagrad with L2-coupled weight decay, its accumulators kept by parameter path.
//!
//! burn's own optimiser computes the same, but keys its state by random identifiers and loads it on whichever device
//! is the default of the build; a checkpoint needs names and an explicit device.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::tensors::{Array, Arrays, TensorsError, require};

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
    /// Sums of squared gradients by parameter path, flattened.
    sums: BTreeMap<String, Tensor<1>>,
}

impl Adagrad {
    /// Without any history: the accumulators start at zero.
    pub fn new(config: AdagradConfig) -> Self {
        Self { config, sums: BTreeMap::new() }
    }

    /// One step; parameters without a gradient stay as they are.
    pub fn step<M: Module>(&mut self, module: M, grads: GradientsParams) -> M {
        module.map(&mut Mapper { optimiser: self, grads, path: Vec::new() })
    }

    /// The accumulators by parameter path, each flattened.
    pub fn to_arrays(&self) -> Arrays {
        self.sums.iter().map(|(path, sum)| (path.clone(), Array::from_tensor(sum.clone()))).collect()
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
        let sum = |path: &String| {
            Ok::<_, TensorsError>((
                path.clone(),
                require(arrays, origin, path)?.to_tensor(origin, path, device)?,
            ))
        };
        Ok(Self { config, sums: arrays.keys().map(sum).collect::<Result<_, _>>()? })
    }

    fn update<const D: usize>(&mut self, path: String, weight: Tensor<D>, grad: Tensor<D>) -> Tensor<D> {
        let AdagradConfig { learning_rate, weight_decay, epsilon } = self.config;
        let grad = if weight_decay == 0.0 { grad } else { grad + weight.clone() * weight_decay };
        let square: Tensor<1> = grad.clone().square().flatten(0, D - 1);
        let sum = match self.sums.remove(&path) {
            Some(sum) => sum + square,
            None => square,
        };
        self.sums.insert(path, sum.clone());
        let root = sum.reshape(weight.dims()).sqrt() + epsilon;
        weight - grad / root * learning_rate
    }
}

struct Mapper<'a> {
    optimiser: &'a mut Adagrad,
    grads: GradientsParams,
    path: Vec<String>,
}

impl ModuleMapper for Mapper<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let updated = match self.grads.remove::<D>(id) {
            Some(grad) => {
                let plain = self.optimiser.update(self.path.join("."), tensor.inner(), grad);
                Tensor::from_inner(plain).require_grad()
            }
            None => tensor,
        };
        Param::from_mapped_value(id, updated, mapper)
    }
}

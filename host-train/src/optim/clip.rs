//! Gradient clipping by the norm over *all* parameters; burn clips each tensor by itself.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// Keeps the division defined and equals the published trainers (PyTorch adds the same).
const NORM_FLOOR: f32 = 1e-6;

/// The Euclidean norm of all gradients of a module taken together.
pub fn global_norm<M: Module>(module: &M, grads: &GradientsParams) -> f32 {
    let mut visitor = SquaredNorm { grads, parts: Vec::new() };
    module.visit(&mut visitor);
    if visitor.parts.is_empty() {
        return 0.0;
    }
    Tensor::cat(visitor.parts, 0).sum().sqrt().into_scalar::<f32>()
}

/// Scales all gradients by `max_norm / (norm + 1e-6)` if their common norm exceeds `max_norm`; returns the norm before.
pub fn clip_global_norm<M: Module>(module: &M, grads: &mut GradientsParams, max_norm: f32) -> f32 {
    let norm = global_norm(module, grads);
    let factor = max_norm / (norm + NORM_FLOOR);
    if factor < 1.0 {
        module.visit(&mut Scale { grads, factor });
    }
    norm
}

struct SquaredNorm<'a> {
    grads: &'a GradientsParams,
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.parts.push(grad.square().sum());
        }
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad * self.factor);
        }
    }
}

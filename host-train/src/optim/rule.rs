//! One walk over a module's parameters for every optimiser.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// How one parameter changes, given its gradient. `path` names the parameter within its module and keys its state.
pub(crate) trait Rule {
    fn update<const D: usize>(&mut self, path: &str, weight: Tensor<D>, grad: Tensor<D>) -> Tensor<D>;
}

/// One step; parameters without a gradient stay as they are.
pub(crate) fn apply<M: Module>(rule: &mut impl Rule, module: M, grads: GradientsParams) -> M {
    module.map(&mut Walk { rule, grads, path: Vec::new() })
}

struct Walk<'a, R> {
    rule: &'a mut R,
    grads: GradientsParams,
    path: Vec<String>,
}

impl<R: Rule> ModuleMapper for Walk<'_, R> {
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
                let plain = self.rule.update(&self.path.join("."), tensor.inner(), grad);
                Tensor::from_inner(plain).require_grad()
            }
            None => tensor,
        };
        Param::from_mapped_value(id, updated, mapper)
    }
}

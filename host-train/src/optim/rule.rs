//! One walk over a module's parameters for every optimiser.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::number::Number;
use super::one_pass;
use super::state::Slots;

/// An optimiser that remembers `N` arrays of each parameter.
pub(crate) trait Rule<const N: usize> {
    /// Its equations.
    type Formula: Formula<N>;

    /// The next step of a parameter. `path` names it within its module and keys its state.
    fn next(&mut self, path: &str) -> Self::Formula;

    /// What is remembered.
    fn slots(&mut self) -> [&mut Slots; N];
}

/// How a parameter and what is remembered of it change, given its gradient: element by element.
pub(crate) trait Formula<const N: usize>: Sync {
    fn apply<T: Number>(&self, weight: T, grad: T, slots: [T; N]) -> (T, [T; N]);
}

/// One step; parameters without a gradient stay as they are.
pub(crate) fn apply<M: Module, const N: usize>(
    rule: &mut impl Rule<N>,
    module: M,
    grads: GradientsParams,
) -> M {
    module.map(&mut Walk { rule, grads, path: Vec::new() })
}

/// One step of one parameter.
pub(crate) fn update<const N: usize, const D: usize>(
    rule: &mut impl Rule<N>,
    path: &str,
    weight: Tensor<D>,
    grad: Tensor<D>,
) -> Tensor<D> {
    let formula = rule.next(path);
    let slots = rule.slots().map(|slots| slots.take(path, &weight));
    let (weight, slots) = if one_pass::suits(&weight) {
        one_pass::apply(&formula, weight, grad, slots)
    } else {
        formula.apply(weight, grad, slots)
    };
    for (kept, value) in rule.slots().into_iter().zip(slots) {
        kept.set(path, value);
    }
    weight
}

struct Walk<'a, R, const N: usize> {
    rule: &'a mut R,
    grads: GradientsParams,
    path: Vec<String>,
}

impl<R: Rule<N>, const N: usize> ModuleMapper for Walk<'_, R, N> {
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
                let plain = update(self.rule, &self.path.join("."), tensor.inner(), grad);
                Tensor::from_inner(plain).require_grad()
            }
            None => tensor,
        };
        Param::from_mapped_value(id, updated, mapper)
    }
}

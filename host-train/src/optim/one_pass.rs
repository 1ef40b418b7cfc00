//! A formula in one pass over memory.
//!
//! As tensor operations, Adam walks some fifteen times over arrays of the weight's size, one core at work, and allocates most
//! of them anew. Where tensors lie in this program's own memory, one walk on all cores does the same arithmetic in the same
//! order: the result is bit for bit that of the operations, whatever the number of cores.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::rule::Formula;

/// Elements that one core takes at a time: few enough for several arrays in its cache, many enough to be worth the handing
/// over.
const PART: usize = 1 << 14;

/// Whether a tensor can be updated here: it is one of the default backend's, of single precision.
pub(crate) fn suits<const D: usize>(weight: &Tensor<D>) -> bool {
    weight.device() == Device::flex() && weight.dtype() == DType::F32
}

/// Applies a formula to tensors that [suit](suits) and have one shape.
pub(crate) fn apply<const N: usize, const D: usize>(
    formula: &impl Formula<N>,
    weight: Tensor<D>,
    grad: Tensor<D>,
    slots: [Tensor<D>; N],
) -> (Tensor<D>, [Tensor<D>; N]) {
    let device = weight.device();
    let (mut weight, grad) = (weight.into_data(), grad.into_data());
    let mut slots = slots.map(Tensor::into_data);
    walk(formula, values_mut(&mut weight), values(&grad), slots.each_mut().map(values_mut));
    let tensor = |data: TensorData| Tensor::from_data(data, &device);
    (tensor(weight), slots.map(tensor))
}

fn walk<const N: usize>(formula: &impl Formula<N>, weight: &mut [f32], grad: &[f32], slots: [&mut [f32]; N]) {
    let mut slots = slots.map(|slot| slot.chunks_mut(PART));
    let mut next = || slots.each_mut().map(|parts| parts.next().unwrap_or_default());
    let parts: Vec<_> =
        weight.chunks_mut(PART).zip(grad.chunks(PART)).map(|(weight, grad)| (weight, grad, next())).collect();
    parts.into_par_iter().for_each(|(weight, grad, slots)| walk_part(formula, weight, grad, slots));
}

fn walk_part<const N: usize>(
    formula: &impl Formula<N>,
    weight: &mut [f32],
    grad: &[f32],
    slots: [&mut [f32]; N],
) {
    // One length for all, so that the loop needs no check for each element and becomes vector instructions.
    let length = slots.iter().map(|slot| slot.len()).fold(weight.len().min(grad.len()), usize::min);
    let (weight, grad) = (&mut weight[..length], &grad[..length]);
    let mut slots = slots.map(|slot| &mut slot[..length]);
    for index in 0..length {
        let before = slots.each_ref().map(|slot| slot[index]);
        let (changed, after) = formula.apply(weight[index], grad[index], before);
        weight[index] = changed;
        for (slot, value) in slots.iter_mut().zip(after) {
            slot[index] = value;
        }
    }
}

fn values(data: &TensorData) -> &[f32] {
    let values = data.as_slice();
    debug_assert!(values.is_ok(), "single precision, as `suits` has seen");
    values.unwrap_or_default()
}

fn values_mut(data: &mut TensorData) -> &mut [f32] {
    let values = data.as_mut_slice();
    debug_assert!(values.is_ok(), "single precision, as `suits` has seen");
    values.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::adadelta::{Adadelta, AdadeltaConfig};
    use super::super::adagrad::{Adagrad, AdagradConfig};
    use super::super::adam::{Adam, AdamConfig};
    use super::super::rule::Rule;
    use super::*;
    use crate::tensors::Array;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
        Array::from_tensor(tensor).values.into_iter().map(f32::to_bits).collect()
    }

    /// At nothing, one part, and several with a remainder.
    fn agrees_with_tensor_operations<const N: usize>(rule: &mut impl Rule<N>) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let device = Device::flex();
        for elements in [0, 1, 1000, 3 * PART + 5] {
            let mut tensor = |low: f32, high: f32| {
                let values: Vec<f32> = (0..elements).map(|_| rng.random_range(low..high)).collect();
                Tensor::<1>::from_data(TensorData::new(values, [elements]), &device)
            };
            let (weight, grad) = (tensor(-1.0, 1.0), tensor(-1.0, 1.0));
            let slots = [(); N].map(|()| tensor(0.0, 0.1));
            let formula = rule.next("w");
            let (changed, remembered) = apply(&formula, weight.clone(), grad.clone(), slots.clone());
            let (plain, plain_remembered) = formula.apply(weight.clone(), grad, slots);
            let changed = bits(changed);
            assert!(elements == 0 || changed != bits(weight), "{elements} elements");
            assert_eq!(changed, bits(plain), "{elements} elements");
            assert_eq!(remembered.map(bits), plain_remembered.map(bits), "{elements} elements");
        }
    }

    #[test]
    fn one_pass_and_tensor_operations_agree_bit_for_bit() {
        for weight_decay in [0.0, 0.005] {
            agrees_with_tensor_operations(&mut Adam::new(AdamConfig {
                weight_decay,
                ..AdamConfig::default()
            }));
            agrees_with_tensor_operations(&mut Adagrad::new(AdagradConfig {
                weight_decay,
                ..AdagradConfig::default()
            }));
            agrees_with_tensor_operations(&mut Adadelta::new(AdadeltaConfig {
                weight_decay: weight_decay.into(),
                ..AdadeltaConfig::default()
            }));
        }
    }
}

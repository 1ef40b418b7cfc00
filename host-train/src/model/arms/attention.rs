//! Self-attention over the clips of a video, with several heads and without positions (ARMS, fig 5).
//!
//! Parameters carry PyTorch's names: `in_proj_weight` stacks the matrices of queries, keys and values.

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::model::conv::{Conv, Shape};
use crate::tensors::{Array, Arrays};

/// Heads; widths must be a multiple of this.
pub const HEADS: usize = 8;

/// Weights of all heads that are held at once. A video of an hour has thousands of clips, and all pairs of them would not
/// fit into memory; clips then look at the others in turns.
const WEIGHTS_AT_ONCE: usize = 1 << 24;

const IN_PROJ: &str = "mha.in_proj";
const OUT_PROJ: &str = "mha.out_proj";

/// `softmax(Q K^T / sqrt d) V` in each head, then a linear layer over all heads.
#[derive(Module, Debug)]
pub struct SelfAttention {
    in_proj: Conv,
    out_proj: Conv,
}

/// What the heads compare and take, each `[sequences, heads, clips, width / heads]`.
struct Projected {
    queries: Tensor<4>,
    keys: Tensor<4>,
    values: Tensor<4>,
}

impl SelfAttention {
    /// Takes the parameters from `source`; `width` is a multiple of [`HEADS`].
    ///
    /// # Errors
    /// Those of `source`.
    pub(super) fn build<E>(
        width: usize,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let mut renamed = |name: &str, shape: &[usize]| source(&stored_name(name), shape);
        Ok(Self {
            in_proj: Conv::build(IN_PROJ, Shape::linear(width, 3 * width), &mut renamed, device)?,
            out_proj: Conv::build(OUT_PROJ, Shape::linear(width, width), &mut renamed, device)?,
        })
    }

    /// Adds the parameters under their stored names.
    pub(super) fn store(&self, arrays: &mut Arrays) {
        let mut own = Arrays::new();
        self.in_proj.store(IN_PROJ, None, &mut own);
        self.out_proj.store(OUT_PROJ, None, &mut own);
        arrays.extend(own.into_iter().map(|(name, array)| (stored_name(&name), array)));
    }

    /// What each clip takes from the clips of its own sequence.
    ///
    /// # Shapes
    /// `[sequences * clips, width]` to the same.
    pub fn forward(&self, rows: Tensor<2>, clips: usize) -> Tensor<2> {
        let [count, width] = rows.dims();
        let projected = self.project(rows, clips);
        let at_once = WEIGHTS_AT_ONCE / (count * HEADS).max(1);
        let joined: Tensor<2> = projected.take(at_once).swap_dims(1, 2).reshape([count, width]);
        self.out_proj.forward(joined, clips)
    }

    /// The shares in which each clip takes from the others.
    ///
    /// # Shapes
    /// `[sequences * clips, width]` to `[sequences, heads, clips, clips]`; the last dimension sums to 1.
    pub fn weights(&self, rows: Tensor<2>, clips: usize) -> Tensor<4> {
        self.project(rows, clips).weights(0, clips)
    }

    fn project(&self, rows: Tensor<2>, clips: usize) -> Projected {
        let [count, width] = rows.dims();
        let all = self.in_proj.forward(rows, clips);
        let part = |index: usize| -> Tensor<4> {
            let rows = all.clone().narrow(1, index * width, width);
            rows.reshape([count / clips, clips, HEADS, width / HEADS]).swap_dims(1, 2)
        };
        Projected { queries: part(0), keys: part(1), values: part(2) }
    }
}

impl Projected {
    /// Values weighted for every query, `queries_at_once` queries at a time.
    fn take(&self, queries_at_once: usize) -> Tensor<4> {
        let clips = self.queries.dims()[2];
        let at_once = queries_at_once.clamp(1, clips);
        let some = |first: usize| self.weights(first, at_once.min(clips - first)).matmul(self.values.clone());
        Tensor::cat((0..clips).step_by(at_once).map(some).collect(), 2)
    }

    fn weights(&self, first: usize, queries: usize) -> Tensor<4> {
        let scale = (self.queries.dims()[3] as f64).sqrt();
        let some = self.queries.clone().narrow(2, first, queries);
        softmax(some.matmul(self.keys.clone().swap_dims(2, 3)) / scale, 3)
    }
}

/// The projections of the input have no dot in their names.
fn stored_name(name: &str) -> String {
    name.replace("in_proj.", "in_proj_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    use burn::tensor::TensorData;

    /// The same sums in products of other sizes.
    const TOLERANCE: f32 = 1e-5;

    const WIDTH: usize = 16;

    fn attention() -> SelfAttention {
        let mut source = |_: &str, shape: &[usize]| {
            let count: usize = shape.iter().product();
            let values = (0..count).map(|index| ((index * 29 % 17) as f32 - 8.0) * 0.1).collect();
            Ok::<_, Infallible>(Array { shape: shape.to_vec(), values })
        };
        let Ok(attention) = SelfAttention::build(WIDTH, &mut source, &Device::flex());
        attention
    }

    fn rows(count: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..count * WIDTH).map(|index| ((index * 37 % 23) as f32) * 0.1).collect();
        Tensor::from_data(TensorData::new(values, [count, WIDTH]), &Device::flex())
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    #[test]
    fn queries_in_turns_take_what_they_take_at_once() {
        let projected = attention().project(rows(14), 7);
        let at_once = values(projected.take(7));
        for some in [0, 1, 3, 6, 100] {
            let in_turns = values(projected.take(some));
            assert!(
                at_once.iter().zip(&in_turns).all(|(a, b)| (a - b).abs() < TOLERANCE),
                "{some} at a time"
            );
        }
    }

    #[test]
    fn sequences_do_not_see_each_other() {
        let (attention, both) = (attention(), rows(10));
        let together = values(attention.forward(both.clone(), 5));
        let alone =
            [0, 5].map(|first| values(attention.forward(both.clone().narrow(0, first, 5), 5))).concat();
        assert!(together.iter().zip(&alone).all(|(a, b)| (a - b).abs() < TOLERANCE));
    }
}

//! The non-local block of RTFM (section 3.2, eq 5): every clip of a video looks at every other.
//!
//! The map is `theta^T phi / T` without softmax.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::norm::{Norm, Statistics};
use crate::model::conv::{Conv, Shape};
use crate::tensors::Array;

/// Name in published files.
const NAME: &str = "Aggregate.non_local";

/// `W(map g(x)) + x`.
#[derive(Module, Debug)]
pub struct NonLocal {
    g: Conv,
    output: Conv,
    norm: Norm,
    theta: Conv,
    phi: Conv,
}

impl NonLocal {
    /// Takes the parameters from `source`; `width` is D / 4, halved inside.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn build<E>(
        width: usize,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let (down, up) = (Shape::pointwise(width, width / 2), Shape::pointwise(width / 2, width));
        Ok(Self {
            g: Conv::build(&format!("{NAME}.g"), down, source, device)?,
            output: Conv::build(&format!("{NAME}.W.0"), up, source, device)?,
            norm: Norm::build(&format!("{NAME}.W.1"), width, source, device)?,
            theta: Conv::build(&format!("{NAME}.theta"), down, source, device)?,
            phi: Conv::build(&format!("{NAME}.phi"), down, source, device)?,
        })
    }

    /// What each clip takes from each other one.
    ///
    /// # Shapes
    /// `[sequences * clips, width]` to `[sequences, clips, clips]`.
    pub fn attention(&self, rows: Tensor<2>, clips: usize) -> Tensor<3> {
        let theta = sequences(self.theta.forward(rows.clone(), clips), clips);
        let phi = sequences(self.phi.forward(rows, clips), clips);
        theta.matmul(phi.swap_dims(1, 2)) / clips as f64
    }

    /// Adds to every clip what it takes from the others.
    ///
    /// # Shapes
    /// `[sequences * clips, width]` with its [`NonLocal::attention`] to `[sequences * clips, width]`.
    pub fn forward(
        &self,
        rows: Tensor<2>,
        map: Tensor<3>,
        clips: usize,
        statistics: Statistics,
    ) -> Tensor<2> {
        let taken = map.matmul(sequences(self.g.forward(rows.clone(), clips), clips));
        let [_, _, width] = taken.dims();
        let taken = taken.reshape([rows.dims()[0], width]);
        self.norm.forward(self.output.forward(taken, clips), statistics) + rows
    }

    /// The layers with weights, under their published names.
    pub fn convs(&self) -> Vec<(String, &Conv)> {
        let named = [("g", &self.g), ("W.0", &self.output), ("theta", &self.theta), ("phi", &self.phi)];
        named.into_iter().map(|(name, conv)| (format!("{NAME}.{name}"), conv)).collect()
    }

    /// The normalisation, under its published name.
    pub fn norm(&self) -> (String, &Norm) {
        (format!("{NAME}.W.1"), &self.norm)
    }
}

/// `[sequences * clips, width]` as `[sequences, clips, width]`.
pub(super) fn sequences(rows: Tensor<2>, clips: usize) -> Tensor<3> {
    let [count, width] = rows.dims();
    rows.reshape([count / clips, clips, width])
}

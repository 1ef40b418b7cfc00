//! The multi-scale temporal network of RTFM (section 3.2, eq 4 and 5), `Aggregate` in published files.
//!
//! Three dilated convolutions see clips nearby, a non-local block sees all of them; a last convolution joins
//! the four (it is in the released code, not in the text) and the input is added.
//!
//! A causal form, which is not published, serves boards: taps lie behind the clip, the non-local block looks at the last
//! `LOOK_BACK` clips, and the first clip of a video stands for those before it. A clip's score
//! then depends on [`CAUSAL_REACH`] clips and on none that is still to come.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::non_local::{LOOK_BACK, NonLocal, sequences};
use super::norm::{Norm, Statistics};
use crate::model::conv::{Conv, Shape, Time};
use crate::tensors::Array;

/// Distances of the taps of the three branches.
pub const DILATIONS: [usize; 3] = [1, 2, 4];

/// Clips that a score of the causal form depends on: those that the non-local block looks at, for the clip itself and the two
/// before it that the last convolution joins. The widest branch reaches less far.
pub const CAUSAL_REACH: usize = LOOK_BACK + 2;

/// Features that have seen their surroundings.
#[derive(Module, Debug)]
pub struct Mtn {
    branches: Vec<Conv>,
    branch_norms: Vec<Norm>,
    reduce: Conv,
    non_local: NonLocal,
    join: Conv,
    join_norm: Norm,
    causal: bool,
}

/// Every intermediate result; rows are `[sequences, clips, width]`.
#[derive(Clone, Debug)]
pub struct Stages {
    /// The dilated branches (eq 4), width D / 4.
    pub branches: Vec<Tensor<3>>,
    /// The input of the non-local block, width D / 4.
    pub reduced: Tensor<3>,
    /// Its map, `[sequences, clips, clips]`.
    pub map: Tensor<3>,
    /// Its output (eq 5), width D / 4.
    pub non_local: Tensor<3>,
    /// The output, width D.
    pub output: Tensor<3>,
}

impl Mtn {
    /// Takes the parameters from `source`; `dim` is a multiple of 8.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn build<E>(
        dim: usize,
        time: Time,
        source: &mut impl FnMut(&str, &[usize]) -> Result<Array, E>,
        device: &Device,
    ) -> Result<Self, E> {
        let width = dim / 4;
        let (mut branches, mut branch_norms) = (Vec::new(), Vec::new());
        for (index, dilation) in DILATIONS.into_iter().enumerate() {
            let shape = Shape::dilated(dim, width, dilation);
            branches.push(Conv::build(&branch(index, 0), shape, source, device)?);
            branch_norms.push(Norm::build(&branch(index, 2), width, source, device)?);
        }
        let reduce = Shape::pointwise(dim, width).without_bias();
        let join = Shape::dilated(dim, dim, 1).without_bias();
        Ok(Self {
            branches,
            branch_norms,
            reduce: Conv::build(&branch(3, 0), reduce, source, device)?,
            join: Conv::build(&branch(4, 0), join, source, device)?,
            join_norm: Norm::build(&branch(4, 2), dim, source, device)?,
            non_local: NonLocal::build(width, source, device)?,
            causal: time == Time::Causal,
        })
    }

    /// Runs the network and keeps what lies between input and output.
    ///
    /// # Shapes
    /// `[sequences * clips, D]` to stages of `[sequences, clips, ..]`.
    pub fn stages(&self, rows: Tensor<2>, clips: usize, statistics: Statistics) -> Stages {
        let time = self.time();
        let branch = |(conv, norm): (&Conv, &Norm)| {
            norm.forward(relu(conv.forward_in(time, rows.clone(), clips)), statistics)
        };
        let mut joined: Vec<Tensor<2>> = self.branches.iter().zip(&self.branch_norms).map(branch).collect();
        let branches = joined.iter().map(|rows| sequences(rows.clone(), clips)).collect();
        let reduced = relu(self.reduce.forward(rows.clone(), clips));
        let map = self.non_local.attention(reduced.clone(), clips, time);
        let non_local = self.non_local.forward(reduced.clone(), map.clone(), clips, statistics);
        joined.push(non_local.clone());
        let output = relu(self.join.forward_in(time, Tensor::cat(joined, 1), clips));
        let output = self.join_norm.forward(output, statistics) + rows;
        Stages {
            branches,
            reduced: sequences(reduced, clips),
            map,
            non_local: sequences(non_local, clips),
            output: sequences(output, clips),
        }
    }

    /// What a clip may look at.
    pub fn time(&self) -> Time {
        if self.causal { Time::Causal } else { Time::Whole }
    }

    /// The layers with weights, under their published names.
    pub fn convs(&self) -> Vec<(String, &Conv)> {
        let mut named: Vec<_> =
            self.branches.iter().enumerate().map(|(index, conv)| (branch(index, 0), conv)).collect();
        named.extend([(branch(3, 0), &self.reduce), (branch(4, 0), &self.join)]);
        named.extend(self.non_local.convs());
        named
    }

    /// The normalisations, under their published names.
    pub fn norms(&self) -> Vec<(String, &Norm)> {
        let mut named: Vec<_> =
            self.branch_norms.iter().enumerate().map(|(index, norm)| (branch(index, 2), norm)).collect();
        named.extend([(branch(4, 2), &self.join_norm), self.non_local.norm()]);
        named
    }
}

/// Published name: layer `place` of the sequence `conv_(index + 1)`.
fn branch(index: usize, place: usize) -> String {
    format!("Aggregate.conv_{}.{place}", index + 1)
}

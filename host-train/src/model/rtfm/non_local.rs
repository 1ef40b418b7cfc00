//! The non-local block of RTFM (section 3.2, eq 5): every clip of a video looks at every other.
//!
//! The map is `theta^T phi / T` without softmax.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::norm::{Norm, Statistics};
use crate::model::conv::{Conv, Shape, Time};
use crate::tensors::Array;

/// Name in published files.
const NAME: &str = "Aggregate.non_local";

/// Clips that one looks at in the causal form, itself included.
pub const LOOK_BACK: usize = 16;

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
    pub fn attention(&self, rows: Tensor<2>, clips: usize, time: Time) -> Tensor<3> {
        let theta = sequences(self.theta.forward(rows.clone(), clips), clips);
        let phi = sequences(self.phi.forward(rows, clips), clips);
        let alike = theta.matmul(phi.swap_dims(1, 2));
        match time {
            Time::Whole => alike / clips as f64,
            Time::Causal => {
                let shares = TensorData::new(causal_shares(clips), [1, clips, clips]);
                alike.clone() * Tensor::from_data(shares, &alike.device())
            }
        }
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

/// What each clip counts for each other one, `[clips, clips]`: the last [`LOOK_BACK`] alike, the first one also in place of
/// those before it.
fn causal_shares(clips: usize) -> Vec<f32> {
    let share = |clip: usize, other: usize| {
        let counts = match other {
            0 => LOOK_BACK.saturating_sub(clip),
            _ => usize::from(other <= clip && clip - other < LOOK_BACK),
        };
        counts as f32 / LOOK_BACK as f32
    };
    (0..clips).flat_map(|clip| (0..clips).map(move |other| share(clip, other))).collect()
}

/// `[sequences * clips, width]` as `[sequences, clips, width]`.
pub(super) fn sequences(rows: Tensor<2>, clips: usize) -> Tensor<3> {
    let [count, width] = rows.dims();
    rows.reshape([count / clips, clips, width])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_looks_at_as_many_clips_as_ever_and_at_none_behind_it() {
        let clips = LOOK_BACK + 3;
        for (clip, shares) in causal_shares(clips).chunks_exact(clips).enumerate() {
            assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6, "clip {clip}: {shares:?}");
            assert!(shares[clip + 1..].iter().all(|share| *share == 0.0), "clip {clip}: {shares:?}");
        }
        let shares = causal_shares(clips);
        assert_eq!((shares[0], shares[clips]), (1.0, 15.0 / 16.0));
        assert_eq!(shares[(clips - 1) * clips..][..4], [0.0, 0.0, 0.0, 1.0 / 16.0]);
    }
}

//! A convolution over three clips with two thirds of the products: Winograd's minimal filtering F(2, 3), as used by Lavin
//! and Gray (CVPR 2016), along time.
//!
//! Two neighbouring outputs of a filter `g0, g1, g2` over `d0, d1, d2, d3` are `d0 g0 + d1 g1 + d2 g2` and `d1 g0 + d2 g1 + d3 g2`.
//! Six products, or four:
//!
//! ```text
//! m1 = (d0 - d2) g0    m2 = (d1 + d2) (g0 + g1 + g2) / 2    m3 = (d2 - d1) (g0 - g1 + g2) / 2    m4 = (d1 - d3) g2
//! m1 + m2 + m3         m2 - m3 - m4
//! ```
//!
//! Here `g` are matrices and `d` rows. Neighbours are a dilation apart: time is read as pairs of places, each as many clips
//! long as the dilation.

use burn::tensor::module::linear;
use burn::tensor::{Shape, Tensor};

/// With fewer rows, making sums of the matrices takes longer than the products that it saves.
const LEAST_ROWS: usize = 512;

/// Places of a pair.
const PAIR: usize = 2;

/// How the clips of a sequence are paired.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    sequences: usize,
    clips: usize,
    /// Pairs that cover the clips, the last of them perhaps in part.
    pairs: usize,
    dilation: usize,
}

impl Pairs {
    /// The pairs of sequences of `clips` clips that have `rows` rows together, if the outputs take fewer products that way.
    pub fn worth_it(rows: usize, clips: usize, dilation: usize) -> Option<Self> {
        let pairs = clips.div_ceil(PAIR * dilation);
        let places_seen = if dilation < clips { 3 } else { 1 };
        let fewer = 4 * pairs * dilation < places_seen * clips;
        (fewer && pairs > 1 && rows >= LEAST_ROWS).then(|| Self {
            sequences: rows / clips,
            clips,
            pairs,
            dilation,
        })
    }

    /// Convolves sequences that lie one after another.
    ///
    /// # Shapes
    /// `[sequences * clips, inputs]`, matrices `[inputs, outputs]` and a bias `[outputs]` to `[sequences * clips, outputs]`.
    pub fn convolve(self, rows: Tensor<2>, taps: [Tensor<2>; 3], bias: Option<Tensor<1>>) -> Tensor<2> {
        let [d0_d2, d1_d2, d2_d1, d1_d3] = self.differences(rows);
        let [g0, g1, g2] = taps;
        let outer = g0.clone() + g2.clone();
        let m1 = linear(d0_d2, g0, None);
        // The bias is in both outputs, as this product is.
        let m2 = linear(d1_d2, (outer.clone() + g1.clone()) * 0.5, bias);
        let m3 = linear(d2_d1, (outer - g1) * 0.5, None);
        let m4 = linear(d1_d3, g2, None);
        self.joined(m1 + m2.clone() + m3.clone(), m2 - m3 - m4)
    }

    /// What the matrices are multiplied with, `[sequences * pairs * dilation, inputs]` each.
    fn differences(self, rows: Tensor<2>) -> [Tensor<2>; 4] {
        let Self { sequences, clips, pairs, dilation } = self;
        let [_, width] = rows.dims();
        let device = rows.device();
        let zeros = |clips: usize| Tensor::<3>::zeros([sequences, clips, width], &device);
        let mut rows: Tensor<3> = rows.reshape([sequences, clips, width]);
        let missing = pairs * PAIR * dilation - clips;
        if missing > 0 {
            rows = Tensor::cat(vec![rows, zeros(missing)], 1);
        }
        let places: Tensor<4> = rows.reshape([sequences, pairs, PAIR, dilation * width]);
        let place = |index: usize| -> Tensor<3> { places.clone().narrow(2, index, 1).squeeze_dim(2) };
        let (d1, d2) = (place(0), place(1));
        let beyond = || zeros(dilation).reshape([sequences, 1, dilation * width]);
        let d0 = Tensor::cat(vec![beyond(), d2.clone().narrow(1, 0, pairs - 1)], 1);
        let d3 = Tensor::cat(vec![d1.clone().narrow(1, 1, pairs - 1), beyond()], 1);
        let flat = |rows: Tensor<3>| rows.reshape([sequences * pairs * dilation, width]);
        [d0 - d2.clone(), d1.clone() + d2.clone(), d2 - d1.clone(), d1 - d3].map(flat)
    }

    /// The outputs in the order of time.
    fn joined(self, first: Tensor<2>, second: Tensor<2>) -> Tensor<2> {
        let Self { sequences, clips, pairs, dilation } = self;
        let [_, width] = first.dims();
        let place = |rows: Tensor<2>| -> Tensor<4> { rows.reshape([sequences, pairs, 1, dilation * width]) };
        let time = Shape::new([sequences, pairs * PAIR * dilation, width]);
        let all: Tensor<3> = Tensor::cat(vec![place(first), place(second)], 2).reshape(time);
        all.narrow(1, 0, clips).reshape([sequences * clips, width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_left_alone_where_it_saves_nothing() {
        assert!(Pairs::worth_it(2048, 32, 1).is_some());
        assert!(Pairs::worth_it(2048, 32, 4).is_some());
        // Few rows; a single pair; clips that see themselves alone.
        assert!(Pairs::worth_it(480, 32, 1).is_none());
        assert!(Pairs::worth_it(2048, 2, 1).is_none());
        assert!(Pairs::worth_it(2048, 4, 4).is_none());
        // Five clips in pairs of four are eight: as many products as there were.
        assert!(Pairs::worth_it(2000, 5, 2).is_none());
    }
}

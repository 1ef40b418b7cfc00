//! Resampling weights of one axis, in fixed point.

use alloc::{vec, vec::Vec};

/// Fraction bits of a weight: the weights of an output pixel sum to `1 << WEIGHT_BITS`.
pub(super) const WEIGHT_BITS: u32 = 15;
const ONE: u64 = 1 << WEIGHT_BITS;

/// Weights from `in_px` input pixels to each output pixel, as equally long runs of taps.
///
/// Runs are padded with zero weights, so that inner loops have one known length.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Taps of every output pixel.
    pub taps: usize,
    /// First input pixel of each output pixel's run; `first + taps <= in_px`.
    pub first: Vec<usize>,
    /// `[out_px, taps]`.
    pub weights: Vec<u16>,
}

impl Axis {
    /// Both sizes are at least 1.
    pub fn new(in_px: u32, out_px: u16) -> Self {
        let (in_px, out_px) = (u64::from(in_px), u64::from(out_px));
        let span_of = |i| {
            if in_px >= out_px { area_span(i, in_px, out_px) } else { bilinear_span(i, in_px, out_px) }
        };
        let taps = (0..out_px)
            .map(|i| {
                let (a, b) = span_of(i);
                b - a + 1
            })
            .max()
            .unwrap_or(1);
        let mut axis = Self {
            taps: taps as usize,
            first: Vec::with_capacity(out_px as usize),
            weights: vec![0; (out_px * taps) as usize],
        };
        for (i, run) in (0..out_px).zip(axis.weights.chunks_exact_mut(taps as usize)) {
            let (begin, end) = span_of(i);
            let first = begin.min(in_px - taps);
            axis.first.push(first as usize);
            let mut used = 0;
            for j in begin..=end {
                let cumulated = if in_px >= out_px {
                    area_cumulated(i, j, in_px, out_px)
                } else if j == end {
                    ONE
                } else {
                    ONE - bilinear_fraction(i, in_px, out_px)
                };
                // Differences of rounded partial sums: never negative, and their sum is exact.
                run[(j - first) as usize] = (cumulated - used) as u16;
                used = cumulated;
            }
        }
        axis
    }
}

/// First and last input pixel under the footprint of output pixel `i`.
fn area_span(i: u64, in_px: u64, out_px: u64) -> (u64, u64) {
    (i * in_px / out_px, ((i + 1) * in_px - 1) / out_px)
}

/// Share of the footprint that lies before the end of input pixel `j`, rounded to `1 / ONE`.
fn area_cumulated(i: u64, j: u64, in_px: u64, out_px: u64) -> u64 {
    let covered = ((j + 1) * out_px).min((i + 1) * in_px) - i * in_px;
    round_div(covered * ONE, in_px)
}

/// Numerator of the sampling position over `2 * out_px`, clamped to the first and last pixel.
fn bilinear_position(i: u64, in_px: u64, out_px: u64) -> u64 {
    ((2 * i + 1) * in_px).saturating_sub(out_px).min((in_px - 1) * 2 * out_px)
}

fn bilinear_span(i: u64, in_px: u64, out_px: u64) -> (u64, u64) {
    let begin = bilinear_position(i, in_px, out_px) / (2 * out_px);
    (begin, (begin + 1).min(in_px - 1))
}

fn bilinear_fraction(i: u64, in_px: u64, out_px: u64) -> u64 {
    round_div(bilinear_position(i, in_px, out_px) % (2 * out_px) * ONE, 2 * out_px)
}

/// Quotient rounded half up.
fn round_div(numerator: u64, denominator: u64) -> u64 {
    (2 * numerator + denominator) / (2 * denominator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(axis: &Axis, i: usize) -> (usize, &[u16]) {
        (axis.first[i], &axis.weights[i * axis.taps..(i + 1) * axis.taps])
    }

    #[test]
    fn equal_sizes_are_the_identity() {
        let axis = Axis::new(5, 5);
        assert_eq!(axis.taps, 1);
        assert_eq!(axis.first, [0, 1, 2, 3, 4]);
        assert!(axis.weights.iter().all(|&w| w == 1 << 15));
    }

    #[test]
    fn shrinking_by_three_halves_weighs_by_area() {
        let axis = Axis::new(3, 2);
        assert_eq!(run(&axis, 0), (0, &[21845, 10923][..]));
        assert_eq!(run(&axis, 1), (1, &[10923, 21845][..]));
    }

    #[test]
    fn enlarging_by_two_is_bilinear_between_pixel_centres() {
        let axis = Axis::new(2, 4);
        let weights: Vec<_> = (0..4).map(|i| run(&axis, i)).collect();
        let expected: [(usize, &[u16]); 4] =
            [(0, &[32768, 0]), (0, &[24576, 8192]), (0, &[8192, 24576]), (0, &[0, 32768])];
        assert_eq!(weights, expected);
    }

    proptest! {
        #[test]
        fn weights_sum_to_one_and_stay_inside(in_px in 1u32..5000, out_px in 1u16..600) {
            let axis = Axis::new(in_px, out_px);
            prop_assert_eq!(axis.first.len(), usize::from(out_px));
            for (first, run) in axis.first.iter().zip(axis.weights.chunks_exact(axis.taps)) {
                prop_assert!(first + axis.taps <= in_px as usize);
                prop_assert_eq!(run.iter().map(|&w| u32::from(w)).sum::<u32>(), 1 << WEIGHT_BITS);
            }
        }
    }
}

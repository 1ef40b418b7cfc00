//! How borders are padded: TensorFlow's SAME, which burn does not have, and what MIST's release does in its place.
//!
//! Where a size is a multiple of the stride the two are equal, so at 224 pixels and 16 frames nothing tells them apart.

use burn::tensor::Tensor;
use burn::tensor::module::conv3d;
use burn::tensor::ops::{ConvOptions, PadMode};

use super::grid::{Line, Strided};
use super::pooling::{Places, max_pool3d};

/// The rule by which a network pads its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's: the output has `ceil(size / stride)` places, an odd total puts the extra place at the *end*. The
    /// Kinetics weights were trained so.
    Same,
    /// MIST's release: the total is `kernel - stride`, as if every size were a multiple of the stride; only for the
    /// number of frames it looks at the remainder. Convolutions drop a window that does not fit, poolings keep it.
    Mist,
}

impl Padding {
    /// Convolution.
    ///
    /// # Shapes
    /// `[N, C, T, H, W]` with weight `[K, C, kt, kh, kw]` and bias `[K]` to `[N, K, T', H', W']`, which with
    /// [`Padding::Same`] are `ceil(T / st)`, `ceil(H / sh)` and `ceil(W / sw)`.
    pub fn conv3d(
        self,
        x: Tensor<5>,
        weight: Tensor<5>,
        bias: Option<Tensor<1>>,
        stride: [usize; 3],
    ) -> Tensor<5> {
        let [_, _, t, h, w] = x.dims();
        let [_, _, kt, kh, kw] = weight.dims();
        let places = self.places([t, h, w], [kt, kh, kw], stride);
        let symmetric = places.iter().all(|(before, after)| before == after);
        let (x, own) = if symmetric {
            (x, places.map(|pair| pair.0))
        } else {
            (x.pad(places, PadMode::Constant(0.0)), [0; 3])
        };
        conv3d(x, weight, bias, ConvOptions::new(stride, own, [1; 3], 1))
    }

    /// Max pooling of maps that are nowhere negative, which those after a ReLU are: MIST's release pads with zeros, and
    /// only for such maps is that the same as to pad with nothing.
    ///
    /// # Shapes
    /// `[N, C, T, H, W]` to `[N, C, ceil(T / st), ceil(H / sh), ceil(W / sw)]`, for kernels at least as wide as strides.
    pub fn max_pool3d(self, x: Tensor<5>, kernel: [usize; 3], stride: [usize; 3]) -> Tensor<5> {
        let [_, _, t, h, w] = x.dims();
        let size = [t, h, w];
        let places = self.places(size, kernel, stride);
        let whole = |axis: usize| match self {
            Self::Same => places[axis],
            Self::Mist => with_last_window(size[axis], kernel[axis], stride[axis], places[axis]),
        };
        max_pool3d(x, kernel, stride, [0, 1, 2].map(whole))
    }

    /// Places added before a side (height or width) of `size`.
    pub(super) fn before(self, size: usize, layer: Strided) -> usize {
        self.total(size, layer, false) / 2
    }

    /// Where the places lie along a side of `side_px` pixels after all `layers`, and how many there are.
    pub(super) fn line(self, side_px: usize, layers: &[Strided]) -> (Line, usize) {
        layers.iter().fold((Line::PIXELS, side_px), |(line, size), layer| {
            let windows = match (self, layer.pooling) {
                (Self::Same, _) | (Self::Mist, true) => size.div_ceil(layer.stride),
                (Self::Mist, false) => {
                    let padded = size + self.total(size, *layer, false);
                    padded.saturating_sub(layer.kernel) / layer.stride + 1
                }
            };
            (layer.line(line, self.before(size, *layer)), windows)
        })
    }

    fn total(self, size: usize, layer: Strided, is_time: bool) -> usize {
        match self {
            Self::Same => same_total(size, layer.kernel, layer.stride),
            Self::Mist => mist_total(size, layer.kernel, layer.stride, is_time),
        }
    }

    fn places(self, size: [usize; 3], kernel: [usize; 3], stride: [usize; 3]) -> Places {
        [0, 1, 2].map(|axis| {
            let total = self.total(size[axis], Strided::conv(kernel[axis], stride[axis]), axis == 0);
            (total / 2, total - total / 2)
        })
    }
}

/// Places that [`Padding::Same`] adds to a side, before and behind together.
pub(super) fn same_total(size: usize, kernel: usize, stride: usize) -> usize {
    let places = size.div_ceil(stride);
    (places.saturating_sub(1) * stride + kernel).saturating_sub(size)
}

fn mist_total(size: usize, kernel: usize, stride: usize, is_time: bool) -> usize {
    let rest = if is_time { size % stride } else { 0 };
    kernel.saturating_sub(if rest == 0 { stride } else { rest })
}

/// As many places more at the end as the last, incomplete window needs.
fn with_last_window(
    size: usize,
    kernel: usize,
    stride: usize,
    (before, after): (usize, usize),
) -> (usize, usize) {
    let padded = size + before + after;
    let windows = padded.saturating_sub(kernel).div_ceil(stride) + 1;
    (before, after + ((windows - 1) * stride + kernel).saturating_sub(padded))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places around the first axis (time) and around the others.
    fn around(padding: Padding, size: usize, kernel: usize, stride: usize) -> [(usize, usize); 2] {
        let [time, height, width] = padding.places([size; 3], [kernel; 3], [stride; 3]);
        assert_eq!(height, width);
        [time, height]
    }

    #[test]
    fn same_padding_is_tensorflows() {
        // Size, kernel, stride: before and after.
        for (size, kernel, stride, want) in [
            (224, 7, 2, (2, 3)),
            (16, 7, 2, (2, 3)),
            (112, 3, 2, (0, 1)),
            (7, 3, 1, (1, 1)),
            (7, 2, 2, (0, 1)),
            (14, 2, 2, (0, 0)),
            (5, 1, 1, (0, 0)),
        ] {
            assert_eq!(around(Padding::Same, size, kernel, stride), [want; 2], "{size} {kernel} {stride}");
        }
    }

    #[test]
    fn the_release_looks_at_the_remainder_of_time_alone() {
        // Size, kernel, stride: around time, around height.
        for (size, kernel, stride, time, height) in [
            (9, 7, 2, (3, 3), (2, 3)),
            (11, 7, 2, (3, 3), (2, 3)),
            (5, 3, 2, (1, 1), (0, 1)),
            (5, 2, 2, (0, 1), (0, 0)),
            (5, 3, 1, (1, 1), (1, 1)),
        ] {
            let got = around(Padding::Mist, size, kernel, stride);
            assert_eq!(got, [time, height], "{size} {kernel} {stride}");
        }
    }

    #[test]
    fn both_rules_agree_on_multiples_of_the_stride() {
        for (kernel, stride) in [(7, 2), (3, 2), (2, 2), (3, 1), (1, 1)] {
            for size in (stride.max(2)..33).filter(|size| size % stride == 0) {
                let got = [Padding::Same, Padding::Mist].map(|rule| around(rule, size, kernel, stride));
                assert_eq!(got[0], got[1], "{size} {kernel} {stride}");
            }
        }
    }

    #[test]
    fn poolings_of_either_rule_have_a_place_for_every_begun_stride() {
        for size in 1..20 {
            for (kernel, stride) in [(3, 2), (2, 2), (3, 1)] {
                for padding in [Padding::Same, Padding::Mist] {
                    let places = padding.places([size; 3], [kernel; 3], [stride; 3]);
                    for (before, after) in places {
                        let (before, after) = match padding {
                            Padding::Same => (before, after),
                            Padding::Mist => with_last_window(size, kernel, stride, (before, after)),
                        };
                        let windows = (size + before + after - kernel) / stride + 1;
                        assert_eq!(windows, size.div_ceil(stride), "{padding:?} {size} {kernel} {stride}");
                    }
                }
            }
        }
    }
}

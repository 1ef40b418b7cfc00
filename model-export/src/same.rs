//! TensorFlow's `SAME` padding, spelled out as explicit pads.
//!
//! `out = ceil(n / stride)`, `total = max((out - 1) * stride + kernel - n, 0)`, and the odd element
//! goes *behind*: `before = total / 2`, `after = total - before`. The pads depend on the input size,
//! so they are computed per layer; a symmetric pad is a different network.

/// Padding and output size of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SameAxis {
    pub(crate) before: usize,
    pub(crate) after: usize,
    pub(crate) out: usize,
}

impl SameAxis {
    /// An axis that the kernel does not reach along; its size plays no part in the pads.
    pub(crate) const UNPOOLED: Self = Self { before: 0, after: 0, out: 0 };
}

/// Pads of one axis of `size` elements; `kernel` and `stride` are at least 1.
pub(crate) fn same_axis(size: usize, kernel: usize, stride: usize) -> SameAxis {
    let out = size.div_ceil(stride);
    let covered = out.saturating_sub(1) * stride + kernel;
    let total = covered.saturating_sub(size);
    SameAxis { before: total / 2, after: total - total / 2, out }
}

/// Pads of several axes at once, in order.
pub(crate) fn same<const N: usize>(
    size: [usize; N],
    kernel: [usize; N],
    stride: [usize; N],
) -> [SameAxis; N] {
    std::array::from_fn(|i| same_axis(size[i], kernel[i], stride[i]))
}

/// ONNX's order of pads: all the befores, then all the afters.
pub(crate) fn onnx_pads(axes: &[SameAxis]) -> impl Iterator<Item = usize> + '_ {
    axes.iter().map(|a| a.before).chain(axes.iter().map(|a| a.after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stem_of_i3d_pads_two_before_and_three_after() {
        let expected = SameAxis { before: 2, after: 3, out: 112 };
        assert_eq!(same_axis(224, 7, 2), expected);
        assert_eq!(same_axis(16, 7, 2), SameAxis { before: 2, after: 3, out: 8 });
    }

    #[test]
    fn odd_padding_goes_behind() {
        assert_eq!(same_axis(112, 3, 2), SameAxis { before: 0, after: 1, out: 56 });
        assert_eq!(same_axis(56, 3, 1), SameAxis { before: 1, after: 1, out: 56 });
        assert_eq!(same_axis(4, 2, 2), SameAxis { before: 0, after: 0, out: 2 });
        assert_eq!(same_axis(7, 2, 2), SameAxis { before: 0, after: 1, out: 4 });
        assert_eq!(same_axis(8, 1, 2), SameAxis { before: 0, after: 0, out: 4 });
    }
}

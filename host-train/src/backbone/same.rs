//! TensorFlow's SAME padding, which burn does not have: the output has `ceil(size / stride)` places and an odd total
//! puts the extra place at the *end*.

use burn::tensor::Tensor;
use burn::tensor::module::{conv3d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions, PadMode};

/// Padding before and after, for one dimension.
pub fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let places = size.div_ceil(stride);
    let total = (places.saturating_sub(1) * stride + kernel).saturating_sub(size);
    (total / 2, total - total / 2)
}

fn same_padding_3d(size: [usize; 3], kernel: [usize; 3], stride: [usize; 3]) -> [(usize, usize); 3] {
    [0, 1, 2].map(|axis| same_padding(size[axis], kernel[axis], stride[axis]))
}

/// Convolution with SAME padding.
///
/// # Shapes
/// `[N, C, T, H, W]` with weight `[K, C, kt, kh, kw]` and bias `[K]` to `[N, K, ceil(T / st), ceil(H / sh), ceil(W / sw)]`.
pub fn conv3d_same(
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Option<Tensor<1>>,
    stride: [usize; 3],
) -> Tensor<5> {
    let [_, _, t, h, w] = x.dims();
    let [_, _, kt, kh, kw] = weight.dims();
    let padding = same_padding_3d([t, h, w], [kt, kh, kw], stride);
    let symmetric = padding.iter().all(|(before, after)| before == after);
    let (x, own) = if symmetric { (x, padding.map(|pair| pair.0)) } else { (pad_3d(x, padding), [0; 3]) };
    conv3d(x, weight, bias, ConvOptions::new(stride, own, [1; 3], 1))
}

/// Zero padding of the last three dimensions.
fn pad_3d(x: Tensor<5>, padding: [(usize, usize); 3]) -> Tensor<5> {
    x.pad(padding, PadMode::Constant(0.0))
}

/// Max pooling with SAME padding, as two passes of the pooling in a plane: over height and width, then over time.
///
/// # Shapes
/// `[N, C, T, H, W]` to `[N, C, ceil(T / st), ceil(H / sh), ceil(W / sw)]`.
pub fn max_pool3d_same(x: Tensor<5>, kernel: [usize; 3], stride: [usize; 3]) -> Tensor<5> {
    let [n, c, t, h, w] = x.dims();
    let [_, ph, pw] = same_padding_3d([t, h, w], kernel, stride);
    let plane = MaxPoolOptions::new([kernel[1], kernel[2]])
        .with_stride([stride[1], stride[2]])
        .with_padding_pairs([ph, pw]);
    let x = max_pool2d(x.reshape([n * c, t, h, w]), plane);
    let [_, _, h, w] = x.dims();
    if kernel[0] == 1 && stride[0] == 1 {
        return x.reshape([n, c, t, h, w]);
    }
    let time = MaxPoolOptions::new([kernel[0], 1])
        .with_stride([stride[0], 1])
        .with_padding_pairs([same_padding(t, kernel[0], stride[0]), (0, 0)]);
    let x = max_pool2d(x.reshape([n * c, 1, t, h * w]), time);
    let t = x.dims()[2];
    x.reshape([n, c, t, h, w])
}

/// Average over windows of two time steps (stride 1, no padding) and over the whole plane: I3D's last pooling.
///
/// # Shapes
/// `[N, C, T, H, W]` to `[N, C, max(T - 1, 1)]`.
pub fn window_average(x: Tensor<5>) -> Tensor<3> {
    let [n, c, t, h, w] = x.dims();
    let planes: Tensor<3> = x.reshape([n, c, t, h * w]).mean_dim(3).squeeze_dim(3);
    if t < 2 {
        return planes;
    }
    let earlier = planes.clone().narrow(2, 0, t - 1);
    let later = planes.narrow(2, 1, t - 1);
    (earlier + later) * 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn padding_is_tensorflows() {
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
            assert_eq!(same_padding(size, kernel, stride), want, "{size} {kernel} {stride}");
        }
    }

    #[test]
    fn two_passes_of_pooling_equal_the_definition() {
        let (n, c, size, kernel, stride) = (1, 2, [5, 6, 7], [3, 3, 3], [2, 2, 2]);
        let values: Vec<f32> = (0..n * c * 5 * 6 * 7).map(|i| ((i * 7919) % 101) as f32 - 50.0).collect();
        let at = |ch: usize, t: usize, h: usize, w: usize| values[((ch * 5 + t) * 6 + h) * 7 + w];
        let data = burn::tensor::TensorData::new(values.clone(), [n, c, 5, 6, 7]);
        let pooled = max_pool3d_same(Tensor::from_data(data, &Device::flex()), kernel, stride);
        assert_eq!(pooled.dims(), [1, 2, 3, 3, 4]);
        let got: Vec<f32> = pooled.into_data().iter::<f32>().collect();
        let pads = same_padding_3d(size, kernel, stride);
        let window = |axis: usize, place: usize| {
            let start = (place * stride[axis]).saturating_sub(pads[axis].0);
            let end = (place * stride[axis] + kernel[axis] - pads[axis].0).min(size[axis]);
            start..end
        };
        let mut want = Vec::new();
        for (ch, t, h) in (0..2).flat_map(|ch| (0..3).flat_map(move |t| (0..3).map(move |h| (ch, t, h)))) {
            for w in 0..4 {
                let mut best = f32::NEG_INFINITY;
                for (ti, hi) in window(0, t).flat_map(|ti| window(1, h).map(move |hi| (ti, hi))) {
                    best = window(2, w).map(|wi| at(ch, ti, hi, wi)).fold(best, f32::max);
                }
                want.push(best);
            }
        }
        assert_eq!(got, want);
    }
}

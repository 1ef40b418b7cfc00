//! Pooling of maps over time and space, of which burn has only the planar kinds.

use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, TensorData};
use vad_core::tap::grid_shares;

/// Places added before and after each axis: time, height, width.
pub(super) type Places = [(usize, usize); 3];

/// Max pooling as two passes of the pooling in a plane: over height and width, then over time. Added places never win;
/// a last window that does not fit is dropped.
///
/// # Shapes
/// `[N, C, T, H, W]` to `[N, C, T', H', W']`.
pub(super) fn max_pool3d(
    x: Tensor<5>,
    kernel: [usize; 3],
    stride: [usize; 3],
    [time, height, width]: Places,
) -> Tensor<5> {
    let [n, c, t, h, w] = x.dims();
    let plane = MaxPoolOptions::new([kernel[1], kernel[2]])
        .with_stride([stride[1], stride[2]])
        .with_padding_pairs([height, width]);
    let x = max_pool2d(x.reshape([n * c, t, h, w]), plane);
    let [_, _, h, w] = x.dims();
    if kernel[0] == 1 && stride[0] == 1 {
        return x.reshape([n, c, t, h, w]);
    }
    let line =
        MaxPoolOptions::new([kernel[0], 1]).with_stride([stride[0], 1]).with_padding_pairs([time, (0, 0)]);
    let x = max_pool2d(x.reshape([n * c, 1, t, h * w]), line);
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

/// Mean over time and space.
///
/// # Shapes
/// `[N, C, T, H, W]` to `[N, C]`.
pub fn global_average(map: Tensor<5>) -> Tensor<2> {
    let [n, c, t, h, w] = map.dims();
    map.reshape([n, c, t * h * w]).mean_dim(2).squeeze_dim(2)
}

/// Mean over time, and over the places in each cell of a grid.
///
/// # Shapes
/// `[N, C, T, H, W]` to `[N, C * grid * grid]`.
pub fn grid_average(map: Tensor<5>, grid: usize) -> Tensor<2> {
    let [n, c, t, h, w] = map.dims();
    let shares = TensorData::new(grid_shares(h, w, grid), [grid * grid, h * w]);
    let shares: Tensor<2> = Tensor::from_data(shares, &map.device());
    let places: Tensor<2> = map.reshape([n * c, t, h * w]).mean_dim(1).squeeze_dim(1);
    places.matmul(shares.transpose()).reshape([n, c * grid * grid])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn two_passes_of_pooling_equal_the_definition() {
        let (n, c, size, kernel, stride) = (1, 2, [5, 6, 7], [3, 3, 3], [2, 2, 2]);
        let values: Vec<f32> = (0..n * c * 5 * 6 * 7).map(|i| ((i * 7919) % 101) as f32 - 50.0).collect();
        let at = |ch: usize, t: usize, h: usize, w: usize| values[((ch * 5 + t) * 6 + h) * 7 + w];
        let data = TensorData::new(values.clone(), [n, c, 5, 6, 7]);
        let pads = [(1, 1), (0, 1), (1, 1)];
        let pooled = max_pool3d(Tensor::from_data(data, &Device::flex()), kernel, stride, pads);
        assert_eq!(pooled.dims(), [1, 2, 3, 3, 4]);
        let got: Vec<f32> = pooled.into_data().iter::<f32>().collect();
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

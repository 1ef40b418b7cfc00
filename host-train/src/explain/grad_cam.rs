//! Grad-CAM (Selvaraju et al., ICCV 2017, eq 1 and 2) on maps over time and space.
//!
//! ```text
//! a_c = mean over t, h, w of d logit / d M[c, t, h, w]
//! L[h, w] = mean over t of ReLU(sum over c of a_c M[c, t, h, w])
//! ```
//!
//! The logit is that of the class "abnormal". On the last map the classifier is linear in the mean of the map, so there Grad-CAM
//! is the class activation map itself; on the map before it the gradient also comes through the attention. Where the plain
//! classifier scores clips, it is the one that is explained, on the last map as it is.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::backbone::pooling::global_average;
use crate::model::sga::Guided;
use crate::model::sga::encoder::SgaEncoder;
use crate::model::sga::maps::{Maps, ShapeError};

/// The class whose logit is explained.
const ABNORMAL: usize = 1;

/// The map that Grad-CAM is taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Layer {
    /// The map before the last one, twice as fine.
    #[value(name = "4")]
    Block4,
    /// The last map, after attention where the classifier sees that.
    #[value(name = "5")]
    Block5,
}

/// Grad-CAM of one clip, `[h, w]`, from what the encoder made of it. The encoder lives on a device with autodiff.
pub(super) fn of(
    encoder: &SgaEncoder,
    maps: &Maps,
    guided: &Guided,
    layer: Layer,
) -> Result<Tensor<2>, ShapeError> {
    let of_layer = match layer {
        Layer::Block5 => guided.seen(maps),
        Layer::Block4 => maps.block_4.clone(),
    };
    let map = Tensor::<5>::from_inner(of_layer.inner()).require_grad();
    let logit = logits(encoder, map.clone(), layer)?.narrow(1, ABNORMAL, 1).sum();
    let grads = logit.backward();
    let plain = map.clone().inner();
    let grad = map.grad(&grads).unwrap_or_else(|| plain.zeros_like());
    Ok(combine(plain, grad))
}

/// The logits `[N, 2]` as a function of a layer's map.
fn logits(encoder: &SgaEncoder, map: Tensor<5>, layer: Layer) -> Result<Tensor<2>, ShapeError> {
    match layer {
        Layer::Block5 => Ok(encoder.head().judge(map)),
        Layer::Block4 => {
            let block_5 = encoder.backbone().block_5(map.clone())?;
            Ok(encoder.head().forward(Maps { block_4: map, block_5 })?.logits)
        }
    }
}

/// Both equations. `[1, C, T, h, w]`, twice, to `[h, w]`.
fn combine(map: Tensor<5>, grad: Tensor<5>) -> Tensor<2> {
    let [_, channels, _, rows, columns] = map.dims();
    let weights = global_average(grad).reshape([1, channels, 1, 1, 1]);
    relu((map * weights).sum_dim(1)).mean_dim(2).reshape([rows, columns])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;
    use crate::backbone::padding::Padding;
    use crate::backbone::source::{Names, Source};
    use crate::model::sga::encoder::{Backbone, SHORT_FRAMES};
    use crate::tensors::Array;
    use burn::module::Module;
    use burn::tensor::{Device, TensorData};

    /// Half a difference of logits over this step: in `f32`, with kinks of ReLU nearby.
    const STEP: f32 = 1e-2;
    const TOLERANCE: f32 = 2e-3;

    fn encoder(device: &Device) -> SgaEncoder {
        let arrays = narrow::i3d(Names::Kinetics);
        let source = Source { arrays: &arrays, origin: "test", prefix: "", names: Names::Kinetics };
        let backbone = Backbone::short_i3d(source, Padding::Same, device).unwrap();
        SgaEncoder::with_fresh_head(backbone, 2, 3, device).no_grad()
    }

    /// The abnormal logit of a map given as numbers.
    fn logit(encoder: &SgaEncoder, map: &Array, layer: Layer, device: &Device) -> f32 {
        let map = Tensor::from_data(TensorData::new(map.values.clone(), map.shape.clone()), device);
        Array::from_tensor(logits(encoder, map, layer).unwrap()).values[ABNORMAL]
    }

    /// The definition, with gradients from differences.
    fn by_differences(encoder: &SgaEncoder, map: &Array, layer: Layer, device: &Device) -> Vec<f32> {
        let [channels, time, places] = [map.shape[1], map.shape[2], map.shape[3] * map.shape[4]];
        let moved = |at: usize, by: f32| {
            let mut moved = map.clone();
            moved.values[at] += by;
            logit(encoder, &moved, layer, device)
        };
        let gradient = |at: usize| (moved(at, STEP) - moved(at, -STEP)) / (2.0 * STEP);
        let weight = |channel: usize| {
            let own = channel * time * places..(channel + 1) * time * places;
            own.map(gradient).sum::<f32>() / (time * places) as f32
        };
        let weights: Vec<f32> = (0..channels).map(weight).collect();
        let at = |t: usize, place: usize| {
            let sum = weights
                .iter()
                .enumerate()
                .map(|(channel, weight)| weight * map.values[(channel * time + t) * places + place]);
            sum.sum::<f32>().max(0.0)
        };
        (0..places).map(|place| (0..time).map(|t| at(t, place)).sum::<f32>() / time as f32).collect()
    }

    #[test]
    fn gradients_of_both_layers_equal_differences() {
        let device = Device::flex().autodiff();
        let encoder = encoder(&device);
        let clip = Tensor::from_inner(narrow::values([1, 3, SHORT_FRAMES, 48, 32]));
        let maps = encoder.backbone().maps(clip).unwrap();
        let guided = encoder.head().forward(maps.clone()).unwrap();
        for (layer, map) in [(Layer::Block5, guided.attended.clone()), (Layer::Block4, maps.block_4.clone())]
        {
            let cam = Array::from_tensor(of(&encoder, &maps, &guided, layer).unwrap());
            let map = Array::from_tensor(map);
            let want = by_differences(&encoder, &map, layer, &device);
            let most = want.iter().copied().fold(0.0, f32::max);
            assert!(most > 0.0, "{layer:?}: an empty map compares nothing");
            for (got, want) in cam.values.iter().zip(&want) {
                assert!((got - want).abs() < TOLERANCE.max(0.02 * most), "{layer:?}: {got} {want}");
            }
        }
    }

    #[test]
    fn what_speaks_against_the_class_is_left_out() {
        let device = Device::flex();
        let map =
            Tensor::<5>::from_data(TensorData::new(vec![1.0_f32, 2.0, 3.0, 1.0], [1, 2, 1, 1, 2]), &device);
        let grad =
            Tensor::from_data(TensorData::new(vec![2.0_f32, 0.0, -1.0, -1.0], [1, 2, 1, 1, 2]), &device);
        // Weights 1 and -1: 1 - 3 and 2 - 1.
        assert_eq!(Array::from_tensor(combine(map, grad)).values, [0.0, 1.0]);
    }
}

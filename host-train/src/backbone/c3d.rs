//! C3D (Tran et al., ICCV 2015) without its dense layers: eight convolutions of 3x3x3, the other encoder of MIST.
//!
//! Layers carry the published names (`conv1a` to `conv5b`). 27,655,936 parameters, no normalisation. Input as MIST's release
//! prepares it: blue, green, red in 0..=255, less the means 90.25, 97.66 and 101.41.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::conv::{Conv, Shape};
use super::grid::{Line, Strided};
use super::pooling::max_pool3d;
use crate::tensors::{Arrays, TensorsError};

/// Names of the layers, in order.
pub const LAYERS: [&str; 8] =
    ["conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"];

/// Colours of a pixel.
const COLOURS: usize = 3;

/// The network.
#[derive(Module, Debug)]
pub struct C3d {
    /// In the order of [`LAYERS`].
    convs: [Conv; 8],
}

/// Maps at both taps, after their ReLU, for a batch of clips.
#[derive(Clone, Debug)]
pub struct C3dMaps {
    /// `[N, 512, T/4, H/8, W/8]`.
    pub conv4b: Tensor<5>,
    /// `[N, 512, T/8, H/16, W/16]`.
    pub conv5b: Tensor<5>,
}

impl C3d {
    /// Loads `PREFIXconv1a.weight` (`[64, 3, 3, 3, 3]`), `.bias` and so on. Widths follow the arrays; others among them, such
    /// as the dense layers, are ignored.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape, or the layers' widths do not chain; `origin` says where the arrays came
    /// from.
    pub fn from_arrays(
        arrays: &Arrays,
        origin: &str,
        prefix: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let mut inputs = COLOURS;
        let mut load = |layer: usize| {
            let name = format!("{prefix}{}", LAYERS[layer]);
            let conv = Conv::from_arrays(arrays, origin, &name, Shape::around(inputs), device)?;
            inputs = conv.widths()[1];
            Ok::<Conv, TensorsError>(conv)
        };
        let convs = [load(0)?, load(1)?, load(2)?, load(3)?, load(4)?, load(5)?, load(6)?, load(7)?];
        Ok(Self { convs })
    }

    /// The maps at both taps. Rows and columns that do not fill a window of a pooling are left out, as published.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]`; T at least 8, H and W at least 16.
    pub fn forward(&self, clips: Tensor<5>) -> C3dMaps {
        let [conv1a, conv2a, conv3a, conv3b, conv4a, conv4b, ..] = &self.convs;
        let x = pool(step(conv1a, clips), [1, 2, 2]);
        let x = pool(step(conv2a, x), [2; 3]);
        let x = pool(step(conv3b, step(conv3a, x)), [2; 3]);
        let conv4b = step(conv4b, step(conv4a, x));
        let conv5b = self.conv5b(conv4b.clone());
        C3dMaps { conv4b, conv5b }
    }

    /// The last map from the one before it.
    pub(crate) fn conv5b(&self, conv4b: Tensor<5>) -> Tensor<5> {
        let [.., conv5a, conv5b] = &self.convs;
        step(conv5b, step(conv5a, pool(conv4b, [2; 3])))
    }

    /// Where the places of `conv4b` and `conv5b` lie along a side of the picture.
    pub(crate) fn lines(&self) -> [Line; 2] {
        let halved = |line: Line| Strided::pool(2, 2).line(line, 0);
        let conv4b = halved(halved(halved(Line::PIXELS)));
        [conv4b, halved(conv4b)]
    }

    /// Channels of `conv4b` and `conv5b`: 512 and 512 as published.
    pub fn widths(&self) -> [usize; 2] {
        [&self.convs[5], &self.convs[7]].map(|conv| conv.widths()[1])
    }

    /// Adds the parameters, or the gradients (zero where there is none), each name after `prefix`.
    pub fn store(&self, prefix: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        for (name, conv) in LAYERS.into_iter().zip(&self.convs) {
            conv.store(&format!("{prefix}{name}"), grads, arrays);
        }
    }
}

fn step(conv: &Conv, x: Tensor<5>) -> Tensor<5> {
    relu(conv.forward(x))
}

fn pool(x: Tensor<5>, window: [usize; 3]) -> Tensor<5> {
    max_pool3d(x, window, window, [(0, 0); 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;

    #[test]
    fn taps_have_the_strides_they_say() {
        let network = C3d::from_arrays(&narrow::c3d(), "test", "", &Device::flex()).unwrap();
        let maps = network.forward(narrow::values([2, 3, 16, 64, 32]));
        assert_eq!(maps.conv4b.dims(), [2, network.widths()[0], 4, 8, 4]);
        assert_eq!(maps.conv5b.dims(), [2, network.widths()[1], 2, 4, 2]);
    }

    #[test]
    fn a_network_survives_a_round_trip_behind_a_prefix() {
        let device = Device::flex();
        let mut stored = Arrays::new();
        let network = C3d::from_arrays(&narrow::c3d(), "test", "", &device).unwrap();
        network.store("backbone.", None, &mut stored);
        let again = C3d::from_arrays(&stored, "test", "backbone.", &device).unwrap();
        let mut plain = Arrays::new();
        again.store("", None, &mut plain);
        assert_eq!(plain, narrow::c3d());
    }

    #[test]
    fn a_missing_layer_is_refused_by_name() {
        let mut arrays = narrow::c3d();
        arrays.remove("conv4a.bias");
        let error = C3d::from_arrays(&arrays, "test", "", &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("conv4a.bias"), "{error}");
    }
}

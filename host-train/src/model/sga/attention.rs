//! Self-guided attention (section 3.3 of MIST): where in the picture block 5 should look, learnt from block 4.
//!
//! Two layers (F1) turn the map of block 4 into `M*`, two groups of K detectors: K for normal, K for abnormal. A third (F3)
//! scores each detector over the whole clip; the groups' means are the guided classifier H_g (eq 9, 10), by which clip labels
//! teach the detectors. A fourth (F2) makes one map of them all, the attention A (eq 8). The main text's eq 4 has F1 and F2
//! the other way round; the figure, eq 8 and the released code agree on this order.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};

use super::maps::{Maps, ShapeError};
use crate::backbone::conv::{Conv, Shape};
use crate::backbone::pooling::global_average;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError, require, require_shape};

/// Names of the four layers in published files, after a prefix: F1 twice, F3, F2.
pub const LAYERS: [&str; 4] = ["Conv_Atten.0", "Att_1.0", "Att_2", "Att_3.0"];

/// Detectors of each kind (K) in the paper.
pub const PUBLISHED_K: usize = 8;

/// Normal and abnormal.
const CLASSES: usize = 2;

/// Beyond the layer numbers of the generators and classifiers, so that no two networks draw the same weights.
const FIRST_LAYER: u64 = 1 << 33;

/// Time steps of `M*`, of the four that block 4 has for a clip of 16 frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    /// The first layer sees the middle two with all their neighbours. Both published encoders take this.
    Two,
    /// The first layer sees all four, beyond the ends of the clip nothing.
    Four,
}

impl Steps {
    /// By the extent over time of the layer that collapses it.
    fn of_kernel(steps: usize) -> Option<Self> {
        [Self::Two, Self::Four].into_iter().find(|known| known.count() == steps)
    }

    fn count(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// The first layer: 3x3x3, halving the plane and not the time (the paper's stride is 2 throughout).
    fn first_layer(self, inputs: usize) -> Shape {
        let time = match self {
            Self::Two => 0,
            Self::Four => 1,
        };
        Shape { stride: [1, 2, 2], padding: [time, 1, 1], ..Shape::around(inputs) }
    }

    /// The layer that makes one map of all detectors and all steps.
    fn last_layer(self, detectors: usize) -> Shape {
        Shape { kernel: [self.count(), 1, 1], ..Shape::pointwise(detectors) }
    }
}

/// What the module looks like but for its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Channels between the two layers of F1; as many as inputs in the published encoders.
    pub width: usize,
    /// Detectors of each kind (K).
    pub k: usize,
    /// Time steps of `M*`.
    pub steps: Steps,
}

/// The module.
#[derive(Module, Debug)]
pub struct SelfGuidedAttention {
    /// F1, first half.
    around: Conv,
    /// F1, second half: to 2K detectors.
    detect: Conv,
    /// F3.
    guide: Conv,
    /// F2.
    collapse: Conv,
    time_padding: usize,
}

/// What the module makes of a batch of clips.
#[derive(Clone, Debug)]
pub struct Attention {
    /// `M*`, `[N, 2K, t, h, w]`, nowhere negative: what the detectors see, those for normal first.
    pub detectors: Tensor<5>,
    /// Logits of H_g (eq 9, 10), `[N, 2]`: normal, abnormal.
    pub guided_logits: Tensor<2>,
    /// A (eq 8), `[N, 1, 1, h, w]`, within 0..=1: the same for every time and channel.
    pub map: Tensor<5>,
}

impl SelfGuidedAttention {
    /// Fresh weights as PyTorch draws them (the published code keeps its default), for maps of `inputs` channels.
    pub fn init(inputs: usize, form: Form, seed: u64, device: &Device) -> Self {
        let Form { width, k, steps } = form;
        let layer = |index: u64, shape: Shape, outputs: usize| {
            Conv::init(shape, outputs, &mut stream(seed, Purpose::Weights, FIRST_LAYER + index), device)
        };
        let detectors = CLASSES * k.max(1);
        let first = steps.first_layer(inputs);
        Self {
            around: layer(0, first, width),
            detect: layer(1, Shape::pointwise(width), detectors),
            guide: layer(2, Shape::pointwise(detectors), detectors),
            collapse: layer(3, steps.last_layer(detectors), 1),
            time_padding: first.padding[0],
        }
    }

    /// Loads the published names, each after `prefix`. Widths, K and the time steps follow the arrays.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not chain; `origin` says where the arrays came from.
    pub fn from_arrays(
        arrays: &Arrays,
        origin: &str,
        prefix: &str,
        device: &Device,
    ) -> Result<Self, TensorsError> {
        let [around, detect, guide, collapse] = LAYERS.map(|layer| format!("{prefix}{layer}"));
        let stored =
            |layer: &str| Ok::<_, TensorsError>(&require(arrays, origin, &format!("{layer}.weight"))?.shape);
        let expect =
            |layer: &str, shape: &[usize]| require_shape(arrays, origin, &format!("{layer}.weight"), shape);
        let inputs = stored(&around)?.get(1).copied().unwrap_or(0).max(1);
        let detectors = stored(&detect)?.first().copied().unwrap_or(0);
        let detectors = CLASSES * (detectors / CLASSES).max(1);
        let steps =
            stored(&collapse)?.get(2).and_then(|steps| Steps::of_kernel(*steps)).unwrap_or(Steps::Two);
        expect(&guide, &[detectors, detectors, 1, 1, 1])?;
        expect(&collapse, &[1, detectors, steps.count(), 1, 1])?;
        let conv = |name: &str, shape: Shape| Conv::from_arrays(arrays, origin, name, shape, device);
        let first = steps.first_layer(inputs);
        let loaded = conv(&around, first)?;
        let width = loaded.widths()[1];
        expect(&detect, &[detectors, width, 1, 1, 1])?;
        Ok(Self {
            around: loaded,
            detect: conv(&detect, Shape::pointwise(width))?,
            guide: conv(&guide, Shape::pointwise(detectors))?,
            collapse: conv(&collapse, steps.last_layer(detectors))?,
            time_padding: first.padding[0],
        })
    }

    /// Adds the parameters, or the gradients (zero where there is none), each name after `prefix`.
    pub fn store(&self, prefix: &str, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        let convs = [&self.around, &self.detect, &self.guide, &self.collapse];
        for (layer, conv) in LAYERS.into_iter().zip(convs) {
            conv.store(&format!("{prefix}{layer}"), grads, arrays);
        }
    }

    /// Channels of the map that it takes.
    pub fn inputs(&self) -> usize {
        self.around.widths()[0]
    }

    /// Detectors of each kind.
    pub fn k(&self) -> usize {
        self.detect.widths()[1] / CLASSES
    }

    /// Looks at block 4 of maps that fit.
    ///
    /// # Errors
    /// When the maps have another number of channels, or a length or size for which the attention would not lie on block 5.
    pub fn forward(&self, maps: &Maps) -> Result<Attention, ShapeError> {
        self.check(maps)?;
        let detectors = relu(self.detect.forward(relu(self.around.forward(maps.block_4.clone()))));
        let scored = global_average(self.guide.forward(detectors.clone()));
        let clips = scored.dims()[0];
        let groups: Tensor<3> = scored.reshape([clips, CLASSES, self.k()]);
        Ok(Attention {
            guided_logits: groups.mean_dim(2).squeeze_dim(2),
            map: sigmoid(self.collapse.forward(detectors.clone())),
            detectors,
        })
    }

    fn check(&self, maps: &Maps) -> Result<(), ShapeError> {
        let [clips, channels, t, h, w] = maps.block_4.dims();
        let steps = (t + 2 * self.time_padding + 1).saturating_sub(self.around.kernel()[0]);
        ShapeError::unless(channels == self.inputs(), "channels of block 4", channels, self.inputs())?;
        ShapeError::unless(
            steps == self.collapse.kernel()[0],
            "time steps left of block 4",
            steps,
            self.collapse.kernel()[0],
        )?;
        let [own_clips, _, _, own_h, own_w] = maps.block_5.dims();
        ShapeError::unless(clips == own_clips, "clips of block 5", own_clips, clips)?;
        // The first layer has a place for every begun pair.
        ShapeError::unless(own_h == h.div_ceil(2), "height of block 5", own_h, h.div_ceil(2))?;
        ShapeError::unless(own_w == w.div_ceil(2), "width of block 5", own_w, w.div_ceil(2))
    }
}

//! The architecture of I3D-lite: an encoder that looks at every frame once.
//!
//! A causal (2+1)-D network without strides in time. A frame's feature depends on that frame and on
//! the [`LitePlan::memory_frames`] before it, never on a later one, so a stream is encoded frame by
//! frame and gives what the whole video at once would give. A clip's feature is the mean of its
//! frames' features.
//!
//! # Layers
//!
//! ```text
//! stem   1x4x4 convolution, stride 4 in space, ReLU                      3 -> C1
//! block  1xkxk depthwise, stride s in space -> dx1x1 depthwise, causal   C  -> C
//!        -> 1x1x1, ReLU -> 1x1x1                                         C  -> eC' -> C'
//!        + its input, where s = 1
//! last   1x1x1, ReLU, mean over the picture                              C4 -> D
//! ```
//!
//! The first block of every stage but the first has `s = 2`. Each convolution but the `1xkxk` one has a
//! bias. Nothing is normalised, neither over a batch nor over a picture: what learns and what runs is
//! the same function. Spatial padding is TensorFlow's `SAME`; in time the stream begins after zeros.
//!
//! The rules behind it were measured with tract: depthwise kernels on the narrow tensor, before it is
//! widened; everything else `1x1x1`; no pooling but the last mean; widths that are multiples of 32.
//! Depthwise-first blocks are those of MobileNetV4 (Qin et al., ECCV 2024, "ConvNext-like"); causal
//! streams those of MoViNets (Kondratyuk et al., CVPR 2021).

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::preprocess::{ChannelOrder, Fit, PreprocessSpec};

/// Side of the stem's kernel and its stride, in pixels.
pub const STEM_PX: u16 = 4;

/// The sizes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiteSize {
    /// About 0.3 GMAC per 16 frames of 112 x 112 px: one core of a Raspberry Pi.
    Small,
    /// About 1 GMAC per 16 frames of 128 x 128 px.
    Middle,
    /// About 4 GMAC per 16 frames of 160 x 160 px.
    Large,
}

/// Blocks at one resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteStage {
    /// Channels of its output.
    pub channels: usize,
    /// Blocks in it.
    pub blocks: usize,
    /// Width of the middle of a block as a multiple of `channels`.
    pub expansion: usize,
    /// Side of the depthwise kernel over the picture, in places of the map.
    pub space_kernel: usize,
    /// Frames that the depthwise kernel over time sees, the present one included.
    pub time_kernel: usize,
}

/// One size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LitePlan {
    /// Side of its square input, in pixels.
    pub side_px: u16,
    /// Stages from fine to coarse.
    pub stages: [LiteStage; 4],
    /// Length `D` of a feature.
    pub feature_dim: usize,
}

const fn stage(channels: usize, blocks: usize, expansion: usize, kernels: [usize; 2]) -> LiteStage {
    let [space_kernel, time_kernel] = kernels;
    LiteStage { channels, blocks, expansion, space_kernel, time_kernel }
}

const SMALL: LitePlan = LitePlan {
    side_px: 112,
    stages: [
        stage(32, 1, 2, [3, 3]),
        stage(64, 1, 3, [3, 3]),
        stage(128, 2, 3, [5, 3]),
        stage(256, 1, 2, [3, 5]),
    ],
    feature_dim: 256,
};

const MIDDLE: LitePlan = LitePlan {
    side_px: 128,
    stages: [
        stage(48, 1, 2, [3, 3]),
        stage(96, 1, 3, [3, 3]),
        stage(192, 2, 3, [5, 3]),
        stage(384, 2, 2, [3, 5]),
    ],
    feature_dim: 512,
};

const LARGE: LitePlan = LitePlan {
    side_px: 160,
    stages: [
        stage(64, 1, 2, [3, 3]),
        stage(128, 2, 3, [3, 3]),
        stage(256, 3, 3, [5, 3]),
        stage(512, 1, 2, [5, 5]),
    ],
    feature_dim: 1024,
};

impl LiteSize {
    /// Every size, from small to large.
    pub const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    /// Its network.
    #[must_use]
    pub fn plan(self) -> &'static LitePlan {
        match self {
            Self::Small => &SMALL,
            Self::Middle => &MIDDLE,
            Self::Large => &LARGE,
        }
    }

    /// Its name for people and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Middle => "middle",
            Self::Large => "large",
        }
    }
}

impl fmt::Display for LiteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One block, as [`LitePlan::blocks`] lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteBlock {
    /// Its stage and its number there, both from 0.
    pub place: [usize; 2],
    /// Channels of its input.
    pub inputs: usize,
    /// Channels between its `1x1x1` convolutions.
    pub width: usize,
    /// Channels of its output.
    pub outputs: usize,
    /// Side of the depthwise kernel over the picture.
    pub space_kernel: usize,
    /// Its stride, 1 or 2.
    pub stride: usize,
    /// Frames that the depthwise kernel over time sees.
    pub time_kernel: usize,
}

impl LiteBlock {
    /// Whether its input is added to its output.
    #[must_use]
    pub fn is_residual(&self) -> bool {
        self.stride == 1 && self.inputs == self.outputs
    }

    /// The stored name of one of its layers, such as `stage3.1.expand`.
    #[must_use]
    pub fn layer(&self, layer: &str) -> alloc::string::String {
        let [stage, block] = self.place;
        alloc::format!("stage{}.{block}.{layer}", stage + 1)
    }
}

impl LitePlan {
    /// Every block, in order.
    pub fn blocks(&self) -> impl Iterator<Item = LiteBlock> + '_ {
        let before = core::iter::once(self.stages[0].channels).chain(self.stages.iter().map(|s| s.channels));
        self.stages.iter().zip(before).enumerate().flat_map(|(number, (stage, before))| {
            (0..stage.blocks).map(move |block| {
                let opens = block == 0;
                LiteBlock {
                    place: [number, block],
                    inputs: if opens { before } else { stage.channels },
                    width: stage.expansion * stage.channels,
                    outputs: stage.channels,
                    space_kernel: stage.space_kernel,
                    stride: if opens && number > 0 { 2 } else { 1 },
                    time_kernel: stage.time_kernel,
                }
            })
        })
    }

    /// Frames before the present one that its feature depends on.
    #[must_use]
    pub fn memory_frames(&self) -> usize {
        self.blocks().map(|block| block.time_kernel - 1).sum()
    }

    /// Places of the last map along each side of its square pictures.
    #[must_use]
    pub fn grid(&self) -> usize {
        self.places(self.stages.len(), self.side_px)
    }

    /// Places along a side of `side_px` pixels behind the first `stages` stages.
    #[must_use]
    pub fn places(&self, stages: usize, side_px: u16) -> usize {
        let stem = usize::from(side_px / STEM_PX);
        let blocks = self.blocks().filter(|block| block.place[0] < stages);
        blocks.fold(stem, |side, block| side.div_ceil(block.stride))
    }

    /// Blocks of the first `stages` stages.
    #[must_use]
    pub fn blocks_of(&self, stages: usize) -> usize {
        self.stages.iter().take(stages).map(|stage| stage.blocks).sum()
    }

    /// Multiplications of one frame of `height_px` x `width_px`.
    #[must_use]
    pub fn macs_per_frame(&self, height_px: usize, width_px: usize) -> u64 {
        let stem = usize::from(STEM_PX);
        let mut size = [height_px / stem, width_px / stem];
        let places = |size: [usize; 2]| size[0] * size[1];
        let mut macs = places(size) * 3 * stem * stem * self.stages[0].channels;
        for block in self.blocks() {
            size = size.map(|side| side.div_ceil(block.stride));
            let depthwise = block.inputs * (block.space_kernel.pow(2) + block.time_kernel);
            macs += places(size) * (depthwise + block.inputs * block.width + block.width * block.outputs);
        }
        (macs + places(size) * self.stages[3].channels * self.feature_dim) as u64
    }

    /// Its pictures: the whole one, squeezed to a square, RGB scaled to -1 to 1.
    #[must_use]
    pub fn preprocess(&self) -> PreprocessSpec {
        PreprocessSpec {
            width_px: self.side_px,
            height_px: self.side_px,
            fit: Fit::Squeeze,
            channel_order: ChannelOrder::Rgb,
            mean: [127.5; 3],
            std: [127.5; 3],
        }
    }
}

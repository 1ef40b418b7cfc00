//! What is timed: three sizes of I3D-lite, and I3D at 112 px, with random weights.

use golden::hashed_values;
use model_export::EncoderPrecision;
use serde::Serialize;
use vad_core::{EncoderSpec, LiteSize, ModelSpec};

use crate::common::{SEED, i3d_tensors, lite_int8, lite_tensors, safetensors};

/// Side of I3D's pictures: what the smallest I3D-lite sees.
const I3D_SIDE_PX: u16 = 112;

/// What a graph computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    F32,
    /// Every `1x1x1` convolution behind the stem on 8-bit integers, between `QuantizeLinear` and `DequantizeLinear`.
    Int8,
}

impl Precision {
    /// Its name, here and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

/// One encoder.
pub struct Model {
    /// Its name, here and in files.
    pub name: &'static str,
    /// None: I3D.
    size: Option<LiteSize>,
}

/// All, the one that the others are compared with last.
pub const MODELS: [Model; 4] = [
    Model { name: "small", size: Some(LiteSize::Small) },
    Model { name: "middle", size: Some(LiteSize::Middle) },
    Model { name: "large", size: Some(LiteSize::Large) },
    Model { name: "i3d", size: None },
];

impl Model {
    /// Whether it takes frame by frame.
    pub fn streams(&self) -> bool {
        self.size.is_some()
    }

    /// Its name for people.
    pub fn title(&self) -> String {
        let side = self.spec().preprocess.width_px;
        let kind = if self.streams() { format!("I3D-lite {}", self.name) } else { "I3D".to_owned() };
        format!("{kind}, {side} px")
    }

    /// Multiplications per frame, where frames are taken one by one.
    pub fn gmac_per_frame(&self) -> Option<f64> {
        let side = usize::from(self.spec().preprocess.width_px);
        self.size.map(|size| 1e-9 * size.plan().macs_per_frame(side, side) as f64)
    }

    /// How the board is told of it.
    pub fn spec(&self) -> ModelSpec {
        let Some(size) = self.size else {
            let mut spec = ModelSpec::i3d_mist("edge");
            spec.preprocess.width_px = I3D_SIDE_PX;
            spec.preprocess.height_px = I3D_SIDE_PX;
            return spec;
        };
        ModelSpec::mist("edge", EncoderSpec::lite(size))
    }

    /// What it is measured in.
    pub fn precisions(&self) -> &'static [Precision] {
        if self.streams() { &[Precision::F32, Precision::Int8] } else { &[Precision::F32] }
    }

    /// Its graph, `[1, 3, 16, H, W]` to `[1, D, 16]` or `[1, D]`.
    pub fn onnx(&self, precision: Precision) -> Vec<u8> {
        let tensors = self.size.map_or_else(i3d_tensors, lite_tensors);
        let int8 = self.size.filter(|_| precision == Precision::Int8).map(lite_int8);
        let precision = int8.map(EncoderPrecision::Int8).unwrap_or_default();
        model_export::encoder_onnx_in(&safetensors(&tensors), &self.spec(), &precision)
            .expect("sound weights")
    }

    /// Sixteen normalised frames.
    pub fn clip(&self) -> Vec<f32> {
        hashed_values("clip", SEED, self.spec().clip_len(), -1.0, 1.0)
    }
}

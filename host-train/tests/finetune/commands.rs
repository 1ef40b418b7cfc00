//! What the tests of whole commands share: features that need no pretrained weights, and a C3D next to no width.

use std::path::Path;
use std::process::ExitCode;

use crate::footage::SIDE_PX;
use clap::Parser;
use golden::hashed_values;
use serde_json::Value;
use vad_core::{EncoderSpec, ModelSpec, PreprocessSpec};
use vad_data::{
    ClipEncoder, EncodeError, ExtractSpec, FeatureCache, FeatureSpec, Silent, VideoEntry, extract,
};
use watchpost::cmd::Cli;
use watchpost::extraction::Extraction;
use watchpost::finetune::labels::CLIP;
use watchpost::tensors::{self, Array, Arrays};

pub fn watchpost(args: &[&str]) -> ExitCode {
    Cli::parse_from([&["watchpost"], args].concat()).run()
}

pub fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A clip's feature is the same number all over, how much its last frame differs from its first, beside noise.
struct Motion;

impl ClipEncoder for Motion {
    fn feature_dim(&self) -> usize {
        ModelSpec::i3d_mist("test").encoder.feature_dim as usize
    }

    fn hash(&self) -> [u8; 32] {
        [7; 32]
    }

    fn encode(&self, clip: &[f32]) -> Result<Vec<f32>, EncodeError> {
        let plane = usize::from(SIDE_PX).pow(2);
        let (first, last) = (&clip[..plane], &clip[15 * plane..16 * plane]);
        let motion =
            first.iter().zip(last).map(|(first, last)| (first - last).abs()).sum::<f32>() / plane as f32;
        let noise = hashed_values("noise", 1, self.feature_dim(), 0.0, 0.1);
        Ok(noise.into_iter().map(|noise| noise + motion).collect())
    }
}

/// C3D of four channels throughout, drawn at random.
pub fn write_c3d(path: &Path) {
    let (mut arrays, mut inputs) = (Arrays::new(), 3);
    for name in ["conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"] {
        let mut add = |part: &str, shape: Vec<usize>, low: f64, high: f64| {
            let name = format!("{name}.{part}");
            let values = hashed_values(&name, 7, shape.iter().product(), low, high);
            arrays.insert(name, Array { shape, values });
        };
        let bound = (6.0 / (inputs * 27) as f64).sqrt();
        add("weight", vec![4, inputs, 3, 3, 3], -bound, bound);
        add("bias", vec![4], 0.0, 0.1);
        inputs = 4;
    }
    tensors::save(path, &arrays, None).unwrap();
}

/// Leaves in a work folder what an extraction would have left there.
pub fn leave_features(entries: &[VideoEntry], work: &Path) {
    let preprocess =
        PreprocessSpec { width_px: SIDE_PX, height_px: SIDE_PX, ..ModelSpec::i3d_mist("test").preprocess };
    let features = FeatureSpec::new(preprocess, CLIP);
    let request = ExtractSpec { features: features.clone(), threads: 1, batch: 1 };
    let cache = FeatureCache::open(&work.join("features")).unwrap();
    extract(entries, &Motion, request, &cache, false, &Silent).unwrap();
    Extraction::new(&Motion, EncoderSpec::i3d(), features).write(work).unwrap();
}

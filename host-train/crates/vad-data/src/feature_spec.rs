//! What is extracted: all that decides about a video's features besides the encoder and the video.

use serde::{Deserialize, Serialize};
use vad_core::{ClipSpec, PreprocessSpec};

use crate::CropPlan;

/// Pictures, clips and crops of an extraction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// Pictures as the encoder wants them. Its `fit` holds for one crop; several keep the aspect ratio.
    pub preprocess: PreprocessSpec,
    /// Clips as the encoder wants them; a stride below their length makes them overlap.
    pub clip: ClipSpec,
    /// Views of each clip.
    pub crops: CropPlan,
}

impl FeatureSpec {
    /// One crop, for an encoder that wants these pictures and clips.
    #[must_use]
    pub fn new(preprocess: PreprocessSpec, clip: ClipSpec) -> Self {
        Self { preprocess, clip, crops: CropPlan::One }
    }

    /// What the features were made from, by name, for the key and the metadata of a cache entry.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let PreprocessSpec { width_px, height_px, fit, channel_order, mean, std } = &self.preprocess;
        let mut facts = vec![
            (
                "preprocess",
                format!("{width_px}x{height_px} {fit:?} {channel_order:?} mean {mean:?} std {std:?}"),
            ),
            ("clip", format!("{}/{}", self.clip.frames, self.clip.stride)),
        ];
        facts.extend(self.crops.describe().map(|crops| ("crops", crops)));
        facts
    }
}

//! What the features of a work folder were made from, and so where they are found.
//!
//! `watchpost extract` writes it as `extraction.json` into the work folder; a training copies it into its run. Training and
//! evaluation thus need neither the encoder nor the options that the features were extracted with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use vad_core::{EncoderSpec, ModelSpec};
use vad_data::{
    CacheKey, ClipEncoder, FeatureSpec, FeatureStore, Features, Lookup, VideoEntry, from_hex, hex,
};

use crate::atomic_file;

/// Its name in work folders and runs.
pub const FILE_NAME: &str = "extraction.json";

const FORMAT: u32 = 1;

/// Encoder, pictures, clips and crops of an extraction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extraction {
    format: u32,
    /// Fingerprint of the encoder, [`ClipEncoder::hash`], in hexadecimal digits.
    encoder_sha256: String,
    /// Which encoder.
    #[serde(default = "EncoderSpec::i3d")]
    pub encoder: EncoderSpec,
    /// Its name among the encoders of the work folder; none of the pretrained one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distilled: Option<String>,
    /// What the features are of.
    pub features: FeatureSpec,
    /// Where they are kept, if not in the work folder: a folder, or `s3://BUCKET/PREFIX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

impl Extraction {
    /// An extraction by `encoder`, which `spec` describes.
    pub fn new(encoder: &dyn ClipEncoder, spec: EncoderSpec, features: FeatureSpec) -> Self {
        let encoder_sha256 = hex(&encoder.hash());
        Self { format: FORMAT, encoder_sha256, encoder: spec, distilled: None, features, store: None }
    }

    /// Whether `encoder` is the very one that made it.
    pub fn is_by(&self, encoder: &dyn ClipEncoder) -> bool {
        self.encoder_sha256 == hex(&encoder.hash())
    }

    /// The same, by an encoder of the work folder.
    pub fn by(self, distilled: Option<String>) -> Self {
        Self { distilled, ..self }
    }

    /// The same, kept in a store.
    pub fn kept_in(self, store: Option<String>) -> Self {
        Self { store, ..self }
    }

    /// Reads what `folder` says; nothing when it says nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or was not written by this version.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE_NAME);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let remedy = || format!("{} is damaged\n  remedy: watchpost extract", path.display());
        let found: Self = serde_json::from_str(&text).with_context(remedy)?;
        ensure!(
            found.format == FORMAT,
            "{} has format {}, this program reads {FORMAT}\n  remedy: watchpost extract",
            path.display(),
            found.format
        );
        found.encoder_hash().with_context(remedy)?;
        Ok(Some(found))
    }

    /// Writes it into `folder`, in one step.
    ///
    /// # Errors
    /// When the file cannot be written; an older one is intact then.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        Ok(atomic_file::write(&folder.join(FILE_NAME), text.as_bytes())?)
    }

    /// Features of one video from where they are kept.
    ///
    /// # Errors
    /// Names the video and the remedy when they were never extracted.
    pub fn cached(&self, store: &dyn FeatureStore, entry: &VideoEntry) -> Result<Features> {
        let key = CacheKey::new(self.encoder_hash()?, &self.features, store.file_hash(&entry.path)?);
        match store.get(&key)? {
            Lookup::Found(features) => Ok(features),
            Lookup::Absent => bail!("{} has no features ({self})\n  remedy: watchpost extract", entry.id),
            Lookup::Damaged(what) => {
                bail!("the features of {} are damaged: {what}\n  remedy: watchpost extract", entry.id)
            }
        }
    }

    /// The model that a training on these features makes, under `name`; its head is still the default one.
    pub fn model(&self, name: &str) -> ModelSpec {
        ModelSpec {
            preprocess: self.features.preprocess.clone(),
            clip: self.features.clip,
            ..ModelSpec::mist(name, self.encoder.clone())
        }
    }

    fn encoder_hash(&self) -> Result<[u8; 32]> {
        from_hex(&self.encoder_sha256).context("`encoder_sha256` is not a SHA-256")
    }
}

impl std::fmt::Display for Extraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let FeatureSpec { clip, crops, .. } = &self.features;
        let plural = if crops.count() == 1 { "" } else { "s" };
        if let Some(name) = &self.distilled {
            write!(f, "{name}, ")?;
        }
        write!(f, "{crops} crop{plural}, clips of {} frames every {}", clip.frames, clip.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vad_data::{CropPlan, EncodeError};

    struct Fake;

    impl ClipEncoder for Fake {
        fn feature_dim(&self) -> usize {
            1
        }

        fn hash(&self) -> [u8; 32] {
            [0xAB; 32]
        }

        fn encode(&self, _: &[f32]) -> Result<Vec<f32>, EncodeError> {
            Ok(vec![0.0])
        }
    }

    #[test]
    fn it_is_read_back_and_damage_names_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Extraction::read(folder.path()).unwrap(), None);
        let model = ModelSpec::i3d_mist("any");
        let spec = FeatureSpec { crops: CropPlan::Ten, ..FeatureSpec::new(model.preprocess, model.clip) };
        let made = Extraction::new(&Fake, EncoderSpec::i3d(), spec);
        made.write(folder.path()).unwrap();
        assert_eq!(Extraction::read(folder.path()).unwrap(), Some(made.clone()));
        assert_eq!(made.to_string(), "10 crops, clips of 16 frames every 16");
        let lite = made.clone().by(Some("lite".to_owned()));
        assert_eq!(lite.to_string(), "lite, 10 crops, clips of 16 frames every 16");
        let path = folder.path().join(FILE_NAME);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("abab", "ab"),
            text.replace("\"crops\": 10", "\"crops\": 3"),
            text.replace("\"format\": 1", "\"format\": 2"),
            text[..text.len() / 2].to_owned(),
        ] {
            fs::write(&path, &damaged).unwrap();
            let error = format!("{:#}", Extraction::read(folder.path()).unwrap_err());
            assert!(error.contains("extraction.json") && error.contains("watchpost extract"), "{error}");
        }
    }
}

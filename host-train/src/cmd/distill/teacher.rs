//! I3D as a teacher: what it sees in each place of a clip, kept on disk.

use crate::cmd::interrupt;
use crate::cmd::options::Encoding;
use crate::cmd::progress::{ExtractBars, Speed};
use crate::distill::film::Reel;
use crate::distill::lessons::{CLIP, Lesson};
use anyhow::{Result, bail};
use std::path::Path;
use vad_core::{EncoderSpec, EndPoint, I3dTap, LiteSize, ModelSpec};
use vad_data::{CacheKey, ClipEncoder, FeatureCache, FeatureSpec, VideoEntry, extract_each};

/// I3D with its last map averaged over the places of a student's.
pub struct Teacher {
    size: LiteSize,
    encoding: Encoding,
    encoder: Box<dyn ClipEncoder>,
    features: FeatureSpec,
}

/// Where frames and what the teacher saw are kept.
pub struct Shelf<'a> {
    pub features: &'a FeatureCache,
    pub frames: &'a Path,
}

impl Teacher {
    /// Loads it for students of a size.
    pub fn load(size: LiteSize, encoding: &Encoding, weights: &Path) -> Result<Self> {
        let tap = I3dTap { point: EndPoint::Mixed5c, grid: size.plan().grid() };
        let model = ModelSpec { clip: CLIP, ..ModelSpec::mist("teacher", EncoderSpec::i3d_at(tap)) };
        Ok(Self {
            size,
            encoding: encoding.clone(),
            encoder: encoding.load(weights, &model)?,
            features: FeatureSpec::new(model.preprocess, model.clip),
        })
    }

    /// Places of each clip that it sees apart.
    pub fn places(&self) -> usize {
        self.size.plan().grid().pow(2)
    }

    /// Looks at videos, unless it has.
    pub fn look(&self, entries: &[VideoEntry], shelf: &Shelf<'_>) -> Result<Speed> {
        let bars = ExtractBars::new(entries.len());
        let spec = self.encoding.extract_spec(self.features.clone());
        let failures =
            extract_each(entries, &*self.encoder, spec, shelf.features, false, &bars, &mut |_, _| {});
        let speed = bars.finish();
        failures?;
        Ok(speed)
    }

    /// A video that it has looked at, with its frames for the student.
    pub fn lesson(&self, entry: &VideoEntry, shelf: &Shelf<'_>) -> Result<Lesson> {
        if interrupt::asked() {
            bail!("interrupted; the same command goes on");
        }
        let sha256 = shelf.features.file_hash(&entry.path)?;
        let reel = Reel::develop(shelf.frames, entry, sha256, &self.size.plan().preprocess())?;
        let seen = shelf.features.rows(&CacheKey::new(self.encoder.hash(), &self.features, sha256))?;
        Ok(Lesson::new(&entry.id, reel, seen)?)
    }
}

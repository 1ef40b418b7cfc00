//! What is measured on: videos, and how a seed draws those to train on from them.

use crate::cmd::scenes;
use crate::shared_data;
use anyhow::{Result, ensure};
use sha2::{Digest, Sha256};
use std::path::Path;
use vad_data::{Manifest, Quota, SplitPlan, Splits, VideoEntry, file_hash, hex};
use vad_scenes::SetSpec;

/// A data set with its protocol.
pub struct Protocol {
    /// What a page calls the data.
    pub title: &'static str,
    /// What is measured, for the head of a page.
    pub about: String,
    pub manifest: Manifest,
    /// Tells this data from other.
    pub data_sha256: String,
    plan: SplitPlan,
}

/// That of RTFM on UCSD Ped2.
pub const PED2: &str = "Protocol of RTFM (ICCV 2021): for every seed 6 abnormal and 4 normal videos are drawn for training, \
    the other 18 are the test. Frame ROC AUC over all test frames together, without normalisation per video. There is no \
    validation split; the model of the last step is the result, and nothing was selected on test videos. Data: Mahadevan et al., \
    CVPR 2010.";

impl Protocol {
    /// UCSD Ped2: ten videos to train on, the other 18 to test on.
    pub fn ped2(data: Option<&Path>) -> Result<Self> {
        let data = data.map_or_else(|| shared_data::folder().join("ped2"), Path::to_owned);
        let labels = data.join("labels.csv");
        ensure!(
            labels.is_file(),
            "{} is missing\n  remedy: name the folder of UCSD Ped2 with --data",
            labels.display()
        );
        let training = Quota::Videos { normal: 4, abnormal: 6 };
        Self::new("UCSD Ped2", PED2.to_owned(), Manifest::load(&labels, &data)?, training)
    }

    /// Made-up street scenes, written into `folder` unless they are there: half of each label to train on, the others to test
    /// on.
    pub fn scenes(folder: &Path, spec: &SetSpec) -> Result<Self> {
        let labels = folder.join("labels.csv");
        if !labels.is_file() {
            scenes::write(folder, spec, false)?;
        }
        let about = format!(
            "{} made-up street scenes of {} frames (`watchpost scenes --seed {} --videos {0} --frames {1}`), {} of them abnormal. For every \
             seed half of each label's videos is drawn for training, the others are the test. Frame ROC AUC over all test \
             frames together, without normalisation per video. There is no validation split; the model of the last step is \
             the result, and nothing was selected on test videos.",
            spec.videos, spec.frames, spec.seed, spec.abnormal
        );
        Self::new("Made-up scenes", about, Manifest::load(&labels, folder)?, Quota::Share(0.5))
    }

    fn new(title: &'static str, about: String, manifest: Manifest, train: Quota) -> Result<Self> {
        let plan = SplitPlan { train, val: Quota::NONE, test: Quota::Rest };
        let data_sha256 = data_hash(&manifest)?;
        Ok(Self { title, about, manifest, data_sha256, plan })
    }

    /// The videos of one draw.
    pub fn draw(&self, seed: u64) -> Result<Splits> {
        Ok(Splits::draw(&self.manifest, &self.plan, seed)?)
    }
}

/// SHA-256 over the label file's hash and every video's, in the order of ids.
fn data_hash(manifest: &Manifest) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(manifest.sha256());
    let mut entries: Vec<&VideoEntry> = manifest.entries().iter().collect();
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    for entry in entries {
        hash.update(entry.id.as_bytes());
        hash.update(file_hash(&entry.path)?);
    }
    Ok(hex(&hash.finalize()))
}

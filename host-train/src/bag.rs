//! Videos as bags of clip features: all that weakly supervised training may see.
//!
//! A bag knows its video's label and nothing of frame annotations, and it is built from `Split<Train>` and
//! `Split<Val>` only, so that neither frame labels nor test videos can reach training or selection.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use thiserror::Error;
use vad_data::{Features, Label, Split, Train, Val, VideoEntry};

use crate::segments::segment_means;

/// One video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bag {
    /// Name of the video.
    pub id: String,
    /// Its label: whether anything abnormal happens in it.
    pub label: Label,
    /// Row of its first clip in [`BagSet::values`].
    pub first_row: usize,
    /// Number of its clips, at least 1.
    pub clips: usize,
}

/// The clips of several videos in one table.
#[derive(Clone, Debug, PartialEq)]
pub struct BagSet {
    /// The videos, in the order in which they were added.
    pub bags: Vec<Bag>,
    /// Width of a feature.
    pub dim: usize,
    /// Crops of each clip, at least 1.
    pub crops: usize,
    /// Features of all clips, `[rows, crops, dim]`.
    pub values: Vec<f32>,
    /// Videos left out because they have no features or no clip.
    pub skipped: Vec<String>,
}

/// Why videos cannot be trained on.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BagError {
    /// Two videos have features of a different number of crops.
    #[error(
        "video \"{id}\" has features of {got} crops, the others of {want}: extract all with the same number of crops"
    )]
    Crops {
        /// The odd video.
        id: String,
        /// Its crops.
        got: usize,
        /// Crops of the videos before it.
        want: usize,
    },
    /// Two videos have features of different width.
    #[error("video \"{id}\" has features of width {got}, the others {want}: extract all with one encoder")]
    Width {
        /// The odd video.
        id: String,
        /// Its width.
        got: usize,
        /// Width of the videos before it.
        want: usize,
    },
    /// A feature is not a finite number.
    #[error("video \"{id}\", clip {clip}: a feature is not a finite number; extract it anew")]
    NotFinite {
        /// The video.
        id: String,
        /// The clip, from 0.
        clip: usize,
    },
    /// The table of a video is not rectangular.
    #[error("video \"{id}\": {values} feature values do not make rows of {dim}; extract it anew")]
    Ragged {
        /// The video.
        id: String,
        /// Values found.
        values: usize,
        /// Width of a feature.
        dim: usize,
    },
    /// Training needs both kinds of video.
    #[error(
        "the training videos with features are {abnormal} abnormal and {normal} normal: at least one of each is needed"
    )]
    OneClass {
        /// Number of abnormal videos.
        abnormal: usize,
        /// Number of normal videos.
        normal: usize,
    },
}

impl Default for BagSet {
    fn default() -> Self {
        Self { bags: Vec::new(), dim: 0, crops: 1, values: Vec::new(), skipped: Vec::new() }
    }
}

impl BagSet {
    /// Without videos, for features of `crops` crops per clip.
    pub fn with_crops(crops: usize) -> Self {
        Self { crops: crops.max(1), ..Self::default() }
    }

    /// Adds a video with its extracted features; the first one decides the number of crops.
    ///
    /// # Errors
    /// When the number of crops differs from the videos before, and as [`BagSet::push`].
    pub fn push_features(&mut self, id: &str, label: Label, features: &Features) -> Result<(), BagError> {
        self.take_crops(id, features.crops)?;
        self.push(id, label, features.dim, &features.values)
    }

    /// The first video decides the number of crops.
    fn take_crops(&mut self, id: &str, crops: usize) -> Result<(), BagError> {
        if self.bags.is_empty() {
            self.crops = crops.max(1);
        } else if crops != self.crops {
            return Err(BagError::Crops { id: id.to_owned(), got: crops, want: self.crops });
        }
        Ok(())
    }

    /// Adds a video, its features as `[clips, crops, dim]`. One without clips is noted in `skipped`.
    ///
    /// # Errors
    /// When the features are ragged, of another width than those before, or not finite.
    pub fn push(&mut self, id: &str, label: Label, dim: usize, values: &[f32]) -> Result<(), BagError> {
        if values.is_empty() || dim == 0 {
            self.skipped.push(id.to_owned());
            return Ok(());
        }
        self.check(id, dim, values)?;
        self.dim = dim;
        let first_row = self.rows();
        self.values.extend_from_slice(values);
        let clips = values.len() / (dim * self.crops);
        self.bags.push(Bag { id: id.to_owned(), label, first_row, clips });
        Ok(())
    }

    /// Adds a video as the means of its segments, in place of its clips.
    ///
    /// # Errors
    /// As [`BagSet::push_features`].
    pub fn push_segments(
        &mut self,
        id: &str,
        label: Label,
        features: &Features,
        segments: usize,
    ) -> Result<(), BagError> {
        let values = segment_means(&features.values, features.crops * features.dim, segments);
        self.take_crops(id, features.crops)?;
        self.push(id, label, features.dim, &values)
    }

    fn check(&self, id: &str, dim: usize, values: &[f32]) -> Result<(), BagError> {
        let id = || id.to_owned();
        if !values.len().is_multiple_of(dim * self.crops) {
            return Err(BagError::Ragged { id: id(), values: values.len(), dim });
        }
        if !self.bags.is_empty() && dim != self.dim {
            return Err(BagError::Width { id: id(), got: dim, want: self.dim });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(BagError::NotFinite { id: id(), clip: at / (dim * self.crops) }),
            None => Ok(()),
        }
    }

    /// Number of clips of all videos.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.dim * self.crops).unwrap_or(0)
    }

    /// The features of one of the bags, `[clips, crops, dim]`.
    pub fn clips_of(&self, bag: &Bag) -> &[f32] {
        let width = self.crops * self.dim;
        &self.values[bag.first_row * width..(bag.first_row + bag.clips) * width]
    }

    /// Positions in `bags` of the videos with this label.
    pub fn with_label(&self, label: Label) -> Vec<usize> {
        (0..self.bags.len()).filter(|index| self.bags[*index].label == label).collect()
    }

    fn update_hash(&self, hash: &mut Sha256) {
        hash.update((self.dim as u64).to_le_bytes());
        if self.crops > 1 {
            hash.update((self.crops as u64).to_le_bytes());
        }
        hash.update((self.bags.len() as u64).to_le_bytes());
        for bag in &self.bags {
            hash.update((bag.id.len() as u64).to_le_bytes());
            hash.update(bag.id.as_bytes());
            hash.update([u8::from(bag.label == Label::Abnormal)]);
            hash.update((bag.clips as u64).to_le_bytes());
        }
        for value in &self.values {
            hash.update(value.to_le_bytes());
        }
    }
}

/// What one training sees: bags to learn from and bags to select by.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSet {
    /// Bags to learn from; both labels occur.
    pub train: BagSet,
    /// Bags to select the best step by; may be empty.
    pub val: BagSet,
}

impl TrainingSet {
    /// Joins splits with the features extracted for their videos, by video id.
    ///
    /// Videos without features (a broken file that was skipped by choice) are left out and listed in
    /// [`BagSet::skipped`].
    ///
    /// # Errors
    /// As [`BagSet::push`], and when the training videos are all of one kind.
    pub fn new(
        train: &Split<Train>,
        val: &Split<Val>,
        features: &BTreeMap<String, Features>,
    ) -> Result<Self, BagError> {
        let collect = |entries: &[VideoEntry]| {
            let mut set = BagSet::default();
            for entry in entries {
                match features.get(&entry.id) {
                    Some(found) => set.push_features(&entry.id, entry.label, found)?,
                    None => set.skipped.push(entry.id.clone()),
                }
            }
            Ok(set)
        };
        Self::from_bags(collect(train.entries())?, collect(val.entries())?)
    }

    /// As [`TrainingSet::new`], with the features loaded video by video, so that none are in memory beside the set. With
    /// `segments` the training videos are kept as that many means: for systems that look at nothing else of them
    /// ([`crate::recipe::system::System::training_segments`]), since long videos of many crops fill any memory.
    ///
    /// # Errors
    /// Those of `load`, and as [`TrainingSet::new`].
    pub fn gather<E: From<BagError>>(
        train: &Split<Train>,
        val: &Split<Val>,
        segments: Option<usize>,
        mut load: impl FnMut(&VideoEntry) -> Result<Features, E>,
    ) -> Result<Self, E> {
        let mut train_bags = BagSet::default();
        for entry in train.entries() {
            let features = load(entry)?;
            match segments {
                Some(segments) => train_bags.push_segments(&entry.id, entry.label, &features, segments)?,
                None => train_bags.push_features(&entry.id, entry.label, &features)?,
            }
        }
        let mut val_bags = BagSet::default();
        for entry in val.entries() {
            val_bags.push_features(&entry.id, entry.label, &load(entry)?)?;
        }
        Ok(Self::from_bags(train_bags, val_bags)?)
    }

    /// Takes bags that were put together by hand.
    ///
    /// # Errors
    /// When the training bags are all of one kind, or the two sets differ in width or crops.
    pub fn from_bags(train: BagSet, val: BagSet) -> Result<Self, BagError> {
        let abnormal = train.with_label(Label::Abnormal).len();
        let normal = train.bags.len() - abnormal;
        if abnormal == 0 || normal == 0 {
            return Err(BagError::OneClass { abnormal, normal });
        }
        match val.bags.first() {
            Some(bag) if val.dim != train.dim => {
                Err(BagError::Width { id: bag.id.clone(), got: val.dim, want: train.dim })
            }
            Some(bag) if val.crops != train.crops => {
                Err(BagError::Crops { id: bag.id.clone(), got: val.crops, want: train.crops })
            }
            _ => Ok(Self { train, val }),
        }
    }

    /// SHA-256 over ids, labels and features of both sets: a checkpoint continues only on the same data.
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"watchpost bags 1\0");
        self.train.update_hash(&mut hash);
        self.val.update_hash(&mut hash);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_features_name_video_and_clip() {
        let mut set = BagSet::default();
        set.push("fine", Label::Normal, 2, &[0.0; 6]).unwrap();
        set.push("empty", Label::Normal, 2, &[]).unwrap();
        assert_eq!(set.skipped, ["empty"]);
        let broken = set.push("b", Label::Normal, 2, &[0.0, 0.0, 1.0, f32::NAN]).unwrap_err();
        assert_eq!(broken, BagError::NotFinite { id: "b".into(), clip: 1 });
        assert!(matches!(set.push("c", Label::Normal, 3, &[0.0; 3]), Err(BagError::Width { .. })));
        assert!(matches!(set.push("d", Label::Normal, 2, &[0.0; 3]), Err(BagError::Ragged { .. })));
        assert_eq!(set.rows(), 3);
    }

    #[test]
    fn one_class_is_refused() {
        let mut set = BagSet::default();
        set.push("a", Label::Normal, 1, &[0.0]).unwrap();
        let error = TrainingSet::from_bags(set, BagSet::default()).unwrap_err();
        assert_eq!(error, BagError::OneClass { abnormal: 0, normal: 1 });
    }
}

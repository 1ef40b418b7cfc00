//! What is known of one video.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The label of a whole video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Nothing happens in it.
    Normal,
    /// Something happens in it, somewhere.
    Abnormal,
}

impl Label {
    /// Both labels, in the order in which they are drawn and listed.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Abnormal];

    /// The word in a label file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal => "abnormal",
        }
    }

    /// The label a word stands for, if it is exactly one of the two.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.as_str() == word)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One labelled video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoEntry {
    /// Name inside the folder of videos, without the extension; unique in a manifest.
    pub id: String,
    /// The video file or folder of images.
    pub path: PathBuf,
    /// Label of the whole video.
    pub label: Label,
    /// Frames in which something happens (from 0, both ends inclusive, ascending and apart), for evaluation only.
    /// `None`: not annotated. A normal video has none: `Some` of an empty list.
    pub abnormal: Option<Vec<RangeInclusive<u64>>>,
    /// What kind of anomaly it holds, if the label file says so; for evaluation only.
    pub class: Option<String>,
    /// Number of frames that the label file claims; extraction fails for a video that has another number.
    pub frames_claimed: Option<u64>,
}

impl VideoEntry {
    /// An entry without frame-level truth (a normal video needs none) and without a claimed length.
    #[must_use]
    pub fn new(id: impl Into<String>, path: impl Into<PathBuf>, label: Label) -> Self {
        let abnormal = (label == Label::Normal).then(Vec::new);
        Self { id: id.into(), path: path.into(), label, abnormal, class: None, frames_claimed: None }
    }
}

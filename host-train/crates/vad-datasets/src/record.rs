//! What an import found, as it is kept in a work folder.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vad_core::{ClipSpan, ClipSpec, EncoderSpec, FrameIndex, ModelSpec};
use vad_data::{Features, Label, VideoEntry};

use crate::features::{Axes, FeatureShape, Place};
use crate::{Dataset, ImportError};

const FORMAT: u32 = 1;
/// Clips of every published set of features.
const CLIP: ClipSpec = ClipSpec { frames: 16, stride: 16 };

/// Where the number of frames of a video is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramesFrom {
    /// A list of frame counts that the caller gave.
    Given,
    /// The lists or annotations of the data set.
    Lists,
    /// The length of a mask.
    Mask,
    /// The number of pictures in a folder.
    Pictures,
    /// 16 times the number of clips: the last clip may be shorter.
    Clips,
}

/// What stands for a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A video file or a folder of pictures, from which features are still to be extracted.
    Video {
        /// The file or folder.
        path: PathBuf,
    },
    /// Features.
    Features {
        /// Where they lie.
        place: Place,
        /// How many clips they have.
        clips: usize,
    },
}

/// One video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoRecord {
    /// Where it is.
    pub source: Source,
    /// Its label.
    pub label: Label,
    /// Frames of the video and how that is known, where it is.
    pub frames: Option<(u64, FramesFrom)>,
    /// Of test videos, for evaluation alone: abnormal frames from 0, first and last, as annotated. An end may lie past the
    /// video. `None` when nobody noted them.
    pub abnormal: Option<Vec<(u64, u64)>>,
}

/// How videos are parted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SplitRule {
    /// As published; ids.
    Official {
        /// To learn and to choose from.
        train: Vec<String>,
        /// To report on.
        test: Vec<String>,
    },
    /// There is no official weakly supervised split: so many videos are drawn for training, and the rest is for the test.
    Drawn {
        /// Abnormal training videos.
        abnormal: usize,
        /// Normal training videos.
        normal: usize,
    },
}

/// What all features have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureKind {
    /// Values of one feature.
    pub width: usize,
    /// Crops of each clip.
    pub crops: usize,
    /// Order of the axes of arrays with three.
    pub axes: Axes,
}

/// A data set that was checked: everything that training and evaluation need to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    format: u32,
    /// Which data set.
    pub dataset: Dataset,
    /// The folder that it was read from.
    pub root: PathBuf,
    /// The features; `None` where videos are still to be extracted.
    pub features: Option<FeatureKind>,
    /// Frames per second.
    pub frame_rate_hz: f64,
    /// Which video is for what.
    pub split: SplitRule,
    /// The videos by id.
    pub videos: BTreeMap<String, VideoRecord>,
}

impl Import {
    pub(crate) fn new(
        dataset: Dataset,
        root: &Path,
        features: Option<FeatureKind>,
        frame_rate_hz: f64,
        split: SplitRule,
        videos: BTreeMap<String, VideoRecord>,
    ) -> Self {
        Self { format: FORMAT, dataset, root: root.to_owned(), features, frame_rate_hz, split, videos }
    }

    /// The record as JSON.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Reads what [`Import::to_json`] gave; `path` is for the messages.
    ///
    /// # Errors
    /// Damaged, or of another version of this program.
    pub fn from_json(text: &str, path: &Path) -> Result<Self, ImportError> {
        let import: Self = serde_json::from_str(text).map_err(|error| {
            ImportError::file(path, format!("damaged ({error}); run `watchpost import` again"))
        })?;
        if import.format == FORMAT {
            return Ok(import);
        }
        let problem = format!(
            "has format {}, this program reads {FORMAT}; run `watchpost import` again",
            import.format
        );
        Err(ImportError::file(path, problem))
    }

    /// What stands for each video, by id: the video, or the first file of its features.
    #[must_use]
    pub fn paths(&self) -> BTreeMap<String, PathBuf> {
        let path = |record: &VideoRecord| match &record.source {
            Source::Video { path } => path.clone(),
            Source::Features { place: Place::Npy { files }, .. } => {
                files.first().cloned().unwrap_or_default()
            }
            Source::Features { place: Place::H5 { file, .. }, .. } => file.clone(),
        };
        self.videos.iter().map(|(id, record)| (id.clone(), path(record))).collect()
    }

    /// The videos as the training sees them: labels, and nothing of frames.
    #[must_use]
    pub fn entries(&self) -> Vec<VideoEntry> {
        let entry = |(id, path): (String, PathBuf)| {
            let label = self.videos.get(&id).map(|record| record.label)?;
            Some(VideoEntry { abnormal: None, ..VideoEntry::new(id, path, label) })
        };
        self.paths().into_iter().filter_map(entry).collect()
    }

    /// The entry with its annotated frames and, where the data set has classes, that of an abnormal video; for evaluation.
    #[must_use]
    pub fn annotated(&self, entry: &VideoEntry) -> VideoEntry {
        let is_abnormal = entry.label == Label::Abnormal;
        let class = self.dataset.class_of(&entry.id).filter(|_| is_abnormal).map(str::to_owned);
        let abnormal = self.videos.get(&entry.id).and_then(VideoRecord::ranges);
        VideoEntry { abnormal, class, ..entry.clone() }
    }

    /// The model that a run on these features trains the head of; `None` where features are still to be extracted.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<ModelSpec> {
        let width = u32::try_from(self.features?.width).ok()?;
        let encoder = EncoderSpec::imported(self.dataset.name(), width);
        Some(ModelSpec { encoder, clip: CLIP, ..ModelSpec::i3d_mist(name) })
    }

    /// Reads the features of a video.
    ///
    /// # Errors
    /// There are none, they changed since the import, or they are not finite.
    pub fn load(&self, id: &str) -> Result<Features, ImportError> {
        let fault = |problem: &str| {
            Err(ImportError::Features {
                video: id.to_owned(),
                place: self.root.display().to_string(),
                problem: problem.to_owned(),
            })
        };
        let Some(record) = self.videos.get(id) else {
            return fault("the video is not part of the import; run `watchpost import` again");
        };
        let (Some(kind), Source::Features { place, clips }) = (self.features, &record.source) else {
            return fault("a video and no features; run `watchpost extract`");
        };
        let shape = FeatureShape { clips: *clips, crops: kind.crops, width: kind.width };
        let values = place.load(id, kind.axes, shape)?;
        let frames = record.frames.map_or_else(|| frames_of_clips(*clips), |(frames, _)| frames);
        Ok(Features {
            dim: kind.width,
            crops: kind.crops,
            spans: spans(*clips, frames),
            values,
            frames,
            frame_rate_hz: self.frame_rate_hz,
        })
    }
}

impl VideoRecord {
    pub(crate) fn ranges(&self) -> Option<Vec<RangeInclusive<u64>>> {
        self.abnormal.as_ref().map(|list| list.iter().map(|&(first, last)| first..=last).collect())
    }
}

impl fmt::Display for FramesFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "the given list",
            Self::Lists => "the lists of the data set",
            Self::Mask => "masks",
            Self::Pictures => "folders of pictures",
            Self::Clips => "16 x clips, as nothing says more",
        })
    }
}

/// The most frames that so many clips show.
pub(crate) fn frames_of_clips(clips: usize) -> u64 {
    clips as u64 * u64::from(CLIP.frames)
}

/// The frames that each clip shows; the last one ends with the video.
fn spans(clips: usize, frames: u64) -> Vec<ClipSpan> {
    let clip_frames = u64::from(CLIP.frames);
    let span = |index: u64| {
        let first = index * clip_frames;
        // At most 16, so the cast is lossless.
        let shown = frames.saturating_sub(first).min(clip_frames) as u16;
        ClipSpan { index, first_frame: FrameIndex(first), frames: shown }
    };
    (0..clips as u64).map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_clip_ends_with_the_video() {
        let lengths: Vec<u16> = spans(3, 40).iter().map(|span| span.frames).collect();
        assert_eq!(lengths, [16, 16, 8]);
        assert_eq!(spans(1, 16), spans(1, 30));
    }
}

//! What can be wrong with the data: always with the file, the place and a remedy.

use std::io;
use std::path::{Path, PathBuf};

use vad_core::{FrameError, MAX_MODEL_SIDE_PX, SpecError};
use vad_video::VideoError;

/// Labels, videos, splits or cached features could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file or folder.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A line of a label file is wrong.
    #[error("{}:{line}: column `{column}`: {problem}", path.display())]
    Label {
        /// The label file.
        path: PathBuf,
        /// Line in it, from 1.
        line: u64,
        /// Column of the offending value.
        column: String,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// A label file as a whole is wrong.
    #[error("{}:1: {problem}", path.display())]
    LabelFile {
        /// The label file.
        path: PathBuf,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// A split asks for what cannot be.
    #[error("split: {problem}")]
    Split {
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// A video cannot be read.
    #[error("video `{id}`: {source}")]
    Video {
        /// The video's id.
        id: String,
        /// The reason; names the file.
        source: VideoError,
    },
    /// The label file and the video disagree.
    #[error("video `{id}`: the label file says {labelled} but {} has {decoded} frames; correct the label file, or check that this is the right video", path.display())]
    FrameCount {
        /// The video's id.
        id: String,
        /// The video.
        path: PathBuf,
        /// What the label file says: a number of frames, or an abnormal frame.
        labelled: String,
        /// Frames that were decoded.
        decoded: u64,
    },
    /// The encoder failed.
    #[error("video `{id}` ({}), clip {clip}: the encoder failed: {reason}", path.display())]
    Encode {
        /// The video's id.
        id: String,
        /// The video.
        path: PathBuf,
        /// Index of the clip, from 0.
        clip: u64,
        /// The encoder's reason.
        reason: String,
    },
    /// A frame does not fit the preprocessing.
    #[error("video `{id}` ({}), frame {frame}: {source}", path.display())]
    Frame {
        /// The video's id.
        id: String,
        /// The video.
        path: PathBuf,
        /// Index of the frame, from 0.
        frame: u64,
        /// The reason.
        source: FrameError,
    },
    /// The pictures of a video are too long to be enlarged for several crops.
    #[error(
        "video `{id}` ({}): its pictures of {width_px}x{height_px} px are too long for several crops, enlarged they would exceed {MAX_MODEL_SIDE_PX} px; extract one crop",
        path.display()
    )]
    CropSize {
        /// The video's id.
        id: String,
        /// The video.
        path: PathBuf,
        /// Width of its frames, in pixels.
        width_px: u32,
        /// Height of its frames, in pixels.
        height_px: u32,
    },
    /// The preprocessing or clip spec is out of range.
    #[error("extraction: {0}")]
    Spec(#[from] SpecError),
    /// The extraction was asked for something inconsistent.
    #[error("extraction: {problem}")]
    Request {
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// The extraction was stopped from outside; what was finished is kept.
    #[error(
        "extraction: stopped; the features of finished videos are kept, and the same command goes on from there"
    )]
    Cancelled,
    /// A store beyond this machine could not be used.
    #[error("{0}")]
    Remote(String),
    /// Features could not be written in the cache's format.
    #[error("{}: cannot store the features: {reason}", path.display())]
    Store {
        /// The file of the cache.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

impl DataError {
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
}

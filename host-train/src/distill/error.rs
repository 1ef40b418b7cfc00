//! Why a distillation cannot go on.

use std::path::PathBuf;

use thiserror::Error;
use vad_core::{FrameError, SpecError};
use vad_data::DataError;
use vad_video::VideoError;

use crate::atomic_file::WriteError;
use crate::checkpoint::CheckpointError;
use crate::recipe::settings::ConfigError;
use crate::recipe::trainer::TrainError;
use crate::tensors::TensorsError;

/// Why a distillation cannot begin or go on.
#[derive(Debug, Error)]
pub enum DistillError {
    /// A video cannot be read.
    #[error("video `{id}`: {source}")]
    Video {
        /// Its id.
        id: String,
        /// Names the file and what is wrong with it.
        #[source]
        source: VideoError,
    },
    /// A frame does not fit the preprocessing.
    #[error("video `{id}`: {source}")]
    Frame {
        /// The video.
        id: String,
        /// What is wrong.
        #[source]
        source: FrameError,
    },
    /// Frames on disk cannot be read or written.
    #[error("{}: {source}; the folder holds resized frames and may be deleted", path.display())]
    Film {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A video has not the frames that its features are of.
    #[error(
        "video `{id}` has {frames} frames, its features are of {expected}: it changed since\n  remedy: watchpost extract"
    )]
    OtherFrames {
        /// Its id.
        id: String,
        /// Frames found.
        frames: u64,
        /// Frames that the features are of.
        expected: u64,
    },
    /// The teacher's features are not of so many places, or of other channels than those of the videos before.
    #[error(
        "the teacher's features of video `{id}` have {found} values per clip, not {expected}\n  remedy: learn from work folders of one teacher"
    )]
    OtherTeacher {
        /// The video.
        id: String,
        /// Values found.
        found: usize,
        /// Values of the videos before, 0 for the first.
        expected: usize,
    },
    /// The teacher's features cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Nothing to learn from.
    #[error(
        "no video is as long as a window of {clips} clips of 16 frames\n  remedy: longer videos, or --set clips=1"
    )]
    NoWindow {
        /// Clips of a window.
        clips: usize,
    },
    /// The settings ask for weights that were not given.
    #[error(
        "the settings let the network begin with other weights (start = \"{start}\") than those that were given"
    )]
    OtherBeginning {
        /// What the settings ask for.
        start: &'static str,
    },
    /// The pictures do not fit the network.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Weights cannot be read or do not fit.
    #[error(transparent)]
    Weights(#[from] TensorsError),
    /// The training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The checkpoint cannot be used or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

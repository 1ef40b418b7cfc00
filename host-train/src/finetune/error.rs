//! Why a fine-tuning cannot go on.

use std::path::PathBuf;

use model_export::ExportError;
use thiserror::Error;
use vad_core::{FrameError, SpecError};
use vad_video::VideoError;

use crate::atomic_file::WriteError;
use crate::checkpoint::CheckpointError;
use crate::handoff::HandoffError;
use crate::model::sga::maps::ShapeError;
use crate::recipe::settings::ConfigError;
use crate::recipe::trainer::TrainError;
use crate::run::RunError;
use crate::tensors::TensorsError;

/// Why a fine-tuning cannot begin, go on or be used.
#[derive(Debug, Error)]
pub enum TuneError {
    /// A video cannot be read.
    #[error("video `{id}`: {source}")]
    Video {
        /// Its id.
        id: String,
        /// Names the file and what is wrong with it.
        #[source]
        source: VideoError,
    },
    /// A video is not the one that stage I saw.
    #[error(
        "video `{id}` ({}) ends after {frames} frames, but stage I scored {expected}: it changed since; run `watchpost extract` and `watchpost train` again",
        path.display()
    )]
    Shorter {
        /// Its id.
        id: String,
        /// The file.
        path: PathBuf,
        /// Frames found.
        frames: u64,
        /// Frames that stage I saw.
        expected: u64,
    },
    /// A frame that a video had is no longer there.
    #[error("video `{id}` ({}) has no frame {frame} any more: it changed since it was scored", path.display())]
    Gone {
        /// Its id.
        id: String,
        /// The file.
        path: PathBuf,
        /// The frame.
        frame: u64,
    },
    /// Stage I's clips are not those that the encoders take.
    #[error("stage I scored clips of {frames} frames every {stride}; fine-tuning needs 16 every 16")]
    Clips {
        /// Frames of a clip.
        frames: u16,
        /// Frames from one clip to the next.
        stride: u16,
    },
    /// Training needs both kinds of video.
    #[error(
        "the training videos with clips are {abnormal} abnormal and {normal} normal: at least one of each is needed"
    )]
    OneClass {
        /// Number of abnormal videos.
        abnormal: usize,
        /// Number of normal videos.
        normal: usize,
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
    /// Pixels do not make a clip.
    #[error("clips of another size: {0}")]
    Values(#[source] FrameError),
    /// A thread that reads videos could not be started, or died.
    #[error("reading videos ahead: {reason}")]
    Reader {
        /// What happened.
        reason: String,
    },
    /// A device beside the first cannot go on.
    #[error("device {number} of --device, counted from 0: {reason}")]
    Device {
        /// Its position, from 1: the first device has no thread of its own.
        number: usize,
        /// What happened.
        reason: String,
    },
    /// A file of a run cannot be understood.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The preprocessing is out of range.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The network cannot take the clips.
    #[error("the encoder cannot take these clips: {0}")]
    Shape(#[from] ShapeError),
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
    /// The run folder cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Weights cannot be written.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
    /// The encoder does not make the graph that boards run.
    #[error("the encoder as boards run it: {0}")]
    Board(#[from] ExportError),
}

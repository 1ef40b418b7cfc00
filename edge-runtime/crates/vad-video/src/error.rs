//! Why a source or a writer failed: always with the file, the place and a remedy.

use std::io;
use std::path::PathBuf;

use crate::MAX_SIDE_PX;

/// A video or image folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// A program of the ffmpeg suite is not installed.
    #[error(
        "the program `{program}` was not found; install it with `apt-get install ffmpeg` and make sure it is on the PATH"
    )]
    ProgramMissing {
        /// `ffmpeg` or `ffprobe`.
        program: &'static str,
    },
    /// The operating system refused a file or program.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file, folder or program.
        path: PathBuf,
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is no video in a container that is read here.
    #[error("{}: not a readable video: {reason}; check that the file is a complete video (mp4, mkv, avi, ...)", path.display())]
    NotAVideo {
        /// The file.
        path: PathBuf,
        /// ffmpeg's or the file system's reason.
        reason: String,
    },
    /// The container is sound but holds no moving pictures (for example, only sound or a cover picture).
    #[error("{}: holds no video stream; remove it from the list or replace it by a file with moving pictures", path.display())]
    NoVideoStream {
        /// The file.
        path: PathBuf,
    },
    /// The source ended before its first frame.
    #[error("{}: holds no frames; remove it from the list or record it again", path.display())]
    NoFrames {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file is corrupt or cut off.
    #[error("{}: damaged after {frames} good frame(s): {reason}; copy the file again, or salvage it with `ffmpeg -i IN OUT.mp4`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Frames that were read before the damage; the index of the first missing frame.
        frames: u64,
        /// ffmpeg's reason.
        reason: String,
    },
    /// The file ended, without any other sign of damage, before the number of frames its container claims.
    #[error("{}: ended after {frames} frame(s) but its container claims {claimed}: the file is cut off; copy it again, or salvage it with `ffmpeg -i IN OUT.mp4`", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Frames that were read.
        frames: u64,
        /// Frames that the container claims.
        claimed: u64,
    },
    /// Frames without pixels, or larger than accepted.
    #[error("{}: frames of {width_px}x{height_px} px are not accepted (each side must be 1 to {MAX_SIDE_PX} px); scale the video down first", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
    },
    /// A frame differs in size from the first one.
    #[error("{}: frame {frame} is {width_px}x{height_px} px but the first one is {first_width_px}x{first_height_px} px; all frames of one source must have one size", path.display())]
    SizeChanged {
        /// The image file, or the video.
        path: PathBuf,
        /// Index of the frame, from 0.
        frame: u64,
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
        /// Width of the first frame in pixels.
        first_width_px: u32,
        /// Height of the first frame in pixels.
        first_height_px: u32,
    },
    /// The container does not say how fast its frames follow one another.
    #[error("{}: the container gives no usable frame rate ({given}); write it anew with `ffmpeg -r RATE -i IN OUT.mp4`", path.display())]
    FrameRate {
        /// The file.
        path: PathBuf,
        /// What was found.
        given: String,
    },
    /// An image of a folder could not be decoded.
    #[error("{}: not a readable image (frame {frame}): {reason}; replace or remove the file", path.display())]
    Image {
        /// The image file.
        path: PathBuf,
        /// Index of the frame, from 0.
        frame: u64,
        /// The decoder's reason.
        reason: String,
    },
    /// `ffmpeg` could not write the video, or was asked for one that it cannot write.
    #[error("{}: cannot write the video: {reason}", path.display())]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// The reason, with the remedy.
        reason: String,
    },
}

impl VideoError {
    pub(crate) fn io(path: &std::path::Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
}

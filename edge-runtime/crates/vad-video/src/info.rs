//! What is known of a source before its frames are read.

use std::path::Path;

use crate::VideoError;

/// Longest side of a frame that is accepted, in pixels: a frame then takes at most 192 MiB.
pub const MAX_SIDE_PX: u32 = 8192;

/// What a source says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoInfo {
    /// Width of every frame, in pixels, after the rotation the container asks for.
    pub width_px: u32,
    /// Height of every frame, in pixels, after the rotation the container asks for.
    pub height_px: u32,
    /// Mean frame rate, in frames per second.
    pub frame_rate_hz: f64,
    /// Number of frames the container claims, where it does; reading fewer is an error.
    pub frames_hint: Option<u64>,
}

/// Refuses frames without pixels and frames over [`MAX_SIDE_PX`].
pub(crate) fn check_size(path: &Path, width_px: u32, height_px: u32) -> Result<(), VideoError> {
    let accepted = 1..=MAX_SIDE_PX;
    if accepted.contains(&width_px) && accepted.contains(&height_px) {
        return Ok(());
    }
    Err(VideoError::Size { path: path.to_owned(), width_px, height_px })
}

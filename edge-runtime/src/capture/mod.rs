//! Where frames come from: a camera device, a network camera, a pipeline of GStreamer, or a file or image folder that stands in for one.

mod controls;
mod descriptors;
mod feed;
mod gst;
pub mod pixels;
mod rtsp;
mod v4l;
mod video;
pub mod y4m;

use std::path::PathBuf;
use std::sync::Arc;

use vad_core::{MediaTimeMs, RgbFrame};

use crate::clock::Clock;
use crate::config::Source;
use crate::shutdown::Stop;

pub use controls::Setting;
pub use gst::{GstCamera, GstError};
pub use rtsp::{RtspCamera, RtspError};
pub use v4l::V4lCamera;
pub use video::VideoCamera;

/// When a frame begins and ends, since its stream began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Begin.
    pub start: MediaTimeMs,
    /// Begin of the frame after it.
    pub end: MediaTimeMs,
}

/// An open source of frames.
pub trait Camera {
    /// Waits for the next frame; `None` at the clean end of a file and when the program ends.
    ///
    /// # Errors
    /// [`CaptureError`]: the source must be opened again.
    fn next(&mut self) -> Result<Option<Stamp>, CaptureError>;

    /// Pictures that were due and left out since it was opened, because the board was too slow.
    fn missed(&self) -> u64 {
        0
    }

    /// The frame that [`Camera::next`] announced.
    ///
    /// # Errors
    /// [`CaptureError`] if there is none.
    fn frame(&self) -> Result<RgbFrame<'_>, CaptureError>;
}

/// Why a source gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file or folder failed.
    #[error(transparent)]
    Video(#[from] vad_video::VideoError),
    /// The camera device failed.
    #[error("{}: cannot {doing}: {source}", device.display())]
    Device {
        /// The device node.
        device: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The network camera failed.
    #[error(transparent)]
    Rtsp(#[from] RtspError),
    /// The pipeline failed.
    #[error(transparent)]
    Gst(#[from] GstError),
    /// The camera speaks no format that is understood.
    #[error("{}: gives pictures as `{format}`; YUYV, NV12, MJPG, JPEG and GREY are understood: take another camera, or let a pipeline convert (`kind = \"gst\"`)", device.display())]
    Format {
        /// The device node.
        device: PathBuf,
        /// Four-character code of the format.
        format: String,
    },
    /// No frame came in time.
    #[error("{}: no frame for {waited_ms} ms; is the camera plugged in?", device.display())]
    Stalled {
        /// The device node.
        device: PathBuf,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// The capture thread ended.
    #[error("{}: {reason}", device.display())]
    Ended {
        /// The device node.
        device: PathBuf,
        /// Why.
        reason: String,
    },
    /// A picture could not be decoded.
    #[error("{}: {reason}", device.display())]
    Picture {
        /// The device node.
        device: PathBuf,
        /// Why.
        reason: String,
    },
}

impl CaptureError {
    /// Whether the camera is there and refuses who logged in.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Rtsp(error) if error.is_refusal())
    }
}

/// Opens the source that the configuration names.
///
/// # Errors
/// [`CaptureError`].
pub fn open(source: &Source, clock: &Arc<dyn Clock>, stop: &Stop) -> Result<Box<dyn Camera>, CaptureError> {
    match source {
        Source::V4l { device, width_px, height_px, frame_rate_hz, settings } => {
            let (size_px, clock) = ((*width_px, *height_px), Arc::clone(clock));
            Ok(Box::new(V4lCamera::open(device, size_px, *frame_rate_hz, settings, clock, stop.clone())?))
        }
        Source::Rtsp(source) => Ok(Box::new(RtspCamera::open(source, Arc::clone(clock), stop.clone())?)),
        Source::Gst(source) => Ok(Box::new(GstCamera::open(source, Arc::clone(clock), stop.clone())?)),
        Source::Video { path, pace, image_rate_hz, .. } => {
            Ok(Box::new(VideoCamera::open(path, *image_rate_hz, *pace, Arc::clone(clock), stop.clone())?))
        }
    }
}

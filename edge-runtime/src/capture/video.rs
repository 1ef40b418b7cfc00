//! A video file or image folder as a camera.

use std::path::Path;
use std::sync::Arc;

use vad_core::{FrameIndex, RgbFrame};
use vad_video::{FrameBuf, FrameSource};

use super::{Camera, CaptureError, Stamp};
use crate::clock::Clock;
use crate::config::Pace;
use crate::shutdown::Stop;

/// Longest uninterrupted wait for a frame's time, so that a shutdown is not kept waiting.
const SLICE_MS: u64 = 100;

/// See the module's documentation.
pub struct VideoCamera {
    source: FrameSource,
    buf: FrameBuf,
    next_index: u64,
    /// Start of the clock's time for frame 0, when paced.
    begun_ms: Option<u64>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl VideoCamera {
    /// Opens `path`; frames come at the file's own rate or as fast as they are asked for.
    ///
    /// # Errors
    /// [`CaptureError::Video`].
    pub fn open(
        path: &Path,
        image_rate_hz: f64,
        pace: Pace,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Result<Self, CaptureError> {
        let source = FrameSource::open_with_image_rate(path, image_rate_hz)?;
        Ok(Self { source, buf: FrameBuf::new(), next_index: 0, begun_ms: None, pace, clock, stop })
    }

    fn stamp(&self, index: u64) -> Stamp {
        let rate_hz = self.source.info().frame_rate_hz;
        let at = |i| FrameIndex(i).media_time(rate_hz);
        Stamp { start: at(index), end: at(index + 1) }
    }

    /// A camera hands out a frame when it has ended; waits for that moment.
    fn wait_for(&mut self, stamp: Stamp) {
        let begun_ms = *self.begun_ms.get_or_insert_with(|| self.clock.monotonic_ms());
        let due_ms = begun_ms.saturating_add(stamp.end.0);
        while !self.stop.is_set() {
            let left_ms = due_ms.saturating_sub(self.clock.monotonic_ms());
            if left_ms == 0 {
                return;
            }
            self.clock.sleep_ms(left_ms.min(SLICE_MS));
        }
    }
}

impl Camera for VideoCamera {
    fn next(&mut self) -> Result<Option<Stamp>, CaptureError> {
        if self.stop.is_set() || !self.source.next_frame(&mut self.buf)? {
            return Ok(None);
        }
        let stamp = self.stamp(self.next_index);
        self.next_index += 1;
        if self.pace == Pace::RealTime {
            self.wait_for(stamp);
        }
        Ok(Some(stamp))
    }

    fn frame(&self) -> Result<RgbFrame<'_>, CaptureError> {
        Ok(self.buf.as_frame())
    }
}

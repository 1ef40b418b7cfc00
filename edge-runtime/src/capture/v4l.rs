//! A Video4Linux2 camera, isolated in a thread of its own: a driver that hangs or a library that panics costs this
//! camera a fault and a retry, nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::Arc;
use std::time::Duration;

use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vad_core::{MediaTimeMs, RgbFrame};

use super::pixels::{Layout, Picture, decode};
use super::{Camera, CaptureError, Stamp};
use crate::clock::Clock;

/// A camera without a frame for this long has stalled.
const POLL_TIMEOUT_MS: u64 = 2_000;
/// The reader gives the capture thread a little longer than that thread gives the device.
const STALL_MS: u64 = POLL_TIMEOUT_MS + 500;
/// Pictures waiting for the scorer; when it is slower than the camera, new ones are left out.
const QUEUE: usize = 16;
/// Damaged pictures in a row that a USB camera is forgiven.
const MAX_DAMAGED: u32 = 30;

/// See the module's documentation.
pub struct V4lCamera {
    device: PathBuf,
    pictures: Receiver<Result<(u64, Picture), CaptureError>>,
    current: Option<Picture>,
    frame_ms: u64,
    begun_ms: Option<u64>,
}

impl V4lCamera {
    /// Starts capturing at the driver's size nearest to `size_px`, at most `frame_rate_hz` frames per second.
    ///
    /// # Errors
    /// [`CaptureError::Device`]; everything about the device itself is reported by the first `next`.
    pub fn open(
        device: &Path,
        size_px: (u32, u32),
        frame_rate_hz: f64,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CaptureError> {
        let (sender, pictures) = sync_channel(QUEUE);
        // At least 1: the rate is at most 240.
        let frame_ms = (1_000.0 / frame_rate_hz).round().max(1.0) as u64;
        let capture = Capture { device: device.to_owned(), size_px, frame_ms, clock, sender };
        std::thread::Builder::new()
            .name(format!("capture {}", device.display()))
            .spawn(move || capture.run())
            .map_err(|source| CaptureError::Device { device: device.to_owned(), doing: "start its thread", source })?;
        Ok(Self { device: device.to_owned(), pictures, current: None, frame_ms, begun_ms: None })
    }
}

impl Camera for V4lCamera {
    fn next(&mut self) -> Result<Option<Stamp>, CaptureError> {
        let device = || self.device.clone();
        let (at_ms, picture) = match self.pictures.recv_timeout(Duration::from_millis(STALL_MS)) {
            Ok(picture) => picture?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(CaptureError::Stalled { device: device(), waited_ms: STALL_MS });
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(CaptureError::Ended { device: device(), reason: "the capture thread failed".to_owned() });
            }
        };
        self.current = Some(picture);
        let start = MediaTimeMs(at_ms.saturating_sub(*self.begun_ms.get_or_insert(at_ms)));
        Ok(Some(Stamp { start, end: start.plus_ms(self.frame_ms) }))
    }

    fn frame(&self) -> Result<RgbFrame<'_>, CaptureError> {
        let failed = |reason: String| CaptureError::Picture { device: self.device.clone(), reason };
        let picture = self.current.as_ref().ok_or_else(|| failed("no picture yet".to_owned()))?;
        RgbFrame::new(picture.width_px, picture.height_px, &picture.data).map_err(|e| failed(e.to_string()))
    }
}

/// The capture thread's side.
struct Capture {
    device: PathBuf,
    size_px: (u32, u32),
    frame_ms: u64,
    clock: Arc<dyn Clock>,
    sender: SyncSender<Result<(u64, Picture), CaptureError>>,
}

impl Capture {
    fn run(self) {
        let end = catch_unwind(AssertUnwindSafe(|| self.capture())).unwrap_or_else(|_| {
            Err(CaptureError::Ended { device: self.device.clone(), reason: "the capture library failed inside".to_owned() })
        });
        if let Err(e) = end {
            // Nobody may be listening any more.
            let _ = self.sender.send(Err(e));
        }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(std::io::Error) -> CaptureError {
        let device = self.device.clone();
        move |source| CaptureError::Device { device: device.clone(), doing, source }
    }

    /// Captures until the reader is gone.
    fn capture(&self) -> Result<(), CaptureError> {
        let (mut stream, layout, size_px) = self.open()?;
        let mut due_ms = 0;
        let mut damaged = 0;
        loop {
            self.await_frame(&stream)?;
            let at_ms = self.clock.monotonic_ms();
            let payload = stream
                .dequeue(|view| Ok((at_ms >= due_ms && !view.is_error()).then(|| view.to_vec())))
                .map_err(self.failed("take a frame"))?;
            let Some(payload) = payload else { continue };
            due_ms = (due_ms + self.frame_ms).max(at_ms.saturating_sub(self.frame_ms));
            match decode(&payload, layout, size_px) {
                Ok(picture) => damaged = if self.hand_over(at_ms, picture)? { 0 } else { return Ok(()) },
                Err(reason) if damaged >= MAX_DAMAGED => {
                    return Err(CaptureError::Picture { device: self.device.clone(), reason });
                }
                Err(_) => damaged += 1,
            }
        }
    }

    /// False when the reader is gone. A full queue costs the newest picture: the scorer is behind.
    fn hand_over(&self, at_ms: u64, picture: Picture) -> Result<bool, CaptureError> {
        match self.sender.try_send(Ok((at_ms, picture))) {
            Ok(()) | Err(TrySendError::Full(_)) => Ok(true),
            Err(TrySendError::Disconnected(_)) => Ok(false),
        }
    }

    fn open(&self) -> Result<(ReadStream, Layout, (u32, u32)), CaptureError> {
        let device = linuxvideo::Device::open(&self.device).map_err(self.failed("open it"))?;
        let wanted = PixFormat::new(self.size_px.0, self.size_px.1, PixelFormat::YUYV);
        let capture = device.video_capture(wanted).map_err(self.failed("set its format"))?;
        let format = capture.format();
        let layout = layout_of(format).ok_or_else(|| CaptureError::Format {
            device: self.device.clone(),
            format: format.pixel_format().to_string(),
        })?;
        let size_px = (format.width(), format.height());
        let stream = capture.into_stream().map_err(self.failed("start streaming"))?;
        Ok((stream, layout, size_px))
    }

    fn await_frame(&self, stream: &ReadStream) -> Result<(), CaptureError> {
        let timeout = Timespec { tv_sec: i64::try_from(POLL_TIMEOUT_MS / 1_000).unwrap_or(2), tv_nsec: 0 };
        let mut fds = [PollFd::new(stream, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&timeout)).map_err(|e| self.failed("wait for a frame")(e.into()))?;
        if ready == 0 {
            return Err(CaptureError::Stalled { device: self.device.clone(), waited_ms: POLL_TIMEOUT_MS });
        }
        Ok(())
    }
}

fn layout_of(format: &PixFormat) -> Option<Layout> {
    let bytes_per_line = usize::try_from(format.bytes_per_line()).ok()?;
    match &format.pixel_format().as_fourcc() {
        b"MJPG" | b"JPEG" => Some(Layout::Jpeg),
        b"YUYV" => Some(Layout::Yuyv { bytes_per_line }),
        b"GREY" => Some(Layout::Grey { bytes_per_line }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_missing_device_and_a_plain_file_are_errors_and_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [Path::new("/nonexistent/video0"), file.path()] {
            let mut camera = V4lCamera::open(path, (64, 48), 10.0, Arc::new(SystemClock::new())).unwrap();
            let error = camera.next().unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}

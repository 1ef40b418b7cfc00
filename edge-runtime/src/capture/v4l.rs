//! A Video4Linux2 camera, isolated in a thread of its own: a driver that hangs or a library that panics costs this
//! camera a fault and a retry, nothing else.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::v4l::buffer::{Flags, Type};
use ::v4l::io::mmap::Stream;
use ::v4l::io::traits::CaptureStream;
use ::v4l::video::Capture as _;
use ::v4l::{Device, Format, FourCC};
use vad_core::RgbFrame;

use super::controls::{self, Setting};
use super::descriptors::open_private;
use super::feed::{Dry, Feed, Feeder, feed};
use super::pixels::{Layout, decode};
use super::{Camera, CaptureError, Stamp};
use crate::clock::Clock;
use crate::health::lock;
use crate::shutdown::Stop;

/// A camera without a frame for this long has stalled.
const POLL_TIMEOUT_MS: u64 = 2_000;
/// The reader gives the capture thread a little longer than that thread gives the device.
const STALL_MS: u64 = POLL_TIMEOUT_MS + 500;
/// Pictures that the driver may fill ahead.
const DRIVER_BUFFERS: u32 = 4;
/// Formats that are understood, best first: uncompressed ones cost the board no decoding.
const FORMATS: [&[u8; 4]; 4] = [b"YUYV", b"NV12", b"MJPG", b"GREY"];
/// Damaged pictures in a row that a USB camera is forgiven.
const MAX_DAMAGED: u32 = 30;
/// Time for which it is forgiven them, if there are several.
const MAX_DAMAGED_MS: u64 = 2_000;
/// A device that failed is closed so much later. The kernel takes an unplugged one out of its lists just then, and can die of a close in the
/// midst of it (Linux 6.1, `media_device_unregister_entity`): this thread with it, and with the thread the device until a restart.
const CLOSE_AFTER_MS: u64 = 250;

/// See the module's documentation.
pub struct V4lCamera {
    device: PathBuf,
    feed: Feed,
    stop: Stop,
}

impl V4lCamera {
    /// Starts capturing at the driver's size nearest to `size_px`, at most `frame_rate_hz` frames per second, after the settings.
    ///
    /// # Errors
    /// [`CaptureError::Device`]; everything about the device itself is reported by the first `next`.
    pub fn open(
        device: &Path,
        size_px: (u32, u32),
        frame_rate_hz: f64,
        settings: &[Setting],
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Result<Self, CaptureError> {
        let turn = Turn::take(device)?;
        let (feeder, feed) = feed(frame_rate_hz);
        let settings = settings.to_vec();
        let capture = Capture { device: device.to_owned(), size_px, settings, clock, feeder, _turn: turn };
        std::thread::Builder::new()
            .name(format!("capture {}", device.display()))
            .spawn(move || capture.run())
            .map_err(|source| CaptureError::Device {
                device: device.to_owned(),
                doing: "start its thread",
                source,
            })?;
        Ok(Self { device: device.to_owned(), feed, stop })
    }
}

impl Camera for V4lCamera {
    fn next(&mut self) -> Result<Option<Stamp>, CaptureError> {
        let device = || self.device.clone();
        self.feed.next(STALL_MS, &self.stop).map_err(|dry| match dry {
            Dry::Stalled { waited_ms } => CaptureError::Stalled { device: device(), waited_ms },
            Dry::Ended => {
                CaptureError::Ended { device: device(), reason: "the capture thread failed".to_owned() }
            }
            Dry::Failed(error) => error,
        })
    }

    fn missed(&self) -> u64 {
        self.feed.missed()
    }

    fn frame(&self) -> Result<RgbFrame<'_>, CaptureError> {
        self.feed.frame().map_err(|reason| CaptureError::Picture { device: self.device.clone(), reason })
    }
}

/// The capture thread's side.
struct Capture {
    device: PathBuf,
    size_px: (u32, u32),
    settings: Vec<Setting>,
    clock: Arc<dyn Clock>,
    feeder: Feeder,
    _turn: Turn,
}

/// Devices that a thread captures from. One that hangs in its driver cannot be ended, and must not be joined by another at every retry.
static CAPTURED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The right to capture from a device, given back at the end.
struct Turn(PathBuf);

impl Turn {
    fn take(device: &Path) -> Result<Self, CaptureError> {
        if lock(&CAPTURED).insert(device.to_owned()) {
            return Ok(Self(device.to_owned()));
        }
        let reason = "its driver has not come back from an earlier call".to_owned();
        Err(CaptureError::Ended { device: device.to_owned(), reason })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&CAPTURED).remove(&self.0);
    }
}

impl Capture {
    fn run(mut self) {
        let end = catch_unwind(AssertUnwindSafe(|| self.capture())).unwrap_or_else(|_| {
            Err(CaptureError::Ended {
                device: self.device.clone(),
                reason: "the capture library failed inside".to_owned(),
            })
        });
        if let Err(e) = end {
            self.feeder.fail(e);
        }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(std::io::Error) -> CaptureError {
        let device = self.device.clone();
        move |source| CaptureError::Device { device: device.clone(), doing, source }
    }

    /// Opens the device and captures until the reader is gone.
    fn capture(&mut self) -> Result<(), CaptureError> {
        let device = open_private(|| Device::with_path(&self.device), |device| device.handle().fd())
            .map_err(self.failed("open it"))?;
        if let Err(e) = self.capture_from(&device) {
            self.lose(e);
        }
        Ok(())
    }

    fn capture_from(&mut self, device: &Device) -> Result<(), CaptureError> {
        controls::apply(device, &self.device.display().to_string(), &self.settings);
        let (layout, size_px) = self.negotiate(device)?;
        let mut stream = Stream::with_buffers(device, Type::VideoCapture, DRIVER_BUFFERS)
            .map_err(self.failed("start streaming"))?;
        stream.set_timeout(Duration::from_millis(POLL_TIMEOUT_MS));
        if let Err(e) = self.stream(&mut stream, layout, size_px) {
            // Before the stream is dropped: that panics when the device refuses to stop, and must not hide the reason.
            self.lose(e);
        }
        Ok(())
    }

    /// Says why it is lost at once, and lets it be closed a little later where it may have been unplugged.
    fn lose(&self, error: CaptureError) {
        let has_failed = matches!(error, CaptureError::Device { .. });
        self.feeder.fail(error);
        if has_failed {
            std::thread::sleep(Duration::from_millis(CLOSE_AFTER_MS));
        }
    }

    fn stream(
        &mut self,
        stream: &mut Stream<'_>,
        layout: Layout,
        size_px: (u32, u32),
    ) -> Result<(), CaptureError> {
        let mut damage = Damage::default();
        loop {
            let (payload, meta) = stream.next().map_err(|source| self.no_frame(source))?;
            let at_ms = self.clock.monotonic_ms();
            if meta.flags.contains(Flags::ERROR) || !self.feeder.is_due(at_ms) {
                continue;
            }
            let payload = payload.get(..meta.bytesused as usize).unwrap_or(payload);
            // Nothing may unwind through the stream, whose drop may panic too.
            let decoded = catch_unwind(|| decode(payload, layout, size_px))
                .unwrap_or_else(|_| Err("the decoder failed inside".to_owned()));
            match decoded {
                Ok(picture) => {
                    if !self.feeder.hand_over(at_ms, picture) {
                        return Ok(());
                    }
                    damage = Damage::default();
                }
                Err(reason) if damage.is_too_much(at_ms) => {
                    return Err(CaptureError::Picture { device: self.device.clone(), reason });
                }
                Err(_) => {}
            }
        }
    }

    /// The first of the formats that the device accepts, best first.
    fn negotiate(&self, device: &Device) -> Result<(Layout, (u32, u32)), CaptureError> {
        let (width_px, height_px) = self.size_px;
        let mut offered = device.format().map_err(self.failed("read its format"))?;
        for code in FORMATS {
            let wanted = Format::new(width_px, height_px, FourCC::new(code));
            offered = device.set_format(&wanted).map_err(self.failed("set its format"))?;
            if offered.fourcc == wanted.fourcc {
                break;
            }
        }
        let layout = layout_of(&offered).ok_or_else(|| CaptureError::Format {
            device: self.device.clone(),
            format: offered.fourcc.to_string(),
        })?;
        let (width_px, height_px) = (offered.width, offered.height);
        let device = self.device.display();
        tracing::info!(%device, format = %offered.fourcc, width_px, height_px, "the camera gives");
        Ok((layout, (width_px, height_px)))
    }

    fn no_frame(&self, source: std::io::Error) -> CaptureError {
        if source.kind() == std::io::ErrorKind::TimedOut {
            return CaptureError::Stalled { device: self.device.clone(), waited_ms: POLL_TIMEOUT_MS };
        }
        self.failed("take a frame")(source)
    }
}

/// Damaged pictures since the last good one.
#[derive(Default)]
struct Damage {
    pictures: u32,
    since_ms: u64,
}

impl Damage {
    /// Takes another one; whether the camera is forgiven no more.
    fn is_too_much(&mut self, at_ms: u64) -> bool {
        if self.pictures == 0 {
            self.since_ms = at_ms;
        }
        self.pictures += 1;
        self.pictures > MAX_DAMAGED || at_ms.saturating_sub(self.since_ms) >= MAX_DAMAGED_MS
    }
}

fn layout_of(format: &Format) -> Option<Layout> {
    let bytes_per_line = usize::try_from(format.stride).ok()?;
    match &format.fourcc.repr {
        b"MJPG" | b"JPEG" => Some(Layout::Jpeg),
        b"YUYV" => Some(Layout::Yuyv { bytes_per_line }),
        b"GREY" => Some(Layout::Grey { bytes_per_line }),
        b"NV12" => Some(Layout::Nv12 { bytes_per_line }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }

    #[test]
    fn damaged_pictures_are_forgiven_for_a_while_and_no_longer() {
        let until_too_much = |frame_ms: u64| {
            let mut damage = Damage::default();
            (1..).find(|n| damage.is_too_much(n * frame_ms)).unwrap()
        };
        // Thirty of a fast camera, two seconds of a slow one, one of the slowest.
        assert_eq!([10, 100, 10_000].map(until_too_much), [31, 21, 2]);
    }

    #[test]
    fn a_device_is_captured_by_one_thread_at_a_time() {
        let device = Path::new("/nonexistent/video-of-this-test");
        let turn = Turn::take(device).unwrap();
        let error = Turn::take(device).err().unwrap().to_string();
        assert!(error.contains("has not come back"), "{error}");
        assert!(Turn::take(Path::new("/nonexistent/another-of-this-test")).is_ok());
        drop(turn);
        assert!(Turn::take(device).is_ok());
    }

    #[test]
    fn a_missing_device_and_a_plain_file_are_errors_and_no_panic() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [Path::new("/nonexistent/video0"), file.path()] {
            let mut camera = V4lCamera::open(path, (64, 48), 10.0, &[], clock(), Stop::default()).unwrap();
            let error = camera.next().unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}

//! A pipeline of GStreamer, played by `gst-launch-1.0` in a process of its own: what decodes its bytes, and whatever a vendor's plugins do,
//! happens there. Raw pictures come back through a pipe.
//!
//! # Invariants
//! - A child never outlives its camera by more than it takes to kill it, and one that a driver holds is not joined by another.
//! - Nothing that a child writes is believed: sizes and lengths are bounded, what it prints is cut short.
//! - A pipeline may hold an address with a password: of its text only the first word is shown, and what a child says of the rest is hidden.

mod child;
mod error;
mod group;
mod said;
mod secrets;

use std::io::{self, BufReader, PipeReader};
use std::sync::Arc;

use vad_core::RgbFrame;

use super::feed::{Dry, Feed, Feeder, feed};
use super::y4m::Y4m;
use super::{Camera, CaptureError, Stamp};
use crate::clock::Clock;
use crate::config::{GstPipeline, GstSource};
use crate::shutdown::Stop;
use child::Child;
use error::Trouble;

pub use error::GstError;

/// A pipeline without a picture for this long has stalled.
const STALL_MS: u64 = 2_000;
/// The same for the first one: GStreamer may look through all its plugins before, and sensors are slow to start.
const START_MS: u64 = 15_000;
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// See the module's documentation.
pub struct GstCamera {
    /// Dropped first: while it ends, its pictures are still taken from it.
    child: Child,
    pipeline: GstPipeline,
    feed: Feed,
    has_begun: bool,
    stop: Stop,
}

impl GstCamera {
    /// Starts the pipeline; at most the source's pictures per second are taken from it.
    ///
    /// # Errors
    /// [`CaptureError::Gst`] when the program is missing or cannot be started; what a pipeline fails for is reported by `next`.
    pub fn open(source: &GstSource, clock: Arc<dyn Clock>, stop: Stop) -> Result<Self, CaptureError> {
        let GstSource { pipeline, frame_rate_hz } = source;
        let failed = |trouble| GstError::new(pipeline, trouble);
        let (child, pictures) = Child::start(pipeline).map_err(failed)?;
        let (feeder, feed) = feed(*frame_rate_hz);
        let capture = Capture { pipeline: pipeline.clone(), clock, feeder };
        std::thread::Builder::new()
            .name(pipeline.to_string())
            .spawn(move || capture.run(pictures))
            .map_err(|e| failed(Trouble::Start(e)))?;
        Ok(Self { child, pipeline: pipeline.clone(), feed, has_begun: false, stop })
    }

    fn error(&self, trouble: Trouble) -> CaptureError {
        GstError::new(&self.pipeline, trouble).into()
    }

    /// Its pictures have ended.
    fn ended(&mut self) -> Result<Option<Stamp>, CaptureError> {
        let reason = self.child.reason();
        // Who ends us may have ended it too.
        if self.stop.is_set() { Ok(None) } else { Err(self.error(Trouble::Ended { reason })) }
    }
}

impl Camera for GstCamera {
    fn next(&mut self) -> Result<Option<Stamp>, CaptureError> {
        let patience_ms = if self.has_begun { STALL_MS } else { START_MS };
        match self.feed.next(patience_ms, &self.stop) {
            Ok(stamp) => {
                self.has_begun = true;
                Ok(stamp)
            }
            Err(Dry::Stalled { waited_ms }) if self.has_begun => {
                Err(self.error(Trouble::Stalled { waited_ms, said: self.child.said() }))
            }
            Err(Dry::Stalled { waited_ms }) => {
                Err(self.error(Trouble::Silent { waited_ms, said: self.child.said() }))
            }
            Err(Dry::Failed(error)) => Err(error),
            Err(Dry::Ended) => self.ended(),
        }
    }

    fn missed(&self) -> u64 {
        self.feed.missed()
    }

    fn frame(&self) -> Result<RgbFrame<'_>, CaptureError> {
        self.feed.frame().map_err(|reason| self.error(Trouble::Picture(reason)))
    }
}

/// The capture thread's side.
struct Capture {
    pipeline: GstPipeline,
    clock: Arc<dyn Clock>,
    feeder: Feeder,
}

impl Capture {
    /// Reads until the child ends. When it writes nonsense or nobody looks any more, what it writes is thrown away: one that cannot write
    /// would not end in good order.
    fn run(mut self, pictures: PipeReader) {
        let mut pictures = BufReader::with_capacity(CHUNK, pictures);
        self.hand_over_all(&mut pictures);
        drop(self);
        // However it ends, this is over.
        let _ = io::copy(&mut pictures, &mut io::sink());
    }

    fn hand_over_all(&mut self, pictures: &mut BufReader<PipeReader>) {
        let mut stream = Y4m::new(pictures);
        loop {
            let clock = &self.clock;
            let trouble = match stream.next(|| clock.monotonic_ms()) {
                // Why is the child's to say.
                Ok(None) => return,
                Ok(Some((at_ms, raw))) if self.feeder.is_due(at_ms) => match raw.to_rgb() {
                    Ok(picture) => {
                        if !self.feeder.hand_over(at_ms, picture) {
                            return;
                        }
                        continue;
                    }
                    Err(reason) => Trouble::Picture(reason),
                },
                Ok(Some(_)) => continue,
                Err(e) => Trouble::Stream(e),
            };
            return self.feeder.fail(GstError::new(&self.pipeline, trouble).into());
        }
    }
}

//! A network camera over RTSP, isolated in a thread of its own like a [`super::V4lCamera`]: a camera that falls silent, lies or makes
//! the library panic costs this camera a fault and a retry, nothing else.
//!
//! # Invariants
//! - The thread ends within a second when the camera is dropped, whatever the network does.
//! - A camera that sends 8 MiB without a whole access unit is in fault (over TCP, where the kernel counts what a thread reads).
//! - Passwords occur in no error and no `Debug` output.

mod error;
mod meter;
mod stream;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;
use vad_core::RgbFrame;

use super::feed::{Dry, Feed, feed};
use super::{Camera, CaptureError, Stamp};
use crate::clock::Clock;
use crate::config::RtspSource;
use crate::shutdown::Stop;
use error::Trouble;
use stream::{Capture, Closed};

pub use error::RtspError;

/// A camera must agree to play within this time.
const AGREEMENT_MS: u64 = 3_000;
/// A camera without a picture for this long has stalled.
const POLL_TIMEOUT_MS: u64 = 2_000;
/// A camera's first key frame must come within this time.
const KEY_WAIT_MS: u64 = 10_000;
/// What the reader gives the capture thread beyond what that thread gives the camera.
const SLACK_MS: u64 = 500;

/// See the module's documentation.
pub struct RtspCamera {
    source: RtspSource,
    feed: Feed,
    has_begun: bool,
    stop: Stop,
    /// Dropped with the camera, which ends the thread.
    _open: oneshot::Sender<()>,
}

impl RtspCamera {
    /// Starts receiving at most the source's pictures per second.
    ///
    /// # Errors
    /// [`CaptureError::Rtsp`] when there is no thread; everything about the camera itself is reported by the first `next`.
    pub fn open(source: &RtspSource, clock: Arc<dyn Clock>, stop: Stop) -> Result<Self, CaptureError> {
        let (feeder, feed) = feed(source.frame_rate_hz);
        let (open, closed) = oneshot::channel();
        let capture = Capture { source: source.clone(), clock, feeder };
        let name = format!("rtsp {}", source.url.url().host_str().unwrap_or_default());
        std::thread::Builder::new()
            .name(name)
            .spawn(move || run(capture, closed))
            .map_err(|e| RtspError::new(source, Trouble::Thread(e)))?;
        Ok(Self { source: source.clone(), feed, has_begun: false, stop, _open: open })
    }

    fn error(&self, trouble: Trouble) -> CaptureError {
        RtspError::new(&self.source, trouble).into()
    }
}

fn run(mut capture: Capture, closed: Closed) {
    let end = catch_unwind(AssertUnwindSafe(|| capture.run(closed)))
        .unwrap_or_else(|_| Err(capture.error(Trouble::Inside)));
    if let Err(e) = end {
        capture.feeder.fail(e);
    }
}

impl Camera for RtspCamera {
    fn next(&mut self) -> Result<Option<Stamp>, CaptureError> {
        let patience_ms =
            SLACK_MS + if self.has_begun { POLL_TIMEOUT_MS } else { AGREEMENT_MS + KEY_WAIT_MS };
        let stamp = self.feed.next(patience_ms, &self.stop).map_err(|dry| match dry {
            Dry::Stalled { waited_ms } => {
                self.error(Trouble::Stalled { waited_ms, transport: self.source.transport })
            }
            Dry::Ended => self.error(Trouble::Inside),
            Dry::Failed(error) => error,
        })?;
        self.has_begun = true;
        Ok(stamp)
    }

    fn missed(&self) -> u64 {
        self.feed.missed()
    }

    fn frame(&self) -> Result<RgbFrame<'_>, CaptureError> {
        self.feed.frame().map_err(|reason| self.error(Trouble::Broken(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::config::{CameraUrl, Credentials, Transport};

    fn source(url: &str) -> RtspSource {
        RtspSource {
            url: CameraUrl::parse(url).unwrap(),
            credentials: Some(Credentials { username: "u".to_owned(), password: "hunter2".to_owned() }),
            transport: Transport::Tcp,
            frame_rate_hz: 10.0,
        }
    }

    fn failure(source: &RtspSource) -> String {
        let mut camera = RtspCamera::open(source, Arc::new(SystemClock::new()), Stop::default()).unwrap();
        let error = camera.next().unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
        error.to_string()
    }

    #[test]
    fn nobody_there_is_an_error_that_names_the_camera_and_the_remedy() {
        // Bound, and closed again: nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = failure(&source(&format!("rtsp://127.0.0.1:{port}/stream1?password=hunter2")));
        assert!(error.starts_with(&format!("rtsp://127.0.0.1:{port}/stream1?...: ")), "{error}");
        assert!(error.contains("refused") && error.contains("switched on"), "{error}");
        let error = failure(&source("rtsp://no-such-camera.invalid/stream1"));
        assert!(error.starts_with("rtsp://no-such-camera.invalid/stream1: "), "{error}");
    }

    #[test]
    fn something_that_speaks_no_rtsp_is_an_error_and_no_panic() {
        use std::io::{Read, Write};
        let answers: [&[u8]; 5] = [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\n",
            b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest \r\n\r\n",
            b"$\0\xff\xff\0\0\0\0",
        ];
        for answer in answers {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 1_024]);
                let _ = stream.write_all(answer);
            });
            let error = failure(&source(&format!("rtsp://127.0.0.1:{port}/x")));
            assert!(error.starts_with("rtsp://127.0.0.1:"), "{error}");
            server.join().unwrap();
        }
    }
}

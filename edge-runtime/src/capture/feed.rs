//! Between a capture thread and its camera: a bounded queue of pictures at the rate that is scored, and the wait for the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use vad_core::{MediaTimeMs, RgbFrame};

use super::pixels::Picture;
use super::{CaptureError, Stamp};
use crate::shutdown::Stop;

/// Pictures waiting for the scorer; when it is slower than the camera, new ones are left out.
const QUEUE: usize = 16;
/// Bytes of those pictures; one is taken whatever its size.
const QUEUE_BYTES: usize = 64 << 20;
/// Longest uninterrupted wait, so that a shutdown is not kept waiting.
const SLICE: Duration = Duration::from_millis(100);

/// A picture and when it came in, on the monotonic clock, or why there are no more.
type Handed = Result<(u64, Picture), CaptureError>;

/// Both ends of a queue for `frame_rate_hz` pictures per second.
pub(super) fn feed(frame_rate_hz: f64) -> (Feeder, Feed) {
    let (sender, pictures) = sync_channel(QUEUE);
    let (waiting_bytes, missed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
    // At least 1: the rate is at most 240.
    let frame_ms = (1_000.0 / frame_rate_hz).round().max(1.0) as u64;
    let feeder = Feeder {
        sender,
        waiting_bytes: Arc::clone(&waiting_bytes),
        missed: Arc::clone(&missed),
        frame_ms,
        due_ms: 0,
    };
    (feeder, Feed { pictures, waiting_bytes, missed, frame_ms, current: None, begun_ms: None })
}

/// The capture thread's end.
pub(super) struct Feeder {
    sender: SyncSender<Handed>,
    waiting_bytes: Arc<AtomicUsize>,
    missed: Arc<AtomicU64>,
    frame_ms: u64,
    due_ms: u64,
}

impl Feeder {
    /// Whether a picture that came in at `at_ms` is one to score; the next is due a frame's time later.
    pub(super) fn is_due(&mut self, at_ms: u64) -> bool {
        if at_ms < self.due_ms {
            return false;
        }
        self.due_ms = (self.due_ms + self.frame_ms).max(at_ms.saturating_sub(self.frame_ms));
        true
    }

    /// False when the reader is gone. A full queue costs the newest picture: the scorer is behind.
    pub(super) fn hand_over(&self, at_ms: u64, picture: Picture) -> bool {
        let bytes = picture.data.len();
        let waiting = self.waiting_bytes.load(Ordering::SeqCst);
        if waiting > 0 && waiting.saturating_add(bytes) > QUEUE_BYTES {
            self.missed.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        self.waiting_bytes.fetch_add(bytes, Ordering::SeqCst);
        let sent = self.sender.try_send(Ok((at_ms, picture)));
        if matches!(sent, Err(TrySendError::Full(_))) {
            self.missed.fetch_add(1, Ordering::SeqCst);
        }
        if sent.is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::SeqCst);
        }
        !matches!(sent, Err(TrySendError::Disconnected(_)))
    }

    /// The last word. Waits for room; nobody may be listening any more.
    pub(super) fn fail(&self, error: CaptureError) {
        let _ = self.sender.send(Err(error));
    }
}

/// The camera's end.
pub(super) struct Feed {
    pictures: Receiver<Handed>,
    waiting_bytes: Arc<AtomicUsize>,
    missed: Arc<AtomicU64>,
    frame_ms: u64,
    current: Option<Picture>,
    begun_ms: Option<u64>,
}

/// Why there is no next picture.
pub(super) enum Dry {
    /// None came in time.
    Stalled { waited_ms: u64 },
    /// The capture thread ended without a word.
    Ended,
    /// The capture thread said why.
    Failed(CaptureError),
}

impl Feed {
    /// Waits for the next picture; `None` when the program ends. Pictures that are left out on purpose are no stall: the time between
    /// two wanted ones is added to `patience_ms`.
    pub(super) fn next(&mut self, patience_ms: u64, stop: &Stop) -> Result<Option<Stamp>, Dry> {
        let waited_ms = patience_ms + self.frame_ms;
        let until = Instant::now() + Duration::from_millis(waited_ms);
        let (at_ms, picture) = loop {
            if stop.is_set() {
                return Ok(None);
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.pictures.recv_timeout(left.min(SLICE)) {
                Ok(handed) => break handed.map_err(Dry::Failed)?,
                Err(RecvTimeoutError::Disconnected) => return Err(Dry::Ended),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(Dry::Stalled { waited_ms }),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        self.waiting_bytes.fetch_sub(picture.data.len(), Ordering::SeqCst);
        self.current = Some(picture);
        let start = MediaTimeMs(at_ms.saturating_sub(*self.begun_ms.get_or_insert(at_ms)));
        Ok(Some(Stamp { start, end: start.plus_ms(self.frame_ms) }))
    }

    /// Pictures that were due and found no room.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::SeqCst)
    }

    /// The latest picture.
    pub(super) fn frame(&self) -> Result<RgbFrame<'_>, String> {
        let picture = self.current.as_ref().ok_or("no picture yet")?;
        RgbFrame::new(picture.width_px, picture.height_px, &picture.data).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(side_px: u32) -> Picture {
        Picture { width_px: side_px, height_px: side_px, data: vec![7; (side_px * side_px * 3) as usize] }
    }

    #[test]
    fn pictures_come_out_in_order_with_times_from_the_first_on() {
        let (feeder, mut feed) = feed(10.0);
        assert!(feed.frame().is_err());
        assert!(feeder.hand_over(1_000, picture(1)) && feeder.hand_over(1_250, picture(2)));
        let stop = Stop::default();
        let starts: Vec<u64> = (0..2).map(|_| feed.next(1, &stop).ok().unwrap().unwrap().start.0).collect();
        assert_eq!(starts, [0, 250]);
        assert_eq!(feed.frame().unwrap().width_px(), 2);
        assert!(matches!(feed.next(1, &stop), Err(Dry::Stalled { waited_ms: 101 })));
        stop.set();
        assert!(matches!(feed.next(1, &stop), Ok(None)));
        drop(feeder);
        assert!(matches!(feed.next(1, &Stop::default()), Err(Dry::Ended)));
    }

    #[test]
    fn a_slow_reader_costs_the_newest_pictures_and_a_large_one_waits_alone() {
        let (feeder, mut feed) = feed(10.0);
        for at_ms in 0..40 {
            assert!(feeder.hand_over(at_ms, picture(1)));
        }
        let taken = std::iter::from_fn(|| feed.next(0, &Stop::default()).ok().flatten()).count();
        assert_eq!((taken, feed.missed()), (QUEUE, 40 - QUEUE as u64));
        // 48 MiB each.
        assert!(feeder.hand_over(50, picture(4_096)) && feeder.hand_over(51, picture(4_096)));
        let taken = std::iter::from_fn(|| feed.next(0, &Stop::default()).ok().flatten()).count();
        assert_eq!((taken, feed.missed()), (1, 41 - QUEUE as u64));
        drop(feed);
        assert!(!feeder.hand_over(60, picture(1)), "the reader is gone");
    }

    #[test]
    fn frames_above_the_rate_are_left_out() {
        let (mut feeder, _feed) = feed(10.0);
        let due: Vec<u64> = (1_000..2_000).step_by(40).filter(|&at_ms| feeder.is_due(at_ms)).collect();
        // The first ones make up for the time before.
        assert!((10..=12).contains(&due.len()), "{due:?}");
        assert!(feeder.is_due(9_000), "after a pause");
    }
}

//! The last seconds of a camera's video, encoded: what a clip shows from before its alarm.

use std::collections::VecDeque;
use std::sync::Arc;

use vad_core::RgbFrame;
use vad_h264::{Encoder, EncoderSpec, H264Error, ParameterSets};

use crate::capture::Stamp;

/// Media time from one key frame to the next. A clip begins at one, so it is up to that much longer than was asked for.
const KEY_INTERVAL_MS: u64 = 1_000;
/// Most bytes that are kept, whatever the camera shows.
const MAX_RING_BYTES: usize = 16 << 20;

/// One encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) stamp: Stamp,
    pub(super) is_key: bool,
    pub(super) data: Arc<[u8]>,
}

/// See the module's documentation.
pub(super) struct Reel {
    pre_roll_ms: u64,
    encoder: Option<Encoder>,
    ring: VecDeque<Coded>,
    ring_bytes: usize,
}

impl Reel {
    /// An empty one that keeps `pre_roll_ms` of video.
    pub(super) fn new(pre_roll_ms: u64) -> Self {
        Self { pre_roll_ms, encoder: None, ring: VecDeque::new(), ring_bytes: 0 }
    }

    /// Encodes the next picture; nothing where the encoder leaves it out to keep its rate.
    ///
    /// # Errors
    /// [`H264Error`]: the picture is in no clip; the next one begins a new reel.
    pub(super) fn push(&mut self, picture: RgbFrame<'_>, stamp: Stamp) -> Result<Option<Coded>, H264Error> {
        let size_px = (picture.width_px(), picture.height_px());
        let fits = !self.would_cut(size_px);
        let mut encoder = match self.encoder.take() {
            Some(encoder) if fits => encoder,
            _ => {
                self.clear();
                Encoder::new(size_px, spec(stamp))?
            }
        };
        let sample = encoder.encode(picture)?;
        self.encoder = Some(encoder);
        let Some(sample) = sample else { return Ok(None) };
        let coded = Coded { stamp, is_key: sample.is_key, data: sample.data.into() };
        self.ring_bytes += coded.data.len();
        self.ring.push_back(coded.clone());
        self.forget(stamp);
        Ok(Some(coded))
    }

    /// Whether a picture of this size cannot follow what is here.
    pub(super) fn would_cut(&self, size_px: (u32, u32)) -> bool {
        self.encoder.as_ref().is_some_and(|encoder| encoder.source_px() != size_px)
    }

    /// What is kept, from a key frame on.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Coded> {
        self.ring.iter()
    }

    /// Size and parameter sets of what is kept; `None` before the first picture.
    pub(super) fn format(&self) -> Option<((u32, u32), &ParameterSets)> {
        let encoder = self.encoder.as_ref()?;
        Some((encoder.size_px(), encoder.parameter_sets()?))
    }

    /// Forgets everything, as at the end of a stream.
    pub(super) fn clear(&mut self) {
        self.encoder = None;
        self.ring.clear();
        self.ring_bytes = 0;
    }

    /// Drops groups of pictures that are no longer needed, or that there is no room for.
    fn forget(&mut self, now: Stamp) {
        let from_ms = now.end.0.saturating_sub(self.pre_roll_ms);
        while let Some(second_key) = self.ring.iter().skip(1).position(|coded| coded.is_key).map(|at| at + 1)
        {
            let is_needed = self.ring[second_key].stamp.start.0 > from_ms;
            if is_needed && self.ring_bytes <= MAX_RING_BYTES {
                return;
            }
            let dropped: usize = self.ring.drain(..second_key).map(|coded| coded.data.len()).sum();
            self.ring_bytes -= dropped;
        }
    }
}

/// For pictures as long as this one.
fn spec(stamp: Stamp) -> EncoderSpec {
    let frame_ms = stamp.end.0.saturating_sub(stamp.start.0).max(1);
    let key_interval_frames = u32::try_from(KEY_INTERVAL_MS.div_ceil(frame_ms)).unwrap_or(u32::MAX);
    EncoderSpec { frame_rate_hz: 1_000.0 / frame_ms as f64, key_interval_frames }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vad_core::MediaTimeMs;

    fn stamp(index: u64, frame_ms: u64) -> Stamp {
        Stamp { start: MediaTimeMs(index * frame_ms), end: MediaTimeMs((index + 1) * frame_ms) }
    }

    fn push(reel: &mut Reel, side: u32, stamp: Stamp) -> Option<Coded> {
        let pixels: Vec<u8> =
            (0..side * side * 3).map(|at| (at % 251) as u8 ^ (stamp.start.0 / 100) as u8).collect();
        reel.push(RgbFrame::new(side, side, &pixels).unwrap(), stamp).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_kept_begins_with_a_key_frame_and_reaches_back_far_enough(
            pre_roll_ms in 0_u64..6_000, frame_ms in 20_u64..400, frames in 1_u64..120
        ) {
            let mut reel = Reel::new(pre_roll_ms);
            for index in 0..frames {
                push(&mut reel, 32, stamp(index, frame_ms));
                let kept: Vec<&Coded> = reel.kept().collect();
                prop_assert!(kept[0].is_key);
                prop_assert!(kept.is_sorted_by_key(|coded| coded.stamp.start.0));
                let (begin_ms, now_ms) = (kept[0].stamp.start.0, (index + 1) * frame_ms);
                prop_assert!(begin_ms <= now_ms.saturating_sub(pre_roll_ms), "reaches back");
                // A key frame comes every second, or with the next picture after that.
                let most_ms = pre_roll_ms + KEY_INTERVAL_MS + 2 * frame_ms;
                prop_assert!(now_ms - begin_ms <= most_ms, "{} ms kept", now_ms - begin_ms);
            }
        }
    }

    #[test]
    fn a_picture_of_another_size_begins_a_new_reel() {
        let mut reel = Reel::new(10_000);
        for index in 0..5 {
            push(&mut reel, 32, stamp(index, 100));
        }
        assert!(reel.would_cut((48, 48)) && !reel.would_cut((32, 32)));
        assert!(push(&mut reel, 48, stamp(5, 100)).unwrap().is_key);
        assert_eq!((reel.kept().count(), reel.format().unwrap().0), (1, (48, 48)));
    }

    #[test]
    fn a_picture_that_cannot_be_encoded_is_an_error_and_the_next_one_is_not() {
        let mut reel = Reel::new(1_000);
        let small = [0; 8 * 8 * 3];
        assert!(reel.push(RgbFrame::new(8, 8, &small).unwrap(), stamp(0, 100)).is_err());
        assert!(push(&mut reel, 32, stamp(1, 100)).is_some());
    }

    #[test]
    fn bytes_are_bounded_whatever_the_time() {
        let mut reel = Reel::new(u64::MAX);
        for index in 0..40 {
            push(&mut reel, 32, stamp(index, 500));
        }
        reel.ring_bytes += MAX_RING_BYTES;
        push(&mut reel, 32, stamp(40, 500));
        assert!(reel.kept().count() <= 2, "down to the last group");
    }
}

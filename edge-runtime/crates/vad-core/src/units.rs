//! Typed positions in a stream: frames are counted, media time is in milliseconds.
//!
//! # Terms
//!
//! - *frame index*: number of a frame in its stream, from 0, without gaps.
//! - *media time*: presentation time since the stream began. It is not wall-clock time and is not
//!   comparable between streams.

use serde::{Deserialize, Serialize};

/// Number of a frame in its stream, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameIndex(pub u64);

/// Presentation time since the start of the stream, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTimeMs(pub u64);

impl FrameIndex {
    /// Time at which this frame begins in a stream of constant rate:
    /// `floor(index * 1000 / frame_rate_hz + 1/2)` in `f64`, saturating.
    ///
    /// # Units
    ///
    /// `frame_rate_hz` is in frames per second. A rate that is not positive and finite gives 0.
    #[must_use]
    pub fn media_time(self, frame_rate_hz: f64) -> MediaTimeMs {
        if !frame_rate_hz.is_finite() || frame_rate_hz <= 0.0 {
            return MediaTimeMs(0);
        }
        // `as` saturates, and truncation of a non-negative value is its floor.
        MediaTimeMs((self.0 as f64 * 1000.0 / frame_rate_hz + 0.5) as u64)
    }
}

impl MediaTimeMs {
    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `self` plus `ms` milliseconds, saturating.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_rounds_to_the_nearest_millisecond() {
        assert_eq!(FrameIndex(0).media_time(10.0), MediaTimeMs(0));
        assert_eq!(FrameIndex(16).media_time(10.0), MediaTimeMs(1600));
        assert_eq!(FrameIndex(1).media_time(30_000.0 / 1001.0), MediaTimeMs(33));
        assert_eq!(FrameIndex(2).media_time(30.0), MediaTimeMs(67));
    }

    #[test]
    fn useless_rates_and_huge_indices_do_not_panic() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(FrameIndex(7).media_time(rate), MediaTimeMs(0));
        }
        assert_eq!(FrameIndex(u64::MAX).media_time(1e-300).0, u64::MAX);
    }

    #[test]
    fn time_arithmetic_saturates() {
        assert_eq!(MediaTimeMs(3).ms_since(MediaTimeMs(5)), 0);
        assert_eq!(MediaTimeMs(u64::MAX).plus_ms(1), MediaTimeMs(u64::MAX));
    }
}

//! Ground-truth conventions: from annotated ranges to frame labels.
//!
//! The public repositories disagree about the same annotations of UCF-Crime, so their figures are over different frames:
//!
//! | convention | length | range | UCF-Crime test |
//! |---|---|---|---|
//! | [`GroundTruth::PaddedInclusive`] (RTFM) | frames rounded up to 16 | `start..=end` | 1,114,144 frames, 84,343 abnormal |
//! | [`GroundTruth::TruncatedExclusive`] (MIST, CU) | frames rounded down to 16 | `start..end` | 1,109,824 frames, 84,160 abnormal |
//! | [`GroundTruth::Frames`] (Watchpost) | the frames of the video | `start..=end` | every frame once, nothing else |
//!
//! For ShanghaiTech, RTFM ships masks per frame, which [`crate::Alignment::PadLast`] stretches to whole snippets.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Frames of a snippet in the published repositories.
const SNIPPET_FRAMES: u64 = 16;

/// How annotated ranges become frame labels. Ranges count frames from 0 and name their last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroundTruth {
    /// One label per frame, the end frame abnormal: the convention of Watchpost's own figures.
    Frames,
    /// RTFM: padded to `16 * ceil(frames / 16)`, the end frame abnormal.
    PaddedInclusive,
    /// MIST and CU: cut to `16 * floor(frames / 16)`, the end frame normal.
    TruncatedExclusive,
    /// Cut as MIST and CU do, the end frame abnormal.
    TruncatedInclusive,
}

impl GroundTruth {
    /// Number of labels for a video of `frames` frames.
    pub fn labelled_frames(self, frames: u64) -> u64 {
        match self {
            Self::Frames => frames,
            Self::PaddedInclusive => frames.div_ceil(SNIPPET_FRAMES) * SNIPPET_FRAMES,
            Self::TruncatedExclusive | Self::TruncatedInclusive => frames - frames % SNIPPET_FRAMES,
        }
    }

    /// Frame labels of a video; `true` = abnormal. What lies beyond the labelled frames is dropped.
    pub fn labels(self, ranges: &[RangeInclusive<u64>], frames: u64) -> Vec<bool> {
        let labelled = self.labelled_frames(frames);
        let mut labels = vec![false; labelled as usize];
        for range in ranges {
            let end = match self {
                Self::TruncatedExclusive => *range.end(),
                _ => range.end().saturating_add(1),
            };
            let (first, end) = ((*range.start()).min(labelled), end.min(labelled));
            if first < end {
                labels[first as usize..end as usize].fill(true);
            }
        }
        labels
    }
}

/// Runs of abnormal frames, as ranges that name their last frame.
pub fn ranges_of(labels: &[bool]) -> Vec<RangeInclusive<u64>> {
    let mut ranges = Vec::new();
    let mut first = 0;
    for run in labels.chunk_by(|a, b| a == b) {
        let end = first + run.len() as u64;
        if run.first() == Some(&true) {
            ranges.push(first..=end - 1);
        }
        first = end;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::reversed_empty_ranges, reason = "an annotation may be the wrong way round")]
    fn ranges_are_clipped_and_empty_ones_ignored() {
        let labels = GroundTruth::Frames.labels(&[2..=3, 9..=20, 8..=7, 30..=40], 10);
        assert_eq!(ranges_of(&labels), [2..=3, 9..=9]);
        assert_eq!(GroundTruth::PaddedInclusive.labels(&[9..=20], 10).len(), 16);
        assert!(GroundTruth::TruncatedExclusive.labels(&[0..=9], 10).is_empty());
        assert_eq!(GroundTruth::Frames.labels(&[0..=u64::MAX], 3), [true; 3]);
    }

    #[test]
    fn the_end_frame_depends_on_the_convention() {
        let count = |rule: GroundTruth| rule.labels(&[4..=7], 32).iter().filter(|&&l| l).count();
        assert_eq!(count(GroundTruth::PaddedInclusive), 4);
        assert_eq!(count(GroundTruth::TruncatedExclusive), 3);
        assert_eq!(count(GroundTruth::TruncatedInclusive), 4);
    }
}

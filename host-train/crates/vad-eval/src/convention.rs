//! Frame-level figures as a published repository counts frames.
//!
//! A convention is a [`GroundTruth`] (how annotated ranges become labels) and an [`Alignment`] (what happens where labels
//! and `16 * clips` scores differ in length). Each clip's score is repeated 16 times and all videos are joined, as in the
//! evaluation scripts of all the papers. What Watchpost itself prints counts every frame once ([`crate::Evaluation`]);
//! a figure is comparable with a paper's only under the paper's own convention.

use crate::align::{Alignment, align, repeat_scores};
use crate::evaluation::{VideoScores, VideoTruth};
use crate::gt::GroundTruth;
use crate::metrics::{FrameMetrics, MetricsError};
use std::ops::RangeInclusive;

/// Frames of a clip in the published repositories.
const CLIP_FRAMES: usize = 16;

/// Frames compared, and how many of them are abnormal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Frames compared.
    pub frames: u64,
    /// Abnormal frames among them.
    pub abnormal: u64,
}

/// One way of counting, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// Whose it is.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// From annotated ranges to labels.
    pub truth: GroundTruth,
    /// From labels to labels of as many frames as there are scores.
    pub alignment: Alignment,
    /// The counts on the whole test set, where they are known.
    pub published: Option<FrameCounts>,
}

impl Convention {
    /// Labels of the frames that are compared, for a video of `frames` frames and `clips` clips; `true` = abnormal.
    pub fn labels(&self, ranges: &[RangeInclusive<u64>], frames: u64, clips: usize) -> Vec<bool> {
        let mut labels = self.truth.labels(ranges, frames);
        let mut scores = vec![(); clips * CLIP_FRAMES];
        align(&mut scores, &mut labels, self.alignment);
        labels
    }

    /// The figures over all videos with known frame labels, from the raw scores of their clips.
    ///
    /// # Errors
    /// A score that is not finite.
    pub fn figures(&self, videos: &[VideoScores]) -> Result<FrameMetrics, MetricsError> {
        let (mut all_scores, mut all_labels) = (Vec::new(), Vec::new());
        for video in videos {
            let ranges: &[RangeInclusive<u64>] = match &video.truth {
                VideoTruth::Normal => &[],
                VideoTruth::Abnormal(Some(ranges)) => ranges,
                VideoTruth::Abnormal(None) => continue,
            };
            let mut scores = repeat_scores(&video.raw, CLIP_FRAMES);
            let mut labels = self.truth.labels(ranges, video.frames);
            align(&mut scores, &mut labels, self.alignment);
            all_scores.append(&mut scores);
            all_labels.append(&mut labels);
        }
        FrameMetrics::compute(&all_scores, &all_labels)
    }
}

impl FrameCounts {
    /// Counts labels.
    pub fn of(labels: &[bool]) -> Self {
        let abnormal = labels.iter().filter(|&&label| label).count();
        Self { frames: labels.len() as u64, abnormal: abnormal as u64 }
    }

    /// The counts of both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { frames: self.frames + other.frames, abnormal: self.abnormal + other.abnormal }
    }
}

/// The clips that conventions speak of: 16 frames, one after the other.
pub fn suits(video: &VideoScores) -> bool {
    let in_row = |(index, span): (usize, &vad_core::ClipSpan)| {
        span.first_frame.0 == (index * CLIP_FRAMES) as u64 && usize::from(span.frames) <= CLIP_FRAMES
    };
    video.spans.iter().enumerate().all(in_row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gt::ranges_of;
    use vad_core::ClipSpec;

    const fn convention(truth: GroundTruth, alignment: Alignment) -> Convention {
        Convention { name: "", about: "", truth, alignment, published: None }
    }

    const PADDED: Convention = convention(GroundTruth::PaddedInclusive, Alignment::PadNormal);
    const CUT: Convention = convention(GroundTruth::TruncatedExclusive, Alignment::Truncate);

    /// Length and abnormal ranges under both conventions, for features that pad the last clip and for those that drop it.
    fn both(ranges: &[RangeInclusive<u64>], frames: u64) -> [(usize, Vec<RangeInclusive<u64>>); 2] {
        let labels = [
            PADDED.labels(ranges, frames, frames.div_ceil(16) as usize),
            CUT.labels(ranges, frames, (frames / 16) as usize),
        ];
        labels.map(|labels| (labels.len(), ranges_of(&labels)))
    }

    #[test]
    fn the_conventions_differ_at_the_end_of_ranges_and_of_videos() {
        assert_eq!(both(&[4..=20], 40), [(48, vec![4..=20]), (32, vec![4..=19])]);
        // To the last frame, in a video that is no multiple of 16 and in one that is.
        assert_eq!(both(&[30..=39], 40), [(48, vec![30..=39]), (32, vec![30..=31])]);
        assert_eq!(both(&[30..=47], 48), [(48, vec![30..=47]), (48, vec![30..=46])]);
        // An annotation that names a frame past the end, as seven of UCF-Crime do.
        assert_eq!(both(&[30..=41], 40), [(48, vec![30..=41]), (32, vec![30..=31])]);
        assert_eq!(both(&[30..=48], 48), [(48, vec![30..=47]), (48, vec![30..=47])]);
        // A range within the frames that are cut off, one frame alone, and two that touch.
        assert_eq!(both(&[33..=36], 40), [(48, vec![33..=36]), (32, vec![])]);
        assert_eq!(both(&[5..=5], 32), [(32, vec![5..=5]), (32, vec![])]);
        assert_eq!(both(&[2..=5, 6..=9], 32), [(32, vec![2..=9]), (32, vec![2..=4, 6..=8])]);
        // Less than a clip.
        assert_eq!(both(&[0..=9], 10), [(16, vec![0..=9]), (0, vec![])]);
    }

    #[test]
    fn scores_decide_the_length_where_features_and_annotation_disagree() {
        let cut_padded = convention(GroundTruth::TruncatedExclusive, Alignment::PadNormal);
        // 40 frames, but three clips: CU's script pads MIST's labels.
        assert_eq!(ranges_of(&cut_padded.labels(&[20..=39], 40, 3)), [20..=31]);
        assert_eq!(cut_padded.labels(&[20..=39], 40, 3).len(), 48);
        // A mask is stretched by its last value.
        let mask = convention(GroundTruth::Frames, Alignment::PadLast);
        assert_eq!(ranges_of(&mask.labels(&[20..=39], 40, 3)), [20..=47]);
        assert_eq!(mask.labels(&[], 40, 3), [false; 48]);
        // Features of two clips cannot be compared on more than 32 frames.
        assert_eq!(PADDED.labels(&[20..=39], 40, 2).len(), 32);
        assert_eq!(CUT.labels(&[20..=39], 48, 2).len(), 32);
    }

    #[test]
    fn figures_join_the_videos_that_are_annotated() {
        let spec = ClipSpec { frames: 16, stride: 16 };
        let video = |raw: &[f32], frames: u64, truth: VideoTruth| VideoScores {
            video: "v".to_owned(),
            frames,
            frame_rate_hz: 30.0,
            spans: spec.spans(frames).collect(),
            raw: raw.to_vec(),
            truth,
            class: None,
        };
        let videos = [
            video(&[0.9, 0.2, 0.1], 40, VideoTruth::Abnormal(Some(vec![0..=15]))),
            video(&[0.3], 16, VideoTruth::Normal),
            video(&[0.8], 16, VideoTruth::Abnormal(None)),
        ];
        assert!(videos.iter().all(suits));
        let padded = PADDED.figures(&videos).unwrap();
        assert_eq!((padded.frames, padded.abnormal_frames, padded.roc_auc), (64, 16, Some(1.0)));
        let cut = CUT.figures(&videos).unwrap();
        assert_eq!((cut.frames, cut.abnormal_frames), (48, 15));
        // The one abnormal frame that is called normal ties with all the others.
        assert_eq!(cut.roc_auc, Some((32.0 + 0.5) / 33.0));
        let mut overlapping = videos[0].clone();
        overlapping.spans[1].first_frame.0 = 8;
        assert!(!suits(&overlapping));
    }
}
